/* link: bw_agent bw_store bw_base */
/* A keeper is killed at each of its fault points, and somebody comes after it: nothing is lost, nothing comes twice.
 *
 * The MTA is a directory: hold/ID is a held message (its mark and a text), out/ID.N the N-th delivery of a message. A requeued one is under
 * way as "AAAABn". */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../milter/agent/archive.h"
#include "bw/agent.h"
#include "bw/clock.h"

#define T0   INT64_C(4102444800000)
#define LIST "all@example.org"

enum { KILLED = 42, MESSAGES = 3 };

static const struct bw_key key = { { 7 } };
static const char *const ids[MESSAGES] = { "AAAAA1", "AAAAA2", "AAAAA3" };
static char root[64];
static int64_t life_ms;   /* mail that is held for longer than half of this is requeued */
static bool still_queued; /* requeued mail can be found on its way */

/* --- the MTA --- */

static void path_of(char out[256], const char *directory, const char *name)
{
	snprintf(out, 256, "%s/%s/%s", root, directory, name);
}

static bool fake_is_id(const char *text)
{
	return strncmp(text, "AAAA", 4) == 0;
}

static enum bw_err fake_release(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	char from[256], to[256], name[64];

	(void)place;
	path_of(from, "hold", queue_id);
	for (int n = 0; n < 10; n++) {
		snprintf(name, sizeof(name), "%s.%d", queue_id, n);
		path_of(to, "out", name);
		if (access(to, F_OK) != 0)
			break;
	}
	return rename(from, to) == 0 ? BW_OK : bw_fail(why, BW_ERR_NOT_FOUND, "gone");
}

static enum bw_err fake_lifetime(const struct bw_mta_place *place, int64_t *any_ms, int64_t *null_sender_ms, struct bw_why *why)
{
	(void)place;
	(void)why;
	*any_ms = life_ms;
	*null_sender_ms = BW_DAY_MS * 1000;
	return BW_OK;
}

static enum bw_err fake_carriers(const struct bw_mta_place *place, int64_t since_ms, BW_EACH(struct bw_queued), struct bw_why *why)
{
	(void)place;
	(void)since_ms;
	(void)why;
	for (int i = 0; still_queued && i < MESSAGES; i++) {
		char path[256], name[64], text[BW_MARK_BYTES + 1];
		struct bw_queued q = { .queue_id = { NULL, 0 } };

		snprintf(name, sizeof(name), "%s.0", ids[i]);
		path_of(path, "out", name);
		FILE *file = fopen(path, "r");

		if (file == NULL)
			continue;
		q.mark_text = (struct bw_slice){ text, fread(text, 1, sizeof(text), file) };
		q.mark_text = bw_slice_head(q.mark_text, bw_slice_find(q.mark_text, '\n'));
		fclose(file);
		snprintf(name, sizeof(name), "AAAAB%d", i + 1);
		q.queue_id = bw_slice_of(name);
		each(ctx, &q);
	}
	return BW_OK;
}

static bool show(const char *queue_id, BW_EACH(struct bw_queued))
{
	char path[256], text[BW_MARK_BYTES + 1];
	struct bw_queued q = { .queue_id = bw_slice_of(queue_id), .held = true, .sender = BW_S("ann@example.org") };
	FILE *file;

	path_of(path, "hold", queue_id);
	file = fopen(path, "r");
	if (file == NULL)
		return false;
	size_t n = fread(text, 1, sizeof(text), file);

	fclose(file);
	struct bw_slice mark = { text, n };

	q.marked = bw_mark_read(&key, bw_slice_head(mark, bw_slice_find(mark, '\n')), bw_slice_of(queue_id), &q.mark);
	each(ctx, &q);
	return true;
}

static enum bw_err fake_look(const struct bw_mta_place *place, const struct bw_key *k, const char *queue_id, BW_EACH(struct bw_queued),
                             struct bw_why *why)
{
	(void)place;
	(void)k;
	return show(queue_id, each, ctx) ? BW_OK : bw_fail(why, BW_ERR_NOT_FOUND, "gone");
}

static enum bw_err fake_each(const struct bw_mta_place *place, const struct bw_key *k, BW_EACH(struct bw_queued), struct bw_why *why)
{
	(void)place;
	(void)k;
	(void)why;
	for (int i = 0; i < MESSAGES; i++)
		show(ids[i], each, ctx);
	return BW_OK;
}

static enum bw_err fake_files(const struct bw_mta_place *place, const char *queue_id, struct bw_queue_file files[BW_QUEUE_FILES_MAX],
                              size_t *count, struct bw_why *why)
{
	(void)place;
	(void)why;
	snprintf(files[0].path, sizeof(files[0].path), "%s/hold/%s", root, queue_id);
	files[0].name = "message";
	*count = 1;
	return BW_OK;
}

static enum bw_err fake_drop(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	char path[256];

	(void)place;
	path_of(path, "hold", queue_id);
	return unlink(path) == 0 ? BW_OK : bw_fail(why, BW_ERR_NOT_FOUND, "gone");
}

static enum bw_err fake_put(const struct bw_mta_place *place, struct bw_archived *from, char queue_id[BW_QUEUE_ID_BYTES],
                            enum bw_err (*note)(void *ctx, const char *queue_id, struct bw_why *why), void *ctx, struct bw_why *why)
{
	char path[256], temporary[256];
	struct archived_file file;

	(void)place;
	path_of(path, "hold", queue_id);
	path_of(temporary, "hold", "new");
	if (access(path, F_OK) == 0)
		return BW_OK;
	enum bw_err err = archived_next(from, &file, why);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (err == BW_OK)
		err = archived_copy(from, &file, fd, why);
	close(fd);
	if (err == BW_OK)
		err = note(ctx, queue_id, why);
	if (err == BW_OK && rename(temporary, path) != 0)
		err = BW_ERR_IO;
	return err;
}

static const struct bw_mta fake = {
	.name = "postfix",
	.is_queue_id = fake_is_id,
	.release = fake_release,
	.requeue = fake_release,
	.lifetime = fake_lifetime,
	.carriers = fake_carriers,
	.look = fake_look,
	.each = fake_each,
	.files = fake_files,
	.drop = fake_drop,
	.put = fake_put,
};

/* --- the stage --- */

static const struct bw_mta_place nowhere;

static void die_at(void *ctx, enum bw_fault fault)
{
	if (fault == *(const enum bw_fault *)ctx)
		_exit(KILLED);
}

static struct bw_store *open_store(void)
{
	struct bw_store *store = NULL;
	struct bw_why why;
	char path[128];

	snprintf(path, sizeof(path), "%s/store.db", root);
	if (bw_store_sqlite_open(path, 1000, &store, &why) != BW_OK)
		fail_msg("%s", why.text);
	return store;
}

static struct bw_keeper keeper(struct bw_store *store)
{
	struct bw_keeper k = { .store = store, .key = &key, .host = "mx1", .by = "ops", .now_ms = T0 + BW_HOUR_MS, .archive = -1,
		                   .archive_most_bytes = 1 << 20 };
	struct bw_why why;
	char path[128];

	snprintf(path, sizeof(path), "%s/archive", root);
	if (bw_archive_open(path, &k.archive, &why) != BW_OK)
		fail_msg("%s", why.text);
	return k;
}

static struct bw_hash id_of(int i)
{
	return (struct bw_hash){ { (uint8_t)(i + 1) } };
}

static void hold_message(struct bw_store *store, int i)
{
	struct bw_mark mark = { .id = id_of(i), .message = id_of(10 + i), .list = BW_S(LIST), .guard = BW_GUARD_LIST, .deliveries = 100,
		                    .held_ms = T0 };
	struct bw_held held = { .id = id_of(i), .host = BW_S("mx1"), .queue_id = bw_slice_of(ids[i]), .mta = BW_S("postfix"),
		                    .list = BW_S(LIST), .guard = BW_S("list"), .deliveries = 100, .held_ms = T0, .message = id_of(10 + i) };
	struct bw_buf text;
	char path[256];

	bw_buf_init(&text, BW_MARK_BYTES);
	bw_mark_print(&text, &key, &mark, bw_slice_of(ids[i]));
	path_of(path, "hold", ids[i]);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fprintf(file, "%s\ntext of %s\n", bw_buf_text(&text), ids[i]);
	fclose(file);
	bw_buf_done(&text);
	assert_int_equal(store->ops->held_put(store, &held, NULL), BW_OK);
}

static int set_stage(void **state)
{
	static const char *const directories[] = { "hold", "out" };
	struct bw_store *store;
	char path[256];

	(void)state;
	memcpy(root, "/tmp/bw-faults-XXXXXX", sizeof("/tmp/bw-faults-XXXXXX"));
	if (mkdtemp(root) == NULL)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", root, directories[i]);
		if (mkdir(path, 0700) != 0)
			return -1;
	}
	store = open_store();
	for (int i = 0; i < MESSAGES; i++)
		hold_message(store, i);
	bw_store_close(&store);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static int clear_stage(void **state)
{
	(void)state;
	return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- what is where --- */

struct whereabouts {
	bool held, archived;
	int delivered;
	enum bw_held_state state;
	char queue_id[BW_QUEUE_ID_BYTES];
};

static bool note_row(void *ctx, const struct bw_held *row)
{
	struct whereabouts *w = ctx;

	w->state = row->state;
	bw_slice_copy(row->queue_id, w->queue_id, sizeof(w->queue_id));
	return true;
}

static struct whereabouts look_for(struct bw_keeper *k, int i)
{
	struct bw_held_query query = { .id = id_of(i) };
	struct whereabouts w = { .state = BW_HELD_STATE_COUNT };
	char path[256], name[64];

	path_of(path, "hold", ids[i]);
	w.held = access(path, F_OK) == 0;
	w.archived = archive_has(k->archive, &query.id, ARCHIVE_MESSAGE);
	for (int n = 0; n < 10; n++) {
		snprintf(name, sizeof(name), "%s.%d", ids[i], n);
		path_of(path, "out", name);
		w.delivered += access(path, F_OK) == 0;
	}
	assert_int_equal(k->store->ops->held_each(k->store, &query, note_row, &w, NULL), BW_OK);
	return w;
}

/* Once, in one place, and the ledger says which. */
static void expect_sane(struct bw_keeper *k, const char *when)
{
	for (int i = 0; i < MESSAGES; i++) {
		struct whereabouts w = look_for(k, i);
		bool sane = w.held + w.archived + w.delivered == 1 && (!w.held || w.state == BW_HELD_WAITING) &&
		            (!w.archived || w.state == BW_HELD_DELETED) && (w.delivered == 0 || w.state == BW_HELD_RELEASED);

		if (!sane)
			fail_msg("%s: %s: held %d, archived %d, delivered %d, the ledger says %s", when, ids[i], w.held, w.archived, w.delivered,
			         bw_held_state_name(w.state));
	}
}

static int64_t deliveries_counted(struct bw_store *store)
{
	struct bw_count_in in = { .now_ms = T0 + BW_HOUR_MS + 1, .list = BW_S(LIST), .message = { { 99 } }, .sender = { { 98 } },
		                      .peek = true, .conversation_window_ms = BW_HOUR_MS, .list_window_ms = BW_HOUR_MS, .memory_ms = BW_DAY_MS };
	struct bw_count_out out;

	assert_int_equal(store->ops->count(store, &in, &out, 1, NULL), BW_OK);
	return out.list_deliveries;
}

/* --- the walk --- */

typedef enum bw_err act_fn(struct bw_keeper *k, const struct bw_held *entry, struct bw_why *why);

static enum bw_err act_release(struct bw_keeper *k, const struct bw_held *entry, struct bw_why *why)
{
	return bw_keeper_release(k, &fake, &nowhere, entry, why);
}

static enum bw_err act_delete(struct bw_keeper *k, const struct bw_held *entry, struct bw_why *why)
{
	return bw_keeper_delete(k, &fake, &nowhere, entry, why);
}

static enum bw_err act_restore(struct bw_keeper *k, const struct bw_held *entry, struct bw_why *why)
{
	char queue_id[BW_QUEUE_ID_BYTES];

	return bw_keeper_restore(k, &fake, &nowhere, entry, queue_id, why);
}

static enum bw_err act(act_fn *fn, struct bw_keeper *k, int i, struct bw_why *why)
{
	struct whereabouts w = look_for(k, i);
	struct bw_held entry = { .id = id_of(i), .queue_id = bw_slice_of(w.queue_id), .mta = BW_S("postfix"), .state = w.state };

	return fn(k, &entry, why);
}

/* In a process of its own, killed at `fault`. */
static void act_and_die(act_fn *fn, int i, enum bw_fault fault)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		struct bw_keeper k = keeper(open_store());
		struct bw_why why;

		k.at = die_at;
		k.at_ctx = &fault;
		_exit(act(fn, &k, i, &why) == BW_OK ? 0 : 1);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != KILLED)
		fail_msg("fault point %d was not reached (status %d)", (int)fault, status);
}

static void reconcile(struct bw_keeper *k)
{
	struct bw_reconciled found;
	struct bw_why why = { "" };

	if (bw_keeper_reconcile(k, &fake, &nowhere, NULL, false, &found, NULL, NULL, &why) != BW_OK)
		fail_msg("%s", why.text);
}

static const struct {
	enum bw_fault fault;
	const char *name;
	act_fn *act, *before; /* done, and completed, before */
	int64_t deliveries;   /* in the end */
	bool old, found;      /* held for long; and seen on its way then */
} walk[] = {
	{ BW_FAULT_RELEASE_NOTED, "release, noted", act_release, NULL, 100, false, false },
	{ BW_FAULT_RELEASE_OUT, "release, out", act_release, NULL, 100, false, false },
	{ BW_FAULT_RELEASE_WRITTEN, "release, written", act_release, NULL, 100, false, false },
	{ BW_FAULT_RELEASE_NOTED, "release of old mail, noted", act_release, NULL, 100, true, true },
	{ BW_FAULT_RELEASE_OUT, "release of old mail, out", act_release, NULL, 100, true, true },
	{ BW_FAULT_RELEASE_OUT, "release of old mail, out and away", act_release, NULL, 100, true, false },
	{ BW_FAULT_RELEASE_FOLLOWED, "release of old mail, followed", act_release, NULL, 100, true, true },
	{ BW_FAULT_RELEASE_FOLLOWED, "release of old mail, looked for in vain", act_release, NULL, 100, true, false },
	{ BW_FAULT_RELEASE_WRITTEN, "release of old mail, written", act_release, NULL, 100, true, true },
	{ BW_FAULT_DELETE_ARCHIVING, "delete, archiving", act_delete, NULL, 0, false, false },
	{ BW_FAULT_DELETE_ARCHIVED, "delete, archived", act_delete, NULL, 0, false, false },
	{ BW_FAULT_DELETE_DROPPED, "delete, dropped", act_delete, NULL, 0, false, false },
	{ BW_FAULT_DELETE_WRITTEN, "delete, written", act_delete, NULL, 0, false, false },
	{ BW_FAULT_RESTORE_NOTED, "restore, noted", act_restore, act_delete, 0, false, false },
	{ BW_FAULT_RESTORE_PLACED, "restore, placed", act_restore, act_delete, 0, false, false },
	{ BW_FAULT_RESTORE_WRITTEN, "restore, written", act_restore, act_delete, 0, false, false },
};
enum { WALKS = sizeof(walk) / sizeof(walk[0]) };

static void every_fault_point_is_walked(void **state)
{
	bool walked[BW_FAULT_COUNT] = { false };

	(void)state;
	for (size_t n = 0; n < WALKS; n++)
		walked[walk[n].fault] = true;
	for (int i = 0; i < BW_FAULT_COUNT; i++)
		assert_true(walked[i]);
}

/* After the kill: `reconciled` first, or whoever gave the order gives it again. */
static void walk_one(size_t n, bool reconciled)
{
	struct bw_keeper k;
	struct bw_why why = { "" };
	void *state = NULL;

	life_ms = walk[n].old ? BW_HOUR_MS : BW_DAY_MS;
	still_queued = walk[n].found;
	assert_int_equal(set_stage(&state), 0);
	k = keeper(open_store());
	if (walk[n].before != NULL)
		assert_int_equal(act(walk[n].before, &k, 0, &why), BW_OK);
	act_and_die(walk[n].act, 0, walk[n].fault);
	if (reconciled) {
		reconcile(&k);
		expect_sane(&k, walk[n].name);
	}
	/* Again: it is done now, or is told that it is done already. */
	enum bw_err err = act(walk[n].act, &k, 0, &why);

	if (err != BW_OK && err != BW_ERR_NOT_FOUND && err != BW_ERR_CONFLICT)
		fail_msg("%s, again: %s", walk[n].name, why.text);
	reconcile(&k);
	expect_sane(&k, walk[n].name);
	struct whereabouts w = look_for(&k, 0);

	if (walk[n].act == act_release)
		assert_int_equal(w.delivered, 1);
	if (walk[n].act == act_release)
		assert_string_equal(w.queue_id, walk[n].found ? "AAAAB1" : ids[0]);
	else
		assert_true(walk[n].act == act_delete ? w.archived : w.held);
	assert_int_equal(deliveries_counted(k.store), walk[n].deliveries);
	for (enum archive_kind kind = ARCHIVE_RELEASE; kind < ARCHIVE_KIND_COUNT; kind++) {
		struct bw_hash id = id_of(0);

		if (kind != ARCHIVE_RELEASE || walk[n].fault != BW_FAULT_RELEASE_WRITTEN)
			assert_false(archive_has(k.archive, &id, kind));
	}
	bw_store_close(&k.store);
	close(k.archive);
	clear_stage(&state);
}

static void killed_and_reconciled(void **state)
{
	(void)state;
	for (size_t n = 0; n < WALKS; n++)
		walk_one(n, true);
}

static void killed_and_told_again(void **state)
{
	(void)state;
	for (size_t n = 0; n < WALKS; n++)
		walk_one(n, false);
}

/* --- orders that are refused --- */

static void refused(void **state)
{
	struct bw_keeper k = keeper(open_store());
	struct bw_why why;
	char from[256], to[256];
	static const char *const evil[] = { "AAAAA1;reboot", "-d ALL", "ALL", "../AAAAA1", "" };

	(void)state;
	/* Another message under the entry's queue id. */
	path_of(from, "hold", ids[1]);
	path_of(to, "hold", ids[0]);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(act(act_release, &k, 0, &why), BW_ERR_CONFLICT);
	assert_int_equal(act(act_delete, &k, 0, &why), BW_ERR_CONFLICT);
	assert_int_equal(access(to, F_OK), 0);
	/* Not deleted, so nothing to restore. */
	assert_int_equal(act(act_restore, &k, 2, &why), BW_ERR_CONFLICT);
	for (size_t i = 1; i < sizeof(evil) / sizeof(evil[0]); i++) {
		struct bw_held entry = { .id = id_of(2), .queue_id = bw_slice_of(evil[i]), .mta = BW_S("postfix") };

		assert_int_equal(bw_keeper_release(&k, &fake, &nowhere, &entry, &why), BW_ERR_INPUT);
		assert_int_equal(bw_keeper_delete(&k, &fake, &nowhere, &entry, &why), BW_ERR_INPUT);
		assert_false(bw_mta_find("postfix")->is_queue_id(evil[i]) && strcmp(evil[i], "ALL") != 0);
		assert_false(bw_mta_find("sendmail")->is_queue_id(evil[i]));
	}
	/* A second order for what is done. */
	assert_int_equal(act(act_release, &k, 2, &why), BW_OK);
	assert_int_equal(act(act_release, &k, 2, &why), BW_ERR_NOT_FOUND);
	assert_int_equal(act(act_delete, &k, 2, &why), BW_ERR_NOT_FOUND);
	assert_int_equal(look_for(&k, 2).delivered, 1);
	assert_int_equal(deliveries_counted(k.store), 100);
	bw_store_close(&k.store);
	close(k.archive);
}

static void the_archive_is_ours_alone(void **state)
{
	struct bw_why why;
	char path[256];
	int fd = -1;

	(void)state;
	snprintf(path, sizeof(path), "%s/open", root);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(bw_archive_open(path, &fd, &why), BW_ERR_PERMISSION);
	snprintf(path, sizeof(path), "%s/link", root);
	assert_int_equal(symlink("/tmp", path), 0);
	assert_int_not_equal(bw_archive_open(path, &fd, &why), BW_OK);
	assert_int_equal(fd, -1);
}

static void archives_expire(void **state)
{
	struct bw_keeper k = keeper(open_store());
	struct bw_why why;
	struct stat st;
	int64_t gone = 0;
	char name[ARCHIVE_NAME_BYTES];
	struct bw_hash id = id_of(0);

	(void)state;
	assert_int_equal(act(act_delete, &k, 0, &why), BW_OK);
	archive_name(&id, ARCHIVE_MESSAGE, name);
	assert_int_equal(fstatat(k.archive, name, &st, 0), 0);
	int64_t made_ms = (int64_t)st.st_mtime * 1000;

	assert_int_equal(bw_archive_expire(k.archive, made_ms + BW_DAY_MS - 1, BW_DAY_MS, &gone, &why), BW_OK);
	assert_int_equal(gone, 0);
	assert_int_equal(bw_archive_expire(k.archive, made_ms + BW_DAY_MS, BW_DAY_MS, &gone, &why), BW_OK);
	assert_int_equal(gone, 1);
	assert_int_equal(act(act_restore, &k, 0, &why), BW_ERR_NOT_FOUND);
	bw_store_close(&k.store);
	close(k.archive);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fault_point_is_walked),
		cmocka_unit_test(killed_and_reconciled),
		cmocka_unit_test(killed_and_told_again),
		cmocka_unit_test_setup_teardown(refused, set_stage, clear_stage),
		cmocka_unit_test_setup_teardown(the_archive_is_ours_alone, set_stage, clear_stage),
		cmocka_unit_test_setup_teardown(archives_expire, set_stage, clear_stage),
	};

	return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
