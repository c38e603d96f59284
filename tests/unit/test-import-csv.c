/* link: bw_import bw_mail bw_base */
/* CSV files: RFC 4180, and what is refused with its line. */
#include "import-kit.h"

struct csv_case {
	const char *what, *text;
	const char *lists; /* NULL: refused */
	const char *why;
};

static const struct csv_case cases[] = {
	{ "two fields", "All@X,3\nb@x,40\n", "all@x=3 b@x=40", NULL },
	{ "CRLF, no break at the end", "all@x,3\r\nb@x,40", "all@x=3 b@x=40", NULL },
	{ "a byte order mark",
	  "\xEF\xBB\xBF"
	  "all@x,3\n",
	  "all@x=3", NULL },
	{ "blank lines", "\n\r\nall@x,3\n\n", "all@x=3", NULL },
	{ "quotes", "\"all@x\",\"840,000\"\n", "all@x=840000", NULL },
	{ "blanks around", " all@x , 3 \n", "all@x=3", NULL },
	{ "a heading", "address,size\nall@x,3\n", "all@x=3", NULL },
	{ "a heading in another order", "Address,Owner,Size\nall@x,boss@x,3\n", "all@x=3", NULL },
	{ "nothing", "", "", NULL },
	{ "a heading alone", "address,size\n", "", NULL },
	{ "nobody", "all@x,0\n", "all@x=0", NULL },
	{ "a quote in a name", "\"\"\"all b\"\"@x\",3\n", "\"all b\"@x=3", NULL },
	{ "-1", "b@x,1\nall@x,-1\n", NULL, "t:2: size \"-1\" is out of range, allowed: a number from 0 to 1,000,000,000" },
	{ "10^12", "all@x,1000000000000\n", NULL,
	  "t:1: size \"1000000000000\" is out of range, allowed: a number from 0 to 1,000,000,000" },
	{ "more than 64 bits", "all@x,99999999999999999999\n", NULL,
	  "t:1: size \"99999999999999999999\" is out of range, allowed: a number from 0 to 1,000,000,000" },
	{ "no number", "all@x,many\n", NULL, "t:1: size \"many\" is out of range, allowed: a number from 0 to 1,000,000,000" },
	{ "a size with a tail", "all@x,3x\n", NULL, "t:1: size \"3x\" is out of range, allowed: a number from 0 to 1,000,000,000" },
	{ "no address", "nobody,3\n", NULL, "t:1: \"nobody\" is no address, expected local@domain" },
	{ "one field", "all@x\n", NULL, "t:1: a field is missing, expected address,size[,owner[,list-id[,posters]]]" },
	{ "six fields", "all@x,3,,,,\n", NULL, "t:1: more than five fields, expected address,size,owner,list-id,posters" },
	{ "twice", "all@x,3\nb@x,2\nALL@x,4\n", NULL, "t:3: all@x is there twice, first at t:1" },
	{ "a quote left open", "b@x,1\n\"all@x,3\nc@x,4\n", NULL, "t:2: a quote is opened and never closed" },
	{ "text behind a quote", "\"all\"@x,3\n", NULL, "t:1: text behind a closing quote" },
	{ "a quote in the middle", "al\"l@x,3\n", NULL, "t:1: a quote within a field that is not quoted" },
	{ "semicolons for commas", "all@x;3\n", NULL, "t:1: a field is missing, expected address,size[,owner[,list-id[,posters]]]" },
	{ "an unknown column", "address,count\nall@x,3\n", NULL,
	  "t:1: \"count\" is no column, or there twice; known: address, size, owner, list-id, posters" },
	{ "a heading without a size", "address,owner\n", NULL, "t:1: the heading has no column size" },
	{ "fewer fields than columns", "address,size,owner\nall@x,3\n", "all@x=3", NULL },
	{ "no size behind an owner", "address,owner,size\nall@x,boss@x\n", NULL,
	  "t:2: a field is missing, expected address,size[,owner[,list-id[,posters]]]" },
	{ "more fields than columns", "address,size\nall@x,3,boss@x\n", NULL, "t:2: more fields than the heading has columns" },
	{ "a poster from outside", "all@x,3,,,outside:ann@y\n", NULL,
	  "t:1: \"outside:ann@y\" is no poster, expected NAME, auth:NAME@REALM, cert:NAME or inside:ADDRESS" },
	{ "an owner that is none", "all@x,3,<>\n", NULL, "t:1: \"<>\" is no address, expected local@domain" },
	{ "a List-Id of two words", "all@x,3,,all x\n", NULL,
	  "t:1: \"all x\" is no List-Id, expected one word such as all.example.org" },
	{ "line numbers behind quoted breaks", "\"all\n\n@x\",3\nb@x,-1\n", NULL,
	  "t:1: \"all\n\n@x\" is no address, expected local@domain" },
};

static void check(const struct csv_case *c)
{
	struct bw_import *im = kit_new(NULL, 0);
	struct bw_why why = { "" };
	struct bw_buf shown;
	enum bw_err err = bw_import_csv_text(im, "t", bw_slice_of(c->text), &why);

	bw_buf_init(&shown, 4096);
	if (err == BW_OK)
		err = bw_import_finish(im, &why);
	kit_show(im, &shown);
	if ((err == BW_OK) != (c->lists != NULL))
		fail_msg("%s: %s", c->what, err == BW_OK ? bw_buf_text(&shown) : why.text);
	if (c->lists != NULL && strcmp(c->lists, bw_buf_text(&shown)) != 0)
		fail_msg("%s: got \"%s\", wanted \"%s\"", c->what, bw_buf_text(&shown), c->lists);
	if (c->lists == NULL && strcmp(why.text, c->why) != 0)
		fail_msg("%s: said \"%s\", wanted \"%s\"", c->what, why.text, c->why);
	bw_buf_done(&shown);
	bw_import_free(&im);
}

static void what_files_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(&cases[i]);
}

static void texts_of_a_list(void **state)
{
	struct bw_import *im = kit_new(NULL, 0);

	(void)state;
	assert_int_equal(bw_import_csv_text(im, "t", BW_S("all@x,3,Boss@X,<All.X>,\"ann; bob  carl\"\nb@x,4,,,\n"), NULL), BW_OK);
	assert_int_equal(bw_import_finish(im, NULL), BW_OK);
	const struct bw_import_list *all = bw_import_at(im, 0), *b = bw_import_at(im, 1);

	assert_true(bw_slice_equal(all->owner, BW_S("boss@x")));
	assert_true(bw_slice_equal(all->list_id, BW_S("all.x")));
	assert_true(bw_slice_equal(all->posters, BW_S("auth:ann,auth:bob,auth:carl")));
	assert_true(bw_slice_equal(all->place, BW_S("t:1")));
	assert_int_equal(b->owner.n + b->list_id.n + b->posters.n, 0);
	bw_import_free(&im);
}

/* A line number is the file's, whatever stood in quotes before it. */
static void lines_after_a_broken_field(void **state)
{
	struct bw_import *im = kit_new(NULL, 0);
	struct bw_why why = { "" };

	(void)state;
	assert_int_equal(bw_import_csv_text(im, "t", BW_S("all@x,3,,,\"ann;\nbob;\ncarl\"\nb@x,-1\n"), &why), BW_ERR_RANGE);
	assert_int_equal(strncmp(why.text, "t:4: ", 5), 0);
	bw_import_free(&im);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(what_files_say), cmocka_unit_test(texts_of_a_list),
		                                       cmocka_unit_test(lines_after_a_broken_field) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
