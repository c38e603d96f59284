#include "bw/pace.h"

#include "bw/clock.h"

/* Rounds grow no further: from there on it is the budget alone. */
enum { ROUND_MOST = 1 << 20 };

#define BUDGET_MOST INT64_C(1000000000000) /* no MTA is near it, and no arithmetic here leaves its range */
#define GAP_MOST    BW_DAY_MS /* one message may be more deliveries than a day's budget */

void bw_pace_start(struct bw_pace *p, int64_t budget, int64_t observe_ms, int64_t now_ms)
{
	if (budget < 1)
		budget = 1;
	*p = (struct bw_pace){ .budget = budget < BUDGET_MOST ? budget : BUDGET_MOST, .observe_ms = observe_ms, .next_ms = now_ms, .round = 1, .left = 1 };
}

enum bw_pace_step bw_pace_next(struct bw_pace *p, int64_t now_ms, bool flare)
{
	p->stopped = p->stopped || flare;
	if (p->stopped)
		return BW_PACE_STOP;
	return now_ms < p->next_ms ? BW_PACE_WAIT : BW_PACE_SEND;
}

/* How long so many deliveries take at this budget, rounded up. */
static int64_t gap(const struct bw_pace *p, int64_t deliveries)
{
	if (deliveries <= 0)
		return 0;
	if (deliveries / p->budget >= GAP_MOST / BW_MINUTE_MS)
		return GAP_MOST;
	return deliveries / p->budget * BW_MINUTE_MS + (deliveries % p->budget * BW_MINUTE_MS + p->budget - 1) / p->budget;
}

/* One that came a little late does not move those after it, so the budget is used as it was given; what comes later than a whole gap
 * makes nothing up: no burst after a pause. */
void bw_pace_sent(struct bw_pace *p, int64_t now_ms, int64_t deliveries)
{
	int64_t wait_ms = gap(p, deliveries);
	int64_t from_ms = p->next_ms <= now_ms && now_ms - p->next_ms < wait_ms ? p->next_ms : now_ms;

	p->sent++;
	p->deliveries += deliveries > 0 ? deliveries : 0;
	p->next_ms = from_ms + wait_ms;
	if (--p->left > 0)
		return;
	p->round = p->round < ROUND_MOST ? 2 * p->round : ROUND_MOST;
	p->left = p->round;
	if (p->next_ms < now_ms + p->observe_ms)
		p->next_ms = now_ms + p->observe_ms;
}
