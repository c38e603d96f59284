/* orders.h: what operators have ordered to be done with held and queued messages: one order a host, one item a message.
 *
 * Layer:     base; part of the contract of store.h.
 * Time:      store time, milliseconds since 1970.
 * Ownership: rows handed to a callback, and their slices, live during the call; rows given to the store are copied.
 *
 * breakwaterctl writes an order, breakwater-agent of its host carries it out item by item, and everybody can see how far it is. The
 * store trusts nobody: what an item may do stands in its `signed_text` (order.h), which the root helper of the host checks.
 */
#ifndef BW_ORDERS_H
#define BW_ORDERS_H

#include "bw/hash.h"
#include "bw/words.h"

enum bw_order_kind {
	BW_ORDER_RELEASE,
	BW_ORDER_DELETE,  /* into the archive */
	BW_ORDER_RESTORE, /* out of the archive */
	BW_ORDER_FREEZE,  /* accepted and still queued: into the hold queue */
	BW_ORDER_THAW,
	BW_ORDER_DROP,    /* frozen: into the archive */
	BW_ORDER_KIND_COUNT
};
const char *bw_order_kind_name(enum bw_order_kind kind);
bool bw_order_kind_parse(struct bw_slice word, enum bw_order_kind *out);

enum bw_order_state {
	BW_ORDER_WRITING,   /* its items are not complete yet: nobody works on it */
	BW_ORDER_RUNNING,
	BW_ORDER_PAUSED,
	BW_ORDER_STOPPED,   /* by itself: a flare-up; may be made running again */
	BW_ORDER_DONE,
	BW_ORDER_CANCELLED,
	BW_ORDER_STATE_COUNT
};
const char *bw_order_state_name(enum bw_order_state state);
bool bw_order_state_parse(struct bw_slice word, enum bw_order_state *out);

enum bw_item_result {
	BW_ITEM_PENDING,
	BW_ITEM_DONE,
	BW_ITEM_GONE,    /* the message is not there any more */
	BW_ITEM_REFUSED, /* by the helper: a forgery, or not the message that was meant */
	BW_ITEM_FAILED,
	BW_ITEM_RESULT_COUNT
};
const char *bw_item_result_name(enum bw_item_result result);
bool bw_item_result_parse(struct bw_slice word, enum bw_item_result *out);

struct bw_order_row {
	struct bw_hash id;
	enum bw_order_kind kind;
	struct bw_slice host, owner, reason;
	int64_t pace;       /* deliveries a minute; 0: at once */
	int64_t observe_ms; /* with a pace */
	int64_t made_ms, expires_ms; /* what is not done then is not done any more */
	enum bw_order_state state;
	int64_t state_ms;
	struct bw_slice state_by, note; /* who has moved it last, and why: "stopped: a breaker of all@example.org has tripped" */
	/* Written by the store alone: */
	int64_t items, results[BW_ITEM_RESULT_COUNT], deliveries; /* deliveries of items that are done */
};

enum { BW_ORDER_ITEMS_MAX = 20000, BW_ORDER_PIECE = 500, BW_ORDER_TEXT_BYTES = 1024 };

struct bw_order_item {
	int64_t number;              /* 0 .. items - 1, in the order in which they are to be done */
	struct bw_hash subject;      /* of a held message (bw_held.id) or a post (bw_post.id) */
	struct bw_slice mta, queue_id, list, signed_text;
	int64_t deliveries;
	enum bw_item_result result;
	struct bw_slice note;
	int64_t done_ms;
};

/* What a listing of orders selects; empty or zero members select all. */
struct bw_order_query {
	struct bw_hash id;
	struct bw_slice host;
	bool live;     /* only those that are writing, running, paused or stopped */
	int64_t limit; /* 0: all; the newest first */
};

/* A post to a list that was accepted, while it may still be queued: what `storm freeze` needs. One row a (message, list). Kept for seven
 * days, frozen and dropped ones for ninety; of more than BW_POSTS_MAX the oldest that are not frozen go. */
enum { BW_POSTS_MAX = 200000 };
enum bw_post_state { BW_POST_QUEUED, BW_POST_FROZEN, BW_POST_THAWED, BW_POST_DROPPED, BW_POST_STATE_COUNT };
const char *bw_post_state_name(enum bw_post_state state);
bool bw_post_state_parse(struct bw_slice word, enum bw_post_state *out);

struct bw_post {
	struct bw_hash id;    /* of the message: the same in all its rows */
	struct bw_slice host, queue_id, mta, list;
	struct bw_hash conversation;
	struct bw_slice sender, message_id; /* readable; empty when privacy settings say so */
	int64_t deliveries, accepted_ms;
	enum bw_post_state state;
	int64_t state_ms;
};

struct bw_post_query {
	struct bw_hash id, conversation;
	struct bw_slice list, host;
	int64_t since_ms; /* accepted, or moved, at this time or later */
	int64_t limit;    /* 0: all; in the order in which the store learned of them */
};

#endif
