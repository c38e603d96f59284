/* The guards mailbox and capacity: a sum, a limit, no breaker. What they stop may pass when the window has moved on. */
#include "guards.h"

void bw_policy_conclude_one(const struct bw_finding *f, struct bw_opinion *out)
{
	struct bw_verdict *v = &out->verdict;

	if (f->action == BW_ACCEPT)
		return;
	v->would = f->action;
	v->would_why = f->why;
	if (f->mode == BW_MODE_ENFORCE) {
		v->action = f->action;
		v->why = f->why;
	}
}

void bw_policy_judge_mailbox(const struct bw_limits *limits, struct bw_slice mailbox, int64_t messages, struct bw_opinion *out)
{
	const struct bw_finding f = {
		.action = limits->mailbox.action,
		.mode = limits->mailbox.mode,
		.why = { .guard = BW_GUARD_MAILBOX,
		         .rule = BW_RULE_MAILBOX,
		         .ordinal = messages,
		         .limit = limits->mailbox.messages,
		         .window_ms = limits->mailbox.window_ms,
		         .list = mailbox },
	};

	*out = (struct bw_opinion){ 0 };
	if (f.mode != BW_MODE_OFF && f.why.limit > 0 && messages > f.why.limit)
		bw_policy_conclude_one(&f, out);
}

void bw_policy_judge_capacity(const struct bw_limits *limits, int64_t deliveries, int64_t total, struct bw_opinion *out)
{
	const struct bw_finding f = {
		.action = limits->capacity.action,
		.mode = limits->capacity.mode,
		.why = { .guard = BW_GUARD_CAPACITY,
		         .rule = BW_RULE_CAPACITY,
		         .ordinal = total,
		         .limit = limits->capacity.deliveries,
		         .window_ms = limits->capacity.window_ms },
	};

	*out = (struct bw_opinion){ 0 };
	if (f.mode != BW_MODE_OFF && f.why.limit > 0 && total > f.why.limit && total > deliveries)
		bw_policy_conclude_one(&f, out);
}
