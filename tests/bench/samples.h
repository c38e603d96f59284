/* samples.h: times of messages, kept exactly, and what they say in the middle and at the end.
 *
 * Layer:     bench.
 * Threads:   one.
 * Ownership: bw_samples_init() / bw_samples_done().
 * Fails:     times beyond BW_SAMPLES_MAX, or beyond memory, are counted in `total` but not kept.
 */
#ifndef BW_BENCH_SAMPLES_H
#define BW_BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#define BW_SAMPLES_MAX ((size_t)4 << 20)

struct bw_samples {
	int64_t *ns;
	size_t n, cap;
	int64_t total;
};

void bw_samples_init(struct bw_samples *s);
void bw_samples_done(struct bw_samples *s);
void bw_samples_add(struct bw_samples *s, int64_t ns);
void bw_samples_sort(struct bw_samples *s);
/* The smallest time that at least `per_mille` of 1,000 messages do not exceed (nearest rank); of sorted samples, 0 if there are none. */
int64_t bw_samples_at(const struct bw_samples *s, int per_mille);

#endif
