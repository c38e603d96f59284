#include <stdlib.h>

#include "internal.h"

void bw_directory_pool_done(struct bw_directory_pool *pool)
{
	for (size_t i = 0; i < pool->count; i++)
		free(pool->chunks[i]);
	free(pool->chunks);
	*pool = (struct bw_directory_pool){ 0 };
}

static bool grow_chunk_table(struct bw_directory_pool *pool)
{
	size_t room = pool->room == 0 ? 8 : 2 * pool->room;
	char **chunks = realloc(pool->chunks, room * sizeof(*chunks));

	if (chunks == NULL)
		return false;
	pool->chunks = chunks;
	pool->room = room;
	return true;
}

static bool add_chunk(struct bw_directory_pool *pool)
{
	if (pool->count == (size_t)1 << (32 - BW_DIRECTORY_CHUNK_BITS))
		return false;
	if (pool->count == pool->room && !grow_chunk_table(pool))
		return false;
	char *chunk = malloc(BW_DIRECTORY_CHUNK_BYTES);

	if (chunk == NULL)
		return false;
	pool->chunks[pool->count++] = chunk;
	pool->used = 0;
	return true;
}

char *bw_directory_pool_take(struct bw_directory_pool *pool, size_t n, size_t align, uint32_t *ref)
{
	size_t used = (pool->used + align - 1) / align * align;

	if (n > BW_DIRECTORY_CHUNK_BYTES)
		return NULL;
	/* `>=`: not even an empty piece may begin behind the end of a chunk. */
	if (pool->count == 0 || used + n >= BW_DIRECTORY_CHUNK_BYTES) {
		if (!add_chunk(pool))
			return NULL;
		used = 0;
	}
	*ref = (uint32_t)((pool->count - 1) << BW_DIRECTORY_CHUNK_BITS | used);
	pool->used = used + n;
	return pool->chunks[pool->count - 1] + used;
}
