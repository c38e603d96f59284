/* link: bw_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bw/arena.h"
#include "bw/clock.h"
#include "bw/hash.h"
#include "bw/logline.h"
#include "bw/verdict.h"

static void a_buffer_never_passes_its_maximum(void **state)
{
	struct bw_buf b;

	(void)state;
	bw_buf_init(&b, 10);
	assert_string_equal(bw_buf_text(&b), "");
	bw_buf_add_text(&b, "12345678");
	assert_false(b.cut);
	bw_buf_add_text(&b, "abcd");
	assert_true(b.cut);
	assert_string_equal(bw_buf_text(&b), "12345678ab");
	bw_buf_printf(&b, "%d", 5);
	assert_int_equal(b.n, 10);
	bw_buf_reset(&b);
	bw_buf_printf(&b, "%0300d", 1);
	assert_int_equal(b.n, 10);
	assert_true(b.cut);
	bw_buf_done(&b);
}

static void an_arena_keeps_its_cap(void **state)
{
	struct bw_arena *arena = bw_arena_new(10000);
	size_t got = 0;

	(void)state;
	assert_non_null(arena);
	assert_null(bw_arena_alloc(arena, 10001));
	while (bw_arena_alloc(arena, 100) != NULL)
		got += 100;
	assert_in_range(got, 8000, 10000);
	bw_arena_reset(arena);
	assert_int_equal(bw_arena_used(arena), 0);
	const char *text = bw_arena_text(arena, BW_S("hold"));

	assert_string_equal(text, "hold");
	bw_arena_free(&arena);
	assert_null(arena);
	bw_arena_free(&arena);
}

static void log_lines_escape_hostile_bytes(void **state)
{
	static const struct {
		const char *value;
		const char *line;
	} rows[] = {
		{ "plain", "event=x k=plain" },
		{ "", "event=x k=\"\"" },
		{ "two words", "event=x k=\"two words\"" },
		{ "a=b", "event=x k=\"a=b\"" },
		{ "say \"no\"\\", "event=x k=\"say \\\"no\\\"\\\\\"" },
		{ "a\r\nevent=trip", "event=x k=\"a\\x0D\\x0Aevent=trip\"" },
		{ "\x1b[31m", "event=x k=\"\\x1B[31m\"" },
		{ "gr\xc3\xbc\xc3\x9f", "event=x k=\"gr\xc3\xbc\xc3\x9f\"" },
		{ "\xff\xfe", "event=x k=\"\\xFF\\xFE\"" },
		{ "\xc2\x9b" "31m", "event=x k=\"\\xC2\\x9B31m\"" },
		{ "\xe2\x82", "event=x k=\"\\xE2\\x82\"" },
		{ "\xed\xa0\x80", "event=x k=\"\\xED\\xA0\\x80\"" },
	};
	struct bw_buf line;

	(void)state;
	bw_buf_init(&line, BW_LOGLINE_MAX);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bw_logline_start(&line, "x");
		bw_logline_text(&line, "k", rows[i].value);
		assert_string_equal(bw_buf_text(&line), rows[i].line);
	}
	bw_buf_done(&line);
}

static void hashes_depend_on_key_use_and_text(void **state)
{
	struct bw_key one = { { 1 } }, two = { { 2 } };
	struct bw_hash a = bw_hash_slice(&one, "sender", BW_S("x"));
	struct bw_hash b = bw_hash_slice(&two, "sender", BW_S("x"));
	struct bw_hash c = bw_hash_slice(&one, "message", BW_S("x"));
	struct bw_hash d = bw_hash_slice(&one, "sender", BW_S("x")), parsed;
	char hex[2 * BW_HASH_BYTES + 1];

	(void)state;
	assert_false(bw_hash_equal(&a, &b));
	assert_false(bw_hash_equal(&a, &c));
	assert_true(bw_hash_equal(&a, &d));
	bw_hash_hex(&a, hex);
	assert_true(bw_hash_parse(bw_slice_of(hex), &parsed));
	assert_true(bw_hash_equal(&a, &parsed));
	assert_false(bw_hash_parse(BW_S("xyz"), &parsed));
	assert_false(bw_hash_parse(BW_S("zz112233445566778899aabbccddeeff"), &parsed));
}

/* A sum, not XOR: the same recipient twice does not cancel itself. */
static void fingerprints_ignore_order_but_not_doubles(void **state)
{
	struct bw_key key = { { 7 } };
	struct bw_hash x = bw_hash_slice(&key, "r", BW_S("x")), y = bw_hash_slice(&key, "r", BW_S("y"));
	struct bw_hash xy = { { 0 } }, yx = { { 0 } }, xxy = { { 0 } };

	(void)state;
	bw_hash_sum(&xy, &x);
	bw_hash_sum(&xy, &y);
	bw_hash_sum(&yx, &y);
	bw_hash_sum(&yx, &x);
	assert_true(bw_hash_equal(&xy, &yx));
	bw_hash_sum(&xxy, &x);
	bw_hash_sum(&xxy, &x);
	bw_hash_sum(&xxy, &y);
	assert_false(bw_hash_equal(&xxy, &y));
	assert_false(bw_hash_equal(&xxy, &xy));
}

static void the_secret_is_made_once_and_read_back(void **state)
{
	char folder[] = "/tmp/breakwater-key-XXXXXX", path[64];
	struct bw_key first, second;
	struct bw_why why;
	struct stat status;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/secret", folder);
	assert_int_equal(bw_key_load(path, false, &first, &why), BW_ERR_IO);
	assert_non_null(strstr(why.text, path));
	assert_int_equal(bw_key_load(path, true, &first, &why), BW_OK);
	assert_int_equal(bw_key_load(path, true, &second, &why), BW_OK);
	assert_memory_equal(first.b, second.b, sizeof(first.b));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs("not a secret\n", file);
	fclose(file);
	assert_int_equal(bw_key_load(path, true, &second, &why), BW_ERR_INPUT);
	unlink(path);
	rmdir(folder);
}

static void sentences(void **state)
{
	static const struct {
		struct bw_explain why;
		const char *text;
	} rows[] = {
		{ { .guard = BW_GUARD_NONE }, "" },
		{ { .guard = BW_GUARD_CONVERSATION, .rule = BW_RULE_CONVERSATION_SENDERS, .ordinal = 11, .limit = 10,
		    .window_ms = BW_HOUR_MS, .members = 22000, .list = { "all-state@utah.example", 22 } },
		  "conversation: 11th sender of at most 10 in 60 min to all-state@utah.example (22,000 members)" },
		{ { .guard = BW_GUARD_GATE, .rule = BW_RULE_GATE_FANOUT, .ordinal = 840000, .limit = 25000, .members = 840000,
		    .list = { "all@nhs.example", 15 } },
		  "gate: new post that would reach 840,000 mailboxes (25,000 or more need a poster) to all@nhs.example (840,000 members)" },
		{ { .guard = BW_GUARD_LIST, .rule = BW_RULE_BREAKER_OPEN, .members = 1, .since_ms = INT64_C(1479112140000),
		    .until_ms = INT64_C(1479119340000), .list = { "a@b", 3 } },
		  "list: mail is stopped to a@b (1 member) since 2016-11-14T08:29:00Z, at least until 2016-11-14T10:29:00Z" },
		{ { .guard = BW_GUARD_AUTOMATON, .rule = BW_RULE_AUTOMATON, .class = BW_CLASS_MDN, .members = 300, .list = { "a@b", 3 } },
		  "automaton: automatic message (mdn) to a@b (300 members)" },
		{ { .guard = BW_GUARD_LIST, .rule = BW_RULE_FORCED_OPEN, .members = 300, .list = { "a@b", 3 },
		    .redirect = BW_REDIRECT_POSTER, .target = { "c@b", 3 } },
		  "list: an operator stopped mail to a@b (300 members); it goes to who began the conversation, c@b" },
		{ { .guard = BW_GUARD_LIST, .rule = BW_RULE_FORCED_OPEN, .members = 300, .list = { "a@b", 3 },
		    .redirect = BW_REDIRECT_NOBODY },
		  "list: an operator stopped mail to a@b (300 members); not redirected, there is neither a proven poster nor an owner" },
		{ { .guard = BW_GUARD_LIST, .rule = BW_RULE_FORCED_OPEN, .members = 300, .list = { "a@b", 3 },
		    .redirect = (enum bw_redirect)99, .target = { "c@b", 3 } },
		  "list: an operator stopped mail to a@b (300 members)" },
	};
	struct bw_buf text;

	(void)state;
	bw_buf_init(&text, 400);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bw_buf_reset(&text);
		bw_explain_print(&text, &rows[i].why);
		assert_string_equal(bw_buf_text(&text), rows[i].text);
	}
	bw_buf_done(&text);
}

static void every_word_reads_back(void **state)
{
	enum bw_guard guard;
	enum bw_rule rule;
	enum bw_action action = BW_HOLD;

	(void)state;
	for (int i = 0; i < BW_GUARD_COUNT; i++) {
		assert_true(bw_guard_parse(bw_slice_of(bw_guard_name((enum bw_guard)i)), &guard));
		assert_int_equal(guard, i);
	}
	for (int i = 0; i < BW_RULE_COUNT; i++) {
		assert_true(bw_rule_parse(bw_slice_of(bw_rule_name((enum bw_rule)i)), &rule));
		assert_int_equal(rule, i);
	}
	assert_false(bw_action_parse(BW_S("bounce"), &action));
	assert_int_equal(action, BW_HOLD);
	assert_string_equal(bw_guard_name((enum bw_guard)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_never_passes_its_maximum),
		cmocka_unit_test(an_arena_keeps_its_cap),
		cmocka_unit_test(log_lines_escape_hostile_bytes),
		cmocka_unit_test(hashes_depend_on_key_use_and_text),
		cmocka_unit_test(fingerprints_ignore_order_but_not_doubles),
		cmocka_unit_test(the_secret_is_made_once_and_read_back),
		cmocka_unit_test(sentences),
		cmocka_unit_test(every_word_reads_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
