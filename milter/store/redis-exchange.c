/* Commands in the protocol's words, and the meeting point of a caller and the link's thread. */
#include "redis-exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "redis-compat.h"

#define BYTES_MAX (16u << 20) /* of the commands of one exchange */

/* --- its life --- */

static void init_cond(pthread_cond_t *cond)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

struct bw_redis_exchange *bw_redis_exchange_new(size_t max)
{
	struct bw_redis_exchange *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	x->commands = calloc(max, sizeof(*x->commands));
	if (x->commands == NULL) {
		free(x);
		return NULL;
	}
	x->max = max;
	bw_buf_init(&x->bytes, BYTES_MAX);
	atomic_init(&x->refs, 1);
	pthread_mutex_init(&x->lock, NULL);
	init_cond(&x->answered);
	return x;
}

void bw_redis_exchange_ref(struct bw_redis_exchange *x)
{
	atomic_fetch_add(&x->refs, 1);
}

void bw_redis_exchange_unref(struct bw_redis_exchange **x)
{
	struct bw_redis_exchange *gone = *x;

	*x = NULL;
	if (gone == NULL || atomic_fetch_sub(&gone->refs, 1) != 1)
		return;
	for (size_t i = 0; i < gone->count; i++) {
		if (gone->commands[i].reply != NULL)
			freeReplyObject(gone->commands[i].reply);
	}
	bw_buf_done(&gone->bytes);
	pthread_cond_destroy(&gone->answered);
	pthread_mutex_destroy(&gone->lock);
	free(gone->commands);
	free(gone);
}

/* --- building --- */

enum { DIGITS = 20 };

/* Decimal digits at the end of `out`. Some forty numbers a message: printf would cost as much as all else here. */
static struct bw_slice decimal(uint64_t n, char out[DIGITS])
{
	size_t at = DIGITS;

	do {
		out[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	return (struct bw_slice){ out + at, DIGITS - at };
}

static void add_header(struct bw_redis_exchange *x, char kind, size_t n)
{
	char digits[DIGITS], text[1 + DIGITS + 2];
	struct bw_slice number = decimal(n, digits);

	text[0] = kind;
	memcpy(text + 1, number.p, number.n);
	memcpy(text + 1 + number.n, "\r\n", 2);
	bw_buf_add(&x->bytes, (struct bw_slice){ text, 1 + number.n + 2 });
}

static struct bw_redis_command *add_command(struct bw_redis_exchange *x)
{
	if (x->count == x->max) {
		x->bytes.cut = true;
		return NULL;
	}
	x->commands[x->count].start = x->bytes.n;
	return &x->commands[x->count++];
}

void bw_redis_begin(struct bw_redis_exchange *x, size_t arguments)
{
	if (add_command(x) != NULL)
		add_header(x, '*', arguments);
}

void bw_redis_add(struct bw_redis_exchange *x, struct bw_slice argument)
{
	add_header(x, '$', argument.n);
	bw_buf_add(&x->bytes, argument);
	bw_buf_add(&x->bytes, BW_S("\r\n"));
}

void bw_redis_add_text(struct bw_redis_exchange *x, const char *argument)
{
	bw_redis_add(x, bw_slice_of(argument));
}

void bw_redis_add_number(struct bw_redis_exchange *x, int64_t argument)
{
	char digits[DIGITS], text[1 + DIGITS];
	struct bw_slice number = decimal(argument < 0 ? 0 - (uint64_t)argument : (uint64_t)argument, digits);
	size_t sign = argument < 0;

	text[0] = '-';
	memcpy(text + sign, number.p, number.n);
	bw_redis_add(x, (struct bw_slice){ text, sign + number.n });
}

void bw_redis_add_hash(struct bw_redis_exchange *x, const struct bw_hash *argument)
{
	bw_redis_add(x, (struct bw_slice){ (const char *)argument->b, BW_HASH_BYTES });
}

void bw_redis_begin_script(struct bw_redis_exchange *x, enum bw_redis_script_id script, const struct bw_slice *keys,
                           size_t key_count, size_t arguments)
{
	struct bw_redis_command *command = add_command(x);

	if (command == NULL)
		return;
	command->script = &bw_redis_scripts[script];
	add_header(x, '*', 3 + key_count + arguments);
	bw_redis_add_text(x, x->by_text ? "EVAL" : "EVALSHA");
	bw_redis_add(x, x->by_text ? (struct bw_slice){ (const char *)command->script->text, command->script->n }
	                           : bw_slice_of(command->script->sha));
	bw_redis_add_number(x, (int64_t)key_count);
	for (size_t i = 0; i < key_count; i++)
		bw_redis_add(x, keys[i]);
}

void bw_redis_load_script(struct bw_redis_exchange *x, const struct bw_redis_script *script)
{
	bw_redis_begin(x, 3);
	bw_redis_add(x, BW_S("SCRIPT"));
	bw_redis_add(x, BW_S("LOAD"));
	bw_redis_add(x, (struct bw_slice){ (const char *)script->text, script->n });
}

void bw_redis_repeat(struct bw_redis_exchange *x, const struct bw_redis_exchange *from, size_t command)
{
	size_t start = from->commands[command].start;
	size_t end = command + 1 < from->count ? from->commands[command + 1].start : from->bytes.n;

	if (add_command(x) != NULL)
		bw_buf_add(&x->bytes, (struct bw_slice){ from->bytes.p + start, end - start });
}

enum bw_err bw_redis_exchange_check(const struct bw_redis_exchange *x, struct bw_why *why)
{
	if (x->bytes.cut)
		return bw_fail(why, BW_ERR_MEMORY, "no memory for the commands of one call to Redis (at most %u bytes)", BYTES_MAX);
	return BW_OK;
}

/* --- meeting --- */

bool bw_redis_exchange_receive(struct bw_redis_exchange *x, struct redisReply *reply)
{
	x->commands[x->received++].reply = reply;
	return x->received == x->count;
}

void bw_redis_exchange_finish(struct bw_redis_exchange *x, enum bw_err err, const struct bw_why *why)
{
	pthread_mutex_lock(&x->lock);
	x->done = true;
	x->err = err;
	if (why != NULL)
		x->why = *why;
	pthread_cond_signal(&x->answered);
	pthread_mutex_unlock(&x->lock);
}

bool bw_redis_exchange_wait(struct bw_redis_exchange *x)
{
	struct timespec until = { (time_t)(x->deadline_ms / 1000), (long)(x->deadline_ms % 1000) * 1000000 };
	int rc = 0;

	pthread_mutex_lock(&x->lock);
	while (!x->done && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&x->answered, &x->lock, &until);
	bool done = x->done;

	pthread_mutex_unlock(&x->lock);
	return done;
}
