/* link: bw_directory bw_settings bw_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bw/directory.h"

static struct bw_slice s(const char *text)
{
	return bw_slice_of(text);
}

static struct bw_list_entry entry(const char *address, int64_t size, enum bw_source source)
{
	return (struct bw_list_entry){ .address = s(address), .size = size, .source = source };
}

static struct bw_directory_builder *new_builder(void)
{
	struct bw_directory_builder *b = bw_directory_builder_new(&bw_tier_bounds_default);

	assert_non_null(b);
	return b;
}

static struct bw_directory *build(struct bw_directory_builder **b)
{
	struct bw_directory *d = NULL;

	assert_int_equal(bw_directory_build(*b, &d, NULL), BW_OK);
	bw_directory_builder_free(b);
	return d;
}

static void assert_slice(struct bw_slice got, const char *wanted)
{
	char text[600];

	bw_slice_copy(got, text, sizeof(text));
	assert_string_equal(text, wanted);
}

static void test_everything_comes_back(void **state)
{
	(void)state;
	const struct bw_slice posters[] = { s("inside:boss@nhs.example"), s("auth:comms@nhs.example"), s("cert:relay"),
		                                s("auth:comms@nhs.example") };
	struct bw_directory_builder *b = new_builder();
	struct bw_list_entry e = entry("all@nhs.example", 840000, BW_SOURCE_IMPORT);

	e.unconfirmed = true;
	e.owner = s("owner@nhs.example");
	e.list_id = s("all.nhs.example");
	e.posters = posters;
	e.poster_count = 4;
	assert_int_equal(bw_directory_add(b, &e, NULL), BW_OK);
	struct bw_directory *d = build(&b);
	const struct bw_list *list = bw_directory_find(d, s("all@nhs.example"));

	assert_non_null(list);
	assert_slice(list->address, "all@nhs.example");
	assert_int_equal(list->size, 840000);
	assert_int_equal(list->tier, BW_TIER_HUGE);
	assert_int_equal(list->source, BW_SOURCE_IMPORT);
	assert_true(list->unconfirmed);
	assert_slice(list->owner, "owner@nhs.example");
	assert_slice(list->list_id, "all.nhs.example");
	assert_int_equal(list->poster_count, 3);
	assert_slice(list->posters[0], "auth:comms@nhs.example");
	assert_slice(list->posters[2], "inside:boss@nhs.example");
	assert_ptr_equal(bw_directory_find(d, s("all@nhs.example")), list);
	assert_ptr_equal(bw_directory_find_list_id(d, s("all.nhs.example")), list);
	bw_directory_unref(&d);
	assert_null(d);
}

static void test_posters(void **state)
{
	(void)state;
	static const struct {
		const char *identity;
		bool poster;
	} cases[] = {
		{ "auth:comms@nhs.example", true },
		{ "cert:relay", true },
		{ "inside:boss@nhs.example", true },
		{ "auth:boss@nhs.example", false },
		{ "outside:comms@nhs.example [192.0.2.0/24]", false },
		{ "auth:comms@nhs.exampl", false },
		{ "auth:comms@nhs.example2", false },
		{ "", false },
		{ "comms@nhs.example", false },
	};
	const struct bw_slice posters[] = { s("inside:boss@nhs.example"), s("auth:comms@nhs.example"), s("cert:relay") };
	struct bw_directory_builder *b = new_builder();
	struct bw_list_entry e = entry("all@nhs.example", 840000, BW_SOURCE_CONFIG);

	assert_int_equal(bw_directory_add(b, &(struct bw_list_entry){ .address = s("none@nhs.example"), .size = 3 }, NULL), BW_OK);
	e.posters = posters;
	e.poster_count = 3;
	assert_int_equal(bw_directory_add(b, &e, NULL), BW_OK);
	struct bw_directory *d = build(&b);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (bw_list_has_poster(bw_directory_find(d, s("all@nhs.example")), s(cases[i].identity)) != cases[i].poster)
			fail_msg("%s", cases[i].identity);
		assert_false(bw_list_has_poster(bw_directory_find(d, s("none@nhs.example")), s(cases[i].identity)));
	}
	bw_directory_unref(&d);
}

/* An operator who names posters and no size: the size is the import's, today's and tomorrow's. */
static void test_sizeless(void **state)
{
	static const int orders[][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 0, 2 }, { 1, 2, 0 }, { 0, 2, 1 }, { 2, 0, 1 } };
	const struct bw_slice posters[] = { s("auth:comms@x") }, others[] = { s("auth:other@x") };
	struct bw_list_entry entries[] = { entry("all@x", 0, BW_SOURCE_OPERATOR), entry("all@x", 900, BW_SOURCE_IMPORT),
		                               entry("all@x", 5, BW_SOURCE_LEARNED) };

	(void)state;
	entries[0].posters = posters;
	entries[0].list_id = s("all.x");
	entries[1].posters = others;
	entries[0].poster_count = entries[1].poster_count = 1;
	entries[1].unconfirmed = true;
	entries[1].owner = s("owner@x");
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct bw_directory_builder *b = new_builder();

		for (size_t k = 0; k < 3; k++)
			assert_int_equal(bw_directory_add(b, &entries[orders[i][k]], NULL), BW_OK);
		struct bw_directory *d = build(&b);
		const struct bw_list *list = bw_directory_find(d, s("all@x"));

		assert_non_null(list);
		assert_int_equal(list->size, 900);
		assert_int_equal(list->tier, BW_TIER_MEDIUM);
		assert_int_equal(list->source, BW_SOURCE_IMPORT);
		assert_true(list->unconfirmed);
		assert_int_equal(list->owner.n, 0);
		assert_slice(list->list_id, "all.x");
		assert_int_equal(list->poster_count, 1);
		assert_slice(list->posters[0], "auth:comms@x");
		bw_directory_unref(&d);
	}
	/* Without anybody's size it is no list; nobody but the operator may leave it out. */
	struct bw_directory_builder *b = new_builder();

	assert_int_equal(bw_directory_add(b, &entries[0], NULL), BW_OK);
	entries[1].size = 0;
	assert_int_equal(bw_directory_add(b, &entries[1], NULL), BW_ERR_RANGE);
	struct bw_directory *d = build(&b);

	assert_int_equal(bw_directory_count(d), 0);
	assert_null(bw_directory_find(d, s("all@x")));
	bw_directory_unref(&d);
}

/* The stronger source stays, whatever the order; equals replace. */
static void test_sources(void **state)
{
	(void)state;
	static const enum bw_source ascending[] = { BW_SOURCE_LEARNED, BW_SOURCE_IMPORT, BW_SOURCE_CONFIG, BW_SOURCE_OPERATOR };

	for (int first = 0; first < 4; first++) {
		for (int second = 0; second < 4; second++) {
			struct bw_directory_builder *b = new_builder();
			struct bw_list_entry one = entry("all@nhs.example", 100, ascending[first]);
			struct bw_list_entry two = entry("all@nhs.example", 200, ascending[second]);

			assert_int_equal(bw_directory_add(b, &one, NULL), BW_OK);
			assert_int_equal(bw_directory_add(b, &two, NULL), BW_OK);
			struct bw_directory *d = build(&b);

			assert_int_equal(bw_directory_count(d), 1);
			assert_int_equal(bw_directory_at(d, 0)->size, second >= first ? 200 : 100);
			bw_directory_unref(&d);
		}
	}
}

static void test_replacing_replaces_all(void **state)
{
	(void)state;
	const struct bw_slice poster = s("auth:comms@nhs.example");
	struct bw_directory_builder *b = new_builder();
	struct bw_list_entry e = entry("all@nhs.example", 30000, BW_SOURCE_CONFIG);

	e.owner = s("owner@nhs.example");
	e.list_id = s("all.nhs.example");
	e.posters = &poster;
	e.poster_count = 1;
	e.unconfirmed = true;
	assert_int_equal(bw_directory_add(b, &e, NULL), BW_OK);
	e = entry("all@nhs.example", 10, BW_SOURCE_OPERATOR);
	assert_int_equal(bw_directory_add(b, &e, NULL), BW_OK);
	struct bw_directory *d = build(&b);
	const struct bw_list *list = bw_directory_at(d, 0);

	assert_int_equal(list->tier, BW_TIER_SMALL);
	assert_int_equal(list->owner.n, 0);
	assert_int_equal(list->list_id.n, 0);
	assert_int_equal(list->poster_count, 0);
	assert_false(list->unconfirmed);
	assert_null(bw_directory_find_list_id(d, s("all.nhs.example")));
	bw_directory_unref(&d);
}

static void test_order_and_absence(void **state)
{
	(void)state;
	static const char *const sorted[] = { "a@x.example", "aa@x.example", "b@a.example", "b@x.example", "c@x.example" };
	static const int order[] = { 3, 0, 4, 2, 1 };
	struct bw_directory_builder *b = new_builder();

	for (size_t i = 0; i < 5; i++) {
		struct bw_list_entry e = entry(sorted[order[i]], 1 + order[i], BW_SOURCE_CONFIG);

		assert_int_equal(bw_directory_add(b, &e, NULL), BW_OK);
	}
	struct bw_directory *d = build(&b);

	assert_int_equal(bw_directory_count(d), 5);
	for (size_t i = 0; i < 5; i++) {
		assert_slice(bw_directory_at(d, i)->address, sorted[i]);
		assert_int_equal(bw_directory_find(d, s(sorted[i]))->size, 1 + (int)i);
	}
	assert_null(bw_directory_at(d, 5));
	assert_null(bw_directory_find(d, s("d@x.example")));
	assert_null(bw_directory_find(d, s("A@x.example")));
	assert_null(bw_directory_find(d, s("")));
	assert_null(bw_directory_find(d, (struct bw_slice){ NULL, 0 }));
	assert_null(bw_directory_find_list_id(d, s("")));
	bw_directory_unref(&d);
}

static void test_shared_list_id(void **state)
{
	(void)state;
	struct bw_directory_builder *b = new_builder();
	struct bw_list_entry z = entry("z@x.example", 1, BW_SOURCE_CONFIG), a = entry("a@x.example", 2, BW_SOURCE_CONFIG);

	z.list_id = a.list_id = s("same.x.example");
	assert_int_equal(bw_directory_add(b, &z, NULL), BW_OK);
	assert_int_equal(bw_directory_add(b, &a, NULL), BW_OK);
	struct bw_directory *d = build(&b);

	assert_slice(bw_directory_find_list_id(d, s("same.x.example"))->address, "a@x.example");
	bw_directory_unref(&d);
}

static void test_empty_and_reuse(void **state)
{
	(void)state;
	struct bw_directory_builder *b = new_builder();
	struct bw_list_entry e = entry("all@x.example", 5, BW_SOURCE_CONFIG);
	struct bw_directory *none = NULL, *one = NULL, *again = NULL;

	assert_int_equal(bw_directory_build(b, &none, NULL), BW_OK);
	assert_int_equal(bw_directory_count(none), 0);
	assert_null(bw_directory_find(none, s("all@x.example")));
	assert_int_equal(bw_directory_add(b, &e, NULL), BW_OK);
	assert_int_equal(bw_directory_build(b, &one, NULL), BW_OK);
	assert_int_equal(bw_directory_build(b, &again, NULL), BW_OK);
	assert_int_equal(bw_directory_count(one), 1);
	assert_int_equal(bw_directory_count(again), 0);
	struct bw_directory *second = bw_directory_ref(one);

	bw_directory_unref(&one);
	assert_non_null(bw_directory_find(second, s("all@x.example")));
	bw_directory_unref(&second);
	bw_directory_unref(&none);
	bw_directory_unref(&again);
	bw_directory_builder_free(&b);
	bw_directory_builder_free(&b);
}

static char long_text[700];

static const struct refusal {
	const char *address, *owner, *list_id, *poster;
	int64_t size;
	enum bw_err err;
	const char *sentence;
} refusals[] = {
	{ "all@x.example", "", "", NULL, 0, BW_ERR_RANGE, "list all@x.example: size 0 is out of range, allowed: 1 to 1000000000" },
	{ "all@x.example", "", "", NULL, -1, BW_ERR_RANGE, "list all@x.example: size -1 is out of range, allowed: 1 to 1000000000" },
	{ "all@x.example", "", "", NULL, 1000000001, BW_ERR_RANGE,
	  "list all@x.example: size 1000000001 is out of range, allowed: 1 to 1000000000" },
	{ "", "", "", NULL, 1, BW_ERR_INPUT, "list \"\": this is no address, wanted local-part@domain" },
	{ "all", "", "", NULL, 1, BW_ERR_INPUT, "list \"all\": this is no address, wanted local-part@domain" },
	{ "@x.example", "", "", NULL, 1, BW_ERR_INPUT, "list \"@x.example\": this is no address, wanted local-part@domain" },
	{ "all@", "", "", NULL, 1, BW_ERR_INPUT, "list \"all@\": this is no address, wanted local-part@domain" },
	{ "a\033[2Jll@x", "", "", NULL, 1, BW_ERR_INPUT, "list \"a?[2Jll@x\": this is no address, wanted local-part@domain" },
	{ long_text, "", "", NULL, 1, BW_ERR_INPUT, NULL },
	{ "all@x.example", "nobody", "", NULL, 1, BW_ERR_INPUT,
	  "list all@x.example: owner \"nobody\" is no address, wanted local-part@domain" },
	{ "all@x.example", "", "a\nb", NULL, 1, BW_ERR_INPUT,
	  "list all@x.example: List-Id \"a?b\" must be at most 255 printable bytes" },
	{ "all@x.example", "", "", "comms@x.example", 1, BW_ERR_INPUT,
	  "list all@x.example: poster \"comms@x.example\" must begin with auth:, cert: or inside:" },
	{ "all@x.example", "", "", "outside:comms@x.example", 1, BW_ERR_INPUT,
	  "list all@x.example: poster \"outside:comms@x.example\" must begin with auth:, cert: or inside:" },
	{ "all@x.example", "", "", "auth:", 1, BW_ERR_INPUT,
	  "list all@x.example: poster \"auth:\" must begin with auth:, cert: or inside:" },
};

static void test_refused_entries_change_nothing(void **state)
{
	(void)state;
	struct bw_directory_builder *b = new_builder();
	struct bw_list_entry good = entry("all@x.example", 7, BW_SOURCE_CONFIG);

	memset(long_text, 'a', sizeof(long_text) - 1);
	memcpy(long_text + 300, "@", 1);
	assert_int_equal(bw_directory_add(b, &good, NULL), BW_OK);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *r = &refusals[i];
		struct bw_slice poster = r->poster == NULL ? s("") : s(r->poster);
		struct bw_list_entry e = { s(r->address), r->size, BW_SOURCE_CONFIG, false, s(r->owner),
			                       s(r->list_id), &poster, r->poster != NULL };
		struct bw_why why = { "" };

		assert_int_equal(bw_directory_add(b, &e, &why), r->err);
		if (r->sentence != NULL)
			assert_string_equal(why.text, r->sentence);
	}
	struct bw_directory *d = build(&b);

	assert_int_equal(bw_directory_count(d), 1);
	assert_int_equal(bw_directory_at(d, 0)->size, 7);
	bw_directory_unref(&d);
}

static void test_too_many_posters(void **state)
{
	(void)state;
	static struct bw_slice posters[BW_LIST_POSTERS_MAX + 1];
	static char names[BW_LIST_POSTERS_MAX + 1][32];
	struct bw_directory_builder *b = new_builder();
	struct bw_list_entry e = entry("all@x.example", 7, BW_SOURCE_CONFIG);

	for (size_t i = 0; i <= BW_LIST_POSTERS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "auth:u%zu@x.example", i);
		posters[i] = s(names[i]);
	}
	e.posters = posters;
	e.poster_count = BW_LIST_POSTERS_MAX + 1;
	assert_int_equal(bw_directory_add(b, &e, NULL), BW_ERR_LIMIT);
	e.poster_count = BW_LIST_POSTERS_MAX;
	assert_int_equal(bw_directory_add(b, &e, NULL), BW_OK);
	struct bw_directory *d = build(&b);
	const struct bw_list *list = bw_directory_at(d, 0);

	for (size_t i = 0; i < BW_LIST_POSTERS_MAX; i++)
		assert_true(bw_list_has_poster(list, posters[i]));
	assert_false(bw_list_has_poster(list, posters[BW_LIST_POSTERS_MAX]));
	bw_directory_unref(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_comes_back),
		cmocka_unit_test(test_posters),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_sizeless),
		cmocka_unit_test(test_replacing_replaces_all),
		cmocka_unit_test(test_order_and_absence),
		cmocka_unit_test(test_shared_list_id),
		cmocka_unit_test(test_empty_and_reuse),
		cmocka_unit_test(test_refused_entries_change_nothing),
		cmocka_unit_test(test_too_many_posters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
