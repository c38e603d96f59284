/* flare.h: does the storm come back while held mail is let go at a pace? Asked before each message, and every two seconds of a wait.
 *
 * Layer:     agent, on store.
 * Threads:   a struct bw_flare belongs to its caller.
 * Time:      given; store time.
 * Ownership: borrows the store and the caller's list of lists.
 * Fails:     never: a store that does not answer says nothing of calm, so it stops the release.
 *
 * A flare-up is a breaker of one of the lists that has tripped since the release began, or a second person who has written to one
 * while it is stopped. One person is a straggler.
 */
#ifndef BW_FLARE_H
#define BW_FLARE_H

#include "bw/pace.h"
#include "bw/store.h"

struct bw_flare {
	struct bw_store *store;
	int64_t started_ms, looked_ms;
	bool (*is_ours)(void *ctx, struct bw_slice list); /* is mail to it let go? */
	void *ctx;
};

void bw_flare_start(struct bw_flare *f, struct bw_store *store, int64_t now_ms);
/* What is to be done at `now_ms`; for BW_PACE_STOP, `what` is why: "a breaker of all@example.org has tripped". */
enum bw_pace_step bw_flare_next(struct bw_flare *f, struct bw_pace *pace, int64_t now_ms, struct bw_why *what);

#endif
