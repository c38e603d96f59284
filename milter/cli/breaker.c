/* breaker ls / show / open / close / disable: the exact terms. */
#include <string.h>

#include "breakers.h"
#include "bw/parse.h"
#include "change.h"

static enum bw_cli_exit run_ls(struct cli *c)
{
	struct breakers breakers = { 0 };
	const struct bw_list *list = NULL;
	struct bw_slice key = BW_S("");
	enum bw_cli_exit code = BW_CLI_DONE;

	if (c->args.list != NULL && bw_breaker_is_senders(bw_slice_of(c->args.list)))
		key = bw_slice_of(c->args.list);
	else if (c->args.list != NULL)
		code = bw_cli_find_list(c, c->args.list, &list);
	if (code == BW_CLI_DONE)
		code = bw_cli_breakers(c, list != NULL ? list->address : key, c->args.all, &breakers);
	for (size_t i = 0; code == BW_CLI_DONE && c->args.json && i < breakers.count; i++)
		bw_cli_json(c, bw_cli_breaker_json(&breakers.at[i]));
	if (code == BW_CLI_DONE && !c->args.json)
		bw_cli_breakers_text(c, &breakers, "no breaker is open");
	bw_cli_breakers_done(&breakers);
	return code;
}

/* --- which breaker --- */

/* A list's address names the list's own breaker, of --side. */
struct target {
	struct breakers all;
	struct bw_breaker_key key;
	const struct breaker_view *view; /* NULL: not in the store yet */
};

static enum bw_cli_exit find_side(struct cli *c, enum bw_side *out)
{
	*out = BW_SIDE_MEMBERS;
	if (c->args.side == NULL || bw_side_parse(bw_slice_of(c->args.side), out))
		return BW_CLI_DONE;
	return bw_cli_fail(c, BW_CLI_USAGE, "--side: \"%s\" is unknown, allowed: members, outside", c->args.side);
}

static enum bw_cli_exit find_of_list(struct cli *c, struct target *t)
{
	const struct bw_list *list = NULL;
	enum bw_cli_exit code = bw_cli_find_list(c, c->words[0], &list);

	if (code != BW_CLI_DONE)
		return code;
	t->key.scope = BW_SCOPE_LIST;
	t->key.list = list->address;
	code = find_side(c, &t->key.side);
	if (code == BW_CLI_DONE)
		code = bw_cli_breakers(c, list->address, true, &t->all);
	for (size_t i = 0; i < t->all.count; i++) {
		if (t->all.at[i].key.scope == BW_SCOPE_LIST && t->all.at[i].key.side == t->key.side)
			t->view = &t->all.at[i];
	}
	return code;
}

/* What the sender guard watches is named by itself, known or not. */
static enum bw_cli_exit find_of_identity(struct cli *c, struct target *t)
{
	t->key = (struct bw_breaker_key){ .scope = BW_SCOPE_LIST, .side = BW_SIDE_MEMBERS, .list = bw_slice_of(c->words[0]) };
	if (c->args.side != NULL)
		return bw_cli_fail(c, BW_CLI_USAGE, "--side goes with a list's address; an identity has no sides");
	enum bw_cli_exit code = bw_cli_breakers(c, t->key.list, true, &t->all);

	for (size_t i = 0; i < t->all.count; i++)
		t->view = &t->all.at[i];
	return code;
}

static enum bw_cli_exit find_target(struct cli *c, struct target *t)
{
	*t = (struct target){ .view = NULL };
	if (bw_breaker_is_senders(bw_slice_of(c->words[0])))
		return find_of_identity(c, t);
	if (strchr(c->words[0], '@') != NULL)
		return find_of_list(c, t);
	if (c->args.side != NULL)
		return bw_cli_fail(c, BW_CLI_USAGE, "--side goes with a list's address; the id %s names one side already", c->words[0]);
	enum bw_cli_exit code = bw_cli_breaker_find(c, c->words[0], &t->all, &t->view);

	if (code == BW_CLI_DONE)
		t->key = t->view->key;
	return code;
}

/* --- show --- */

static void show_time(struct cli *c, const char *what, int64_t at_ms)
{
	struct bw_buf text;

	if (at_ms == 0)
		return;
	bw_buf_init(&text, 60);
	bw_cli_stamp(&text, at_ms);
	bw_cli_say(c, STYLE_PLAIN, "%-13s %s", what, bw_buf_text(&text));
	bw_buf_done(&text);
}

static void show_conversation(struct cli *c, const struct bw_hash *conversation)
{
	char hex[2 * BW_HASH_BYTES + 1];

	bw_hash_hex(conversation, hex);
	bw_cli_say(c, STYLE_PLAIN, "%-13s %s", "conversation:", hex);
}

static void show_window(struct cli *c, const struct breaker_view *v)
{
	struct bw_buf text;

	bw_buf_init(&text, 60);
	bw_print_duration_words(&text, v->window_ms);
	bw_cli_say(c, STYLE_PLAIN, "%-13s %lld in the last %s", "senders:", (long long)v->senders, bw_buf_text(&text));
	bw_buf_done(&text);
}

static void show_text(struct cli *c, const struct breaker_view *v)
{
	const struct bw_breaker *r = &v->record;
	enum style style = bw_cli_breaker_stops(v) ? STYLE_BAD : STYLE_PLAIN;

	bw_cli_say(c, STYLE_HEAD, "%s breaker %s of %s", bw_cli_breaker_guard(&v->key), v->id, v->list);
	bw_cli_say(c, style, "%-13s %s", "state:", bw_cli_breaker_state(v));
	bw_cli_say(c, STYLE_PLAIN, "%-13s %s", "side:", bw_side_name(v->key.side));
	if (v->key.scope == BW_SCOPE_CONVERSATION)
		show_conversation(c, &v->key.conversation);
	if (r->phase != BW_PHASE_CLOSED || r->trips > 0)
		show_time(c, "since:", r->since_ms);
	if (r->phase != BW_PHASE_CLOSED)
		show_time(c, "not before:", r->until_ms);
	if (r->rule != BW_RULE_NONE)
		bw_cli_say(c, STYLE_PLAIN, "%-13s %s: %lld of at most %lld", "tripped by:", bw_rule_name(r->rule), (long long)r->ordinal,
		           (long long)r->limit);
	if (!bw_breaker_is_senders(v->key.list))
		show_window(c, v);
	show_time(c, "last attempt:", v->last_ms);
	bw_cli_say(c, STYLE_PLAIN, "%-13s %d, relapses %d", "trips:", (int)r->trips, (int)r->relapses);
	if (r->override_state == BW_OVERRIDE_NONE)
		return;
	bw_cli_say(c, STYLE_WARN, "%-13s %s by %s%s%s", "override:", bw_override_name(r->override_state), r->override_owner,
	           r->override_reason[0] != '\0' ? ": " : "", r->override_reason);
	show_time(c, "until:", r->override_until_ms);
}

static enum bw_cli_exit run_show(struct cli *c)
{
	struct target t;
	enum bw_cli_exit code = find_target(c, &t);

	if (code == BW_CLI_DONE && t.view == NULL)
		code = bw_cli_fail(c, BW_CLI_NO, "%.*s: its breaker is closed and never tripped", (int)t.key.list.n, t.key.list.p);
	else if (code == BW_CLI_DONE && c->args.json)
		bw_cli_json(c, bw_cli_breaker_json(t.view));
	else if (code == BW_CLI_DONE)
		show_text(c, t.view);
	bw_cli_breakers_done(&t.all);
	return code;
}

/* --- open, close, disable --- */

struct word {
	enum bw_override value;
	const char *state; /* for people and the event */
};

static void print_change(struct cli *c, const struct target *t, const struct word *w, int64_t until_ms)
{
	const char *scope = bw_cli_breaker_guard(&t->key);
	struct bw_buf until;
	char id[BREAKER_ID_BYTES];
	json_t *o;

	if (c->args.json) {
		bw_cli_breaker_id(&t->key, id);
		o = json_object();
		bw_cli_put_text(o, "id", id);
		bw_cli_put_text(o, "guard", scope);
		bw_cli_put(o, "list", t->key.list);
		bw_cli_put_text(o, "side", bw_side_name(t->key.side));
		bw_cli_put_text(o, "state", w->state);
		bw_cli_put_time(o, "until", until_ms);
		bw_cli_json(c, o);
		return;
	}
	bw_buf_init(&until, 60);
	if (until_ms > 0) {
		bw_buf_add_text(&until, " until ");
		bw_cli_until(&until, c->now_ms, until_ms);
	}
	bw_cli_say(c, STYLE_HEAD, "%s breaker of %.*s (%s) is now %s%s", scope, (int)t->key.list.n, t->key.list.p,
	           bw_side_name(t->key.side), w->state, bw_buf_text(&until));
	bw_buf_done(&until);
}

static enum bw_cli_exit apply(struct cli *c, const struct word *w)
{
	struct target t;
	int64_t until_ms = w->value == BW_OVERRIDE_NONE ? 0 : bw_cli_override_until(c);
	struct bw_slice reason = bw_slice_of(c->args.reason);
	enum bw_cli_exit code = find_target(c, &t);

	if (code == BW_CLI_DONE)
		code = bw_cli_override(c, &t.key, w->value, until_ms, NULL);
	if (code == BW_CLI_DONE) {
		const char *guard = bw_cli_breaker_guard(&t.key);

		print_change(c, &t, w, until_ms);
		code = bw_cli_event(c, BW_EVENT_OPERATOR, t.key.list, bw_slice_of(guard),
		                    "%s breaker of %.*s (%s) is now %s%s%.*s", guard, (int)t.key.list.n,
		                    t.key.list.p, bw_side_name(t.key.side), w->state, reason.n > 0 ? ": " : "", (int)reason.n,
		                    reason.n > 0 ? reason.p : "");
	}
	bw_cli_breakers_done(&t.all);
	return code;
}

static enum bw_cli_exit run_open(struct cli *c)
{
	static const struct word word = { BW_OVERRIDE_FORCED_OPEN, "forced-open" };

	return apply(c, &word);
}

static enum bw_cli_exit run_close(struct cli *c)
{
	static const struct word word = { BW_OVERRIDE_NONE, "closed" };

	return apply(c, &word);
}

static enum bw_cli_exit run_disable(struct cli *c)
{
	static const struct word word = { BW_OVERRIDE_DISABLED, "disabled" };

	return apply(c, &word);
}

const struct command bw_cli_family_breaker[] = {
	{ "breaker ls", "", 0, 0, OPT(ALL) | OPT(LIST), NEED_STORE, false, run_ls,
	  "breakers that are open, half-open or overridden, as of now" },
	{ "breaker show", "ID|ADDRESS|IDENTITY", 1, 1, OPT(SIDE), NEED_STORE, false, run_show,
	  "one breaker: its state, the rule that tripped it, who attempts\n"
	  "ID is as `breaker ls` shows it, or the beginning of it; a list's address means the list's own breaker,\n"
	  "an identity (auth:jane@utah.example) the sender guard's." },
	{ "breaker open", "ID|ADDRESS|IDENTITY", 1, 1, OPT_REASONS | OPT(SIDE), NEED_STORE, true, run_open,
	  "stop what this breaker watches (forced-open), for 4 hours or --for" },
	{ "breaker close", "ID|ADDRESS|IDENTITY", 1, 1, OPT(REASON) | OPT(SIDE), NEED_STORE, true, run_close,
	  "close it and undo any override; it trips again when the storm goes on" },
	{ "breaker disable", "ID|ADDRESS|IDENTITY", 1, 1, OPT_REASONS | OPT(SIDE), NEED_STORE, true, run_disable,
	  "let it neither stop nor trip, for 4 hours or --for" },
	{ .name = NULL },
};
