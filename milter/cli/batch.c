#include "batch.h"
#include "ordering.h"
#include "pacing.h"

#include <stdlib.h>
#include <string.h>

#include "bw/parse.h"
#include "bw/stores.h"

/* Neighbours share a list; within it the oldest goes first. */
static int by_list(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->list, y->list);

	if (order != 0)
		return order;
	return (x->held_ms > y->held_ms) - (x->held_ms < y->held_ms);
}

/* --- what is selected --- */

static size_t matches(const struct entries *e, const char *word)
{
	char hex[2 * BW_HASH_BYTES + 1];
	size_t n = 0;

	for (size_t i = 0; i < e->count; i++) {
		bw_hash_hex(&e->at[i].id, hex);
		n += strncmp(hex, word, strlen(word)) == 0 || strcmp(e->at[i].queue_id, word) == 0;
	}
	return n;
}

/* Each word must mean exactly one message: a beginning that fits two would take one that nobody asked for. */
static enum bw_cli_exit check_words(struct cli *c, const struct entries *e, enum bw_held_state from)
{
	for (int i = 0; i < c->word_count; i++) {
		size_t n = matches(e, c->words[i]);

		if (n == 0)
			return bw_cli_fail(c, BW_CLI_NO, "no %s held message has the id %s; `held ls --all` shows all of them",
			                   bw_held_state_name(from), c->words[i]);
		if (n > 1)
			return bw_cli_fail(c, BW_CLI_NO, "%zu held messages have ids that begin with %s; give more digits", n, c->words[i]);
	}
	return BW_CLI_DONE;
}

/* Orders reach the hosts that share a store. */
static enum bw_cli_exit check_where(struct cli *c, const struct entries *e)
{
	bool everywhere = bw_cli_has_orders(c) && bw_stores_is_redis(bw_cli_config(c));

	for (size_t i = 0; i < e->count; i++) {
		const struct entry *one = &e->at[i];

		if (strcmp(one->host, c->host) != 0 && !everywhere)
			return bw_cli_fail(c, BW_CLI_NO, "%s is of the hold queue of %s; do it there, this is %s", one->queue_id, one->host,
			                   c->host);
		if (bw_mta_find(one->mta) == NULL)
			return bw_cli_fail(c, BW_CLI_NO, "%s is held by %s; only what Postfix or Sendmail holds can be worked on",
			                   one->queue_id, one->mta);
		if (one->queue_id[0] == '\0')
			return bw_cli_fail(c, BW_CLI_NO, "%s: the MTA gave no queue id, so it cannot be found in the hold queue",
			                   one->sender);
	}
	return BW_CLI_DONE;
}

static enum bw_cli_exit select_entries(struct cli *c, const struct batch *b, struct entries *e)
{
	struct selection s;
	enum bw_cli_exit code = BW_CLI_DONE;

	if (c->word_count == 0 && c->args.list == NULL && c->args.conversation == NULL)
		return bw_cli_fail(c, BW_CLI_USAGE, "%s: which? Give ids, --list ADDRESS or --conversation ID", b->command);
	code = bw_cli_select(c, &s);
	s.all_states = false;
	s.state = b->from;
	if (code == BW_CLI_DONE)
		code = bw_cli_entries(c, &s, e);
	if (code == BW_CLI_DONE)
		code = check_words(c, e, b->from);
	if (code == BW_CLI_DONE && e->count == 0)
		code = bw_cli_fail(c, BW_CLI_NO, "no held message that is %s is selected", bw_held_state_name(b->from));
	if (code == BW_CLI_DONE && e->cut)
		code = bw_cli_fail(c, BW_CLI_NO, "more than %d messages are selected; narrow it", ENTRIES_MAX);
	if (code == BW_CLI_DONE)
		qsort(e->at, e->count, sizeof(e->at[0]), by_list);
	return code;
}

/* --- showing --- */

static json_t *entry_json(const struct batch *b, const struct entry *e)
{
	char id[2 * BW_HASH_BYTES + 1];
	json_t *o = json_object();

	bw_hash_hex(&e->id, id);
	bw_cli_put_text(o, "id", id);
	bw_cli_put_text(o, "queue_id", e->queue_id);
	bw_cli_put_text(o, "list", e->list);
	bw_cli_put_text(o, "sender", e->sender);
	bw_cli_put_int(o, "deliveries", e->deliveries);
	bw_cli_put_bool(o, b->done, e->done);
	bw_cli_put_text(o, "note", e->note);
	return o;
}

static void print_entries(struct cli *c, const struct batch *b, const struct entries *e)
{
	static const struct column columns[] = {
		{ .head = "ID" },
		{ .head = "QUEUE ID" },
		{ .head = "LIST" },
		{ .head = "DELIVERIES", .right = true },
		{ .head = "SENDER", .most = 40 },
		{ .head = "" },
	};
	struct table *t = c->args.json ? NULL : bw_cli_table_start(c, columns, sizeof(columns) / sizeof(columns[0]));
	char id[2 * BW_HASH_BYTES + 1];

	for (size_t i = 0; i < e->count; i++) {
		const struct entry *one = &e->at[i];

		if (c->args.json) {
			bw_cli_json(c, entry_json(b, one));
			continue;
		}
		bw_hash_hex(&one->id, id);
		bw_cli_cell(t, (struct bw_slice){ id, 12 });
		bw_cli_cell(t, bw_slice_of(one->queue_id));
		bw_cli_cell(t, bw_slice_of(one->list));
		bw_cli_cell_count(t, one->deliveries);
		bw_cli_cell(t, bw_slice_of(one->sender));
		bw_cli_cell(t, bw_slice_of(one->note));
	}
	bw_cli_table_end(&t, NULL);
}

static void sum_up(struct cli *c, const struct entries *e, const char *verb, const char *rest)
{
	struct bw_buf deliveries;
	int64_t sum = 0;
	size_t n = 0;

	for (size_t i = 0; i < e->count; i++) {
		if (c->args.yes && !e->at[i].done)
			continue;
		n++;
		sum += e->at[i].deliveries;
	}
	bw_buf_init(&deliveries, 40);
	bw_print_count(&deliveries, sum);
	bw_cli_say(c, STYLE_PLAIN, "%s %zu message%s, %s deliveries%s", verb, n, n == 1 ? "" : "s", bw_buf_text(&deliveries), rest);
	bw_buf_done(&deliveries);
}

/* --- doing --- */

struct bw_held bw_cli_entry_held(const struct entry *e, enum bw_held_state state)
{
	return (struct bw_held){
		.id = e->id,
		.host = bw_slice_of(e->host),
		.queue_id = bw_slice_of(e->queue_id),
		.mta = bw_slice_of(e->mta),
		.list = bw_slice_of(e->list),
		.sender = bw_slice_of(e->sender),
		.deliveries = e->deliveries,
		.state = state,
	};
}

static enum bw_cli_exit note_event(struct cli *c, const struct batch *b, const struct entry *e)
{
	return bw_cli_event(c, b->event, bw_slice_of(e->list), BW_S(""), "%s %s from %s to %s, %lld deliveries", b->done, e->queue_id,
	                    e->sender, e->list, (long long)e->deliveries);
}

static enum bw_cli_exit do_one(struct cli *c, const struct batch *b, struct cli_keeper *k, struct entry *e)
{
	const struct bw_mta *mta = bw_mta_find(e->mta);
	const struct bw_mta_place place = bw_cli_mta_place(c, mta);
	enum bw_err err = b->one(c, k, mta, &place, e);

	if (err == BW_OK)
		return note_event(c, b, e);
	if (e->note == NULL)
		e->note = err == BW_ERR_NOT_FOUND ? "not there any more" : "not done";
	return err == BW_ERR_IO || err == BW_ERR_INPUT ? BW_CLI_NO : bw_cli_fail_err(err);
}

/* The first failure's exit code stands; a missing permission ends it, because the next would fail alike, and so does a flare-up. */
static enum bw_cli_exit do_all(struct cli *c, const struct batch *b, struct cli_keeper *k, struct entries *e)
{
	enum bw_cli_exit code = BW_CLI_DONE;
	struct bw_why first = { "" };
	struct pacing pacing;
	bool paced = b->pacing && c->args.pace > 0;
	size_t i;

	bw_cli_pacing_start(&pacing, c, e);
	for (i = 0; code != BW_CLI_NOT_PERMITTED && code != BW_CLI_REFUSED && i < e->count; i++) {
		enum bw_cli_exit one = paced ? bw_cli_pacing_wait(&pacing) : BW_CLI_DONE;

		if (one == BW_CLI_REFUSED) {
			first = c->why;
			code = one;
			break;
		}
		k->keeper.now_ms = pacing.now_ms;
		one = do_one(c, b, k, &e->at[i]);
		if (paced && e->at[i].done)
			bw_cli_pacing_sent(&pacing, &e->at[i]);
		if (one == BW_CLI_DONE || code != BW_CLI_DONE)
			continue;
		code = one;
		first = c->why;
	}
	for (; i < e->count; i++)
		e->at[i].note = "not tried";
	c->why = first;
	return code;
}

static enum bw_cli_exit do_here(struct cli *c, const struct batch *b, struct entries *e)
{
	struct cli_keeper k = { .keeper.archive = -1 };
	enum bw_cli_exit code = BW_CLI_DONE;

	if (c->args.for_ms > 0)
		return bw_cli_fail(c, BW_CLI_USAGE, "--for: only orders last; without hold.order_key %s works at once", b->command);
	code = bw_cli_keeper_open(c, &k);
	if (code == BW_CLI_DONE) {
		code = do_all(c, b, &k, e);
		print_entries(c, b, e);
		sum_up(c, e, b->done, b->after == NULL ? "" : b->after);
	}
	bw_cli_keeper_close(&k);
	return code;
}

static enum bw_cli_exit order_it(struct cli *c, const struct batch *b, struct entries *e)
{
	bool ended;
	enum bw_cli_exit code = bw_cli_batch_order(c, b, e, &ended);

	if (ended) {
		print_entries(c, b, e);
		sum_up(c, e, b->done, b->after == NULL ? "" : b->after);
	}
	return code;
}

static enum bw_cli_exit show_only(struct cli *c, const struct batch *b, struct entries *e)
{
	char note[40], verb[40];

	snprintf(note, sizeof(note), "would be %s", b->done);
	snprintf(verb, sizeof(verb), "would be %s:", b->done);
	for (size_t i = 0; i < e->count; i++)
		e->at[i].note = note;
	print_entries(c, b, e);
	sum_up(c, e, verb, "; nothing was done, --yes does it");
	return BW_CLI_DONE;
}

enum bw_cli_exit bw_cli_batch_do(struct cli *c, const struct batch *b, struct entries *e)
{
	enum bw_cli_exit code = check_where(c, e);

	if (code == BW_CLI_DONE && b->check != NULL)
		code = b->check(c, e);
	if (code == BW_CLI_DONE && !c->args.yes)
		code = show_only(c, b, e);
	else if (code == BW_CLI_DONE)
		code = bw_cli_has_orders(c) ? order_it(c, b, e) : do_here(c, b, e);
	return code;
}

enum bw_cli_exit bw_cli_batch(struct cli *c, const struct batch *b)
{
	struct entries e = { 0 };
	enum bw_cli_exit code = select_entries(c, b, &e);

	if (code == BW_CLI_DONE)
		code = bw_cli_batch_do(c, b, &e);
	bw_cli_entries_done(&e);
	return code;
}
