/* hash.h: keyed hashes (SipHash-2-4 with 128 bits of output, libsodium's siphashx24) and message authentication.
 *
 * Layer:     base.
 * Threads:   pure.
 * Ownership: values.
 * Fails:     only bw_key_load(), which says why.
 *
 * Message ids, addresses of senders and join keys are stored as keyed hashes only (semantics, section 11).
 */
#ifndef BW_HASH_H
#define BW_HASH_H

#include "bw/err.h"
#include "bw/slice.h"

#define BW_HASH_BYTES 16

struct bw_hash {
	uint8_t b[BW_HASH_BYTES];
};

/* The site secret. The same on all hosts that share a store. */
struct bw_key {
	uint8_t b[BW_HASH_BYTES];
};

/* Hashes `s` under `key`; `domain` (a short constant such as "sender") keeps uses apart. */
struct bw_hash bw_hash_slice(const struct bw_key *key, const char *domain, struct bw_slice s);
bool bw_hash_equal(const struct bw_hash *a, const struct bw_hash *b);
bool bw_hash_is_zero(const struct bw_hash *h);
/* Adds `h` to `sum` as 128-bit integers: order-independent, and doubles do not cancel as with XOR. */
void bw_hash_sum(struct bw_hash *sum, const struct bw_hash *h);
/* Writes 32 hex digits and a NUL. */
void bw_hash_hex(const struct bw_hash *h, char out[2 * BW_HASH_BYTES + 1]);
/* Reads exactly 32 hex digits; false leaves `out` untouched. */
bool bw_hash_parse(struct bw_slice hex, struct bw_hash *out);

/* Reads the secret from `path` (at least 32 hex digits on the first line); with `create`, makes a random one (mode
 * 0600, never overwriting) when the file does not exist. BW_ERR_IO, BW_ERR_INPUT. */
enum bw_err bw_key_load(const char *path, bool create, struct bw_key *out, struct bw_why *why);
/* What may be published of a secret to compare it: a hash under itself. */
struct bw_hash bw_key_fingerprint(const struct bw_key *key);
/* A fresh random id (ledger, events, audit): 16 random bytes. */
struct bw_hash bw_hash_random(void);

#endif
