/* held ls / show: the ledger of held messages. */
#include "held.h"

#include <stdlib.h>
#include <string.h>

#include "bw/parse.h"

/* --- selecting --- */

static bool is_hex(const char *text)
{
	size_t n = strlen(text);

	return n >= ID_LEAST_DIGITS && n <= (size_t)2 * BW_HASH_BYTES && strspn(text, "0123456789abcdef") == n;
}

/* Queue ids of MTAs: letters and digits (Postfix's short and long ids, Sendmail's). */
static bool is_queue_id(const char *text)
{
	static const char allowed[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	size_t n = strlen(text);

	return n >= ID_LEAST_DIGITS && n <= 40 && strspn(text, allowed) == n;
}

enum bw_cli_exit bw_cli_select(struct cli *c, struct selection *out)
{
	*out = (struct selection){
		.ids = c->words, .id_count = c->word_count, .conversation = c->args.conversation, .all_states = c->args.all
	};
	for (int i = 0; i < c->word_count; i++) {
		if (!is_hex(c->words[i]) && !is_queue_id(c->words[i]))
			return bw_cli_fail(c, BW_CLI_USAGE, "\"%s\" is no id of a held message; `held ls` shows them", c->words[i]);
	}
	if (c->args.conversation != NULL && !is_hex(c->args.conversation))
		return bw_cli_fail(c, BW_CLI_USAGE, "--conversation: \"%s\" is no id, expected 4 to 32 hex digits", c->args.conversation);
	if (c->args.after != NULL && !bw_hash_parse(bw_slice_of(c->args.after), &out->after))
		return bw_cli_fail(c, BW_CLI_USAGE, "--after: \"%s\" is no id, expected its 32 hex digits", c->args.after);
	return c->args.list != NULL ? bw_cli_watched(c, c->args.list, &out->list) : BW_CLI_DONE;
}

struct filter {
	const struct selection *s;
	bool (*each)(void *ctx, const struct bw_held *held);
	void *ctx;
};

static bool begins(const struct bw_hash *hash, const char *digits)
{
	char hex[2 * BW_HASH_BYTES + 1];

	bw_hash_hex(hash, hex);
	return strncmp(hex, digits, strlen(digits)) == 0;
}

static bool is_selected(const struct selection *s, const struct bw_held *held)
{
	if (s->conversation != NULL && !begins(&held->conversation, s->conversation))
		return false;
	for (int i = 0; i < s->id_count; i++) {
		if (begins(&held->id, s->ids[i]) || bw_slice_equal(held->queue_id, bw_slice_of(s->ids[i])))
			return true;
	}
	return s->id_count == 0;
}

static bool filter_each(void *ctx, const struct bw_held *held)
{
	struct filter *f = ctx;

	return !is_selected(f->s, held) || f->each(f->ctx, held);
}

enum bw_cli_exit bw_cli_held_each(struct cli *c, const struct selection *s, bool (*each)(void *ctx, const struct bw_held *held),
                                  void *ctx)
{
	struct filter f = { .s = s, .each = each, .ctx = ctx };
	struct bw_held_query query = { .list = bw_slice_of(s->list.text), .by_state = !s->all_states, .state = s->state,
		                            .after = s->after };

	return bw_cli_fail_err(c->store->ops->held_each(c->store, &query, filter_each, &f, &c->why));
}

/* --- copies --- */

static void entry_done(struct entry *e)
{
	free(e->host);
	free(e->queue_id);
	free(e->mta);
	free(e->list);
	free(e->sender);
	free(e->guard);
	for (size_t i = 0; i < e->share_count; i++)
		free(e->shares[i].list);
	free(e->shares);
}

void bw_cli_entries_done(struct entries *e)
{
	for (size_t i = 0; i < e->count; i++)
		entry_done(&e->at[i]);
	free(e->at);
	*e = (struct entries){ 0 };
}

static bool copy_share(struct entry *e, struct bw_slice list, enum bw_side side, int64_t deliveries)
{
	struct share *share = &e->shares[e->share_count++];

	*share = (struct share){ .list = bw_slice_dup(list), .side = side, .deliveries = deliveries };
	return share->list != NULL;
}

/* An entry without rows of lists is all its own list's. */
static bool copy_shares(const struct bw_held *held, struct entry *out)
{
	bool done = true;

	out->shares = calloc(held->list_count + 1, sizeof(out->shares[0]));
	if (out->shares == NULL)
		return false;
	for (size_t i = 0; i < held->list_count && done; i++)
		done = copy_share(out, held->lists[i].list, held->lists[i].side, held->lists[i].deliveries);
	return held->list_count > 0 ? done : copy_share(out, held->list, held->side, held->deliveries);
}

static bool copy_entry(const struct bw_held *held, struct entry *out)
{
	*out = (struct entry){
		.id = held->id,
		.conversation = held->conversation,
		.host = bw_slice_dup(held->host),
		.queue_id = bw_slice_dup(held->queue_id),
		.mta = bw_slice_dup(held->mta),
		.list = bw_slice_dup(held->list),
		.sender = bw_slice_dup(held->sender),
		.guard = bw_slice_dup(held->guard),
		.deliveries = held->deliveries,
		.held_ms = held->held_ms,
	};
	return out->host != NULL && out->queue_id != NULL && out->mta != NULL && out->list != NULL && out->sender != NULL && out->guard != NULL &&
	       copy_shares(held, out);
}

bool bw_cli_entries_add(struct entries *e, const struct bw_held *held)
{
	if (e->count == ENTRIES_MAX) {
		e->cut = true;
		return false;
	}
	if (e->count == e->room) {
		size_t room = e->room == 0 ? 64 : e->room * 2;
		struct entry *at = realloc(e->at, room * sizeof(*at));

		e->out_of_memory = at == NULL;
		if (at == NULL)
			return false;
		e->at = at;
		e->room = room;
	}
	e->out_of_memory = !copy_entry(held, &e->at[e->count++]);
	return !e->out_of_memory;
}

static bool copy_each(void *ctx, const struct bw_held *held)
{
	return bw_cli_entries_add(ctx, held);
}

enum bw_cli_exit bw_cli_entries(struct cli *c, const struct selection *s, struct entries *out)
{
	enum bw_cli_exit code = bw_cli_held_each(c, s, copy_each, out);

	if (code == BW_CLI_DONE && out->out_of_memory)
		return bw_cli_fail(c, BW_CLI_NO, "no memory for %zu held messages", out->count);
	return code;
}

/* --- showing --- */

static json_t *lists_json(const struct bw_held *h)
{
	json_t *all = json_array();

	for (size_t i = 0; i < h->list_count; i++) {
		json_t *one = json_object();

		bw_cli_put(one, "list", h->lists[i].list);
		bw_cli_put_int(one, "deliveries", h->lists[i].deliveries);
		json_array_append_new(all, one);
	}
	return all;
}

static json_t *held_json(const struct bw_held *h)
{
	char id[2 * BW_HASH_BYTES + 1], conversation[2 * BW_HASH_BYTES + 1];
	json_t *o = json_object();

	bw_hash_hex(&h->id, id);
	bw_hash_hex(&h->conversation, conversation);
	bw_cli_put_text(o, "id", id);
	bw_cli_put(o, "host", h->host);
	bw_cli_put(o, "queue_id", h->queue_id);
	bw_cli_put(o, "mta", h->mta);
	bw_cli_put(o, "list", h->list);
	bw_cli_put_text(o, "side", bw_side_name(h->side));
	bw_cli_put_text(o, "conversation", bw_hash_is_zero(&h->conversation) ? NULL : conversation);
	bw_cli_put(o, "guard", h->guard);
	bw_cli_put(o, "sentence", h->sentence);
	bw_cli_put(o, "sender", h->sender);
	bw_cli_put(o, "identity", h->identity);
	bw_cli_put(o, "message_id", h->message_id);
	bw_cli_put(o, "subject", h->subject);
	json_object_set_new(o, "lists", lists_json(h));
	bw_cli_put_int(o, "deliveries", h->deliveries);
	bw_cli_put_int(o, "size", h->size_bytes);
	bw_cli_put_time(o, "held_at", h->held_ms);
	bw_cli_put_text(o, "state", bw_held_state_name(h->state));
	bw_cli_put_time(o, "state_at", h->state_ms);
	bw_cli_put(o, "state_by", h->state_by);
	return o;
}

struct listing {
	struct cli *c;
	struct table *table;
	int64_t shown;
	struct bw_hash last;
	bool more;
};

static bool list_each(void *ctx, const struct bw_held *h)
{
	struct listing *l = ctx;
	char id[2 * BW_HASH_BYTES + 1];

	l->more = l->c->args.limit > 0 && l->shown == l->c->args.limit;
	if (l->more)
		return false;
	l->shown++;
	l->last = h->id;
	if (l->c->args.json) {
		bw_cli_json(l->c, held_json(h));
		return true;
	}
	bw_hash_hex(&h->id, id);
	bw_cli_cell(l->table, (struct bw_slice){ id, 12 });
	bw_cli_cell(l->table, h->queue_id);
	bw_cli_cell_time(l->table, h->held_ms);
	bw_cli_cell(l->table, h->guard);
	bw_cli_cell(l->table, h->list);
	bw_cli_cell_count(l->table, h->deliveries);
	bw_cli_cell(l->table, h->sender);
	bw_cli_cell_styled(l->table, h->state == BW_HELD_WAITING ? STYLE_PLAIN : STYLE_FAINT, bw_held_state_name(h->state));
	bw_cli_cell(l->table, h->subject);
	return true;
}

static enum bw_cli_exit run_ls(struct cli *c)
{
	static const struct column columns[] = {
		{ .head = "ID" },
		{ .head = "QUEUE ID" },
		{ .head = "HELD" },
		{ .head = "GUARD" },
		{ .head = "LIST" },
		{ .head = "DELIVERIES", .right = true },
		{ .head = "SENDER", .most = 40 },
		{ .head = "STATE" },
		{ .head = "SUBJECT", .most = 50 },
	};
	struct listing l = { .c = c };
	struct selection s;
	enum bw_cli_exit code = bw_cli_select(c, &s);

	if (code != BW_CLI_DONE)
		return code;
	if (!c->args.json)
		l.table = bw_cli_table_start(c, columns, sizeof(columns) / sizeof(columns[0]));
	code = bw_cli_held_each(c, &s, list_each, &l);
	bw_cli_table_end(&l.table, c->args.all ? "no message was ever held" : "no held message waits");
	if (code == BW_CLI_DONE && l.more) {
		char id[2 * BW_HASH_BYTES + 1];

		bw_hash_hex(&l.last, id);
		bw_cli_say(c, STYLE_FAINT, "there are more: --after %s", id);
	}
	return code;
}

enum { LISTS_BYTES = 8192 };

struct row {
	const char *what;
	struct bw_slice value;
};

/* "all@example.org 40,000, other@example.org 500" */
static void print_lists(struct bw_buf *out, const struct bw_held *h)
{
	for (size_t i = 0; i < h->list_count; i++) {
		bw_buf_printf(out, "%s%.*s ", i == 0 ? "" : ", ", (int)h->lists[i].list.n, h->lists[i].list.p);
		bw_print_count(out, h->lists[i].deliveries);
	}
	if (h->list_count == 0)
		bw_buf_add(out, h->list);
}

static void show_text(struct cli *c, const struct bw_held *h)
{
	char id[2 * BW_HASH_BYTES + 1], conversation[2 * BW_HASH_BYTES + 1];
	struct bw_buf held_at, deliveries, state, lists;

	bw_hash_hex(&h->id, id);
	bw_hash_hex(&h->conversation, conversation);
	bw_buf_init(&held_at, 60);
	bw_cli_stamp(&held_at, h->held_ms);
	bw_buf_init(&deliveries, 60);
	bw_print_count(&deliveries, h->deliveries);
	bw_buf_init(&lists, LISTS_BYTES);
	print_lists(&lists, h);
	bw_buf_init(&state, 400);
	bw_buf_add_text(&state, bw_held_state_name(h->state));
	if (h->state != BW_HELD_WAITING) {
		bw_buf_add_text(&state, " ");
		bw_cli_stamp(&state, h->state_ms);
		bw_buf_printf(&state, " by %.*s", (int)h->state_by.n, h->state_by.p == NULL ? "" : h->state_by.p);
	}
	const struct row rows[] = {
		{ "id:", bw_slice_of(id) },
		{ "state:", bw_buf_slice(&state) },
		{ "held:", bw_buf_slice(&held_at) },
		{ "why:", h->sentence },
		{ h->list_count > 1 ? "lists:" : "list:", bw_buf_slice(&lists) },
		{ "deliveries:", bw_buf_slice(&deliveries) },
		{ "conversation:", bw_slice_of(conversation) },
		{ "sender:", h->sender },
		{ "identity:", h->identity },
		{ "subject:", h->subject },
		{ "message-id:", h->message_id },
		{ "host:", h->host },
		{ "mta:", h->mta },
		{ "queue id:", h->queue_id },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		bw_cli_say(c, STYLE_PLAIN, "%-13s %.*s", rows[i].what, (int)rows[i].value.n,
		           rows[i].value.p == NULL ? "" : rows[i].value.p);
	bw_buf_done(&held_at);
	bw_buf_done(&deliveries);
	bw_buf_done(&state);
	bw_buf_done(&lists);
}

struct showing {
	struct cli *c;
	size_t matches;
};

static bool count_each(void *ctx, const struct bw_held *h)
{
	struct showing *s = ctx;

	(void)h;
	s->matches++;
	return true;
}

static bool show_each(void *ctx, const struct bw_held *h)
{
	struct showing *s = ctx;

	if (s->c->args.json)
		bw_cli_json(s->c, held_json(h));
	else
		show_text(s->c, h);
	return true;
}

static enum bw_cli_exit run_show(struct cli *c)
{
	struct showing showing = { .c = c };
	struct selection s;
	enum bw_cli_exit code = bw_cli_select(c, &s);

	s.all_states = true;
	if (code == BW_CLI_DONE)
		code = bw_cli_held_each(c, &s, count_each, &showing);
	if (code != BW_CLI_DONE)
		return code;
	if (showing.matches == 0)
		return bw_cli_fail(c, BW_CLI_NO, "no held message has the id %s", c->words[0]);
	if (showing.matches > 1)
		return bw_cli_fail(c, BW_CLI_NO, "%zu held messages have ids that begin with %s; give more digits", showing.matches,
		                   c->words[0]);
	return bw_cli_held_each(c, &s, show_each, &showing);
}

const struct command bw_cli_family_held[] = {
	{ "held ls", "[ID...]", 0, WORDS_MAX - 2, OPT(LIST) | OPT(CONVERSATION) | OPT(ALL) | OPT(LIMIT) | OPT(AFTER), NEED_STORE, false, run_ls,
	  "held messages that wait\n"
	  "ID is an id, the beginning of one, or a queue id. --all shows released and deleted ones as well. With "
	  "--limit, the last line says how to go on; with --json, go on after the last id." },
	{ "held show", "ID", 1, 1, 0, NEED_STORE, false, run_show, "one held message, and the sentence that says why it is held" },
	{ .name = NULL },
};
