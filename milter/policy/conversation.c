/* The conversation guard watches the replies to one conversation on one list. Posters neither count here nor are stopped:
 * "please stop replying" must get through. */
#include "guards.h"

enum { CHECK_COUNT = 3 };

/* `n` without this message, whose attempt is in it unless it was there before. */
static int64_t before(int64_t n, bool was_there)
{
	return was_there || n <= 0 ? n : n - 1;
}

static struct bw_check check(enum bw_rule rule, int64_t n, int64_t n_before, int64_t limit, int64_t window_ms)
{
	return (struct bw_check){
		.rule = rule,
		.ordinal = n,
		.limit = limit,
		.window_ms = window_ms,
		.over = limit > 0 && n > limit,
		.calm = limit <= 0 || n_before < limit,
	};
}

/* The thresholds of this message: while the shared store is away, large and medium lists get this host's share of
 * them. Replies to huge lists wait then anyhow, so that a trip still means what it says. */
static struct bw_limits limits_now(const struct bw_case *c)
{
	struct bw_limits l = *c->limits;

	if (c->tier != BW_TIER_LARGE && c->tier != BW_TIER_MEDIUM)
		return l;
	l.conversation.senders = bw_policy_share(l.conversation.senders, c->degraded);
	l.conversation.replies = bw_policy_share(l.conversation.replies, c->degraded);
	l.conversation.day_senders = bw_policy_share(l.conversation.day_senders, c->degraded);
	return l;
}

/* An accepted message sent again: a post like any other for the gate and the list, and no reply here. But into a conversation that
 * was stopped meanwhile it goes no more than a reply does. */
static bool is_replay(const struct bw_case *c)
{
	return c->counts.seen == BW_SEEN_REPLAY && !c->counts.reply;
}

static void measure(const struct bw_case *c, struct bw_check out[CHECK_COUNT])
{
	const struct bw_limits l = limits_now(c);
	const struct bw_counts *n = &c->counts;
	bool absent = bw_policy_is_poster(c) || is_replay(c); /* then nothing of this message is in the counts */
	bool was_there = absent || n->conversation_sender_was_counted;
	int64_t senders_before = before(n->conversation_senders, was_there);
	int64_t enough = l.conversation.reply_senders;

	out[0] = check(BW_RULE_CONVERSATION_SENDERS, n->conversation_senders, senders_before, l.conversation.senders,
	               l.conversation.window_ms);
	out[1] = check(BW_RULE_CONVERSATION_REPLIES, n->conversation_replies, before(n->conversation_replies, absent),
	               l.conversation.replies, l.conversation.window_ms);
	out[1].over = out[1].over && n->conversation_senders >= enough;
	out[1].calm = out[1].calm || senders_before < enough;
	out[2] = check(BW_RULE_CONVERSATION_DAY, n->conversation_day_senders, before(n->conversation_day_senders, was_there),
	               l.conversation.day_senders, BW_POLICY_DAY_MS);
}

/* Without the shared store nobody knows how many replies other hosts let pass: to a huge list none does. */
static void degrade(const struct bw_case *c, enum bw_override state, struct bw_finding *out)
{
	if (c->degraded <= 0 || c->tier != BW_TIER_HUGE || out->action != BW_ACCEPT || state == BW_OVERRIDE_DISABLED)
		return;
	out->action = c->limits->conversation.action;
	out->mode = c->limits->conversation.mode;
	out->why = bw_policy_explain(c, BW_GUARD_CONVERSATION, BW_RULE_DEGRADED);
	out->why.ordinal = c->counts.conversation_replies;
	out->why.window_ms = c->limits->conversation.window_ms;
}

void bw_policy_judge_conversation(const struct bw_case *c, bool counted, struct bw_finding *out, struct bw_transition *next)
{
	struct bw_check checks[CHECK_COUNT];
	bool poster = bw_policy_is_poster(c);
	const struct bw_watch w = {
		.guard = BW_GUARD_CONVERSATION,
		.mode = c->limits->conversation.mode,
		.action = c->limits->conversation.action,
		.block_ms = c->limits->conversation.block_ms,
		.block_max_ms = c->limits->conversation.block_max_ms,
		.record = &c->conversation,
		.checks = checks,
		.check_count = CHECK_COUNT,
		.phase_senders = c->counts.conversation_phase_senders,
		.last_ms = c->counts.conversation_last_ms,
		.attempt = !poster && c->counts.reply,
		.exempt = poster,
	};

	*next = (struct bw_transition){ .next = c->conversation };
	if (!counted || !(c->counts.reply || is_replay(c)) || w.mode == BW_MODE_OFF) {
		bw_policy_watch_forced(c, &w, out);
		return;
	}
	measure(c, checks);
	bw_policy_watch(c, &w, out, next);
	if (w.attempt)
		degrade(c, next->next.override_state, out);
}
