/* daemon.h: what breakwaterd's threads share.
 *
 * Layer:   daemon.
 * Threads: `engine` and `stores` are thread-safe; the rest is set before threads start, but for `stopping`.
 */
#ifndef BW_DAEMON_DAEMON_H
#define BW_DAEMON_DAEMON_H

#include <pthread.h>
#include <stdatomic.h>

#include "bw/engine.h"
#include "bw/stores.h"

struct daemon {
	const char *config_path;
	struct bw_config *config; /* until the world takes it over */
	char host[256];
	int64_t drain_ms;
	void (*at)(enum bw_hold_fault fault); /* NULL but in tests */
	struct bw_key key;
	struct bw_stores stores;
	struct bw_engine *engine;
	int64_t started_ms;
	pthread_t watcher, filter, copier, room;
	atomic_bool stopping, reload;
	atomic_bool recovered; /* a store is back: what changed in it meanwhile is to be read */
};

/* From here on signals wait for bw_daemon_serve(): before the socket listens, and before any thread starts. */
void bw_daemon_block_signals(void);
/* Opens what needs root, gives root up, opens the store and builds the first world. The text of a failure is in `why`. */
enum bw_err bw_daemon_open(struct daemon *d, struct bw_why *why);
/* Serves until a signal asks it to stop. 0, or 1 when libmilter failed. */
int bw_daemon_serve(struct daemon *d);
void bw_daemon_close(struct daemon *d);

/* watch.c: the thread that follows the store, the file and the clock. */
void *bw_watch_run(void *daemon);
/* Reads the configuration file again and swaps worlds; what is wrong is logged and changes nothing. */
void bw_watch_reload_file(struct daemon *d);
void bw_watch_log_skipped(struct bw_buf *skipped);

#endif
