/* link: bw_agent bw_store bw_base */
/* One agent of all tells: the first by name that lives, and nobody what another one has told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../milter/agent/leader.h"

static int64_t now_ms;

static int64_t clock_ms(void *ctx)
{
	(void)ctx;
	return now_ms;
}

static struct bw_store *open_store(void)
{
	struct bw_store *s = NULL;

	now_ms = INT64_C(4102444800000);
	assert_int_equal(bw_store_sqlite_open(":memory:", 100, &s, NULL), BW_OK);
	bw_store_sqlite_set_clock(s, clock_ms, NULL);
	return s;
}

static void beat(struct bw_store *s, const char *host)
{
	const struct bw_host_row row = { .host = bw_slice_of(host), .version = BW_S("1"), .seen_ms = 1, .format = 1 };

	assert_int_equal(s->ops->heartbeat(s, &row, NULL), BW_OK);
}

static bool looks(struct bw_store *s, const char *host, int64_t every_ms)
{
	bool leads = false;

	assert_int_equal(leader_look(s, host, every_ms, &leads, NULL), BW_OK);
	return leads;
}

static void the_first_that_lives(void **state)
{
	static const struct {
		int64_t after_s;
		const char *host;
		bool leads;
	} looks_at[] = {
		{ 0, "mx2", true },  /* nobody else has been seen yet */
		{ 0, "mx1", true },  { 1, "mx2", false }, { 0, "mx3", false }, { 5, "mx1", true }, { 5, "mx2", false },
		{ 50, "mx2", true }, /* mx1 is silent */
		{ 1, "mx3", false }, { 1, "mx1", true },  { 1, "mx2", false },
		{ 60, "mx3", true }, /* both are */
	};
	struct bw_store *s = open_store();

	(void)state;
	beat(s, "mx1"); /* the daemon's; that of mx4 lives on a host without an agent, and that of mx0 has ended long ago */
	beat(s, "mx2");
	beat(s, "mx3");
	beat(s, "mx4");
	beat(s, "mx0");
	for (size_t i = 0; i < sizeof(looks_at) / sizeof(looks_at[0]); i++) {
		now_ms += looks_at[i].after_s * BW_SECOND_MS;
		if (looks(s, looks_at[i].host, 5000) != looks_at[i].leads)
			fail_msg("look %zu of %s", i, looks_at[i].host);
	}
	/* Looks that are far apart make nobody dead. */
	assert_true(looks(s, "mx1", 10 * BW_MINUTE_MS));
	now_ms += 9 * BW_MINUTE_MS;
	assert_false(looks(s, "mx2", 10 * BW_MINUTE_MS));
	bw_store_close(&s);
}

static void what_was_told(void **state)
{
	const struct bw_hash what = { { 1 } }, other = { { 2 } };
	struct bw_store *s = open_store();
	bool told = true;

	(void)state;
	assert_int_equal(leader_is_told(s, &what, BW_HOUR_MS, &told, NULL), BW_OK);
	assert_false(told);
	assert_int_equal(leader_tell(s, &what, BW_HOUR_MS, NULL), BW_OK);
	assert_int_equal(leader_is_told(s, &what, BW_HOUR_MS, &told, NULL), BW_OK);
	assert_true(told);
	assert_int_equal(leader_is_told(s, &other, BW_HOUR_MS, &told, NULL), BW_OK);
	assert_false(told);
	now_ms += BW_HOUR_MS + 20 * BW_SECOND_MS;
	assert_int_equal(leader_is_told(s, &what, BW_HOUR_MS, &told, NULL), BW_OK);
	assert_false(told);
	bw_store_close(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(the_first_that_lives), cmocka_unit_test(what_was_told) };

	return cmocka_run_group_tests_name("leader", tests, NULL, NULL);
}
