/* order.h: one signed order about one message, as the root helper takes it:
 *
 *     v=1; kind=release; host=H; mta=postfix; queue=QUEUE-ID; id=HEX; at=MS; until=MS; nonce=HEX; mac=HEX
 *
 * Layer:     base.
 * Threads:   pure, but for bw_order_key_load().
 * Time:      given.
 * Ownership: slices borrow from the text that was read.
 * Fails:     bw_order_read() with one sentence; `out` is untouched then.
 */
#ifndef BW_ORDER_H
#define BW_ORDER_H

#include "bw/err.h"
#include "bw/orders.h"

#define BW_ORDER_KEY_BYTES 32

/* Readable by root and by the group of those who may give orders; the same on all hosts that share a store. Never readable by the user
 * of breakwaterd and breakwater-agent. */
struct bw_order_key {
	uint8_t b[BW_ORDER_KEY_BYTES];
};

struct bw_order {
	enum bw_order_kind kind;
	struct bw_slice host, mta, queue_id;
	struct bw_hash id;     /* of the held message (its mark) or of the post */
	int64_t at_ms;         /* when it was held (its mark) or accepted */
	int64_t until_ms;      /* not to be carried out after this */
	struct bw_hash nonce;  /* its own: no order is carried out twice */
};

/* Reads the key (64 hex digits on the first line); with `create`, makes a random one (mode 0640, never overwriting) when there is none.
 * BW_ERR_NOT_FOUND, BW_ERR_PERMISSION (this user may not read it), BW_ERR_IO, BW_ERR_INPUT; and with `check_owner`,
 * BW_ERR_PERMISSION when the file is not root's or others may read it. */
enum bw_err bw_order_key_load(const char *path, bool create, bool check_owner, struct bw_order_key *out, struct bw_why *why);
/* Appends the text, at most BW_ORDER_TEXT_BYTES. False: a host, MTA or queue id with a character that such a text cannot hold. */
bool bw_order_print(struct bw_buf *out, const struct bw_order_key *key, const struct bw_order *order);
/* BW_ERR_PERMISSION: no signature of this key; BW_ERR_CORRUPT: signed, and yet not what we write; BW_ERR_LIMIT: its time is over. */
enum bw_err bw_order_read(const struct bw_order_key *key, struct bw_slice text, int64_t now_ms, struct bw_order *out, struct bw_why *why);
/* What it says, unchecked: for who has no key, and only hands it on. False: it is none. */
bool bw_order_peek(struct bw_slice text, struct bw_order *out);

#endif
