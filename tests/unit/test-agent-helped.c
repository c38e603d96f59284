/* link: bw_agent bw_base */
/* An MTA through the helper: what is asked, and what is made of the answers. The helper is a child of the test, who says what it is told. */
#include "helped-kit.h"

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		HELPED_TEST(refusals),
		HELPED_TEST(rows),
		HELPED_TEST(walked),
		HELPED_TEST(carried),
		HELPED_TEST(gone_and_back),
	};

	return cmocka_run_group_tests_name("helped", tests, NULL, NULL);
}
