/* status: one screen. */
#include <stdlib.h>
#include <string.h>

#include "breakers.h"
#include "bw/parse.h"
#include "bw/stores.h"
#include "status.h"

enum { EVENTS_SHOWN = 5, BREAKERS_SHOWN = 10, WORST_SHOWN = 5 };

static void label(struct cli *c, enum style style, const char *name, const char *text)
{
	bw_cli_say(c, style, "%-11s %s", name, text);
}

static void print_mode(struct cli *c, const struct figures *f)
{
	struct bw_buf text;

	if (bw_settings_mode(bw_world_settings(c->world)) == BW_MODE_SHADOW)
		label(c, STYLE_WARN, "mode:", "SHADOW: guards count and log, and let every message pass (`mode enforce` ends that)");
	else
		label(c, STYLE_GOOD, "mode:", "enforce");
	if (f->bypass_until_ms == 0)
		return;
	bw_buf_init(&text, 200);
	bw_buf_printf(&text, "BYPASS on %s: everything passes unjudged until ", c->host);
	bw_cli_until(&text, c->now_ms, f->bypass_until_ms);
	label(c, STYLE_BAD, "bypass:", bw_buf_text(&text));
	bw_buf_done(&text);
}

static void print_hosts(struct cli *c, const struct figures *f)
{
	struct bw_buf text;

	bw_buf_init(&text, 2000);
	for (size_t i = 0; i < f->host_count; i++) {
		const struct host *h = &f->hosts[i];

		bw_buf_printf(&text, "%s%s (%s%s%s)", i > 0 ? ", " : "", h->host, h->version, h->row.degraded ? ", DEGRADED" : "",
		              h->behind ? ", behind" : "");
	}
	if (f->host_count == 0)
		label(c, STYLE_BAD, "hosts:", "no breakwaterd is running: mail passes unjudged");
	else
		label(c, f->degraded ? STYLE_BAD : STYLE_PLAIN, "hosts:", bw_buf_text(&text));
	bw_buf_done(&text);
}

static void print_store(struct cli *c, const struct figures *f)
{
	const struct bw_config *config = bw_cli_config(c);
	struct bw_buf text;

	bw_buf_init(&text, 4200);
	bw_stores_print(config, &text);
	if (f->degraded)
		bw_buf_add_text(&text, "; DEGRADED: it does not answer every host");
	label(c, f->degraded ? STYLE_BAD : STYLE_PLAIN, "store:", bw_buf_text(&text));
	bw_buf_done(&text);
}

static void print_counts(struct cli *c, const struct figures *f)
{
	struct bw_buf text;

	bw_buf_init(&text, 300);
	bw_print_count(&text, f->lists);
	if (f->unconfirmed > 0)
		bw_buf_printf(&text, ", %lld of a size that nobody has confirmed (`list confirm`)", (long long)f->unconfirmed);
	else if (f->lists == 0)
		bw_buf_add_text(&text, ": nothing is protected; `list add` adds one");
	label(c, f->unconfirmed > 0 || f->lists == 0 ? STYLE_WARN : STYLE_PLAIN, "lists:", bw_buf_text(&text));
	bw_buf_reset(&text);
	bw_print_count(&text, f->deliveries);
	if (f->since_ms > 0) {
		bw_buf_add_text(&text, " to lists since ");
		bw_cli_stamp(&text, f->since_ms);
	}
	label(c, STYLE_PLAIN, "deliveries:", bw_buf_text(&text));
	bw_buf_reset(&text);
	bw_print_count(&text, f->held);
	bw_buf_printf(&text, " message%s, ", f->held == 1 ? "" : "s");
	bw_print_count(&text, f->held_deliveries);
	bw_buf_add_text(&text, " deliveries");
	label(c, f->held > 0 ? STYLE_WARN : STYLE_PLAIN, "held:", bw_buf_text(&text));
	bw_buf_done(&text);
}

static void print_room(struct cli *c, const struct figures *f)
{
	struct bw_buf text;

	if (f->full == BW_FULL_NO)
		return;
	bw_buf_init(&text, 400);
	bw_buf_printf(&text, "the hold queue of %s is FULL: ", c->host);
	bw_room_print(&text, f->full, &f->room_limits, &f->room);
	bw_buf_add_text(&text, "; what is stopped is refused (`held release`, `held delete`, or raise hold.max_*)");
	label(c, STYLE_BAD, "limit:", bw_buf_text(&text));
	bw_buf_done(&text);
}

static void print_breakers(struct cli *c, const struct breakers *b)
{
	struct breakers first = *b;
	struct bw_buf text;
	size_t open = bw_cli_breakers_open(b);

	bw_buf_init(&text, 200);
	bw_buf_printf(&text, "%zu open", open);
	if (open > 0 && bw_settings_mode(bw_world_settings(c->world)) == BW_MODE_SHADOW)
		bw_buf_add_text(&text, "; in mode shadow only those that an operator opened stop mail");
	label(c, open > 0 ? STYLE_BAD : STYLE_GOOD, "breakers:", bw_buf_text(&text));
	bw_buf_done(&text);
	if (b->count == 0)
		return;
	if (first.count > BREAKERS_SHOWN)
		first.count = BREAKERS_SHOWN;
	bw_cli_say(c, STYLE_PLAIN, "%s", "");
	bw_cli_breakers_text(c, &first, NULL);
	if (b->count > first.count)
		bw_cli_say(c, STYLE_FAINT, "and %zu more (`breaker ls`)", b->count - first.count);
}

static void print_worst(struct cli *c, const struct figures *f)
{
	static const struct column columns[] = {
		{ .head = "WORST LISTS" },         { .head = "MEMBERS", .right = true },         { .head = "OPEN", .right = true },
		{ .head = "HELD", .right = true }, { .head = "DELIVERIES HELD", .right = true },
	};
	struct table *t;

	if (f->tally_count == 0)
		return;
	bw_cli_say(c, STYLE_PLAIN, "%s", "");
	t = bw_cli_table_start(c, columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < f->tally_count && i < WORST_SHOWN; i++) {
		bw_cli_cell(t, bw_slice_of(f->tallies[i].list));
		bw_cli_cell_count(t, f->tallies[i].size);
		bw_cli_cell_count(t, f->tallies[i].open);
		bw_cli_cell_count(t, f->tallies[i].held);
		bw_cli_cell_count(t, f->tallies[i].deliveries);
	}
	bw_cli_table_end(&t, NULL);
}

struct last {
	struct cli *c;
	bool begun;
};

static bool print_event(void *ctx, const struct bw_event_row *row)
{
	struct last *last = ctx;
	struct cli *c = last->c;
	bool elsewhere = row->host.n > 0 && !bw_slice_equal(row->host, bw_slice_of(c->host));
	struct bw_buf at;

	if (!last->begun)
		bw_cli_say(c, STYLE_PLAIN, "%s", "");
	last->begun = true;

	bw_buf_init(&at, 60);
	bw_cli_stamp(&at, row->at_ms);
	bw_cli_say(c, STYLE_PLAIN, "%s  %-9s  %.*s%s%.*s", bw_buf_text(&at), bw_event_name(row->event), (int)row->text.n,
	           row->text.p == NULL ? "" : row->text.p, elsewhere ? "  on " : "", elsewhere ? (int)row->host.n : 0,
	           elsewhere ? row->host.p : "");
	bw_buf_done(&at);
	return true;
}

static enum bw_err print_text(struct cli *c, const struct figures *f, const struct breakers *b)
{
	struct last last = { c, false };

	print_mode(c, f);
	print_store(c, f);
	print_hosts(c, f);
	print_counts(c, f);
	print_room(c, f);
	print_breakers(c, b);
	print_worst(c, f);
	return c->store->ops->event_each(c->store, 0, EVENTS_SHOWN, print_event, &last, &c->why);
}

/* --- the same as JSON --- */

static json_t *hosts_json(const struct figures *f)
{
	json_t *array = json_array();

	for (size_t i = 0; i < f->host_count; i++) {
		const struct host *h = &f->hosts[i];
		json_t *o = json_object();

		bw_cli_put_text(o, "host", h->host);
		bw_cli_put_text(o, "version", h->version);
		bw_cli_put_int(o, "pid", h->row.pid);
		bw_cli_put_time(o, "seen_at", h->row.seen_ms);
		bw_cli_put_time(o, "started_at", h->row.started_ms);
		bw_cli_put_bool(o, "degraded", h->row.degraded);
		bw_cli_put_bool(o, "behind", h->behind);
		bw_cli_put_int(o, "accepted", h->row.accepted);
		bw_cli_put_int(o, "held", h->row.held);
		bw_cli_put_int(o, "deliveries", h->row.deliveries);
		json_array_append_new(array, o);
	}
	return array;
}

static json_t *worst_json(const struct figures *f)
{
	json_t *array = json_array();

	for (size_t i = 0; i < f->tally_count && i < WORST_SHOWN; i++) {
		json_t *o = json_object();

		bw_cli_put_text(o, "list", f->tallies[i].list);
		bw_cli_put_int(o, "size", f->tallies[i].size);
		bw_cli_put_int(o, "breakers_open", f->tallies[i].open);
		bw_cli_put_int(o, "held", f->tallies[i].held);
		bw_cli_put_int(o, "held_deliveries", f->tallies[i].deliveries);
		json_array_append_new(array, o);
	}
	return array;
}

static bool event_json(void *ctx, const struct bw_event_row *row)
{
	json_t *o = json_object();

	bw_cli_put_time(o, "at", row->at_ms);
	bw_cli_put_text(o, "event", bw_event_name(row->event));
	bw_cli_put(o, "list", row->list);
	bw_cli_put(o, "text", row->text);
	json_array_append_new(ctx, o);
	return true;
}

static json_t *room_json(const struct figures *f)
{
	json_t *o = json_object();

	bw_cli_put_int(o, "messages", f->room.messages);
	bw_cli_put_int(o, "bytes", f->room.bytes);
	bw_cli_put_int(o, "max_messages", f->room_limits.max_messages);
	bw_cli_put_int(o, "max_bytes", f->room_limits.max_bytes);
	bw_cli_put_int(o, "min_free", f->room_limits.min_free);
	bw_cli_put_text(o, "full", bw_full_name(f->full));
	return o;
}

static enum bw_err print_json(struct cli *c, const struct figures *f, const struct breakers *b)
{
	const struct bw_config *config = bw_cli_config(c);
	json_t *o = json_object(), *store = json_object(), *events = json_array();
	enum bw_err err = c->store->ops->event_each(c->store, 0, EVENTS_SHOWN, event_json, events, &c->why);

	bw_cli_put_text(store, "backend", config->store.backend);
	bw_cli_put_text(store, "path", config->store.path);
	if (bw_stores_is_redis(config))
		bw_cli_put_text(store, "server", config->store.redis_server);
	bw_cli_put_text(o, "mode", bw_mode_name(bw_settings_mode(bw_world_settings(c->world))));
	json_object_set_new(o, "store", store);
	bw_cli_put_bool(o, "degraded", f->degraded);
	bw_cli_put_time(o, "bypass_until", f->bypass_until_ms);
	bw_cli_put_int(o, "hosts_alive", (int64_t)f->host_count);
	json_object_set_new(o, "hosts", hosts_json(f));
	bw_cli_put_int(o, "lists", f->lists);
	bw_cli_put_int(o, "unconfirmed", f->unconfirmed);
	bw_cli_put_int(o, "deliveries", f->deliveries);
	bw_cli_put_time(o, "since", f->since_ms);
	bw_cli_put_int(o, "held", f->held);
	bw_cli_put_int(o, "held_deliveries", f->held_deliveries);
	json_object_set_new(o, "hold_queue", room_json(f));
	bw_cli_put_int(o, "released", f->released);
	bw_cli_put_int(o, "released_deliveries", f->released_deliveries);
	bw_cli_put_int(o, "breakers_open", (int64_t)bw_cli_breakers_open(b));
	json_object_set_new(o, "breakers", bw_cli_breakers_json(b));
	json_object_set_new(o, "worst_lists", worst_json(f));
	json_object_set_new(o, "events", events);
	bw_cli_json(c, o);
	return err;
}

static enum bw_cli_exit run_status(struct cli *c)
{
	struct breakers breakers = { 0 };
	struct figures *f = calloc(1, sizeof(*f));
	enum bw_cli_exit code = f == NULL ? bw_cli_fail(c, BW_CLI_NO, "no memory for the figures") : BW_CLI_DONE;

	if (code == BW_CLI_DONE)
		code = bw_cli_breakers(c, BW_S(""), false, &breakers);
	if (code == BW_CLI_DONE)
		code = bw_cli_figures(c, &breakers, f);
	if (code == BW_CLI_DONE)
		code = bw_cli_fail_err(c->args.json ? print_json(c, f, &breakers) : print_text(c, f, &breakers));
	if (f != NULL)
		bw_cli_figures_done(f);
	free(f);
	bw_cli_breakers_done(&breakers);
	return code;
}

const struct command bw_cli_family_status[] = {
	{ "status", "", 0, 0, 0, NEED_STORE, false, run_status,
	  "one screen: mode, store, hosts, open breakers, held mail, deliveries, worst lists, last events" },
	{ .name = NULL },
};
