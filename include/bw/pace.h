/* pace.h: at what pace held mail is let go, so that it does not start the storm again. Numbers only.
 *
 * Layer:     agent.
 * Threads:   pure; a struct bw_pace belongs to its caller.
 * Time:      given.
 * Fails:     never.
 *
 * First one message, the canary; then, after it was watched for a while and nothing happened, two, four, eight ..., each round watched
 * before the next. Within a round messages keep the distance that their deliveries ask for: on average no more than the budget a
 * minute, and one message always fits. A flare-up ends it for good: what is left goes on waiting.
 */
#ifndef BW_PACE_H
#define BW_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct bw_pace {
	int64_t budget;     /* deliveries a minute, 1 or more */
	int64_t observe_ms; /* how long each round is watched */
	int64_t next_ms;    /* nothing goes before it */
	int64_t round, left; /* messages of this round, and how many of them are still to go */
	int64_t sent, deliveries;
	bool stopped;
};

enum bw_pace_step { BW_PACE_SEND, BW_PACE_WAIT, BW_PACE_STOP };

void bw_pace_start(struct bw_pace *p, int64_t budget, int64_t observe_ms, int64_t now_ms);
/* What is to be done at `now_ms`; for BW_PACE_WAIT, p->next_ms says until when. `flare`: the storm is back. */
enum bw_pace_step bw_pace_next(struct bw_pace *p, int64_t now_ms, bool flare);
/* One message went. */
void bw_pace_sent(struct bw_pace *p, int64_t now_ms, int64_t deliveries);

#endif
