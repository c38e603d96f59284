/* link: bw_engine bw_mail bw_policy bw_settings bw_store bw_config bw_directory bw_base */
/* The daemon's table of meters: what it knows at once, what it learns, what it hands over, and what a flood of keys does to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "../../milter/engine/blocked.h"
#include "../../milter/engine/meters.h"
#include "bw/clock.h"

#define T0   INT64_C(1479112140000)
#define HOUR BW_HOUR_MS

static const int64_t windows[BW_METER_COUNT] = { HOUR, HOUR, 10 * BW_MINUTE_MS, BW_MINUTE_MS };

struct scene {
	struct bw_store *store, *faulty;
	struct bw_meters *meters;
};

static int setup(void **state)
{
	static struct scene c;

	if (bw_store_sqlite_open(":memory:", 100, &c.store, NULL) != BW_OK)
		return -1;
	c.faulty = bw_store_faulty_new(c.store, 50);
	c.meters = bw_meters_new();
	bw_meters_set_virtual(c.meters);
	*state = &c;
	return c.faulty == NULL || c.meters == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	struct scene *c = *state;

	bw_meters_free(&c->meters);
	bw_store_close(&c->faulty);
	return 0;
}

static struct bw_meter_key key(const char *name, int64_t limit)
{
	static const struct bw_key secret = { { 7 } };

	return (struct bw_meter_key){ BW_METER_RECIPIENTS, bw_hash_slice(&secret, "t", bw_slice_of(name)), HOUR, limit };
}

/* What the store knows of a key. */
static int64_t stored(struct scene *c, const struct bw_meter_key *k, int64_t now_ms)
{
	struct bw_meter_in in = { now_ms, k->meter, k->key, 0, k->window_ms };
	int64_t total = -1;

	assert_int_equal(c->store->ops->meter(c->store, &in, &total, 1, NULL), BW_OK);
	return total;
}

/* Another daemon's share. */
static void elsewhere(struct scene *c, const struct bw_meter_key *k, int64_t now_ms, int64_t amount)
{
	struct bw_meter_in in = { now_ms, k->meter, k->key, amount, k->window_ms };
	int64_t total;

	assert_int_equal(c->store->ops->meter(c->store, &in, &total, 1, NULL), BW_OK);
}

static void known_at_once(void **state)
{
	struct scene *c = *state;
	const struct bw_meter_key k = key("jane", 2000);

	assert_int_equal(bw_meters_total(c->meters, &k, T0), 0);
	assert_true(bw_meters_add_within(c->meters, &k, 1999, T0));
	assert_true(bw_meters_add_within(c->meters, &k, 1, T0));
	assert_false(bw_meters_add_within(c->meters, &k, 1, T0));
	assert_int_equal(bw_meters_total(c->meters, &k, T0), 2000);
	assert_int_equal(stored(c, &k, T0), 0); /* ordinary mail asks no store */
	assert_int_equal(bw_meters_add(c->meters, &k, 5, T0), 2005);
	bw_meters_take_back(c->meters, &k, 5, T0);
	assert_int_equal(bw_meters_total(c->meters, &k, T0), 2000);
	const struct bw_meter_key big = key("big", 10);

	assert_false(bw_meters_add_within(c->meters, &big, 11, T0));
	assert_int_equal(bw_meters_total(c->meters, &big, T0), 0);
}

static void handed_over_once(void **state)
{
	struct scene *c = *state;
	const struct bw_meter_key k = key("jane", 2000);

	bw_meters_add(c->meters, &k, 700, T0);
	assert_true(bw_meters_flush(c->meters, c->faulty, windows, T0));
	assert_int_equal(stored(c, &k, T0), 700);
	assert_true(bw_meters_flush(c->meters, c->faulty, windows, T0 + 1000));
	assert_int_equal(stored(c, &k, T0 + 1000), 700);
	assert_int_equal(bw_meters_total(c->meters, &k, T0 + 1000), 700);
	/* Others' shares are known after one flush of ours, */
	elsewhere(c, &k, T0 + 1000, 1000);
	bw_meters_add(c->meters, &k, 1, T0 + 2000);
	assert_true(bw_meters_flush(c->meters, c->faulty, windows, T0 + 2000));
	assert_int_equal(bw_meters_total(c->meters, &k, T0 + 2000), 1701);
	/* or when asked for; but not more often than every second. */
	elsewhere(c, &k, T0 + 2000, 100);
	bw_meters_ask(c->meters, c->faulty, &k, T0 + 2500);
	assert_int_equal(bw_meters_total(c->meters, &k, T0 + 2500), 1701);
	bw_meters_add(c->meters, &k, 1, T0 + 3100);
	bw_meters_ask(c->meters, c->faulty, &k, T0 + 3100);
	assert_int_equal(bw_meters_total(c->meters, &k, T0 + 3100), 1802);
	assert_int_equal(stored(c, &k, T0 + 3100), 1802);
	/* The window slides in the store: asked much later, it is empty. */
	bw_meters_ask(c->meters, c->faulty, &k, T0 + HOUR + 20000);
	assert_int_equal(bw_meters_total(c->meters, &k, T0 + HOUR + 20000), 0);
}

static void a_store_that_fails(void **state)
{
	struct scene *c = *state;
	const struct bw_meter_key k = key("jane", 2000);

	bw_meters_add(c->meters, &k, 10, T0);
	bw_store_faulty_set(c->faulty, true, 0);
	assert_false(bw_meters_flush(c->meters, c->faulty, windows, T0));
	bw_meters_add(c->meters, &k, 5, T0 + 100);
	bw_meters_ask(c->meters, c->faulty, &k, T0 + 2000);
	assert_int_equal(bw_meters_total(c->meters, &k, T0 + 2000), 15);
	assert_false(bw_meters_flush(c->meters, c->faulty, windows, T0 + 2000));
	bw_store_faulty_set(c->faulty, false, 0);
	assert_true(bw_meters_flush(c->meters, c->faulty, windows, T0 + 3000)); /* the batch that waited, */
	assert_true(bw_meters_flush(c->meters, c->faulty, windows, T0 + 3001)); /* and what came since */
	assert_int_equal(stored(c, &k, T0 + 3001), 15);
	assert_int_equal(bw_meters_total(c->meters, &k, T0 + 3001), 15);
	/* Away for longer than every window: what waited is past. */
	bw_meters_add(c->meters, &k, 1, T0 + 4000);
	bw_store_faulty_set(c->faulty, true, 0);
	assert_false(bw_meters_flush(c->meters, c->faulty, windows, T0 + 4000));
	bw_store_faulty_set(c->faulty, false, 0);
	assert_true(bw_meters_flush(c->meters, c->faulty, windows, T0 + 3 * HOUR));
	assert_int_equal(stored(c, &k, T0 + 3 * HOUR), 0);
	assert_int_equal(bw_meters_total(c->meters, &k, T0 + 3 * HOUR), 0);
}

/* A million fresh keys beside one that counted: it stays, memory is what it was, and nothing is lost that was counted. */
static void a_flood_of_keys(void **state)
{
	enum { KEYS = 1000000, EVERY = 4000 };
	struct scene *c = *state;
	const struct bw_meter_key heavy = key("victim", 0);
	struct bw_meters_figures figures;
	struct bw_meter_key k = heavy;
	int64_t handed = 0;

	bw_meters_add(c->meters, &heavy, 90, T0);
	for (uint32_t i = 0; i < KEYS; i++) {
		k.key.b[8] = 1; /* never the victim's */
		uint64_t mixed = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);

		memcpy(k.key.b, &mixed, sizeof(mixed));
		memcpy(k.key.b + 9, &i, sizeof(i));
		bw_meters_add(c->meters, &k, 1, T0 + i / 1000);
		if (i % EVERY == 0 && i < 40 * EVERY)
			assert_true(bw_meters_flush(c->meters, c->faulty, windows, T0 + i / 1000));
	}
	assert_int_equal(bw_meters_total(c->meters, &heavy, T0 + 1000), 90);
	bw_meters_figures(c->meters, &figures);
	assert_true(figures.evicted > 0 && figures.spilled > 0 && figures.uncounted > 0);
	for (int i = 0; i < 200; i++)
		assert_true(bw_meters_flush(c->meters, c->faulty, windows, T0 + 2000 + i));
	/* Every key that found a place reached the store, evicted or not. */
	for (uint32_t i = 0; i < KEYS; i++) {
		uint64_t mixed = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);

		if (i % 37 != 0)
			continue;
		memcpy(k.key.b, &mixed, sizeof(mixed));
		memcpy(k.key.b + 9, &i, sizeof(i));
		handed += stored(c, &k, T0 + 2300);
	}
	int64_t expected = (KEYS - figures.uncounted) / 37;

	/* A sample of one in 37. */
	assert_in_range(handed, expected - expected / 10, expected + expected / 10);
	assert_int_equal(stored(c, &heavy, T0 + 2300), 90);
}

/* Exactly: with room in the spill, whatever came is in the store. */
static void nothing_evicted_is_lost(void **state)
{
	enum { KEYS = 100000, EVERY = 1000 };
	struct scene *c = *state;
	struct bw_meter_key k = key("x", 0);
	struct bw_meters_figures figures;
	int64_t sum = 0;

	for (uint32_t i = 0; i < KEYS; i++) {
		uint64_t mixed = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);

		memcpy(k.key.b, &mixed, sizeof(mixed));
		bw_meters_add(c->meters, &k, 1, T0);
		if (i % EVERY == 0)
			assert_true(bw_meters_flush(c->meters, c->faulty, windows, T0));
	}
	for (int i = 0; i < 100; i++)
		assert_true(bw_meters_flush(c->meters, c->faulty, windows, T0));
	bw_meters_figures(c->meters, &figures);
	assert_true(figures.evicted > 0);
	assert_int_equal(figures.uncounted, 0);
	for (uint32_t i = 0; i < KEYS; i++) {
		uint64_t mixed = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);

		memcpy(k.key.b, &mixed, sizeof(mixed));
		sum += stored(c, &k, T0);
	}
	assert_int_equal(sum, KEYS);
}

static void suspicion_stays_here(void **state)
{
	struct scene *c = *state;
	const struct bw_meter_key k = key("root", 100);

	for (int i = 1; i <= 50; i++)
		assert_int_equal(bw_meters_note(c->meters, &k, T0 + i), i);
	assert_int_equal(bw_meters_total(c->meters, &k, T0 + 50), 0);
	assert_true(bw_meters_flush(c->meters, c->faulty, windows, T0 + 50));
	assert_int_equal(stored(c, &k, T0 + 50), 0);
	assert_int_equal(bw_meters_note(c->meters, &k, T0 + HOUR + 1), 1);
}

enum { THREADS = 8, ADDS = 20000 };

static void *add_many(void *arg)
{
	struct scene *c = arg;
	const struct bw_meter_key k = key("jane", THREADS * ADDS / 2);
	intptr_t passed = 0;

	for (int i = 0; i < ADDS; i++)
		passed += bw_meters_add_within(c->meters, &k, 1, T0);
	return (void *)passed;
}

/* Eight threads and a flushing one: exactly the limit passes. */
static void the_limit_is_exact(void **state)
{
	struct scene *c = *state;
	pthread_t threads[THREADS];
	const struct bw_meter_key k = key("jane", 0);
	intptr_t passed = 0;

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, c), 0);
	for (int i = 0; i < 50; i++)
		assert_true(bw_meters_flush(c->meters, c->faulty, windows, T0));
	for (int i = 0; i < THREADS; i++) {
		void *n;

		pthread_join(threads[i], &n);
		passed += (intptr_t)n;
	}
	assert_int_equal(passed, THREADS * ADDS / 2);
	assert_true(bw_meters_flush(c->meters, c->faulty, windows, T0));
	assert_int_equal(stored(c, &k, T0), THREADS * ADDS / 2);
}

static void blocked_rows(void **state)
{
	struct bw_blocked *b = bw_blocked_new();
	const struct bw_breaker open = { .phase = BW_PHASE_OPEN, .version = 3 }, closed = { .version = 4 };
	const struct bw_hash jane = key("jane", 0).key, joe = key("joe", 0).key;
	struct bw_breaker found = { .version = 99 };

	(void)state;
	assert_non_null(b);
	assert_false(bw_blocked_any(b) || bw_blocked_find(b, &jane, &found));
	assert_int_equal(found.version, 99);
	bw_blocked_put(b, &jane, BW_S("auth:jane"), &open);
	assert_true(bw_blocked_find(b, &jane, &found) && found.version == 3);
	/* A listing that began before our own change does not undo it. */
	uint64_t start = bw_blocked_start(b);

	bw_blocked_put(b, &joe, BW_S("auth:joe"), &open);
	bw_blocked_end(b, start);
	assert_false(bw_blocked_find(b, &jane, &found)); /* not listed: closed elsewhere */
	assert_true(bw_blocked_find(b, &joe, &found));
	start = bw_blocked_start(b);
	bw_blocked_listed(b, start, &jane, BW_S("auth:jane"), &open);
	bw_blocked_put(b, &joe, BW_S("auth:joe"), &closed);
	bw_blocked_end(b, start);
	assert_true(bw_blocked_find(b, &jane, &found));
	assert_false(bw_blocked_find(b, &joe, &found));
	/* Bounded: what finds no place is found in the store when it is over a limit again. */
	for (int i = 0; i < 2 * BW_BLOCKED_MAX; i++) {
		char name[32];

		snprintf(name, sizeof(name), "many %d", i);
		bw_blocked_put(b, &(struct bw_hash){ { (uint8_t)i, (uint8_t)(i >> 8), 1 } }, bw_slice_of(name), &open);
	}
	assert_true(bw_blocked_find(b, &jane, &found));
	struct bw_blocked_row row;
	size_t at = 0, rows = 0;

	while (bw_blocked_next(b, &at, &row))
		rows++;
	assert_int_equal(rows, BW_BLOCKED_MAX);
	bw_blocked_free(&b);
	assert_null(b);
}

#define SCENE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(known_at_once),           SCENE(handed_over_once),     SCENE(a_store_that_fails), SCENE(a_flood_of_keys),
		SCENE(nothing_evicted_is_lost), SCENE(suspicion_stays_here), SCENE(the_limit_is_exact), cmocka_unit_test(blocked_rows),
	};

	return cmocka_run_group_tests_name("engine/meters", tests, NULL, NULL);
}
