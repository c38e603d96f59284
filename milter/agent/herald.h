/* herald.h: tells people by mail what the store knows: senders that their message waits; owners of lists what waits for them;
 * administrators, and a program of theirs, what has happened. Of the agents that share a store one does the latter (leader.h).
 *
 * Layer:     agent.
 * Threads:   one herald, one thread.
 * Time:      store time.
 * Ownership: borrows configuration and store.
 * Fails:     one sentence; what was not told is told later.
 */
#ifndef BW_AGENT_HERALD_H
#define BW_AGENT_HERALD_H

#include "bw/config.h"
#include "bw/store.h"

struct herald;

/* `store`: the one that all hosts share, if they do. `host`: whose senders are told. The state file is ours alone while the herald lives: BW_ERR_CONFLICT when another has it. A first
 * herald begins with what happens from now on. */
enum bw_err agent_herald_new(const struct bw_config *config, struct bw_store *store, const char *host, struct herald **out,
                             struct bw_why *why);
void agent_herald_free(struct herald **h);
/* With another configuration from now on. BW_ERR_INPUT (a language that is none); the old one stays then. */
enum bw_err agent_herald_configure(struct herald *h, const struct bw_config *config, struct bw_why *why);
/* True: notify.hook has failed since this was asked last. That is no failure of a look. */
bool agent_herald_hook_failed(struct herald *h, struct bw_why *why);
/* One look at the store; `told`: how many notices went. */
enum bw_err agent_herald_look(struct herald *h, int64_t *told, struct bw_why *why);

#endif
