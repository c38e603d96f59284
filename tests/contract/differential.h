/* differential.h: a run of random operations on two stores, and the telling of a difference.
 */
#ifndef BW_TEST_DIFFERENTIAL_H
#define BW_TEST_DIFFERENTIAL_H

#include "bw/clock.h"
#include "bw/store.h"

#define T0        INT64_C(4102444800000) /* later than any clock of these days */
#define MEMORY_MS (6 * BW_HOUR_MS)

enum {
	OPERATIONS = 20000,
	LISTS = 3,
	SENDERS = 14,
	RECENT = 64, /* messages that may come again, be answered, be settled */
	THREADS = 6,
	SUBJECTS = 4,
	HELD = 32,
	LISTS_AT_ONCE = 3,
	ROWS = 512
};

/* What was counted, and may be said again. */
struct recent {
	struct bw_count_in in;
	struct bw_count_out out;
};

struct run {
	struct bw_store *a, *b; /* the embedded one, Redis */
	uint64_t seed, random;
	int64_t operation, now_ms, next_id;
	struct recent recent[RECENT];
	size_t recent_count;
	struct bw_hash held[HELD];
	size_t held_count;
	int64_t expired_ms; /* the last collection */
	int64_t conversation_window_ms, list_window_ms;
	int64_t tally[16]; /* operations done, by kind */
};

/* Chance: below `n`; in so many of a hundred. And names. */
int64_t below(struct run *r, int64_t n);
bool chance(struct run *r, int percent);
struct bw_hash hash_of(const char *kind, int64_t n);
struct bw_slice list_of(int64_t n);

/* Orders and posts (differential-orders.c). */
void do_order(struct run *r);
void do_order_work(struct run *r);
void do_order_each(struct run *r);
void do_post(struct run *r);
void do_post_each(struct run *r);

/* Says where it happened, and ends the program. */
void differ(const struct run *r, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
/* Each ends the program when the two are not alike. */
void same_number(const struct run *r, const char *what, int64_t a, int64_t b);
void same_hash(const struct run *r, const char *what, const struct bw_hash *a, const struct bw_hash *b);
void same_breaker(const struct run *r, const char *what, const struct bw_breaker *a, const struct bw_breaker *b);
void same_counts(const struct run *r, const struct bw_count_out *a, const struct bw_count_out *b);
/* True: both did it. A store that fails is a difference as well. */
bool same_answer(const struct run *r, const char *what, enum bw_err a, enum bw_err b, const struct bw_why why[2]);

#endif
