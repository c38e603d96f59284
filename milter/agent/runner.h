/* runner.h: carries out the orders of this host, item by item, each at its pace.
 *
 * Layer:     agent.
 * Threads:   one runner, one thread.
 * Time:      store time, given; nothing waits here.
 * Ownership: borrows what struct runner_tools points to.
 * Fails:     one sentence, said when it begins to fail; the runner goes on with the next step. Whatever stands in a store, a step's work is
 *            bounded, and no row of one order keeps another from being carried out.
 */
#ifndef BW_AGENT_RUNNER_H
#define BW_AGENT_RUNNER_H

#include "item.h"

struct runner_tools {
	struct bw_store *orders[2]; /* where orders may stand: those of all hosts, and (NULL: the same) those given while it was away */
	struct bw_store *ledger;    /* of this host */
	const struct bw_keeper *keeper;
	const struct places *places;
};

struct runner;

enum bw_err agent_runner_new(const struct runner_tools *tools, struct runner **out, struct bw_why *why);
void agent_runner_free(struct runner **r);
/* The tools have changed behind their pointers: look again at once. */
void agent_runner_wake(struct runner *r);
/* A look at the stores once a second, and at most one message; `next_ms`: there is nothing to do before. */
enum bw_err agent_runner_step(struct runner *r, int64_t now_ms, int64_t *next_ms, struct bw_why *why);
/* Is there an order whose next message is being tried again? */
bool agent_runner_troubled(const struct runner *r);

#endif
