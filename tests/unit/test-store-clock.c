/* link: bw_store bw_base */
/* Store time never goes back and never stands still, whatever wall time does. */
#include "../../milter/store/store-internal.h"
#include "store-kit.h"

#include <time.h>

/* --- the rule --- */

static void test_rule(void **state)
{
	static const struct {
		const char *what;
		int64_t seen_ms, monotonic_ms, least_ms; /* seen 0: nothing new; then the least at monotonic_ms */
	} steps[] = {
		{ "nothing was seen", 0, 1000, 0 },
		{ "wall time leads", 500000, 1000, 500000 },
		{ "nine tenths later", 0, 2000, 500900 },
		{ "wall time leads again", 501000, 2000, 501000 },
		{ "an older time changes nothing", 400000, 2000, 501000 },
		{ "a day ahead", 86901000, 2000, 86901000 },
		{ "wall time was set back: store time goes on", 502000, 12000, 86910000 },
		{ "until it is caught up", 87000000, 100000, 87000000 },
	};
	struct bw_store_clock c;

	(void)state;
	bw_store_clock_init(&c);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i].seen_ms > 0)
			bw_store_clock_saw(&c, steps[i].seen_ms, steps[i].monotonic_ms);
		if (bw_store_clock_least(&c, steps[i].monotonic_ms) != steps[i].least_ms)
			fail_msg("%s: %lld", steps[i].what, (long long)bw_store_clock_least(&c, steps[i].monotonic_ms));
	}
}

static void test_still(void **state)
{
	struct bw_store_clock c;

	(void)state;
	bw_store_clock_init(&c);
	c.still = true;
	bw_store_clock_saw(&c, 5000, 100);
	assert_int_equal(bw_store_clock_least(&c, 999999), 5000);
}

/* --- a store whose clock was a day ahead --- */

static int64_t time_of(struct bw_store *s)
{
	int64_t now_ms = 0;

	assert_int_equal(s->ops->now(s, &now_ms, NULL), BW_OK);
	return now_ms;
}

/* Windows forget and blocks end although wall time has a day to catch up. */
static void test_set_back(void **state)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	const int64_t ahead_ms = bw_clock_now_ms() + BW_DAY_MS;
	struct bw_event_row row = { .at_ms = ahead_ms, .event = BW_EVENT_OPERATOR, .text = BW_S("x") };
	struct bw_store *s = kit_open(5000);
	struct bw_count_out out;

	(void)state;
	assert_int_equal(s->ops->event_add(s, &row, NULL), BW_OK);
	assert_int_equal(kit_count(s, ahead_ms, "m", "", &out, NULL), BW_OK);
	int64_t first_ms = time_of(s);

	assert_true(first_ms >= ahead_ms);
	nanosleep(&pause, NULL);
	assert_true(time_of(s) >= first_ms + 80);
	bw_store_close(&s);
	/* And after a restart. */
	s = kit_open(5000);
	first_ms = time_of(s);
	assert_true(first_ms >= ahead_ms - BW_SECOND_MS);
	assert_int_equal(kit_count(s, 0, "n", "", &out, NULL), BW_OK);
	nanosleep(&pause, NULL);
	assert_true(time_of(s) >= out.now_ms + 80);
	bw_store_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule),
		cmocka_unit_test(test_still),
		KIT_TEST(test_set_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
