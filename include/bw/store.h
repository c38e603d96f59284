/* store.h: where shared state lives. A table of functions with two backends to come behind it (embedded SQLite, Redis) and
 * wrappers; tests/contract proves every promise here on each of them.
 *
 * Layer:     store, on base only. The store counts; the policy decides. No rule is known here: no threshold is
 *            ever stored, windows and budgets come as arguments and plain numbers go out.
 * Threads:   every function may be called from any thread.
 * Time:      `now_ms` in inputs: 0 means the store's own clock (never before the last seen); tests and simulate give virtual time.
 *            Windows are sliding and half-open: an event at t is inside a window of w at now iff now - t < w.
 * Ownership: the store copies what it keeps; results are values or live in the caller's arena.
 * Fails:     BW_ERR_STORE when the backend does not answer in its deadline, cannot write or is gone (state unchanged or unknown; a
 *            later call with the same message is idempotent). Nothing blocks longer than the backend's deadline.
 */
#ifndef BW_STORE_H
#define BW_STORE_H

#include "bw/arena.h"
#include "bw/breaker.h"
#include "bw/counting.h"
#include "bw/err.h"
#include "bw/orders.h"
#include "bw/records.h"

enum bw_scope { BW_SCOPE_CONVERSATION, BW_SCOPE_LIST, BW_SCOPE_COUNT };

struct bw_breaker_key {
	enum bw_scope scope;
	enum bw_side side;
	struct bw_slice list;
	struct bw_hash conversation; /* zero for the list's own */
};

/* A breaker in a listing, with what is needed to advance it in time. */
struct bw_breaker_row {
	struct bw_breaker_key key;
	struct bw_breaker record;
	int64_t senders;  /* distinct attempts in `window_ms` of the query */
	int64_t last_ms;
};

/* A callback of listings; false stops. Rows live during the call only. */
#define BW_EACH(type) bool (*each)(void *ctx, const type *row), void *ctx

struct bw_store;
struct bw_store_ops {
	const char *name; /* "sqlite", "redis", "guarded" */
	void (*close)(struct bw_store *s);
	enum bw_err (*now)(struct bw_store *s, int64_t *now_ms, struct bw_why *why);
	/* Atomic per list; several lists of one message are one trip. out[i] belongs to in[i]. All or, on error, unknown. */
	enum bw_err (*count)(struct bw_store *s, const struct bw_count_in *in, struct bw_count_out *out, size_t n, struct bw_why *why);
	enum bw_err (*settle)(struct bw_store *s, const struct bw_settle_in *in, size_t n, struct bw_why *why);
	/* Counts a reply among the redirected ones of its conversation while there are fewer than `limit`, over all hosts. Idempotent. */
	enum bw_err (*redirect)(struct bw_store *s, const struct bw_redirect_in *in, struct bw_redirect_out *out, size_t n,
	                        struct bw_why *why);
	/* Adds amounts, then sums: totals[i] belongs to in[i], over all hosts, amounts of the same call included. Not idempotent. */
	enum bw_err (*meter)(struct bw_store *s, const struct bw_meter_in *in, int64_t *totals, size_t n, struct bw_why *why);
	enum bw_err (*breaker_get)(struct bw_store *s, const struct bw_breaker_key *key, struct bw_breaker *out, struct bw_why *why);
	/* Writes `next` if the stored version is next->version; the stored version becomes one more. BW_ERR_CONFLICT. */
	enum bw_err (*breaker_cas)(struct bw_store *s, const struct bw_breaker_key *key, const struct bw_breaker *next, struct bw_why *why);
	enum bw_err (*breaker_each)(struct bw_store *s, int64_t now_ms, int64_t window_ms, bool all, BW_EACH(struct bw_breaker_row), struct bw_why *why);
	/* An empty value unsets. Each change raises the settings version, enters the history, and is in force for readers at once. */
	enum bw_err (*setting_put)(struct bw_store *s, const struct bw_setting_row *row, int64_t *version, struct bw_why *why);
	enum bw_err (*setting_each)(struct bw_store *s, bool history, BW_EACH(struct bw_setting_row), struct bw_why *why);
	/* A row takes the place of the one with its address and its source. */
	enum bw_err (*list_put)(struct bw_store *s, const struct bw_list_row *row, int64_t *version, struct bw_why *why);
	/* All rows or none; each has a version of its own, `version` is the last (untouched without rows). All have the first row's
	 * changed_ms. May take longer than the deadline of other calls. BW_ERR_CONFLICT: another such call was faster. */
	enum bw_err (*list_put_many)(struct bw_store *s, const struct bw_list_row *rows, size_t n, int64_t *version, struct bw_why *why);
	/* Proposals (source learned), as daemons find them: an address that has one of that size or a larger one keeps it, and beyond
	 * BW_LEARNED_MAX in all there is no new one. out[i] is what became of rows[i]. */
	enum bw_err (*list_learn)(struct bw_store *s, const struct bw_list_row *rows, enum bw_learn *out, size_t n, struct bw_why *why);
	enum bw_err (*list_each)(struct bw_store *s, int64_t since_version, BW_EACH(struct bw_list_row), struct bw_why *why);
	/* Versions of settings and directory in one cheap call, for polling. */
	enum bw_err (*versions)(struct bw_store *s, int64_t *settings, int64_t *directory, struct bw_why *why);
	enum bw_err (*heartbeat)(struct bw_store *s, const struct bw_host_row *row, struct bw_why *why);
	enum bw_err (*host_each)(struct bw_store *s, int64_t alive_since_ms, BW_EACH(struct bw_host_row), struct bw_why *why);
	/* Full sync before it returns. */
	enum bw_err (*held_put)(struct bw_store *s, const struct bw_held *held, struct bw_why *why);
	/* Moves from `from` to `to`; BW_ERR_CONFLICT when it is in another state. Releasing marks the message accepted by each of its
	 * lists, with the list's own deliveries. */
	enum bw_err (*held_move)(struct bw_store *s, const struct bw_hash *id, enum bw_held_state from, enum bw_held_state to,
	                         int64_t now_ms, struct bw_slice by, struct bw_why *why);
	/* Moves from `from` back to waiting, under the queue id that it has now. */
	enum bw_err (*held_return)(struct bw_store *s, const struct bw_hash *id, enum bw_held_state from, struct bw_slice queue_id,
	                           int64_t now_ms, struct bw_slice by, struct bw_why *why);
	enum bw_err (*held_each)(struct bw_store *s, const struct bw_held_query *query, BW_EACH(struct bw_held), struct bw_why *why);
	/* Writes a piece of an order, at most BW_ORDER_PIECE items: the first piece makes the row (its state BW_ORDER_WRITING, counts 0), the
	 * others add items to it; order_move() then makes it run. Repeating a piece changes nothing. BW_ERR_LIMIT: BW_ORDER_ITEMS_MAX;
	 * BW_ERR_INPUT: a piece was left out; BW_ERR_CONFLICT: it is not being written any more (nor is one that took an hour). */
	enum bw_err (*order_put)(struct bw_store *s, const struct bw_order_row *row, const struct bw_order_item *items, size_t n,
	                         struct bw_why *why);
	enum bw_err (*order_each)(struct bw_store *s, const struct bw_order_query *query, BW_EACH(struct bw_order_row), struct bw_why *why);
	/* Items from number `from` on, at most `limit`; with `pending`, only those without a result. */
	enum bw_err (*order_items)(struct bw_store *s, const struct bw_hash *id, int64_t from, int64_t limit, bool pending,
	                           BW_EACH(struct bw_order_item), struct bw_why *why);
	/* BW_ERR_CONFLICT when it is in another state than `from`; BW_ERR_NOT_FOUND. */
	enum bw_err (*order_move)(struct bw_store *s, const struct bw_hash *id, enum bw_order_state from, enum bw_order_state to,
	                          int64_t now_ms, struct bw_slice by, struct bw_slice note, struct bw_why *why);
	/* An item that is pending gets its result, and the order's counts are raised; one that has a result keeps it (BW_OK). */
	enum bw_err (*order_result)(struct bw_store *s, const struct bw_hash *id, int64_t number, enum bw_item_result result,
	                            struct bw_slice note, int64_t now_ms, struct bw_why *why);
	/* Accepted posts, in batches; one that is there already stays as it is. */
	enum bw_err (*post_put)(struct bw_store *s, const struct bw_post *posts, size_t n, struct bw_why *why);
	enum bw_err (*post_each)(struct bw_store *s, const struct bw_post_query *query, BW_EACH(struct bw_post), struct bw_why *why);
	/* All rows of the message `id`; BW_ERR_NOT_FOUND. */
	enum bw_err (*post_move)(struct bw_store *s, const struct bw_hash *id, enum bw_post_state to, int64_t now_ms, struct bw_why *why);
	/* The same, and under the queue id that it has now; BW_ERR_INPUT: that is empty. */
	enum bw_err (*post_return)(struct bw_store *s, const struct bw_hash *id, enum bw_post_state to, struct bw_slice queue_id,
	                           int64_t now_ms, struct bw_why *why);
	enum bw_err (*event_add)(struct bw_store *s, const struct bw_event_row *row, struct bw_why *why);
	enum bw_err (*event_each)(struct bw_store *s, int64_t since_ms, int64_t limit, BW_EACH(struct bw_event_row), struct bw_why *why);
	/* Collects garbage: whatever is past its time; bounded work a call. */
	enum bw_err (*expire)(struct bw_store *s, int64_t now_ms, int64_t memory_ms, struct bw_why *why);
	/* The fingerprint of the site secret: stored if there is none; BW_ERR_PERMISSION if another one is stored. */
	enum bw_err (*claim)(struct bw_store *s, const struct bw_hash *fingerprint, struct bw_why *why);
	bool (*degraded)(const struct bw_store *s, int64_t *daemons); /* true: answers come from a fallback, for so many known daemons */
};

/* The newest format of shared records that this version reads; daemons name it in their heartbeats, and until all of them read it an
 * older one is written, so that hosts can be upgraded one by one. */
#define BW_STORE_FORMAT 2

/* Backends embed this as their first member. */
struct bw_store {
	const struct bw_store_ops *ops;
};

/* Opens (and creates) the embedded store; ":memory:" for simulate and tests. BW_ERR_STORE says which file and why. `busy_ms`: the
 * longest wait for another process's write. */
enum bw_err bw_store_sqlite_open(const char *path, int64_t busy_ms, struct bw_store **out, struct bw_why *why);
/* For tests and simulate: what that store takes for wall time where it is given none (`now_ms` 0, the end of temporary
 * settings). Before the first use. */
void bw_store_sqlite_set_clock(struct bw_store *sqlite, int64_t (*now_ms)(void *ctx), void *ctx);

/* For simulate and tests: passes on to `inner`, unless told to fail (BW_ERR_STORE) or be slow (as failing when
 * delay_ms is over deadline_ms). Owns `inner`. */
struct bw_store *bw_store_faulty_new(struct bw_store *inner, int64_t deadline_ms);
void bw_store_faulty_set(struct bw_store *faulty, bool down, int64_t delay_ms);

void bw_store_close(struct bw_store **s);

#endif
