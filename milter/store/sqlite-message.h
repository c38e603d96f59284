/* sqlite-message.h: what the store knows of a message's identity, and the case in hand.
 *
 * Layer:   store, inside the sqlite files only.
 * Threads: inside a job of a lane.
 * Time:    store time, milliseconds.
 */
#ifndef BW_SQLITE_MESSAGE_H
#define BW_SQLITE_MESSAGE_H

#include "sqlite-conversation.h"

enum {
	BW_MESSAGE_FOUNDER = 1,   /* it founded its conversation */
	BW_MESSAGE_JOINED = 2,    /* it was a reply when it was last judged */
	BW_MESSAGE_COUNTED = 4,   /* its attempt stands in the list's tally */
	BW_MESSAGE_REPLIED = 8,   /* and in its conversation's */
	BW_MESSAGE_WAS_LIST = 16, /* its sender stood in the window before its last attempt */
	BW_MESSAGE_WAS_CONVERSATION = 32
};

enum {
	BW_OFFER_LIVE = 1,      /* its deliveries are in, and can be taken back */
	BW_OFFER_DUPLICATED = 2 /* its one duplicate has passed */
};

/* One transaction in which the message was offered: an expander's has a row of its own, else it is the message's. */
struct bw_sqlite_offer {
	bool apart; /* of an expander */
	bool known;
	int64_t flags, seen;       /* enum bw_seen of the last count; BW_SEEN_COUNT once that is settled */
	int64_t accepted_ms;       /* latest acceptance, 0: none */
	int64_t prior_ms;          /* the one before the last count */
	int64_t at_ms, deliveries; /* what is in */
};

struct bw_sqlite_message {
	struct bw_hash hash;
	bool known;
	int64_t list, flags, seen_ms;
	int64_t conversation, rival;
	int64_t attempt_ms;
	int64_t list_before_ms, list_last_ms; /* the sender's and anyone's attempt before this one */
	int64_t conversation_before_ms, conversation_last_ms;
	int64_t reply_ms;
	int64_t accepted;      /* offers that stand accepted */
	int64_t post_ms;       /* first acceptance: a split's deliveries stand there */
	int64_t recipients[2]; /* fingerprint of the recipients it was last offered to, in two halves; not of an expander */
	struct bw_sqlite_offer own;
};

/* Reads message and offer; what is older than memory_ms was never seen. */
void bw_sqlite_message_load(struct bw_sqlite_lane *lane, int64_t list, const struct bw_hash *hash, int64_t now_ms,
                            int64_t memory_ms, struct bw_sqlite_message *out);
void bw_sqlite_message_store(struct bw_sqlite_lane *lane, const struct bw_sqlite_message *m);
void bw_sqlite_offer_load(struct bw_sqlite_lane *lane, const struct bw_sqlite_message *m, const struct bw_hash *recipients,
                          int64_t now_ms, int64_t memory_ms, struct bw_sqlite_offer *out);
/* An offer that is not apart goes into the message: store that after it. */
void bw_sqlite_offer_store(struct bw_sqlite_lane *lane, struct bw_sqlite_message *m, const struct bw_hash *recipients,
                           const struct bw_sqlite_offer *o);

/* What an acceptance touches; the caller loads it and stores it. */
struct bw_sqlite_acceptance {
	struct bw_sqlite_message *message;
	struct bw_sqlite_offer *offer;
	struct bw_sqlite_tally *list;
	struct bw_sqlite_conversation *conversation;
	const struct bw_hash *sender;
};

/* Marks an offer accepted at now_ms, its deliveries standing at `at_ms`; and undoes that. */
void bw_sqlite_accept(struct bw_sqlite_lane *lane, struct bw_sqlite_acceptance *a, int64_t now_ms, int64_t at_ms,
                      int64_t deliveries);
void bw_sqlite_take_back(struct bw_sqlite_lane *lane, struct bw_sqlite_acceptance *a);

/* --- one message on one list, in hand --- */

struct bw_sqlite_case {
	struct bw_sqlite_lane *lane;
	const struct bw_count_in *in;
	struct bw_count_out *out;
	int64_t now_ms, list;
	struct bw_sqlite_message message;
	struct bw_sqlite_offer offer;
	struct bw_sqlite_conversation conversation, rival; /* rival: the second one its keys point at, id 0: none */
	struct bw_sqlite_tally list_tally, conversation_tally, rival_tally;
};

/* The edge of a window at the case's time; nothing is counted past the memory (sqlite-measure.c). */
int64_t bw_sqlite_edge(const struct bw_sqlite_case *c, int64_t window_ms);
/* Fills the counts of senders and replies, and the breakers, into c->out; after the attempt, before the deliveries. */
void bw_sqlite_measure(struct bw_sqlite_case *c);

#endif
