#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "bw/clock.h"
#include "bw/filter.h"
#include "bw/mail.h"
#include "guards.h"
#include "log.h"
#include "privileges.h"
#include "room.h"

/* --- start --- */

static enum bw_err write_pid(const char *path, struct bw_why *why)
{
	if (path[0] == '\0')
		return BW_OK;
	/* As root, in a folder of the daemon's user: a file of our own, never one that a link leads to. */
	int fd = unlink(path) != 0 && errno != ENOENT ? -1 : open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (file == NULL || fprintf(file, "%ld\n", (long)getpid()) < 0 || fclose(file) != 0)
		return bw_fail(why, BW_ERR_IO, "daemon.pid_file: cannot write %s: %s", path, strerror(errno));
	return BW_OK;
}

static void name_host(struct daemon *d)
{
	bw_slice_copy(bw_slice_of(d->config->daemon.host), d->host, sizeof(d->host));
	if (d->host[0] == '\0' && gethostname(d->host, sizeof(d->host) - 1) != 0)
		memcpy(d->host, "localhost", sizeof("localhost"));
}

/* One daemon a socket: a second one would take the socket from the first, and each would remove the other's. Waits for one that is
 * just ending. The descriptor stays open, and with it the lock, for the life of the process. */
static enum bw_err take_lock(const struct daemon *d, struct bw_why *why)
{
	const char *path = strchr(d->config->daemon.socket, '/');
	int64_t end_ms = bw_clock_monotonic_ms() + d->drain_ms + 2 * BW_SECOND_MS;
	const struct timespec pause = { 0, 50 * 1000000 };
	char name[4096];

	if (path == NULL)
		return BW_OK; /* TCP: the system lets one listen */
	snprintf(name, sizeof(name), "%s.lock", path);
	int fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return bw_fail(why, BW_ERR_IO, "daemon.socket: cannot open %s: %s", name, strerror(errno));
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (bw_clock_monotonic_ms() >= end_ms) {
			close(fd);
			return bw_fail(why, BW_ERR_EXISTS, "daemon.socket: another breakwaterd serves %s", path);
		}
		nanosleep(&pause, NULL);
	}
	return BW_OK;
}

/* What needs root: the socket in the MTA's folder, the pid file. */
static enum bw_err open_as_root(struct daemon *d, struct bw_why *why)
{
	const struct bw_config *c = d->config;
	int64_t uid, gid;
	enum bw_err err = bw_privileges_group(c->daemon.socket_group, &gid, why);

	if (err == BW_OK)
		err = bw_privileges_user(c->daemon.user, &uid, why);
	if (err == BW_OK)
		err = take_lock(d, why);
	if (err == BW_OK)
		err = bw_filter_open(c->daemon.socket, c->daemon.socket_mode, uid, gid, why);
	if (err == BW_OK)
		err = write_pid(c->daemon.pid_file, why);
	if (err == BW_OK)
		err = bw_privileges_drop(c->daemon.user, c->daemon.group, why);
	return err;
}

static enum bw_err open_store(struct daemon *d, struct bw_why *why)
{
	const struct bw_config *c = d->config;
	enum bw_err err = bw_key_load(c->daemon.secret_file, true, &d->key, why);

	if (err == BW_OK)
		err = bw_stores_open(c, &d->stores, why);
	if (err != BW_OK)
		return err;
	struct bw_hash fingerprint = bw_key_fingerprint(&d->key);

	return d->stores.store->ops->claim(d->stores.store, &fingerprint, why);
}

static enum bw_err open_engine(struct daemon *d, struct bw_why *why)
{
	struct bw_engine_options options = { .log = bw_log_sink(), .host = d->host, .jitter = true, .keep_ledger = true, .at = d->at };
	struct bw_world *world = NULL;
	struct bw_buf skipped;

	bw_buf_init(&skipped, BW_LOGLINE_MAX);
	enum bw_err err = bw_world_load(&d->key, d->config, d->stores.store, &skipped, &world, why);

	bw_watch_log_skipped(&skipped);
	if (err != BW_OK)
		return err;
	d->config = NULL; /* the world's now */
	d->engine = bw_engine_new(d->stores.store, world, &options);
	if (d->engine == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory for the engine");
	bw_room_start(d);
	return BW_OK;
}

enum bw_err bw_daemon_open(struct daemon *d, struct bw_why *why)
{
	bw_mail_init();
	name_host(d);
	d->drain_ms = d->config->daemon.drain_ms;
	d->started_ms = bw_clock_now_ms();
	enum bw_err err = open_as_root(d, why);

	if (err == BW_OK)
		err = open_store(d, why);
	if (err == BW_OK)
		err = open_engine(d, why);
	return err;
}

void bw_daemon_close(struct daemon *d)
{
	/* libmilter's workers outlive it. One that is still judging when the time to wait is over keeps what it works with; the end of
	 * the process takes it all. */
	if (bw_filter_open_transactions() > 0)
		return;
	if (d->engine != NULL && d->stores.store != NULL)
		bw_engine_tick(d->engine, 0); /* what was accepted in the last moment */
	bw_engine_free(&d->engine);
	bw_store_close(&d->stores.store);
	bw_config_free(&d->config);
}

/* --- service --- */

static void announce(struct daemon *d)
{
	struct bw_world *world = bw_engine_world(d->engine);
	const struct bw_directory *directory = bw_world_directory(world);
	struct bw_buf text;

	bw_buf_init(&text, BW_LOGLINE_MAX);
	bw_buf_printf(&text, "breakwaterd " BW_VERSION " on %s, %zu lists", d->host, bw_directory_count(directory));
	bw_log_text(BW_SEV_INFO, "started", bw_buf_text(&text));
	if (bw_settings_mode(bw_world_settings(world)) == BW_MODE_SHADOW)
		bw_log_text(BW_SEV_NOTICE, "shadow-mode",
		            "mode is shadow: everything is counted and logged, nothing is stopped; `breakwaterctl mode enforce` changes that");
	bw_buf_done(&text);
	bw_world_unref(&world);
}

static void *run_filter(void *daemon)
{
	struct daemon *d = daemon;
	struct bw_why why;

	if (bw_filter_run(d->engine, &why) == BW_OK)
		return NULL;
	bw_log_text(BW_SEV_ERROR, "filter-failed", why.text);
	kill(getpid(), SIGTERM); /* the process, not this thread: the main thread waits for signals */
	return daemon;
}

/* Waits for open transactions, bounded: libmilter does not drain by itself. */
static void drain(struct daemon *d)
{
	int64_t end_ms = bw_clock_monotonic_ms() + d->drain_ms;
	const struct timespec pause = { 0, 20 * 1000000 };

	bw_filter_refuse();
	while (bw_filter_open_transactions() > 0 && bw_clock_monotonic_ms() < end_ms)
		nanosleep(&pause, NULL);
}

/* The main thread does nothing but wait for signals; libmilter's own signal thread gets one only if we are away for a
 * moment, and then stops without draining. */
static void wait_for_stop(struct daemon *d, const sigset_t *signals)
{
	for (;;) {
		int signal = 0;

		if (sigwait(signals, &signal) != 0)
			continue;
		if (signal == SIGUSR1 || signal == SIGHUP) {
			atomic_store(&d->reload, true);
			continue;
		}
		break;
	}
}

static void name_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGHUP);
	sigaddset(signals, SIGUSR1);
}

void bw_daemon_block_signals(void)
{
	sigset_t signals;

	name_signals(&signals);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

/* The threads beside the filter's. */
static bool start_helpers(struct daemon *d)
{
	if (pthread_create(&d->watcher, NULL, bw_watch_run, d) != 0)
		return false;
	if (pthread_create(&d->room, NULL, bw_room_run, d) == 0) {
		if (d->stores.shared == NULL || pthread_create(&d->copier, NULL, bw_guards_copy, d) == 0)
			return true;
		atomic_store(&d->stopping, true);
		pthread_join(d->room, NULL);
	}
	atomic_store(&d->stopping, true);
	pthread_join(d->watcher, NULL);
	return false;
}

static void end_helpers(struct daemon *d)
{
	atomic_store(&d->stopping, true);
	pthread_join(d->watcher, NULL);
	pthread_join(d->room, NULL);
	if (d->stores.shared != NULL)
		pthread_join(d->copier, NULL);
}

int bw_daemon_serve(struct daemon *d)
{
	sigset_t signals;
	void *failed = NULL;

	name_signals(&signals);
	announce(d);
	if (!start_helpers(d))
		return 1;
	if (pthread_create(&d->filter, NULL, run_filter, d) != 0) {
		end_helpers(d);
		return 1;
	}
	wait_for_stop(d, &signals);
	drain(d);
	bw_filter_stop();
	pthread_join(d->filter, &failed);
	end_helpers(d);
	bw_log_text(BW_SEV_INFO, "stopped", "breakwaterd has ended");
	return failed == NULL ? 0 : 1;
}
