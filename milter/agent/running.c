#include "running.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bw/parse.h"

/* --- lists --- */

static struct bw_hash hash_of(struct bw_slice list)
{
	/* Equality alone is asked for, of addresses that the ledger holds. */
	static const struct bw_key key;

	return bw_hash_slice(&key, "order-list", list);
}

bool agent_lists_have(const struct lists *l, struct bw_slice list)
{
	const struct bw_hash hash = hash_of(list);

	for (size_t i = 0; i < l->count; i++) {
		if (bw_hash_equal(&l->at[i], &hash))
			return true;
	}
	return l->all;
}

void agent_lists_add(struct lists *l, struct bw_slice list)
{
	if (agent_lists_have(l, list))
		return;
	if (l->count < RUNNING_LISTS)
		l->at[l->count++] = hash_of(list);
	else
		l->all = true;
}

/* --- events --- */

__attribute__((format(printf, 5, 6))) static enum bw_err tell(const struct running *o, const char *host, enum bw_event event,
                                                              int64_t now_ms, const char *format, ...)
{
	char text[BW_WHY_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	const struct bw_event_row row = {
		.at_ms = now_ms,
		.event = event,
		.host = bw_slice_of(host),
		.text = bw_slice_of(text),
		.owner = bw_slice_of(o->order.owner),
	};

	return o->store->ops->event_add(o->store, &row, NULL);
}

static const char *digits(const struct running *o, char out[2 * BW_HASH_BYTES + 1])
{
	bw_hash_hex(&o->order.id, out);
	out[ORDER_DIGITS] = '\0';
	return out;
}

/* --- items --- */

struct fetching {
	struct item *out;
	bool found;
	int64_t from;
};

static bool take_item(void *ctx, const struct bw_order_item *row)
{
	struct fetching *f = ctx;

	if (row->number < f->from)
		return true;
	agent_item_copy(row, f->out);
	f->found = true;
	return false;
}

enum bw_err agent_running_item(struct running *o, struct item *out, struct bw_why *why)
{
	struct fetching f = { .out = out, .from = o->next };
	enum bw_err err = BW_OK;

	if (o->next < BW_ORDER_ITEMS_MAX)
		err = o->store->ops->order_items(o->store, &o->order.id, o->next, 1, true, take_item, &f, why);
	if (err == BW_OK && (!f.found || out->number >= BW_ORDER_ITEMS_MAX))
		err = bw_fail(why, BW_ERR_NOT_FOUND, "all items have a result");
	return err;
}

static bool note_list(void *ctx, const struct bw_order_item *row)
{
	struct lists *lists = ctx;

	agent_lists_add(lists, row->list);
	return !lists->all;
}

static bool is_ours(void *ctx, struct bw_slice list)
{
	return agent_lists_have(ctx, list);
}

enum bw_err agent_running_begin(struct running *o, int64_t now_ms, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	o->begun = true;
	o->next = 0;
	o->wake_ms = now_ms;
	if (o->pace_budget <= 0)
		return BW_OK;
	o->flare = (struct bw_flare){ .is_ours = is_ours, .ctx = &o->lists };
	bw_flare_start(&o->flare, o->store, now_ms);
	bw_pace_start(&o->pace, o->pace_budget, o->observe_ms, now_ms);
	err = o->store->ops->order_items(o->store, &o->order.id, 0, BW_ORDER_ITEMS_MAX, true, note_list, &o->lists, why);
	o->begun = err == BW_OK;
	return err;
}

/* --- results and states --- */

enum bw_err agent_running_result(struct running *o, const char *host, const struct item *item, const struct outcome *outcome,
                                 int64_t now_ms, struct bw_why *why)
{
	char hex[2 * BW_HASH_BYTES + 1];
	enum bw_err err = o->store->ops->order_result(o->store, &o->order.id, item->number, outcome->result,
	                                              bw_slice_of(outcome->note.text), now_ms, why);

	if (err != BW_OK)
		return err;
	o->next = item->number + 1;
	o->tries = 0;
	if (outcome->result == BW_ITEM_REFUSED)
		(void)tell(o, host, BW_EVENT_REFUSED, now_ms, "order %s: %s of %s refused: %s", digits(o, hex),
		           bw_order_kind_name(o->order.kind), item->fits ? item->queue_id : "a message", outcome->note.text);
	return BW_OK;
}

enum bw_err agent_running_move(struct running *o, const char *host, enum bw_order_state to, int64_t now_ms, const char *note,
                               struct bw_why *why)
{
	char hex[2 * BW_HASH_BYTES + 1];
	enum bw_err err =
		o->store->ops->order_move(o->store, &o->order.id, o->state, to, now_ms, BW_S(AGENT_NAME), bw_slice_of(note), why);

	if (err != BW_OK && err != BW_ERR_CONFLICT && err != BW_ERR_NOT_FOUND)
		return err;
	o->ended = to != o->state || err != BW_OK;
	if (err == BW_OK && to != o->state)
		(void)tell(o, host, BW_EVENT_ORDER, now_ms, "order %s to %s %s: %s", digits(o, hex), bw_order_kind_name(o->order.kind),
		           bw_order_state_name(to), note);
	return BW_OK;
}

static bool print_sum(void *ctx, const struct bw_order_row *row)
{
	struct bw_buf *out = ctx;

	bw_buf_printf(out, "%lld of %lld messages, ", (long long)row->results[BW_ITEM_DONE], (long long)row->items);
	bw_print_count(out, row->deliveries);
	bw_buf_add_text(out, " deliveries");
	for (int i = BW_ITEM_GONE; i < BW_ITEM_RESULT_COUNT; i++) {
		if (row->results[i] > 0)
			bw_buf_printf(out, ", %lld %s", (long long)row->results[i], bw_item_result_name((enum bw_item_result)i));
	}
	return false;
}

enum bw_err agent_running_end(struct running *o, const char *host, int64_t now_ms, struct bw_why *why)
{
	const struct bw_order_query query = { .id = o->order.id, .limit = 1 };
	struct bw_buf sum;

	bw_buf_init(&sum, BW_WHY_BYTES);
	bw_buf_printf(&sum, "%s ", agent_item_done(o->order.kind));
	enum bw_err err = o->store->ops->order_each(o->store, &query, print_sum, &sum, why);

	if (err == BW_OK)
		err = agent_running_move(o, host, BW_ORDER_DONE, now_ms, bw_buf_text(&sum), why);
	bw_buf_done(&sum);
	return err;
}
