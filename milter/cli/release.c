/* held release: from the MTA's hold queue on its way, and out of the ledger. */
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "bw/parse.h"

/* --- what may be released --- */

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

	if (list == NULL || n < 2 || c->args.pace > 0)
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
enum bw_cli_exit bw_cli_check_release(struct cli *c, const struct entries *e)
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

/* The order to deliver comes last: when it fails, the next queue run delivers. */
enum bw_err bw_cli_release_one(struct cli *c, struct cli_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                               struct entry *e)
{
	const struct bw_held held = bw_cli_entry_held(e, BW_HELD_WAITING);
	enum bw_err err = bw_keeper_release(&k->keeper, mta, place, &held, &c->why);
	struct bw_why ignored;

	if (err != BW_OK)
		return err;
	e->done = true;
	e->note = mta->deliver(place, e->queue_id, &ignored) == BW_OK ? "released" : "released, goes out with the next queue run";
	return BW_OK;
}

static enum bw_cli_exit run_release(struct cli *c)
{
	static const struct batch batch = {
		.command = "held release",
		.kind = BW_ORDER_RELEASE,
		.done = "released",
		.from = BW_HELD_WAITING,
		.check = bw_cli_check_release,
		.one = bw_cli_release_one,
		.event = BW_EVENT_RELEASE,
		.pacing = true,
	};

	return bw_cli_batch(c, &batch);
}

const struct command bw_cli_family_release[] = {
	{ "held release", "[ID...]", 0, WORDS_MAX - 2,
	  OPT(LIST) | OPT(CONVERSATION) | OPT(FORCE) | OPT(PACE) | OPT(OBSERVE) | OPT(FOR) | OPT_MTA,
	  NEED_STORE, false, run_release,
	  "let held messages go; without --yes it only shows which\n"
	  "Where breakwater-helper is installed (hold.order_key), it is ordered: signed, carried out by breakwater-agent of the host that holds "
	  "them, and shown until it is done; interrupted, the order goes on, as `held orders` shows, and ends after seven days, or --for. "
	  "Elsewhere it is done at once, as root, on the host that holds them. Refused with exit code 3 for a list that an operator stopped, "
	  "and for a batch above the list's budget; --force lifts both. With --pace the release takes its time, shows its progress and stops "
	  "by itself (exit code 3) when a breaker of one of its lists trips or a second person writes to it; then `held resume` goes on, or, "
	  "without orders, the same command." },
	{ .name = NULL },
};
