/* link: bw_import bw_mail bw_base */
/* Alias files: what they say, who is reached, and what is refused with its place. */
#include "import-kit.h"

#include <unistd.h>

static const char *const nhs[] = { "x", "y" };

/* --- one text --- */

struct alias_case {
	const char *what, *text;
	const char *lists; /* NULL: refused */
	const char *why;   /* the sentence, or what is noted first */
};

static const struct alias_case cases[] = {
	{ "members are counted", "all: ann, bob,carl\n", "all@x=3", NULL },
	{ "one member is no list", "root: ann\nall: ann,bob\n", "all@x=2", NULL },
	{ "the same member twice", "all: ann, Ann, ANN@x, bob+detail, bob\n", "all@x=2", NULL },
	{ "continued lines", "all: ann,\n  bob\n\t, carl\n", "all@x=3", NULL },
	{ "comments and blanks within an entry", "all: ann,\n# not dan\n\n   # nor eve\n  bob\n", "all@x=2", NULL },
	{ "no line break at the end", "all: ann, bob", "all@x=2", NULL },
	{ "carriage returns", "all: ann, bob\r\nall2: ann,\r\n bob, carl\r\n", "all2@x=3 all@x=2", NULL },
	{ "quoted names", "\"all\": \"ann\", bob\n", "all@x=2", NULL },
	{ "comments in parentheses", "all: ann (the, boss), bob\n", "all@x=2", NULL },
	{ "names and addresses", "all: Ann Smith <ann@x>, \"Smith, Bob\" <bob@x>, ann\n", "all@x=2", NULL },
	{ "a virtual file", "all@nhs.example ann@a.example, bob@b.example\nx.example anything\n", "all@nhs.example=2", NULL },
	{ "a whole domain is no list", "@nhs.example ann@x, bob@x\n", "",
	  "t:1: @nhs.example stands for a whole domain: passed over" },
	{ "blanks before the colon", "all : ann, bob\n", "all@x=2", NULL },
	{ "commands and files", "all: |/bin/vacation, \"|/bin/sort -u, -r\", /var/mail/all, ann\n", "all@x=4", NULL },
	{ "nobody", "all: ann, :blackhole:, bob\n", "all@x=2", NULL },
	{ "a text for people", "gone: :fail: gone, as of today, to Leeds\nall: ann, bob\n", "all@x=2", NULL },
	{ "nested", "all: a, b\na: ann, bob\nb: bob, carl\n", "a@x=2 all@x=3 b@x=2", NULL },
	{ "nested, named with their domain", "all: A@X, b@x\na: ann, bob\nb: bob, carl\n", "a@x=2 all@x=3 b@x=2", NULL },
	{ "another name of a list", "everyone: all\nall: ann, bob\n", "all@x=2 everyone@x=2", NULL },
	{ "another name that stands behind", "all: ann, bob\nmore: everyone\neveryone: all\n", "all@x=2 everyone@x=2 more@x=2",
	  NULL },
	{ "a name among its own members", "ann: ann, bob\nall: ann, carl\n", "all@x=3 ann@x=2", NULL },
	{ "a mailbox that an alias hides", "ann: \\ann, bob\n", "ann@x=2", NULL },
	{ "a name twice: the first counts", "all: ann, bob\nall: carl, dan, eve\n", "all@x=2",
	  "t:2: all@x stands there a second time: the first one counts, at t:1" },
	{ "what is no address counts as one", "all: ann, carl@, bob, <>\n", "all@x=3",
	  "t:1: \"carl@\" is no address: counted as one" },
	{ "a cycle", "a: b, ann\nb: c\nc: bob, a\n", NULL, "t:1: a cycle: a@x -> b@x -> c@x -> a@x" },
	{ "a cycle behind a list", "all: a\na: b\nb: a\n", NULL, "t:2: a cycle: a@x -> b@x -> a@x" },
	{ "a name without members", "all:\nsome: ann, bob\n", "some@x=2", NULL },
	{ "a line of one word", "# list\n\nall\n", NULL,
	  "t:3: \"all\" is followed by nothing, expected \"name: members\" or \"address members\"" },
	{ "a file that is not there", "all: ann,\n :include:/nowhere/there\n", NULL,
	  "t:1: /nowhere/there: No such file or directory" },
	{ "a file without its path", "all: :include:there\n", NULL, "t:1: \":include:there\" is to name a file by its full path" },
	{ "a directory for a file", "all: :include:/etc\n", NULL, "t:1: /etc: not a file" },
};

static void check(const struct alias_case *c)
{
	struct bw_import *im = kit_new(nhs, 1);
	struct bw_why why = { "" };
	struct bw_buf shown;
	enum bw_err err = bw_import_alias_text(im, "t", bw_slice_of(c->text), &why);

	bw_buf_init(&shown, 4096);
	if (err == BW_OK)
		err = bw_import_finish(im, &why);
	kit_show(im, &shown);
	if ((err == BW_OK) != (c->lists != NULL))
		fail_msg("%s: %s", c->what, err == BW_OK ? bw_buf_text(&shown) : why.text);
	if (c->lists != NULL && strcmp(c->lists, bw_buf_text(&shown)) != 0)
		fail_msg("%s: got \"%s\", wanted \"%s\"", c->what, bw_buf_text(&shown), c->lists);
	const char *said = err != BW_OK ? why.text : bw_import_note_at(im, 0);

	if ((said == NULL) != (c->why == NULL) || (said != NULL && strcmp(said, c->why) != 0))
		fail_msg("%s: said \"%s\", wanted \"%s\"", c->what, said == NULL ? "" : said, c->why == NULL ? "" : c->why);
	bw_buf_done(&shown);
	bw_import_free(&im);
}

static void what_files_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(&cases[i]);
}

/* --- domains --- */

static void names_need_a_domain(void **state)
{
	struct bw_import *im = kit_new(NULL, 0);
	struct bw_why why = { "" };

	(void)state;
	assert_int_equal(bw_import_alias_text(im, "t", BW_S("a@x b@x, c@x\nall: ann\n"), &why), BW_ERR_INPUT);
	assert_string_equal(why.text,
	                    "t:2: all has no domain; --domain DOMAIN says which it is (internal.domains of the configuration "
	                    "names none)");
	bw_import_free(&im);
}

/* The same list in each domain, unless a domain has its own; and a member in the second domain is the alias. */
static void two_domains(void **state)
{
	struct bw_import *im = kit_new(nhs, 2);
	struct bw_buf shown;

	(void)state;
	bw_buf_init(&shown, 4096);
	assert_int_equal(
		bw_import_alias_text(im, "t",
	                         BW_S("all: a@y, dan\na: ann, bob\nb@y one@z, two@z, three@z\nb: ann, bob\nowner-all: boss\n"), NULL),
		BW_OK);
	assert_int_equal(bw_import_finish(im, NULL), BW_OK);
	kit_show(im, &shown);
	assert_string_equal(bw_buf_text(&shown), "a@x=2 a@y=2 all@x=3 all@y=3 b@x=2 b@y=3");
	assert_true(bw_slice_equal(bw_import_at(im, 2)->owner, BW_S("boss@x")));
	assert_true(bw_slice_equal(bw_import_at(im, 3)->owner, BW_S("boss@x")));
	bw_buf_done(&shown);
	bw_import_free(&im);
}

/* --- files --- */

static char folder[64];

struct folder {
	char name[4][80];
};

static void put(struct folder *f, int n, const char *format)
{
	FILE *file;

	snprintf(f->name[n], sizeof(f->name[n]), "%s/f%d", folder, n);
	file = fopen(f->name[n], "w");
	assert_non_null(file);
	/* %s: the folder, as often as it stands there */
	for (const char *c = format; *c != '\0'; c++) {
		if (c[0] == '%' && c[1] == 's')
			fprintf(file, "%s", (c++, folder));
		else
			fputc(*c, file);
	}
	fclose(file);
}

static int folder_setup(void **state)
{
	struct folder *f = calloc(1, sizeof(*f));

	snprintf(folder, sizeof(folder), "/tmp/bw-import.XXXXXX");
	*state = f;
	return mkdtemp(folder) == NULL;
}

static int folder_teardown(void **state)
{
	struct folder *f = *state;

	for (int i = 0; i < 4; i++) {
		if (f->name[i][0] != '\0')
			unlink(f->name[i]);
	}
	int failed = rmdir(folder);

	free(f);
	return failed;
}

static void included_files(void **state)
{
	struct folder *f = *state;
	const char *files[2];
	struct bw_import *im = kit_new(nhs, 1);
	struct bw_why why = { "" };
	struct bw_buf shown;

	put(f, 0, "all: :include:%s/f1, zoe\nsome: \":include:%s/f1\"\n");
	put(f, 1, "# who is who\nann\n\n bob, carl\n:include:%s/f2\n");
	put(f, 2, "carl\n\"|/bin/archive\"\nlocal\n");
	put(f, 3, "local: dan, eve\nall: nobody\n");
	files[0] = f->name[0];
	files[1] = f->name[3];
	bw_buf_init(&shown, 4096);
	assert_int_equal(bw_import_aliases(im, files, 2, &why), BW_OK);
	assert_int_equal(bw_import_finish(im, &why), BW_OK);
	kit_show(im, &shown);
	assert_string_equal(bw_buf_text(&shown), "all@x=7 local@x=2 some@x=6");
	bw_buf_done(&shown);
	bw_import_free(&im);
}

static void cycles_through_files(void **state)
{
	struct folder *f = *state;
	struct bw_import *im = kit_new(nhs, 1);
	struct bw_why why = { "" };
	char wanted[300];

	put(f, 0, "all: ann, :include:%s/f1\n");
	put(f, 1, "bob\n:include:%s/f2\n");
	put(f, 2, "carl\nall\n");
	assert_int_equal(bw_import_aliases(im, &(const char *){ f->name[0] }, 1, &why), BW_OK);
	assert_int_equal(bw_import_finish(im, &why), BW_ERR_INPUT);
	snprintf(wanted, sizeof(wanted), "%s/f0:1: a cycle: all@x -> :include:%s/f1 -> :include:%s/f2 -> all@x", folder, folder,
	         folder);
	assert_string_equal(why.text, wanted);
	bw_import_free(&im);
}

/* The place of what is wrong in an included file is in that file. */
static void places_in_files(void **state)
{
	struct folder *f = *state;
	struct bw_import *im = kit_new(nhs, 1);
	struct bw_why why = { "" };
	char wanted[200];

	put(f, 0, "all: :include:%s/f1\n");
	put(f, 1, "ann\nbob\n:include:%s/missing\n");
	assert_int_equal(bw_import_aliases(im, &(const char *){ f->name[0] }, 1, &why), BW_OK);
	assert_int_equal(bw_import_finish(im, &why), BW_ERR_IO);
	snprintf(wanted, sizeof(wanted), "%s/f1:3: %s/missing: No such file or directory", folder, folder);
	assert_string_equal(why.text, wanted);
	bw_import_free(&im);
}

static void no_text(void **state)
{
	struct folder *f = *state;
	struct bw_import *im = kit_new(nhs, 1);
	struct bw_why why = { "" };
	FILE *file;

	put(f, 0, "");
	file = fopen(f->name[0], "w");
	fwrite("all: a\0b\n", 1, 9, file);
	fclose(file);
	assert_int_equal(bw_import_aliases(im, &(const char *){ f->name[0] }, 1, &why), BW_ERR_INPUT);
	assert_non_null(strstr(why.text, "bytes of value 0"));
	bw_import_free(&im);
}

/* --- size and depth --- */

enum { DEEP = 200000, WIDE = 100000 };

/* A chain deeper than any stack of calls; its last link is a list of two. */
static void deep_nesting(void **state)
{
	struct bw_import *im = kit_new(nhs, 1);
	struct bw_buf text;

	(void)state;
	bw_buf_init(&text, 64 << 20);
	for (int i = 0; i < DEEP; i++)
		bw_buf_printf(&text, "l%d: l%d\n", i, i + 1);
	bw_buf_printf(&text, "l%d: ann, bob\n", DEEP);
	assert_int_equal(bw_import_alias_text(im, "t", bw_buf_slice(&text), NULL), BW_OK);
	assert_int_equal(bw_import_finish(im, NULL), BW_OK);
	assert_int_equal(bw_import_count(im), DEEP + 1);
	for (size_t i = 0; i < DEEP + 1; i++)
		assert_int_equal(bw_import_at(im, i)->size, 2);
	bw_buf_done(&text);
	bw_import_free(&im);
}

/* 100,000 people in a hundred lists that overlap by half. */
static void wide_nesting(void **state)
{
	struct bw_import *im = kit_new(nhs, 1);
	struct bw_buf text;

	(void)state;
	bw_buf_init(&text, 64 << 20);
	for (int i = 0; i < 100; i++) {
		bw_buf_printf(&text, "part%d: nobody", i);
		for (int k = 0; k < 2 * WIDE / 100; k++)
			bw_buf_printf(&text, ", p%d", (i * WIDE / 100 + k) % WIDE);
		bw_buf_add_char(&text, '\n');
	}
	bw_buf_add_text(&text, "all: part0");
	for (int i = 1; i < 100; i++)
		bw_buf_printf(&text, ",\n  part%d", i);
	bw_buf_add_char(&text, '\n');
	assert_int_equal(bw_import_alias_text(im, "t", bw_buf_slice(&text), NULL), BW_OK);
	assert_int_equal(bw_import_finish(im, NULL), BW_OK);
	assert_int_equal(bw_import_count(im), 101);
	assert_int_equal(bw_import_at(im, 0)->size, WIDE + 1);
	assert_int_equal(bw_import_at(im, 1)->size, 2 * WIDE / 100 + 1);
	bw_buf_done(&text);
	bw_import_free(&im);
}

#define FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_files_say),
		cmocka_unit_test(names_need_a_domain),
		cmocka_unit_test(two_domains),
		FOLDER(included_files),
		FOLDER(cycles_through_files),
		FOLDER(places_in_files),
		FOLDER(no_text),
		cmocka_unit_test(deep_nesting),
		cmocka_unit_test(wide_nesting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
