/* seal.h: a keyed hash over bytes that come in pieces, for what must come back as it was (BLAKE2b under a key of the order key).
 *
 * Layer:     base.
 * Threads:   one seal, one thread.
 * Ownership: bw_seal_new() / bw_seal_free().
 * Fails:     bw_seal_new() answers NULL when memory is out.
 */
#ifndef BW_SEAL_H
#define BW_SEAL_H

#include "bw/order.h"

enum { BW_SEAL_BYTES = 32, BW_SEAL_HEX_BYTES = 2 * BW_SEAL_BYTES + 1 };

struct bw_seal;

/* `domain`, a short constant, keeps uses apart. */
struct bw_seal *bw_seal_new(const struct bw_order_key *key, const char *domain);
void bw_seal_free(struct bw_seal **seal);
void bw_seal_add(struct bw_seal *seal, struct bw_slice bytes);
/* The hash over all that was added, as hex digits and a NUL; nothing can be added afterwards. */
void bw_seal_hex(struct bw_seal *seal, char out[BW_SEAL_HEX_BYTES]);
/* Compares in the same time whatever differs. */
bool bw_seal_equal(const char a[BW_SEAL_HEX_BYTES], struct bw_slice b);

#endif
