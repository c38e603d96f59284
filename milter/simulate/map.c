/* A map from names to pointers: open addressing, linear probing, never more than half full. */
#include "map.h"

#include <stdlib.h>

enum { FIRST_SLOTS = 64 };

/* FNV-1a. Scenarios are written by whoever plays them, so nobody gains by collisions. */
static size_t hash(struct bw_slice key)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < key.n; i++)
		h = (h ^ (unsigned char)key.p[i]) * UINT64_C(1099511628211);
	return (size_t)(h ^ (h >> 32));
}

/* The slot of `key`, or the free one where it belongs. */
static struct bw_map_slot *slot_of(const struct bw_map *map, struct bw_slice key)
{
	size_t i = hash(key) & (map->size - 1);

	while (map->slots[i].value != NULL && !bw_slice_equal(map->slots[i].key, key))
		i = (i + 1) & (map->size - 1);
	return &map->slots[i];
}

static bool grow(struct bw_map *map)
{
	struct bw_map bigger = { .size = map->size == 0 ? FIRST_SLOTS : 2 * map->size, .used = map->used };

	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	if (bigger.slots == NULL)
		return false;
	for (size_t i = 0; i < map->size; i++) {
		if (map->slots[i].value != NULL)
			*slot_of(&bigger, map->slots[i].key) = map->slots[i];
	}
	free(map->slots);
	*map = bigger;
	return true;
}

void *bw_map_find(const struct bw_map *map, struct bw_slice key)
{
	return map->size == 0 ? NULL : slot_of(map, key)->value;
}

bool bw_map_put(struct bw_map *map, struct bw_slice key, void *value)
{
	if (2 * (map->used + 1) > map->size && !grow(map))
		return false;
	struct bw_map_slot *slot = slot_of(map, key);

	if (slot->value == NULL)
		map->used++;
	slot->key = key;
	slot->value = value;
	return true;
}

void bw_map_done(struct bw_map *map)
{
	free(map->slots);
	*map = (struct bw_map){ 0 };
}
