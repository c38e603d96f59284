/* Listings by pages: read under the lane, handed over outside of it. */
#include <stdlib.h>

#include "sqlite-backend.h"

enum { PAGE_ROWS = 128, PAGE_BYTES = 64 << 20 };

struct page {
	struct bw_sqlite_listing *listing;
	struct bw_arena *arena;
	char *rows;
	size_t n;
	bool full;
};

struct bw_slice bw_sqlite_keep(struct bw_arena *arena, sqlite3_stmt *row, int column)
{
	return bw_arena_slice(arena, bw_sqlite_text(row, column));
}

static enum bw_err read_page(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	struct page *p = arg;
	struct bw_sqlite_listing *l = p->listing;
	sqlite3_stmt *row = bw_sqlite_rows(lane, l->sql, l->args, l->arg_count);

	(void)why;
	p->n = 0;
	for (; row != NULL && p->n < PAGE_ROWS; row = bw_sqlite_next(lane, row) ? row : NULL) {
		l->read(lane, row, p->arena, p->rows + p->n * l->row_bytes);
		l->args[0].number = sqlite3_column_int64(row, 0);
		p->n++;
	}
	p->full = row != NULL;
	if (row != NULL)
		bw_sqlite_done(row);
	return BW_OK;
}

/* False: the caller has had enough, or the limit is reached. */
static bool give_page(const struct page *p, int64_t *given)
{
	const struct bw_sqlite_listing *l = p->listing;

	for (size_t i = 0; i < p->n; i++) {
		if ((l->limit > 0 && *given >= l->limit) || !l->give(l->taker, p->rows + i * l->row_bytes))
			return false;
		++*given;
	}
	return p->full;
}

enum bw_err bw_sqlite_list_rows(struct bw_sqlite_listing *listing, struct bw_why *why)
{
	struct page p = {
		.listing = listing, .arena = bw_arena_new(PAGE_BYTES), .rows = calloc(PAGE_ROWS, listing->row_bytes), .full = true
	};
	enum bw_err err = BW_OK;
	int64_t given = 0;
	bool more = true;

	if (p.arena == NULL || p.rows == NULL)
		err = bw_fail(why, BW_ERR_MEMORY, "no memory for a page of the listing");
	while (err == BW_OK && more) {
		err = bw_sqlite_do(listing->lane, BW_SQLITE_READ, read_page, &p, why);
		more = err == BW_OK && give_page(&p, &given);
		if (p.arena != NULL)
			bw_arena_reset(p.arena);
	}
	bw_arena_free(&p.arena);
	free(p.rows);
	return err;
}
