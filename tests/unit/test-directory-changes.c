/* link: bw_directory bw_settings bw_base -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc */
/* A snapshot that was made of changes is the same as one that was made at once of what is there in the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bw/directory.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static long countdown = -1; /* the allocation that fails; negative: none */

static bool fails(void)
{
	return countdown >= 0 && countdown-- == 0;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

/* --- what all sources say, told once more in the plainest way --- */

enum { ADDRESSES_MAX = 4000, IDS = 7, OWNERS = 3 };

struct word {
	bool said, unconfirmed;
	int64_t size;
	int id, owner, posters; /* -1: none */
};

struct model {
	size_t addresses;
	struct word words[ADDRESSES_MAX][BW_SOURCE_COUNT];
};

static struct model model;
static uint64_t seed;

static uint32_t pick(uint32_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33) % n;
}

static const char *address_of(size_t i, char text[64])
{
	snprintf(text, 64, "list-%zu@x.example", i * 7919 % ADDRESSES_MAX);
	return text;
}

static enum bw_err say(struct bw_directory_builder *b, size_t i, enum bw_source source)
{
	static const struct bw_slice posters[] = { BW_S("inside:b@x.example"), BW_S("auth:a@x.example"), BW_S("cert:c") };
	const struct word *w = &model.words[i][source];
	char address[64], id[32], owner[32];
	struct bw_list_entry e = { .address = bw_slice_of(address_of(i, address)), .source = source };

	if (!w->said)
		return bw_directory_remove(b, e.address, source, NULL);
	e.size = w->size;
	e.unconfirmed = w->unconfirmed;
	if (w->id >= 0) {
		snprintf(id, sizeof(id), "id-%d.x.example", w->id);
		e.list_id = bw_slice_of(id);
	}
	if (w->owner >= 0) {
		snprintf(owner, sizeof(owner), "owner-%d@x.example", w->owner);
		e.owner = bw_slice_of(owner);
	}
	e.posters = posters;
	e.poster_count = (size_t)w->posters;
	return bw_directory_add(b, &e, NULL);
}

static void change_word(size_t i, enum bw_source source)
{
	struct word *w = &model.words[i][source];

	w->said = pick(3) > 0;
	w->unconfirmed = pick(4) == 0;
	w->size = source == BW_SOURCE_OPERATOR && pick(2) == 0 ? 0 : 1 + pick(50000);
	w->id = (int)pick(IDS + 2) < 2 ? -1 : (int)pick(IDS);
	w->owner = (int)pick(OWNERS + 1) - 1;
	w->posters = (int)pick(4);
}

static struct bw_directory *build(struct bw_directory_builder **b)
{
	struct bw_directory *d = NULL;

	assert_int_equal(bw_directory_build(*b, &d, NULL), BW_OK);
	bw_directory_builder_free(b);
	return d;
}

static struct bw_directory *build_at_once(void)
{
	struct bw_directory_builder *b = bw_directory_builder_new(&bw_tier_bounds_default);

	assert_non_null(b);
	for (size_t i = 0; i < model.addresses; i++) {
		for (enum bw_source source = 0; source < BW_SOURCE_COUNT; source++) {
			if (model.words[i][source].said)
				assert_int_equal(say(b, i, source), BW_OK);
		}
	}
	return build(&b);
}

/* --- equal? --- */

static void assert_slices(struct bw_slice got, struct bw_slice wanted)
{
	if (!bw_slice_equal(got, wanted))
		fail_msg("%.*s instead of %.*s", (int)got.n, got.p, (int)wanted.n, wanted.p);
}

static void assert_lists(const struct bw_list *got, const struct bw_list *wanted)
{
	if (wanted == NULL) {
		assert_null(got);
		return;
	}
	assert_non_null(got);
	assert_slices(got->address, wanted->address);
	assert_int_equal(got->size, wanted->size);
	assert_int_equal(got->tier, wanted->tier);
	assert_int_equal(got->source, wanted->source);
	assert_int_equal(got->unconfirmed, wanted->unconfirmed);
	assert_slices(got->owner, wanted->owner);
	assert_slices(got->list_id, wanted->list_id);
	assert_int_equal(got->poster_count, wanted->poster_count);
	for (size_t i = 0; i < wanted->poster_count; i++)
		assert_slices(got->posters[i], wanted->posters[i]);
}

static void assert_directories(const struct bw_directory *got, const struct bw_directory *wanted)
{
	char text[64];

	assert_int_equal(bw_directory_count(got), bw_directory_count(wanted));
	for (size_t i = 0; i <= bw_directory_count(wanted); i++)
		assert_lists(bw_directory_at(got, i), bw_directory_at(wanted, i));
	for (size_t i = 0; i < model.addresses; i++) {
		struct bw_slice address = bw_slice_of(address_of(i, text));

		assert_lists(bw_directory_find(got, address), bw_directory_find(wanted, address));
	}
	for (int i = 0; i <= IDS; i++) {
		snprintf(text, sizeof(text), "id-%d.x.example", i);
		assert_lists(bw_directory_find_list_id(got, bw_slice_of(text)), bw_directory_find_list_id(wanted, bw_slice_of(text)));
	}
}

/* --- random changes --- */

/* What changes, in a random order; some of it twice. */
static void change(struct bw_directory_builder *b, size_t changes)
{
	for (size_t n = 0; n < changes; n++) {
		size_t i = pick((uint32_t)model.addresses);
		enum bw_source source = (enum bw_source)pick(BW_SOURCE_COUNT);

		change_word(i, source);
		assert_int_equal(say(b, i, source), BW_OK);
	}
}

static void test_differential(void **state)
{
	static const struct {
		size_t addresses, rounds, changes;
	} cases[] = {
		{ 1, 100, 1 },                /* all sources of one address, again and again */
		{ 5, 300, 2 },                /* few lists: most are replaced, gone, back */
		{ 60, 150, 7 },
		{ ADDRESSES_MAX, 12, 450 },   /* changes become so many that they are folded in, several times */
		{ ADDRESSES_MAX, 3, 6000 },   /* more at once than are ever kept beside */
	};

	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		memset(&model, 0, sizeof(model));
		model.addresses = cases[c].addresses;
		seed = c + 1;
		for (size_t i = 0; i < model.addresses; i++)
			change_word(i, (enum bw_source)pick(BW_SOURCE_COUNT));
		struct bw_directory *d = build_at_once();

		for (size_t round = 0; round < cases[c].rounds; round++) {
			struct bw_directory_builder *b = bw_directory_builder_from(d);

			change(b, cases[c].changes);
			struct bw_directory *next = build(&b), *wanted = build_at_once();

			assert_directories(next, wanted);
			/* Now and then one that was made at once is what later changes begin with. */
			bw_directory_unref(&d);
			d = bw_directory_ref(round % 10 == 9 ? wanted : next);
			bw_directory_unref(&wanted);
			bw_directory_unref(&next);
		}
		bw_directory_unref(&d);
	}
}

/* The one that is in use stays as it is, whatever is made of it. */
static void test_the_old_one_stays(void **state)
{
	(void)state;
	memset(&model, 0, sizeof(model));
	model.addresses = 50;
	seed = 99;
	for (size_t i = 0; i < model.addresses; i++)
		change_word(i, BW_SOURCE_IMPORT);
	struct model before = model;
	struct bw_directory *old = build_at_once();
	struct bw_directory_builder *b = bw_directory_builder_from(old);
	struct bw_directory *other = bw_directory_ref(old);

	change(b, 40);
	struct bw_directory *next = build(&b);

	model = before;
	struct bw_directory *wanted = build_at_once();

	assert_directories(old, wanted);
	bw_directory_unref(&old);
	bw_directory_unref(&next);
	assert_directories(other, wanted);
	bw_directory_unref(&other);
	bw_directory_unref(&wanted);
}

/* --- single steps --- */

static const struct step {
	const char *what; /* "import 5", "operator 0", "import -" */
	int64_t size;     /* afterwards; 0: no list */
	enum bw_source source;
} steps[] = {
	{ "learned 7", 7, BW_SOURCE_LEARNED },
	{ "import 900", 900, BW_SOURCE_IMPORT },
	{ "operator 0", 900, BW_SOURCE_IMPORT }, /* posters of the operator's, the import's size */
	{ "import 1000", 1000, BW_SOURCE_IMPORT },
	{ "operator 30000", 30000, BW_SOURCE_OPERATOR },
	{ "import -", 30000, BW_SOURCE_OPERATOR },
	{ "operator 0", 7, BW_SOURCE_LEARNED },
	{ "learned -", 0, BW_SOURCE_LEARNED }, /* nobody gives a size */
	{ "config 12", 12, BW_SOURCE_CONFIG },
	{ "operator -", 12, BW_SOURCE_CONFIG },
	{ "config -", 0, BW_SOURCE_CONFIG },
	{ "config -", 0, BW_SOURCE_CONFIG },
	{ "import 3", 3, BW_SOURCE_IMPORT },
};

static void take_step(struct bw_directory **d, const struct step *step)
{
	struct bw_directory_builder *b = bw_directory_builder_from(*d);
	struct bw_slice rest = bw_slice_of(step->what), word, number;
	struct bw_list_entry e = { .address = BW_S("a@x.example") };

	assert_true(bw_slice_word(&rest, &word) && bw_slice_word(&rest, &number));
	while (!bw_slice_equal(bw_slice_of(bw_source_name(e.source)), word))
		e.source++;
	e.size = atoll(number.p);
	if (number.p[0] == '-')
		assert_int_equal(bw_directory_remove(b, e.address, e.source, NULL), BW_OK);
	else
		assert_int_equal(bw_directory_add(b, &e, NULL), BW_OK);
	bw_directory_unref(d);
	*d = build(&b);
}

static void test_steps(void **state)
{
	(void)state;
	struct bw_directory_builder *b = bw_directory_builder_new(&bw_tier_bounds_default);
	struct bw_directory *d = build(&b);

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		take_step(&d, &steps[i]);
		const struct bw_list *list = bw_directory_find(d, BW_S("a@x.example"));

		if ((list == NULL ? 0 : list->size) != steps[i].size)
			fail_msg("%zu: %s: size %lld", i, steps[i].what, (long long)(list == NULL ? 0 : list->size));
		assert_true(list == NULL || list->source == steps[i].source);
		assert_int_equal(bw_directory_count(d), list != NULL);
	}
	bw_directory_unref(&d);
}

/* A removal of what nobody could have said changes nothing. */
static void test_odd_removals(void **state)
{
	(void)state;
	struct bw_directory_builder *b = bw_directory_builder_new(&bw_tier_bounds_default);
	struct bw_list_entry e = { .address = BW_S("a@x.example"), .size = 5 };

	assert_int_equal(bw_directory_remove(b, BW_S("a@x.example"), BW_SOURCE_IMPORT, NULL), BW_OK);
	assert_int_equal(bw_directory_remove(b, BW_S("no address"), BW_SOURCE_IMPORT, NULL), BW_OK);
	assert_int_equal(bw_directory_remove(b, BW_S(""), BW_SOURCE_IMPORT, NULL), BW_OK);
	assert_int_equal(bw_directory_add(b, &e, NULL), BW_OK);
	assert_int_equal(bw_directory_remove(b, BW_S("a@x.example"), BW_SOURCE_COUNT, NULL), BW_OK);
	assert_int_equal(bw_directory_remove(b, BW_S("b@x.example"), BW_SOURCE_IMPORT, NULL), BW_OK);
	struct bw_directory *d = build(&b);

	assert_int_equal(bw_directory_count(d), 1);
	bw_directory_unref(&d);
}

/* --- without memory --- */

/* Every word of the model, and a build that is repeated until it succeeds. */
static struct bw_directory *change_all(struct bw_directory *d)
{
	struct bw_directory_builder *b = NULL;
	struct bw_directory *next = NULL;

	while (b == NULL)
		b = bw_directory_builder_from(d);
	for (size_t i = 0; i < model.addresses; i++) {
		for (enum bw_source source = 0; source < BW_SOURCE_COUNT; source++)
			while (say(b, i, source) != BW_OK)
				;
	}
	while (bw_directory_build(b, &next, NULL) != BW_OK)
		;
	bw_directory_builder_free(&b);
	return next;
}

static void test_without_memory(void **state)
{
	static const struct {
		size_t addresses;
		long stride;
	} cases[] = { { 6, 1 }, { 1100, 5 } };

	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		memset(&model, 0, sizeof(model));
		model.addresses = cases[c].addresses;
		seed = 5;
		for (size_t i = 0; i < model.addresses; i++)
			change_word(i, BW_SOURCE_IMPORT);
		struct bw_directory *old = build_at_once();

		for (size_t i = 0; i < model.addresses; i++)
			change_word(i, (enum bw_source)pick(BW_SOURCE_COUNT));
		struct bw_directory *wanted = build_at_once();
		bool reached = true;
		long n = 0;

		for (; reached; n += cases[c].stride) {
			countdown = n;
			struct bw_directory *next = change_all(old);

			reached = countdown < 0;
			countdown = -1;
			assert_directories(next, wanted);
			bw_directory_unref(&next);
		}
		assert_true(n > 15);
		bw_directory_unref(&wanted);
		bw_directory_unref(&old);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_differential), cmocka_unit_test(test_the_old_one_stays), cmocka_unit_test(test_steps),
		cmocka_unit_test(test_odd_removals), cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
