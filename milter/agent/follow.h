/* follow.h: a message that was requeued has another queue id; its mark leads to it.
 *
 * Layer: agent.
 * Fails: one sentence.
 */
#ifndef BW_AGENT_FOLLOW_H
#define BW_AGENT_FOLLOW_H

#include "bw/agent.h"

/* Calls `each` for every message that is on its way since `since_ms` and has the genuine mark of an entry: `sealed_with` says under which
 * queue id the message of this id was held, false: no such entry. Nothing is called where the MTA does not requeue. */
struct follower {
	bool (*sealed_with)(void *ctx, const struct bw_hash *id, struct bw_slice *queue_id);
	void (*each)(void *ctx, const struct bw_hash *id, struct bw_slice queue_id);
	void *ctx;
};
enum bw_err agent_follow(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, int64_t since_ms,
                         const struct follower *follower, struct bw_why *why);

/* The same for one entry; false: it is not known where it is. */
bool agent_follow_one(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, const struct bw_hash *id,
                      const char *held_as, int64_t since_ms, char now[BW_QUEUE_ID_BYTES]);

/* Is mail of this age let go by requeue? Asks the MTA for its configuration, now and then. */
enum bw_err agent_is_old(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, int64_t age_ms,
                         bool null_sender, bool *old, struct bw_why *why);

#endif
