/* The list guard watches posts and replies to one list: distinct senders, because a storm forks into new threads, and
 * deliveries, because one post to 840,000 is 840,000. Posters pass an open list, bound by the budget. */
#include "guards.h"

enum { CHECK_COUNT = 2 };

static int64_t shared(const struct bw_case *c, int64_t limit)
{
	return c->tier == BW_TIER_SMALL ? limit : bw_policy_share(limit, c->degraded);
}

/* Distinct senders in the window. A poster's post counts among them, but it is not what they are limited for. */
static struct bw_check check_senders(const struct bw_case *c)
{
	int64_t limit = shared(c, c->limits->list.senders);
	int64_t senders = c->counts.list_senders;
	int64_t before = c->counts.sender_was_counted || senders <= 0 ? senders : senders - 1;

	return (struct bw_check){
		.rule = BW_RULE_LIST_SENDERS,
		.ordinal = senders,
		.limit = limit,
		.window_ms = c->limits->list.window_ms,
		.over = limit > 0 && senders > limit && !bw_policy_is_poster(c),
		.calm = limit <= 0 || before < limit,
	};
}

/* Deliveries in the window. The store added them on condition, with the whole budget; this host's share of it is
 * compared here. One post always fits. */
static struct bw_check check_budget(const struct bw_case *c, const struct bw_check *senders)
{
	int64_t limit = shared(c, c->limits->list.budget);
	int64_t sum = bw_policy_add(c->counts.list_deliveries, c->deliveries);
	bool fits = c->counts.list_deliveries <= 0 || sum <= limit;

	return (struct bw_check){
		.rule = BW_RULE_LIST_BUDGET,
		.ordinal = sum,
		.limit = limit,
		.window_ms = c->limits->list.window_ms,
		.over = limit > 0 && (!c->counts.budget_ok || (c->degraded > 0 && !fits)),
		.calm = (limit <= 0 || fits) && senders->calm,
	};
}

/* Mail that the gate keeps never reached the list. A gate in shadow keeps nothing from a guard that enforces. */
static bool kept_by(const struct bw_finding *gate, enum bw_mode mode)
{
	return bw_policy_stops(gate->action) && gate->mode >= mode;
}

void bw_policy_judge_list(const struct bw_case *c, bool counted, const struct bw_finding *gate, struct bw_finding *out,
                          struct bw_transition *next)
{
	struct bw_check checks[CHECK_COUNT];
	bool poster = bw_policy_is_poster(c);
	const struct bw_watch w = {
		.guard = BW_GUARD_LIST,
		.mode = c->limits->list.mode,
		.action = c->limits->list.action,
		.block_ms = c->limits->list.block_ms,
		.block_max_ms = c->limits->list.block_max_ms,
		.record = &c->list_breaker,
		.checks = checks,
		.check_count = CHECK_COUNT,
		.phase_senders = poster ? 0 : c->counts.list_phase_senders,
		.last_ms = c->counts.list_last_ms,
		.attempt = !kept_by(gate, c->limits->list.mode),
		.exempt = poster,
	};

	*next = (struct bw_transition){ .next = c->list_breaker };
	if (!counted || w.mode == BW_MODE_OFF) {
		bw_policy_watch_forced(c, &w, out);
		return;
	}
	/* The budget first: it binds posters and probation too, and its calm asks for calm senders as well. */
	checks[1] = check_senders(c);
	checks[0] = check_budget(c, &checks[1]);
	bw_policy_watch(c, &w, out, next);
}
