/* places.h: the hold queues of this host: which MTAs there are, and where. Several Postfix instances are one place.
 *
 * Layer:     agent.
 * Threads:   immutable once made.
 * Ownership: borrows the configuration's texts and the helper.
 * Fails:     as the MTA's own functions.
 */
#ifndef BW_AGENT_PLACES_H
#define BW_AGENT_PLACES_H

#include "bw/agent.h"
#include "bw/config.h"

enum { PLACES_MAX = 2 };

/* Who does what nobody has ordered: in the ledger and in events. */
#define AGENT_NAME "breakwater-agent"

struct place {
	const struct bw_mta *mta;
	struct bw_mta_place at;
};

struct places {
	struct place each[PLACES_MAX];
	size_t count;
};

/* Those of `config`; `find`: bw_mta_find_helped(), with its helper, or bw_mta_find(). */
void agent_places(const struct bw_config *config, const struct bw_mta *(*find)(const char *name), struct bw_helper *helper,
                  struct places *out);
/* Where the message of `entry` is held, or was. NULL: no such MTA here. */
const struct place *agent_place_of(const struct places *places, const struct bw_held *entry);

#endif
