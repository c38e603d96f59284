#include "bw/nearest.h"

enum { DISTANCE_MAX = 8 };

size_t bw_nearest_bound(size_t n)
{
	return n / 3 + 2 < DISTANCE_MAX ? n / 3 + 2 : DISTANCE_MAX;
}

void bw_nearest_start(struct bw_nearest *n, struct bw_slice wanted)
{
	*n = (struct bw_nearest){ .wanted = wanted, .distance = bw_nearest_bound(wanted.n) };
}

static size_t least(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein's distance, one row at a time; gives up at `bound`. */
static size_t distance(struct bw_slice a, struct bw_slice b, size_t bound)
{
	size_t row[BW_NEAREST_BYTES + 1];

	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t diagonal = row[0];
		size_t best = row[0] = i;

		for (size_t j = 1; j <= b.n; j++) {
			size_t above = row[j];

			row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a.p[i - 1] != b.p[j - 1]));
			diagonal = above;
			if (row[j] < best)
				best = row[j];
		}
		if (best >= bound)
			return bound;
	}
	return row[b.n];
}

void bw_nearest_offer(struct bw_nearest *n, struct bw_slice candidate)
{
	size_t gap = n->wanted.n > candidate.n ? n->wanted.n - candidate.n : candidate.n - n->wanted.n;

	if (candidate.n >= BW_NEAREST_BYTES || n->wanted.n >= BW_NEAREST_BYTES || gap >= n->distance)
		return;
	size_t d = distance(n->wanted, candidate, n->distance);

	if (d >= n->distance)
		return;
	n->distance = d;
	n->found = true;
	bw_slice_copy(candidate, n->name, sizeof(n->name));
}
