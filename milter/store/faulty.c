/* A store that can be told to fail: what scenarios and tests put between themselves and a real one. */
#include <stdatomic.h>
#include <stdlib.h>

#include "bw/store.h"

struct faulty {
	struct bw_store base;
	struct bw_store *inner;
	int64_t deadline_ms;
	_Atomic bool down;
	_Atomic int64_t delay_ms;
};

static struct faulty *faulty_of(struct bw_store *s)
{
	return (struct faulty *)s;
}

/* No time passes: an answer that would be late has failed already. */
static enum bw_err check(struct bw_store *s, struct bw_why *why)
{
	struct faulty *f = faulty_of(s);
	int64_t delay_ms = atomic_load(&f->delay_ms);

	if (atomic_load(&f->down))
		return bw_fail(why, BW_ERR_STORE, "the store is down");
	if (delay_ms > f->deadline_ms)
		return bw_fail(why, BW_ERR_STORE, "the store did not answer within %lld ms", (long long)f->deadline_ms);
	return BW_OK;
}

/* One function of the table: passed on, unless the store is to fail. */
#define PASS(name, parameters, ...)                                            \
	static enum bw_err name parameters                                         \
	{                                                                          \
		struct bw_store *inner = faulty_of(s)->inner;                          \
		enum bw_err err = check(s, why);                                       \
                                                                               \
		return err == BW_OK ? inner->ops->name(inner, __VA_ARGS__, why) : err; \
	}

#define STORE struct bw_store *s
#define WHY   struct bw_why *why

PASS(now, (STORE, int64_t *now_ms, WHY), now_ms)
PASS(count, (STORE, const struct bw_count_in *in, struct bw_count_out *out, size_t n, WHY), in, out, n)
PASS(settle, (STORE, const struct bw_settle_in *in, size_t n, WHY), in, n)
PASS(redirect, (STORE, const struct bw_redirect_in *in, struct bw_redirect_out *out, size_t n, WHY), in, out, n)
PASS(meter, (STORE, const struct bw_meter_in *in, int64_t *totals, size_t n, WHY), in, totals, n)
PASS(breaker_get, (STORE, const struct bw_breaker_key *key, struct bw_breaker *out, WHY), key, out)
PASS(breaker_cas, (STORE, const struct bw_breaker_key *key, const struct bw_breaker *next, WHY), key, next)
PASS(breaker_each, (STORE, int64_t now_ms, int64_t window_ms, bool all, BW_EACH(struct bw_breaker_row), WHY), now_ms, window_ms,
     all, each, ctx)
PASS(setting_put, (STORE, const struct bw_setting_row *row, int64_t *version, WHY), row, version)
PASS(setting_each, (STORE, bool history, BW_EACH(struct bw_setting_row), WHY), history, each, ctx)
PASS(list_put, (STORE, const struct bw_list_row *row, int64_t *version, WHY), row, version)
PASS(list_put_many, (STORE, const struct bw_list_row *rows, size_t n, int64_t *version, WHY), rows, n, version)
PASS(list_learn, (STORE, const struct bw_list_row *rows, enum bw_learn *out, size_t n, WHY), rows, out, n)
PASS(list_each, (STORE, int64_t since_version, BW_EACH(struct bw_list_row), WHY), since_version, each, ctx)
PASS(versions, (STORE, int64_t *settings, int64_t *directory, WHY), settings, directory)
PASS(heartbeat, (STORE, const struct bw_host_row *row, WHY), row)
PASS(host_each, (STORE, int64_t alive_since_ms, BW_EACH(struct bw_host_row), WHY), alive_since_ms, each, ctx)
PASS(held_put, (STORE, const struct bw_held *held, WHY), held)
PASS(held_move,
     (STORE, const struct bw_hash *id, enum bw_held_state from, enum bw_held_state to, int64_t now_ms, struct bw_slice by, WHY),
     id, from, to, now_ms, by)
PASS(held_return,
       (STORE, const struct bw_hash *id, enum bw_held_state from, struct bw_slice queue_id, int64_t now_ms, struct bw_slice by, WHY),
       id, from, queue_id, now_ms, by)
PASS(held_each, (STORE, const struct bw_held_query *query, BW_EACH(struct bw_held), WHY), query, each, ctx)
PASS(order_put, (STORE, const struct bw_order_row *row, const struct bw_order_item *items, size_t n, WHY), row, items, n)
PASS(order_each, (STORE, const struct bw_order_query *query, BW_EACH(struct bw_order_row), WHY), query, each, ctx)
PASS(order_items,
     (STORE, const struct bw_hash *id, int64_t from, int64_t limit, bool pending, BW_EACH(struct bw_order_item), WHY), id, from,
     limit, pending, each, ctx)
PASS(order_move,
     (STORE, const struct bw_hash *id, enum bw_order_state from, enum bw_order_state to, int64_t now_ms, struct bw_slice by,
      struct bw_slice note, WHY),
     id, from, to, now_ms, by, note)
PASS(order_result,
     (STORE, const struct bw_hash *id, int64_t number, enum bw_item_result result, struct bw_slice note, int64_t now_ms, WHY), id,
     number, result, note, now_ms)
PASS(post_put, (STORE, const struct bw_post *posts, size_t n, WHY), posts, n)
PASS(post_each, (STORE, const struct bw_post_query *query, BW_EACH(struct bw_post), WHY), query, each, ctx)
PASS(post_move, (STORE, const struct bw_hash *id, enum bw_post_state to, int64_t now_ms, WHY), id, to, now_ms)
PASS(post_return, (STORE, const struct bw_hash *id, enum bw_post_state to, struct bw_slice queue_id, int64_t now_ms, WHY), id, to, queue_id,
     now_ms)
PASS(event_add, (STORE, const struct bw_event_row *row, WHY), row)
PASS(event_each, (STORE, int64_t since_ms, int64_t limit, BW_EACH(struct bw_event_row), WHY), since_ms, limit, each, ctx)
PASS(expire, (STORE, int64_t now_ms, int64_t memory_ms, WHY), now_ms, memory_ms)
PASS(claim, (STORE, const struct bw_hash *fingerprint, WHY), fingerprint)

static bool degraded(const struct bw_store *s, int64_t *daemons)
{
	const struct bw_store *inner = ((const struct faulty *)s)->inner;

	return inner->ops->degraded(inner, daemons);
}

static void close_store(struct bw_store *s)
{
	bw_store_close(&faulty_of(s)->inner);
	free(s);
}

static const struct bw_store_ops ops = {
	.name = "faulty",
	.close = close_store,
	.now = now,
	.count = count,
	.settle = settle,
	.redirect = redirect,
	.meter = meter,
	.breaker_get = breaker_get,
	.breaker_cas = breaker_cas,
	.breaker_each = breaker_each,
	.setting_put = setting_put,
	.setting_each = setting_each,
	.list_put = list_put,
	.list_each = list_each,
	.versions = versions,
	.heartbeat = heartbeat,
	.list_put_many = list_put_many,
	.list_learn = list_learn,
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
	.claim = claim,
	.degraded = degraded,
};

struct bw_store *bw_store_faulty_new(struct bw_store *inner, int64_t deadline_ms)
{
	struct faulty *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->base.ops = &ops;
	f->inner = inner;
	f->deadline_ms = deadline_ms;
	return &f->base;
}

void bw_store_faulty_set(struct bw_store *faulty, bool down, int64_t delay_ms)
{
	struct faulty *f = faulty_of(faulty);

	atomic_store(&f->down, down);
	atomic_store(&f->delay_ms, delay_ms);
}
