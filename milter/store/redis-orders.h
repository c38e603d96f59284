/* redis-orders.h: the part of the table that orders and accepted posts are.
 *
 * Layer:   store, inside the redis files only.
 * Threads: any thread.
 * Fails:   as store.h says of each member of struct bw_store_ops.
 */
#ifndef BW_REDIS_ORDERS_H
#define BW_REDIS_ORDERS_H

#include "redis-internal.h"

enum bw_err bw_redis_order_put(struct bw_store *s, const struct bw_order_row *row, const struct bw_order_item *items, size_t n,
                              struct bw_why *why);
enum bw_err bw_redis_order_each(struct bw_store *s, const struct bw_order_query *query, BW_EACH(struct bw_order_row),
                              struct bw_why *why);
enum bw_err bw_redis_order_items(struct bw_store *s, const struct bw_hash *id, int64_t from, int64_t limit, bool pending,
                               BW_EACH(struct bw_order_item), struct bw_why *why);
enum bw_err bw_redis_order_move(struct bw_store *s, const struct bw_hash *id, enum bw_order_state from, enum bw_order_state to,
                              int64_t now_ms, struct bw_slice by, struct bw_slice note, struct bw_why *why);
enum bw_err bw_redis_order_result(struct bw_store *s, const struct bw_hash *id, int64_t number, enum bw_item_result result,
                               struct bw_slice note, int64_t now_ms, struct bw_why *why);
enum bw_err bw_redis_post_put(struct bw_store *s, const struct bw_post *posts, size_t n, struct bw_why *why);
enum bw_err bw_redis_post_each(struct bw_store *s, const struct bw_post_query *query, BW_EACH(struct bw_post), struct bw_why *why);
enum bw_err bw_redis_post_move(struct bw_store *s, const struct bw_hash *id, enum bw_post_state to, int64_t now_ms,
                              struct bw_why *why);
enum bw_err bw_redis_post_return(struct bw_store *s, const struct bw_hash *id, enum bw_post_state to, struct bw_slice queue_id,
                                int64_t now_ms, struct bw_why *why);

/* Add what expire() does to orders and posts; bounded work. */
void bw_redis_tidy_orders(struct bw_redis *s, struct bw_redis_exchange *x, int64_t now_ms);
void bw_redis_tidy_posts(struct bw_redis *s, struct bw_redis_exchange *x, int64_t now_ms);

#endif
