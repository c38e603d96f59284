/* The guarded stores' owner: says when one stops answering and when it is back, probes in the background, keeps the copies. */
#include "guards.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bw/clock.h"
#include "log.h"

enum { MIRROR_EVERY_MS = 1000, PROBE_AFTER_MS = 250, PROBE_JITTER_MS = 500, REASON_EVERY_MS = 2000 };

/* What to call the two, the nearest to this host first. */
static const struct {
	const char *lost, *back;
} words[] = {
	{ "this host's store does not take what is counted: it goes on in memory",
	  "this host's store is back; breakers and held mail of the meantime are in it" },
	{ "the shared store does not answer: this host counts alone, replies to huge lists wait",
	  "the shared store is back; breakers, held mail and events of the meantime are in it" },
};

void bw_guards_start(struct bw_guards *g, struct daemon *d)
{
	*g = (struct bw_guards){ .d = d, .seed = (unsigned)d->started_ms };
}

bool bw_guards_degraded(const struct daemon *d)
{
	int64_t daemons;
	bool any = false;

	for (size_t i = 0; i < BW_GUARDS && d->stores.guards[i] != NULL; i++)
		any = any || d->stores.guards[i]->ops->degraded(d->stores.guards[i], &daemons);
	return any;
}

static void add_event(struct daemon *d, enum bw_event event, int64_t at_ms, const char *text)
{
	struct bw_event_row row = { .at_ms = at_ms, .event = event, .host = bw_slice_of(d->host), .text = bw_slice_of(text) };

	(void)d->stores.store->ops->event_add(d->stores.store, &row, NULL); /* the log line says the same */
}

/* Said once, when it begins. The event is written now, for `status` on this host, and goes back with the others. */
static void begin(struct bw_guards *g, size_t i)
{
	struct bw_buf text;

	g->of[i].degraded = true;
	bw_store_guarded_reason(g->d->stores.guards[i], &g->of[i].reason);
	bw_buf_init(&text, BW_LOGLINE_MAX);
	bw_buf_printf(&text, "%s (%s)", words[i].lost, g->of[i].reason.text);
	bw_log_text(BW_SEV_ERROR, bw_event_name(BW_EVENT_DEGRADED), bw_buf_text(&text));
	add_event(g->d, BW_EVENT_DEGRADED, 0, bw_buf_text(&text));
	bw_buf_done(&text);
}

static void end(struct bw_guards *g, size_t i)
{
	g->of[i].degraded = false;
	add_event(g->d, BW_EVENT_RECOVERED, 0, words[i].back);
	bw_log_text(BW_SEV_NOTICE, bw_event_name(BW_EVENT_RECOVERED), words[i].back);
	atomic_store(&g->d->recovered, true);
}

/* Another reason than before (the server is there again, and refuses the password): said too, but not at every probe. */
static void follow_reason(struct bw_guards *g, size_t i, int64_t monotonic_ms)
{
	struct bw_why reason;

	bw_store_guarded_reason(g->d->stores.guards[i], &reason);
	if (monotonic_ms < g->of[i].next_reason_ms || strcmp(reason.text, g->of[i].reason.text) == 0)
		return;
	g->of[i].reason = reason;
	g->of[i].next_reason_ms = monotonic_ms + REASON_EVERY_MS;
	bw_log_text(BW_SEV_WARNING, "still-degraded", reason.text);
}

/* Hosts that lost the shared store together do not probe it together. */
static void probe(struct bw_guards *g, size_t i, int64_t monotonic_ms)
{
	if (monotonic_ms < g->of[i].next_probe_ms)
		return;
	g->of[i].next_probe_ms = monotonic_ms + PROBE_AFTER_MS + rand_r(&g->seed) % PROBE_JITTER_MS;
	if (bw_store_guarded_probe(g->d->stores.guards[i]))
		end(g, i);
	else
		follow_reason(g, i, monotonic_ms);
}

/* True: it has just failed or come back. */
static bool look(struct bw_guards *g, size_t i, int64_t monotonic_ms)
{
	struct bw_store *s = g->d->stores.guards[i];
	bool before = g->of[i].degraded;
	int64_t daemons;

	if (!g->of[i].degraded && s->ops->degraded(s, &daemons))
		begin(g, i);
	if (g->of[i].degraded) {
		probe(g, i, monotonic_ms);
	} else if (monotonic_ms >= g->of[i].next_mirror_ms) {
		bw_store_guarded_mirror(s);
		g->of[i].next_mirror_ms = monotonic_ms + MIRROR_EVERY_MS;
	}
	return g->of[i].degraded != before;
}

bool bw_guards_look(struct bw_guards *g, int64_t monotonic_ms)
{
	bool changed = false;

	for (size_t i = 0; i < BW_GUARDS && g->d->stores.guards[i] != NULL; i++)
		changed = look(g, i, monotonic_ms) || changed;
	if (g->d->stores.shared != NULL)
		bw_store_shared_look(g->d->stores.shared);
	return changed;
}

/* --- copying: may take long, and has a thread of its own --- */

enum { COPY_EVERY_MS = 200, ROUNDS_A_LOOK_BACK = 300, ROUNDS_A_WHOLE_LOOK = 60 * ROUNDS_A_LOOK_BACK, LOOK_BACK_MS = 5 * 60 * 1000 };

/* Everything is compared at the start and every hour or so; what is new, at once; and every minute the last five, for what a command
 * moved while the shared store was away. */
static int64_t since(struct daemon *d, long round)
{
	int64_t now_ms;

	if (round % ROUNDS_A_WHOLE_LOOK == 0)
		return 0;
	if (round % ROUNDS_A_LOOK_BACK != 0 || d->stores.shared->ops->now(d->stores.shared, &now_ms, NULL) != BW_OK)
		return -1;
	return now_ms > LOOK_BACK_MS ? now_ms - LOOK_BACK_MS : 0;
}

void *bw_guards_copy(void *daemon)
{
	struct daemon *d = daemon;
	const struct timespec pause = { 0, COPY_EVERY_MS * 1000000L };

	for (long round = 0; !atomic_load(&d->stopping); round++) {
		bw_store_shared_copy(d->stores.shared, since(d, round), &d->stopping);
		nanosleep(&pause, NULL);
	}
	return NULL;
}
