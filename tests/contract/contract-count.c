/* Ordinals, budget, breakers: what one count() answers. */
#include "contract.h"

#include <stdio.h>
#include <stdlib.h>

struct step {
	int64_t at_ms;
	const char *id, *sender, *ref;
	bool joined;
	int64_t conversation_senders, replies, list_senders, deliveries;
};

static void play(struct bw_store *s, const struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct step *e = &steps[i];
		struct bw_count_out out = offer(s, T0 + e->at_ms, e->id, e->sender, e->ref);

		if (out.joined != e->joined || out.conversation_senders != e->conversation_senders ||
		    out.conversation_replies != e->replies || out.list_senders != e->list_senders || out.list_deliveries != e->deliveries)
			fail_msg("step %zu (%s): joined %d, senders %lld, replies %lld, list senders %lld, deliveries %lld", i, e->id,
			         out.joined, (long long)out.conversation_senders, (long long)out.conversation_replies,
			         (long long)out.list_senders, (long long)out.list_deliveries);
		assert_int_equal(out.now_ms, T0 + e->at_ms);
	}
}
#define PLAY(s, steps) play(s, steps, sizeof(steps) / sizeof((steps)[0]))

static void ordinals(void **state)
{
	static const struct step steps[] = {
		{ 0, "root", "comms", NULL, false, 0, 0, 1, 0 },
		{ 1, "r1", "ann", "root", true, 1, 1, 2, 100 },
		{ 2, "r2", "bob", "root", true, 2, 2, 3, 200 },
		{ 3, "r3", "ann", "root", true, 2, 3, 3, 300 },   /* the same sender again: a reply more, no sender more */
		{ 4, "r4", "eve", "r1", true, 3, 4, 4, 400 },     /* a reply to a reply */
		{ 5, "other", "eve", NULL, false, 0, 0, 4, 500 }, /* a post of its own counts on the list only */
		{ 6, "r5", "comms", "root", true, 4, 5, 4, 600 }, /* the founder replies: a sender of replies now */
		{ 7, "o1", "ann", "other", true, 1, 1, 4, 700 },
	};

	PLAY(STORE(state), steps);
}

static void reply_prefix_alone_opens_no_door(void **state)
{
	struct bw_count_in in = mail(T0, "re", "ann", NULL);
	struct bw_count_out out;

	in.looks_like_reply = true;
	add_key(&in, BW_JOIN_SUBJECT, "never heard of");
	out = count(STORE(state), &in);
	assert_false(out.joined);
	assert_int_equal(out.seen, BW_SEEN_FRESH);
	assert_int_equal(out.conversation_senders, 0);
	assert_int_equal(out.list_senders, 1);
	/* Nor do references to a message that nobody knows. */
	out = offer(STORE(state), T0 + 1, "re2", "bob", "unheard-of");
	assert_false(out.joined);
}

static void posters_count_on_the_list_only(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0 + 1, "please stop", "comms", "root");
	struct bw_count_out out;

	offer(s, T0, "root", "ann", NULL);
	in.poster = true;
	out = count(s, &in);
	assert_true(out.joined);
	assert_int_equal(out.conversation_senders, 0);
	assert_int_equal(out.conversation_replies, 0);
	assert_int_equal(out.list_senders, 2);
	assert_true(out.provisional);
	out = offer(s, T0 + 2, "r1", "bob", "root");
	assert_int_equal(out.conversation_senders, 1);
	assert_int_equal(out.list_deliveries, 200);
}

static void sides_and_lists_count_apart(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0 + 2, "r2", "stranger", "root");
	struct bw_count_out out;

	offer(s, T0, "root", "comms", NULL);
	offer(s, T0 + 1, "r1", "ann", "root");
	in.side = BW_SIDE_OUTSIDE;
	in.may_merge = false;
	out = count(s, &in);
	assert_true(out.joined); /* the same conversation, counters of its own */
	assert_int_equal(out.conversation_senders, 1);
	assert_int_equal(out.conversation_replies, 1);
	assert_int_equal(out.list_senders, 1);
	assert_int_equal(out.list_deliveries, 0);
	in = mail(T0 + 3, "r3", "bob", "root");
	in.list = BW_S("other@example.org");
	out = count(s, &in);
	assert_false(out.joined); /* conversations are the list's own */
	assert_int_equal(out.list_senders, 1);
	out = offer(s, T0 + 4, "r4", "eve", "root");
	assert_int_equal(out.conversation_senders, 2);
	assert_int_equal(out.list_senders, 3);
}

static void several_lists_in_one_trip(void **state)
{
	struct bw_count_in in[3] = { mail(T0, "m", "ann", NULL), mail(T0, "m", "ann", NULL), mail(T0, "m", "ann", NULL) };
	struct bw_count_out out[3];

	in[1].list = BW_S("b@example.org");
	in[2].list = BW_S("c@example.org");
	in[1].deliveries = 7;
	assert_ok(STORE(state)->ops->count(STORE(state), in, out, 3, &why));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(out[i].seen, BW_SEEN_FRESH);
		assert_int_equal(out[i].list_senders, 1);
		assert_true(out[i].provisional);
	}
	in[0] = mail(T0 + 1, "n", "ann", NULL);
	in[0].list = in[1].list;
	assert_int_equal(count(STORE(state), &in[0]).list_deliveries, 7);
	assert_ok(STORE(state)->ops->count(STORE(state), in, out, 0, &why));
}

static void budget(void **state)
{
	/* One after the other, by one sender: deliveries and budget asked for; sum before, fits. */
	static const struct {
		int64_t deliveries, budget, sum;
		bool ok;
	} rows[] = {
		{ 5000, 1000, 0, true }, /* one post always fits */
		{ 1, 1000, 5000, false },        { 1, 5000, 5000, false },          { 1, 5001, 5000, true },
		{ 99, 5100, 5001, true },        { 1, 5100, 5100, false },          { 0, 5100, 5100, true }, /* nothing more is no more */
		{ 100, 0, 5100, true },                                                                      /* 0: no budget */
		{ 800000, 1000000, 5200, true }, { 194800, 1000000, 805200, true },                          /* to the last one */
		{ 1, 1000000, 1000000, false },
	};
	char id[16];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(id, sizeof(id), "m%zu", i);
		struct bw_count_in in = mail(T0 + (int64_t)i, id, "comms", NULL);

		in.deliveries = rows[i].deliveries;
		in.budget = rows[i].budget;
		struct bw_count_out out = count(STORE(state), &in);

		if (out.list_deliveries != rows[i].sum || out.budget_ok != rows[i].ok || out.provisional != rows[i].ok)
			fail_msg("row %zu: sum %lld, ok %d, provisional %d", i, (long long)out.list_deliveries, out.budget_ok,
			         out.provisional);
	}
}

static void stopped_ones_attempt_without_deliveries(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0, "held", "ann", NULL);
	struct bw_count_out out;

	in.known_stopped = true;
	out = count(s, &in);
	assert_false(out.provisional);
	assert_true(out.budget_ok);
	assert_int_equal(out.list_senders, 1);
	out = offer(s, T0 + 1, "m", "bob", NULL);
	assert_int_equal(out.list_senders, 2);
	assert_int_equal(out.list_deliveries, 0);
	/* Stopped unless it is a reply: a post is, a reply is not. */
	in = mail(T0 + 2, "post", "eve", NULL);
	in.stopped_unless_reply = true;
	assert_false(count(s, &in).provisional);
	in = mail(T0 + 3, "reply", "eve", "m");
	in.stopped_unless_reply = true;
	out = count(s, &in);
	assert_true(out.joined);
	assert_true(out.provisional);
}

static void peeks_leave_nothing(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0 + 1, "auto", "robot", "root");
	struct bw_count_out out;

	offer(s, T0, "root", "comms", NULL);
	in.peek = true;
	in.now_ms = T0 + HOUR / 2;
	for (int i = 0; i < 3; i++) {
		out = count(s, &in);
		assert_int_equal(out.seen, BW_SEEN_FRESH);
		assert_true(out.joined);
		assert_int_equal(out.conversation_senders, 1);
		assert_int_equal(out.list_senders, 2);
	}
	/* Not even the time is remembered. */
	int64_t now_ms = 0;

	assert_ok(s->ops->now(s, &now_ms, &why));
	assert_true(now_ms < T0 + HOUR / 2);
	/* The very message, counted: as if nobody had looked. */
	in.peek = false;
	in.now_ms = T0 + 1;
	out = count(s, &in);
	assert_int_equal(out.seen, BW_SEEN_FRESH);
	assert_int_equal(out.conversation_senders, 1);
	assert_int_equal(out.list_deliveries, 100);
	/* On a list that nobody ever wrote to. */
	in.peek = true;
	in.list = BW_S("unheard@example.org");
	assert_false(count(s, &in).joined);
}

static void open_breakers_stop_provisional_acceptance(void **state)
{
	static const struct {
		bool list;
		enum bw_phase phase;
		enum bw_override override_state;
		bool provisional;
	} rows[] = {
		{ true, BW_PHASE_OPEN, BW_OVERRIDE_NONE, false },      { true, BW_PHASE_HALF_OPEN, BW_OVERRIDE_NONE, true },
		{ true, BW_PHASE_CLOSED, BW_OVERRIDE_NONE, true },     { true, BW_PHASE_CLOSED, BW_OVERRIDE_FORCED_OPEN, false },
		{ true, BW_PHASE_CLOSED, BW_OVERRIDE_DISABLED, true }, { false, BW_PHASE_OPEN, BW_OVERRIDE_NONE, false },
		{ false, BW_PHASE_HALF_OPEN, BW_OVERRIDE_NONE, true }, { false, BW_PHASE_CLOSED, BW_OVERRIDE_FORCED_OPEN, false },
		{ false, BW_PHASE_CLOSED, BW_OVERRIDE_NONE, true },
	};
	struct bw_store *s = STORE(state);
	struct bw_count_out root = offer(s, T0, "root", "comms", NULL);
	char id[16];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bw_breaker_key key = rows[i].list ? list_key(BW_SIDE_MEMBERS) : conversation_key(&root, BW_SIDE_MEMBERS);
		struct bw_breaker b = breaker(s, key);

		b.phase = rows[i].phase;
		b.override_state = rows[i].override_state;
		b.override_until_ms = T0 + WEEK;
		assert_ok(s->ops->breaker_cas(s, &key, &b, &why));
		snprintf(id, sizeof(id), "r%zu", i);
		struct bw_count_out out = offer(s, T0 + 1 + (int64_t)i, id, "ann", "root");

		if (out.provisional != rows[i].provisional)
			fail_msg("row %zu: provisional %d", i, out.provisional);
		assert_int_equal((rows[i].list ? out.list_breaker : out.conversation_breaker).phase, rows[i].phase);
		b = breaker(s, key);
		b.phase = BW_PHASE_CLOSED;
		b.override_state = BW_OVERRIDE_NONE;
		assert_ok(s->ops->breaker_cas(s, &key, &b, &why));
	}
}

/* Who attempted since the breaker's phase began, that moment included, however long ago the window ended. */
static void phase_senders(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out root = offer(s, T0, "root", "comms", NULL), out;

	out = offer(s, T0 + 1000, "r1", "ann", "root");
	assert_int_equal(out.conversation_phase_senders, out.conversation_senders); /* never tripped: the window's */
	assert_int_equal(out.list_phase_senders, out.list_senders);
	set_breaker(s, conversation_key(&root, BW_SIDE_MEMBERS), BW_PHASE_HALF_OPEN, T0 + 2000, T0 + WEEK);
	set_breaker(s, list_key(BW_SIDE_MEMBERS), BW_PHASE_HALF_OPEN, T0 + 2001, T0 + WEEK);
	out = offer(s, T0 + 2000, "r2", "bob", "root");
	assert_int_equal(out.conversation_senders, 2);
	assert_int_equal(out.conversation_phase_senders, 1);
	assert_int_equal(out.list_senders, 3);
	assert_int_equal(out.list_phase_senders, 0);
	out = offer(s, T0 + 2001, "r3", "ann", "root");
	assert_int_equal(out.conversation_phase_senders, 2);
	assert_int_equal(out.list_phase_senders, 1);
	out = offer(s, T0 + 5 * HOUR, "r4", "eve", "root");
	assert_int_equal(out.conversation_senders, 1);
	assert_int_equal(out.conversation_phase_senders, 3);
	assert_int_equal(out.list_phase_senders, 2); /* bob wrote one millisecond before it */
	/* A new phase forgets the old one. */
	set_breaker(s, conversation_key(&root, BW_SIDE_MEMBERS), BW_PHASE_OPEN, T0 + 6 * HOUR, T0 + WEEK);
	assert_int_equal(offer(s, T0 + 6 * HOUR, "r5", "dan", "root").conversation_phase_senders, 1);
	/* And one that began earlier remembers more. */
	set_breaker(s, conversation_key(&root, BW_SIDE_MEMBERS), BW_PHASE_OPEN, T0 + 1500, T0 + WEEK);
	assert_int_equal(offer(s, T0 + 6 * HOUR + 1, "r6", "dan", "root").conversation_phase_senders, 4);
}

static void who_was_there_before(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out out = offer(s, T0, "root", "comms", NULL);

	assert_int_equal(out.list_last_ms, 0);
	assert_int_equal(out.conversation_last_ms, 0);
	assert_false(out.list_sender_was_counted);
	out = offer(s, T0 + 10, "r1", "ann", "root");
	assert_int_equal(out.list_last_ms, T0);
	assert_int_equal(out.conversation_last_ms, 0); /* a post is no reply */
	assert_false(out.list_sender_was_counted);
	assert_false(out.conversation_sender_was_counted);
	out = offer(s, T0 + 20, "r2", "ann", "root");
	assert_int_equal(out.list_last_ms, T0 + 10);
	assert_int_equal(out.conversation_last_ms, T0 + 10);
	assert_true(out.list_sender_was_counted);
	assert_true(out.conversation_sender_was_counted);
	out = offer(s, T0 + 30, "r3", "comms", "root");
	assert_true(out.list_sender_was_counted);
	assert_false(out.conversation_sender_was_counted);
	/* Inside the window until the last millisecond. */
	out = offer(s, T0 + 20 + HOUR - 1, "r4", "ann", "root");
	assert_true(out.conversation_sender_was_counted);
	out = offer(s, T0 + 20 + 2 * HOUR - 1, "r5", "ann", "root");
	assert_false(out.conversation_sender_was_counted);
	assert_false(out.list_sender_was_counted);
	assert_int_equal(out.conversation_last_ms, T0 + 20 + HOUR - 1);
	/* Past the memory nobody was there. The list is remembered by its own last attempt. */
	out = offer(s, T0 + 20 + 2 * HOUR - 1 + WEEK, "later", "ann", NULL);
	assert_int_equal(out.list_last_ms, 0);
}

static void nonsense_is_refused(void **state)
{
	static const char endless[2000];
	struct bw_store *s = STORE(state);
	struct bw_count_out out = { .now_ms = -7 };
	struct bw_count_in rows[7];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		rows[i] = mail(T0, "m", "ann", NULL);
	rows[0].list = BW_S("");
	rows[1].list = (struct bw_slice){ endless, sizeof(endless) };
	rows[2].deliveries = -1;
	rows[3].deliveries = INT64_MAX;
	rows[4].key_count = BW_JOIN_KEYS_MAX + 1;
	rows[5].memory_ms = 0;
	rows[6].list_window_ms = -1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bw_why why = { "" };
		enum bw_err err = s->ops->count(s, &rows[i], &out, 1, &why);

		if (err != BW_ERR_INPUT && err != BW_ERR_RANGE)
			fail_msg("row %zu: %s", i, bw_err_name(err));
		assert_true(why.text[0] != '\0');
		assert_int_equal(out.now_ms, -7); /* untouched */
	}
	/* And no trace of them. */
	assert_int_equal(offer(s, T0, "m", "ann", NULL).seen, BW_SEEN_FRESH);
}

static void hostile_bytes_are_only_bytes(void **state)
{
	static const char *const lists[] = { "'; DROP TABLE list; --@x", "{tag}@x", "a\r\nb@x", "%s%n@x", "\xff\xfe@x", "*?[x]@x" };
	struct bw_store *s = STORE(state);

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct bw_count_in in = mail(T0, "root", "ann", NULL);

		in.list = bw_slice_of(lists[i]);
		in.root_sender = bw_slice_of(lists[i]);
		assert_int_equal(count(s, &in).list_senders, 1);
		in = mail(T0 + 1, "reply", "bob", "root");
		in.list = bw_slice_of(lists[i]);
		struct bw_count_out out = count(s, &in);

		assert_true(out.joined);
		assert_int_equal(out.list_senders, 2);
	}
}

/* Exact up to the cap, and the cap above it. */
static void cap(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out out = { 0 };
	char sender[24];

	if (backend->shared)
		return; /* the same code; once is enough for twenty thousand messages */
	offer(s, T0, "root", "comms", NULL);
	for (int i = 1; i <= BW_STORE_COUNT_CAP + 5; i++) {
		snprintf(sender, sizeof(sender), "s%d", i);
		struct bw_count_in in = mail(T0 + i, sender, sender, "root");
		int64_t most = i < BW_STORE_COUNT_CAP ? i : BW_STORE_COUNT_CAP;

		out = count(s, &in);
		if (out.conversation_senders != most || out.conversation_replies != most)
			fail_msg("sender %d: %lld senders, %lld replies", i, (long long)out.conversation_senders,
			         (long long)out.conversation_replies);
	}
	assert_int_equal(out.conversation_day_senders, BW_STORE_COUNT_CAP);
	assert_int_equal(out.list_senders, BW_STORE_COUNT_CAP);
	/* An hour later it is exact again. */
	out = offer(s, T0 + BW_STORE_COUNT_CAP + HOUR, "late", "late", "root");
	assert_int_equal(out.conversation_senders, 6);
}

int run_count(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(ordinals),
		TEST(reply_prefix_alone_opens_no_door),
		TEST(posters_count_on_the_list_only),
		TEST(sides_and_lists_count_apart),
		TEST(several_lists_in_one_trip),
		TEST(budget),
		TEST(stopped_ones_attempt_without_deliveries),
		TEST(peeks_leave_nothing),
		TEST(open_breakers_stop_provisional_acceptance),
		TEST(phase_senders),
		TEST(who_was_there_before),
		TEST(nonsense_is_refused),
		TEST(hostile_bytes_are_only_bytes),
		TEST(cap),
	};

	return cmocka_run_group_tests_name("count", tests, NULL, NULL);
}
