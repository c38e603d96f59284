/* policy.h: the rules. Numbers in, verdict out: no I/O, no clock, no allocation, no log, no strings made.
 *
 * Layer:     policy, on base's vocabulary only.
 * Threads:   pure functions.
 * Time:      an argument (store time, ms).
 * Fails:     never; every combination of numbers has an answer.
 *
 * The library, built plainly, has no undefined symbol but mem* and assert (tests/lint): settings.c, which parses text and
 * allocates, is a library of its own (bw_settings) in the same folder.
 */
#ifndef BW_POLICY_H
#define BW_POLICY_H

#include "bw/settings.h"
#include "bw/verdict.h"

/* What the store counted for this message on one list (plain numbers out of one atomic call). All counts include
 * this message's own attempt; "senders" are distinct. */
struct bw_counts {
	enum bw_seen seen;
	bool reply;                        /* joined a conversation of this list that went out to its members */
	int64_t conversation_senders;      /* of replies, in conversation.window */
	int64_t conversation_replies;      /* in conversation.window */
	int64_t conversation_day_senders;  /* in 24 h */
	int64_t conversation_phase_senders; /* since the conversation breaker's phase began */
	int64_t conversation_last_ms;      /* attempt before this one, 0: none */
	int64_t list_senders;              /* in list.window */
	int64_t list_phase_senders;
	int64_t list_last_ms;
	int64_t list_deliveries;           /* accepted in list.window before this message */
	bool sender_was_counted;           /* this sender already stood in the list's window before this message */
	bool conversation_sender_was_counted;
	bool budget_ok;                    /* the conditional add of this message's deliveries went through, or would */
};

/* One list of one message. */
struct bw_case {
	int64_t now_ms;
	const struct bw_limits *limits;
	enum bw_tier tier;
	struct bw_slice list; /* normalised address, for the explanation */
	int64_t members;
	int64_t deliveries;   /* of this message on this list: members, or an expander's single recipients */
	int64_t fanout;       /* of the whole message */
	bool unconfirmed;
	bool poster;          /* of this list */
	bool poster_of_all;   /* of every list in the message */
	enum bw_side side;
	enum bw_class class;
	enum bw_evidence evidence;
	bool auto_generated;  /* RFC 3834: a program's message of its own accord */
	bool foreign_origin;  /* an own domain in From:, from outside, and nothing trusted says that it may */
	bool lists_cut;       /* the message has more lists than facts hold */
	int64_t degraded;     /* 0: the shared store counted; else the number of known daemons (at least 1) that share the thresholds now */
	int32_t jitter_permille; /* of block times, -100..100; given, so that rules stay pure */
	struct bw_counts counts;
	struct bw_breaker conversation, list_breaker; /* records as read with the counts */
};

struct bw_transition {
	bool changed;            /* `next` differs from what was read and is to be written by compare-and-set */
	struct bw_breaker next;  /* the record as of now, whether changed or not */
	enum bw_event event;     /* TRIP, RELAPSE, CALM, CLOSED or NONE */
};

/* What one list says to the message. */
struct bw_opinion {
	struct bw_verdict verdict;  /* as if this list were alone; its .action/.would as in verdict.h */
	struct bw_transition conversation, list;
	bool counted_stop;          /* this list itself would stop it: its attempt stays counted */
};

/* True for messages that guards count as posts or replies; false for automata (judged by automaton, sender, mailbox and
 * capacity only, and counted nowhere else). */
bool bw_policy_is_counted(enum bw_class class);
/* For automata: the automaton guard's opinion; needs no counts (`conversation_open`: the message joins an open one). */
void bw_policy_judge_automaton(const struct bw_case *c, bool conversation_open, struct bw_opinion *out);
/* For everything else: gate, conversation and list guards and both breakers. */
void bw_policy_judge(const struct bw_case *c, struct bw_opinion *out);
/* What one identity sent, for the sender guard; totals of the window hold this message. */
struct bw_sender_case {
	int64_t now_ms;
	const struct bw_limits *limits;
	enum bw_mode mode;          /* of the guard for such identities: bw_policy_sender_mode() */
	struct bw_slice who;        /* "auth:jane@utah.example" */
	int64_t recipients, posts;  /* of this message */
	int64_t total_recipients, total_posts;
	int64_t fanout;
	struct bw_breaker record;
	int32_t jitter_permille;
};
enum bw_mode bw_policy_sender_mode(const struct bw_limits *limits, enum bw_identity_kind kind, enum bw_client client);
/* Its breaker's transition is out->list. */
void bw_policy_judge_sender(const struct bw_sender_case *c, struct bw_opinion *out);
/* Time passes for its breaker without a message. */
void bw_policy_rest_sender(const struct bw_sender_case *c, struct bw_transition *out);
/* `messages`: in the window with this one, to that recipient of the message who has least. */
void bw_policy_judge_mailbox(const struct bw_limits *limits, struct bw_slice mailbox, int64_t messages, struct bw_opinion *out);
/* `deliveries`: of this message, to lists among others; `total`: in the window with it. One message always fits. */
void bw_policy_judge_capacity(const struct bw_limits *limits, int64_t deliveries, int64_t total, struct bw_opinion *out);
/* One reply on one list whose action is redirect. */
struct bw_redirect_case {
	bool fixed;      /* the MTA cannot do it */
	int64_t ordinal; /* among the redirected ones of its conversation; 0: nobody counts */
	bool poster, from_poster, owner, from_owner; /* there is a proven poster, an owner, who may get it; it is theirs */
};
#define BW_REDIRECT_LIMIT 100 /* of one conversation */
enum bw_redirect bw_policy_redirect(const struct bw_redirect_case *c);
/* The strictest of `n` opinions (semantics 7; among equals the guard that stands first, then the first list). n = 0 is accept. */
void bw_policy_combine(const struct bw_opinion *opinions, size_t n, struct bw_verdict *out);
/* The window that `rule` counts in, in ms; 0 for rules without one. */
int64_t bw_policy_window(const struct bw_limits *limits, enum bw_rule rule);
/* `a` stricter than `b`? */
bool bw_policy_stricter(enum bw_action a, enum bw_action b);

/* --- the breaker (semantics 6) --- */

/* The limits of one breaker, drawn from the guard that keeps it. */
struct bw_breaker_limits {
	int64_t window_ms;    /* of the rule that tripped it, and of probation */
	int64_t block_ms, block_max_ms;
	int32_t jitter_permille;
};

/* What was measured, for one step of time. */
struct bw_breaker_input {
	int64_t now_ms;
	bool calm;             /* fewer attempts in the last window than the limit, this message aside */
	int64_t last_ms;       /* the attempt before this message's, 0: none in memory */
	int64_t phase_senders; /* distinct senders since the phase began, this message's included */
	bool over;             /* the guard's limit is exceeded now (closed -> open) */
	enum bw_rule rule;     /* by which rule, */
	int64_t ordinal, limit; /* with which figures */
};

/* Ends expired overrides and phases whose time is over without looking at a message: what `breaker ls` shows and a tick writes. An open
 * breaker whose block time is over and that is calm becomes half-open as of the moment calm began (so it never
 * hangs without traffic); a half-open one whose probation is over becomes closed. */
void bw_breaker_advance(const struct bw_breaker_limits *limits, const struct bw_breaker *record,
                        const struct bw_breaker_input *in, struct bw_transition *out);
/* Advances, then applies one message's attempt: trip, relapse, or nothing. */
void bw_breaker_step(const struct bw_breaker_limits *limits, const struct bw_breaker *record,
                     const struct bw_breaker_input *in, struct bw_transition *out);

/* An operator's override: forced-open, disabled or none (undo; so is an `until_ms` that is not after `now_ms`). The record's owner and
 * reason, which the caller writes into `record` before or into out->next after, are kept; an undo clears them. */
void bw_breaker_override(const struct bw_breaker *record, enum bw_override value, int64_t now_ms, int64_t until_ms,
                         struct bw_transition *out);

#endif
