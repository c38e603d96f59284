/* sqlite-internal.h: the embedded store's connections, and how work gets onto them.
 *
 * Layer:     store, inside the sqlite files only.
 * Threads:   any thread may call bw_sqlite_do(); everything that takes a lane runs inside such a call, one thread at a time.
 * Fails:     inside a job the first failure of SQLite sticks to the lane: helpers after it do nothing and answer zero, the
 *            transaction is rolled back and every job in it ends with BW_ERR_STORE.
 *
 * A lane is one connection and a queue. Whoever finds the lane free leads: it takes all jobs that wait, runs them in one
 * transaction and wakes their owners (group commit). Counting and the ledger have a lane each: counting may lose its last
 * moment in a power failure, a held message may not.
 */
#ifndef BW_SQLITE_INTERNAL_H
#define BW_SQLITE_INTERNAL_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "store-internal.h"
#include "bw/store.h"
#include "sqlite-sql.h"

#define BW_SQLITE_FORMAT          1      /* of the file and of the records in it */
#define BW_SQLITE_TEXT_BYTES_MAX  4096   /* of a text in ledger and history; longer ones are cut */
#define BW_SQLITE_VALUE_BYTES_MAX 262144 /* of what an operator stores; longer ones are refused */

enum bw_sqlite_mode { BW_SQLITE_READ, BW_SQLITE_WRITE, BW_SQLITE_BARE /* outside of any transaction */ };

struct bw_sqlite;

struct bw_sqlite_job; /* one caller's wait */

struct bw_sqlite_lane {
	struct bw_sqlite *store;
	sqlite3 *db;
	sqlite3_stmt *statements[BW_SQL_COUNT];
	int rc;                     /* first failure in this transaction */
	int64_t deadline_ms;        /* monotonic: no wait for another process's write after it */
	int64_t stored_ms, seen_ms; /* latest store time: in the file, in this transaction */
	bool clock_kept;            /* stored_ms is what the file holds at clock_version */
	unsigned clock_version;
	pthread_mutex_t lock; /* of the rest */
	struct bw_sqlite_job *first, *last;
	bool led;
};

/* Where in each table the next expire() goes on; belongs to the counting lane. */
enum {
	BW_SQLITE_SWEPT_CONVERSATIONS,
	BW_SQLITE_SWEPT_ROOTS,
	BW_SQLITE_SWEPT_KEYS,
	BW_SQLITE_SWEPT_MESSAGES,
	BW_SQLITE_SWEPT_PARTS,
	BW_SQLITE_SWEPT_LISTS,
	BW_SQLITE_SWEPT_COUNT
};
struct bw_sqlite_place {
	int64_t list, class;
	struct bw_hash hash, part;
};
struct bw_sqlite_sweep {
	int64_t tally;
	struct bw_sqlite_place at[BW_SQLITE_SWEPT_COUNT];
};

struct bw_sqlite {
	struct bw_store base;
	char *path;
	int64_t busy_ms;
	bool memory; /* ":memory:": both lanes are one */
	struct bw_sqlite_lane lanes[2];
	struct bw_sqlite_lane *counting, *ledger;
	pthread_mutex_t gate_lock; /* one writing transaction at a time in this process; others are SQLite's business */
	pthread_cond_t gate_opens;
	bool gate_taken;
	struct bw_store_clock seen;   /* store time as this process knows it */
	struct bw_sqlite_sweep sweep; /* where the next expire() goes on */
	int64_t (*clock)(void *ctx);  /* wall time; tests and simulate put their own */
	void *clock_ctx;
};

/* --- jobs (sqlite-lane.c) --- */

typedef enum bw_err bw_sqlite_run_fn(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why);

/* Runs `run(lane, arg, why)` on the lane, in a transaction of its mode that it may share with others. What `run` refuses
 * (BW_ERR_INPUT, _RANGE, _CONFLICT, _NOT_FOUND, _EXISTS, _LIMIT, _PERMISSION) it refuses before it writes; any other failure
 * undoes everybody's work in the transaction. Never waits longer than busy_ms for other processes. */
enum bw_err bw_sqlite_do(struct bw_sqlite_lane *lane, enum bw_sqlite_mode mode, bw_sqlite_run_fn *run, void *arg,
                         struct bw_why *why);
enum bw_err bw_sqlite_lane_open(struct bw_sqlite *store, struct bw_sqlite_lane *lane, struct bw_why *why);
void bw_sqlite_lane_close(struct bw_sqlite_lane *lane);
/* Turns an SQLite failure into a sentence an operator can act on. */
enum bw_err bw_sqlite_fail(const struct bw_sqlite *store, sqlite3 *db, int rc, struct bw_why *why);

/* --- statements (sqlite-statement.c) --- */

struct bw_sqlite_arg {
	enum { BW_SQLITE_INT, BW_SQLITE_HASH, BW_SQLITE_TEXT } kind;
	int64_t number;
	const struct bw_hash *hash;
	struct bw_slice text;
};

#define INT(v)  ((struct bw_sqlite_arg){ .kind = BW_SQLITE_INT, .number = (v) })
#define HASH(h) ((struct bw_sqlite_arg){ .kind = BW_SQLITE_HASH, .hash = (h) })
#define TEXT(s) ((struct bw_sqlite_arg){ .kind = BW_SQLITE_TEXT, .text = (s) })
#define ARGS(...)                                  \
	(const struct bw_sqlite_arg[]){ __VA_ARGS__ }, \
		sizeof((const struct bw_sqlite_arg[]){ __VA_ARGS__ }) / sizeof(struct bw_sqlite_arg)
#define NO_ARGS NULL, 0

/* Runs a statement to its end; the number of rows it changed. */
int64_t bw_sqlite_run(struct bw_sqlite_lane *lane, enum bw_sql sql, const struct bw_sqlite_arg *args, size_t n);
/* The first row's first `columns` integers; false (and `out` untouched) without a row. */
bool bw_sqlite_ints(struct bw_sqlite_lane *lane, enum bw_sql sql, int64_t *out, int columns, const struct bw_sqlite_arg *args,
                    size_t n);
/* The first row, NULL if there is none; bw_sqlite_next() until it says false, or bw_sqlite_done(). The arguments must live until then. */
sqlite3_stmt *bw_sqlite_rows(struct bw_sqlite_lane *lane, enum bw_sql sql, const struct bw_sqlite_arg *args, size_t n);
bool bw_sqlite_next(struct bw_sqlite_lane *lane, sqlite3_stmt *row);
void bw_sqlite_done(sqlite3_stmt *row);
struct bw_slice bw_sqlite_text(sqlite3_stmt *row, int column); /* lives until the next step */
struct bw_hash bw_sqlite_hash(sqlite3_stmt *row, int column);  /* zero if it is none */
/* An integer that must be a value of an enum with `count` values; anything else is BW_ERR_CORRUPT at the end of the job. */
int bw_sqlite_word(struct bw_sqlite_lane *lane, sqlite3_stmt *row, int column, int count);
struct bw_slice bw_sqlite_cut(struct bw_slice text); /* to BW_SQLITE_TEXT_BYTES_MAX */

/* --- store time (sqlite.c) --- */

/* `given_ms`, or for 0 the store's clock; remembered as seen. */
int64_t bw_sqlite_now(struct bw_sqlite_lane *lane, int64_t given_ms);
void bw_sqlite_clock_begin(struct bw_sqlite_lane *lane, bool writes);
void bw_sqlite_clock_end(struct bw_sqlite_lane *lane);
void bw_sqlite_clock_keep(struct bw_sqlite_lane *lane); /* after a commit */

static inline struct bw_sqlite *bw_sqlite_of(struct bw_store *s)
{
	return (struct bw_sqlite *)s;
}

#endif
