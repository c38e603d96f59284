/* A lane: one connection, a queue before it, and one transaction for all who wait. */
#include <errno.h>
#include <time.h>

#include "bw/clock.h"
#include "sqlite-internal.h"

enum {
	JOBS_TOGETHER = 64, /* jobs in one transaction: bounds how long others find the file locked */
	POLL_FIRST_US = 50, /* waits for another process's write, doubling from here */
	POLL_LONGEST_US = 2000
};

struct bw_sqlite_job {
	bw_sqlite_run_fn *run;
	void *arg;
	enum bw_sqlite_mode mode;
	struct bw_why *why;
	enum bw_err err;
	int64_t deadline_ms;
	bool done, leads;
	pthread_cond_t wake;
	struct bw_sqlite_job *next;
};

/* --- waiting --- */

/* SQLite asks this while another process holds the write lock. */
static int wait_for_others(void *arg, int calls)
{
	const struct bw_sqlite_lane *lane = arg;
	long us = calls < 6 ? (long)POLL_FIRST_US << calls : POLL_LONGEST_US;
	struct timespec pause = { 0, us * 1000 };

	if (bw_clock_monotonic_ms() >= lane->deadline_ms)
		return 0;
	nanosleep(&pause, NULL);
	return 1;
}

/* Two lanes of one process take turns without polling. */
static bool enter_gate(struct bw_sqlite *s, int64_t deadline_ms)
{
	struct timespec until = { (time_t)(deadline_ms / 1000), (long)(deadline_ms % 1000) * 1000000 };
	int rc = 0;

	pthread_mutex_lock(&s->gate_lock);
	while (s->gate_taken && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&s->gate_opens, &s->gate_lock, &until);
	bool entered = !s->gate_taken;

	if (entered)
		s->gate_taken = true;
	pthread_mutex_unlock(&s->gate_lock);
	return entered;
}

static void leave_gate(struct bw_sqlite *s)
{
	pthread_mutex_lock(&s->gate_lock);
	s->gate_taken = false;
	pthread_cond_signal(&s->gate_opens);
	pthread_mutex_unlock(&s->gate_lock);
}

/* --- one transaction --- */

static bool is_refusal(enum bw_err err)
{
	switch (err) {
	case BW_ERR_INPUT:
	case BW_ERR_RANGE:
	case BW_ERR_CONFLICT:
	case BW_ERR_NOT_FOUND:
	case BW_ERR_EXISTS:
	case BW_ERR_LIMIT:
	case BW_ERR_PERMISSION:
		return true;
	case BW_OK:
	case BW_ERR_MEMORY:
	case BW_ERR_IO:
	case BW_ERR_STORE:
	case BW_ERR_CORRUPT:
	case BW_ERR_COUNT:
		break;
	}
	return false;
}

/* Runs the jobs of one transaction; BW_OK if it may be committed. */
static enum bw_err run_jobs(struct bw_sqlite_lane *lane, struct bw_sqlite_job *jobs, struct bw_why *why)
{
	for (struct bw_sqlite_job *j = jobs; j != NULL; j = j->next) {
		j->err = j->run(lane, j->arg, j->why);
		if (lane->rc != SQLITE_OK)
			return bw_sqlite_fail(lane->store, lane->db, lane->rc, why);
		if (j->err != BW_OK && !is_refusal(j->err))
			return bw_fail(why, j->err, "%s", j->why == NULL ? "" : j->why->text);
	}
	return BW_OK;
}

static enum bw_err run_transaction(struct bw_sqlite_lane *lane, struct bw_sqlite_job *jobs, struct bw_why *why)
{
	bool writes = jobs->mode == BW_SQLITE_WRITE;
	enum bw_err err;

	lane->rc = SQLITE_OK;
	lane->deadline_ms = jobs->deadline_ms;
	if (writes && !enter_gate(lane->store, lane->deadline_ms))
		return bw_sqlite_fail(lane->store, lane->db, SQLITE_BUSY, why);
	bw_sqlite_run(lane, writes ? BW_SQL_BEGIN_WRITE : BW_SQL_BEGIN_READ, NO_ARGS);
	bw_sqlite_clock_begin(lane, writes);
	err = lane->rc == SQLITE_OK ? run_jobs(lane, jobs, why) : bw_sqlite_fail(lane->store, lane->db, lane->rc, why);
	if (err == BW_OK) {
		if (writes)
			bw_sqlite_clock_end(lane);
		bw_sqlite_run(lane, BW_SQL_COMMIT, NO_ARGS);
		if (lane->rc != SQLITE_OK)
			err = bw_sqlite_fail(lane->store, lane->db, lane->rc, why);
		else
			bw_sqlite_clock_keep(lane);
	}
	if (sqlite3_get_autocommit(lane->db) == 0) {
		lane->rc = SQLITE_OK;
		bw_sqlite_run(lane, BW_SQL_ROLLBACK, NO_ARGS);
	}
	if (writes)
		leave_gate(lane->store);
	return err;
}

static enum bw_err run_bare(struct bw_sqlite_lane *lane, struct bw_sqlite_job *job, struct bw_why *why)
{
	lane->rc = SQLITE_OK;
	lane->deadline_ms = job->deadline_ms;
	job->err = job->run(lane, job->arg, job->why);
	return lane->rc == SQLITE_OK ? BW_OK : bw_sqlite_fail(lane->store, lane->db, lane->rc, why);
}

/* --- the queue --- */

static void append(struct bw_sqlite_lane *lane, struct bw_sqlite_job *job)
{
	if (lane->last == NULL)
		lane->first = job;
	else
		lane->last->next = job;
	lane->last = job;
}

/* Takes the jobs at the head that can share a transaction. */
static struct bw_sqlite_job *take(struct bw_sqlite_lane *lane)
{
	struct bw_sqlite_job *head = lane->first, *end = head;

	for (int n = 1; head->mode != BW_SQLITE_BARE && n < JOBS_TOGETHER && end->next != NULL && end->next->mode == head->mode; n++)
		end = end->next;
	lane->first = end->next;
	if (lane->first == NULL)
		lane->last = NULL;
	end->next = NULL;
	return head;
}

/* Tells everybody in the transaction how it ended; a job may be gone as soon as its owner knows. */
static void finish(struct bw_sqlite_job *jobs, enum bw_err err, const struct bw_why *why)
{
	for (struct bw_sqlite_job *j = jobs, *next; j != NULL; j = next) {
		next = j->next;
		if (err != BW_OK)
			j->err = bw_fail(j->why, err, "%s", why->text);
		j->done = true;
		pthread_cond_signal(&j->wake);
	}
}

static void lead(struct bw_sqlite_lane *lane)
{
	struct bw_sqlite_job *jobs = take(lane);
	struct bw_why why = { "" };

	pthread_mutex_unlock(&lane->lock);
	enum bw_err err = jobs->mode == BW_SQLITE_BARE ? run_bare(lane, jobs, &why) : run_transaction(lane, jobs, &why);

	pthread_mutex_lock(&lane->lock);
	finish(jobs, err, &why);
	lane->led = lane->first != NULL;
	if (lane->led) {
		lane->first->leads = true;
		pthread_cond_signal(&lane->first->wake);
	}
}

enum bw_err bw_sqlite_do(struct bw_sqlite_lane *lane, enum bw_sqlite_mode mode, bw_sqlite_run_fn *run, void *arg,
                         struct bw_why *why)
{
	struct bw_sqlite_job job = {
		.run = run,
		.arg = arg,
		.mode = mode,
		.why = why,
		.deadline_ms = bw_clock_monotonic_ms() + lane->store->busy_ms,
		.wake = PTHREAD_COND_INITIALIZER,
	};

	pthread_mutex_lock(&lane->lock);
	append(lane, &job);
	if (!lane->led) {
		lane->led = true;
		job.leads = true;
	}
	while (!job.done && !job.leads)
		pthread_cond_wait(&job.wake, &lane->lock);
	if (!job.done)
		lead(lane);
	pthread_mutex_unlock(&lane->lock);
	pthread_cond_destroy(&job.wake);
	return job.err;
}

/* --- the connection --- */

static pthread_once_t configured = PTHREAD_ONCE_INIT;

/* Nobody asks SQLite how much memory it uses, and to know it costs a lock of all connections at each allocation. Where somebody else has
 * begun to use it already, it stays as it is. */
static void configure(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

enum bw_err bw_sqlite_lane_open(struct bw_sqlite *store, struct bw_sqlite_lane *lane, struct bw_why *why)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

	pthread_once(&configured, configure);
	lane->store = store;
	lane->deadline_ms = bw_clock_monotonic_ms() + store->busy_ms;
	int rc = sqlite3_open_v2(store->path, &lane->db, flags, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_busy_handler(lane->db, wait_for_others, lane);
	return rc == SQLITE_OK ? BW_OK : bw_sqlite_fail(store, lane->db, rc, why);
}

void bw_sqlite_lane_close(struct bw_sqlite_lane *lane)
{
	for (int i = 0; i < BW_SQL_COUNT; i++)
		sqlite3_finalize(lane->statements[i]);
	sqlite3_close(lane->db);
	lane->db = NULL;
}
