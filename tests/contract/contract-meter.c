/* Meters: sums over a sliding window, by all who share the store. */
#include "contract.h"

#include <pthread.h>
#include <stdio.h>

enum { SLOT = BW_METER_SLOT_MS, THREADS = 8, CALLS = 25, MANY = 3000 };

static int64_t ask(struct bw_store *s, int64_t now_ms, enum bw_meter meter, const char *key, int64_t amount)
{
	struct bw_meter_in in = { .now_ms = now_ms, .meter = meter, .key = hash_of(key), .amount = amount, .window_ms = HOUR };
	int64_t total = -1;

	assert_ok(s->ops->meter(s, &in, &total, 1, &why));
	return total;
}

static void sums_by_key_and_meter(void **state)
{
	struct bw_store *s = STORE(state);

	assert_int_equal(ask(s, T0, BW_METER_RECIPIENTS, "jane", 0), 0);
	assert_int_equal(ask(s, T0, BW_METER_RECIPIENTS, "jane", 1500), 1500);
	assert_int_equal(ask(s, T0 + 1, BW_METER_RECIPIENTS, "jane", 501), 2001);
	assert_int_equal(ask(s, T0 + 1, BW_METER_POSTS, "jane", 1), 1);
	assert_int_equal(ask(s, T0 + 1, BW_METER_RECIPIENTS, "joe", 3), 3);
	assert_int_equal(ask(s, T0 + 1, BW_METER_RECIPIENTS, "jane", 0), 2001);
	assert_int_equal(ask(s, T0 + 1, BW_METER_DELIVERIES, NULL, BW_METER_AMOUNT_MAX), BW_METER_AMOUNT_MAX);
	assert_int_equal(ask(s, T0 + 1, BW_METER_DELIVERIES, NULL, BW_METER_AMOUNT_MAX), 2 * BW_METER_AMOUNT_MAX);
}

/* Never forgotten before the window is over, and at most one slot later. */
static void the_window_slides(void **state)
{
	static const struct {
		int64_t after_ms, total;
	} rows[] = {
		{ 0, 7 },
		{ HOUR - 1, 7 },
		{ HOUR + SLOT, 0 },
		{ 2 * HOUR, 0 },
	};
	struct bw_store *s = STORE(state);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int64_t at = 0; at <= SLOT; at += SLOT / 4) {
			char key[32];

			snprintf(key, sizeof(key), "k%zu-%lld", i, (long long)at);
			assert_int_equal(ask(s, T0 + at, BW_METER_MAILBOX, key, 7), 7);
			assert_int_equal(ask(s, T0 + at + rows[i].after_ms, BW_METER_MAILBOX, key, 0), rows[i].total);
		}
	}
	/* One after the other, not all at once. */
	for (int minute = 0; minute < 60; minute++)
		ask(s, T0 + minute * MINUTE, BW_METER_MAILBOX, "steady", 1);
	assert_int_equal(ask(s, T0 + 59 * MINUTE, BW_METER_MAILBOX, "steady", 0), 60);
	assert_int_equal(ask(s, T0 + 90 * MINUTE + SLOT, BW_METER_MAILBOX, "steady", 0), 29);
}

/* A window that is widened finds what is older than the window of before. */
static void windows_are_arguments(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_meter_in in = { T0, BW_METER_RECIPIENTS, hash_of("jane"), 5, HOUR };
	int64_t total;

	assert_ok(s->ops->meter(s, &in, &total, 1, &why));
	in = (struct bw_meter_in){ T0 + 100 * MINUTE, BW_METER_RECIPIENTS, hash_of("jane"), 0, HOUR };
	assert_ok(s->ops->meter(s, &in, &total, 1, &why));
	assert_int_equal(total, 0);
	in.window_ms = 2 * HOUR;
	assert_ok(s->ops->meter(s, &in, &total, 1, &why));
	assert_int_equal(total, 5);
	in.window_ms = 10 * MINUTE;
	assert_ok(s->ops->meter(s, &in, &total, 1, &why));
	assert_int_equal(total, 0);
}

/* Many keys in one call, and one key several times: each sum holds the whole call. */
static void batches(void **state)
{
	static struct bw_meter_in in[MANY];
	static int64_t totals[MANY];
	struct bw_store *s = STORE(state);
	char key[32];

	for (int round = 1; round <= 2; round++) {
		for (int i = 0; i < MANY; i++) {
			snprintf(key, sizeof(key), "key %d", i % (MANY - 10));
			in[i] = (struct bw_meter_in){ T0 + i % 100, BW_METER_MAILBOX, hash_of(key), i % 3, HOUR };
		}
		assert_ok(s->ops->meter(s, in, totals, MANY, &why));
		for (int i = 0; i < MANY; i++) {
			int64_t twin = i < 10 ? (i + MANY - 10) % 3 : i >= MANY - 10 ? (i - (MANY - 10)) % 3 : 0;

			assert_int_equal(totals[i], round * (i % 3 + twin));
		}
	}
	assert_ok(s->ops->meter(s, in, totals, 0, &why));
}

static void refusals(void **state)
{
	static const struct {
		struct bw_meter_in in;
		enum bw_err err;
	} rows[] = {
		{ { .meter = BW_METER_COUNT, .window_ms = HOUR }, BW_ERR_INPUT },
		{ { .meter = BW_METER_POSTS, .window_ms = HOUR, .amount = -1 }, BW_ERR_RANGE },
		{ { .meter = BW_METER_POSTS, .window_ms = HOUR, .amount = BW_METER_AMOUNT_MAX + 1 }, BW_ERR_RANGE },
		{ { .meter = BW_METER_POSTS, .window_ms = 0 }, BW_ERR_RANGE },
		{ { .meter = BW_METER_POSTS, .window_ms = HOUR, .now_ms = -1 }, BW_ERR_RANGE },
	};
	struct bw_store *s = STORE(state);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t total = 42;

		assert_int_equal(s->ops->meter(s, &rows[i].in, &total, 1, NULL), rows[i].err);
		assert_int_equal(total, 42);
	}
}

static void the_stores_own_clock(void **state)
{
	struct bw_store *s = STORE(state);

	assert_int_equal(ask(s, 0, BW_METER_RECIPIENTS, "now", 2), 2);
	assert_int_equal(ask(s, 0, BW_METER_RECIPIENTS, "now", 3), 5);
}

/* What is garbage goes; what still counts stays. */
static void expiry(void **state)
{
	struct bw_store *s = STORE(state);

	ask(s, T0, BW_METER_RECIPIENTS, "old", 4);
	ask(s, T0 + 2 * HOUR, BW_METER_RECIPIENTS, "young", 4);
	assert_ok(s->ops->expire(s, T0 + 2 * HOUR + 2 * SLOT, WEEK, &why));
	assert_int_equal(ask(s, T0 + 2 * HOUR + 2 * SLOT, BW_METER_RECIPIENTS, "young", 0), 4);
	assert_int_equal(ask(s, T0 + 1, BW_METER_RECIPIENTS, "young", 0), 0); /* it has not happened yet */
}

struct adder {
	struct bw_store *store;
	int64_t greatest;
};

static void *add(void *arg)
{
	struct adder *a = arg;

	for (int i = 0; i < CALLS; i++) {
		struct bw_meter_in in[2] = { { T0, BW_METER_RECIPIENTS, hash_of("all"), 1, HOUR },
			                         { T0, BW_METER_POSTS, hash_of("all"), 2, HOUR } };
		int64_t totals[2] = { 0 };

		if (a->store->ops->meter(a->store, in, totals, 2, NULL) == BW_OK && totals[0] > a->greatest)
			a->greatest = totals[0];
	}
	return NULL;
}

/* Nothing is lost and nothing seen twice, whoever adds at the same time; two daemons are two opens. */
static void adders_at_once(void **state)
{
	struct adder adders[THREADS];
	pthread_t threads[THREADS];
	struct bw_store *second = backend->shared ? backend->open(DIR(state), NULL) : NULL;
	int64_t greatest = 0;

	for (int i = 0; i < THREADS; i++) {
		adders[i] = (struct adder){ second != NULL && i % 2 == 0 ? second : STORE(state), 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, add, &adders[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		greatest = adders[i].greatest > greatest ? adders[i].greatest : greatest;
	}
	assert_int_equal(greatest, THREADS * CALLS);
	assert_int_equal(ask(STORE(state), T0, BW_METER_POSTS, "all", 0), 2 * THREADS * CALLS);
	bw_store_close(&second);
}

int run_meter(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sums_by_key_and_meter),
		TEST(the_window_slides),
		TEST(windows_are_arguments),
		TEST(batches),
		TEST(refusals),
		TEST(the_stores_own_clock),
		TEST(expiry),
		TEST(adders_at_once),
	};

	return cmocka_run_group_tests_name("meter", tests, NULL, NULL);
}
