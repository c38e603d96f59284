/* Tallies: attempts by sender and time, amounts by time, and the memos that make questions about windows cheap. */
#include "sqlite-tally.h"
#include "store-internal.h"

void bw_sqlite_tally_load(struct bw_sqlite_lane *lane, int64_t id, struct bw_sqlite_tally *out)
{
	sqlite3_stmt *row = bw_sqlite_rows(lane, BW_SQL_TALLY_GET, ARGS(INT(id)));
	int column = 0;

	*out = (struct bw_sqlite_tally){ .id = id };
	for (int i = 0; i < BW_MEMO_COUNT; i++)
		out->memos[i].edge_ms = INT64_MAX;
	if (row == NULL)
		return;
	out->last_ms = sqlite3_column_int64(row, column++);
	out->senders = sqlite3_column_int64(row, column++);
	out->amounts = sqlite3_column_int64(row, column++);
	for (int i = 0; i < BW_MEMO_COUNT; i++) {
		out->memos[i].edge_ms = sqlite3_column_int64(row, column++);
		out->memos[i].sum = sqlite3_column_int64(row, column++);
	}
	if (sqlite3_column_type(row, column) != SQLITE_NULL)
		bw_sqlite_breaker_read(lane, row, column, &out->breaker);
	bw_sqlite_done(row);
}

void bw_sqlite_tally_store(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t)
{
	const struct bw_sqlite_memo *m = t->memos;

	if (!t->changed)
		return;
	bw_sqlite_run(lane, BW_SQL_TALLY_PUT,
	              ARGS(INT(t->id), INT(t->last_ms), INT(t->senders), INT(t->amounts), INT(m[0].edge_ms), INT(m[0].sum),
	                   INT(m[1].edge_ms), INT(m[1].sum), INT(m[2].edge_ms), INT(m[2].sum), INT(m[3].edge_ms), INT(m[3].sum)));
	t->changed = false;
}

/* A sender's entry appears (from 0), moves, or goes (to 0): every memo of senders follows. */
static void move_sender(struct bw_sqlite_tally *t, int64_t from_ms, int64_t to_ms)
{
	for (int i = BW_MEMO_WINDOW; i <= BW_MEMO_PHASE; i++) {
		struct bw_sqlite_memo *m = &t->memos[i];

		m->sum += (to_ms != 0 && to_ms > m->edge_ms) - (from_ms != 0 && from_ms > m->edge_ms);
	}
	t->senders += (to_ms != 0) - (from_ms != 0);
	t->changed = true;
}

static void move_amount(struct bw_sqlite_tally *t, int64_t at_ms, int64_t n)
{
	struct bw_sqlite_memo *m = &t->memos[BW_MEMO_AMOUNT];

	if (at_ms > m->edge_ms)
		m->sum += n;
	t->changed = true;
}

/* --- attempts --- */

/* Counts stay exact up to the cap; above it the oldest entries make room, so a tally has an end. */
static void trim_attempts(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t)
{
	sqlite3_stmt *row;

	while (t->senders > BW_STORE_COUNT_CAP && (row = bw_sqlite_rows(lane, BW_SQL_ATTEMPT_OLDEST, ARGS(INT(t->id)))) != NULL) {
		int64_t at_ms = sqlite3_column_int64(row, 0);
		struct bw_hash sender = bw_sqlite_hash(row, 1);

		bw_sqlite_done(row);
		bw_sqlite_run(lane, BW_SQL_ATTEMPT_DELETE, ARGS(INT(t->id), HASH(&sender)));
		move_sender(t, at_ms, 0);
	}
}

int64_t bw_sqlite_attempt_last(struct bw_sqlite_lane *lane, const struct bw_sqlite_tally *t, const struct bw_hash *sender)
{
	int64_t entry[2] = { 0, 0 };

	if (t->senders > 0)
		bw_sqlite_ints(lane, BW_SQL_ATTEMPT_GET, entry, 2, ARGS(INT(t->id), HASH(sender)));
	return entry[0];
}

int64_t bw_sqlite_attempt_put(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t, const struct bw_hash *sender, int64_t at_ms, bool anew)
{
	int64_t entry[2] = { 0, 0 }; /* time, attempts that stand */

	if (t->senders > 0)
		bw_sqlite_ints(lane, BW_SQL_ATTEMPT_GET, entry, 2, ARGS(INT(t->id), HASH(sender)));
	int64_t latest = entry[0] > at_ms ? entry[0] : at_ms;
	int64_t standing = entry[1] + (anew || entry[1] == 0);

	bw_sqlite_run(lane, BW_SQL_ATTEMPT_PUT, ARGS(INT(t->id), HASH(sender), INT(latest), INT(standing)));
	move_sender(t, entry[0], latest);
	if (at_ms > t->last_ms)
		t->last_ms = at_ms;
	trim_attempts(lane, t);
	return entry[0];
}

void bw_sqlite_attempt_give_back(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t, const struct bw_hash *sender, int64_t at_ms,
                                 int64_t before_ms)
{
	int64_t entry[2];

	if (!bw_sqlite_ints(lane, BW_SQL_ATTEMPT_GET, entry, 2, ARGS(INT(t->id), HASH(sender))))
		return;
	if (entry[1] <= 1) {
		bw_sqlite_run(lane, BW_SQL_ATTEMPT_DELETE, ARGS(INT(t->id), HASH(sender)));
		move_sender(t, entry[0], 0);
		return;
	}
	/* The sender's other attempts stay, at their own time unless a later one has moved the entry on. */
	int64_t back_ms = entry[0] == at_ms && before_ms != 0 ? before_ms : entry[0];

	bw_sqlite_run(lane, BW_SQL_ATTEMPT_PUT, ARGS(INT(t->id), HASH(sender), INT(back_ms), INT(entry[1] - 1)));
	move_sender(t, entry[0], back_ms);
}

/* --- amounts --- */

static void trim_amounts(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t)
{
	sqlite3_stmt *row;

	while (t->amounts > BW_STORE_COUNT_CAP && (row = bw_sqlite_rows(lane, BW_SQL_AMOUNT_OLDEST, ARGS(INT(t->id)))) != NULL) {
		int64_t at_ms = sqlite3_column_int64(row, 0), n = sqlite3_column_int64(row, 2);
		struct bw_hash message = bw_sqlite_hash(row, 1);

		bw_sqlite_done(row);
		bw_sqlite_run(lane, BW_SQL_AMOUNT_DELETE, ARGS(INT(t->id), INT(at_ms), HASH(&message)));
		move_amount(t, at_ms, -n);
		t->amounts--;
	}
}

void bw_sqlite_amount_add(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t, int64_t at_ms, const struct bw_hash *message, int64_t n)
{
	int64_t have = 0;

	if (n <= 0)
		return;
	bool found = bw_sqlite_ints(lane, BW_SQL_AMOUNT_GET, &have, 1, ARGS(INT(t->id), INT(at_ms), HASH(message)));

	bw_sqlite_run(lane, BW_SQL_AMOUNT_PUT, ARGS(INT(t->id), INT(at_ms), HASH(message), INT(have + n)));
	move_amount(t, at_ms, n);
	t->amounts += !found;
	/* A reply more than the cap changes no answer; deliveries are summed and all stay. */
	if (((t->id / 2) & 1) == BW_SCOPE_CONVERSATION)
		trim_amounts(lane, t);
}

void bw_sqlite_amount_take(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t, int64_t at_ms, const struct bw_hash *message, int64_t n)
{
	int64_t have = 0;

	if (n <= 0 || !bw_sqlite_ints(lane, BW_SQL_AMOUNT_GET, &have, 1, ARGS(INT(t->id), INT(at_ms), HASH(message))))
		return;
	if (n < have) {
		bw_sqlite_run(lane, BW_SQL_AMOUNT_PUT, ARGS(INT(t->id), INT(at_ms), HASH(message), INT(have - n)));
	} else {
		n = have;
		bw_sqlite_run(lane, BW_SQL_AMOUNT_DELETE, ARGS(INT(t->id), INT(at_ms), HASH(message)));
		t->amounts--;
	}
	move_amount(t, at_ms, -n);
}

/* --- questions --- */

/* Brings a memo to `edge_ms` by what `sql` sums between the two edges. */
static int64_t after(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t, struct bw_sqlite_memo *m, enum bw_sql sql, int64_t rows,
                     int64_t edge_ms)
{
	int64_t low = m->edge_ms < edge_ms ? m->edge_ms : edge_ms;
	int64_t high = m->edge_ms < edge_ms ? edge_ms : m->edge_ms;
	int64_t between = 0;

	if (low == high)
		return m->sum;
	if (rows > 0)
		bw_sqlite_ints(lane, sql, &between, 1, ARGS(INT(t->id), INT(low), INT(high)));
	m->sum += edge_ms < m->edge_ms ? between : -between;
	m->edge_ms = edge_ms;
	t->changed = t->changed || rows > 0;
	return m->sum;
}

static int64_t at_most(int64_t n, int64_t most)
{
	return n < most ? n : most;
}

int64_t bw_sqlite_senders_after(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t, int memo, int64_t edge_ms)
{
	return at_most(after(lane, t, &t->memos[memo], BW_SQL_ATTEMPT_BETWEEN, t->senders, edge_ms), BW_STORE_COUNT_CAP);
}

int64_t bw_sqlite_amounts_after(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t, int64_t edge_ms)
{
	return after(lane, t, &t->memos[BW_MEMO_AMOUNT], BW_SQL_AMOUNT_BETWEEN, t->amounts, edge_ms);
}

int64_t bw_sqlite_senders_of_both(struct bw_sqlite_lane *lane, const struct bw_sqlite_tally *a, const struct bw_sqlite_tally *b,
                                  int64_t edge_ms)
{
	int64_t n = 0;

	bw_sqlite_ints(lane, BW_SQL_ATTEMPT_OF_BOTH, &n, 1, ARGS(INT(a->id), INT(b->id), INT(edge_ms)));
	return at_most(n, BW_STORE_COUNT_CAP);
}

/* --- merging --- */

void bw_sqlite_tally_merge(struct bw_sqlite_lane *lane, int64_t into, int64_t from)
{
	struct bw_sqlite_tally a, b;

	bw_sqlite_tally_load(lane, into, &a);
	bw_sqlite_tally_load(lane, from, &b);
	if (b.last_ms == 0 && b.breaker.version == 0)
		return;
	bw_sqlite_run(lane, BW_SQL_ATTEMPT_MERGE, ARGS(INT(into), INT(from)));
	bw_sqlite_run(lane, BW_SQL_ATTEMPT_CLEAR, ARGS(INT(from)));
	bw_sqlite_run(lane, BW_SQL_AMOUNT_MERGE, ARGS(INT(into), INT(from)));
	bw_sqlite_run(lane, BW_SQL_AMOUNT_CLEAR, ARGS(INT(from)));
	bw_sqlite_run(lane, BW_SQL_TALLY_DELETE, ARGS(INT(from)));
	bw_sqlite_run(lane, BW_SQL_BREAKER_DELETE, ARGS(INT(from)));
	bw_sqlite_ints(lane, BW_SQL_ATTEMPT_ROWS, &a.senders, 1, ARGS(INT(into)));
	bw_sqlite_ints(lane, BW_SQL_AMOUNT_ROWS, &a.amounts, 1, ARGS(INT(into)));
	for (int i = 0; i < BW_MEMO_COUNT; i++)
		a.memos[i] = (struct bw_sqlite_memo){ INT64_MAX, 0 };
	if (b.last_ms > a.last_ms)
		a.last_ms = b.last_ms;
	a.changed = true;
	trim_attempts(lane, &a);
	trim_amounts(lane, &a);
	bw_sqlite_tally_store(lane, &a);
	if (bw_store_less_closed(&b.breaker, &a.breaker)) {
		b.breaker.version = a.breaker.version + 1;
		bw_sqlite_breaker_write(lane, into, &b.breaker);
	}
}
