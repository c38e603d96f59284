/* The directory's rows: one an address, each change with a version of its own (scripts/directory.lua). */
#include "redis-site.h"

enum { ROWS_A_PAGE = 512 };

enum bw_err bw_redis_list_put(struct bw_store *store, const struct bw_list_row *row, int64_t *version, struct bw_why *why)
{
	struct bw_redis *s = bw_redis_of(store);
	int64_t is = 0;
	enum bw_err err = bw_store_check_place(row->address, BW_SIDE_MEMBERS, 0, why);

	if (err == BW_OK && row->owner.n + row->list_id.n + row->posters.n > BW_REDIS_VALUE_BYTES_MAX)
		err = bw_fail(why, BW_ERR_LIMIT, "%.*s: owner, list id and posters of more than %d bytes", (int)row->address.n,
		              row->address.p, BW_REDIS_VALUE_BYTES_MAX);
	if (err == BW_OK)
		err = bw_redis_check_time(row->changed_ms, why);
	struct bw_redis_exchange *x = err == BW_OK ? bw_redis_exchange_new(1) : NULL;

	if (x == NULL)
		return err != BW_OK ? err : bw_redis_no_memory(why);
	bw_redis_begin_site(s, x, BW_REDIS_DIRECTORY, row->changed_ms, "put", 8);
	bw_redis_add(x, row->address);
	bw_redis_add(x, row->owner);
	bw_redis_add(x, row->list_id);
	bw_redis_add(x, row->posters);
	bw_redis_add_number(x, row->size);
	bw_redis_add_number(x, row->source);
	bw_redis_add_number(x, row->unconfirmed);
	bw_redis_add_number(x, row->removed);
	err = bw_redis_run_number(s, x, &is, why);
	if (err == BW_OK && version != NULL)
		*version = is;
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
