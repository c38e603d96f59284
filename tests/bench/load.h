/* load.h: many connections at once: opens them, keeps them busy, measures.
 *
 * Layer:     bench.
 * Threads:   one; epoll.
 * Time:      monotonic. A message's time starts when it is due (paced) or when its connection is free (else), and ends with the
 *            milter's last answer: a late start counts as waiting.
 * Ownership: bw_load_result's samples belong to the caller: bw_load_result_done().
 * Fails:     with a sentence: no connection, a milter that breaks the protocol or hangs up, the time limit. The result is
 *            incomplete then.
 */
#ifndef BW_BENCH_LOAD_H
#define BW_BENCH_LOAD_H

#include "bw/err.h"
#include "mta.h"
#include "samples.h"

enum { BW_LOAD_PIDS = 8, BW_LOAD_CONNECTIONS_MAX = 20000 };

struct bw_load_options {
	const char *socket;    /* "unix:/path", "/path" or "inet:PORT@HOST" (a numeric address) */
	int64_t connections;   /* that send messages */
	int64_t messages;      /* of each; 0: until `seconds` are over */
	int64_t idle;          /* connections beside them that do nothing */
	int64_t idle_messages; /* of each of those, before they do nothing */
	int64_t rate;          /* messages a second over all connections; 0: as fast as answers come */
	int64_t warmup_ms, measure_ms, limit_ms;
	int pids[BW_LOAD_PIDS]; /* whose CPU time is measured */
	size_t pid_count;
};

struct bw_load_result {
	int64_t by_verdict[BW_MTA_VERDICT_COUNT]; /* of all messages, warm-up included */
	int64_t idle;                             /* connections open and idle */
	int64_t connect_ns;                       /* until all connections were ready */
	int64_t measured_ns;                      /* the window that the samples are from */
	int64_t cpu_ns;                           /* of the processes, in that window */
	uint32_t steps;                           /* negotiated last */
	struct bw_samples samples;                /* of messages that ended in that window */
};

struct bw_load;

enum bw_err bw_load_run(const struct bw_plan *plan, const struct bw_load_options *options, struct bw_load **load,
                        struct bw_load_result *result, struct bw_why *why);
/* Says good-bye and closes; until then all connections stay open and idle. */
void bw_load_free(struct bw_load **load);
void bw_load_result_done(struct bw_load_result *result);

#endif
