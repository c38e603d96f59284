/* Meters: sums of amounts by key and slot of time (store.h: meter). */
#include <stdlib.h>
#include <string.h>

#include "sqlite-backend.h"
#include "store-internal.h"

struct metering {
	const struct bw_meter_in *in;
	int64_t *totals;
	size_t n;
};

static void add(struct bw_sqlite_lane *lane, const struct bw_meter_in *in, int64_t now_ms)
{
	int64_t until_ms = now_ms + 2 * in->window_ms + BW_METER_SLOT_MS;

	bw_sqlite_run(lane, BW_SQL_METER_ADD,
	              ARGS(INT(in->meter), HASH(&in->key), INT(bw_store_slot(now_ms)), INT(in->amount), INT(until_ms)));
}

/* A slot counts as long as its end is inside the window. What is later than now (tests give any time) is not yet. */
static int64_t sum(struct bw_sqlite_lane *lane, const struct bw_meter_in *in, int64_t now_ms)
{
	int64_t first = now_ms > in->window_ms ? bw_store_slot(now_ms - in->window_ms) : 0, total = 0;

	bw_sqlite_ints(lane, BW_SQL_METER_SUM, &total, 1,
	               ARGS(INT(in->meter), HASH(&in->key), INT(first), INT(bw_store_slot(now_ms))));
	return total;
}

static enum bw_err run_meter(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct metering *m = arg;

	(void)why;
	for (size_t i = 0; i < m->n && lane->rc == SQLITE_OK; i++) {
		if (m->in[i].amount > 0)
			add(lane, &m->in[i], bw_sqlite_now(lane, m->in[i].now_ms));
	}
	for (size_t i = 0; i < m->n && lane->rc == SQLITE_OK; i++)
		m->totals[i] = sum(lane, &m->in[i], bw_sqlite_now(lane, m->in[i].now_ms));
	return BW_OK;
}

enum bw_err bw_sqlite_meter(struct bw_store *s, const struct bw_meter_in *in, int64_t *totals, size_t n, struct bw_why *why)
{
	struct metering m = { in, calloc(n > 0 ? n : 1, sizeof(*totals)), n };
	enum bw_err err = bw_store_check_meter(in, n, why);

	if (err == BW_OK && m.totals == NULL)
		err = bw_fail(why, BW_ERR_MEMORY, "no memory for %zu meters", n);
	if (err == BW_OK && n > 0)
		err = bw_sqlite_do(bw_sqlite_of(s)->counting, BW_SQLITE_WRITE, run_meter, &m, why);
	if (err == BW_OK && n > 0)
		memcpy(totals, m.totals, n * sizeof(*totals));
	free(m.totals);
	return err;
}
