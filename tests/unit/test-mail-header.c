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

/* --- a header made of "Name: value" lines, each line one field --- */

static bool is_ours(void *ctx, struct bw_slice name)
{
	size_t *asked = ctx;

	++*asked;
	return bw_slice_equal(name, BW_S("all@nhs.example")) || bw_slice_equal(name, BW_S("staff@nhs.example")) ||
	       bw_slice_equal(name, BW_S("all.nhs.example")) || bw_slice_equal(name, BW_S("a+b@nhs.example"));
}

struct made {
	struct bw_arena *arena;
	struct bw_header h;
	size_t asked;
};

static void add_lines(struct bw_header_parser *p, const char *const lines[])
{
	for (size_t i = 0; lines[i] != NULL; i++) {
		struct bw_slice line = bw_slice_of(lines[i]);
		size_t colon = bw_slice_find(line, ':');

		bw_header_add(p, bw_slice_head(line, colon), bw_slice_from(line, colon + 1));
	}
}

static void make(struct made *m, const char *const lines[])
{
	m->asked = 0;
	m->arena = bw_arena_new(2 << 20);
	struct bw_header_parser *p = bw_header_new(m->arena, is_ours, &m->asked);

	assert_non_null(p);
	add_lines(p, lines);
	bw_header_done(p, false, &m->h);
	bw_header_free(&p);
	assert_null(p);
	bw_header_free(&p);
}

static void drop(struct made *m)
{
	bw_arena_free(&m->arena);
}

static void expect_slice(struct bw_slice s, const char *text)
{
	if (!bw_slice_equal(s, bw_slice_of(text)))
		fail_msg("<%.*s>, expected <%s>", (int)s.n, s.n == 0 ? "" : s.p, text);
}

static void a_message_becomes_facts(void **state)
{
	struct made m;

	(void)state;
	make(&m, (const char *const[]){
		"Received: from a by b", "Received: from b by c", "received: from c\r\n\tby d",
		"Message-ID: <one@host.example>", "Message-ID: <two@host.example>",
		"From: \"Ann\" <Ann+x@NHS.example>, bob@nhs.example", "Date: Mon, 14 Nov 2016 08:29:00 +0000",
		"Subject: =?utf-8?q?Re=3A?=\r\n  Test", "To: Everybody <All@nhs.example>", "Cc: staff+news@nhs.example, x@other.example",
		"In-Reply-To: <root@host.example>", "References: <root@host.example> <next@host.example>",
		"List-Id: Every Body <ALL.nhs.example>", "List-Post: <mailto:staff@nhs.example>",
		"Disposition-Notification-To: ann@nhs.example", "X-Breakwater-Held: v=1; id=5", NULL });
	assert_int_equal(m.h.received, 3);
	expect_slice(m.h.message_id, "one@host.example");
	expect_slice(m.h.from, "ann+x@nhs.example");
	expect_slice(m.h.date, "Mon, 14 Nov 2016 08:29:00 +0000");
	expect_slice(m.h.subject, "=?utf-8?q?Re=3A?=  Test");
	expect_slice(m.h.base_subject, "test");
	assert_true(m.h.reply_prefix);
	assert_true(m.h.looks_like_reply);
	assert_true(m.h.has_references);
	assert_int_equal(m.h.in_reply_to_count, 1);
	assert_int_equal(m.h.references_count, 2);
	assert_int_equal(m.h.named_count, 3);
	expect_slice(m.h.named[0], "all@nhs.example");
	expect_slice(m.h.named[1], "staff@nhs.example");
	expect_slice(m.h.named[2], "all.nhs.example");
	expect_slice(m.h.list_id, "all.nhs.example");
	assert_true(m.h.list_post && m.h.list_headers);
	assert_true(m.h.receipt_requested);
	assert_true(m.h.held_mark);
	expect_slice(m.h.held_mark_text, "v=1; id=5");
	assert_false(m.h.cut);
	drop(&m);
}

static void nothing_gives_no_facts(void **state)
{
	struct made m;

	(void)state;
	make(&m, (const char *const[]){ NULL });
	assert_int_equal(m.h.class, BW_CLASS_HUMAN);
	assert_int_equal(m.h.evidence, BW_EVIDENCE_NONE);
	assert_string_equal(m.h.class_reason, "");
	assert_int_equal(m.h.named_count + m.h.references_count + m.h.in_reply_to_count + m.h.received, 0);
	assert_false(m.h.looks_like_reply || m.h.list_headers || m.h.has_thread_root || m.h.cut);
	assert_int_equal(m.h.message_id.n, 0);
	drop(&m);
}

static void details_follow_the_site(void **state)
{
	static const struct {
		char detail;
		const char *to, *named;
	} rows[] = {
		{ '+', "all+x@nhs.example", "all@nhs.example" },
		{ '+', "a+b@nhs.example", "a+b@nhs.example" },   /* a list of that very name */
		{ 0, "all+x@nhs.example", NULL },
		{ '-', "all-x@nhs.example", "all@nhs.example" },
		{ '-', "all+x@nhs.example", NULL },
		{ '+', "ALL@NHS.EXAMPLE.", "all@nhs.example" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bw_arena *arena = bw_arena_new(1 << 20);
		size_t asked = 0;
		struct bw_header_parser *p = bw_header_new(arena, is_ours, &asked);
		struct bw_header h;

		bw_header_set_detail(p, rows[i].detail);
		bw_header_add(p, BW_S("To"), bw_slice_of(rows[i].to));
		bw_header_done(p, false, &h);
		assert_int_equal(h.named_count, rows[i].named != NULL);
		if (rows[i].named != NULL)
			expect_slice(h.named[0], rows[i].named);
		bw_header_free(&p);
		bw_arena_free(&arena);
	}
}

static void looking_like_a_reply(void **state)
{
	static const struct {
		const char *line;
		bool reply;
	} rows[] = {
		{ "Subject: test", false },
		{ "Subject: Re: test", true },
		{ "Subject: Fwd: test", false },
		{ "Subject: [EXT] AW: test", true },
		{ "In-Reply-To: <a@host.example>", true },
		{ "In-Reply-To: Your message of Monday", true },
		{ "In-Reply-To: ", false },
		{ "References: <a@host.example>", true },
		{ "References:  \r\n ", false },
		{ "Thread-Index: AQHXD5U+lyuwLQ8xGUauybN6tbpVHQ==", false },
		{ "Thread-Index: AcmK80zS8L6DgfKxTMON80Obs/ge4QAAAAOa", true },
		{ "Thread-Index: not base64!", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct made m;

		make(&m, (const char *const[]){ rows[i].line, NULL });
		if (m.h.looks_like_reply != rows[i].reply)
			fail_msg("%s: %d", rows[i].line, m.h.looks_like_reply);
		drop(&m);
	}
}

/* --- ids --- */

static void join_ids(const struct bw_slice *ids, size_t count, char *out, size_t size)
{
	out[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(out);

		snprintf(out + n, size - n, "%s%.*s", n == 0 ? "" : " ", (int)ids[i].n, ids[i].p);
	}
}

static void ids_are_found(void **state)
{
	static const struct {
		const char *references, *found;
	} rows[] = {
		{ "<a@x> <b@x> <c@x>", "a@x b@x c@x" },
		{ "<a@x><b@x>,<c@x>", "a@x b@x c@x" },
		{ "<a@x> <b@x> <a@x> <b@x> <c@x>", "a@x b@x c@x" },
		{ "<1@x> <2@x> <3@x> <4@x> <5@x> <6@x> <7@x> <8@x>", "1@x 2@x 3@x 4@x 5@x 6@x 7@x 8@x" },
		{ "<1@x> <2@x> <3@x> <4@x> <5@x> <6@x> <7@x> <8@x> <9@x> <10@x>", "1@x 2@x 5@x 6@x 7@x 8@x 9@x 10@x" },
		{ "<a@\r\n x>\r\n\t<b@x>", "a@x b@x" },
		{ "<a@x> (see <c@x>) <b@x>", "a@x b@x" },
		{ "a@x b@x", "a@x b@x" },
		{ "<no-at>", "no-at" },
		{ "<broken <a@x>", "a@x" },
		{ "<never closed", "" },
		{ "<>", "" },
		{ "<a@x> (never closed <b@x>", "a@x" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char field[300], found[300];
		struct made m;

		snprintf(field, sizeof(field), "References: %s", rows[i].references);
		make(&m, (const char *const[]){ field, NULL });
		join_ids(m.h.references, m.h.references_count, found, sizeof(found));
		assert_string_equal(found, rows[i].found);
		assert_true(m.h.has_references);
		drop(&m);
	}
}

static void free_text_is_no_id(void **state)
{
	static const struct {
		const char *in_reply_to, *found;
	} rows[] = {
		{ "<a@x>", "a@x" },
		{ "<a@x> <b@x>", "a@x b@x" },
		{ "<a@x> (Ann's message of Monday)", "a@x" },
		{ "Your message of Monday", "" },
		{ "Message from Ann <ann@nhs.example> of Monday", "" },
		{ "Message from Ann <ann@nhs.example> of \"Mon\" <20161114082900.1234@nhs.example>", "20161114082900.1234@nhs.example" },
		{ "Ann's <20161114.4711@nhs.example>", "20161114.4711@nhs.example" },
		{ "20161114@nhs.example", "20161114@nhs.example" },
		{ "ann@nhs.example", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char field[300], found[300];
		struct made m;

		snprintf(field, sizeof(field), "In-Reply-To: %s", rows[i].in_reply_to);
		make(&m, (const char *const[]){ field, NULL });
		join_ids(m.h.in_reply_to, m.h.in_reply_to_count, found, sizeof(found));
		if (strcmp(found, rows[i].found) != 0)
			fail_msg("%s: <%s>, expected <%s>", rows[i].in_reply_to, found, rows[i].found);
		drop(&m);
	}
}

static void message_ids(void **state)
{
	static const struct {
		const char *field, *id;
	} rows[] = {
		{ "Message-ID: <a@x>", "a@x" },
		{ "MESSAGE-ID:<a@x> (comment)", "a@x" },
		{ "Message-Id: a@x", "a@x" },
		{ "Message-Id:\r\n <a@x>", "a@x" },
		{ "Message-Id: <a b@x>", "ab@x" },
		{ "Message-Id: ", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct made m;

		make(&m, (const char *const[]){ rows[i].field, NULL });
		expect_slice(m.h.message_id, rows[i].id);
		drop(&m);
	}
}

static void thread_indexes(void **state)
{
	static const struct {
		const char *value;
		bool good, longer;
		uint8_t first; /* byte of the conversation id */
	} rows[] = {
		{ "AQHXD5U+lyuwLQ8xGUauybN6tbpVHQ==", true, false, 0x97 },
		{ " AQHXD5U+lyuwLQ8x\r\n\tGUauybN6tbpVHQ== ", true, false, 0x97 },
		{ "AcmK80zS8L6DgfKxTMON80Obs/ge4QAAAAOa", true, true, 0xF0 },
		{ "AcmK80zS8L6DgfKxTMON80Obs/ge4QA=", true, true, 0xF0 },
		{ "AQHXD5U+lyuwLQ8xGUauybN6tbpV", false, false, 0 },
		{ "AQHXD5U+lyuwLQ8xGUauybN6tbpVHQ==x", false, false, 0 },
		{ "AQHXD5U+lyuwLQ8xGUauybN6tbpVHQ===", false, false, 0 },
		{ "AQHXD5U_lyuwLQ8xGUauybN6tbpVHQ==", false, false, 0 },
		{ "", false, false, 0 },
		{ "====", false, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t root[16] = { 0 };
		bool longer = false;

		assert_int_equal(bw_thread_index(bw_slice_of(rows[i].value), root, &longer), rows[i].good);
		assert_int_equal(longer, rows[i].longer);
		assert_int_equal(root[0], rows[i].first);
	}
}

/* --- bounds --- */

static void ten_thousand_recipients_cost_no_memory(void **state)
{
	struct bw_arena *arena = bw_arena_new(2 << 20);
	size_t asked = 0;
	struct bw_header_parser *p = bw_header_new(arena, is_ours, &asked);
	struct bw_header h;
	char field[4096];

	(void)state;
	for (int i = 0; i < 10000; i += 100) {
		size_t n = 0;

		for (int j = 0; j < 100; j++)
			n += (size_t)snprintf(field + n, sizeof(field) - n, "user%d@other.example,", i + j);
		bw_header_add(p, i % 200 == 0 ? BW_S("To") : BW_S("Cc"), (struct bw_slice){ field, n });
	}
	bw_header_add(p, BW_S("Cc"), BW_S("last@other.example, all@nhs.example, all@nhs.example"));
	assert_int_equal(asked, 10003);
	bw_header_done(p, false, &h);
	assert_int_equal(h.named_count, 1);
	assert_false(h.cut);
	assert_true(bw_arena_used(arena) < 4096);
	bw_header_free(&p);
	bw_arena_free(&arena);
}

/* Time is bounded too: what needs a grammar, mailboxes and fields are read up to a number, and `cut` says so. */
static void hostile_headers_cost_bounded_time(void **state)
{
	static const struct {
		const char *name, *unit;
		size_t times, fields;
		bool cut;
	} rows[] = {
		{ "To", "a@b.example,", 1000, 10, false },
		{ "To", "a@b.example,", 5000, 5, true },        /* more than 20,000 mailboxes */
		{ "To", "\"x\" <a@b.example>,", 1000, 10, false }, /* brackets need no grammar */
		{ "Cc", "a@b.example(x),", 500, 4, false },
		{ "Cc", "a@b.example(x),", 500, 20, true },     /* comments do */
		{ "X", "x", 1, 5000, false },
		{ "X", "x", 1, 50000, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bw_arena *arena = bw_arena_new(1 << 20);
		size_t asked = 0;
		struct bw_header_parser *p = bw_header_new(arena, is_ours, &asked);
		struct bw_header h;
		struct bw_buf value;

		bw_buf_init(&value, 1 << 16);
		for (size_t j = 0; j < rows[i].times; j++)
			bw_buf_add_text(&value, rows[i].unit);
		for (size_t j = 0; j < rows[i].fields; j++)
			bw_header_add(p, bw_slice_of(rows[i].name), bw_buf_slice(&value));
		bw_header_done(p, false, &h);
		assert_int_equal(h.cut, rows[i].cut);
		assert_in_range(asked, 0, 20000);
		bw_buf_done(&value);
		bw_header_free(&p);
		bw_arena_free(&arena);
	}
}

static bool want_all(void *ctx, struct bw_slice name)
{
	(void)ctx;
	(void)name;
	return true;
}

static void no_more_names_than_there_is_room_for(void **state)
{
	struct bw_arena *arena = bw_arena_new(2 << 20);
	struct bw_header_parser *p = bw_header_new(arena, want_all, NULL);
	struct bw_header h;

	(void)state;
	for (int i = 0; i < 500; i++) {
		char field[64];

		snprintf(field, sizeof(field), "user%d@other.example", i);
		bw_header_add(p, BW_S("To"), bw_slice_of(field));
	}
	bw_header_done(p, false, &h);
	assert_int_equal(h.named_count, BW_HEADER_ADDRESSES_MAX);
	assert_true(h.cut);
	bw_header_free(&p);
	bw_arena_free(&arena);
}

/* A header of many megabytes: what is behind the bound is not read, and nothing grows. */
static void a_huge_header_is_cut(void **state)
{
	static char big[200000];
	struct bw_arena *arena = bw_arena_new(2 << 20);
	struct bw_header_parser *p = bw_header_new(arena, NULL, NULL);
	struct bw_header h;

	(void)state;
	memset(big, 'x', sizeof(big));
	bw_header_add(p, BW_S("Subject"), (struct bw_slice){ big, sizeof(big) });
	for (int i = 0; i < 100; i++)
		bw_header_add(p, BW_S("X-Junk"), (struct bw_slice){ big, sizeof(big) });
	bw_header_add(p, BW_S("Message-ID"), BW_S("<late@host.example>"));
	bw_header_add(p, (struct bw_slice){ big, sizeof(big) }, BW_S("value"));
	bw_header_done(p, false, &h);
	assert_int_equal(h.subject.n, 998);
	assert_int_equal(h.message_id.n, 0);
	assert_true(h.cut);
	assert_true(bw_arena_used(arena) < 8192);
	bw_header_free(&p);
	bw_arena_free(&arena);
}

/* Each allocation fails once: facts are missing, nothing breaks. */
static void a_small_arena_means_fewer_facts(void **state)
{
	(void)state;
	for (size_t cap = 0; cap < 6000; cap += 61) {
		struct bw_arena *arena = bw_arena_new(cap);
		struct bw_header_parser *p = bw_header_new(arena, want_all, NULL);
		struct bw_header h;

		add_lines(p, (const char *const[]){ "Subject: Re: test", "From: a@x.example", "To: b@x.example, c@x.example",
			"References: <1@x> <2@x> <3@x>", "In-Reply-To: <3@x>", "Message-ID: <4@x>", "List-Id: <l.x.example>",
			"Content-Type: multipart/mixed; boundary=b", NULL });
		bw_header_done(p, false, &h);
		if (cap == 0)
			assert_true(h.cut && h.subject.n == 0 && h.named_count == 0);
		assert_true(h.references_count <= 3);
		bw_header_free(&p);
		bw_arena_free(&arena);
	}
}

static void hostile_bytes_are_kept_apart(void **state)
{
	struct bw_arena *arena = bw_arena_new(1 << 20);
	struct bw_header_parser *p = bw_header_new(arena, want_all, NULL);
	struct bw_header h;

	(void)state;
	bw_header_add(p, BW_S("Subject"), BW_S("Re: a\0b\r\nInjected: yes\x1b[2J"));
	bw_header_add(p, BW_S("Message-ID"), BW_S("<a\0b\r\n@x>"));
	bw_header_add(p, BW_S("To"), BW_S("a\0b@x.example, \xff\xfe@x.example, c@x.example"));
	bw_header_add(p, BW_S("\0"), BW_S("value"));
	bw_header_add(p, BW_S(""), BW_S("value"));
	bw_header_add(p, BW_S("List-Id"), BW_S("<a\rb>"));
	bw_header_done(p, false, &h);
	assert_null(memchr(h.subject.p, '\n', h.subject.n));
	assert_null(memchr(h.subject.p, '\0', h.subject.n));
	expect_slice(h.message_id, "ab@x");
	assert_int_equal(h.list_id.n, 0);
	expect_slice(h.named[h.named_count - 1], "c@x.example");
	bw_header_free(&p);
	bw_arena_free(&arena);
}

/* --- identity --- */

static struct bw_hash identity_of(const char *const lines[], const char *sender, bool ours)
{
	static const struct bw_key key = { { 1, 2, 3 } };
	struct made m;

	make(&m, lines);
	struct bw_hash h = bw_mail_identity(&key, bw_slice_of(sender), &m.h, ours);

	drop(&m);
	return h;
}

static void identities_differ_where_they_should(void **state)
{
	static const char *const one[] = { "Message-ID: <1@x>", "From: a@x.example", "Date: today", "Subject: test", NULL };
	static const char *const same[] = { "Subject:  test", "Received: another hop", "Date: today", "From: Ann <A@x.example>",
		                                "Message-ID: <1@x>", NULL };
	static const char *const others[][5] = {
		{ "Message-ID: <2@x>", "From: a@x.example", "Date: today", "Subject: test", NULL },
		{ "Message-ID: <1@x>", "From: b@x.example", "Date: today", "Subject: test", NULL },
		{ "Message-ID: <1@x>", "From: a@x.example", "Date: tomorrow", "Subject: test", NULL },
		{ "Message-ID: <1@x>", "From: a@x.example", "Date: today", "Subject: testing", NULL },
		{ "Message-ID: <1@x>", "From: a@x.example", "Date: todayt", "Subject: est", NULL },
	};
	struct bw_hash h = identity_of(one, "auth:ann", false), other;

	(void)state;
	other = identity_of(same, "auth:ann", false);
	assert_true(bw_hash_equal(&h, &other));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		other = identity_of(others[i], "auth:ann", false);
		assert_false(bw_hash_equal(&h, &other));
	}
	other = identity_of(one, "auth:bob", false);
	assert_false(bw_hash_equal(&h, &other));
	/* An id of our own making is none: each retry brings another. */
	h = identity_of(one, "auth:ann", true);
	other = identity_of(others[0], "auth:ann", true);
	assert_true(bw_hash_equal(&h, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_becomes_facts),
		cmocka_unit_test(nothing_gives_no_facts),
		cmocka_unit_test(details_follow_the_site),
		cmocka_unit_test(looking_like_a_reply),
		cmocka_unit_test(ids_are_found),
		cmocka_unit_test(free_text_is_no_id),
		cmocka_unit_test(message_ids),
		cmocka_unit_test(thread_indexes),
		cmocka_unit_test(ten_thousand_recipients_cost_no_memory),
		cmocka_unit_test(hostile_headers_cost_bounded_time),
		cmocka_unit_test(no_more_names_than_there_is_room_for),
		cmocka_unit_test(a_huge_header_is_cut),
		cmocka_unit_test(a_small_arena_means_fewer_facts),
		cmocka_unit_test(hostile_bytes_are_kept_apart),
		cmocka_unit_test(identities_differ_where_they_should),
	};

	bw_mail_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
