/* One connection: a small automaton moved by poll() and by time. */
#include "redis-connection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bw/clock.h"
#include "redis-compat.h"
#include "redis-reply.h"

enum {
	CONNECT_MS = 1000,   /* until connected and greeted; nobody waits for it */
	PAUSE_FIRST_MS = 40, /* between attempts, doubling from here */
	PAUSE_LONGEST_MS = 1000,
	LOOK_UP_MS = 10, /* between looks whether a name has been resolved */
	PASSWORD_BYTES = 512,
	ELEMENTS_MAX = 1 << 20
};

/* --- down --- */

static void forget(struct bw_redis_connection *c, enum bw_err err)
{
	while (c->first != NULL) {
		struct bw_redis_exchange *x = c->first;

		c->first = x->next;
		bw_redis_exchange_finish(x, err, &c->why);
		bw_redis_exchange_unref(&x);
	}
	c->last = NULL;
}

/* Half to all of the pause: hosts that lost Redis together do not come back together. */
static int64_t jittered(struct bw_redis_connection *c)
{
	return c->pause_ms / 2 + rand_r(&c->seed) % (c->pause_ms / 2 + 1);
}

static void fail(struct bw_redis_connection *c, int64_t now_ms, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void fail(struct bw_redis_connection *c, int64_t now_ms, const char *format, ...)
{
	char sentence[sizeof(c->why.text) - 128];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	bw_fail(&c->why, BW_ERR_STORE, "redis %s: %s", c->target->name, sentence);
	if (c->redis != NULL)
		redisFree(c->redis);
	c->redis = NULL;
	c->session = NULL;
	c->state = BW_REDIS_DOWN;
	c->unwritten = false;
	c->doubtful = false;
	c->tried = true;
	c->due_ms = now_ms + jittered(c);
	c->pause_ms = c->pause_ms * 2 < PAUSE_LONGEST_MS ? c->pause_ms * 2 : PAUSE_LONGEST_MS;
	/* The name may lead elsewhere by now. */
	if (c->target->addresses != NULL)
		bw_redis_addresses_refresh(c->target->addresses);
	forget(c, BW_ERR_STORE);
}

void bw_redis_connection_init(struct bw_redis_connection *c, const struct bw_redis_target *target, unsigned seed)
{
	*c = (struct bw_redis_connection){ .target = target, .pause_ms = PAUSE_FIRST_MS, .seed = seed };
	bw_fail(&c->why, BW_ERR_STORE, "redis %s: not connected yet", target->name);
}

void bw_redis_connection_close(struct bw_redis_connection *c, const char *sentence)
{
	fail(c, 0, "%s", sentence);
}

/* --- connecting --- */

static enum bw_err open_context(struct bw_redis_connection *c)
{
	const struct bw_redis_target *t = c->target;
	char address[BW_REDIS_ADDRESS_BYTES];

	if (t->socket != NULL) {
		c->redis = redisConnectUnixNonBlock(t->socket);
		return BW_OK;
	}
	enum bw_err err = bw_redis_addresses_next(t->addresses, address, &c->why);

	if (err == BW_OK)
		c->redis = redisConnectNonBlock(address, t->port);
	return err;
}

static void connect_now(struct bw_redis_connection *c, int64_t now_ms)
{
	struct bw_why why;

	switch (open_context(c)) {
	case BW_OK:
		break;
	case BW_ERR_STORE:
		c->due_ms = now_ms + LOOK_UP_MS;
		return;
	default:
		why = c->why;
		fail(c, now_ms, "%s", why.text);
		c->why = why;
		return;
	}
	if (c->redis == NULL) {
		fail(c, now_ms, "no memory for a connection");
	} else if (c->redis->err != 0) {
		fail(c, now_ms, "cannot connect: %s", c->redis->errstr);
	} else {
		fcntl(c->redis->fd, F_SETFD, FD_CLOEXEC);
		BW_REDIS_BOUND_ELEMENTS(c->redis, ELEMENTS_MAX);
		c->state = BW_REDIS_CONNECTING;
		c->due_ms = now_ms + CONNECT_MS;
	}
}

/* --- greeting --- */

enum bw_err bw_redis_password(const char *path, char *out, size_t size, struct bw_why *why)
{
	out[0] = '\0';
	if (path == NULL)
		return BW_OK;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);
	int error = errno;

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return bw_fail(why, BW_ERR_IO, "password file %s: %s", path, strerror(error));
	out[n] = '\0';
	out[strcspn(out, "\r\n")] = '\0';
	if (out[0] == '\0')
		return bw_fail(why, BW_ERR_IO, "password file %s: its first line is empty", path);
	return BW_OK;
}

static void add_auth(struct bw_redis_exchange *x, const struct bw_redis_target *t, const char *password)
{
	if (password[0] == '\0')
		return;
	bw_redis_begin(x, t->user != NULL ? 3 : 2);
	bw_redis_add(x, BW_S("AUTH"));
	if (t->user != NULL)
		bw_redis_add_text(x, t->user);
	bw_redis_add_text(x, password);
}

static struct bw_redis_exchange *make_greeting(const struct bw_redis_target *t, struct bw_why *why)
{
	char password[PASSWORD_BYTES];
	struct bw_redis_exchange *x = NULL;

	if (bw_redis_password(t->password_file, password, sizeof(password), why) != BW_OK)
		return NULL;
	x = bw_redis_exchange_new(BW_REDIS_SCRIPT_COUNT + 2);
	if (x != NULL) {
		add_auth(x, t, password);
		if (t->database != 0) {
			bw_redis_begin(x, 2);
			bw_redis_add(x, BW_S("SELECT"));
			bw_redis_add_number(x, t->database);
		}
		for (size_t i = 0; i < BW_REDIS_SCRIPT_COUNT; i++)
			bw_redis_load_script(x, &bw_redis_scripts[i]);
	}
	explicit_bzero(password, sizeof(password));
	if (x == NULL || bw_redis_exchange_check(x, why) != BW_OK) {
		bw_fail(why, BW_ERR_MEMORY, "no memory for the greeting");
		bw_redis_exchange_unref(&x);
	}
	return x;
}

static void send_own(struct bw_redis_connection *c, struct bw_redis_exchange *x, enum bw_redis_state state)
{
	c->state = state;
	x->deadline_ms = c->due_ms;
	bw_redis_connection_send(c, x);
	explicit_bzero(x->bytes.p, x->bytes.n); /* it may hold the password */
	bw_redis_exchange_unref(&x);
}

static void greet(struct bw_redis_connection *c, int64_t now_ms)
{
	struct bw_why why = { "" };
	struct bw_redis_exchange *x = make_greeting(c->target, &why);

	if (x == NULL)
		fail(c, now_ms, "%s", why.text);
	else
		send_own(c, x, BW_REDIS_GREETING);
}

/* It must answer within a call's deadline before calls are sent to it. */
static void prove(struct bw_redis_connection *c, int64_t now_ms)
{
	struct bw_redis_exchange *x = bw_redis_exchange_new(1);

	if (x == NULL) {
		fail(c, now_ms, "no memory for a connection");
		return;
	}
	bw_redis_begin(x, 1);
	bw_redis_add(x, BW_S("PING"));
	c->due_ms = now_ms + c->target->deadline_ms;
	send_own(c, x, BW_REDIS_PROVING);
}

/* A connection's own exchange is complete. */
static void go_on(struct bw_redis_connection *c, const struct bw_redis_exchange *x, int64_t now_ms)
{
	struct bw_why why;

	for (size_t i = 0; i < x->count; i++) {
		if (bw_redis_reply_check(x->commands[i].reply, &why) != BW_OK) {
			fail(c, now_ms, "%s", why.text);
			return;
		}
	}
	if (c->state == BW_REDIS_GREETING)
		prove(c, now_ms);
	else
		c->state = BW_REDIS_UP;
	c->tried = c->tried || c->state == BW_REDIS_UP;
}

static void secure(struct bw_redis_connection *c, int64_t now_ms)
{
	struct bw_why why;
	bool done = false;

	if (bw_redis_tls_go_on(c->session, &done, &why) != BW_OK)
		fail(c, now_ms, "%s", why.text);
	else if (done)
		greet(c, now_ms);
}

static void begin(struct bw_redis_connection *c, int64_t now_ms)
{
	struct bw_why why;

	if (c->target->tls == NULL) {
		greet(c, now_ms);
	} else if (bw_redis_tls_begin(c->target->tls, c->redis, &c->session, &why) != BW_OK) {
		fail(c, now_ms, "%s", why.text);
	} else {
		c->state = BW_REDIS_SECURING;
		secure(c, now_ms);
	}
}

static void connected(struct bw_redis_connection *c, int64_t now_ms)
{
	int error = 0;
	socklen_t n = sizeof(error);

	if (getsockopt(c->redis->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
		error = errno;
	if (error != 0)
		fail(c, now_ms, "cannot connect: %s", strerror(error));
	else
		begin(c, now_ms);
}

/* --- sending and receiving --- */

void bw_redis_connection_send(struct bw_redis_connection *c, struct bw_redis_exchange *x)
{
	if (redisAppendFormattedCommand(c->redis, x->bytes.p, x->bytes.n) != REDIS_OK) {
		bw_redis_exchange_finish(x, BW_ERR_MEMORY, &(struct bw_why){ "no memory for a call to Redis" });
		return;
	}
	bw_redis_exchange_ref(x);
	x->next = NULL;
	if (c->last != NULL && c->first != NULL)
		c->last->next = x;
	else
		c->first = x;
	c->last = x;
	c->unwritten = true;
}

void bw_redis_connection_write(struct bw_redis_connection *c, int64_t now_ms)
{
	int done = 0;

	if (!c->unwritten)
		return;
	if (redisBufferWrite(c->redis, &done) != REDIS_OK)
		fail(c, now_ms, "connection lost: %s", bw_redis_tls_reason(c->redis->errstr));
	else
		c->unwritten = done == 0;
}

static void complete(struct bw_redis_connection *c, int64_t now_ms)
{
	struct bw_redis_exchange *x = c->first;

	c->first = x->next;
	if (c->first == NULL)
		c->last = NULL;
	if (c->state == BW_REDIS_UP)
		bw_redis_exchange_finish(x, BW_OK, NULL);
	else
		go_on(c, x, now_ms);
	bw_redis_exchange_unref(&x);
}

static void take(struct bw_redis_connection *c, struct redisReply *reply, int64_t now_ms)
{
	if (c->first == NULL) {
		freeReplyObject(reply);
		fail(c, now_ms, "it answered what nobody asked");
		return;
	}
	if (bw_redis_reply_is_elsewhere(reply))
		c->doubtful = true;
	else if (c->state == BW_REDIS_UP && reply->type != REDIS_REPLY_ERROR)
		c->pause_ms = PAUSE_FIRST_MS;
	if (bw_redis_exchange_receive(c->first, reply))
		complete(c, now_ms);
}

static void receive(struct bw_redis_connection *c, int64_t now_ms)
{
	void *reply = NULL;

	if (redisBufferRead(c->redis) != REDIS_OK) {
		fail(c, now_ms, "connection lost: %s", bw_redis_tls_reason(c->redis->errstr));
		return;
	}
	do {
		reply = NULL;
		if (redisGetReplyFromReader(c->redis, &reply) != REDIS_OK)
			fail(c, now_ms, "it does not speak its protocol: %s", c->redis->errstr);
		else if (reply != NULL)
			take(c, reply, now_ms);
	} while (reply != NULL && c->redis != NULL);
	if (c->doubtful)
		fail(c, now_ms, "it is no primary (any more); connecting anew");
}

/* --- poll and time --- */

struct pollfd bw_redis_connection_poll(const struct bw_redis_connection *c)
{
	struct pollfd p = { .fd = c->redis == NULL ? -1 : c->redis->fd };

	/* TLS may have to read before it can write. */
	bool writes = (c->unwritten || c->state == BW_REDIS_SECURING) && !bw_redis_tls_wants_read(c->session);

	if (c->state == BW_REDIS_CONNECTING || writes)
		p.events |= POLLOUT;
	if (c->state != BW_REDIS_CONNECTING)
		p.events |= POLLIN;
	return p;
}

void bw_redis_connection_ready(struct bw_redis_connection *c, short events, int64_t now_ms)
{
	if (c->redis == NULL || events == 0)
		return;
	if (c->state == BW_REDIS_CONNECTING)
		connected(c, now_ms);
	else if (c->state == BW_REDIS_SECURING)
		secure(c, now_ms);
	else if ((events & (POLLIN | POLLHUP | POLLERR)) != 0)
		receive(c, now_ms);
}

void bw_redis_connection_step(struct bw_redis_connection *c, int64_t now_ms)
{
	if (bw_redis_connection_due(c) > now_ms)
		return;
	if (c->state == BW_REDIS_DOWN)
		connect_now(c, now_ms);
	else if (c->state == BW_REDIS_CONNECTING)
		fail(c, now_ms, "no connection within %d ms", CONNECT_MS);
	else if (c->state == BW_REDIS_SECURING)
		fail(c, now_ms, "no TLS within %d ms; is this its port for TLS?", CONNECT_MS);
	else
		fail(c, now_ms, "no answer in time (%lld ms)", (long long)c->target->deadline_ms);
}

int64_t bw_redis_connection_due(const struct bw_redis_connection *c)
{
	if (c->state != BW_REDIS_UP)
		return c->due_ms;
	return c->first == NULL ? INT64_MAX : c->first->deadline_ms;
}
