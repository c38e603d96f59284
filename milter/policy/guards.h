/* guards.h: what the guards of one list tell the judge. Inside policy only.
 *
 * Layer:   policy.
 * Threads: pure functions.
 *
 * A guard with a breaker (conversation, list) says what it watches as a handful of checks; watch.c turns those and the
 * breaker's record into a finding and a transition, for both in the same way.
 */
#ifndef BW_POLICY_GUARDS_H
#define BW_POLICY_GUARDS_H

#include "bw/policy.h"

#define BW_POLICY_DAY_MS INT64_C(86400000) /* the window of BW_RULE_CONVERSATION_DAY */

/* What one guard says. `action` is BW_ACCEPT when it says nothing. */
struct bw_finding {
	enum bw_action action;
	enum bw_mode mode; /* enforce: it really happens; shadow: it would */
	struct bw_explain why;
};

/* One threshold of a guard, measured for this message. */
struct bw_check {
	enum bw_rule rule;
	int64_t ordinal, limit, window_ms; /* for the breaker's record and the sentence */
	bool over;                         /* this message is one too many */
	bool calm;                         /* without this message there are fewer attempts than the limit */
};

/* A guard with a breaker and one message. */
struct bw_watch {
	enum bw_guard guard;
	enum bw_mode mode;
	enum bw_action action;
	int64_t block_ms, block_max_ms;
	const struct bw_breaker *record;
	const struct bw_check *checks; /* at least one; the first that is over speaks */
	size_t check_count;
	int64_t phase_senders, last_ms;
	bool attempt; /* false: time goes on, but this message neither trips nor relapses */
	bool exempt;  /* open and half-open do not stop it (a poster); its own checks do */
};

/* The figures every sentence may need. */
struct bw_explain bw_policy_explain(const struct bw_case *c, enum bw_guard guard, enum bw_rule rule);
/* A poster of this list. Outside identities prove nothing, so they never are. */
bool bw_policy_is_poster(const struct bw_case *c);
/* Mail is not delivered under this action. */
bool bw_policy_stops(enum bw_action action);
/* What one host may let pass alone while `daemons` share a threshold (semantics 9); 0 (off) stays off. */
int64_t bw_policy_share(int64_t limit, int64_t daemons);
int64_t bw_policy_add(int64_t a, int64_t b); /* saturating */

/* The override in force at `now_ms`. */
enum bw_override bw_policy_override(const struct bw_breaker *record, int64_t now_ms);
/* The phase to show for a record: forced-open is open, disabled and a guard in mode off are closed. */
enum bw_phase bw_policy_phase(const struct bw_breaker *record, enum bw_mode mode, int64_t now_ms);
/* What an operator's forced-open says, in any mode: the word of a person who was told that mail stops. */
void bw_policy_watch_forced(const struct bw_case *c, const struct bw_watch *w, struct bw_finding *out);
/* Steps the breaker and says what it means for the message. */
void bw_policy_watch(const struct bw_case *c, const struct bw_watch *w, struct bw_finding *out, struct bw_transition *next);

/* The guards. `gate` is what the gate said: mail that it keeps never reaches the list, and trips nothing there. `counted` is false for
 * messages that were counted before (duplicates and splits): only forced-open stops them. */
void bw_policy_judge_gate(const struct bw_case *c, struct bw_finding *out);
void bw_policy_judge_conversation(const struct bw_case *c, bool counted, struct bw_finding *out, struct bw_transition *next);
void bw_policy_judge_list(const struct bw_case *c, bool counted, const struct bw_finding *gate, struct bw_finding *out,
                          struct bw_transition *next);

void bw_policy_judge_origin(const struct bw_case *c, struct bw_finding *out);

/* The findings of one list, in the order of the guards, as its opinion's verdict; transitions must be set. */
void bw_policy_conclude_one(const struct bw_finding *finding, struct bw_opinion *out); /* for guards that watch no list */
void bw_policy_conclude_one(const struct bw_finding *finding, struct bw_opinion *out); /* for guards that watch no list */
void bw_policy_conclude(const struct bw_case *c, const struct bw_finding *findings, size_t n, struct bw_opinion *out);

#endif
