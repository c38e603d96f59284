/* storm freeze / thaw / drop / restore: copies of list messages that were accepted and are still queued, on all hosts. */
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "bw/parse.h"
#include "bw/stores.h"
#include "ordering.h"

/* --- selecting --- */

/* The rows of one message, one a list; they come one behind the other. */
struct message {
	struct bw_held held;
	struct bw_held_list lists[BW_HELD_LISTS_MAX];
	enum bw_post_state state;
	bool wanted;
	struct bw_arena *texts;
};

struct selecting {
	struct entries *out;
	struct bw_slice host;   /* only its own messages can be worked on; "": orders reach every host */
	int64_t others, copies; /* messages of other hosts, then */
	const char *conversation; /* beginning of its hex digits; NULL any */
	struct bw_slice list;     /* "" any */
	bool from[BW_POST_STATE_COUNT];
	const char *what; /* they are */
	struct message message;
};

static bool is_wanted(const struct selecting *s, const struct bw_post *row)
{
	char hex[2 * BW_HASH_BYTES + 1];

	bw_hash_hex(&row->conversation, hex);
	return s->from[row->state] && (s->list.n == 0 || bw_slice_equal(row->list, s->list)) &&
	       (s->conversation == NULL || strncmp(hex, s->conversation, strlen(s->conversation)) == 0);
}

/* The message that is complete now, if it is one of those that are meant. False: no more can be taken. */
static bool end_message(struct selecting *s)
{
	struct message *m = &s->message;

	if (m->held.list_count == 0 || !m->wanted)
		return true;
	if (s->host.n == 0 || bw_slice_equal(m->held.host, s->host))
		return bw_cli_entries_add(s->out, &m->held);
	s->others++;
	s->copies += m->held.deliveries;
	return true;
}

static void begin_message(struct message *m, const struct bw_post *row)
{
	bw_arena_reset(m->texts);
	m->wanted = false;
	m->held = (struct bw_held){
		.id = row->id,
		.conversation = row->conversation,
		.host = bw_arena_slice(m->texts, row->host),
		.queue_id = bw_arena_slice(m->texts, row->queue_id),
		.mta = bw_arena_slice(m->texts, row->mta),
		.list = bw_arena_slice(m->texts, row->list),
		.sender = bw_arena_slice(m->texts, row->sender),
		.held_ms = row->accepted_ms,
		.lists = m->lists,
	};
}

/* All lists of a message wait or go with it. */
static bool take_row(void *ctx, const struct bw_post *row)
{
	struct selecting *s = ctx;
	struct message *m = &s->message;

	if (m->held.list_count == 0 || !bw_hash_equal(&m->held.id, &row->id)) {
		if (!end_message(s))
			return false;
		begin_message(m, row);
	}
	if (m->held.list_count < BW_HELD_LISTS_MAX) {
		m->lists[m->held.list_count++] = (struct bw_held_list){ .list = bw_arena_slice(m->texts, row->list),
			                                                    .conversation = row->conversation,
			                                                    .deliveries = row->deliveries };
		m->held.deliveries += row->deliveries;
	}
	m->wanted = m->wanted || is_wanted(s, row);
	return true;
}

static bool is_conversation(const char *text)
{
	size_t n = strlen(text);

	return n >= ID_LEAST_DIGITS && n <= (size_t)2 * BW_HASH_BYTES && strspn(text, "0123456789abcdef") == n;
}

static enum bw_cli_exit select_posts(struct cli *c, struct selecting *s)
{
	const struct bw_post_query query = { .since_ms = c->args.since_ms > 0 ? c->now_ms - c->args.since_ms : 0 };
	enum bw_cli_exit code;

	s->host = bw_cli_has_orders(c) && bw_stores_is_redis(bw_cli_config(c)) ? BW_S("") : bw_slice_of(c->host);
	s->message.texts = bw_arena_new((size_t)1 << 20);
	if (s->message.texts == NULL)
		return bw_cli_fail(c, BW_CLI_NO, "no memory for the accepted messages");
	code = bw_cli_fail_err(c->store->ops->post_each(c->store, &query, take_row, s, &c->why));
	if (code == BW_CLI_DONE && !s->out->cut && !s->out->out_of_memory)
		(void)end_message(s);
	bw_arena_free(&s->message.texts);
	if (code == BW_CLI_DONE && s->out->out_of_memory)
		return bw_cli_fail(c, BW_CLI_NO, "no memory for %zu accepted messages", s->out->count);
	if (code == BW_CLI_DONE && s->out->cut)
		return bw_cli_fail(c, BW_CLI_NO, "more than %d messages are selected; narrow it", ENTRIES_MAX);
	return code;
}

static enum bw_cli_exit read_selection(struct cli *c, struct selecting *s, struct bw_address *list)
{
	if ((c->word_count == 0) == (c->args.list == NULL))
		return bw_cli_fail(c, BW_CLI_USAGE, "%s: which? Give the id of a conversation, or --list ADDRESS", c->command->name);
	if (c->word_count == 1 && !is_conversation(c->words[0]))
		return bw_cli_fail(c, BW_CLI_USAGE, "\"%s\" is no id of a conversation, expected 4 to 32 hex digits; `breaker ls` shows them",
		                   c->words[0]);
	s->conversation = c->word_count == 1 ? c->words[0] : NULL;
	enum bw_cli_exit code = c->args.list != NULL ? bw_cli_watched(c, c->args.list, list) : BW_CLI_DONE;

	s->list = bw_slice_of(list->text);
	return code;
}

/* A beginning that fits two would take one that nobody asked for. */
static enum bw_cli_exit check_one(struct cli *c, const struct selecting *s)
{
	const struct entries *e = s->out;
	const struct bw_hash *first = NULL;

	for (size_t i = 0; s->conversation != NULL && i < e->count; i++) {
		char hex[2 * BW_HASH_BYTES + 1];

		bw_hash_hex(&e->at[i].conversation, hex);
		if (strncmp(hex, s->conversation, strlen(s->conversation)) != 0)
			continue; /* its first list's conversation is another */
		if (first != NULL && !bw_hash_equal(first, &e->at[i].conversation))
			return bw_cli_fail(c, BW_CLI_NO, "several conversations begin with %s; give more digits", s->conversation);
		first = &e->at[i].conversation;
	}
	return BW_CLI_DONE;
}

/* --- showing --- */

static int by_host(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->host, y->host);

	return order != 0 ? order : (x->held_ms > y->held_ms) - (x->held_ms < y->held_ms);
}

/* "at most", for what was delivered since is no longer queued. */
static void say_copies(struct cli *c, const char *where, int64_t messages, int64_t copies, const char *rest)
{
	struct bw_buf text;

	bw_buf_init(&text, 40);
	bw_print_count(&text, copies);
	bw_cli_say(c, STYLE_PLAIN, "%s: %lld message%s, at most %s copies%s", where, (long long)messages, messages == 1 ? "" : "s",
	           bw_buf_text(&text), rest);
	bw_buf_done(&text);
}

static void say_hosts(struct cli *c, const struct selecting *s)
{
	struct entries *e = s->out;

	if (s->others > 0)
		say_copies(c, "other hosts", s->others, s->copies, "; without orders (hold.order_key) it is to be done there");
	if (e->count > 0)
		qsort(e->at, e->count, sizeof(e->at[0]), by_host);
	for (size_t i = 0, n; i < e->count; i += n) {
		int64_t sum = 0;

		for (n = 0; i + n < e->count && strcmp(e->at[i + n].host, e->at[i].host) == 0; n++)
			sum += e->at[i + n].deliveries;
		say_copies(c, e->at[i].host, (int64_t)n, sum, "");
	}
}

/* --- doing --- */

static struct bw_post post_of(const struct entry *e, enum bw_post_state state)
{
	return (struct bw_post){
		.id = e->id,
		.host = bw_slice_of(e->host),
		.queue_id = bw_slice_of(e->queue_id),
		.mta = bw_slice_of(e->mta),
		.deliveries = e->deliveries,
		.accepted_ms = e->held_ms,
		.state = state,
	};
}

static enum bw_err note(enum bw_err err, struct entry *e, const char *text)
{
	e->done = err == BW_OK;
	if (err == BW_OK)
		e->note = text;
	return err;
}

static enum bw_err freeze_one(struct cli *c, struct cli_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                              struct entry *e)
{
	const struct bw_post post = post_of(e, BW_POST_QUEUED);

	return note(bw_keeper_freeze(&k->keeper, mta, place, &post, &c->why), e, "frozen; `storm thaw` lets it go");
}

static enum bw_err thaw_one(struct cli *c, struct cli_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                            struct entry *e)
{
	const struct bw_post post = post_of(e, BW_POST_FROZEN);

	return note(bw_keeper_thaw(&k->keeper, mta, place, &post, &c->why), e, "on its way again");
}

static enum bw_err drop_one(struct cli *c, struct cli_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                            struct entry *e)
{
	const struct bw_post post = post_of(e, BW_POST_FROZEN);

	return note(bw_keeper_drop(&k->keeper, mta, place, &post, &c->why), e, "dropped, in the archive");
}

static enum bw_err restore_one(struct cli *c, struct cli_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                               struct entry *e)
{
	const struct bw_post post = post_of(e, BW_POST_DROPPED);

	return note(bw_keeper_undrop(&k->keeper, mta, place, &post, &c->why), e, "frozen again; `storm thaw` lets it go");
}

static enum bw_cli_exit run(struct cli *c, const struct batch *batch, struct selecting *s)
{
	struct entries e = { 0 };
	struct bw_address list = { .text = "" };
	enum bw_cli_exit code = read_selection(c, s, &list);

	s->out = &e;
	if (code == BW_CLI_DONE)
		code = select_posts(c, s);
	if (code == BW_CLI_DONE)
		code = check_one(c, s);
	if (code == BW_CLI_DONE)
		say_hosts(c, s);
	if (code == BW_CLI_DONE && e.count == 0)
		code = bw_cli_fail(c, BW_CLI_NO, "no accepted message of the last days that is %s is selected%s",
		                   s->what, s->others > 0 ? " on this host" : "");
	if (code == BW_CLI_DONE)
		code = bw_cli_batch_do(c, batch, &e);
	bw_cli_entries_done(&e);
	return code;
}

static enum bw_cli_exit run_freeze(struct cli *c)
{
	static const struct batch batch = {
		.command = "storm freeze", .done = "frozen", .one = freeze_one, .event = BW_EVENT_OPERATOR, .kind = BW_ORDER_FREEZE
	};
	struct selecting s = { .from = { [BW_POST_QUEUED] = true, [BW_POST_THAWED] = true }, .what = "queued" };

	return run(c, &batch, &s);
}

static enum bw_cli_exit run_thaw(struct cli *c)
{
	static const struct batch batch = {
		.command = "storm thaw", .done = "thawed", .one = thaw_one, .event = BW_EVENT_OPERATOR, .kind = BW_ORDER_THAW, .pacing = true
	};
	struct selecting s = { .from = { [BW_POST_FROZEN] = true }, .what = "frozen" };

	return run(c, &batch, &s);
}

static enum bw_cli_exit run_drop(struct cli *c)
{
	static const struct batch batch = {
		.command = "storm drop", .done = "dropped", .one = drop_one, .event = BW_EVENT_OPERATOR, .kind = BW_ORDER_DROP
	};
	struct selecting s = { .from = { [BW_POST_FROZEN] = true }, .what = "frozen" };

	return run(c, &batch, &s);
}

static enum bw_cli_exit run_restore(struct cli *c)
{
	static const struct batch batch = {
		.command = "storm restore", .done = "restored", .after = "; `storm thaw` lets them go", .one = restore_one,
		.event = BW_EVENT_OPERATOR, .kind = BW_ORDER_RESTORE
	};
	struct selecting s = { .from = { [BW_POST_DROPPED] = true }, .what = "dropped" };

	return run(c, &batch, &s);
}

const struct command bw_cli_family_storm[] = {
	{ "storm freeze", "[ID]", 0, 1, OPT(LIST) | OPT(SINCE) | OPT(FOR) | OPT_MTA, NEED_STORE, false, run_freeze,
	  "stop copies of accepted list messages that are still queued, on all hosts; without --yes it only shows which\n"
	  "ID is a conversation's, or the beginning of it; --list takes all messages to a list, --since those of the last time alone. What was "
	  "delivered is delivered. A frozen message waits in the MTA's hold queue until it is thawed or dropped." },
	{ "storm thaw", "[ID]", 0, 1, OPT(LIST) | OPT(SINCE) | OPT(PACE) | OPT(OBSERVE) | OPT(FOR) | OPT_MTA, NEED_STORE, false, run_thaw,
	  "let frozen messages go on their way; without --yes it only shows which\n"
	  "With --pace they take their time, as with `held release`." },
	{ "storm drop", "[ID]", 0, 1, OPT(LIST) | OPT(SINCE) | OPT(FOR) | OPT_MTA, NEED_STORE, false, run_drop,
	  "take frozen messages out of the queue, into the archive; without --yes it only shows which\n"
	  "They are archived as `held delete` does it, before the MTA's copies are removed; `storm restore` brings them back." },
	{ "storm restore", "[ID]", 0, 1, OPT(LIST) | OPT(SINCE) | OPT(FOR) | OPT_MTA, NEED_STORE, false, run_restore,
	  "bring dropped messages back into the hold queue, frozen as they were; without --yes it only shows which\n"
	  "`storm thaw` lets them go then. Possible for as long as they are in the archive (hold.archive_keep), and at most ninety days." },
	{ .name = NULL },
};
