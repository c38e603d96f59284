/* link: bw_import bw_mail bw_base */
/* What an import would change: sizes, surprises, whose rows are touched; and that a second run has nothing to do. */
#include "import-kit.h"

enum { ROWS_MAX = 8 };

#define OURS   BW_S("csv /ours")
#define THEIRS BW_S("csv /theirs")

struct stored {
	struct bw_list_row rows[ROWS_MAX];
	size_t n;
};

static enum bw_err each(void *ctx, bool (*take)(void *taker, const struct bw_list_row *row), void *taker, struct bw_why *why)
{
	const struct stored *s = ctx;
	bool goes_on = true;

	(void)why;
	for (size_t i = 0; goes_on && i < s->n; i++)
		goes_on = take(taker, &s->rows[i]);
	return BW_OK;
}

static struct bw_list_row import_row(const char *address, int64_t size, struct bw_slice origin)
{
	return (struct bw_list_row){ .address = bw_slice_of(address), .size = size, .source = BW_SOURCE_IMPORT, .origin = origin };
}

static struct bw_import *read(const char *csv)
{
	struct bw_import *im = kit_new(NULL, 0);

	assert_int_equal(bw_import_csv_text(im, "t", bw_slice_of(csv), NULL), BW_OK);
	assert_int_equal(bw_import_finish(im, NULL), BW_OK);
	return im;
}

/* "new all@x 0->3! writes": the steps of a plan, parted by semicolons. */
static void show(const struct bw_import_plan *plan, struct bw_buf *out)
{
	for (size_t i = 0; i < plan->step_count; i++) {
		const struct bw_import_step *step = &plan->steps[i];

		bw_buf_printf(out, "%s%s %.*s %lld->%lld%s%s%s", i > 0 ? "; " : "", bw_import_kind_name(step->kind), (int)step->address.n,
		              step->address.p, (long long)step->was, (long long)step->now, step->surprise ? "!" : "",
		              step->writes ? " writes" : "",
		              step->covered == BW_SOURCE_OPERATOR ? " under the operator"
		              : step->covered == BW_SOURCE_CONFIG ? " under the configuration"
		                                                  : "");
	}
}

struct plan_case {
	const char *what, *csv;
	struct stored stored;
	bool prune, force;
	const char *steps;
};

#define NONE   \
	{          \
		.n = 0 \
	}
#define ROW(address_, size_, source_, origin_, unconfirmed_)       \
	{                                                              \
		.rows = { { .address = { address_, sizeof(address_) - 1 }, \
			        .size = size_,                                 \
			        .source = BW_SOURCE_##source_,                 \
			        .origin = { origin_, sizeof(origin_) - 1 },    \
			        .unconfirmed = unconfirmed_ } },               \
		.n = 1                                                     \
	}

static const struct plan_case cases[] = {
	{ "a new list", "all@x,24999\n", NONE, false, false, "new all@x 0->24999 writes" },
	{ "a new list that is huge", "all@x,25000\n", NONE, false, false, "new all@x 0->25000! writes" },
	{ "the same again", "all@x,40\n", ROW("all@x", 40, IMPORT, "csv /ours", false), false, false, "" },
	{ "grown tenfold", "all@x,400\n", ROW("all@x", 40, IMPORT, "csv /ours", false), false, false, "grown all@x 40->400 writes" },
	{ "grown more than tenfold", "all@x,401\n", ROW("all@x", 40, IMPORT, "csv /ours", false), false, false,
	  "grown all@x 40->401! writes" },
	{ "a huge list that grows a little", "all@x,840000\n", ROW("all@x", 800000, IMPORT, "csv /ours", false), false, false,
	  "grown all@x 800000->840000 writes" },
	{ "shrunk", "all@x,2501\n", ROW("all@x", 25000, IMPORT, "csv /ours", false), false, false,
	  "shrunk all@x 25000->2501 writes" },
	{ "collapsed: kept", "all@x,2500\n", ROW("all@x", 25000, IMPORT, "csv /ours", false), false, false,
	  "collapsed all@x 25000->2500" },
	{ "collapsed, and forced", "all@x,2500\n", ROW("all@x", 25000, IMPORT, "csv /ours", false), false, true,
	  "shrunk all@x 25000->2500 writes" },
	{ "small lists do not collapse", "all@x,2\n", ROW("all@x", 249, IMPORT, "csv /ours", false), false, false,
	  "shrunk all@x 249->2 writes" },
	{ "nobody any more: kept", "all@x,0\n", ROW("all@x", 40, IMPORT, "csv /ours", false), false, false, "empty all@x 40->0" },
	{ "nobody any more, pruned", "all@x,0\n", ROW("all@x", 40, IMPORT, "csv /ours", false), true, false,
	  "gone all@x 40->0 writes" },
	{ "nobody yet", "all@x,0\n", NONE, false, false, "" },
	{ "not there any more", "", ROW("all@x", 40, IMPORT, "csv /ours", false), false, false, "gone all@x 40->0" },
	{ "pruned", "", ROW("all@x", 40, IMPORT, "csv /ours", false), true, false, "gone all@x 40->0 writes" },
	{ "never another's", "", ROW("all@x", 40, IMPORT, "csv /theirs", false), true, true, "" },
	{ "never the operator's", "", ROW("all@x", 40, OPERATOR, "", false), true, true, "" },
	{ "another's list is left alone", "all@x,50\n", ROW("all@x", 40, IMPORT, "csv /theirs", false), false, false,
	  "foreign all@x 40->50" },
	{ "another's list is taken over", "all@x,40\n", ROW("all@x", 40, IMPORT, "csv /theirs", false), false, true,
	  "changed all@x 40->40 writes" },
	{ "other texts", "all@x,40,boss@x\n", ROW("all@x", 40, IMPORT, "csv /ours", false), false, false,
	  "changed all@x 40->40 writes" },
	{ "under the operator's row", "all@x,50\n", ROW("all@x", 40, OPERATOR, "", false), false, false,
	  "new all@x 0->50 writes under the operator" },
	{ "a surprise for an operator, too", "all@x,840000\n", ROW("all@x", 40, OPERATOR, "", false), false, false,
	  "new all@x 0->840000! writes under the operator" },
	{ "what the configuration says already is none", "all@x,840000\n", ROW("all@x", 840000, CONFIG, "", false), false, false,
	  "new all@x 0->840000 writes under the configuration" },
	{ "an operator who names no size covers nothing", "all@x,840000\n", ROW("all@x", 0, OPERATOR, "", false), false, false,
	  "new all@x 0->840000! writes" },
	{ "what was learned is no import", "all@x,50\n", ROW("all@x", 40, LEARNED, "", false), false, false,
	  "new all@x 0->50 writes" },
};

static void run(const char *what, const struct bw_import *im, const struct stored *stored, const struct bw_import_limits *limits,
                struct bw_import_plan *plan)
{
	struct bw_import_rows rows = { each, (void *)(uintptr_t)stored };
	struct bw_why why = { "" };

	if (bw_import_plan(im, OURS, limits, &rows, plan, &why) != BW_OK)
		fail_msg("%s: %s", what, why.text);
}

/* What a plan writes is what the store holds then: another run finds nothing to do. */
static void check_again(const struct plan_case *c, const struct bw_import *im, const struct bw_import_plan *plan)
{
	struct bw_import_limits limits = { .huge = 25000, .medium = 250, .prune = c->prune, .force = c->force };
	struct stored after = c->stored;
	struct bw_import_plan again;

	for (size_t i = 0; i < plan->row_count; i++) {
		bool own = after.n > 0 && after.rows[0].source == BW_SOURCE_IMPORT;

		after.rows[own ? 0 : after.n] = plan->rows[i];
		after.n += !own;
	}
	run(c->what, im, &after, &limits, &again);
	if (again.row_count > 0)
		fail_msg("%s: a second run writes %zu rows", c->what, again.row_count);
	bw_import_plan_done(&again);
}

static void check(const struct plan_case *c)
{
	struct bw_import_limits limits = { .huge = 25000, .medium = 250, .prune = c->prune, .force = c->force };
	struct bw_import *im = read(c->csv);
	struct bw_import_plan plan;
	struct bw_buf shown;

	bw_buf_init(&shown, 4096);
	run(c->what, im, &c->stored, &limits, &plan);
	show(&plan, &shown);
	if (strcmp(bw_buf_text(&shown), c->steps) != 0)
		fail_msg("%s: got \"%s\", wanted \"%s\"", c->what, bw_buf_text(&shown), c->steps);
	check_again(c, im, &plan);
	bw_buf_done(&shown);
	bw_import_plan_done(&plan);
	bw_import_free(&im);
}

static void steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(&cases[i]);
}

/* Unconfirmed stays until somebody confirms it, however often the import runs and whatever it finds. */
static void confirmation(void **state)
{
	struct bw_import_limits limits = { .huge = 25000, .medium = 250 };
	struct stored stored = { .rows = { import_row("all@x", 40000, OURS) }, .n = 1 };
	struct bw_import *im = read("all@x,41000\n");
	struct bw_import_plan plan;

	(void)state;
	stored.rows[0].unconfirmed = true;
	run("", im, &stored, &limits, &plan);
	assert_int_equal(plan.row_count, 1);
	assert_int_equal(plan.surprises, 0);
	assert_true(plan.rows[0].unconfirmed);
	bw_import_plan_done(&plan);
	stored.rows[0].unconfirmed = false;
	run("", im, &stored, &limits, &plan);
	assert_false(plan.rows[0].unconfirmed);
	bw_import_plan_done(&plan);
	bw_import_free(&im);
}

/* What is written is named as ours, is an import's, and has all that the source says. */
static void rows_written(void **state)
{
	struct bw_import_limits limits = { .huge = 25000, .medium = 250, .prune = true };
	struct stored stored = { .rows = { import_row("gone@x", 7, OURS), import_row("theirs@x", 7, THEIRS) }, .n = 2 };
	struct bw_import *im = read("all@x,41000,boss@x,all.x,ann\n");
	struct bw_import_plan plan;

	(void)state;
	run("", im, &stored, &limits, &plan);
	assert_int_equal(plan.row_count, 2);
	assert_int_equal(plan.known, 1);
	assert_int_equal(plan.counts[BW_IMPORT_NEW], 1);
	assert_int_equal(plan.counts[BW_IMPORT_GONE], 1);
	const struct bw_list_row *all = &plan.rows[0], *gone = &plan.rows[1];

	assert_true(bw_slice_equal(all->address, BW_S("all@x")) && all->size == 41000 && all->source == BW_SOURCE_IMPORT);
	assert_true(bw_slice_equal(all->origin, OURS) && bw_slice_equal(all->owner, BW_S("boss@x")));
	assert_true(bw_slice_equal(all->list_id, BW_S("all.x")) && bw_slice_equal(all->posters, BW_S("auth:ann")));
	assert_true(all->unconfirmed && !all->removed);
	assert_true(bw_slice_equal(gone->address, BW_S("gone@x")) && gone->removed && gone->source == BW_SOURCE_IMPORT);
	bw_import_plan_done(&plan);
	bw_import_free(&im);
}

static bool normalise_alias(const char *text, struct bw_import **out)
{
	static const char *const domains[] = { "x" };

	*out = kit_new(domains, 1);
	return bw_import_alias_text(*out, "t", bw_slice_of(text), NULL) == BW_OK && bw_import_finish(*out, NULL) == BW_OK;
}

/* An alias for one is no list; of what was one it is said. */
static void aliases_for_one(void **state)
{
	struct bw_import_limits limits = { .huge = 25000, .medium = 250 };
	struct stored stored = { .rows = { import_row("all@x", 12, OURS) }, .n = 1 }, nothing = { .n = 0 };
	struct bw_import_plan plan;
	struct bw_import *im;

	(void)state;
	assert_true(normalise_alias("all: ann\nroot: ann\n", &im));
	run("", im, &nothing, &limits, &plan);
	assert_int_equal(plan.step_count, 0);
	bw_import_plan_done(&plan);
	run("", im, &stored, &limits, &plan);
	assert_int_equal(plan.step_count, 1);
	assert_int_equal(plan.steps[0].kind, BW_IMPORT_SHRUNK);
	assert_int_equal(plan.rows[0].size, 1);
	bw_import_plan_done(&plan);
	bw_import_free(&im);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(steps), cmocka_unit_test(confirmation),
		                                       cmocka_unit_test(rows_written), cmocka_unit_test(aliases_for_one) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
