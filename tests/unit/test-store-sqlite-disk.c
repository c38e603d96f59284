/* link: bw_store PkgConfig::SQLITE Threads::Threads */
/* The disk under the embedded store: full, failing, and asked to be sure. SQLite's own file layer is replaced by one that
 * counts and fails on demand. */
#include "store-kit.h"

#include <pthread.h>
#include <stdatomic.h>

/* --- a file layer that counts and fails --- */

static _Atomic int syncs, fail_write_rc, fail_sync_rc, writes_left;

struct disk_file {
	sqlite3_file base;
	sqlite3_file *real; /* lies behind this struct */
};

static sqlite3_vfs *real_vfs;
static sqlite3_io_methods methods; /* the real ones but for two */

static sqlite3_file *real_of(sqlite3_file *f)
{
	return ((struct disk_file *)f)->real;
}

static int disk_close(sqlite3_file *f)
{
	return real_of(f)->pMethods->xClose(real_of(f));
}

static int disk_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	return real_of(f)->pMethods->xRead(real_of(f), p, n, at);
}

static int disk_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	int rc = atomic_load(&fail_write_rc);

	if (rc != SQLITE_OK && atomic_fetch_sub(&writes_left, 1) <= 0)
		return rc;
	return real_of(f)->pMethods->xWrite(real_of(f), p, n, at);
}

static int disk_truncate(sqlite3_file *f, sqlite3_int64 n)
{
	return real_of(f)->pMethods->xTruncate(real_of(f), n);
}

static int disk_sync(sqlite3_file *f, int flags)
{
	int rc = atomic_load(&fail_sync_rc);

	atomic_fetch_add(&syncs, 1);
	return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int disk_size(sqlite3_file *f, sqlite3_int64 *n)
{
	return real_of(f)->pMethods->xFileSize(real_of(f), n);
}

static int disk_lock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int disk_unlock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int disk_reserved(sqlite3_file *f, int *out)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int disk_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int disk_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int disk_device(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int disk_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}

static int disk_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void disk_shm_barrier(sqlite3_file *f)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int disk_shm_unmap(sqlite3_file *f, int remove)
{
	return real_of(f)->pMethods->xShmUnmap(real_of(f), remove);
}

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out_flags)
{
	struct disk_file *file = (struct disk_file *)f;

	(void)vfs;
	file->real = (sqlite3_file *)(file + 1);
	int rc = real_vfs->xOpen(real_vfs, name, file->real, flags, out_flags);

	file->base.pMethods = rc == SQLITE_OK ? &methods : NULL;
	return rc;
}

static int install_disk(void **state)
{
	static sqlite3_vfs vfs;

	(void)state;
	methods = (sqlite3_io_methods){
		.iVersion = 2,
		.xClose = disk_close,
		.xRead = disk_read,
		.xWrite = disk_write,
		.xTruncate = disk_truncate,
		.xSync = disk_sync,
		.xFileSize = disk_size,
		.xLock = disk_lock,
		.xUnlock = disk_unlock,
		.xCheckReservedLock = disk_reserved,
		.xFileControl = disk_control,
		.xSectorSize = disk_sector,
		.xDeviceCharacteristics = disk_device,
		.xShmMap = disk_shm_map,
		.xShmLock = disk_shm_lock,
		.xShmBarrier = disk_shm_barrier,
		.xShmUnmap = disk_shm_unmap,
	};
	real_vfs = sqlite3_vfs_find(NULL);
	vfs = *real_vfs;
	vfs.zName = "disk";
	vfs.szOsFile = (int)sizeof(struct disk_file) + real_vfs->szOsFile;
	vfs.xOpen = disk_open;
	return sqlite3_vfs_register(&vfs, 1);
}

static void heal(void)
{
	atomic_store(&fail_write_rc, SQLITE_OK);
	atomic_store(&fail_sync_rc, SQLITE_OK);
}

/* --- sure --- */

/* The ledger is on the disk before the answer; counting asks the disk for nothing. */
static void the_ledger_is_synced_and_counting_is_not(void **state)
{
	struct bw_store *s = kit_open(1000);
	struct bw_count_out out;
	char id[16];

	(void)state;
	kit_count(s, KIT_T0, "root", "", &out, NULL);
	int before = atomic_load(&syncs);

	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "r%d", i);
		assert_int_equal(kit_count(s, KIT_T0 + i, id, "root", &out, NULL), BW_OK);
	}
	assert_int_equal(atomic_load(&syncs), before);
	struct bw_hash moved = kit_hash("h3");

	for (int i = 0; i < 5; i++) {
		snprintf(id, sizeof(id), "h%d", i);
		before = atomic_load(&syncs);
		assert_int_equal(kit_hold(s, id, NULL), BW_OK);
		assert_true(atomic_load(&syncs) > before);
	}
	before = atomic_load(&syncs);
	assert_int_equal(s->ops->held_move(s, &moved, BW_HELD_WAITING, BW_HELD_RELEASED, KIT_T0, BW_S("ops"), NULL), BW_OK);
	assert_true(atomic_load(&syncs) > before);
	bw_store_close(&s);
}

/* Many who hold at once share one wait for the disk. */
static struct bw_store *shared;

static void *hold_some(void *arg)
{
	char id[32];

	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "t%d-%d", *(int *)arg, i);
		if (kit_hold(shared, id, NULL) != BW_OK)
			abort();
	}
	return NULL;
}

static void the_ledger_commits_in_groups(void **state)
{
	int before, indexes[16];
	pthread_t threads[16];

	(void)state;
	shared = kit_open(10000);
	before = atomic_load(&syncs);
	for (int i = 0; i < 16; i++) {
		indexes[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, hold_some, &indexes[i]), 0);
	}
	for (int i = 0; i < 16; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(kit_sql("SELECT count(*) FROM held"), 320);
	assert_true(atomic_load(&syncs) - before < 320);
	bw_store_close(&shared);
}

/* A disk that cannot be sure has not taken the entry. */
static void a_failing_sync_is_a_failure(void **state)
{
	struct bw_store *s = kit_open(1000);
	struct bw_why why = { "" };

	(void)state;
	atomic_store(&fail_sync_rc, SQLITE_IOERR_FSYNC);
	assert_int_equal(kit_hold(s, "h1", &why), BW_ERR_STORE);
	heal();
	assert_non_null(strstr(why.text, "input/output"));
	assert_int_equal(kit_hold(s, "h1", NULL), BW_OK);
	assert_int_equal(kit_sql("SELECT count(*) FROM held"), 1);
	bw_store_close(&s);
}

/* --- full --- */

/* Wherever in a transaction the disk runs full: a failure, nothing half done, and all well when there is room again. */
static void full_at_any_write(void **state)
{
	struct bw_store *s = kit_open(1000);
	struct bw_count_out out;
	struct bw_why why = { "" };
	int failures = 0;

	(void)state;
	assert_int_equal(kit_count(s, KIT_T0, "root", "", &out, NULL), BW_OK);
	for (int writes = 0; writes < 40; writes++) {
		char id[16];

		snprintf(id, sizeof(id), "r%d", writes);
		out.now_ms = -7;
		atomic_store(&writes_left, writes);
		atomic_store(&fail_write_rc, SQLITE_FULL);
		enum bw_err err = kit_count(s, KIT_T0 + 1, id, "root", &out, &why);

		heal();
		if (err == BW_OK) {
			assert_int_equal(out.conversation_senders, writes + 1);
			continue;
		}
		failures++;
		assert_int_equal(err, BW_ERR_STORE);
		assert_non_null(strstr(why.text, "full"));
		assert_int_equal(out.now_ms, -7);
		/* As if it had never been tried. */
		assert_int_equal(kit_count(s, KIT_T0 + 1, id, "root", &out, NULL), BW_OK);
		assert_int_equal(out.seen, BW_SEEN_FRESH);
		assert_int_equal(out.conversation_senders, writes + 1);
	}
	assert_true(failures >= 5);
	bw_store_close(&s);
	assert_int_equal(kit_sql("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
}

static void input_output_errors_say_so(void **state)
{
	struct bw_store *s = kit_open(1000);
	struct bw_count_out out;
	struct bw_why why = { "" };

	(void)state;
	atomic_store(&writes_left, 0);
	atomic_store(&fail_write_rc, SQLITE_IOERR_WRITE);
	assert_int_equal(kit_count(s, KIT_T0, "m", "", &out, &why), BW_ERR_STORE);
	heal();
	assert_non_null(strstr(why.text, "input/output"));
	assert_int_equal(kit_count(s, KIT_T0, "m", "", &out, NULL), BW_OK);
	/* Reading needs no writing. */
	atomic_store(&writes_left, 0);
	atomic_store(&fail_write_rc, SQLITE_FULL);
	struct bw_breaker_key key = { .scope = BW_SCOPE_LIST, .list = BW_S(KIT_LIST) };
	struct bw_breaker b;

	assert_int_equal(s->ops->breaker_get(s, &key, &b, NULL), BW_OK);
	heal();
	bw_store_close(&s);
}

/* Those who share a transaction that fails fail together; afterwards each is counted once. */
static struct bw_count_out outs[8];
static enum bw_err errs[8];

static void *count_one(void *arg)
{
	int i = *(int *)arg;
	char id[16];

	snprintf(id, sizeof(id), "g%d", i);
	errs[i] = kit_count(shared, KIT_T0 + 1, id, "root", &outs[i], NULL);
	return NULL;
}

static void a_failed_group_is_nobodys(void **state)
{
	struct bw_count_out out;
	pthread_t threads[8];
	int indexes[8], counted = 0;

	(void)state;
	shared = kit_open(10000);
	assert_int_equal(kit_count(shared, KIT_T0, "root", "", &out, NULL), BW_OK);
	atomic_store(&writes_left, 3);
	atomic_store(&fail_write_rc, SQLITE_FULL);
	for (int i = 0; i < 8; i++) {
		indexes[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, count_one, &indexes[i]), 0);
	}
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	heal();
	for (int i = 0; i < 8; i++) {
		assert_true(errs[i] == BW_OK || errs[i] == BW_ERR_STORE);
		counted += errs[i] == BW_OK;
	}
	assert_true(counted < 8);
	assert_int_equal(kit_count(shared, KIT_T0 + 2, "last", "root", &out, NULL), BW_OK);
	assert_int_equal(out.conversation_senders, counted + 1);
	bw_store_close(&shared);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		KIT_TEST(the_ledger_is_synced_and_counting_is_not),
		KIT_TEST(the_ledger_commits_in_groups),
		KIT_TEST(a_failing_sync_is_a_failure),
		KIT_TEST(full_at_any_write),
		KIT_TEST(input_output_errors_say_so),
		KIT_TEST(a_failed_group_is_nobodys),
	};

	return cmocka_run_group_tests(tests, install_disk, NULL);
}
