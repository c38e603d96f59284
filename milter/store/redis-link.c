/* The link's thread: queue, two connections, poll. */
#include "redis-link.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "bw/clock.h"

enum { FIRST_WAIT_MS = 1000, IDLE_MS = 60000 };

/* What callers see of a lane, under the link's lock. */
struct lane {
	bool up, tried;
	struct bw_why why;                      /* when it is not up */
	struct bw_redis_exchange *first, *last; /* to be sent */
};

struct bw_redis_link {
	struct bw_redis_target target;
	struct bw_redis_connection connections[BW_REDIS_LANE_COUNT]; /* the thread's */
	pthread_t thread;
	bool started;
	int wake;             /* eventfd */
	pthread_mutex_t lock; /* of the rest */
	pthread_cond_t tried;
	struct lane lanes[BW_REDIS_LANE_COUNT];
	bool asleep, closing;
};

/* --- the thread --- */

/* Takes what callers queued and tells them how the lanes are; false: the end. */
static bool exchange_news(struct bw_redis_link *link, struct bw_redis_exchange **queues)
{
	pthread_mutex_lock(&link->lock);
	for (int i = 0; i < BW_REDIS_LANE_COUNT; i++) {
		const struct bw_redis_connection *c = &link->connections[i];
		struct lane *lane = &link->lanes[i];

		queues[i] = lane->first;
		lane->first = lane->last = NULL;
		lane->up = c->state == BW_REDIS_UP;
		lane->tried = c->tried;
		if (!lane->up)
			lane->why = c->why;
	}
	link->asleep = true;
	bool goes_on = !link->closing;

	pthread_cond_broadcast(&link->tried);
	pthread_mutex_unlock(&link->lock);
	return goes_on;
}

static void send_queue(struct bw_redis_connection *c, struct bw_redis_exchange *x)
{
	while (x != NULL) {
		struct bw_redis_exchange *next = x->next;

		if (c->state == BW_REDIS_UP)
			bw_redis_connection_send(c, x);
		else
			bw_redis_exchange_finish(x, BW_ERR_STORE, &c->why);
		bw_redis_exchange_unref(&x);
		x = next;
	}
}

static int timeout_of(const struct bw_redis_link *link)
{
	int64_t due_ms = bw_clock_monotonic_ms() + IDLE_MS, now_ms = due_ms - IDLE_MS;

	for (int i = 0; i < BW_REDIS_LANE_COUNT; i++) {
		int64_t one = bw_redis_connection_due(&link->connections[i]);

		due_ms = one < due_ms ? one : due_ms;
	}
	return due_ms <= now_ms ? 0 : (int)(due_ms - now_ms);
}

static void sleep_until_ready(struct bw_redis_link *link, struct pollfd fds[1 + BW_REDIS_LANE_COUNT])
{
	uint64_t n;

	fds[0] = (struct pollfd){ .fd = link->wake, .events = POLLIN };
	for (int i = 0; i < BW_REDIS_LANE_COUNT; i++)
		fds[1 + i] = bw_redis_connection_poll(&link->connections[i]);
	if (poll(fds, 1 + BW_REDIS_LANE_COUNT, timeout_of(link)) < 0)
		memset(fds, 0, sizeof(*fds) * (1 + BW_REDIS_LANE_COUNT));
	pthread_mutex_lock(&link->lock);
	link->asleep = false;
	pthread_mutex_unlock(&link->lock);
	while (fds[0].revents != 0 && read(link->wake, &n, sizeof(n)) < 0 && errno == EINTR)
		continue;
}

/* A write to a server that has just died raises it in the thread that writes; hiredis has no way to ask for EPIPE alone. */
static void block_sigpipe(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void *serve(void *arg)
{
	struct bw_redis_link *link = arg;
	struct bw_redis_exchange *queues[BW_REDIS_LANE_COUNT];
	struct pollfd fds[1 + BW_REDIS_LANE_COUNT];
	bool goes_on = true;

	block_sigpipe();
	while (goes_on) {
		/* Replies that are there count before deadlines that have passed. */
		for (int i = 0; i < BW_REDIS_LANE_COUNT; i++)
			bw_redis_connection_step(&link->connections[i], bw_clock_monotonic_ms());
		goes_on = exchange_news(link, queues);
		for (int i = 0; i < BW_REDIS_LANE_COUNT; i++) {
			send_queue(&link->connections[i], queues[i]);
			bw_redis_connection_write(&link->connections[i], bw_clock_monotonic_ms());
		}
		if (!goes_on)
			break;
		sleep_until_ready(link, fds);
		for (int i = 0; i < BW_REDIS_LANE_COUNT; i++)
			bw_redis_connection_ready(&link->connections[i], fds[1 + i].revents, bw_clock_monotonic_ms());
	}
	for (int i = 0; i < BW_REDIS_LANE_COUNT; i++)
		bw_redis_connection_close(&link->connections[i], "the store is being closed");
	return NULL;
}

/* --- callers --- */

static void wake(struct bw_redis_link *link)
{
	const uint64_t one = 1;

	while (write(link->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

/* False: the lane is down. */
static bool enqueue(struct bw_redis_link *link, struct lane *lane, struct bw_redis_exchange *x, struct bw_why *why)
{
	bool wakes = false;

	pthread_mutex_lock(&link->lock);
	bool up = lane->up && !link->closing;

	if (up) {
		x->next = NULL;
		if (lane->last != NULL)
			lane->last->next = x;
		else
			lane->first = x;
		lane->last = x;
		wakes = link->asleep;
		link->asleep = false; /* one call is enough */
	} else if (why != NULL) {
		*why = lane->why;
	}
	pthread_mutex_unlock(&link->lock);
	if (wakes)
		wake(link);
	return up;
}

enum bw_err bw_redis_link_run(struct bw_redis_link *link, enum bw_redis_lane lane, struct bw_redis_exchange *x,
                              struct bw_why *why)
{
	enum bw_err err = bw_redis_exchange_check(x, why);

	if (err != BW_OK)
		return err;
	bw_redis_exchange_ref(x);
	if (!enqueue(link, &link->lanes[lane], x, why)) {
		struct bw_redis_exchange *mine = x;

		bw_redis_exchange_unref(&mine);
		return BW_ERR_STORE;
	}
	if (!bw_redis_exchange_wait(x))
		return bw_fail(why, BW_ERR_STORE, "redis %s: no answer within %lld ms", link->target.name,
		               (long long)link->target.deadline_ms);
	if (x->err != BW_OK && why != NULL)
		*why = x->why;
	return x->err;
}

/* --- its life --- */

static void wait_for_first_attempt(struct bw_redis_link *link)
{
	int64_t until_ms = bw_clock_monotonic_ms() + FIRST_WAIT_MS;
	struct timespec until = { (time_t)(until_ms / 1000), (long)(until_ms % 1000) * 1000000 };
	int rc = 0;

	pthread_mutex_lock(&link->lock);
	while (rc != ETIMEDOUT && !(link->lanes[0].tried && link->lanes[1].tried))
		rc = pthread_cond_timedwait(&link->tried, &link->lock, &until);
	pthread_mutex_unlock(&link->lock);
}

static void target_done(struct bw_redis_target *t)
{
	bw_redis_addresses_free(&t->addresses);
	free(t->name);
	free(t->host);
	free(t->socket);
	free(t->user);
	free(t->password_file);
	if (t->tls != NULL) {
		free(t->tls->ca);
		free(t->tls->certificate);
		free(t->tls->key);
		free(t->tls->name);
	}
	free(t->tls);
}

static struct bw_redis_link *make(struct bw_redis_target *target)
{
	struct bw_redis_link *link = calloc(1, sizeof(*link));
	pthread_condattr_t monotonic;

	if (link == NULL) {
		target_done(target);
		return NULL;
	}
	link->target = *target;
	link->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&link->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&link->tried, &monotonic);
	pthread_condattr_destroy(&monotonic);
	for (int i = 0; i < BW_REDIS_LANE_COUNT; i++) {
		struct bw_hash seed = bw_hash_random();

		bw_redis_connection_init(&link->connections[i], &link->target,
		                         (unsigned)seed.b[0] << 16 | (unsigned)seed.b[1] << 8 | seed.b[2]);
		link->lanes[i].why = link->connections[i].why;
	}
	return link;
}

enum bw_err bw_redis_link_new(struct bw_redis_target *target, struct bw_redis_link **out, struct bw_why *why)
{
	struct bw_redis_link *link = make(target);

	if (link == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory for the connections to Redis");
	if (link->target.host != NULL)
		link->target.addresses = bw_redis_addresses_new(link->target.host);
	bool complete = link->wake >= 0 && (link->target.host == NULL || link->target.addresses != NULL);

	link->started = complete && pthread_create(&link->thread, NULL, serve, link) == 0;
	if (!link->started) {
		bw_redis_link_free(&link);
		return bw_fail(why, BW_ERR_MEMORY, "no resources for the connections to Redis");
	}
	wait_for_first_attempt(link);
	*out = link;
	return BW_OK;
}

void bw_redis_link_free(struct bw_redis_link **out)
{
	struct bw_redis_link *link = *out;

	*out = NULL;
	if (link == NULL)
		return;
	if (link->started) {
		pthread_mutex_lock(&link->lock);
		link->closing = true;
		pthread_mutex_unlock(&link->lock);
		wake(link);
		pthread_join(link->thread, NULL);
	}
	if (link->wake >= 0)
		close(link->wake);
	pthread_cond_destroy(&link->tried);
	pthread_mutex_destroy(&link->lock);
	target_done(&link->target);
	free(link);
}
