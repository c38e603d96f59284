#include <string.h>

#include "internal.h"

enum { LONGEST = 64 };

void bw_config_nearest_begin(struct bw_config_nearest *n, struct bw_slice wanted)
{
	/* A third of a name may be wrong; what is further away was no slip of the hand. */
	*n = (struct bw_config_nearest){ .wanted = wanted, .distance = wanted.n <= LONGEST ? wanted.n / 3 + 2 : 0 };
}

/* Edit distance (Levenshtein), in one row of memory. */
static size_t distance(struct bw_slice a, struct bw_slice b)
{
	size_t line[LONGEST + 1];

	for (size_t j = 0; j <= b.n; j++)
		line[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t corner = line[0];

		line[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t change = corner + (a.p[i - 1] != b.p[j - 1]);
			size_t add = (line[j] < line[j - 1] ? line[j] : line[j - 1]) + 1;

			corner = line[j];
			line[j] = change < add ? change : add;
		}
	}
	return line[b.n];
}

void bw_config_nearest_offer(struct bw_config_nearest *n, struct bw_slice name)
{
	if (name.n > LONGEST || n->distance == 0)
		return;
	size_t d = distance(n->wanted, name);

	if (d < n->distance) {
		n->distance = d;
		n->best = name;
	}
}
