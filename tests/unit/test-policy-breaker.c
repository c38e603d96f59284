/* link: bw_policy bw_settings bw_base */
#include "policy-case.h"

#include <string.h>

enum { MIN = 60000 };

static const struct bw_breaker_limits HOUR = {
	.window_ms = 60 * MIN, .block_ms = 30 * MIN, .block_max_ms = 24 * 60 * MIN, .jitter_permille = 0
};

static const char *event_name(const struct bw_transition *t)
{
	return bw_event_name(t->event);
}

/* One breaker through its whole life. Times in minutes since the start; -1 for "none". */
static void walk(void **state)
{
	static const struct {
		int at, last;
		const char *what;
		bool over, calm;
		int senders;
		enum bw_phase phase;
		enum bw_event event;
		int since, until, relapses, trips;
	} rows[] = {
		/* at last  what                            over   calm   senders phase             event            since until relapses trips */
		{ 0, -1, "sender 3 of 3", false, true, 3, BW_PHASE_CLOSED, BW_EVENT_NONE, -1, -1, 0, 0 },
		{ 1, 0, "sender 4 of 3 trips", true, false, 4, BW_PHASE_OPEN, BW_EVENT_TRIP, 1, 31, 0, 1 },
		{ 2, 1, "sender 5, stopped", true, false, 1, BW_PHASE_OPEN, BW_EVENT_NONE, 1, 31, 0, 1 },
		{ 30, 2, "calm, block time not over", false, true, 1, BW_PHASE_OPEN, BW_EVENT_NONE, 1, 31, 0, 1 },
		{ 31, 30, "block time over, storm rages", true, false, 4, BW_PHASE_OPEN, BW_EVENT_NONE, 1, 31, 0, 1 },
		{ 61, 31, "calm measured: probation", false, true, 5, BW_PHASE_HALF_OPEN, BW_EVENT_CALM, 61, 121, 0, 1 },
		{ 62, 61, "the same sender again", false, true, 1, BW_PHASE_HALF_OPEN, BW_EVENT_NONE, 61, 121, 0, 1 },
		{ 70, 62, "a second sender: relapse, doubled", false, true, 2, BW_PHASE_OPEN, BW_EVENT_RELAPSE, 70, 130, 1, 2 },
		{ 129, 70, "one minute early", false, true, 1, BW_PHASE_OPEN, BW_EVENT_NONE, 70, 130, 1, 2 },
		{ 130, 70, "probation as of the last attempt's end", false, true, 1, BW_PHASE_HALF_OPEN, BW_EVENT_CALM, 130, 190, 1, 2 },
		{ 131, 130, "a second sender: doubled again", false, true, 2, BW_PHASE_OPEN, BW_EVENT_RELAPSE, 131, 251, 2, 3 },
		{ 260, 131, "probation since the end of the block", false, true, 1, BW_PHASE_HALF_OPEN, BW_EVENT_CALM, 251, 311, 2, 3 },
		{ 310, 260, "clean to the last minute", false, true, 1, BW_PHASE_HALF_OPEN, BW_EVENT_NONE, 251, 311, 2, 3 },
		{ 311, 310, "clean probation closes", false, true, 2, BW_PHASE_CLOSED, BW_EVENT_CLOSED, 311, -1, 0, 3 },
		{ 320, 311, "a new storm blocks the first time again", true, false, 4, BW_PHASE_OPEN, BW_EVENT_TRIP, 320, 350, 0, 4 },
		{ 1000, 320, "no traffic: closed by the clock", false, true, 1, BW_PHASE_CLOSED, BW_EVENT_CLOSED, 440, -1, 0, 4 },
	};
	struct bw_breaker record = { .version = 1 };
	struct bw_transition t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct bw_breaker_input in = {
			.now_ms = AT(rows[i].at),
			.calm = rows[i].calm,
			.last_ms = rows[i].last < 0 ? 0 : AT(rows[i].last),
			.phase_senders = rows[i].senders,
			.over = rows[i].over,
			.rule = BW_RULE_CONVERSATION_SENDERS,
			.ordinal = 4,
			.limit = 3,
		};

		bw_breaker_step(&HOUR, &record, &in, &t);
		print_message("%4d min %-40s %s, %s\n", rows[i].at, rows[i].what, bw_phase_name(t.next.phase), event_name(&t));
		assert_int_equal(t.next.phase, rows[i].phase);
		assert_int_equal(t.event, rows[i].event);
		assert_int_equal(t.changed, rows[i].event != BW_EVENT_NONE);
		assert_true(t.next.since_ms == (rows[i].since < 0 ? 0 : AT(rows[i].since)));
		assert_true(t.next.until_ms == (rows[i].until < 0 ? 0 : AT(rows[i].until)));
		assert_int_equal(t.next.relapses, rows[i].relapses);
		assert_int_equal(t.next.trips, rows[i].trips);
		assert_int_equal(t.next.version, 1);
		record = t.next;
	}
}

/* Where probation starts, and where that means it is over already. */
static void calm_begins(void **state)
{
	static const struct {
		const char *what;
		int now, last;
		enum bw_phase phase;
		int since, until;
	} rows[] = {
		{ "nobody ever tried", 45, -1, BW_PHASE_HALF_OPEN, 30, 90 },
		{ "the last attempt long before the block ended", 45, -60, BW_PHASE_HALF_OPEN, 30, 90 },
		{ "the last attempt left the window after the block", 80, 10, BW_PHASE_HALF_OPEN, 70, 130 },
		{ "attempts still in the window, fewer than the limit", 50, 20, BW_PHASE_HALF_OPEN, 50, 110 },
		{ "at the very end of the block", 30, -30, BW_PHASE_HALF_OPEN, 30, 90 },
		{ "one minute before the probation is over", 129, 10, BW_PHASE_HALF_OPEN, 70, 130 },
		{ "the probation is over too", 130, 10, BW_PHASE_CLOSED, 130, 0 },
		{ "over with nobody trying", 90, -1, BW_PHASE_CLOSED, 90, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct bw_breaker record = open_breaker(BW_RULE_LIST_SENDERS, T0, AT(30));
		const struct bw_breaker_input in = { .now_ms = AT(rows[i].now),
			                                 .calm = true,
			                                 .last_ms = rows[i].last == -1 ? 0 : AT(rows[i].last) };
		struct bw_transition t;

		bw_breaker_advance(&HOUR, &record, &in, &t);
		if (t.next.phase != rows[i].phase || t.next.since_ms != AT(rows[i].since))
			fail_msg("%s: %s since %lld min", rows[i].what, bw_phase_name(t.next.phase),
			         (long long)((t.next.since_ms - T0) / MIN));
		assert_true(t.next.until_ms == (rows[i].phase == BW_PHASE_CLOSED ? 0 : AT(rows[i].until)));
		assert_int_equal(t.event, rows[i].phase == BW_PHASE_CLOSED ? BW_EVENT_CLOSED : BW_EVENT_CALM);
		assert_int_equal(t.next.rule, BW_RULE_LIST_SENDERS);
	}
}

static void block_doubles_to_the_maximum(void **state)
{
	static const struct {
		int64_t block_min, max_min;
		int32_t relapses, jitter;
		int64_t expect_ms;
	} rows[] = {
		{ 30, 1440, 0, 0, 30 * MIN },      { 30, 1440, 1, 0, 60 * MIN },
		{ 30, 1440, 5, 0, 960 * MIN },     { 30, 1440, 6, 0, 1440 * MIN },
		{ 30, 1440, 60, 0, 1440 * MIN },   { 30, 1440, INT32_MAX - 1, 0, 1440 * MIN },
		{ 120, 1440, 3, 0, 960 * MIN },    { 120, 1440, 4, 0, 1440 * MIN },
		{ 120, 60, 0, 0, 60 * MIN },       { 0, 1440, 9, 0, 0 },
		{ 30, 1440, 0, 100, 33 * MIN },    { 30, 1440, 0, -100, 27 * MIN },
		{ 30, 1440, 1, 50, 63 * MIN },     { 30, 1440, 6, 100, 1440 * MIN }, /* never above the maximum */
		{ 30, 1440, 6, -100, 1296 * MIN }, { 30, 1440, 0, 5000, 33 * MIN },  /* a jitter out of range is cut */
		{ 30, 1440, -5, 0, 60 * MIN }, /* a record nobody wrote is survived: counted from none */
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct bw_breaker_limits limits = { 60 * MIN, rows[i].block_min * MIN, rows[i].max_min * MIN, rows[i].jitter };
		/* A relapse adds one, so start one below; a trip starts at none. */
		const struct bw_breaker record = { .phase = rows[i].relapses == 0 ? BW_PHASE_CLOSED : BW_PHASE_HALF_OPEN,
			                               .since_ms = T0,
			                               .until_ms = rows[i].relapses == 0 ? 0 : AT(60),
			                               .relapses = rows[i].relapses - 1 };
		const struct bw_breaker_input in = { .now_ms = AT(1), .over = true, .phase_senders = 2, .rule = BW_RULE_LIST_SENDERS };
		struct bw_transition t;

		bw_breaker_step(&limits, &record, &in, &t);
		assert_int_equal(t.next.phase, BW_PHASE_OPEN);
		if (t.next.until_ms != AT(1) + rows[i].expect_ms)
			fail_msg("row %zu: %lld min, expected %lld", i, (long long)(t.next.until_ms - AT(1)) / MIN,
			         (long long)rows[i].expect_ms / MIN);
	}
}

/* What a trip notes, and what a relapse leaves as it was. */
static void rule_of_the_trip_stays(void **state)
{
	const struct bw_breaker_input trip = {
		.now_ms = T0, .over = true, .rule = BW_RULE_CONVERSATION_REPLIES, .ordinal = 41, .limit = 40, .phase_senders = 6
	};
	const struct bw_breaker_input second = {
		.now_ms = AT(40), .phase_senders = 2, .over = true, .rule = BW_RULE_CONVERSATION_SENDERS, .ordinal = 11, .limit = 10
	};
	const struct bw_breaker_input budget = {
		.now_ms = AT(40), .phase_senders = 1, .over = true, .rule = BW_RULE_LIST_BUDGET, .ordinal = 1680000, .limit = 1000000
	};
	const struct bw_breaker_input alone = {
		.now_ms = AT(40), .phase_senders = 1, .over = true, .rule = BW_RULE_CONVERSATION_DAY, .ordinal = 31, .limit = 30
	};
	struct bw_breaker closed = { 0 };
	struct bw_transition t;

	(void)state;
	bw_breaker_step(&HOUR, &closed, &trip, &t);
	assert_int_equal(t.next.rule, BW_RULE_CONVERSATION_REPLIES);
	assert_int_equal(t.next.ordinal, 41);
	assert_int_equal(t.next.limit, 40);

	struct bw_breaker half_open = t.next;

	half_open.phase = BW_PHASE_HALF_OPEN;
	half_open.since_ms = AT(30);
	half_open.until_ms = AT(90);
	bw_breaker_step(&HOUR, &half_open, &second, &t);
	assert_int_equal(t.event, BW_EVENT_RELAPSE);
	assert_int_equal(t.next.rule, BW_RULE_CONVERSATION_REPLIES);
	assert_int_equal(t.next.ordinal, 41);

	/* The one sender of probation is not measured by the number of senders, but deliveries are deliveries. */
	bw_breaker_step(&HOUR, &half_open, &alone, &t);
	assert_false(t.changed);
	bw_breaker_step(&HOUR, &half_open, &budget, &t);
	assert_int_equal(t.event, BW_EVENT_RELAPSE);
	assert_int_equal(t.next.rule, BW_RULE_LIST_BUDGET);
	assert_int_equal(t.next.limit, 1000000);
}

static void overrides_expire(void **state)
{
	static const struct {
		const char *what;
		enum bw_override value, expect;
		int now;
		bool changed;
	} rows[] = {
		{ "forced-open, a minute to go", BW_OVERRIDE_FORCED_OPEN, BW_OVERRIDE_FORCED_OPEN, 239, false },
		{ "forced-open, over", BW_OVERRIDE_FORCED_OPEN, BW_OVERRIDE_NONE, 240, true },
		{ "disabled, a minute to go", BW_OVERRIDE_DISABLED, BW_OVERRIDE_DISABLED, 239, false },
		{ "disabled, long over", BW_OVERRIDE_DISABLED, BW_OVERRIDE_NONE, 100000, true },
		{ "none", BW_OVERRIDE_NONE, BW_OVERRIDE_NONE, 100000, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct bw_breaker record = overridden(rows[i].value, rows[i].value == BW_OVERRIDE_NONE ? 0 : AT(240));
		const struct bw_breaker_input in = { .now_ms = AT(rows[i].now), .calm = true };
		struct bw_transition t;

		bw_breaker_advance(&HOUR, &record, &in, &t);
		if (t.next.override_state != rows[i].expect || t.changed != rows[i].changed)
			fail_msg("%s: %s", rows[i].what, bw_override_name(t.next.override_state));
		assert_int_equal(t.event, BW_EVENT_NONE);
		assert_string_equal(t.next.override_owner, rows[i].changed ? "" : "ada");
		assert_string_equal(t.next.override_reason, rows[i].changed ? "" : "drill");
	}
}

static void disabled_never_trips(void **state)
{
	struct bw_breaker record = overridden(BW_OVERRIDE_DISABLED, AT(240));
	struct bw_breaker_input in = { .now_ms = AT(1), .over = true, .phase_senders = 9, .rule = BW_RULE_LIST_SENDERS };
	struct bw_transition t;

	(void)state;
	bw_breaker_step(&HOUR, &record, &in, &t);
	assert_false(t.changed);
	/* Time goes on beneath it. */
	record.phase = BW_PHASE_HALF_OPEN;
	record.until_ms = AT(60);
	bw_breaker_step(&HOUR, &record, &in, &t);
	assert_int_equal(t.next.phase, BW_PHASE_HALF_OPEN);
	in.now_ms = AT(60);
	bw_breaker_step(&HOUR, &record, &in, &t);
	assert_int_equal(t.next.phase, BW_PHASE_CLOSED);
	/* And when it ends, the very same message counts. */
	in.now_ms = AT(240);
	bw_breaker_step(&HOUR, &record, &in, &t);
	assert_int_equal(t.next.override_state, BW_OVERRIDE_NONE);
	assert_int_equal(t.event, BW_EVENT_TRIP);
}

static void operators_override(void **state)
{
	struct bw_breaker record = open_breaker(BW_RULE_LIST_SENDERS, T0, AT(30));
	struct bw_transition t;

	(void)state;
	/* Texts of a record that nobody ended: cut, never read past their size. */
	memset(record.override_owner, 'o', sizeof(record.override_owner));
	memset(record.override_reason, 'r', sizeof(record.override_reason));
	bw_breaker_override(&record, BW_OVERRIDE_FORCED_OPEN, T0, AT(240), &t);
	assert_true(t.changed);
	assert_int_equal(t.next.override_state, BW_OVERRIDE_FORCED_OPEN);
	assert_true(t.next.override_until_ms == AT(240));
	assert_int_equal(strlen(t.next.override_owner), BW_OWNER_BYTES - 1);
	assert_int_equal(strlen(t.next.override_reason), BW_REASON_BYTES - 1);
	assert_int_equal(t.next.phase, BW_PHASE_OPEN);
	assert_true(t.next.until_ms == AT(30));
	assert_int_equal(t.next.version, 7);

	struct bw_breaker forced = t.next;

	bw_breaker_override(&forced, BW_OVERRIDE_DISABLED, T0, AT(60), &t);
	assert_true(t.changed);
	assert_int_equal(t.next.override_state, BW_OVERRIDE_DISABLED);

	bw_breaker_override(&forced, BW_OVERRIDE_NONE, T0, AT(240), &t);
	assert_true(t.changed);
	assert_int_equal(t.next.override_state, BW_OVERRIDE_NONE);
	assert_true(t.next.override_until_ms == 0);
	assert_string_equal(t.next.override_owner, "");
	assert_int_equal(t.next.phase, BW_PHASE_OPEN);

	struct bw_breaker plain = t.next;

	bw_breaker_override(&plain, BW_OVERRIDE_NONE, T0, 0, &t);
	assert_false(t.changed);
	/* One that is over before it starts is none. */
	bw_breaker_override(&plain, BW_OVERRIDE_FORCED_OPEN, AT(5), AT(5), &t);
	assert_int_equal(t.next.override_state, BW_OVERRIDE_NONE);
	assert_false(t.changed);
}

static void extreme_times_have_an_answer(void **state)
{
	static const int64_t times[] = { INT64_MIN, -1, 0, 1, T0, INT64_MAX };
	static const enum bw_phase phases[] = { BW_PHASE_CLOSED, BW_PHASE_OPEN, BW_PHASE_HALF_OPEN };

	(void)state;
	for (size_t p = 0; p < COUNT_OF(phases); p++) {
		for (size_t i = 0; i < COUNT_OF(times) * COUNT_OF(times) * COUNT_OF(times); i++) {
			const int64_t a = times[i % 6], b = times[i / 6 % 6], d = times[i / 36];
			const struct bw_breaker_limits limits = { b, a, d, 100 };
			const struct bw_breaker record = { .phase = phases[p], .until_ms = a, .relapses = INT32_MAX, .trips = INT32_MAX };
			const struct bw_breaker_input in = {
				.now_ms = b, .last_ms = d, .calm = i % 2 == 0, .over = true, .phase_senders = d, .rule = BW_RULE_LIST_BUDGET
			};
			struct bw_transition t;

			bw_breaker_step(&limits, &record, &in, &t);
			assert_true(t.next.phase < BW_PHASE_COUNT);
			assert_true(t.next.relapses >= 0 && t.next.trips >= 0);
			if (t.event == BW_EVENT_TRIP)
				assert_true(t.next.until_ms >= in.now_ms);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walk),
		cmocka_unit_test(calm_begins),
		cmocka_unit_test(block_doubles_to_the_maximum),
		cmocka_unit_test(rule_of_the_trip_stays),
		cmocka_unit_test(overrides_expire),
		cmocka_unit_test(disabled_never_trips),
		cmocka_unit_test(operators_override),
		cmocka_unit_test(extreme_times_have_an_answer),
	};

	return cmocka_run_group_tests_name("policy/breaker", tests, NULL, NULL);
}
