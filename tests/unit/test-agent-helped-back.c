/* link: bw_agent bw_base */
/* What an MTA gets back through the helper: put once, noted before, and found where it was put before. */
#include "helped-kit.h"

static struct bw_archived *archived_with(const char *seal)
{
	const struct bw_hash id = { { 0xab } };
	struct bw_queue_file file = BW_QUEUE_FILE_NONE;
	const struct archive_source from = { .mta = "postfix", .queue_id = "ABCDEF", .files = &file, .count = 1 };
	char name[100], directory[100];
	struct bw_archived *a = NULL;
	FILE *f;

	snprintf(name, sizeof(name), "%s/message", root);
	snprintf(directory, sizeof(directory), "%s/archive", root);
	assert_int_equal(bw_archive_open(directory, &archive, NULL), BW_OK);
	f = fopen(name, "w");
	fputs("the message", f);
	fclose(f);
	file.name = "message";
	bw_slice_copy(bw_slice_of(name), file.path, sizeof(file.path));
	bw_slice_copy(bw_slice_of(seal), file.seal, sizeof(file.seal));
	assert_int_equal(archive_write(archive, &id, &from, NULL), BW_OK);
	assert_int_equal(archived_open(archive, &id, &a, NULL), BW_OK);
	unlink(name);
	return a;
}

static bool not_there(int client)
{
	static const char *const fields[] = { "is", "refused", "code", "no-message", "why", "not there", NULL };

	return heard(client, "look") && packet_is(&packet, "queue", "ABCDEF") && answer(client, fields);
}

#define SEAL "5ea1000000000000000000000000000000000000000000000000000000000000"

static bool place_it(int client)
{
	static const char *const note[] = { "is", "note", "queue", "ABCDE9", NULL };
	static const char *const done[] = { "is", "done", "queue", "ABCDE9", NULL };
	struct packet_file file;
	char bytes[32] = "";

	if (!not_there(client) || !heard(client, "put") || packet.file_count != 1 || !packet_is(&packet, "seal", SEAL) ||
	    !packet_get_file(&packet, 0, &file) || strcmp(file.name, "message") != 0 || file.bytes != 11)
		return false;
	/* Nobody can change them any more. */
	if (pread(packet.files[0], bytes, sizeof(bytes), 0) != 11 || strcmp(bytes, "the message") != 0 ||
	    write(packet.files[0], "x", 1) >= 0 || ftruncate(packet.files[0], 0) == 0)
		return false;
	packet_drop_files(&packet);
	return answer(client, note) && heard(client, "go") && answer(client, done);
}

#define RESTORE(at)                                                                                                                \
	"v=1; kind=restore; host=mx1; mta=postfix; queue=ABCDEF; id=" ID "; at=" at "; until=9000; nonce=" ID "; mac="

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

static void put_back(void **state)
{
	struct noted noted = { "", BW_OK };
	char queue_id[BW_QUEUE_ID_BYTES] = "ABCDEF";
	struct bw_archived *a = archived_with(SEAL);

	(void)state;
	place.order = RESTORE("4000");
	with_helper(place_it, 1);
	assert_int_equal(postfix->put(&place, a, queue_id, note_id, &noted, NULL), BW_OK);
	assert_string_equal(noted.queue_id, "ABCDE9");
	assert_string_equal(queue_id, "ABCDE9");
	archived_close(&a);
	expect_helper_content();
}

static bool no_go(int client)
{
	static const char *const note[] = { "is", "note", "queue", "ABCDE9", NULL };

	return not_there(client) && heard(client, "put") && answer(client, note) && !heard(client, "go");
}

/* What cannot be written down is not placed. */
static void put_not_noted(void **state)
{
	struct noted noted = { "", BW_ERR_IO };
	char queue_id[BW_QUEUE_ID_BYTES] = "ABCDEF";
	struct bw_archived *a = archived_with(SEAL);
	struct bw_why why;

	(void)state;
	place.order = RESTORE("4000");
	with_helper(no_go, 1);
	assert_int_equal(postfix->put(&place, a, queue_id, note_id, &noted, &why), BW_ERR_IO);
	assert_string_equal(why.text, "cannot be noted");
	assert_string_equal(queue_id, "ABCDEF");
	archived_close(&a);
	expect_helper_content();
}

static bool is_there(int client)
{
	static const char *const row[] = { "is", "row", "queue", "ABCDEF", "held", "1", "arrived", "5000", "id", ID, "conversation", ID,
		                               "message", ID, "guard", "list", "side", "members", "deliveries", "1", "at", "4000", NULL };

	return heard(client, "look") && answer(client, row) && answer_done(client);
}

/* An attempt before this one has brought it back: its order is used up, and nothing is left to do. */
static void put_before(void **state)
{
	struct noted noted = { "", BW_OK };
	char queue_id[BW_QUEUE_ID_BYTES] = "ABCDEF";
	struct bw_archived *a = archived_with(SEAL);

	(void)state;
	place.order = RESTORE("4000");
	with_helper(is_there, 1);
	assert_int_equal(postfix->put(&place, a, queue_id, note_id, &noted, NULL), BW_OK);
	assert_string_equal(noted.queue_id, "");
	archived_close(&a);
	expect_helper_content();
}

static bool a_post_is_there(int client)
{
	static const char *const row[] = { "is", "row", "queue", "ABCDEF", "held", "1", "arrived", "5000", NULL };

	return heard(client, "look") && answer(client, row) && answer_done(client);
}

static bool another_is_there(int client)
{
	return a_post_is_there(client) && heard(client, "put") && answer_done(client);
}

/* A dropped post has no mark: it is back if what is held came when it came. */
static void put_before_without_a_mark(void **state)
{
	static const struct {
		const char *order;
		bool (*helper)(int client);
	} cases[] = { { RESTORE("4000"), a_post_is_there }, { RESTORE("1000"), another_is_there } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct noted noted = { "", BW_OK };
		char queue_id[BW_QUEUE_ID_BYTES] = "ABCDEF";
		struct bw_archived *a = archived_with(SEAL);

		place.order = cases[i].order;
		with_helper(cases[i].helper, 1);
		assert_int_equal(postfix->put(&place, a, queue_id, note_id, &noted, NULL), BW_OK);
		archived_close(&a);
		expect_helper_content();
	}
}

static void put_without_seal(void **state)
{
	struct noted noted = { "", BW_OK };
	char queue_id[BW_QUEUE_ID_BYTES] = "ABCDEF";
	struct bw_archived *a = archived_with("");

	(void)state;
	assert_int_equal(postfix->put(&place, a, queue_id, note_id, &noted, NULL), BW_ERR_PERMISSION);
	archived_close(&a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		HELPED_TEST(put_back),
		HELPED_TEST(put_not_noted),
		HELPED_TEST(put_before),
		HELPED_TEST(put_before_without_a_mark),
		HELPED_TEST(put_without_seal),
	};

	return cmocka_run_group_tests_name("helped-back", tests, NULL, NULL);
}
