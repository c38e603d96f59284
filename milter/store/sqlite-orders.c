/* Orders and their items: written by operators' commands, carried out by the agent of their host. */
#include <assert.h>

#include "sqlite-backend.h"
#include "store-internal.h"

/* The statements know these by their numbers. */
static_assert(BW_ORDER_WRITING == 0 && BW_ORDER_STOPPED == 3 && BW_ORDER_DONE == 4, "states below 4 are live");
static_assert(BW_ITEM_PENDING == 0 && BW_ITEM_DONE == 1 && BW_ITEM_GONE == 2 && BW_ITEM_REFUSED == 3 && BW_ITEM_FAILED == 4,
              "results in the order of their columns");

static enum bw_err not_found(struct bw_sqlite_lane *lane, const char *what, struct bw_why *why)
{
	return lane->rc == SQLITE_OK ? bw_fail(why, BW_ERR_NOT_FOUND, "the store has no such %s", what) : BW_OK;
}

/* --- put --- */

struct put {
	const struct bw_order_row *row;
	const struct bw_order_item *items;
	size_t n;
};

static void make_order(struct bw_sqlite_lane *lane, const struct bw_order_row *o)
{
	int64_t now_ms = bw_sqlite_now(lane, o->made_ms);

	bw_sqlite_run(lane, BW_SQL_ORDER_PUT,
	              ARGS(HASH(&o->id), INT(o->kind), TEXT(bw_sqlite_cut(o->host)), TEXT(bw_sqlite_cut(o->owner)),
	                   TEXT(bw_sqlite_cut(o->reason)), INT(o->pace), INT(o->observe_ms), INT(now_ms), INT(o->expires_ms), INT(now_ms),
	                   INT(BW_SQLITE_FORMAT)));
}

static void add_item(struct bw_sqlite_lane *lane, const struct bw_hash *id, const struct bw_order_item *i)
{
	bw_sqlite_run(lane, BW_SQL_ITEM_PUT,
	              ARGS(HASH(id), INT(i->number), HASH(&i->subject), TEXT(bw_sqlite_cut(i->mta)), TEXT(bw_sqlite_cut(i->queue_id)),
	                   TEXT(i->list), TEXT(i->signed_text), INT(i->deliveries)));
}

static enum bw_err run_put(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct put *p = arg;
	int64_t order[3] = { 0, BW_ORDER_WRITING, 0 }, fresh; /* its place, state, items */
	bool there = bw_sqlite_ints(lane, BW_SQL_ORDER_GET, order, 3, ARGS(HASH(&p->row->id)));

	if (order[1] != BW_ORDER_WRITING)
		return bw_fail(why, BW_ERR_CONFLICT, "the order is %s, and not being written any more",
		               bw_order_state_name((enum bw_order_state)order[1]));
	if (!bw_store_fits(p->items, p->n, order[2], &fresh))
		return bw_fail(why, BW_ERR_INPUT, "the order has %lld items; the next piece has later ones", (long long)order[2]);
	if (!there)
		make_order(lane, p->row);
	for (size_t i = 0; i < p->n; i++) {
		if (p->items[i].number != order[2]) /* it is there */
			continue;
		add_item(lane, &p->row->id, &p->items[i]);
		order[2]++;
	}
	bw_sqlite_run(lane, BW_SQL_ORDER_GROW, ARGS(HASH(&p->row->id), INT(fresh)));
	return BW_OK;
}

enum bw_err bw_sqlite_order_put(struct bw_store *s, const struct bw_order_row *row, const struct bw_order_item *items, size_t n,
                                struct bw_why *why)
{
	struct put put = { row, items, n };
	enum bw_err err = bw_store_check_order(row, items, n, why);

	return err != BW_OK ? err : bw_sqlite_do(bw_sqlite_of(s)->ledger, BW_SQLITE_WRITE, run_put, &put, why);
}

/* --- move --- */

struct move {
	const struct bw_hash *id;
	enum bw_order_state from, to;
	int64_t now_ms;
	struct bw_slice by, note;
};

static enum bw_err run_move(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct move *m = arg;
	int64_t order[2];

	if (!bw_sqlite_ints(lane, BW_SQL_ORDER_GET, order, 2, ARGS(HASH(m->id))))
		return not_found(lane, "order", why);
	if (order[1] != (int64_t)m->from)
		return bw_fail(why, BW_ERR_CONFLICT, "the order is %s, not %s", bw_order_state_name((enum bw_order_state)order[1]),
		               bw_order_state_name(m->from));
	bw_sqlite_run(lane, BW_SQL_ORDER_MOVE,
	              ARGS(HASH(m->id), INT(m->to), INT(bw_sqlite_now(lane, m->now_ms)), TEXT(bw_sqlite_cut(m->by)),
	                   TEXT(bw_sqlite_cut(m->note))));
	return BW_OK;
}

enum bw_err bw_sqlite_order_move(struct bw_store *s, const struct bw_hash *id, enum bw_order_state from, enum bw_order_state to,
                                 int64_t now_ms, struct bw_slice by, struct bw_slice note, struct bw_why *why)
{
	struct move move = { id, from, to, now_ms, by, note };
	enum bw_err err = bw_store_check_order_move(from, to, why);

	return err != BW_OK ? err : bw_sqlite_do(bw_sqlite_of(s)->ledger, BW_SQLITE_WRITE, run_move, &move, why);
}

/* --- results --- */

struct result {
	const struct bw_hash *id;
	int64_t number;
	enum bw_item_result result;
	struct bw_slice note;
	int64_t now_ms;
};

static enum bw_err run_result(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct result *r = arg;
	int64_t item[3]; /* the order's place, result, deliveries */

	if (!bw_sqlite_ints(lane, BW_SQL_ITEM_GET, item, 3, ARGS(HASH(r->id), INT(r->number))))
		return not_found(lane, "item of an order", why);
	if (item[1] != BW_ITEM_PENDING)
		return BW_OK;
	bw_sqlite_run(lane, BW_SQL_ITEM_END,
	              ARGS(INT(item[0]), INT(r->number), INT(r->result), TEXT(bw_sqlite_cut(r->note)),
	                   INT(bw_sqlite_now(lane, r->now_ms))));
	bw_sqlite_run(lane, BW_SQL_ORDER_COUNT, ARGS(INT(item[0]), INT(r->result), INT(item[2])));
	return BW_OK;
}

enum bw_err bw_sqlite_order_result(struct bw_store *s, const struct bw_hash *id, int64_t number, enum bw_item_result result,
                                   struct bw_slice note, int64_t now_ms, struct bw_why *why)
{
	struct result r = { id, number, result, note, now_ms };
	enum bw_err err = bw_store_check_result(result, why);

	return err != BW_OK ? err : bw_sqlite_do(bw_sqlite_of(s)->ledger, BW_SQLITE_WRITE, run_result, &r, why);
}

/* --- listings --- */

static void read_order(struct bw_sqlite_lane *lane, sqlite3_stmt *row, struct bw_arena *arena, void *out)
{
	struct bw_order_row *o = out;

	*o = (struct bw_order_row){
		.id = bw_sqlite_hash(row, 1),
		.kind = (enum bw_order_kind)bw_sqlite_word(lane, row, 2, BW_ORDER_KIND_COUNT),
		.host = bw_sqlite_keep(arena, row, 3),
		.owner = bw_sqlite_keep(arena, row, 4),
		.reason = bw_sqlite_keep(arena, row, 5),
		.pace = sqlite3_column_int64(row, 6),
		.observe_ms = sqlite3_column_int64(row, 7),
		.made_ms = sqlite3_column_int64(row, 8),
		.expires_ms = sqlite3_column_int64(row, 9),
		.state = (enum bw_order_state)bw_sqlite_word(lane, row, 10, BW_ORDER_STATE_COUNT),
		.state_ms = sqlite3_column_int64(row, 11),
		.state_by = bw_sqlite_keep(arena, row, 12),
		.note = bw_sqlite_keep(arena, row, 13),
		.items = sqlite3_column_int64(row, 14),
		.deliveries = sqlite3_column_int64(row, 15 + BW_ITEM_RESULT_COUNT),
	};
	for (int i = 0; i < BW_ITEM_RESULT_COUNT; i++)
		o->results[i] = sqlite3_column_int64(row, 15 + i);
}

struct order_taker {
	bool (*each)(void *ctx, const struct bw_order_row *row);
	void *ctx;
};

static bool give_order(void *taker, const void *row)
{
	const struct order_taker *t = taker;

	return t->each(t->ctx, row);
}

enum bw_err bw_sqlite_order_each(struct bw_store *s, const struct bw_order_query *query, BW_EACH(struct bw_order_row),
                                 struct bw_why *why)
{
	struct order_taker taker = { each, ctx };
	struct bw_sqlite_listing listing = {
		.lane = bw_sqlite_of(s)->ledger,
		.sql = BW_SQL_ORDER_EACH, /* newest first: its cursor is the place, negative */
		.args = { INT(-INT64_MAX), INT(!bw_hash_is_zero(&query->id)), HASH(&query->id), TEXT(query->host), INT(query->live) },
		.arg_count = 5,
		.limit = query->limit,
		.row_bytes = sizeof(struct bw_order_row),
		.read = read_order,
		.give = give_order,
		.taker = &taker,
	};

	return bw_sqlite_list_rows(&listing, why);
}

static void read_item(struct bw_sqlite_lane *lane, sqlite3_stmt *row, struct bw_arena *arena, void *out)
{
	*(struct bw_order_item *)out = (struct bw_order_item){
		.number = sqlite3_column_int64(row, 0),
		.subject = bw_sqlite_hash(row, 1),
		.mta = bw_sqlite_keep(arena, row, 2),
		.queue_id = bw_sqlite_keep(arena, row, 3),
		.list = bw_sqlite_keep(arena, row, 4),
		.signed_text = bw_sqlite_keep(arena, row, 5),
		.deliveries = sqlite3_column_int64(row, 6),
		.result = (enum bw_item_result)bw_sqlite_word(lane, row, 7, BW_ITEM_RESULT_COUNT),
		.note = bw_sqlite_keep(arena, row, 8),
		.done_ms = sqlite3_column_int64(row, 9),
	};
}

struct item_taker {
	bool (*each)(void *ctx, const struct bw_order_item *row);
	void *ctx;
};

static bool give_item(void *taker, const void *row)
{
	const struct item_taker *t = taker;

	return t->each(t->ctx, row);
}

enum bw_err bw_sqlite_order_items(struct bw_store *s, const struct bw_hash *id, int64_t from, int64_t limit, bool pending,
                                  BW_EACH(struct bw_order_item), struct bw_why *why)
{
	struct item_taker taker = { each, ctx };
	struct bw_sqlite_listing listing = {
		.lane = bw_sqlite_of(s)->ledger,
		.sql = BW_SQL_ITEM_EACH,
		.args = { INT((from > 0 ? from : 0) - 1), HASH(id), INT(pending) },
		.arg_count = 3,
		.limit = limit,
		.row_bytes = sizeof(struct bw_order_item),
		.read = read_item,
		.give = give_item,
		.taker = &taker,
	};

	return bw_sqlite_list_rows(&listing, why);
}
