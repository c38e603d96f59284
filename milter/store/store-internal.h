/* store-internal.h: what backends and wrappers share.
 *
 * Layer:   store.
 * Threads: pure functions.
 */
#ifndef BW_STORE_INTERNAL_H
#define BW_STORE_INTERNAL_H

#include "bw/clock.h"
#include "bw/store.h"

#define BW_STORE_LIST_BYTES_MAX 1024 /* of a list's address */

/* Store time as one process knows it: never before the latest that it has seen, and never standing still. Where wall time was set back, it
 * goes on at nine tenths of the pace of monotonic time, until wall time has caught up. */
struct bw_store_clock {
	_Atomic int64_t base_ms; /* latest time seen, less nine tenths of the monotonic time then */
	bool still;              /* tests and simulate move time themselves: no pace of its own */
};
void bw_store_clock_init(struct bw_store_clock *c);
/* The earliest that it can be now; 0 where nothing was seen. `monotonic_ms`: bw_clock_monotonic_ms(). */
int64_t bw_store_clock_least(const struct bw_store_clock *c, int64_t monotonic_ms);
void bw_store_clock_saw(struct bw_store_clock *c, int64_t seen_ms, int64_t monotonic_ms);

/* How long a host counts as alive after its last heartbeat. */
#define BW_STORE_ALIVE_MS INT64_C(10000)

/* How long orders and posts are kept. An order that has ended, or could not be carried out in its time; one whose writer died; a post
 * (MTAs keep mail in the queue for five days); a frozen one, that waits in the hold queue and nowhere else is known, or a dropped one, that
 * can come back. */
#define BW_STORE_ORDER_MS   (30 * BW_DAY_MS)
#define BW_STORE_WRITING_MS BW_HOUR_MS
#define BW_STORE_POST_MS    (7 * BW_DAY_MS)
#define BW_STORE_FROZEN_MS  (90 * BW_DAY_MS)

/* Does `a` stop more than `b`? forced-open, then open (of two the longer), half-open, closed; a disabled breaker stops nothing. */
bool bw_store_less_closed(const struct bw_breaker *a, const struct bw_breaker *b);
/* Refuses what no caller means: an empty or endless list name, negative amounts, an unknown side. */
enum bw_err bw_store_check_count(const struct bw_count_in *in, size_t n, struct bw_why *why);
enum bw_err bw_store_check_place(struct bw_slice list, enum bw_side side, int64_t deliveries, struct bw_why *why);
/* A row of the directory; its texts have at most `texts_max` bytes together. */
enum bw_err bw_store_check_list(const struct bw_list_row *row, size_t texts_max, struct bw_why *why);
enum bw_err bw_store_check_learn(const struct bw_list_row *rows, size_t n, size_t texts_max, struct bw_why *why);
enum bw_err bw_store_check_key(const struct bw_breaker_key *key, struct bw_why *why);
enum bw_err bw_store_check_held(const struct bw_held *held, struct bw_why *why);

enum bw_err bw_store_check_order(const struct bw_order_row *row, const struct bw_order_item *items, size_t n, struct bw_why *why);
/* A piece goes on where the `have` items of its order end, and may repeat earlier ones: how many are new. False: there is a gap. */
bool bw_store_fits(const struct bw_order_item *items, size_t n, int64_t have, int64_t *fresh);
enum bw_err bw_store_check_result(enum bw_item_result result, struct bw_why *why);
enum bw_err bw_store_check_order_move(enum bw_order_state from, enum bw_order_state to, struct bw_why *why);
enum bw_err bw_store_check_posts(const struct bw_post *posts, size_t n, struct bw_why *why);
enum bw_err bw_store_check_post_state(enum bw_post_state state, struct bw_why *why);
enum bw_err bw_store_no_queue_id(struct bw_why *why);
enum bw_err bw_store_check_redirect(const struct bw_redirect_in *in, size_t n, struct bw_why *why);
enum bw_err bw_store_check_meter(const struct bw_meter_in *in, size_t n, struct bw_why *why);
/* The slot of time that a moment falls into. */
static inline int64_t bw_store_slot(int64_t at_ms)
{
	return at_ms / BW_METER_SLOT_MS;
}

/* More than may pass, or a second sender in probation: its caller is going to stop it. */
bool bw_store_over(const struct bw_count_in *in, const struct bw_count_out *out);

#endif
