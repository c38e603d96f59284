/* redis-site.h: listings of the installation's rows, and their running.
 *
 * Layer:   store, inside the redis files only.
 * Threads: any thread.
 */
#ifndef BW_REDIS_SITE_H
#define BW_REDIS_SITE_H

#include "redis-internal.h"

/* Runs an exchange of one call and reads a number from it. */
enum bw_err bw_redis_run_number(struct bw_redis *s, struct bw_redis_exchange *x, int64_t *out, struct bw_why *why);

/* A selection: the zero hash is an empty argument, which selects all. */
void bw_redis_add_hash_or_all(struct bw_redis_exchange *x, const struct bw_hash *hash);

/* A listing by pages: each page is a call with a deadline of its own; a callback runs outside of any lock. */
struct bw_redis_pages {
	struct bw_redis *s;
	/* Adds the call for the rows after `after`. */
	void (*ask)(const struct bw_redis_pages *pages, struct bw_redis_exchange *x);
	/* Reads one record, whose format is checked already, and hands it on unless it is bad; false: the caller has had enough.
	 * Without a cursor in the reply it moves `after`. */
	bool (*give)(struct bw_redis_pages *pages, struct bw_redis_row *record);
	bool with_cursor;     /* the reply is {cursor, rows}, 0 ends; else it is rows */
	size_t page_rows;     /* without a cursor: a page of less is the last one; 0: there is but one page */
	int64_t after, given; /* rows given so far */
	int64_t limit;        /* 0: all */
	void *taker;          /* the caller's callback, for `give` */
	const void *query;    /* for `ask` */
	const char *what;     /* the rows are of, for sentences */
};
enum bw_err bw_redis_give_pages(struct bw_redis_pages *pages, struct bw_why *why);

#endif
