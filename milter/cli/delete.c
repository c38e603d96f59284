/* held delete / restore: out of the hold queue into the archive, and back. */
#include <stdlib.h>
#include <string.h>

#include "batch.h"

static enum bw_err delete_one(struct cli *c, struct cli_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                              struct entry *e)
{
	const struct bw_held held = bw_cli_entry_held(e, BW_HELD_WAITING);
	enum bw_err err = bw_keeper_delete(&k->keeper, mta, place, &held, &c->why);

	if (err == BW_OK) {
		e->done = true;
		e->note = "deleted, in the archive";
	}
	return err;
}

static enum bw_cli_exit run_delete(struct cli *c)
{
	static const struct batch batch = {
		.command = "held delete",
		.kind = BW_ORDER_DELETE,
		.done = "deleted",
		.from = BW_HELD_WAITING,
		.one = delete_one,
		.event = BW_EVENT_OPERATOR,
	};

	return bw_cli_batch(c, &batch);
}

static enum bw_err restore_one(struct cli *c, struct cli_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                               struct entry *e)
{
	const struct bw_held held = bw_cli_entry_held(e, BW_HELD_DELETED);
	char queue_id[BW_QUEUE_ID_BYTES];
	enum bw_err err = bw_keeper_restore(&k->keeper, mta, place, &held, queue_id, &c->why);

	if (err != BW_OK)
		return err;
	e->done = true;
	e->note = "held again; `held release` lets it go";
	if (strcmp(queue_id, e->queue_id) != 0) {
		char *copy = bw_slice_dup(bw_slice_of(queue_id));

		if (copy != NULL) {
			free(e->queue_id);
			e->queue_id = copy;
		}
	}
	return BW_OK;
}

static enum bw_cli_exit run_restore(struct cli *c)
{
	static const struct batch batch = {
		.command = "held restore",
		.kind = BW_ORDER_RESTORE,
		.done = "restored",
		.from = BW_HELD_DELETED,
		.one = restore_one,
		.event = BW_EVENT_OPERATOR,
	};

	return bw_cli_batch(c, &batch);
}

const struct command bw_cli_family_delete[] = {
	{ "held delete", "[ID...]", 0, WORDS_MAX - 2, OPT(LIST) | OPT(CONVERSATION) | OPT(FOR) | OPT_MTA, NEED_STORE, false, run_delete,
	  "take held messages out of the hold queue, into the archive; without --yes it only shows which\n"
	  "The MTA's own files, envelope and all, are kept compressed in hold.archive for hold.archive_keep, written and read back before the "
	  "MTA's copy is removed. A full archive or disk (hold.archive_bytes, hold.archive_min_free) deletes nothing." },
	{ "held restore", "[ID...]", 0, WORDS_MAX - 2, OPT(LIST) | OPT(CONVERSATION) | OPT(FOR) | OPT_MTA, NEED_STORE, false, run_restore,
	  "bring deleted messages back into the hold queue as they were; without --yes it only shows which\n"
	  "They are not judged again, and wait as before: `held release` lets them go." },
	{ .name = NULL },
};
