/* Strip and redirect: the lists that stop a message leave its envelope, and it goes on to everybody else; or one person is put in. */
#include <string.h>

#include "internal.h"

bool bw_rcpt_is_plain(struct bw_slice path)
{
	size_t at = bw_slice_find(path, '@');
	bool plain = path.n > 4 && path.p[0] == '<' && path.p[path.n - 1] == '>' && at > 1 && at < path.n - 2;

	for (size_t i = 1; plain && i < path.n - 1; i++) {
		unsigned char c = (unsigned char)path.p[i];

		plain = c > ' ' && c < 0x7F && strchr("\"\\()<>[]:;,%!", c) == NULL && (c != '@' || i == at);
	}
	return plain;
}

enum bw_action bw_envelope_said(const struct bw_opinion *o, bool would)
{
	return would ? o->verdict.would : o->verdict.action;
}

static bool leaves(enum bw_action action)
{
	return action == BW_STRIP || action == BW_REDIRECT;
}

const struct bw_facts_list *bw_envelope_list(const struct trial *t, size_t i)
{
	const struct bw_facts *f = t->facts;

	for (size_t k = 0; k < f->list_count; k++) {
		if (f->lists[k].list == t->lists[i])
			return &f->lists[k];
	}
	return NULL;
}

/* Members of an expanded list, and a list whose bytes the MTA does not know, cannot be taken out. */
bool bw_envelope_can_leave(const struct trial *t, const struct bw_facts_list *fl)
{
	return fl != NULL && !t->facts->recipients_fixed && !fl->named_only && !fl->fixed && fl->rcpts != NULL;
}

static bool any_throttles(const struct trial *t, bool would)
{
	for (size_t i = 0; i < t->n + t->others; i++) {
		if (bw_envelope_said(&t->opinions[i], would) == BW_THROTTLE)
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
		const struct bw_facts_list *fl = bw_envelope_list(t, i);

		if (!leaves(bw_envelope_said(&t->opinions[i], would)))
			continue;
		if (!bw_envelope_can_leave(t, fl))
			return BW_HOLD;
		if (bw_envelope_said(&t->opinions[i], would) == BW_REDIRECT && bw_redirect_target(t, i) == NULL)
			return BW_HOLD;
		left -= fl->rcpt_count;
	}
	left += bw_redirect_new(t, would);
	return left > 0 ? action : BW_HOLD;
}

bool bw_envelope_reaches(const struct trial *t, size_t i, enum bw_action action, bool would)
{
	return action <= BW_TAG || (leaves(action) && bw_envelope_said(&t->opinions[i], would) <= BW_TAG);
}

int64_t bw_envelope_reached(const struct trial *t, enum bw_action action, bool would)
{
	int64_t reached = t->facts->fanout;

	if (action > BW_TAG && !leaves(action))
		return 0;
	for (size_t i = 0; i < t->n; i++) {
		if (!bw_envelope_reaches(t, i, action, would))
			reached -= t->lists[i]->source == BW_SOURCE_LEARNED ? 1 : t->cases[i].deliveries;
	}
	return action == BW_REDIRECT ? reached + bw_redirect_new(t, would) : reached;
}

void bw_change_add(struct change_list *c, const struct bw_change *change)
{
	if (c != NULL && c->n < c->capacity)
		c->at[c->n++] = *change;
}

/* Room for all: each spelling goes and comes back, or somebody else comes; each field goes, and one comes. */
static bool make_room(struct trial *t)
{
	const struct bw_receipts *r = &t->facts->receipts;
	struct change_list *c = &t->changes;
	size_t n = 2;

	for (size_t i = 0; i < t->n; i++) {
		const struct bw_facts_list *fl = bw_envelope_list(t, i);

		for (const struct bw_facts_rcpt *s = fl == NULL ? NULL : fl->rcpts; s != NULL; s = s->next)
			n += 2;
		n += 2;
	}
	for (int i = 0; i < BW_RECEIPT_COUNT; i++)
		n += (size_t)r->count[i];
	c->at = bw_arena_alloc(t->arena, n * sizeof(*c->at));
	c->capacity = c->at == NULL ? 0 : n;
	return c->at != NULL;
}

bool bw_envelope_write(struct trial *t, enum bw_action action)
{
	bool room = make_room(t);

	if (!leaves(action))
		return true;
	for (size_t i = 0; i < t->n && room; i++) {
		if (bw_envelope_reaches(t, i, action, false))
			continue;
		for (const struct bw_facts_rcpt *r = bw_envelope_list(t, i)->rcpts; r != NULL && room; r = r->next) {
			const char *name = bw_arena_text(t->arena, r->path);

			bw_change_add(&t->changes, &(struct bw_change){ BW_CHANGE_RCPT_REMOVE, name, NULL, 0 });
			room = name != NULL;
		}
	}
	if (room && action == BW_REDIRECT)
		bw_redirect_write(t);
	return room;
}
