/* The file: what it is, how it is opened, its tables. */
#include <time.h>

#include "bw/clock.h"
#include "sqlite-backend.h"

#define TEXT_OF(x)  TEXT_OF_(x)
#define TEXT_OF_(x) #x

#define APPLICATION_ID 1651991666 /* "bwtr" */

/* WAL: readers never wait and a writer never waits for readers. Counting may lose its last moment in a power failure
 * (NORMAL); the ledger may not (FULL). Counting checkpoints by itself only when nobody calls expire(). */
static const char settings_of_all[] = "PRAGMA journal_mode = WAL;"
									  "PRAGMA foreign_keys = OFF;"
									  "PRAGMA temp_store = MEMORY;"
									  "PRAGMA trusted_schema = OFF;"
									  "PRAGMA journal_size_limit = 67108864;"
									  "PRAGMA cache_size = -16384;";
static const char settings_of_counting[] = "PRAGMA synchronous = NORMAL;"
										   "PRAGMA secure_delete = OFF;" /* keyed hashes and numbers only */
										   "PRAGMA wal_autocheckpoint = 16384;";
static const char settings_of_ledger[] = "PRAGMA synchronous = FULL;"
										 "PRAGMA secure_delete = ON;"
										 "PRAGMA wal_autocheckpoint = 16384;";

static const char schema[] =
	/* One row a fact about the whole store. */
	"CREATE TABLE meta(name TEXT PRIMARY KEY, number INTEGER NOT NULL DEFAULT 0, hash BLOB) WITHOUT ROWID, STRICT;"

	/* --- counting: keyed hashes and numbers; kept for the memory, 7 days --- */
	"CREATE TABLE list(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"
	"CREATE TABLE tally(id INTEGER PRIMARY KEY, last_ms INTEGER NOT NULL,"
	" window_edge INTEGER NOT NULL, window_next INTEGER NOT NULL, window_senders INTEGER NOT NULL, window_amount INTEGER NOT "
	"NULL,"
	" day_edge INTEGER NOT NULL, day_next INTEGER NOT NULL, day_senders INTEGER NOT NULL, day_amount INTEGER NOT NULL,"
	" phase_edge INTEGER NOT NULL, phase_next INTEGER NOT NULL, phase_senders INTEGER NOT NULL, phase_amount INTEGER NOT NULL) "
	"STRICT;"
	/* Standings (at_ms 0): hash is the sender, other the message of its latest attempt, n when that was. Log: hash is the
	 * message, other its sender, n replies or deliveries. */
	"CREATE TABLE entry(tally INTEGER NOT NULL, at_ms INTEGER NOT NULL, hash BLOB NOT NULL, other BLOB NOT NULL, n INTEGER NOT "
	"NULL,"
	" standing INTEGER NOT NULL, PRIMARY KEY(tally, at_ms, hash)) WITHOUT ROWID, STRICT;"
	"CREATE TABLE conversation(id INTEGER PRIMARY KEY, list INTEGER NOT NULL, hash BLOB NOT NULL, founded_ms INTEGER NOT NULL,"
	" last_ms INTEGER NOT NULL, accepted INTEGER NOT NULL, merged_into INTEGER NOT NULL, root TEXT NOT NULL) STRICT;"
	"CREATE TABLE join_key(list INTEGER NOT NULL, class INTEGER NOT NULL, hash BLOB NOT NULL, conversation INTEGER NOT NULL,"
	" PRIMARY KEY(list, class, hash)) WITHOUT ROWID, STRICT;"
	"CREATE TABLE message(list INTEGER NOT NULL, hash BLOB NOT NULL, flags INTEGER NOT NULL, seen_ms INTEGER NOT NULL,"
	" conversation INTEGER NOT NULL, rival INTEGER NOT NULL, attempt_ms INTEGER NOT NULL, list_before_ms INTEGER NOT NULL,"
	" list_last_ms INTEGER NOT NULL, conversation_before_ms INTEGER NOT NULL, conversation_last_ms INTEGER NOT NULL,"
	" reply_ms INTEGER NOT NULL, accepted INTEGER NOT NULL, post_ms INTEGER NOT NULL, recipients_high INTEGER NOT NULL,"
	" recipients_low INTEGER NOT NULL, offer_flags INTEGER NOT NULL,"
	" offer_seen INTEGER NOT NULL, accepted_ms INTEGER NOT NULL, prior_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
	" deliveries INTEGER NOT NULL, PRIMARY KEY(list, hash)) WITHOUT ROWID, STRICT;"
	"CREATE TABLE part(list INTEGER NOT NULL, message BLOB NOT NULL, recipients BLOB NOT NULL, seen_ms INTEGER NOT NULL,"
	" offer_flags INTEGER NOT NULL, offer_seen INTEGER NOT NULL, accepted_ms INTEGER NOT NULL, prior_ms INTEGER NOT NULL,"
	" at_ms INTEGER NOT NULL, deliveries INTEGER NOT NULL, PRIMARY KEY(list, message, recipients)) WITHOUT ROWID, STRICT;"

	/* --- state that outlives the day: each record with its format --- */
	"CREATE TABLE breaker(tally INTEGER PRIMARY KEY, phase INTEGER NOT NULL, rule INTEGER NOT NULL, since_ms INTEGER NOT NULL,"
	" until_ms INTEGER NOT NULL, ordinal INTEGER NOT NULL, trip_limit INTEGER NOT NULL, relapses INTEGER NOT NULL,"
	" trips INTEGER NOT NULL, override_state INTEGER NOT NULL, override_until_ms INTEGER NOT NULL, owner TEXT NOT NULL,"
	" reason TEXT NOT NULL, version INTEGER NOT NULL, format INTEGER NOT NULL) STRICT;"
	"CREATE TABLE setting(id INTEGER PRIMARY KEY, name TEXT NOT NULL, temporary INTEGER NOT NULL, value TEXT NOT NULL,"
	" owner TEXT NOT NULL, reason TEXT NOT NULL, set_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, version INTEGER NOT NULL,"
	" format INTEGER NOT NULL, UNIQUE(name, temporary)) STRICT;"
	"CREATE TABLE setting_history(id INTEGER PRIMARY KEY, name TEXT NOT NULL, value TEXT NOT NULL, owner TEXT NOT NULL,"
	" reason TEXT NOT NULL, set_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, version INTEGER NOT NULL,"
	" format INTEGER NOT NULL) STRICT;"
	"CREATE TABLE host(id INTEGER PRIMARY KEY, host TEXT NOT NULL UNIQUE, version TEXT NOT NULL, pid INTEGER NOT NULL,"
	" seen_ms INTEGER NOT NULL, settings_version INTEGER NOT NULL, directory_version INTEGER NOT NULL, format INTEGER NOT NULL,"
	" degraded INTEGER NOT NULL, deliveries INTEGER NOT NULL, held INTEGER NOT NULL, accepted INTEGER NOT NULL,"
	" started_ms INTEGER NOT NULL) STRICT;"
	"CREATE TABLE held(seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, host TEXT NOT NULL, queue_id TEXT NOT NULL,"
	" mta TEXT NOT NULL, list TEXT NOT NULL, conversation BLOB NOT NULL, guard TEXT NOT NULL, sentence TEXT NOT NULL,"
	" sender TEXT NOT NULL, identity TEXT NOT NULL, message_id TEXT NOT NULL, subject TEXT NOT NULL, deliveries INTEGER NOT NULL,"
	" size_bytes INTEGER NOT NULL, held_ms INTEGER NOT NULL, message BLOB NOT NULL, side INTEGER NOT NULL, state INTEGER NOT "
	"NULL,"
	" state_ms INTEGER NOT NULL, state_by TEXT NOT NULL, format INTEGER NOT NULL) STRICT;"
	"CREATE TABLE event(id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, event INTEGER NOT NULL, host TEXT NOT NULL,"
	" list TEXT NOT NULL, guard TEXT NOT NULL, text TEXT NOT NULL, owner TEXT NOT NULL) STRICT;"

	"PRAGMA application_id = " TEXT_OF(APPLICATION_ID) ";"
													   "PRAGMA user_version = " TEXT_OF(BW_SQLITE_FORMAT) ";";

/* Tables that a file of the same format may lack, because it is older. Whatever reads them takes no row for an answer. */
static const char later[] =
	"CREATE TABLE IF NOT EXISTS held_list(held INTEGER NOT NULL, n INTEGER NOT NULL, list TEXT NOT NULL, side INTEGER NOT NULL,"
	" conversation BLOB NOT NULL, deliveries INTEGER NOT NULL, PRIMARY KEY(held, n)) WITHOUT ROWID, STRICT;"
	/* Meters: a sum a key and slot of time; until_ms is when it is garbage. */
	"CREATE TABLE IF NOT EXISTS meter(meter INTEGER NOT NULL, hash BLOB NOT NULL, slot INTEGER NOT NULL, amount INTEGER NOT NULL,"
	" until_ms INTEGER NOT NULL, PRIMARY KEY(meter, hash, slot)) WITHOUT ROWID, STRICT;"
	/* What operators have ordered, and its items. */
	"CREATE TABLE IF NOT EXISTS mail_order(seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, kind INTEGER NOT NULL, host TEXT NOT "
	"NULL, owner TEXT NOT NULL, reason TEXT NOT NULL, pace INTEGER NOT NULL, observe_ms INTEGER NOT NULL, made_ms INTEGER NOT "
	"NULL, expires_ms INTEGER NOT NULL, state INTEGER NOT NULL, state_ms INTEGER NOT NULL, state_by TEXT NOT NULL, note TEXT NOT "
	"NULL, items INTEGER NOT NULL, pending INTEGER NOT NULL, done INTEGER NOT NULL, gone INTEGER NOT NULL, refused INTEGER NOT "
	"NULL, failed INTEGER NOT NULL, deliveries INTEGER NOT NULL, format INTEGER NOT NULL) STRICT;"
	"CREATE TABLE IF NOT EXISTS order_item(mail_order INTEGER NOT NULL, number INTEGER NOT NULL, subject BLOB NOT NULL, mta TEXT "
	"NOT NULL, queue_id TEXT NOT NULL, list TEXT NOT NULL, signed_text TEXT NOT NULL, deliveries INTEGER NOT NULL, result INTEGER "
	"NOT NULL, note TEXT NOT NULL, done_ms INTEGER NOT NULL, PRIMARY KEY(mail_order, number)) WITHOUT ROWID, STRICT;"
	/* Accepted posts, one row a list. */
	"CREATE TABLE IF NOT EXISTS post(seq INTEGER PRIMARY KEY, id BLOB NOT NULL, host TEXT NOT NULL, queue_id TEXT NOT NULL, mta "
	"TEXT NOT NULL, list TEXT NOT NULL, conversation BLOB NOT NULL, sender TEXT NOT NULL, message_id TEXT NOT NULL, deliveries "
	"INTEGER NOT NULL, accepted_ms INTEGER NOT NULL, state INTEGER NOT NULL, state_ms INTEGER NOT NULL, format INTEGER NOT NULL, "
	"UNIQUE(id, list)) STRICT;"
	"CREATE INDEX IF NOT EXISTS post_by_time ON post(accepted_ms);"
	"CREATE INDEX IF NOT EXISTS meter_by_end ON meter(until_ms);"
	/* Redirecting: conversations whose root's identity was proven; replies that went to one person instead. */
	"CREATE TABLE IF NOT EXISTS trusted_root(conversation INTEGER PRIMARY KEY) STRICT;"
	"CREATE TABLE IF NOT EXISTS redirected(conversation INTEGER NOT NULL, message BLOB NOT NULL,"
	" PRIMARY KEY(conversation, message)) WITHOUT ROWID, STRICT;"
	"CREATE TRIGGER IF NOT EXISTS conversation_gone AFTER DELETE ON conversation BEGIN"
	" DELETE FROM trusted_root WHERE conversation = old.id; DELETE FROM redirected WHERE conversation = old.id; END;"
	"CREATE INDEX IF NOT EXISTS held_by_list ON held_list(list, held);"
	"CREATE TRIGGER IF NOT EXISTS held_gone AFTER DELETE ON held BEGIN DELETE FROM held_list WHERE held = old.seq; END;";

/* Columns that they may lack. */
static const struct {
	const char *look, *add;
} later_columns[] = {
	{ "SELECT count(*) FROM pragma_table_info('event') WHERE name = 'conversation'", "ALTER TABLE event ADD COLUMN conversation BLOB;" },
	{ "SELECT count(*) FROM pragma_table_info('held') WHERE name = 'automatic'",
	  "ALTER TABLE held ADD COLUMN automatic INTEGER NOT NULL DEFAULT 0;" },
};

/* The directory: each source has rows of its own. Older files have one row an address, in a table that is emptied into this one. */
static const char directory[] =
	"CREATE TABLE IF NOT EXISTS directory_row(version INTEGER PRIMARY KEY, address TEXT NOT NULL, owner TEXT NOT NULL,"
	" list_id TEXT NOT NULL, posters TEXT NOT NULL, origin TEXT NOT NULL, size INTEGER NOT NULL, source INTEGER NOT NULL,"
	" unconfirmed INTEGER NOT NULL, removed INTEGER NOT NULL, changed_ms INTEGER NOT NULL, format INTEGER NOT NULL,"
	" UNIQUE(address, source)) STRICT;"
	/* Proposals, to be counted: source 2 is learned. */
	"CREATE INDEX IF NOT EXISTS directory_learned ON directory_row(source) WHERE source = 2 AND removed = 0;";
static const char old_directory[] =
	"INSERT INTO directory_row(version, address, owner, list_id, posters, origin, size, source, unconfirmed, removed, changed_ms,"
	" format) SELECT version, address, owner, list_id, posters, '', size, source, unconfirmed, removed, changed_ms, format"
	" FROM directory;"
	"DROP TABLE directory;";

/* Two that turn a fresh file to WAL at once are told "busy" without the busy handler being asked. */
static enum bw_err execute(struct bw_sqlite_lane *lane, const char *sql, struct bw_why *why)
{
	struct timespec pause = { 0, 1000000 };
	int rc = sqlite3_exec(lane->db, sql, NULL, NULL, NULL);

	while ((rc & 0xff) == SQLITE_BUSY && bw_clock_monotonic_ms() < lane->deadline_ms) {
		nanosleep(&pause, NULL);
		rc = sqlite3_exec(lane->db, sql, NULL, NULL, NULL);
	}
	return rc == SQLITE_OK ? BW_OK : bw_sqlite_fail(lane->store, lane->db, rc, why);
}

static enum bw_err read_number(struct bw_sqlite_lane *lane, const char *sql, int64_t *out, struct bw_why *why)
{
	sqlite3_stmt *stmt = NULL;
	struct timespec pause = { 0, 1000000 };
	int rc = sqlite3_prepare_v2(lane->db, sql, -1, &stmt, NULL);

	while ((rc & 0xff) == SQLITE_BUSY && bw_clock_monotonic_ms() < lane->deadline_ms) {
		nanosleep(&pause, NULL);
		rc = sqlite3_prepare_v2(lane->db, sql, -1, &stmt, NULL);
	}
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	while ((rc & 0xff) == SQLITE_BUSY && bw_clock_monotonic_ms() < lane->deadline_ms) {
		nanosleep(&pause, NULL);
		sqlite3_reset(stmt);
		rc = sqlite3_step(stmt);
	}
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? BW_OK : bw_sqlite_fail(lane->store, lane->db, rc, why);
}

/* Ours, empty, or another program's? */
static enum bw_err look(struct bw_sqlite_lane *lane, bool *empty, struct bw_why *why)
{
	int64_t id = 0, format = 0, tables = 0;
	const char *path = lane->store->path;
	enum bw_err err = read_number(lane, "PRAGMA application_id", &id, why);

	if (err == BW_OK)
		err = read_number(lane, "PRAGMA user_version", &format, why);
	if (err == BW_OK)
		err = read_number(lane, "SELECT count(*) FROM sqlite_schema", &tables, why);
	if (err != BW_OK)
		return err;
	*empty = tables == 0 && id == 0;
	if (!*empty && id != APPLICATION_ID)
		return bw_fail(why, BW_ERR_STORE, "%s: an SQLite file, but of another program; give the store a file of its own", path);
	if (!*empty && format != BW_SQLITE_FORMAT)
		return bw_fail(why, BW_ERR_STORE, "%s: format %lld, this breakwater reads %d; it was written by another version", path,
		               (long long)format, BW_SQLITE_FORMAT);
	return BW_OK;
}

static enum bw_err make_columns(struct bw_sqlite_lane *lane, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	for (size_t i = 0; i < sizeof(later_columns) / sizeof(later_columns[0]) && err == BW_OK; i++) {
		int64_t there = 0;

		err = read_number(lane, later_columns[i].look, &there, why);
		if (err == BW_OK && there == 0)
			err = execute(lane, later_columns[i].add, why);
	}
	return err;
}

static enum bw_err make_directory(struct bw_sqlite_lane *lane, struct bw_why *why)
{
	int64_t old = 0;
	enum bw_err err = execute(lane, directory, why);

	if (err == BW_OK)
		err = read_number(lane, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'directory'", &old, why);
	return err == BW_OK && old > 0 ? execute(lane, old_directory, why) : err;
}

/* Two processes may meet a fresh file at once: the second finds the first one's work. */
static enum bw_err create(struct bw_sqlite_lane *lane, struct bw_why *why)
{
	bool empty = false;
	enum bw_err err = execute(lane, "BEGIN IMMEDIATE", why);

	if (err != BW_OK)
		return err;
	err = look(lane, &empty, why);
	if (err == BW_OK && empty)
		err = execute(lane, schema, why);
	if (err == BW_OK)
		err = execute(lane, later, why);
	if (err == BW_OK)
		err = make_columns(lane, why);
	if (err == BW_OK)
		err = make_directory(lane, why);
	if (err == BW_OK)
		err = execute(lane, "COMMIT", why);
	if (sqlite3_get_autocommit(lane->db) == 0)
		sqlite3_exec(lane->db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

/* All in one look: while another process creates the tables, half of the answers would be from before. */
static enum bw_err first_look(struct bw_sqlite_lane *lane, struct bw_why *why)
{
	bool empty = false;
	enum bw_err err = execute(lane, "BEGIN", why);

	if (err != BW_OK)
		return err;
	err = look(lane, &empty, why);
	sqlite3_exec(lane->db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

enum bw_err bw_sqlite_schema(struct bw_sqlite *s, struct bw_sqlite_lane *lane, struct bw_why *why)
{
	enum bw_err err = first_look(lane, why);

	if (err == BW_OK)
		err = execute(lane, settings_of_all, why);
	if (err == BW_OK)
		err = execute(lane, lane == s->counting ? settings_of_counting : settings_of_ledger, why);
	return err == BW_OK ? create(lane, why) : err;
}
