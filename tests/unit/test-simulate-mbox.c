/* link: bw_simulate bw_base */
/* Archives of mail: From_ lines, order of time, broken files; and what is played of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bw/mbox.h"
#include "bw/simulate.h"

static const struct from_row {
	const char *line, *sender;
	int64_t at_s; /* -1: it is no From_ line */
} from_rows[] = {
	{ "From a@b.example Tue Mar  2 18:52:50 2021", "a@b.example", 1614711170 },
	{ "From a@b.example Tue Mar 02 18:52:50 2021", "a@b.example", 1614711170 },
	{ "From a@b.example  Tue Mar  2 18:52:50 2021\r", "a@b.example", 1614711170 },
	{ "From a at b.example  Tue Mar  2 18:52:50 2021", "a at b.example", 1614711170 },
	{ "From a@b.example Tue Mar  2 18:52 2021", "a@b.example", 1614711120 },
	{ "From a@b.example Tue Mar  2 19:52:50 2021 +0100", "a@b.example", 1614711170 },
	{ "From a@b.example Tue Mar  2 13:22:50 -0530 2021", "a@b.example", 1614711170 },
	{ "From a@b.example Tue Mar  2 18:52:50 GMT 2021", "a@b.example", 1614711170 },
	{ "From MAILER-DAEMON Thu Jan  1 00:00:00 1970", "MAILER-DAEMON", 0 },
	{ "From a@b.example Sat Feb 29 12:00:00 2020", "a@b.example", 1582977600 },
	{ "From a@b.example Fri Dec 31 23:59:60 1999", "a@b.example", 946684800 },
	{ "From  Tue Mar  2 18:52:50 2021", "", 1614711170 },
	{ "From a@b.example", NULL, -1 },
	{ "From here on, all is well", NULL, -1 },
	{ "From 2019 to 2021", NULL, -1 },
	{ "From: a@b.example Tue Mar  2 18:52:50 2021", NULL, -1 },
	{ ">From a@b.example Tue Mar  2 18:52:50 2021", NULL, -1 },
	{ "from a@b.example Tue Mar  2 18:52:50 2021", NULL, -1 },
	{ "From a@b.example Tue Mar  2 24:52:50 2021", NULL, -1 },
	{ "From a@b.example Tue Mar 32 18:52:50 2021", NULL, -1 },
	{ "From a@b.example Tue Mrz  2 18:52:50 2021", NULL, -1 },
	{ "From a@b.example Dienstag Mar  2 18:52:50 2021", NULL, -1 },
	{ "From a@b.example Tue Mar  2 18:52:50 1899", NULL, -1 },
	{ "From a@b.example Tue Mar  2 18:52:50 +1 2021", NULL, -1 },
	{ "From ", NULL, -1 },
	{ "", NULL, -1 },
};

static void from_lines_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(from_rows) / sizeof(from_rows[0]); i++) {
		const struct from_row *row = &from_rows[i];
		struct bw_slice sender = BW_S("untouched");
		int64_t at_ms = -7;
		bool found = bw_mbox_from_line(bw_slice_of(row->line), &sender, &at_ms);

		if (found != (row->at_s >= 0))
			fail_msg("%s: %s", row->line, found ? "taken" : "not taken");
		if (found && (at_ms != row->at_s * 1000 || !bw_slice_equal(sender, bw_slice_of(row->sender))))
			fail_msg("%s: %lld, '%.*s'", row->line, (long long)at_ms, (int)sender.n, sender.p);
		if (!found)
			assert_int_equal(at_ms, -7);
	}
}

/* --- files --- */

static char path[] = "/tmp/bw-test-mbox-XXXXXX";

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static void write_file(struct bw_slice text)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
	assert_int_equal(fclose(f), 0);
}

#define AT(time) "From a@b.example Tue Mar  2 " time " 2021\n"

/* Messages come in order of time, those of one time in order of the file; lines count from 1. */
static void messages_come_in_order_of_time(void **state)
{
	static const char *const text =
		"\n" AT("12:00:02") "Subject: c\n\nbody of c\nFrom nobody\n" AT("12:00:01") "Subject: a\r\n\r\nbody of a\r\n\r\n" AT("12:00:01")
		"Subject: b\n and more\n" AT("12:00:03") "\nno header\n" AT("12:00:04");
	static const struct {
		int64_t line;
		const char *head, *body;
	} expected[] = {
		{ 7, "Subject: a\r\n", "body of a\r\n\r\n" },
		{ 12, "Subject: b\n and more\n", "" },
		{ 2, "Subject: c\n", "body of c\nFrom nobody\n" },
		{ 15, "", "no header\n" },
		{ 18, "", "" },
	};
	struct bw_mbox *mbox = NULL;
	struct bw_mbox_message m;
	struct bw_why why;
	bool found;

	(void)state;
	write_file(bw_slice_of(text));
	assert_int_equal(bw_mbox_open(path, &mbox, &why), BW_OK);
	assert_int_equal(bw_mbox_count(mbox), sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_int_equal(bw_mbox_next(mbox, &m, &found, &why), BW_OK);
		assert_true(found);
		assert_int_equal(m.line, expected[i].line);
		assert_true(bw_slice_equal(m.head, bw_slice_of(expected[i].head)));
		assert_true(bw_slice_equal(m.body, bw_slice_of(expected[i].body)));
	}
	assert_int_equal(bw_mbox_next(mbox, &m, &found, &why), BW_OK);
	assert_false(found);
	bw_mbox_close(&mbox);
	assert_null(mbox);
}

static void refused_files(void **state)
{
	static const struct {
		struct bw_slice text;
		const char *sentence;
	} rows[] = {
		{ { "", 0 }, "there is no message in it" },
		{ { "\n\n", 2 }, "there is no message in it" },
		{ { "Subject: x\n\n", 12 }, ":1: this is no mbox" },
		{ { "\n\0\n", 3 }, ":2: this is no mbox" },
		{ { "From here on\n", 13 }, ":1: this is no mbox" },
	};
	struct bw_mbox *mbox = NULL;
	struct bw_why why;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_file(rows[i].text);
		assert_int_equal(bw_mbox_open(path, &mbox, &why), BW_ERR_INPUT);
		assert_null(mbox);
		if (strstr(why.text, rows[i].sentence) == NULL)
			fail_msg("row %zu: %s", i, why.text);
	}
	assert_int_equal(bw_mbox_open("/no/such/file", &mbox, &why), BW_ERR_IO);
	assert_int_equal(bw_mbox_open("/", &mbox, &why), BW_ERR_INPUT);
}

/* A message of 3 MB, of one line and of many: what is kept of it is bounded. */
static void large_messages_are_cut(void **state)
{
	enum { BYTES = 3 << 20 };
	char *text = malloc(BYTES);
	struct bw_mbox *mbox = NULL;
	struct bw_mbox_message m;
	struct bw_why why;
	bool found;

	(void)state;
	assert_non_null(text);
	for (int lines = 0; lines < 2; lines++) {
		memset(text, 'x', BYTES);
		for (size_t i = 0; lines != 0 && i < BYTES; i += 70)
			text[i] = '\n';
		memcpy(text, AT("12:00:02") "X-Long: ", sizeof(AT("12:00:02") "X-Long: ") - 1);
		memcpy(text + BYTES - 60, "\n\n" AT("12:00:01") "A: b\n", sizeof("\n\n" AT("12:00:01") "A: b\n") - 1);
		write_file((struct bw_slice){ text, BYTES });
		assert_int_equal(bw_mbox_open(path, &mbox, &why), BW_OK);
		assert_int_equal(bw_mbox_count(mbox), 2);
		assert_int_equal(bw_mbox_next(mbox, &m, &found, &why), BW_OK);
		assert_true(bw_slice_starts_nocase(m.head, BW_S("A: b")));
		assert_int_equal(bw_mbox_next(mbox, &m, &found, &why), BW_OK);
		assert_in_range(m.head.n + m.body.n, 64 << 10, 1 << 20);
		bw_mbox_close(&mbox);
	}
	free(text);
}

/* --- fields --- */

static void list_field(void *ctx, struct bw_slice name, struct bw_slice value)
{
	bw_buf_printf(ctx, "[%.*s|%.*s]", (int)name.n, name.p, (int)value.n, value.p);
}

static void fields_are_split(void **state)
{
	static const char *const rows[][2] = {
		{ "A: b\nC:d\n", "[A|b][C|d]" },
		{ "A: b\n c\n\td\nE: f", "[A|b\n c\n\td][E|f]" },
		{ "A: b\r\nC: d\r\n", "[A|b][C|d]" },
		{ "A : b\n", "[A|b]" },
		{ ">From a@b\nA: b\nno field\nbad name: x\n: y\nB:\n", "[A|b][B|]" },
		{ " starts with a blank\nA: b", "[A|b]" },
		{ "", "" },
		{ "\n\n", "" },
	};
	struct bw_buf out;

	(void)state;
	bw_buf_init(&out, 1000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bw_buf_reset(&out);
		bw_mbox_fields(bw_slice_of(rows[i][0]), list_field, &out);
		assert_string_equal(bw_buf_text(&out), rows[i][1]);
	}
	bw_buf_done(&out);
}

/* --- playing --- */

/* `n` replies to one post, a second apart, each by another person; `author`: how a reply's sender is written, with its number. */
static void write_storm(int n, const char *author)
{
	struct bw_buf text;

	bw_buf_init(&text, 1 << 20);
	bw_buf_add_text(&text, AT("12:00:00") "From: root@b.example\nSubject: x\nMessage-ID: <root@b.example>\n\n");
	for (int i = 1; i <= n; i++) {
		bw_buf_printf(&text, "From list@b.example Tue Mar  2 12:00:%02d 2021\n", i);
		for (const char *p = author; *p != '\0'; p++)
			*p == '#' ? bw_buf_printf(&text, "%d", i) : bw_buf_add_char(&text, *p);
		bw_buf_printf(&text, "Subject: Re: x\nMessage-ID: <%d@b.example>\nIn-Reply-To: <root@b.example>\n\n", i);
	}
	write_file(bw_buf_slice(&text));
	bw_buf_done(&text);
}

static void play(struct bw_simulate_result **out, struct bw_scenario **scenario, const char *mode)
{
	const struct bw_simulate_options options = { .ctx = NULL };
	struct bw_why why = { "" };

	assert_int_equal(bw_scenario_of_list(path, "list@b.example", 5000, scenario, &why), BW_OK);
	assert_int_equal(bw_scenario_set(*scenario, BW_S("mode"), bw_slice_of(mode), &why), BW_OK);
	if (bw_simulate_archive(*scenario, path, &options, out, &why) != BW_OK)
		fail_msg("%s", why.text);
}

/* Who wrote it is taken from where list managers leave it; the same storm trips, or, of one person, does not. */
static void senders_are_told_apart(void **state)
{
	static const struct {
		const char *author;
		size_t trips;
	} rows[] = {
		{ "From: p#@b.example\n", 1 },
		{ "From: one@b.example\n", 0 },
		{ "From: P via List <list@b.example>\nX-MailFrom: p#@b.example\n", 1 },
		{ "From: P via List <list@b.example>\nReply-To: p#@b.example\n", 1 },
		{ "From: P# via List <list@b.example>\n", 1 },
		{ "From: P via List <list@b.example>\n", 0 },
		{ "From: P via List <other@lists.example>\nX-MailFrom: p#@b.example\nList-Post: <mailto:other@lists.example>\n", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bw_simulate_result *r = NULL;
		struct bw_scenario *scenario = NULL;

		write_storm(11, rows[i].author);
		play(&r, &scenario, "enforce");
		assert_int_equal(r->messages, 12);
		assert_int_equal(r->posts, 12);
		assert_int_equal(r->replies, 11);
		if (r->trip_count != rows[i].trips || r->legitimate_held_count != rows[i].trips)
			fail_msg("%s: %zu trips, %zu held", rows[i].author, r->trip_count, r->legitimate_held_count);
		bw_simulate_result_free(&r);
		bw_scenario_free(&scenario);
	}
}

static void shadow_says_what_would_have_been(void **state)
{
	struct bw_simulate_result *r = NULL;
	struct bw_scenario *scenario = NULL;

	(void)state;
	write_storm(13, "From: p#@b.example\n");
	play(&r, &scenario, "shadow");
	assert_int_equal(r->held, 0);
	assert_int_equal(r->deliveries_with, r->deliveries_without);
	assert_int_equal(r->shadow_stopped, 3);
	assert_int_equal(r->legitimate_held_count, 3);
	assert_string_equal(r->legitimate_held[0].message_id, "11@b.example");
	assert_string_equal(r->legitimate_held[0].from, "p11@b.example");
	assert_int_equal(r->legitimate_held[0].action, BW_HOLD);
	assert_int_equal(r->legitimate_held[0].guard, BW_GUARD_CONVERSATION);
	assert_int_equal(r->legitimate_held[0].when_ms, INT64_C(1614686411000));
	assert_int_equal(r->trip_count, 1);
	assert_int_equal(r->first_trip.at_ms, 11000);
	assert_int_equal(r->first_trip.ordinal, 11);
	bw_simulate_result_free(&r);
	bw_scenario_free(&scenario);
}

static void no_words_hide_in_an_address(void **state)
{
	static const char *const rows[] = { "", "x", "a b@c.example", "a@c.example\nset mode shadow", "\"a b\"@c.example", "a#b@c.example", "<>" };
	struct bw_scenario *scenario = NULL;
	struct bw_why why;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(bw_scenario_of_list("x", rows[i], 5, &scenario, &why), BW_ERR_INPUT);
	assert_null(scenario);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_lines_are_read),
		cmocka_unit_test(messages_come_in_order_of_time),
		cmocka_unit_test(refused_files),
		cmocka_unit_test(large_messages_are_cut),
		cmocka_unit_test(fields_are_split),
		cmocka_unit_test(senders_are_told_apart),
		cmocka_unit_test(shadow_says_what_would_have_been),
		cmocka_unit_test(no_words_hide_in_an_address),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
