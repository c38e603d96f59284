/* Two stores as one: the primary while it answers, the fallback while it does not. The change is made by the first call that
 * fails; the way back is bw_store_guarded_probe(), which the owner calls in the background, so no message ever waits again. */
#include <stdlib.h>

#include "guarded-internal.h"

/* --- live hosts --- */

static bool count_host(void *ctx, const struct bw_host_row *row)
{
	(void)row;
	++*(int64_t *)ctx;
	return true;
}

/* Asked while the primary answers, for the time when it does not. */
static void count_daemons(struct bw_guarded *g)
{
	struct bw_store *primary = g->primary;
	int64_t now_ms, n = 0;

	if (primary->ops->now(primary, &now_ms, NULL) != BW_OK ||
	    primary->ops->host_each(primary, now_ms - BW_STORE_ALIVE_MS, count_host, &n, NULL) != BW_OK)
		return;
	atomic_store(&g->daemons, n > 0 ? n : 1);
}

/* --- from one to the other --- */

static void give_reason(struct bw_guarded *g, const struct bw_why *why)
{
	pthread_mutex_lock(&g->reason_lock);
	g->reason = *why;
	pthread_mutex_unlock(&g->reason_lock);
}

void bw_guarded_degrade(struct bw_guarded *g, const struct bw_why *why)
{
	struct bw_store *fallback = g->fallback;
	int64_t now_ms = 0;

	if (atomic_load(&g->degraded))
		return;
	if (fallback->ops->now(fallback, &now_ms, NULL) == BW_OK)
		atomic_store(&g->since_ms, now_ms);
	give_reason(g, why);
	atomic_store(&g->degraded, true);
}

enum bw_err bw_guarded_tell(enum bw_err err, const struct bw_why *mine, struct bw_why *why)
{
	if (err != BW_OK && why != NULL)
		*why = *mine;
	return err;
}

void bw_store_guarded_reason(struct bw_store *guarded, struct bw_why *out)
{
	struct bw_guarded *g = bw_guarded_of(guarded);

	pthread_mutex_lock(&g->reason_lock);
	*out = g->reason;
	pthread_mutex_unlock(&g->reason_lock);
}

/* A function that both can answer: what one host decides alone is merged later. */
#define EITHER(name, parameters, ...)                                                \
	static enum bw_err name parameters                                               \
	{                                                                                \
		struct bw_guarded *g = bw_guarded_of(s);                                     \
		struct bw_why mine = { "" };                                                 \
                                                                                     \
		if (!atomic_load(&g->degraded)) {                                            \
			enum bw_err err = g->primary->ops->name(g->primary, __VA_ARGS__, &mine); \
                                                                                     \
			if (err != BW_ERR_STORE)                                                 \
				return bw_guarded_tell(err, &mine, why);                             \
			bw_guarded_degrade(g, &mine);                                            \
		}                                                                            \
		return g->fallback->ops->name(g->fallback, __VA_ARGS__, why);                \
	}

/* A function that only the primary can answer: `without` says what is then. */
#define ONLY(without, name, parameters, ...)                                                                                     \
	static enum bw_err name parameters                                                                                      \
	{                                                                                                                       \
		struct bw_guarded *g = bw_guarded_of(s);                                                                            \
		struct bw_why mine = { "" };                                                                                        \
                                                                                                                            \
		if (atomic_load(&g->degraded))                                                                                      \
			return bw_fail(why, BW_ERR_STORE, "the shared store does not answer; " without);                                \
		enum bw_err err = g->primary->ops->name(g->primary, __VA_ARGS__, &mine);                                            \
                                                                                                                            \
		if (err == BW_ERR_STORE)                                                                                            \
			bw_guarded_degrade(g, &mine);                                                                                   \
		return bw_guarded_tell(err, &mine, why);                                                                            \
	}

/* Settings and directory belong to all hosts. */
#define PRIMARY(name, parameters, ...) ONLY("settings and directory stay as they are", name, parameters, __VA_ARGS__)

#define STORE struct bw_store *s
#define WHY   struct bw_why *why

EITHER(now, (STORE, int64_t *now_ms, WHY), now_ms)
EITHER(count, (STORE, const struct bw_count_in *in, struct bw_count_out *out, size_t n, WHY), in, out, n)
EITHER(settle, (STORE, const struct bw_settle_in *in, size_t n, WHY), in, n)
ONLY("nobody knows how many were redirected", redirect,
     (STORE, const struct bw_redirect_in *in, struct bw_redirect_out *out, size_t n, WHY), in, out, n)
EITHER(meter, (STORE, const struct bw_meter_in *in, int64_t *totals, size_t n, WHY), in, totals, n)
EITHER(breaker_get, (STORE, const struct bw_breaker_key *key, struct bw_breaker *out, WHY), key, out)
EITHER(breaker_cas, (STORE, const struct bw_breaker_key *key, const struct bw_breaker *next, WHY), key, next)
EITHER(breaker_each, (STORE, int64_t now_ms, int64_t window_ms, bool all, BW_EACH(struct bw_breaker_row), WHY), now_ms, window_ms,
       all, each, ctx)
EITHER(host_each, (STORE, int64_t alive_since_ms, BW_EACH(struct bw_host_row), WHY), alive_since_ms, each, ctx)
EITHER(held_put, (STORE, const struct bw_held *held, WHY), held)
EITHER(held_move,
       (STORE, const struct bw_hash *id, enum bw_held_state from, enum bw_held_state to, int64_t now_ms, struct bw_slice by, WHY),
       id, from, to, now_ms, by)
EITHER(held_return,
       (STORE, const struct bw_hash *id, enum bw_held_state from, struct bw_slice queue_id, int64_t now_ms, struct bw_slice by, WHY),
       id, from, queue_id, now_ms, by)
EITHER(held_each, (STORE, const struct bw_held_query *query, BW_EACH(struct bw_held), WHY), query, each, ctx)
EITHER(order_put, (STORE, const struct bw_order_row *row, const struct bw_order_item *items, size_t n, WHY), row, items, n)
EITHER(order_each, (STORE, const struct bw_order_query *query, BW_EACH(struct bw_order_row), WHY), query, each, ctx)
EITHER(order_items,
       (STORE, const struct bw_hash *id, int64_t from, int64_t limit, bool pending, BW_EACH(struct bw_order_item), WHY), id, from,
       limit, pending, each, ctx)
EITHER(order_move,
       (STORE, const struct bw_hash *id, enum bw_order_state from, enum bw_order_state to, int64_t now_ms, struct bw_slice by,
        struct bw_slice note, WHY),
       id, from, to, now_ms, by, note)
EITHER(order_result,
       (STORE, const struct bw_hash *id, int64_t number, enum bw_item_result result, struct bw_slice note, int64_t now_ms, WHY), id,
       number, result, note, now_ms)
EITHER(post_put, (STORE, const struct bw_post *posts, size_t n, WHY), posts, n)
EITHER(post_each, (STORE, const struct bw_post_query *query, BW_EACH(struct bw_post), WHY), query, each, ctx)
EITHER(post_move, (STORE, const struct bw_hash *id, enum bw_post_state to, int64_t now_ms, WHY), id, to, now_ms)
EITHER(post_return, (STORE, const struct bw_hash *id, enum bw_post_state to, struct bw_slice queue_id, int64_t now_ms, WHY), id, to, queue_id,
       now_ms)
EITHER(event_add, (STORE, const struct bw_event_row *row, WHY), row)
EITHER(event_each, (STORE, int64_t since_ms, int64_t limit, BW_EACH(struct bw_event_row), WHY), since_ms, limit, each, ctx)
EITHER(expire, (STORE, int64_t now_ms, int64_t memory_ms, WHY), now_ms, memory_ms)
EITHER(heartbeat, (STORE, const struct bw_host_row *row, WHY), row)
PRIMARY(setting_put, (STORE, const struct bw_setting_row *row, int64_t *version, WHY), row, version)
PRIMARY(setting_each, (STORE, bool history, BW_EACH(struct bw_setting_row), WHY), history, each, ctx)
PRIMARY(list_put, (STORE, const struct bw_list_row *row, int64_t *version, WHY), row, version)
PRIMARY(list_put_many, (STORE, const struct bw_list_row *rows, size_t n, int64_t *version, WHY), rows, n, version)
PRIMARY(list_learn, (STORE, const struct bw_list_row *rows, enum bw_learn *out, size_t n, WHY), rows, out, n)
PRIMARY(list_each, (STORE, int64_t since_version, BW_EACH(struct bw_list_row), WHY), since_version, each, ctx)
PRIMARY(versions, (STORE, int64_t *settings, int64_t *directory, WHY), settings, directory)
PRIMARY(claim, (STORE, const struct bw_hash *fingerprint, WHY), fingerprint)

static enum bw_err claim_and_keep(struct bw_store *s, const struct bw_hash *fingerprint, struct bw_why *why)
{
	struct bw_guarded *g = bw_guarded_of(s);

	pthread_mutex_lock(&g->probe);
	g->has_claim = true;
	g->claim = *fingerprint;
	pthread_mutex_unlock(&g->probe);
	return claim(s, fingerprint, why);
}

enum bw_err bw_guarded_count(struct bw_store *s, const struct bw_count_in *in, struct bw_count_out *out, size_t n,
                             struct bw_why *why)
{
	return count(s, in, out, n, why);
}

enum bw_err bw_guarded_breaker_cas(struct bw_store *s, const struct bw_breaker_key *key, const struct bw_breaker *next,
                                   struct bw_why *why)
{
	return breaker_cas(s, key, next, why);
}

static void keep_beat(struct bw_guarded *g, const struct bw_host_row *row)
{
	pthread_mutex_lock(&g->probe);
	g->has_beat = true;
	g->beat = *row;
	g->beat.host = (struct bw_slice){ g->host, bw_slice_copy(row->host, g->host, sizeof(g->host)) };
	g->beat.version = (struct bw_slice){ g->version, bw_slice_copy(row->version, g->version, sizeof(g->version)) };
	pthread_mutex_unlock(&g->probe);
}

static enum bw_err heartbeat_and_count(struct bw_store *s, const struct bw_host_row *row, struct bw_why *why)
{
	keep_beat(bw_guarded_of(s), row);
	enum bw_err err = heartbeat(s, row, why);

	if (err == BW_OK && !atomic_load(&bw_guarded_of(s)->degraded))
		count_daemons(bw_guarded_of(s));
	return err;
}

static bool degraded(const struct bw_store *s, int64_t *daemons)
{
	const struct bw_guarded *g = (const struct bw_guarded *)s;

	if (daemons != NULL)
		*daemons = atomic_load(&g->daemons);
	return atomic_load(&g->degraded);
}

/* --- its life --- */

void bw_guarded_close(struct bw_store *s)
{
	struct bw_guarded *g = bw_guarded_of(s);

	bw_store_close(&g->primary);
	bw_store_close(&g->fallback);
	pthread_mutex_destroy(&g->reason_lock);
	pthread_mutex_destroy(&g->probe);
	pthread_mutex_destroy(&g->copying);
	pthread_mutex_destroy(&g->news_lock);
	free(g);
}

static const struct bw_store_ops ops = {
	.name = "guarded",
	.close = bw_guarded_close,
	.now = now,
	.count = bw_guarded_count,
	.settle = settle,
	.redirect = redirect,
	.meter = meter,
	.breaker_get = breaker_get,
	.breaker_cas = bw_guarded_breaker_cas,
	.breaker_each = breaker_each,
	.setting_put = setting_put,
	.setting_each = setting_each,
	.list_put = list_put,
	.list_put_many = list_put_many,
	.list_learn = list_learn,
	.list_each = list_each,
	.versions = versions,
	.heartbeat = heartbeat_and_count,
	.host_each = host_each,
	.held_put = held_put,
	.held_move = held_move,
	.held_return = held_return,
	.held_each = held_each,
	.order_put = order_put,
	.order_each = order_each,
	.order_items = order_items,
	.order_move = order_move,
	.order_result = order_result,
	.post_put = post_put,
	.post_each = post_each,
	.post_move = post_move,
	.post_return = post_return,
	.event_add = event_add,
	.event_each = event_each,
	.expire = expire,
	.claim = claim_and_keep,
	.degraded = degraded,
};

enum bw_err bw_store_guarded_new(struct bw_store *primary, struct bw_store *fallback, struct bw_store **out, struct bw_why *why)
{
	struct bw_guarded *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory for a guarded store");
	g->ops = ops;
	g->base.ops = &g->ops;
	g->primary = primary;
	g->fallback = fallback;
	atomic_init(&g->daemons, 1);
	pthread_mutex_init(&g->reason_lock, NULL);
	pthread_mutex_init(&g->probe, NULL);
	pthread_mutex_init(&g->copying, NULL);
	pthread_mutex_init(&g->news_lock, NULL);
	count_daemons(g);
	*out = &g->base;
	return BW_OK;
}

/* --- the way back --- */

/* Does it answer, take what is written, and belong to this installation? */
static enum bw_err examine(struct bw_guarded *g, struct bw_why *why)
{
	struct bw_store *primary = g->primary;
	int64_t now_ms;
	enum bw_err err = primary->ops->now(primary, &now_ms, why);

	if (err == BW_OK && g->has_claim)
		err = primary->ops->claim(primary, &g->claim, why);
	if (err == BW_OK && g->has_beat)
		err = primary->ops->heartbeat(primary, &g->beat, why);
	return err;
}

static bool join(struct bw_guarded *g)
{
	int64_t since_ms = atomic_load(&g->since_ms);

	if (bw_guarded_merge(g, since_ms) != BW_OK)
		return false;
	atomic_store(&g->degraded, false);
	/* What the fallback decided while we merged. */
	if (bw_guarded_merge(g, since_ms) != BW_OK || bw_guarded_merge_events(g, since_ms) != BW_OK) {
		atomic_store(&g->degraded, true);
		return false;
	}
	bw_guarded_forget(g);
	return true;
}

static bool recover(struct bw_guarded *g)
{
	struct bw_why why = { "" };

	if (examine(g, &why) != BW_OK) {
		give_reason(g, &why);
		return false;
	}
	if (!g->follows && !join(g))
		return false;
	atomic_store(&g->degraded, false);
	bw_shared_look_at_all(g);
	count_daemons(g);
	return true;
}

void bw_store_guarded_follow(struct bw_store *guarded)
{
	struct bw_guarded *g = bw_guarded_of(guarded);

	pthread_mutex_lock(&g->probe);
	g->follows = true;
	pthread_mutex_unlock(&g->probe);
}

bool bw_store_guarded_probe(struct bw_store *guarded)
{
	struct bw_guarded *g = bw_guarded_of(guarded);

	pthread_mutex_lock(&g->probe);
	bool back = !atomic_load(&g->degraded) || recover(g);

	pthread_mutex_unlock(&g->probe);
	return back;
}
