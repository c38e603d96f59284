/* held release: from the MTA's hold queue on its way, and out of the ledger. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "bw/parse.h"
#include "held.h"
#include "mta.h"

/* --- the MTAs --- */

struct mta {
	const char *name; /* as the ledger has it */
	mta_release_fn *release;
	mta_deliver_fn *deliver;
	size_t commands, config; /* in struct arguments: options that say where they are */
	const char *commands_variable, *config_variable;
};

static const struct mta mtas[] = {
	{ "postfix", bw_cli_postfix_release, bw_cli_postfix_deliver, offsetof(struct arguments, postfix_commands),
	  offsetof(struct arguments, postfix_config), "BREAKWATER_POSTFIX_COMMANDS", "BREAKWATER_POSTFIX_CONFIG" },
	{ "sendmail", bw_cli_sendmail_release, bw_cli_sendmail_deliver, offsetof(struct arguments, sendmail_commands),
	  offsetof(struct arguments, sendmail_config), "BREAKWATER_SENDMAIL_COMMANDS", "BREAKWATER_SENDMAIL_CONFIG" },
};

static const struct mta *find_mta(const char *name)
{
	for (size_t i = 0; i < sizeof(mtas) / sizeof(mtas[0]); i++) {
		if (strcmp(mtas[i].name, name) == 0)
			return &mtas[i];
	}
	return NULL;
}

/* The option, else the variable; NULL: the MTA's own default. */
static const char *said_or_set(const struct cli *c, size_t option, const char *variable)
{
	const char *said;

	memcpy(&said, (const char *)&c->args + option, sizeof(said));
	return said != NULL ? said : getenv(variable);
}

static struct mta_place place_of(const struct cli *c, const struct mta *mta)
{
	return (struct mta_place){ .commands = said_or_set(c, mta->commands, mta->commands_variable),
		                       .config = said_or_set(c, mta->config, mta->config_variable) };
}

/* Neighbours share a list; within it the oldest goes first. */
static int by_list(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->list, y->list);

	if (order != 0)
		return order;
	return (x->held_ms > y->held_ms) - (x->held_ms < y->held_ms);
}

/* --- what may be released --- */

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

/* Each word must mean exactly one message: a beginning that fits two would release one that nobody asked for. */
static enum bw_cli_exit check_words(struct cli *c, const struct entries *e)
{
	for (int i = 0; i < c->word_count; i++) {
		size_t n = matches(e, c->words[i]);

		if (n == 0)
			return bw_cli_fail(c, BW_CLI_NO, "no held message that waits has the id %s; `held ls --all` shows the others",
			                   c->words[i]);
		if (n > 1)
			return bw_cli_fail(c, BW_CLI_NO, "%zu held messages have ids that begin with %s; give more digits", n, c->words[i]);
	}
	return BW_CLI_DONE;
}

static enum bw_cli_exit check_where(struct cli *c, const struct entries *e)
{
	for (size_t i = 0; i < e->count; i++) {
		const struct entry *one = &e->at[i];

		if (strcmp(one->host, c->host) != 0)
			return bw_cli_fail(c, BW_CLI_NO, "%s waits in the hold queue of %s; release it there, this is %s", one->queue_id,
			                   one->host, c->host);
		if (find_mta(one->mta) == NULL)
			return bw_cli_fail(c, BW_CLI_NO, "%s is held by %s; only messages that Postfix or Sendmail holds can be released",
			                   one->queue_id, one->mta);
		if (one->queue_id[0] == '\0')
			return bw_cli_fail(c, BW_CLI_NO, "%s: the MTA gave no queue id, so it cannot be found in the hold queue",
			                   one->sender);
	}
	return BW_CLI_DONE;
}

static enum bw_cli_exit check_forced_open(struct cli *c, const struct share *share)
{
	struct bw_breaker_key key = { .scope = BW_SCOPE_LIST, .side = share->side, .list = bw_slice_of(share->list) };
	struct bw_breaker record = { 0 };
	enum bw_err err = c->store->ops->breaker_get(c->store, &key, &record, &c->why);

	if (err != BW_OK && err != BW_ERR_NOT_FOUND)
		return bw_cli_fail_err(err);
	if (record.override_state != BW_OVERRIDE_FORCED_OPEN || record.override_until_ms <= c->now_ms)
		return BW_CLI_DONE;
	return bw_cli_fail(c, BW_CLI_REFUSED, "mail to %s is stopped by %s (`list resume` ends that); --force releases all the same",
	                   share->list, record.override_owner);
}

/* Released mail is filtered by nobody, so a batch is measured here: one message always fits, as one post does. */
static enum bw_cli_exit check_budget(struct cli *c, const struct share *first, size_t n)
{
	const struct bw_list *list = bw_directory_find(bw_world_directory(c->world), bw_slice_of(first->list));
	struct bw_limits limits;
	struct bw_buf sum_text, budget_text;
	int64_t sum = 0;

	if (list == NULL || n < 2)
		return BW_CLI_DONE;
	for (size_t i = 0; i < n; i++)
		sum += first[i].deliveries;
	bw_settings_resolve(bw_world_settings(c->world), list->tier, list->address, &limits);
	if (limits.list.budget <= 0 || sum <= limits.list.budget)
		return BW_CLI_DONE;
	bw_buf_init(&sum_text, 40);
	bw_buf_init(&budget_text, 40);
	bw_print_count(&sum_text, sum);
	bw_print_count(&budget_text, limits.list.budget);
	bw_cli_fail(c, BW_CLI_REFUSED,
	            "%zu messages to %s are %s deliveries at once, above its budget of %s; release fewer, or --force", n, first->list,
	            bw_buf_text(&sum_text), bw_buf_text(&budget_text));
	bw_buf_done(&sum_text);
	bw_buf_done(&budget_text);
	return BW_CLI_REFUSED;
}

static int by_share(const void *a, const void *b)
{
	const struct share *x = a, *y = b;
	int order = strcmp(x->list, y->list);

	return order != 0 ? order : (x->side > y->side) - (x->side < y->side);
}

/* Shares of one list stand together. */
static enum bw_cli_exit check_shares(struct cli *c, const struct share *shares, size_t count)
{
	enum bw_cli_exit code = BW_CLI_DONE;

	for (size_t i = 0, n; code == BW_CLI_DONE && i < count; i += n) {
		n = 1;
		while (i + n < count && strcmp(shares[i].list, shares[i + n].list) == 0)
			n++;
		code = check_budget(c, &shares[i], n);
		for (size_t k = 0; code == BW_CLI_DONE && k < n; k++) {
			if (k == 0 || shares[i + k].side != shares[i + k - 1].side)
				code = check_forced_open(c, &shares[i + k]);
		}
	}
	return code;
}

/* A message to several lists is measured on each of them. */
static enum bw_cli_exit check_safety(struct cli *c, const struct entries *e)
{
	struct share *all;
	size_t count = 0, n = 0;

	if (c->args.force)
		return BW_CLI_DONE;
	for (size_t i = 0; i < e->count; i++)
		count += e->at[i].share_count;
	all = calloc(count + 1, sizeof(*all));
	if (all == NULL)
		return bw_cli_fail(c, BW_CLI_NO, "no memory to check %zu messages", e->count);
	for (size_t i = 0; i < e->count; i++) {
		memcpy(all + n, e->at[i].shares, e->at[i].share_count * sizeof(*all));
		n += e->at[i].share_count;
	}
	qsort(all, count, sizeof(*all), by_share);
	enum bw_cli_exit code = check_shares(c, all, count);

	free(all);
	return code;
}

/* --- releasing --- */

/* First out of the hold queue: the MTA answers one caller only, so nobody releases twice. Then the ledger, and last the order
 * to deliver: when that fails, the next queue run delivers. Killed in between, the message is on its way and the ledger says
 * that it waits; a second release then finds it gone and says so. */
static enum bw_err release_one(struct cli *c, struct entry *e)
{
	const struct mta *mta = find_mta(e->mta);
	const struct mta_place place = place_of(c, mta);
	enum bw_err err = mta->release(&place, e->queue_id, &c->why);
	struct bw_why ignored;

	if (err != BW_OK) {
		e->note = err == BW_ERR_NOT_FOUND ? "not in the hold queue any more" : "not released";
		return err;
	}
	e->done = true;
	e->note = "released";
	err =
		c->store->ops->held_move(c->store, &e->id, BW_HELD_WAITING, BW_HELD_RELEASED, c->now_ms, bw_slice_of(c->owner), &c->why);
	if (err == BW_ERR_CONFLICT)
		err = BW_OK; /* another operator wrote it down already */
	if (mta->deliver(&place, e->queue_id, &ignored) != BW_OK)
		e->note = "released, goes out with the next queue run";
	return err;
}

static json_t *entry_json(const struct entry *e)
{
	char id[2 * BW_HASH_BYTES + 1];
	json_t *o = json_object();

	bw_hash_hex(&e->id, id);
	bw_cli_put_text(o, "id", id);
	bw_cli_put_text(o, "queue_id", e->queue_id);
	bw_cli_put_text(o, "list", e->list);
	bw_cli_put_text(o, "sender", e->sender);
	bw_cli_put_int(o, "deliveries", e->deliveries);
	bw_cli_put_bool(o, "released", e->done);
	bw_cli_put_text(o, "note", e->note);
	return o;
}

static void print_entries(struct cli *c, const struct entries *e)
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
			bw_cli_json(c, entry_json(one));
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

static enum bw_cli_exit note_release(struct cli *c, const struct entry *e)
{
	return bw_cli_event(c, BW_EVENT_RELEASE, bw_slice_of(e->list), BW_S(""), "released %s from %s to %s, %lld deliveries",
	                    e->queue_id, e->sender, e->list, (long long)e->deliveries);
}

/* The first failure's exit code stands; a missing permission ends it, because the next would fail alike. */
static enum bw_cli_exit release_all(struct cli *c, struct entries *e)
{
	enum bw_cli_exit code = BW_CLI_DONE;
	struct bw_why first = { "" };

	for (size_t i = 0; i < e->count; i++)
		e->at[i].note = "not tried";
	for (size_t i = 0; code != BW_CLI_NOT_PERMITTED && i < e->count; i++) {
		enum bw_err err = release_one(c, &e->at[i]);
		enum bw_cli_exit one = err == BW_ERR_IO ? BW_CLI_NO : bw_cli_fail_err(err);

		if (one == BW_CLI_DONE)
			one = note_release(c, &e->at[i]);
		if (one == BW_CLI_DONE || code != BW_CLI_DONE)
			continue;
		code = one;
		first = c->why;
	}
	c->why = first;
	return code;
}

static enum bw_cli_exit release(struct cli *c, struct entries *e)
{
	enum bw_cli_exit code;

	if (!c->args.yes) {
		for (size_t i = 0; i < e->count; i++)
			e->at[i].note = "would be released";
		print_entries(c, e);
		sum_up(c, e, "would release", "; nothing was done, --yes does it");
		return BW_CLI_DONE;
	}
	code = release_all(c, e);
	print_entries(c, e);
	sum_up(c, e, "released", "");
	return code;
}

static enum bw_cli_exit run_release(struct cli *c)
{
	struct selection s;
	struct entries e = { 0 };
	enum bw_cli_exit code = BW_CLI_DONE;

	if (c->word_count == 0 && c->args.list == NULL && c->args.conversation == NULL)
		return bw_cli_fail(c, BW_CLI_USAGE, "held release: which? Give ids, --list ADDRESS or --conversation ID");
	code = bw_cli_select(c, &s);
	s.all_states = false;
	if (code == BW_CLI_DONE)
		code = bw_cli_entries(c, &s, &e);
	if (code == BW_CLI_DONE)
		code = check_words(c, &e);
	if (code == BW_CLI_DONE && e.count == 0)
		code = bw_cli_fail(c, BW_CLI_NO, "no held message that waits is selected");
	if (code == BW_CLI_DONE && e.cut)
		code = bw_cli_fail(c, BW_CLI_NO, "more than %d messages are selected; narrow it", ENTRIES_MAX);
	if (code == BW_CLI_DONE)
		qsort(e.at, e.count, sizeof(e.at[0]), by_list);
	if (code == BW_CLI_DONE)
		code = check_where(c, &e);
	if (code == BW_CLI_DONE)
		code = check_safety(c, &e);
	if (code == BW_CLI_DONE)
		code = release(c, &e);
	bw_cli_entries_done(&e);
	return code;
}

const struct command bw_cli_family_release[] = {
	{ "held release", "[ID...]", 0, WORDS_MAX - 2,
	  OPT(LIST) | OPT(CONVERSATION) | OPT(FORCE) | OPT(POSTFIX_CONFIG) | OPT(POSTFIX_COMMANDS) | OPT(SENDMAIL_CONFIG) |
	      OPT(SENDMAIL_COMMANDS),
	  NEED_STORE, false, run_release,
	  "let held messages go; without --yes it only shows which\n"
	  "Postfix: postsuper -H and postqueue -i; Sendmail: sendmail -Q -qQ -qI and -qI; on the host that holds them. Refused with "
	  "exit code 3 for a list that an operator stopped, and for a batch above the list's budget; --force lifts both." },
	{ .name = NULL },
};
