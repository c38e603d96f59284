/* list stop, list resume: the words for the worst morning. */
#include "breakers.h"
#include "bw/clock.h"
#include "change.h"
#include "status.h"

static enum bw_cli_exit override_both_sides(struct cli *c, const struct bw_list *list, enum bw_override value, int64_t until_ms)
{
	struct bw_breaker_key key = { .scope = BW_SCOPE_LIST, .list = list->address };
	enum bw_cli_exit code = BW_CLI_DONE;

	for (enum bw_side side = 0; code == BW_CLI_DONE && side < BW_SIDE_COUNT; side++) {
		key.side = side;
		code = bw_cli_override(c, &key, value, until_ms, NULL);
	}
	return code;
}

static bool is_there(void *ctx, const struct bw_host_row *row)
{
	(void)row;
	*(bool *)ctx = true;
	return false;
}

/* Of other hosts' bypasses nobody knows here: they are local files. */
enum bw_cli_exit bw_cli_unjudged(struct cli *c, enum unjudged *out)
{
	bool alive = false;
	enum bw_err err = BW_OK;

	*out = UNJUDGED_NOT;
	if (c->in_scenario)
		return BW_CLI_DONE;
	err = c->store->ops->host_each(c->store, c->now_ms - ALIVE_MS, is_there, &alive, &c->why);
	if (err == BW_OK && !alive)
		*out = UNJUDGED_NO_DAEMON;
	else if (err == BW_OK && bw_cli_bypass_end_ms(c) > 0)
		*out = UNJUDGED_BYPASS;
	return bw_cli_fail_err(err);
}

const char *bw_cli_unjudged_sentence(enum unjudged u, bool json)
{
	switch (u) {
	case UNJUDGED_NOT:
		break;
	case UNJUDGED_NO_DAEMON:
		return json ? "no-daemon" : "no breakwaterd is running: mail passes unjudged now";
	case UNJUDGED_BYPASS:
		return json ? "bypass" : "this host is in bypass: mail passes unjudged now";
	}
	return NULL;
}

enum bw_cli_exit bw_cli_unjudged_fail(struct cli *c, enum unjudged u)
{
	switch (u) {
	case UNJUDGED_NOT:
		break;
	case UNJUDGED_NO_DAEMON:
		return bw_cli_fail(c, BW_CLI_NO, "nothing stops mail until a breakwaterd runs; start it");
	case UNJUDGED_BYPASS:
		return bw_cli_fail(c, BW_CLI_NO, "nothing stops mail on %s until its bypass ends; `bypass --off` ends it", c->host);
	}
	return BW_CLI_DONE;
}

struct flow {
	const struct bw_list *list;
	const char *state; /* "STOPPED", "FLOWING" */
	enum unjudged unjudged;
	int64_t until_ms;  /* 0: for good */
	size_t still_open; /* conversations that stay stopped */
	int64_t senders;   /* of members in the list's window */
};

/* The counters remember the storm: with so many senders in the window the next one trips the list's breaker again. */
static void warn_of_relapse(struct cli *c, const struct flow *f)
{
	struct bw_limits limits;

	bw_settings_resolve(bw_world_settings(c->world), f->list->tier, f->list->address, &limits);
	if (f->until_ms == 0 && limits.list.senders > 0 && f->senders >= limits.list.senders)
		bw_cli_say(c, STYLE_WARN,
		           "the next sender stops it again: %lld wrote lately, %lld may; `list resume --for 1h` keeps it flowing",
		           (long long)f->senders, (long long)limits.list.senders);
}

static void print_flow(struct cli *c, const struct flow *f)
{
	json_t *o;
	struct bw_buf until;

	if (c->args.json) {
		o = json_object();
		bw_cli_put(o, "list", f->list->address);
		bw_cli_put_text(o, "state", f->state);
		bw_cli_put_time(o, "until", f->until_ms);
		bw_cli_put_int(o, "conversations_open", (int64_t)f->still_open);
		bw_cli_put_text(o, "unjudged", bw_cli_unjudged_sentence(f->unjudged, true));
		bw_cli_json(c, o);
		return;
	}
	bw_buf_init(&until, 60);
	if (f->until_ms > 0) {
		bw_buf_add_text(&until, " until ");
		bw_cli_until(&until, c->now_ms, f->until_ms);
	}
	const char *but = bw_cli_unjudged_sentence(f->unjudged, false);

	bw_cli_say(c, but == NULL ? STYLE_HEAD : STYLE_BAD, "mail to %.*s %s %s%s%s%s", (int)f->list->address.n, f->list->address.p,
	           but == NULL ? "is now" : "will be", f->state, bw_buf_text(&until), but == NULL ? "" : ", but ",
	           but == NULL ? "" : but);
	if (f->still_open > 0)
		bw_cli_say(
			c, STYLE_WARN,
			"replies to %zu of its conversations are still stopped; `breaker ls` shows them, --conversations lets them flow",
			f->still_open);
	warn_of_relapse(c, f);
	bw_buf_done(&until);
}

static enum bw_cli_exit note(struct cli *c, const struct flow *f)
{
	struct bw_buf until;
	struct bw_slice reason = bw_slice_of(c->args.reason);

	bw_buf_init(&until, 60);
	if (f->until_ms > 0) {
		bw_buf_add_text(&until, " until ");
		bw_clock_format(&until, f->until_ms);
	}
	const char *verb = f->unjudged == UNJUDGED_NOT ? "is now" : "will be";
	enum bw_cli_exit code = bw_cli_event(c, BW_EVENT_OPERATOR, f->list->address, BW_S("list"), "mail to %.*s %s %s%s%s%.*s",
	                                     (int)f->list->address.n, f->list->address.p, verb, f->state, bw_buf_text(&until),
	                                     reason.n > 0 ? ": " : "", (int)reason.n, reason.n > 0 ? reason.p : "");

	bw_buf_done(&until);
	return code;
}

static enum bw_cli_exit run_stop(struct cli *c)
{
	struct flow f = { .state = "STOPPED", .until_ms = bw_cli_override_until(c) };
	enum bw_cli_exit code = bw_cli_find_list(c, c->words[0], &f.list);

	if (code == BW_CLI_DONE)
		code = override_both_sides(c, f.list, BW_OVERRIDE_FORCED_OPEN, f.until_ms);
	if (code == BW_CLI_DONE)
		code = bw_cli_unjudged(c, &f.unjudged);
	if (code != BW_CLI_DONE)
		return code;
	print_flow(c, &f);
	code = note(c, &f);
	return code == BW_CLI_DONE ? bw_cli_unjudged_fail(c, f.unjudged) : code;
}

/* With --conversations what applies to the list applies to its conversations; `still_open` is how many stay stopped. */
static enum bw_cli_exit settle_conversations(struct cli *c, struct flow *f, enum bw_override value)
{
	struct breakers breakers = { 0 };
	enum bw_cli_exit code = bw_cli_breakers(c, f->list->address, true, &breakers);

	for (size_t i = 0; code == BW_CLI_DONE && i < breakers.count; i++) {
		const struct breaker_view *v = &breakers.at[i];

		if (v->key.scope == BW_SCOPE_LIST && v->key.side == BW_SIDE_MEMBERS)
			f->senders = v->senders;
		if (v->key.scope == BW_SCOPE_LIST || (v->record.phase == BW_PHASE_CLOSED && v->record.override_state == BW_OVERRIDE_NONE))
			continue;
		if (c->args.conversations)
			code = bw_cli_override(c, &v->key, value, f->until_ms, NULL);
		else
			f->still_open += bw_cli_breaker_stops(v);
	}
	bw_cli_breakers_done(&breakers);
	return code;
}

static enum bw_cli_exit run_resume(struct cli *c)
{
	bool for_a_while = c->args.for_ms > 0;
	enum bw_override value = for_a_while ? BW_OVERRIDE_DISABLED : BW_OVERRIDE_NONE;
	struct flow f = { .state = "FLOWING", .until_ms = for_a_while ? bw_cli_override_until(c) : 0 };
	enum bw_cli_exit code = bw_cli_find_list(c, c->words[0], &f.list);

	if (code == BW_CLI_DONE)
		code = override_both_sides(c, f.list, value, f.until_ms);
	if (code == BW_CLI_DONE)
		code = settle_conversations(c, &f, value);
	if (code != BW_CLI_DONE)
		return code;
	print_flow(c, &f);
	return note(c, &f);
}

const struct command bw_cli_family_stop[] = {
	{ "list stop", "ADDRESS", 1, 1, OPT_REASONS, NEED_STORE, true, run_stop,
	  "stop all mail to a list, its posters' too, for 4 hours or --for\n"
	  "Acts on the next message, in mode shadow as well. `list resume` undoes it. Exit code 1 when it is stored and mail passes "
	  "all the "
	  "same: no breakwaterd is running, or this host is in bypass." },
	{ "list resume", "ADDRESS", 1, 1, OPT_REASONS | OPT(CONVERSATIONS), NEED_STORE, true, run_resume,
	  "let mail to a list flow again: undo `list stop` and close the list's open breaker\n"
	  "With --for the list's breaker does not trip again for that long; without it, it watches as usual and trips when the storm "
	  "goes "
	  "on. Stopped conversations stay stopped without --conversations." },
	{ .name = NULL },
};
