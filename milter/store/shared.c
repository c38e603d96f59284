/* A guarded store of many hosts: what it answers in its own way. The ledger of a hold queue lies on its own host (semantics 8). */
#include <string.h>

#include "bw/clock.h"
#include "guarded-internal.h"

/* --- ledger: here first, the primary learns of it --- */

static void note_news(struct bw_guarded *g, const struct bw_hash *id)
{
	pthread_mutex_lock(&g->news_lock);
	if (g->news_count < BW_GUARDED_NEWS_MAX)
		g->news[(g->news_first + g->news_count++) % BW_GUARDED_NEWS_MAX] = *id;
	else
		g->news_lost = true;
	pthread_mutex_unlock(&g->news_lock);
}

/* Takes the oldest id off the news; false when there is none. */
static bool take_news(struct bw_guarded *g, struct bw_hash *id)
{
	pthread_mutex_lock(&g->news_lock);
	bool is = g->news_count > 0;

	if (is) {
		*id = g->news[g->news_first];
		g->news_first = (g->news_first + 1) % BW_GUARDED_NEWS_MAX;
		g->news_count--;
	}
	pthread_mutex_unlock(&g->news_lock);
	return is;
}

struct copy {
	struct bw_guarded *g;
	int64_t since_ms;
	const _Atomic bool *stop;
	enum bw_err err;
};

static bool stopped(const struct copy *c)
{
	return c->err != BW_OK || (c->stop != NULL && atomic_load(c->stop));
}

static bool copy_held(void *ctx, const struct bw_held *row)
{
	struct copy *c = ctx;

	if (row->held_ms >= c->since_ms || row->state_ms >= c->since_ms)
		c->err = bw_guarded_merge_held(c->g->primary, row);
	return !stopped(c);
}

static void copy_news(struct copy *c)
{
	struct bw_store *local = c->g->fallback;
	struct bw_held_query one = { .limit = 1 };

	while (!stopped(c) && take_news(c->g, &one.id)) {
		if (local->ops->held_each(local, &one, copy_held, c, NULL) != BW_OK)
			c->err = BW_ERR_STORE;
		if (c->err != BW_OK)
			note_news(c->g, &one.id);
	}
}

/* More news than are kept one by one: everything is looked at. */
static bool news_were_lost(struct bw_guarded *g)
{
	pthread_mutex_lock(&g->news_lock);
	bool lost = g->news_lost;

	g->news_lost = false;
	pthread_mutex_unlock(&g->news_lock);
	return lost;
}

static void copy_all(struct copy *c)
{
	struct bw_store *local = c->g->fallback;
	struct bw_held_query all = { .limit = 0 };

	if (local->ops->held_each(local, &all, copy_held, c, NULL) != BW_OK)
		c->err = BW_ERR_STORE;
}

void bw_store_shared_copy(struct bw_store *shared, int64_t since_ms, const _Atomic bool *stop)
{
	struct bw_guarded *g = bw_guarded_of(shared);
	struct copy c = { .g = g, .stop = stop };

	pthread_mutex_lock(&g->copying);
	if (!atomic_load(&g->degraded)) {
		(void)bw_shared_copy_settings(g, stop); /* what fails here is tried again the next time */
		bool lost = news_were_lost(g);

		copy_news(&c);
		c.since_ms = lost ? 0 : since_ms;
		if (since_ms >= 0 || lost)
			copy_all(&c);
		bw_shared_copy_posts(g, c.since_ms, stop);
		if (lost && stopped(&c))
			bw_shared_look_at_all(g);
	}
	pthread_mutex_unlock(&g->copying);
}

/* --- counting: what is known to be stopped asks nobody --- */

enum { ATTEMPTS_A_CALL = 64, LOOK_EVERY_MS = 300 };
#define TEXTS_BYTES ((size_t)ATTEMPTS_A_CALL * (BW_STORE_LIST_BYTES_MAX + 64))

static enum bw_err count(struct bw_store *s, const struct bw_count_in *in, struct bw_count_out *out, size_t n, struct bw_why *why)
{
	struct bw_guarded *g = bw_guarded_of(s);
	int64_t mono_ms = bw_clock_monotonic_ms();
	bool shared = !atomic_load(&g->degraded);

	if (shared && n == 1 && bw_known_answer(g->known, in, mono_ms, out))
		return BW_OK;
	enum bw_err err = bw_guarded_count(s, in, out, n, why);

	for (size_t i = 0; err == BW_OK && i < n && shared && !atomic_load(&g->degraded); i++)
		bw_known_learn(g->known, &in[i], &out[i], mono_ms);
	return err;
}

/* One's own change is known at once. */
static enum bw_err breaker_cas(struct bw_store *s, const struct bw_breaker_key *key, const struct bw_breaker *next,
                               struct bw_why *why)
{
	struct bw_guarded *g = bw_guarded_of(s);
	struct bw_breaker now = *next;
	enum bw_err err = bw_guarded_breaker_cas(s, key, next, why);

	now.version++; /* as it is stored */
	if (err == BW_OK)
		bw_known_see(g->known, key, &now, bw_clock_monotonic_ms());
	return err;
}

/* An attempt that neither store takes is lost: the breaker it went to is open in any case. */
static void tell_attempts(struct bw_guarded *g)
{
	struct bw_arena *texts = bw_arena_new(TEXTS_BYTES);
	struct bw_count_in in[ATTEMPTS_A_CALL];
	struct bw_count_out out[ATTEMPTS_A_CALL];
	size_t n = texts == NULL ? 0 : ATTEMPTS_A_CALL;

	while (n == ATTEMPTS_A_CALL) {
		n = bw_known_take(g->known, in, ATTEMPTS_A_CALL, texts);
		int64_t mono_ms = bw_clock_monotonic_ms();

		if (n == 0 || bw_guarded_count(&g->base, in, out, n, NULL) != BW_OK)
			break;
		for (size_t i = 0; i < n && !atomic_load(&g->degraded); i++)
			bw_known_learn(g->known, &in[i], &out[i], mono_ms);
	}
	bw_arena_free(&texts);
}

struct look {
	struct bw_known *known;
	int64_t mono_ms;
};

static bool see(void *ctx, const struct bw_breaker_row *row)
{
	const struct look *l = ctx;

	bw_known_see(l->known, &row->key, &row->record, l->mono_ms);
	return true;
}

void bw_store_shared_look(struct bw_store *shared)
{
	struct bw_guarded *g = bw_guarded_of(shared);
	struct look l = { g->known, bw_clock_monotonic_ms() };

	tell_attempts(g);
	if (atomic_load(&g->degraded)) {
		bw_known_forget(g->known);
		return;
	}
	if (l.mono_ms < atomic_load(&g->next_look_ms) || !bw_known_any(g->known))
		return;
	/* What it no longer names ends by itself, BW_KNOWN_MS after it was last seen. */
	(void)g->primary->ops->breaker_each(g->primary, 0, 0, false, see, &l, NULL);
	int64_t took_ms = bw_clock_monotonic_ms() - l.mono_ms;

	atomic_store(&g->next_look_ms, l.mono_ms + took_ms * 10 + LOOK_EVERY_MS);
}

static enum bw_err held_put(struct bw_store *s, const struct bw_held *held, struct bw_why *why)
{
	struct bw_guarded *g = bw_guarded_of(s);
	enum bw_err err = g->fallback->ops->held_put(g->fallback, held, why);

	if (err == BW_OK)
		note_news(g, &held->id);
	return err;
}

/* At once, for it may be a command that ends now; what the primary does not learn here, the daemon's copying tells it. */
static void tell_primary(struct bw_guarded *g, const struct bw_hash *id)
{
	struct copy c = { .g = g };

	note_news(g, id);
	if (!atomic_load(&g->degraded))
		copy_news(&c);
}

static enum bw_err held_move(struct bw_store *s, const struct bw_hash *id, enum bw_held_state from, enum bw_held_state to,
                             int64_t now_ms, struct bw_slice by, struct bw_why *why)
{
	struct bw_guarded *g = bw_guarded_of(s);
	enum bw_err err = g->fallback->ops->held_move(g->fallback, id, from, to, now_ms, by, why);

	if (err == BW_ERR_NOT_FOUND && !atomic_load(&g->degraded)) /* of another host */
		return g->primary->ops->held_move(g->primary, id, from, to, now_ms, by, why);
	if (err == BW_OK)
		tell_primary(g, id);
	return err;
}

static enum bw_err held_return(struct bw_store *s, const struct bw_hash *id, enum bw_held_state from, struct bw_slice queue_id,
                               int64_t now_ms, struct bw_slice by, struct bw_why *why)
{
	struct bw_guarded *g = bw_guarded_of(s);
	enum bw_err err = g->fallback->ops->held_return(g->fallback, id, from, queue_id, now_ms, by, why);

	if (err == BW_ERR_NOT_FOUND && !atomic_load(&g->degraded))
		return g->primary->ops->held_return(g->primary, id, from, queue_id, now_ms, by, why);
	if (err == BW_OK)
		tell_primary(g, id);
	return err;
}

/* Of all hosts; while the primary is away, of this one. */
static enum bw_err held_each(struct bw_store *s, const struct bw_held_query *query, BW_EACH(struct bw_held), struct bw_why *why)
{
	struct bw_guarded *g = bw_guarded_of(s);
	struct copy news = { .g = g };
	struct bw_why mine = { "" };

	if (!atomic_load(&g->degraded)) {
		copy_news(&news);
		enum bw_err err = g->primary->ops->held_each(g->primary, query, each, ctx, &mine);

		if (err != BW_ERR_STORE)
			return bw_guarded_tell(err, &mine, why);
		bw_guarded_degrade(g, &mine);
	}
	return g->fallback->ops->held_each(g->fallback, query, each, ctx, why);
}

/* --- settings and directory: the primary's; while it is away, the copies --- */

static enum bw_err setting_each(struct bw_store *s, bool history, BW_EACH(struct bw_setting_row), struct bw_why *why)
{
	struct bw_guarded *g = bw_guarded_of(s);
	struct bw_store *from = atomic_load(&g->degraded) ? g->fallback : g->primary;

	return from->ops->setting_each(from, history, each, ctx, why);
}

static enum bw_err list_each(struct bw_store *s, int64_t since_version, BW_EACH(struct bw_list_row), struct bw_why *why)
{
	struct bw_guarded *g = bw_guarded_of(s);
	struct bw_store *from = atomic_load(&g->degraded) ? g->fallback : g->primary;

	return from->ops->list_each(from, since_version, each, ctx, why);
}

/* Versions only grow: a primary that shows lower ones has lost its data, and so may one that shows none (asked about once, for a new
 * installation has none either). */
static bool has_lost(struct bw_guarded *g, int64_t settings, int64_t directory)
{
	if (settings == 0 && directory == 0)
		return !atomic_exchange(&g->was_empty, true) || atomic_load(&g->seen_settings) + atomic_load(&g->seen_directory) > 0;
	atomic_store(&g->was_empty, false);
	return settings < atomic_load(&g->seen_settings) || directory < atomic_load(&g->seen_directory);
}

static enum bw_err primary_versions(struct bw_guarded *g, int64_t *settings, int64_t *directory, struct bw_why *why)
{
	struct bw_store *primary = g->primary;
	enum bw_err err = primary->ops->versions(primary, settings, directory, why);

	/* A daemon's to restore: it has a ledger to bring back as well, and would take for whole what a command had filled. */
	if (err == BW_OK && g->has_claim && has_lost(g, *settings, *directory)) {
		err = bw_shared_restore(g, why);
		bw_shared_look_at_all(g); /* its copy of the ledger is gone too */
		if (err == BW_OK)
			err = primary->ops->versions(primary, settings, directory, why);
	}
	if (err == BW_OK) {
		atomic_store(&g->seen_settings, *settings);
		atomic_store(&g->seen_directory, *directory);
	}
	return err;
}

/* After an outage nobody knows what the primary still has. */
void bw_shared_look_at_all(struct bw_guarded *g)
{
	pthread_mutex_lock(&g->news_lock);
	g->news_lost = true;
	pthread_mutex_unlock(&g->news_lock);
}

static enum bw_err versions(struct bw_store *s, int64_t *settings, int64_t *directory, struct bw_why *why)
{
	struct bw_guarded *g = bw_guarded_of(s);
	struct bw_why mine = { "" };

	if (!atomic_load(&g->degraded)) {
		enum bw_err err = primary_versions(g, settings, directory, &mine);

		if (err != BW_ERR_STORE)
			return bw_guarded_tell(err, &mine, why);
		bw_guarded_degrade(g, &mine);
	}
	return g->fallback->ops->versions(g->fallback, settings, directory, why);
}

/* A daemon starts while the primary is away; the probe that finds it back asks it then. */
static enum bw_err claim(struct bw_store *s, const struct bw_hash *fingerprint, struct bw_why *why)
{
	struct bw_guarded *g = bw_guarded_of(s);
	struct bw_why mine = { "" };

	pthread_mutex_lock(&g->probe);
	g->has_claim = true;
	g->claim = *fingerprint;
	pthread_mutex_unlock(&g->probe);
	enum bw_err err = g->primary->ops->claim(g->primary, fingerprint, &mine);

	if (err == BW_ERR_STORE)
		bw_guarded_degrade(g, &mine);
	else if (err != BW_OK)
		return bw_guarded_tell(err, &mine, why);
	return g->fallback->ops->claim(g->fallback, fingerprint, why);
}

/* Each has its own garbage. */
static enum bw_err expire(struct bw_store *s, int64_t now_ms, int64_t memory_ms, struct bw_why *why)
{
	struct bw_guarded *g = bw_guarded_of(s);
	struct bw_why mine = { "" };
	enum bw_err err = g->fallback->ops->expire(g->fallback, now_ms, memory_ms, why);

	if (atomic_load(&g->degraded))
		return err;
	enum bw_err theirs = g->primary->ops->expire(g->primary, now_ms, memory_ms, &mine);

	if (theirs == BW_ERR_STORE)
		bw_guarded_degrade(g, &mine);
	return err == BW_OK ? bw_guarded_tell(theirs, &mine, why) : err;
}

/* What was held in the last second is known to all before it closes, if the primary is there. */
static void close_store(struct bw_store *s)
{
	struct bw_guarded *g = bw_guarded_of(s);
	struct copy news = { .g = g };

	tell_attempts(g);
	if (!atomic_load(&g->degraded))
		copy_news(&news);
	bw_known_free(&g->known);
	bw_guarded_close(s);
}

enum bw_err bw_store_shared_new(struct bw_store *primary, struct bw_store *local, struct bw_store **out, struct bw_why *why)
{
	struct bw_store *s = NULL;
	struct bw_known *known = bw_known_new();
	enum bw_err err = known == NULL ? bw_fail(why, BW_ERR_MEMORY, "no memory for a shared store")
	                                : bw_store_guarded_new(primary, local, &s, why);

	if (err != BW_OK) {
		bw_known_free(&known);
		return err;
	}
	bw_guarded_of(s)->known = known;
	struct bw_store_ops *ops = &bw_guarded_of(s)->ops;

	ops->name = "shared";
	ops->close = close_store;
	ops->count = count;
	ops->breaker_cas = breaker_cas;
	ops->held_put = held_put;
	ops->held_move = held_move;
	ops->held_return = held_return;
	ops->held_each = held_each;
	ops->setting_each = setting_each;
	ops->list_each = list_each;
	ops->versions = versions;
	ops->expire = expire;
	bw_shared_take_posts(bw_guarded_of(s));
	ops->claim = claim;
	*out = s;
	return BW_OK;
}
