/* chores.h: what breakwater-agent does unasked: the ledger is compared with the queues, and what has waited or lain for too long goes.
 *
 * Layer:     agent.
 * Threads:   one thread, and the one that carries out orders: a keeper's steps do not stand others in between.
 * Time:      given; a large queue takes minutes to read.
 * Ownership: borrows everything.
 * Fails:     one sentence; the next time goes on with what is left.
 */
#ifndef BW_AGENT_CHORES_H
#define BW_AGENT_CHORES_H

#include "places.h"

struct chores {
	const struct bw_config *config;
	struct bw_keeper *keeper;  /* its store is the one of the events as well */
	struct bw_store *ledger;   /* of this host */
	const struct places *places;
};

/* Each difference that was found becomes an event; `findings`: how many there were. */
enum bw_err agent_reconcile(const struct chores *c, int64_t now_ms, int64_t *findings, struct bw_why *why);
/* Held mail that has waited for hold.keep goes into the archive, a bounded number at a time: `moved` so many, and more may be left if it is
 * EXPIRE_AT_A_TIME. */
enum { EXPIRE_AT_A_TIME = 50 };
enum bw_err agent_expire_held(const struct chores *c, int64_t now_ms, int64_t *moved, struct bw_why *why);

#endif
