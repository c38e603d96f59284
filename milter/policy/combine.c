/* The strictest action wins (semantics 7); among equals the guard that stands first, then the first list. */
#include "guards.h"

bool bw_policy_stricter(enum bw_action a, enum bw_action b)
{
	return a > b;
}

bool bw_policy_stops(enum bw_action action)
{
	return action > BW_TAG;
}

static bool outranks(enum bw_action a, enum bw_guard a_guard, enum bw_action b, enum bw_guard b_guard)
{
	return bw_policy_stricter(a, b) || (a == b && a_guard < b_guard);
}

/* Open is less closed than half-open. */
static enum bw_phase least_closed(enum bw_phase a, enum bw_phase b)
{
	if (a == BW_PHASE_OPEN || b == BW_PHASE_CLOSED)
		return a;
	return b;
}

/* Of trip, relapse, calm, closed, none: the order in which people want to be told. */
static enum bw_event more_important(enum bw_event a, enum bw_event b)
{
	if (a == BW_EVENT_NONE || b == BW_EVENT_NONE)
		return a == BW_EVENT_NONE ? b : a;
	return a < b ? a : b;
}

/* The breaker behind a verdict; for an accepted message and for guards without breaker, the least closed of the list. */
static enum bw_phase breaker_behind(const struct bw_case *c, const struct bw_opinion *o, enum bw_guard guard)
{
	enum bw_phase conversation = bw_policy_phase(&o->conversation.next, c->limits->conversation.mode, c->now_ms);
	enum bw_phase list = bw_policy_phase(&o->list.next, c->limits->list.mode, c->now_ms);

	if (guard == BW_GUARD_CONVERSATION)
		return conversation;
	if (guard == BW_GUARD_LIST)
		return list;
	return least_closed(conversation, list);
}

static void take_finding(const struct bw_finding *f, struct bw_verdict *v)
{
	if (bw_policy_stricter(f->action, v->would)) {
		v->would = f->action;
		v->would_why = f->why;
	}
	if (f->mode == BW_MODE_ENFORCE && bw_policy_stricter(f->action, v->action)) {
		v->action = f->action;
		v->why = f->why;
	}
}

void bw_policy_conclude(const struct bw_case *c, const struct bw_finding *findings, size_t n, struct bw_opinion *out)
{
	struct bw_verdict *v = &out->verdict;

	v->action = v->would = BW_ACCEPT;
	v->why = v->would_why = bw_policy_explain(c, BW_GUARD_NONE, BW_RULE_NONE);
	for (size_t i = 0; i < n; i++) {
		struct bw_finding f = findings[i];

		/* Redirect turns reply-all into reply; what answers nobody waits. */
		if (f.action == BW_REDIRECT && !c->counts.reply) {
			f.action = BW_HOLD;
			f.why.redirect = BW_REDIRECT_NO_REPLY;
		}
		take_finding(&f, v);
	}
	v->breaker = breaker_behind(c, out, v->why.guard);
	v->event = more_important(out->conversation.event, out->list.event);
	v->degraded = c->degraded > 0;
	v->deliveries = c->fanout > c->deliveries ? c->fanout : c->deliveries;
}

static void take_opinion(const struct bw_verdict *o, struct bw_verdict *v)
{
	if (outranks(o->action, o->why.guard, v->action, v->why.guard)) {
		v->action = o->action;
		v->why = o->why;
		v->breaker = o->breaker;
	} else if (v->action == BW_ACCEPT) {
		v->breaker = least_closed(v->breaker, o->breaker);
	}
	if (outranks(o->would, o->would_why.guard, v->would, v->would_why.guard)) {
		v->would = o->would;
		v->would_why = o->would_why;
	}
	v->event = more_important(v->event, o->event);
	v->degraded = v->degraded || o->degraded;
	v->deliveries = o->deliveries > v->deliveries ? o->deliveries : v->deliveries;
}

void bw_policy_combine(const struct bw_opinion *opinions, size_t n, struct bw_verdict *out)
{
	*out = n > 0 ? opinions[0].verdict : (struct bw_verdict){ 0 };
	for (size_t i = 1; i < n; i++)
		take_opinion(&opinions[i].verdict, out);
}
