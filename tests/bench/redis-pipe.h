/* redis-pipe.h: one EVALSHA per call, of any number of threads, over two connections to Redis.
 *
 * The yardstick for a shared store: the least that a milter pays which asks Redis once a message, all threads pipelined.
 *
 * Layer:     bench.
 * Threads:   bw_redis_pipe_call() from any; the connections belong to one thread of the pipe's own.
 * Ownership: bw_redis_pipe_open(); lives until the process ends.
 * Fails:     open says which socket and why; a call says false when Redis is gone or answers something else.
 */
#ifndef BW_BENCH_REDIS_PIPE_H
#define BW_BENCH_REDIS_PIPE_H

#include "bw/err.h"
#include "bw/slice.h"

enum { BW_REDIS_PIPE_NUMBERS = 10 };

struct bw_redis_pipe;

/* `path`: Redis' Unix socket. Loads the script. */
enum bw_err bw_redis_pipe_open(const char *path, struct bw_redis_pipe **out, struct bw_why *why);
/* Increments `key`'s count and reads ten numbers; waits for the answer. */
bool bw_redis_pipe_call(struct bw_redis_pipe *p, const char *key, int64_t numbers[BW_REDIS_PIPE_NUMBERS]);

#endif
