/* link: bw_session bw_engine bw_store bw_config bw_settings bw_directory bw_mail bw_base */
/* What list servers and expanders hand on teaches sizes, what anybody else claims teaches nothing, and all of it is bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../milter/engine/learning.h"
#include "bw/clock.h"
#include "session-kit.h"

#define T0 INT64_C(4102444800000)

/* --- the table --- */

static struct bw_lesson lesson(unsigned number, int64_t recipients)
{
	struct bw_lesson l = { .address = BW_S("all@x"), .list_id = BW_S("all.x"), .client = BW_S("192.0.2.1"),
		                   .recipients = recipients, .least = 2 };

	/* All in one bucket. */
	l.key.b[2] = (uint8_t)number;
	l.key.b[3] = (uint8_t)(number >> 8);
	l.key.b[15] = 1;
	return l;
}

static void add(struct bw_learning *l, unsigned number, int64_t recipients, int64_t now_ms)
{
	struct bw_lesson one = lesson(number, recipients);

	bw_learning_add(l, &one, now_ms);
}

/* As a store would that nobody else tells of anything: it forgets nothing. */
static size_t flush(struct bw_learning *l, int64_t more)
{
	struct bw_learning_sum sums[BW_LEARNING_BATCH];
	int64_t totals[BW_LEARNING_BATCH];
	size_t n = bw_learning_take(l, sums);

	for (size_t i = 0; i < n; i++)
		totals[i] = sums[i].amount + more;
	bw_learning_settle(l, sums, totals, n);
	return n;
}

static size_t due(struct bw_learning *l, struct bw_finding *out, int64_t now_ms)
{
	return bw_learning_due(l, out, 8, now_ms);
}

static void a_message_is_found_when_it_is_quiet(void **state)
{
	struct bw_learning *l = bw_learning_new();
	struct bw_finding found[8];

	(void)state;
	add(l, 1, 40, T0);
	assert_int_equal(due(l, found, T0 + BW_LEARNING_QUIET_MS), 0); /* the store has not been told */
	assert_int_equal(flush(l, 0), 1);
	assert_int_equal(flush(l, 0), 0);
	assert_int_equal(due(l, found, T0 + BW_LEARNING_QUIET_MS - 1), 0);
	assert_int_equal(due(l, found, T0 + BW_LEARNING_QUIET_MS), 1);
	assert_int_equal(found[0].size, 40);
	assert_false(found[0].whole);
	assert_string_equal(found[0].address, "all@x");
	assert_string_equal(found[0].list_id, "all.x");
	assert_string_equal(found[0].client, "192.0.2.1");
	assert_int_equal(due(l, found, T0 + BW_LEARNING_QUIET_MS + 1), 0); /* once */
	assert_int_equal(due(l, found, T0 + BW_LEARNING_WHOLE_MS), 1);
	assert_true(found[0].whole);
	assert_int_equal(due(l, found, T0 + BW_LEARNING_WHOLE_MS + 1), 0);
	/* More of it: found again, with what other hosts saw. */
	add(l, 1, 5, T0 + BW_LEARNING_WHOLE_MS);
	flush(l, 100);
	assert_int_equal(due(l, found, T0 + BW_LEARNING_WHOLE_MS + BW_LEARNING_QUIET_MS), 1);
	assert_int_equal(found[0].size, 105);
	bw_learning_free(&l);
}

static void one_that_goes_on_is_found_meanwhile(void **state)
{
	struct bw_learning *l = bw_learning_new();
	struct bw_finding found[8];
	int64_t now_ms = T0, sum = 0;
	int times = 0;

	(void)state;
	for (; now_ms <= T0 + 3 * BW_LEARNING_EVERY_MS; now_ms += 1000) {
		add(l, 1, 1, now_ms);
		flush(l, sum++);
		times += (int)due(l, found, now_ms);
	}
	assert_int_equal(times, 3);
	bw_learning_free(&l);
}

static void what_makes_no_list_is_not_found(void **state)
{
	static const struct {
		const char *what;
		int64_t recipients, least;
		bool doubtful;
		size_t found;
	} rows[] = {
		{ "as many as it takes", 250, 250, false, 1 },
		{ "one less", 249, 250, false, 0 },
		{ "the address is a recipient itself", 5000, 250, true, 0 },
		{ "a notice to one", 1, 2, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bw_learning *l = bw_learning_new();
		struct bw_lesson one = lesson(1, rows[i].recipients), other = lesson(1, 1);
		struct bw_finding found[8];

		one.least = other.least = rows[i].least;
		one.doubtful = rows[i].doubtful;
		bw_learning_add(l, &one, T0);
		flush(l, 0);
		if (due(l, found, T0 + BW_DAY_MS) != rows[i].found)
			fail_msg("%s", rows[i].what);
		bw_learning_free(&l);
	}
}

/* Eight places: a flood of messages to two displaces messages to two, never the one to a thousand. */
static void those_with_few_recipients_go_first(void **state)
{
	struct bw_learning *l = bw_learning_new();
	struct bw_finding found[8];
	bool large = false;

	(void)state;
	add(l, 0, 1000, T0);
	for (unsigned i = 1; i <= 5000; i++)
		add(l, i, 2, T0 + i);
	assert_int_equal(bw_learning_evicted(l), 5000 - 7);
	assert_int_equal(flush(l, 0), 8);
	assert_int_equal(due(l, found, T0 + 5000 + BW_LEARNING_QUIET_MS), 8);
	for (size_t i = 0; i < 8; i++)
		large = large || found[i].size == 1000;
	assert_true(large);
	/* An hour later all of them are over, and make room without being counted. */
	add(l, 6000, 2, T0 + 5000 + BW_LEARNING_FORGET_MS);
	assert_int_equal(bw_learning_evicted(l), 5000 - 7);
	bw_learning_free(&l);
}

static void a_lost_batch_teaches_too_little(void **state)
{
	struct bw_learning *l = bw_learning_new();
	struct bw_learning_sum sums[BW_LEARNING_BATCH];
	struct bw_finding found[8];

	(void)state;
	add(l, 1, 40, T0);
	bw_learning_settle(l, sums, NULL, bw_learning_take(l, sums));
	assert_int_equal(due(l, found, T0 + BW_DAY_MS), 0);
	bw_learning_free(&l);
}

/* --- messages --- */

#define SERVER   "192.0.2.40"
#define EXPANDER "192.0.2.30"
#define STRANGER "203.0.113.9"
#define INSIDER  "192.0.2.10"

static const char configuration[] =
	"mode = \"enforce\";\n"
	"internal: { domains = [ \"n.example\" ]; networks = [ \"192.0.2.0/24\" ]; vouched = [ \"" INSIDER "\" ];\n"
	"  expanders = [ \"" EXPANDER "\" ]; list_servers = [ \"" SERVER "\" ]; };\n"
	"lists = ( { address = \"all@n.example\"; size = 4000; list_id = \"everybody.n.example\"; },\n"
	"  { address = \"ward@n.example\"; size = 300; } );\n";

static int64_t now_ms;

static int build(void **state)
{
	const struct bw_engine_options options = { .host = "mx1" };

	(void)state;
	kit_open_store();
	kit_open_session(store, &options, bw_slice_of(configuration));
	now_ms = T0;
	bw_engine_tick(engine, now_ms);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	kit_close_session(&store);
	return 0;
}

static void wait_ms(int64_t ms)
{
	now_ms += ms;
	bw_engine_tick(engine, now_ms);
}

static void header(const char *field)
{
	struct bw_slice line = bw_slice_of(field);
	size_t colon = bw_slice_find(line, ':');

	bw_session_header(session, bw_slice_head(line, colon), bw_slice_trim(bw_slice_from(line, colon + 1)));
}

/* One transaction to members FROM ... FROM + N - 1; `fields`: header lines, with '\n' between. */
static void bring(const char *client, const char *fields, int from, int n)
{
	char path[64], copy[1000], *rest = copy;

	bw_session_connect(session, client, NULL);
	bw_session_mail(session, BW_S("<bounces@n.example>"), NULL, NULL, 1000);
	for (int i = from; i < from + n; i++) {
		snprintf(path, sizeof(path), "<member%d@n.example>", i);
		bw_session_rcpt(session, bw_slice_of(path), NULL);
	}
	if (bw_session_data(session) == BW_STEP_ACCEPT)
		return;
	snprintf(copy, sizeof(copy), "%s", fields);
	for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n"))
		header(line);
	assert_int_equal(bw_session_end(session, "Q", now_ms)->verdict.action, BW_ACCEPT);
}

/* "address=size id origin" of the live proposals, in order of version. */
static bool note(void *ctx, const struct bw_list_row *row)
{
	struct bw_buf *out = ctx;

	if (row->source == BW_SOURCE_LEARNED && !row->removed && !row->unconfirmed)
		bw_buf_printf(out, "%.*s=%lld %.*s %.*s;", (int)row->address.n, row->address.p, (long long)row->size,
		              (int)row->list_id.n, row->list_id.p, (int)row->origin.n, row->origin.p);
	return true;
}

static const char *learned(void)
{
	static char text[1000];
	struct bw_buf out;

	bw_buf_init(&out, sizeof(text) - 1);
	assert_int_equal(store->ops->list_each(store, 0, note, &out, NULL), BW_OK);
	bw_slice_copy(bw_buf_slice(&out), text, sizeof(text));
	bw_buf_done(&out);
	return text;
}

struct events {
	int n, full;
	char last[1000];
};

static bool note_event(void *ctx, const struct bw_event_row *row)
{
	struct events *events = ctx;

	if (row->event != BW_EVENT_LEARNED)
		return true;
	events->n++;
	bw_slice_copy(row->text, events->last, sizeof(events->last));
	events->full += strstr(events->last, "no more are taken") != NULL;
	return true;
}

static struct events events(void)
{
	struct events all = { 0 };

	assert_int_equal(store->ops->event_each(store, 0, 0, note_event, &all, NULL), BW_OK);
	return all;
}

#define MESSAGE "Message-ID: <1@n.example>\nFrom: a@n.example\nDate: Mon, 1 Jan 2100 00:00:00 +0000\nSubject: News\n"

static const struct {
	const char *what, *client, *fields;
	int transactions, recipients;
	const char *becomes;
} taught[] = {
	{ "VERP: one transaction a member", SERVER, MESSAGE "To: staff@n.example\nList-Id: Staff <staff.n.example>\nList-Post: <mailto:Staff@N.example>",
	  500, 1, "staff@n.example=500 staff.n.example list server " SERVER ";" },
	{ "in bulk", SERVER, MESSAGE "List-Id: <staff.n.example>", 5, 100, "staff@n.example=500 staff.n.example list server " SERVER ";" },
	{ "List-Post says where the domain begins", SERVER, MESSAGE "List-Id: <old.staff.n.example>\nList-Post: <mailto:old.staff@n.example>", 5,
	  100, "old.staff@n.example=500 old.staff.n.example list server " SERVER ";" },
	{ "a known list by its List-Id, of another size", SERVER, MESSAGE "List-Id: <everybody.n.example>\nList-Post: <mailto:x@n.example>", 50,
	  100, "all@n.example=5000 everybody.n.example list server " SERVER ";" },
	{ "a few more than known are no news", SERVER, MESSAGE "List-Id: <everybody.n.example>", 43, 100, "" },
	{ "nor are less, while more may come", SERVER, MESSAGE "List-Id: <everybody.n.example>", 10, 100, "" },
	{ "a notice to an owner", SERVER, MESSAGE "List-Id: <staff.n.example>", 1, 1, "" },
	{ "a list server's own mail", SERVER, MESSAGE "To: staff@n.example", 5, 100, "" },
	{ "without an id of its own", SERVER, "From: a@n.example\nList-Id: <staff.n.example>", 5, 100, "" },
	{ "an id with control characters", SERVER, MESSAGE "List-Id: <sta\x01" "ff.n.example>\nList-Post: <mailto:staff@n.example>", 5, 100,
	  "staff@n.example=500  list server " SERVER ";" },
	{ "a stranger", STRANGER, MESSAGE "To: staff@n.example\nList-Id: <staff.n.example>\nList-Post: <mailto:staff@n.example>", 50, 20, "" },
	{ "somebody inside", INSIDER, MESSAGE "To: staff@n.example\nList-Id: <staff.n.example>", 50, 20, "" },
	{ "an expander and a known list", EXPANDER, MESSAGE "To: All <all@n.example>", 50, 100, "all@n.example=5000  expander " EXPANDER ";" },
	{ "an expander and a list nobody knows", EXPANDER, MESSAGE "To: depot@n.example", 5, 50, "depot@n.example=250  expander " EXPANDER ";" },
	{ "a person with some in Bcc", EXPANDER, MESSAGE "To: depot@n.example", 5, 49, "" },
	{ "a person who gets it as well", EXPANDER, MESSAGE "To: member3@n.example", 50, 20, "" },
	{ "two lists: whose members?", EXPANDER, MESSAGE "To: depot@n.example, store@n.example", 50, 20, "" },
	{ "a known and an unknown one", EXPANDER, MESSAGE "To: all@n.example\nCc: store@n.example", 250, 20, "" },
	{ "somebody else's list", EXPANDER, MESSAGE "To: depot@elsewhere.example", 50, 20, "" },
};

static void who_teaches_what(void **state)
{
	for (size_t i = 0; i < sizeof(taught) / sizeof(taught[0]); i++) {
		if (i > 0)
			build(state);
		for (int k = 0; k < taught[i].transactions; k++)
			bring(taught[i].client, taught[i].fields, k * taught[i].recipients, taught[i].recipients);
		wait_ms(10000);
		wait_ms(10000);
		if (strcmp(learned(), taught[i].becomes) != 0)
			fail_msg("%s: \"%s\", wanted \"%s\"", taught[i].what, learned(), taught[i].becomes);
		assert_int_equal(events().n, taught[i].becomes[0] != '\0');
		if (i + 1 < sizeof(taught) / sizeof(taught[0]))
			leave(state);
	}
}

static struct bw_list_row row_of(const char *address, int64_t size)
{
	return (struct bw_list_row){ .address = bw_slice_of(address), .source = BW_SOURCE_LEARNED, .size = size, .changed_ms = T0 };
}

/* Much less than known, and nobody more for ten minutes: worth a word. */
static void a_list_that_has_become_small(void **state)
{
	(void)state;
	bring(SERVER, MESSAGE "List-Id: <everybody.n.example>", 0, 1999);
	wait_ms(60000);
	wait_ms(60000);
	assert_string_equal(learned(), "");
	wait_ms(BW_LEARNING_WHOLE_MS);
	assert_string_equal(learned(), "all@n.example=1999 everybody.n.example list server " SERVER ";");
	assert_non_null(strstr(events().last, "all@n.example has 1,999 members by what list server " SERVER " handed on, 4,000 by"));
}

/* The next message of a list whose size is in force already is none. */
static void the_largest_message_stays(void **state)
{
	struct bw_list_row row = row_of("staff@n.example", 500);

	(void)state;
	assert_int_equal(store->ops->list_put(store, &row, NULL, NULL), BW_OK);
	bring(SERVER, MESSAGE "List-Id: <staff.n.example>", 0, 400);
	wait_ms(10000);
	wait_ms(10000);
	assert_string_equal(learned(), "staff@n.example=500  ;");
	assert_int_equal(events().n, 0);
}

/* 100,000 ids: at most 10,000 proposals, one word that no more are taken, some dozens of others. */
static void a_flood_of_list_ids(void **state)
{
	char fields[300];
	struct bw_engine_figures figures;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		snprintf(fields, sizeof(fields), "Message-ID: <%d@n.example>\nList-Id: <l%d.n.example>", i, i);
		bring(SERVER, fields, 0, 2);
		if (i % 100 == 99)
			wait_ms(11000);
	}
	bw_engine_figures(engine, &figures);
	assert_int_equal(figures.learned, BW_LEARNED_MAX);
	assert_int_equal(events().full, 1);
	assert_in_range(events().n, 20, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_found_when_it_is_quiet),
		cmocka_unit_test(one_that_goes_on_is_found_meanwhile),
		cmocka_unit_test(what_makes_no_list_is_not_found),
		cmocka_unit_test(those_with_few_recipients_go_first),
		cmocka_unit_test(a_lost_batch_teaches_too_little),
		cmocka_unit_test_setup_teardown(who_teaches_what, build, leave),
		cmocka_unit_test_setup_teardown(a_list_that_has_become_small, build, leave),
		cmocka_unit_test_setup_teardown(the_largest_message_stays, build, leave),
		cmocka_unit_test_setup_teardown(a_flood_of_list_ids, build, leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
