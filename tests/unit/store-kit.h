/* store-kit.h: for the tests of the embedded store's own promises: a directory, a message, the file behind the store. */
#ifndef STORE_KIT_H
#define STORE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bw/clock.h"
#include "bw/store.h"

#define KIT_T0   INT64_C(4102444800000)
#define KIT_LIST "all@example.org"

static char kit_dir[64], kit_path[128];

static inline int kit_setup(void **state)
{
	(void)state;
	snprintf(kit_dir, sizeof(kit_dir), "/tmp/bw-store.XXXXXX");
	if (mkdtemp(kit_dir) == NULL)
		return -1;
	snprintf(kit_path, sizeof(kit_path), "%s/store.db", kit_dir);
	return 0;
}

static inline int kit_teardown(void **state)
{
	DIR *dir = opendir(kit_dir);
	struct dirent *entry;
	char path[64 + 256 + 2];

	(void)state;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", kit_dir, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	if (dir != NULL)
		closedir(dir);
	return rmdir(kit_dir);
}

static inline struct bw_store *kit_open(int64_t busy_ms)
{
	struct bw_store *s = NULL;
	struct bw_why why = { "" };

	if (bw_store_sqlite_open(kit_path, busy_ms, &s, &why) != BW_OK)
		fail_msg("%s", why.text);
	return s;
}

static inline struct bw_hash kit_hash(const char *text)
{
	static const struct bw_key key = { { 1 } };

	return bw_hash_slice(&key, "kit", bw_slice_of(text));
}

/* A reply to "root", or with ref "" a post. */
static inline struct bw_count_in kit_mail(int64_t now_ms, const char *id, const char *ref)
{
	return (struct bw_count_in){
		.now_ms = now_ms,
		.list = BW_S(KIT_LIST),
		.message = kit_hash(id),
		.sender = kit_hash(id),
		.keys = { { BW_JOIN_MESSAGE_ID, kit_hash(id) }, { BW_JOIN_REFERENCES, kit_hash(ref) } },
		.key_count = ref[0] == '\0' ? 1 : 2,
		.looks_like_reply = ref[0] != '\0',
		.may_merge = true,
		.deliveries = 100,
		.conversation_window_ms = BW_HOUR_MS,
		.list_window_ms = BW_HOUR_MS,
		.memory_ms = 7 * BW_DAY_MS,
		.root_sender = BW_S("root@example.org"),
	};
}

static inline enum bw_err kit_count(struct bw_store *s, int64_t now_ms, const char *id, const char *ref, struct bw_count_out *out,
                                    struct bw_why *why)
{
	struct bw_count_in in = kit_mail(now_ms, id, ref);

	return s->ops->count(s, &in, out, 1, why);
}

static inline enum bw_err kit_hold(struct bw_store *s, const char *id, struct bw_why *why)
{
	struct bw_held held = {
		.id = kit_hash(id), .message = kit_hash(id), .list = BW_S(KIT_LIST), .queue_id = bw_slice_of(id), .held_ms = KIT_T0
	};

	return s->ops->held_put(s, &held, why);
}

/* Runs SQL on the file itself; returns the first column of the first row, 0 if there is none. */
static inline int64_t kit_sql(const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	int64_t value = 0;

	assert_int_equal(sqlite3_open_v2(kit_path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(stmt) == SQLITE_ROW)
		value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return value;
}

#define KIT_TEST(function) cmocka_unit_test_setup_teardown(function, kit_setup, kit_teardown)

#endif
