/* The embedded store: one SQLite file, opened twice, and its table of functions. */
#include "bw/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sqlite-backend.h"

/* --- failures --- */

struct cause {
	int rc;
	const char *sentence;
};

static const struct cause causes[] = {
	{ SQLITE_BUSY, "another process kept it locked for too long" },
	{ SQLITE_LOCKED, "another process kept it locked for too long" },
	{ SQLITE_FULL, "the disk is full" },
	{ SQLITE_READONLY, "file or directory may not be written by this user" },
	{ SQLITE_CANTOPEN, "cannot be opened; does the directory exist, and may this user write to it?" },
	{ SQLITE_PERM, "permission denied" },
	{ SQLITE_AUTH, "permission denied" },
	{ SQLITE_IOERR, "input/output error" },
	{ SQLITE_CORRUPT, "damaged; move it away (and keep it), a new one is made at the next start" },
	{ SQLITE_NOTADB, "no SQLite file; give the store a file of its own" },
	{ SQLITE_PROTOCOL, "its locks do not work; it must not lie on a network file system" },
};

enum bw_err bw_sqlite_fail(const struct bw_sqlite *store, sqlite3 *db, int rc, struct bw_why *why)
{
	const char *sentence = db == NULL ? sqlite3_errstr(rc) : sqlite3_errmsg(db);
	int system_errno = db == NULL ? 0 : sqlite3_system_errno(db);

	if ((rc & 0xff) == SQLITE_NOMEM)
		return bw_fail(why, BW_ERR_MEMORY, "store %s: memory is out", store->path);
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		if (causes[i].rc == (rc & 0xff))
			sentence = causes[i].sentence;
	}
	if ((rc & 0xff) == SQLITE_IOERR && system_errno != 0)
		return bw_fail(why, BW_ERR_STORE, "store %s: %s: %s", store->path, sentence, strerror(system_errno));
	return bw_fail(why, BW_ERR_STORE, "store %s: %s", store->path, sentence);
}

/* --- store time --- */

static unsigned data_version(struct bw_sqlite_lane *lane)
{
	unsigned version = 0;

	sqlite3_file_control(lane->db, "main", SQLITE_FCNTL_DATA_VERSION, &version);
	return version;
}

/* Read again only when another connection has written since; a reading transaction learns that only by reading. */
void bw_sqlite_clock_begin(struct bw_sqlite_lane *lane, bool writes)
{
	if (!writes || !lane->clock_kept || data_version(lane) != lane->clock_version)
		lane->stored_ms = bw_sqlite_meta(lane, "clock");
	lane->clock_kept = false;
	lane->seen_ms = lane->stored_ms;
}

void bw_sqlite_clock_keep(struct bw_sqlite_lane *lane)
{
	lane->clock_version = data_version(lane); /* our own commit has moved it */
	lane->clock_kept = true;
}

int64_t bw_sqlite_now(struct bw_sqlite_lane *lane, int64_t given_ms)
{
	int64_t now_ms = given_ms > 0 ? given_ms : lane->store->clock(lane->store->clock_ctx);
	int64_t last_ms = bw_store_clock_least(&lane->store->seen, bw_clock_monotonic_ms());

	if (last_ms < lane->seen_ms)
		last_ms = lane->seen_ms;
	/* The clock never goes back; times that are given are taken as they are. */
	if (given_ms <= 0 && now_ms < last_ms)
		now_ms = last_ms;
	if (now_ms > lane->seen_ms)
		lane->seen_ms = now_ms;
	return now_ms;
}

/* Every second is enough while wall time leads: whoever opens the file has that clock too. */
void bw_sqlite_clock_end(struct bw_sqlite_lane *lane)
{
	struct bw_sqlite *s = lane->store;

	bw_store_clock_saw(&s->seen, lane->seen_ms, bw_clock_monotonic_ms());
	/* Nobody else opens what is in memory. */
	if (s->memory || (lane->seen_ms < lane->stored_ms + BW_SECOND_MS && lane->seen_ms <= s->clock(s->clock_ctx)))
		return;
	bw_sqlite_meta_put(lane, "clock", lane->seen_ms);
	lane->stored_ms = lane->seen_ms;
}

static int64_t wall_clock(void *ctx)
{
	(void)ctx;
	return bw_clock_now_ms();
}

void bw_store_sqlite_set_clock(struct bw_store *s, int64_t (*now_ms)(void *ctx), void *ctx)
{
	bw_sqlite_of(s)->clock = now_ms;
	bw_sqlite_of(s)->clock_ctx = ctx;
	bw_sqlite_of(s)->seen.still = true;
}

static enum bw_err run_now(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	(void)why;
	*(int64_t *)arg = bw_sqlite_now(lane, 0);
	return BW_OK;
}

static enum bw_err now(struct bw_store *s, int64_t *now_ms, struct bw_why *why)
{
	int64_t at_ms = 0;
	enum bw_err err = bw_sqlite_do(bw_sqlite_of(s)->ledger, BW_SQLITE_READ, run_now, &at_ms, why);

	if (err == BW_OK)
		*now_ms = at_ms;
	return err;
}

/* --- small numbers by name --- */

int64_t bw_sqlite_meta(struct bw_sqlite_lane *lane, const char *name)
{
	int64_t number = 0;

	bw_sqlite_ints(lane, BW_SQL_META_GET, &number, 1, ARGS(TEXT(bw_slice_of(name))));
	return number;
}

void bw_sqlite_meta_put(struct bw_sqlite_lane *lane, const char *name, int64_t value)
{
	bw_sqlite_run(lane, BW_SQL_META_PUT, ARGS(TEXT(bw_slice_of(name)), INT(value)));
}

static enum bw_err run_claim(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct bw_hash *fingerprint = arg;
	int64_t same = 0;

	if (!bw_sqlite_ints(lane, BW_SQL_CLAIM_GET, &same, 1, ARGS(HASH(fingerprint))))
		bw_sqlite_run(lane, BW_SQL_CLAIM_PUT, ARGS(HASH(fingerprint)));
	else if (!same)
		return bw_fail(why, BW_ERR_PERMISSION,
		               "store %s: it was filled under another site secret; put the same secret on every host, or use a new store",
		               lane->store->path);
	return BW_OK;
}

static enum bw_err claim(struct bw_store *s, const struct bw_hash *fingerprint, struct bw_why *why)
{
	struct bw_hash copy = *fingerprint;

	return bw_sqlite_do(bw_sqlite_of(s)->ledger, BW_SQLITE_WRITE, run_claim, &copy, why);
}

static bool degraded(const struct bw_store *s, int64_t *daemons)
{
	(void)s;
	if (daemons != NULL)
		*daemons = 1;
	return false;
}

/* --- open and close --- */

static void close_store(struct bw_store *store)
{
	struct bw_sqlite *s = bw_sqlite_of(store);

	for (size_t i = 0; i < sizeof(s->lanes) / sizeof(s->lanes[0]); i++) {
		bw_sqlite_lane_close(&s->lanes[i]);
		pthread_mutex_destroy(&s->lanes[i].lock);
	}
	pthread_mutex_destroy(&s->gate_lock);
	pthread_cond_destroy(&s->gate_opens);
	free(s->path);
	free(s);
}

static const struct bw_store_ops ops = {
	.name = "sqlite",
	.close = close_store,
	.now = now,
	.count = bw_sqlite_count,
	.settle = bw_sqlite_settle,
	.redirect = bw_sqlite_redirect,
	.meter = bw_sqlite_meter,
	.breaker_get = bw_sqlite_breaker_get,
	.breaker_cas = bw_sqlite_breaker_cas,
	.breaker_each = bw_sqlite_breaker_each,
	.setting_put = bw_sqlite_setting_put,
	.setting_each = bw_sqlite_setting_each,
	.list_put = bw_sqlite_list_put,
	.list_put_many = bw_sqlite_list_put_many,
	.list_learn = bw_sqlite_list_learn,
	.list_each = bw_sqlite_list_each,
	.versions = bw_sqlite_versions,
	.heartbeat = bw_sqlite_heartbeat,
	.host_each = bw_sqlite_host_each,
	.held_put = bw_sqlite_held_put,
	.held_move = bw_sqlite_held_move,
	.held_return = bw_sqlite_held_return,
	.held_each = bw_sqlite_held_each,
	.order_put = bw_sqlite_order_put,
	.order_each = bw_sqlite_order_each,
	.order_items = bw_sqlite_order_items,
	.order_move = bw_sqlite_order_move,
	.order_result = bw_sqlite_order_result,
	.post_put = bw_sqlite_post_put,
	.post_each = bw_sqlite_post_each,
	.post_move = bw_sqlite_post_move,
	.post_return = bw_sqlite_post_return,
	.event_add = bw_sqlite_event_add,
	.event_each = bw_sqlite_event_each,
	.expire = bw_sqlite_expire,
	.claim = claim,
	.degraded = degraded,
};

static struct bw_sqlite *new_store(const char *path, int64_t busy_ms)
{
	struct bw_sqlite *s = calloc(1, sizeof(*s));
	pthread_condattr_t monotonic;

	if (s == NULL)
		return NULL;
	s->base.ops = &ops;
	s->busy_ms = busy_ms;
	s->memory = strcmp(path, ":memory:") == 0;
	s->counting = &s->lanes[0];
	s->ledger = s->memory ? &s->lanes[0] : &s->lanes[1];
	s->clock = wall_clock;
	bw_store_clock_init(&s->seen);
	for (size_t i = 0; i < sizeof(s->lanes) / sizeof(s->lanes[0]); i++)
		pthread_mutex_init(&s->lanes[i].lock, NULL);
	pthread_mutex_init(&s->gate_lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->gate_opens, &monotonic);
	pthread_condattr_destroy(&monotonic);
	s->path = bw_slice_dup(bw_slice_of(path));
	if (s->path == NULL)
		close_store(&s->base);
	return s->path == NULL ? NULL : s;
}

/* A new file is for its owner and group only: the ledger is readable text. SQLite gives its companions the same mode. */
static enum bw_err make_file(const char *path, struct bw_why *why)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP);

	if (fd >= 0)
		close(fd);
	else if (errno != EEXIST)
		return bw_fail(why, BW_ERR_STORE, "store %s: cannot be created: %s", path, strerror(errno));
	return BW_OK;
}

static enum bw_err open_lane(struct bw_sqlite *s, struct bw_sqlite_lane *lane, struct bw_why *why)
{
	enum bw_err err = bw_sqlite_lane_open(s, lane, why);

	if (err == BW_OK && sqlite3_db_readonly(lane->db, "main") == 1)
		err = bw_sqlite_fail(s, NULL, SQLITE_READONLY, why);
	return err == BW_OK ? bw_sqlite_schema(s, lane, why) : err;
}

enum bw_err bw_store_sqlite_open(const char *path, int64_t busy_ms, struct bw_store **out, struct bw_why *why)
{
	struct bw_sqlite *s = path[0] == '\0' ? NULL : new_store(path, busy_ms);

	if (s == NULL && path[0] == '\0')
		return bw_fail(why, BW_ERR_STORE, "the store has no path");
	if (s == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory for the store %s", path);
	enum bw_err err = s->memory ? BW_OK : make_file(path, why);

	if (err == BW_OK)
		err = open_lane(s, s->counting, why);
	if (err == BW_OK && s->ledger != s->counting)
		err = open_lane(s, s->ledger, why);
	if (err == BW_OK)
		*out = &s->base;
	else
		close_store(&s->base);
	return err;
}
