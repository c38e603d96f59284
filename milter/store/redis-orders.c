/* Orders and their items, as all hosts see them (scripts/orders.lua). */
#include <assert.h>

#include "bw/clock.h"
#include "redis-compat.h"
#include "redis-orders.h"
#include "redis-site.h"

/* The script knows these by their numbers. */
static_assert(BW_ORDER_WRITING == 0 && BW_ORDER_STOPPED == 3 && BW_ORDER_DONE == 4 && BW_ORDER_CANCELLED == 5,
              "states below 4 are live");
static_assert(BW_ITEM_PENDING == 0 && BW_ITEM_DONE == 1, "items that are done deliver");

enum { PUT_ARGUMENTS = 10, OF_ITEM = 7, EVERYTHING = 1 << 20 };

#define TTL_MS (BW_STORE_ORDER_MS + BW_STORE_FROZEN_MS) /* of the keys, after the last change: longer than any order */

/* Runs a call that answers {code, state, ...}; what is behind it stays in `x`. */
static enum bw_err run_code(struct bw_redis *s, struct bw_redis_exchange *x, int64_t *code, enum bw_order_state *state,
                            struct bw_why *why)
{
	enum bw_err err = bw_redis_run(s, BW_REDIS_LANE_OTHER, x, 0, why);
	struct bw_redis_row row = bw_redis_row_of(err == BW_OK ? x->commands[0].reply : NULL);

	if (err != BW_OK)
		return err;
	if (!row.bad && bw_redis_row_count(&row) == 0)
		return bw_fail(why, BW_ERR_NOT_FOUND, "the store has no such order");
	*code = bw_redis_take_number(&row);
	*state = (enum bw_order_state)bw_redis_take_word(&row, BW_ORDER_STATE_COUNT);
	return row.bad ? bw_redis_bad_reply("an order", why) : BW_OK;
}

/* --- put --- */

static void add_order(struct bw_redis_exchange *x, const struct bw_order_row *o, const struct bw_order_item *items, size_t n)
{
	bw_redis_add_hash(x, &o->id);
	bw_redis_add_number(x, o->kind);
	bw_redis_add(x, bw_redis_cut(o->host));
	bw_redis_add(x, bw_redis_cut(o->owner));
	bw_redis_add(x, bw_redis_cut(o->reason));
	bw_redis_add_number(x, o->pace);
	bw_redis_add_number(x, o->observe_ms);
	bw_redis_add_number(x, o->expires_ms);
	bw_redis_add_number(x, TTL_MS);
	bw_redis_add_number(x, (int64_t)n);
	for (size_t i = 0; i < n; i++) {
		bw_redis_add_number(x, items[i].number);
		bw_redis_add_hash(x, &items[i].subject);
		bw_redis_add(x, bw_redis_cut(items[i].mta));
		bw_redis_add(x, bw_redis_cut(items[i].queue_id));
		bw_redis_add(x, items[i].list);
		bw_redis_add(x, items[i].signed_text);
		bw_redis_add_number(x, items[i].deliveries);
	}
}

enum bw_err bw_redis_order_put(struct bw_store *store, const struct bw_order_row *row, const struct bw_order_item *items, size_t n,
                               struct bw_why *why)
{
	struct bw_redis *s = bw_redis_of(store);
	int64_t code = 0;
	enum bw_order_state state = BW_ORDER_WRITING;
	enum bw_err err = bw_redis_check_time(row->made_ms, why);

	if (err == BW_OK)
		err = bw_store_check_order(row, items, n, why);
	struct bw_redis_exchange *x = err == BW_OK ? bw_redis_exchange_new(1) : NULL;

	if (x == NULL)
		return err != BW_OK ? err : bw_redis_no_memory(why);
	bw_redis_begin_site(s, x, BW_REDIS_ORDERS, row->made_ms, "put", PUT_ARGUMENTS + OF_ITEM * n);
	add_order(x, row, items, n);
	err = run_code(s, x, &code, &state, why);
	if (err == BW_OK && code == 0)
		err = bw_fail(why, BW_ERR_CONFLICT, "the order is %s, and not being written any more", bw_order_state_name(state));
	if (err == BW_OK && code < 0)
		err = bw_fail(why, BW_ERR_INPUT, "a piece of the order was left out before this one");
	bw_redis_exchange_unref(&x);
	return err;
}

/* --- move, result --- */

enum bw_err bw_redis_order_move(struct bw_store *store, const struct bw_hash *id, enum bw_order_state from, enum bw_order_state to,
                                int64_t now_ms, struct bw_slice by, struct bw_slice note, struct bw_why *why)
{
	struct bw_redis *s = bw_redis_of(store);
	int64_t moved = 0;
	enum bw_order_state state = from;
	enum bw_err err = bw_redis_check_time(now_ms, why);

	if (err == BW_OK)
		err = bw_store_check_order_move(from, to, why);
	struct bw_redis_exchange *x = err == BW_OK ? bw_redis_exchange_new(1) : NULL;

	if (x == NULL)
		return err != BW_OK ? err : bw_redis_no_memory(why);
	bw_redis_begin_site(s, x, BW_REDIS_ORDERS, now_ms, "move", 6);
	bw_redis_add_hash(x, id);
	bw_redis_add_number(x, from);
	bw_redis_add_number(x, to);
	bw_redis_add(x, bw_redis_cut(by));
	bw_redis_add(x, bw_redis_cut(note));
	bw_redis_add_number(x, TTL_MS);
	err = run_code(s, x, &moved, &state, why);
	if (err == BW_OK && moved == 0)
		err = bw_fail(why, BW_ERR_CONFLICT, "the order is %s, not %s", bw_order_state_name(state), bw_order_state_name(from));
	bw_redis_exchange_unref(&x);
	return err;
}

enum bw_err bw_redis_order_result(struct bw_store *store, const struct bw_hash *id, int64_t number, enum bw_item_result result,
                                  struct bw_slice note, int64_t now_ms, struct bw_why *why)
{
	struct bw_redis *s = bw_redis_of(store);
	int64_t found = 0;
	enum bw_err err = bw_redis_check_time(now_ms, why);

	if (err == BW_OK)
		err = bw_store_check_result(result, why);
	struct bw_redis_exchange *x = err == BW_OK ? bw_redis_exchange_new(1) : NULL;

	if (x == NULL)
		return err != BW_OK ? err : bw_redis_no_memory(why);
	bw_redis_begin_site(s, x, BW_REDIS_ORDERS, now_ms, "result", 4);
	bw_redis_add_hash(x, id);
	bw_redis_add_number(x, number);
	bw_redis_add_number(x, result);
	bw_redis_add(x, bw_redis_cut(note));
	err = bw_redis_run_number(s, x, &found, why);
	if (err == BW_OK && found == 0)
		err = bw_fail(why, BW_ERR_NOT_FOUND, "the store has no such item of an order");
	bw_redis_exchange_unref(&x);
	return err;
}

/* --- listings --- */

struct order_taker {
	bool (*each)(void *ctx, const struct bw_order_row *row);
	void *ctx;
};

static void ask_orders(const struct bw_redis_pages *p, struct bw_redis_exchange *x)
{
	const struct bw_order_query *query = p->query;

	bw_redis_begin_site(p->s, x, BW_REDIS_ORDERS, 0, "each", 4);
	bw_redis_add_number(x, p->after);
	bw_redis_add_hash_or_all(x, &query->id);
	bw_redis_add(x, query->host);
	bw_redis_add_number(x, query->live);
}

static bool give_order(struct bw_redis_pages *p, struct bw_redis_row *record)
{
	const struct order_taker *taker = p->taker;
	struct bw_order_row row = { .items = 0 };

	bw_redis_take_number(record); /* its place in the order */
	row.id = bw_redis_take_hash(record);
	row.kind = (enum bw_order_kind)bw_redis_take_word(record, BW_ORDER_KIND_COUNT);
	row.host = bw_redis_take_text(record);
	row.owner = bw_redis_take_text(record);
	row.reason = bw_redis_take_text(record);
	row.pace = bw_redis_take_number(record);
	row.observe_ms = bw_redis_take_number(record);
	row.made_ms = bw_redis_take_number(record);
	row.expires_ms = bw_redis_take_number(record);
	row.state = (enum bw_order_state)bw_redis_take_word(record, BW_ORDER_STATE_COUNT);
	row.state_ms = bw_redis_take_number(record);
	row.state_by = bw_redis_take_text(record);
	row.note = bw_redis_take_text(record);
	row.items = bw_redis_take_number(record);
	for (int i = 0; i < BW_ITEM_RESULT_COUNT; i++)
		row.results[i] = bw_redis_take_number(record);
	row.deliveries = bw_redis_take_number(record);
	return !record->bad && taker->each(taker->ctx, &row);
}

enum bw_err bw_redis_order_each(struct bw_store *store, const struct bw_order_query *query, BW_EACH(struct bw_order_row),
                                struct bw_why *why)
{
	struct order_taker taker = { each, ctx };
	struct bw_redis_pages pages = {
		.s = bw_redis_of(store),
		.ask = ask_orders,
		.give = give_order,
		.with_cursor = true,
		.limit = query->limit,
		.taker = &taker,
		.query = query,
		.what = "an order",
	};

	return bw_redis_give_pages(&pages, why);
}

struct item_query {
	const struct bw_hash *id;
	int64_t limit;
	bool pending;
};

struct item_taker {
	bool (*each)(void *ctx, const struct bw_order_item *row);
	void *ctx;
};

static void ask_items(const struct bw_redis_pages *p, struct bw_redis_exchange *x)
{
	const struct item_query *query = p->query;

	bw_redis_begin_site(p->s, x, BW_REDIS_ORDERS, 0, "items", 4);
	bw_redis_add_number(x, p->after);
	bw_redis_add_hash(x, query->id);
	bw_redis_add_number(x, query->limit > 0 ? query->limit - p->given : EVERYTHING);
	bw_redis_add_number(x, query->pending);
}

static bool give_item(struct bw_redis_pages *p, struct bw_redis_row *record)
{
	const struct item_taker *taker = p->taker;
	struct bw_order_item item = { .number = bw_redis_take_number(record) };

	item.subject = bw_redis_take_hash(record);
	item.mta = bw_redis_take_text(record);
	item.queue_id = bw_redis_take_text(record);
	item.list = bw_redis_take_text(record);
	item.signed_text = bw_redis_take_text(record);
	item.deliveries = bw_redis_take_number(record);
	item.result = (enum bw_item_result)bw_redis_take_word(record, BW_ITEM_RESULT_COUNT);
	item.note = bw_redis_take_text(record);
	item.done_ms = bw_redis_take_number(record);
	return !record->bad && taker->each(taker->ctx, &item);
}

enum bw_err bw_redis_order_items(struct bw_store *store, const struct bw_hash *id, int64_t from, int64_t limit, bool pending,
                                 BW_EACH(struct bw_order_item), struct bw_why *why)
{
	const struct item_query query = { id, limit, pending };
	struct item_taker taker = { each, ctx };
	struct bw_redis_pages pages = {
		.s = bw_redis_of(store),
		.ask = ask_items,
		.give = give_item,
		.with_cursor = true,
		.after = from > 0 ? from : 0,
		.limit = limit,
		.taker = &taker,
		.query = &query,
		.what = "an item of an order",
	};

	return bw_redis_give_pages(&pages, why);
}

void bw_redis_tidy_orders(struct bw_redis *s, struct bw_redis_exchange *x, int64_t now_ms)
{
	bw_redis_begin_site(s, x, BW_REDIS_ORDERS, now_ms, "tidy", 2);
	bw_redis_add_number(x, now_ms - BW_STORE_ORDER_MS);
	bw_redis_add_number(x, now_ms - BW_STORE_WRITING_MS);
}
