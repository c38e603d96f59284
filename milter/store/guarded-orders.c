/* Orders that were given while the shared store was away go into it when it is back: what is done of them, and how they stand. */
#include "guarded-internal.h"

#define ITEMS_BYTES_MAX ((size_t)8 << 20)

static const struct bw_slice goes_on = BW_S("goes on in the shared store");

/* One piece of an order, with its texts. */
struct piece {
	struct bw_arena *texts;
	struct bw_order_item items[BW_ORDER_PIECE];
	size_t n;
};

static bool keep_item(void *ctx, const struct bw_order_item *row)
{
	struct piece *p = ctx;
	struct bw_order_item *item = &p->items[p->n++];

	*item = *row;
	item->mta = bw_arena_slice(p->texts, row->mta);
	item->queue_id = bw_arena_slice(p->texts, row->queue_id);
	item->list = bw_arena_slice(p->texts, row->list);
	item->signed_text = bw_arena_slice(p->texts, row->signed_text);
	item->note = bw_arena_slice(p->texts, row->note);
	return p->n < BW_ORDER_PIECE;
}

/* It is written there, unless it was merged before; and each item has the result that it has here. */
static enum bw_err merge_piece(struct bw_store *primary, const struct bw_order_row *order, const struct piece *p)
{
	enum bw_err err = primary->ops->order_put(primary, order, p->items, p->n, NULL);

	for (size_t i = 0; i < p->n && (err == BW_OK || err == BW_ERR_CONFLICT); i++) {
		const struct bw_order_item *item = &p->items[i];

		if (item->result != BW_ITEM_PENDING)
			err = primary->ops->order_result(primary, &order->id, item->number, item->result, item->note, item->done_ms, NULL);
	}
	return err == BW_ERR_CONFLICT ? BW_OK : err;
}

static enum bw_err merge_items(struct bw_guarded *g, const struct bw_order_row *order)
{
	struct bw_store *local = g->fallback;
	struct piece p = { .texts = bw_arena_new(ITEMS_BYTES_MAX) };
	enum bw_err err = p.texts == NULL ? BW_ERR_MEMORY : BW_OK;
	int64_t at = 0;

	do {
		p.n = 0;
		if (err == BW_OK)
			err = local->ops->order_items(local, &order->id, at, BW_ORDER_PIECE, false, keep_item, &p, NULL);
		if (err == BW_OK)
			err = merge_piece(g->primary, order, &p);
		at += BW_ORDER_PIECE;
		if (p.texts != NULL)
			bw_arena_reset(p.texts);
	} while (err == BW_OK && p.n == BW_ORDER_PIECE);
	bw_arena_free(&p.texts);
	return err;
}

struct there {
	enum bw_order_state state;
	int64_t state_ms;
};

static bool note_there(void *ctx, const struct bw_order_row *row)
{
	*(struct there *)ctx = (struct there){ row->state, row->state_ms };
	return false;
}

static enum bw_err merge_order(struct bw_guarded *g, const struct bw_order_row *order)
{
	struct bw_store *primary = g->primary;
	struct bw_order_query one = { .id = order->id };
	struct there there = { order->state, 0 };
	enum bw_err err = merge_items(g, order);

	if (err == BW_OK)
		err = primary->ops->order_each(primary, &one, note_there, &there, NULL);
	/* It may have gone its own way there, later. */
	if (err == BW_OK && there.state != order->state && order->state != BW_ORDER_WRITING &&
	    (there.state == BW_ORDER_WRITING || order->state_ms >= there.state_ms))
		err = primary->ops->order_move(primary, &order->id, there.state, order->state, order->state_ms, order->state_by, order->note,
		                               NULL);
	return err == BW_ERR_CONFLICT ? BW_OK : err;
}

struct merge {
	struct bw_guarded *g;
	int64_t since_ms;
	enum bw_err err;
};

/* Merged before, and ended here since. By its words: another outage may begin in the same millisecond. */
static bool was_merged(const struct bw_order_row *row)
{
	return row->state == BW_ORDER_CANCELLED && bw_slice_equal(row->note, goes_on);
}

static bool each_order(void *ctx, const struct bw_order_row *row)
{
	struct merge *m = ctx;

	if (row->state_ms >= m->since_ms && !was_merged(row))
		m->err = merge_order(m->g, row);
	return m->err == BW_OK;
}

enum bw_err bw_guarded_merge_orders(struct bw_guarded *g, int64_t since_ms)
{
	struct merge m = { g, since_ms, BW_OK };
	struct bw_order_query all = { .limit = 0 };
	enum bw_err err = g->fallback->ops->order_each(g->fallback, &all, each_order, &m, NULL);

	return err == BW_OK ? m.err : err;
}

static bool end_copy(void *ctx, const struct bw_order_row *row)
{
	struct bw_guarded *g = ctx;
	struct bw_store *local = g->fallback;

	(void)local->ops->order_move(local, &row->id, row->state, BW_ORDER_CANCELLED, 0, BW_S("breakwater"), goes_on, NULL);
	return true;
}

/* In the fallback's next turn they would begin again where they are now. */
void bw_guarded_end_orders(struct bw_guarded *g)
{
	struct bw_order_query live = { .live = true };

	(void)g->fallback->ops->order_each(g->fallback, &live, end_copy, g, NULL);
}
