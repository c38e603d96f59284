/* redis-tls.h: TLS to Redis. Two files keep this contract and CMake takes one of them: redis-tls.c where hiredis 1.0 or later has its
 * library hiredis_ssl, redis-tls-none.c where there is none (0.14).
 *
 * Layer:   store, inside the redis files only; OpenSSL is seen by redis-tls.c alone.
 * Threads: the link's thread; bw_redis_tls_check() any.
 * Time:    none: a handshake never blocks, who polls gives up.
 * Fails:   BW_ERR_INPUT: what is asked for is not to be had; BW_ERR_IO: a file; BW_ERR_STORE: the other side.
 */
#ifndef BW_REDIS_TLS_H
#define BW_REDIS_TLS_H

#include <stdbool.h>

#include "bw/err.h"

struct redisContext;
struct ssl_st;

/* Files are read again at each connection, so renewed ones need no restart. */
struct bw_redis_tls {
	char *ca;                /* file or folder of PEM certificates to trust; NULL: the system's */
	char *certificate, *key; /* this host's, PEM; NULL: none */
	char *name;              /* name or address that Redis's certificate must be for */
};

/* May all of it be used? */
enum bw_err bw_redis_tls_check(const struct bw_redis_tls *tls, struct bw_why *why);
/* Begins on a connected, non-blocking context, which owns the session from then on. */
enum bw_err bw_redis_tls_begin(const struct bw_redis_tls *tls, struct redisContext *redis, struct ssl_st **session,
                               struct bw_why *why);
/* To be called whenever the socket is ready, until `done`. */
enum bw_err bw_redis_tls_go_on(struct ssl_st *session, bool *done, struct bw_why *why);
/* After a call that was not complete: must bytes come in before it can go on? False for NULL, a connection without TLS. */
bool bw_redis_tls_wants_read(const struct ssl_st *session);
/* Why reading or writing failed, as TLS has it; else `otherwise`. */
const char *bw_redis_tls_reason(const char *otherwise);

#endif
