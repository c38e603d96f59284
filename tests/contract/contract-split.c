/* Behind an expander: many transactions with one identity are one post. */
#include "contract.h"

#include <stdio.h>

/* The transaction of `post` to the recipients `part`. */
static struct bw_count_in part(int64_t now_ms, const char *id, const char *recipients, int64_t deliveries)
{
	struct bw_count_in in = mail(now_ms, id, "comms", NULL);

	in.expander = true;
	in.recipients = hash_of(recipients);
	in.deliveries = deliveries;
	return in;
}

static enum bw_seen seen(struct bw_store *s, int64_t now_ms, const char *id, const char *recipients)
{
	struct bw_count_in in = part(now_ms, id, recipients, 50);

	return count(s, &in).seen;
}

static void a_thousand_transactions_are_one_post(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out out = { 0 };
	char recipients[16];

	for (int i = 0; i < 1000; i++) {
		snprintf(recipients, sizeof(recipients), "p%d", i);
		struct bw_count_in in = part(T0 + i, "post", recipients, 50);

		in.budget = 1000; /* far below the whole: the post fits, so all of it does */
		out = count(s, &in);
		assert_int_equal(out.seen, i == 0 ? BW_SEEN_FRESH : BW_SEEN_SPLIT);
		assert_true(out.provisional);
		assert_true(out.budget_ok);
		assert_int_equal(out.list_senders, 1);
		assert_int_equal(out.list_deliveries, 50 * i);
	}
	/* All of them stand at the time of the first. */
	assert_int_equal(look(s, T0 + HOUR - 1, NULL).list_deliveries, 50000);
	assert_int_equal(look(s, T0 + HOUR, NULL).list_deliveries, 0);
	/* A further post does not fit any more. */
	struct bw_count_in in = part(T0 + 2000, "another", "p0", 50);

	in.budget = 1000;
	assert_false(count(s, &in).budget_ok);
}

static void each_part_has_its_duplicate(void **state)
{
	struct bw_store *s = STORE(state);

	assert_int_equal(seen(s, T0, "post", "a"), BW_SEEN_FRESH);
	assert_int_equal(seen(s, T0 + 1, "post", "b"), BW_SEEN_SPLIT);
	assert_int_equal(seen(s, T0 + 2, "post", "a"), BW_SEEN_DUPLICATE);
	assert_int_equal(seen(s, T0 + 3, "post", "a"), BW_SEEN_REPLAY);
	assert_int_equal(seen(s, T0 + 1 + 10 * MINUTE, "post", "b"), BW_SEEN_REPLAY);
	assert_int_equal(seen(s, T0 + 11 * MINUTE, "post", "c"), BW_SEEN_SPLIT);
	assert_int_equal(look(s, T0 + 12 * MINUTE, NULL).list_deliveries, 5 * 50);
}

static void parts_of_a_stopped_post_retry(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = part(T0, "post", "a", 50);
	struct bw_count_out out;

	in.known_stopped = true;
	count(s, &in);
	in = part(T0 + 1, "post", "b", 60);
	in.known_stopped = true;
	out = count(s, &in);
	assert_int_equal(out.seen, BW_SEEN_RETRY);
	assert_false(out.provisional);
	assert_int_equal(out.list_senders, 1);
	/* Accepted at last: only what was accepted is delivered. */
	in = part(T0 + 2, "post", "b", 60);
	out = count(s, &in);
	assert_int_equal(out.seen, BW_SEEN_RETRY);
	assert_true(out.provisional);
	assert_int_equal(look(s, T0 + 3, NULL).list_deliveries, 60);
	/* The rest of an accepted post is part of it, however often it was offered. */
	in = part(T0 + 4, "post", "a", 50);
	in.budget = 1;
	out = count(s, &in);
	assert_int_equal(out.seen, BW_SEEN_SPLIT);
	assert_true(out.provisional);
	assert_int_equal(look(s, T0 + 5, NULL).list_deliveries, 110);
}

/* The breaker that others opened does not tear a post in two; an operator's word does. */
static void only_a_forced_open_breaker_stops_the_rest(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_breaker_key key = list_key(BW_SIDE_MEMBERS);
	struct bw_count_in in = part(T0, "post", "a", 50);

	count(s, &in);
	set_breaker(s, key, BW_PHASE_OPEN, T0, T0 + HOUR);
	in = part(T0 + 1, "post", "b", 50);
	assert_true(count(s, &in).provisional);
	struct bw_breaker b = breaker(s, key);

	b.override_state = BW_OVERRIDE_FORCED_OPEN;
	b.override_until_ms = T0 + WEEK;
	assert_ok(s->ops->breaker_cas(s, &key, &b, &why));
	in = part(T0 + 2, "post", "c", 50);
	assert_false(count(s, &in).provisional);
	assert_int_equal(look(s, T0 + 3, NULL).list_deliveries, 100);
}

static void a_stopped_part_takes_back_itself_alone(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in[2] = { part(T0, "post", "a", 50), part(T0 + 1, "post", "b", 60) };
	struct bw_count_out out[2] = { count(s, &in[0]), count(s, &in[1]) };
	struct bw_settle_in end = ending(&in[1], &out[1], false);

	end.give_back = true;
	settle(s, &end);
	assert_int_equal(look(s, T0 + 2, NULL).list_deliveries, 50);
	assert_int_equal(look(s, T0 + 2, NULL).list_senders, 2); /* the attempt is the post's, which stands */
	assert_true(offer(s, T0 + 3, "r", "ann", "post").joined);
	/* Then the other one, and nothing is left of it. */
	end = ending(&in[0], &out[0], false);
	end.give_back = true;
	settle(s, &end);
	assert_int_equal(look(s, T0 + 4, NULL).list_senders, 2);
	assert_int_equal(look(s, T0 + 4, NULL).list_deliveries, 100); /* the reply's */
	assert_int_equal(seen(s, T0 + 5, "post", "a"), BW_SEEN_RETRY);
}

/* The first part fails after others went out: the attempt stays with them. */
static void the_first_part_gives_nothing_back_for_the_others(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in[2] = { part(T0, "post", "a", 50), part(T0 + 1, "post", "b", 60) };
	struct bw_count_out out = count(s, &in[0]);
	struct bw_settle_in end = ending(&in[0], &out, false);

	count(s, &in[1]);
	end.give_back = true;
	settle(s, &end);
	assert_int_equal(look(s, T0 + 2, NULL).list_deliveries, 60);
	assert_int_equal(look(s, T0 + 2, NULL).list_senders, 2);
}

/* Held for a while and let pass: it stands with its post. */
static void a_late_part_stands_at_the_posts_time(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in[2] = { part(T0, "post", "a", 50), part(T0 + MINUTE, "post", "b", 60) };

	count(s, &in[0]);
	in[1].known_stopped = true;
	struct bw_count_out out = count(s, &in[1]);
	struct bw_settle_in end = ending(&in[1], &out, true);

	assert_int_equal(out.seen, BW_SEEN_SPLIT);
	end.now_ms = T0 + 2 * MINUTE;
	settle(s, &end);
	assert_int_equal(look(s, T0 + HOUR - 1, NULL).list_deliveries, 110);
	assert_int_equal(look(s, T0 + HOUR, NULL).list_deliveries, 0);
}

static void a_part_counts_again_as_itself(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = part(T0 + 1, "post", "b", 60);

	seen(s, T0, "post", "a");
	assert_int_equal(count(s, &in).seen, BW_SEEN_SPLIT);
	in.again = true;
	assert_int_equal(count(s, &in).seen, BW_SEEN_SPLIT);
	assert_int_equal(look(s, T0 + 2, NULL).list_deliveries, 110);
}

/* Without an expander the same identity to others is the same message again, not a part. */
static void only_expanders_split(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = part(T0 + 1, "post", "b", 50);

	seen(s, T0, "post", "a");
	in.expander = false;
	assert_int_equal(count(s, &in).seen, BW_SEEN_REPLAY);
}

static void parts_are_forgotten_with_their_post(void **state)
{
	struct bw_store *s = STORE(state);

	seen(s, T0, "post", "a");
	seen(s, T0 + 1, "post", "b");
	assert_int_equal(seen(s, T0 + 1 + WEEK, "post", "b"), BW_SEEN_FRESH);
	assert_int_equal(seen(s, T0 + 2 + WEEK, "post", "a"), BW_SEEN_SPLIT);
}

int run_split(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_thousand_transactions_are_one_post),
		TEST(each_part_has_its_duplicate),
		TEST(parts_of_a_stopped_post_retry),
		TEST(only_a_forced_open_breaker_stops_the_rest),
		TEST(a_stopped_part_takes_back_itself_alone),
		TEST(the_first_part_gives_nothing_back_for_the_others),
		TEST(a_late_part_stands_at_the_posts_time),
		TEST(a_part_counts_again_as_itself),
		TEST(only_expanders_split),
		TEST(parts_are_forgotten_with_their_post),
	};

	return cmocka_run_group_tests_name("split", tests, NULL, NULL);
}
