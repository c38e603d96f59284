/* Expiry: collecting garbage changes no answer, and in the end leaves nothing that has no right to stay. */
#include "contract.h"

#include <stdio.h>

static void expire(struct bw_store *s, int64_t now_ms)
{
	for (int i = 0; i < 5; i++)
		assert_ok(s->ops->expire(s, now_ms, WEEK, &why));
}

/* The same look with and without collection before it. */
static void collecting_changes_no_answer(void **state)
{
	static const int64_t at[] = { 1, HOUR, BW_DAY_MS, 3 * BW_DAY_MS, WEEK - 1, WEEK, WEEK + HOUR, 9 * BW_DAY_MS };
	struct bw_store *s = STORE(state);

	offer(s, T0, "root", "comms", NULL);
	for (int day = 0; day < 5; day++) {
		char id[8] = { 'r', (char)('0' + day), '\0' };

		offer(s, T0 + day * BW_DAY_MS, id, id, "root");
	}
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		struct bw_count_in in = mail(T0 + at[i], "look", "looker", "root");
		struct bw_count_out before, after;

		in.poster = in.peek = true;
		in.conversation_window_ms = in.list_window_ms = 30 * BW_DAY_MS;
		before = count(s, &in);
		expire(s, T0 + at[i]);
		after = count(s, &in);
		assert_int_equal(before.joined, after.joined);
		assert_int_equal(before.conversation_senders, after.conversation_senders);
		assert_int_equal(before.conversation_replies, after.conversation_replies);
		assert_int_equal(before.conversation_day_senders, after.conversation_day_senders);
		assert_int_equal(before.list_senders, after.list_senders);
		assert_int_equal(before.list_deliveries, after.list_deliveries);
		assert_int_equal(before.list_last_ms, after.list_last_ms);
	}
}

/* Counting goes on between collections; what a memo of a window counts is not lost with what was collected. */
static void counting_and_collecting_take_turns(void **state)
{
	struct bw_store *s = STORE(state);
	char id[16];

	offer(s, T0, "root", "comms", NULL);
	for (int hour = 1; hour <= 24 * 9; hour++) {
		snprintf(id, sizeof(id), "r%d", hour);
		struct bw_count_in in = mail(T0 + hour * HOUR, id, id, "root");

		in.conversation_window_ms = WEEK;
		struct bw_count_out out = count(s, &in);
		int64_t week = hour < 24 * 7 ? hour : 24 * 7, day = hour < 24 ? hour : 24;

		if (out.conversation_senders != week || out.conversation_replies != week || out.conversation_day_senders != day)
			fail_msg("hour %d: %lld senders, %lld replies, %lld in a day", hour, (long long)out.conversation_senders,
			         (long long)out.conversation_replies, (long long)out.conversation_day_senders);
		if (hour % 7 == 0)
			assert_ok(s->ops->expire(s, T0 + hour * HOUR + 90 * MINUTE, WEEK, &why)); /* ahead of the next message */
	}
}

struct counted {
	int breakers, hosts, events;
};

static bool count_breaker(void *ctx, const struct bw_breaker_row *row)
{
	(void)row;
	((struct counted *)ctx)->breakers++;
	return true;
}

static bool count_host(void *ctx, const struct bw_host_row *row)
{
	(void)row;
	((struct counted *)ctx)->hosts++;
	return true;
}

static bool count_event(void *ctx, const struct bw_event_row *row)
{
	(void)row;
	((struct counted *)ctx)->events++;
	return true;
}

static struct counted what_is_left(struct bw_store *s)
{
	struct counted c = { 0 };

	assert_ok(s->ops->breaker_each(s, T0, HOUR, true, count_breaker, &c, &why));
	assert_ok(s->ops->host_each(s, 0, count_host, &c, &why));
	assert_ok(s->ops->event_each(s, 0, 0, count_event, &c, &why));
	return c;
}

static void records_go_when_their_time_is_over(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out root = offer(s, T0, "root", "comms", NULL);
	struct bw_host_row host = { .host = BW_S("mx1"), .seen_ms = T0 };
	struct bw_event_row event = { .at_ms = T0, .event = BW_EVENT_TRIP };
	struct counted c;

	set_breaker(s, list_key(BW_SIDE_MEMBERS), BW_PHASE_OPEN, T0, T0 + HOUR);
	set_breaker(s, conversation_key(&root, BW_SIDE_MEMBERS), BW_PHASE_OPEN, T0, T0 + BW_DAY_MS);
	assert_ok(s->ops->heartbeat(s, &host, &why));
	assert_ok(s->ops->event_add(s, &event, &why));
	expire(s, T0 + WEEK - 1);
	c = what_is_left(s);
	assert_true(c.breakers == 2 && c.hosts == 1 && c.events == 1);
	/* A week after its last attempt and its end the list's would have closed long ago; the other ran a day longer. */
	expire(s, T0 + WEEK + HOUR);
	c = what_is_left(s);
	assert_int_equal(c.breakers, 1);
	assert_int_equal(c.hosts, 0);
	expire(s, T0 + WEEK + BW_DAY_MS);
	assert_int_equal(what_is_left(s).breakers, 0);
	/* Events stay for 90 days. */
	expire(s, T0 + 90 * BW_DAY_MS - 1);
	assert_int_equal(what_is_left(s).events, 1);
	expire(s, T0 + 90 * BW_DAY_MS);
	assert_int_equal(what_is_left(s).events, 0);
}

/* Closed by a look and not by a message: it is the record that is young. */
static void a_breaker_stays_as_long_as_it_is_young(void **state)
{
	struct bw_store *s = STORE(state);

	offer(s, T0, "m", "ann", NULL);
	set_breaker(s, list_key(BW_SIDE_MEMBERS), BW_PHASE_CLOSED, T0 + 6 * BW_DAY_MS, 0);
	expire(s, T0 + WEEK);
	assert_int_equal(breaker(s, list_key(BW_SIDE_MEMBERS)).version, 1);
	expire(s, T0 + 6 * BW_DAY_MS + WEEK);
	assert_int_equal(breaker(s, list_key(BW_SIDE_MEMBERS)).version, 0);
}

/* An operator's word outlives everything but its own end; so does an open breaker in whose conversation nobody writes. */
static void overrides_stay_until_they_end(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_breaker_key key = list_key(BW_SIDE_MEMBERS);
	struct bw_breaker b = { .override_state = BW_OVERRIDE_FORCED_OPEN, .override_until_ms = T0 + 30 * BW_DAY_MS };

	assert_ok(s->ops->breaker_cas(s, &key, &b, &why));
	expire(s, T0 + 30 * BW_DAY_MS - 1);
	assert_int_equal(breaker(s, key).override_state, BW_OVERRIDE_FORCED_OPEN);
	assert_false(offer(s, T0 + 30 * BW_DAY_MS - 1, "m", "ann", NULL).provisional);
	expire(s, T0 + 38 * BW_DAY_MS);
	assert_int_equal(breaker(s, key).version, 0);
}

static bool count_held(void *ctx, const struct bw_held *row)
{
	(void)row;
	++*(int *)ctx;
	return true;
}

static int held_left(struct bw_store *s)
{
	struct bw_held_query all = { .limit = 0 };
	int n = 0;

	assert_ok(s->ops->held_each(s, &all, count_held, &n, &why));
	return n;
}

static void the_ledger_keeps_what_waits(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_held waiting = { .id = hash_of("w"), .held_ms = T0, .list = BW_S(LIST) };
	struct bw_held done = { .id = hash_of("d"), .held_ms = T0, .list = BW_S(LIST) };

	assert_ok(s->ops->held_put(s, &waiting, &why));
	assert_ok(s->ops->held_put(s, &done, &why));
	assert_ok(s->ops->held_move(s, &done.id, BW_HELD_WAITING, BW_HELD_DELETED, T0 + 1, BW_S("ops"), &why));
	expire(s, T0 + 90 * BW_DAY_MS);
	assert_int_equal(held_left(s), 2);
	expire(s, T0 + 90 * BW_DAY_MS + 1);
	assert_int_equal(held_left(s), 1);
	expire(s, T0 + 3000 * BW_DAY_MS);
	assert_int_equal(held_left(s), 1);
}

static void a_memory_is_positive(void **state)
{
	assert_int_equal(STORE(state)->ops->expire(STORE(state), T0, 0, NULL), BW_ERR_RANGE);
}

int run_expire(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(collecting_changes_no_answer),
		TEST(counting_and_collecting_take_turns),
		TEST(records_go_when_their_time_is_over),
		TEST(a_breaker_stays_as_long_as_it_is_young),
		TEST(overrides_stay_until_they_end),
		TEST(the_ledger_keeps_what_waits),
		TEST(a_memory_is_positive),
	};

	return cmocka_run_group_tests_name("expire", tests, NULL, NULL);
}
