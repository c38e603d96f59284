/* No TLS: the hiredis that this was built with has none. */
#include "redis-tls.h"

#include <stddef.h>

enum bw_err bw_redis_tls_check(const struct bw_redis_tls *tls, struct bw_why *why)
{
	(void)tls;
	return bw_fail(why, BW_ERR_INPUT,
	               "store.redis_tls: this breakwater was built without TLS (it needs hiredis 1.0 or later with hiredis_ssl, as Debian 13 "
	               "has it); use a Unix socket, a tunnel, or a network of its own");
}

enum bw_err bw_redis_tls_begin(const struct bw_redis_tls *tls, struct redisContext *redis, struct ssl_st **session,
                               struct bw_why *why)
{
	(void)redis;
	(void)session;
	return bw_redis_tls_check(tls, why);
}

enum bw_err bw_redis_tls_go_on(struct ssl_st *session, bool *done, struct bw_why *why)
{
	(void)session;
	(void)done;
	return bw_redis_tls_check(NULL, why);
}

bool bw_redis_tls_wants_read(const struct ssl_st *session)
{
	(void)session;
	return false;
}

const char *bw_redis_tls_reason(const char *otherwise)
{
	return otherwise;
}
