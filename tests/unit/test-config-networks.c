/* link: bw_config bw_directory bw_settings bw_mail bw_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bw/config.h"

static const struct {
	const char *range, *ip;
	bool inside;
} contained[] = {
	{ "192.0.2.0/24", "192.0.2.0", true },
	{ "192.0.2.0/24", "192.0.2.255", true },
	{ "192.0.2.0/24", "192.0.3.0", false },
	{ "192.0.2.0/24", "192.0.1.255", false },
	{ "127.0.0.1", "127.0.0.1", true },
	{ "127.0.0.1", "127.0.0.2", false },
	{ "127.0.0.1/32", "127.0.0.1", true },
	{ "0.0.0.0/0", "203.0.113.9", true },
	{ "0.0.0.0/0", "2001:db8::1", false },
	{ "192.0.2.128/25", "192.0.2.127", false },
	{ "192.0.2.128/25", "192.0.2.128", true },
	{ "10.0.0.0/8", "::ffff:10.1.2.3", true },
	{ "10.0.0.0/8", "::ffff:11.1.2.3", false },
	{ "::ffff:10.0.0.0/104", "10.9.9.9", true },
	{ "2001:db8::/32", "2001:db8:ffff::1", true },
	{ "2001:db8::/32", "2001:db9::1", false },
	{ "2001:db8::/33", "2001:db8:8000::1", false },
	{ "::1", "::1", true },
	{ "::1", "::2", false },
	{ "::/0", "2001:db8::1", true },
	{ "::/0", "192.0.2.1", false },
	{ "::/0", "::ffff:192.0.2.1", false },
	{ "192.0.2.0/24", "", false },
	{ "192.0.2.0/24", "192.0.2", false },
	{ "192.0.2.0/24", "192.0.2.1 ", false },
	{ "192.0.2.0/24", "local", false },
	{ "fe80::/10", "fe80::1", true },
	{ "fe80::/10", "fec0::1", false },
};

static void test_contained(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(contained) / sizeof(contained[0]); i++) {
		struct bw_networks *n = NULL;

		assert_int_equal(bw_networks_add(&n, bw_slice_of(contained[i].range), NULL), BW_OK);
		if (bw_networks_contain(n, contained[i].ip) != contained[i].inside)
			fail_msg("%s in %s", contained[i].ip, contained[i].range);
		bw_networks_free(&n);
		assert_null(n);
	}
	assert_false(bw_networks_contain(NULL, "127.0.0.1"));
}

static const char usage[] = "is no address or range such as 192.0.2.0/24 or 2001:db8::/32";

static const struct {
	const char *range, *what; /* NULL: usage */
} refused[] = {
	{ "", NULL },
	{ "/", NULL },
	{ "/8", NULL },
	{ "192.0.2.0/", NULL },
	{ "192.0.2.0/24/", NULL },
	{ "192.0.2/24", NULL },
	{ "192.0.2.256", NULL },
	{ " 192.0.2.1", NULL },
	{ "192.0.2.1 ", NULL },
	{ "192.0.2.0/ 24", NULL },
	{ "192.0.2.0/x", NULL },
	{ "192.0.2.0/1000", NULL },
	{ "mx.example.org", NULL },
	{ "2001:db8::/32x", NULL },
	{ "[::1]", NULL },
	{ "fe80::1%eth0", NULL },
	{ "192.0.2.0/33", "has a prefix length out of range, allowed: 0 to 32" },
	{ "192.0.2.0/-1", "has a prefix length out of range, allowed: 0 to 32" },
	{ "2001:db8::/129", "has a prefix length out of range, allowed: 0 to 128" },
	{ "192.0.2.1/24", "has bits behind its prefix, meant 192.0.2.0/24" },
	{ "2001:db8::1/32", "has bits behind its prefix, meant 2001:db8::/32" },
	{ "10.0.0.0/0", "has bits behind its prefix, meant 0.0.0.0/0" },
};

static void test_refused(void **state)
{
	(void)state;
	struct bw_networks *n = NULL;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		char expected[200];
		struct bw_why why = { "" };

		snprintf(expected, sizeof(expected), "\"%s\" %s", refused[i].range, refused[i].what == NULL ? usage : refused[i].what);
		assert_int_equal(bw_networks_add(&n, bw_slice_of(refused[i].range), &why), BW_ERR_INPUT);
		assert_string_equal(why.text, expected);
		assert_null(n);
	}
	assert_int_equal(bw_networks_add(&n, (struct bw_slice){ "127.0.0.1\0/8", 12 }, NULL), BW_ERR_INPUT);
}

static void test_many(void **state)
{
	(void)state;
	struct bw_networks *n = NULL;
	char text[40];

	for (int i = 0; i < 4096; i++) {
		snprintf(text, sizeof(text), "10.%d.%d.0/24", i / 256, i % 256);
		assert_int_equal(bw_networks_add(&n, bw_slice_of(text), NULL), BW_OK);
	}
	assert_true(bw_networks_contain(n, "10.15.255.3"));
	assert_false(bw_networks_contain(n, "10.16.0.3"));
	assert_int_equal(bw_networks_add(&n, BW_S("127.0.0.1"), NULL), BW_ERR_LIMIT);
	assert_true(bw_networks_contain(n, "10.0.0.3"));
	bw_networks_free(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contained),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
