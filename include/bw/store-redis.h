/* store-redis.h: the shared store: one Redis for all hosts of an installation (store.h says what a store promises).
 *
 * Layer:     store.
 * Threads:   as store.h; all threads share two connections, which one thread of the store serves.
 * Time:      the server's, never before the last seen.
 * Fails:     BW_ERR_STORE within `deadline_ms`, whatever Redis does; at once while it is known to be gone. It is looked for in
 *            the background, with growing pauses, and used again as soon as it answers.
 *
 * The ledger is as durable as Redis is set to be (appendonly): it is the copy that all hosts see, a hold queue's own ledger
 * lies on its host.
 */
#ifndef BW_STORE_REDIS_H
#define BW_STORE_REDIS_H

#include "bw/store.h"

struct bw_store_redis_options {
	const char *host;            /* name or address; NULL with a socket */
	int port;                    /* 0: 6379 */
	const char *socket;          /* path of a Unix socket; NULL with a host */
	int database;                /* 0 or more */
	const char *prefix;          /* of every key; NULL: "bw:" */
	const char *user;            /* NULL: the default user */
	const char *password_file;   /* first line; read again at each connection; NULL: no password */
	bool tls;                    /* not with a socket; the rest as files and names, NULL: none */
	const char *tls_ca;          /* file or folder; NULL: the system's */
	const char *tls_certificate, *tls_key;
	const char *tls_name;        /* that Redis's certificate must be for; NULL: the host */
	int64_t deadline_ms;         /* of a call; 0: 50 */
	int64_t (*clock)(void *ctx); /* tests and simulate: in place of the server's time; NULL: none */
	void *clock_ctx;
};

/* Opens the store. Redis need not be there: then calls fail until it is. The options are copied. BW_ERR_INPUT: options that
 * contradict each other, or TLS where there is none; BW_ERR_IO: the password file or a certificate cannot be read; BW_ERR_MEMORY. */
enum bw_err bw_store_redis_open(const struct bw_store_redis_options *options, struct bw_store **out, struct bw_why *why);
/* Only what opening would refuse. */
enum bw_err bw_store_redis_check(const struct bw_store_redis_options *options, struct bw_why *why);

#endif
