/* link: bw_policy bw_settings bw_base */
#include "policy-case.h"

/* Which classes are counted as posts or replies, and which the guard judges. */
static void classes(void **state)
{
	static const struct {
		enum bw_class class;
		bool counted;
		enum bw_action on_protocol, on_weak;
	} rows[] = {
		{ BW_CLASS_HUMAN, true, BW_ACCEPT, BW_ACCEPT },  { BW_CLASS_AUTO_REPLY, false, BW_DISCARD, BW_HOLD },
		{ BW_CLASS_MDN, false, BW_DISCARD, BW_HOLD },    { BW_CLASS_DSN, false, BW_HOLD, BW_HOLD },
		{ BW_CLASS_RECALL, false, BW_DISCARD, BW_HOLD }, { BW_CLASS_CALENDAR_REPLY, false, BW_DISCARD, BW_HOLD },
		{ BW_CLASS_BULK, true, BW_ACCEPT, BW_ACCEPT },   { BW_CLASS_LIST_OUTPUT, true, BW_ACCEPT, BW_ACCEPT },
	};

	(void)state;
	assert_int_equal(COUNT_OF(rows), BW_CLASS_COUNT);
	for (size_t i = 0; i < COUNT_OF(rows) * 3; i++) {
		const size_t r = i / 3;
		const enum bw_tier tier = (enum bw_tier)(BW_TIER_MEDIUM + (int)(i % 3));
		const struct bw_limits limits = limits_of(tier, BW_MODE_ENFORCE);
		struct bw_case c = quiet_case(tier, &limits);
		struct bw_opinion o;

		c.class = rows[r].class;
		assert_int_equal(bw_policy_is_counted(c.class), rows[r].counted);
		c.evidence = BW_EVIDENCE_PROTOCOL;
		bw_policy_judge_automaton(&c, false, &o);
		assert_int_equal(o.verdict.action, rows[r].on_protocol);
		assert_int_equal(o.verdict.would, rows[r].on_protocol);
		if (rows[r].on_protocol != BW_ACCEPT) {
			assert_int_equal(o.verdict.why.guard, BW_GUARD_AUTOMATON);
			assert_int_equal(o.verdict.why.rule, BW_RULE_AUTOMATON);
			assert_int_equal(o.verdict.why.class, c.class);
			assert_int_equal(o.verdict.why.members, c.members);
		}
		c.evidence = BW_EVIDENCE_WEAK;
		bw_policy_judge_automaton(&c, true, &o);
		assert_int_equal(o.verdict.action, rows[r].on_weak);
		/* They count nowhere. */
		assert_false(o.counted_stop || o.conversation.changed || o.list.changed);
		assert_int_equal(o.verdict.event, BW_EVENT_NONE);
	}
	assert_false(bw_policy_is_counted(BW_CLASS_COUNT));
}

static void small_lists(void **state)
{
	static const struct {
		enum bw_mode mode;
		bool open;
		enum bw_action action, would;
	} rows[] = {
		{ BW_MODE_OFF, false, BW_ACCEPT, BW_ACCEPT },      { BW_MODE_OFF, true, BW_ACCEPT, BW_ACCEPT },
		{ BW_MODE_SHADOW, true, BW_ACCEPT, BW_DISCARD },   { BW_MODE_ENFORCE, false, BW_ACCEPT, BW_ACCEPT },
		{ BW_MODE_ENFORCE, true, BW_DISCARD, BW_DISCARD },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct bw_limits limits = limits_of(BW_TIER_SMALL, BW_MODE_ENFORCE);
		struct bw_case c = quiet_case(BW_TIER_SMALL, &limits);
		struct bw_opinion o;

		assert_int_equal(limits.automaton.mode, BW_MODE_OFF);
		limits.automaton.mode = rows[i].mode;
		c.class = BW_CLASS_AUTO_REPLY;
		c.evidence = BW_EVIDENCE_PROTOCOL;
		bw_policy_judge_automaton(&c, rows[i].open, &o);
		assert_int_equal(o.verdict.action, rows[i].action);
		assert_int_equal(o.verdict.would, rows[i].would);
	}
}

static void shadow_and_off(void **state)
{
	static const enum bw_mode modes[] = { BW_MODE_OFF, BW_MODE_SHADOW, BW_MODE_ENFORCE };
	static const enum bw_action actions[] = { BW_ACCEPT, BW_ACCEPT, BW_REJECT };
	static const enum bw_action would[] = { BW_ACCEPT, BW_REJECT, BW_REJECT };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(modes); i++) {
		struct bw_limits limits = limits_of(BW_TIER_HUGE, BW_MODE_ENFORCE);
		struct bw_case c = quiet_case(BW_TIER_HUGE, &limits);
		struct bw_opinion o;

		limits.automaton.mode = modes[i];
		limits.automaton.action = BW_REJECT;
		c.class = BW_CLASS_MDN;
		c.evidence = BW_EVIDENCE_PROTOCOL;
		bw_policy_judge_automaton(&c, false, &o);
		assert_int_equal(o.verdict.action, actions[i]);
		assert_int_equal(o.verdict.would, would[i]);
	}
}

/* An operator who stopped a list stopped it for robots as well; a DSN is then held, never lost. */
static void forced_open(void **state)
{
	const struct bw_limits limits = limits_of(BW_TIER_HUGE, BW_MODE_SHADOW);
	struct bw_case c = quiet_case(BW_TIER_HUGE, &limits);
	struct bw_opinion o;

	(void)state;
	c.class = BW_CLASS_DSN;
	c.list_breaker = overridden(BW_OVERRIDE_FORCED_OPEN, AT(240));
	bw_policy_judge_automaton(&c, false, &o);
	assert_int_equal(o.verdict.action, BW_HOLD);
	assert_int_equal(o.verdict.why.rule, BW_RULE_FORCED_OPEN);
	assert_int_equal(o.verdict.breaker, BW_PHASE_OPEN);
	assert_false(o.list.changed);
	/* An open breaker of its own accord is not asked: the guard for robots speaks. */
	c.list_breaker = open_breaker(BW_RULE_LIST_SENDERS, AT(-10), AT(110));
	bw_policy_judge_automaton(&c, false, &o);
	assert_int_equal(o.verdict.would, BW_HOLD);
	assert_int_equal(o.verdict.would_why.rule, BW_RULE_AUTOMATON);
	assert_int_equal(o.verdict.breaker, BW_PHASE_OPEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes),
		cmocka_unit_test(small_lists),
		cmocka_unit_test(shadow_and_off),
		cmocka_unit_test(forced_open),
	};

	return cmocka_run_group_tests_name("policy/automaton", tests, NULL, NULL);
}
