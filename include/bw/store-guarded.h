/* store-guarded.h: a store of many hosts with one of this host behind it, for when the first does not answer.
 *
 * Layer:     store.
 * Threads:   as store.h; probe, mirror, copy and look are called by one thread each, off the message path.
 * Time:      as store.h.
 * Ownership: a wrapper owns what it wraps.
 * Fails:     as store.h; a failure of the primary is not one of these stores.
 */
#ifndef BW_STORE_GUARDED_H
#define BW_STORE_GUARDED_H

#include "bw/store.h"

/* A store that asks `primary` and, when it answers BW_ERR_STORE, goes on with `fallback` until bw_store_guarded_probe()
 * finds the primary back (open breakers made meanwhile are then merged into it). Owns both. `host` is this host's name. */
enum bw_err bw_store_guarded_new(struct bw_store *primary, struct bw_store *fallback, struct bw_store **out, struct bw_why *why);
bool bw_store_guarded_probe(struct bw_store *guarded);
/* From now on a probe only finds the way back: another process (the daemon, beside breakwater-agent) works with the same fallback, and merges
 * what was decided there. Twice merged, history would say everything twice. */
void bw_store_guarded_follow(struct bw_store *guarded);
/* Why the primary is not used: what its last failure said. */
void bw_store_guarded_reason(struct bw_store *guarded, struct bw_why *out);
/* A guarded store of many hosts: `primary` is theirs, `local` this host's. Beyond what a guarded store does,
 * - the ledger of this host's hold queue lies in `local`, and is copied to the primary by bw_store_shared_copy();
 * - `local` has copies of settings and directory, so that a daemon can start while the primary is away;
 * - orders are the primary's; those that are given while it is away are this host's, and go into it afterwards. An order that lies
 *   there cannot be moved meanwhile (BW_ERR_STORE);
 * - accepted posts of this host lie in both;
 * - a primary that was emptied or set back (restarted without its data, failed over to an old copy) gets back what it lost.
 * Owns both. */
enum bw_err bw_store_shared_new(struct bw_store *primary, struct bw_store *local, struct bw_store **out, struct bw_why *why);
/* Copies in both directions: new ledger entries, settings and directory that changed, and all entries that were held or moved at or
 * after `since_ms` (store time; negative: none). To be called every second or so, off the message path; it may take long, and ends
 * soon after `stop` becomes true. Does nothing while degraded. */
void bw_store_shared_copy(struct bw_store *shared, int64_t since_ms, const _Atomic bool *stop);

/* A reply to a conversation that is known here to be open is answered without asking the primary (bw_count_in.stops_when_open). This tells
 * the primary of those attempts, and looks whether the conversations are still open; to be called every 100 ms or so, off the message
 * path. What it does not confirm is asked about again after a second. */
void bw_store_shared_look(struct bw_store *shared);

/* Copies what is stopped now (open breakers, operators' overrides) into the fallback, so that it stays stopped should the primary
 * fail. To be called every second or so; does nothing while degraded. */
void bw_store_guarded_mirror(struct bw_store *guarded);

#endif
