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

/* --- directory: many rows, copied by their versions --- */

struct lists {
	struct bw_store *to;
	const _Atomic bool *stop;
	int64_t version; /* of the last row that was copied */
	bool stopped;
	enum bw_err err;
};

static bool copy_list(void *ctx, const struct bw_list_row *row)
{
	struct lists *l = ctx;

	l->stopped = l->stop != NULL && atomic_load(l->stop);
	if (l->stopped)
		return false;
	l->err = l->to->ops->list_put(l->to, row, NULL, NULL);
	if (l->err == BW_OK)
		l->version = row->version;
	return l->err == BW_OK;
}

enum bw_err bw_shared_copy_settings(struct bw_guarded *g, const _Atomic bool *stop)
{
	int64_t settings, directory;
	struct lists l = { .to = g->fallback, .stop = stop, .version = g->copied_directory };
	enum bw_err err = g->base.ops->versions(&g->base, &settings, &directory, NULL);

	if (err != BW_OK || atomic_load(&g->degraded))
		return err;
	if (settings != g->copied_settings) {
		err = copy_settings(g->primary, g->fallback, true, NULL);
		if (err != BW_OK)
			return err;
		g->copied_settings = settings;
	}
	if (directory == g->copied_directory)
		return BW_OK;
	if (directory < g->copied_directory)
		l.version = 0;
	err = g->primary->ops->list_each(g->primary, l.version, copy_list, &l, NULL);
	g->copied_directory = err == BW_OK && l.err == BW_OK && !l.stopped ? directory : l.version;
	return err == BW_OK ? l.err : err;
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
	struct lists l = { .to = g->primary };
	bool any = false;
	enum bw_err err = g->primary->ops->list_each(g->primary, 0, note_any, &any, why);

	if (err != BW_OK || any)
		return err;
	err = g->fallback->ops->list_each(g->fallback, 0, copy_list, &l, why);
	if (err == BW_OK && l.err != BW_OK)
		err = bw_fail(why, l.err, "the directory could not be brought back into the shared store");
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
