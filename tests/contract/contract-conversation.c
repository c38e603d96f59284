/* Joining: through which keys, how long, and what opens no door. */
#include "contract.h"

static struct bw_count_in bare(int64_t now_ms, const char *id, const char *sender)
{
	struct bw_count_in in = mail(now_ms, id, sender, NULL);

	in.key_count = 0;
	return in;
}

static void each_kind_of_key_joins(void **state)
{
	/* What the root carries, what the reply carries, does it join? */
	static const struct {
		enum bw_join_kind root, reply;
		bool looks_like_reply, joins;
	} rows[] = {
		{ BW_JOIN_MESSAGE_ID, BW_JOIN_MESSAGE_ID, false, true },
		{ BW_JOIN_MESSAGE_ID, BW_JOIN_REFERENCES, true, true },
		{ BW_JOIN_MESSAGE_ID, BW_JOIN_IN_REPLY_TO, true, true },
		{ BW_JOIN_REFERENCES, BW_JOIN_MESSAGE_ID, false, true }, /* the reply came first */
		{ BW_JOIN_REFERENCES, BW_JOIN_REFERENCES, true, true },
		{ BW_JOIN_THREAD_INDEX, BW_JOIN_THREAD_INDEX, true, true },
		{ BW_JOIN_SUBJECT, BW_JOIN_SUBJECT, true, true },
		{ BW_JOIN_SUBJECT, BW_JOIN_SUBJECT, false, false },        /* two posts of the same name */
		{ BW_JOIN_MESSAGE_ID, BW_JOIN_THREAD_INDEX, true, false }, /* a hash is worth nothing as another kind */
		{ BW_JOIN_MESSAGE_ID, BW_JOIN_SUBJECT, true, false },
		{ BW_JOIN_THREAD_INDEX, BW_JOIN_SUBJECT, true, false },
		{ BW_JOIN_SUBJECT, BW_JOIN_THREAD_INDEX, true, false },
	};
	struct bw_store *s = STORE(state);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char name[8] = { 'k', (char)('a' + i), '\0' }, root[8] = { 'r', (char)('a' + i), '\0' },
			 reply[8] = { 'x', (char)('a' + i), '\0' };
		struct bw_count_in a = bare(T0 + (int64_t)i * 1000, root, "comms"), b = bare(T0 + (int64_t)i * 1000 + 1, reply, "ann");

		add_key(&a, rows[i].root, name);
		add_key(&b, rows[i].reply, name);
		b.looks_like_reply = rows[i].looks_like_reply;
		struct bw_count_out first = count(s, &a), second = count(s, &b);

		if (second.joined != rows[i].joins || same_conversation(first, second) != rows[i].joins)
			fail_msg("row %zu: joined %d", i, second.joined);
		assert_false(bw_hash_is_zero(&second.conversation));
	}
}

/* Later messages find the conversation through any key of any message in it. */
static void keys_are_learned_on_the_way(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out root = offer(s, T0, "root", "comms", NULL), out;
	struct bw_count_in in = mail(T0 + 1, "r1", "ann", "root");

	add_key(&in, BW_JOIN_REFERENCES, "lost parent");
	add_key(&in, BW_JOIN_THREAD_INDEX, "outlook");
	count(s, &in);
	assert_true(offer(s, T0 + 2, "r2", "bob", "r1").joined);
	assert_true(offer(s, T0 + 3, "r3", "eve", "lost parent").joined);
	in = bare(T0 + 4, "r4", "dan");
	add_key(&in, BW_JOIN_THREAD_INDEX, "outlook");
	out = count(s, &in);
	assert_true(out.joined);
	assert_int_equal(out.conversation_senders, 4);
	assert_true(same_conversation(out, root));
}

static void a_subject_is_the_last_resort(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0, "one", "comms", NULL);
	struct bw_count_out one, two, out;

	add_key(&in, BW_JOIN_SUBJECT, "lunch");
	one = count(s, &in);
	two = offer(s, T0 + 1, "two", "comms", NULL);
	/* References first: the subject of one does not tie, nor lead away. */
	in = mail(T0 + 2, "r1", "ann", "two");
	add_key(&in, BW_JOIN_SUBJECT, "lunch");
	out = count(s, &in);
	assert_true(same_conversation(out, two));
	assert_false(out.merge_wanted);
	/* The subject now belongs to the newest conversation that has it: two. */
	in = bare(T0 + 3, "r2", "bob");
	in.looks_like_reply = true;
	add_key(&in, BW_JOIN_SUBJECT, "lunch");
	out = count(s, &in);
	assert_true(same_conversation(out, two));
	/* A reply to the older one does not take it back. */
	in = mail(T0 + 4, "r3", "eve", "one");
	add_key(&in, BW_JOIN_SUBJECT, "lunch");
	out = count(s, &in);
	assert_true(same_conversation(out, one));
	in = bare(T0 + 5, "r4", "dan");
	in.looks_like_reply = true;
	add_key(&in, BW_JOIN_SUBJECT, "lunch");
	out = count(s, &in);
	assert_true(same_conversation(out, two));
	/* A new post of that name does. */
	in = mail(T0 + 6, "three", "comms", NULL);
	add_key(&in, BW_JOIN_SUBJECT, "lunch");
	count(s, &in);
	in = bare(T0 + 7, "r5", "pat");
	in.looks_like_reply = true;
	add_key(&in, BW_JOIN_SUBJECT, "lunch");
	out = count(s, &in);
	assert_int_equal(out.conversation_senders, 1);
	assert_false(same_conversation(out, two));
}

static bool joins_by_subject(struct bw_store *s, int64_t now_ms, const char *id, const char *subject)
{
	struct bw_count_in in = bare(now_ms, id, "ann");

	in.looks_like_reply = true;
	in.peek = true;
	add_key(&in, BW_JOIN_SUBJECT, subject);
	return count(s, &in).joined;
}

static void a_subject_joins_for_a_day(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0, "root", "comms", NULL);

	add_key(&in, BW_JOIN_SUBJECT, "lunch");
	count(s, &in);
	assert_true(joins_by_subject(s, T0 + BW_DAY_MS - 1, "r1", "lunch"));
	assert_false(joins_by_subject(s, T0 + BW_DAY_MS, "r2", "lunch"));
	/* A day since its last activity, which need not have carried the subject. */
	offer(s, T0 + HOUR, "r3", "bob", "root");
	assert_true(joins_by_subject(s, T0 + HOUR + BW_DAY_MS - 1, "r4", "lunch"));
	assert_false(joins_by_subject(s, T0 + HOUR + BW_DAY_MS, "r5", "lunch"));
}

static void conversations_are_remembered_for_the_memory(void **state)
{
	struct bw_store *s = STORE(state);

	offer(s, T0, "root", "comms", NULL);
	assert_true(look(s, T0 + WEEK - 1, "root").joined);
	assert_false(look(s, T0 + WEEK, "root").joined);
	/* Activity keeps it: two silent hours, or six silent days. */
	offer(s, T0 + 6 * BW_DAY_MS, "r1", "ann", "root");
	assert_true(look(s, T0 + 6 * BW_DAY_MS + WEEK - 1, "root").joined);
	assert_false(look(s, T0 + 6 * BW_DAY_MS + WEEK, "root").joined);
	/* Forgotten is forgotten: the reply is a new post, and founds what its like will join. */
	struct bw_count_out out = offer(s, T0 + 6 * BW_DAY_MS + WEEK, "r2", "bob", "root");

	assert_false(out.joined);
	assert_int_equal(out.conversation_senders, 0);
	out = offer(s, T0 + 6 * BW_DAY_MS + WEEK + 1, "r3", "eve", "root");
	assert_true(out.joined);
	assert_int_equal(out.conversation_senders, 1);
	/* Even a stopped attempt is activity. */
	stop(s, T0 + 12 * BW_DAY_MS + WEEK, "r4", "dan", "root");
	assert_true(look(s, T0 + 13 * BW_DAY_MS + WEEK, "root").joined);
}

static void a_stopped_post_opens_no_door(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out root = stop(s, T0, "root", "ann", NULL), out;

	out = stop(s, T0 + 1, "r1", "bob", "root");
	assert_true(same_conversation(out, root));
	assert_false(out.joined);
	assert_int_equal(out.conversation_senders, 0);
	/* Nor do many of them. */
	assert_false(stop(s, T0 + 2, "r2", "eve", "root").joined);
	/* The founder accepted at last: replies are replies, also those tried before. */
	assert_true(offer(s, T0 + 3, "root", "ann", NULL).provisional);
	out = stop(s, T0 + 4, "r1", "bob", "root");
	assert_int_equal(out.seen, BW_SEEN_RETRY);
	assert_true(out.joined);
	assert_int_equal(out.conversation_senders, 1);
	out = stop(s, T0 + 5, "r3", "dan", "root");
	assert_true(out.joined);
	assert_int_equal(out.conversation_senders, 2);
	assert_int_equal(out.conversation_replies, 2);
}

/* What was accepted for a moment only, and all that was accepted taken back. */
static void taking_back_closes_the_door(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0, "root", "ann", NULL);
	struct bw_count_out out = count(s, &in);
	struct bw_settle_in end = ending(&in, &out, false);

	assert_true(look(s, T0 + 1, "root").joined);
	settle(s, &end);
	assert_false(look(s, T0 + 2, "root").joined);
	/* One of two accepted messages is enough. */
	offer(s, T0 + 3, "r1", "bob", "root");
	end.accepted = true;
	settle(s, &end);
	end.accepted = false;
	settle(s, &end);
	assert_true(look(s, T0 + 4, "root").joined);
}

/* A founder's retry is the post it was, whatever went out in its conversation meanwhile. */
static void a_founder_is_no_reply(void **state)
{
	struct bw_store *s = STORE(state);

	stop(s, T0, "root", "ann", NULL);
	offer(s, T0 + 1, "r1", "bob", "root"); /* a new post, accepted: now the conversation went out */
	assert_true(look(s, T0 + 2, "root").joined);
	assert_false(offer(s, T0 + 3, "root", "ann", NULL).joined);
}

static void conversations_without_keys(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in a = bare(T0, "a", "ann"), b = bare(T0 + 1, "b", "bob");
	struct bw_count_out first = count(s, &a), second = count(s, &b);

	assert_false(first.joined || second.joined);
	assert_false(bw_hash_is_zero(&first.conversation));
	assert_false(same_conversation(first, second));
	/* Its breaker is found by its id. */
	set_breaker(s, conversation_key(&first, BW_SIDE_MEMBERS), BW_PHASE_OPEN, T0, T0 + HOUR);
	a.now_ms = T0 + 2;
	assert_int_equal(count(s, &a).conversation_breaker.phase, BW_PHASE_OPEN);
	assert_int_equal(breaker(s, conversation_key(&second, BW_SIDE_MEMBERS)).phase, BW_PHASE_CLOSED);
}

/* Two stores that meet a conversation apart, one at its root and one in its midst, give it one id: what one stops can be
 * stopped in the other. */
static void ids_are_the_roots(void **state)
{
	struct bw_store *s = STORE(state), *other = NULL;
	struct bw_count_in in = mail(T0 + 1, "r7", "ann", NULL);
	struct bw_why why = { "" };

	in.looks_like_reply = true;
	add_key(&in, BW_JOIN_REFERENCES, "r6"); /* newest first */
	add_key(&in, BW_JOIN_REFERENCES, "r5");
	add_key(&in, BW_JOIN_REFERENCES, "root");
	add_key(&in, BW_JOIN_IN_REPLY_TO, "r6");
	add_key(&in, BW_JOIN_THREAD_INDEX, "outlook");
	assert_int_equal(bw_store_sqlite_open(":memory:", 1000, &other, &why), BW_OK);
	struct bw_count_out there = count(other, &in), here = offer(s, T0, "root", "comms", NULL);

	bw_store_close(&other);
	assert_true(same_conversation(here, there));
}

static void doubled_keys_do_no_harm(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0 + 1, "r1", "ann", "root");

	offer(s, T0, "root", "comms", NULL);
	add_key(&in, BW_JOIN_IN_REPLY_TO, "root");
	add_key(&in, BW_JOIN_REFERENCES, "new");
	add_key(&in, BW_JOIN_IN_REPLY_TO, "new");
	while (in.key_count < BW_JOIN_KEYS_MAX)
		add_key(&in, BW_JOIN_REFERENCES, "root");
	struct bw_count_out out = count(s, &in);

	assert_true(out.joined);
	assert_false(out.merge_wanted);
	assert_true(offer(s, T0 + 2, "r2", "bob", "new").joined);
}

int run_conversation(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(each_kind_of_key_joins),
		TEST(keys_are_learned_on_the_way),
		TEST(a_subject_is_the_last_resort),
		TEST(a_subject_joins_for_a_day),
		TEST(conversations_are_remembered_for_the_memory),
		TEST(a_stopped_post_opens_no_door),
		TEST(taking_back_closes_the_door),
		TEST(a_founder_is_no_reply),
		TEST(conversations_without_keys),
		TEST(ids_are_the_roots),
		TEST(doubled_keys_do_no_harm),
	};

	return cmocka_run_group_tests_name("conversation", tests, NULL, NULL);
}
