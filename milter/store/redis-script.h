/* redis-script.h: the scripts, embedded at build time (scripts/embed.cmake) with their digests.
 *
 * Layer:   store, inside the redis files only.
 * Threads: constants.
 */
#ifndef BW_REDIS_SCRIPT_H
#define BW_REDIS_SCRIPT_H

#include <stddef.h>

/* In the order of CMakeLists.txt. */
enum bw_redis_script_id {
	BW_REDIS_COUNT,
	BW_REDIS_SETTLE,
	BW_REDIS_REDIRECT,
	BW_REDIS_METER,
	BW_REDIS_BREAKER,
	BW_REDIS_SWEEP,
	BW_REDIS_SETTINGS,
	BW_REDIS_DIRECTORY,
	BW_REDIS_HOSTS,
	BW_REDIS_HELD,
	BW_REDIS_EVENTS,
	BW_REDIS_TIDY,
	BW_REDIS_ORDERS,
	BW_REDIS_POSTS,
	BW_REDIS_SCRIPT_COUNT
};

struct bw_redis_script {
	const char *name;
	const char *sha; /* SHA-1 in hex, as EVALSHA wants it */
	const unsigned char *text;
	size_t n;
};

extern const struct bw_redis_script bw_redis_scripts[BW_REDIS_SCRIPT_COUNT];

#endif
