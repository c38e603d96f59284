/* link: bw_mail bw_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bw/mail.h"

struct row {
	const char *raw;
	char detail;
	const char *text; /* NULL: no address */
};

static const struct row rows[] = {
	/* paths, RFC 5321 4.1.2 */
	{ "<user@example.org>", '+', "user@example.org" },
	{ "user@example.org", '+', "user@example.org" },
	{ "  < User@Example.ORG >\r\n", '+', "user@example.org" },
	{ "<>", '+', "" },
	{ "< >", '+', "" },
	{ "", '+', NULL },
	{ "   ", '+', NULL },
	{ "<@relay.example,@b.example:user@example.org>", '+', "user@example.org" },
	{ "@relay.example:user@example.org", 0, "user@example.org" },
	{ "<@relay.example>", 0, NULL },
	{ "<user@>", 0, NULL },
	{ "<@>", 0, NULL },
	{ "postmaster", '+', "postmaster" },
	{ "<Postmaster>", '+', "postmaster" },
	{ "user@example.org.", 0, "user@example.org" },
	{ "user@example.org..", 0, NULL },
	{ "user@.example.org", 0, NULL },
	{ "user@example..org", 0, NULL },
	{ "user@exa mple.org", 0, NULL },
	{ "two words@example.org", 0, NULL },
	{ "a..b.@example.org", 0, "a..b.@example.org" },
	{ "user@host@example.org", 0, "\"user@host\"@example.org" },
	{ "user%host@example.org", 0, "user%host@example.org" },
	{ "user@[192.0.2.1]", 0, "user@[192.0.2.1]" },
	{ "user@[IPv6:2001:DB8::1]", 0, "user@[ipv6:2001:db8::1]" },
	{ "user@[192.0.2.1", 0, NULL },
	{ "user@[<script>]", 0, NULL },
	{ "user@under_score.example", 0, "user@under_score.example" },
	{ "us\ner@example.org", 0, NULL },
	{ "us\x01" "er@example.org", 0, NULL },
	/* quoted local parts */
	{ "\"user\"@example.org", 0, "user@example.org" },
	{ "\"User.Name\"@example.org", 0, "user.name@example.org" },
	{ "\"two words\"@example.org", 0, "\"two words\"@example.org" },
	{ "\"a@b\"@example.org", 0, "\"a@b\"@example.org" },
	{ "\"a\\\"b\\\\c\"@example.org", 0, "\"a\\\"b\\\\c\"@example.org" },
	{ "\"us\\er\"@example.org", 0, "user@example.org" },
	{ "\"\"@example.org", 0, NULL },
	{ "\"open@example.org", 0, NULL },
	{ "\"a\"b@example.org", 0, NULL },
	/* +detail */
	{ "all+news@example.org", '+', "all@example.org" },
	{ "all+a+b@example.org", '+', "all@example.org" },
	{ "\"all+news\"@example.org", '+', "all@example.org" },
	{ "\"two words+x\"@example.org", '+', "\"two words+x\"@example.org" },
	{ "all+news@example.org", 0, "all+news@example.org" },
	{ "+news@example.org", '+', "+news@example.org" },
	{ "all-news@example.org", '-', "all@example.org" },
	{ "owner-all@example.org", '-', "owner-all@example.org" },
	{ "all-request@example.org", '-', "all-request@example.org" },
	{ "mailer-daemon@example.org", '-', "mailer-daemon@example.org" },
	{ "all-news@example.org", '+', "all-news@example.org" },
	/* case, UTF-8, IDN (RFC 5890, RFC 6531) */
	{ "J\xc3\x96RG@example.org", 0, "j\xc3\xb6rg@example.org" },
	{ "Jo\xcc\x88rg@example.org", 0, "j\xc3\xb6rg@example.org" },              /* o + diaeresis: NFC */
	{ "stra\xc3\x9f" "e@example.org", 0, "stra\xc3\x9f" "e@example.org" },     /* never "strasse" */
	{ "STRASSE@example.org", 0, "strasse@example.org" },
	{ "\xce\x9d\xce\x99\xce\x9a\xce\x9f\xce\xa3@example.org", 0, "\xce\xbd\xce\xb9\xce\xba\xce\xbf\xcf\x83@example.org" },
	{ "\xce\xbd\xce\xb9\xce\xba\xce\xbf\xcf\x82@example.org", 0, "\xce\xbd\xce\xb9\xce\xba\xce\xbf\xcf\x83@example.org" },
	{ "B\xfc" "ro@example.org", 0, "b\xfc" "ro@example.org" },                 /* Latin-1: no UTF-8, still distinct */
	{ "user@B\xc3\x9c" "CHER.example", 0, "user@xn--bcher-kva.example" },
	{ "user@b\xc3\xbc" "cher.example", 0, "user@xn--bcher-kva.example" },
	{ "user@XN--BCHER-KVA.example", 0, "user@xn--bcher-kva.example" },
	{ "user@\xe4\xbe\x8b\xe3\x81\x88\xe3\x80\x82\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88", 0, "user@xn--r8jz45g.xn--zckzah" },
	{ "user@\xff\xfe.example", 0, NULL },
};

static void paths_are_normalised(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bw_address a;
		bool good = bw_address_normalise(bw_slice_of(rows[i].raw), rows[i].detail, &a);

		if (good != (rows[i].text != NULL) || strcmp(a.text, rows[i].text == NULL ? "" : rows[i].text) != 0)
			fail_msg("row %zu, <%s>: %s <%s>, expected <%s>", i, rows[i].raw, good ? "is" : "is no address:", a.text,
			         rows[i].text == NULL ? "no address" : rows[i].text);
		assert_int_equal(a.null_sender, good && a.text[0] == '\0');
	}
}

/* What is normalised is its own normal form. */
static void normalising_twice_changes_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bw_address a, b;

		if (!bw_address_normalise(bw_slice_of(rows[i].raw), rows[i].detail, &a) || a.null_sender)
			continue;
		assert_true(bw_address_normalise(bw_slice_of(a.text), rows[i].detail, &b));
		assert_string_equal(a.text, b.text);
	}
}

static const struct {
	const char *raw, *text;
	bool verp, srs;
} wrapped[] = {
	/* VERP */
	{ "list-bounces+user=example.net@lists.example.org", "list-bounces@lists.example.org", true, false },
	{ "list-bounces+first.last=sub.example.net@lists.example.org", "list-bounces@lists.example.org", true, false },
	{ "list-return-123-user=example.net@lists.example.org", "list-return@lists.example.org", true, false },
	{ "list-return-4711-some-user=example.net@lists.example.org", "list-return@lists.example.org", true, false },
	{ "list-bounces-user=example.net@lists.example.org", "list-bounces@lists.example.org", true, false },
	{ "owner-list+user=example.net@lists.example.org", "owner-list@lists.example.org", true, false },
	{ "bounce+user==a==example.net==list@lists.example.org", "bounce+user==a==example.net==list@lists.example.org", false, false },
	/* not VERP: two people must not become one */
	{ "john-user=example.net@example.org", "john-user=example.net@example.org", false, false },
	{ "list-bounces+user@lists.example.org", "list-bounces+user@lists.example.org", false, false },
	{ "list-bounces+a=b@lists.example.org", "list-bounces+a=b@lists.example.org", false, false },
	{ "+user=example.net@lists.example.org", "+user=example.net@lists.example.org", false, false },
	{ "bounces-12-345-user=example.net@mail.example.org", "bounces-12-345@mail.example.org", true, false },
	{ "return-12@example.org", "return-12@example.org", false, false },
	{ "no-return-policy@example.org", "no-return-policy@example.org", false, false },
	/* SRS */
	{ "SRS0=HHH=TT=example.net=user@forwarder.example", "user@example.net", false, true },
	{ "srs0+HHH=TT=example.net=user@forwarder.example", "user@example.net", false, true },
	{ "SRS0-HHH=TT=example.net=user=x@forwarder.example", "user=x@example.net", false, true },
	{ "SRS1=GGG=forwarder.example==HHH=TT=example.net=user@second.example", "user@example.net", false, true },
	{ "SRS1=GGG=forwarder.example=-HHH=TT=example.net=User@second.example", "user@example.net", false, true },
	{ "SRS0=HHH=TT=nodots=user@forwarder.example", "srs0=hhh=tt=nodots=user@forwarder.example", false, false },
	{ "SRS0=HHH=TT=example.net=@forwarder.example", "srs0=hhh=tt=example.net=@forwarder.example", false, false },
	{ "SRS0=HHH@forwarder.example", "srs0=hhh@forwarder.example", false, false },
	{ "SRS0@forwarder.example", "srs0@forwarder.example", false, false },
	{ "SRS0=HHH=TT=lists.example=list-bounces+user=example.net@forwarder.example", "list-bounces@lists.example", true, true },
	/* BATV */
	{ "prvs=2171abcdef=user@example.org", "user@example.org", false, false },
	{ "prvs=701fd58e1=user@example.org", "user@example.org", false, false },
	{ "prvs=nothexatall=user@example.org", "prvs=nothexatall=user@example.org", false, false },
	{ "prvs=2171abcdef=@example.org", "prvs=2171abcdef=@example.org", false, false },
};

static void wrapped_addresses_are_undone(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrapped) / sizeof(wrapped[0]); i++) {
		struct bw_address a;

		assert_true(bw_address_normalise(bw_slice_of(wrapped[i].raw), 0, &a));
		assert_string_equal(a.text, wrapped[i].text);
		assert_int_equal(a.verp, wrapped[i].verp);
		assert_int_equal(a.srs, wrapped[i].srs);
	}
}

static void too_long_is_no_address(void **state)
{
	char raw[2000];
	struct bw_address a;

	(void)state;
	memset(raw, 'a', sizeof(raw));
	memcpy(raw + sizeof(raw) - 13, "@example.org", 13);
	assert_false(bw_address_normalise(bw_slice_of(raw), 0, &a));
	assert_string_equal(a.text, "");
	assert_true(bw_address_normalise(bw_slice_of(raw + sizeof(raw) - 13 - 320), 0, &a));
	assert_int_equal(strlen(a.text), 320 + 12);
}

static void the_domain_stands_behind_the_last_at(void **state)
{
	(void)state;
	assert_true(bw_slice_equal(bw_address_domain(BW_S("user@example.org")), BW_S("example.org")));
	assert_true(bw_slice_equal(bw_address_domain(BW_S("\"a@b\"@example.org")), BW_S("example.org")));
	assert_int_equal(bw_address_domain(BW_S("postmaster")).n, 0);
	assert_int_equal(bw_address_domain(BW_S("")).n, 0);
}

/* --- lists --- */

struct found {
	char text[1024];
	size_t count;
};

static void note(void *ctx, const struct bw_address *a)
{
	struct found *f = ctx;
	size_t n = strlen(f->text);

	f->count++;
	snprintf(f->text + n, sizeof(f->text) - n, "%s%s", n == 0 ? "" : " ", a->text);
}

static const struct {
	const char *field, *found;
} lists[] = {
	{ "a@example.org", "a@example.org" },
	{ "a@example.org, b@example.org", "a@example.org b@example.org" },
	{ "Some One <a@example.org>,\r\n\tOther <B@Example.org>", "a@example.org b@example.org" },
	{ "\"Comma, Ann\" <a@example.org>, b@example.org", "a@example.org b@example.org" },
	{ "Ann (yes, (really, \\) she)) <a@example.org>, b@example.org", "a@example.org b@example.org" },
	{ "=?utf-8?q?J=C3=B6rg?= <a@example.org>", "a@example.org" },
	{ "staff: a@example.org, B <b@example.org>;, c@example.org", "a@example.org b@example.org c@example.org" },
	{ "undisclosed-recipients:;", "" },
	{ "\"two words\"@example.org", "\"two words\"@example.org" },
	{ "<@relay.example:a@example.org>", "a@example.org" },
	{ "a@example.org (comment)", "a@example.org" },
	{ "a @ example . org", "a@example.org" },
	{ ",,, a@example.org ,,", "a@example.org" },
	{ "a@example.org; b@example.org", "a@example.org b@example.org" },
	{ "<<a@example.org>>", "a@example.org" },
	{ "a@b\xc3\xbc" "cher.example", "a@xn--bcher-kva.example" },
	/* a quote that never closes hides nobody */
	{ "\"broken <a@example.org>, b@example.org, c@example.org", "a@example.org b@example.org c@example.org" },
	{ "", "" },
	{ " \r\n ", "" },
	{ "<>", "" },
};

static void address_lists_are_walked(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct found f = { "", 0 };

		bw_address_list(bw_slice_of(lists[i].field), 100, note, &f);
		if (strcmp(f.text, lists[i].found) != 0)
			fail_msg("%s: found <%s>, expected <%s>", lists[i].field, f.text, lists[i].found);
	}
}

static void no_more_than_asked_for(void **state)
{
	struct found f = { "", 0 };

	(void)state;
	bw_address_list(BW_S("a@example.org, b@example.org, c@example.org"), 2, note, &f);
	assert_string_equal(f.text, "a@example.org b@example.org");
	f = (struct found){ "", 0 };
	bw_address_list(BW_S("staff: a@example.org, b@example.org, c@example.org;"), 1, note, &f);
	assert_string_equal(f.text, "a@example.org");
}

static void count(void *ctx, const struct bw_address *a)
{
	(void)a;
	++*(size_t *)ctx;
}

/* Each opening bracket looks for its end: all of them together must not cost a square. */
static void hostile_nesting_costs_no_square(void **state)
{
	size_t n = 1 << 18, found = 0;
	char *text = malloc(n);

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		text[i] = "(,\","[i % 4];
	bw_address_list((struct bw_slice){ text, n }, n, count, &found);
	assert_int_equal(found, 0);
	memcpy(text + n - 16, ",,a@example.org,", 16);
	bw_address_list((struct bw_slice){ text, n }, n, count, &found);
	assert_int_equal(found, 1);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_normalised),
		cmocka_unit_test(normalising_twice_changes_nothing),
		cmocka_unit_test(wrapped_addresses_are_undone),
		cmocka_unit_test(too_long_is_no_address),
		cmocka_unit_test(the_domain_stands_behind_the_last_at),
		cmocka_unit_test(address_lists_are_walked),
		cmocka_unit_test(no_more_than_asked_for),
		cmocka_unit_test(hostile_nesting_costs_no_square),
	};

	bw_mail_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
