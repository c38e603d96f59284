/* verdict.h: what happens to one message, the one guard and the one sentence that explain it.
 *
 * Layer:     base: policy fills in numbers and ids, base makes the sentence, everybody prints it.
 * Threads:   values.
 * Ownership: `list`, `target` and `who` borrow from the message and the snapshot it was judged with.
 */
#ifndef BW_VERDICT_H
#define BW_VERDICT_H

#include "bw/breaker.h"

#define BW_VERDICT_LISTS_MAX 128 /* lists of one message that are judged one by one; the gate holds a message with more */

/* To whom a reply goes whose list's action is redirect, or why it waits instead. */
enum bw_redirect {
	BW_REDIRECT_NONE,    /* the action is another one */
	BW_REDIRECT_POSTER,  /* who began the conversation */
	BW_REDIRECT_OWNER,   /* of the list */
	BW_REDIRECT_NO_REPLY,
	BW_REDIRECT_OWN,     /* it would go back to its sender */
	BW_REDIRECT_NOBODY,  /* neither a proven poster nor an owner to send it to */
	BW_REDIRECT_ENOUGH,  /* so many of its conversation were redirected already */
	BW_REDIRECT_UNKNOWN, /* the store that counts them does not answer, or not know it */
	BW_REDIRECT_FIXED,   /* the MTA cannot take the list out, or put somebody in */
	BW_REDIRECT_COUNT
};

/* The figures behind one decision. */
struct bw_explain {
	enum bw_guard guard;
	enum bw_rule rule;
	int64_t ordinal;      /* the figure that was too many: 11th sender, 12th reply, deliveries asked for */
	int64_t limit;        /* of at most */
	int64_t window_ms;    /* in */
	int64_t members;      /* of the list */
	int64_t since_ms;     /* open breakers: since, 0 if not apt */
	int64_t until_ms;     /* open breakers and overrides: until at the earliest, 0 if not apt */
	struct bw_slice list; /* its address */
	enum bw_class class;  /* automaton: what it is */
	enum bw_redirect redirect;
	struct bw_slice target; /* redirected: to this address */
};

struct bw_verdict {
	enum bw_action action; /* what really happens */
	struct bw_explain why; /* guard NONE when accepted without a word */
	/* What would have happened were every guard in mode enforce; equals `action` unless a guard is in shadow. */
	enum bw_action would;
	struct bw_explain would_why;
	enum bw_phase breaker;       /* of the breaker behind the verdict (or the least closed of its list) after it */
	enum bw_event event;         /* the most important event this message caused: trip, relapse, calm, ... */
	bool degraded;               /* decided without the shared store */
	int64_t deliveries;          /* fan-out: how many mailboxes it would have reached */
	int64_t reached;             /* how many of them `action` lets it reach (the engine's last word; policy leaves 0) */
};

/* Appends the sentence, e.g. "conversation: 11th sender of at most 10 in 60 min to all-state@utah.example (22,000 members)". One
 * line, no control characters. Nothing for guard NONE. */
void bw_explain_print(struct bw_buf *out, const struct bw_explain *why);

#endif
