/* The breaker of one guard and one key (semantics 6): pure steps in time.
 *
 *   closed --over--> open --block time over, and calm--> half-open --clean probation--> closed
 *                      ^------------- a second sender -----'
 *
 * Time passes first (overrides and phases end), then the message counts. No probe is sent: mail that is stopped is
 * still seen, so calm is measured, and a breaker without traffic finds its way to closed by the clock alone.
 */
#include <string.h>

#include "guards.h"

#define JITTER_PERMILLE_MAX 100

int64_t bw_policy_add(int64_t a, int64_t b)
{
	int64_t sum;

	if (!__builtin_add_overflow(a, b, &sum))
		return sum;
	return b > 0 ? INT64_MAX : INT64_MIN;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Doubled by each relapse, at most `block_max_ms`, jitter included. */
static int64_t block_time(const struct bw_breaker_limits *limits, int32_t relapses)
{
	int64_t max = most(limits->block_max_ms, 0);
	int64_t block = least(most(limits->block_ms, 0), max);
	int64_t jitter = least(most(limits->jitter_permille, -JITTER_PERMILLE_MAX), JITTER_PERMILLE_MAX);

	for (; relapses > 0 && block > 0 && block < max; relapses--)
		block = block > max / 2 ? max : block * 2;
	/* In two parts, so that no product overflows. */
	return least(bw_policy_add(block, block / 1000 * jitter + block % 1000 * jitter / 1000), max);
}

static void enter(struct bw_transition *t, enum bw_phase phase, int64_t since_ms, int64_t until_ms, enum bw_event event)
{
	t->next.phase = phase;
	t->next.since_ms = since_ms;
	t->next.until_ms = until_ms;
	t->event = event;
	t->changed = true;
}

static void clear_override(struct bw_breaker *b)
{
	b->override_state = BW_OVERRIDE_NONE;
	b->override_until_ms = 0;
	memset(b->override_owner, 0, sizeof(b->override_owner));
	memset(b->override_reason, 0, sizeof(b->override_reason));
}

static void end_override(struct bw_transition *t, int64_t now_ms)
{
	if (t->next.override_state == BW_OVERRIDE_NONE || t->next.override_until_ms > now_ms)
		return;
	clear_override(&t->next);
	t->changed = true;
}

/* Probation starts when calm began: when the last attempt left the window, or at the end of the block time if that is
 * later. With attempts still in the window, calm is what is measured now. */
static void end_block(const struct bw_breaker_limits *limits, const struct bw_breaker_input *in, struct bw_transition *t)
{
	int64_t since = t->next.until_ms;

	if (in->now_ms < t->next.until_ms || !in->calm)
		return;
	if (in->last_ms != 0)
		since = most(since, least(in->now_ms, bw_policy_add(in->last_ms, limits->window_ms)));
	enter(t, BW_PHASE_HALF_OPEN, since, bw_policy_add(since, limits->window_ms), BW_EVENT_CALM);
}

static void end_probation(const struct bw_breaker_input *in, struct bw_transition *t)
{
	if (in->now_ms < t->next.until_ms)
		return;
	t->next.relapses = 0;
	enter(t, BW_PHASE_CLOSED, t->next.until_ms, 0, BW_EVENT_CLOSED);
}

void bw_breaker_advance(const struct bw_breaker_limits *limits, const struct bw_breaker *record,
                        const struct bw_breaker_input *in, struct bw_transition *out)
{
	*out = (struct bw_transition){ .next = *record };
	end_override(out, in->now_ms);
	if (out->next.phase == BW_PHASE_OPEN)
		end_block(limits, in, out);
	if (out->next.phase == BW_PHASE_HALF_OPEN)
		end_probation(in, out);
}

/* Closed or half-open becomes open. */
static void reopen(const struct bw_breaker_limits *limits, const struct bw_breaker_input *in, enum bw_event event,
                   struct bw_transition *t)
{
	t->next.trips = (int32_t)least((int64_t)most(t->next.trips, 0) + 1, INT32_MAX);
	enter(t, BW_PHASE_OPEN, in->now_ms, bw_policy_add(in->now_ms, block_time(limits, t->next.relapses)), event);
}

static void note_rule(const struct bw_breaker_input *in, struct bw_breaker *b)
{
	b->rule = in->rule;
	b->ordinal = in->ordinal;
	b->limit = in->limit;
}

static void step_closed(const struct bw_breaker_limits *limits, const struct bw_breaker_input *in, struct bw_transition *t)
{
	if (!in->over)
		return;
	note_rule(in, &t->next);
	t->next.relapses = 0;
	reopen(limits, in, BW_EVENT_TRIP, t);
}

/* In probation one sender may write, whatever the guard's limit of senders is; the message that found the breaker calm is
 * that sender's. A budget knows no senders, and a sender's
 * breaker has but one: what would exceed their limits re-opens. A relapse by a second sender keeps the rule
 * of the trip, because it is that rule's calm which ends the block. */
static void step_half_open(const struct bw_breaker_limits *limits, const struct bw_breaker *record,
                           const struct bw_breaker_input *in, struct bw_transition *t)
{
	bool second = record->phase == BW_PHASE_HALF_OPEN && in->phase_senders > 1;
	bool budget = in->over && (in->rule == BW_RULE_LIST_BUDGET || in->rule == BW_RULE_SENDER_RECIPIENTS ||
	                           in->rule == BW_RULE_SENDER_POSTS);

	if (!second && !budget)
		return;
	if (!second)
		note_rule(in, &t->next);
	t->next.relapses = (int32_t)least((int64_t)most(t->next.relapses, 0) + 1, INT32_MAX);
	reopen(limits, in, BW_EVENT_RELAPSE, t);
}

void bw_breaker_step(const struct bw_breaker_limits *limits, const struct bw_breaker *record, const struct bw_breaker_input *in,
                     struct bw_transition *out)
{
	bw_breaker_advance(limits, record, in, out);
	if (out->next.override_state == BW_OVERRIDE_DISABLED)
		return;
	switch (out->next.phase) {
	case BW_PHASE_CLOSED:
		step_closed(limits, in, out);
		break;
	case BW_PHASE_HALF_OPEN:
		step_half_open(limits, record, in, out);
		break;
	case BW_PHASE_OPEN: /* the store counts the attempt; calm is measured, not asked for */
	case BW_PHASE_COUNT:
		break;
	}
}

void bw_breaker_override(const struct bw_breaker *record, enum bw_override value, int64_t now_ms, int64_t until_ms,
                         struct bw_transition *out)
{
	*out = (struct bw_transition){ .next = *record };
	if (value == BW_OVERRIDE_NONE || until_ms <= now_ms) {
		out->changed = record->override_state != BW_OVERRIDE_NONE;
		clear_override(&out->next);
		return;
	}
	out->changed = true;
	out->next.override_state = value;
	out->next.override_until_ms = until_ms;
	out->next.override_owner[BW_OWNER_BYTES - 1] = '\0';
	out->next.override_reason[BW_REASON_BYTES - 1] = '\0';
}
