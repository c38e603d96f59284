/* What one list says to one message: each guard in the order of the table of semantics 5. */
#include "guards.h"

int64_t bw_policy_share(int64_t limit, int64_t daemons)
{
	if (limit <= 0 || daemons <= 0)
		return limit;
	return limit > daemons ? limit / daemons : 1;
}

bool bw_policy_is_poster(const struct bw_case *c)
{
	return c->poster && c->side == BW_SIDE_MEMBERS;
}

struct bw_explain bw_policy_explain(const struct bw_case *c, enum bw_guard guard, enum bw_rule rule)
{
	return (struct bw_explain){
		.guard = guard,
		.rule = rule,
		.members = c->members,
		.list = c->list,
		.class = c->class,
	};
}

/* A message of an accepted post that comes again, or in pieces, was judged when it first came. */
static bool is_judged_anew(enum bw_seen seen)
{
	switch (seen) {
	case BW_SEEN_DUPLICATE:
	case BW_SEEN_SPLIT:
		return false;
	case BW_SEEN_FRESH:
	case BW_SEEN_RETRY:
	case BW_SEEN_REPLAY:
	case BW_SEEN_COUNT:
		break;
	}
	return true;
}

/* Would a guard of the list itself stop it? What the gate keeps never reached the list, so its slot is given back. */
static bool stops_here(const struct bw_finding *gate, const struct bw_finding *guard)
{
	return bw_policy_stops(guard->action) && !(bw_policy_stops(gate->action) && gate->mode >= guard->mode);
}

void bw_policy_judge(const struct bw_case *c, struct bw_opinion *out)
{
	struct bw_finding findings[4] = { 0 };
	struct bw_finding *gate = &findings[0], *conversation = &findings[1], *list = &findings[2];
	bool anew = is_judged_anew(c->counts.seen);

	*out = (struct bw_opinion){ 0 };
	if (anew)
		bw_policy_judge_gate(c, gate);
	bw_policy_judge_conversation(c, anew, conversation, &out->conversation);
	bw_policy_judge_list(c, anew, gate, list, &out->list);
	out->counted_stop = stops_here(gate, conversation) || stops_here(gate, list);
	if (anew)
		bw_policy_judge_origin(c, &findings[3]);
	bw_policy_conclude(c, findings, 4, out);
}
