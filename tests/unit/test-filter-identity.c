/* link: bw_session bw_config bw_base */
/* Who sends, as far as it can be trusted: From: is never asked, and only a vouched host's word is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../milter/filter/identity.h"

static struct bw_config *config;

static int build(void **state)
{
	static char *domains[] = { (char *)(uintptr_t) "nhs.example" };
	static char *daemons[] = { (char *)(uintptr_t) "submission" };
	static char *certificates[] = { (char *)(uintptr_t) "CN=mx.partner.example=partner" };
	static struct bw_config own;
	struct bw_config *defaults = NULL;

	(void)state;
	assert_int_equal(bw_config_default(&defaults, NULL), BW_OK);
	own = *defaults; /* only `internal` is used, and set anew below */
	own.internal.domains = domains;
	own.internal.domain_count = 1;
	own.internal.submission_daemons = daemons;
	own.internal.submission_count = 1;
	own.internal.certificates = certificates;
	own.internal.certificate_count = 1;
	own.internal.networks = own.internal.vouched = own.internal.relays = own.internal.expanders = NULL;
	own.internal.list_servers = NULL;
	assert_int_equal(bw_networks_add(&own.internal.networks, BW_S("192.0.2.0/24"), NULL), BW_OK);
	assert_int_equal(bw_networks_add(&own.internal.vouched, BW_S("192.0.2.25"), NULL), BW_OK);
	assert_int_equal(bw_networks_add(&own.internal.relays, BW_S("2001:db8::25"), NULL), BW_OK);
	bw_config_free(&defaults);
	config = &own;
	return 0;
}

static int leave(void **state)
{
	(void)state;
	bw_networks_free(&config->internal.networks);
	bw_networks_free(&config->internal.vouched);
	bw_networks_free(&config->internal.relays);
	return 0;
}

static void identities(void **state)
{
	static const struct {
		const char *ip, *daemon, *sender, *auth, *cert;
		enum bw_client client;
		enum bw_identity_kind kind;
		const char *identity;
	} rows[] = {
		{ "203.0.113.9", NULL, "a@nhs.example", NULL, NULL, BW_CLIENT_OUTSIDE, BW_IDENTITY_OUTSIDE,
		  "outside:a@nhs.example 203.0.113.0/24" },
		{ "2001:db8:1:2:3:4:5:6", NULL, "a@nhs.example", NULL, NULL, BW_CLIENT_OUTSIDE, BW_IDENTITY_OUTSIDE,
		  "outside:a@nhs.example 2001:db8:1:2::/64" },
		{ "203.0.113.9", "submission", "x@y.example", "Comms", NULL, BW_CLIENT_SUBMISSION, BW_IDENTITY_AUTH,
		  "auth:comms@nhs.example" },
		{ "203.0.113.9", "submission", "x@y.example", "Comms@Other.Example", NULL, BW_CLIENT_SUBMISSION, BW_IDENTITY_AUTH,
		  "auth:comms@other.example" },
		{ "203.0.113.9", NULL, "x@y.example", "comms", "CN=mx.partner.example", BW_CLIENT_OUTSIDE, BW_IDENTITY_AUTH,
		  "auth:comms@nhs.example" },
		{ "203.0.113.9", NULL, "x@y.example", NULL, "CN=mx.partner.example", BW_CLIENT_OUTSIDE, BW_IDENTITY_CERT,
		  "cert:partner" },
		{ "203.0.113.9", NULL, "x@y.example", NULL, "CN=mx.other.example", BW_CLIENT_OUTSIDE, BW_IDENTITY_OUTSIDE,
		  "outside:x@y.example 203.0.113.0/24" },
		{ "192.0.2.7", NULL, "a@nhs.example", "", "", BW_CLIENT_INSIDE, BW_IDENTITY_OUTSIDE,
		  "outside:a@nhs.example 192.0.2.0/24" },
		{ "192.0.2.25", NULL, "a@nhs.example", NULL, NULL, BW_CLIENT_INSIDE, BW_IDENTITY_INSIDE, "inside:a@nhs.example" },
		{ "192.0.2.25", NULL, "", NULL, NULL, BW_CLIENT_INSIDE, BW_IDENTITY_INSIDE, "inside:<>" },
		{ NULL, NULL, "root@nhs.example", NULL, NULL, BW_CLIENT_INSIDE, BW_IDENTITY_OUTSIDE, "outside:root@nhs.example local" },
		{ "2001:db8::25", NULL, "a@nhs.example", NULL, NULL, BW_CLIENT_INSIDE, BW_IDENTITY_OUTSIDE,
		  "outside:a@nhs.example 2001:db8::/64" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bw_facts facts = { 0 };
		struct bw_buf text;

		bw_buf_init(&text, 2 * BW_ADDRESS_MAX);
		bw_slice_copy(bw_slice_of(rows[i].sender), facts.sender.text, sizeof(facts.sender.text));
		bw_identity_classify(config, rows[i].ip, rows[i].daemon, &facts);
		assert_int_equal(facts.client, rows[i].client);
		assert_int_equal(bw_identity_write(config, &facts, rows[i].auth, rows[i].cert, &text), rows[i].kind);
		assert_string_equal(bw_buf_text(&text), rows[i].identity);
		bw_buf_done(&text);
	}
}

static void roles_come_from_addresses(void **state)
{
	struct bw_facts facts = { 0 };

	(void)state;
	bw_identity_classify(config, "2001:db8::25", NULL, &facts);
	assert_true(facts.relay);
	assert_false(facts.vouched);
	bw_identity_classify(config, "192.0.2.25", NULL, &facts);
	assert_true(facts.vouched);
	assert_false(facts.relay);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identities),
		cmocka_unit_test(roles_come_from_addresses),
	};

	return cmocka_run_group_tests(tests, build, leave);
}
