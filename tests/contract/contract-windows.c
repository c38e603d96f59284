/* Sliding windows that forget exactly at the edge, whatever their length is today; and the store's own clock. */
#include "contract.h"

static void conversation_forgets_at_the_edge(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out out;

	offer(s, T0, "root", "comms", NULL);
	offer(s, T0 + 1000, "r1", "ann", "root");
	out = look(s, T0 + 1000 + HOUR - 1, "root");
	assert_int_equal(out.conversation_senders, 1);
	assert_int_equal(out.conversation_replies, 1);
	out = look(s, T0 + 1000 + HOUR, "root");
	assert_int_equal(out.conversation_senders, 0);
	assert_int_equal(out.conversation_replies, 0);
	assert_int_equal(out.conversation_day_senders, 1);
	assert_int_equal(look(s, T0 + 1000 + BW_DAY_MS - 1, "root").conversation_day_senders, 1);
	assert_int_equal(look(s, T0 + 1000 + BW_DAY_MS, "root").conversation_day_senders, 0);
}

static void list_forgets_at_the_edge(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out out;

	offer(s, T0 + 1000, "m1", "ann", NULL);
	offer(s, T0 + 1001, "m2", "bob", NULL);
	/* The looker itself is one sender. */
	out = look(s, T0 + 1000 + HOUR - 1, NULL);
	assert_int_equal(out.list_senders, 3);
	assert_int_equal(out.list_deliveries, 200);
	out = look(s, T0 + 1000 + HOUR, NULL);
	assert_int_equal(out.list_senders, 2);
	assert_int_equal(out.list_deliveries, 100);
	out = look(s, T0 + 1001 + HOUR, NULL);
	assert_int_equal(out.list_senders, 1);
	assert_int_equal(out.list_deliveries, 0);
}

/* A sender stands with the latest attempt; earlier ones do not make it go earlier. */
static void senders_stand_with_their_last_attempt(void **state)
{
	struct bw_store *s = STORE(state);

	offer(s, T0, "root", "comms", NULL);
	offer(s, T0 + 1000, "r1", "ann", "root");
	offer(s, T0 + 2000, "r2", "ann", "root");
	assert_int_equal(look(s, T0 + 1000 + HOUR, "root").conversation_senders, 1);
	assert_int_equal(look(s, T0 + 1000 + HOUR, "root").conversation_replies, 1);
	assert_int_equal(look(s, T0 + 2000 + HOUR - 1, "root").conversation_senders, 1);
	assert_int_equal(look(s, T0 + 2000 + HOUR, "root").conversation_senders, 0);
}

/* Somebody asked while the window was empty; what comes after that leaves it as well. */
static void empty_windows_fill_and_empty_again(void **state)
{
	struct bw_store *s = STORE(state);
	char id[8] = "r0", poster[8] = "p0";

	offer(s, T0, "root", "comms", NULL);
	for (int round = 0; round < 3; round++) {
		int64_t at_ms = T0 + round * 10 * HOUR;
		struct bw_count_in in = mail(at_ms + HOUR, poster, "comms", "root");

		id[1] = poster[1] = (char)('0' + round);
		in.poster = true;
		in.known_stopped = true;
		assert_int_equal(count(s, &in).conversation_senders, 0);
		assert_int_equal(offer(s, at_ms + 3 * HOUR, id, id, "root").conversation_senders, 1);
		in.now_ms = at_ms + 4 * HOUR - 1;
		assert_int_equal(count(s, &in).conversation_senders, 1);
		assert_int_equal(count(s, &in).list_deliveries, 100);
		in.now_ms = at_ms + 4 * HOUR;
		assert_int_equal(count(s, &in).conversation_senders, 0);
		assert_int_equal(count(s, &in).conversation_replies, 0);
		assert_int_equal(count(s, &in).list_deliveries, 0);
	}
}

/* The whole of what a threshold's change may do: the next message sees other edges, nothing is forgotten. */
static void windows_may_change_at_any_time(void **state)
{
	static const struct {
		int64_t window_ms, senders, replies, list_senders, deliveries;
	} rows[] = {
		{ HOUR, 2, 2, 5, 400 },           { 30 * MINUTE, 0, 0, 1, 0 },       { 3 * HOUR, 4, 5, 7, 800 }, /* more than an hour back, although only an hour was asked for so far */
		{ HOUR, 2, 2, 5, 400 },           { 40 * MINUTE + 1, 1, 1, 4, 300 }, { 40 * MINUTE, 0, 0, 3, 200 }, { 1, 0, 0, 1, 0 },
		{ 30 * BW_DAY_MS, 4, 5, 7, 800 }, /* not past the memory */
	};
	struct bw_store *s = STORE(state);
	int64_t now_ms = T0 + 4 * HOUR;

	offer(s, now_ms - 170 * MINUTE, "root", "comms", NULL);
	offer(s, now_ms - 160 * MINUTE, "r1", "ann", "root");
	offer(s, now_ms - 150 * MINUTE, "r2", "bob", "root");
	offer(s, now_ms - 140 * MINUTE, "r3", "ann", "root");
	offer(s, now_ms - 50 * MINUTE, "r4", "eve", "root");
	offer(s, now_ms - 40 * MINUTE, "r5", "dan", "root");
	offer(s, now_ms - 35 * MINUTE, "p1", "x", NULL);
	offer(s, now_ms - 31 * MINUTE, "p2", "comms", NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bw_count_in in = mail(now_ms, "look", "looker", "root");
		struct bw_count_out out;

		in.poster = in.peek = true;
		in.conversation_window_ms = in.list_window_ms = rows[i].window_ms;
		out = count(s, &in);
		if (out.conversation_senders != rows[i].senders || out.conversation_replies != rows[i].replies ||
		    out.list_senders != rows[i].list_senders || out.list_deliveries != rows[i].deliveries)
			fail_msg("row %zu: %lld senders, %lld replies, %lld on the list, %lld deliveries", i,
			         (long long)out.conversation_senders, (long long)out.conversation_replies, (long long)out.list_senders,
			         (long long)out.list_deliveries);
	}
}

/* The same with counting calls, whose answers the store may keep. */
static void windows_change_between_messages(void **state)
{
	static const int64_t windows[] = { HOUR, 5 * MINUTE, 2 * HOUR, 10, 30 * MINUTE, 2 * HOUR };
	static const int64_t expect[] = { 4, 1, 5, 1, 4, 5 };
	struct bw_store *s = STORE(state);
	struct bw_count_out out;
	int64_t now_ms = T0 + 10 * HOUR;

	offer(s, now_ms - 3 * HOUR, "root", "comms", NULL);
	offer(s, now_ms - 90 * MINUTE, "r0", "a0", "root");
	offer(s, now_ms - 25 * MINUTE, "r1", "a1", "root");
	offer(s, now_ms - 20 * MINUTE, "r2", "a2", "root");
	offer(s, now_ms - 15 * MINUTE, "r3", "a3", "root");
	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		char id[8] = { 'n', (char)('0' + i), '\0' };
		struct bw_count_in in = mail(now_ms + (int64_t)i, id, "b", "root");

		in.conversation_window_ms = windows[i];
		out = count(s, &in);
		if (out.conversation_senders != expect[i])
			fail_msg("window %zu: %lld senders, not %lld", i, (long long)out.conversation_senders, (long long)expect[i]);
		assert_int_equal(out.list_senders, 4); /* the list's window stays an hour: a1, a2, a3, b */
	}
}

/* Deliveries are the list's, so a budget changed in the midst of a storm counts what went out before. */
static void a_new_budget_counts_what_went_before(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0, "m1", "comms", NULL);

	in.budget = 1000;
	in.deliveries = 900;
	assert_true(count(s, &in).provisional);
	in = mail(T0 + 1, "m2", "comms", NULL);
	in.budget = 999;
	assert_false(count(s, &in).budget_ok);
	in.budget = 1000;
	assert_true(count(s, &in).budget_ok); /* a retry of what was stopped */
	in = mail(T0 + 2, "m3", "comms", NULL);
	in.budget = 100000;
	assert_int_equal(count(s, &in).list_deliveries, 1000);
}

/* --- the store's own clock --- */

static void the_clock_never_goes_back(void **state)
{
	struct bw_store *s = STORE(state);
	int64_t now_ms = 0, later_ms = 0;

	assert_ok(s->ops->now(s, &now_ms, &why));
	assert_true(now_ms > T0 - 100 * 366 * BW_DAY_MS);
	assert_true(now_ms < T0);
	offer(s, T0 + 12345, "m", "ann", NULL);
	assert_ok(s->ops->now(s, &later_ms, &why));
	assert_true(later_ms >= T0 + 12345);
	struct bw_count_in in = mail(0, "n", "ann", NULL);
	struct bw_count_out out = count(s, &in);

	assert_true(out.now_ms >= T0 + 12345);
	assert_int_equal(out.list_last_ms, T0 + 12345);
	assert_int_equal(out.list_deliveries, 100);
	/* A given time is taken as it is. */
	assert_int_equal(offer(s, T0, "o", "ann", NULL).now_ms, T0);
}

static void the_clock_is_everybodys(void **state)
{
	struct bw_store *s = STORE(state), *other = NULL;
	int64_t before_ms = 0, now_ms = 0;
	struct bw_why why = { "" };

	if (!backend->shared)
		return;
	other = backend->open(DIR(state), &why);
	assert_non_null(other);
	enum bw_err err = other->ops->now(other, &before_ms, &why);
	struct bw_count_in first = mail(0, "first", "bob", NULL);

	count(other, &first); /* what it knows of the time is kept from here on */
	offer(s, T0 + 5, "m", "ann", NULL);
	if (err == BW_OK)
		err = other->ops->now(other, &now_ms, &why);
	struct bw_count_in in = mail(0, "n", "ann", NULL);
	struct bw_count_out out = count(other, &in);

	bw_store_close(&other);
	assert_int_equal(err, BW_OK);
	assert_true(before_ms < T0);
	assert_true(now_ms >= T0 + 5);
	assert_true(out.now_ms >= T0 + 5);
	assert_int_equal(out.list_last_ms, T0 + 5);
}

int run_windows(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(conversation_forgets_at_the_edge),
		TEST(list_forgets_at_the_edge),
		TEST(senders_stand_with_their_last_attempt),
		TEST(empty_windows_fill_and_empty_again),
		TEST(windows_may_change_at_any_time),
		TEST(windows_change_between_messages),
		TEST(a_new_budget_counts_what_went_before),
		TEST(the_clock_never_goes_back),
		TEST(the_clock_is_everybodys),
	};

	return cmocka_run_group_tests_name("windows", tests, NULL, NULL);
}
