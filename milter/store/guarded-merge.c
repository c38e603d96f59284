/* What one host decided alone goes back into the shared store: open breakers and ledger entries (semantics 9). */
#include <string.h>

#include "guarded-internal.h"

enum { CAS_TRIES = 5 };

struct merge {
	struct bw_guarded *g;
	int64_t since_ms;
	enum bw_err err;
};

/* --- breakers --- */

/* The less closed record wins; the primary's may move while we look. */
static enum bw_err merge_breaker(struct bw_store *primary, const struct bw_breaker_key *key, const struct bw_breaker *record)
{
	enum bw_err err = BW_ERR_CONFLICT;

	for (int i = 0; i < CAS_TRIES && err == BW_ERR_CONFLICT; i++) {
		struct bw_breaker there, next = *record;

		err = primary->ops->breaker_get(primary, key, &there, NULL);
		if (err != BW_OK || !bw_store_less_closed(record, &there))
			break;
		next.version = there.version;
		err = primary->ops->breaker_cas(primary, key, &next, NULL);
	}
	return err;
}

static bool each_breaker(void *ctx, const struct bw_breaker_row *row)
{
	struct merge *m = ctx;

	m->err = merge_breaker(m->g->primary, &row->key, &row->record);
	return m->err == BW_OK;
}

/* --- ledger --- */

static enum bw_err merge_held(struct bw_store *primary, const struct bw_held *held)
{
	struct bw_held waiting = *held;
	enum bw_err err;

	waiting.state = BW_HELD_WAITING;
	err = primary->ops->held_put(primary, &waiting, NULL);
	if (err == BW_OK && held->state != BW_HELD_WAITING)
		err = primary->ops->held_move(primary, &held->id, BW_HELD_WAITING, held->state, held->state_ms, held->state_by, NULL);
	/* There already, and gone its own way since. */
	return err == BW_ERR_CONFLICT || err == BW_ERR_EXISTS ? BW_OK : err;
}

static bool each_held(void *ctx, const struct bw_held *row)
{
	struct merge *m = ctx;

	if (row->held_ms >= m->since_ms || row->state_ms >= m->since_ms)
		m->err = merge_held(m->g->primary, row);
	return m->err == BW_OK;
}

enum bw_err bw_guarded_merge(struct bw_guarded *g, int64_t since_ms)
{
	struct merge m = { .g = g, .since_ms = since_ms, .err = BW_OK };
	struct bw_store *fallback = g->fallback;
	struct bw_held_query all = { .limit = 0 };
	enum bw_err err = fallback->ops->breaker_each(fallback, 0, 0, false, each_breaker, &m, NULL);

	if (err == BW_OK && m.err == BW_OK)
		err = fallback->ops->held_each(fallback, &all, each_held, &m, NULL);
	return err == BW_OK ? m.err : err;
}

/* --- beforehand: what is stopped stays stopped when the fallback takes over --- */

static bool is_closed(const struct bw_breaker *b)
{
	return b->phase == BW_PHASE_CLOSED && b->override_state == BW_OVERRIDE_NONE;
}

/* Writes `record` unless the fallback has it already. */
static enum bw_err copy_breaker(struct bw_store *fallback, const struct bw_breaker_key *key, const struct bw_breaker *record)
{
	struct bw_breaker there, next = *record;
	enum bw_err err = fallback->ops->breaker_get(fallback, key, &there, NULL);

	next.version = there.version;
	if (err != BW_OK || memcmp(&next, &there, sizeof(next)) == 0)
		return err;
	return fallback->ops->breaker_cas(fallback, key, &next, NULL);
}

static bool each_stopped(void *ctx, const struct bw_breaker_row *row)
{
	struct merge *m = ctx;

	m->err = copy_breaker(m->g->fallback, &row->key, &row->record);
	return m->err == BW_OK;
}

/* Stopped here, but no longer there. */
static bool each_copy(void *ctx, const struct bw_breaker_row *row)
{
	struct merge *m = ctx;
	struct bw_breaker there;

	m->err = m->g->primary->ops->breaker_get(m->g->primary, &row->key, &there, NULL);
	if (m->err == BW_OK && is_closed(&there))
		m->err = copy_breaker(m->g->fallback, &row->key, &there);
	return m->err == BW_OK;
}

static void mirror(struct bw_guarded *g)
{
	struct merge m = { .g = g, .err = BW_OK };

	if (g->primary->ops->breaker_each(g->primary, 0, 0, false, each_stopped, &m, NULL) == BW_OK && m.err == BW_OK)
		(void)g->fallback->ops->breaker_each(g->fallback, 0, 0, false, each_copy, &m, NULL); /* the next look tries again */
}

void bw_store_guarded_mirror(struct bw_store *guarded)
{
	struct bw_guarded *g = (struct bw_guarded *)guarded;

	pthread_mutex_lock(&g->probe);
	if (!atomic_load(&g->degraded))
		mirror(g);
	pthread_mutex_unlock(&g->probe);
}

/* --- afterwards --- */

static bool each_merged(void *ctx, const struct bw_breaker_row *row)
{
	struct bw_guarded *g = ctx;
	struct bw_breaker closed = { .version = row->record.version };

	/* Lost to somebody who steps it now: the next time it is looked at again. */
	(void)g->fallback->ops->breaker_cas(g->fallback, &row->key, &closed, NULL);
	return true;
}

void bw_guarded_forget(struct bw_guarded *g)
{
	(void)g->fallback->ops->breaker_each(g->fallback, 0, 0, false, each_merged, g, NULL);
}
