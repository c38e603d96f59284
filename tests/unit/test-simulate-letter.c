/* link: bw_simulate bw_mail bw_base */
/* Simulated messages are what their kind says, in the eyes of the very parser that judges real ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../milter/simulate/letter.h"
#include "../../milter/simulate/schedule.h"

static const char *const chain[] = { "root@nhs.example", "parent@nhs.example" };

static struct letter letter_of(enum mail_kind kind)
{
	return (struct letter){
		.kind = kind,
		.from = BW_S("u4@nhs.example"),
		.to = BW_S("all@nhs.example,b@nhs.example"),
		.subject = BW_S("test subject"),
		.prefix = true,
		.message_id = BW_S("7.4@simulate.nhs.example"),
		.date_ms = INT64_C(1479112140000),
		.references = chain,
		.reference_count = kind == KIND_POST || kind == KIND_LIST_OUTPUT || kind == KIND_RECALL ? 0 : 2,
		.list_address = BW_S("all@nhs.example"),
	};
}

static void a_reply_reads_as_its_program_would_write_it(void **state)
{
	struct letter letter = letter_of(KIND_REPLY);
	struct bw_buf head;

	(void)state;
	bw_buf_init(&head, 4096);
	bw_letter_write_head(&letter, &head);
	assert_string_equal(bw_buf_text(&head), "Date: Mon, 14 Nov 2016 08:29:00 +0000\n"
	                                        "From: u4@nhs.example\n"
	                                        "To: all@nhs.example,\n b@nhs.example\n"
	                                        "Subject: Re: test subject\n"
	                                        "Message-ID: <7.4@simulate.nhs.example>\n"
	                                        "In-Reply-To: <parent@nhs.example>\n"
	                                        "References: <root@nhs.example>\n <parent@nhs.example>\n"
	                                        "MIME-Version: 1.0\n"
	                                        "Content-Type: text/plain; charset=utf-8\n");
	bw_buf_done(&head);
}

/* One field at a time, as bw_letter_feed() hands them to a session. */
static void feed(struct bw_header_parser *parser, struct bw_slice head)
{
	while (head.n > 0) {
		size_t n = bw_slice_find(head, '\n');

		while (n + 1 < head.n && head.p[n + 1] == ' ')
			n += 1 + bw_slice_find(bw_slice_from(head, n + 1), '\n');
		struct bw_slice field = bw_slice_head(head, n);
		size_t colon = bw_slice_find(field, ':');

		bw_header_add(parser, bw_slice_head(field, colon), bw_slice_trim(bw_slice_from(field, colon + 1)));
		head = bw_slice_from(head, n + 1);
	}
}

static void read_letter(const struct letter *letter, struct bw_arena *arena, struct bw_header *out)
{
	struct bw_header_parser *parser = bw_header_new(arena, NULL, NULL);
	struct bw_buf text;

	assert_non_null(parser);
	bw_buf_init(&text, 16384);
	bw_letter_write_head(letter, &text);
	feed(parser, bw_buf_slice(&text));
	bw_buf_reset(&text);
	bw_letter_write_body(letter, &text);
	(void)bw_header_body(parser, bw_buf_slice(&text));
	bw_header_done(parser, bw_letter_has_null_sender(letter->kind), out);
	bw_header_free(&parser);
	bw_buf_done(&text);
}

static void each_kind_is_recognised(void **state)
{
	static const struct {
		enum mail_kind kind;
		enum bw_class class;
		bool reply;
	} rows[] = {
		{ KIND_POST, BW_CLASS_HUMAN, false },
		{ KIND_REPLY, BW_CLASS_HUMAN, true },
		{ KIND_AUTO_REPLY, BW_CLASS_AUTO_REPLY, true },
		{ KIND_MDN, BW_CLASS_MDN, true },
		{ KIND_DSN, BW_CLASS_DSN, true },
		{ KIND_RECALL, BW_CLASS_RECALL, false },
		{ KIND_CALENDAR_REPLY, BW_CLASS_CALENDAR_REPLY, true },
	};

	(void)state;
	bw_mail_init();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct letter letter = letter_of(rows[i].kind);
		struct bw_arena *arena = bw_arena_new(1 << 20);
		struct bw_header header;

		read_letter(&letter, arena, &header);
		if (header.class != rows[i].class)
			fail_msg("%s is taken for %s", bw_scenario_kind_name(rows[i].kind), bw_class_name(header.class));
		assert_int_equal(header.looks_like_reply, rows[i].reply);
		assert_true(bw_slice_equal(header.message_id, letter.message_id));
		bw_arena_free(&arena);
	}
}

static void list_output_names_its_list(void **state)
{
	struct letter letter = letter_of(KIND_LIST_OUTPUT);
	struct bw_arena *arena = bw_arena_new(1 << 20);
	struct bw_header header;

	(void)state;
	bw_mail_init();
	read_letter(&letter, arena, &header);
	assert_true(header.list_headers);
	assert_true(header.list_post);
	assert_true(bw_slice_equal(header.list_id, BW_S("all.nhs.example")));
	assert_false(header.looks_like_reply);
	bw_arena_free(&arena);
}

/* Whatever its script and length, a subject comes back as it was written. */
static void subjects_survive_their_encoding(void **state)
{
	static const char *const subjects[] = {
		"test",
		"Bitte löschen",
		"回复：请停止全部回复",
		"Ö",
		"ääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää ende",
		"😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀 x",
	};

	(void)state;
	bw_mail_init();
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		struct letter plain = letter_of(KIND_POST), reply = letter_of(KIND_REPLY);
		struct bw_arena *arena = bw_arena_new(1 << 20);
		struct bw_header a, b;
		bool is_reply = false;

		plain.subject = reply.subject = bw_slice_of(subjects[i]);
		read_letter(&plain, arena, &a);
		read_letter(&reply, arena, &b);
		struct bw_slice base = bw_subject_base(arena, bw_slice_of(subjects[i]), &is_reply);

		if (!bw_slice_equal(a.base_subject, base) || !bw_slice_equal(b.base_subject, base))
			fail_msg("%s: '%.*s' and '%.*s' for '%.*s'", subjects[i], (int)a.base_subject.n, a.base_subject.p,
			         (int)b.base_subject.n, b.base_subject.p, (int)base.n, base.p);
		assert_true(b.reply_prefix);
		bw_arena_free(&arena);
	}
}

/* By time, then by place in the file, then by number. */
static void what_is_due_comes_in_order(void **state)
{
	static const struct statement first = { .index = 0 }, second = { .index = 1 };
	static const struct due rows[] = {
		{ 0, &first, 0, 0, NULL },  { 5, &first, 1, 0, NULL },  { 5, &first, 7, 1, NULL },
		{ 5, &second, 0, 0, NULL }, { 6, &second, 1, 0, NULL }, { 9, &first, 2, 0, NULL },
	};
	enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
	struct schedule schedule = { 0 };
	struct due due;

	(void)state;
	for (size_t i = 0; i < ROWS; i++)
		assert_true(bw_schedule_add(&schedule, &rows[(i * 5 + 3) % ROWS]));
	for (size_t i = 0; i < ROWS; i++) {
		assert_true(bw_schedule_take(&schedule, &due));
		assert_int_equal(due.at_ms, rows[i].at_ms);
		assert_ptr_equal(due.statement, rows[i].statement);
		assert_int_equal(due.number, rows[i].number);
	}
	assert_false(bw_schedule_take(&schedule, &due));
	bw_schedule_done(&schedule);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reply_reads_as_its_program_would_write_it),
		cmocka_unit_test(each_kind_is_recognised),
		cmocka_unit_test(list_output_names_its_list),
		cmocka_unit_test(subjects_survive_their_encoding),
		cmocka_unit_test(what_is_due_comes_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
