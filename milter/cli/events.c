/* events: the history of trips, holds, releases and changes. */
#include <time.h>

#include "bw/clock.h"
#include "output.h"
#include "work.h"

#define POLL_MS INT64_C(500)

enum { USUAL_LIMIT = 50, FOLLOW_LIMIT = 1000 };

struct listing {
	struct cli *c;
	struct table *table; /* NULL when following or with --json */
	int64_t last_id, last_ms;
};

static json_t *event_json(const struct bw_event_row *row)
{
	char conversation[2 * BW_HASH_BYTES + 1];
	json_t *o = json_object();

	bw_hash_hex(&row->conversation, conversation);
	bw_cli_put_int(o, "id", row->id);
	bw_cli_put_time(o, "at", row->at_ms);
	bw_cli_put_text(o, "event", bw_event_name(row->event));
	bw_cli_put(o, "host", row->host);
	bw_cli_put(o, "list", row->list);
	bw_cli_put(o, "guard", row->guard);
	bw_cli_put(o, "text", row->text);
	bw_cli_put(o, "owner", row->owner);
	bw_cli_put_text(o, "conversation", bw_hash_is_zero(&row->conversation) ? NULL : conversation);
	return o;
}

static void print_line(struct cli *c, const struct bw_event_row *row)
{
	bool elsewhere = row->host.n > 0 && !bw_slice_equal(row->host, bw_slice_of(c->host));
	struct bw_buf at;

	bw_buf_init(&at, 40);
	bw_cli_stamp(&at, row->at_ms);
	bw_cli_say(c, STYLE_PLAIN, "%s  %-9s  %.*s%s%.*s%s%.*s", bw_buf_text(&at), bw_event_name(row->event), (int)row->text.n,
	           row->text.p == NULL ? "" : row->text.p, elsewhere ? "  on " : "", elsewhere ? (int)row->host.n : 0,
	           elsewhere ? row->host.p : "", row->owner.n > 0 ? "  by " : "", (int)row->owner.n,
	           row->owner.p == NULL ? "" : row->owner.p);
	bw_buf_done(&at);
}

static bool print_each(void *ctx, const struct bw_event_row *row)
{
	struct listing *l = ctx;

	if (row->id <= l->last_id)
		return true;
	l->last_id = row->id;
	l->last_ms = row->at_ms;
	if (l->c->args.json)
		bw_cli_json(l->c, event_json(row));
	else
		print_line(l->c, row);
	return true;
}

/* Until interrupted, or nobody reads any more. */
static enum bw_err follow(struct cli *c, struct listing *l)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000 };
	enum bw_err err = BW_OK;

	while (err == BW_OK && fflush(c->env->out) == 0) {
		nanosleep(&pause, NULL);
		err = c->store->ops->event_each(c->store, l->last_ms, FOLLOW_LIMIT, print_each, l, &c->why);
	}
	return err;
}

static enum bw_cli_exit run_events(struct cli *c)
{
	struct listing l = { .c = c, .last_id = -1, .last_ms = c->now_ms };
	int64_t since_ms = c->args.since_ms > 0 ? c->now_ms - c->args.since_ms : 0;
	int64_t limit = c->args.limit > 0 ? c->args.limit : c->args.since_ms > 0 ? 0 : USUAL_LIMIT;
	enum bw_err err = c->store->ops->event_each(c->store, since_ms, limit, print_each, &l, &c->why);

	if (err == BW_OK && l.last_id < 0 && !c->args.follow)
		bw_cli_say(c, STYLE_PLAIN, "nothing has happened%s", c->args.since_ms > 0 ? " in that time" : " yet");
	if (err == BW_OK && c->args.follow)
		err = follow(c, &l);
	return bw_cli_fail_err(err);
}

const struct command bw_cli_family_events[] = {
	{ "events", "", 0, 0, OPT(SINCE) | OPT(LIMIT) | OPT(FOLLOW), NEED_STORE, false, run_events,
	  "what happened: trips, holds, releases, changes; the last 50 unless --since or --limit say otherwise" },
	{ .name = NULL },
};
