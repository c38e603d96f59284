#include "redis-pipe.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { LANES = 2, SHA_BYTES = 41 };

static const char script[] = "local n = redis.call('HINCRBY', KEYS[1], ARGV[1], 1)\n"
							 "return { n, n, n, n, n, n, n, n, n, n }\n";

/* A call, on its thread's stack, in a queue until it is answered. */
struct call {
	struct call *next;
	const char *key;
	int64_t *numbers;
	bool ok;
	sem_t done;
};

struct queue {
	struct call *first, **last;
	size_t n;
};

struct lane {
	redisContext *redis;
	struct queue waiting; /* sent, in the order of their answers */
	int unwritten;
};

struct bw_redis_pipe {
	pthread_mutex_t lock; /* of `fresh` */
	struct queue fresh;
	int wake; /* eventfd: `fresh` is no longer empty */
	struct lane lanes[LANES];
	char sha[SHA_BYTES];
	bool broken;
	pthread_t thread;
};

/* --- queues --- */

static void queue_init(struct queue *q)
{
	q->first = NULL;
	q->last = &q->first;
	q->n = 0;
}

static void queue_add(struct queue *q, struct call *c)
{
	c->next = NULL;
	*q->last = c;
	q->last = &c->next;
	q->n++;
}

static struct call *queue_take(struct queue *q)
{
	struct call *c = q->first;

	if (c == NULL)
		return NULL;
	q->first = c->next;
	if (q->first == NULL)
		q->last = &q->first;
	q->n--;
	return c;
}

/* --- the calling threads --- */

static bool submit(struct bw_redis_pipe *p, struct call *c)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&p->lock);
	bool broken = p->broken, first = p->fresh.n == 0;

	if (!broken)
		queue_add(&p->fresh, c);
	pthread_mutex_unlock(&p->lock);
	if (broken)
		return false;
	/* One wake-up for all calls that come before the thread looks: this is what batches them. */
	return !first || write(p->wake, &one, sizeof(one)) == (ssize_t)sizeof(one);
}

bool bw_redis_pipe_call(struct bw_redis_pipe *p, const char *key, int64_t numbers[BW_REDIS_PIPE_NUMBERS])
{
	struct call c = { .key = key, .numbers = numbers };

	sem_init(&c.done, 0, 0);
	if (submit(p, &c)) {
		while (sem_wait(&c.done) != 0 && errno == EINTR)
			continue;
	}
	sem_destroy(&c.done);
	return c.ok;
}

/* --- the pipe's own thread --- */

static void answer(struct call *c, const redisReply *reply)
{
	c->ok = reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == BW_REDIS_PIPE_NUMBERS;
	for (size_t i = 0; c->ok && i < BW_REDIS_PIPE_NUMBERS; i++) {
		c->ok = reply->element[i]->type == REDIS_REPLY_INTEGER;
		c->numbers[i] = reply->element[i]->integer;
	}
	sem_post(&c->done); /* the caller's stack may be gone after this */
}

static void send_fresh(struct bw_redis_pipe *p)
{
	struct queue fresh;
	struct call *c;

	pthread_mutex_lock(&p->lock);
	fresh = p->fresh;
	if (fresh.n == 0)
		queue_init(&fresh);
	queue_init(&p->fresh);
	pthread_mutex_unlock(&p->lock);
	while ((c = queue_take(&fresh)) != NULL) {
		struct lane *lane = p->lanes[0].waiting.n <= p->lanes[1].waiting.n ? &p->lanes[0] : &p->lanes[1];

		redisAppendCommand(lane->redis, "EVALSHA %s 1 %s %s", p->sha, c->key, "replies");
		queue_add(&lane->waiting, c);
		lane->unwritten = 1;
	}
}

static bool write_lane(struct lane *lane)
{
	int done = 0;

	if (redisBufferWrite(lane->redis, &done) != REDIS_OK)
		return false;
	lane->unwritten = !done;
	return true;
}

static bool read_lane(struct lane *lane)
{
	void *reply = NULL;

	if (redisBufferRead(lane->redis) != REDIS_OK)
		return false;
	while (redisGetReplyFromReader(lane->redis, &reply) == REDIS_OK && reply != NULL) {
		struct call *c = queue_take(&lane->waiting);

		if (c != NULL)
			answer(c, reply);
		freeReplyObject(reply);
	}
	return lane->redis->err == 0;
}

static bool serve_lane(struct lane *lane, short events)
{
	if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && !read_lane(lane))
		return false;
	return lane->unwritten == 0 || write_lane(lane);
}

static bool turn(struct bw_redis_pipe *p)
{
	struct pollfd fds[LANES + 1] = { [LANES] = { .fd = p->wake, .events = POLLIN } };
	uint64_t count;

	for (int i = 0; i < LANES; i++)
		fds[i] =
			(struct pollfd){ .fd = p->lanes[i].redis->fd, .events = (short)(POLLIN | (p->lanes[i].unwritten ? POLLOUT : 0)) };
	if (poll(fds, LANES + 1, -1) < 0)
		return errno == EINTR;
	if ((fds[LANES].revents & POLLIN) != 0) {
		if (read(p->wake, &count, sizeof(count)) < 0)
			return false;
		send_fresh(p);
	}
	for (int i = 0; i < LANES; i++) {
		if (!serve_lane(&p->lanes[i], fds[i].revents))
			return false;
	}
	return true;
}

static void fail_all(struct queue *q)
{
	struct call *c;

	while ((c = queue_take(q)) != NULL)
		sem_post(&c->done);
}

static void *run(void *arg)
{
	struct bw_redis_pipe *p = arg;

	while (turn(p))
		continue;
	/* Redis is gone: everybody who waits, and everybody who comes, is told so. */
	pthread_mutex_lock(&p->lock);
	p->broken = true;
	if (p->fresh.n > 0)
		fail_all(&p->fresh);
	pthread_mutex_unlock(&p->lock);
	for (int i = 0; i < LANES; i++)
		fail_all(&p->lanes[i].waiting);
	return NULL;
}

/* --- life --- */

static enum bw_err load_script(struct bw_redis_pipe *p, const char *path, struct bw_why *why)
{
	redisContext *redis = redisConnectUnix(path);
	redisReply *reply = redis == NULL || redis->err != 0 ? NULL : redisCommand(redis, "SCRIPT LOAD %s", script);
	bool ok = reply != NULL && reply->type == REDIS_REPLY_STRING && reply->len == SHA_BYTES - 1;

	if (ok)
		bw_slice_copy(bw_slice_of(reply->str), p->sha, sizeof(p->sha));
	enum bw_err err = ok ? BW_OK
	                     : bw_fail(why, BW_ERR_STORE, "%s: Redis does not take the script: %s", path,
	                               redis == NULL ? "no memory" : redis->errstr);

	if (reply != NULL)
		freeReplyObject(reply);
	if (redis != NULL)
		redisFree(redis);
	return err;
}

static enum bw_err open_lanes(struct bw_redis_pipe *p, const char *path, struct bw_why *why)
{
	for (int i = 0; i < LANES; i++) {
		queue_init(&p->lanes[i].waiting);
		p->lanes[i].redis = redisConnectUnixNonBlock(path);
		if (p->lanes[i].redis == NULL || p->lanes[i].redis->err != 0)
			return bw_fail(why, BW_ERR_STORE, "%s: cannot connect to Redis", path);
	}
	return BW_OK;
}

enum bw_err bw_redis_pipe_open(const char *path, struct bw_redis_pipe **out, struct bw_why *why)
{
	struct bw_redis_pipe *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory for the pipe to Redis");
	pthread_mutex_init(&p->lock, NULL);
	queue_init(&p->fresh);
	p->wake = eventfd(0, EFD_CLOEXEC);
	enum bw_err err = load_script(p, path, why);

	if (err == BW_OK)
		err = open_lanes(p, path, why);
	if (err == BW_OK && (p->wake < 0 || pthread_create(&p->thread, NULL, run, p) != 0))
		err = bw_fail(why, BW_ERR_MEMORY, "no thread for the pipe to Redis");
	if (err != BW_OK) {
		for (int i = 0; i < LANES; i++)
			redisFree(p->lanes[i].redis);
		free(p);
		return err;
	}
	pthread_detach(p->thread); /* it ends with the process */
	*out = p;
	return BW_OK;
}
