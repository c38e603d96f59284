/* The directory's rows: one an address, each change with a version of its own. */
#include "sqlite-backend.h"
#include "store-internal.h"

struct put {
	const struct bw_list_row *row;
	int64_t version;
};

static enum bw_err run_put(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	struct put *p = arg;
	const struct bw_list_row *row = p->row;

	(void)why;
	p->version = bw_sqlite_meta(lane, "directory-version") + 1;
	bw_sqlite_meta_put(lane, "directory-version", p->version);
	/* A removed list keeps its row, so that readers of changes learn of it. */
	bw_sqlite_run(lane, BW_SQL_DIRECTORY_PUT,
	              ARGS(INT(p->version), TEXT(row->address), TEXT(row->owner), TEXT(row->list_id), TEXT(row->posters),
	                   INT(row->size), INT(row->source), INT(row->unconfirmed), INT(row->removed),
	                   INT(bw_sqlite_now(lane, row->changed_ms)), INT(BW_SQLITE_FORMAT)));
	return BW_OK;
}

enum bw_err bw_sqlite_list_put(struct bw_store *s, const struct bw_list_row *row, int64_t *version, struct bw_why *why)
{
	struct put put = { .row = row };
	enum bw_err err = bw_store_check_place(row->address, BW_SIDE_MEMBERS, 0, why);

	if (err == BW_OK && row->owner.n + row->list_id.n + row->posters.n > BW_SQLITE_VALUE_BYTES_MAX)
		err = bw_fail(why, BW_ERR_LIMIT, "%.*s: owner, list id and posters of more than %d bytes", (int)row->address.n,
		              row->address.p, BW_SQLITE_VALUE_BYTES_MAX);
	if (err == BW_OK)
		err = bw_sqlite_do(bw_sqlite_of(s)->ledger, BW_SQLITE_WRITE, run_put, &put, why);
	if (err == BW_OK && version != NULL)
		*version = put.version;
	return err;
}

static void read_row(struct bw_sqlite_lane *lane, sqlite3_stmt *row, struct bw_arena *arena, void *out)
{
	*(struct bw_list_row *)out = (struct bw_list_row){
		.version = sqlite3_column_int64(row, 0),
		.address = bw_sqlite_keep(arena, row, 1),
		.owner = bw_sqlite_keep(arena, row, 2),
		.list_id = bw_sqlite_keep(arena, row, 3),
		.posters = bw_sqlite_keep(arena, row, 4),
		.size = sqlite3_column_int64(row, 5),
		.source = (enum bw_source)bw_sqlite_word(lane, row, 6, BW_SOURCE_COUNT),
		.unconfirmed = sqlite3_column_int(row, 7) != 0,
		.removed = sqlite3_column_int(row, 8) != 0,
		.changed_ms = sqlite3_column_int64(row, 9),
	};
}

struct taker {
	bool (*each)(void *ctx, const struct bw_list_row *row);
	void *ctx;
};

static bool give_row(void *taker, const void *row)
{
	const struct taker *t = taker;

	return t->each(t->ctx, row);
}

enum bw_err bw_sqlite_list_each(struct bw_store *s, int64_t since_version, BW_EACH(struct bw_list_row), struct bw_why *why)
{
	struct taker taker = { each, ctx };
	struct bw_sqlite_listing listing = {
		.lane = bw_sqlite_of(s)->ledger,
		.sql = BW_SQL_DIRECTORY_EACH,
		.args = { INT(since_version) },
		.arg_count = 1,
		.row_bytes = sizeof(struct bw_list_row),
		.read = read_row,
		.give = give_row,
		.taker = &taker,
	};

	return bw_sqlite_list_rows(&listing, why);
}
