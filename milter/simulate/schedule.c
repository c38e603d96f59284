#include "schedule.h"

#include <stdlib.h>

void bw_offer_free(struct offer **offer)
{
	struct offer *o = *offer;

	*offer = NULL;
	if (o == NULL)
		return;
	bw_buf_done(&o->head);
	bw_buf_done(&o->body);
	bw_thread_unref(&o->thread);
	free(o->message_id);
	free(o);
}

static bool before(const struct due *a, const struct due *b)
{
	if (a->at_ms != b->at_ms)
		return a->at_ms < b->at_ms;
	if (a->statement->index != b->statement->index)
		return a->statement->index < b->statement->index;
	return a->number < b->number;
}

static bool make_room(struct schedule *s)
{
	size_t room = s->room == 0 ? 64 : 2 * s->room;
	struct due *heap;

	if (s->count < s->room)
		return true;
	heap = realloc(s->heap, room * sizeof(*heap));
	if (heap == NULL)
		return false;
	s->heap = heap;
	s->room = room;
	return true;
}

bool bw_schedule_add(struct schedule *s, const struct due *due)
{
	struct offer *offer = due->offer;

	if (!make_room(s)) {
		bw_offer_free(&offer);
		return false;
	}
	size_t i = s->count++;

	for (; i > 0 && before(due, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = *due;
	return true;
}

bool bw_schedule_take(struct schedule *s, struct due *out)
{
	if (s->count == 0)
		return false;
	*out = s->heap[0];
	const struct due last = s->heap[--s->count];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < s->count) {
		if (child + 1 < s->count && before(&s->heap[child + 1], &s->heap[child]))
			child++;
		if (!before(&s->heap[child], &last))
			break;
		s->heap[i] = s->heap[child];
		i = child;
	}
	s->heap[i] = last;
	return true;
}

void bw_schedule_done(struct schedule *s)
{
	for (size_t i = 0; i < s->count; i++)
		bw_offer_free(&s->heap[i].offer);
	free(s->heap);
	*s = (struct schedule){ 0 };
}
