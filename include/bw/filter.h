/* filter.h: the front end on libmilter: callbacks translate, they do not decide.
 *
 * Layer:     filter (libmilter is seen only here).
 * Threads:   libmilter keeps the engine in one process-wide place, so there is one filter a process. bw_filter_run() blocks its
 *            thread; the others may be called from any.
 * Fails:     opening says which socket and why; running never fails because of a message or a peer.
 */
#ifndef BW_FILTER_H
#define BW_FILTER_H

#include "bw/engine.h"

/* Registers the callbacks and opens the socket ("unix:/path", "inet:port@host"), before privileges are dropped. A stale Unix
 * socket is removed; `mode`, `owner` and `group` (-1: leave it) are set on it. BW_ERR_IO. */
enum bw_err bw_filter_open(const char *socket, int64_t mode, int64_t owner, int64_t group, struct bw_why *why);
/* Serves until bw_filter_stop(); returns when libmilter has ended. */
enum bw_err bw_filter_run(struct bw_engine *engine, struct bw_why *why);
/* New connections are refused from here on: the MTA's default_action answers for us. */
void bw_filter_refuse(void);
/* Messages between MAIL and their end. */
int64_t bw_filter_open_transactions(void);
void bw_filter_stop(void);

#endif
