#include <stdlib.h>

#include "internal.h"

void bw_directory_index_done(struct bw_directory_index *index)
{
	free(index->slots);
	*index = (struct bw_directory_index){ 0 };
}

uint32_t bw_directory_hash(uint64_t seed, struct bw_slice s)
{
	/* FNV-1a from a random start, and one multiplication more to spread the last bytes over the upper half. */
	uint64_t h = seed ^ UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * UINT64_C(0x100000001b3);
	h = (h ^ h >> 32) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(h >> 32);
}

/* Where a hash is at home: its share of the table, so that any number of slots will do. */
static size_t home_of(const struct bw_directory_index *index, uint32_t hash)
{
	return (size_t)((uint64_t)hash * index->cap >> 32);
}

static void put_slot(struct bw_directory_index *index, uint64_t slot)
{
	size_t at = home_of(index, (uint32_t)(slot >> 32));

	while (index->slots[at] != 0)
		at = at + 1 == index->cap ? 0 : at + 1;
	index->slots[at] = slot;
	index->used++;
}

bool bw_directory_index_reserve(struct bw_directory_index *index, size_t items)
{
	size_t cap = items + items / 3 + 1;

	if (cap <= index->cap)
		return true;
	struct bw_directory_index bigger = { calloc(cap, sizeof(*bigger.slots)), cap, 0 };

	if (bigger.slots == NULL)
		return false;
	for (size_t i = 0; i < index->cap; i++) {
		if (index->slots[i] != 0)
			put_slot(&bigger, index->slots[i]);
	}
	free(index->slots);
	*index = bigger;
	return true;
}

void bw_directory_index_put(struct bw_directory_index *index, uint32_t hash, uint32_t item)
{
	put_slot(index, (uint64_t)hash << 32 | (item + 1));
}

void bw_directory_index_replace(struct bw_directory_index *index, uint32_t hash, uint32_t item, uint32_t by)
{
	uint64_t slot = (uint64_t)hash << 32 | (item + 1);
	size_t at = home_of(index, hash);

	while (index->slots[at] != slot)
		at = at + 1 == index->cap ? 0 : at + 1;
	index->slots[at] = (uint64_t)hash << 32 | (by + 1);
}

uint32_t bw_directory_index_find(const struct bw_directory_index *index, uint32_t hash,
                                 bool (*same)(const void *ctx, uint32_t item), const void *ctx)
{
	if (index->cap == 0)
		return BW_DIRECTORY_NONE;
	for (size_t at = home_of(index, hash); index->slots[at] != 0; at = at + 1 == index->cap ? 0 : at + 1) {
		uint32_t item = (uint32_t)index->slots[at] - 1;

		if ((uint32_t)(index->slots[at] >> 32) == hash && same(ctx, item))
			return item;
	}
	return BW_DIRECTORY_NONE;
}
