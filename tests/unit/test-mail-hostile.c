/* link: bw_session bw_engine bw_mail bw_store bw_config bw_directory bw_settings bw_base */
/* What strangers send: a header that is all references, ten thousand recipients, broken encodings, bytes that are no text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>

#include "bw/session.h"
#include "eml.h"

/* Bytes with NULs among them. */
#define T(text) { text, sizeof(text) - 1 }

struct message {
	struct bw_arena *arena;
	struct bw_header_parser *parser;
	struct bw_header h;
};

static void start(struct message *m, size_t arena, bool (*want)(void *ctx, struct bw_slice address), void *ctx)
{
	m->arena = bw_arena_new(arena);
	m->parser = bw_header_new(m->arena, want, ctx);
	assert_non_null(m->parser);
}

static void field(struct message *m, const char *name, struct bw_slice value)
{
	bw_header_add(m->parser, bw_slice_of(name), value);
}

static void finish(struct message *m)
{
	bw_header_done(m->parser, false, &m->h);
}

static void drop(struct message *m)
{
	bw_header_free(&m->parser);
	bw_arena_free(&m->arena);
}

/* --- 64 KiB of References, and as many fields of them as a header may have --- */

static void expect_id(struct bw_slice id, int number)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%d.reference@host.example", number);
	assert_true(bw_slice_equal(id, bw_slice_of(text)));
}

static void references_of_64_kib(void **state)
{
	struct message m;
	struct bw_buf value;
	int count = 0;

	(void)state;
	bw_buf_init(&value, 64 << 10);
	while (value.n + 64 < (64 << 10))
		bw_buf_printf(&value, "%s<%d.reference@host.example>", count == 0 ? "" : "\r\n\t", count), count++;
	start(&m, 64 << 10, NULL, NULL);
	field(&m, "References", bw_buf_slice(&value));
	finish(&m);
	assert_in_range(count, 1000, 10000);
	assert_int_equal(m.h.references_count, BW_REFERENCES_FIRST + BW_REFERENCES_LAST);
	for (int i = 0; i < BW_REFERENCES_FIRST; i++)
		expect_id(m.h.references[i], i);
	for (int i = 0; i < BW_REFERENCES_LAST; i++)
		expect_id(m.h.references[BW_REFERENCES_FIRST + i], count - BW_REFERENCES_LAST + i);
	assert_true(m.h.looks_like_reply);
	assert_false(m.h.cut);
	/* The field was 64 KiB; what is kept of it is not. */
	assert_in_range(bw_arena_used(m.arena), 1, 4096);
	drop(&m);
	bw_buf_done(&value);
}

/* One id that fills the field, ids that never end, nothing but brackets, or the same id a thousand times. */
static void references_that_are_none(void **state)
{
	static const char *const fillers[] = { "x", "<", ">", "<a@b", "<a@b>", "(", "\\", "\r\n ", "\"", "<>" };
	struct bw_buf value;
	struct message m;

	(void)state;
	bw_buf_init(&value, 64 << 10);
	for (size_t i = 0; i < sizeof(fillers) / sizeof(fillers[0]); i++) {
		bw_buf_reset(&value);
		while (value.n + 8 < (64 << 10))
			bw_buf_add_text(&value, fillers[i]);
		start(&m, 64 << 10, NULL, NULL);
		field(&m, "References", bw_buf_slice(&value));
		field(&m, "In-Reply-To", bw_buf_slice(&value));
		field(&m, "Message-ID", bw_buf_slice(&value));
		finish(&m);
		assert_in_range(m.h.references_count, 0, 1);
		assert_in_range(m.h.message_id.n, 0, 998);
		assert_in_range(bw_arena_used(m.arena), 0, 8192);
		drop(&m);
	}
	bw_buf_done(&value);
}

/* --- 10,000 recipients in To --- */

struct asked {
	int count;
	const char *wanted;
};

static bool is_wanted(void *ctx, struct bw_slice address)
{
	struct asked *a = ctx;

	a->count++;
	return bw_slice_equal(address, bw_slice_of(a->wanted));
}

static void ten_thousand_addresses(void **state)
{
	static const char *const forms[] = { "u%d@host.example, ", "\"U, %d\" <u%d@host.example>,\r\n ", "<u%d@host.example>;" };
	struct bw_buf value;
	struct message m;

	(void)state;
	bw_buf_init(&value, 1 << 20);
	for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		struct asked asked = { 0, "all@host.example" };

		start(&m, 64 << 10, is_wanted, &asked);
		/* In fields of at most 64 KiB, as they pass through a milter. */
		for (int i = 0; i < 10000;) {
			bw_buf_reset(&value);
			for (; i < 10000 && value.n < 60000; i++)
				f == 0 ? bw_buf_printf(&value, "u%d@host.example, ", i)
				       : bw_buf_printf(&value, f == 1 ? "\"U, %d\" <u%d@host.example>,\r\n " : "<u%d@host.example>;", i, i);
			if (i == 10000)
				bw_buf_add_text(&value, "all@host.example");
			field(&m, "To", bw_buf_slice(&value));
		}
		finish(&m);
		assert_int_equal(asked.count, 10001);
		assert_int_equal(m.h.named_count, 1);
		assert_in_range(bw_arena_used(m.arena), 1, 1024);
		drop(&m);
	}
	bw_buf_done(&value);
}

/* --- a Thread-Index that is none --- */

static void thread_indexes_that_are_none(void **state)
{
	static const char *const rows[] = {
		"",
		"=",
		"====",
		"this is not base64",
		"AQHXD5U+lyuwLQ8xGUauybN6tbpVHQ==AQHXD5U+lyuwLQ8xGUauybN6tbpVHQ==", /* digits behind padding */
		"AQHXD5U+lyuwLQ8xGUauybN6tbpVH",                                    /* 21 bytes */
		"AQHXD5U-lyuwLQ8xGUauybN6tbpVHQ==",                                 /* the URL alphabet */
		"AQHXD5U+lyuwLQ8xGUauybN6tbpVHQ=\x00=",
		"<AQHXD5U+lyuwLQ8xGUauybN6tbpVHQ==>",
		"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6\xf5\xf4\xf3\xf2\xf1\xf0\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6\xf5\xf4\xf3\xf2",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", /* a conversation id of nothing but zeros ties strangers together */
	};
	struct message m;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		start(&m, 64 << 10, NULL, NULL);
		field(&m, "Thread-Index", bw_slice_of(rows[i]));
		field(&m, "Subject", BW_S("hello"));
		finish(&m);
		if (m.h.has_thread_root || m.h.thread_index_long || m.h.looks_like_reply)
			fail_msg("row %zu is taken for a Thread-Index", i);
		drop(&m);
	}
	/* And one that is: the rows above differ from it by what is wrong with them. */
	start(&m, 64 << 10, NULL, NULL);
	field(&m, "Thread-Index", BW_S(" AQHXD5U+lyuwLQ8xGUauybN6\r\n tbpVHQ== "));
	finish(&m);
	assert_true(m.h.has_thread_root);
	drop(&m);
}

/* --- subjects in broken encodings --- */

static bool is_utf8(struct bw_slice s)
{
	for (size_t i = 0; i < s.n;) {
		unsigned char c = (unsigned char)s.p[i];
		size_t n = c < 0x80 ? 1 : c >= 0xC2 && c < 0xE0 ? 2 : c >= 0xE0 && c < 0xF0 ? 3 : c >= 0xF0 && c < 0xF5 ? 4 : 0;

		if (n == 0 || i + n > s.n)
			return false;
		for (size_t k = 1; k < n; k++) {
			if (((unsigned char)s.p[i + k] & 0xC0) != 0x80)
				return false;
		}
		i += n;
	}
	return true;
}

/* The base subject is UTF-8 whatever came in, and what can be read of it is read. */
static void subjects_in_broken_encodings(void **state)
{
	static const struct {
		struct bw_slice subject;
		const char *holds; /* a piece of the base subject */
		bool reply;
	} rows[] = {
		{ T("Re: =?utf-8?B?w6TDtsO8?"), "=?utf-8?b?", true },                     /* never closed */
		{ T("Re: =?utf-8?B?w6TDtsO?= plan"), "plan", true },                      /* cut within a character */
		{ T("Re: =?utf-8?B?!!!!?= plan"), "plan", true },                         /* no base64 */
		{ T("Re: =?utf-8?Q?=ZZ=4?= plan"), "plan", true },                        /* no quoted-printable */
		{ T("Re: =?no-such-charset?Q?plan?="), "plan", true },
		{ T("Re: =?utf-8?X?plan?="), "plan", true },                              /* no such encoding */
		{ T("=?utf-8?Q?Re=3A_plan?="), "plan", true },
		{ T("=?iso-8859-1?Q?R=E9f=3A_plan?="), "plan", true },
		{ T("Re: pl\xe4n in Latin 1"), "n in latin 1", true },                    /* RFC 5322 knows no 8-bit */
		{ T("Re: \xff\xfe\xfd plan"), "plan", true },
		{ T("Re: \xed\xa0\x80 plan"), "plan", true },                             /* half of a surrogate pair */
		{ T("Re: \xc0\xaf plan"), "plan", true },                                 /* an overlong slash */
		{ T("Re: a\0b plan"), "plan", true },
		{ T("Re: one\rtwo plan"), "one two plan", true },                         /* a bare CR */
		{ T("Re:\r\n\tplan"), "plan", true },
		{ T("=?=?=?=?=?=?=?=?=?"), "=?", false },
		{ T("=?utf-8?Q?" "?= plan"), "plan", false },
		{ T("\r\n \r\n plan"), "plan", false },
	};
	struct message m;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		start(&m, 64 << 10, NULL, NULL);
		field(&m, "Subject", rows[i].subject);
		finish(&m);
		struct bw_slice base = m.h.base_subject;

		if (!is_utf8(base) || !bw_slice_contains_nocase(base, bw_slice_of(rows[i].holds)) || m.h.reply_prefix != rows[i].reply)
			fail_msg("row %zu: <%.*s>%s", i, (int)base.n, base.p, m.h.reply_prefix ? ", a reply" : "");
		drop(&m);
	}
}

/* A subject of 64 KiB, plain and of encoded words that each decode to little. */
static void subjects_of_64_kib(void **state)
{
	static const char *const pieces[] = { "x", "Re: ", "[x] ", "=?utf-8?Q?=41?= ", "=?utf-8?B?", "\xf0\x9f\x92\xa9", "\xef\xb7\xba", "((((", "\0" };
	struct bw_buf value;
	struct message m;

	(void)state;
	bw_buf_init(&value, 64 << 10);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		bw_buf_reset(&value);
		while (value.n + 32 < (64 << 10))
			pieces[i][0] == '\0' ? bw_buf_add_char(&value, '\0') : bw_buf_add_text(&value, pieces[i]);
		start(&m, 64 << 10, NULL, NULL);
		field(&m, "Subject", bw_buf_slice(&value));
		finish(&m);
		assert_in_range(m.h.subject.n, 0, 998);
		assert_in_range(m.h.base_subject.n, 0, 998);
		assert_true(is_utf8(m.h.base_subject));
		drop(&m);
	}
	bw_buf_done(&value);
}

/* --- NULs, bare CR, 8-bit --- */

/* Wherever one byte is put into a message, it is survived, and what stands before it is understood. */
static void any_byte_anywhere(void **state)
{
	static const char text[] =
		"From: \"A, B\" <a@x.example>\r\nTo: <all@x.example>, b@x.example\r\nSubject: =?utf-8?Q?Re=3A?= plan\r\nMessage-ID: <1@x.example>\r\n"
		"In-Reply-To: <0@x.example>\r\nThread-Index: AQHXD5U+lyuwLQ8xGUauybN6tbpVHQ==\r\n"
		"Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"b\"\r\n\r\n--b\r\nContent-Type: "
		"message/delivery-status\r\n\r\n--b--\r\n";
	static const char bytes[] = { '\0', '\r', '\n', '\x80', '\xff', '"', '(', '<', '=', ':', '\\', ' ' };
	char copy[sizeof(text)];

	(void)state;
	for (size_t at = 0; at + 1 < sizeof(text); at++) {
		for (size_t b = 0; b < sizeof(bytes); b++) {
			struct asked asked = { 0, "all@x.example" };
			struct eml mail = { copy, sizeof(text) - 1, false };
			struct message m;

			memcpy(copy, text, sizeof(text));
			copy[at] = bytes[b];
			start(&m, 64 << 10, is_wanted, &asked);
			eml_parse(&mail, m.parser, 7, false, &m.h);
			assert_true(m.h.class < BW_CLASS_COUNT);
			assert_true(m.h.base_subject.n == 0 || is_utf8(m.h.base_subject));
			if (at > 60 && bytes[b] != '\n' && bytes[b] != '\r' && at < sizeof(text) - 100)
				assert_int_equal(m.h.named_count, 1);
			drop(&m);
		}
	}
}

static void bytes_in_addresses_hide_no_list(void **state)
{
	static const struct {
		struct bw_slice to;
		size_t named;
	} rows[] = {
		{ T("all@x.example"), 1 },
		{ T("\0all@x.example"), 1 }, /* a NUL is a blank */
		{ T("a\xff@x.example, all@x.example"), 1 },
		{ T("\xff\xff\xff, all@x.example"), 1 },
		{ T("a@b@c, , ,, all@x.example"), 1 },
		{ T("a\rb@x.example,\rall@x.example"), 1 },
		{ T("undisclosed-recipients:;, all@x.example"), 1 },
		{ T("team: a@x.example, all@x.example;"), 1 },
		{ T("\"all@x.example\" <b@x.example>"), 0 }, /* a display name names nobody */
		{ T("(all@x.example) b@x.example"), 0 },
		{ T("ALL@X.EXAMPLE"), 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct asked asked = { 0, "all@x.example" };
		struct message m;

		start(&m, 64 << 10, is_wanted, &asked);
		field(&m, "To", rows[i].to);
		finish(&m);
		if (m.h.named_count != rows[i].named)
			fail_msg("row %zu names %zu lists, expected %zu", i, m.h.named_count, rows[i].named);
		drop(&m);
	}
}

/* --- To: names a list that is not in the envelope --- */

static struct bw_engine *make_engine(struct bw_store **store)
{
	static struct bw_list_entry list = { .address = { "all@x.example", 13 }, .size = 40000, .source = BW_SOURCE_CONFIG };
	const struct bw_engine_options options = { .host = "test" };
	struct bw_config *config = NULL;
	struct bw_world *world = NULL;
	struct bw_key key = { { 1 } };
	struct bw_buf skipped;
	struct bw_why why;

	bw_buf_init(&skipped, 1000);
	assert_int_equal(bw_store_sqlite_open(":memory:", 0, store, &why), BW_OK);
	assert_int_equal(bw_config_default(&config, &why), BW_OK);
	config->lists = &list;
	config->list_count = 1;
	assert_int_equal(bw_networks_add(&config->internal.expanders, BW_S("192.0.2.1"), &why), BW_OK);
	assert_int_equal(bw_networks_add(&config->internal.networks, BW_S("192.0.2.0/24"), &why), BW_OK);
	assert_int_equal(bw_world_load(&key, config, *store, &skipped, &world, &why), BW_OK);
	bw_buf_done(&skipped);
	return bw_engine_new(*store, world, &options);
}

/* From any client but an expander, headers make nothing list mail (semantics 2): it is ordinary mail, whose header nobody reads. */
static void a_list_in_to_alone_is_no_list_mail(void **state)
{
	static const struct {
		const char *ip;
		bool in_envelope;
		enum bw_step step;
		size_t lists;
	} rows[] = {
		{ "198.51.100.7", false, BW_STEP_ACCEPT, 0 },
		{ "192.0.2.9", false, BW_STEP_ACCEPT, 0 },
		{ "192.0.2.1", false, BW_STEP_GO_ON, 1 },
		{ "198.51.100.7", true, BW_STEP_GO_ON, 1 },
	};
	struct bw_store *store = NULL;
	struct bw_engine *engine = make_engine(&store);
	struct bw_session *s = bw_session_new(engine);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bw_session_connect(s, rows[i].ip, NULL);
		bw_session_mail(s, BW_S("<a@x.example>"), NULL, NULL, 0);
		bw_session_rcpt(s, rows[i].in_envelope ? BW_S("<all@x.example>") : BW_S("<b@x.example>"), NULL);
		assert_int_equal(bw_session_data(s), rows[i].step);
		bw_session_header(s, BW_S("To"), BW_S("all@x.example, other@x.example"));
		bw_session_header(s, BW_S("List-Id"), BW_S("<all.x.example>"));
		bw_session_header(s, BW_S("Subject"), BW_S("hello"));
		(void)bw_session_end(s, "queue", 1000000 + (int64_t)i);
		assert_int_equal(bw_session_facts(s)->list_count, rows[i].lists);
	}
	bw_session_free(&s);
	bw_engine_free(&engine);
	bw_store_close(&store);
}

/* --- messages that others found odd --- */

/* Cut into pieces of each size, and as one field of a header; under ASan in `make check`. */
static void odd_messages_are_survived(void **state)
{
	static const size_t steps[] = { 1, 61, 4096, 65536 };
	const char *set = getenv("BW_DATA");
	char folder[2048], path[4096];
	unsigned count = 0;

	(void)state;
	(void)snprintf(folder, sizeof(folder), "%s/malformed", set != NULL ? set : BW_SOURCE_DIR "/../shared/data");
	DIR *d = opendir(folder);

	if (d == NULL) {
		print_message("no odd messages in %s: the rows above and the fuzz corpus stand in for them\n", folder);
		return;
	}
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
		struct eml mail = { 0 };

		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		assert_true(eml_load(path, &mail));
		for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
			struct asked asked = { 0, "all@x.example" };
			struct message m;

			start(&m, 1 << 20, is_wanted, &asked);
			eml_parse(&mail, m.parser, steps[i], false, &m.h);
			assert_true(m.h.class < BW_CLASS_COUNT && m.h.class_reason != NULL);
			assert_true(m.h.base_subject.n == 0 || is_utf8(m.h.base_subject));
			drop(&m);
		}
		free(mail.bytes);
		count++;
	}
	closedir(d);
	print_message("%u odd messages survived\n", count);
	assert_true(count > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_of_64_kib),
		cmocka_unit_test(references_that_are_none),
		cmocka_unit_test(ten_thousand_addresses),
		cmocka_unit_test(thread_indexes_that_are_none),
		cmocka_unit_test(subjects_in_broken_encodings),
		cmocka_unit_test(subjects_of_64_kib),
		cmocka_unit_test(any_byte_anywhere),
		cmocka_unit_test(bytes_in_addresses_hide_no_list),
		cmocka_unit_test(a_list_in_to_alone_is_no_list_mail),
		cmocka_unit_test(odd_messages_are_survived),
	};

	bw_mail_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
