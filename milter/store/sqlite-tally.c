/* Tallies: standings and log, and the memos that make questions about windows cheap. */
#include "sqlite-tally.h"
#include "store-internal.h"

/* --- rows --- */

void bw_sqlite_memo_reset(struct bw_sqlite_memo *m)
{
	*m = (struct bw_sqlite_memo){ .edge_ms = INT64_MAX, .next_ms = INT64_MAX };
}

static void clear(struct bw_sqlite_tally *t, int64_t id)
{
	*t = (struct bw_sqlite_tally){ .id = id };
	for (int i = 0; i < BW_MEMO_COUNT; i++)
		bw_sqlite_memo_reset(&t->memos[i]);
}

/* A tally's columns and its breaker's, from `column` on; NULL where there is none. */
static void read_row(struct bw_sqlite_lane *lane, sqlite3_stmt *row, int column, struct bw_sqlite_tally *t)
{
	if (sqlite3_column_type(row, column) == SQLITE_NULL)
		return;
	t->stored = true;
	t->last_ms = sqlite3_column_int64(row, column++);
	for (int i = 0; i < BW_MEMO_COUNT; i++) {
		t->memos[i].edge_ms = sqlite3_column_int64(row, column++);
		t->memos[i].next_ms = sqlite3_column_int64(row, column++);
		t->memos[i].senders = sqlite3_column_int64(row, column++);
		t->memos[i].amount = sqlite3_column_int64(row, column++);
	}
	if (sqlite3_column_type(row, column) != SQLITE_NULL)
		bw_sqlite_breaker_read(lane, row, column, &t->breaker);
}

void bw_sqlite_tally_load(struct bw_sqlite_lane *lane, int64_t id, struct bw_sqlite_tally *out)
{
	sqlite3_stmt *row = bw_sqlite_rows(lane, BW_SQL_TALLY_GET, ARGS(INT(id)));

	clear(out, id);
	if (row == NULL)
		return;
	read_row(lane, row, 0, out);
	bw_sqlite_done(row);
}

int64_t bw_sqlite_list_id(struct bw_sqlite_lane *lane, struct bw_slice list, bool make)
{
	int64_t id = 0;

	if (bw_sqlite_ints(lane, BW_SQL_LIST_GET, &id, 1, ARGS(TEXT(list))) || !make)
		return id;
	bw_sqlite_run(lane, BW_SQL_LIST_MAKE, ARGS(TEXT(list)));
	return sqlite3_last_insert_rowid(lane->db);
}

int64_t bw_sqlite_list_load(struct bw_sqlite_lane *lane, struct bw_slice list, enum bw_side side, bool make,
                            struct bw_sqlite_tally *out)
{
	sqlite3_stmt *row = bw_sqlite_rows(lane, BW_SQL_LIST_TALLY, ARGS(TEXT(list), INT(side)));
	int64_t id = 0;

	clear(out, 0);
	if (row != NULL) {
		id = sqlite3_column_int64(row, 0);
		read_row(lane, row, 1, out);
		bw_sqlite_done(row);
	} else if (make) {
		id = bw_sqlite_list_id(lane, list, true);
	}
	out->id = bw_sqlite_tally_id(id, BW_SCOPE_LIST, side);
	return id;
}

void bw_sqlite_tally_store(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t)
{
	const struct bw_sqlite_memo *m = t->memos;

	if (!t->changed)
		return;
	bw_sqlite_run(lane, BW_SQL_TALLY_PUT,
	              ARGS(INT(t->id), INT(t->last_ms), INT(m[0].edge_ms), INT(m[0].next_ms), INT(m[0].senders), INT(m[0].amount),
	                   INT(m[1].edge_ms), INT(m[1].next_ms), INT(m[1].senders), INT(m[1].amount), INT(m[2].edge_ms),
	                   INT(m[2].next_ms), INT(m[2].senders), INT(m[2].amount)));
	t->changed = false;
}

/* A tally that is neither stored nor changed has no entries: no need to look. */
static bool may_have_entries(const struct bw_sqlite_tally *t)
{
	return t->stored || t->changed;
}

/* --- what changes is told to every memo --- */

/* A sender's standing appears (from 0), moves, or goes (to 0). */
static void note_sender(struct bw_sqlite_tally *t, int64_t from_ms, int64_t to_ms)
{
	for (int i = 0; i < BW_MEMO_COUNT; i++) {
		struct bw_sqlite_memo *m = &t->memos[i];

		m->senders += (to_ms != 0 && to_ms > m->edge_ms) - (from_ms != 0 && from_ms > m->edge_ms);
	}
	t->changed = true;
}

static void note_log(struct bw_sqlite_tally *t, int64_t at_ms, int64_t amount)
{
	for (int i = 0; i < BW_MEMO_COUNT; i++) {
		struct bw_sqlite_memo *m = &t->memos[i];

		if (at_ms <= m->edge_ms)
			continue;
		m->amount += amount;
		if (at_ms < m->next_ms)
			m->next_ms = at_ms;
	}
	t->changed = true;
}

/* --- attempts --- */

static void put_standing(struct bw_sqlite_lane *lane, const struct bw_sqlite_tally *t, const struct bw_hash *sender,
                         const struct bw_hash *message, int64_t at_ms, int64_t standing)
{
	bw_sqlite_run(lane, BW_SQL_STANDING_PUT, ARGS(INT(t->id), HASH(sender), HASH(message), INT(at_ms), INT(standing)));
}

int64_t bw_sqlite_attempt_last(struct bw_sqlite_lane *lane, const struct bw_sqlite_tally *t, const struct bw_hash *sender)
{
	int64_t have[2] = { 0, 0 };

	if (may_have_entries(t))
		bw_sqlite_ints(lane, BW_SQL_STANDING_GET, have, 2, ARGS(INT(t->id), HASH(sender)));
	return have[0];
}

int64_t bw_sqlite_attempt_put(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t, const struct bw_sqlite_entry *e, bool anew)
{
	int64_t have[2] = { 0, 0 }; /* latest attempt, how many stand */

	if (may_have_entries(t))
		bw_sqlite_ints(lane, BW_SQL_STANDING_GET, have, 2, ARGS(INT(t->id), HASH(e->sender)));
	int64_t standing = have[1] + (anew || have[1] == 0);

	if (e->at_ms >= have[0]) {
		put_standing(lane, t, e->sender, e->message, e->at_ms, standing);
		note_sender(t, have[0], e->at_ms);
	} else if (standing != have[1]) {
		bw_sqlite_run(lane, BW_SQL_STANDING_COUNT, ARGS(INT(t->id), HASH(e->sender), INT(standing)));
	}
	if (e->at_ms > t->last_ms)
		t->last_ms = e->at_ms;
	t->changed = true;
	return have[0];
}

/* Stands where it stood before; the log gets an entry there that the standing can point at. */
static void stand_back(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t, const struct bw_hash *sender, int64_t from_ms,
                       int64_t at_ms, int64_t standing)
{
	bw_sqlite_log_add(lane, t, &(struct bw_sqlite_entry){ at_ms, sender, sender }, 0);
	put_standing(lane, t, sender, sender, at_ms, standing);
	note_sender(t, from_ms, at_ms);
}

void bw_sqlite_attempt_give_back(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t, const struct bw_sqlite_entry *e,
                                 int64_t before_ms)
{
	int64_t have[2];

	if (!bw_sqlite_ints(lane, BW_SQL_STANDING_GET, have, 2, ARGS(INT(t->id), HASH(e->sender))))
		return;
	if (have[1] <= 1) {
		bw_sqlite_run(lane, BW_SQL_STANDING_DELETE, ARGS(INT(t->id), HASH(e->sender)));
		note_sender(t, have[0], 0);
	} else if (have[0] == e->at_ms && before_ms != 0) {
		stand_back(lane, t, e->sender, have[0], before_ms, have[1] - 1);
	} else {
		/* A later attempt has moved the standing on: it stays there. */
		bw_sqlite_run(lane, BW_SQL_STANDING_COUNT, ARGS(INT(t->id), HASH(e->sender), INT(have[1] - 1)));
	}
}

/* --- the log --- */

void bw_sqlite_log_add(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t, const struct bw_sqlite_entry *e, int64_t amount)
{
	bw_sqlite_run(lane, BW_SQL_LOG_ADD, ARGS(INT(t->id), INT(e->at_ms), HASH(e->message), HASH(e->sender), INT(amount)));
	note_log(t, e->at_ms, amount);
}

void bw_sqlite_log_take(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t, const struct bw_sqlite_entry *e, int64_t amount)
{
	/* What has been collected since cannot be taken any more. */
	if (amount > 0 && bw_sqlite_run(lane, BW_SQL_LOG_TAKE, ARGS(INT(t->id), INT(e->at_ms), HASH(e->message), INT(amount))) > 0)
		note_log(t, e->at_ms, -amount);
}

/* --- questions --- */

/* Walks the log from the memo's edge: up to `until_ms` to take off, or from there on to count anew. */
static void walk(struct bw_sqlite_lane *lane, const struct bw_sqlite_tally *t, struct bw_sqlite_memo *m, int64_t edge_ms,
                 bool anew)
{
	int64_t from_ms = anew ? edge_ms : m->edge_ms;
	sqlite3_stmt *row = bw_sqlite_rows(lane, BW_SQL_LOG_WALK, ARGS(INT(t->id), INT(from_ms)));

	m->next_ms = INT64_MAX;
	for (; row != NULL; row = bw_sqlite_next(lane, row) ? row : NULL) {
		int64_t at_ms = sqlite3_column_int64(row, 0), amount = sqlite3_column_int64(row, 1), live = sqlite3_column_int64(row, 2);

		if (at_ms > edge_ms && at_ms < m->next_ms)
			m->next_ms = at_ms;
		if (at_ms > edge_ms && !anew)
			break;
		m->senders += anew ? live : -live;
		m->amount += anew ? amount : -amount;
	}
	if (row != NULL)
		bw_sqlite_done(row);
}

const struct bw_sqlite_memo *bw_sqlite_after(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t,
                                             enum bw_sqlite_memo_name name, int64_t edge_ms)
{
	struct bw_sqlite_memo *m = &t->memos[name];
	bool anew = edge_ms < m->edge_ms;

	if (edge_ms < 0)
		edge_ms = 0; /* standings lie at 0 */
	if (anew) {
		m->senders = 0;
		m->amount = 0;
	}
	if (may_have_entries(t) && (anew || edge_ms >= m->next_ms)) {
		walk(lane, t, m, edge_ms, anew);
		t->changed = true;
	}
	m->edge_ms = edge_ms;
	return m;
}

int64_t bw_sqlite_senders_of_both(struct bw_sqlite_lane *lane, const struct bw_sqlite_tally *a, const struct bw_sqlite_tally *b,
                                  int64_t edge_ms)
{
	int64_t n = 0;

	bw_sqlite_ints(lane, BW_SQL_STANDING_OF_BOTH, &n, 1, ARGS(INT(a->id), INT(b->id), INT(edge_ms)));
	return n;
}

/* --- merging --- */

void bw_sqlite_tally_merge(struct bw_sqlite_lane *lane, int64_t into, int64_t from)
{
	struct bw_sqlite_tally a, b;

	bw_sqlite_tally_load(lane, into, &a);
	bw_sqlite_tally_load(lane, from, &b);
	if (!b.stored)
		return;
	bw_sqlite_run(lane, BW_SQL_STANDING_MERGE, ARGS(INT(into), INT(from)));
	bw_sqlite_run(lane, BW_SQL_LOG_MERGE, ARGS(INT(into), INT(from)));
	bw_sqlite_run(lane, BW_SQL_ENTRY_CLEAR, ARGS(INT(from)));
	bw_sqlite_run(lane, BW_SQL_TALLY_DELETE, ARGS(INT(from)));
	bw_sqlite_run(lane, BW_SQL_BREAKER_DELETE, ARGS(INT(from)));
	for (int i = 0; i < BW_MEMO_COUNT; i++)
		bw_sqlite_memo_reset(&a.memos[i]);
	if (b.last_ms > a.last_ms)
		a.last_ms = b.last_ms;
	a.changed = true;
	bw_sqlite_tally_store(lane, &a);
	if (bw_store_less_closed(&b.breaker, &a.breaker)) {
		b.breaker.version = a.breaker.version + 1;
		bw_sqlite_breaker_write(lane, into, &b.breaker);
	}
}
