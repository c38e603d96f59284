/* held reconcile: the ledger against the hold queue, in both directions. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "held.h"
#include "keeper.h"

struct work {
	struct cli *c;
	struct table *table;
	enum bw_cli_exit code; /* of the first event that could not be written */
};

static const char *said(enum bw_found found)
{
	static const char *const texts[BW_FOUND_COUNT] = {
		[BW_FOUND_RELEASED] = "released by hand, or by a command that was killed",
		[BW_FOUND_DELETED] = "deleted by a command that was killed; in the archive",
		[BW_FOUND_LOST] = "gone from the queue: released or deleted by hand",
		[BW_FOUND_RETURNED] = "held again",
		[BW_FOUND_REBUILT] = "held, and unknown to the ledger",
		[BW_FOUND_HELD_AGAIN] = "released, and held again by hand: left alone",
	};

	return texts[found];
}

static void show(struct work *w, const struct bw_finding *f)
{
	struct cli *c = w->c;
	char id[2 * BW_HASH_BYTES + 1];

	bw_hash_hex(&f->id, id);
	if (c->args.json) {
		json_t *o = json_object();

		bw_cli_put_text(o, "id", id);
		bw_cli_put(o, "queue_id", f->queue_id);
		bw_cli_put(o, "list", f->list);
		bw_cli_put(o, "sender", f->sender);
		bw_cli_put_int(o, "deliveries", f->deliveries);
		bw_cli_put_text(o, "found", bw_found_name(f->found));
		bw_cli_json(c, o);
		return;
	}
	bw_cli_cell(w->table, (struct bw_slice){ id, 12 });
	bw_cli_cell(w->table, f->queue_id);
	bw_cli_cell(w->table, f->list);
	bw_cli_cell_count(w->table, f->deliveries);
	bw_cli_cell(w->table, f->sender);
	bw_cli_cell(w->table, bw_slice_of(said(f->found)));
}

static bool take(void *ctx, const struct bw_finding *f)
{
	struct work *w = ctx;

	show(w, f);
	if (w->c->args.yes && f->found != BW_FOUND_HELD_AGAIN && w->code == BW_CLI_DONE)
		w->code = bw_cli_event(w->c, f->found == BW_FOUND_RELEASED ? BW_EVENT_RELEASE : BW_EVENT_OPERATOR, f->list, BW_S(""),
		                       "reconcile: %.*s from %.*s to %.*s, %lld deliveries: %s", (int)f->queue_id.n, f->queue_id.p,
		                       (int)f->sender.n, f->sender.p, (int)f->list.n, f->list.p, (long long)f->deliveries,
		                       said(f->found));
	return true;
}

/* --- which MTAs --- */

struct kinds {
	const char *host;
	bool postfix, sendmail;
};

static bool note_kind(void *ctx, const struct bw_held *row)
{
	struct kinds *k = ctx;

	if (!bw_slice_equal(row->host, bw_slice_of(k->host)))
		return true;
	k->postfix = k->postfix || bw_slice_equal(row->mta, BW_S("postfix"));
	k->sendmail = k->sendmail || bw_slice_equal(row->mta, BW_S("sendmail"));
	return !k->postfix || !k->sendmail;
}

/* Of several queue directories (PARENT/NAME*), the one above them. */
static bool queue_is_there(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = strlen(path);
	char parent[4096];

	if (n == 0 || path[n - 1] != '*' || slash == NULL)
		return access(path, F_OK) == 0;
	bw_slice_copy((struct bw_slice){ path, (size_t)(slash - path) }, parent, sizeof(parent));
	return access(parent, F_OK) == 0;
}

/* Those that the command line names; else those that the configuration names, or that the ledger has had messages of; a ledger that is gone tells nothing, and then it is the
 * one whose queue is there. */
static enum bw_cli_exit find_kinds(struct cli *c, struct kinds *k)
{
	const struct bw_held_query all = { .limit = 0 };
	const struct bw_config *config = bw_cli_config(c);

	*k = (struct kinds){ .host = c->host };
	k->postfix = c->args.postfix_commands != NULL || c->args.postfix_config != NULL;
	k->sendmail = c->args.sendmail_commands != NULL || c->args.sendmail_config != NULL;
	if (k->postfix || k->sendmail)
		return BW_CLI_DONE;
	k->postfix = config->hold.postfix_config_count > 0 || config->hold.postfix_commands[0] != '\0';
	k->sendmail = config->hold.sendmail_config[0] != '\0' || config->hold.sendmail_commands[0] != '\0';
	enum bw_err err = c->store->ops->held_each(c->store, &all, note_kind, k, &c->why);

	if (err == BW_OK && !k->postfix && !k->sendmail) {
		k->sendmail = queue_is_there(config->hold.sendmail_queue);
		k->postfix = !k->sendmail;
	}
	return bw_cli_fail_err(err);
}

/* --- doing --- */

static enum bw_cli_exit reconcile_one(struct work *w, struct cli_keeper *k, const char *name, struct bw_reconciled *sum)
{
	struct cli *c = w->c;
	const struct bw_mta *mta = bw_mta_find(name);
	const struct bw_mta_place place = bw_cli_mta_place(c, mta);
	struct bw_reconciled r;
	struct bw_why bad;

	if (bw_mta_check(mta, &place, &bad) == BW_ERR_INPUT)
		bw_cli_say(c, STYLE_WARN, "warning: %s", bad.text);
	enum bw_err err =
		bw_keeper_reconcile(&k->keeper, mta, &place, bw_world_directory(c->world), !c->args.yes, &r, take, w, &c->why);

	if (err != BW_OK)
		return err == BW_ERR_IO ? BW_CLI_NO : bw_cli_fail_err(err);
	sum->waiting += r.waiting;
	sum->held += r.held;
	sum->foreign += r.foreign;
	for (int i = 0; i < BW_FOUND_COUNT; i++)
		sum->found[i] += r.found[i];
	return w->code;
}

static enum bw_cli_exit sum_up(struct cli *c, struct cli_keeper *k, const struct bw_reconciled *r)
{
	int64_t found = 0, gone = 0;
	enum bw_err err = BW_OK;

	for (int i = 0; i < BW_FOUND_COUNT; i++)
		found += r->found[i];
	if (c->args.yes)
		err = bw_archive_expire(k->keeper.archive, c->now_ms, k->keeper.archive_keep_ms, &gone, &c->why);
	bw_cli_say(c, STYLE_PLAIN, "%lld wait in the ledger, %lld are held (%lld of them not ours); %lld differ%s", (long long)r->waiting,
	           (long long)r->held, (long long)r->foreign, (long long)found,
	           found > 0 && !c->args.yes ? "; nothing was done, --yes writes it down" : "");
	if (gone > 0)
		bw_cli_say(c, STYLE_PLAIN, "%lld archives were past their time and are gone", (long long)gone);
	return bw_cli_fail_err(err);
}

static enum bw_cli_exit run_reconcile(struct cli *c)
{
	static const struct column columns[] = {
		{ .head = "ID" },
		{ .head = "QUEUE ID" },
		{ .head = "LIST" },
		{ .head = "DELIVERIES", .right = true },
		{ .head = "SENDER", .most = 40 },
		{ .head = "FOUND" },
	};
	struct cli_keeper k = { .keeper.archive = -1 };
	struct work w = { .c = c, .code = BW_CLI_DONE };
	struct bw_reconciled sum = { .waiting = 0 };
	struct kinds kinds;
	enum bw_cli_exit code = bw_cli_keeper_open(c, &k);

	if (code == BW_CLI_DONE)
		code = find_kinds(c, &kinds);
	if (code == BW_CLI_DONE && !c->args.json)
		w.table = bw_cli_table_start(c, columns, sizeof(columns) / sizeof(columns[0]));
	if (code == BW_CLI_DONE && kinds.postfix)
		code = reconcile_one(&w, &k, "postfix", &sum);
	if (code == BW_CLI_DONE && kinds.sendmail)
		code = reconcile_one(&w, &k, "sendmail", &sum);
	bw_cli_table_end(&w.table, NULL);
	if (code == BW_CLI_DONE)
		code = sum_up(c, &k, &sum);
	bw_cli_keeper_close(&k);
	return code;
}

const struct command bw_cli_family_reconcile[] = {
	{ "held reconcile", "", 0, 0, OPT_MTA, NEED_STORE, false, run_reconcile,
	  "compare the ledger with this host's hold queue; without --yes it only shows what differs\n"
	  "What was released by hand is written down with its deliveries; what a killed command had begun is finished; held messages that "
	  "the ledger does not know are entered by their mark. Only messages with a genuine mark are claimed: others' holds are left alone. "
	  "An entry whose message is gone becomes \"lost\" after ten minutes. Archives past hold.archive_keep are removed." },
	{ .name = NULL },
};
