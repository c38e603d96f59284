/* link: bw_agent bw_base */
/* An MTA through the helper: what is asked, and what is made of the answers. The helper is a child of the test, who says what it is told. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../milter/agent/archive.h"
#include "../../milter/agent/packet.h"
#include "bw/helper.h"

enum { WAIT_MS = 10000, GOOD = 0, BAD = 1 };

#define ID "ab000000000000000000000000000000"

static char root[64], path[100];
static struct bw_helper *helper;
static struct packet packet;
static const struct bw_mta *postfix;
static struct bw_mta_place place;
static pid_t child;
static int closed[2] = { -1, -1 }; /* a byte for each connection that the helper has closed */

/* --- the helper --- */

static int listener_at(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* A child that does `say` with one connection after the other, `count` times. */
static void with_helper(bool (*say)(int client), int count)
{
	int fd = listener_at();

	assert_int_equal(pipe(closed), 0);
	child = fork();
	if (child == 0) {
		bool good = true;

		for (int i = 0; i < count; i++) {
			int client = accept(fd, NULL, NULL);

			good = say(client) && good;
			close(client);
			good = write(closed[1], "x", 1) == 1 && good;
		}
		_exit(good ? GOOD : BAD);
	}
	close(fd);
}

static void await_close(void)
{
	char byte;

	assert_int_equal(read(closed[0], &byte, 1), 1);
}

static void expect_helper_content(void)
{
	int status = -1;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	close(closed[0]);
	close(closed[1]);
	assert_int_equal(WEXITSTATUS(status), GOOD);
}

static bool heard(int client, const char *ask)
{
	packet_drop_files(&packet);
	return packet_receive(client, &packet, WAIT_MS, NULL) == BW_OK && packet_is(&packet, "ask", ask);
}

static bool answer(int client, const char *const *fields)
{
	packet_reset(&packet);
	for (size_t i = 0; fields[i] != NULL; i += 2)
		packet_add_text(&packet, fields[i], fields[i + 1]);
	return packet_send(client, &packet, WAIT_MS, NULL) == BW_OK;
}

static bool answer_done(int client)
{
	static const char *const fields[] = { "is", "done", NULL };

	return answer(client, fields);
}

/* --- questions and commands --- */

static bool refuse_all(int client)
{
	bool good = true;

	for (enum bw_refusal i = BW_REFUSAL_NONE + 1; i < BW_REFUSAL_COUNT; i++) {
		const char *const fields[] = { "is", "refused", "code", bw_refusal_name(i), "why", "because", NULL };

		good = good && heard(client, "release") && packet_is(&packet, "mta", "postfix") && packet_is(&packet, "config", "/etc/postfix-2") &&
		       packet_is(&packet, "queue", "ABCDEF") && packet_is(&packet, "order", "signed") && answer(client, fields);
	}
	for (int i = BW_OK + 1; i <= BW_ERR_COUNT; i++) {
		const char *const fields[] = { "is", "failed", "err", bw_err_name((enum bw_err)i), "why", "because", NULL };

		good = good && heard(client, "release") && answer(client, fields);
	}
	return good && heard(client, "release") && answer_done(client);
}

static void refusals(void **state)
{
	struct bw_why why;

	(void)state;
	place.config = "/etc/postfix-2";
	place.order = "signed";
	with_helper(refuse_all, 1);
	for (enum bw_refusal i = BW_REFUSAL_NONE + 1; i < BW_REFUSAL_COUNT; i++) {
		assert_int_equal(postfix->release(&place, "ABCDEF", &why), bw_refusal_err(i));
		assert_int_not_equal(bw_refusal_err(i), BW_OK);
		assert_int_equal(bw_helper_refusal(helper), i);
		assert_string_equal(why.text, "because");
	}
	for (int i = BW_OK + 1; i <= BW_ERR_COUNT; i++) {
		assert_int_equal(postfix->release(&place, "ABCDEF", &why), i == BW_ERR_LIMIT || i == BW_ERR_CORRUPT || i == BW_ERR_INPUT ? i : BW_ERR_IO);
		assert_int_equal(bw_helper_refusal(helper), BW_REFUSAL_NONE);
	}
	assert_int_equal(postfix->release(&place, "ABCDEF", &why), BW_OK);
	assert_int_equal(bw_helper_refusal(helper), BW_REFUSAL_NONE);
	expect_helper_content();
}

static bool say_rows(int client)
{
	static const char *const full[] = { "is",    "row",          "queue",   "ABCDEF",  "held",       "1",   "arrived", "5000",    "id",
		                                ID,      "conversation", ID,        "message", ID,           "list", "all@example.org", "guard", "list",
		                                "side",  "outside",      "deliveries", "840000", "at",       "4000", "sender", "ann@example.org", "subject", "Hello",
		                                "message_id", "1@example.org", "recipients", "a@b\nc@d\n", NULL };
	static const char *const bare[] = { "is", "row", "queue", "ABCDE0", "held", "0", "arrived", "7000", NULL };
	static const char *const other[] = { "is", "row", "queue", "ABCDE1", "held", "1", "arrived", "0", NULL };

	return heard(client, "each") && packet_get(&packet, "queue").n == 0 && answer(client, full) && answer(client, bare) &&
	       answer(client, other) && answer_done(client);
}

struct seen {
	int rows, most;
};

static bool see_row(void *ctx, const struct bw_queued *row)
{
	static const char *const ids[] = { "ABCDEF", "ABCDE0", "ABCDE1" };
	static const int64_t arrived[] = { 5000, 7000, 0 };
	struct seen *s = ctx;
	int i = s->rows++;

	assert_true(bw_slice_equal(row->queue_id, bw_slice_of(ids[i])));
	assert_int_equal(row->arrived_ms, arrived[i]);
	assert_int_equal(row->held, i != 1);
	assert_int_equal(row->marked, i == 0);
	if (i == 0) {
		assert_true(bw_slice_equal(row->mark.list, BW_S("all@example.org")));
		assert_int_equal(row->mark.guard, BW_GUARD_LIST);
		assert_int_equal(row->mark.side, BW_SIDE_OUTSIDE);
		assert_int_equal(row->mark.deliveries, 840000);
		assert_int_equal(row->mark.held_ms, 4000);
		assert_true(bw_slice_equal(row->sender, BW_S("ann@example.org")));
		assert_true(bw_slice_equal(row->subject, BW_S("Hello")));
		assert_true(bw_slice_equal(row->message_id, BW_S("1@example.org")));
		assert_true(bw_slice_equal(row->recipients, BW_S("a@b\nc@d\n")));
	}
	return s->rows < s->most;
}

/* Who has heard enough hangs up, and what comes next is not taken for an answer to the next question. */
static void rows(void **state)
{
	const struct bw_key key = { { 0 } };

	(void)state;
	with_helper(say_rows, 2);
	for (int most = 1; most <= 10; most += 9) {
		struct seen s = { 0, most };

		assert_int_equal(postfix->each(&place, &key, see_row, &s, NULL), BW_OK);
		assert_int_equal(s.rows, most == 1 ? 1 : 3);
	}
	bw_helper_close(&helper);
	waitpid(child, NULL, 0);
}

enum { MANY = 1000 };

static int held_count;

static void print_id(int i, char out[16])
{
	snprintf(out, 16, "ABC%05d", i);
}

static bool say_bare(int client, int i, bool known)
{
	char id[16];
	const char *const fields[] = { "is", "row", "queue", id, "held", "1", "arrived", "5000", known ? "known" : "sender", "1", NULL };

	print_id(i, id);
	return answer(client, fields);
}

/* All of the queue in brief; then the unknown ones, each by itself or all in one go. */
static bool say_walk(int client)
{
	bool good = heard(client, "each") && packet_is(&packet, "brief", "1");
	char id[16];

	for (int i = 0; i < held_count; i++)
		good = good && say_bare(client, i, true);
	good = good && answer_done(client);
	if (held_count == MANY) {
		good = good && heard(client, "each") && !packet_is(&packet, "brief", "1");
		for (int i = held_count; i-- > 0;)
			good = good && say_bare(client, i, false);
		return good && answer_done(client);
	}
	for (int i = 1; i < held_count; i += 2) {
		print_id(i, id);
		good = good && heard(client, "look") && packet_is(&packet, "queue", id) && say_bare(client, i, false) && answer_done(client);
	}
	return good;
}

static bool knows_even(void *ctx, struct bw_slice queue_id, int64_t arrived_ms)
{
	(void)ctx;
	assert_int_equal(arrived_ms, 5000);
	return (queue_id.p[queue_id.n - 1] - '0') % 2 == 0;
}

struct walked {
	int known, read;
};

static bool count_row(void *ctx, const struct bw_queued *row)
{
	struct walked *w = ctx;

	assert_int_equal(row->known, knows_even(NULL, row->queue_id, row->arrived_ms));
	assert_int_equal(row->known, row->sender.n == 0);
	w->known += row->known;
	w->read += !row->known;
	return true;
}

static void walked(void **state)
{
	const struct bw_key key = { { 0 } };

	(void)state;
	for (held_count = 10; held_count <= MANY; held_count += MANY - 10) {
		struct walked w = { 0, 0 };
		const struct bw_queue_walk walk = { knows_even, count_row, &w };

		with_helper(say_walk, 1);
		assert_int_equal(postfix->walk(&place, &key, &walk, NULL), BW_OK);
		assert_int_equal(w.known, held_count / 2);
		assert_int_equal(w.read, held_count / 2);
		expect_helper_content();
	}
}

static bool say_carrier(int client)
{
	static const char *const row[] = { "is", "row", "queue", "ABCDEF", "held", "0", "arrived", "5000", "mark", "v=1; id=x", NULL };

	return heard(client, "carriers") && packet_is(&packet, "since", "4000") && answer(client, row) && answer_done(client);
}

static bool see_carrier(void *ctx, const struct bw_queued *row)
{
	*(bool *)ctx = bw_slice_equal(row->mark_text, BW_S("v=1; id=x")) && bw_slice_equal(row->queue_id, BW_S("ABCDEF")) && !row->marked;
	return true;
}

static void carried(void **state)
{
	bool seen = false;

	(void)state;
	with_helper(say_carrier, 1);
	assert_int_equal(postfix->carriers(&place, 4000, see_carrier, &seen, NULL), BW_OK);
	assert_true(seen);
	expect_helper_content();
}

static bool die(int client)
{
	return heard(client, "hold");
}

static bool obey_once(int client)
{
	return heard(client, "hold") && answer_done(client);
}

static void gone_and_back(void **state)
{
	struct bw_why why;

	(void)state;
	assert_int_equal(postfix->hold(&place, "ABCDEF", &why), BW_ERR_IO);
	assert_non_null(strstr(why.text, path));
	with_helper(die, 1);
	assert_int_equal(postfix->hold(&place, "ABCDEF", &why), BW_ERR_IO);
	assert_non_null(strstr(why.text, "has not answered"));
	expect_helper_content();
	/* Each answers once and closes; the next question finds the way to the next. */
	with_helper(obey_once, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(postfix->hold(&place, "ABCDEF", &why), BW_OK);
		await_close();
	}
	expect_helper_content();
}

/* --- files --- */

static const char *file_names[2];

static bool hand_over(int client)
{
	if (!heard(client, "fetch"))
		return false;
	packet_reset(&packet);
	packet_add_text(&packet, "is", "done");
	packet_add_text(&packet, "seal", "5ea1");
	for (size_t i = 0; i < 2; i++) {
		packet_add_file(&packet, i, &(struct packet_file){ file_names[i], 0600, 1, 2, 3 });
		packet.files[packet.file_count++] = open("/dev/null", O_RDONLY);
	}
	return packet_send(client, &packet, WAIT_MS, NULL) == BW_OK;
}

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void fetched(void **state)
{
	struct bw_queue_file files[BW_QUEUE_FILES_MAX];
	size_t count = 0;

	(void)state;
	file_names[0] = "hf";
	file_names[1] = "df";
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

static void fetched_nonsense(void **state)
{
	struct bw_queue_file files[BW_QUEUE_FILES_MAX];
	size_t count = 7;

	(void)state;
	file_names[0] = "df";
	file_names[1] = "../../etc/passwd";
	with_helper(hand_over, 1);
	int before = open_descriptors();

	assert_int_equal(postfix->files(&place, "ABCDEF", files, &count, NULL), BW_ERR_CORRUPT);
	assert_int_equal(count, 7);
	bw_helper_close(&helper);
	assert_int_equal(open_descriptors(), before);
	expect_helper_content();
}

/* --- back --- */

static int archive = -1;

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
	place.order = "v=1; kind=restore; id=" ID "; mac=";
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
	place.order = "v=1; kind=restore; id=" ID "; mac=";
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
	place.order = "v=1; kind=restore; id=" ID "; mac=";
	with_helper(is_there, 1);
	assert_int_equal(postfix->put(&place, a, queue_id, note_id, &noted, NULL), BW_OK);
	assert_string_equal(noted.queue_id, "");
	archived_close(&a);
	expect_helper_content();
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

static int set_up(void **state)
{
	(void)state;
	strcpy(root, "/tmp/bw-helped-XXXXXX");
	if (mkdtemp(root) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/socket", root);
	postfix = bw_mta_find_helped("postfix");
	if (postfix == NULL || bw_helper_open(path, &helper, NULL) != BW_OK)
		return -1;
	place = (struct bw_mta_place){ .helper = helper };
	return 0;
}

static int tear_down(void **state)
{
	char command[100];

	(void)state;
	bw_helper_close(&helper);
	if (archive >= 0)
		close(archive);
	archive = -1;
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(refusals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(walked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(carried, set_up, tear_down),
		cmocka_unit_test_setup_teardown(gone_and_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(fetched, set_up, tear_down),
		cmocka_unit_test_setup_teardown(fetched_nonsense, set_up, tear_down),
		cmocka_unit_test_setup_teardown(put_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(put_not_noted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(put_before, set_up, tear_down),
		cmocka_unit_test_setup_teardown(put_without_seal, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("helped", tests, NULL, NULL);
}
