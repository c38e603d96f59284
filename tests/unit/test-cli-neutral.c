/* link: bw_cli bw_base */
/* What strangers' bytes become before they reach a terminal or a JSON reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../milter/cli/output.h"

struct row {
	const char *name;
	struct bw_slice in;
	const char *out;
};

static const struct row rows[] = {
	{ "plain", BW_S("Re: test"), "Re: test" },
	{ "empty", BW_S(""), "" },
	{ "UTF-8 stays",
	  BW_S("Gr\xC3\xBC\xC3\x9F"
	       "e \xE8\xBF\x94\xE4\xBF\xA1 \xF0\x9F\x98\x80"),
	  "Gr\xC3\xBC\xC3\x9F"
	  "e \xE8\xBF\x94\xE4\xBF\xA1 \xF0\x9F\x98\x80" },
	{ "escape sequence", BW_S("\033[2J"), "\\x1b[2J" },
	{ "window title", BW_S("\033]0;x\a"), "\\x1b]0;x\\x07" },
	{ "C1 CSI in UTF-8",
	  BW_S("\xC2\x9B"
	       "31m"),
	  "\\u{009b}31m" },
	{ "C1 CSI as a byte",
	  BW_S("\x9B"
	       "31m"),
	  "\\x9b31m" },
	{ "line breaks and tab", BW_S("a\r\nb\tc"), "a\\x0d\\x0ab\\x09c" },
	{ "NUL", BW_S("a\0b"), "a\\x00b" },
	{ "DEL", BW_S("a\x7F"), "a\\x7f" },
	{ "right-to-left override", BW_S("\xE2\x80\xAEgpj.exe"), "\\u{202e}gpj.exe" },
	{ "isolate", BW_S("\xE2\x81\xA6x"), "\\u{2066}x" },
	{ "line separator",
	  BW_S("a\xE2\x80\xA8"
	       "b"),
	  "a\\u{2028}b" },
	{ "byte order mark",
	  BW_S("\xEF\xBB\xBF"
	       "a"),
	  "\\u{feff}a" },
	{ "overlong slash", BW_S("\xC0\xAF"), "\\xc0\\xaf" },
	{ "overlong escape", BW_S("\xE0\x80\x9B"), "\\xe0\\x80\\x9b" },
	{ "surrogate", BW_S("\xED\xA0\x80"), "\\xed\\xa0\\x80" },
	{ "beyond Unicode", BW_S("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80" },
	{ "cut short", BW_S("a\xE2\x80"), "a\\xe2\\x80" },
	{ "continuation alone", BW_S("\x80"), "\\x80" },
	{ "lone 0xFF",
	  BW_S("\xFF"
	       "a"),
	  "\\xffa" },
	{ "tag characters", BW_S("\xF3\xA0\x81\x81"), "\\u{e0041}" },
};

static void harmless_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bw_buf out;

		bw_buf_init(&out, 1000);
		bw_cli_neutralise(&out, rows[i].in);
		if (strcmp(bw_buf_text(&out), rows[i].out) != 0)
			fail_msg("%s: \"%s\"", rows[i].name, bw_buf_text(&out));
		bw_buf_done(&out);
	}
}

/* Every string of up to three bytes out of the awkward ones comes out printable: no control character, and valid for a terminal. */
static void no_control_character_survives(void **state)
{
	static const unsigned char awkward[] = { 0x00, 0x0A, 0x1B, 0x41, 0x7F, 0x80, 0x9B, 0xC2, 0xE2, 0xED, 0xF0, 0xFF };
	enum { N = sizeof(awkward) };

	(void)state;
	for (int i = 0; i < N * N * N; i++) {
		const char bytes[] = { (char)awkward[i % N], (char)awkward[i / N % N], (char)awkward[i / N / N] };
		struct bw_buf out;

		bw_buf_init(&out, 100);
		bw_cli_neutralise(&out, (struct bw_slice){ bytes, sizeof(bytes) });
		for (size_t k = 0; k < out.n; k++)
			assert_true((unsigned char)out.p[k] >= 0x20 && (unsigned char)out.p[k] != 0x7F);
		assert_false(out.cut);
		bw_buf_done(&out);
	}
}

static void json_of_any_bytes(void **state)
{
	static const struct row cases[] = {
		{ "invalid",
		  BW_S("a\xFF"
		       "b"),
		  "\"a\\uFFFDb\"" },
		{ "escape", BW_S("\033[2J"), "\"\\u001B[2J\"" },
		{ "C1", BW_S("\xC2\x9B"), "\"\\u009B\"" },
		{ "quote", BW_S("\"\\"), "\"\\\"\\\\\"" },
		{ "NUL", BW_S("a\0b"), "\"a\\u0000b\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *string = bw_cli_string(cases[i].in);
		char *text = json_dumps(string, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);

		assert_non_null(text);
		assert_string_equal(text, cases[i].out);
		free(text);
		json_decref(string);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(harmless_text),
		cmocka_unit_test(no_control_character_survives),
		cmocka_unit_test(json_of_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
