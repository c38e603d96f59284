/* Collects what is past its time. Nothing depends on it: times decide what counts, this only keeps the file small. Each call
 * goes a piece further through every table and starts over at the end. */
#include "bw/clock.h"
#include "sqlite-backend.h"
#include "sqlite-tally.h"
#include "store-internal.h"

enum {
	TALLIES_A_CALL = 128,
	METERS_A_CALL = 8192,
	ROWS_A_CALL = 1024 /* looked at in each table, and removed of each tally */
};

/* Ledger entries that are done with, and events, outlive the memory: an incident is looked into for 90 days. */
#define HISTORY_MS (90 * BW_DAY_MS)

struct expiry {
	int64_t now_ms, cutoff_ms; /* what happened at the cutoff or before it is past */
};

/* --- tallies --- */

static bool breaker_is_past(const struct bw_sqlite_tally *t, const struct expiry *e)
{
	const struct bw_breaker *b = &t->breaker;

	if (b->override_state != BW_OVERRIDE_NONE && b->override_until_ms > e->now_ms)
		return false;
	/* Without an attempt for so long it would have closed long ago. */
	return b->until_ms <= e->cutoff_ms && b->since_ms <= e->cutoff_ms && t->last_ms <= e->cutoff_ms;
}

static void sweep_tally(struct bw_sqlite_lane *lane, int64_t id, const struct expiry *e)
{
	struct bw_sqlite_tally t;
	int64_t some;

	bw_sqlite_tally_load(lane, id, &t);
	/* Standings first: they are found through the log. */
	bw_sqlite_run(lane, BW_SQL_SWEEP_STANDINGS, ARGS(INT(id), INT(e->cutoff_ms), INT(ROWS_A_CALL)));
	t.changed = bw_sqlite_run(lane, BW_SQL_SWEEP_LOG, ARGS(INT(id), INT(e->cutoff_ms), INT(ROWS_A_CALL))) > 0;
	/* A memo that still counted what is gone now starts anew. */
	for (int i = 0; t.changed && i < BW_MEMO_COUNT; i++) {
		if (t.memos[i].edge_ms < e->cutoff_ms)
			bw_sqlite_memo_reset(&t.memos[i]);
	}
	if (t.breaker.version != 0 && breaker_is_past(&t, e)) {
		bw_sqlite_run(lane, BW_SQL_BREAKER_DELETE, ARGS(INT(id)));
		t.breaker.version = 0;
	}
	if (t.breaker.version == 0 && t.last_ms <= e->cutoff_ms && !bw_sqlite_ints(lane, BW_SQL_SWEEP_ENTRY, &some, 1, ARGS(INT(id))))
		bw_sqlite_run(lane, BW_SQL_TALLY_DELETE, ARGS(INT(id)));
	else
		bw_sqlite_tally_store(lane, &t);
}

static enum bw_err sweep_tallies(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	int64_t *at = &lane->store->sweep.tally;
	const struct expiry *e = arg;

	(void)why;
	for (int n = 0; n < TALLIES_A_CALL && lane->rc == SQLITE_OK; n++) {
		if (!bw_sqlite_ints(lane, BW_SQL_SWEEP_TALLIES, at, 1, ARGS(INT(*at)))) {
			*at = 0;
			break;
		}
		sweep_tally(lane, *at, e);
	}
	return BW_OK;
}

/* --- tables whose rows are past or not by themselves --- */

struct table {
	enum bw_sql look, drop;
	size_t drop_args;
};

/* In this order: conversations go after their tallies, keys after their conversations, lists last. */
static const struct table tables[BW_SQLITE_SWEPT_COUNT] = {
	[BW_SQLITE_SWEPT_CONVERSATIONS] = { BW_SQL_SWEEP_CONVERSATIONS, BW_SQL_DROP_CONVERSATION, 1 },
	[BW_SQLITE_SWEPT_ROOTS] = { BW_SQL_SWEEP_ROOTS, BW_SQL_DROP_ROOT, 1 }, /* of those that go on: who began them */
	[BW_SQLITE_SWEPT_KEYS] = { BW_SQL_SWEEP_KEYS, BW_SQL_DROP_KEY, 3 },
	[BW_SQLITE_SWEPT_MESSAGES] = { BW_SQL_SWEEP_MESSAGES, BW_SQL_DROP_MESSAGE, 3 },
	[BW_SQLITE_SWEPT_PARTS] = { BW_SQL_SWEEP_PARTS, BW_SQL_DROP_PART, 4 },
	[BW_SQLITE_SWEPT_LISTS] = { BW_SQL_SWEEP_LISTS, BW_SQL_DROP_LIST, 1 },
};

/* Reads the places of rows that are past; `at` moves to the last row looked at, or to the start. */
static size_t find_past(struct bw_sqlite_lane *lane, const struct table *table, struct bw_sqlite_place *at, int64_t cutoff_ms,
                        struct bw_sqlite_place *past)
{
	struct bw_sqlite_place from = *at, place = { 0 };
	size_t n = 0, looked = 0;
	sqlite3_stmt *row = bw_sqlite_rows(
		lane, table->look,
		ARGS(INT(from.list), INT(from.class), HASH(&from.hash), HASH(&from.part), INT(cutoff_ms), INT(ROWS_A_CALL)));

	for (; row != NULL; row = bw_sqlite_next(lane, row) ? row : NULL) {
		place.list = sqlite3_column_int64(row, 0);
		place.class = sqlite3_column_int64(row, 1);
		place.hash = bw_sqlite_hash(row, 2);
		place.part = bw_sqlite_hash(row, 3);
		if (sqlite3_column_int(row, 4) != 0)
			past[n++] = place;
		looked++;
	}
	*at = looked < ROWS_A_CALL ? (struct bw_sqlite_place){ 0 } : place;
	return n;
}

struct sweep {
	const struct expiry *expiry;
	int table;
};

static enum bw_err sweep_table(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct sweep *s = arg;
	const struct table *table = &tables[s->table];
	struct bw_sqlite_place past[ROWS_A_CALL];
	size_t n = find_past(lane, table, &lane->store->sweep.at[s->table], s->expiry->cutoff_ms, past);

	(void)why;
	for (size_t i = 0; i < n; i++) {
		const struct bw_sqlite_arg args[] = { INT(past[i].list), INT(past[i].class), HASH(&past[i].hash), HASH(&past[i].part) };

		bw_sqlite_run(lane, table->drop, args, table->drop_args);
	}
	return BW_OK;
}

/* --- meters --- */

/* They are many and live for hours only, so their share of a call is larger. */
static enum bw_err sweep_meters(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct expiry *e = arg;

	(void)why;
	bw_sqlite_run(lane, BW_SQL_DROP_METERS, ARGS(INT(e->now_ms), INT(METERS_A_CALL)));
	return BW_OK;
}

/* --- the rest --- */

static enum bw_err sweep_history(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct expiry *e = arg;
	int64_t history_ms = e->now_ms - HISTORY_MS < e->cutoff_ms ? e->now_ms - HISTORY_MS : e->cutoff_ms;

	(void)why;
	bw_sqlite_now(lane, e->now_ms);
	int64_t gone = bw_sqlite_run(lane, BW_SQL_DROP_SETTINGS, ARGS(INT(e->now_ms)));

	/* They counted as one change each (sqlite-settings.c), and do so now for good. */
	if (gone > 0)
		bw_sqlite_meta_put(lane, "settings-version", bw_sqlite_meta(lane, "settings-version") + gone);
	bw_sqlite_run(lane, BW_SQL_DROP_HOSTS, ARGS(INT(e->cutoff_ms)));
	bw_sqlite_run(lane, BW_SQL_DROP_EVENTS, ARGS(INT(history_ms), INT(ROWS_A_CALL)));
	bw_sqlite_run(lane, BW_SQL_DROP_HELD, ARGS(INT(history_ms), INT(ROWS_A_CALL)));
	return BW_OK;
}

/* An order that was being written for so long has lost its writer: it ends, and goes with the others. */
static enum bw_err sweep_orders(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct expiry *e = arg;

	(void)why;
	bw_sqlite_run(lane, BW_SQL_ABANDON_ORDERS, ARGS(INT(BW_ORDER_CANCELLED), INT(e->now_ms - BW_STORE_WRITING_MS)));
	bw_sqlite_run(lane, BW_SQL_DROP_ITEMS, ARGS(INT(e->now_ms - BW_STORE_ORDER_MS), INT(ROWS_A_CALL)));
	bw_sqlite_run(lane, BW_SQL_DROP_ORDERS, ARGS(INT(e->now_ms - BW_STORE_ORDER_MS), INT(ROWS_A_CALL)));
	bw_sqlite_run(lane, BW_SQL_DROP_POSTS,
	              ARGS(INT(e->now_ms - BW_STORE_POST_MS), INT(ROWS_A_CALL), INT(BW_POST_FROZEN), INT(e->now_ms - BW_STORE_FROZEN_MS),
	                   INT(BW_POST_DROPPED)));
	return BW_OK;
}

/* Here, on the ledger's connection, the disk's slowness delays no counting. */
static enum bw_err checkpoint(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	(void)arg;
	(void)why;
	int rc = sqlite3_wal_checkpoint_v2(lane->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

	/* Somebody else is at it: as good. */
	if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED)
		lane->rc = rc;
	return BW_OK;
}

enum bw_err bw_sqlite_expire(struct bw_store *s, int64_t now_ms, int64_t memory_ms, struct bw_why *why)
{
	struct bw_sqlite *store = bw_sqlite_of(s);
	enum bw_err err = now_ms > 0 ? BW_OK : s->ops->now(s, &now_ms, why);

	if (err == BW_OK && memory_ms <= 0)
		err = bw_fail(why, BW_ERR_RANGE, "the memory is positive");
	struct expiry expiry = { now_ms, now_ms - memory_ms };

	if (err == BW_OK)
		err = bw_sqlite_do(store->counting, BW_SQLITE_WRITE, sweep_tallies, &expiry, why);
	if (err == BW_OK)
		err = bw_sqlite_do(store->counting, BW_SQLITE_WRITE, sweep_meters, &expiry, why);
	for (int i = 0; err == BW_OK && i < BW_SQLITE_SWEPT_COUNT; i++)
		err = bw_sqlite_do(store->counting, BW_SQLITE_WRITE, sweep_table, &(struct sweep){ &expiry, i }, why);
	if (err == BW_OK)
		err = bw_sqlite_do(store->ledger, BW_SQLITE_WRITE, sweep_history, &expiry, why);
	if (err == BW_OK)
		err = bw_sqlite_do(store->ledger, BW_SQLITE_WRITE, sweep_orders, &expiry, why);
	if (err == BW_OK && !store->memory)
		err = bw_sqlite_do(store->ledger, BW_SQLITE_BARE, checkpoint, NULL, why);
	return err;
}
