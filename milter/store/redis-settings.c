/* Settings: lasting values, temporary ones before them, and the history of every change (scripts/settings.lua). */
#include "redis-site.h"

enum { HISTORY_A_PAGE = 256 };

enum bw_err bw_redis_setting_put(struct bw_store *store, const struct bw_setting_row *row, int64_t *version, struct bw_why *why)
{
	struct bw_redis *s = bw_redis_of(store);
	int64_t is = 0;
	enum bw_err err = bw_redis_check_time(row->set_ms, why);

	if (row->name.n == 0)
		return bw_fail(why, BW_ERR_INPUT, "a setting without a name");
	if (row->name.n + row->value.n + row->owner.n + row->reason.n > BW_REDIS_VALUE_BYTES_MAX)
		return bw_fail(why, BW_ERR_LIMIT, "a setting of more than %d bytes", BW_REDIS_VALUE_BYTES_MAX);
	struct bw_redis_exchange *x = err == BW_OK ? bw_redis_exchange_new(1) : NULL;

	if (x == NULL)
		return err != BW_OK ? err : bw_redis_no_memory(why);
	bw_redis_begin_site(s, x, BW_REDIS_SETTINGS, row->set_ms, "put", 5);
	bw_redis_add(x, row->name);
	bw_redis_add(x, row->value);
	bw_redis_add(x, row->owner);
	bw_redis_add(x, row->reason);
	bw_redis_add_number(x, row->until_ms);
	err = bw_redis_run_number(s, x, &is, why);
	if (err == BW_OK && is < 0)
		err = bw_fail(why, BW_ERR_RANGE, "%.*s: a value that ends before it begins", (int)row->name.n, row->name.p);
	if (err == BW_OK && version != NULL)
		*version = is;
	bw_redis_exchange_unref(&x);
	return err;
}

enum bw_err bw_redis_versions(struct bw_store *store, int64_t *settings, int64_t *directory, struct bw_why *why)
{
	struct bw_redis *s = bw_redis_of(store);
	struct bw_redis_exchange *x = bw_redis_exchange_new(1);

	if (x == NULL)
		return bw_redis_no_memory(why);
	bw_redis_begin_site(s, x, BW_REDIS_SETTINGS, 0, "versions", 0);
	enum bw_err err = bw_redis_run(s, BW_REDIS_LANE_OTHER, x, 0, why);
	struct bw_redis_row row = bw_redis_row_of(err == BW_OK ? x->commands[0].reply : NULL);
	int64_t versions[] = { bw_redis_take_number(&row), 0, 0 };

	versions[1] = bw_redis_take_number(&row);
	versions[2] = bw_redis_take_number(&row);
	if (err == BW_OK && row.bad)
		err = bw_redis_bad_reply("the versions of settings and directory", why);
	if (err == BW_OK) {
		*settings = versions[0];
		*directory = versions[1];
		bw_redis_saw(s, versions[2]);
	}
	bw_redis_exchange_unref(&x);
	return err;
}

/* --- listing --- */

struct taker {
	bool (*each)(void *ctx, const struct bw_setting_row *row);
	void *ctx;
};

static void ask(const struct bw_redis_pages *p, struct bw_redis_exchange *x)
{
	bw_redis_begin_site(p->s, x, BW_REDIS_SETTINGS, 0, "each", 0);
}

static void ask_history(const struct bw_redis_pages *p, struct bw_redis_exchange *x)
{
	bw_redis_begin_site(p->s, x, BW_REDIS_SETTINGS, 0, "history", 2);
	bw_redis_add_number(x, p->after);
	bw_redis_add_number(x, p->after + HISTORY_A_PAGE - 1);
}

static bool give(struct bw_redis_pages *p, struct bw_redis_row *record)
{
	const struct taker *taker = p->taker;
	struct bw_setting_row row = { .name = bw_redis_take_text(record) };

	row.value = bw_redis_take_text(record);
	row.owner = bw_redis_take_text(record);
	row.reason = bw_redis_take_text(record);
	row.set_ms = bw_redis_take_number(record);
	row.until_ms = bw_redis_take_number(record);
	row.version = bw_redis_take_number(record);
	p->after++;
	return !record->bad && taker->each(taker->ctx, &row);
}

enum bw_err bw_redis_setting_each(struct bw_store *store, bool history, BW_EACH(struct bw_setting_row), struct bw_why *why)
{
	struct taker taker = { each, ctx };
	struct bw_redis_pages pages = {
		.s = bw_redis_of(store),
		.ask = history ? ask_history : ask,
		.give = give,
		.page_rows = history ? HISTORY_A_PAGE : 0,
		.taker = &taker,
		.what = "a setting",
	};

	return bw_redis_give_pages(&pages, why);
}
