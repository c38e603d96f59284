/* policy-case.h: messages for tests of the rules: plain ones, which each test bends where it looks. */
#ifndef BW_TESTS_POLICY_CASE_H
#define BW_TESTS_POLICY_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bw/clock.h"
#include "bw/policy.h"

#define T0             INT64_C(1479112140000) /* 2016-11-14T08:29:00Z */
#define AT(minutes)    (T0 + (minutes)*BW_MINUTE_MS)
#define COUNT_OF(rows) (sizeof(rows) / sizeof((rows)[0]))

static const int64_t size_of_tier[BW_TIER_COUNT] = { 100, 1000, 10000, 100000 };

/* The built-in defaults with the installation in `mode`. */
static inline struct bw_limits limits_of(enum bw_tier tier, enum bw_mode mode)
{
	struct bw_settings *s = bw_settings_new();
	struct bw_limits limits;

	assert_non_null(s);
	assert_int_equal(bw_settings_set(s, BW_S("mode"), bw_slice_of(bw_mode_name(mode)), NULL), BW_OK);
	bw_settings_resolve(s, tier, BW_S(""), &limits);
	bw_settings_free(&s);
	return limits;
}

/* A first message that no guard minds: of a member, to a list of that tier, in a quiet hour. */
static inline struct bw_case quiet_case(enum bw_tier tier, const struct bw_limits *limits)
{
	return (struct bw_case){
		.now_ms = T0,
		.limits = limits,
		.tier = tier,
		.list = BW_S("all@nhs.example"),
		.members = size_of_tier[tier],
		.deliveries = size_of_tier[tier],
		.fanout = 100,
		.class = BW_CLASS_HUMAN,
		.counts = { .budget_ok = true, .list_senders = 1, .list_phase_senders = 1 },
	};
}

/* The reply of the `senders`-th distinct sender, who wrote one as all the others did. */
static inline struct bw_case reply_case(enum bw_tier tier, const struct bw_limits *limits, int64_t senders)
{
	struct bw_case c = quiet_case(tier, limits);

	c.counts.reply = true;
	c.counts.conversation_senders = senders;
	c.counts.conversation_replies = senders;
	c.counts.conversation_day_senders = senders;
	c.counts.conversation_phase_senders = senders;
	c.counts.conversation_last_ms = senders > 1 ? T0 - BW_SECOND_MS : 0;
	return c;
}

static inline struct bw_breaker open_breaker(enum bw_rule rule, int64_t since_ms, int64_t until_ms)
{
	return (struct bw_breaker){ .phase = BW_PHASE_OPEN,
		                        .rule = rule,
		                        .since_ms = since_ms,
		                        .until_ms = until_ms,
		                        .ordinal = 4,
		                        .limit = 3,
		                        .trips = 1,
		                        .version = 7 };
}

static inline struct bw_breaker overridden(enum bw_override value, int64_t until_ms)
{
	return (struct bw_breaker){
		.override_state = value, .override_until_ms = until_ms, .override_owner = "ada", .override_reason = "drill", .version = 3
	};
}

#endif
