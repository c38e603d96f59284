/* Hosts: the heartbeat of every daemon that works on this store (scripts/hosts.lua). */
#include "bw/clock.h"
#include "redis-site.h"

#define TTL_MS (14 * BW_DAY_MS)

enum bw_err bw_redis_heartbeat(struct bw_store *store, const struct bw_host_row *row, struct bw_why *why)
{
	struct bw_redis *s = bw_redis_of(store);
	const int64_t numbers[] = { row->pid,    row->settings_version, row->directory_version,
		                        row->format, row->degraded,         row->deliveries,
		                        row->held,   row->accepted,         row->started_ms,
		                        TTL_MS };
	int64_t now_ms = 0;
	enum bw_err err = bw_redis_check_time(row->seen_ms, why);

	if (row->host.n == 0)
		return bw_fail(why, BW_ERR_INPUT, "a heartbeat without a host's name");
	struct bw_redis_exchange *x = err == BW_OK ? bw_redis_exchange_new(1) : NULL;

	if (x == NULL)
		return err != BW_OK ? err : bw_redis_no_memory(why);
	bw_redis_begin_site(s, x, BW_REDIS_HOSTS, row->seen_ms, "beat", 12);
	bw_redis_add(x, bw_redis_cut(row->host));
	bw_redis_add(x, bw_redis_cut(row->version));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		bw_redis_add_number(x, numbers[i]);
	err = bw_redis_run_number(s, x, &now_ms, why);
	if (err == BW_OK)
		bw_redis_saw(s, now_ms);
	bw_redis_exchange_unref(&x);
	return err;
}

/* --- listing --- */

struct taker {
	bool (*each)(void *ctx, const struct bw_host_row *row);
	void *ctx;
};

static void ask(const struct bw_redis_pages *p, struct bw_redis_exchange *x)
{
	const int64_t *since_ms = p->query;

	bw_redis_begin_site(p->s, x, BW_REDIS_HOSTS, 0, "each", 1);
	bw_redis_add_number(x, *since_ms);
}

static bool give(struct bw_redis_pages *p, struct bw_redis_row *record)
{
	const struct taker *taker = p->taker;
	struct bw_host_row row = { .degraded = false };

	bw_redis_take_number(record); /* its place in the order */
	row.seen_ms = bw_redis_take_number(record);
	row.host = bw_redis_take_text(record);
	row.version = bw_redis_take_text(record);
	row.pid = bw_redis_take_number(record);
	row.settings_version = bw_redis_take_number(record);
	row.directory_version = bw_redis_take_number(record);
	row.format = bw_redis_take_number(record);
	row.degraded = bw_redis_take_flag(record);
	row.deliveries = bw_redis_take_number(record);
	row.held = bw_redis_take_number(record);
	row.accepted = bw_redis_take_number(record);
	row.started_ms = bw_redis_take_number(record);
	return !record->bad && taker->each(taker->ctx, &row);
}

enum bw_err bw_redis_host_each(struct bw_store *store, int64_t alive_since_ms, BW_EACH(struct bw_host_row), struct bw_why *why)
{
	struct taker taker = { each, ctx };
	struct bw_redis_pages pages = {
		.s = bw_redis_of(store),
		.ask = ask,
		.give = give,
		.taker = &taker,
		.query = &alive_since_ms,
		.what = "a host",
	};

	return bw_redis_give_pages(&pages, why);
}
