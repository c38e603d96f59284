/* link: bw_agent bw_base */
/* The files of a message through the helper, one part or as many as a packet carries: as it hands them over, and as it gets them back. */
#include "helped-kit.h"

#define ID_SENDMAIL "5AMAcexx000001"

/* --- files --- */

static const char *const *file_names;
static size_t file_count;

static bool hand_over(int client)
{
	if (!heard(client, "fetch"))
		return false;
	packet_reset(&packet);
	packet_add_text(&packet, "is", "done");
	packet_add_text(&packet, "seal", "5ea1");
	for (size_t i = 0; i < file_count; i++) {
		struct packet_file file = { "", 0600, 1, 2, 3 };

		snprintf(file.name, sizeof(file.name), "%s", file_names[i]);
		packet_add_file(&packet, i, &file);
		packet.files[packet.file_count++] = open("/dev/null", O_RDONLY);
	}
	return packet_send(client, &packet, WAIT_MS, NULL) == BW_OK;
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void fetched(void **state)
{
	static const char *const names[] = { "hf", "df" };
	struct bw_queue_file files[BW_QUEUE_FILES_MAX];
	size_t count = 0;

	(void)state;
	file_names = names;
	file_count = 2;
	with_helper(hand_over, 1);
	assert_int_equal(postfix->files(&place, "ABCDEF", files, &count, NULL), BW_OK);
	assert_int_equal(count, 2);
	assert_string_equal(files[0].seal, "5ea1");
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(files[i].name, file_names[i]);
		assert_int_equal(close(files[i].fd), 0);
	}
	expect_helper_content();
}

/* All that one packet can carry: a message in 252 parts. */
static const char *const *many_names(size_t count)
{
	static char names[PACKET_FILES_MAX + 1][32];
	static const char *all[PACKET_FILES_MAX + 1];

	for (size_t i = 0; i < count; i++) {
		snprintf(names[i], sizeof(names[i]), i < 2 ? (i == 0 ? "hf" : "df") : "hf5AMAcexx%06zu", i);
		all[i] = names[i];
	}
	return all;
}

static void fetched_parts(void **state)
{
	struct bw_queue_file *files = NULL, few[BW_QUEUE_FILES_MAX];
	size_t count = 0;
	struct bw_why why;

	(void)state;
	file_count = PACKET_FILES_MAX;
	file_names = many_names(file_count);
	int before = open_descriptors();

	with_helper(hand_over, 2);
	assert_int_equal(bw_mta_find_helped("sendmail")->files_all(&place, ID_SENDMAIL, &files, &count, &why), BW_OK);
	assert_int_equal(count, PACKET_FILES_MAX);
	assert_string_equal(files[0].seal, "5ea1");
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(files[i].name, file_names[i]);
		assert_int_equal(close(files[i].fd), 0);
	}
	free(files);
	/* Who has room for one part gets none. */
	count = 7;
	bw_helper_close(&helper);
	assert_int_equal(bw_helper_open(path, &helper, NULL), BW_OK);
	place.helper = helper;
	assert_int_equal(bw_mta_find_helped("sendmail")->files(&place, ID_SENDMAIL, few, &count, &why), BW_ERR_LIMIT);
	assert_int_equal(count, 7);
	bw_helper_close(&helper);
	expect_helper_content();
	assert_int_equal(open_descriptors(), before);
}

static void fetched_nonsense(void **state)
{
	static const char *const names[][2] = {
		{ "df", "../../etc/passwd" }, { "df", "hf../../etc/x" }, { "hf", "df5AMAcexx000002" },   { "hf", "hf5AMAcexx" },
		{ "hf", "xf5AMAcexx000002" }, { "hf", "messages" },      { "hf", "hf5AMAcexx0000021a" }, { "hf", "" },
	};
	struct bw_queue_file files[BW_QUEUE_FILES_MAX];

	(void)state;
	bw_helper_close(&helper);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t count = 7;

		file_names = names[i];
		file_count = 2;
		assert_int_equal(bw_helper_open(path, &helper, NULL), BW_OK);
		place.helper = helper;
		with_helper(hand_over, 1);
		int before = open_descriptors();

		assert_int_equal(postfix->files(&place, "ABCDEF", files, &count, NULL), BW_ERR_CORRUPT);
		assert_int_equal(count, 7);
		bw_helper_close(&helper);
		assert_int_equal(open_descriptors(), before);
		expect_helper_content();
	}
}

/* --- back --- */

/* So many files, each with the same bytes. */
static struct bw_archived *archived_of(const char *seal, const char *const *names, size_t count)
{
	const struct bw_hash id = { { 0xab } };
	struct bw_queue_file *files = calloc(count, sizeof(*files));
	const struct archive_source from = { .mta = "postfix", .queue_id = "ABCDEF", .files = files, .count = count };
	char name[100], directory[100];
	struct bw_archived *a = NULL;
	FILE *f;

	snprintf(name, sizeof(name), "%s/message", root);
	snprintf(directory, sizeof(directory), "%s/archive", root);
	assert_int_equal(bw_archive_open(directory, &archive, NULL), BW_OK);
	f = fopen(name, "w");
	fputs("the message", f);
	fclose(f);
	for (size_t i = 0; i < count; i++) {
		files[i] = BW_QUEUE_FILE_NONE;
		files[i].name = names[i];
		bw_slice_copy(bw_slice_of(name), files[i].path, sizeof(files[i].path));
	}
	bw_slice_copy(bw_slice_of(seal), files[0].seal, sizeof(files[0].seal));
	assert_int_equal(archive_write(archive, &id, &from, NULL), BW_OK);
	assert_int_equal(archived_open(archive, &id, &a, NULL), BW_OK);
	unlink(name);
	free(files);
	return a;
}

#define SEAL "5ea1000000000000000000000000000000000000000000000000000000000000"

static bool is_gone(int client)
{
	static const char *const fields[] = { "is", "refused", "code", "no-message", "why", "not there", NULL };

	return heard(client, "look") && packet_is(&packet, "queue", ID_SENDMAIL) && answer(client, fields);
}

static bool place_parts(int client)
{
	static const char *const done[] = { "is", "done", "queue", ID_SENDMAIL, NULL };
	struct packet_file file;

	if (!is_gone(client) || !heard(client, "put") || packet.file_count != PACKET_FILES_MAX)
		return false;
	for (size_t i = 0; i < PACKET_FILES_MAX; i++) {
		char bytes[32] = "";

		if (!packet_get_file(&packet, i, &file) || strcmp(file.name, file_names[i]) != 0 || file.bytes != 11 ||
		    pread(packet.files[i], bytes, sizeof(bytes), 0) != 11 || strcmp(bytes, "the message") != 0)
			return false;
	}
	packet_drop_files(&packet);
	return answer(client, done);
}

struct noted {
	char queue_id[BW_QUEUE_ID_BYTES];
	enum bw_err err;
};

static enum bw_err note_id(void *ctx, const char *queue_id, struct bw_why *why)
{
	struct noted *n = ctx;

	snprintf(n->queue_id, sizeof(n->queue_id), "%s", queue_id);
	return n->err == BW_OK ? BW_OK : bw_fail(why, n->err, "cannot be noted");
}

/* As many as a packet carries, each with its own line; one more is not sent. */
static void put_parts(void **state)
{
	struct noted noted = { "", BW_OK };
	char queue_id[BW_QUEUE_ID_BYTES] = ID_SENDMAIL;
	int before = open_descriptors();

	(void)state;
	place.order = "v=1; kind=restore; host=mx1; mta=sendmail; queue=" ID_SENDMAIL "; id=" ID "; at=4000; until=9000; nonce=" ID "; mac=";
	file_names = many_names(PACKET_FILES_MAX + 1);
	for (size_t more = 0; more <= 1; more++) {
		struct bw_archived *a = archived_of(SEAL, file_names, PACKET_FILES_MAX + more);

		with_helper(more == 0 ? place_parts : is_gone, 1);
		assert_int_equal(bw_mta_find_helped("sendmail")->put(&place, a, queue_id, note_id, &noted, NULL), more == 0 ? BW_OK : BW_ERR_LIMIT);
		assert_string_equal(queue_id, ID_SENDMAIL);
		archived_close(&a);
		close(archive);
		archive = -1;
		bw_helper_close(&helper);
		expect_helper_content();
		assert_int_equal(bw_helper_open(path, &helper, NULL), BW_OK);
		place.helper = helper;
	}
	assert_int_equal(open_descriptors(), before);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		HELPED_TEST(fetched),
		HELPED_TEST(fetched_parts),
		HELPED_TEST(fetched_nonsense),
		HELPED_TEST(put_parts),
	};

	return cmocka_run_group_tests_name("helped-files", tests, NULL, NULL);
}
