/* Two conversations that one message ties together. */
#include "contract.h"

/* One reply to both. */
static struct bw_count_in tie(int64_t now_ms, const char *id, const char *sender, const char *one, const char *other)
{
	struct bw_count_in in = mail(now_ms, id, sender, one);

	add_key(&in, BW_JOIN_REFERENCES, other);
	return in;
}

struct pair {
	struct bw_count_out older, younger;
};

/* Older: ann, bob. Younger: bob, eve. */
static struct pair pair(struct bw_store *s)
{
	struct pair p;

	p.older = offer(s, T0, "old", "comms", NULL);
	p.younger = offer(s, T0 + 1, "new", "comms", NULL);
	offer(s, T0 + 10, "o1", "ann", "old");
	offer(s, T0 + 11, "o2", "bob", "old");
	offer(s, T0 + 12, "n1", "bob", "new");
	offer(s, T0 + 13, "n2", "eve", "new");
	return p;
}

static void counts_cover_both(void **state)
{
	struct bw_store *s = STORE(state);
	struct pair p = pair(s);
	struct bw_count_in in = tie(T0 + 20, "t", "dan", "new", "old");
	struct bw_count_out out = count(s, &in);

	assert_true(out.joined);
	assert_true(out.merge_wanted);
	assert_true(same_conversation(out, p.older)); /* the older, whichever key is stronger */
	assert_int_equal(out.conversation_senders, 4);
	assert_int_equal(out.conversation_day_senders, 4);
	assert_int_equal(out.conversation_phase_senders, 4);
	assert_int_equal(out.conversation_replies, 5);
	assert_int_equal(out.conversation_last_ms, T0 + 13);
	assert_false(out.conversation_sender_was_counted);
	/* Until it is settled they are two, and the attempt is the older one's. */
	assert_int_equal(look(s, T0 + 21, "old").conversation_senders, 3);
	assert_int_equal(look(s, T0 + 21, "new").conversation_senders, 2);
	/* Who stands in the younger was there before. */
	in = tie(T0 + 22, "t2", "eve", "old", "new");
	in.peek = true;
	out = count(s, &in);
	assert_true(out.conversation_sender_was_counted);
	assert_int_equal(out.conversation_senders, 4);
}

static void accepted_ties_merge(void **state)
{
	struct bw_store *s = STORE(state);
	struct pair p = pair(s);
	struct bw_count_in in = tie(T0 + 20, "t", "dan", "new", "old");
	struct bw_count_out out = count(s, &in);
	struct bw_settle_in end = ending(&in, &out, true);

	end.merge = true;
	for (int i = 0; i < 2; i++) {
		settle(s, &end);
		out = look(s, T0 + 21, "new"); /* its keys lead to the older one now */
		assert_true(same_conversation(out, p.older));
		assert_false(out.merge_wanted);
		assert_int_equal(out.conversation_senders, 4);
		assert_int_equal(out.conversation_replies, 5);
		assert_int_equal(out.list_deliveries, 700); /* once */
		assert_int_equal(out.conversation_last_ms, T0 + 20);
	}
	/* Senders stand where they stood last; edges hold. */
	assert_int_equal(look(s, T0 + 10 + HOUR, "old").conversation_senders, 3);
	assert_int_equal(look(s, T0 + 11 + HOUR, "old").conversation_senders, 3);
	assert_int_equal(look(s, T0 + 11 + HOUR, "old").conversation_replies, 3);
	assert_int_equal(look(s, T0 + 12 + HOUR, "old").conversation_senders, 2);
	/* A retry of the younger's, and its ordinal in the whole. */
	out = offer(s, T0 + 30, "n3", "pat", "n2");
	assert_int_equal(out.conversation_senders, 5);
	/* Asked for by the younger's id, the answer is of the whole. */
	set_breaker(s, conversation_key(&p.older, BW_SIDE_MEMBERS), BW_PHASE_OPEN, T0 + 31, T0 + HOUR);
	assert_int_equal(breaker(s, conversation_key(&p.younger, BW_SIDE_MEMBERS)).phase, BW_PHASE_OPEN);
}

static void stopped_and_outside_ties_merge_nothing(void **state)
{
	struct bw_store *s = STORE(state);
	struct pair p = pair(s);
	struct bw_count_in in = tie(T0 + 20, "t", "dan", "new", "old");
	struct bw_count_out out = count(s, &in);
	struct bw_settle_in end = ending(&in, &out, false);

	end.merge = true; /* only with accepted */
	settle(s, &end);
	assert_false(same_conversation(look(s, T0 + 21, "new"), p.older));
	/* Its retry still ties. */
	in.now_ms = T0 + 22;
	out = count(s, &in);
	assert_int_equal(out.seen, BW_SEEN_RETRY);
	assert_true(out.merge_wanted);
	assert_int_equal(out.conversation_replies, 5);
	in = tie(T0 + 23, "out", "stranger", "new", "old");
	in.side = BW_SIDE_OUTSIDE;
	in.may_merge = false;
	out = count(s, &in);
	assert_true(out.joined);
	assert_false(out.merge_wanted);
	assert_int_equal(out.conversation_senders, 1);
	end = ending(&in, &out, true);
	settle(s, &end);
	assert_true(same_conversation(look(s, T0 + 24, "new"), p.younger));
}

/* Somebody wrote to the younger between the tie and its end. */
static void the_latest_attempt_of_both_is_the_last(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = tie(T0 + 20, "t", "dan", "new", "old");

	pair(s);
	struct bw_count_out out = count(s, &in);
	struct bw_settle_in end = ending(&in, &out, true);

	offer(s, T0 + 25, "n3", "pat", "new");
	end.merge = true;
	settle(s, &end);
	assert_int_equal(look(s, T0 + 30, "old").conversation_last_ms, T0 + 25);
	assert_int_equal(look(s, T0 + 30, "old").conversation_senders, 5);
	assert_int_equal(look(s, T0 + 20 + HOUR, "old").conversation_senders, 1);
}

/* Both sides' counters go along. */
static void both_sides_merge(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0 + 20, "x1", "stranger", "new");
	struct bw_count_out out;

	pair(s);
	in.side = BW_SIDE_OUTSIDE;
	count(s, &in);
	in = tie(T0 + 21, "t", "dan", "new", "old");
	out = count(s, &in);
	struct bw_settle_in end = ending(&in, &out, true);

	end.merge = true;
	settle(s, &end);
	in = mail(T0 + 22, "x2", "another", "old");
	in.side = BW_SIDE_OUTSIDE;
	assert_int_equal(count(s, &in).conversation_senders, 2);
}

static void the_less_closed_breaker_speaks_and_stays(void **state)
{
	struct bw_store *s = STORE(state);
	struct pair p = pair(s);
	struct bw_breaker_key older = conversation_key(&p.older, BW_SIDE_MEMBERS),
						  younger = conversation_key(&p.younger, BW_SIDE_MEMBERS);
	struct bw_count_in in = tie(T0 + 20, "t", "dan", "new", "old");
	struct bw_count_out out;

	set_breaker(s, older, BW_PHASE_OPEN, T0 + 14, 0);
	set_breaker(s, older, BW_PHASE_CLOSED, T0 + 14, 0); /* versions of their own: this one is twice changed */
	set_breaker(s, younger, BW_PHASE_HALF_OPEN, T0 + 12, T0 + HOUR);
	out = count(s, &in);
	assert_int_equal(out.conversation_breaker.phase, BW_PHASE_HALF_OPEN);
	assert_int_equal(out.conversation_phase_senders, 3); /* bob, eve, dan since it began */
	/* What the policy makes of it is written to the one whose id it was given. */
	struct bw_breaker next = out.conversation_breaker;

	next.trips = 7;
	assert_ok(s->ops->breaker_cas(s, &older, &next, &why));
	assert_int_equal(breaker(s, older).trips, 7);
	assert_int_equal(breaker(s, older).phase, BW_PHASE_HALF_OPEN);
	/* Merging keeps the less closed one, under a version that nobody has seen. */
	struct bw_breaker b = breaker(s, younger);

	b.phase = BW_PHASE_OPEN;
	b.until_ms = T0 + 2 * HOUR;
	assert_ok(s->ops->breaker_cas(s, &younger, &b, &why));
	b = breaker(s, older);
	in.again = true;
	out = count(s, &in);
	assert_false(out.provisional);
	struct bw_settle_in end = ending(&in, &out, true);

	end.merge = true;
	settle(s, &end);
	assert_int_equal(breaker(s, older).phase, BW_PHASE_OPEN);
	assert_int_equal(s->ops->breaker_cas(s, &older, &b, NULL), BW_ERR_CONFLICT);
}

/* Three at once: two are tied, the third stays. */
static void at_most_two_at_a_time(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = tie(T0 + 20, "t", "dan", "third", "second");
	struct bw_count_out out;

	offer(s, T0, "first", "a", NULL);
	offer(s, T0 + 1, "second", "b", NULL);
	offer(s, T0 + 2, "third", "c", NULL);
	add_key(&in, BW_JOIN_IN_REPLY_TO, "first");
	out = count(s, &in);
	struct bw_settle_in end = ending(&in, &out, true);

	end.merge = true;
	settle(s, &end);
	assert_true(same_conversation(look(s, T0 + 21, "third"), out));
	assert_true(same_conversation(look(s, T0 + 21, "second"), out));
	assert_false(same_conversation(look(s, T0 + 21, "first"), out));
}

/* Merged again and again: every key of every one of them leads to the oldest. */
static void chains_of_merges(void **state)
{
	struct bw_store *s = STORE(state);
	char names[12][4];
	struct bw_count_out out = { 0 };

	for (int i = 0; i < 12; i++) {
		names[i][0] = 'c';
		names[i][1] = (char)('a' + i);
		names[i][2] = '\0';
		out = offer(s, T0 + i, names[i], names[i], NULL);
	}
	/* The youngest into the one before it, and so on. */
	for (int i = 11; i > 0; i--) {
		char id[4] = { 't', (char)('a' + i), '\0' };
		struct bw_count_in in = tie(T0 + 100 - i, id, id, names[i], names[i - 1]);

		out = count(s, &in);
		assert_true(out.merge_wanted);
		struct bw_settle_in end = ending(&in, &out, true);

		end.merge = true;
		settle(s, &end);
	}
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 12; i++) {
			char id[4] = { 'r', (char)('a' + i), (char)('0' + round), '\0' };
			struct bw_count_out reply = offer(s, T0 + 200 + i, id, "same", names[i]);

			assert_true(same_conversation(reply, out));
			assert_int_equal(reply.conversation_senders, 12);
		}
	}
}

/* Two messages tie the same two: the second finds them merged. */
static void a_tie_of_what_is_merged_is_none(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in[2] = { tie(T0 + 20, "t1", "dan", "new", "old"), tie(T0 + 21, "t2", "pat", "old", "new") };
	struct bw_count_out out[2];

	pair(s);
	for (int i = 0; i < 2; i++)
		out[i] = count(s, &in[i]);
	assert_true(out[0].merge_wanted && out[1].merge_wanted);
	for (int i = 0; i < 2; i++) {
		struct bw_settle_in end = ending(&in[i], &out[i], true);

		end.merge = true;
		settle(s, &end);
	}
	assert_int_equal(look(s, T0 + 22, "new").conversation_senders, 5);
	in[1].again = true;
	assert_false(count(s, &in[1]).merge_wanted);
}

int run_merge(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(counts_cover_both),
		TEST(accepted_ties_merge),
		TEST(stopped_and_outside_ties_merge_nothing),
		TEST(the_latest_attempt_of_both_is_the_last),
		TEST(both_sides_merge),
		TEST(the_less_closed_breaker_speaks_and_stays),
		TEST(at_most_two_at_a_time),
		TEST(chains_of_merges),
		TEST(a_tie_of_what_is_merged_is_none),
	};

	return cmocka_run_group_tests_name("merge", tests, NULL, NULL);
}
