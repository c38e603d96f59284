/* What an import would change. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { GROWTH = 10 }; /* semantics 4: "a list grown more than 10x"; a collapse is the same backwards */

static const char *const kinds[] = { "new", "grown", "shrunk", "changed", "empty", "gone", "foreign", "collapsed" };
static_assert(sizeof(kinds) / sizeof(kinds[0]) == BW_IMPORT_KIND_COUNT, "a name for every kind");

const char *bw_import_kind_name(enum bw_import_kind kind)
{
	return (unsigned)kind < BW_IMPORT_KIND_COUNT ? kinds[kind] : "unknown";
}

/* --- what the directory holds --- */

/* Beside one list of the import, or one that has gone. */
struct known {
	struct bw_list_row row; /* of an import; address empty: none */
	enum bw_source covered; /* the stronger source that gives a size; BW_SOURCE_IMPORT: none */
	int64_t covered_size;
};

struct planner {
	const struct bw_import *im;
	struct bw_slice origin;
	const struct bw_import_limits *limits;
	struct bw_import_plan *plan;
	struct known *known;      /* one a list of the import */
	struct bw_list_row *gone; /* of this origin, and not found */
	size_t gone_count, gone_room;
	size_t step_room, row_room;
	enum bw_err err;
	struct bw_why *why;
};

static bool keep(struct planner *p, struct bw_slice *text)
{
	struct bw_slice kept = text->n == 0 ? BW_S("") : bw_arena_slice(p->plan->texts, *text);

	if (kept.n != text->n) {
		p->err = bw_import_no_memory(p->why);
		return false;
	}
	*text = kept;
	return true;
}

static bool keep_row(struct planner *p, struct bw_list_row *row)
{
	return keep(p, &row->address) && keep(p, &row->owner) && keep(p, &row->list_id) && keep(p, &row->posters) &&
	       keep(p, &row->origin);
}

static int compare_address(const void *key, const void *list)
{
	return bw_slice_compare(*(const struct bw_slice *)key, ((const struct bw_import_list *)list)->address);
}

static struct known *find(const struct planner *p, struct bw_slice address)
{
	const struct bw_import_list *found =
		p->im->list_count == 0 ? NULL
							   : bsearch(&address, p->im->lists, p->im->list_count, sizeof(p->im->lists[0]), compare_address);

	return found == NULL ? NULL : &p->known[found - p->im->lists];
}

static bool note_gone(struct planner *p, const struct bw_list_row *row)
{
	p->err =
		bw_import_grow((void **)&p->gone, &p->gone_room, p->gone_count, sizeof(*p->gone), BW_IMPORT_LISTS_MAX, "lists", p->why);
	if (p->err != BW_OK)
		return false;
	p->gone[p->gone_count] = *row;
	return keep_row(p, &p->gone[p->gone_count++]);
}

/* The operator is stronger than the configuration file, so it may take its place here in any order. */
static void note_cover(struct known *known, const struct bw_list_row *row)
{
	if (row->size == 0 || known->covered == BW_SOURCE_OPERATOR)
		return;
	known->covered = row->source;
	known->covered_size = row->size;
}

static bool take_row(void *taker, const struct bw_list_row *row)
{
	struct planner *p = taker;
	struct known *known = row->removed || row->source == BW_SOURCE_LEARNED ? NULL : find(p, row->address);
	bool ours = row->source == BW_SOURCE_IMPORT && !row->removed && bw_slice_equal(row->origin, p->origin);

	p->plan->known += ours;
	if (known != NULL && row->source != BW_SOURCE_IMPORT)
		note_cover(known, row);
	else if (known != NULL) {
		known->row = *row;
		return keep_row(p, &known->row);
	}
	return known != NULL || !ours || note_gone(p, row);
}

/* --- steps --- */

static bool add_step(struct planner *p, const struct bw_import_step *step)
{
	struct bw_import_plan *plan = p->plan;

	p->err = bw_import_grow((void **)&plan->steps, &p->step_room, plan->step_count, sizeof(*plan->steps), 2 * BW_IMPORT_LISTS_MAX,
	                        "changes", p->why);
	if (p->err != BW_OK)
		return false;
	plan->steps[plan->step_count++] = *step;
	plan->counts[step->kind]++;
	plan->surprises += step->surprise;
	return true;
}

static void add_row(struct planner *p, const struct bw_list_row *row)
{
	struct bw_import_plan *plan = p->plan;

	p->err = bw_import_grow((void **)&plan->rows, &p->row_room, plan->row_count, sizeof(*plan->rows), 2 * BW_IMPORT_LISTS_MAX,
	                        "changes", p->why);
	if (p->err == BW_OK)
		plan->rows[plan->row_count++] = *row;
}

static bool same_texts(const struct bw_import_list *list, const struct bw_list_row *row)
{
	return bw_slice_equal(list->owner, row->owner) && bw_slice_equal(list->list_id, row->list_id) &&
	       bw_slice_equal(list->posters, row->posters);
}

/* Unchanged: false. */
static bool classify(const struct planner *p, const struct bw_import_list *list, const struct known *known,
                     struct bw_import_step *step)
{
	const struct bw_list_row *row = &known->row;
	bool ours = bw_slice_equal(row->origin, p->origin), force = p->limits->force;

	step->writes = true;
	if (row->address.n == 0) {
		step->kind = BW_IMPORT_NEW;
		return list->size > 0 && !list->slight;
	}
	if (!ours && !force) {
		step->kind = BW_IMPORT_FOREIGN;
		step->writes = false;
		step->place = row->origin;
	} else if (list->size == 0) {
		step->kind = p->limits->prune ? BW_IMPORT_GONE : BW_IMPORT_EMPTY;
		step->writes = p->limits->prune;
	} else if (list->size > row->size) {
		step->kind = BW_IMPORT_GROWN;
	} else if (list->size < row->size) {
		bool collapsed = !force && row->size >= p->limits->medium && list->size <= row->size / GROWTH;

		step->kind = collapsed ? BW_IMPORT_COLLAPSED : BW_IMPORT_SHRUNK;
		step->writes = !collapsed;
	} else {
		step->kind = BW_IMPORT_CHANGED;
		return !ours || !same_texts(list, row);
	}
	return true;
}

/* A size that the operator or the configuration file names, too, surprises nobody. */
static bool is_surprise(const struct planner *p, const struct known *known, const struct bw_import_step *step)
{
	int64_t was = step->was > known->covered_size ? step->was : known->covered_size;

	if (step->kind == BW_IMPORT_NEW && was == 0)
		return step->now >= p->limits->huge;
	return (step->kind == BW_IMPORT_NEW || step->kind == BW_IMPORT_GROWN) && step->now > was * GROWTH;
}

static bool plan_list(struct planner *p, const struct bw_import_list *list, const struct known *known)
{
	struct bw_import_step step = {
		.address = list->address, .was = known->row.size, .now = list->size, .covered = known->covered, .place = list->place
	};
	bool changed = classify(p, list, known, &step);

	if (!changed) {
		p->plan->unchanged += known->row.address.n > 0;
		return true;
	}
	step.surprise = is_surprise(p, known, &step);
	struct bw_list_row row = {
		.address = list->address,
		.owner = list->owner,
		.list_id = list->list_id,
		.posters = list->posters,
		.origin = p->origin,
		.size = step.kind == BW_IMPORT_GONE ? known->row.size : list->size,
		.source = BW_SOURCE_IMPORT,
		.unconfirmed = step.surprise || known->row.unconfirmed, /* nobody has confirmed it meanwhile */
		.removed = step.kind == BW_IMPORT_GONE,
	};

	if (step.writes)
		add_row(p, &row);
	return p->err == BW_OK && add_step(p, &step);
}

static bool plan_gone(struct planner *p, const struct bw_list_row *gone)
{
	struct bw_import_step step = {
		.kind = BW_IMPORT_GONE,
		.address = gone->address,
		.was = gone->size,
		.writes = p->limits->prune,
		.covered = BW_SOURCE_IMPORT,
	};
	struct bw_list_row row = *gone;

	row.removed = true;
	if (step.writes)
		add_row(p, &row);
	return p->err == BW_OK && add_step(p, &step);
}

static int compare_steps(const void *a, const void *b)
{
	return bw_slice_compare(((const struct bw_import_step *)a)->address, ((const struct bw_import_step *)b)->address);
}

static void make_steps(struct planner *p)
{
	bool goes_on = true;

	for (size_t i = 0; goes_on && i < p->im->list_count; i++)
		goes_on = plan_list(p, &p->im->lists[i], &p->known[i]);
	for (size_t i = 0; goes_on && i < p->gone_count; i++)
		goes_on = plan_gone(p, &p->gone[i]);
	if (goes_on && p->plan->step_count > 0)
		qsort(p->plan->steps, p->plan->step_count, sizeof(*p->plan->steps), compare_steps);
}

static enum bw_err prepare(struct planner *p)
{
	*p->plan = (struct bw_import_plan){ .texts = bw_arena_new(BW_IMPORT_TEXT_BYTES_MAX) };
	p->known = calloc(p->im->list_count + 1, sizeof(*p->known));
	if (p->plan->texts == NULL || p->known == NULL)
		return bw_import_no_memory(p->why);
	for (size_t i = 0; i < p->im->list_count; i++)
		p->known[i].covered = BW_SOURCE_IMPORT;
	return BW_OK;
}

enum bw_err bw_import_plan(const struct bw_import *im, struct bw_slice origin, const struct bw_import_limits *limits,
                           const struct bw_import_rows *rows, struct bw_import_plan *out, struct bw_why *why)
{
	struct bw_import_plan plan;
	struct planner p = { .im = im, .origin = origin, .limits = limits, .plan = &plan, .why = why };
	enum bw_err err = prepare(&p);

	if (err == BW_OK && keep(&p, &p.origin))
		err = rows->each(rows->ctx, take_row, &p, why);
	if (err == BW_OK && p.err == BW_OK)
		make_steps(&p);
	err = p.err != BW_OK ? p.err : err;
	free(p.known);
	free(p.gone);
	if (err == BW_OK)
		*out = plan;
	else
		bw_import_plan_done(&plan);
	return err;
}

void bw_import_plan_done(struct bw_import_plan *plan)
{
	free(plan->steps);
	free(plan->rows);
	bw_arena_free(&plan->texts);
	*plan = (struct bw_import_plan){ .steps = NULL };
}
