/* Hosts: the heartbeat of every daemon that works on this store. */
#include "sqlite-backend.h"

static enum bw_err run_beat(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct bw_host_row *h = arg;

	(void)why;
	bw_sqlite_run(lane, BW_SQL_HOST_PUT,
	              ARGS(TEXT(bw_sqlite_cut(h->host)), TEXT(bw_sqlite_cut(h->version)), INT(h->pid),
	                   INT(bw_sqlite_now(lane, h->seen_ms)), INT(h->settings_version), INT(h->directory_version), INT(h->format),
	                   INT(h->degraded), INT(h->deliveries), INT(h->held), INT(h->accepted), INT(h->started_ms)));
	return BW_OK;
}

enum bw_err bw_sqlite_heartbeat(struct bw_store *s, const struct bw_host_row *row, struct bw_why *why)
{
	struct bw_host_row copy = *row;

	if (row->host.n == 0)
		return bw_fail(why, BW_ERR_INPUT, "a heartbeat without a host's name");
	return bw_sqlite_do(bw_sqlite_of(s)->counting, BW_SQLITE_WRITE, run_beat, &copy, why);
}

static void read_row(struct bw_sqlite_lane *lane, sqlite3_stmt *row, struct bw_arena *arena, void *out)
{
	(void)lane;
	*(struct bw_host_row *)out = (struct bw_host_row){
		.host = bw_sqlite_keep(arena, row, 1),
		.version = bw_sqlite_keep(arena, row, 2),
		.pid = sqlite3_column_int64(row, 3),
		.seen_ms = sqlite3_column_int64(row, 4),
		.settings_version = sqlite3_column_int64(row, 5),
		.directory_version = sqlite3_column_int64(row, 6),
		.format = sqlite3_column_int64(row, 7),
		.degraded = sqlite3_column_int(row, 8) != 0,
		.deliveries = sqlite3_column_int64(row, 9),
		.held = sqlite3_column_int64(row, 10),
		.accepted = sqlite3_column_int64(row, 11),
		.started_ms = sqlite3_column_int64(row, 12),
	};
}

struct taker {
	bool (*each)(void *ctx, const struct bw_host_row *row);
	void *ctx;
};

static bool give_row(void *taker, const void *row)
{
	const struct taker *t = taker;

	return t->each(t->ctx, row);
}

enum bw_err bw_sqlite_host_each(struct bw_store *s, int64_t alive_since_ms, BW_EACH(struct bw_host_row), struct bw_why *why)
{
	struct taker taker = { each, ctx };
	struct bw_sqlite_listing listing = {
		.lane = bw_sqlite_of(s)->ledger,
		.sql = BW_SQL_HOST_EACH,
		.args = { INT(0), INT(alive_since_ms) },
		.arg_count = 2,
		.row_bytes = sizeof(struct bw_host_row),
		.read = read_row,
		.give = give_row,
		.taker = &taker,
	};

	return bw_sqlite_list_rows(&listing, why);
}
