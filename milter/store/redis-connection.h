/* redis-connection.h: one connection to Redis, non-blocking: connecting, securing (TLS), greeting (AUTH, SELECT, scripts),
 * proving that it answers in time, up; and down, until the next attempt.
 *
 * Layer:   store, inside the redis files only.
 * Threads: the link's thread alone ("Redis contexts never leave their owner thread").
 * Time:    monotonic milliseconds.
 */
#ifndef BW_REDIS_CONNECTION_H
#define BW_REDIS_CONNECTION_H

#include <poll.h>

#include "redis-address.h"
#include "redis-exchange.h"
#include "redis-tls.h"

/* Where to, and as whom. Owned by the link. */
struct bw_redis_target {
	char *name; /* for sentences: "host:port" or the socket's path */
	char *host; /* NULL with a socket */
	int port;
	char *socket;
	int database;
	char *user, *password_file;
	struct bw_redis_tls *tls; /* NULL: without */
	int64_t deadline_ms;
	struct bw_redis_addresses *addresses;
};

enum bw_redis_state { BW_REDIS_DOWN, BW_REDIS_CONNECTING, BW_REDIS_SECURING, BW_REDIS_GREETING, BW_REDIS_PROVING, BW_REDIS_UP };

struct redisContext;

struct bw_redis_connection {
	const struct bw_redis_target *target;
	struct redisContext *redis;
	struct ssl_st *session; /* of TLS, owned by `redis`; NULL: without */
	enum bw_redis_state state;
	int64_t due_ms;                         /* down: of the next attempt; connecting to proving: of giving up */
	int64_t pause_ms;                       /* before the next attempt */
	unsigned seed;                          /* of the jitter */
	bool unwritten;                         /* bytes wait for the socket */
	bool tried;                             /* it was up, or has failed, once */
	bool doubtful;                          /* Redis answers, but refuses writes: perhaps another host is the primary now */
	struct bw_redis_exchange *first, *last; /* sent, in the order of their replies */
	struct bw_why why;                      /* why it is down */
};

void bw_redis_connection_init(struct bw_redis_connection *c, const struct bw_redis_target *target, unsigned seed);
/* Fails what waits. */
void bw_redis_connection_close(struct bw_redis_connection *c, const char *sentence);
/* Only when up. Takes a reference. Written by the next bw_redis_connection_write(). */
void bw_redis_connection_send(struct bw_redis_connection *c, struct bw_redis_exchange *x);
void bw_redis_connection_write(struct bw_redis_connection *c, int64_t now_ms);
/* What to poll for; fd -1 when down. */
struct pollfd bw_redis_connection_poll(const struct bw_redis_connection *c);
/* What poll() said, then what is due by now. */
void bw_redis_connection_ready(struct bw_redis_connection *c, short events, int64_t now_ms);
void bw_redis_connection_step(struct bw_redis_connection *c, int64_t now_ms);
/* When bw_redis_connection_step() has something to do. */
int64_t bw_redis_connection_due(const struct bw_redis_connection *c);

/* The first line of the password file into `out`; "" without a file. */
enum bw_err bw_redis_password(const char *path, char *out, size_t size, struct bw_why *why);

#endif
