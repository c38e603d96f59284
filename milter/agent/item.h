/* item.h: one item of an order, carried out: the ledger says what the message is, the keeper does it, the helper checks the signature.
 *
 * Layer:     agent.
 * Threads:   one runner, one thread.
 * Time:      given.
 * Ownership: everything is borrowed during the call.
 * Fails:     never as such: what went wrong is the item's result, and its note says why. The same item may be carried out again; what
 *            was done the first time is found done.
 */
#ifndef BW_AGENT_ITEM_H
#define BW_AGENT_ITEM_H

#include "places.h"

enum { ITEM_OWNER_BYTES = 80, ITEM_LIST_BYTES = 321, ORDER_DIGITS = 12 };

/* An item as it came out of the store: nothing of it is believed. */
struct item {
	int64_t number;
	struct bw_hash subject;
	char mta[16], queue_id[BW_QUEUE_ID_BYTES], list[ITEM_LIST_BYTES], signed_text[BW_ORDER_TEXT_BYTES + 1];
	bool fits; /* into these */
};
void agent_item_copy(const struct bw_order_item *row, struct item *out);

/* The order it belongs to, and what it is carried out with. */
struct item_order {
	enum bw_order_kind kind;
	struct bw_hash id;
	char owner[ITEM_OWNER_BYTES];
	int64_t made_ms;
};
struct item_tools {
	struct bw_keeper *keeper;  /* `by` and `now_ms` are set here */
	struct bw_store *ledger;   /* that of this host */
	struct bw_store *posts;    /* where accepted posts stand: the store of the order */
	const struct places *places;
	void (*note_list)(void *ctx, struct bw_slice list); /* each list of a message that is let go */
	void *ctx;
};

struct outcome {
	bool again;  /* nothing is decided: the helper, the MTA or the store does not answer */
	bool away;   /* it is the helper or the store, which fail for every message alike */
	enum bw_item_result result;
	int64_t deliveries;
	struct bw_why note;
};
void agent_item_do(const struct item_tools *tools, const struct item_order *order, const struct item *item, int64_t now_ms,
                   struct outcome *out);

/* What an error is as a result; `done`: the note of a success. A refusal is final, and the `helper` (which may be NULL) has a word
 * for it; what does not answer may answer later. */
void agent_item_settle(enum bw_err err, const char *done, const struct bw_helper *helper, struct outcome *out);

/* "released", "deleted", "restored": what a kind of order has done to its messages. */
const char *agent_item_done(enum bw_order_kind kind);

#endif
