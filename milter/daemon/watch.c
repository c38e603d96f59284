/* The watcher: follows settings and lists in the store (within 200 ms), the bypass file, SIGUSR1, and keeps the heartbeat. Never on
 * the message path. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bw/clock.h"
#include "bw/parse.h"
#include "guards.h"
#include "log.h"

enum { LOOK_EVERY_MS = 100, BEAT_EVERY_MS = 1000, EXPIRE_FOR_MS = 50, FIRST_EXPIRE_MS = 10000, RETIRED_MAX = 16 };

struct watch {
	struct daemon *d;
	int64_t next_beat_ms, next_expire_ms; /* monotonic */
	int64_t beaten_settings, beaten_directory, told_evicted;
	struct bw_guards guards;
	bool store_failed;
	struct bw_world *current;             /* as of the last look */
	struct bw_world *retired[RETIRED_MAX]; /* NULL: free */
};

void bw_watch_log_skipped(struct bw_buf *skipped)
{
	if (skipped->n > 0)
		bw_log_text(BW_SEV_WARNING, "skipped", bw_buf_text(skipped));
	bw_buf_done(skipped);
}

void bw_watch_reload_file(struct daemon *d)
{
	struct bw_config *config = NULL;
	struct bw_world *world = NULL;
	struct bw_buf skipped;
	struct bw_why why;

	bw_buf_init(&skipped, BW_LOGLINE_MAX);
	enum bw_err err = bw_config_load(d->config_path, &config, &why);

	if (err == BW_OK)
		err = bw_world_load(&d->key, config, d->stores.store, &skipped, &world, &why);
	if (err == BW_OK) {
		bw_engine_swap(d->engine, world);
		bw_log_text(BW_SEV_INFO, "reloaded", d->config_path);
	} else {
		bw_config_free(&config);
		bw_log_text(BW_SEV_ERROR, "reload-refused", why.text);
	}
	bw_watch_log_skipped(&skipped);
}

/* After an outage the whole directory is read, otherwise what has changed in it. */
static void renew_world(struct daemon *d, bool outage)
{
	struct bw_world *old = bw_engine_world(d->engine), *world = NULL;
	struct bw_store *store = d->stores.store;
	struct bw_buf skipped;
	struct bw_why why;

	bw_buf_init(&skipped, BW_LOGLINE_MAX);
	enum bw_err err = outage ? bw_world_reread(old, store, &skipped, &world, &why) : bw_world_renew(old, store, &skipped, &world, &why);

	if (err == BW_OK) {
		bw_engine_swap(d->engine, world);
	} else {
		bw_log_text(BW_SEV_ERROR, "settings-refused", why.text);
		if (outage)
			atomic_store(&d->recovered, true); /* the next look tries again */
	}
	bw_world_unref(&old);
	bw_watch_log_skipped(&skipped);
}

static void versions_in_force(struct daemon *d, int64_t *settings, int64_t *directory)
{
	struct bw_world *world = bw_engine_world(d->engine);

	bw_world_versions(world, settings, directory);
	bw_world_unref(&world);
}

/* Said once when settings and directory cannot be read, and once when they can. (An outage is the guards' to tell.) */
static void note_store(struct watch *w, enum bw_err err, const char *why)
{
	bool failed = err != BW_OK;

	if (failed && !w->store_failed)
		bw_log_text(BW_SEV_ERROR, "store-failed", why);
	if (!failed && w->store_failed)
		bw_log_text(BW_SEV_NOTICE, "store-back", "the store answers again");
	w->store_failed = failed;
}

static void follow_store(struct watch *w)
{
	struct bw_store *store = w->d->stores.store;
	int64_t settings, directory, have_settings, have_directory;
	struct bw_why why = { "" };

	/* Without the store that all share, the settings and lists that are in force stay. */
	if (store->ops->degraded(store, &settings))
		return;
	enum bw_err err = store->ops->versions(store, &settings, &directory, &why);

	if (store->ops->degraded(store, &have_settings))
		return;
	note_store(w, err, why.text);
	if (err != BW_OK)
		return;
	versions_in_force(w->d, &have_settings, &have_directory);
	bool outage = atomic_exchange(&w->d->recovered, false);

	if (outage || settings != have_settings || directory != have_directory)
		renew_world(w->d, outage);
}

static void retire_world(struct watch *w, struct bw_world *world)
{
	for (size_t i = 0; i < RETIRED_MAX; i++) {
		if (w->retired[i] == NULL) {
			w->retired[i] = world;
			return;
		}
	}
	bw_world_unref(&world); /* messages that last long have so many of them in use */
}

/* A world is let go of here, when the last message that was judged with it is over: with a large directory that takes long, and no
 * message is to wait for it. */
static void follow_worlds(struct watch *w)
{
	struct bw_world *now = bw_engine_world(w->d->engine);

	if (now != w->current && w->current != NULL)
		retire_world(w, w->current);
	if (now == w->current)
		bw_world_unref(&now);
	else
		w->current = now;
	for (size_t i = 0; i < RETIRED_MAX; i++) {
		if (w->retired[i] != NULL && bw_world_is_alone(w->retired[i]))
			bw_world_unref(&w->retired[i]);
	}
}

static void forget_worlds(struct watch *w)
{
	bw_world_unref(&w->current);
	for (size_t i = 0; i < RETIRED_MAX; i++)
		bw_world_unref(&w->retired[i]);
}

static enum bw_err write_beat(struct daemon *d, int64_t settings, int64_t directory, int64_t seen_ms)
{
	struct bw_engine_figures figures;

	bw_engine_figures(d->engine, &figures);
	struct bw_host_row row = {
		.host = bw_slice_of(d->host),
		.version = BW_S(BW_VERSION),
		.pid = getpid(),
		.seen_ms = seen_ms,
		.settings_version = settings,
		.directory_version = directory,
		.format = BW_STORE_FORMAT,
		.degraded = bw_guards_degraded(d),
		.deliveries = figures.deliveries,
		.held = figures.by_action[BW_HOLD],
		.accepted = figures.by_action[BW_ACCEPT] + figures.by_action[BW_TAG],
		.started_ms = d->started_ms,
	};

	return d->stores.store->ops->heartbeat(d->stores.store, &row, NULL);
}

/* A freeze will not find them. */
static void tell_evicted(struct watch *w)
{
	struct bw_engine_figures figures;
	struct bw_buf text;

	bw_engine_figures(w->d->engine, &figures);
	if (figures.posts_evicted == w->told_evicted)
		return;
	bw_buf_init(&text, BW_LOGLINE_MAX);
	bw_buf_printf(&text, "%lld accepted list messages since the start that no freeze will find: the store took none for too long",
	              (long long)figures.posts_evicted);
	bw_log_text(BW_SEV_WARNING, "posts-evicted", bw_buf_text(&text));
	bw_buf_done(&text);
	w->told_evicted = figures.posts_evicted;
}

static void beat(struct watch *w, int64_t monotonic_ms)
{
	int64_t settings, directory;

	versions_in_force(w->d, &settings, &directory);
	/* A change that waits for our word gets it at once. */
	if (monotonic_ms < w->next_beat_ms && settings == w->beaten_settings && directory == w->beaten_directory)
		return;
	if (write_beat(w->d, settings, directory, bw_clock_now_ms()) == BW_OK) {
		w->beaten_settings = settings;
		w->beaten_directory = directory;
	}
	tell_evicted(w);
	w->next_beat_ms = monotonic_ms + BEAT_EVERY_MS;
}

/* A last word from long ago: who waits for all living daemons no longer waits for this one. */
static void retire(struct watch *w)
{
	(void)write_beat(w->d, w->beaten_settings, w->beaten_directory, 1); /* unheard, it is taken for dead in ten seconds */
}

/* The file holds one number: the end of the bypass, seconds since 1970. Anything else is no bypass. */
static int64_t read_bypass(const char *path)
{
	char text[32] = "";
	int64_t seconds = 0;
	FILE *file = path[0] == '\0' ? NULL : fopen(path, "re");

	if (file == NULL)
		return 0;
	if (fgets(text, sizeof(text), file) == NULL || !bw_parse_int(bw_slice_trim(bw_slice_of(text)), &seconds) ||
	    seconds < 0 || seconds > INT64_MAX / BW_SECOND_MS)
		seconds = 0;
	fclose(file);
	return seconds * BW_SECOND_MS;
}

static void follow_bypass(struct daemon *d)
{
	struct bw_world *world = bw_engine_world(d->engine);
	int64_t now = bw_clock_now_ms();
	bool was = bw_engine_bypassed(d->engine, now);

	bw_engine_set_bypass(d->engine, read_bypass(bw_world_config(world)->daemon.bypass_file));
	bool is = bw_engine_bypassed(d->engine, now);

	if (is && !was)
		bw_log_text(BW_SEV_WARNING, "bypass-on", "everything passes on this host until the bypass ends");
	if (was && !is)
		bw_log_text(BW_SEV_NOTICE, "bypass-off", "messages are judged again");
	bw_world_unref(&world);
}

static void expire(struct watch *w, int64_t monotonic_ms)
{
	struct daemon *d = w->d;

	if (monotonic_ms < w->next_expire_ms)
		return;
	struct bw_world *world = bw_engine_world(d->engine);
	const struct bw_config *config = bw_world_config(world);

	/* A bounded piece a call; several, so that a round keeps up with what a minute of list mail leaves behind. */
	for (int64_t end_ms = monotonic_ms + EXPIRE_FOR_MS; bw_clock_monotonic_ms() < end_ms;) {
		if (d->stores.store->ops->expire(d->stores.store, bw_clock_now_ms(), config->store.memory_ms, NULL) != BW_OK)
			break; /* the next round tries again */
	}
	w->next_expire_ms = monotonic_ms + config->store.expire_every_ms;
	bw_world_unref(&world);
}

static void sleep_ms(int64_t ms)
{
	struct timespec t = { ms / 1000, (ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

void *bw_watch_run(void *daemon)
{
	struct watch w = { .d = daemon };

	bw_guards_start(&w.guards, w.d);
	w.next_expire_ms = bw_clock_monotonic_ms() + FIRST_EXPIRE_MS;
	while (!atomic_load(&w.d->stopping)) {
		int64_t monotonic_ms = bw_clock_monotonic_ms();

		follow_worlds(&w);
		if (atomic_exchange(&w.d->reload, false))
			bw_watch_reload_file(w.d);
		if (bw_guards_look(&w.guards, monotonic_ms))
			w.next_beat_ms = 0; /* the store that counts from now on is to know of us */
		follow_store(&w);
		follow_bypass(w.d);
		beat(&w, monotonic_ms);
		bw_engine_tick(w.d->engine, 0);
		expire(&w, monotonic_ms);
		sleep_ms(LOOK_EVERY_MS);
	}
	retire(&w);
	forget_worlds(&w);
	return NULL;
}
