/* The automaton guard: automatic messages to a list of medium and above, or to an open conversation. They count nowhere
 * else. Delivery status notifications are never discarded, because losing one hides that mail was lost, nor is what a program wrote
 * of its own accord (RFC 3834: auto-generated), which may be an alarm; but they wait:
 * what is counted nowhere must not pass, or a post dressed as a report would be the door to 840,000 mailboxes. */
#include "guards.h"

bool bw_policy_is_counted(enum bw_class class)
{
	switch (class) {
	case BW_CLASS_HUMAN:
	case BW_CLASS_BULK:
	case BW_CLASS_LIST_OUTPUT:
		return true;
	case BW_CLASS_AUTO_REPLY:
	case BW_CLASS_MDN:
	case BW_CLASS_DSN:
	case BW_CLASS_RECALL:
	case BW_CLASS_CALENDAR_REPLY:
	case BW_CLASS_COUNT:
		break;
	}
	return false;
}

static enum bw_action action_of(const struct bw_case *c)
{
	enum bw_action action =
		c->evidence == BW_EVIDENCE_PROTOCOL ? c->limits->automaton.action : c->limits->automaton.weak_action;

	return (c->class == BW_CLASS_DSN || c->auto_generated) && action == BW_DISCARD ? BW_HOLD : action;
}

static void judge_automaton(const struct bw_case *c, bool conversation_open, struct bw_finding *out)
{
	if (c->limits->automaton.mode == BW_MODE_OFF || bw_policy_is_counted(c->class))
		return;
	if (c->tier == BW_TIER_SMALL && !conversation_open)
		return;
	out->action = action_of(c);
	out->mode = c->limits->automaton.mode;
	out->why = bw_policy_explain(c, BW_GUARD_AUTOMATON, BW_RULE_AUTOMATON);
}

/* Where the automaton guard says nothing, a robot's message is a post like any: its size and its lists must pass the gate. */
static void judge_gate(const struct bw_case *c, bool conversation_open, struct bw_finding *out)
{
	struct bw_finding own = { 0 };

	judge_automaton(c, conversation_open, &own);
	if (!bw_policy_stops(own.action) || own.mode != BW_MODE_ENFORCE || c->lists_cut)
		bw_policy_judge_gate(c, out);
}

void bw_policy_judge_automaton(const struct bw_case *c, bool conversation_open, struct bw_opinion *out)
{
	struct bw_finding findings[5] = { 0 }; /* gate, conversation, list, automaton, origin */
	const struct bw_finding no_gate = { 0 };

	*out = (struct bw_opinion){ 0 };
	/* Nothing is counted and no breaker steps; an operator's word holds for automata too. */
	judge_gate(c, conversation_open, &findings[0]);
	bw_policy_judge_conversation(c, false, &findings[1], &out->conversation);
	bw_policy_judge_list(c, false, &no_gate, &findings[2], &out->list);
	judge_automaton(c, conversation_open, &findings[3]);
	bw_policy_judge_origin(c, &findings[4]);
	bw_policy_conclude(c, findings, 5, out);
}
