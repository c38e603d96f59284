/* The directory's rows: one an address and source, each change with a version of its own (scripts/directory.lua). */
#include "bw/clock.h"
#include "redis-site.h"

enum { ROWS_A_PAGE = 512, ROWS_A_CALL = 500, BYTES_A_CALL = 1 << 20, ROW_ARGUMENTS = 9 };

/* Rows come in by many small calls, none of which is in force; the one that puts all of them in force at once may take long. */
#define COMMIT_MS (60 * BW_SECOND_MS)

static enum bw_err check_row(const struct bw_list_row *row, struct bw_why *why)
{
	enum bw_err err = bw_store_check_list(row, BW_REDIS_VALUE_BYTES_MAX, why);

	return err == BW_OK ? bw_redis_check_time(row->changed_ms, why) : err;
}

static void add_row(struct bw_redis_exchange *x, const struct bw_list_row *row)
{
	bw_redis_add(x, row->address);
	bw_redis_add(x, row->owner);
	bw_redis_add(x, row->list_id);
	bw_redis_add(x, row->posters);
	bw_redis_add_number(x, row->size);
	bw_redis_add_number(x, row->source);
	bw_redis_add_number(x, row->unconfirmed);
	bw_redis_add_number(x, row->removed);
	bw_redis_add(x, row->origin);
}

enum bw_err bw_redis_list_put(struct bw_store *store, const struct bw_list_row *row, int64_t *version, struct bw_why *why)
{
	struct bw_redis *s = bw_redis_of(store);
	int64_t is = 0;
	enum bw_err err = check_row(row, why);
	struct bw_redis_exchange *x = err == BW_OK ? bw_redis_exchange_new(1) : NULL;

	if (x == NULL)
		return err != BW_OK ? err : bw_redis_no_memory(why);
	bw_redis_begin_site(s, x, BW_REDIS_DIRECTORY, row->changed_ms, "put", ROW_ARGUMENTS);
	add_row(x, row);
	err = bw_redis_run_number(s, x, &is, why);
	if (err == BW_OK && version != NULL)
		*version = is;
	bw_redis_exchange_unref(&x);
	return err;
}

/* --- many at once --- */

struct coming {
	struct bw_redis *s;
	const struct bw_list_row *rows;
	size_t n, sent;
	char token[2 * BW_HASH_BYTES + 1];
};

static enum bw_err somebody_else(struct bw_why *why)
{
	return bw_fail(why, BW_ERR_CONFLICT, "redis: somebody else changes many lists at this moment; nothing was changed");
}

/* How many of the rows from `sent` on fit one call. */
static size_t next_rows(const struct coming *c)
{
	size_t n = 0, bytes = 0;

	while (n < ROWS_A_CALL && c->sent + n < c->n && bytes < BYTES_A_CALL) {
		const struct bw_list_row *row = &c->rows[c->sent + n];

		bytes += row->address.n + row->owner.n + row->list_id.n + row->posters.n + row->origin.n;
		n++;
	}
	return n;
}

static enum bw_err stage(struct coming *c, struct bw_why *why)
{
	struct bw_redis_exchange *x = bw_redis_exchange_new(1);
	size_t n = next_rows(c);
	int64_t there = 0;

	if (x == NULL)
		return bw_redis_no_memory(why);
	bw_redis_begin_site(c->s, x, BW_REDIS_DIRECTORY, 0, "stage", 2 + n * ROW_ARGUMENTS);
	bw_redis_add_text(x, c->token);
	bw_redis_add_number(x, c->sent == 0);
	for (size_t i = 0; i < n; i++)
		add_row(x, &c->rows[c->sent + i]);
	enum bw_err err = bw_redis_run_number(c->s, x, &there, why);

	c->sent += n;
	if (err == BW_OK && there != (int64_t)c->sent + 1)
		err = somebody_else(why);
	bw_redis_exchange_unref(&x);
	return err;
}

static enum bw_err commit(const struct coming *c, int64_t *version, struct bw_why *why)
{
	struct bw_redis_exchange *x = bw_redis_exchange_new(1);
	int64_t n = 0;

	if (x == NULL)
		return bw_redis_no_memory(why);
	bw_redis_begin_site(c->s, x, BW_REDIS_DIRECTORY, c->rows[0].changed_ms, "commit", 1);
	bw_redis_add_text(x, c->token);
	enum bw_err err = bw_redis_run(c->s, BW_REDIS_LANE_OTHER, x, bw_clock_monotonic_ms() + COMMIT_MS, why);

	if (err == BW_OK && !bw_redis_reply_number(x->commands[0].reply, &n))
		err = bw_redis_bad_reply("a number", why);
	if (err == BW_OK && n < 0)
		err = somebody_else(why);
	if (err == BW_OK && version != NULL)
		*version = n;
	bw_redis_exchange_unref(&x);
	return err;
}

enum bw_err bw_redis_list_put_many(struct bw_store *store, const struct bw_list_row *rows, size_t n, int64_t *version,
                                   struct bw_why *why)
{
	struct coming c = { .s = bw_redis_of(store), .rows = rows, .n = n };
	struct bw_hash token = bw_hash_random();
	enum bw_err err = BW_OK;

	bw_hash_hex(&token, c.token);
	for (size_t i = 0; err == BW_OK && i < n; i++)
		err = check_row(&rows[i], why);
	while (err == BW_OK && c.sent < n)
		err = stage(&c, why);
	return err == BW_OK && n > 0 ? commit(&c, version, why) : err;
}

/* --- proposals: some dozens a call --- */

enum bw_err bw_redis_list_learn(struct bw_store *store, const struct bw_list_row *rows, enum bw_learn *out, size_t n, struct bw_why *why)
{
	struct bw_redis *s = bw_redis_of(store);
	enum bw_err err = bw_store_check_learn(rows, n, BW_REDIS_VALUE_BYTES_MAX, why);

	if (err == BW_OK && n > 0)
		err = bw_redis_check_time(rows[0].changed_ms, why);
	struct bw_redis_exchange *x = err == BW_OK && n > 0 ? bw_redis_exchange_new(1) : NULL;

	if (x == NULL)
		return err != BW_OK || n == 0 ? err : bw_redis_no_memory(why);
	bw_redis_begin_site(s, x, BW_REDIS_DIRECTORY, rows[0].changed_ms, "learn", 1 + n * ROW_ARGUMENTS);
	bw_redis_add_number(x, BW_LEARNED_MAX);
	for (size_t i = 0; i < n; i++)
		add_row(x, &rows[i]);
	err = bw_redis_run(s, BW_REDIS_LANE_OTHER, x, 0, why);
	if (err == BW_OK) {
		struct bw_redis_row reply = bw_redis_row_of(x->commands[0].reply);

		for (size_t i = 0; i < n; i++)
			out[i] = (enum bw_learn)bw_redis_take_word(&reply, BW_LEARN_FULL + 1);
		if (reply.bad || bw_redis_row_more(&reply))
			err = bw_redis_bad_reply("proposals", why);
	}
	bw_redis_exchange_unref(&x);
	return err;
}

/* --- listing --- */

struct taker {
	bool (*each)(void *ctx, const struct bw_list_row *row);
	void *ctx;
};

static void ask(const struct bw_redis_pages *p, struct bw_redis_exchange *x)
{
	bw_redis_begin_site(p->s, x, BW_REDIS_DIRECTORY, 0, "each", 2);
	bw_redis_add_number(x, p->after);
	bw_redis_add_number(x, ROWS_A_PAGE);
}

static bool give(struct bw_redis_pages *p, struct bw_redis_row *record)
{
	const struct taker *taker = p->taker;
	struct bw_list_row row = { .version = bw_redis_take_number(record) };

	row.address = bw_redis_take_text(record);
	row.owner = bw_redis_take_text(record);
	row.list_id = bw_redis_take_text(record);
	row.posters = bw_redis_take_text(record);
	row.size = bw_redis_take_number(record);
	row.source = (enum bw_source)bw_redis_take_word(record, BW_SOURCE_COUNT);
	row.unconfirmed = bw_redis_take_flag(record);
	row.removed = bw_redis_take_flag(record);
	row.changed_ms = bw_redis_take_number(record);
	/* A row of an older breakwater ends here. */
	if (bw_redis_row_more(record))
		row.origin = bw_redis_take_text(record);
	p->after = row.version;
	return !record->bad && taker->each(taker->ctx, &row);
}

enum bw_err bw_redis_list_each(struct bw_store *store, int64_t since_version, BW_EACH(struct bw_list_row), struct bw_why *why)
{
	struct taker taker = { each, ctx };
	struct bw_redis_pages pages = {
		.s = bw_redis_of(store),
		.ask = ask,
		.give = give,
		.page_rows = ROWS_A_PAGE,
		.after = since_version,
		.taker = &taker,
		.what = "a list of the directory",
	};

	return bw_redis_give_pages(&pages, why);
}
