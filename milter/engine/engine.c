/* The engine's life: its store, its current world, its figures. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

struct bw_engine *bw_engine_new(struct bw_store *store, struct bw_world *world, const struct bw_engine_options *options)
{
	struct bw_engine *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->store = store;
	e->world = world;
	e->options = *options;
	pthread_mutex_init(&e->swap, NULL);
	e->meters = bw_meters_new();
	e->blocked = bw_blocked_new();
	e->room = bw_room_new();
	e->learning = bw_learning_new();
	e->posts = bw_posts_new();
	if (e->meters == NULL || e->blocked == NULL || e->room == NULL || e->learning == NULL || e->posts == NULL) {
		e->world = NULL; /* it stays the caller's */
		bw_engine_free(&e);
	}
	return e;
}

void bw_engine_free(struct bw_engine **engine)
{
	struct bw_engine *e = *engine;

	*engine = NULL;
	if (e == NULL)
		return;
	bw_world_unref(&e->world);
	bw_meters_free(&e->meters);
	bw_blocked_free(&e->blocked);
	bw_room_free(&e->room);
	bw_learning_free(&e->learning);
	bw_posts_free(&e->posts);
	pthread_mutex_destroy(&e->swap);
	free(e);
}

struct bw_world *bw_engine_world(struct bw_engine *e)
{
	/* Held for one increment only: a swap never waits for a message, nor a message for a swap's work. */
	pthread_mutex_lock(&e->swap);
	struct bw_world *world = bw_world_ref(e->world);

	pthread_mutex_unlock(&e->swap);
	return world;
}

void bw_engine_swap(struct bw_engine *e, struct bw_world *world)
{
	pthread_mutex_lock(&e->swap);
	struct bw_world *old = e->world;

	e->world = world;
	pthread_mutex_unlock(&e->swap);
	bw_world_unref(&old);
}

struct bw_room *bw_engine_room(struct bw_engine *e)
{
	return e->room;
}

void bw_engine_set_bypass(struct bw_engine *e, int64_t until_ms)
{
	atomic_store(&e->bypass_until_ms, until_ms);
}

bool bw_engine_bypassed(const struct bw_engine *e, int64_t now_ms)
{
	return now_ms < atomic_load(&e->bypass_until_ms);
}

void bw_engine_note_ordinary(struct bw_engine *e)
{
	atomic_fetch_add_explicit(&e->messages, 1, memory_order_relaxed);
}

void bw_engine_note(struct bw_engine *e, const struct bw_verdict *v)
{
	atomic_fetch_add_explicit(&e->messages, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&e->list_messages, 1, memory_order_relaxed); /* and what was near a limit */
	atomic_fetch_add_explicit(&e->by_action[v->action], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&e->would_by_action[v->would], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&e->deliveries, v->reached, memory_order_relaxed);
	if (v->degraded)
		atomic_fetch_add_explicit(&e->degraded, 1, memory_order_relaxed);
}

void bw_engine_figures(const struct bw_engine *e, struct bw_engine_figures *out)
{
	out->messages = atomic_load(&e->messages);
	out->list_messages = atomic_load(&e->list_messages);
	for (int i = 0; i < BW_ACTION_COUNT; i++) {
		out->by_action[i] = atomic_load(&e->by_action[i]);
		out->would_by_action[i] = atomic_load(&e->would_by_action[i]);
	}
	out->deliveries = atomic_load(&e->deliveries);
	out->degraded = atomic_load(&e->degraded);
	out->learned = atomic_load(&e->learned);
	out->posts_evicted = bw_posts_evicted(e->posts);
}
