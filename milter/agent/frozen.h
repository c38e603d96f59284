/* frozen.h: items of orders about accepted posts: freeze, thaw, drop, and restore what was dropped.
 *
 * Layer:     agent.
 * Threads:   one runner, one thread.
 * Time:      given.
 * Ownership: everything is borrowed during the call.
 * Fails:     as item.h.
 */
#ifndef BW_AGENT_FROZEN_H
#define BW_AGENT_FROZEN_H

#include "item.h"

/* "frozen", "thawed", "dropped", "restored"; NULL for an order that is about held messages alone. */
const char *agent_frozen_done(enum bw_order_kind kind);
/* May a message that came to the MTA then be the post that was accepted then? */
bool agent_frozen_fits(int64_t arrived_ms, int64_t accepted_ms);
/* Carries one of these out. */
void agent_frozen_do(const struct item_tools *tools, const struct item_order *order, const struct item *item, int64_t now_ms,
                     struct outcome *out);

#endif
