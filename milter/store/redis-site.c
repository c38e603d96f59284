/* What the calls on the installation's rows share. */
#include "redis-site.h"
#include "redis-compat.h"

enum bw_err bw_redis_run_number(struct bw_redis *s, struct bw_redis_exchange *x, int64_t *out, struct bw_why *why)
{
	int64_t n = 0;
	enum bw_err err = bw_redis_run(s, BW_REDIS_LANE_OTHER, x, 0, why);

	if (err == BW_OK && !bw_redis_reply_number(x->commands[0].reply, &n))
		err = bw_redis_bad_reply("a number", why);
	if (err == BW_OK)
		*out = n;
	return err;
}

void bw_redis_add_hash_or_all(struct bw_redis_exchange *x, const struct bw_hash *hash)
{
	if (bw_hash_is_zero(hash))
		bw_redis_add(x, BW_S(""));
	else
		bw_redis_add_hash(x, hash);
}

/* False: no further page. */
static bool give_page(struct bw_redis_pages *p, struct bw_redis_row *rows)
{
	while (bw_redis_row_more(rows)) {
		if (p->limit > 0 && p->given >= p->limit)
			return false;
		struct bw_redis_row record = bw_redis_take_record(rows);
		bool goes_on = record.bad || p->give(p, &record);

		rows->bad = rows->bad || record.bad;
		if (rows->bad || !goes_on)
			return false;
		p->given++;
	}
	return true;
}

static enum bw_err read_page(struct bw_redis_pages *p, bool *more, struct bw_why *why)
{
	struct bw_redis_exchange *x = bw_redis_exchange_new(1);

	if (x == NULL)
		return bw_redis_no_memory(why);
	p->ask(p, x);
	enum bw_err err = bw_redis_run(p->s, BW_REDIS_LANE_OTHER, x, 0, why);
	struct bw_redis_row rows = bw_redis_row_of(err == BW_OK ? x->commands[0].reply : NULL);

	if (err == BW_OK && p->with_cursor) {
		struct bw_redis_row reply = rows;

		p->after = bw_redis_take_number(&reply);
		rows = bw_redis_take_row(&reply);
		rows.bad = rows.bad || reply.bad;
	}
	if (err == BW_OK) {
		*more = give_page(p, &rows);
		*more = *more && (p->with_cursor ? p->after != 0 : p->page_rows > 0 && bw_redis_row_count(&rows) >= p->page_rows);
	}
	if (err == BW_OK && rows.bad)
		err = bw_redis_bad_reply(p->what, why);
	bw_redis_exchange_unref(&x);
	return err;
}

enum bw_err bw_redis_give_pages(struct bw_redis_pages *pages, struct bw_why *why)
{
	enum bw_err err = BW_OK;
	bool more = true;

	while (err == BW_OK && more)
		err = read_page(pages, &more, why);
	return err;
}
