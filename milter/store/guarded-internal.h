/* guarded-internal.h: the two stores behind a guarded one.
 *
 * Layer:   store, inside the guarded files only.
 * Threads: any; the members that change are atomic.
 */
#ifndef BW_GUARDED_INTERNAL_H
#define BW_GUARDED_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "store-internal.h"

struct bw_guarded {
	struct bw_store base;
	struct bw_store *primary, *fallback;
	_Atomic bool degraded;
	_Atomic int64_t since_ms; /* store time of the fallback when it took over */
	_Atomic int64_t daemons;  /* live hosts, as the primary last said */
	pthread_mutex_t probe;    /* one probe at a time; and the beat below */
	bool has_beat;            /* the owner's last heartbeat: what a probe writes, for reading proves nothing */
	struct bw_host_row beat;
	char host[256], version[64];
};

/* Brings open breakers and ledger entries made since `since_ms` from the fallback into the primary. May be repeated. */
enum bw_err bw_guarded_merge(struct bw_guarded *g, int64_t since_ms);
/* Closes what was merged in the fallback, so that its next turn starts without it. */
void bw_guarded_forget(struct bw_guarded *g);

#endif
