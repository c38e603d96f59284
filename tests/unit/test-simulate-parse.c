/* link: bw_simulate bw_config bw_settings bw_mail bw_base */
/* The scenario language: what a file says is what is played, and what cannot be meant is refused with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../milter/simulate/internal.h"

#define HEAD                                                                                                            \
	"internal nhs.example\nlist all@nhs.example size 840_000 poster=comms,inside:x@nhs.example owner=Boss@NHS.example " \
	"unconfirmed list-id=<all.nhs.example>\n"

static struct bw_scenario *parse(const char *text)
{
	struct bw_scenario *s = NULL;
	struct bw_why why = { "" };

	if (bw_scenario_parse("t.storm", bw_slice_of(text), &s, &why) != BW_OK)
		fail_msg("%s", why.text);
	return s;
}

static void assert_slice(struct bw_slice s, const char *text)
{
	if (!bw_slice_equal(s, bw_slice_of(text)))
		fail_msg("'%.*s' is not '%s'", (int)s.n, s.p, text);
}

static const struct statement *nth(const struct bw_scenario *s, int n)
{
	const struct statement *st = s->statements;

	while (n-- > 0)
		st = st->next;
	return st;
}

static void a_list_is_what_its_line_says(void **state)
{
	struct bw_scenario *s = parse(HEAD "at 0 post from=a@nhs.example to=all@nhs.example\n");

	(void)state;
	assert_int_equal(s->list_count, 1);
	assert_slice(s->lists->address, "all@nhs.example");
	assert_int_equal(s->lists->size, 840000);
	assert_slice(s->lists->owner, "boss@nhs.example");
	assert_slice(s->lists->list_id, "all.nhs.example");
	assert_true(s->lists->unconfirmed);
	assert_int_equal(s->lists->poster_count, 2);
	assert_slice(s->lists->posters[0], "comms");
	assert_slice(s->lists->posters[1], "inside:x@nhs.example");
	assert_int_equal(s->internals->kind, INTERNAL_DOMAIN);
	assert_slice(s->internals->value, "nhs.example");
	bw_scenario_free(&s);
	assert_null(s);
}

static void every_option_of_a_message_arrives(void **state)
{
	struct bw_scenario *s =
		parse(HEAD "at 1h30m post thread=one from=u@nhs.example to=ALL@nhs.example,bob@nhs.example subject=\"a # b  c\" "
	               "auth=auth:comms client=192.0.2.7 rcpts=12 message-id=<x@y> retry=3 backoff=2m times=4 every 7s "
	               "expect first 3 accept then hold guard=conversation breaker=half-open event=relapse # why\r\n"
	               "at +1s reply thread=one from=<> no-refs to=all@nhs.example\n");
	const struct statement *st = s->statements;
	const struct mail_plan *plan = &st->u.mail;

	(void)state;
	assert_int_equal(st->at_ms, 5400000);
	assert_int_equal(plan->kind, KIND_POST);
	assert_slice(plan->thread, "one");
	assert_int_equal(plan->to_count, 2);
	assert_ptr_equal(plan->lists[0], s->lists);
	assert_null(plan->lists[1]);
	assert_slice(plan->subject, "a # b  c");
	assert_slice(plan->auth.text, "comms");
	assert_slice(plan->client, "192.0.2.7");
	assert_slice(plan->message_id, "x@y");
	assert_int_equal(plan->rcpts, 12);
	assert_int_equal(plan->retry, 3);
	assert_int_equal(plan->backoff_ms, 120000);
	assert_int_equal(bw_statement_count(st), 4);
	assert_int_equal(plan->every_ms, 7000);
	assert_int_equal(plan->expect.first, 3);
	assert_int_equal(plan->expect.head.action, BW_ACCEPT);
	assert_true(plan->expect.head.any_guard);
	assert_int_equal(plan->expect.rest.action, BW_HOLD);
	assert_int_equal(plan->expect.rest.guard, BW_GUARD_CONVERSATION);
	assert_int_equal(plan->expect.rest.state, STATE_HALF_OPEN);
	assert_int_equal(plan->expect.rest.event, BW_EVENT_RELAPSE);
	assert_true(st->next->u.mail.no_refs);
	bw_scenario_free(&s);
}

/* +T counts from the end of the statement before it, and from nothing else. */
static void times_follow_the_end_of_a_range(void **state)
{
	static const struct {
		const char *text;
		int64_t at_ms, last_ms;
	} rows[] = {
		{ "0s post", 0, 0 },
		{ "5m reply from=u[1-10]@nhs.example every 6s", 300000, 354000 },
		{ "+1s reply", 355000, 355000 },
		{ "10s store down", 10000, 10000 },
		{ "+5s store slow 60ms", 15000, 15000 },
		{ "+0s operator list stop all@nhs.example --for 1h", 15000, 15000 },
		{ "2d reply times=3 every 250ms", 172800000, 172800500 },
	};
	struct bw_buf text;

	(void)state;
	bw_buf_init(&text, 4096);
	bw_buf_add_text(&text, HEAD);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool mail = strstr(rows[i].text, "store") == NULL && strstr(rows[i].text, "operator") == NULL;
		bool from = strstr(rows[i].text, "from=") != NULL;

		bw_buf_printf(&text, "at %s%s%s\n", rows[i].text, mail && !from ? " from=a@nhs.example" : "",
		              mail ? " to=all@nhs.example" : "");
	}
	struct bw_scenario *s = parse(bw_buf_text(&text));

	assert_int_equal(s->statement_count, sizeof(rows) / sizeof(rows[0]));
	for (size_t i = 0; i < s->statement_count; i++) {
		assert_int_equal(nth(s, (int)i)->at_ms, rows[i].at_ms);
		assert_int_equal(bw_statement_last_ms(nth(s, (int)i)), rows[i].last_ms);
	}
	assert_int_equal(nth(s, 4)->u.store.delay_ms, 60);
	assert_int_equal(nth(s, 5)->u.command.argc, 5);
	assert_string_equal(nth(s, 5)->u.command.argv[4], "1h");
	assert_null(nth(s, 5)->u.command.argv[5]);
	bw_scenario_free(&s);
	bw_buf_done(&text);
}

static void ranges_number_their_senders(void **state)
{
	static const struct {
		const char *text;
		int64_t count, i;
		const char *name; /* NULL: refused */
	} rows[] = {
		{ "u[1-500]@x.example", 500, 0, "u1@x.example" },
		{ "u[1-500]@x.example", 500, 499, "u500@x.example" },
		{ "u[1-3]@x.example", 3, 3, "u1@x.example" },
		{ "u[007-010]@x.example", 4, 3, "u010@x.example" },
		{ "u[0-0]@x.example", 1, 0, "u0@x.example" },
		{ "plain@x.example", 1, 5, "plain@x.example" },
		{ "u[5-1]@x.example", 0, 0, NULL },
		{ "u[1-]@x.example", 0, 0, NULL },
		{ "u[-1-3]@x.example", 0, 0, NULL },
		{ "u[a-b]@x.example", 0, 0, NULL },
		{ "u[1-3@x.example", 0, 0, NULL },
		{ "u1-3]@x.example", 0, 0, NULL },
		{ "u[1-2]v[1-2]@x.example", 0, 0, NULL },
		{ "u[1]@x.example", 0, 0, NULL },
		{ "u[1-99999999999]@x.example", 0, 0, NULL },
		{ "u[]@x.example", 0, 0, NULL },
		{ "u[0-1000000]@x.example", 0, 0, NULL },
		{ "u[0-999999]@x.example", 1000000, 999999, "u999999@x.example" },
	};
	struct bw_why why;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct range range = { .first = -7 };
		enum bw_err err = bw_range_parse(bw_slice_of(rows[i].text), &range, &why);
		struct bw_buf name;

		if (rows[i].name == NULL) {
			assert_int_equal(err, BW_ERR_RANGE);
			assert_int_equal(range.first, -7);
			continue;
		}
		assert_int_equal(err, BW_OK);
		assert_int_equal(bw_range_count(&range), rows[i].count);
		bw_buf_init(&name, 100);
		bw_range_print(&range, rows[i].i, &name);
		assert_string_equal(bw_buf_text(&name), rows[i].name);
		bw_buf_done(&name);
	}
}

/* What one table row an error is here stands, sentence by sentence, in tests/scenario/bad as well; here are the ones that
 * a file shows badly. */
static void what_is_no_text_is_refused(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		const char *sentence;
	} rows[] = {
#define ROW(text, sentence) { text, sizeof(text) - 1, sentence }
		ROW("", "t.storm:1: nothing happens; expected at least one 'at TIME ...'"),
		ROW("# only\n\n  \t# comments", "t.storm:4: nothing happens; expected at least one 'at TIME ...'"),
		ROW("\n\nlist \x1b[2J", "t.storm:3: a control character, or bytes that are not UTF-8; expected text"),
		ROW("list a\0b", "t.storm:1: a control character, or bytes that are not UTF-8; expected text"),
		ROW("\n# caf\xe9", "t.storm:2: a control character, or bytes that are not UTF-8; expected text"),
		ROW("# \xc2\x9b", "t.storm:1: a control character, or bytes that are not UTF-8; expected text"),
		ROW("# \xed\xa0\x80", "t.storm:1: a control character, or bytes that are not UTF-8; expected text"),
		ROW("# \xc0\xaf", "t.storm:1: a control character, or bytes that are not UTF-8; expected text"),
		ROW("# \xf5\x80\x80\x80", "t.storm:1: a control character, or bytes that are not UTF-8; expected text"),
		ROW("# \xe2\x82", "t.storm:1: a control character, or bytes that are not UTF-8; expected text"),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bw_scenario *s = NULL;
		struct bw_why why = { "" };

		assert_int_equal(bw_scenario_parse("t.storm", (struct bw_slice){ rows[i].text, rows[i].n }, &s, &why), BW_ERR_INPUT);
		assert_string_equal(why.text, rows[i].sentence);
		assert_null(s);
	}
}

static void a_byte_order_mark_and_any_script_are_text(void **state)
{
	struct bw_scenario *s =
		parse("\xef\xbb\xbf" HEAD "at 0s post from=a@nhs.example to=all@nhs.example subject=\"Å\xe2\x82\xac\xf0\x9f\x98\x80\"\n");

	(void)state;
	assert_slice(s->statements->u.mail.subject, "Å\xe2\x82\xac\xf0\x9f\x98\x80");
	bw_scenario_free(&s);
}

static void bounds_hold_for_the_whole_scenario(void **state)
{
	static const struct {
		const char *text;
		enum bw_err err;
	} rows[] = {
		{ "at 0s post from=u[1-1000]@n.example times=1000 to=b@n.example", BW_OK },
		{ "at 0s post from=u[1-1000]@n.example times=1001 to=b@n.example", BW_ERR_RANGE },
		{ "at 0s post from=a@n.example times=1000000 to=b@n.example\nat 0s post from=a@n.example to=b@n.example", BW_ERR_LIMIT },
		{ "at 0s post from=a@n.example rcpts=1000000 times=99 to=b@n.example", BW_OK },
		{ "at 0s post from=a@n.example rcpts=1000000 times=100 to=b@n.example", BW_ERR_LIMIT },
		{ "at 0s post from=a@n.example times=100000 retry=1 to=b@n.example", BW_OK },
		{ "at 0s post from=a@n.example times=100001 retry=1 to=b@n.example", BW_ERR_LIMIT },
		{ "at 0s post from=a@n.example times=100000 retry=1000 to=b@n.example", BW_ERR_LIMIT },
		{ "at 0s post from=a@n.example times=1000000 every 3650d to=b@n.example", BW_ERR_RANGE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bw_scenario *s = NULL;

		assert_int_equal(bw_scenario_parse("t", bw_slice_of(rows[i].text), &s, NULL), rows[i].err);
		bw_scenario_free(&s);
	}
}

static void settings_go_on_top_of_the_defaults_in_mode_enforce(void **state)
{
	struct bw_scenario *s = parse(HEAD "set huge.conversation.senders 7\nset @all@nhs.example.list.senders 5\n"
	                                   "at 0s post from=a@nhs.example to=all@nhs.example\n");
	struct bw_limits limits;
	struct bw_why why;

	(void)state;
	assert_int_equal(bw_settings_mode(s->settings), BW_MODE_ENFORCE);
	bw_settings_resolve(s->settings, BW_TIER_HUGE, BW_S("all@nhs.example"), &limits);
	assert_int_equal(limits.conversation.senders, 7);
	assert_int_equal(limits.list.senders, 5);
	assert_int_equal(bw_scenario_set(s, BW_S("huge.conversation.senders"), BW_S("9"), &why), BW_OK);
	bw_settings_resolve(s->settings, BW_TIER_HUGE, BW_S("all@nhs.example"), &limits);
	assert_int_equal(limits.conversation.senders, 9);
	assert_int_not_equal(bw_scenario_set(s, BW_S("huge.conversation.sendres"), BW_S("9"), &why), BW_OK);
	bw_scenario_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_what_its_line_says),
		cmocka_unit_test(every_option_of_a_message_arrives),
		cmocka_unit_test(times_follow_the_end_of_a_range),
		cmocka_unit_test(ranges_number_their_senders),
		cmocka_unit_test(what_is_no_text_is_refused),
		cmocka_unit_test(a_byte_order_mark_and_any_script_are_text),
		cmocka_unit_test(bounds_hold_for_the_whole_scenario),
		cmocka_unit_test(settings_go_on_top_of_the_defaults_in_mode_enforce),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
