/* incidents.h: events grouped into incidents, so that a storm is told once a state and not once an event.
 *
 * An incident is one breaker (a conversation's, a list's, a sender's) from its trip to its end, one host's store that is away, one full
 * hold queue, one order that stopped, what one host's helper refuses, or posts of one list that want approval.
 *
 * Layer:     agent.
 * Threads:   pure.
 * Time:      of the events, and given.
 * Ownership: a value; bounded: where there are more than INCIDENTS_MAX, those that are over and told are forgotten first.
 * Fails:     never; what finds no place is counted in `lost`.
 */
#ifndef BW_AGENT_INCIDENTS_H
#define BW_AGENT_INCIDENTS_H

#include "bw/clock.h"
#include "bw/records.h"

enum incident_kind {
	INCIDENT_STORM,    /* a breaker of a list or of a conversation */
	INCIDENT_SENDER,   /* a breaker of an identity */
	INCIDENT_STORE,
	INCIDENT_QUEUE,
	INCIDENT_ORDER,
	INCIDENT_REFUSAL,
	INCIDENT_APPROVAL,
	INCIDENT_KIND_COUNT
};
const char *incident_kind_name(enum incident_kind kind);

enum incident_state {
	INCIDENT_NONE,
	INCIDENT_OPEN,
	INCIDENT_CALM,
	INCIDENT_CLOSED,
	INCIDENT_DEGRADED,
	INCIDENT_RECOVERED,
	INCIDENT_FULL,
	INCIDENT_ROOM,
	INCIDENT_STOPPED,
	INCIDENT_RESUMED, /* an order that had stopped goes on, or has ended */
	INCIDENT_REFUSED,
	INCIDENT_WANTED,  /* approval */
	INCIDENT_STATE_COUNT
};
const char *incident_state_name(enum incident_state state);

/* What is told again and again is told no more often than this. */
#define INCIDENT_AGAIN_MS (30 * BW_MINUTE_MS)

enum { INCIDENTS_MAX = 512, INCIDENT_NAME_BYTES = 513, INCIDENT_HOSTS = 8, INCIDENT_HOST_BYTES = 80 };

struct incident {
	struct bw_hash key;
	enum incident_kind kind;
	enum incident_state state, told, hooked; /* as it is; as mail and hook told it last */
	int64_t began_ms, state_ms, told_ms;
	int64_t first_ms; /* of what has not been told yet; 0: all has */
	int64_t trips, relapses, count; /* count: of what is told again: refusals, posts, since they were told */
	int64_t deliveries;             /* of the posts */
	char name[INCIDENT_NAME_BYTES], guard[32], text[BW_WHY_BYTES]; /* name: a list, an identity, a host, an order */
	struct bw_hash conversation, entry; /* entry: the last post that wants approval */
	char hosts[INCIDENT_HOSTS][INCIDENT_HOST_BYTES];
	size_t host_count;
};

struct incidents {
	struct incident at[INCIDENTS_MAX];
	size_t n;
	int64_t lost;
};

/* False: nothing that anybody is told of. Events come in their order. */
bool incidents_take(struct incidents *t, const struct bw_event_row *event);
/* The same of a message that has begun to wait. */
bool incidents_take_held(struct incidents *t, const struct bw_held *held);
/* Is there something to tell of it? */
bool incident_is_news(const struct incident *i, int64_t now_ms);
void incident_set_told(struct incident *i, int64_t now_ms);
/* What the state that is to be told is known by on all hosts; and for how long nobody else tells it, once somebody has. */
struct bw_hash incident_claim(const struct incident *i);
int64_t incident_claim_ms(const struct incident *i);
/* What waits, went out and did not go out because of one incident. */
struct incident_figures {
	int64_t waiting, waiting_deliveries; /* messages in the hold queues */
	int64_t made, avoided;               /* deliveries; negative: not known */
};

/* When the oldest news began that are still to be told; `now_ms` if there are none before it. */
int64_t incidents_oldest_news(const struct incidents *t, int64_t now_ms);

#endif
