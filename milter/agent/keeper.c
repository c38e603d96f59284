/* Release, delete, restore: each in steps that leave a note behind, so that whoever comes after a kill knows how far it got.
 *
 *     release   ID.release noted   out of the MTA's hold    ledger: released    note removed
 *       of old mail                requeued                 ledger: its new queue id, then as above
 *     delete    ID.zst written     removed from the queue   ledger: deleted
 *     restore   ID.place noted     back in the hold queue   ledger: waiting     note and archive removed
 *
 * Killed between two steps, a message is in the queue, in the archive or on its way, and only once: each step may be repeated, and finds
 * what an earlier one has done. */
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "follow.h"
#include "parts.h"

static void reach(const struct bw_keeper *k, enum bw_fault fault)
{
	if (k->at != NULL)
		k->at(k->at_ctx, fault);
}

/* --- is it the entry's message? --- */

struct checking {
	const struct bw_held *entry;
	bool seen, held, marked, same, null_sender;
	int64_t arrived_ms;
};

static bool check_mark(void *ctx, const struct bw_queued *row)
{
	struct checking *c = ctx;

	c->seen = true;
	c->held = row->held;
	c->marked = row->marked;
	c->null_sender = row->sender.n == 0;
	c->arrived_ms = row->arrived_ms > 0 ? row->arrived_ms : row->mark.held_ms;
	c->same = row->marked && bw_hash_equal(&row->mark.id, &c->entry->id);
	return true;
}

/* Queue ids are used again, and other people hold mail too: only the mark says what a message is. */
static enum bw_err check_queued(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                                const char *queue_id, struct checking *c, struct bw_why *why)
{
	enum bw_err err = mta->look(place, k->key, queue_id, check_mark, c, why);

	if (err != BW_OK || c->same)
		return err;
	if (!c->held)
		return bw_fail(why, BW_ERR_NOT_FOUND, "%s is not held any more: it is on its way", queue_id);
	return bw_fail(why, BW_ERR_CONFLICT, c->marked ? "%s is another held message now: its mark has another id"
	                                              : "%s does not carry breakwater's mark: it is somebody else's, and left alone",
	               queue_id);
}

static enum bw_err check_message(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                                 const struct bw_held *entry, const char *queue_id, struct bw_why *why)
{
	struct checking c = { .entry = entry };

	return check_queued(k, mta, place, queue_id, &c, why);
}

static enum bw_err take_queue_id(const struct bw_mta *mta, const struct bw_held *entry, char out[BW_QUEUE_ID_BYTES],
                                 struct bw_why *why)
{
	if (entry->queue_id.n >= BW_QUEUE_ID_BYTES)
		return bw_fail(why, BW_ERR_INPUT, "a queue id of %zu bytes", entry->queue_id.n);
	bw_slice_copy(entry->queue_id, out, BW_QUEUE_ID_BYTES);
	return mta->is_queue_id(out) ? BW_OK : bw_fail(why, BW_ERR_INPUT, "\"%s\" is no queue id of %s", out, mta->name);
}

/* Its queue id, and the instance of the MTA that has it. */
static enum bw_err find_message(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                                const struct bw_held *entry, char queue_id[BW_QUEUE_ID_BYTES], struct bw_mta_place *its,
                                struct bw_why *why)
{
	enum bw_err err = take_queue_id(mta, entry, queue_id, why);

	return err == BW_OK ? bw_mta_locate(mta, place, k->key, queue_id, &entry->id, its, why) : err;
}

/* May a failed step have been done all the same? An answer that did not come says nothing; a message that is held still says that it was not.
 * What stands beside it is kept until that is known. */
static bool is_undone(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                      const struct bw_held *entry, const char *queue_id, enum bw_err err)
{
	struct bw_why ignored;

	return err != BW_ERR_IO || check_message(k, mta, place, entry, queue_id, &ignored) == BW_OK;
}

static enum bw_err move(const struct bw_keeper *k, const struct bw_held *entry, enum bw_held_state to, struct bw_why *why)
{
	return k->store->ops->held_move(k->store, &entry->id, BW_HELD_WAITING, to, k->now_ms, bw_slice_of(k->by), why);
}

/* --- release --- */

/* The ledger first hears of it when the message is out; a ledger that says so already is right. */
static enum bw_err write_release(const struct bw_keeper *k, const struct bw_held *entry, struct bw_why *why)
{
	enum bw_err err = move(k, entry, BW_HELD_RELEASED, why);

	if (err == BW_ERR_CONFLICT)
		err = BW_OK;
	if (err == BW_OK) {
		reach(k, BW_FAULT_RELEASE_WRITTEN);
		err = archive_remove(k->archive, &entry->id, ARCHIVE_RELEASE, why);
	}
	return err;
}

/* The new queue id of a requeued message, while the entry still waits: a waiting entry whose message is on its way is known to be released.
 * Whoever finds nothing was slower than the MTA, and the entry keeps the id it had. */
static void write_new_id(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                         const struct bw_held *entry, const char *held_as)
{
	char now[BW_QUEUE_ID_BYTES];
	int64_t since_ms = archive_written_ms(k->archive, &entry->id, ARCHIVE_RELEASE);

	if (agent_follow_one(k, mta, place, &entry->id, held_as, since_ms, now))
		k->store->ops->held_return(k->store, &entry->id, BW_HELD_WAITING, bw_slice_of(now), k->now_ms, bw_slice_of(k->by), NULL);
	reach(k, BW_FAULT_RELEASE_FOLLOWED);
}

static enum bw_err let_go(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, const struct bw_held *entry,
                          const struct checking *c, const char *queue_id, struct bw_why *why)
{
	bool begun = archive_has(k->archive, &entry->id, ARCHIVE_RELEASE), old = false;
	enum bw_err err = agent_is_old(k, mta, place, k->now_ms - c->arrived_ms, c->null_sender, &old, why);

	if (err == BW_OK && agent_archive_has_more(k, mta, place, &entry->id, queue_id))
		err = bw_fail(why, BW_ERR_CONFLICT, "%s was being deleted, and parts of it are in the archive: delete it, then restore it", queue_id);
	/* What a killed delete has left would tell reconcile that it was deleted. */
	if (err == BW_OK)
		err = archive_remove(k->archive, &entry->id, ARCHIVE_MESSAGE, why);
	if (err == BW_OK)
		err = archive_note(k->archive, &entry->id, ARCHIVE_RELEASE, queue_id, why);
	if (err != BW_OK)
		return err;
	reach(k, BW_FAULT_RELEASE_NOTED);
	err = old ? mta->requeue(place, queue_id, why) : mta->release(place, queue_id, why);
	/* Somebody else was faster, and writes it down. */
	if (err != BW_OK && !begun && is_undone(k, mta, place, entry, queue_id, err))
		archive_remove(k->archive, &entry->id, ARCHIVE_RELEASE, NULL);
	if (err != BW_OK)
		return err;
	reach(k, BW_FAULT_RELEASE_OUT);
	if (old)
		write_new_id(k, mta, place, entry, queue_id);
	return write_release(k, entry, why);
}

static enum bw_err release(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                           const struct bw_held *entry, struct bw_why *why)
{
	char queue_id[BW_QUEUE_ID_BYTES];
	struct checking c = { .entry = entry };
	struct bw_mta_place its;
	enum bw_err err = find_message(k, mta, place, entry, queue_id, &its, why);

	if (err == BW_OK)
		err = check_queued(k, mta, &its, queue_id, &c, why);
	if (err == BW_OK)
		return let_go(k, mta, &its, entry, &c, queue_id, why);
	if (err != BW_ERR_NOT_FOUND || !archive_has(k->archive, &entry->id, ARCHIVE_RELEASE))
		return err;
	/* One who was killed has let it go already. */
	write_new_id(k, mta, place, entry, queue_id);
	return write_release(k, entry, why);
}

enum bw_err bw_keeper_release(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                              const struct bw_held *entry, struct bw_why *why)
{
	archive_lock(k->archive);
	enum bw_err err = release(k, mta, place, entry, why);

	archive_unlock(k->archive);
	return err;
}

/* --- delete --- */

/* An archive that has parts which are not held any more is the only one that has them, and stays. */
enum bw_err bw_agent_archive(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                             const struct bw_hash *id, const char *queue_id, struct bw_why *why)
{
	struct agent_files files;

	if (agent_archive_has_more(k, mta, place, id, queue_id))
		return BW_OK;
	enum bw_err err = agent_files(mta, place, queue_id, &files, why);

	if (err != BW_OK)
		return err;
	const struct archive_source from = {
		.mta = mta->name, .queue_id = queue_id, .config = place->config, .files = files.at, .count = files.count
	};

	err = archive_check_room(k, &from, why);
	if (err == BW_OK)
		err = archive_write(k->archive, id, &from, why);
	agent_files_done(&files);
	return err;
}

static enum bw_err write_delete(const struct bw_keeper *k, const struct bw_held *entry, struct bw_why *why)
{
	enum bw_err err = move(k, entry, BW_HELD_DELETED, why);

	reach(k, BW_FAULT_DELETE_WRITTEN);
	return err;
}

static enum bw_err take_out(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                            const struct bw_held *entry, const char *queue_id, struct bw_why *why)
{
	enum bw_err err;

	reach(k, BW_FAULT_DELETE_ARCHIVING);
	err = bw_agent_archive(k, mta, place, &entry->id, queue_id, why);
	if (err != BW_OK)
		return err;
	reach(k, BW_FAULT_DELETE_ARCHIVED);
	err = mta->drop(place, queue_id, why);
	if (err != BW_OK) {
		/* It is still held, or went another way: not a deleted message. But parts of it may be. */
		if (is_undone(k, mta, place, entry, queue_id, err) && !agent_archive_has_more(k, mta, place, &entry->id, queue_id))
			archive_remove(k->archive, &entry->id, ARCHIVE_MESSAGE, NULL);
		return err;
	}
	reach(k, BW_FAULT_DELETE_DROPPED);
	return write_delete(k, entry, why);
}

static enum bw_err delete(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, const struct bw_held *entry,
                          struct bw_why *why)
{
	char queue_id[BW_QUEUE_ID_BYTES];
	struct checking c = { .entry = entry };
	struct bw_mta_place its;
	enum bw_err err = find_message(k, mta, place, entry, queue_id, &its, why);

	if (err == BW_OK)
		err = check_queued(k, mta, &its, queue_id, &c, why);
	if (err == BW_OK)
		return take_out(k, mta, &its, entry, queue_id, why);
	/* One who was killed has taken it out already. */
	if (err == BW_ERR_NOT_FOUND && !c.seen && archive_has(k->archive, &entry->id, ARCHIVE_MESSAGE))
		return write_delete(k, entry, why);
	return err;
}

enum bw_err bw_keeper_delete(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                             const struct bw_held *entry, struct bw_why *why)
{
	archive_lock(k->archive);
	enum bw_err err = delete(k, mta, place, entry, why);

	archive_unlock(k->archive);
	return err;
}

/* --- restore --- */

struct noting {
	const struct bw_keeper *k;
	const struct bw_hash *id;
};

static enum bw_err note_place(void *ctx, const char *queue_id, struct bw_why *why)
{
	const struct noting *n = ctx;
	enum bw_err err = archive_note(n->k->archive, n->id, ARCHIVE_PLACE, queue_id, why);

	if (err == BW_OK)
		reach(n->k, BW_FAULT_RESTORE_NOTED);
	return err;
}

/* The instance that the message was taken from; if there is none of that name any more, the first. */
static struct bw_mta_place place_of(const struct bw_mta_place *place, const char *config)
{
	for (size_t i = 1; i < bw_mta_instances(place); i++) {
		if (strcmp(place->instances[i], config) == 0)
			return bw_mta_instance(place, i);
	}
	return bw_mta_instance(place, 0);
}

/* Under the id that an attempt before this one has noted, else under the one it had. */
enum bw_err bw_agent_put_back(const struct bw_keeper *k, const struct bw_mta *mta, struct bw_mta_place *place, const struct bw_hash *id,
                              char queue_id[BW_QUEUE_ID_BYTES], struct bw_why *why)
{
	struct noting noting = { k, id };
	struct bw_archived *archived = NULL;
	char noted[BW_QUEUE_ID_BYTES];
	enum bw_err err = archived_open(k->archive, id, &archived, why);

	if (err != BW_OK)
		return err;
	archive_noted(k->archive, id, ARCHIVE_PLACE, noted, sizeof(noted));
	if (mta->is_queue_id(noted))
		bw_slice_copy(bw_slice_of(noted), queue_id, BW_QUEUE_ID_BYTES);
	*place = place_of(place, archived_config(archived));
	err = mta->put(place, archived, queue_id, note_place, &noting, why);
	archived_close(&archived);
	return err;
}

static enum bw_err place_message(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                                 const struct bw_held *entry, char queue_id[BW_QUEUE_ID_BYTES], struct bw_why *why)
{
	struct bw_mta_place its = *place;
	enum bw_err err = take_queue_id(mta, entry, queue_id, why);

	if (err == BW_OK)
		err = bw_agent_put_back(k, mta, &its, &entry->id, queue_id, why);
	/* Where something stood under that name already, it must be this message. */
	return err == BW_OK ? check_message(k, mta, &its, entry, queue_id, why) : err;
}

static enum bw_err restore(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                           const struct bw_held *entry, char queue_id[BW_QUEUE_ID_BYTES], struct bw_why *why)
{
	enum bw_err err;

	if (entry->state != BW_HELD_DELETED)
		return bw_fail(why, BW_ERR_CONFLICT, "%.*s is %s, not deleted", (int)entry->queue_id.n, entry->queue_id.p,
		               bw_held_state_name(entry->state));
	err = place_message(k, mta, place, entry, queue_id, why);
	if (err != BW_OK)
		return err;
	reach(k, BW_FAULT_RESTORE_PLACED);
	err = k->store->ops->held_return(k->store, &entry->id, BW_HELD_DELETED, bw_slice_of(queue_id), k->now_ms, bw_slice_of(k->by),
	                                 why);
	if (err != BW_OK)
		return err;
	reach(k, BW_FAULT_RESTORE_WRITTEN);
	err = archive_remove(k->archive, &entry->id, ARCHIVE_PLACE, why);
	return err == BW_OK ? archive_remove(k->archive, &entry->id, ARCHIVE_MESSAGE, why) : err;
}

enum bw_err bw_keeper_restore(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                              const struct bw_held *entry, char queue_id[BW_QUEUE_ID_BYTES], struct bw_why *why)
{
	archive_lock(k->archive);
	enum bw_err err = restore(k, mta, place, entry, queue_id, why);

	archive_unlock(k->archive);
	return err;
}
