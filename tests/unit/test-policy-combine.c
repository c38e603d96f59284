/* link: bw_policy bw_settings bw_base */
#include "policy-case.h"

static struct bw_opinion opinion(enum bw_action action, enum bw_guard guard, enum bw_action would, enum bw_guard would_guard)
{
	return (struct bw_opinion){
		.verdict = { .action = action, .why = { .guard = guard }, .would = would, .would_why = { .guard = would_guard } }
	};
}

/* Semantics 7: reject > hold > redirect > strip > throttle > tag > accept; discard, of automata only, yields to hold. */
static void order_of_strictness(void **state)
{
	static const enum bw_action order[] = {
		BW_ACCEPT, BW_TAG, BW_THROTTLE, BW_STRIP, BW_REDIRECT, BW_DISCARD, BW_HOLD, BW_REJECT
	};

	(void)state;
	assert_int_equal(COUNT_OF(order), BW_ACTION_COUNT);
	for (size_t i = 0; i < COUNT_OF(order) * COUNT_OF(order); i++) {
		const enum bw_action a = order[i / COUNT_OF(order)], b = order[i % COUNT_OF(order)];
		const struct bw_opinion two[] = { opinion(a, BW_GUARD_LIST, a, BW_GUARD_LIST),
			                              opinion(b, BW_GUARD_LIST, b, BW_GUARD_LIST) };
		struct bw_verdict v;

		assert_int_equal(bw_policy_stricter(a, b), i / COUNT_OF(order) > i % COUNT_OF(order));
		bw_policy_combine(two, 2, &v);
		assert_int_equal(v.action, bw_policy_stricter(a, b) ? a : b);
		assert_int_equal(v.would, v.action);
	}
}

static void equals(void **state)
{
	struct bw_opinion o[] = {
		opinion(BW_HOLD, BW_GUARD_LIST, BW_HOLD, BW_GUARD_LIST),
		opinion(BW_HOLD, BW_GUARD_CONVERSATION, BW_HOLD, BW_GUARD_CONVERSATION),
		opinion(BW_HOLD, BW_GUARD_CONVERSATION, BW_HOLD, BW_GUARD_GATE),
		opinion(BW_ACCEPT, BW_GUARD_NONE, BW_ACCEPT, BW_GUARD_NONE),
	};
	struct bw_verdict v;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(o); i++)
		o[i].verdict.why.ordinal = (int64_t)i;
	bw_policy_combine(o, COUNT_OF(o), &v);
	assert_int_equal(v.why.guard, BW_GUARD_CONVERSATION);
	assert_int_equal(v.why.ordinal, 1); /* the first list */
	assert_int_equal(v.would_why.guard, BW_GUARD_GATE);
}

static void nothing_said(void **state)
{
	struct bw_verdict v = { .action = BW_REJECT };

	(void)state;
	bw_policy_combine(NULL, 0, &v);
	assert_int_equal(v.action, BW_ACCEPT);
	assert_int_equal(v.would, BW_ACCEPT);
	assert_int_equal(v.why.guard, BW_GUARD_NONE);
	assert_int_equal(v.event, BW_EVENT_NONE);
}

/* What is said of the whole message: the breaker behind the verdict, the weightiest event, deliveries, degraded. */
static void the_whole_message(void **state)
{
	static const struct {
		const char *what;
		enum bw_action action[2];
		enum bw_phase phase[2], expect_phase;
		enum bw_event event[2], expect_event;
	} rows[] = {
		{ "accepted: the least closed",
		  { BW_ACCEPT, BW_ACCEPT },
		  { BW_PHASE_HALF_OPEN, BW_PHASE_OPEN },
		  BW_PHASE_OPEN,
		  { BW_EVENT_NONE, BW_EVENT_NONE },
		  BW_EVENT_NONE },
		{ "accepted, half-open",
		  { BW_ACCEPT, BW_ACCEPT },
		  { BW_PHASE_HALF_OPEN, BW_PHASE_CLOSED },
		  BW_PHASE_HALF_OPEN,
		  { BW_EVENT_CALM, BW_EVENT_CLOSED },
		  BW_EVENT_CALM },
		{ "stopped by the second",
		  { BW_ACCEPT, BW_HOLD },
		  { BW_PHASE_OPEN, BW_PHASE_CLOSED },
		  BW_PHASE_CLOSED,
		  { BW_EVENT_RELAPSE, BW_EVENT_TRIP },
		  BW_EVENT_TRIP },
		{ "stopped by the first",
		  { BW_HOLD, BW_ACCEPT },
		  { BW_PHASE_HALF_OPEN, BW_PHASE_OPEN },
		  BW_PHASE_HALF_OPEN,
		  { BW_EVENT_NONE, BW_EVENT_RELAPSE },
		  BW_EVENT_RELAPSE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct bw_opinion o[2];
		struct bw_verdict v;

		for (size_t k = 0; k < 2; k++) {
			const enum bw_guard guard = rows[i].action[k] == BW_ACCEPT ? BW_GUARD_NONE : BW_GUARD_LIST;

			o[k] = opinion(rows[i].action[k], guard, rows[i].action[k], guard);
			o[k].verdict.breaker = rows[i].phase[k];
			o[k].verdict.event = rows[i].event[k];
			o[k].verdict.deliveries = 500;
			o[k].verdict.degraded = k == 1;
		}
		bw_policy_combine(o, 2, &v);
		if (v.breaker != rows[i].expect_phase || v.event != rows[i].expect_event)
			fail_msg("%s: %s, %s", rows[i].what, bw_phase_name(v.breaker), bw_event_name(v.event));
		assert_int_equal(v.deliveries, 500);
		assert_true(v.degraded);
	}
}

/* A list in shadow and one that enforces: what happens and what would. */
static void shadow_beside_enforce(void **state)
{
	const struct bw_opinion o[] = {
		opinion(BW_ACCEPT, BW_GUARD_NONE, BW_REJECT, BW_GUARD_GATE),
		opinion(BW_HOLD, BW_GUARD_LIST, BW_HOLD, BW_GUARD_LIST),
	};
	struct bw_verdict v;

	(void)state;
	bw_policy_combine(o, 2, &v);
	assert_int_equal(v.action, BW_HOLD);
	assert_int_equal(v.why.guard, BW_GUARD_LIST);
	assert_int_equal(v.would, BW_REJECT);
	assert_int_equal(v.would_why.guard, BW_GUARD_GATE);
}

/* --- random messages: whatever the numbers, some things hold --- */

static uint64_t seed = 20161114;

static uint64_t draw(uint64_t below)
{
	/* Knuth's MMIX generator; the same sequence everywhere. */
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (seed >> 33) % below;
}

static bool coin(void)
{
	return draw(2) == 0;
}

/* Mostly small and near the limits, sometimes what no store can have counted. */
static int64_t figure(void)
{
	static const int64_t odd[] = { INT64_MIN, -1, 0, INT64_MAX, 1000000000000 };

	return draw(20) == 0 ? odd[draw(COUNT_OF(odd))] : (int64_t)draw(25);
}

static int64_t moment(void)
{
	static const int64_t odd[] = { INT64_MIN, 0, INT64_MAX };

	return draw(30) == 0 ? odd[draw(COUNT_OF(odd))] : AT((int64_t)draw(300));
}

static struct bw_breaker random_breaker(void)
{
	return (struct bw_breaker){
		.phase = (enum bw_phase)draw(BW_PHASE_COUNT),
		.rule = (enum bw_rule)draw(BW_RULE_COUNT),
		.since_ms = moment(),
		.until_ms = moment(),
		.ordinal = figure(),
		.limit = figure(),
		.relapses = (int32_t)draw(40),
		.override_state = draw(4) == 0 ? (enum bw_override)draw(BW_OVERRIDE_COUNT) : BW_OVERRIDE_NONE,
		.override_until_ms = moment(),
	};
}

static struct bw_counts random_counts(void)
{
	return (struct bw_counts){
		.seen = (enum bw_seen)draw(BW_SEEN_COUNT),
		.reply = coin(),
		.conversation_senders = figure(),
		.conversation_replies = figure(),
		.conversation_day_senders = figure(),
		.conversation_phase_senders = figure(),
		.conversation_last_ms = moment(),
		.list_senders = figure(),
		.list_phase_senders = figure(),
		.list_last_ms = moment(),
		.list_deliveries = figure(),
		.sender_was_counted = coin(),
		.conversation_sender_was_counted = coin(),
		.budget_ok = coin(),
	};
}

static enum bw_action random_action(void)
{
	static const enum bw_action actions[] = { BW_TAG, BW_THROTTLE, BW_HOLD, BW_REJECT };

	return actions[draw(COUNT_OF(actions))];
}

static void random_modes(struct bw_limits *limits)
{
	limits->gate.mode = (enum bw_mode)draw(BW_MODE_COUNT);
	limits->conversation.mode = (enum bw_mode)draw(BW_MODE_COUNT);
	limits->list.mode = (enum bw_mode)draw(BW_MODE_COUNT);
	limits->gate.action = random_action();
	limits->conversation.action = random_action();
	limits->list.action = random_action();
}

static struct bw_case random_case(struct bw_limits *limits, const struct bw_limits *by_tier)
{
	const enum bw_tier tier = (enum bw_tier)draw(BW_TIER_COUNT);
	struct bw_case c = quiet_case(tier, limits);

	*limits = by_tier[tier];
	random_modes(limits);
	c.now_ms = moment();
	c.deliveries = figure();
	c.fanout = coin() ? figure() : 25000;
	c.unconfirmed = draw(10) == 0;
	c.poster = coin();
	c.poster_of_all = c.poster && coin();
	c.side = (enum bw_side)draw(BW_SIDE_COUNT);
	c.lists_cut = draw(20) == 0;
	c.degraded = draw(3) == 0 ? figure() : 0;
	c.jitter_permille = (int32_t)draw(201) - 100;
	c.counts = random_counts();
	c.conversation = random_breaker();
	c.list_breaker = random_breaker();
	return c;
}

static bool is_forced(const struct bw_breaker *b, int64_t now_ms)
{
	return b->override_state == BW_OVERRIDE_FORCED_OPEN && b->override_until_ms > now_ms;
}

static bool is_same(const struct bw_breaker *a, const struct bw_breaker *b)
{
	return a->phase == b->phase && a->rule == b->rule && a->since_ms == b->since_ms && a->until_ms == b->until_ms &&
	       a->relapses == b->relapses && a->trips == b->trips && a->override_state == b->override_state;
}

static void check_opinion(const struct bw_case *c, const struct bw_opinion *o)
{
	const struct bw_verdict *v = &o->verdict;
	bool forced = is_forced(&c->conversation, c->now_ms) || is_forced(&c->list_breaker, c->now_ms);

	assert_false(bw_policy_stricter(v->action, v->would));
	assert_int_equal(v->action == BW_ACCEPT, v->why.guard == BW_GUARD_NONE);
	assert_int_equal(v->would == BW_ACCEPT, v->would_why.guard == BW_GUARD_NONE);
	if (forced)
		assert_true(bw_policy_stricter(v->action, BW_TAG));
	if (o->counted_stop)
		assert_true(bw_policy_stricter(v->would, BW_TAG));
	assert_int_equal(o->conversation.changed, !is_same(&c->conversation, &o->conversation.next));
	assert_int_equal(o->list.changed, !is_same(&c->list_breaker, &o->list.next));
	assert_true(o->list.event == BW_EVENT_NONE || o->list.changed);
	/* A breaker trips on what it stops, in the eyes of a guard in shadow too. */
	if (v->event == BW_EVENT_TRIP || v->event == BW_EVENT_RELAPSE)
		assert_int_not_equal(v->would, BW_ACCEPT);
}

static void random_messages(void **state)
{
	enum { ROUNDS = 200000, LISTS = 3 };
	struct bw_limits by_tier[BW_TIER_COUNT];
	int64_t stopped = 0, trips = 0;

	(void)state;
	for (int tier = 0; tier < BW_TIER_COUNT; tier++)
		by_tier[tier] = limits_of((enum bw_tier)tier, BW_MODE_ENFORCE);
	for (int round = 0; round < ROUNDS; round++) {
		struct bw_limits limits[LISTS];
		struct bw_opinion o[LISTS];
		struct bw_verdict v;
		size_t n = 1 + draw(LISTS);

		for (size_t i = 0; i < n; i++) {
			struct bw_case c = random_case(&limits[i], by_tier);

			bw_policy_judge(&c, &o[i]);
			check_opinion(&c, &o[i]);
			trips += o[i].verdict.event == BW_EVENT_TRIP;
		}
		bw_policy_combine(o, n, &v);
		for (size_t i = 0; i < n; i++) {
			assert_false(bw_policy_stricter(o[i].verdict.action, v.action));
			assert_false(bw_policy_stricter(o[i].verdict.would, v.would));
		}
		stopped += bw_policy_stricter(v.action, BW_TAG);
	}
	/* The draw reaches both ends: a property of nothing but accepted mail would say little. */
	assert_true(stopped > ROUNDS / 10 && stopped < ROUNDS - ROUNDS / 10);
	assert_true(trips > ROUNDS / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_of_strictness),   cmocka_unit_test(equals),
		cmocka_unit_test(nothing_said),          cmocka_unit_test(the_whole_message),
		cmocka_unit_test(shadow_beside_enforce), cmocka_unit_test(random_messages),
	};

	return cmocka_run_group_tests_name("policy/combine", tests, NULL, NULL);
}
