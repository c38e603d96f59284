#include "bw/flare.h"

#include "bw/clock.h"

#define LOOK_EVERY_MS (2 * BW_SECOND_MS)

/* So many different people who answer to a list since its release began are a flare-up; one is a straggler. */
enum { FLARE_SENDERS = 2, SHOWN_BYTES = 200 };

void bw_flare_start(struct bw_flare *f, struct bw_store *store, int64_t now_ms)
{
	f->store = store;
	f->started_ms = f->looked_ms = now_ms;
}

struct looking {
	const struct bw_flare *flare;
	struct bw_why *what;
	bool flares;
};

static bool look_at(void *ctx, const struct bw_breaker_row *row)
{
	struct looking *l = ctx;
	struct bw_slice list = bw_slice_head(row->key.list, SHOWN_BYTES);
	bool tripped = row->record.phase == BW_PHASE_OPEN && row->record.since_ms > l->flare->started_ms;

	if ((!tripped && row->senders < FLARE_SENDERS) || !l->flare->is_ours(l->flare->ctx, row->key.list))
		return true;
	l->flares = true;
	if (tripped)
		bw_fail(l->what, BW_OK, "a breaker of %.*s has tripped", (int)list.n, list.p);
	else
		bw_fail(l->what, BW_OK, "%lld people have written to %.*s while it is stopped", (long long)row->senders, (int)list.n,
		        list.p);
	return false;
}

/* Attempts since the release began are counted by the breakers that stop them. */
static bool flares(struct bw_flare *f, int64_t now_ms, struct bw_why *what)
{
	struct looking l = { f, what, false };
	int64_t window_ms = now_ms - f->started_ms;

	f->looked_ms = now_ms;
	if (window_ms <= 0)
		return false;
	if (f->store->ops->breaker_each(f->store, now_ms, window_ms, false, look_at, &l, what) != BW_OK)
		return true;
	return l.flares;
}

enum bw_pace_step bw_flare_next(struct bw_flare *f, struct bw_pace *pace, int64_t now_ms, struct bw_why *what)
{
	bool due = now_ms >= pace->next_ms || now_ms >= f->looked_ms + LOOK_EVERY_MS;

	return bw_pace_next(pace, now_ms, due && flares(f, now_ms, what));
}
