/* link: bw_session bw_engine bw_store bw_config bw_settings bw_mail bw_base */
/* What one message is: recipients become a number, lists keep the exact bytes of their RCPT, the rest is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session-kit.h"

static const char configuration[] =
	"mode = \"enforce\";\n"
	"internal: { domains = [ \"n.example\" ]; networks = [ \"192.0.2.0/24\" ]; vouched = [ \"192.0.2.10\" ]; relays = [ \"192.0.2.50\" ];\n"
	"  expanders = [ \"192.0.2.30\" ]; };\n"
	"lists = ( { address = \"all@n.example\"; size = 40000; posters = [ \"inside:comms@n.example\" ]; },\n"
	"  { address = \"ward@n.example\"; size = 300; } );\n";

static int build(void **state)
{
	const struct bw_engine_options options = { .host = "mx1" };

	(void)state;
	kit_open_store();
	kit_open_session(store, &options, bw_slice_of(configuration));
	return 0;
}

static int leave(void **state)
{
	(void)state;
	kit_close_session(&store);
	return 0;
}

static const struct bw_facts *envelope(const char *ip, const char *sender, const char *const *rcpts)
{
	bw_session_connect(session, ip, NULL);
	bw_session_mail(session, bw_slice_of(sender), NULL, NULL, 0);
	for (; *rcpts != NULL; rcpts++)
		bw_session_rcpt(session, bw_slice_of(*rcpts), NULL);
	return bw_session_facts(session);
}

static void lists_keep_the_bytes_of_their_rcpt(void **state)
{
	static const char *const rcpts[] = { "<a@n.example>", "<ALL+tag@N.Example>", "<ward@n.example>", "<all@n.example>", NULL };
	const struct bw_facts *f = envelope("192.0.2.10", "<u@n.example>", rcpts);

	(void)state;
	assert_int_equal(f->recipients, 4);
	assert_int_equal(f->list_count, 2);
	assert_int_equal(f->fanout, 1 + 40000 + 300);
	assert_true(bw_slice_equal(f->lists[0].rcpts->path, BW_S("<ALL+tag@N.Example>")));
	assert_int_equal(bw_session_data(session), BW_STEP_GO_ON);
	bw_session_abort(session);
}

/* The MTA knows more spellings of an address than we do; and localhost is its own domain too. */
static void other_spellings_of_a_list(void **state)
{
	static const struct {
		const char *path, *resolved;
	} rows[] = {
		{ "<all@localhost>", NULL },      { "<all>", NULL },
		{ "<all%n.example>", "all@n.example" }, { "<n.example!all>", "all@n.example" },
		{ "<ALL(x)@n.example>", "ALL@n.example" }, { "<all@[127.0.0.1]>", "all@[127.0.0.1]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bw_session_connect(session, "192.0.2.10", NULL);
		bw_session_mail(session, BW_S("<u@n.example>"), NULL, NULL, 0);
		bw_session_rcpt(session, bw_slice_of(rows[i].path), rows[i].resolved);
		const struct bw_facts *f = bw_session_facts(session);

		if (f->list_count != 1)
			fail_msg("%s is no list", rows[i].path);
		assert_true(bw_slice_equal(f->lists[0].rcpts->path, bw_slice_of(rows[i].path)));
	}
}

static void steps_at_data(void **state)
{
	static const struct {
		const char *ip;
		const char *rcpt;
		enum bw_step step;
	} rows[] = {
		{ "192.0.2.10", "<a@n.example>", BW_STEP_ACCEPT },
		{ "192.0.2.10", "<ward@n.example>", BW_STEP_GO_ON },
		{ "203.0.113.1", "<ward@n.example>", BW_STEP_GO_ON },
		{ "192.0.2.50", "<ward@n.example>", BW_STEP_ACCEPT }, /* a relay of ours judged it already */
		{ "192.0.2.30", "<a@n.example>", BW_STEP_GO_ON },     /* an expander's list stands in the header only */
		{ NULL, "<a@n.example>", BW_STEP_ACCEPT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const rcpts[] = { rows[i].rcpt, NULL };

		envelope(rows[i].ip, "<u@n.example>", rcpts);
		assert_int_equal(bw_session_data(session), rows[i].step);
		bw_session_abort(session);
	}
}

static void senders(void **state)
{
	static const struct {
		const char *path, *identity;
	} rows[] = {
		{ "<U@N.Example>", "inside:u@n.example" },
		{ "<u+x@n.example>", "inside:u+x@n.example" },
		{ "<>", "inside:<>" },
		/* Anybody can write an SRS address: it does not make its writer the poster inside it. */
		{ "<SRS0=HHH=TT=n.example=comms@n.example>", "inside:<SRS0=HHH=TT=n.example=comms@n.example>" },
		{ "<no address\r\n\x1b>", "inside:<no address?" "?" "?>" },
	};
	static const char *const rcpts[] = { "<all@n.example>", NULL };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct bw_facts *f = envelope("192.0.2.10", rows[i].path, rcpts);
		char identity[200];

		bw_slice_copy(f->identity, identity, sizeof(identity));
		assert_string_equal(identity, rows[i].identity);
	}
}

static void a_bypass_lets_everything_pass(void **state)
{
	static const char *const rcpts[] = { "<all@n.example>", NULL };

	(void)state;
	bw_engine_set_bypass(engine, INT64_MAX);
	envelope("192.0.2.10", "<u@n.example>", rcpts);
	assert_int_equal(bw_session_data(session), BW_STEP_ACCEPT);
	bw_engine_set_bypass(engine, 0);
	envelope("192.0.2.10", "<u@n.example>", rcpts);
	assert_int_equal(bw_session_data(session), BW_STEP_GO_ON);
}

/* Calls out of order are a broken MTA's, not a reason to fall over. */
static void out_of_order(void **state)
{
	(void)state;
	bw_session_abort(session);
	bw_session_rcpt(session, BW_S("<all@n.example>"), NULL);
	bw_session_header(session, BW_S("Subject"), BW_S("x"));
	assert_false(bw_session_body(session, BW_S("x")));
	assert_int_equal(bw_session_end(session, "Q", 1)->verdict.action, BW_ACCEPT);
	assert_int_equal(bw_session_data(session), BW_STEP_ACCEPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_keep_the_bytes_of_their_rcpt), cmocka_unit_test(other_spellings_of_a_list), cmocka_unit_test(steps_at_data), cmocka_unit_test(senders),
		cmocka_unit_test(a_bypass_lets_everything_pass),      cmocka_unit_test(out_of_order),
	};

	return cmocka_run_group_tests(tests, build, leave);
}
