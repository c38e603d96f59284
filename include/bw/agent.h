/* agent.h: what is done to the hold queue of an MTA: look at it, release, delete into the archive, restore, reconcile the ledger.
 *
 * Layer:     agent, on base, mail, store and directory.
 * Threads:   one keeper, one thread.
 * Time:      `now_ms` is given; commands of the MTA get a bounded time.
 * Ownership: everything is borrowed; what a callback is given lives during the call.
 * Fails:     one sentence. Whatever is killed in between, no message is lost or sent twice: bw_keeper_reconcile() goes on where it ended.
 */
#ifndef BW_AGENT_H
#define BW_AGENT_H

#include "bw/config.h"
#include "bw/directory.h"
#include "bw/mta.h"

/* Where a keeper may be killed, in the order in which it gets there; tests kill it at each. */
enum bw_fault {
	BW_FAULT_RELEASE_NOTED,
	BW_FAULT_RELEASE_OUT,
	BW_FAULT_RELEASE_FOLLOWED, /* of old mail: under its new queue id */
	BW_FAULT_RELEASE_WRITTEN,
	BW_FAULT_DELETE_ARCHIVING,
	BW_FAULT_DELETE_ARCHIVED,
	BW_FAULT_DELETE_DROPPED,
	BW_FAULT_DELETE_WRITTEN,
	BW_FAULT_RESTORE_NOTED,
	BW_FAULT_RESTORE_PLACED,
	BW_FAULT_RESTORE_WRITTEN,
	BW_FAULT_COUNT
};

/* What an MTA was last asked about how long it keeps mail. */
struct bw_lifetime {
	const char *mta; /* NULL: none */
	char config[256];
	int64_t any_ms, null_sender_ms, asked_ms;
};

struct bw_keeper {
	struct bw_store *store;
	const struct bw_key *key;
	const char *host, *by; /* of the ledger's entries; who does it */
	int64_t now_ms;
	int archive; /* bw_archive_open() */
	bool hide_sender, hide_subject; /* privacy settings: what an entry that is rebuilt from the queue does not say */
	int64_t archive_keep_ms, archive_most_bytes, archive_min_free_bytes;
	struct bw_lifetime lifetime; /* zero: nothing asked yet */
	void (*at)(void *ctx, enum bw_fault fault); /* NULL but in tests */
	void *at_ctx;
};

/* Where the configuration says that an MTA is. It borrows from `config`. */
struct bw_mta_place bw_mta_place_of(const struct bw_config *config, const struct bw_mta *mta);

/* The directory of the archive, made if need be (0700). It must be ours alone: BW_ERR_PERMISSION. */
enum bw_err bw_archive_open(const char *path, int *fd, struct bw_why *why);
/* Removes archives older than `keep_ms`; how many. */
enum bw_err bw_archive_expire(int archive, int64_t now_ms, int64_t keep_ms, int64_t *gone, struct bw_why *why);

/* Each checks first that the message which the MTA holds under the entry's queue id is the entry's, by its mark: BW_ERR_CONFLICT
 * where it is not. BW_ERR_NOT_FOUND: it is not held any more. BW_ERR_LIMIT: the archive is full, and nothing was deleted. */
enum bw_err bw_keeper_release(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                              const struct bw_held *entry, struct bw_why *why);
enum bw_err bw_keeper_delete(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                             const struct bw_held *entry, struct bw_why *why);
/* `queue_id` becomes the one it waits under. */
enum bw_err bw_keeper_restore(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                              const struct bw_held *entry, char queue_id[BW_QUEUE_ID_BYTES], struct bw_why *why);

/* Accepted posts that are still queued (struct bw_post, with the state that the store has): into the hold, on their way again, into
 * the archive. BW_ERR_NOT_FOUND: it is not queued (or not held) any more; BW_ERR_CONFLICT: queue id or arrival are another message's,
 * somebody else holds it, or its state is another. What was done by one who was killed is found done. */
enum bw_err bw_keeper_freeze(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                             const struct bw_post *post, struct bw_why *why);
enum bw_err bw_keeper_thaw(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, const struct bw_post *post,
                           struct bw_why *why);
enum bw_err bw_keeper_drop(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, const struct bw_post *post,
                           struct bw_why *why);
/* A dropped one is frozen again; the store knows its queue id, which may be another. BW_ERR_NOT_FOUND: its archive is gone. */
enum bw_err bw_keeper_undrop(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, const struct bw_post *post,
                             struct bw_why *why);

/* What reconcile found. */
enum bw_found {
	BW_FOUND_RELEASED,  /* by hand, or by one who was killed: its deliveries are counted now */
	BW_FOUND_DELETED,   /* by one who was killed; it is in the archive */
	BW_FOUND_LOST,      /* gone from the queue for longer than ten minutes: released and delivered, or deleted, by hand */
	BW_FOUND_RETURNED,  /* in the hold queue again */
	BW_FOUND_REBUILT,   /* held, and unknown to the ledger until now */
	BW_FOUND_HELD_AGAIN, /* released, and held again by hand: left alone */
	BW_FOUND_COUNT
};
const char *bw_found_name(enum bw_found found);

struct bw_finding {
	enum bw_found found;
	struct bw_hash id;
	struct bw_slice queue_id, list, sender;
	int64_t deliveries;
};

struct bw_reconciled {
	int64_t waiting, held, foreign; /* entries that wait here, held messages, those of them that are not ours */
	int64_t found[BW_FOUND_COUNT];
};

/* Compares the ledger with the queue of `mta`, in both directions, and mends the ledger; with `dry`, only says what it would. */
enum bw_err bw_keeper_reconcile(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                                const struct bw_directory *directory, bool dry, struct bw_reconciled *out, BW_EACH(struct bw_finding),
                                struct bw_why *why);

#endif
