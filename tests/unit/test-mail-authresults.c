/* link: bw_mail bw_base */
/* Authentication-Results (RFC 8601): whose they are, and whether they say dmarc=pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bw/mail.h"

static bool is_ours(void *ctx, struct bw_slice id)
{
	return bw_slice_equal_nocase(id, bw_slice_of(ctx));
}

static char own_id[] = "mx.nhs.example";

static void fields(void **state)
{
	static const struct {
		const char *value;
		bool ours, pass;
	} rows[] = {
		{ "mx.nhs.example; dmarc=pass", true, true },
		{ " MX.nhs.example 1 ; spf=fail smtp.mailfrom=x; dmarc = pass (p=reject dis=none) header.from=nhs.example", true, true },
		{ "mx.nhs.example;\r\n\tdkim=pass header.d=a.example;\r\n\tDMARC=Pass header.from=a.example", true, true },
		{ "(one of (ours)) mx.nhs.example; dmarc=pass", true, true },
		{ "\"mx.nhs.example\"; dmarc=pass", true, true },
		{ "mx.nhs.example; none", true, false },
		{ "mx.nhs.example", true, false },
		{ "mx.nhs.example; dmarc=passed", true, false },
		{ "mx.nhs.example; dmarc=fail (dmarc=pass)", true, false },
		{ "mx.nhs.example; dmarc=fail reason=\"x; dmarc=pass\"", true, false },
		{ "mx.nhs.example; dmarc=fail reason=\"\\\"; dmarc=pass", true, false },
		{ "mx.nhs.example; xdmarc=pass", true, false },
		{ "mx.nhs.example; spf=pass dmarc=pass", true, false },
		{ "mx.nhs.example; dmarc=temperror; dmarc=pass", true, true },
		{ "evil.example; dmarc=pass", false, false },
		{ "mx.nhs.example.evil.example; dmarc=pass", false, false },
		{ "(mx.nhs.example; dmarc=pass) evil.example; dmarc=pass", false, false },
		{ "; dmarc=pass", false, false },
		{ "", false, false },
		{ "(((((", false, false },
		{ "\"", false, false },
		{ "\\", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool pass = false;

		if (bw_auth_results(bw_slice_of(rows[i].value), is_ours, own_id, &pass) != rows[i].ours || pass != rows[i].pass)
			fail_msg("%s", rows[i].value);
	}
	/* What is not ours says nothing, not even no. */
	bool pass = true;

	assert_false(bw_auth_results(BW_S("evil.example; dmarc=fail"), is_ours, own_id, &pass));
	assert_true(pass);
	assert_true(bw_auth_results(BW_S("mx.nhs.example; dmarc=fail"), is_ours, own_id, &pass));
	assert_false(pass);
}

/* Long ones are cut: what stands behind 4 KiB is not there. */
static void bounded(void **state)
{
	enum { LONG = 70000 };
	char *text = malloc(LONG);
	bool pass = false;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', LONG);
	memcpy(text, "mx.nhs.example;", 15);
	memcpy(text + LONG - 20, "; dmarc=pass", 12);
	assert_true(bw_auth_results((struct bw_slice){ text, LONG }, is_ours, own_id, &pass));
	assert_false(pass);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(fields), cmocka_unit_test(bounded) };

	return cmocka_run_group_tests_name("mail/authresults", tests, NULL, NULL);
}
