#include "samples.h"

#include <stdlib.h>

enum { FIRST = 4096 };

void bw_samples_init(struct bw_samples *s)
{
	*s = (struct bw_samples){ .ns = NULL };
}

void bw_samples_done(struct bw_samples *s)
{
	free(s->ns);
	bw_samples_init(s);
}

static void grow(struct bw_samples *s)
{
	size_t cap = s->cap == 0 ? FIRST : 2 * s->cap;
	int64_t *ns = cap > BW_SAMPLES_MAX ? NULL : realloc(s->ns, cap * sizeof(*ns));

	if (ns == NULL)
		return;
	s->ns = ns;
	s->cap = cap;
}

void bw_samples_add(struct bw_samples *s, int64_t ns)
{
	s->total++;
	if (s->n == s->cap)
		grow(s);
	if (s->n < s->cap)
		s->ns[s->n++] = ns;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

void bw_samples_sort(struct bw_samples *s)
{
	if (s->n > 0)
		qsort(s->ns, s->n, sizeof(*s->ns), compare);
}

int64_t bw_samples_at(const struct bw_samples *s, int per_mille)
{
	size_t rank = (s->n * (size_t)per_mille + 999) / 1000;

	if (s->n == 0)
		return 0;
	return s->ns[rank == 0 ? 0 : rank - 1];
}
