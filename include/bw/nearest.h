/* nearest.h: "did you mean": the nearest of many names to a mistyped one.
 *
 * Layer:     base.
 * Ownership: values; the best name is copied.
 * Fails:     never; nothing near enough is not found.
 */
#ifndef BW_NEAREST_H
#define BW_NEAREST_H

#include "bw/slice.h"

enum { BW_NEAREST_BYTES = 128 };

struct bw_nearest {
	struct bw_slice wanted;
	size_t distance; /* edit distance (Levenshtein) of the best; the bound before there is one */
	bool found;
	char name[BW_NEAREST_BYTES];
};

/* How far off the nearest to a name of `n` characters may be: a third of it may be wrong, one character always. */
size_t bw_nearest_bound(size_t n);
void bw_nearest_start(struct bw_nearest *n, struct bw_slice wanted);
void bw_nearest_offer(struct bw_nearest *n, struct bw_slice candidate);

#endif
