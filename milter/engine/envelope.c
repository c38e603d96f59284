/* Strip: the lists that stop a message leave its envelope, and it goes on to everybody else. */
#include "internal.h"

static enum bw_action said(const struct bw_opinion *o, bool would)
{
	return would ? o->verdict.would : o->verdict.action;
}

static bool leaves(enum bw_action action)
{
	return action == BW_STRIP || action == BW_REDIRECT;
}

static const struct bw_facts_list *facts_of(const struct trial *t, size_t i)
{
	const struct bw_facts *f = t->facts;

	for (size_t k = 0; k < f->list_count; k++) {
		if (f->lists[k].list == t->lists[i])
			return &f->lists[k];
	}
	return NULL;
}

/* Members of an expanded list, and a list whose bytes the MTA does not know, cannot be taken out. */
static bool can_leave(const struct trial *t, const struct bw_facts_list *fl)
{
	return fl != NULL && !t->facts->recipients_fixed && !fl->named_only && !fl->fixed && fl->rcpts != NULL;
}

static bool any_throttles(const struct trial *t, bool would)
{
	for (size_t i = 0; i < t->n + t->others; i++) {
		if (said(&t->opinions[i], would) == BW_THROTTLE)
			return true;
	}
	return false;
}

enum bw_action bw_envelope_action(const struct trial *t, enum bw_action action, bool would)
{
	int64_t left = t->facts->recipients;

	if (!leaves(action))
		return action;
	/* The strictest action wins, but no other list gets what its guard throttles: the message comes again, and is stripped then. */
	if (any_throttles(t, would))
		return BW_THROTTLE;
	for (size_t i = 0; i < t->n; i++) {
		const struct bw_facts_list *fl = facts_of(t, i);

		if (!leaves(said(&t->opinions[i], would)))
			continue;
		if (said(&t->opinions[i], would) == BW_REDIRECT || !can_leave(t, fl))
			return BW_HOLD;
		left -= fl->rcpt_count;
	}
	return left > 0 ? action : BW_HOLD;
}

bool bw_envelope_reaches(const struct trial *t, size_t i, enum bw_action action, bool would)
{
	return action <= BW_TAG || (leaves(action) && said(&t->opinions[i], would) <= BW_TAG);
}

int64_t bw_envelope_reached(const struct trial *t, enum bw_action action, bool would)
{
	int64_t reached = t->facts->fanout;

	if (action > BW_TAG && !leaves(action))
		return 0;
	for (size_t i = 0; i < t->n; i++) {
		if (!bw_envelope_reaches(t, i, action, would))
			reached -= t->cases[i].deliveries;
	}
	return reached;
}

static void add(struct bw_judgement *j, struct bw_change *changes, enum bw_change_kind kind, const char *name)
{
	changes[j->change_count++] = (struct bw_change){ .kind = kind, .name = name };
}

static size_t spellings(const struct trial *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct bw_facts_list *fl = facts_of(t, i);

		for (const struct bw_facts_rcpt *r = fl == NULL ? NULL : fl->rcpts; r != NULL; r = r->next)
			n++;
	}
	return n;
}

bool bw_envelope_write(struct trial *t, struct bw_judgement *j)
{
	struct bw_change *changes;

	if (!leaves(j->verdict.action))
		return true;
	changes = bw_arena_alloc(t->arena, spellings(t) * sizeof(*changes));
	if (changes == NULL)
		return false;
	for (size_t i = 0; i < t->n; i++) {
		const struct bw_facts_list *fl = facts_of(t, i);

		if (bw_envelope_reaches(t, i, j->verdict.action, false))
			continue;
		for (const struct bw_facts_rcpt *r = fl->rcpts; r != NULL; r = r->next) {
			const char *name = bw_arena_text(t->arena, r->path);

			if (name == NULL)
				return false;
			add(j, changes, BW_CHANGE_RCPT_REMOVE, name);
		}
	}
	j->changes = changes;
	return true;
}
