/* breaker.h: the record of one breaker: the state a guard keeps for one key. Data only; its rules are in policy.h, its
 * place is the store.
 *
 * Layer:     base (shared by policy and store, which do not know each other).
 * Ownership: a value, copied freely; all-zero is a closed breaker that never tripped.
 * Time:      store time, milliseconds since 1970.
 */
#ifndef BW_BREAKER_H
#define BW_BREAKER_H

#include "bw/words.h"

enum bw_phase { BW_PHASE_CLOSED, BW_PHASE_OPEN, BW_PHASE_HALF_OPEN, BW_PHASE_COUNT };
enum bw_override { BW_OVERRIDE_NONE, BW_OVERRIDE_FORCED_OPEN, BW_OVERRIDE_DISABLED, BW_OVERRIDE_COUNT };

/* Why a verdict is what it is; chooses the sentence. A breaker remembers the rule that tripped it. */
enum bw_rule {
	BW_RULE_NONE,
	BW_RULE_GATE_UNCONFIRMED,     /* the list's size awaits confirmation */
	BW_RULE_GATE_FANOUT,          /* fan-out at or above the limit, identity no poster of every list */
	BW_RULE_CONVERSATION_SENDERS, /* more distinct senders than allowed in the window */
	BW_RULE_CONVERSATION_REPLIES, /* more replies than allowed, by enough distinct senders */
	BW_RULE_CONVERSATION_DAY,     /* more distinct senders than allowed in 24 h */
	BW_RULE_LIST_SENDERS,
	BW_RULE_LIST_BUDGET,
	BW_RULE_BREAKER_OPEN,         /* open since an earlier trip; explain->since says when */
	BW_RULE_PROBATION,            /* half-open and more than one sender: relapse */
	BW_RULE_FORCED_OPEN,          /* an operator stopped it */
	BW_RULE_DEGRADED,             /* the share of a threshold that one host may let pass alone */
	BW_RULE_AUTOMATON,            /* an automatic message to a list */
	BW_RULE_TOO_MANY_LISTS,       /* more lists in one message than facts can hold */
	BW_RULE_SENDER_RECIPIENTS,    /* one identity: more single recipients than allowed in the window */
	BW_RULE_SENDER_POSTS,         /* one identity: more new posts to lists of which it is no poster */
	BW_RULE_MAILBOX,              /* more messages than allowed to each of its recipients */
	BW_RULE_ORIGIN,               /* an own domain in From:, from outside */
	BW_RULE_CAPACITY,             /* more deliveries of the whole installation than allowed */
	BW_RULE_COUNT
};
const char *bw_phase_name(enum bw_phase phase); /* "closed", "open", "half-open" */
bool bw_phase_parse(struct bw_slice word, enum bw_phase *out);
const char *bw_override_name(enum bw_override value); /* "none", "forced-open", "disabled" */
bool bw_override_parse(struct bw_slice word, enum bw_override *out);
const char *bw_rule_name(enum bw_rule rule); /* "conversation.senders", "gate.fanout", ... */
bool bw_rule_parse(struct bw_slice word, enum bw_rule *out);

/* Is the breaker's key an identity ("auth:", "cert:", "inside:", "outside:"), not a list? Then it is the sender guard's: its scope is the
 * list's, with the identity in the place of the address, which never has a ':' that early. */
bool bw_breaker_is_senders(struct bw_slice list);

#define BW_OWNER_BYTES  64
#define BW_REASON_BYTES 200

struct bw_breaker {
	enum bw_phase phase;
	enum bw_rule rule;  /* that tripped it last */
	int64_t since_ms;   /* start of the phase */
	int64_t until_ms;   /* open: end of the block time; half-open: end of probation */
	int64_t ordinal;    /* at the last trip: the figure that was one too many (senders, replies or deliveries) */
	int64_t limit;      /* at the last trip: of at most so many. For sentences; never compared again */
	int32_t relapses;   /* doublings of the block time; 0 again after a clean probation */
	int32_t trips;      /* in the life of this record */
	enum bw_override override_state;
	int64_t override_until_ms;
	char override_owner[BW_OWNER_BYTES];
	char override_reason[BW_REASON_BYTES];
	int64_t version; /* for compare-and-set; 0: not in the store yet */
};

#endif
