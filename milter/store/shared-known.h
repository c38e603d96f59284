/* shared-known.h: conversations known here to be open. A reply to one is answered without asking the shared store; that it was attempted
 * is told later, in batches.
 *
 * Layer:   store, inside the shared files only.
 * Threads: any; a lock is held for microseconds, never during a call.
 * Time:    `mono_ms` is monotonic. What is known holds for BW_KNOWN_MS after it was seen, so an operator's change acts within that.
 * Memory:  fixed; what finds no place is asked about.
 */
#ifndef BW_STORE_SHARED_KNOWN_H
#define BW_STORE_SHARED_KNOWN_H

#include "bw/store.h"

#define BW_KNOWN_MS INT64_C(1000)

struct bw_known;

struct bw_known *bw_known_new(void); /* NULL: no memory */
void bw_known_free(struct bw_known **known);

/* True: answered, and the attempt is kept for bw_known_take(). */
bool bw_known_answer(struct bw_known *k, const struct bw_count_in *in, int64_t mono_ms, struct bw_count_out *out);
/* What the store has answered. */
void bw_known_learn(struct bw_known *k, const struct bw_count_in *in, const struct bw_count_out *out, int64_t mono_ms);
/* A breaker as the store has it. A conversation's: open, it holds from `mono_ms`, the time before it was asked; else it is forgotten. */
void bw_known_see(struct bw_known *k, const struct bw_breaker_key *key, const struct bw_breaker *record, int64_t mono_ms);
/* Anything worth refreshing? */
bool bw_known_any(struct bw_known *k);
/* All that is known, forgotten: the shared store is away. Attempts stay. */
void bw_known_forget(struct bw_known *k);

/* The oldest attempts, at most `n`; how many. Their texts live until the next call with the same `texts`. */
size_t bw_known_take(struct bw_known *k, struct bw_count_in *out, size_t n, struct bw_arena *texts);

#endif
