/* link: bw_policy bw_settings bw_base */
#include "policy-case.h"

static void who_gets_it(void **state)
{
	static const struct {
		const char *what;
		struct bw_redirect_case c;
		enum bw_redirect outcome;
	} rows[] = {
		{ "the poster", { .ordinal = 1, .poster = true }, BW_REDIRECT_POSTER },
		{ "the poster first", { .ordinal = 1, .poster = true, .owner = true }, BW_REDIRECT_POSTER },
		{ "else the owner", { .ordinal = 1, .owner = true }, BW_REDIRECT_OWNER },
		{ "the last of them", { .ordinal = BW_REDIRECT_LIMIT, .poster = true }, BW_REDIRECT_POSTER },
		{ "one more", { .ordinal = BW_REDIRECT_LIMIT + 1, .poster = true, .owner = true }, BW_REDIRECT_ENOUGH },
		{ "nobody there", { .ordinal = 1 }, BW_REDIRECT_NOBODY },
		{ "nobody there is said first", { .ordinal = BW_REDIRECT_LIMIT + 1 }, BW_REDIRECT_NOBODY },
		{ "nobody counts", { .ordinal = 0, .poster = true, .owner = true }, BW_REDIRECT_UNKNOWN },
		{ "the MTA cannot", { .fixed = true, .ordinal = 1, .poster = true, .owner = true }, BW_REDIRECT_FIXED },
		{ "the poster's own", { .ordinal = 1, .poster = true, .from_poster = true, .owner = true }, BW_REDIRECT_OWN },
		{ "who only claims to be the poster", { .ordinal = 1, .from_poster = true, .owner = true }, BW_REDIRECT_OWN },
		{ "the owner's own", { .ordinal = 1, .owner = true, .from_owner = true }, BW_REDIRECT_OWN },
		{ "the owner answers the poster", { .ordinal = 1, .poster = true, .owner = true, .from_owner = true }, BW_REDIRECT_POSTER },
		{ "an owner who may not get it", { .ordinal = 1, .from_owner = true }, BW_REDIRECT_NOBODY },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (bw_policy_redirect(&rows[i].c) != rows[i].outcome)
			fail_msg("%s: %d, not %d", rows[i].what, (int)bw_policy_redirect(&rows[i].c), (int)rows[i].outcome);
	}
}

/* Whatever the figures: to somebody only if there is one, who did not write it, and there is room. */
static void never_to_anybody_else(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 1U << 7; n++) {
		const struct bw_redirect_case c = { .fixed = n & 1,
			                                .poster = n & 2,
			                                .from_poster = n & 4,
			                                .owner = n & 8,
			                                .from_owner = n & 16,
			                                .ordinal = (n & 32) == 0 ? 0 : (n & 64) == 0 ? BW_REDIRECT_LIMIT : BW_REDIRECT_LIMIT + 1 };
		enum bw_redirect outcome = bw_policy_redirect(&c);
		bool goes = outcome == BW_REDIRECT_POSTER || outcome == BW_REDIRECT_OWNER;

		assert_int_not_equal(outcome, BW_REDIRECT_NONE);
		if (goes && (c.fixed || c.from_poster || c.ordinal < 1 || c.ordinal > BW_REDIRECT_LIMIT))
			fail_msg("case %u goes out", n);
		if (outcome == BW_REDIRECT_POSTER)
			assert_true(c.poster);
		if (outcome == BW_REDIRECT_OWNER)
			assert_true(c.owner && !c.from_owner && !c.poster);
	}
}

/* What answers nobody has nobody to go to: it waits, in earnest as in shadow. */
static void only_replies(void **state)
{
	static const struct {
		bool reply;
		enum bw_mode mode;
		enum bw_action action, would;
		enum bw_redirect redirect;
	} rows[] = {
		{ true, BW_MODE_ENFORCE, BW_REDIRECT, BW_REDIRECT, BW_REDIRECT_NONE },
		{ false, BW_MODE_ENFORCE, BW_HOLD, BW_HOLD, BW_REDIRECT_NO_REPLY },
		{ true, BW_MODE_SHADOW, BW_ACCEPT, BW_REDIRECT, BW_REDIRECT_NONE },
		{ false, BW_MODE_SHADOW, BW_ACCEPT, BW_HOLD, BW_REDIRECT_NO_REPLY },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct bw_limits limits = limits_of(BW_TIER_LARGE, rows[i].mode);
		struct bw_case c = reply_case(BW_TIER_LARGE, &limits, 5);
		struct bw_opinion o;

		limits.list.action = BW_REDIRECT;
		c.counts.reply = rows[i].reply;
		c.counts.list_senders = limits.list.senders + 1;
		bw_policy_judge(&c, &o);
		assert_int_equal(o.verdict.action, rows[i].action);
		assert_int_equal(o.verdict.would, rows[i].would);
		assert_int_equal(o.verdict.would_why.redirect, rows[i].redirect);
		assert_int_equal(o.verdict.would_why.guard, BW_GUARD_LIST);
		assert_true(o.counted_stop);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_gets_it),
		cmocka_unit_test(never_to_anybody_else),
		cmocka_unit_test(only_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
