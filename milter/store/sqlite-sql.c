/* Every statement of the embedded store. Bytes from strangers are bound, never part of a text. */
#include "sqlite-sql.h"

#include <assert.h>
#include <stddef.h>

/* Columns that are read and written in one order. */
#define MESSAGE_COLUMNS                                                                                       \
	"flags, seen_ms, conversation, rival, attempt_ms, list_before_ms, list_last_ms, conversation_before_ms, " \
	"conversation_last_ms, reply_ms, accepted, post_ms, recipients_high, recipients_low"
#define TALLY_COLUMNS                                                                             \
	"t.last_ms, t.window_edge, t.window_next, t.window_senders, t.window_amount, t.day_edge, "    \
	"t.day_next, t.day_senders, t.day_amount, t.phase_edge, t.phase_next, t.phase_senders, "      \
	"t.phase_amount"
#define CONVERSATION_COLUMNS "c.id, c.list, c.hash, c.founded_ms, c.last_ms, c.accepted, c.merged_into"
#define OFFER_COLUMNS "offer_flags, offer_seen, accepted_ms, prior_ms, at_ms, deliveries"
#define HELD_COLUMNS                                                                                  \
	"seq, id, host, queue_id, mta, list, conversation, guard, sentence, sender, identity, message_id, " \
	"subject, deliveries, size_bytes, held_ms, message, side, state, state_ms, state_by, automatic"
#define HELD_FILTER                                                                                            \
	" AND (NOT ?4 OR conversation = ?5) AND (?6 = '' OR list = ?6 OR seq IN (SELECT held FROM held_list l "    \
	"WHERE l.list = ?6)) AND (NOT ?7 OR state = ?8) AND held_ms >= ?9 ORDER BY seq"
#define ORDER_COLUMNS                                                                                                    \
	"id, kind, host, owner, reason, pace, observe_ms, made_ms, expires_ms, state, state_ms, state_by, note, items, "      \
	"pending, done, gone, refused, failed, deliveries"
/* Ended, or its time went by, at ?1 or before. */
#define ORDER_PAST "(CASE WHEN state < 4 THEN expires_ms ELSE state_ms END <= ?1 AND state > 0)"
#define POST_COLUMNS                                                                                                \
	"seq, id, host, queue_id, mta, list, conversation, sender, message_id, deliveries, accepted_ms, state, state_ms"
#define POST_FILTER                                                                                                       \
	" AND (NOT ?4 OR conversation = ?5) AND (?6 = '' OR list = ?6) AND (?7 = '' OR host = ?7) AND (accepted_ms >= ?8 OR " \
	"state_ms >= ?8) ORDER BY seq"
#define BREAKER_COLUMNS                                                                                                 \
	"phase, rule, since_ms, until_ms, ordinal, trip_limit, relapses, trips, override_state, override_until_ms, owner, " \
	"reason, version"

/* clang-format off */
static const char *const texts[] = {
	/* Transactions. */
	[BW_SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[BW_SQL_BEGIN_READ] = "BEGIN",
	[BW_SQL_COMMIT] = "COMMIT",
	[BW_SQL_ROLLBACK] = "ROLLBACK",
	[BW_SQL_SAVEPOINT] = "SAVEPOINT peek",
	[BW_SQL_SAVEPOINT_UNDO] = "ROLLBACK TO peek",
	[BW_SQL_SAVEPOINT_END] = "RELEASE peek",

	/* Small numbers by name. */
	[BW_SQL_META_GET] = "SELECT number FROM meta WHERE name = ?1",
	[BW_SQL_META_PUT] =
		"INSERT INTO meta(name, number) VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET number = "
		"excluded.number",
	[BW_SQL_CLAIM_GET] = "SELECT hash = ?1 FROM meta WHERE name = 'secret'",
	[BW_SQL_CLAIM_PUT] = "INSERT INTO meta(name, hash) VALUES('secret', ?1)",

	/* Lists that count. */
	[BW_SQL_LIST_GET] = "SELECT id FROM list WHERE name = ?1",
	[BW_SQL_LIST_MAKE] = "INSERT INTO list(name) VALUES(?1)",

	/* Tallies. */
	[BW_SQL_LIST_TALLY] =
		"SELECT l.id, " TALLY_COLUMNS ", " BREAKER_COLUMNS " FROM list l LEFT JOIN tally t ON t.id = l.id * 4 + 2 "
		"+ ?2 LEFT JOIN breaker b ON b.tally = t.id WHERE l.name = ?1",
	[BW_SQL_TALLY_GET] =
		"SELECT " TALLY_COLUMNS ", " BREAKER_COLUMNS " FROM tally t LEFT JOIN breaker b ON b.tally = t.id WHERE "
		"t.id = ?1",
	[BW_SQL_TALLY_PUT] =
		"INSERT OR REPLACE INTO tally(id, last_ms, window_edge, window_next, window_senders, "
		"window_amount, day_edge, day_next, day_senders, day_amount, phase_edge, phase_next, "
		"phase_senders, phase_amount) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
	[BW_SQL_TALLY_DELETE] = "DELETE FROM tally WHERE id = ?1",
	[BW_SQL_STANDING_GET] = "SELECT n, standing FROM entry WHERE tally = ?1 AND at_ms = 0 AND hash = ?2",
	[BW_SQL_STANDING_PUT] =
		"INSERT OR REPLACE INTO entry(tally, at_ms, hash, other, n, standing) VALUES(?1, 0, ?2, ?3, ?4, "
		"?5)",
	[BW_SQL_STANDING_COUNT] = "UPDATE entry SET standing = ?3 WHERE tally = ?1 AND at_ms = 0 AND hash = ?2",
	[BW_SQL_STANDING_DELETE] = "DELETE FROM entry WHERE tally = ?1 AND at_ms = 0 AND hash = ?2",
	[BW_SQL_STANDING_OF_BOTH] =
		"SELECT count(DISTINCT hash) FROM entry WHERE tally IN (?1, ?2) AND at_ms = 0 AND n > ?3",
	[BW_SQL_STANDING_MERGE] =
		"INSERT INTO entry(tally, at_ms, hash, other, n, standing) SELECT ?1, 0, hash, other, n, standing "
		"FROM entry WHERE tally = ?2 AND at_ms = 0 ON CONFLICT(tally, at_ms, hash) DO UPDATE SET other = "
		"CASE WHEN excluded.n > n THEN excluded.other ELSE other END, n = max(n, excluded.n), standing = "
		"standing + excluded.standing",
	[BW_SQL_LOG_ADD] =
		"INSERT INTO entry(tally, at_ms, hash, other, n, standing) VALUES(?1, ?2, ?3, ?4, ?5, 0) ON "
		"CONFLICT(tally, at_ms, hash) DO UPDATE SET other = excluded.other, n = n + excluded.n",
	[BW_SQL_LOG_TAKE] = "UPDATE entry SET n = n - ?4 WHERE tally = ?1 AND at_ms = ?2 AND hash = ?3 AND n >= ?4",
	[BW_SQL_LOG_WALK] =
		"SELECT e.at_ms, e.n, coalesce(s.n = e.at_ms AND s.other = e.hash, 0) FROM entry e LEFT JOIN "
		"entry s ON s.tally = e.tally AND s.at_ms = 0 AND s.hash = e.other WHERE e.tally = ?1 AND e.at_ms "
		"> ?2 ORDER BY e.at_ms",
	[BW_SQL_LOG_MERGE] =
		"INSERT OR IGNORE INTO entry(tally, at_ms, hash, other, n, standing) SELECT ?1, at_ms, hash, "
		"other, n, 0 FROM entry WHERE tally = ?2 AND at_ms > 0",
	[BW_SQL_ENTRY_CLEAR] = "DELETE FROM entry WHERE tally = ?1",

	/* Breakers. */
	[BW_SQL_METER_ADD] =
		"INSERT INTO meter(meter, hash, slot, amount, until_ms) VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET "
		"amount = amount + excluded.amount, until_ms = max(until_ms, excluded.until_ms)",
	[BW_SQL_METER_SUM] = "SELECT CAST(total(amount) AS INTEGER) FROM meter WHERE meter = ?1 AND hash = ?2 AND slot >= ?3 AND slot <= ?4",
	[BW_SQL_DROP_METERS] =
		"DELETE FROM meter WHERE (meter, hash, slot) IN (SELECT meter, hash, slot FROM meter WHERE until_ms <= ?1 ORDER BY "
		"until_ms LIMIT ?2)",
	[BW_SQL_BREAKER_PUT] =
		"INSERT OR REPLACE INTO breaker(tally, " BREAKER_COLUMNS ", format) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, "
		"?10, ?11, ?12, ?13, ?14, ?15)",
	[BW_SQL_BREAKER_DELETE] = "DELETE FROM breaker WHERE tally = ?1",
	[BW_SQL_BREAKER_EACH] =
		"SELECT b.tally, l.name, c.hash, (SELECT count(*) FROM entry e WHERE e.tally = b.tally AND "
		"e.at_ms = 0 AND e.n > ?3), coalesce(t.last_ms, 0), " BREAKER_COLUMNS " FROM breaker b LEFT JOIN tally t ON t.id = "
		"b.tally LEFT JOIN conversation c ON c.id = b.tally / 4 AND (b.tally & 2) = 0 JOIN list l ON l.id "
		"= CASE WHEN (b.tally & 2) = 0 THEN c.list ELSE b.tally / 4 END WHERE b.tally > ?1 AND (?2 OR "
		"b.phase <> 0 OR b.override_state <> 0) ORDER BY b.tally",

	/* Conversations. */
	[BW_SQL_CONVERSATION_GET] = "SELECT " CONVERSATION_COLUMNS " FROM conversation c WHERE c.id = ?1",
	[BW_SQL_CONVERSATION_FOUND] =
		"INSERT INTO conversation(list, hash, founded_ms, last_ms, accepted, merged_into, root) "
		"VALUES(?1, ?2, ?3, ?4, ?5, 0, ?6)",
	[BW_SQL_CONVERSATION_PUT] = "UPDATE conversation SET last_ms = ?2, accepted = ?3 WHERE id = ?1",
	[BW_SQL_CONVERSATION_FORWARD] = "UPDATE conversation SET merged_into = ?2, root = '' WHERE id = ?1",
	[BW_SQL_ROOT_TRUST] = "INSERT OR IGNORE INTO trusted_root(conversation) VALUES(?1)",
	[BW_SQL_ROOT_GET] =
		"SELECT c.root, c.founded_ms, EXISTS (SELECT 1 FROM trusted_root r WHERE r.conversation = c.id) FROM conversation c WHERE "
		"c.id = ?1",
	[BW_SQL_REDIRECTED_GET] = "SELECT count(*), coalesce(sum(message = ?2), 0) FROM redirected WHERE conversation = ?1",
	[BW_SQL_REDIRECTED_PUT] = "INSERT OR IGNORE INTO redirected(conversation, message) VALUES(?1, ?2)",
	[BW_SQL_REDIRECTED_TAKE] = "DELETE FROM redirected WHERE conversation = ?1 AND message = ?2",
	[BW_SQL_REDIRECTED_MOVE] =
		"INSERT OR IGNORE INTO redirected(conversation, message) SELECT ?2, message FROM redirected WHERE conversation = ?1",
	[BW_SQL_KEY_GET] =
		"SELECT " CONVERSATION_COLUMNS " FROM join_key k JOIN conversation c ON c.id = k.conversation WHERE "
		"k.list = ?1 AND k.class = ?2 AND k.hash = ?3",
	[BW_SQL_KEY_PUT] = "INSERT OR REPLACE INTO join_key(list, class, hash, conversation) VALUES(?1, ?2, ?3, ?4)",

	/* Messages. */
	[BW_SQL_MESSAGE_GET] =
		"SELECT " MESSAGE_COLUMNS ", " OFFER_COLUMNS " FROM message WHERE list = ?1 AND hash = ?2",
	[BW_SQL_MESSAGE_PUT] =
		"INSERT OR REPLACE INTO message(list, hash, " MESSAGE_COLUMNS ", " OFFER_COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, "
		"?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)",
	[BW_SQL_PART_GET] =
		"SELECT seen_ms, " OFFER_COLUMNS " FROM part WHERE list = ?1 AND message = ?2 AND recipients = ?3",
	[BW_SQL_PART_PUT] =
		"INSERT OR REPLACE INTO part(list, message, recipients, seen_ms, " OFFER_COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, "
		"?6, ?7, ?8, ?9, ?10)",

	/* Settings and directory. */
	[BW_SQL_SETTING_PUT] =
		"INSERT INTO setting(name, temporary, value, owner, reason, set_ms, until_ms, version, format) "
		"VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[BW_SQL_SETTING_DELETE] = "DELETE FROM setting WHERE name = ?1 AND temporary = ?2",
	[BW_SQL_SETTING_EXPIRED] = "SELECT count(*) FROM setting WHERE temporary = 1 AND until_ms <= ?1",
	[BW_SQL_SETTING_EACH] =
		"SELECT s.id, s.name, s.value, s.owner, s.reason, s.set_ms, s.until_ms, s.version FROM setting s "
		"WHERE s.id > ?1 AND s.value <> '' AND CASE WHEN s.temporary THEN s.until_ms > ?2 ELSE NOT EXISTS "
		"(SELECT 1 FROM setting t WHERE t.name = s.name AND t.temporary = 1 AND t.until_ms > ?2) END "
		"ORDER BY s.id",
	[BW_SQL_HISTORY_ADD] =
		"INSERT INTO setting_history(name, value, owner, reason, set_ms, until_ms, version, format) "
		"VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[BW_SQL_HISTORY_EACH] =
		"SELECT id, name, value, owner, reason, set_ms, until_ms, version FROM setting_history WHERE id > "
		"?1 ORDER BY id",
	[BW_SQL_DIRECTORY_PUT] =
		"INSERT OR REPLACE INTO directory_row(version, address, owner, list_id, posters, origin, size, source, "
		"unconfirmed, removed, changed_ms, format) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
	[BW_SQL_DIRECTORY_EACH] =
		"SELECT version, address, owner, list_id, posters, origin, size, source, unconfirmed, removed, "
		"changed_ms FROM directory_row WHERE version > ?1 ORDER BY version",
	[BW_SQL_DIRECTORY_SIZE] = "SELECT size FROM directory_row WHERE address = ?1 AND source = ?2 AND removed = 0",
	[BW_SQL_DIRECTORY_LEARNED] = "SELECT count(*) FROM directory_row WHERE source = 2 AND removed = 0",

	/* Hosts, ledger, orders, posts, events. */
	[BW_SQL_HOST_PUT] =
		"INSERT INTO host(host, version, pid, seen_ms, settings_version, directory_version, format, "
		"degraded, deliveries, held, accepted, started_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, "
		"?10, ?11, ?12) ON CONFLICT(host) DO UPDATE SET version = excluded.version, pid = excluded.pid, "
		"seen_ms = excluded.seen_ms, settings_version = excluded.settings_version, directory_version = "
		"excluded.directory_version, format = excluded.format, degraded = excluded.degraded, deliveries = "
		"excluded.deliveries, held = excluded.held, accepted = excluded.accepted, started_ms = "
		"excluded.started_ms",
	[BW_SQL_HOST_EACH] =
		"SELECT id, host, version, pid, seen_ms, settings_version, directory_version, format, degraded, "
		"deliveries, held, accepted, started_ms FROM host WHERE id > ?1 AND seen_ms >= ?2 ORDER BY id",
	[BW_SQL_HELD_SAME] = "SELECT message = ?2 AND queue_id = ?3 FROM held WHERE id = ?1",
	[BW_SQL_HELD_PUT] =
		"INSERT INTO held(id, host, queue_id, mta, list, conversation, guard, sentence, sender, identity, "
		"message_id, subject, deliveries, size_bytes, held_ms, message, side, state, state_ms, state_by, "
		"format, automatic) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, "
		"?19, ?20, ?21, ?22)",
	[BW_SQL_HELD_GET] = "SELECT state, list, side, message, conversation, deliveries, seq FROM held WHERE id = ?1",
	[BW_SQL_HELD_MOVE] = "UPDATE held SET state = ?2, state_ms = ?3, state_by = ?4 WHERE id = ?1",
	[BW_SQL_HELD_REQUEUE] = "UPDATE held SET queue_id = ?2 WHERE id = ?1",
	[BW_SQL_HELD_LIST_PUT] =
		"INSERT OR IGNORE INTO held_list(held, n, list, side, conversation, deliveries) SELECT seq, ?2, ?3, ?4, ?5, "
		"?6 FROM held WHERE id = ?1",
	[BW_SQL_HELD_LISTS] = "SELECT list, side, conversation, deliveries FROM held_list WHERE held = ?1 ORDER BY n",
	[BW_SQL_HELD_EACH] = "SELECT " HELD_COLUMNS " FROM held WHERE seq > ?1 AND NOT ?2 AND ?3 IS NOT NULL "
		"AND seq > CASE WHEN ?10 THEN (SELECT seq FROM held WHERE id = ?11) ELSE 0 END" HELD_FILTER,
	[BW_SQL_HELD_ONE] = "SELECT " HELD_COLUMNS " FROM held WHERE id = ?3 AND ?2 AND seq > ?1" HELD_FILTER,
	[BW_SQL_ORDER_GET] = "SELECT seq, state, items FROM mail_order WHERE id = ?1",
	[BW_SQL_ORDER_PUT] =
		"INSERT INTO mail_order(" ORDER_COLUMNS ", format) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10, ?4, '', 0, 0, 0, "
		"0, 0, 0, 0, ?11)",
	[BW_SQL_ORDER_GROW] = "UPDATE mail_order SET items = items + ?2, pending = pending + ?2 WHERE id = ?1",
	[BW_SQL_ORDER_MOVE] = "UPDATE mail_order SET state = ?2, state_ms = ?3, state_by = ?4, note = ?5 WHERE id = ?1",
	[BW_SQL_ORDER_COUNT] =
		"UPDATE mail_order SET pending = pending - 1, done = done + (?2 = 1), gone = gone + (?2 = 2), refused = refused + "
		"(?2 = 3), failed = failed + (?2 = 4), deliveries = deliveries + CASE WHEN ?2 = 1 THEN ?3 ELSE 0 END WHERE seq = ?1",
	[BW_SQL_ORDER_EACH] =
		"SELECT -seq, " ORDER_COLUMNS " FROM mail_order WHERE seq < -?1 AND (NOT ?2 OR id = ?3) AND (?4 = '' OR host = ?4) "
		"AND (NOT ?5 OR state < 4) ORDER BY seq DESC",
	[BW_SQL_ITEM_PUT] =
		"INSERT INTO order_item(mail_order, number, subject, mta, queue_id, list, signed_text, deliveries, result, note, "
		"done_ms) SELECT seq, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, '', 0 FROM mail_order WHERE id = ?1",
	[BW_SQL_ITEM_GET] =
		"SELECT i.mail_order, i.result, i.deliveries FROM order_item i JOIN mail_order o ON o.seq = i.mail_order WHERE o.id = "
		"?1 AND i.number = ?2",
	[BW_SQL_ITEM_END] =
		"UPDATE order_item SET result = ?3, note = ?4, done_ms = ?5 WHERE mail_order = ?1 AND number = ?2",
	[BW_SQL_ITEM_EACH] =
		"SELECT i.number, i.subject, i.mta, i.queue_id, i.list, i.signed_text, i.deliveries, i.result, i.note, i.done_ms FROM "
		"mail_order o JOIN order_item i ON i.mail_order = o.seq WHERE o.id = ?2 AND i.number > ?1 AND (NOT ?3 OR i.result = 0) "
		"ORDER BY i.number",
	[BW_SQL_POST_PUT] =
		"INSERT OR IGNORE INTO post(id, host, queue_id, mta, list, conversation, sender, message_id, deliveries, accepted_ms, "
		"state, state_ms, format) SELECT ?1, ?2, coalesce(max(queue_id), ?3), ?4, ?5, ?6, ?7, ?8, ?9, ?10, coalesce(max(state), ?11), "
		"coalesce(max(state_ms), ?12), ?13 FROM (SELECT queue_id, state, state_ms FROM post WHERE id = ?1 LIMIT 1)",
	[BW_SQL_POST_MOST] =
		"DELETE FROM post WHERE seq IN (SELECT seq FROM post WHERE seq <= (SELECT max(seq) FROM post) - ?1 AND state <> ?2 ORDER "
		"BY seq LIMIT ?3)",
	[BW_SQL_POST_MOVE] = "UPDATE post SET state = ?2, state_ms = ?3, queue_id = CASE WHEN length(?4) > 0 THEN ?4 ELSE queue_id END WHERE id = ?1",
	[BW_SQL_POST_EACH] = "SELECT " POST_COLUMNS " FROM post WHERE seq > ?1 AND NOT ?2 AND ?3 IS NOT NULL" POST_FILTER,
	[BW_SQL_POST_ONE] = "SELECT " POST_COLUMNS " FROM post WHERE id = ?3 AND ?2 AND seq > ?1" POST_FILTER,
	[BW_SQL_EVENT_ADD] =
		"INSERT INTO event(at_ms, event, host, list, guard, text, owner, conversation) VALUES(?1, ?2, ?3, ?4, ?5, ?6, "
		"?7, ?8)",
	[BW_SQL_EVENT_START] = "SELECT id FROM event WHERE at_ms >= ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2",
	[BW_SQL_EVENT_EACH] =
		"SELECT id, at_ms, event, host, list, guard, text, owner, conversation FROM event WHERE id > ?1 AND at_ms >= ?2 "
		"ORDER BY id",

	/* Expiry: the rows after a place and which of them are past their time; ?5 is the oldest time that is kept less one. */
	[BW_SQL_SWEEP_TALLIES] = "SELECT id FROM tally WHERE id > ?1 ORDER BY id LIMIT 1",
	[BW_SQL_SWEEP_STANDINGS] =
		"DELETE FROM entry WHERE tally = ?1 AND at_ms = 0 AND n <= ?2 AND hash IN (SELECT other FROM "
		"entry WHERE tally = ?1 AND at_ms > 0 AND at_ms <= ?2 ORDER BY at_ms LIMIT ?3)",
	[BW_SQL_SWEEP_LOG] =
		"DELETE FROM entry WHERE tally = ?1 AND (at_ms, hash) IN (SELECT at_ms, hash FROM entry WHERE "
		"tally = ?1 AND at_ms > 0 AND at_ms <= ?2 ORDER BY at_ms LIMIT ?3)",
	[BW_SQL_SWEEP_ENTRY] = "SELECT 1 FROM entry WHERE tally = ?1 LIMIT 1",
	[BW_SQL_SWEEP_CONVERSATIONS] =
		"SELECT id, 0, NULL, NULL, id < (SELECT max(id) FROM conversation) AND CASE WHEN merged_into = 0 "
		"THEN last_ms <= ?5 AND NOT EXISTS (SELECT 1 FROM tally t WHERE t.id BETWEEN c.id * 4 AND c.id * "
		"4 + 1) ELSE NOT EXISTS (SELECT 1 FROM conversation d WHERE d.id = c.merged_into) END FROM "
		"conversation c WHERE id > ?1 ORDER BY id LIMIT ?6",
	[BW_SQL_SWEEP_ROOTS] =
		"SELECT id, 0, NULL, NULL, root <> '' AND founded_ms <= ?5 FROM conversation WHERE id > ?1 ORDER BY id LIMIT ?6",
	[BW_SQL_SWEEP_KEYS] =
		"SELECT list, class, hash, NULL, NOT EXISTS (SELECT 1 FROM conversation c WHERE c.id = k.conversation "
		"AND (c.merged_into <> 0 OR c.last_ms > ?5 OR EXISTS (SELECT 1 FROM tally t WHERE t.id BETWEEN c.id * 4 "
		"AND c.id * 4 + 1))) FROM join_key k WHERE (list, class, hash) > (?1, ?2, ?3) ORDER BY list, class, "
		"hash LIMIT ?6",
	[BW_SQL_SWEEP_MESSAGES] =
		"SELECT list, 0, hash, NULL, seen_ms <= ?5 FROM message WHERE (list, hash) > (?1, ?3) ORDER BY "
		"list, hash LIMIT ?6",
	[BW_SQL_SWEEP_PARTS] =
		"SELECT list, 0, message, recipients, NOT EXISTS (SELECT 1 FROM message m WHERE m.list = p.list "
		"AND m.hash = p.message AND m.seen_ms > ?5) FROM part p WHERE (list, message, recipients) > (?1, "
		"?3, ?4) ORDER BY list, message, recipients LIMIT ?6",
	[BW_SQL_SWEEP_LISTS] =
		"SELECT id, 0, NULL, NULL, id < (SELECT max(id) FROM list) AND NOT EXISTS (SELECT 1 FROM tally t "
		"WHERE t.id BETWEEN l.id * 4 + 2 AND l.id * 4 + 3) AND NOT EXISTS (SELECT 1 FROM join_key k WHERE "
		"k.list = l.id) AND NOT EXISTS (SELECT 1 FROM message m WHERE m.list = l.id) FROM list l WHERE id "
		"> ?1 ORDER BY id LIMIT ?6",
	[BW_SQL_DROP_CONVERSATION] = "DELETE FROM conversation WHERE id = ?1",
	[BW_SQL_DROP_ROOT] = "UPDATE conversation SET root = '' WHERE id = ?1",
	[BW_SQL_DROP_KEY] = "DELETE FROM join_key WHERE list = ?1 AND class = ?2 AND hash = ?3",
	[BW_SQL_DROP_MESSAGE] = "DELETE FROM message WHERE list = ?1 AND hash = ?3",
	[BW_SQL_DROP_PART] = "DELETE FROM part WHERE list = ?1 AND message = ?3 AND recipients = ?4",
	[BW_SQL_DROP_LIST] = "DELETE FROM list WHERE id = ?1",
	[BW_SQL_DROP_SETTINGS] = "DELETE FROM setting WHERE temporary = 1 AND until_ms <= ?1",
	[BW_SQL_DROP_HOSTS] = "DELETE FROM host WHERE seen_ms <= ?1",
	[BW_SQL_DROP_EVENTS] =
		"DELETE FROM event WHERE id IN (SELECT id FROM event WHERE at_ms <= ?1 ORDER BY id LIMIT ?2)",
	[BW_SQL_DROP_HELD] =
		"DELETE FROM held WHERE seq IN (SELECT seq FROM held WHERE state <> 0 AND state_ms <= ?1 LIMIT "
		"?2)",
	[BW_SQL_ABANDON_ORDERS] = "UPDATE mail_order SET state = ?1, state_ms = 1 WHERE state = 0 AND state_ms <= ?2",
	[BW_SQL_DROP_ITEMS] =
		"DELETE FROM order_item WHERE (mail_order, number) IN (SELECT mail_order, number FROM mail_order JOIN order_item ON "
		"mail_order = seq WHERE " ORDER_PAST " LIMIT ?2)",
	[BW_SQL_DROP_ORDERS] =
		"DELETE FROM mail_order WHERE seq IN (SELECT seq FROM mail_order WHERE " ORDER_PAST " AND NOT EXISTS (SELECT 1 FROM "
		"order_item i WHERE i.mail_order = seq) LIMIT ?2)",
	[BW_SQL_DROP_POSTS] =
		"DELETE FROM post WHERE seq IN (SELECT seq FROM post WHERE accepted_ms <= ?1 AND (state NOT IN (?3, ?5) OR state_ms <= ?4) LIMIT "
		"?2)",
};
/* clang-format on */
static_assert(sizeof(texts) / sizeof(texts[0]) == BW_SQL_COUNT, "a text for every statement");

const char *bw_sql_text(enum bw_sql sql)
{
	return texts[sql];
}
