#include "breakers.h"

#include <stdlib.h>
#include <string.h>

#include "bw/clock.h"
#include "bw/parse.h"
#include "bw/policy.h"

#define USUAL_WINDOW_MS BW_HOUR_MS

void bw_cli_breaker_id(const struct bw_breaker_key *key, char out[BREAKER_ID_BYTES])
{
	static const struct bw_key public_key; /* an id is to be the same everywhere, and hides nothing */
	char hex[2 * BW_HASH_BYTES + 1];
	struct bw_buf text;

	bw_hash_hex(&key->conversation, hex);
	bw_buf_init(&text, 2048);
	bw_buf_printf(&text, "%d %d %s ", (int)key->scope, (int)key->side, key->scope == BW_SCOPE_LIST ? "" : hex);
	bw_buf_add(&text, key->list);
	struct bw_hash hash = bw_hash_slice(&public_key, "breaker-id", bw_buf_slice(&text));

	bw_hash_hex(&hash, hex);
	bw_slice_copy(bw_slice_of(hex), out, BREAKER_ID_BYTES);
	bw_buf_done(&text);
}

const char *bw_cli_breaker_guard(const struct bw_breaker_key *key)
{
	if (key->scope == BW_SCOPE_CONVERSATION)
		return bw_guard_name(BW_GUARD_CONVERSATION);
	return bw_guard_name(bw_breaker_is_senders(key->list) ? BW_GUARD_SENDER : BW_GUARD_LIST);
}

/* --- what its guard says --- */

static void limits_of(const struct cli *c, struct bw_slice address, struct bw_limits *out)
{
	const struct bw_list *list = bw_directory_find(bw_world_directory(c->world), address);

	bw_settings_resolve(bw_world_settings(c->world), list != NULL ? list->tier : BW_TIER_MEDIUM, address, out);
}

static int64_t window_of(const struct bw_limits *limits, const struct breaker_view *v)
{
	if (v->key.scope == BW_SCOPE_LIST && bw_breaker_is_senders(v->key.list))
		return limits->sender.window_ms;
	if (v->key.scope == BW_SCOPE_LIST)
		return limits->list.window_ms;
	return v->record.rule == BW_RULE_CONVERSATION_DAY ? BW_DAY_MS : limits->conversation.window_ms;
}

/* Fewer attempts in the last window than the rule that tripped it allows; nobody at all is calm under any rule. Sums of deliveries
 * are not in a listing, so a budget's breaker waits for an empty window here: it may be shown open a little too long. What an identity
 * sends is in no listing either; its breaker is as the daemons, who look every second, have written it. */
static bool is_calm(const struct bw_limits *limits, const struct breaker_view *v)
{
	int64_t limit = 0;

	if (bw_breaker_is_senders(v->key.list))
		return false;
	switch (v->record.rule) {
	case BW_RULE_CONVERSATION_SENDERS:
		limit = limits->conversation.senders;
		break;
	case BW_RULE_CONVERSATION_REPLIES:
		limit = limits->conversation.reply_senders;
		break;
	case BW_RULE_CONVERSATION_DAY:
		limit = limits->conversation.day_senders;
		break;
	case BW_RULE_LIST_SENDERS:
		limit = limits->list.senders;
		break;
	default:
		return v->senders == 0;
	}
	return limit == 0 || v->senders < limit;
}

static void advance(const struct cli *c, struct breaker_view *v)
{
	struct bw_limits limits;
	struct bw_transition t;

	limits_of(c, v->key.list, &limits);
	bool is_list = v->key.scope == BW_SCOPE_LIST;
	struct bw_breaker_limits breaker = {
		.window_ms = v->window_ms,
		.block_ms = is_list ? limits.list.block_ms : limits.conversation.block_ms,
		.block_max_ms = is_list ? limits.list.block_max_ms : limits.conversation.block_max_ms,
	};
	struct bw_breaker_input in = { .now_ms = c->now_ms, .calm = is_calm(&limits, v), .last_ms = v->last_ms };

	bw_breaker_advance(&breaker, &v->record, &in, &t);
	v->record = t.next;
}

/* --- gathering --- */

struct gathering {
	struct cli *c;
	struct bw_slice list;
	struct breakers *out;
	int64_t window_ms; /* of this query */
	bool out_of_memory;
};

static bool make_room(struct breakers *b)
{
	if (b->count < b->room)
		return true;
	size_t room = b->room == 0 ? 64 : b->room * 2;
	struct breaker_view *at = realloc(b->at, room * sizeof(*at));

	if (at == NULL)
		return false;
	b->at = at;
	b->room = room;
	return true;
}

static bool gather(void *ctx, const struct bw_breaker_row *row)
{
	struct gathering *g = ctx;
	struct bw_limits limits;

	if (g->list.n > 0 && !bw_slice_equal(row->key.list, g->list))
		return true;
	g->out->cut = g->out->count == BREAKERS_MAX;
	g->out_of_memory = !make_room(g->out);
	char *list = g->out->cut || g->out_of_memory ? NULL : bw_slice_dup(row->key.list);

	if (list == NULL) {
		g->out_of_memory = !g->out->cut;
		return false;
	}
	struct breaker_view *v = &g->out->at[g->out->count++];

	*v = (struct breaker_view){
		.key = row->key, .list = list, .record = row->record, .senders = row->senders, .last_ms = row->last_ms
	};
	v->key.list = bw_slice_of(list);
	bw_cli_breaker_id(&v->key, v->id);
	limits_of(g->c, v->key.list, &limits);
	v->window_ms = window_of(&limits, v);
	return true;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct breaker_view *)a)->id, ((const struct breaker_view *)b)->id);
}

/* Second look, for guards with another window than the usual one. */
static bool recount(void *ctx, const struct bw_breaker_row *row)
{
	struct gathering *g = ctx;
	struct breaker_view wanted;

	bw_cli_breaker_id(&row->key, wanted.id);
	struct breaker_view *v = g->out->count == 0 ? NULL : bsearch(&wanted, g->out->at, g->out->count, sizeof(wanted), by_id);

	if (v != NULL && v->window_ms == g->window_ms)
		v->senders = row->senders;
	return true;
}

/* The next longer window that some breaker has; 0 when there is none. */
static int64_t next_window(const struct breakers *b, int64_t after_ms)
{
	int64_t next = 0;

	for (size_t i = 0; i < b->count; i++) {
		int64_t window = b->at[i].window_ms;

		if (window > after_ms && window != USUAL_WINDOW_MS && (next == 0 || window < next))
			next = window;
	}
	return next;
}

/* Those that still matter in front, the newest phase first. */
static int by_state(const void *a, const void *b)
{
	const struct breaker_view *x = a, *y = b;
	int order = (int)bw_cli_breaker_stops(y) - (int)bw_cli_breaker_stops(x);

	if (order == 0)
		order = (y->record.since_ms > x->record.since_ms) - (y->record.since_ms < x->record.since_ms);
	return order != 0 ? order : strcmp(x->id, y->id);
}

/* What is closed as of now is in a listing of everything only. */
static void drop_closed(struct breakers *b)
{
	size_t kept = 0;

	for (size_t i = 0; i < b->count; i++) {
		struct breaker_view *v = &b->at[i];

		if (v->record.phase == BW_PHASE_CLOSED && v->record.override_state == BW_OVERRIDE_NONE)
			free(v->list);
		else
			b->at[kept++] = *v;
	}
	b->count = kept;
}

enum bw_cli_exit bw_cli_breakers(struct cli *c, struct bw_slice list, bool all, struct breakers *out)
{
	const struct bw_store_ops *ops = c->store->ops;
	struct gathering g = { .c = c, .list = list, .out = out, .window_ms = USUAL_WINDOW_MS };
	enum bw_err err = ops->breaker_each(c->store, c->now_ms, USUAL_WINDOW_MS, all, gather, &g, &c->why);

	if (err == BW_OK && g.out_of_memory)
		err = bw_fail(&c->why, BW_ERR_MEMORY, "no memory for %zu breakers", out->count);
	if (err != BW_OK)
		return bw_cli_fail_err(err);
	if (out->count > 0)
		qsort(out->at, out->count, sizeof(out->at[0]), by_id);
	g.window_ms = 0;
	while (err == BW_OK && (g.window_ms = next_window(out, g.window_ms)) != 0)
		err = ops->breaker_each(c->store, c->now_ms, g.window_ms, all, recount, &g, &c->why);
	for (size_t i = 0; i < out->count; i++)
		advance(c, &out->at[i]);
	if (!all)
		drop_closed(out);
	if (out->count > 0)
		qsort(out->at, out->count, sizeof(out->at[0]), by_state);
	return bw_cli_fail_err(err);
}

void bw_cli_breakers_done(struct breakers *b)
{
	for (size_t i = 0; i < b->count; i++)
		free(b->at[i].list);
	free(b->at);
	*b = (struct breakers){ 0 };
}

bool bw_cli_breaker_stops(const struct breaker_view *v)
{
	if (v->record.override_state == BW_OVERRIDE_NONE)
		return v->record.phase == BW_PHASE_OPEN;
	return v->record.override_state == BW_OVERRIDE_FORCED_OPEN;
}

size_t bw_cli_breakers_open(const struct breakers *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->count; i++)
		n += bw_cli_breaker_stops(&b->at[i]);
	return n;
}

const char *bw_cli_breaker_state(const struct breaker_view *v)
{
	if (v->record.override_state != BW_OVERRIDE_NONE)
		return bw_override_name(v->record.override_state);
	return bw_phase_name(v->record.phase);
}

enum bw_cli_exit bw_cli_breaker_find(struct cli *c, const char *id, struct breakers *all, const struct breaker_view **out)
{
	enum { LEAST_DIGITS = 4 };
	size_t n = strlen(id), matches = 0;

	if (n < LEAST_DIGITS || n >= BREAKER_ID_BYTES || strspn(id, "0123456789abcdef") != n)
		return bw_cli_fail(c, BW_CLI_USAGE, "\"%s\" is neither a breaker's id (`breaker ls`) nor a list's address", id);
	enum bw_cli_exit code = bw_cli_breakers(c, BW_S(""), true, all);

	for (size_t i = 0; code == BW_CLI_DONE && i < all->count; i++) {
		if (strncmp(all->at[i].id, id, n) == 0 && matches++ == 0)
			*out = &all->at[i];
	}
	if (code == BW_CLI_DONE && matches == 0)
		code = bw_cli_fail(c, BW_CLI_NO, "no breaker has the id %s; `breaker ls --all` shows them", id);
	if (code == BW_CLI_DONE && matches > 1)
		code = bw_cli_fail(c, BW_CLI_NO, "%zu breakers have ids that begin with %s; give more digits", matches, id);
	return code;
}

/* --- showing --- */

json_t *bw_cli_breaker_json(const struct breaker_view *v)
{
	const struct bw_breaker *r = &v->record;
	bool overridden = r->override_state != BW_OVERRIDE_NONE, of_conversation = v->key.scope == BW_SCOPE_CONVERSATION;
	char hex[2 * BW_HASH_BYTES + 1];
	json_t *o = json_object();

	bw_hash_hex(&v->key.conversation, hex);
	bw_cli_put_text(o, "id", v->id);
	bw_cli_put_text(o, "guard", bw_cli_breaker_guard(&v->key));
	bw_cli_put(o, "list", v->key.list);
	bw_cli_put_text(o, "side", bw_side_name(v->key.side));
	bw_cli_put_text(o, "conversation", of_conversation ? hex : NULL);
	bw_cli_put_text(o, "state", bw_cli_breaker_state(v));
	bw_cli_put_text(o, "phase", bw_phase_name(r->phase));
	bw_cli_put_time(o, "since", r->phase == BW_PHASE_CLOSED && r->trips == 0 ? 0 : r->since_ms);
	bw_cli_put_time(o, "until", r->phase == BW_PHASE_CLOSED ? 0 : r->until_ms);
	bw_cli_put_text(o, "rule", bw_rule_name(r->rule));
	bw_cli_put_int(o, "ordinal", r->ordinal);
	bw_cli_put_int(o, "limit", r->limit);
	bw_cli_put_int(o, "relapses", r->relapses);
	bw_cli_put_int(o, "trips", r->trips);
	bw_cli_put_int(o, "senders", v->senders);
	bw_cli_put_time(o, "last_attempt", v->last_ms);
	bw_cli_put_text(o, "override", bw_override_name(r->override_state));
	bw_cli_put_time(o, "override_until", overridden ? r->override_until_ms : 0);
	bw_cli_put_text(o, "owner", overridden ? r->override_owner : NULL);
	bw_cli_put_text(o, "reason", overridden ? r->override_reason : NULL);
	return o;
}

json_t *bw_cli_breakers_json(const struct breakers *b)
{
	json_t *array = json_array();

	for (size_t i = 0; i < b->count; i++)
		json_array_append_new(array, bw_cli_breaker_json(&b->at[i]));
	return array;
}

/* "4th sender of at most 3", or who overrides it and why. */
static void say_why(struct bw_buf *out, const struct bw_breaker *r)
{
	static const char *const nouns[BW_RULE_COUNT] = {
		[BW_RULE_CONVERSATION_SENDERS] = "sender",
		[BW_RULE_CONVERSATION_REPLIES] = "reply",
		[BW_RULE_CONVERSATION_DAY] = "sender of a day",
		[BW_RULE_LIST_SENDERS] = "sender",
		[BW_RULE_LIST_BUDGET] = "delivery",
		[BW_RULE_SENDER_RECIPIENTS] = "recipient",
		[BW_RULE_SENDER_POSTS] = "new post",
	};

	if (r->override_state != BW_OVERRIDE_NONE) {
		bw_buf_printf(out, "by %s%s%s", r->override_owner, r->override_reason[0] != '\0' ? ": " : "", r->override_reason);
		return;
	}
	if (r->rule >= BW_RULE_COUNT || nouns[r->rule] == NULL)
		return;
	bw_print_ordinal(out, r->ordinal);
	bw_buf_printf(out, " %s of at most ", nouns[r->rule]);
	bw_print_count(out, r->limit);
}

static void breaker_row(struct table *t, const struct breaker_view *v)
{
	const struct bw_breaker *r = &v->record;
	bool overridden = r->override_state != BW_OVERRIDE_NONE;
	int64_t until = overridden ? r->override_until_ms : r->phase == BW_PHASE_CLOSED ? 0 : r->until_ms;
	struct bw_buf text;

	bw_cli_cell(t, bw_slice_of(v->id));
	bw_cli_cell_styled(t,
	                   bw_cli_breaker_stops(v)          ? STYLE_BAD
	                   : r->phase == BW_PHASE_HALF_OPEN ? STYLE_WARN
	                                                    : STYLE_PLAIN,
	                   bw_cli_breaker_state(v));
	bw_cli_cell(t, bw_slice_of(bw_cli_breaker_guard(&v->key)));
	bw_cli_cell(t, v->key.list);
	bw_cli_cell(t, bw_slice_of(bw_side_name(v->key.side)));
	bw_cli_cell_count(t, v->senders);
	bw_cli_cell_time(t, until);
	bw_buf_init(&text, 400);
	say_why(&text, r);
	bw_cli_cell(t, bw_buf_slice(&text));
	bw_buf_done(&text);
}

void bw_cli_breakers_text(struct cli *c, const struct breakers *b, const char *nothing)
{
	static const struct column columns[] = {
		{ .head = "BREAKER" }, { .head = "STATE" },
		{ .head = "GUARD" },   { .head = "LIST" },
		{ .head = "SIDE" },    { .head = "SENDERS", .right = true },
		{ .head = "UNTIL" },   { .head = "WHY", .most = 70 },
	};
	struct table *t = bw_cli_table_start(c, columns, sizeof(columns) / sizeof(columns[0]));

	for (size_t i = 0; i < b->count; i++)
		breaker_row(t, &b->at[i]);
	bw_cli_table_end(&t, nothing);
	if (b->cut)
		bw_cli_say(c, STYLE_WARN, "and more: only %d are shown", BREAKERS_MAX);
}
