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

/* The fallback has copies of what was stopped before (mirror). One that somebody has closed since, on another host or after this one
 * was cut off, stays closed; one that the primary has lost altogether, or that tripped here meanwhile, counts. */
static bool is_news(const struct merge *m, const struct bw_breaker *record, const struct bw_breaker *there)
{
	return there->version == 0 || record->since_ms >= m->since_ms || record->override_state != BW_OVERRIDE_NONE;
}

/* The less closed record wins; the primary's may move while we look. */
static enum bw_err merge_breaker(const struct merge *m, const struct bw_breaker_key *key, const struct bw_breaker *record)
{
	struct bw_store *primary = m->g->primary;
	enum bw_err err = BW_ERR_CONFLICT;

	for (int i = 0; i < CAS_TRIES && err == BW_ERR_CONFLICT; i++) {
		struct bw_breaker there, next = *record;

		err = primary->ops->breaker_get(primary, key, &there, NULL);
		if (err != BW_OK || !is_news(m, record, &there) || !bw_store_less_closed(record, &there))
			break;
		next.version = there.version;
		err = primary->ops->breaker_cas(primary, key, &next, NULL);
	}
	return err;
}

static bool each_breaker(void *ctx, const struct bw_breaker_row *row)
{
	struct merge *m = ctx;

	m->err = merge_breaker(m, &row->key, &row->record);
	return m->err == BW_OK;
}

/* --- ledger --- */

struct there {
	bool found;
	enum bw_held_state state;
	int64_t state_ms;
};

static bool note_there(void *ctx, const struct bw_held *row)
{
	*(struct there *)ctx = (struct there){ true, row->state, row->state_ms };
	return false;
}

/* From the state it has there to the one it has here, by the ways that there are: out of waiting, or back into it. */
static enum bw_err follow_state(struct bw_store *primary, const struct bw_held *h, enum bw_held_state there)
{
	const struct bw_store_ops *ops = primary->ops;
	enum bw_err err = BW_OK;

	if (there != BW_HELD_WAITING)
		err = ops->held_return(primary, &h->id, there, h->queue_id, h->state_ms, h->state_by, NULL);
	if (err == BW_OK && h->state != BW_HELD_WAITING)
		err = ops->held_move(primary, &h->id, BW_HELD_WAITING, h->state, h->state_ms, h->state_by, NULL);
	return err;
}

enum bw_err bw_guarded_merge_held(struct bw_store *primary, const struct bw_held *held)
{
	struct bw_held_query query = { .id = held->id };
	struct bw_held waiting = *held;
	struct there there = { .found = false };

	waiting.state = BW_HELD_WAITING;
	enum bw_err err = primary->ops->held_put(primary, &waiting, NULL);

	/* Under another queue id it is there as well: it was put back into the queue since. */
	if (err == BW_OK || err == BW_ERR_EXISTS)
		err = primary->ops->held_each(primary, &query, note_there, &there, NULL);
	/* It may have gone its own way there, later. */
	if (err == BW_OK && there.found && there.state != held->state && held->state_ms >= there.state_ms)
		err = follow_state(primary, held, there.state);
	return err == BW_ERR_CONFLICT ? BW_OK : err;
}

static bool each_held(void *ctx, const struct bw_held *row)
{
	struct merge *m = ctx;

	if (row->held_ms >= m->since_ms || row->state_ms >= m->since_ms)
		m->err = bw_guarded_merge_held(m->g->primary, row);
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
	if (err == BW_OK && m.err == BW_OK)
		err = bw_guarded_merge_orders(g, since_ms);
	return err == BW_OK ? m.err : err;
}

/* --- events --- */

enum { EVENTS_MAX = 10000 };

static bool each_event(void *ctx, const struct bw_event_row *row)
{
	struct merge *m = ctx;

	m->err = m->g->primary->ops->event_add(m->g->primary, row, NULL);
	return m->err == BW_OK;
}

enum bw_err bw_guarded_merge_events(struct bw_guarded *g, int64_t since_ms)
{
	struct merge m = { .g = g, .err = BW_OK };
	enum bw_err err = g->fallback->ops->event_each(g->fallback, since_ms, EVENTS_MAX, each_event, &m, NULL);

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

static bool still_stops(const struct bw_breaker *b, int64_t now_ms)
{
	return (b->phase != BW_PHASE_CLOSED && b->until_ms > now_ms) || b->override_until_ms > now_ms;
}

/* Stopped here, but no longer there: somebody has closed it, and it is closed here too; or the primary was emptied, and learns of it
 * anew. */
static bool each_copy(void *ctx, const struct bw_breaker_row *row)
{
	struct merge *m = ctx;
	struct bw_store *primary = m->g->primary;
	struct bw_breaker there;

	m->err = primary->ops->breaker_get(primary, &row->key, &there, NULL);
	if (m->err != BW_OK || !is_closed(&there))
		return m->err == BW_OK;
	if (there.version == 0 && still_stops(&row->record, m->since_ms))
		m->err = merge_breaker(m, &row->key, &row->record);
	else
		m->err = copy_breaker(m->g->fallback, &row->key, &there);
	return m->err == BW_OK;
}

static void mirror(struct bw_guarded *g)
{
	struct merge m = { .g = g, .err = BW_OK };

	if (g->primary->ops->now(g->primary, &m.since_ms, NULL) != BW_OK)
		return;
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
	bw_guarded_end_orders(g);
}
