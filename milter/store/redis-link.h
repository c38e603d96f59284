/* redis-link.h: the way of all threads to Redis: one thread, two connections. Whoever calls puts an exchange into the queue and
 * waits; the thread sends what has gathered in one write, so many callers share a round trip.
 *
 * Layer:   store, inside the redis files only.
 * Threads: bw_redis_link_run() from any thread.
 * Fails:   BW_ERR_STORE at the exchange's deadline, and at once while the lane is known to be down; BW_ERR_MEMORY.
 *
 * A connection that lets a deadline pass is given up with all that waits on it, so an outage costs each waiting call one wait,
 * and later calls none. What Redis did of it all the same does no harm: the calls are idempotent.
 */
#ifndef BW_REDIS_LINK_H
#define BW_REDIS_LINK_H

#include "redis-connection.h"

/* Counting, and everything that may be long, do not stand in each other's way. */
enum bw_redis_lane { BW_REDIS_LANE_COUNTING, BW_REDIS_LANE_OTHER, BW_REDIS_LANE_COUNT };

struct bw_redis_link;

/* Takes the target's strings over, also on failure. Waits for the first attempt to connect, at most a second. */
enum bw_err bw_redis_link_new(struct bw_redis_target *target, struct bw_redis_link **out, struct bw_why *why);
void bw_redis_link_free(struct bw_redis_link **link);
enum bw_err bw_redis_link_run(struct bw_redis_link *link, enum bw_redis_lane lane, struct bw_redis_exchange *x,
                              struct bw_why *why);

#endif
