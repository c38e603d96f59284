/* What the daemon does for its meters in the background: hands over, learns what is stopped elsewhere, lets time pass. */
#include "bw/clock.h"
#include "internal.h"

/* What others stop is known here within a second. */
enum { TICK_EVERY_MS = 500, VIRTUAL_TICK_EVERY_MS = BW_METER_SLOT_MS /* a play has one daemon, which knows its own at once */ };

struct listing {
	struct bw_engine *e;
	const struct bw_world *world;
	uint64_t start;
};

static bool see(void *ctx, const struct bw_breaker_row *row)
{
	const struct listing *l = ctx;

	if (row->key.scope == BW_SCOPE_LIST && row->key.side == BW_SIDE_MEMBERS && bw_breaker_is_senders(row->key.list)) {
		struct bw_hash who = bw_hash_slice(bw_world_key(l->world), "sender", row->key.list);

		bw_blocked_listed(l->e->blocked, l->start, &who, row->key.list, &row->record);
	}
	return true;
}

static void list_blocked(struct bw_engine *e, const struct bw_world *world, int64_t now_ms)
{
	struct listing l = { e, world, bw_blocked_start(e->blocked) };

	/* Without the store what was known stays. No window: who attempts is not asked, and costs nothing. */
	if (e->store->ops->breaker_each(e->store, now_ms, 0, false, see, &l, NULL) == BW_OK)
		bw_blocked_end(e->blocked, l.start);
}

static void rest_blocked(struct bw_engine *e, const struct bw_world *world, int64_t now_ms)
{
	struct bw_blocked_row row;
	size_t at = 0;

	while (bw_blocked_any(e->blocked) && bw_blocked_next(e->blocked, &at, &row))
		bw_metering_rest(e, world, &row, now_ms);
}

static void flush(struct bw_engine *e, const struct bw_world *world, int64_t now_ms)
{
	const struct bw_limits *l = bw_world_limits(world);
	const int64_t windows_ms[BW_METER_COUNT] = {
		[BW_METER_RECIPIENTS] = l->sender.window_ms,
		[BW_METER_POSTS] = l->sender.window_ms,
		[BW_METER_MAILBOX] = l->mailbox.window_ms,
		[BW_METER_DELIVERIES] = l->capacity.window_ms,
	};

	(void)bw_meters_flush(e->meters, e->store, windows_ms, now_ms); /* the next one tries again */
}

/* Time may have jumped back: then it is due as well. */
static bool is_due(const struct bw_engine *e, int64_t now_ms, int64_t every_ms)
{
	return now_ms >= e->next_tick_ms || e->next_tick_ms - now_ms > every_ms;
}

void bw_engine_tick(struct bw_engine *e, int64_t now_ms)
{
	const int64_t before_ms = bw_engine_now(e), every_ms = now_ms != 0 ? VIRTUAL_TICK_EVERY_MS : TICK_EVERY_MS;

	if (now_ms != 0) {
		bool first = atomic_exchange(&e->virtual_ms, now_ms) == 0;

		bw_meters_set_virtual(e->meters);
		/* What was counted until now was counted at the time before. */
		e->next_tick_ms = first ? now_ms : e->next_tick_ms;
	} else {
		now_ms = before_ms;
	}
	(void)bw_posts_flush(e->posts, e->store); /* at each: a copy that is queued now may have left the queue soon */
	if (!is_due(e, now_ms, every_ms))
		return;
	struct bw_world *world = bw_engine_world(e);

	e->next_tick_ms = now_ms + every_ms;
	flush(e, world, now_ms > before_ms ? before_ms : now_ms);
	bw_engine_flush_learned(e, world, now_ms);
	list_blocked(e, world, now_ms);
	rest_blocked(e, world, now_ms);
	bw_world_unref(&world);
}
