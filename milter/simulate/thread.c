#include "thread.h"

#include <stdlib.h>
#include <string.h>

bool bw_threads_init(struct threads *t, size_t list_count)
{
	*t = (struct threads){ .list_count = list_count };
	t->newest = calloc(list_count > 0 ? list_count : 1, sizeof(struct thread *));
	return t->newest != NULL;
}

void bw_threads_done(struct threads *t)
{
	for (size_t i = 0; t->newest != NULL && i < t->list_count; i++)
		bw_thread_unref(&t->newest[i]);
	for (size_t i = 0; i < t->by_name.size; i++) {
		struct thread *thread = t->by_name.slots[i].value;

		bw_thread_unref(&thread);
	}
	bw_thread_unref(&t->anywhere);
	bw_map_done(&t->by_name);
	free(t->newest);
	*t = (struct threads){ 0 };
}

struct thread *bw_thread_ref(struct thread *thread)
{
	if (thread != NULL)
		thread->users++;
	return thread;
}

void bw_thread_unref(struct thread **thread)
{
	struct thread *t = *thread;

	*thread = NULL;
	if (t == NULL || --t->users > 0)
		return;
	for (size_t i = 0; i < t->chain_count; i++)
		free(t->chain[i]);
	free(t->subject);
	free(t);
}

static struct thread *thread_new(struct bw_slice subject, struct bw_slice message_id)
{
	struct thread *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->users = 1;
	t->subject = bw_slice_dup(subject);
	t->chain[0] = bw_slice_dup(message_id);
	t->chain_count = 1;
	if (t->subject == NULL || t->chain[0] == NULL)
		bw_thread_unref(&t);
	return t;
}

static void replace(struct thread **slot, struct thread *thread)
{
	(void)bw_thread_ref(thread); /* first: it may be the one that goes */
	bw_thread_unref(slot);
	*slot = thread;
}

static void place_in(struct thread **slot, struct thread *thread)
{
	if (*slot == NULL || thread->went_out || !(*slot)->went_out)
		replace(slot, thread);
}

static void place(struct threads *t, const struct mail_plan *plan, struct thread *thread)
{
	for (size_t i = 0; i < plan->to_count; i++) {
		if (plan->lists[i] != NULL)
			place_in(&t->newest[plan->lists[i]->index], thread);
	}
	place_in(&t->anywhere, thread);
}

struct thread *bw_threads_found(struct threads *t, const struct mail_plan *plan, struct bw_slice subject,
                                struct bw_slice message_id)
{
	struct thread *thread = thread_new(subject, message_id);

	if (thread == NULL)
		return NULL;
	if (plan->thread.n > 0) {
		struct thread *before = bw_map_find(&t->by_name, plan->thread);

		if (bw_map_put(&t->by_name, plan->thread, thread)) {
			(void)bw_thread_ref(thread);
			bw_thread_unref(&before);
		}
	}
	place(t, plan, thread);
	return thread;
}

void bw_threads_went_out(struct threads *t, const struct mail_plan *plan, struct thread *thread)
{
	thread->went_out = true;
	place(t, plan, thread);
}

struct thread *bw_threads_of(const struct threads *t, const struct mail_plan *plan)
{
	if (plan->thread.n > 0)
		return bw_map_find(&t->by_name, plan->thread);
	for (size_t i = 0; i < plan->to_count; i++) {
		if (plan->lists[i] != NULL)
			return t->newest[plan->lists[i]->index];
	}
	return t->anywhere;
}

void bw_thread_answered(struct thread *t, struct bw_slice message_id)
{
	char *id = bw_slice_dup(message_id);

	if (id == NULL)
		return;
	/* Long chains are shortened in the middle, as mail programs do (RFC 5537 3.4.4): the root and the last stay. */
	if (t->chain_count == REFERENCES_KEPT) {
		free(t->chain[1]);
		memmove(&t->chain[1], &t->chain[2], (REFERENCES_KEPT - 2) * sizeof(t->chain[0]));
		t->chain_count--;
	}
	t->chain[t->chain_count++] = id;
}
