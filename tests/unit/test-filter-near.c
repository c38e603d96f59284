/* link: bw_session bw_engine bw_store bw_config bw_settings bw_mail bw_base */
/* Ordinary mail is counted and accepted at DATA, until its sender or its mailboxes are at a limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "session-kit.h"

#define OUTSIDE "203.0.113.9"
#define INSIDE  "192.0.2.10"
#define T0      INT64_C(1479112140000)

static struct bw_store *faulty;
static int64_t now_ms;

static const char configuration[] =
	"mode = \"enforce\";\n"
	"internal: { domains = [ \"n.example\" ]; networks = [ \"192.0.2.0/24\" ]; vouched = [ \"192.0.2.10\" ];\n"
	"  authserv_ids = [ \"mx.n.example\" ]; submission_daemons = [ \"MSA\" ]; expanders = [ \"192.0.2.30\" ];\n"
	"  relays = [ \"192.0.2.50\" ]; };\n"
	"lists = ( { address = \"ward@n.example\"; size = 300; } );\n"
	"settings = [ \"sender.recipients = 100\", \"mailbox.messages = 10\", \"origin.mode = enforce\" ];\n";

static int build(void **state)
{
	const struct bw_engine_options options = { .host = "mx1", .keep_ledger = true };

	(void)state;
	kit_open_store();
	faulty = bw_store_faulty_new(store, 50);
	assert_non_null(faulty);
	kit_open_session(faulty, &options, bw_slice_of(configuration));
	now_ms = T0;
	bw_engine_tick(engine, now_ms);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	kit_close_session(&faulty);
	return 0;
}

static void later(int64_t ms)
{
	now_ms += ms;
	bw_engine_tick(engine, now_ms);
}

struct letter {
	const char *ip, *daemon_name, *from, *auth, *to;
	int64_t recipients; /* with `to`; a number takes the place of '#' in it */
};

static enum bw_step offer(const struct letter *l)
{
	char path[64];

	bw_session_connect(session, l->ip, l->daemon_name);
	bw_session_mail(session, bw_slice_of(l->from), l->auth, NULL, 0);
	for (int64_t i = 0; i < l->recipients; i++) {
		if (strchr(l->to, '#') == NULL)
			snprintf(path, sizeof(path), "%s", l->to);
		else
			snprintf(path, sizeof(path), "<r%lld@n.example>", (long long)i);
		bw_session_rcpt(session, bw_slice_of(path), NULL);
	}
	return bw_session_data(session);
}

static const struct bw_judgement *end(void)
{
	bw_session_header(session, BW_S("From"), BW_S("x@o.example"));
	return bw_session_end(session, "4Q1", now_ms);
}

static void senders(void **state)
{
	static const struct {
		const char *what;
		struct letter letter;
		enum bw_step step;
	} rows[] = {
		{ "authenticated", { OUTSIDE, NULL, "<jane@n.example>", "jane", "<#>", 99 }, BW_STEP_ACCEPT },
		{ "with what fits", { OUTSIDE, NULL, "<other@n.example>", "jane", "<#>", 1 }, BW_STEP_ACCEPT },
		{ "one more", { OUTSIDE, NULL, "<jane@n.example>", "JANE", "<#>", 1 }, BW_STEP_GO_ON },
		{ "somebody else", { OUTSIDE, NULL, "<jane@n.example>", "joe", "<#>", 1 }, BW_STEP_ACCEPT },
		{ "of class submission", { "192.0.2.77", "MSA", "<old@n.example>", NULL, "<#>", 101 }, BW_STEP_GO_ON },
		{ "vouched", { INSIDE, NULL, "<app@n.example>", NULL, "<#>", 5000 }, BW_STEP_ACCEPT },
		{ "a relay", { "192.0.2.50", NULL, "<jane@n.example>", "jane", "<#>", 5000 }, BW_STEP_ACCEPT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (offer(&rows[i].letter) != rows[i].step)
			fail_msg("%s", rows[i].what);
	}
}

static void stopped_at_the_end(void **state)
{
	const struct letter jane = { OUTSIDE, NULL, "<jane@n.example>", "jane", "<#>", 60 };
	const struct bw_judgement *j;

	(void)state;
	assert_int_equal(offer(&jane), BW_STEP_ACCEPT);
	assert_int_equal(offer(&jane), BW_STEP_GO_ON);
	j = end();
	assert_int_equal(j->verdict.action, BW_HOLD);
	assert_string_equal(j->sentence, "sender: 120 recipients of at most 100 in 60 min from auth:jane@n.example");
	assert_int_equal(j->ledger_error, BW_OK);
	assert_int_equal(strncmp(j->mark, "v=1; id=", 8), 0);
	/* Stopped is stopped, also for what would fit. */
	later(70 * 60 * 1000);
	const struct letter one = { OUTSIDE, NULL, "<jane@n.example>", "jane", "<#>", 1 };

	/* Calm was measured meanwhile: on probation it passes. */
	assert_int_equal(offer(&one), BW_STEP_GO_ON);
	assert_int_equal(end()->verdict.action, BW_ACCEPT);
}

/* Without any store ordinary mail passes, and what is over a limit is stopped by what is known here. */
static void without_a_store(void **state)
{
	const struct letter jane = { OUTSIDE, NULL, "<jane@n.example>", "jane", "<#>", 60 };

	(void)state;
	bw_store_faulty_set(faulty, true, 0);
	later(1000);
	assert_int_equal(offer(&jane), BW_STEP_ACCEPT);
	later(1000);
	assert_int_equal(offer(&jane), BW_STEP_GO_ON);
	assert_int_equal(end()->verdict.action, BW_HOLD);
	later(1000);
	assert_int_equal(offer(&jane), BW_STEP_GO_ON);
	assert_int_equal(end()->verdict.action, BW_HOLD);
	bw_store_faulty_set(faulty, false, 0);
}

/* A limit that the figures known here exceed and the store's do not: it is asked before anything is stopped. */
static void the_store_is_asked_first(void **state)
{
	const struct letter fifty = { OUTSIDE, NULL, "<jane@n.example>", "jane", "<#>", 50 };
	const struct letter ten = { OUTSIDE, NULL, "<jane@n.example>", "jane", "<#>", 10 };

	(void)state;
	assert_int_equal(offer(&fifty), BW_STEP_ACCEPT);
	later(50 * 60 * 1000);
	assert_int_equal(offer(&ten), BW_STEP_ACCEPT);
	later(15 * 60 * 1000);
	/* The first fifty are 65 minutes old; here they stand in a sum that is younger. */
	assert_int_equal(offer(&fifty), BW_STEP_GO_ON);
	assert_int_equal(end()->verdict.action, BW_ACCEPT);
	/* Now it is known here too: ten, fifty, and forty make a hundred. */
	const struct letter forty = { OUTSIDE, NULL, "<jane@n.example>", "jane", "<#>", 40 };

	assert_int_equal(offer(&forty), BW_STEP_ACCEPT);
	assert_int_equal(offer(&ten), BW_STEP_GO_ON);
	assert_int_equal(end()->verdict.action, BW_HOLD);
}

static void mailboxes(void **state)
{
	const struct letter one = { OUTSIDE, NULL, "<x@o.example>", NULL, "<v@n.example>", 1 };
	const struct letter many = { OUTSIDE, NULL, "<x@o.example>", NULL, "<#>", 200 };
	const struct letter inside = { INSIDE, NULL, "<a@n.example>", NULL, "<v@n.example>", 1 };

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(offer(&one), BW_STEP_ACCEPT);
	assert_int_equal(offer(&one), BW_STEP_GO_ON);
	const struct bw_judgement *j = end();

	assert_int_equal(j->verdict.action, BW_THROTTLE);
	assert_string_equal(j->reply_status, "4.7.28");
	assert_string_equal(j->sentence, "mailbox: 11 messages of at most 10 in 10 min to v@n.example");
	/* From inside, a person: looked at, and passed. */
	for (int i = 0; i < 5; i++)
		assert_int_equal(offer(&inside), BW_STEP_ACCEPT);
	assert_int_equal(offer(&inside), BW_STEP_GO_ON);
	assert_int_equal(end()->verdict.action, BW_ACCEPT);
	/* Two hundred mailboxes at once, of which facts hold 32: all are counted. */
	for (int i = 0; i < 10; i++)
		assert_int_equal(offer(&many), BW_STEP_ACCEPT);
	assert_int_equal(offer(&many), BW_STEP_GO_ON);
	assert_int_equal(end()->verdict.action, BW_THROTTLE);
	const struct letter last = { OUTSIDE, NULL, "<x@o.example>", NULL, "<r199@n.example>", 1 };

	assert_int_equal(offer(&last), BW_STEP_GO_ON);
	/* When the window has moved on, there is room. */
	later(11 * 60 * 1000);
	assert_int_equal(offer(&one), BW_STEP_ACCEPT);
}

static void origin(void **state)
{
	static const struct {
		const char *ip, *auth, *from, *results;
		bool received_first, held;
	} rows[] = {
		{ OUTSIDE, NULL, "boss@n.example", NULL, false, true },
		{ OUTSIDE, NULL, "boss@sub.n.example", NULL, false, false },
		{ OUTSIDE, NULL, "x@o.example", NULL, false, false },
		{ OUTSIDE, "boss", "boss@n.example", NULL, false, false },
		{ INSIDE, NULL, "boss@n.example", NULL, false, false },
		{ OUTSIDE, NULL, "boss@n.example", "mx.n.example; dmarc=pass", false, false },
		{ OUTSIDE, NULL, "boss@n.example", "mx.o.example; dmarc=pass", false, true },
		{ OUTSIDE, NULL, "boss@n.example", "mx.n.example; dmarc=none", false, true },
		{ OUTSIDE, NULL, "boss@n.example", "mx.n.example; dmarc=pass", true, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct letter l = { rows[i].ip, NULL, "<b@o.example>", rows[i].auth, "<ward@n.example>", 1 };
		char id[32];

		snprintf(id, sizeof(id), "<m%zu@o.example>", i);
		assert_int_equal(offer(&l), BW_STEP_GO_ON);
		if (rows[i].received_first)
			bw_session_header(session, BW_S("Received"), BW_S("from there by here"));
		if (rows[i].results != NULL)
			bw_session_header(session, BW_S("Authentication-Results"), bw_slice_of(rows[i].results));
		bw_session_header(session, BW_S("From"), bw_slice_of(rows[i].from));
		bw_session_header(session, BW_S("Message-ID"), bw_slice_of(id));
		const struct bw_judgement *j = bw_session_end(session, "4Q1", now_ms);

		if ((j->verdict.action == BW_HOLD) != rows[i].held)
			fail_msg("row %zu: %s", i, j->sentence);
	}
}

#define SCENE(function) cmocka_unit_test_setup_teardown(function, build, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(senders), SCENE(stopped_at_the_end), SCENE(without_a_store), SCENE(the_store_is_asked_first), SCENE(mailboxes),
		SCENE(origin),
	};

	return cmocka_run_group_tests_name("filter/near", tests, NULL, NULL);
}
