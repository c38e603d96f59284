/* link: bw_policy bw_settings bw_base */
/* Every row of the guard table (semantics 5) at its limit and one above, for each tier. */
#include "policy-case.h"

static void expect(const char *what, const struct bw_opinion *o, enum bw_action action, enum bw_rule rule)
{
	if (o->verdict.action != action || (action != BW_ACCEPT && o->verdict.why.rule != rule))
		fail_msg("%s: %s by %s, expected %s by %s", what, bw_action_name(o->verdict.action), bw_rule_name(o->verdict.why.rule),
		         bw_action_name(action), bw_rule_name(rule));
}

/* One limit: which figure it limits, and what it says when one more comes. */
struct limit_row {
	const char *what;
	enum bw_tier tier;
	enum bw_rule rule;
	int64_t limit; /* 0: off */
	int64_t window_ms;
};

static const struct limit_row conversation_rows[] = {
	{ "huge senders", BW_TIER_HUGE, BW_RULE_CONVERSATION_SENDERS, 3, BW_HOUR_MS },
	{ "large senders", BW_TIER_LARGE, BW_RULE_CONVERSATION_SENDERS, 10, BW_HOUR_MS },
	{ "medium senders", BW_TIER_MEDIUM, BW_RULE_CONVERSATION_SENDERS, 20, BW_HOUR_MS },
	{ "small senders", BW_TIER_SMALL, BW_RULE_CONVERSATION_SENDERS, 0, BW_HOUR_MS },
	{ "huge replies", BW_TIER_HUGE, BW_RULE_CONVERSATION_REPLIES, 10, BW_HOUR_MS },
	{ "large replies", BW_TIER_LARGE, BW_RULE_CONVERSATION_REPLIES, 40, BW_HOUR_MS },
	{ "medium replies", BW_TIER_MEDIUM, BW_RULE_CONVERSATION_REPLIES, 120, BW_HOUR_MS },
	{ "small replies", BW_TIER_SMALL, BW_RULE_CONVERSATION_REPLIES, 0, BW_HOUR_MS },
	{ "huge day", BW_TIER_HUGE, BW_RULE_CONVERSATION_DAY, 10, BW_DAY_MS },
	{ "large day", BW_TIER_LARGE, BW_RULE_CONVERSATION_DAY, 30, BW_DAY_MS },
	{ "medium day", BW_TIER_MEDIUM, BW_RULE_CONVERSATION_DAY, 60, BW_DAY_MS },
	{ "small day", BW_TIER_SMALL, BW_RULE_CONVERSATION_DAY, 0, BW_DAY_MS },
};

static const int64_t reply_senders[BW_TIER_COUNT] = { 8, 8, 5, 3 };

/* A reply with just this figure at `n`, and with as few distinct senders as the rule needs. */
static struct bw_case conversation_case(const struct limit_row *row, const struct bw_limits *limits, int64_t n)
{
	struct bw_case c = reply_case(row->tier, limits, 1);

	if (row->rule == BW_RULE_CONVERSATION_SENDERS)
		c.counts.conversation_senders = n;
	if (row->rule == BW_RULE_CONVERSATION_DAY)
		c.counts.conversation_day_senders = n;
	if (row->rule == BW_RULE_CONVERSATION_REPLIES) {
		c.counts.conversation_replies = n;
		c.counts.conversation_senders = row->limit == 0 ? 1000 : reply_senders[row->tier];
	}
	return c;
}

static void expect_trip(const struct limit_row *row, const struct bw_case *c, const struct bw_opinion *o,
                        const struct bw_transition *t, enum bw_guard guard, int64_t ordinal)
{
	const struct bw_explain *why = &o->verdict.why;
	int64_t block = c->tier == BW_TIER_HUGE ? 2 * BW_HOUR_MS : 30 * BW_MINUTE_MS;

	expect(row->what, o, BW_HOLD, row->rule);
	assert_int_equal(why->guard, guard);
	assert_int_equal(why->ordinal, ordinal);
	assert_int_equal(why->limit, row->limit);
	assert_int_equal(why->window_ms, row->window_ms);
	assert_int_equal(why->members, c->members);
	assert_true(bw_slice_equal(why->list, c->list));
	assert_int_equal(o->verdict.event, BW_EVENT_TRIP);
	assert_int_equal(o->verdict.breaker, BW_PHASE_OPEN);
	assert_true(o->counted_stop);
	assert_true(t->changed);
	assert_int_equal(t->next.phase, BW_PHASE_OPEN);
	assert_int_equal(t->next.rule, row->rule);
	assert_int_equal(t->next.ordinal, ordinal);
	assert_int_equal(t->next.limit, row->limit);
	assert_true(t->next.since_ms == T0);
	assert_true(t->next.until_ms == T0 + block);
	assert_true(why->until_ms == T0 + block);
}

static void expect_pass(const char *what, const struct bw_opinion *o)
{
	expect(what, o, BW_ACCEPT, BW_RULE_NONE);
	assert_int_equal(o->verdict.would, BW_ACCEPT);
	assert_int_equal(o->verdict.why.guard, BW_GUARD_NONE);
	assert_false(o->conversation.changed);
	assert_false(o->list.changed);
	assert_false(o->counted_stop);
	assert_int_equal(o->verdict.event, BW_EVENT_NONE);
	assert_int_equal(o->verdict.breaker, BW_PHASE_CLOSED);
}

static void conversation_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(conversation_rows); i++) {
		const struct limit_row *row = &conversation_rows[i];
		const struct bw_limits limits = limits_of(row->tier, BW_MODE_ENFORCE);
		struct bw_opinion o;
		struct bw_case c = conversation_case(row, &limits, row->limit == 0 ? 20000 : row->limit);

		bw_policy_judge(&c, &o);
		expect_pass(row->what, &o);
		if (row->limit == 0)
			continue;
		c = conversation_case(row, &limits, row->limit + 1);
		bw_policy_judge(&c, &o);
		expect_trip(row, &c, &o, &o.conversation, BW_GUARD_CONVERSATION, row->limit + 1);
		assert_false(o.list.changed);
	}
}

/* Many replies by too few senders are a lively discussion. */
static void replies_need_senders(void **state)
{
	(void)state;
	for (int tier = BW_TIER_MEDIUM; tier < BW_TIER_COUNT; tier++) {
		const struct bw_limits limits = limits_of((enum bw_tier)tier, BW_MODE_ENFORCE);
		struct bw_case c = reply_case((enum bw_tier)tier, &limits, reply_senders[tier] - 1);
		struct bw_opinion o;

		c.counts.conversation_replies = 20000;
		bw_policy_judge(&c, &o);
		expect_pass("one sender too few", &o);
		c.counts.conversation_senders++;
		bw_policy_judge(&c, &o);
		expect("enough senders", &o, BW_HOLD, BW_RULE_CONVERSATION_REPLIES);
	}
}

static const struct limit_row list_rows[] = {
	{ "huge list senders", BW_TIER_HUGE, BW_RULE_LIST_SENDERS, 6, BW_HOUR_MS },
	{ "large list senders", BW_TIER_LARGE, BW_RULE_LIST_SENDERS, 20, BW_HOUR_MS },
	{ "medium list senders", BW_TIER_MEDIUM, BW_RULE_LIST_SENDERS, 60, BW_HOUR_MS },
	{ "small list senders", BW_TIER_SMALL, BW_RULE_LIST_SENDERS, 0, BW_HOUR_MS },
};

static void list_senders(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * COUNT_OF(list_rows); i++) {
		const struct limit_row *row = &list_rows[i / 2];
		const struct bw_limits limits = limits_of(row->tier, BW_MODE_ENFORCE);
		struct bw_case c = i % 2 == 0 ? quiet_case(row->tier, &limits) : reply_case(row->tier, &limits, 1);
		struct bw_opinion o;

		c.counts.list_senders = row->limit == 0 ? 20000 : row->limit;
		bw_policy_judge(&c, &o);
		expect_pass(row->what, &o);
		if (row->limit == 0)
			continue;
		c.counts.list_senders++;
		bw_policy_judge(&c, &o);
		expect_trip(row, &c, &o, &o.list, BW_GUARD_LIST, row->limit + 1);
		assert_false(o.conversation.changed);
	}
}

/* The store says whether the deliveries fitted; in every tier. */
static void list_budget(void **state)
{
	(void)state;
	for (int tier = 0; tier < BW_TIER_COUNT; tier++) {
		const struct limit_row row = { "budget", (enum bw_tier)tier, BW_RULE_LIST_BUDGET, 1000000, BW_HOUR_MS };
		const struct bw_limits limits = limits_of(row.tier, BW_MODE_ENFORCE);
		struct bw_case c = quiet_case(row.tier, &limits);
		struct bw_opinion o;

		c.counts.list_deliveries = 1000000 - c.deliveries;
		bw_policy_judge(&c, &o);
		expect_pass("the budget to the last delivery", &o);
		c.counts.list_deliveries++;
		c.counts.budget_ok = false;
		bw_policy_judge(&c, &o);
		expect_trip(&row, &c, &o, &o.list, BW_GUARD_LIST, 1000001);
		/* A poster's second announcement is mail of a person too, but so many deliveries all the same. */
		c.poster = c.poster_of_all = true;
		bw_policy_judge(&c, &o);
		expect_trip(&row, &c, &o, &o.list, BW_GUARD_LIST, 1000001);
	}
}

static void budget_that_is_off(void **state)
{
	struct bw_limits limits = limits_of(BW_TIER_HUGE, BW_MODE_ENFORCE);
	struct bw_case c = quiet_case(BW_TIER_HUGE, &limits);
	struct bw_opinion o;

	(void)state;
	limits.list.budget = 0;
	c.counts.list_deliveries = 5000000;
	c.counts.budget_ok = false;
	bw_policy_judge(&c, &o);
	expect_pass("no budget", &o);
}

static void gate(void **state)
{
	static const struct {
		const char *what;
		int64_t fanout;
		bool reply, unconfirmed, cut, poster, poster_of_all;
		enum bw_side side;
		enum bw_seen seen;
		enum bw_rule rule; /* NONE: passes */
	} rows[] = {
		{ "below the limit", 24999, false, false, false, false, false, BW_SIDE_MEMBERS, BW_SEEN_FRESH, BW_RULE_NONE },
		{ "at the limit", 25000, false, false, false, false, false, BW_SIDE_MEMBERS, BW_SEEN_FRESH, BW_RULE_GATE_FANOUT },
		{ "poster of this list only", 25000, false, false, false, true, false, BW_SIDE_MEMBERS, BW_SEEN_FRESH,
		  BW_RULE_GATE_FANOUT },
		{ "poster of all lists", 9999999, false, false, false, true, true, BW_SIDE_MEMBERS, BW_SEEN_FRESH, BW_RULE_NONE },
		{ "who comes from outside is no poster", 25000, false, false, false, true, true, BW_SIDE_OUTSIDE, BW_SEEN_FRESH,
		  BW_RULE_GATE_FANOUT },
		{ "a reply is not the gate's", 25000, true, false, false, false, false, BW_SIDE_MEMBERS, BW_SEEN_FRESH, BW_RULE_NONE },
		{ "a retry is judged again", 25000, false, false, false, false, false, BW_SIDE_MEMBERS, BW_SEEN_RETRY,
		  BW_RULE_GATE_FANOUT },
		{ "a replay is a new post", 25000, false, false, false, false, false, BW_SIDE_MEMBERS, BW_SEEN_REPLAY,
		  BW_RULE_GATE_FANOUT },
		{ "a duplicate passed before", 25000, false, true, true, false, false, BW_SIDE_MEMBERS, BW_SEEN_DUPLICATE, BW_RULE_NONE },
		{ "so did the post that was split", 25000, false, true, true, false, false, BW_SIDE_MEMBERS, BW_SEEN_SPLIT,
		  BW_RULE_NONE },
		{ "unconfirmed, whoever sends it", 1, false, true, false, true, true, BW_SIDE_MEMBERS, BW_SEEN_FRESH,
		  BW_RULE_GATE_UNCONFIRMED },
		{ "a reply on an unconfirmed list", 1, true, true, false, false, false, BW_SIDE_MEMBERS, BW_SEEN_FRESH, BW_RULE_NONE },
		{ "too many lists, whoever sends it", 1, false, false, true, true, true, BW_SIDE_MEMBERS, BW_SEEN_FRESH,
		  BW_RULE_TOO_MANY_LISTS },
		{ "too many lists in a reply", 1, true, false, true, false, false, BW_SIDE_MEMBERS, BW_SEEN_FRESH,
		  BW_RULE_TOO_MANY_LISTS },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows) * BW_TIER_COUNT; i++) {
		size_t r = i / BW_TIER_COUNT;
		const enum bw_tier tier = (enum bw_tier)(i % BW_TIER_COUNT);
		const struct bw_limits limits = limits_of(tier, BW_MODE_ENFORCE);
		struct bw_case c = quiet_case(tier, &limits);
		struct bw_opinion o;

		c.fanout = rows[r].fanout;
		c.unconfirmed = rows[r].unconfirmed;
		c.lists_cut = rows[r].cut;
		c.poster = rows[r].poster;
		c.poster_of_all = rows[r].poster_of_all;
		c.side = rows[r].side;
		c.counts.reply = rows[r].reply;
		c.counts.seen = rows[r].seen;
		bw_policy_judge(&c, &o);
		expect(rows[r].what, &o, rows[r].rule == BW_RULE_NONE ? BW_ACCEPT : BW_HOLD, rows[r].rule);
		assert_false(o.counted_stop); /* it never reached the list: its slot is given back */
		assert_int_equal(o.verdict.why.members, c.members);
		if (rows[r].rule == BW_RULE_GATE_FANOUT)
			assert_int_equal(o.verdict.why.limit, 25000);
		if (rows[r].rule == BW_RULE_TOO_MANY_LISTS)
			assert_int_equal(o.verdict.why.limit, BW_VERDICT_LISTS_MAX);
	}
}

/* What the gate keeps trips nothing behind it: neither senders nor budget. */
static void gate_spares_the_list(void **state)
{
	static const struct {
		const char *what;
		enum bw_mode gate, list;
		bool tripped;
		enum bw_action action, would;
	} rows[] = {
		{ "both enforce", BW_MODE_ENFORCE, BW_MODE_ENFORCE, false, BW_HOLD, BW_HOLD },
		{ "both in shadow: as if both enforced", BW_MODE_SHADOW, BW_MODE_SHADOW, false, BW_ACCEPT, BW_HOLD },
		{ "list in shadow", BW_MODE_ENFORCE, BW_MODE_SHADOW, false, BW_HOLD, BW_HOLD },
		{ "gate in shadow keeps nothing", BW_MODE_SHADOW, BW_MODE_ENFORCE, true, BW_HOLD, BW_HOLD },
		{ "gate off", BW_MODE_OFF, BW_MODE_ENFORCE, true, BW_HOLD, BW_HOLD },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct bw_limits limits = limits_of(BW_TIER_HUGE, BW_MODE_ENFORCE);
		struct bw_case c = quiet_case(BW_TIER_HUGE, &limits);
		struct bw_opinion o;

		limits.gate.mode = rows[i].gate;
		limits.list.mode = rows[i].list;
		c.fanout = 100000;
		c.counts.list_senders = 7;
		c.counts.budget_ok = false;
		bw_policy_judge(&c, &o);
		if (o.list.changed != rows[i].tripped || o.counted_stop != rows[i].tripped)
			fail_msg("%s: list breaker %s", rows[i].what, bw_phase_name(o.list.next.phase));
		assert_int_equal(o.verdict.action, rows[i].action);
		assert_int_equal(o.verdict.would, rows[i].would);
	}
}

/* A poster writes as often as she likes in her list's conversations, and counts there as nobody. */
static void posters(void **state)
{
	const struct bw_limits limits = limits_of(BW_TIER_HUGE, BW_MODE_ENFORCE);
	struct bw_case c = reply_case(BW_TIER_HUGE, &limits, 80);
	struct bw_opinion o;

	(void)state;
	c.poster = true;
	c.counts.list_senders = 80;
	c.counts.conversation_replies = 400;
	bw_policy_judge(&c, &o);
	expect_pass("a poster's reply in the storm, nothing open", &o);

	c.conversation = open_breaker(BW_RULE_CONVERSATION_SENDERS, AT(-10), AT(110));
	c.list_breaker = open_breaker(BW_RULE_LIST_SENDERS, AT(-10), AT(110));
	bw_policy_judge(&c, &o);
	expect("please stop replying", &o, BW_ACCEPT, BW_RULE_NONE);
	assert_int_equal(o.verdict.breaker, BW_PHASE_OPEN);
	assert_false(o.list.changed || o.conversation.changed);

	c.counts.reply = false;
	bw_policy_judge(&c, &o);
	expect("an announcement through an open list", &o, BW_ACCEPT, BW_RULE_NONE);

	c.counts.budget_ok = false;
	c.counts.list_deliveries = 950000;
	bw_policy_judge(&c, &o);
	expect("over the budget while open", &o, BW_HOLD, BW_RULE_LIST_BUDGET);
	assert_false(o.list.changed);
	assert_int_equal(o.verdict.why.ordinal, 1050000);

	c.counts.budget_ok = true;
	c.side = BW_SIDE_OUTSIDE;
	bw_policy_judge(&c, &o);
	expect("nobody outside is a poster", &o, BW_HOLD, BW_RULE_BREAKER_OPEN);
}

/* In probation a poster is not the second sender, but the second announcement may be too much. */
static void posters_in_probation(void **state)
{
	const struct bw_limits limits = limits_of(BW_TIER_HUGE, BW_MODE_ENFORCE);
	struct bw_case c = quiet_case(BW_TIER_HUGE, &limits);
	struct bw_opinion o;

	(void)state;
	c.poster = true;
	c.list_breaker = open_breaker(BW_RULE_LIST_SENDERS, AT(-30), AT(30));
	c.list_breaker.phase = BW_PHASE_HALF_OPEN;
	c.counts.list_phase_senders = 2;
	bw_policy_judge(&c, &o);
	expect("poster in probation", &o, BW_ACCEPT, BW_RULE_NONE);
	assert_int_equal(o.verdict.breaker, BW_PHASE_HALF_OPEN);
	c.counts.budget_ok = false;
	bw_policy_judge(&c, &o);
	expect("poster in probation, over the budget", &o, BW_HOLD, BW_RULE_LIST_BUDGET);
	assert_int_equal(o.verdict.event, BW_EVENT_RELAPSE);
	c.counts.budget_ok = true;
	c.poster = false;
	bw_policy_judge(&c, &o);
	expect("anybody else", &o, BW_HOLD, BW_RULE_PROBATION);
}

/* A post is no reply: it steps no conversation, whatever stands in the counts. */
static void posts_leave_conversations_alone(void **state)
{
	const struct bw_limits limits = limits_of(BW_TIER_HUGE, BW_MODE_ENFORCE);
	struct bw_case c = reply_case(BW_TIER_HUGE, &limits, 80);
	struct bw_opinion o;

	(void)state;
	c.counts.reply = false;
	bw_policy_judge(&c, &o);
	expect_pass("a new post", &o);
	c.conversation = open_breaker(BW_RULE_CONVERSATION_SENDERS, AT(-10), AT(110));
	bw_policy_judge(&c, &o);
	expect("a new post beside an open conversation", &o, BW_ACCEPT, BW_RULE_NONE);
	assert_false(o.conversation.changed);
}

/* An accepted message that is sent again is no reply: it neither trips nor relapses. But what is stopped, is stopped for it too. */
static void replays_into_a_conversation(void **state)
{
	static const struct {
		const char *what;
		enum bw_phase phase;
		bool poster;
		enum bw_action action;
	} rows[] = {
		{ "closed", BW_PHASE_CLOSED, false, BW_ACCEPT },
		{ "open", BW_PHASE_OPEN, false, BW_HOLD },
		{ "open, of a poster", BW_PHASE_OPEN, true, BW_ACCEPT },
		{ "half-open", BW_PHASE_HALF_OPEN, false, BW_ACCEPT },
	};
	const struct bw_limits limits = limits_of(BW_TIER_HUGE, BW_MODE_ENFORCE);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct bw_case c = reply_case(BW_TIER_HUGE, &limits, 80);
		struct bw_opinion o;

		c.counts.reply = false;
		c.counts.seen = BW_SEEN_REPLAY;
		c.poster = rows[i].poster;
		if (rows[i].phase != BW_PHASE_CLOSED)
			c.conversation = open_breaker(BW_RULE_CONVERSATION_SENDERS, AT(-10), AT(110));
		c.conversation.phase = rows[i].phase;
		bw_policy_judge(&c, &o);
		expect(rows[i].what, &o, rows[i].action, BW_RULE_BREAKER_OPEN);
		assert_false(o.conversation.changed);
		assert_int_equal(o.counted_stop, rows[i].action == BW_HOLD);
	}
}

/* Its block time over, an open conversation ends by calm whoever looks: a replay is not in the counts. */
static void a_replay_sees_calm(void **state)
{
	const struct bw_limits limits = limits_of(BW_TIER_HUGE, BW_MODE_ENFORCE);
	struct bw_case c = reply_case(BW_TIER_HUGE, &limits, 3);
	struct bw_opinion o;

	(void)state;
	c.counts.reply = false;
	c.counts.seen = BW_SEEN_REPLAY;
	c.conversation = open_breaker(BW_RULE_CONVERSATION_SENDERS, AT(-180), AT(-1));
	bw_policy_judge(&c, &o);
	expect("three of three senders are no calm", &o, BW_HOLD, BW_RULE_BREAKER_OPEN);
	c.counts.conversation_senders = 2;
	bw_policy_judge(&c, &o);
	expect("two are", &o, BW_ACCEPT, BW_RULE_NONE);
	assert_int_equal(o.conversation.event, BW_EVENT_CALM);
}

/* Seen before and accepted: neither counted nor stopped again. */
static void duplicates_and_splits(void **state)
{
	static const struct {
		enum bw_seen seen;
		enum bw_action action;
	} rows[] = {
		{ BW_SEEN_FRESH, BW_HOLD },       { BW_SEEN_RETRY, BW_HOLD },   { BW_SEEN_REPLAY, BW_HOLD },
		{ BW_SEEN_DUPLICATE, BW_ACCEPT }, { BW_SEEN_SPLIT, BW_ACCEPT },
	};
	const struct bw_limits limits = limits_of(BW_TIER_LARGE, BW_MODE_ENFORCE);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct bw_case c = reply_case(BW_TIER_LARGE, &limits, 11);
		struct bw_opinion o;

		c.counts.seen = rows[i].seen;
		c.counts.list_senders = 21;
		c.counts.budget_ok = false;
		bw_policy_judge(&c, &o);
		assert_int_equal(o.verdict.action, rows[i].action);
		assert_int_equal(o.conversation.changed, rows[i].action == BW_HOLD);
		assert_int_equal(o.list.changed, rows[i].action == BW_HOLD);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversation_limits),
		cmocka_unit_test(replies_need_senders),
		cmocka_unit_test(list_senders),
		cmocka_unit_test(list_budget),
		cmocka_unit_test(budget_that_is_off),
		cmocka_unit_test(gate),
		cmocka_unit_test(gate_spares_the_list),
		cmocka_unit_test(posters),
		cmocka_unit_test(posters_in_probation),
		cmocka_unit_test(posts_leave_conversations_alone),
		cmocka_unit_test(replays_into_a_conversation),
		cmocka_unit_test(a_replay_sees_calm),
		cmocka_unit_test(duplicates_and_splits),
	};

	return cmocka_run_group_tests_name("policy/guards", tests, NULL, NULL);
}
