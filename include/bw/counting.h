/* counting.h: one message on one list, as the store is told of it and as it answers: plain numbers.
 *
 * Layer:     store, part of store.h's contract.
 * Time:      store time, milliseconds since 1970; windows are sliding and half-open (store.h).
 * Ownership: slices in inputs are borrowed during the call; outputs are values.
 */
#ifndef BW_COUNTING_H
#define BW_COUNTING_H

#include "bw/breaker.h"
#include "bw/hash.h"

#define BW_JOIN_KEYS_MAX 14
#define BW_STORE_COUNT_CAP 20000 /* counts of senders and replies are exact up to here and stay here above */

enum bw_join_kind { BW_JOIN_MESSAGE_ID, BW_JOIN_REFERENCES, BW_JOIN_IN_REPLY_TO, BW_JOIN_THREAD_INDEX, BW_JOIN_SUBJECT };

struct bw_join_key {
	enum bw_join_kind kind; /* a subject joins only what looks like a reply and matched nothing else, and only conversations of the last 24 h */
	struct bw_hash hash;
};

/* How many may pass, so that count() never marks as accepted what its caller is going to stop: a second copy of the message would
 * pass as a lost 250's. Arguments only, never stored; 0: no limit. Posters are not limited by senders. */
struct bw_pass {
	int64_t senders, replies, reply_senders, day_senders; /* in the conversation */
	int64_t list_senders;
	bool one_in_probation; /* a half-open breaker lets one sender pass */
};

/* One message on one list. */
struct bw_count_in {
	int64_t now_ms;
	struct bw_slice list;      /* normalised address */
	enum bw_side side;
	struct bw_hash message;    /* message identity (semantics 3) */
	struct bw_hash recipients; /* fingerprint of all recipients */
	struct bw_hash sender;     /* hash of the sender's identity */
	struct bw_join_key keys[BW_JOIN_KEYS_MAX]; /* strongest first; the first is its own Message-ID when it has one */
	size_t key_count;
	bool looks_like_reply;
	bool may_merge;            /* false for outside mail: it joins, but merges nothing */
	bool expander;             /* other recipients under one identity are the same post (SPLIT), not a replay */
	bool poster;               /* counts in the list's figures, not in its conversations */
	bool again;                /* the caller repeats this very call after losing a compare-and-set: never a duplicate */
	bool known_stopped;        /* the caller stops it whatever the counts say: an attempt, no deliveries */
	bool stopped_unless_reply; /* the caller stops it unless it joins as a reply: as known_stopped when `joined` is false, so that
	                              a post which the gate holds never fills the budget, not even for a moment */
	bool stops_when_open;      /* the caller stops a reply to an open conversation, whatever the other counts say: a shared store may
	                              answer from what it knows already */
	bool peek;                 /* compute everything, write nothing (automata) */
	int64_t deliveries;
	int64_t budget;            /* add the deliveries only if the window's sum stays <= budget, or the window is empty (one post
	                              always fits); <= 0: no budget */
	struct bw_pass pass;
	int64_t conversation_window_ms, list_window_ms;
	int64_t memory_ms;         /* of conversations and identities (default 7 d) */
	struct bw_slice root_sender; /* readable, kept for the conversation's root only (redirect); may be empty */
	bool root_trusted;           /* the identity behind root_sender is proven: kept with it */
};

struct bw_count_out {
	int64_t now_ms;                    /* the time it was counted at */
	enum bw_seen seen;
	struct bw_hash conversation;       /* id of the conversation it joined or founded */
	bool joined;                       /* joined one that has an accepted (or released) message: a reply */
	bool merge_wanted;                 /* ties a second conversation; counts already cover both; settle(accepted) merges */
	int64_t conversation_senders;      /* distinct senders of replies in conversation_window_ms, this attempt included */
	int64_t conversation_replies;
	int64_t conversation_day_senders;  /* in 24 h */
	int64_t conversation_phase_senders; /* distinct since conversation_breaker.since_ms */
	int64_t conversation_last_ms;      /* attempt before this one; 0: none */
	bool conversation_sender_was_counted; /* this sender stood in the window before this attempt */
	int64_t list_senders;              /* distinct senders of posts and replies in list_window_ms */
	int64_t list_phase_senders, list_last_ms;
	bool list_sender_was_counted;
	int64_t list_deliveries;           /* in list_window_ms, before this message */
	bool budget_ok;                    /* the deliveries fit (and were added provisionally unless a breaker is open or it is known_stopped) */
	bool provisional;                  /* counted as accepted for now: settle() it if the verdict is another */
	struct bw_breaker conversation_breaker, list_breaker;
};

/* --- meters: what one identity sends, what one mailbox gets, all deliveries; summed by daemons and handed over in batches --- */

enum bw_meter {
	BW_METER_RECIPIENTS, /* of what one identity sends; a list counts as one */
	BW_METER_POSTS,      /* new posts of one identity to lists of which it is no poster */
	BW_METER_MAILBOX,    /* messages to one mailbox */
	BW_METER_DELIVERIES, /* of the whole installation: one key */
	BW_METER_NOTICES,    /* of agents: which of them is there, and what has been told */
	BW_METER_MEMBERS,    /* recipients of one message of one list, behind a list server or an expander */
	BW_METER_COUNT
};

#define BW_METER_SLOT_MS    10000 /* an amount counts for the whole window, and so much longer at most */
#define BW_METER_AMOUNT_MAX INT64_C(1000000000000)

struct bw_meter_in {
	int64_t now_ms;
	enum bw_meter meter;
	struct bw_hash key; /* a keyed hash */
	int64_t amount;     /* 0: only asks */
	int64_t window_ms;  /* of the sum; the amount itself is kept for two of them */
};

/* --- redirecting: a stopped reply goes to one person --- */

#define BW_ROOT_SENDER_BYTES 512 /* a longer one is no address */

/* One reply of a conversation that is to be redirected, or (give_back) is not after all. */
struct bw_redirect_in {
	int64_t now_ms;
	struct bw_slice list;
	struct bw_hash conversation, message; /* the message's identity: coming again, it is the same one */
	int64_t limit;     /* so many may be; an argument, never stored */
	int64_t memory_ms; /* so long the root's sender is readable */
	bool give_back;
};

struct bw_redirect_out {
	int64_t ordinal;   /* up to `limit`: counted, or given back; more: there is no room; 0: such a conversation is not known */
	bool again;        /* it was counted before this call */
	char root_sender[BW_ROOT_SENDER_BYTES]; /* "": none is known */
	bool root_trusted;
};

/* The end of a message whose verdict differs from what count() assumed, or that merges. Idempotent. */
struct bw_settle_in {
	int64_t now_ms;
	struct bw_slice list;
	enum bw_side side;
	struct bw_hash message, recipients, sender, conversation;
	bool accepted;   /* true: deliveries added (unconditionally), identity marked accepted; false: deliveries and mark taken back */
	bool give_back;  /* not accepted through no fault of this list: its sender slot and reply are taken back as well */
	bool merge;      /* merge the conversations tied by this message into the older (only with accepted) */
	int64_t deliveries;
};

#endif
