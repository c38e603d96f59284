/* How full the hold queue is: read from the ledger and the disk, off the message path; told when a limit is reached, and when there is
 * room again. */
#include "room.h"

#include <time.h>

#include "bw/clock.h"
#include "bw/room.h"
#include "log.h"

/* A reading that takes long is made less often: a twentieth of the time at most. */
enum { LOOK_EVERY_MS = 100, READ_EVERY_MS = 1000, READ_SHARE = 20, QUIET_TRIES = 20 };

struct keeper {
	struct daemon *d;
	struct bw_room *room;
	struct bw_room_teller teller;
	int64_t next_read_ms; /* monotonic */
	bool unseen;          /* the disk cannot be measured, and it has been said */
};

static void pause_ms(int64_t ms)
{
	struct timespec t = { ms / 1000, (ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

/* --- reading the ledger --- */

struct reading {
	struct daemon *d;
	int64_t begun_ms; /* store time */
	int64_t messages, bytes;
};

/* What was judged after the reading began has been counted by who took its place. */
static bool add_waiting(void *ctx, const struct bw_held *held)
{
	struct reading *r = ctx;

	if (held->held_ms <= r->begun_ms && bw_slice_equal(held->host, bw_slice_of(r->d->host))) {
		r->messages++;
		r->bytes += bw_room_size(held->size_bytes);
	}
	return !atomic_load(&r->d->stopping);
}

/* Between two messages, if there is such a moment: then nothing is counted twice. */
static void begin_quietly(struct bw_room *room)
{
	for (int i = 0; bw_room_read_begin(room) > 0 && i < QUIET_TRIES; i++)
		pause_ms(5);
}

/* The ledger of this host's hold queue lies in its own store. While that stands in memory, it knows the last few alone, and what was
 * counted so far stays. */
static void read_ledger(struct daemon *d, struct bw_room *room)
{
	const struct bw_held_query waiting = { .by_state = true, .state = BW_HELD_WAITING };
	struct bw_store *store = d->stores.store, *local = d->stores.guards[0];
	struct reading r = { .d = d };
	int64_t daemons;

	if (local->ops->degraded(local, &daemons))
		return;
	begin_quietly(room);
	if (store->ops->now(store, &r.begun_ms, NULL) != BW_OK || local->ops->held_each(local, &waiting, add_waiting, &r, NULL) != BW_OK ||
	    local->ops->degraded(local, &daemons) || atomic_load(&d->stopping))
		return;
	bw_room_read_end(room, r.messages, r.bytes);
}

static void measure(struct keeper *k, const struct bw_config *config)
{
	struct bw_why why;
	int64_t free_bytes;
	bool unseen = bw_room_measure(config, &free_bytes, &why) != BW_OK;

	bw_room_set_free(k->room, free_bytes);
	if (unseen && !k->unseen)
		bw_log_text(BW_SEV_WARNING, "queue-unseen", why.text);
	k->unseen = unseen;
}

static void read_all(struct keeper *k, const struct bw_config *config)
{
	int64_t start_ms = bw_clock_monotonic_ms();

	if (start_ms < k->next_read_ms)
		return;
	measure(k, config);
	read_ledger(k->d, k->room);
	int64_t end_ms = bw_clock_monotonic_ms(), pause = READ_SHARE * (end_ms - start_ms);

	k->next_read_ms = end_ms + (pause > READ_EVERY_MS ? pause : READ_EVERY_MS);
}

void bw_room_start(struct daemon *d)
{
	struct bw_world *world = bw_engine_world(d->engine);
	struct keeper k = { .d = d, .room = bw_engine_room(d->engine) };

	read_all(&k, bw_world_config(world));
	bw_world_unref(&world);
}

/* --- telling --- */

static void tell(struct daemon *d, enum bw_event event, const char *text)
{
	struct bw_event_row row = { .event = event, .host = bw_slice_of(d->host), .text = bw_slice_of(text) };

	(void)d->stores.store->ops->event_add(d->stores.store, &row, NULL); /* the log line says the same */
	bw_log_text(event == BW_EVENT_LIMIT ? BW_SEV_ERROR : BW_SEV_NOTICE, bw_event_name(event), text);
}

static void follow(struct keeper *k, const struct bw_config *config)
{
	struct bw_room_limits limits = bw_room_limits_of(config);
	struct bw_room_figures now;
	enum bw_full full, by;
	struct bw_buf text;
	int64_t refused;

	bw_room_look(k->room, &now, &refused, &by);
	full = bw_room_check(&limits, &now, BW_ROOM_BLOCK);
	full = full == BW_FULL_NO && refused > 0 ? by : full;
	enum bw_event event = bw_room_tell(&k->teller, bw_clock_now_ms(), full != BW_FULL_NO);

	if (event == BW_EVENT_NONE)
		return;
	bw_buf_init(&text, BW_LOGLINE_MAX);
	if (event == BW_EVENT_LIMIT) {
		bw_buf_add_text(&text, "the hold queue is full: ");
		bw_room_print(&text, full, &limits, &now);
		bw_buf_add_text(&text, "; what is stopped is refused meanwhile, other mail flows");
	} else {
		bw_buf_add_text(&text, "the hold queue has room again: what is stopped waits there");
	}
	tell(k->d, event, bw_buf_text(&text));
	bw_buf_done(&text);
}

void *bw_room_run(void *daemon)
{
	struct keeper k = { .d = daemon, .room = bw_engine_room(((struct daemon *)daemon)->engine) };

	while (!atomic_load(&k.d->stopping)) {
		struct bw_world *world = bw_engine_world(k.d->engine);

		read_all(&k, bw_world_config(world));
		follow(&k, bw_world_config(world));
		bw_world_unref(&world);
		pause_ms(LOOK_EVERY_MS);
	}
	return NULL;
}
