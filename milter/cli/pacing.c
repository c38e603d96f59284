#include "pacing.h"

#include <string.h>
#include <time.h>

#include "bw/clock.h"
#include "bw/parse.h"

#define OBSERVE_MS    (2 * BW_MINUTE_MS) /* unless --observe says otherwise */
#define LOOK_EVERY_MS (2 * BW_SECOND_MS)
#define NAP_MS        250

/* So many different people who answer to a list since its release began are a flare-up; one is a straggler. */
enum { FLARE_SENDERS = 2 };

void bw_cli_pacing_start(struct pacing *p, struct cli *c, const struct entries *e)
{
	*p = (struct pacing){ .c = c, .entries = e, .started_ms = c->now_ms, .now_ms = c->now_ms, .looked_ms = c->now_ms };
	bw_pace_start(&p->pace, c->args.pace, c->args.observe_ms > 0 ? c->args.observe_ms : OBSERVE_MS, c->now_ms);
}

/* --- the storm --- */

struct looking {
	const struct pacing *p;
	struct bw_why *what;
	bool flare;
};

static bool is_ours(const struct entries *e, struct bw_slice list)
{
	for (size_t i = 0; i < e->count; i++) {
		for (size_t k = 0; k < e->at[i].share_count; k++) {
			if (bw_slice_equal(bw_slice_of(e->at[i].shares[k].list), list))
				return true;
		}
	}
	return false;
}

static bool look_at(void *ctx, const struct bw_breaker_row *row)
{
	struct looking *l = ctx;
	bool tripped = row->record.phase == BW_PHASE_OPEN && row->record.since_ms > l->p->started_ms;

	if (!tripped && row->senders < FLARE_SENDERS)
		return true;
	l->flare = is_ours(l->p->entries, row->key.list);
	if (l->flare && tripped)
		bw_fail(l->what, BW_OK, "a breaker of %.*s has tripped", (int)row->key.list.n, row->key.list.p);
	else if (l->flare)
		bw_fail(l->what, BW_OK, "%lld people have written to %.*s while it is stopped", (long long)row->senders,
		        (int)row->key.list.n, row->key.list.p);
	return !l->flare;
}

/* Attempts since the release began are counted by the breakers that stop them. A store that does not answer says nothing of calm. */
static bool is_flaring(struct pacing *p, struct bw_why *what)
{
	struct bw_store *store = p->c->store;
	struct looking l = { p, what, false };
	int64_t window_ms = p->now_ms - p->started_ms;

	p->looked_ms = p->now_ms;
	if (window_ms <= 0)
		return false;
	if (store->ops->breaker_each(store, p->now_ms, window_ms, false, look_at, &l, what) != BW_OK)
		return true;
	return l.flare;
}

/* --- the wait --- */

static void nap(struct pacing *p)
{
	int64_t left_ms = p->pace.next_ms - p->now_ms, now_ms;
	int64_t nap_ms = left_ms < NAP_MS ? left_ms : NAP_MS;
	struct timespec pause = { 0, (long)nap_ms * 1000000L };
	struct bw_store *store = p->c->store;

	if (p->c->env->now_ms != 0) {
		p->now_ms += nap_ms;
		return;
	}
	nanosleep(&pause, NULL);
	if (store->ops->now(store, &now_ms, NULL) == BW_OK && now_ms > p->now_ms)
		p->now_ms = now_ms;
	else
		p->now_ms += nap_ms;
}

static enum bw_cli_exit stop(struct pacing *p, const char *what)
{
	bw_cli_event(p->c, BW_EVENT_RELEASE, bw_slice_of(p->entries->at[0].list), BW_S(""), "paced release stopped after %lld of %zu messages: %s",
	             (long long)p->pace.sent, p->entries->count, what);
	return bw_cli_fail(p->c, BW_CLI_REFUSED, "stopped after %lld of %zu messages: %s; the rest waits, and the same command goes on with it",
	                   (long long)p->pace.sent, p->entries->count, what);
}

enum bw_cli_exit bw_cli_pacing_wait(struct pacing *p)
{
	struct bw_why what = { "" };

	for (;;) {
		bool due = p->now_ms >= p->pace.next_ms || p->now_ms >= p->looked_ms + LOOK_EVERY_MS;

		switch (bw_pace_next(&p->pace, p->now_ms, due && is_flaring(p, &what))) {
		case BW_PACE_SEND:
			return BW_CLI_DONE;
		case BW_PACE_STOP:
			return stop(p, what.text);
		case BW_PACE_WAIT:
			nap(p);
			break;
		}
	}
}

void bw_cli_pacing_sent(struct pacing *p, const struct entry *e)
{
	struct bw_buf deliveries;

	bw_pace_sent(&p->pace, p->now_ms, e->deliveries);
	bw_buf_init(&deliveries, 40);
	bw_print_count(&deliveries, p->pace.deliveries);
	bw_cli_say(p->c, STYLE_FAINT, "%lld of %zu messages, %s deliveries: %s from %s", (long long)p->pace.sent, p->entries->count,
	           bw_buf_text(&deliveries), e->queue_id, e->sender);
	bw_buf_done(&deliveries);
	fflush(p->c->env->out);
}
