/* running.h: one order that is being carried out, and what the stores hear of it.
 *
 * Layer:     agent.
 * Threads:   one runner, one thread.
 * Time:      given.
 * Ownership: borrows its store.
 * Fails:     one sentence; what was not written is found again by the next look.
 */
#ifndef BW_AGENT_RUNNING_H
#define BW_AGENT_RUNNING_H

#include "bw/flare.h"
#include "item.h"

enum { RUNNING_LISTS = 64 };

/* The lists that an order's messages go to; more of them than are kept stand for every list. */
struct lists {
	struct bw_hash at[RUNNING_LISTS];
	size_t count;
	bool all;
};
void agent_lists_add(struct lists *l, struct bw_slice list);
bool agent_lists_have(const struct lists *l, struct bw_slice list);

struct running {
	struct bw_store *store; /* where the order stands */
	struct item_order order;
	enum bw_order_state state;
	int64_t expires_ms, pace_budget, observe_ms;
	bool begun; /* its pace and its lists are known */
	bool ended; /* by us, or it is not there any more */
	int64_t next;    /* the first item that may be without a result */
	int64_t wake_ms; /* nothing to do before */
	int64_t tries;   /* of the item at `next`, in vain */
	struct bw_pace pace;
	struct bw_flare flare;
	struct lists lists;
	unsigned look; /* the last look that has seen it */
};

/* The next item without a result; BW_ERR_NOT_FOUND when there is none. */
enum bw_err agent_running_item(struct running *o, struct item *out, struct bw_why *why);
/* The canary, and the lists of all its items. */
enum bw_err agent_running_begin(struct running *o, int64_t now_ms, struct bw_why *why);
/* Into another state, with its event. BW_OK as well when somebody else has moved it. */
enum bw_err agent_running_move(struct running *o, const char *host, enum bw_order_state to, int64_t now_ms, const char *note,
                               struct bw_why *why);
/* Done, with what came of its items. */
enum bw_err agent_running_end(struct running *o, const char *host, int64_t now_ms, struct bw_why *why);
/* The item's result, and an event for a refusal. */
enum bw_err agent_running_result(struct running *o, const char *host, const struct item *item, const struct outcome *outcome,
                                 int64_t now_ms, struct bw_why *why);

#endif
