/* leader.h: of the agents that share a store, one tells what is told once; and what one has told, no other tells again.
 *
 * Each agent leaves a sign of life in the store at each look. The one whose host comes first in the order of names, among those alive, is
 * the leader; when it has been silent for LEADER_MS (or three looks, if they are further apart), the next one is. Who has told something
 * says so in the store, so a new leader tells what the old one did not get to, and no more.
 *
 * A host that is cut off from the shared store knows of no other: it leads, and tells what it sees by itself.
 *
 * Layer:     agent.
 * Threads:   one thread.
 * Time:      store time.
 * Fails:     BW_ERR_STORE.
 */
#ifndef BW_AGENT_LEADER_H
#define BW_AGENT_LEADER_H

#include "bw/clock.h"
#include "bw/store.h"

#define LEADER_MS (30 * BW_SECOND_MS)

enum { LEADER_HOSTS = 64 }; /* that come before ours and are looked at */

enum bw_err leader_look(struct bw_store *store, const char *host, int64_t every_ms, bool *leads, struct bw_why *why);
/* Has anybody told it within the time? */
enum bw_err leader_is_told(struct bw_store *store, const struct bw_hash *what, int64_t within_ms, bool *told, struct bw_why *why);
enum bw_err leader_tell(struct bw_store *store, const struct bw_hash *what, int64_t within_ms, struct bw_why *why);

#endif
