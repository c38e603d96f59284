/* nearest.h: "did you mean": the nearest of many names to a mistyped one.
 *
 * Layer:     cli.
 * Ownership: values; the best name is copied.
 * Fails:     never; nothing near enough is not found.
 */
#ifndef BW_CLI_NEAREST_H
#define BW_CLI_NEAREST_H

#include "bw/slice.h"

enum { NEAREST_BYTES = 128 };

struct nearest {
	struct bw_slice wanted;
	size_t distance; /* of the best; the bound before there is one */
	bool found;
	char name[NEAREST_BYTES];
};

/* How far off the nearest to a name of `n` characters may be: a third of it may be wrong, one character always. */
size_t bw_cli_nearest_bound(size_t n);
void bw_cli_nearest_start(struct nearest *n, struct bw_slice wanted);
void bw_cli_nearest_offer(struct nearest *n, struct bw_slice candidate);

#endif
