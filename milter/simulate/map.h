/* map.h: a map from names to pointers.
 *
 * Layer:     simulate.
 * Ownership: keys are borrowed; all-zero is an empty map, bw_map_done() frees what it grew.
 */
#ifndef BW_SIMULATE_MAP_H
#define BW_SIMULATE_MAP_H

#include "bw/slice.h"

struct bw_map {
	struct bw_map_slot {
		struct bw_slice key;
		void *value;
	} * slots;
	size_t used, size;
};

void *bw_map_find(const struct bw_map *map, struct bw_slice key);
/* Adds or replaces; false when memory is out. `value` is not NULL. */
bool bw_map_put(struct bw_map *map, struct bw_slice key, void *value);
void bw_map_done(struct bw_map *map);

#endif
