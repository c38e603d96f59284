/* Settings: lasting values, temporary ones before them, and the history of every change. */
#include "sqlite-backend.h"

/* An expired value counts as one more change, so that whoever polls the version notices; nobody need write for that. */
static int64_t expired(struct bw_sqlite_lane *lane, int64_t now_ms)
{
	int64_t n = 0;

	bw_sqlite_ints(lane, BW_SQL_SETTING_EXPIRED, &n, 1, ARGS(INT(now_ms)));
	return n;
}

static int64_t version_at(struct bw_sqlite_lane *lane, int64_t now_ms)
{
	return bw_sqlite_meta(lane, "settings-version") + expired(lane, now_ms);
}

/* --- put --- */

struct put {
	const struct bw_setting_row *row;
	int64_t version;
};

/* What this change replaces: the temporary value, and for a lasting change the lasting one. Expired ones that go were
 * changes of their own. */
static int64_t replace(struct bw_sqlite_lane *lane, const struct bw_setting_row *row, int64_t now_ms)
{
	int64_t before = expired(lane, now_ms);

	bw_sqlite_run(lane, BW_SQL_SETTING_DELETE, ARGS(TEXT(row->name), INT(1)));
	if (row->until_ms == 0)
		bw_sqlite_run(lane, BW_SQL_SETTING_DELETE, ARGS(TEXT(row->name), INT(0)));
	return before - expired(lane, now_ms);
}

static enum bw_err run_put(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	struct put *p = arg;
	const struct bw_setting_row *row = p->row;
	int64_t now_ms = bw_sqlite_now(lane, row->set_ms);

	if (row->until_ms != 0 && row->until_ms <= now_ms)
		return bw_fail(why, BW_ERR_RANGE, "%.*s: a value that ends before it begins", (int)row->name.n, row->name.p);
	int64_t version = bw_sqlite_meta(lane, "settings-version") + replace(lane, row, now_ms) + 1;

	bw_sqlite_meta_put(lane, "settings-version", version);
	/* A lasting unset needs no row; a temporary one hides the lasting value. */
	if (row->value.n > 0 || row->until_ms != 0)
		bw_sqlite_run(lane, BW_SQL_SETTING_PUT,
		              ARGS(TEXT(row->name), INT(row->until_ms != 0), TEXT(row->value), TEXT(row->owner), TEXT(row->reason),
		                   INT(now_ms), INT(row->until_ms), INT(version), INT(BW_SQLITE_FORMAT)));
	bw_sqlite_run(lane, BW_SQL_HISTORY_ADD,
	              ARGS(TEXT(row->name), TEXT(row->value), TEXT(row->owner), TEXT(row->reason), INT(now_ms), INT(row->until_ms),
	                   INT(version), INT(BW_SQLITE_FORMAT)));
	p->version = version_at(lane, now_ms);
	return BW_OK;
}

enum bw_err bw_sqlite_setting_put(struct bw_store *s, const struct bw_setting_row *row, int64_t *version, struct bw_why *why)
{
	struct put put = { .row = row };

	if (row->name.n == 0)
		return bw_fail(why, BW_ERR_INPUT, "a setting without a name");
	if (row->name.n + row->value.n + row->owner.n + row->reason.n > BW_SQLITE_VALUE_BYTES_MAX)
		return bw_fail(why, BW_ERR_LIMIT, "a setting of more than %d bytes", BW_SQLITE_VALUE_BYTES_MAX);
	enum bw_err err = bw_sqlite_do(bw_sqlite_of(s)->ledger, BW_SQLITE_WRITE, run_put, &put, why);

	if (err == BW_OK && version != NULL)
		*version = put.version;
	return err;
}

/* --- versions --- */

struct versions {
	int64_t settings, directory;
};

static enum bw_err run_versions(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	struct versions *v = arg;

	(void)why;
	v->settings = version_at(lane, bw_sqlite_now(lane, 0));
	v->directory = bw_sqlite_meta(lane, "directory-version");
	return BW_OK;
}

enum bw_err bw_sqlite_versions(struct bw_store *s, int64_t *settings, int64_t *directory, struct bw_why *why)
{
	struct versions v = { 0 };
	enum bw_err err = bw_sqlite_do(bw_sqlite_of(s)->ledger, BW_SQLITE_READ, run_versions, &v, why);

	if (err == BW_OK) {
		*settings = v.settings;
		*directory = v.directory;
	}
	return err;
}

/* --- listing --- */

static void read_row(struct bw_sqlite_lane *lane, sqlite3_stmt *row, struct bw_arena *arena, void *out)
{
	(void)lane;
	*(struct bw_setting_row *)out = (struct bw_setting_row){
		.name = bw_sqlite_keep(arena, row, 1),
		.value = bw_sqlite_keep(arena, row, 2),
		.owner = bw_sqlite_keep(arena, row, 3),
		.reason = bw_sqlite_keep(arena, row, 4),
		.set_ms = sqlite3_column_int64(row, 5),
		.until_ms = sqlite3_column_int64(row, 6),
		.version = sqlite3_column_int64(row, 7),
	};
}

struct taker {
	bool (*each)(void *ctx, const struct bw_setting_row *row);
	void *ctx;
};

static bool give_row(void *taker, const void *row)
{
	const struct taker *t = taker;

	return t->each(t->ctx, row);
}

enum bw_err bw_sqlite_setting_each(struct bw_store *s, bool history, BW_EACH(struct bw_setting_row), struct bw_why *why)
{
	int64_t now_ms = 0;
	enum bw_err err = s->ops->now(s, &now_ms, why);
	struct taker taker = { each, ctx };
	struct bw_sqlite_listing listing = {
		.lane = bw_sqlite_of(s)->ledger,
		.sql = history ? BW_SQL_HISTORY_EACH : BW_SQL_SETTING_EACH,
		.args = { INT(0), INT(now_ms) },
		.arg_count = history ? 1 : 2,
		.row_bytes = sizeof(struct bw_setting_row),
		.read = read_row,
		.give = give_row,
		.taker = &taker,
	};

	return err == BW_OK ? bw_sqlite_list_rows(&listing, why) : err;
}
