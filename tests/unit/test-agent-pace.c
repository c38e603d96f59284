/* link: bw_agent bw_base */
/* The pace of a release: canary, rounds, budget, and the end at a flare-up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bw/clock.h"
#include "bw/pace.h"

/* Lets up to `most` messages of `deliveries` each go from time 0, asking every `step_ms`; when each went. */
static int play(struct bw_pace *p, int64_t deliveries, int64_t step_ms, int most, int64_t *at)
{
	int n = 0;

	for (int64_t now = 0; n < most && now < 7 * BW_DAY_MS; now += step_ms) {
		while (n < most && bw_pace_next(p, now, false) == BW_PACE_SEND) {
			at[n++] = now;
			bw_pace_sent(p, now, deliveries);
		}
	}
	return n;
}

static void canary_and_rounds(void **state)
{
	/* So small that the budget never speaks. */
	static const int64_t expected[] = { 0, 60000, 60000, 120000, 120000, 120000, 120000, 180000 };
	struct bw_pace p;
	int64_t at[8];

	(void)state;
	bw_pace_start(&p, 1000000000, BW_MINUTE_MS, 0);
	assert_int_equal(play(&p, 1, 1, 8, at), 8);
	for (int i = 0; i < 8; i++)
		assert_in_range(at[i], expected[i], expected[i] + 10);
	assert_int_equal(p.sent, 8);
	assert_int_equal(p.deliveries, 8);
}

static void budget(void **state)
{
	static const struct {
		int64_t budget, deliveries, observe_ms, gap_ms;
	} cases[] = {
		{ 40000, 40000, 0, 60000 },          /* one a minute */
		{ 100000, 40000, 0, 24000 },         /* two and a half */
		{ 1000000, 40, 0, 3 },               /* rounded up */
		{ 1, 840000, 0, BW_DAY_MS },         /* one always fits, and the next one's day comes */
		{ 40000, 40000, 1000, 60000 },       /* watched while it waits for the budget anyway */
		{ 3, 0, 0, 0 },
		{ INT64_MAX, 840000, 0, 1 },         /* whoever writes to the store can order that */
		{ INT64_MIN, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bw_pace p;
		int64_t at[1] = { 0 };

		bw_pace_start(&p, cases[i].budget, cases[i].observe_ms, 0);
		assert_int_equal(play(&p, cases[i].deliveries, 1, 1, at), 1);
		assert_int_equal(p.next_ms, at[0] + cases[i].gap_ms);
		assert_int_equal(bw_pace_next(&p, p.next_ms, false), BW_PACE_SEND);
		if (p.next_ms > 0)
			assert_int_equal(bw_pace_next(&p, p.next_ms - 1, false), BW_PACE_WAIT);
	}
}

/* However often it is asked, an hour has no more than the budget and one message. */
static void an_hour(void **state)
{
	static const int64_t steps_ms[] = { 100, 1000, 7000 };

	(void)state;
	for (size_t i = 0; i < sizeof(steps_ms) / sizeof(steps_ms[0]); i++) {
		struct bw_pace p;
		int64_t at[2000], in_hour = 0;

		bw_pace_start(&p, 10000, 0, 0);
		assert_int_equal(play(&p, 1000, steps_ms[i], 1000, at), 1000);
		for (int k = 0; k < 1000; k++)
			in_hour += at[k] < BW_HOUR_MS ? 1000 : 0;
		assert_in_range(in_hour, steps_ms[i] < 2000 ? 540000 : 400000, 601000);
	}
}

/* One that comes late makes nothing up: no burst after a pause. */
static void no_burst(void **state)
{
	struct bw_pace p;

	(void)state;
	bw_pace_start(&p, 1000, 0, 0);
	bw_pace_sent(&p, 0, 1000);
	assert_int_equal(bw_pace_next(&p, BW_HOUR_MS, false), BW_PACE_SEND);
	bw_pace_sent(&p, BW_HOUR_MS, 1000);
	assert_int_equal(bw_pace_next(&p, BW_HOUR_MS + 1, false), BW_PACE_WAIT);
}

/* Each comes a little late: what was lost is made up by the next, and an hour still has its whole budget. */
static void a_little_late(void **state)
{
	struct bw_pace p;
	int64_t now = 0, sent = 0;

	(void)state;
	bw_pace_start(&p, 60000, 0, 0);
	for (; p.next_ms < BW_HOUR_MS; sent++) {
		now = p.next_ms + 400; /* of a second between two */
		assert_int_equal(bw_pace_next(&p, now, false), BW_PACE_SEND);
		bw_pace_sent(&p, now, 1000);
	}
	assert_in_range(sent, 3599, 3600);
}

static void a_flare_up_ends_it(void **state)
{
	struct bw_pace p;

	(void)state;
	bw_pace_start(&p, 1000000, 1000, 0);
	assert_int_equal(bw_pace_next(&p, 0, false), BW_PACE_SEND);
	bw_pace_sent(&p, 0, 10);
	assert_int_equal(bw_pace_next(&p, 500, false), BW_PACE_WAIT);
	assert_int_equal(bw_pace_next(&p, 600, true), BW_PACE_STOP);
	assert_int_equal(bw_pace_next(&p, BW_DAY_MS, false), BW_PACE_STOP);
	assert_int_equal(p.sent, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(canary_and_rounds), cmocka_unit_test(budget),   cmocka_unit_test(an_hour),
		cmocka_unit_test(no_burst),          cmocka_unit_test(a_little_late),
		cmocka_unit_test(a_flare_up_ends_it),
	};

	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
