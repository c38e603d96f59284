/* Redirected replies: whose conversation it is, and never more than so many of it. */
#include "contract.h"

#include <stdio.h>
#include <string.h>

enum { LIMIT = 3 };

static struct bw_redirect_in redirecting(int64_t now_ms, struct bw_count_out of, const char *id)
{
	return (struct bw_redirect_in){
		.now_ms = now_ms,
		.list = BW_S(LIST),
		.conversation = of.conversation,
		.message = hash_of(id),
		.limit = LIMIT,
		.memory_ms = WEEK,
	};
}

static struct bw_redirect_out redirect(struct bw_store *s, const struct bw_redirect_in *in)
{
	struct bw_redirect_out out;

	assert_ok(s->ops->redirect(s, in, &out, 1, &why));
	return out;
}

static struct bw_redirect_out redirect_one(struct bw_store *s, int64_t now_ms, struct bw_count_out of, const char *id)
{
	struct bw_redirect_in in = redirecting(now_ms, of, id);

	return redirect(s, &in);
}

static struct bw_count_out begin(struct bw_store *s, int64_t now_ms, const char *id, const char *root_sender, bool trusted)
{
	struct bw_count_in in = mail(now_ms, id, "comms", NULL);

	in.root_sender = bw_slice_of(root_sender);
	in.root_trusted = trusted;
	return count(s, &in);
}

/* --- the root --- */

static void who_began_it(void **state)
{
	static char long_address[BW_ROOT_SENDER_BYTES + 1];
	const struct {
		const char *id, *root;
		bool trusted;
		const char *told;
		bool told_trusted;
	} rows[] = {
		{ "proven", "comms@example.org", true, "comms@example.org", true },
		{ "claimed", "comms@example.org", false, "comms@example.org", false },
		{ "nobody", "", true, "", false },
		{ "endless", long_address, true, "", false },
		/* What a stranger may write into a sender is no proof. */
		{ "marked", "\001comms@example.org", false, "\001comms@example.org", false },
		{ "quoted", "'); DROP TABLE conversation;--@example.org", true, "'); DROP TABLE conversation;--@example.org", true },
	};
	struct bw_store *s = STORE(state);

	memset(long_address, 'a', sizeof(long_address) - 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bw_count_out of = begin(s, T0 + (int64_t)i, rows[i].id, rows[i].root, rows[i].trusted);
		struct bw_redirect_out out = redirect_one(s, T0 + 10, of, "r");

		assert_string_equal(out.root_sender, rows[i].told);
		assert_int_equal(out.root_trusted, rows[i].told_trusted);
		assert_int_equal(out.ordinal, 1);
	}
}

/* A reply changes neither, whoever writes it; nor does the root when it comes again. */
static void it_stays_whose_it_was(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out of = begin(s, T0, "root", "comms@example.org", false);
	struct bw_count_in in = mail(T0 + 1, "r1", "mallory", "root");

	in.root_sender = BW_S("mallory@example.org");
	in.root_trusted = true;
	assert_true(count(s, &in).joined);
	in = mail(T0 + 2, "root", "comms", NULL);
	in.root_sender = BW_S("mallory@example.org");
	in.root_trusted = true;
	count(s, &in);
	struct bw_redirect_out out = redirect_one(s, T0 + 3, of, "r1");

	assert_string_equal(out.root_sender, "comms@example.org");
	assert_false(out.root_trusted);
}

/* However long the conversation goes on: readable for the memory, by this call or at all. */
static void it_is_forgotten(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out of = begin(s, T0, "root", "comms@example.org", true);
	char id[32];

	for (int day = 1; day <= 8; day++) {
		snprintf(id, sizeof(id), "r%d", day);
		offer(s, T0 + day * BW_DAY_MS - 1, id, id, "root");
	}
	assert_string_equal(redirect_one(s, T0 + WEEK - 1, of, "x").root_sender, "comms@example.org");
	assert_string_equal(redirect_one(s, T0 + WEEK, of, "x").root_sender, "");
	assert_string_equal(redirect_one(s, T0 + WEEK - 1, of, "x").root_sender, "comms@example.org");
	for (int i = 0; i < 5; i++)
		assert_ok(s->ops->expire(s, T0 + WEEK, WEEK, &why));
	assert_string_equal(redirect_one(s, T0 + WEEK - 1, of, "x").root_sender, "");
	assert_int_equal(redirect_one(s, T0 + WEEK, of, "x").ordinal, 1); /* what was counted is not */
	assert_int_equal(redirect_one(s, T0 + WEEK, of, "y").ordinal, 2);
}

/* --- counting --- */

static void as_many_as_may(void **state)
{
	static const struct {
		const char *id;
		int64_t limit;
		bool give_back;
		int64_t ordinal;
		bool again;
	} rows[] = {
		{ "a", LIMIT, false, 1, false },
		{ "b", LIMIT, false, 2, false },
		{ "a", LIMIT, false, 2, true }, /* comes again: one of two */
		{ "c", LIMIT, false, 3, false },
		{ "d", LIMIT, false, 4, false }, /* no room, */
		{ "d", LIMIT, false, 4, false }, /* and never counted */
		{ "b", LIMIT, false, 3, true },
		{ "b", LIMIT, true, 3, true },
		{ "b", LIMIT, true, 3, false }, /* once */
		{ "d", LIMIT, false, 3, false },
		{ "e", LIMIT + 1, false, 4, false }, /* an argument: acts at once, forgets nothing */
		{ "f", 0, false, 5, false },
		{ "a", 2, false, 2, true },
	};
	struct bw_store *s = STORE(state);
	struct bw_count_out of = begin(s, T0, "root", "comms@example.org", true);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bw_redirect_in in = redirecting(T0 + 1 + (int64_t)i, of, rows[i].id);

		in.limit = rows[i].limit;
		in.give_back = rows[i].give_back;
		struct bw_redirect_out out = redirect(s, &in);

		if (out.ordinal != rows[i].ordinal || out.again != rows[i].again)
			fail_msg("row %zu: ordinal %lld, again %d", i, (long long)out.ordinal, out.again);
	}
}

static void each_conversation_has_its_own(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out one = begin(s, T0, "one", "a@example.org", true), two = begin(s, T0, "two", "b@example.org", true);
	struct bw_redirect_in in[2] = { redirecting(T0 + 1, one, "r"), redirecting(T0 + 1, two, "r") };
	struct bw_redirect_out out[2];

	assert_int_equal(redirect_one(s, T0 + 1, one, "q").ordinal, 1);
	assert_ok(s->ops->redirect(s, in, out, 2, &why));
	assert_int_equal(out[0].ordinal, 2);
	assert_string_equal(out[0].root_sender, "a@example.org");
	assert_int_equal(out[1].ordinal, 1);
	assert_string_equal(out[1].root_sender, "b@example.org");
	assert_ok(s->ops->redirect(s, in, out, 0, &why));
}

static void an_unknown_conversation(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out never = { .conversation = hash_of("never") };
	struct bw_count_out of = begin(s, T0, "root", "comms@example.org", true);
	struct bw_redirect_in elsewhere = redirecting(T0 + 1, of, "r");

	elsewhere.list = BW_S("other@example.org");
	assert_int_equal(redirect_one(s, T0 + 1, never, "r").ordinal, 0);
	assert_int_equal(redirect(s, &elsewhere).ordinal, 0);
	assert_int_equal(redirect_one(s, T0 + WEEK - 1, of, "r").ordinal, 1);
	assert_int_equal(redirect_one(s, T0 + WEEK, of, "s").ordinal, 0); /* nobody has written to it for so long */
}

/* The root is the older one's; what was redirected of both counts, once. */
static void two_become_one(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out older = begin(s, T0, "old", "old@example.org", true), younger = begin(s, T0 + 1, "new", "new@example.org", false);
	struct bw_count_in tie = mail(T0 + 5, "tie", "dan", "new");

	redirect_one(s, T0 + 2, older, "o1");
	redirect_one(s, T0 + 2, younger, "n1");
	redirect_one(s, T0 + 2, younger, "o1");
	add_key(&tie, BW_JOIN_IN_REPLY_TO, "old");
	struct bw_count_out out = count(s, &tie);
	struct bw_settle_in end = ending(&tie, &out, true);

	assert_true(out.merge_wanted);
	end.merge = true;
	settle(s, &end);
	assert_int_equal(redirect_one(s, T0 + 6, older, "x").ordinal, 3);
	assert_int_equal(redirect_one(s, T0 + 6, younger, "y").ordinal, 4);
	struct bw_redirect_out told = redirect_one(s, T0 + 6, younger, "n1");

	assert_true(told.again);
	assert_string_equal(told.root_sender, "old@example.org");
	assert_true(told.root_trusted);
}

static void refusals(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out of = begin(s, T0, "root", "comms@example.org", true);
	struct bw_redirect_in rows[4];

	for (size_t i = 0; i < 4; i++)
		rows[i] = redirecting(T0 + 1, of, "r");
	rows[0].list = BW_S("");
	rows[1].message = hash_of("");
	rows[2].limit = -1;
	rows[3].memory_ms = 0;
	for (size_t i = 0; i < 4; i++) {
		struct bw_redirect_out out = { .ordinal = 42 };
		enum bw_err err = s->ops->redirect(s, &rows[i], &out, 1, NULL);

		assert_int_equal(err, i < 2 ? BW_ERR_INPUT : BW_ERR_RANGE);
		assert_int_equal(out.ordinal, 42);
	}
	assert_int_equal(redirect_one(s, T0 + 1, of, "r").ordinal, 1);
}

static void the_stores_own_clock(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out of = begin(s, 0, "root", "comms@example.org", true);
	struct bw_redirect_out out = redirect_one(s, 0, of, "r");

	assert_int_equal(out.ordinal, 1);
	assert_string_equal(out.root_sender, "comms@example.org");
}

int run_redirect(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(who_began_it),      TEST(it_stays_whose_it_was),   TEST(it_is_forgotten), TEST(as_many_as_may), TEST(each_conversation_has_its_own),
		TEST(two_become_one),    TEST(an_unknown_conversation), TEST(refusals),        TEST(the_stores_own_clock),
	};

	return cmocka_run_group_tests_name("redirect", tests, NULL, NULL);
}
