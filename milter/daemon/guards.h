/* guards.h: looks after the guarded stores, off the message path.
 *
 * Layer:   daemon.
 * Threads: bw_guards_look() belongs to the watcher, bw_guards_copy() is a thread of its own.
 * Time:    monotonic.
 */
#ifndef BW_DAEMON_GUARDS_H
#define BW_DAEMON_GUARDS_H

#include "daemon.h"

#define BW_GUARDS 2

struct bw_guards {
	struct daemon *d;
	unsigned seed;
	struct {
		bool degraded; /* and it has been said */
		struct bw_why reason;
		int64_t next_probe_ms, next_mirror_ms, next_reason_ms;
	} of[BW_GUARDS];
};

void bw_guards_start(struct bw_guards *g, struct daemon *d);
/* One look at each; to be called ten times a second or so. True: one has just failed or come back. */
bool bw_guards_look(struct bw_guards *g, int64_t monotonic_ms);
/* Does any store of this host stand in for another? */
bool bw_guards_degraded(const struct daemon *d);
/* Thread: copies ledger, settings and directory between this host and the shared store. */
void *bw_guards_copy(void *daemon);

#endif
