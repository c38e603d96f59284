/* The origin guard: mail to a list that claims to be from inside and comes from outside. From: proves nothing either way, so this guard
 * only ever asks for a second look; it starts in shadow, because forwarders and web services do the same in good faith. */
#include "guards.h"

void bw_policy_judge_origin(const struct bw_case *c, struct bw_finding *out)
{
	if (c->limits->origin.mode == BW_MODE_OFF || !c->foreign_origin)
		return;
	out->action = c->limits->origin.action;
	out->mode = c->limits->origin.mode;
	out->why = bw_policy_explain(c, BW_GUARD_ORIGIN, BW_RULE_ORIGIN);
}
