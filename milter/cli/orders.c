/* held orders / pause / resume / cancel: what has been ordered about held mail, on all hosts, and how far it is. */
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "bw/clock.h"
#include "bw/parse.h"
#include "bw/stores.h"
#include "ordering.h"

#define PATIENCE_MS (5 * BW_SECOND_MS)

/* Where orders may stand: the store, and this host's own, in which they are given while the shared one is away; what has ended there is in
 * the shared one by then. */
struct stores {
	struct bw_store *at[2];
	size_t count;
};

static void open_stores(struct cli *c, struct stores *out)
{
	const struct bw_config *config = bw_cli_config(c);
	int64_t daemons;

	*out = (struct stores){ .at = { c->store }, .count = 1 };
	if (!bw_stores_is_redis(config) || c->store->ops->degraded(c->store, &daemons) || access(config->store.path, W_OK) != 0)
		return;
	if (bw_store_sqlite_open(config->store.path, PATIENCE_MS, &out->at[1], NULL) == BW_OK)
		out->count = 2;
}

static void close_stores(struct stores *s)
{
	if (s->count > 1)
		bw_store_close(&s->at[1]);
}

/* --- a row --- */

static json_t *order_json(const struct bw_order_row *row)
{
	char id[2 * BW_HASH_BYTES + 1];
	json_t *o = json_object();

	bw_hash_hex(&row->id, id);
	bw_cli_put_text(o, "id", id);
	bw_cli_put_text(o, "kind", bw_order_kind_name(row->kind));
	bw_cli_put(o, "host", row->host);
	bw_cli_put_text(o, "state", bw_order_state_name(row->state));
	bw_cli_put_time(o, "state_at", row->state_ms);
	bw_cli_put(o, "state_by", row->state_by);
	bw_cli_put(o, "note", row->note);
	bw_cli_put_int(o, "messages", row->items);
	for (int i = 0; i < BW_ITEM_RESULT_COUNT; i++)
		bw_cli_put_int(o, bw_item_result_name((enum bw_item_result)i), row->results[i]);
	bw_cli_put_int(o, "deliveries", row->deliveries);
	bw_cli_put_int(o, "pace", row->pace);
	bw_cli_put(o, "owner", row->owner);
	bw_cli_put(o, "reason", row->reason);
	bw_cli_put_time(o, "made_at", row->made_ms);
	bw_cli_put_time(o, "expires_at", row->expires_ms);
	return o;
}

static void cell_printed(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void cell_printed(struct table *t, const char *format, ...)
{
	char text[80];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	bw_cli_cell(t, bw_slice_of(text));
}

static const struct column order_columns[] = {
	{ .head = "ID" },
	{ .head = "GIVEN" },
	{ .head = "KIND" },
	{ .head = "HOST" },
	{ .head = "STATE" },
	{ .head = "ENDED", .right = true },
	{ .head = "DELIVERIES", .right = true },
	{ .head = "A MINUTE", .right = true },
	{ .head = "WHO", .most = 40 },
	{ .head = "NOTE", .most = 90 },
};

static enum style style_of(enum bw_order_state state)
{
	if (state == BW_ORDER_STOPPED)
		return STYLE_BAD;
	if (state == BW_ORDER_PAUSED)
		return STYLE_WARN;
	return state == BW_ORDER_RUNNING ? STYLE_GOOD : STYLE_FAINT;
}

static void add_row(struct table *t, const struct bw_order_row *row)
{
	char id[2 * BW_HASH_BYTES + 1];

	bw_hash_hex(&row->id, id);
	bw_cli_cell(t, (struct bw_slice){ id, ORDER_DIGITS });
	bw_cli_cell_time(t, row->made_ms);
	bw_cli_cell(t, bw_slice_of(bw_order_kind_name(row->kind)));
	bw_cli_cell(t, row->host);
	bw_cli_cell_styled(t, style_of(row->state), bw_order_state_name(row->state));
	cell_printed(t, "%lld/%lld", (long long)(row->items - row->results[BW_ITEM_PENDING]), (long long)row->items);
	bw_cli_cell_count(t, row->deliveries);
	if (row->pace > 0)
		bw_cli_cell_count(t, row->pace);
	else
		bw_cli_cell(t, BW_S("-"));
	bw_cli_cell(t, row->owner);
	bw_cli_cell(t, row->note);
}

/* --- the listing --- */

struct listing {
	struct cli *c;
	struct table *table;
	int64_t shown;
};

static bool list_row(void *ctx, const struct bw_order_row *row)
{
	struct listing *l = ctx;

	if (l->c->args.limit > 0 && l->shown == l->c->args.limit)
		return false;
	l->shown++;
	if (l->c->args.json)
		bw_cli_json(l->c, order_json(row));
	else
		add_row(l->table, row);
	return true;
}

static enum bw_cli_exit list_orders(struct cli *c, const struct stores *stores)
{
	struct bw_order_query query = { .live = !c->args.all, .limit = c->args.limit };
	struct listing l = { .c = c };
	enum bw_err err = BW_OK;

	if (!c->args.json)
		l.table = bw_cli_table_start(c, order_columns, sizeof(order_columns) / sizeof(order_columns[0]));
	for (size_t i = 0; err == BW_OK && i < stores->count; i++) {
		query.live = query.live || i > 0;
		err = stores->at[i]->ops->order_each(stores->at[i], &query, list_row, &l, &c->why);
	}
	bw_cli_table_end(&l.table, c->args.all ? "no order was ever given" : "no order is under way; `held orders --all` shows those that have ended");
	return bw_cli_fail_err(err);
}

/* --- one order --- */

struct found {
	const char *digits;
	struct bw_store *store, *now; /* where it stands; where it is looked for now */
	struct bw_hash id;
	enum bw_order_state state;
	int64_t items, ended;
	char host[256];
	size_t count;
};

static bool match_row(void *ctx, const struct bw_order_row *row)
{
	struct found *f = ctx;
	char id[2 * BW_HASH_BYTES + 1];

	bw_hash_hex(&row->id, id);
	if (strncmp(id, f->digits, strlen(f->digits)) != 0 || (f->count > 0 && bw_hash_equal(&f->id, &row->id)))
		return true;
	f->count++;
	f->store = f->now;
	f->id = row->id;
	f->state = row->state;
	f->items = row->items;
	f->ended = row->items - row->results[BW_ITEM_PENDING];
	bw_slice_copy(row->host, f->host, sizeof(f->host));
	return true;
}

static enum bw_cli_exit find_order(struct cli *c, const struct stores *stores, struct found *out)
{
	struct bw_order_query query = { .limit = 0 };
	const char *word = c->words[0];
	enum bw_err err = BW_OK;

	*out = (struct found){ .digits = word };
	if (strlen(word) < ID_LEAST_DIGITS || strspn(word, "0123456789abcdef") != strlen(word))
		return bw_cli_fail(c, BW_CLI_USAGE, "\"%s\" is no id of an order; `held orders` shows them", word);
	for (size_t i = 0; err == BW_OK && i < stores->count; i++) {
		out->now = stores->at[i];
		query.live = i > 0;
		err = out->now->ops->order_each(out->now, &query, match_row, out, &c->why);
	}
	if (err != BW_OK)
		return bw_cli_fail_err(err);
	if (out->count == 0)
		return bw_cli_fail(c, BW_CLI_NO, "no order has the id %s; `held orders --all` shows all of them", word);
	if (out->count > 1)
		return bw_cli_fail(c, BW_CLI_NO, "%zu orders have ids that begin with %s; give more digits", out->count, word);
	return BW_CLI_DONE;
}

struct showing {
	struct cli *c;
	struct table *table;
	json_t *order, *items;
};

static bool take_order(void *ctx, const struct bw_order_row *row)
{
	struct showing *s = ctx;

	if (s->c->args.json)
		s->order = order_json(row);
	else
		add_row(s->table, row);
	return false;
}

static json_t *item_json(const struct bw_order_item *row)
{
	char id[2 * BW_HASH_BYTES + 1];
	json_t *o = json_object();

	bw_hash_hex(&row->subject, id);
	bw_cli_put_text(o, "id", id);
	bw_cli_put(o, "queue_id", row->queue_id);
	bw_cli_put(o, "mta", row->mta);
	bw_cli_put(o, "list", row->list);
	bw_cli_put_int(o, "deliveries", row->deliveries);
	bw_cli_put_text(o, "result", bw_item_result_name(row->result));
	bw_cli_put_time(o, "result_at", row->done_ms);
	bw_cli_put(o, "note", row->note);
	return o;
}

static bool take_item(void *ctx, const struct bw_order_item *row)
{
	struct showing *s = ctx;
	char id[2 * BW_HASH_BYTES + 1];

	if (s->c->args.json) {
		json_array_append_new(s->items, item_json(row));
		return true;
	}
	bw_hash_hex(&row->subject, id);
	bw_cli_cell(s->table, (struct bw_slice){ id, 12 });
	bw_cli_cell(s->table, row->queue_id);
	bw_cli_cell(s->table, row->list);
	bw_cli_cell_count(s->table, row->deliveries);
	bw_cli_cell(s->table, bw_slice_of(bw_item_result_name(row->result)));
	bw_cli_cell_time(s->table, row->done_ms);
	bw_cli_cell(s->table, row->note);
	return true;
}

static enum bw_cli_exit show_items(struct showing *s, const struct found *f)
{
	static const struct column columns[] = {
		{ .head = "ID" },     { .head = "QUEUE ID" }, { .head = "LIST" }, { .head = "DELIVERIES", .right = true },
		{ .head = "RESULT" }, { .head = "AT" },       { .head = "NOTE" },
	};
	struct cli *c = s->c;

	if (c->args.json)
		s->items = json_array();
	else
		s->table = bw_cli_table_start(c, columns, sizeof(columns) / sizeof(columns[0]));
	enum bw_err err = f->store->ops->order_items(f->store, &f->id, 0, BW_ORDER_ITEMS_MAX, false, take_item, s, &c->why);

	bw_cli_table_end(&s->table, "it has no messages");
	if (c->args.json && err == BW_OK && s->order != NULL) {
		json_object_set(s->order, "items", s->items);
		bw_cli_json(c, s->order);
		s->order = NULL;
	}
	json_decref(s->order);
	json_decref(s->items);
	return bw_cli_fail_err(err);
}

static enum bw_cli_exit show_order(struct cli *c, const struct stores *stores)
{
	struct showing s = { .c = c };
	struct found f;
	enum bw_cli_exit code = find_order(c, stores, &f);
	const struct bw_order_query query = { .id = f.id, .limit = 1 };

	if (code != BW_CLI_DONE)
		return code;
	if (!c->args.json)
		s.table = bw_cli_table_start(c, order_columns, sizeof(order_columns) / sizeof(order_columns[0]));
	enum bw_err err = f.store->ops->order_each(f.store, &query, take_order, &s, &c->why);

	bw_cli_table_end(&s.table, NULL);
	return err == BW_OK ? show_items(&s, &f) : bw_cli_fail_err(err);
}

static enum bw_cli_exit run_orders(struct cli *c)
{
	struct stores stores;

	open_stores(c, &stores);
	enum bw_cli_exit code = c->word_count > 0 ? show_order(c, &stores) : list_orders(c, &stores);

	close_stores(&stores);
	return code;
}

/* --- moving one --- */

struct motion {
	enum bw_order_state to;
	unsigned from; /* bits of the states it may be in */
	const char *verb, *advice;
};

static enum bw_cli_exit move_order(struct cli *c, const struct stores *stores, const struct motion *m)
{
	struct found f;
	char whole[2 * BW_HASH_BYTES + 1], id[ORDER_DIGITS + 1];
	enum bw_cli_exit code = find_order(c, stores, &f);

	if (code != BW_CLI_DONE)
		return code;
	bw_hash_hex(&f.id, whole);
	bw_slice_copy(bw_slice_of(whole), id, sizeof(id));
	if ((m->from & 1U << f.state) == 0)
		return bw_cli_fail(c, BW_CLI_NO, "the order %s is %s, and cannot be %s", id, bw_order_state_name(f.state), m->verb);
	enum bw_err err = f.store->ops->order_move(f.store, &f.id, f.state, m->to, c->now_ms, bw_slice_of(c->owner), BW_S(""), &c->why);

	if (err != BW_OK)
		return bw_cli_fail_err(err);
	if (c->args.json) {
		json_t *o = json_object();

		bw_cli_put_text(o, "id", whole);
		bw_cli_put_text(o, "state", bw_order_state_name(m->to));
		bw_cli_json(c, o);
	}
	bw_cli_say(c, STYLE_PLAIN, "the order %s of %s is %s, %lld of %lld messages have ended%s", id, f.host, m->verb,
	           (long long)f.ended, (long long)f.items, m->advice);
	return bw_cli_event(c, BW_EVENT_ORDER, BW_S(""), BW_S(""), "order %s of %s %s after %lld of %lld messages", id, f.host, m->verb,
	                    (long long)f.ended, (long long)f.items);
}

static enum bw_cli_exit run_motion(struct cli *c, const struct motion *m)
{
	struct stores stores;

	open_stores(c, &stores);
	enum bw_cli_exit code = move_order(c, &stores, m);

	close_stores(&stores);
	return code;
}

static enum bw_cli_exit run_pause(struct cli *c)
{
	static const struct motion motion = { BW_ORDER_PAUSED, 1U << BW_ORDER_RUNNING, "paused", "; `held resume` goes on with it" };

	return run_motion(c, &motion);
}

static enum bw_cli_exit run_resume(struct cli *c)
{
	static const struct motion motion = { BW_ORDER_RUNNING, 1U << BW_ORDER_PAUSED | 1U << BW_ORDER_STOPPED, "resumed", "" };

	return run_motion(c, &motion);
}

static enum bw_cli_exit run_cancel(struct cli *c)
{
	static const struct motion motion = { BW_ORDER_CANCELLED,
		                                  1U << BW_ORDER_WRITING | 1U << BW_ORDER_RUNNING | 1U << BW_ORDER_PAUSED |
		                                      1U << BW_ORDER_STOPPED,
		                                  "cancelled", "" };

	return run_motion(c, &motion);
}

const struct command bw_cli_family_orders[] = {
	{ "held orders", "[ID]", 0, 1, OPT(ALL) | OPT(LIMIT), NEED_STORE, false, run_orders,
	  "orders on held mail that are under way, on all hosts; with ID one of them, message by message\n"
	  "ID is an id, or the beginning of one. --all shows those that have ended as well." },
	{ "held pause", "ID", 1, 1, 0, NEED_STORE, false, run_pause,
	  "let an order wait, from the next message on; `held resume` goes on with it" },
	{ "held resume", "ID", 1, 1, 0, NEED_STORE, false, run_resume,
	  "go on with an order that was paused, or that has stopped by itself\n"
	  "A paced one begins with one message again, and doubles from there." },
	{ "held cancel", "ID", 1, 1, 0, NEED_STORE, false, run_cancel,
	  "end an order; what it has done stays done, and the rest of its messages waits" },
	{ .name = NULL },
};
