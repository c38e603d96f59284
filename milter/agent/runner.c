/* One step is a look at the stores, when its second has come, and one message of the order whose turn it is. */
#include "runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bw/clock.h"
#include "running.h"

#define LOOK_EVERY_MS     BW_SECOND_MS
#define UNFINISHED_MS     (10 * BW_MINUTE_MS) /* breakwaterctl writes an order in seconds */
#define OBSERVE_MOST_MS   BW_DAY_MS
#define TRY_AGAIN_MS      BW_SECOND_MS
#define TRY_AGAIN_MOST_MS (30 * BW_SECOND_MS)

/* Orders at a time, the oldest first; rows of one look. */
enum { ORDERS_MAX = 32, ROWS_MAX = 20000, TRIES_MAX = 5 };

struct runner {
	const struct runner_tools *tools;
	struct bw_keeper keeper;
	struct running orders[ORDERS_MAX];
	size_t count, turn;
	int64_t look_ms; /* the next one */
	unsigned look;
};

/* --- looking --- */

struct looking {
	struct runner *r;
	struct bw_store *store;
	int64_t now_ms, rows;
};

static int64_t between(int64_t least, int64_t n, int64_t most)
{
	return n < least ? least : n > most ? most : n;
}

static struct running *find(struct runner *r, const struct bw_store *store, const struct bw_hash *id)
{
	for (size_t i = 0; i < r->count; i++) {
		if (r->orders[i].store == store && bw_hash_equal(&r->orders[i].order.id, id))
			return &r->orders[i];
	}
	return NULL;
}

/* A place for one more; where there is none, that of the newest, if it has not begun and this one is older. */
static struct running *place_for(struct runner *r, const struct bw_order_row *row)
{
	struct running *newest = NULL;

	if (r->count < ORDERS_MAX)
		return &r->orders[r->count++];
	for (size_t i = 0; i < r->count; i++) {
		struct running *o = &r->orders[i];

		if (!o->begun && (newest == NULL || o->order.made_ms > newest->order.made_ms))
			newest = o;
	}
	return newest != NULL && newest->order.made_ms > row->made_ms ? newest : NULL;
}

/* Is there anything to do with it: carry it out, or end it? */
static bool is_due(const struct bw_order_row *row, int64_t now_ms)
{
	return row->state == BW_ORDER_RUNNING || row->expires_ms <= now_ms ||
	       (row->state == BW_ORDER_WRITING && row->made_ms < now_ms - UNFINISHED_MS);
}

static void take(struct looking *l, const struct bw_order_row *row)
{
	struct running *o = place_for(l->r, row);

	if (o == NULL)
		return;
	*o = (struct running){
		.store = l->store,
		.order = { .kind = row->kind, .id = row->id, .made_ms = row->made_ms },
		.state = row->state,
		.expires_ms = row->expires_ms,
		.pace_budget = row->pace,
		.observe_ms = between(0, row->observe_ms, OBSERVE_MOST_MS),
		.wake_ms = l->now_ms,
		.look = l->r->look,
	};
	bw_slice_copy(row->owner, o->order.owner, sizeof(o->order.owner));
}

/* The store was asked for live orders of this host; it is not believed. */
static bool take_row(void *ctx, const struct bw_order_row *row)
{
	struct looking *l = ctx;
	struct running *o;

	if (++l->rows > ROWS_MAX)
		return false;
	if (!bw_slice_equal(row->host, bw_slice_of(l->r->keeper.host)) || row->state > BW_ORDER_STOPPED || bw_hash_is_zero(&row->id))
		return true;
	o = find(l->r, l->store, &row->id);
	if (o == NULL && is_due(row, l->now_ms)) {
		take(l, row);
	} else if (o != NULL && o->state == row->state) {
		o->look = l->r->look;
		o->expires_ms = row->expires_ms;
	}
	return true;
}

/* What this look has not seen as it was is paused, stopped, over or gone; resumed, it begins anew. */
static void forget_unseen(struct runner *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->count; i++) {
		if (r->orders[i].look != r->look || r->orders[i].ended)
			continue;
		if (kept != i) {
			r->orders[kept] = r->orders[i];
			r->orders[kept].flare.ctx = &r->orders[kept].lists;
		}
		kept++;
	}
	r->count = kept;
}

/* While the shared store is away, it answers from this host's own. */
static bool is_own(struct bw_store *store)
{
	int64_t daemons;

	return store->ops->degraded(store, &daemons);
}

static enum bw_err look(struct runner *r, int64_t now_ms, struct bw_why *why)
{
	const struct bw_order_query query = { .host = bw_slice_of(r->keeper.host), .live = true };
	const struct runner_tools *t = r->tools;
	enum bw_err err = BW_OK;

	r->look_ms = now_ms + LOOK_EVERY_MS;
	r->look++;
	for (size_t i = t->orders[1] != NULL && is_own(t->orders[0]) ? 1 : 0; i < 2 && t->orders[i] != NULL; i++) {
		struct looking l = { r, t->orders[i], now_ms, 0 };
		struct bw_why own;
		enum bw_err one = l.store->ops->order_each(l.store, &query, take_row, &l, &own);

		if (one != BW_OK && err == BW_OK)
			err = bw_fail(why, one, "%s", own.text);
	}
	forget_unseen(r);
	return err;
}

/* --- one message --- */

/* Until the next message may go; meanwhile it is watched. */
static void rest(struct running *o, int64_t now_ms)
{
	o->wake_ms = o->pace.next_ms < now_ms + LOOK_EVERY_MS ? o->pace.next_ms : now_ms + LOOK_EVERY_MS;
}

static void note_list(void *ctx, struct bw_slice list)
{
	agent_lists_add(ctx, list);
}

/* Nothing answers: tried again, at growing distances. An MTA that goes on failing for one message fails for it alone. */
static enum bw_err try_again(struct runner *r, struct running *o, const struct item *item, struct outcome *outcome, int64_t now_ms,
                             struct bw_why *why)
{
	char note[BW_WHY_BYTES + 40];
	struct bw_why first = outcome->note;

	if (++o->tries >= TRIES_MAX && !outcome->away)
		return agent_running_result(o, r->keeper.host, item, outcome, now_ms, why);
	o->wake_ms = now_ms + between(TRY_AGAIN_MS, TRY_AGAIN_MS << between(0, o->tries - 1, 10), TRY_AGAIN_MOST_MS);
	snprintf(note, sizeof(note), "tried again: %s", first.text);
	(void)agent_running_move(o, r->keeper.host, o->state, now_ms, note, NULL);
	return bw_fail(why, BW_ERR_IO, "%s", first.text);
}

static enum bw_err do_item(struct runner *r, struct running *o, int64_t now_ms, struct bw_why *why)
{
	const struct item_tools tools = { &r->keeper, r->tools->ledger, o->store, r->tools->places, note_list, &o->lists };
	struct outcome outcome;
	struct item item;
	enum bw_err err = agent_running_item(o, &item, why);

	if (err == BW_ERR_NOT_FOUND)
		return agent_running_end(o, r->keeper.host, now_ms, why);
	if (err != BW_OK)
		return err;
	agent_item_do(&tools, &o->order, &item, now_ms, &outcome);
	if (outcome.again)
		return try_again(r, o, &item, &outcome, now_ms, why);
	if (o->pace_budget > 0 && outcome.result == BW_ITEM_DONE) {
		bw_pace_sent(&o->pace, now_ms, outcome.deliveries);
		rest(o, now_ms);
	}
	return agent_running_result(o, r->keeper.host, &item, &outcome, now_ms, why);
}

/* --- one order --- */

static enum bw_err stop(struct runner *r, struct running *o, int64_t now_ms, const char *what, struct bw_why *why)
{
	char note[BW_WHY_BYTES + 60];

	snprintf(note, sizeof(note), "after %lld messages: %s", (long long)o->pace.sent, what);
	return agent_running_move(o, r->keeper.host, BW_ORDER_STOPPED, now_ms, note, why);
}

static enum bw_err work(struct runner *r, struct running *o, int64_t now_ms, struct bw_why *why)
{
	struct bw_why what = { "" };
	enum bw_err err;

	if (o->expires_ms <= now_ms)
		return agent_running_move(o, r->keeper.host, BW_ORDER_CANCELLED, now_ms, "its time is over", why);
	if (o->state != BW_ORDER_RUNNING)
		return agent_running_move(o, r->keeper.host, BW_ORDER_CANCELLED, now_ms, "it was never written to its end", why);
	err = o->begun ? BW_OK : agent_running_begin(o, now_ms, why);
	if (err != BW_OK || o->pace_budget <= 0)
		return err == BW_OK ? do_item(r, o, now_ms, why) : err;
	switch (bw_flare_next(&o->flare, &o->pace, now_ms, &what)) {
	case BW_PACE_SEND:
		return do_item(r, o, now_ms, why);
	case BW_PACE_STOP:
		return stop(r, o, now_ms, what.text, why);
	case BW_PACE_WAIT:
		rest(o, now_ms);
		break;
	}
	return BW_OK;
}

/* In turn, so that one long order keeps no other waiting. */
static struct running *choose(struct runner *r, int64_t now_ms)
{
	for (size_t i = 0; i < r->count; i++) {
		struct running *o = &r->orders[(r->turn + i) % r->count];

		if (o->ended || o->wake_ms > now_ms)
			continue;
		r->turn = (r->turn + i + 1) % r->count;
		return o;
	}
	return NULL;
}

static int64_t next_wake(const struct runner *r)
{
	int64_t at_ms = r->look_ms;

	for (size_t i = 0; i < r->count; i++) {
		if (!r->orders[i].ended && r->orders[i].wake_ms < at_ms)
			at_ms = r->orders[i].wake_ms;
	}
	return at_ms;
}

enum bw_err agent_runner_step(struct runner *r, int64_t now_ms, int64_t *next_ms, struct bw_why *why)
{
	enum bw_err err = BW_OK;
	struct running *o;

	if (now_ms >= r->look_ms || r->look_ms > now_ms + LOOK_EVERY_MS)
		err = look(r, now_ms, why);
	o = choose(r, now_ms);
	if (o != NULL) {
		struct bw_why own;
		enum bw_err one = work(r, o, now_ms, &own);

		/* The store did not take it, or somebody has moved it: the next look tells. */
		if (one != BW_OK && o->wake_ms <= now_ms)
			o->wake_ms = now_ms + TRY_AGAIN_MS;
		if (one != BW_OK && err == BW_OK)
			err = bw_fail(why, one, "%s", own.text);
	}
	*next_ms = next_wake(r);
	return err;
}

bool agent_runner_troubled(const struct runner *r)
{
	bool troubled = false;

	for (size_t i = 0; i < r->count; i++)
		troubled = troubled || (r->orders[i].tries > 0 && !r->orders[i].ended);
	return troubled;
}

/* --- its life --- */

enum bw_err agent_runner_new(const struct runner_tools *tools, struct runner **out, struct bw_why *why)
{
	struct runner *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory to carry out orders");
	r->tools = tools;
	agent_runner_wake(r);
	*out = r;
	return BW_OK;
}

void agent_runner_wake(struct runner *r)
{
	r->keeper = *r->tools->keeper;
	r->keeper.by = AGENT_NAME;
	r->look_ms = 0;
}

void agent_runner_free(struct runner **r)
{
	free(*r);
	*r = NULL;
}
