#include "frozen.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bw/helper.h"

/* --- what can be ordered --- */

/* Where this fails, the next queue run delivers. */
static void deliver(const struct place *p, const struct bw_held *entry)
{
	char queue_id[BW_QUEUE_ID_BYTES];
	struct bw_why ignored;

	bw_slice_copy(entry->queue_id, queue_id, sizeof(queue_id));
	(void)p->mta->deliver(&p->at, queue_id, &ignored);
}

static enum bw_err release(struct bw_keeper *k, const struct place *p, const struct bw_held *entry, struct bw_why *why)
{
	enum bw_err err = bw_keeper_release(k, p->mta, &p->at, entry, why);

	if (err == BW_OK)
		deliver(p, entry);
	return err;
}

static enum bw_err delete(struct bw_keeper *k, const struct place *p, const struct bw_held *entry, struct bw_why *why)
{
	return bw_keeper_delete(k, p->mta, &p->at, entry, why);
}

static enum bw_err restore(struct bw_keeper *k, const struct place *p, const struct bw_held *entry, struct bw_why *why)
{
	char queue_id[BW_QUEUE_ID_BYTES];

	return bw_keeper_restore(k, p->mta, &p->at, entry, queue_id, why);
}

struct kind {
	const char *done;
	enum bw_held_state from, to;
	enum bw_err (*run)(struct bw_keeper *k, const struct place *p, const struct bw_held *entry, struct bw_why *why);
};

static const struct kind kinds[BW_ORDER_KIND_COUNT] = {
	[BW_ORDER_RELEASE] = { "released", BW_HELD_WAITING, BW_HELD_RELEASED, release },
	[BW_ORDER_DELETE] = { "deleted", BW_HELD_WAITING, BW_HELD_DELETED, delete },
	[BW_ORDER_RESTORE] = { "restored", BW_HELD_DELETED, BW_HELD_WAITING, restore },
};

static const struct kind *kind_of(enum bw_order_kind kind)
{
	return (unsigned)kind < BW_ORDER_KIND_COUNT && kinds[kind].run != NULL ? &kinds[kind] : NULL;
}

const char *agent_item_done(enum bw_order_kind kind)
{
	const struct kind *k = kind_of(kind);
	const char *frozen = agent_frozen_done(kind);

	return k != NULL ? k->done : frozen != NULL ? frozen : "done";
}

/* --- its copy --- */

/* Whole, and without a byte that would make something else of it. */
static bool take_word(struct bw_slice s, char *out, size_t size)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	}
	return bw_slice_copy(s, out, size) == s.n;
}

void agent_item_copy(const struct bw_order_item *row, struct item *out)
{
	*out = (struct item){ .number = row->number, .subject = row->subject };
	out->fits = take_word(row->mta, out->mta, sizeof(out->mta));
	out->fits &= take_word(row->queue_id, out->queue_id, sizeof(out->queue_id));
	out->fits &= take_word(row->signed_text, out->signed_text, sizeof(out->signed_text));
	bw_slice_copy(row->list, out->list, sizeof(out->list));
}

/* --- the ledger's entry --- */

struct entry {
	bool found;
	enum bw_held_state state;
	int64_t held_ms, state_ms, deliveries;
	char host[256], mta[16], queue_id[BW_QUEUE_ID_BYTES], list[ITEM_LIST_BYTES], state_by[200];
	const struct item_tools *tools;
};

static void note_lists(const struct item_tools *t, const struct bw_held *row)
{
	if (t->note_list == NULL)
		return;
	t->note_list(t->ctx, row->list);
	for (size_t i = 0; i < row->list_count; i++)
		t->note_list(t->ctx, row->lists[i].list);
}

static bool take_entry(void *ctx, const struct bw_held *row)
{
	struct entry *e = ctx;

	e->found = true;
	e->state = row->state;
	e->held_ms = row->held_ms;
	e->state_ms = row->state_ms;
	e->deliveries = row->deliveries;
	bw_slice_copy(row->host, e->host, sizeof(e->host));
	bw_slice_copy(row->mta, e->mta, sizeof(e->mta));
	bw_slice_copy(row->queue_id, e->queue_id, sizeof(e->queue_id));
	bw_slice_copy(row->list, e->list, sizeof(e->list));
	bw_slice_copy(row->state_by, e->state_by, sizeof(e->state_by));
	note_lists(e->tools, row);
	return false;
}

static struct bw_held held_of(const struct entry *e, const struct bw_hash *id)
{
	return (struct bw_held){
		.id = *id,
		.host = bw_slice_of(e->host),
		.queue_id = bw_slice_of(e->queue_id),
		.mta = bw_slice_of(e->mta),
		.list = bw_slice_of(e->list),
		.deliveries = e->deliveries,
		.held_ms = e->held_ms,
		.state = e->state,
		.state_ms = e->state_ms,
	};
}

/* --- judging --- */

/* What is moved by an order says so in the ledger, which nobody but this host writes. */
static void print_by(const struct item_order *order, char *out, size_t size)
{
	char hex[2 * BW_HASH_BYTES + 1];

	bw_hash_hex(&order->id, hex);
	snprintf(out, size, "%s (order %.*s)", order->owner, ORDER_DIGITS, hex);
}

__attribute__((format(printf, 3, 4))) static void decide(struct outcome *out, enum bw_item_result result, const char *note, ...)
{
	va_list args;

	va_start(args, note);
	out->result = result;
	vsnprintf(out->note.text, sizeof(out->note.text), note, args);
	va_end(args);
}

/* The message is not in the state that the order takes it from. True: nothing is left to do. */
static bool is_over(const struct entry *e, const struct kind *kind, const struct item_order *order, const char *by,
                    struct outcome *out)
{
	if (e->state == kind->from)
		return false;
	if (e->state == kind->to && strcmp(e->state_by, by) == 0)
		decide(out, BW_ITEM_DONE, "%s", kind->done); /* by ourselves, before we were killed */
	else if (e->state == kind->to && e->state_ms >= order->made_ms && strcmp(e->state_by, AGENT_NAME) == 0)
		decide(out, BW_ITEM_DONE, "%s, as reconcile has found", kind->done);
	else if (e->state_ms >= order->made_ms)
		decide(out, BW_ITEM_GONE, "it was moved by %s meanwhile", e->state_by);
	else
		decide(out, BW_ITEM_REFUSED, "it is %s since before the order was given", bw_held_state_name(e->state));
	return true;
}

/* Is the item about this message of this host, and is it one that can be carried out? */
static bool is_about(const struct entry *e, const struct item *item, const char *host, struct outcome *out)
{
	if (!item->fits)
		decide(out, BW_ITEM_REFUSED, "the item is none that breakwaterctl writes");
	else if (!e->found)
		decide(out, BW_ITEM_REFUSED, "the ledger of %s knows no such message", host);
	else if (strcmp(e->host, host) != 0)
		decide(out, BW_ITEM_REFUSED, "it is of the hold queue of %s", e->host);
	else if (strcmp(e->queue_id, item->queue_id) != 0)
		decide(out, BW_ITEM_REFUSED, "the ledger has that message under the queue id %s", e->queue_id);
	else if (strcmp(e->mta, item->mta) != 0)
		decide(out, BW_ITEM_REFUSED, "it is held by %s", e->mta);
	else
		return true;
	return false;
}

/* The helper's own word says more than an error; a message that is gone is no forgery. */
static void take_refusal(enum bw_refusal refusal, struct outcome *out)
{
	struct bw_why said = out->note;

	if (refusal == BW_REFUSAL_NONE || refusal == BW_REFUSAL_NO_MESSAGE)
		return;
	out->again = out->away = false;
	decide(out, BW_ITEM_REFUSED, "%s: %.*s", bw_refusal_name(refusal), (int)sizeof(said.text) - 40, said.text);
}

void agent_item_settle(enum bw_err err, const char *done, const struct bw_helper *helper, struct outcome *out)
{
	static const enum bw_item_result results[BW_ERR_COUNT] = {
		[BW_OK] = BW_ITEM_DONE,
		[BW_ERR_NOT_FOUND] = BW_ITEM_GONE,
		[BW_ERR_CONFLICT] = BW_ITEM_REFUSED,
		[BW_ERR_PERMISSION] = BW_ITEM_REFUSED,
		[BW_ERR_INPUT] = BW_ITEM_REFUSED,
		[BW_ERR_LIMIT] = BW_ITEM_FAILED,
		[BW_ERR_RANGE] = BW_ITEM_FAILED,
		[BW_ERR_EXISTS] = BW_ITEM_FAILED,
		[BW_ERR_CORRUPT] = BW_ITEM_FAILED,
	};

	out->again = err == BW_ERR_IO || err == BW_ERR_STORE || err == BW_ERR_MEMORY;
	out->away = err == BW_ERR_STORE;
	out->result = out->again ? BW_ITEM_FAILED : results[err];
	if (err == BW_OK) {
		decide(out, BW_ITEM_DONE, "%s", done);
	} else if (helper != NULL) {
		out->away = out->away || (out->again && !bw_helper_answered(helper));
		take_refusal(bw_helper_refusal(helper), out);
	}
}

static void carry_out(const struct item_tools *t, const struct kind *kind, const struct bw_held *entry, const struct item *item,
                      struct outcome *out)
{
	const struct place *found = agent_place_of(t->places, entry);

	if (found == NULL) {
		decide(out, BW_ITEM_FAILED, "no %s on this host", item->mta);
		return;
	}
	struct place place = *found;

	place.at.order = item->signed_text;
	const enum bw_err err = kind->run(t->keeper, &place, entry, &out->note);

	agent_item_settle(err, kind->done, place.at.helper, out);
}

void agent_item_do(const struct item_tools *t, const struct item_order *order, const struct item *item, int64_t now_ms,
                   struct outcome *out)
{
	const struct bw_held_query query = { .id = item->subject, .limit = 1 };
	const struct kind *kind = kind_of(order->kind);
	struct entry e = { .tools = t };
	char by[ITEM_OWNER_BYTES + 40];

	*out = (struct outcome){ .result = BW_ITEM_PENDING };
	if (kind == NULL && agent_frozen_done(order->kind) != NULL) {
		agent_frozen_do(t, order, item, now_ms, out);
		return;
	}
	if (kind == NULL) {
		decide(out, BW_ITEM_FAILED, "this breakwater-agent cannot %s", bw_order_kind_name(order->kind));
		return;
	}
	print_by(order, by, sizeof(by));
	t->keeper->by = by;
	t->keeper->now_ms = now_ms;
	/* A zero id would select all. */
	if (!bw_hash_is_zero(&item->subject) && t->ledger->ops->held_each(t->ledger, &query, take_entry, &e, &out->note) != BW_OK) {
		out->again = out->away = true;
	} else if (!e.found && order->kind == BW_ORDER_RESTORE) {
		agent_frozen_do(t, order, item, now_ms, out); /* what was dropped was never in the ledger */
		return;
	} else if (is_about(&e, item, t->keeper->host, out)) {
		const struct bw_held held = held_of(&e, &item->subject);
		const struct place *place = agent_place_of(t->places, &held);

		if (!is_over(&e, kind, order, by, out))
			carry_out(t, kind, &held, item, out);
		else if (out->result == BW_ITEM_DONE && order->kind == BW_ORDER_RELEASE && place != NULL)
			deliver(place, &held); /* we may have been killed before that */
	}
	out->deliveries = out->result == BW_ITEM_DONE ? e.deliveries : 0;
	t->keeper->by = AGENT_NAME;
}
