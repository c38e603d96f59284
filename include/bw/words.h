/* words.h: the vocabulary of the design (semantics, section 1) as enums with name tables.
 *
 * Layer:   base.
 * Threads: constants.
 * Fails:   bw_*_parse() answers false and leaves its output untouched.
 *
 * Each enum that is printed ends in _COUNT and has bw_X_name() (never NULL) and bw_X_parse().
 */
#ifndef BW_WORDS_H
#define BW_WORDS_H

#include "bw/slice.h"

enum bw_tier { BW_TIER_SMALL, BW_TIER_MEDIUM, BW_TIER_LARGE, BW_TIER_HUGE, BW_TIER_COUNT };

/* In the order of the table of semantics 5: among verdicts of equal strictness the first stands. */
enum bw_guard {
	BW_GUARD_NONE,
	BW_GUARD_GATE,
	BW_GUARD_CONVERSATION,
	BW_GUARD_LIST,
	BW_GUARD_SENDER,
	BW_GUARD_MAILBOX,
	BW_GUARD_AUTOMATON,
	BW_GUARD_ORIGIN,
	BW_GUARD_CAPACITY,
	BW_GUARD_COUNT
};

/* In ascending order of strictness (semantics 7); discard, which only automata meet, yields to a hold of human hands. */
enum bw_action {
	BW_ACCEPT,
	BW_TAG,
	BW_THROTTLE,
	BW_STRIP,
	BW_REDIRECT,
	BW_DISCARD,
	BW_HOLD,
	BW_REJECT,
	BW_ACTION_COUNT
};

enum bw_mode { BW_MODE_OFF, BW_MODE_SHADOW, BW_MODE_ENFORCE, BW_MODE_COUNT };

enum bw_class {
	BW_CLASS_HUMAN,
	BW_CLASS_AUTO_REPLY,
	BW_CLASS_MDN,
	BW_CLASS_DSN,
	BW_CLASS_RECALL,
	BW_CLASS_CALENDAR_REPLY,
	BW_CLASS_BULK,
	BW_CLASS_LIST_OUTPUT,
	BW_CLASS_COUNT
};
enum bw_evidence { BW_EVIDENCE_NONE, BW_EVIDENCE_WEAK, BW_EVIDENCE_PROTOCOL, BW_EVIDENCE_COUNT };

enum bw_client { BW_CLIENT_SUBMISSION, BW_CLIENT_INSIDE, BW_CLIENT_OUTSIDE, BW_CLIENT_COUNT };
enum bw_identity_kind { BW_IDENTITY_AUTH, BW_IDENTITY_CERT, BW_IDENTITY_INSIDE, BW_IDENTITY_OUTSIDE, BW_IDENTITY_COUNT };

/* Whose counters: outside mail has counters and breakers of its own per list, which stop outside mail only. */
enum bw_side { BW_SIDE_MEMBERS, BW_SIDE_OUTSIDE, BW_SIDE_COUNT };

/* What the store knows of a message's identity (semantics 3). */
enum bw_seen {
	BW_SEEN_FRESH,     /* never seen */
	BW_SEEN_RETRY,     /* seen, not accepted so far: the same attempt */
	BW_SEEN_DUPLICATE, /* accepted, same recipients, once within 10 min (a lost 250): passes, not counted */
	BW_SEEN_SPLIT,     /* accepted, other recipients of an expander: the same post, more deliveries */
	BW_SEEN_REPLAY,    /* accepted before and sent again: counts as a new post */
	BW_SEEN_COUNT
};

enum bw_source { BW_SOURCE_OPERATOR, BW_SOURCE_IMPORT, BW_SOURCE_LEARNED, BW_SOURCE_CONFIG, BW_SOURCE_COUNT };

enum bw_event {
	BW_EVENT_NONE,
	BW_EVENT_TRIP,
	BW_EVENT_RELAPSE,
	BW_EVENT_CALM,      /* open -> half-open */
	BW_EVENT_CLOSED,    /* half-open -> closed */
	BW_EVENT_HOLD,
	BW_EVENT_RELEASE,
	BW_EVENT_SETTING,   /* setting changed */
	BW_EVENT_DIRECTORY, /* list added, changed, removed, confirmed */
	BW_EVENT_OPERATOR,  /* override of a breaker, bypass, mode */
	BW_EVENT_DEGRADED,  /* shared store lost, the embedded one decides */
	BW_EVENT_RECOVERED,
	BW_EVENT_ORDER,     /* an order on held or queued mail: given, paused, stopped, done */
	BW_EVENT_REFUSED,   /* an order that the helper did not carry out: forged, replayed, not the message that was meant */
	BW_EVENT_LIMIT,     /* the hold queue of a host is full */
	BW_EVENT_LEARNED,   /* a size was seen that the directory does not know */
	BW_EVENT_ROOM,      /* a hold queue that was full has room again */
	BW_EVENT_COUNT
};

#define BW_WORD_DECLARE(name)                                                                                             \
	const char *bw_##name##_name(enum bw_##name value);                                                                   \
	bool bw_##name##_parse(struct bw_slice word, enum bw_##name *out);
BW_WORD_DECLARE(tier)
BW_WORD_DECLARE(guard)
BW_WORD_DECLARE(action)
BW_WORD_DECLARE(mode)
BW_WORD_DECLARE(class)
BW_WORD_DECLARE(evidence)
BW_WORD_DECLARE(client)
BW_WORD_DECLARE(identity_kind)
BW_WORD_DECLARE(side)
BW_WORD_DECLARE(seen)
BW_WORD_DECLARE(source)
BW_WORD_DECLARE(event)
#undef BW_WORD_DECLARE

#endif
