/* redis-internal.h: the shared store's parts, and what they lend each other.
 *
 * Layer:   store, inside the redis files only.
 * Threads: any thread.
 * Fails:   as store.h says of each member of struct bw_store_ops.
 *
 * Every function builds an exchange, runs it and reads the replies; the rules of counting are in scripts/. Keys:
 *   PREFIX{H}:h, :z, :x      one list (scripts/list.lua); H: 32 hex digits, a hash of its address
 *   PREFIX{site}:...         what belongs to the installation (scripts/site.lua)
 *   PREFIXlists, PREFIXstopped   sorted sets of addresses: lists that count; lists with a breaker that is not closed
 */
#ifndef BW_REDIS_INTERNAL_H
#define BW_REDIS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "redis-link.h"
#include "redis-reply.h"
#include "store-internal.h"

#define BW_REDIS_TEXT_BYTES_MAX  4096   /* of a text in ledger and history; longer ones are cut */
#define BW_REDIS_VALUE_BYTES_MAX 262144 /* of what an operator stores; longer ones are refused */
#define BW_REDIS_PREFIX_BYTES    64
#define BW_REDIS_KEY_BYTES       (BW_REDIS_PREFIX_BYTES + 64)
#define BW_REDIS_TIME_MAX        (INT64_C(1) << 47)

enum { BW_REDIS_LIST_KEYS = 3, BW_REDIS_INDEXED = 4096 };

/* Lists that this process has put into the index of lists a while ago. */
struct bw_redis_indexed {
	struct bw_hash list;
	int64_t at_ms; /* monotonic */
};

struct bw_redis {
	struct bw_store base;
	char prefix[BW_REDIS_PREFIX_BYTES];
	int64_t deadline_ms;
	struct bw_redis_link *link;
	struct bw_store_clock seen; /* store time as this process knows it */
	int64_t (*clock)(void *ctx);
	void *clock_ctx;
	pthread_mutex_t lock; /* of the rest */
	struct bw_redis_indexed indexed[BW_REDIS_INDEXED];
	char swept[BW_STORE_LIST_BYTES_MAX + 1]; /* the address where the next expire() goes on */
};

static inline struct bw_redis *bw_redis_of(struct bw_store *s)
{
	return (struct bw_redis *)s;
}

/* --- keys --- */

/* The keys of one list; slices into `text`. */
struct bw_redis_list_keys {
	char text[BW_REDIS_LIST_KEYS][BW_REDIS_KEY_BYTES];
	struct bw_slice keys[BW_REDIS_LIST_KEYS];
	struct bw_hash hash;
};
void bw_redis_list_keys(const struct bw_redis *s, struct bw_slice list, struct bw_redis_list_keys *out);
/* PREFIX + name. */
struct bw_slice bw_redis_key(const struct bw_redis *s, const char *name, char out[BW_REDIS_KEY_BYTES]);

/* --- running --- */

/* Begins a call of a script on a list: keys, now, not before, list; `arguments` more must follow. */
void bw_redis_begin_list(struct bw_redis *s, struct bw_redis_exchange *x, enum bw_redis_script_id script, struct bw_slice list,
                         int64_t now_ms, size_t arguments);
/* Begins a call of a script on the installation, with its keys: now, not before, what to do; `arguments` more must follow. */
void bw_redis_begin_site(struct bw_redis *s, struct bw_redis_exchange *x, enum bw_redis_script_id script, int64_t now_ms,
                         const char *todo, size_t arguments);
/* Sends it, waits, loads scripts that Redis has lost, and turns error replies into failures. `deadline_ms`: monotonic, 0: one
 * deadline from now. */
enum bw_err bw_redis_run(struct bw_redis *s, enum bw_redis_lane lane, struct bw_redis_exchange *x, int64_t deadline_ms,
                         struct bw_why *why);
enum bw_err bw_redis_no_memory(struct bw_why *why);

/* --- time --- */

/* A time that is given, or the test's clock, or 0: the server's. */
int64_t bw_redis_given(const struct bw_redis *s, int64_t now_ms);
enum bw_err bw_redis_check_time(int64_t now_ms, struct bw_why *why);
void bw_redis_saw(struct bw_redis *s, int64_t now_ms);
/* Not before it is it now. */
int64_t bw_redis_least(const struct bw_redis *s);

/* --- small things --- */

struct bw_slice bw_redis_cut(struct bw_slice text); /* to BW_REDIS_TEXT_BYTES_MAX, not within a UTF-8 character */
void bw_redis_take_breaker(struct bw_redis_row *row, struct bw_breaker *out); /* an empty array: all zero */
/* Puts a list into an index: one command, or (for the index of lists) none when that was done a while ago. */
void bw_redis_index_list(struct bw_redis *s, struct bw_redis_exchange *x, struct bw_slice list);
void bw_redis_forget_indexed(struct bw_redis *s);
void bw_redis_index_stopped(struct bw_redis *s, struct bw_redis_exchange *x, struct bw_slice list);

/* --- the table --- */

enum bw_err bw_redis_count(struct bw_store *s, const struct bw_count_in *in, struct bw_count_out *out, size_t n,
                           struct bw_why *why);
enum bw_err bw_redis_settle(struct bw_store *s, const struct bw_settle_in *in, size_t n, struct bw_why *why);
enum bw_err bw_redis_redirect(struct bw_store *s, const struct bw_redirect_in *in, struct bw_redirect_out *out, size_t n,
                              struct bw_why *why);
enum bw_err bw_redis_meter(struct bw_store *s, const struct bw_meter_in *in, int64_t *totals, size_t n, struct bw_why *why);
enum bw_err bw_redis_breaker_get(struct bw_store *s, const struct bw_breaker_key *key, struct bw_breaker *out,
                                 struct bw_why *why);
enum bw_err bw_redis_breaker_cas(struct bw_store *s, const struct bw_breaker_key *key, const struct bw_breaker *next,
                                 struct bw_why *why);
enum bw_err bw_redis_breaker_each(struct bw_store *s, int64_t now_ms, int64_t window_ms, bool all, BW_EACH(struct bw_breaker_row),
                                  struct bw_why *why);
enum bw_err bw_redis_setting_put(struct bw_store *s, const struct bw_setting_row *row, int64_t *version, struct bw_why *why);
enum bw_err bw_redis_setting_each(struct bw_store *s, bool history, BW_EACH(struct bw_setting_row), struct bw_why *why);
enum bw_err bw_redis_versions(struct bw_store *s, int64_t *settings, int64_t *directory, struct bw_why *why);
enum bw_err bw_redis_list_put(struct bw_store *s, const struct bw_list_row *row, int64_t *version, struct bw_why *why);
enum bw_err bw_redis_list_put_many(struct bw_store *s, const struct bw_list_row *rows, size_t n, int64_t *version,
                                    struct bw_why *why);
enum bw_err bw_redis_list_learn(struct bw_store *s, const struct bw_list_row *rows, enum bw_learn *out, size_t n, struct bw_why *why);
enum bw_err bw_redis_list_each(struct bw_store *s, int64_t since_version, BW_EACH(struct bw_list_row), struct bw_why *why);
enum bw_err bw_redis_heartbeat(struct bw_store *s, const struct bw_host_row *row, struct bw_why *why);
enum bw_err bw_redis_host_each(struct bw_store *s, int64_t alive_since_ms, BW_EACH(struct bw_host_row), struct bw_why *why);
enum bw_err bw_redis_held_put(struct bw_store *s, const struct bw_held *held, struct bw_why *why);
enum bw_err bw_redis_held_move(struct bw_store *s, const struct bw_hash *id, enum bw_held_state from, enum bw_held_state to,
                               int64_t now_ms, struct bw_slice by, struct bw_why *why);
enum bw_err bw_redis_held_return(struct bw_store *s, const struct bw_hash *id, enum bw_held_state from, struct bw_slice queue_id,
                                 int64_t now_ms, struct bw_slice by, struct bw_why *why);
enum bw_err bw_redis_held_each(struct bw_store *s, const struct bw_held_query *query, BW_EACH(struct bw_held),
                               struct bw_why *why);
enum bw_err bw_redis_event_add(struct bw_store *s, const struct bw_event_row *row, struct bw_why *why);
enum bw_err bw_redis_event_each(struct bw_store *s, int64_t since_ms, int64_t limit, BW_EACH(struct bw_event_row),
                                struct bw_why *why);
enum bw_err bw_redis_expire(struct bw_store *s, int64_t now_ms, int64_t memory_ms, struct bw_why *why);

/* A held message goes out: its list hears of it (redis-settle.c). */
struct bw_redis_released {
	struct bw_slice list;
	enum bw_side side;
	struct bw_hash message, conversation;
	int64_t deliveries, now_ms;
};
enum bw_err bw_redis_release(struct bw_redis *s, const struct bw_redis_released *r, int64_t deadline_ms, struct bw_why *why);

#endif
