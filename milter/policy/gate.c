/* The gate watches one new post: may it reach so many at all? It keeps no breaker, and what it stops never reaches a list. */
#include "guards.h"

/* The first rule that speaks, or NONE. A post to more lists than can be judged is nobody's reply: the lists beyond have
 * no other guard. */
static enum bw_rule gate_rule(const struct bw_case *c)
{
	int64_t limit = c->limits->gate.fanout;
	bool post = !c->counts.reply;

	if (post && c->unconfirmed)
		return BW_RULE_GATE_UNCONFIRMED;
	if (c->lists_cut)
		return BW_RULE_TOO_MANY_LISTS;
	if (post && limit > 0 && c->fanout >= limit && !(c->poster_of_all && c->side == BW_SIDE_MEMBERS))
		return BW_RULE_GATE_FANOUT;
	return BW_RULE_NONE;
}

void bw_policy_judge_gate(const struct bw_case *c, struct bw_finding *out)
{
	enum bw_rule rule = gate_rule(c);

	if (c->limits->gate.mode == BW_MODE_OFF || rule == BW_RULE_NONE)
		return;
	out->action = c->limits->gate.action;
	out->mode = c->limits->gate.mode;
	out->why = bw_policy_explain(c, BW_GUARD_GATE, rule);
	out->why.ordinal = c->fanout;
	out->why.limit = rule == BW_RULE_TOO_MANY_LISTS ? BW_VERDICT_LISTS_MAX : c->limits->gate.fanout;
}
