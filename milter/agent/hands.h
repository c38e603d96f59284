/* hands.h: the part of breakwater-agent that works on the hold queue: orders and chores, through breakwater-helper.
 *
 * Layer:     agent.
 * Threads:   one.
 * Time:      store time is given; chores keep their own by the monotonic clock.
 * Ownership: agent_hands_new() / agent_hands_free(); borrows what struct hands_in points to.
 * Fails:     one sentence; a step that failed is followed by others.
 */
#ifndef BW_AGENT_HANDS_H
#define BW_AGENT_HANDS_H

#include "bw/config.h"
#include "bw/store.h"

struct hands_in {
	const struct bw_config *config;
	struct bw_store *store; /* of all hosts, if there is one */
	struct bw_store *local; /* of this host; the same without one */
	const char *host;
	int64_t fault; /* for tests: where they kill themselves (enum bw_fault); negative: nowhere */
};
struct hands;

/* Is there a breakwater-helper on this host? */
bool agent_hands_wanted(const struct bw_config *config);
/* The archive and the site secret must be there, and ours. */
enum bw_err agent_hands_new(const struct hands_in *in, struct hands **out, struct bw_why *why);
void agent_hands_free(struct hands **h);
/* One message of an order, or a chore when its time has come; `next_ms`: there is nothing to do before (store time). `said`: what a log
 * should have, "" mostly. */
enum bw_err agent_hands_step(struct hands *h, int64_t now_ms, int64_t *next_ms, struct bw_buf *said, struct bw_why *why);
/* Has something failed that will be tried again? */
bool agent_hands_troubled(const struct hands *h);

#endif
