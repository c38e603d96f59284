/* Message identities: the same message is the same attempt, and re-using an identity hides nothing. */
#include "contract.h"

#define TEN_MINUTES (10 * MINUTE)

static void a_retry_counts_once(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out out;

	offer(s, T0, "root", "comms", NULL);
	stop(s, T0 + 1, "r1", "ann", "root");
	for (int i = 0; i < 20; i++) {
		out = stop(s, T0 + 1000 * (i + 1), "r1", "ann", "root");
		assert_int_equal(out.seen, BW_SEEN_RETRY);
		assert_true(out.joined);
		assert_int_equal(out.conversation_senders, 1);
		assert_int_equal(out.conversation_replies, 1);
		assert_int_equal(out.list_senders, 2);
		assert_int_equal(out.list_deliveries, 100);
		assert_true(out.conversation_sender_was_counted);
	}
	/* Still one attempt, but of now: the sender stands with it, the reply where it was. */
	out = look(s, T0 + 1 + HOUR, "root");
	assert_int_equal(out.conversation_replies, 0);
	assert_int_equal(out.conversation_senders, 1);
	assert_int_equal(look(s, T0 + 20000 + HOUR, "root").conversation_senders, 0);
	/* Accepted at last: its deliveries are of that time. */
	out = offer(s, T0 + 2 * HOUR, "r1", "ann", "root");
	assert_int_equal(out.seen, BW_SEEN_RETRY);
	assert_true(out.provisional);
	assert_int_equal(look(s, T0 + 2 * HOUR, "root").list_deliveries, 100);
}

static void one_duplicate_passes_within_ten_minutes(void **state)
{
	static const struct {
		int64_t after_ms;
		enum bw_seen seen;
		int64_t deliveries; /* before it */
	} rows[] = {
		{ 1, BW_SEEN_DUPLICATE, 100 },
		{ 2, BW_SEEN_REPLAY, 100 },
		{ 3, BW_SEEN_REPLAY, 200 },
		{ TEN_MINUTES + 5, BW_SEEN_REPLAY, 300 },
	};
	struct bw_store *s = STORE(state);

	assert_int_equal(offer(s, T0, "m", "ann", NULL).seen, BW_SEEN_FRESH);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bw_count_out out = offer(s, T0 + rows[i].after_ms, "m", "ann", NULL);

		if (out.seen != rows[i].seen || out.list_deliveries != rows[i].deliveries)
			fail_msg("row %zu: %s, %lld deliveries", i, bw_seen_name(out.seen), (long long)out.list_deliveries);
	}
}

static void duplicates_end_at_ten_minutes(void **state)
{
	struct bw_store *s = STORE(state);

	offer(s, T0, "m", "ann", NULL);
	assert_int_equal(offer(s, T0 + TEN_MINUTES - 1, "m", "ann", NULL).seen, BW_SEEN_DUPLICATE);
	offer(s, T0, "n", "ann", NULL);
	assert_int_equal(offer(s, T0 + TEN_MINUTES, "n", "ann", NULL).seen, BW_SEEN_REPLAY);
}

/* A lost 250 comes again to the same recipients; an old identity with others hides nothing. */
static void an_old_identity_with_other_recipients_is_a_new_post(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0, "m", "ann", NULL);

	count(s, &in);
	in.recipients = hash_of("others");
	in.now_ms = T0 + 1;
	assert_int_equal(count(s, &in).seen, BW_SEEN_REPLAY);
	in.now_ms = T0 + 2;
	assert_int_equal(count(s, &in).seen, BW_SEEN_DUPLICATE);
	in.recipients = hash_of("yet others");
	assert_int_equal(count(s, &in).seen, BW_SEEN_REPLAY);
}

static void a_duplicate_counts_nothing(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out out;

	offer(s, T0, "root", "comms", NULL);
	offer(s, T0 + 1, "r1", "ann", "root");
	out = offer(s, T0 + 1000, "r1", "ann", "root");
	assert_int_equal(out.seen, BW_SEEN_DUPLICATE);
	assert_true(out.joined);
	assert_false(out.provisional);
	assert_int_equal(out.conversation_senders, 1);
	assert_int_equal(out.conversation_replies, 1);
	/* Not even the time of the attempt. */
	assert_int_equal(look(s, T0 + 1 + HOUR, "root").conversation_senders, 0);
}

/* A duplicate that was stopped has not passed: another may; the original stays accepted. */
static void a_stopped_duplicate_takes_nothing_back(void **state)
{
	struct bw_store *s = STORE(state);

	offer(s, T0, "m", "ann", NULL);
	assert_int_equal(stop(s, T0 + 1, "m", "ann", NULL).seen, BW_SEEN_DUPLICATE);
	assert_int_equal(look(s, T0 + 2, NULL).list_deliveries, 100);
	assert_int_equal(offer(s, T0 + 3, "m", "ann", NULL).seen, BW_SEEN_DUPLICATE);
	assert_int_equal(offer(s, T0 + 4, "m", "ann", NULL).seen, BW_SEEN_REPLAY);
}

static void a_replay_is_a_new_post(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out out;

	offer(s, T0, "root", "comms", NULL);
	offer(s, T0 + 1, "r1", "ann", "root");
	out = offer(s, T0 + HOUR, "r1", "ann", "root");
	assert_int_equal(out.seen, BW_SEEN_REPLAY);
	assert_false(out.joined); /* and no reply */
	assert_true(out.provisional);
	assert_int_equal(out.conversation_replies, 1);
	assert_int_equal(out.list_senders, 1);
	assert_int_equal(look(s, T0 + HOUR + 1, "root").list_deliveries, 100);
	/* One lost 250 is forgiven, once in its life. */
	assert_int_equal(offer(s, T0 + HOUR + 1, "r1", "ann", "root").seen, BW_SEEN_DUPLICATE);
	/* Its deliveries are conditional as any post's. */
	struct bw_count_in in = mail(T0 + HOUR + 2, "r1", "ann", "root");

	in.budget = 150;
	out = count(s, &in);
	assert_int_equal(out.seen, BW_SEEN_REPLAY);
	assert_false(out.budget_ok);
	assert_false(out.provisional);
	/* And, stopped, it takes only its own back. */
	in = mail(T0 + HOUR + 3, "r1", "ann", "root");
	out = count(s, &in);
	assert_true(out.provisional);
	struct bw_settle_in end = ending(&in, &out, false);

	settle(s, &end);
	assert_int_equal(look(s, T0 + HOUR + 4, "root").list_deliveries, 100);
	assert_int_equal(offer(s, T0 + HOUR + 5, "r1", "ann", "root").seen, BW_SEEN_REPLAY);
}

/* What a replay does to the post it repeats: nothing, however it ends. */
static void a_replay_leaves_its_original_alone(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0, "post", "ann", NULL), wide = mail(T0 + HOUR + 10, "wide", "looker", "post");
	struct bw_count_out out;

	count(s, &in);
	wide.poster = wide.peek = true;
	wide.list_window_ms = 3 * HOUR;
	in.now_ms = T0 + HOUR;
	in.list_window_ms = 3 * HOUR;
	in.budget = 1; /* it does not fit */
	out = count(s, &in);
	assert_int_equal(out.seen, BW_SEEN_REPLAY);
	assert_false(out.provisional);
	struct bw_settle_in end = ending(&in, &out, false);

	settle(s, &end);
	assert_int_equal(count(s, &wide).list_deliveries, 100);
	/* Let pass all the same, it is delivered on top. */
	end.accepted = true;
	settle(s, &end);
	assert_int_equal(count(s, &wide).list_deliveries, 200);
	/* Added for a moment and taken back: the post itself still went out. */
	in.now_ms = T0 + 2 * HOUR;
	in.budget = 0;
	out = count(s, &in);
	assert_int_equal(out.seen, BW_SEEN_REPLAY);
	assert_true(out.provisional);
	end = ending(&in, &out, false);
	settle(s, &end);
	wide.now_ms = T0 + 2 * HOUR + 10;
	assert_int_equal(count(s, &wide).list_deliveries, 200);
	assert_true(count(s, &wide).joined);
}

/* Lost a compare-and-set and counts the same call again: the same answer, nothing twice. */
static void again_is_the_same_attempt(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out first, out;

	offer(s, T0, "root", "comms", NULL);
	offer(s, T0 + 5, "r0", "bob", "root");
	struct bw_count_in in = mail(T0 + 10, "r1", "ann", "root");

	in.again = true; /* even if the store never heard of it */
	first = count(s, &in);
	assert_int_equal(first.seen, BW_SEEN_FRESH);
	for (int i = 0; i < 3; i++) {
		out = count(s, &in);
		assert_int_equal(out.seen, BW_SEEN_FRESH);
		assert_true(out.joined);
		assert_true(out.provisional);
		assert_int_equal(out.conversation_senders, first.conversation_senders);
		assert_int_equal(out.conversation_replies, first.conversation_replies);
		assert_int_equal(out.list_senders, first.list_senders);
		assert_int_equal(out.list_deliveries, first.list_deliveries);
		assert_int_equal(out.conversation_last_ms, T0 + 5);
		assert_int_equal(out.list_last_ms, T0 + 5);
		assert_false(out.conversation_sender_was_counted);
		assert_false(out.list_sender_was_counted);
	}
	/* A breaker that opened in between: what was added for now goes. */
	set_breaker(s, list_key(BW_SIDE_MEMBERS), BW_PHASE_OPEN, T0 + 11, T0 + HOUR);
	out = count(s, &in);
	assert_int_equal(out.seen, BW_SEEN_FRESH);
	assert_false(out.provisional);
	assert_int_equal(look(s, T0 + 12, "root").list_deliveries, 200);
	/* Somebody else in between counts, and came last. */
	offer(s, T0 + 13, "r2", "eve", "root");
	out = count(s, &in);
	assert_int_equal(out.conversation_senders, 3);
	assert_int_equal(out.list_last_ms, T0 + 13);
	/* Not again: a retry of what was not accepted. */
	in.again = false;
	in.now_ms = T0 + 14;
	out = count(s, &in);
	assert_int_equal(out.seen, BW_SEEN_RETRY);
	in.again = true;
	assert_int_equal(count(s, &in).seen, BW_SEEN_RETRY);
	assert_int_equal(count(s, &in).conversation_replies, 3);
}

static void again_of_a_replay(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0 + HOUR, "m", "ann", NULL);

	offer(s, T0, "m", "ann", NULL);
	assert_int_equal(count(s, &in).seen, BW_SEEN_REPLAY);
	in.again = true;
	assert_int_equal(count(s, &in).seen, BW_SEEN_REPLAY);
	assert_int_equal(count(s, &in).list_deliveries, 0);
	assert_int_equal(look(s, T0 + HOUR + 1, NULL).list_deliveries, 100);
}

static void settling_is_idempotent(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0, "m", "ann", NULL);
	struct bw_count_out out = count(s, &in);
	struct bw_settle_in end = ending(&in, &out, false);

	for (int i = 0; i < 3; i++) {
		settle(s, &end);
		assert_int_equal(look(s, T0 + 1, NULL).list_deliveries, 0);
		assert_int_equal(look(s, T0 + 1, NULL).list_senders, 2); /* the attempt stays */
	}
	end.accepted = true;
	for (int i = 0; i < 3; i++) {
		settle(s, &end);
		assert_int_equal(look(s, T0 + 1, NULL).list_deliveries, 100);
	}
	assert_int_equal(offer(s, T0 + 2, "m", "ann", NULL).seen, BW_SEEN_DUPLICATE);
}

/* Whatever the budget and the breakers say: the verdict was accept. */
static void accepting_adds_unconditionally(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0 + 1, "m2", "ann", NULL);

	offer(s, T0, "m1", "ann", NULL);
	set_breaker(s, list_key(BW_SIDE_MEMBERS), BW_PHASE_OPEN, T0, T0 + HOUR);
	in.budget = 1;
	struct bw_count_out out = count(s, &in);
	struct bw_settle_in end = ending(&in, &out, true);

	assert_false(out.provisional);
	settle(s, &end);
	assert_int_equal(look(s, T0 + 2, NULL).list_deliveries, 200);
	/* One that was never counted here (another store did): known as accepted from now on. */
	in = mail(T0 + 3, "m3", "ann", NULL);
	end = ending(&in, &out, true);
	end.conversation = hash_of("m3");
	settle(s, &end);
	assert_int_equal(look(s, T0 + 4, NULL).list_deliveries, 300);
	assert_int_equal(count(s, &in).seen, BW_SEEN_DUPLICATE);
	assert_true(offer(s, T0 + 5, "r", "bob", "m3").joined);
	/* And one never counted, not accepted: nothing happened. */
	in = mail(T0 + 6, "m4", "ann", NULL);
	end = ending(&in, &out, false);
	settle(s, &end);
	assert_int_equal(count(s, &in).seen, BW_SEEN_FRESH);
}

static void given_back_as_if_it_had_not_been(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out out;

	offer(s, T0, "root", "comms", NULL);
	offer(s, T0 + 100, "r1", "ann", "root");
	struct bw_count_in in = mail(T0 + 200, "r2", "bob", "root");

	out = count(s, &in);
	assert_int_equal(out.conversation_senders, 2);
	struct bw_settle_in end = ending(&in, &out, false);

	end.give_back = true;
	for (int i = 0; i < 2; i++) {
		settle(s, &end);
		out = look(s, T0 + 201, "root");
		assert_int_equal(out.conversation_senders, 1);
		assert_int_equal(out.conversation_replies, 1);
		assert_int_equal(out.conversation_last_ms, T0 + 100);
		assert_int_equal(out.list_senders, 3);
		assert_int_equal(out.list_last_ms, T0 + 100);
		assert_int_equal(out.list_deliveries, 200);
	}
	/* A later retry counts again, once. */
	out = offer(s, T0 + 300, "r2", "bob", "root");
	assert_int_equal(out.seen, BW_SEEN_RETRY);
	assert_int_equal(out.conversation_senders, 2);
	assert_int_equal(out.conversation_replies, 2);
	assert_false(out.conversation_sender_was_counted);
	assert_true(out.provisional);
}

/* The sender's earlier attempt stands where it stood. */
static void giving_back_restores_the_earlier_attempt(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0 + 2000, "r2", "ann", "root");

	offer(s, T0, "root", "comms", NULL);
	offer(s, T0 + 1000, "r1", "ann", "root");
	struct bw_count_out out = count(s, &in);
	struct bw_settle_in end = ending(&in, &out, false);

	end.give_back = true;
	settle(s, &end);
	assert_int_equal(look(s, T0 + 1000 + HOUR - 1, "root").conversation_senders, 1);
	assert_int_equal(look(s, T0 + 1000 + HOUR, "root").conversation_senders, 0);
	assert_int_equal(look(s, T0 + 1000 + HOUR - 1, "root").conversation_replies, 1);
	/* With other windows too, and after a look back. */
	struct bw_count_in wide = mail(T0 + 1000 + HOUR, "wide", "looker", "root");

	wide.poster = wide.peek = true;
	wide.conversation_window_ms = wide.list_window_ms = 2 * HOUR;
	assert_int_equal(count(s, &wide).conversation_senders, 1);
	assert_int_equal(count(s, &wide).list_senders, 3);
}

/* Of two attempts of one sender, both given back in the order they came, nothing is left. */
static void giving_back_everything_leaves_nothing(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in[2] = { mail(T0 + 1, "r1", "ann", "root"), mail(T0 + 2, "r2", "ann", "root") };

	offer(s, T0, "root", "comms", NULL);
	for (int order = 0; order < 2; order++) {
		struct bw_settle_in end[2];

		for (int i = 0; i < 2; i++) {
			struct bw_count_out out = count(s, &in[i]);

			end[i] = ending(&in[i], &out, false);
			end[i].give_back = true;
		}
		settle(s, &end[order]);
		assert_int_equal(look(s, T0 + 10, "root").conversation_senders, 1);
		settle(s, &end[1 - order]);
		assert_int_equal(look(s, T0 + 10, "root").conversation_senders, 0);
		assert_int_equal(look(s, T0 + 10, "root").conversation_replies, 0);
		assert_int_equal(look(s, T0 + 10, "root").list_senders, 2);
	}
}

/* Given back, tried again and given back again: each time its own attempt only. */
static void giving_back_twice_takes_nobody_elses(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0 + 2, "r2", "ann", "root");

	offer(s, T0, "root", "comms", NULL);
	offer(s, T0 + 1, "r1", "ann", "root");
	for (int i = 0; i < 3; i++) {
		struct bw_count_out out = count(s, &in);
		struct bw_settle_in end = ending(&in, &out, false);

		assert_int_equal(out.conversation_senders, 1);
		assert_int_equal(out.conversation_replies, 2);
		end.give_back = true;
		settle(s, &end);
		in.now_ms++;
		assert_int_equal(look(s, T0 + 10, "root").conversation_senders, 1);
		assert_int_equal(look(s, T0 + 10, "root").conversation_replies, 1);
		assert_int_equal(look(s, T0 + 10, "root").list_senders, 3);
	}
}

static void identities_are_forgotten_with_the_memory(void **state)
{
	struct bw_store *s = STORE(state);

	stop(s, T0, "m", "ann", NULL);
	assert_int_equal(stop(s, T0 + WEEK - 1, "m", "ann", NULL).seen, BW_SEEN_RETRY); /* seen now: remembered from here */
	assert_int_equal(stop(s, T0 + 2 * WEEK - 2, "m", "ann", NULL).seen, BW_SEEN_RETRY);
	assert_int_equal(stop(s, T0 + 3 * WEEK - 2, "m", "ann", NULL).seen, BW_SEEN_FRESH);
	offer(s, T0, "n", "ann", NULL);
	assert_int_equal(offer(s, T0 + WEEK, "n", "ann", NULL).seen, BW_SEEN_FRESH);
}

static void the_same_identity_on_two_lists_is_two_messages(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0, "m", "ann", NULL);

	count(s, &in);
	in.list = BW_S("other@example.org");
	assert_int_equal(count(s, &in).seen, BW_SEEN_FRESH);
}

int run_identity(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_retry_counts_once),
		TEST(one_duplicate_passes_within_ten_minutes),
		TEST(duplicates_end_at_ten_minutes),
		TEST(an_old_identity_with_other_recipients_is_a_new_post),
		TEST(a_duplicate_counts_nothing),
		TEST(a_stopped_duplicate_takes_nothing_back),
		TEST(a_replay_is_a_new_post),
		TEST(a_replay_leaves_its_original_alone),
		TEST(again_is_the_same_attempt),
		TEST(again_of_a_replay),
		TEST(settling_is_idempotent),
		TEST(accepting_adds_unconditionally),
		TEST(given_back_as_if_it_had_not_been),
		TEST(giving_back_restores_the_earlier_attempt),
		TEST(giving_back_everything_leaves_nothing),
		TEST(giving_back_twice_takes_nobody_elses),
		TEST(identities_are_forgotten_with_the_memory),
		TEST(the_same_identity_on_two_lists_is_two_messages),
	};

	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
