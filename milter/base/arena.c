#include "bw/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 4096 };

struct block {
	struct block *next;
	size_t size, used;
	alignas(max_align_t) char bytes[];
};

struct bw_arena {
	struct block *blocks; /* newest first; the last one is kept by a reset */
	size_t held, cap;     /* bytes of blocks; never more */
};

struct bw_arena *bw_arena_new(size_t cap_bytes)
{
	struct bw_arena *arena = calloc(1, sizeof(*arena));

	if (arena != NULL)
		arena->cap = cap_bytes;
	return arena;
}

/* Frees blocks down to `keep` (NULL: all). */
static void drop_blocks(struct bw_arena *arena, const struct block *keep)
{
	while (arena->blocks != NULL && arena->blocks != keep) {
		struct block *next = arena->blocks->next;

		arena->held -= arena->blocks->size;
		free(arena->blocks);
		arena->blocks = next;
	}
}

void bw_arena_free(struct bw_arena **arena)
{
	if (*arena == NULL)
		return;
	drop_blocks(*arena, NULL);
	free(*arena);
	*arena = NULL;
}

void bw_arena_reset(struct bw_arena *arena)
{
	struct block *first = arena->blocks;

	while (first != NULL && first->next != NULL)
		first = first->next;
	if (first != NULL && first->size > BLOCK_BYTES)
		first = NULL; /* an outsized block is not worth keeping */
	drop_blocks(arena, first);
	if (first != NULL)
		first->used = 0;
}

static struct block *add_block(struct bw_arena *arena, size_t bytes)
{
	size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;

	if (size > arena->cap - arena->held)
		size = bytes;
	if (size > arena->cap - arena->held)
		return NULL;
	struct block *block = malloc(sizeof(*block) + size);

	if (block == NULL)
		return NULL;
	block->next = arena->blocks;
	block->size = size;
	block->used = 0;
	arena->blocks = block;
	arena->held += size;
	return block;
}

void *bw_arena_alloc(struct bw_arena *arena, size_t bytes)
{
	const size_t align = alignof(max_align_t);

	if (bytes > arena->cap)
		return NULL;
	bytes = (bytes + align - 1) / align * align;
	struct block *block = arena->blocks;

	if (block == NULL || block->size - block->used < bytes)
		block = add_block(arena, bytes);
	if (block == NULL)
		return NULL;
	void *p = block->bytes + block->used;

	block->used += bytes;
	memset(p, 0, bytes);
	return p;
}

char *bw_arena_text(struct bw_arena *arena, struct bw_slice s)
{
	char *text = bw_arena_alloc(arena, s.n + 1);

	if (text != NULL)
		bw_slice_copy(s, text, s.n + 1);
	return text;
}

struct bw_slice bw_arena_slice(struct bw_arena *arena, struct bw_slice s)
{
	char *text = bw_arena_text(arena, s);

	return (struct bw_slice){ text, text == NULL ? 0 : s.n };
}

size_t bw_arena_used(const struct bw_arena *arena)
{
	size_t used = 0;

	for (const struct block *b = arena->blocks; b != NULL; b = b->next)
		used += b->used;
	return used;
}
