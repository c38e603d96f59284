/* link: bw_policy bw_settings bw_base */
/* Modes, an operator's overrides, calm, and the degraded share, as one list's opinion. */
#include "policy-case.h"

static void expect(const char *what, const struct bw_opinion *o, enum bw_action action, enum bw_action would, enum bw_rule rule)
{
	const struct bw_explain *why = o->verdict.action == BW_ACCEPT ? &o->verdict.would_why : &o->verdict.why;

	if (o->verdict.action != action || o->verdict.would != would || (would != BW_ACCEPT && why->rule != rule))
		fail_msg("%s: %s (would %s) by %s, expected %s (would %s) by %s", what, bw_action_name(o->verdict.action),
		         bw_action_name(o->verdict.would), bw_rule_name(why->rule), bw_action_name(action), bw_action_name(would),
		         bw_rule_name(rule));
}

static void modes_of_the_guard(void **state)
{
	static const struct {
		const char *what;
		enum bw_mode installation, guard;
		enum bw_action action, would;
		bool steps;
	} rows[] = {
		{ "enforce", BW_MODE_ENFORCE, BW_MODE_ENFORCE, BW_HOLD, BW_HOLD, true },
		{ "guard in shadow", BW_MODE_ENFORCE, BW_MODE_SHADOW, BW_ACCEPT, BW_HOLD, true },
		{ "guard off", BW_MODE_ENFORCE, BW_MODE_OFF, BW_ACCEPT, BW_ACCEPT, false },
		{ "installation in shadow", BW_MODE_SHADOW, BW_MODE_ENFORCE, BW_ACCEPT, BW_HOLD, true },
		{ "both in shadow", BW_MODE_SHADOW, BW_MODE_SHADOW, BW_ACCEPT, BW_HOLD, true },
		{ "installation in shadow, guard off", BW_MODE_SHADOW, BW_MODE_OFF, BW_ACCEPT, BW_ACCEPT, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct bw_settings *s = bw_settings_new();
		struct bw_limits limits;
		struct bw_opinion o;

		assert_non_null(s);
		assert_int_equal(bw_settings_set(s, BW_S("mode"), bw_slice_of(bw_mode_name(rows[i].installation)), NULL), BW_OK);
		assert_int_equal(bw_settings_set(s, BW_S("conversation.mode"), bw_slice_of(bw_mode_name(rows[i].guard)), NULL), BW_OK);
		bw_settings_resolve(s, BW_TIER_HUGE, BW_S(""), &limits);

		struct bw_case c = reply_case(BW_TIER_HUGE, &limits, 4);

		bw_policy_judge(&c, &o);
		expect(rows[i].what, &o, rows[i].action, rows[i].would, BW_RULE_CONVERSATION_SENDERS);
		assert_int_equal(o.conversation.changed, rows[i].steps);
		assert_int_equal(o.verdict.event, rows[i].steps ? BW_EVENT_TRIP : BW_EVENT_NONE);
		assert_int_equal(o.counted_stop, rows[i].steps);
		/* The same record in shadow and in enforce. */
		assert_int_equal(o.conversation.next.phase, rows[i].steps ? BW_PHASE_OPEN : BW_PHASE_CLOSED);
		bw_settings_free(&s);
	}
}

/* A breaker that was left open by a guard now off stops nobody, and is shown closed. */
static void guard_turned_off(void **state)
{
	struct bw_limits limits = limits_of(BW_TIER_HUGE, BW_MODE_ENFORCE);
	struct bw_case c = reply_case(BW_TIER_HUGE, &limits, 4);
	struct bw_opinion o;

	(void)state;
	c.conversation = open_breaker(BW_RULE_CONVERSATION_SENDERS, AT(-10), AT(110));
	c.list_breaker = open_breaker(BW_RULE_LIST_BUDGET, AT(-10), AT(110));
	limits.conversation.mode = limits.list.mode = BW_MODE_OFF;
	bw_policy_judge(&c, &o);
	expect("off", &o, BW_ACCEPT, BW_ACCEPT, BW_RULE_NONE);
	assert_int_equal(o.verdict.breaker, BW_PHASE_CLOSED);
	assert_false(o.conversation.changed || o.list.changed);
	assert_int_equal(o.conversation.next.phase, BW_PHASE_OPEN);
}

/* While open: the record's figures, and since when until when. */
static void open_explains_itself(void **state)
{
	const struct bw_limits limits = limits_of(BW_TIER_HUGE, BW_MODE_ENFORCE);
	struct bw_case c = reply_case(BW_TIER_HUGE, &limits, 50);
	struct bw_opinion o;

	(void)state;
	c.conversation = open_breaker(BW_RULE_CONVERSATION_DAY, AT(-10), AT(110));
	bw_policy_judge(&c, &o);
	expect("open", &o, BW_HOLD, BW_HOLD, BW_RULE_BREAKER_OPEN);
	assert_false(o.conversation.changed);
	assert_true(o.counted_stop);
	assert_true(o.verdict.why.since_ms == AT(-10));
	assert_true(o.verdict.why.until_ms == AT(110));
	assert_int_equal(o.verdict.why.ordinal, 4);
	assert_int_equal(o.verdict.why.limit, 3);
	assert_int_equal(o.verdict.why.window_ms, BW_DAY_MS);
	assert_int_equal(o.verdict.breaker, BW_PHASE_OPEN);

	/* An open list stops posts of everybody, too. */
	c = quiet_case(BW_TIER_HUGE, &limits);
	c.list_breaker = open_breaker(BW_RULE_LIST_SENDERS, AT(-10), AT(110));
	bw_policy_judge(&c, &o);
	expect("open list", &o, BW_HOLD, BW_HOLD, BW_RULE_BREAKER_OPEN);
	assert_int_equal(o.verdict.why.guard, BW_GUARD_LIST);
}

/* Conversation and list both stop: the conversation stands first. */
static void conversation_before_list(void **state)
{
	const struct bw_limits limits = limits_of(BW_TIER_HUGE, BW_MODE_ENFORCE);
	struct bw_case c = reply_case(BW_TIER_HUGE, &limits, 7);
	struct bw_opinion o;

	(void)state;
	c.counts.list_senders = 8;
	bw_policy_judge(&c, &o);
	assert_int_equal(o.verdict.why.guard, BW_GUARD_CONVERSATION);
	assert_int_equal(o.conversation.event, BW_EVENT_TRIP);
	assert_int_equal(o.list.event, BW_EVENT_TRIP);
}

static void forced_open(void **state)
{
	static const enum bw_mode modes[] = { BW_MODE_ENFORCE, BW_MODE_SHADOW, BW_MODE_OFF };
	static const enum bw_action actions[] = { BW_HOLD, BW_TAG, BW_REJECT };
	static const enum bw_action stopped[] = { BW_HOLD, BW_HOLD, BW_REJECT };

	(void)state;
	/* Any mode, any action, reply or post, poster or not, seen before or not, which of the two breakers. */
	for (size_t i = 0; i < 3 * 3 * 2 * 2 * BW_SEEN_COUNT * 2; i++) {
		struct bw_limits limits = limits_of(BW_TIER_MEDIUM, BW_MODE_ENFORCE);
		struct bw_case c = quiet_case(BW_TIER_MEDIUM, &limits);
		struct bw_opinion o;
		size_t n = i;
		bool list = n % 2 == 0;
		const size_t action = (n /= 2) % 3;

		limits.conversation.mode = limits.list.mode = limits.gate.mode = modes[(n /= 3) % 3];
		limits.conversation.action = limits.list.action = actions[action];
		c.poster = c.poster_of_all = (n /= 3) % 2 == 0;
		c.counts.reply = (n /= 2) % 2 == 0;
		c.counts.seen = (enum bw_seen)(n / 2);
		*(list ? &c.list_breaker : &c.conversation) = overridden(BW_OVERRIDE_FORCED_OPEN, AT(240));
		bw_policy_judge(&c, &o);
		expect("forced-open", &o, stopped[action], stopped[action], BW_RULE_FORCED_OPEN);
		assert_int_equal(o.verdict.why.guard, list ? BW_GUARD_LIST : BW_GUARD_CONVERSATION);
		assert_true(o.verdict.why.until_ms == AT(240));
		assert_int_equal(o.verdict.breaker, BW_PHASE_OPEN);
		c.now_ms = AT(240);
		bw_policy_judge(&c, &o);
		expect("expired", &o, BW_ACCEPT, BW_ACCEPT, BW_RULE_NONE);
		assert_int_equal(o.verdict.breaker, BW_PHASE_CLOSED);
	}
}

/* Actions that let the message pass leave nothing stopped; the others keep the attempt counted here. */
static void what_stops(void **state)
{
	static const bool stops[BW_ACTION_COUNT] = {
		[BW_ACCEPT] = false,  [BW_TAG] = false,    [BW_THROTTLE] = true, [BW_STRIP] = true,
		[BW_REDIRECT] = true, [BW_DISCARD] = true, [BW_HOLD] = true,     [BW_REJECT] = true,
	};

	(void)state;
	for (int action = BW_TAG; action < BW_ACTION_COUNT; action++) {
		struct bw_limits limits = limits_of(BW_TIER_HUGE, BW_MODE_ENFORCE);
		struct bw_case c = reply_case(BW_TIER_HUGE, &limits, 4);
		struct bw_opinion o;

		limits.conversation.action = (enum bw_action)action;
		bw_policy_judge(&c, &o);
		assert_int_equal(o.verdict.action, action);
		assert_int_equal(o.counted_stop, stops[action]);
		assert_int_equal(o.verdict.event, BW_EVENT_TRIP);
	}
}

static void disabled(void **state)
{
	const struct bw_limits limits = limits_of(BW_TIER_HUGE, BW_MODE_ENFORCE);
	struct bw_case c = reply_case(BW_TIER_HUGE, &limits, 50);
	struct bw_opinion o;

	(void)state;
	c.degraded = 2;
	c.counts.list_senders = 50;
	c.counts.budget_ok = false;
	c.conversation = overridden(BW_OVERRIDE_DISABLED, AT(240));
	c.list_breaker = overridden(BW_OVERRIDE_DISABLED, AT(240));
	c.list_breaker.phase = BW_PHASE_OPEN;
	c.list_breaker.until_ms = AT(60);
	bw_policy_judge(&c, &o);
	expect("disabled", &o, BW_ACCEPT, BW_ACCEPT, BW_RULE_NONE);
	assert_false(o.conversation.changed || o.list.changed);
	assert_int_equal(o.verdict.breaker, BW_PHASE_CLOSED);
	c.now_ms = AT(240);
	bw_policy_judge(&c, &o);
	expect("expired", &o, BW_HOLD, BW_HOLD, BW_RULE_CONVERSATION_SENDERS);
	assert_int_equal(o.conversation.next.override_state, BW_OVERRIDE_NONE);
}

/* Whether an open breaker whose block time is over finds calm: this message aside, fewer attempts than the limit. */
static void calm(void **state)
{
	static const struct {
		const char *what;
		enum bw_rule rule;
		int64_t senders, replies, day, list_senders, deliveries;
		bool known; /* the sender stood in the window before */
		bool off;   /* the limit was turned off meanwhile */
		bool calm;
	} rows[] = {
		/* huge: 3 senders, 10 replies by 3, 10 in a day; list 6 senders, 1,000,000 deliveries (this message: 100,000) */
		{ "new sender, two before", BW_RULE_CONVERSATION_SENDERS, 3, 1, 1, 1, 0, false, false, true },
		{ "new sender, three before", BW_RULE_CONVERSATION_SENDERS, 4, 1, 1, 1, 0, false, false, false },
		{ "known sender among two", BW_RULE_CONVERSATION_SENDERS, 2, 1, 1, 1, 0, true, false, true },
		{ "known sender among three", BW_RULE_CONVERSATION_SENDERS, 3, 1, 1, 1, 0, true, false, false },
		{ "senders off", BW_RULE_CONVERSATION_SENDERS, 400, 1, 1, 1, 0, false, true, true },
		{ "nine replies before", BW_RULE_CONVERSATION_REPLIES, 5, 10, 1, 1, 0, true, false, true },
		{ "ten replies before, of enough senders", BW_RULE_CONVERSATION_REPLIES, 4, 11, 1, 1, 0, false, false, false },
		{ "ten replies before, of too few senders", BW_RULE_CONVERSATION_REPLIES, 3, 11, 1, 1, 0, false, false, true },
		{ "replies off", BW_RULE_CONVERSATION_REPLIES, 400, 400, 1, 1, 0, true, true, true },
		{ "nine in a day before", BW_RULE_CONVERSATION_DAY, 1, 1, 10, 1, 0, false, false, true },
		{ "ten in a day before", BW_RULE_CONVERSATION_DAY, 1, 1, 11, 1, 0, false, false, false },
		{ "day off", BW_RULE_CONVERSATION_DAY, 1, 1, 400, 1, 0, false, true, true },
		{ "five list senders before", BW_RULE_LIST_SENDERS, 1, 1, 1, 6, 0, false, false, true },
		{ "six list senders before", BW_RULE_LIST_SENDERS, 1, 1, 1, 7, 0, false, false, false },
		{ "list senders off", BW_RULE_LIST_SENDERS, 1, 1, 1, 400, 0, false, true, true },
		{ "nothing delivered", BW_RULE_LIST_BUDGET, 1, 1, 1, 1, 0, false, false, true },
		{ "it would just fit", BW_RULE_LIST_BUDGET, 1, 1, 1, 1, 900000, false, false, true },
		{ "it would not fit", BW_RULE_LIST_BUDGET, 1, 1, 1, 1, 900001, false, false, false },
		{ "it would fit, but senders rage", BW_RULE_LIST_BUDGET, 1, 1, 1, 7, 0, false, false, false },
		{ "budget off", BW_RULE_LIST_BUDGET, 1, 1, 1, 1, 900001, false, true, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct bw_limits limits = limits_of(BW_TIER_HUGE, BW_MODE_ENFORCE);
		bool list = rows[i].rule == BW_RULE_LIST_SENDERS || rows[i].rule == BW_RULE_LIST_BUDGET;
		struct bw_case c = reply_case(BW_TIER_HUGE, &limits, rows[i].senders);
		struct bw_opinion o;

		if (rows[i].off) {
			limits.conversation.senders = limits.conversation.replies = limits.conversation.day_senders = 0;
			limits.list.senders = limits.list.budget = 0;
		}
		c.now_ms = AT(120);
		c.counts.conversation_replies = rows[i].replies;
		c.counts.conversation_day_senders = rows[i].day;
		c.counts.list_senders = rows[i].list_senders;
		c.counts.list_deliveries = rows[i].deliveries;
		c.counts.budget_ok = rows[i].deliveries <= 900000;
		c.counts.sender_was_counted = c.counts.conversation_sender_was_counted = rows[i].known;
		c.counts.conversation_last_ms = c.counts.list_last_ms = AT(119);
		*(list ? &c.list_breaker : &c.conversation) = open_breaker(rows[i].rule, T0, AT(120));
		bw_policy_judge(&c, &o);

		const struct bw_transition *t = list ? &o.list : &o.conversation;

		if ((t->event == BW_EVENT_CALM) != rows[i].calm)
			fail_msg("%s: %s", rows[i].what, bw_event_name(t->event));
		assert_int_equal(t->next.phase, rows[i].calm ? BW_PHASE_HALF_OPEN : BW_PHASE_OPEN);
		/* The message that finds calm is the one sender of the probation; one that does not is stopped. */
		assert_int_equal(o.verdict.action, rows[i].calm ? BW_ACCEPT : BW_HOLD);
		if (rows[i].calm)
			assert_true(t->next.until_ms ==
			            t->next.since_ms + (rows[i].rule == BW_RULE_CONVERSATION_DAY ? BW_DAY_MS : BW_HOUR_MS));
	}
}

static void probation(void **state)
{
	const struct bw_limits limits = limits_of(BW_TIER_LARGE, BW_MODE_ENFORCE);
	struct bw_case c = reply_case(BW_TIER_LARGE, &limits, 2);
	struct bw_opinion o;

	(void)state;
	c.conversation = open_breaker(BW_RULE_CONVERSATION_SENDERS, AT(-30), AT(30));
	c.conversation.phase = BW_PHASE_HALF_OPEN;
	c.counts.conversation_phase_senders = 1;
	bw_policy_judge(&c, &o);
	expect("the one sender", &o, BW_ACCEPT, BW_ACCEPT, BW_RULE_NONE);
	assert_int_equal(o.verdict.breaker, BW_PHASE_HALF_OPEN);

	c.counts.conversation_phase_senders = 2;
	bw_policy_judge(&c, &o);
	expect("the second sender", &o, BW_HOLD, BW_HOLD, BW_RULE_PROBATION);
	assert_int_equal(o.verdict.event, BW_EVENT_RELAPSE);
	assert_int_equal(o.verdict.why.ordinal, 2);
	assert_int_equal(o.verdict.why.limit, 1);
	assert_int_equal(o.verdict.why.window_ms, BW_HOUR_MS);
	assert_true(o.verdict.why.until_ms == AT(60));
	assert_int_equal(o.conversation.next.rule, BW_RULE_CONVERSATION_SENDERS);
	assert_int_equal(o.conversation.next.relapses, 1);

	c.now_ms = AT(30);
	bw_policy_judge(&c, &o);
	expect("after a clean probation", &o, BW_ACCEPT, BW_ACCEPT, BW_RULE_NONE);
	assert_int_equal(o.verdict.event, BW_EVENT_CLOSED);
}

/* Without the shared store: the figures that pass on one host of so many. */
static void degraded_shares(void **state)
{
	static const struct {
		const char *what;
		enum bw_tier tier;
		int64_t daemons;
		bool reply, poster;
		int64_t senders, list_senders, deliveries;
		enum bw_rule rule; /* NONE: passes */
	} rows[] = {
		{ "huge: the first reply", BW_TIER_HUGE, 1, true, false, 1, 1, 0, BW_RULE_DEGRADED },
		{ "huge: a poster's reply", BW_TIER_HUGE, 1, true, true, 1, 1, 0, BW_RULE_NONE },
		{ "huge: a post", BW_TIER_HUGE, 2, false, false, 0, 3, 0, BW_RULE_NONE },
		{ "huge: posts of too many", BW_TIER_HUGE, 2, false, false, 0, 4, 0, BW_RULE_LIST_SENDERS },
		{ "huge: half of the budget", BW_TIER_HUGE, 2, false, false, 0, 1, 400000, BW_RULE_NONE },
		{ "huge: over half of the budget", BW_TIER_HUGE, 2, false, false, 0, 1, 400001, BW_RULE_LIST_BUDGET },
		{ "huge: a poster too", BW_TIER_HUGE, 2, false, true, 0, 1, 400001, BW_RULE_LIST_BUDGET },
		{ "huge: one post always fits", BW_TIER_HUGE, 1000, false, false, 0, 1, 0, BW_RULE_NONE },
		{ "huge: a storm trips all the same", BW_TIER_HUGE, 2, true, false, 4, 1, 0, BW_RULE_CONVERSATION_SENDERS },
		{ "large: 10 / 2", BW_TIER_LARGE, 2, true, false, 5, 1, 0, BW_RULE_NONE },
		{ "large: 10 / 2 and one", BW_TIER_LARGE, 2, true, false, 6, 1, 0, BW_RULE_CONVERSATION_SENDERS },
		{ "large: 10 / 3", BW_TIER_LARGE, 3, true, false, 4, 1, 0, BW_RULE_CONVERSATION_SENDERS },
		{ "large: at least one", BW_TIER_LARGE, 50, true, false, 1, 1, 0, BW_RULE_NONE },
		{ "large: and no more", BW_TIER_LARGE, 50, true, false, 2, 1, 0, BW_RULE_CONVERSATION_SENDERS },
		{ "large: list 20 / 2", BW_TIER_LARGE, 2, true, false, 1, 10, 0, BW_RULE_NONE },
		{ "large: list 20 / 2 and one", BW_TIER_LARGE, 2, true, false, 1, 11, 0, BW_RULE_LIST_SENDERS },
		{ "medium: 20 / 4", BW_TIER_MEDIUM, 4, true, false, 5, 1, 0, BW_RULE_NONE },
		{ "medium: 20 / 4 and one", BW_TIER_MEDIUM, 4, true, false, 6, 1, 0, BW_RULE_CONVERSATION_SENDERS },
		{ "medium: budget / 4", BW_TIER_MEDIUM, 4, true, false, 1, 1, 249001, BW_RULE_LIST_BUDGET },
		{ "small: as usual", BW_TIER_SMALL, 4, true, false, 1000, 1000, 999000, BW_RULE_NONE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct bw_limits limits = limits_of(rows[i].tier, BW_MODE_ENFORCE);
		struct bw_case c = reply_case(rows[i].tier, &limits, rows[i].senders);
		struct bw_opinion o;

		c.degraded = rows[i].daemons;
		c.poster = c.poster_of_all = rows[i].poster;
		c.counts.reply = rows[i].reply;
		c.counts.list_senders = rows[i].list_senders;
		c.counts.list_deliveries = rows[i].deliveries;
		bw_policy_judge(&c, &o);
		expect(rows[i].what, &o, rows[i].rule == BW_RULE_NONE ? BW_ACCEPT : BW_HOLD,
		       rows[i].rule == BW_RULE_NONE ? BW_ACCEPT : BW_HOLD, rows[i].rule);
		assert_true(o.verdict.degraded);
		/* A reply that waits for want of a store is no storm: nothing trips. */
		if (rows[i].rule == BW_RULE_DEGRADED)
			assert_false(o.conversation.changed || o.list.changed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modes_of_the_guard),
		cmocka_unit_test(guard_turned_off),
		cmocka_unit_test(open_explains_itself),
		cmocka_unit_test(conversation_before_list),
		cmocka_unit_test(forced_open),
		cmocka_unit_test(what_stops),
		cmocka_unit_test(disabled),
		cmocka_unit_test(calm),
		cmocka_unit_test(probation),
		cmocka_unit_test(degraded_shares),
	};

	return cmocka_run_group_tests_name("policy/modes", tests, NULL, NULL);
}
