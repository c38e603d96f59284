/* sqlite-backend.h: the functions behind the embedded store's table, and what they lend each other.
 *
 * Layer:   store, inside the sqlite files only.
 * Threads: those that take a struct bw_store may be called by any thread; those that take a lane run inside a job.
 * Fails:   as store.h says of each member of struct bw_store_ops.
 */
#ifndef BW_SQLITE_BACKEND_H
#define BW_SQLITE_BACKEND_H

#include "sqlite-internal.h"

enum bw_err bw_sqlite_count(struct bw_store *s, const struct bw_count_in *in, struct bw_count_out *out, size_t n,
                            struct bw_why *why);
enum bw_err bw_sqlite_settle(struct bw_store *s, const struct bw_settle_in *in, size_t n, struct bw_why *why);
enum bw_err bw_sqlite_redirect(struct bw_store *s, const struct bw_redirect_in *in, struct bw_redirect_out *out, size_t n,
                               struct bw_why *why);
enum bw_err bw_sqlite_meter(struct bw_store *s, const struct bw_meter_in *in, int64_t *totals, size_t n, struct bw_why *why);
enum bw_err bw_sqlite_breaker_get(struct bw_store *s, const struct bw_breaker_key *key, struct bw_breaker *out,
                                  struct bw_why *why);
enum bw_err bw_sqlite_breaker_cas(struct bw_store *s, const struct bw_breaker_key *key, const struct bw_breaker *next,
                                  struct bw_why *why);
enum bw_err bw_sqlite_breaker_each(struct bw_store *s, int64_t now_ms, int64_t window_ms, bool all,
                                   BW_EACH(struct bw_breaker_row), struct bw_why *why);
enum bw_err bw_sqlite_setting_put(struct bw_store *s, const struct bw_setting_row *row, int64_t *version, struct bw_why *why);
enum bw_err bw_sqlite_setting_each(struct bw_store *s, bool history, BW_EACH(struct bw_setting_row), struct bw_why *why);
enum bw_err bw_sqlite_list_put(struct bw_store *s, const struct bw_list_row *row, int64_t *version, struct bw_why *why);
enum bw_err bw_sqlite_list_put_many(struct bw_store *s, const struct bw_list_row *rows, size_t n, int64_t *version,
                                     struct bw_why *why);
enum bw_err bw_sqlite_list_learn(struct bw_store *s, const struct bw_list_row *rows, enum bw_learn *out, size_t n, struct bw_why *why);
enum bw_err bw_sqlite_list_each(struct bw_store *s, int64_t since_version, BW_EACH(struct bw_list_row), struct bw_why *why);
enum bw_err bw_sqlite_versions(struct bw_store *s, int64_t *settings, int64_t *directory, struct bw_why *why);
enum bw_err bw_sqlite_heartbeat(struct bw_store *s, const struct bw_host_row *row, struct bw_why *why);
enum bw_err bw_sqlite_host_each(struct bw_store *s, int64_t alive_since_ms, BW_EACH(struct bw_host_row), struct bw_why *why);
enum bw_err bw_sqlite_held_put(struct bw_store *s, const struct bw_held *held, struct bw_why *why);
enum bw_err bw_sqlite_held_move(struct bw_store *s, const struct bw_hash *id, enum bw_held_state from, enum bw_held_state to,
                                int64_t now_ms, struct bw_slice by, struct bw_why *why);
enum bw_err bw_sqlite_held_return(struct bw_store *s, const struct bw_hash *id, enum bw_held_state from, struct bw_slice queue_id,
                                  int64_t now_ms, struct bw_slice by, struct bw_why *why);
enum bw_err bw_sqlite_held_each(struct bw_store *s, const struct bw_held_query *query, BW_EACH(struct bw_held),
                                struct bw_why *why);
enum bw_err bw_sqlite_order_put(struct bw_store *s, const struct bw_order_row *row, const struct bw_order_item *items, size_t n,
                              struct bw_why *why);
enum bw_err bw_sqlite_order_each(struct bw_store *s, const struct bw_order_query *query, BW_EACH(struct bw_order_row),
                               struct bw_why *why);
enum bw_err bw_sqlite_order_items(struct bw_store *s, const struct bw_hash *id, int64_t from, int64_t limit, bool pending,
                                BW_EACH(struct bw_order_item), struct bw_why *why);
enum bw_err bw_sqlite_order_move(struct bw_store *s, const struct bw_hash *id, enum bw_order_state from, enum bw_order_state to,
                               int64_t now_ms, struct bw_slice by, struct bw_slice note, struct bw_why *why);
enum bw_err bw_sqlite_order_result(struct bw_store *s, const struct bw_hash *id, int64_t number, enum bw_item_result result,
                                 struct bw_slice note, int64_t now_ms, struct bw_why *why);
enum bw_err bw_sqlite_post_put(struct bw_store *s, const struct bw_post *posts, size_t n, struct bw_why *why);
enum bw_err bw_sqlite_post_each(struct bw_store *s, const struct bw_post_query *query, BW_EACH(struct bw_post), struct bw_why *why);
enum bw_err bw_sqlite_post_move(struct bw_store *s, const struct bw_hash *id, enum bw_post_state to, int64_t now_ms,
                              struct bw_why *why);
enum bw_err bw_sqlite_post_return(struct bw_store *s, const struct bw_hash *id, enum bw_post_state to, struct bw_slice queue_id,
                                int64_t now_ms, struct bw_why *why);
enum bw_err bw_sqlite_event_add(struct bw_store *s, const struct bw_event_row *row, struct bw_why *why);
enum bw_err bw_sqlite_event_each(struct bw_store *s, int64_t since_ms, int64_t limit, BW_EACH(struct bw_event_row),
                                 struct bw_why *why);
enum bw_err bw_sqlite_expire(struct bw_store *s, int64_t now_ms, int64_t memory_ms, struct bw_why *why);

/* A held message that an operator let go. */
struct bw_sqlite_released {
	struct bw_slice list;
	enum bw_side side;
	struct bw_hash message, conversation;
	int64_t deliveries, now_ms;
};
void bw_sqlite_release(struct bw_sqlite_lane *lane, const struct bw_sqlite_released *r);

/* Creates what is not there in a fresh file, and refuses files that are not ours (sqlite-schema.c). */
enum bw_err bw_sqlite_schema(struct bw_sqlite *s, struct bw_sqlite_lane *lane, struct bw_why *why);

/* --- small numbers kept by name (sqlite.c) --- */

int64_t bw_sqlite_meta(struct bw_sqlite_lane *lane, const char *name);
void bw_sqlite_meta_put(struct bw_sqlite_lane *lane, const char *name, int64_t value);

/* --- listings (sqlite-listing.c) --- */

/* A listing reads a page of rows under the lane and hands them over outside of it, so that a callback may call the store
 * and a slow one delays nobody. */
struct bw_sqlite_listing {
	struct bw_sqlite_lane *lane;
	enum bw_sql sql; /* ?1: rows after this cursor; the first column is the cursor, in ascending order */
	struct bw_sqlite_arg args[12];
	size_t arg_count; /* args[0] is the cursor's start */
	int64_t limit;    /* rows at most; 0: all */
	size_t row_bytes;
	void (*read)(struct bw_sqlite_lane *lane, sqlite3_stmt *row, struct bw_arena *arena, void *out);
	bool (*give)(void *taker, const void *row); /* false ends */
	void *taker;
};
enum bw_err bw_sqlite_list_rows(struct bw_sqlite_listing *listing, struct bw_why *why);
/* A column's text in the page's arena. */
struct bw_slice bw_sqlite_keep(struct bw_arena *arena, sqlite3_stmt *row, int column);

#endif
