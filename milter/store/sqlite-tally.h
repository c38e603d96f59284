/* sqlite-tally.h: counters: who attempted when, how many replies or deliveries, and the breaker beside them.
 *
 * Layer:   store, inside the sqlite files only.
 * Threads: inside a job of a lane.
 * Time:    store time, milliseconds. "After an edge" is: later than it. A window of w at now is what is after now - w.
 *
 * Whatever has counters has a tally, by an id that needs no index: owner * 4 + scope * 2 + side. The owner is the row id of the
 * list or of the conversation. A tally's entries lie together in one tree: a standing (at_ms 0) for each sender, which says
 * when its latest attempt was, and a log of what happened, by time. A log entry counts for its sender only if the standing
 * points at it, so a later attempt need not touch an earlier one.
 */
#ifndef BW_SQLITE_TALLY_H
#define BW_SQLITE_TALLY_H

#include "sqlite-internal.h"

/* What a tally holds after an edge, kept from question to question: the next one counts only what lies between its edge and
 * this. Any edge has an answer, so no window is remembered. Edge INT64_MAX: nothing is after it. */
struct bw_sqlite_memo {
	int64_t edge_ms;
	int64_t next_ms; /* no log entry lies after the edge and before this */
	int64_t senders; /* distinct, with their latest attempt after the edge */
	int64_t amount;  /* replies or deliveries */
};

enum bw_sqlite_memo_name { BW_MEMO_WINDOW, BW_MEMO_DAY, BW_MEMO_PHASE, BW_MEMO_COUNT };

struct bw_sqlite_tally {
	int64_t id;
	int64_t last_ms; /* latest attempt of anyone, 0: none */
	struct bw_sqlite_memo memos[BW_MEMO_COUNT];
	struct bw_breaker breaker;
	bool stored, changed;
};

static inline int64_t bw_sqlite_tally_id(int64_t owner, enum bw_scope scope, enum bw_side side)
{
	return owner * 4 + (int64_t)scope * 2 + (int64_t)side;
}

/* Reads a tally and its breaker; all zero if there is none. */
void bw_sqlite_tally_load(struct bw_sqlite_lane *lane, int64_t id, struct bw_sqlite_tally *out);
void bw_sqlite_tally_store(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t);
/* The row id of a list that counts; made if `make`, else 0 when there is none. And the same with its tally. */
int64_t bw_sqlite_list_id(struct bw_sqlite_lane *lane, struct bw_slice list, bool make);
int64_t bw_sqlite_list_load(struct bw_sqlite_lane *lane, struct bw_slice list, enum bw_side side, bool make,
                            struct bw_sqlite_tally *out);

/* One message's doing in a tally. */
struct bw_sqlite_entry {
	int64_t at_ms;
	const struct bw_hash *message, *sender;
};

/* The sender's latest attempt, 0: none. */
int64_t bw_sqlite_attempt_last(struct bw_sqlite_lane *lane, const struct bw_sqlite_tally *t, const struct bw_hash *sender);
/* An attempt; `anew`: a further one, else the one that stands is moved there. Its log entry is the caller's to add. Returns
 * where the sender stood, 0: nowhere. */
int64_t bw_sqlite_attempt_put(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t, const struct bw_sqlite_entry *e, bool anew);
/* Undoes an attempt, before which the sender stood at `before_ms` (0: not at all). */
void bw_sqlite_attempt_give_back(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t, const struct bw_sqlite_entry *e,
                                 int64_t before_ms);
/* Logs what happened with an amount of replies or deliveries (0 is fine), added to what the entry has; and takes it back. */
void bw_sqlite_log_add(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t, const struct bw_sqlite_entry *e, int64_t amount);
void bw_sqlite_log_take(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t, const struct bw_sqlite_entry *e, int64_t amount);
/* What is after an edge. */
const struct bw_sqlite_memo *bw_sqlite_after(struct bw_sqlite_lane *lane, struct bw_sqlite_tally *t,
                                             enum bw_sqlite_memo_name name, int64_t edge_ms);
/* Distinct senders of two tallies together. */
int64_t bw_sqlite_senders_of_both(struct bw_sqlite_lane *lane, const struct bw_sqlite_tally *a, const struct bw_sqlite_tally *b,
                                  int64_t edge_ms);
/* Makes a memo start anew: its entries were changed behind its back. */
void bw_sqlite_memo_reset(struct bw_sqlite_memo *m);
/* Moves all of `from` into `into`; the less closed breaker stays. */
void bw_sqlite_tally_merge(struct bw_sqlite_lane *lane, int64_t into, int64_t from);

/* A breaker's columns from `column` on, in the order of BREAKER_COLUMNS (sqlite-breaker.c). */
void bw_sqlite_breaker_read(struct bw_sqlite_lane *lane, sqlite3_stmt *row, int column, struct bw_breaker *out);
void bw_sqlite_breaker_write(struct bw_sqlite_lane *lane, int64_t tally, const struct bw_breaker *b);

#endif
