/* Events: one line of history each. */
#include "sqlite-backend.h"

static enum bw_err run_add(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct bw_event_row *e = arg;

	(void)why;
	bw_sqlite_run(lane, BW_SQL_EVENT_ADD,
	              ARGS(INT(bw_sqlite_now(lane, e->at_ms)), INT(e->event), TEXT(bw_sqlite_cut(e->host)),
	                   TEXT(bw_sqlite_cut(e->list)), TEXT(bw_sqlite_cut(e->guard)), TEXT(bw_sqlite_cut(e->text)),
	                   TEXT(bw_sqlite_cut(e->owner)), HASH(&e->conversation)));
	return BW_OK;
}

enum bw_err bw_sqlite_event_add(struct bw_store *s, const struct bw_event_row *row, struct bw_why *why)
{
	struct bw_event_row copy = *row;

	return bw_sqlite_do(bw_sqlite_of(s)->counting, BW_SQLITE_WRITE, run_add, &copy, why);
}

static void read_row(struct bw_sqlite_lane *lane, sqlite3_stmt *row, struct bw_arena *arena, void *out)
{
	*(struct bw_event_row *)out = (struct bw_event_row){
		.id = sqlite3_column_int64(row, 0),
		.at_ms = sqlite3_column_int64(row, 1),
		.event = (enum bw_event)bw_sqlite_word(lane, row, 2, BW_EVENT_COUNT),
		.host = bw_sqlite_keep(arena, row, 3),
		.list = bw_sqlite_keep(arena, row, 4),
		.guard = bw_sqlite_keep(arena, row, 5),
		.text = bw_sqlite_keep(arena, row, 6),
		.owner = bw_sqlite_keep(arena, row, 7),
		.conversation = bw_sqlite_hash(row, 8),
	};
}

struct taker {
	bool (*each)(void *ctx, const struct bw_event_row *row);
	void *ctx;
};

static bool give_row(void *taker, const void *row)
{
	const struct taker *t = taker;

	return t->each(t->ctx, row);
}

/* With a limit the newest so many are meant, still oldest first: where do they begin? */
struct start {
	int64_t since_ms, limit, after;
};

static enum bw_err run_start(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	struct start *s = arg;

	(void)why;
	if (bw_sqlite_ints(lane, BW_SQL_EVENT_START, &s->after, 1, ARGS(INT(s->since_ms), INT(s->limit - 1))))
		s->after--;
	return BW_OK;
}

enum bw_err bw_sqlite_event_each(struct bw_store *s, int64_t since_ms, int64_t limit, BW_EACH(struct bw_event_row),
                                 struct bw_why *why)
{
	struct start start = { since_ms, limit, 0 };
	struct bw_sqlite_lane *lane = bw_sqlite_of(s)->ledger;
	enum bw_err err = limit > 0 ? bw_sqlite_do(lane, BW_SQLITE_READ, run_start, &start, why) : BW_OK;
	struct taker taker = { each, ctx };
	struct bw_sqlite_listing listing = {
		.lane = lane,
		.sql = BW_SQL_EVENT_EACH,
		.args = { INT(start.after), INT(since_ms) },
		.arg_count = 2,
		.limit = limit,
		.row_bytes = sizeof(struct bw_event_row),
		.read = read_row,
		.give = give_row,
		.taker = &taker,
	};

	return err == BW_OK ? bw_sqlite_list_rows(&listing, why) : err;
}
