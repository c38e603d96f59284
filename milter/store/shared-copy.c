/* Copies of settings and directory on each host: they follow the primary, and go back into one that has lost its data. */
#include <stdlib.h>
#include <string.h>

#include "bw/arena.h"
#include "guarded-internal.h"

#define ROWS_BYTES_MAX ((size_t)64 << 20)

/* --- settings: few, compared as a whole --- */

struct setting {
	struct bw_setting_row row; /* texts in the arena */
	struct setting *next;
};

struct settings {
	struct bw_arena *arena;
	struct setting *first, **end;
	bool complete;
};

static bool keep_setting(void *ctx, const struct bw_setting_row *row)
{
	struct settings *all = ctx;
	struct setting *s = bw_arena_alloc(all->arena, sizeof(*s));

	if (s == NULL) {
		all->complete = false;
		return false;
	}
	s->row = *row;
	s->row.name = bw_arena_slice(all->arena, row->name);
	s->row.value = bw_arena_slice(all->arena, row->value);
	s->row.owner = bw_arena_slice(all->arena, row->owner);
	s->row.reason = bw_arena_slice(all->arena, row->reason);
	*all->end = s;
	all->end = &s->next;
	return true;
}

static enum bw_err read_settings(struct bw_store *from, struct settings *out, struct bw_why *why)
{
	*out = (struct settings){ .arena = bw_arena_new(ROWS_BYTES_MAX), .complete = true };
	out->end = &out->first;
	if (out->arena == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory for a copy of the settings");
	enum bw_err err = from->ops->setting_each(from, false, keep_setting, out, why);

	if (err == BW_OK && !out->complete)
		err = bw_fail(why, BW_ERR_MEMORY, "no memory for a copy of the settings");
	return err;
}

/* A lasting and a temporary value of one name are two. */
static const struct bw_setting_row *find_setting(const struct settings *all, const struct bw_setting_row *like)
{
	for (const struct setting *s = all->first; s != NULL; s = s->next) {
		if (bw_slice_equal(s->row.name, like->name) && (s->row.until_ms != 0) == (like->until_ms != 0))
			return &s->row;
	}
	return NULL;
}

static bool is_same_setting(const struct bw_setting_row *a, const struct bw_setting_row *b)
{
	return a != NULL && bw_slice_equal(a->value, b->value) && a->until_ms == b->until_ms;
}

/* Writes what `to` lacks or has otherwise; with `exactly` it also loses what `from` has not. */
static enum bw_err write_settings(struct bw_store *to, const struct settings *from, const struct settings *has, bool exactly,
                                  struct bw_why *why)
{
	enum bw_err err = BW_OK;

	for (const struct setting *s = has->first; s != NULL && exactly && err == BW_OK; s = s->next) {
		struct bw_setting_row gone = { .name = s->row.name, .owner = s->row.owner, .reason = s->row.reason };

		if (find_setting(from, &s->row) == NULL)
			err = to->ops->setting_put(to, &gone, NULL, why);
	}
	/* A lasting value replaces the temporary one: it goes first. */
	for (int temporary = 0; temporary < 2; temporary++) {
		for (const struct setting *s = from->first; s != NULL && err == BW_OK; s = s->next) {
			const struct bw_setting_row *there = find_setting(has, &s->row);

			if ((s->row.until_ms != 0) == temporary && (there == NULL || exactly) && !is_same_setting(there, &s->row))
				err = to->ops->setting_put(to, &s->row, NULL, why);
		}
	}
	return err;
}

static enum bw_err copy_settings(struct bw_store *from, struct bw_store *to, bool exactly, struct bw_why *why)
{
	struct settings source = { 0 }, target = { 0 };
	enum bw_err err = read_settings(from, &source, why);

	if (err == BW_OK)
		err = read_settings(to, &target, why);
	if (err == BW_OK)
		err = write_settings(to, &source, &target, exactly, why);
	bw_arena_free(&source.arena);
	bw_arena_free(&target.arena);
	return err;
}

/* --- directory: many rows, copied in the order of their versions --- */

enum { PAGE_ROWS = 500 };
#define PAGE_BYTES_MAX ((size_t)32 << 20)

/* Rows with their texts. */
struct page {
	struct bw_arena *texts;
	struct bw_list_row rows[PAGE_ROWS];
	size_t n;
};

struct lists {
	struct bw_store *to;
	const _Atomic bool *stop;
	int64_t version; /* of the last row that is there now */
	bool stopped;
	enum bw_err err;
	struct page coming; /* written at once: a transaction for each row of a large directory takes minutes */
	int64_t come;       /* version of the last row of it */
	struct page there;  /* what `to` has after `there_version`, from `at` on */
	size_t at;
	int64_t there_version;
	bool compare; /* there may be more */
};

static size_t bytes_of(const struct bw_list_row *row)
{
	return row->address.n + row->owner.n + row->list_id.n + row->posters.n + row->origin.n;
}

static bool add_row(struct page *p, const struct bw_list_row *row)
{
	struct bw_list_row *kept = &p->rows[p->n];

	if (p->n == PAGE_ROWS)
		return false;
	*kept = *row;
	kept->address = bw_arena_slice(p->texts, row->address);
	kept->owner = bw_arena_slice(p->texts, row->owner);
	kept->list_id = bw_arena_slice(p->texts, row->list_id);
	kept->posters = bw_arena_slice(p->texts, row->posters);
	kept->origin = bw_arena_slice(p->texts, row->origin);
	if (bytes_of(kept) != bytes_of(row)) /* the arena is full */
		return false;
	p->n++;
	return true;
}

static void empty(struct page *p)
{
	bw_arena_reset(p->texts);
	p->n = 0;
}

static void lists_free(struct lists **lists)
{
	if (*lists == NULL)
		return;
	bw_arena_free(&(*lists)->coming.texts);
	bw_arena_free(&(*lists)->there.texts);
	free(*lists);
	*lists = NULL;
}

static struct lists *lists_new(struct bw_store *to)
{
	struct lists *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->to = to;
	l->coming.texts = bw_arena_new(PAGE_BYTES_MAX);
	l->there.texts = bw_arena_new(PAGE_BYTES_MAX);
	if (l->coming.texts == NULL || l->there.texts == NULL)
		lists_free(&l);
	return l;
}

static enum bw_err write_rows(struct lists *l)
{
	struct page *p = &l->coming;

	l->err = p->n == 0 ? BW_OK : l->to->ops->list_put_many(l->to, p->rows, p->n, NULL, NULL);
	if (l->err == BW_OK && p->n > 0)
		l->version = l->come;
	empty(p);
	return l->err;
}

/* What is written at once has one time of change. */
static enum bw_err add_or_write(struct lists *l, const struct bw_list_row *row)
{
	struct page *p = &l->coming;

	if (p->n > 0 && p->rows[0].changed_ms != row->changed_ms && write_rows(l) != BW_OK)
		return l->err;
	if (!add_row(p, row)) {
		if (write_rows(l) == BW_OK && !add_row(p, row))
			l->err = BW_ERR_MEMORY;
	}
	l->come = row->version;
	return l->err;
}

/* --- what is there already --- */

static bool keep_there(void *ctx, const struct bw_list_row *row)
{
	return add_row(ctx, row);
}

/* False: there is no more. */
static bool read_there(struct lists *l)
{
	struct page *p = &l->there;

	if (l->at < p->n)
		return true;
	empty(p);
	l->at = 0;
	l->compare = l->to->ops->list_each(l->to, l->there_version, keep_there, p, NULL) == BW_OK && p->n > 0;
	if (l->compare)
		l->there_version = p->rows[p->n - 1].version;
	return l->compare;
}

static bool is_same_row(const struct bw_list_row *a, const struct bw_list_row *b)
{
	return bw_slice_equal(a->address, b->address) && a->source == b->source && a->size == b->size &&
	       a->unconfirmed == b->unconfirmed && a->removed == b->removed && bw_slice_equal(a->owner, b->owner) &&
	       bw_slice_equal(a->list_id, b->list_id) && bw_slice_equal(a->posters, b->posters) &&
	       bw_slice_equal(a->origin, b->origin);
}

/* Whether the row has been copied before. Copies are written in the order of the original's versions, and stay in it as the original's
 * do: so both are gone through side by side, and what changed meanwhile is skipped here and comes at the end there. Should they be in
 * another order after all, more is written than need be. */
static bool is_there(struct lists *l, const struct bw_list_row *row)
{
	while (l->compare && read_there(l)) {
		if (is_same_row(&l->there.rows[l->at++], row))
			return true;
	}
	return false;
}

static bool copy_list(void *ctx, const struct bw_list_row *row)
{
	struct lists *l = ctx;

	l->stopped = l->stop != NULL && atomic_load(l->stop);
	if (l->stopped)
		return false;
	if (!is_there(l, row))
		return add_or_write(l, row) == BW_OK;
	if (l->coming.n == 0)
		l->version = row->version;
	return true;
}

/* All rows of `from` after l->version. */
static enum bw_err copy_lists(struct bw_store *from, struct lists *l, struct bw_why *why)
{
	enum bw_err err = from->ops->list_each(from, l->version, copy_list, l, why);

	if (l->err == BW_OK)
		(void)write_rows(l);
	if (err == BW_OK && l->err != BW_OK)
		err = bw_fail(why, l->err, "the directory could not be copied");
	return err;
}

/* A copier that begins, and one that was interrupted by the end of its daemon, goes on behind what is there. */
static enum bw_err copy_directory(struct bw_guarded *g, int64_t version, const _Atomic bool *stop)
{
	struct lists *l = lists_new(g->fallback);

	if (l == NULL)
		return BW_ERR_MEMORY;
	l->stop = stop;
	l->version = version < g->copied_directory ? 0 : g->copied_directory;
	l->compare = l->version == 0;
	enum bw_err err = copy_lists(g->primary, l, NULL);

	g->copied_directory = err == BW_OK && !l->stopped ? version : l->version;
	lists_free(&l);
	return err;
}

enum bw_err bw_shared_copy_settings(struct bw_guarded *g, const _Atomic bool *stop)
{
	int64_t settings, directory;
	enum bw_err err = g->base.ops->versions(&g->base, &settings, &directory, NULL);

	if (err != BW_OK || atomic_load(&g->degraded))
		return err;
	if (settings != g->copied_settings) {
		err = copy_settings(g->primary, g->fallback, true, NULL);
		if (err != BW_OK)
			return err;
		g->copied_settings = settings;
	}
	return directory == g->copied_directory ? BW_OK : copy_directory(g, directory, stop);
}

/* --- back into a primary that has lost them --- */

static bool note_any(void *ctx, const struct bw_list_row *row)
{
	(void)row;
	*(bool *)ctx = true;
	return false;
}

/* A directory that lost its last changes keeps the rows that it has: which of two is the later nobody knows. Only one that is empty is
 * filled. */
static enum bw_err restore_lists(struct bw_guarded *g, struct bw_why *why)
{
	bool any = false;
	enum bw_err err = g->primary->ops->list_each(g->primary, 0, note_any, &any, why);

	if (err != BW_OK || any)
		return err;
	struct lists *l = lists_new(g->primary);

	if (l == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory to bring the directory back into the shared store");
	err = copy_lists(g->fallback, l, why);
	lists_free(&l);
	return err;
}

enum bw_err bw_shared_restore(struct bw_guarded *g, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	pthread_mutex_lock(&g->probe);
	if (g->has_claim)
		err = g->primary->ops->claim(g->primary, &g->claim, why);
	if (err == BW_OK)
		err = copy_settings(g->fallback, g->primary, false, why);
	if (err == BW_OK)
		err = restore_lists(g, why);
	pthread_mutex_unlock(&g->probe);
	return err;
}
