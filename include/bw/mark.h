/* mark.h: by what a held message describes itself, the value of its X-Breakwater-Held field:
 *
 *     v=1; id=HEX; list=ADDRESS; guard=NAME; at=MS; n=DELIVERIES; side=SIDE; c=HEX; m=HEX; mac=HEX
 *
 * With it the ledger can be rebuilt from the queue, and whoever works on a hold queue knows which messages are ours.
 *
 * Layer:     base.
 * Threads:   pure.
 * Ownership: slices borrow from the text that was read.
 * Fails:     bw_mark_read() answers false for anything that we did not write under this key for this queue id.
 */
#ifndef BW_MARK_H
#define BW_MARK_H

#include "bw/hash.h"
#include "bw/words.h"

#define BW_MARK_FIELD "X-Breakwater-Held"
#define BW_MARK_BYTES 900 /* a header line stays below the 998 octets of RFC 5322 2.1.1 */

struct bw_mark {
	struct bw_hash id, conversation, message;
	struct bw_slice list;
	enum bw_guard guard;
	enum bw_side side;
	int64_t deliveries, held_ms;
};

/* Appends the value. `queue_id`, the first that the message was given, is sealed with it but not written: a mark that somebody copies
 * from delivered mail into a message of his own is none there. Empty where that is not known later (Sendmail splits envelopes). */
void bw_mark_print(struct bw_buf *out, const struct bw_key *key, const struct bw_mark *mark, struct bw_slice queue_id);
/* Reads a value (blanks around it and folding are no part of it). False, `out` untouched: no mark, or its seal does not fit. */
bool bw_mark_read(const struct bw_key *key, struct bw_slice value, struct bw_slice queue_id, struct bw_mark *out);
/* The id that a value names, whoever has written it: which entry's queue id bw_mark_read() is to be asked with. */
bool bw_mark_id(struct bw_slice value, struct bw_hash *out);

#endif
