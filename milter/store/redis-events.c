/* Events: one line of history each (scripts/events.lua). */
#include "bw/clock.h"
#include "redis-site.h"

#define TTL_MS (100 * BW_DAY_MS)

enum { ROWS_A_PAGE = 256 };

enum bw_err bw_redis_event_add(struct bw_store *store, const struct bw_event_row *row, struct bw_why *why)
{
	struct bw_redis *s = bw_redis_of(store);
	const struct bw_slice texts[] = { row->host, row->list, row->guard, row->text, row->owner };
	int64_t id = 0;
	enum bw_err err = bw_redis_check_time(row->at_ms, why);
	struct bw_redis_exchange *x = err == BW_OK ? bw_redis_exchange_new(1) : NULL;

	if (x == NULL)
		return err != BW_OK ? err : bw_redis_no_memory(why);
	bw_redis_begin_site(s, x, BW_REDIS_EVENTS, row->at_ms, "add", 8);
	bw_redis_add_number(x, row->event);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		bw_redis_add(x, bw_redis_cut(texts[i]));
	bw_redis_add_number(x, TTL_MS);
	bw_redis_add_hash(x, &row->conversation);
	err = bw_redis_run_number(s, x, &id, why);
	bw_redis_exchange_unref(&x);
	return err;
}

/* --- listing --- */

struct taker {
	bool (*each)(void *ctx, const struct bw_event_row *row);
	void *ctx;
};

static void ask(const struct bw_redis_pages *p, struct bw_redis_exchange *x)
{
	const int64_t *since_ms = p->query;

	bw_redis_begin_site(p->s, x, BW_REDIS_EVENTS, 0, "each", 3);
	bw_redis_add_number(x, p->after);
	bw_redis_add_number(x, *since_ms);
	bw_redis_add_number(x, ROWS_A_PAGE);
}

static bool give(struct bw_redis_pages *p, struct bw_redis_row *record)
{
	const struct taker *taker = p->taker;
	struct bw_event_row row = { .id = bw_redis_take_number(record) };

	row.at_ms = bw_redis_take_number(record);
	row.event = (enum bw_event)bw_redis_take_word(record, BW_EVENT_COUNT);
	row.host = bw_redis_take_text(record);
	row.list = bw_redis_take_text(record);
	row.guard = bw_redis_take_text(record);
	row.text = bw_redis_take_text(record);
	row.owner = bw_redis_take_text(record);
	row.conversation = bw_redis_take_hash(record);
	return !record->bad && taker->each(taker->ctx, &row);
}

/* One look back from number `before`, 0: from the newest. */
struct start {
	int64_t since_ms, wanted;
	int64_t before, first; /* first: the oldest number found so far */
};

static enum bw_err look_back(struct bw_redis *s, struct start *start, struct bw_why *why)
{
	struct bw_redis_exchange *x = bw_redis_exchange_new(1);

	if (x == NULL)
		return bw_redis_no_memory(why);
	bw_redis_begin_site(s, x, BW_REDIS_EVENTS, 0, "start", 3);
	bw_redis_add_number(x, start->since_ms);
	bw_redis_add_number(x, start->wanted);
	bw_redis_add_number(x, start->before);
	enum bw_err err = bw_redis_run(s, BW_REDIS_LANE_OTHER, x, 0, why);
	struct bw_redis_row row = bw_redis_row_of(err == BW_OK ? x->commands[0].reply : NULL);
	int64_t n = bw_redis_take_number(&row), oldest = bw_redis_take_number(&row), last = bw_redis_take_number(&row);

	if (err == BW_OK && row.bad)
		err = bw_redis_bad_reply("an event", why);
	start->wanted -= n;
	start->first = n > 0 ? oldest : start->first;
	start->before = last;
	bw_redis_exchange_unref(&x);
	return err;
}

/* With a limit the newest so many are meant, still oldest first: where do they begin? */
static enum bw_err find_start(struct bw_redis *s, int64_t since_ms, int64_t limit, int64_t *after, struct bw_why *why)
{
	struct start start = { since_ms, limit, BW_REDIS_TIME_MAX, 0 };
	enum bw_err err = BW_OK;

	while (err == BW_OK && start.wanted > 0 && start.before != 0)
		err = look_back(s, &start, why);
	*after = start.first > 0 ? start.first - 1 : 0;
	return err;
}

enum bw_err bw_redis_event_each(struct bw_store *store, int64_t since_ms, int64_t limit, BW_EACH(struct bw_event_row),
                                struct bw_why *why)
{
	struct taker taker = { each, ctx };
	struct bw_redis_pages pages = {
		.s = bw_redis_of(store),
		.ask = ask,
		.give = give,
		.with_cursor = true,
		.limit = limit,
		.taker = &taker,
		.query = &since_ms,
		.what = "an event",
	};
	enum bw_err err = limit > 0 ? find_start(pages.s, since_ms, limit, &pages.after, why) : BW_OK;

	return err == BW_OK ? bw_redis_give_pages(&pages, why) : err;
}
