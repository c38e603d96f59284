/* The directory's rows: one an address and source, each change with a version of its own. */
#include <stdlib.h>
#include <string.h>

#include "sqlite-backend.h"
#include "store-internal.h"

struct put {
	const struct bw_list_row *rows;
	size_t n;
	int64_t version;
};

/* A removed list keeps its row, so that readers of changes learn of it. */
static void write_row(struct bw_sqlite_lane *lane, const struct bw_list_row *row, int64_t version, int64_t now_ms)
{
	bw_sqlite_run(lane, BW_SQL_DIRECTORY_PUT,
	              ARGS(INT(version), TEXT(row->address), TEXT(row->owner), TEXT(row->list_id), TEXT(row->posters),
	                   TEXT(row->origin), INT(row->size), INT(row->source), INT(row->unconfirmed), INT(row->removed),
	                   INT(now_ms), INT(BW_SQLITE_FORMAT)));
}

static enum bw_err run_put(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	struct put *p = arg;
	int64_t now_ms = bw_sqlite_now(lane, p->rows[0].changed_ms);

	(void)why;
	p->version = bw_sqlite_meta(lane, "directory-version");
	for (size_t i = 0; i < p->n; i++)
		write_row(lane, &p->rows[i], ++p->version, now_ms);
	bw_sqlite_meta_put(lane, "directory-version", p->version);
	return BW_OK;
}

enum bw_err bw_sqlite_list_put_many(struct bw_store *s, const struct bw_list_row *rows, size_t n, int64_t *version,
                                    struct bw_why *why)
{
	struct put put = { .rows = rows, .n = n };
	enum bw_err err = BW_OK;

	for (size_t i = 0; err == BW_OK && i < n; i++)
		err = bw_store_check_list(&rows[i], BW_SQLITE_VALUE_BYTES_MAX, why);
	if (err != BW_OK || n == 0)
		return err;
	err = bw_sqlite_do(bw_sqlite_of(s)->ledger, BW_SQLITE_WRITE, run_put, &put, why);
	if (err == BW_OK && version != NULL)
		*version = put.version;
	return err;
}

enum bw_err bw_sqlite_list_put(struct bw_store *s, const struct bw_list_row *row, int64_t *version, struct bw_why *why)
{
	return bw_sqlite_list_put_many(s, row, 1, version, why);
}

/* --- proposals --- */

struct learn {
	const struct bw_list_row *rows;
	enum bw_learn *out;
	size_t n;
};

static enum bw_err run_learn(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct learn *l = arg;
	int64_t now_ms = bw_sqlite_now(lane, l->rows[0].changed_ms), before = bw_sqlite_meta(lane, "directory-version");
	int64_t version = before, there = 0;

	(void)why;
	bw_sqlite_ints(lane, BW_SQL_DIRECTORY_LEARNED, &there, 1, NULL, 0);
	for (size_t i = 0; i < l->n; i++) {
		const struct bw_list_row *row = &l->rows[i];
		int64_t size = 0;
		bool is = bw_sqlite_ints(lane, BW_SQL_DIRECTORY_SIZE, &size, 1, ARGS(TEXT(row->address), INT(row->source)));

		l->out[i] = is && size >= row->size ? BW_LEARN_SAME : !is && there >= BW_LEARNED_MAX ? BW_LEARN_FULL : BW_LEARN_WRITTEN;
		if (l->out[i] != BW_LEARN_WRITTEN)
			continue;
		write_row(lane, row, ++version, now_ms);
		there += !is;
	}
	if (version > before)
		bw_sqlite_meta_put(lane, "directory-version", version);
	return BW_OK;
}

enum bw_err bw_sqlite_list_learn(struct bw_store *s, const struct bw_list_row *rows, enum bw_learn *out, size_t n, struct bw_why *why)
{
	struct learn learn = { rows, calloc(n > 0 ? n : 1, sizeof(*out)), n };
	enum bw_err err = bw_store_check_learn(rows, n, BW_SQLITE_VALUE_BYTES_MAX, why);

	if (err == BW_OK && learn.out == NULL)
		err = bw_fail(why, BW_ERR_MEMORY, "no memory for %zu proposals", n);
	if (err == BW_OK && n > 0)
		err = bw_sqlite_do(bw_sqlite_of(s)->ledger, BW_SQLITE_WRITE, run_learn, &learn, why);
	if (err == BW_OK && n > 0)
		memcpy(out, learn.out, n * sizeof(*out));
	free(learn.out);
	return err;
}

/* --- listing --- */

static void read_row(struct bw_sqlite_lane *lane, sqlite3_stmt *row, struct bw_arena *arena, void *out)
{
	*(struct bw_list_row *)out = (struct bw_list_row){
		.version = sqlite3_column_int64(row, 0),
		.address = bw_sqlite_keep(arena, row, 1),
		.owner = bw_sqlite_keep(arena, row, 2),
		.list_id = bw_sqlite_keep(arena, row, 3),
		.posters = bw_sqlite_keep(arena, row, 4),
		.origin = bw_sqlite_keep(arena, row, 5),
		.size = sqlite3_column_int64(row, 6),
		.source = (enum bw_source)bw_sqlite_word(lane, row, 7, BW_SOURCE_COUNT),
		.unconfirmed = sqlite3_column_int(row, 8) != 0,
		.removed = sqlite3_column_int(row, 9) != 0,
		.changed_ms = sqlite3_column_int64(row, 10),
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
