#include "pacing.h"

#include <string.h>
#include <time.h>

#include "bw/clock.h"
#include "bw/parse.h"

#define OBSERVE_MS (2 * BW_MINUTE_MS) /* unless --observe says otherwise */
#define NAP_MS     250

static bool is_ours(void *ctx, struct bw_slice list)
{
	const struct entries *e = ctx;

	for (size_t i = 0; i < e->count; i++) {
		for (size_t k = 0; k < e->at[i].share_count; k++) {
			if (bw_slice_equal(bw_slice_of(e->at[i].shares[k].list), list))
				return true;
		}
	}
	return false;
}

int64_t bw_cli_observe_ms(const struct cli *c)
{
	return c->args.observe_ms > 0 ? c->args.observe_ms : OBSERVE_MS;
}

void bw_cli_pacing_start(struct pacing *p, struct cli *c, struct entries *e)
{
	*p = (struct pacing){ .c = c, .entries = e, .now_ms = c->now_ms, .flare = { .is_ours = is_ours, .ctx = e } };
	bw_flare_start(&p->flare, c->store, c->now_ms);
	bw_pace_start(&p->pace, c->args.pace, bw_cli_observe_ms(c), c->now_ms);
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
		switch (bw_flare_next(&p->flare, &p->pace, p->now_ms, &what)) {
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
