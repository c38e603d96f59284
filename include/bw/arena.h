/* arena.h: one capped arena per message; freed as a whole.
 *
 * Layer:     base.
 * Threads:   one arena, one thread at a time.
 * Ownership: memory lives until bw_arena_reset() or bw_arena_free().
 * Fails:     allocations return NULL when the cap is reached or memory is out; nothing else changes.
 */
#ifndef BW_ARENA_H
#define BW_ARENA_H

#include "bw/slice.h"

struct bw_arena;

/* `cap_bytes`: the arena never holds more than this. NULL when memory is out. */
struct bw_arena *bw_arena_new(size_t cap_bytes);
void bw_arena_free(struct bw_arena **arena);
/* Forgets everything, keeps the first block for the next message. */
void bw_arena_reset(struct bw_arena *arena);
/* Zeroed, aligned for any type; NULL at the cap. */
void *bw_arena_alloc(struct bw_arena *arena, size_t bytes);
/* A NUL-terminated copy; NULL at the cap. */
char *bw_arena_text(struct bw_arena *arena, struct bw_slice s);
/* As bw_arena_text(), as a slice; {NULL, 0} at the cap. */
struct bw_slice bw_arena_slice(struct bw_arena *arena, struct bw_slice s);
size_t bw_arena_used(const struct bw_arena *arena);

#endif
