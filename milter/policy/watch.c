/* What the conversation and the list guard have in common: checks and a breaker's record become one transition and one
 * finding. */
#include "guards.h"

int64_t bw_policy_window(const struct bw_limits *limits, enum bw_rule rule)
{
	switch (rule) {
	case BW_RULE_CONVERSATION_SENDERS:
	case BW_RULE_CONVERSATION_REPLIES:
		return limits->conversation.window_ms;
	case BW_RULE_CONVERSATION_DAY:
		return BW_POLICY_DAY_MS;
	case BW_RULE_LIST_SENDERS:
	case BW_RULE_LIST_BUDGET:
		return limits->list.window_ms;
	case BW_RULE_SENDER_RECIPIENTS:
	case BW_RULE_SENDER_POSTS:
		return limits->sender.window_ms;
	case BW_RULE_MAILBOX:
		return limits->mailbox.window_ms;
	case BW_RULE_CAPACITY:
		return limits->capacity.window_ms;
	default:
		return 0;
	}
}

enum bw_override bw_policy_override(const struct bw_breaker *record, int64_t now_ms)
{
	return record->override_until_ms > now_ms ? record->override_state : BW_OVERRIDE_NONE;
}

enum bw_phase bw_policy_phase(const struct bw_breaker *record, enum bw_mode mode, int64_t now_ms)
{
	switch (bw_policy_override(record, now_ms)) {
	case BW_OVERRIDE_FORCED_OPEN:
		return BW_PHASE_OPEN;
	case BW_OVERRIDE_DISABLED:
		return BW_PHASE_CLOSED;
	case BW_OVERRIDE_NONE:
	case BW_OVERRIDE_COUNT:
		break;
	}
	return mode == BW_MODE_OFF ? BW_PHASE_CLOSED : record->phase;
}

static void find(const struct bw_case *c, const struct bw_watch *w, enum bw_rule rule, struct bw_finding *out)
{
	*out = (struct bw_finding){ .action = w->action, .mode = w->mode, .why = bw_policy_explain(c, w->guard, rule) };
}

void bw_policy_watch_forced(const struct bw_case *c, const struct bw_watch *w, struct bw_finding *out)
{
	if (bw_policy_override(w->record, c->now_ms) != BW_OVERRIDE_FORCED_OPEN)
		return;
	find(c, w, BW_RULE_FORCED_OPEN, out);
	out->mode = BW_MODE_ENFORCE;
	if (!bw_policy_stops(out->action))
		out->action = BW_HOLD;
	out->why.until_ms = w->record->override_until_ms;
}

static const struct bw_check *first_over(const struct bw_watch *w)
{
	for (size_t i = 0; w->attempt && i < w->check_count; i++) {
		if (w->checks[i].over)
			return &w->checks[i];
	}
	return NULL;
}

/* The check that tripped the breaker: its calm ends the block, its window is the length of the probation. */
static const struct bw_check *tripped_by(const struct bw_watch *w)
{
	for (size_t i = 0; i < w->check_count; i++) {
		if (w->checks[i].rule == w->record->rule)
			return &w->checks[i];
	}
	return &w->checks[0];
}

static void find_figures(const struct bw_case *c, const struct bw_watch *w, const struct bw_check *check,
                         const struct bw_breaker *now, struct bw_finding *out)
{
	find(c, w, check->rule, out);
	out->why.ordinal = check->ordinal;
	out->why.limit = check->limit;
	out->why.window_ms = check->window_ms;
	out->why.since_ms = now->since_ms;
	out->why.until_ms = now->until_ms;
}

static void find_open(const struct bw_case *c, const struct bw_watch *w, const struct bw_breaker *now, struct bw_finding *out)
{
	find(c, w, BW_RULE_BREAKER_OPEN, out);
	out->why.ordinal = now->ordinal;
	out->why.limit = now->limit;
	out->why.window_ms = tripped_by(w)->window_ms;
	out->why.since_ms = now->since_ms;
	out->why.until_ms = now->until_ms;
}

static void find_relapse(const struct bw_case *c, const struct bw_watch *w, const struct bw_breaker *now, struct bw_finding *out)
{
	find(c, w, BW_RULE_PROBATION, out);
	out->why.ordinal = w->phase_senders;
	out->why.limit = 1;
	out->why.window_ms = tripped_by(w)->window_ms;
	out->why.since_ms = w->record->since_ms;
	out->why.until_ms = now->until_ms;
}

/* What an open breaker says to this message. */
static void find_stop(const struct bw_case *c, const struct bw_watch *w, const struct bw_check *over,
                      const struct bw_transition *t, struct bw_finding *out)
{
	bool second = t->event == BW_EVENT_RELAPSE && w->record->phase == BW_PHASE_HALF_OPEN && w->phase_senders > 1;

	if (second)
		find_relapse(c, w, &t->next, out);
	else if (over != NULL && (w->exempt || t->event == BW_EVENT_TRIP || t->event == BW_EVENT_RELAPSE))
		find_figures(c, w, over, &t->next, out);
	else if (!w->exempt)
		find_open(c, w, &t->next, out);
}

static struct bw_breaker_input input(const struct bw_case *c, const struct bw_watch *w, const struct bw_check *over)
{
	struct bw_breaker_input in = {
		.now_ms = c->now_ms,
		.calm = tripped_by(w)->calm,
		.last_ms = w->last_ms,
		.phase_senders = w->attempt ? w->phase_senders : 0,
	};

	if (over != NULL) {
		in.over = true;
		in.rule = over->rule;
		in.ordinal = over->ordinal;
		in.limit = over->limit;
	}
	return in;
}

void bw_policy_watch(const struct bw_case *c, const struct bw_watch *w, struct bw_finding *out, struct bw_transition *next)
{
	const struct bw_breaker_limits limits = {
		.window_ms = tripped_by(w)->window_ms,
		.block_ms = w->block_ms,
		.block_max_ms = w->block_max_ms,
		.jitter_permille = c->jitter_permille,
	};
	const struct bw_check *over = first_over(w);
	const struct bw_breaker_input in = input(c, w, over);

	bw_breaker_step(&limits, w->record, &in, next);
	if (next->next.override_state == BW_OVERRIDE_DISABLED)
		return;
	if (next->next.phase == BW_PHASE_OPEN)
		find_stop(c, w, over, next, out);
	bw_policy_watch_forced(c, w, out);
}
