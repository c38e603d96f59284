/* approve / deny: one held post, decided. */
#include <string.h>

#include "batch.h"

/* What is decided one by one: a post that the gate or the origin guard holds. A storm's replies are released at a pace, or deleted. */
static enum bw_cli_exit check_post(struct cli *c, const struct entries *e)
{
	static const char *const single[] = { "gate", "origin" };
	const struct entry *one = &e->at[0];

	if (e->count > 1)
		return bw_cli_fail(c, BW_CLI_USAGE, "%zu held messages are meant; one is decided at a time", e->count);
	for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
		if (strcmp(one->guard, single[i]) == 0)
			return BW_CLI_DONE;
	}
	if (c->args.force)
		return BW_CLI_DONE;
	return bw_cli_fail(c, BW_CLI_REFUSED,
	                   "%s is held by the guard %s, as part of a storm: `held release` and `held delete` are for those; --force all the same",
	                   one->queue_id, one->guard);
}

static enum bw_cli_exit check_approval(struct cli *c, const struct entries *e)
{
	enum bw_cli_exit code = check_post(c, e);

	return code == BW_CLI_DONE ? bw_cli_check_release(c, e) : code;
}

static enum bw_cli_exit run_approve(struct cli *c)
{
	static const struct batch batch = {
		.command = "approve",
		.kind = BW_ORDER_RELEASE,
		.done = "approved",
		.from = BW_HELD_WAITING,
		.check = check_approval,
		.one = bw_cli_release_one,
		.event = BW_EVENT_RELEASE,
	};

	return bw_cli_batch(c, &batch);
}

static enum bw_err deny_one(struct cli *c, struct cli_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                            struct entry *e)
{
	const struct bw_held held = bw_cli_entry_held(e, BW_HELD_WAITING);
	enum bw_err err = bw_keeper_delete(&k->keeper, mta, place, &held, &c->why);

	if (err == BW_OK) {
		e->done = true;
		e->note = "denied, in the archive";
	}
	return err;
}

static enum bw_cli_exit run_deny(struct cli *c)
{
	static const struct batch batch = {
		.command = "deny",
		.kind = BW_ORDER_DELETE,
		.done = "denied",
		.from = BW_HELD_WAITING,
		.check = check_post,
		.one = deny_one,
		.event = BW_EVENT_OPERATOR,
	};

	return bw_cli_batch(c, &batch);
}

const struct command bw_cli_family_approve[] = {
	{ "approve", "ID", 1, 1, OPT(FORCE) | OPT(FOR) | OPT_MTA, NEED_STORE, false, run_approve,
	  "let one held post go: one that the gate or the origin guard holds; without --yes it only shows which\n"
	  "The post passes this once. `poster add` lets its sender post without approval, `list confirm` confirms a list's size." },
	{ "deny", "ID", 1, 1, OPT(FORCE) | OPT(FOR) | OPT_MTA, NEED_STORE, false, run_deny,
	  "take one held post out of the hold queue, into the archive; without --yes it only shows which\n"
	  "As `held delete`; `held restore` brings it back. Its sender is not told: write to him, who waits for an answer." },
	{ .name = NULL },
};
