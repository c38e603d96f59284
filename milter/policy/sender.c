/* The sender guard watches what one identity sends: a hijacked account writes to thousands, a person does not. Its breaker is the
 * identity's: open, it stops all of its mail until its attempts are calm. */
#include "guards.h"

enum { CHECK_COUNT = 2 };

enum bw_mode bw_policy_sender_mode(const struct bw_limits *limits, enum bw_identity_kind kind, enum bw_client client)
{
	bool watched = kind == BW_IDENTITY_AUTH || kind == BW_IDENTITY_CERT || client == BW_CLIENT_SUBMISSION;

	return watched ? limits->sender.mode : limits->sender.others_mode;
}

static struct bw_check check(const struct bw_sender_case *c, enum bw_rule rule, int64_t own, int64_t total)
{
	int64_t limit = rule == BW_RULE_SENDER_RECIPIENTS ? c->limits->sender.recipients : c->limits->sender.posts;

	return (struct bw_check){
		.rule = rule,
		.ordinal = total,
		.limit = limit,
		.window_ms = c->limits->sender.window_ms,
		.over = limit > 0 && total > limit,
		.calm = limit <= 0 || total - own < limit,
	};
}

/* Who is silent on one count is not calm while the other rages. */
static void measure(const struct bw_sender_case *c, struct bw_check out[CHECK_COUNT])
{
	out[0] = check(c, BW_RULE_SENDER_RECIPIENTS, c->recipients, c->total_recipients);
	out[1] = check(c, BW_RULE_SENDER_POSTS, c->posts, c->total_posts);
	/* A message without a post is no post too many. */
	out[1].over = out[1].over && c->posts > 0;
	out[0].calm = out[1].calm = out[0].calm && out[1].calm;
}

void bw_policy_judge_sender(const struct bw_sender_case *c, struct bw_opinion *out)
{
	struct bw_check checks[CHECK_COUNT];
	struct bw_finding finding = { 0 };
	/* The guards' common parts speak of lists; an identity takes the place of one. */
	const struct bw_case as_list = {
		.now_ms = c->now_ms,
		.limits = c->limits,
		.list = c->who,
		.fanout = c->fanout,
		.jitter_permille = c->jitter_permille,
	};
	const struct bw_watch w = {
		.guard = BW_GUARD_SENDER,
		.mode = c->mode,
		.action = c->limits->sender.action,
		.block_ms = c->limits->sender.block_ms,
		.block_max_ms = c->limits->sender.block_max_ms,
		.record = &c->record,
		.checks = checks,
		.check_count = CHECK_COUNT,
		.attempt = true,
	};

	*out = (struct bw_opinion){ .conversation = { .changed = false }, .list = { .next = c->record } };
	measure(c, checks);
	if (c->mode == BW_MODE_OFF)
		bw_policy_watch_forced(&as_list, &w, &finding);
	else
		bw_policy_watch(&as_list, &w, &finding, &out->list);
	out->counted_stop = bw_policy_stops(finding.action);
	bw_policy_conclude_one(&finding, out);
	out->verdict.breaker = bw_policy_phase(&out->list.next, c->mode, c->now_ms);
	out->verdict.event = out->list.event;
	out->verdict.deliveries = c->fanout;
}

void bw_policy_rest_sender(const struct bw_sender_case *c, struct bw_transition *out)
{
	const struct bw_breaker_limits limits = {
		.window_ms = c->limits->sender.window_ms,
		.block_ms = c->limits->sender.block_ms,
		.block_max_ms = c->limits->sender.block_max_ms,
		.jitter_permille = c->jitter_permille,
	};
	struct bw_check checks[CHECK_COUNT];

	measure(c, checks);
	const struct bw_breaker_input in = { .now_ms = c->now_ms, .calm = checks[0].calm };

	bw_breaker_advance(&limits, &c->record, &in, out);
}
