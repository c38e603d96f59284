/* redis-address.h: where Redis is. Names are looked up by a thread of their own, so that nobody waits for DNS; the last good
 * addresses stay in use when a name vanishes.
 *
 * Layer:   store, inside the redis files only.
 * Threads: asked by the link's thread alone.
 */
#ifndef BW_REDIS_ADDRESS_H
#define BW_REDIS_ADDRESS_H

#include "bw/err.h"

#define BW_REDIS_ADDRESS_BYTES 64 /* a numeric address with its zone and a NUL */

struct bw_redis_addresses;

/* Of a name or a numeric address; NULL when memory is out. */
struct bw_redis_addresses *bw_redis_addresses_new(const char *host);
void bw_redis_addresses_free(struct bw_redis_addresses **a);
/* Looks the name up (again), unless that goes on already. */
void bw_redis_addresses_refresh(struct bw_redis_addresses *a);
/* The next address to try. BW_ERR_NOT_FOUND: none is known, `why` says what the resolver said; BW_ERR_STORE: none yet. */
enum bw_err bw_redis_addresses_next(struct bw_redis_addresses *a, char out[BW_REDIS_ADDRESS_BYTES], struct bw_why *why);

#endif
