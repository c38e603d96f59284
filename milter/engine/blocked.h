/* blocked.h: the breakers of identities that are not closed, as this daemon knows them: looked up by every message, without the store.
 *
 * Layer:   engine.
 * Threads: any; a table without a row costs one atomic read.
 * Bounds:  BW_BLOCKED_MAX rows. A breaker that finds no place is found in the store when its sender is over a limit again.
 */
#ifndef BW_ENGINE_BLOCKED_H
#define BW_ENGINE_BLOCKED_H

#include "bw/breaker.h"
#include "bw/hash.h"

enum { BW_BLOCKED_MAX = 512, BW_BLOCKED_WHO_BYTES = 640 };

struct bw_blocked_row {
	struct bw_hash key; /* of the identity */
	char who[BW_BLOCKED_WHO_BYTES];
	struct bw_breaker record;
	uint64_t change; /* the number of its last change here */
	bool used, seen;
};

struct bw_blocked;
struct bw_blocked *bw_blocked_new(void); /* NULL when memory is out */
void bw_blocked_free(struct bw_blocked **blocked);

bool bw_blocked_any(const struct bw_blocked *b);
/* False: not blocked as far as known, and `out` is untouched. */
bool bw_blocked_find(struct bw_blocked *b, const struct bw_hash *key, struct bw_breaker *out);
/* What this daemon wrote itself, at once; a closed one without override goes. */
void bw_blocked_put(struct bw_blocked *b, const struct bw_hash *key, struct bw_slice who, const struct bw_breaker *record);
/* What the store lists: start, every row, end. Rows that this daemon changed meanwhile stay as they are; others that were not listed
 * go. One listing at a time. */
uint64_t bw_blocked_start(struct bw_blocked *b);
void bw_blocked_listed(struct bw_blocked *b, uint64_t start, const struct bw_hash *key, struct bw_slice who,
                       const struct bw_breaker *record);
void bw_blocked_end(struct bw_blocked *b, uint64_t start);
/* The row number `at` or a later one, and its number; false: no more. For ticks. */
bool bw_blocked_next(struct bw_blocked *b, size_t *at, struct bw_blocked_row *out);

#endif
