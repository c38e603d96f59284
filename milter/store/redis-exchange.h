/* redis-exchange.h: commands that go out together, and their replies.
 *
 * Layer:     store, inside the redis files only.
 * Threads:   built by one caller; then shared by it and the link's thread until one side is done.
 * Ownership: counted: the caller's reference and, once sent, the link's. A caller that stops waiting drops its own; what
 *            arrives later goes with the link's.
 * Fails:     building never fails by itself: what did not fit shows when it is sent (BW_ERR_MEMORY).
 *
 * Arguments are bytes with a length before them (the protocol's bulk strings), so nothing in them is ever command text.
 */
#ifndef BW_REDIS_EXCHANGE_H
#define BW_REDIS_EXCHANGE_H

#include <pthread.h>
#include <stdatomic.h>

#include "bw/hash.h"
#include "redis-script.h"

struct redisReply;

struct bw_redis_command {
	size_t start;                         /* in bytes */
	const struct bw_redis_script *script; /* NULL: a plain command */
	struct redisReply *reply;
};

struct bw_redis_exchange {
	struct bw_buf bytes;
	size_t max, count, received;
	struct bw_redis_command *commands;
	bool by_text; /* scripts go as EVAL with their text, not as EVALSHA */
	int64_t deadline_ms; /* monotonic */
	atomic_int refs;
	pthread_mutex_t lock; /* of the rest */
	pthread_cond_t answered;
	bool done;
	enum bw_err err;
	struct bw_why why;
	struct bw_redis_exchange *next; /* in the link's queues */
};

/* For at most `max` commands; NULL when memory is out. */
struct bw_redis_exchange *bw_redis_exchange_new(size_t max);
void bw_redis_exchange_ref(struct bw_redis_exchange *x);
void bw_redis_exchange_unref(struct bw_redis_exchange **x); /* accepts NULL */

/* A command of so many arguments, its name included; they must follow. */
void bw_redis_begin(struct bw_redis_exchange *x, size_t arguments);
void bw_redis_add(struct bw_redis_exchange *x, struct bw_slice argument);
void bw_redis_add_text(struct bw_redis_exchange *x, const char *argument);
void bw_redis_add_number(struct bw_redis_exchange *x, int64_t argument);
void bw_redis_add_hash(struct bw_redis_exchange *x, const struct bw_hash *argument);
/* A call of a script with its keys; `arguments` must follow. */
void bw_redis_begin_script(struct bw_redis_exchange *x, enum bw_redis_script_id script, const struct bw_slice *keys,
                           size_t key_count, size_t arguments);
void bw_redis_load_script(struct bw_redis_exchange *x, const struct bw_redis_script *script);
/* The bytes of a command, and a copy of it from one exchange to another. */
void bw_redis_repeat(struct bw_redis_exchange *x, const struct bw_redis_exchange *from, size_t command);
/* BW_ERR_MEMORY if something did not fit. */
enum bw_err bw_redis_exchange_check(const struct bw_redis_exchange *x, struct bw_why *why);

/* The link's side: a reply, and the end. */
bool bw_redis_exchange_receive(struct bw_redis_exchange *x, struct redisReply *reply); /* true: it was the last */
void bw_redis_exchange_finish(struct bw_redis_exchange *x, enum bw_err err, const struct bw_why *why);
/* The caller's side: waits until the deadline; false: it passed. */
bool bw_redis_exchange_wait(struct bw_redis_exchange *x);

#endif
