#include "scan.h"

#include <stdarg.h>
#include <stdio.h>

enum { DIGITS_MAX = 18, HEX_DIGITS_MAX = 15 }; /* what fits into int64_t for sure; no setting needs more */

static enum bw_err fail(const struct bw_config_scan *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static enum bw_err fail(const struct bw_config_scan *s, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return bw_fail(s->why, BW_ERR_INPUT, "%s:%u: %s", s->file, s->line, text);
}

/* The byte at `i`, 0 behind the end (a NUL in the text is refused before it could be taken for one). */
static char peek(const struct bw_config_scan *s, size_t i)
{
	return i < s->rest.n ? s->rest.p[i] : '\0';
}

static void drop(struct bw_config_scan *s, size_t n)
{
	s->rest = bw_slice_from(s->rest, n);
}

static void copy(struct bw_config_scan *s, size_t n)
{
	bw_buf_add(s->out, bw_slice_head(s->rest, n));
	drop(s, n);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_name_start(char c)
{
	return is_letter(c) || c == '*';
}

static bool is_name_part(char c)
{
	return is_name_start(c) || is_digit(c) || c == '-' || c == '_';
}

static bool is_number_start(char c)
{
	return is_digit(c) || c == '-' || c == '+';
}

static bool is_number_part(char c)
{
	return is_number_start(c) || is_letter(c) || c == '.' || c == '_';
}

static size_t span(const struct bw_config_scan *s, size_t from, bool (*is)(char c))
{
	size_t n = from;

	while (n < s->rest.n && is(s->rest.p[n]))
		n++;
	return n;
}

/* Goes on in the grammar; the word at the head may stand here or not. */
static enum bw_err step(struct bw_config_scan *s, enum bw_config_word word)
{
	struct bw_buf problem;
	enum bw_err err = BW_OK;

	bw_buf_init(&problem, 250);
	if (!bw_config_syntax_step(s->syntax, word, peek(s, 0), s->file, s->line, &problem))
		err = fail(s, "%s", bw_buf_text(&problem));
	bw_buf_done(&problem);
	return err;
}

/* --- one function a kind of word --- */

/* libconfig looks one word ahead of a text, for more of it, and notes that word's line as the text's. So what ends a text is put
 * on its line, and the line feeds between go behind. */
static void put_line_feeds(struct bw_config_scan *s, unsigned n)
{
	s->line += n;
	if (s->after_text)
		s->held += n;
	else
		for (; n > 0; n--)
			bw_buf_add_char(s->out, '\n');
}

static void flush_line_feeds(struct bw_config_scan *s)
{
	for (; s->held > 0; s->held--)
		bw_buf_add_char(s->out, '\n');
}

static enum bw_err take_line_feed(struct bw_config_scan *s)
{
	drop(s, 1);
	put_line_feeds(s, 1);
	return BW_OK;
}

static enum bw_err take_blank(struct bw_config_scan *s)
{
	copy(s, 1);
	return BW_OK;
}

static enum bw_err take_line_comment(struct bw_config_scan *s)
{
	drop(s, bw_slice_find(s->rest, '\n'));
	return BW_OK;
}

static enum bw_err take_block_comment(struct bw_config_scan *s)
{
	size_t n = 2;
	unsigned lines = 0;

	while (n < s->rest.n && !(s->rest.p[n] == '*' && peek(s, n + 1) == '/'))
		lines += s->rest.p[n++] == '\n';
	if (n >= s->rest.n)
		return fail(s, "this comment is never closed with */");
	put_line_feeds(s, lines);
	bw_buf_add_char(s->out, ' ');
	drop(s, n + 2);
	return BW_OK;
}

static enum bw_err take_slash(struct bw_config_scan *s)
{
	if (peek(s, 1) == '/')
		return take_line_comment(s);
	if (peek(s, 1) == '*')
		return take_block_comment(s);
	return fail(s, "unexpected \"/\"; texts stand in quotes");
}

/* Length of the text at the head, its quotes included; 0: failed. libconfig would take a text over many lines; a
 * forgotten quote is found where it is only if we do not. */
static size_t text_length(struct bw_config_scan *s)
{
	size_t n = 1;

	while (n < s->rest.n && s->rest.p[n] != '"') {
		unsigned char c = (unsigned char)s->rest.p[n];

		if (c == '\n') {
			fail(s, "this text has no closing quote on its line");
			return 0;
		}
		if (c < 0x20 || c == 0x7f) {
			fail(s, "control character 0x%02x in a text", c);
			return 0;
		}
		if (c == '\\' && peek(s, n + 1) != '"' && peek(s, n + 1) != '\\') {
			fail(s, "a backslash in a text must stand before a quote or another backslash");
			return 0;
		}
		n += c == '\\' ? 2 : 1;
	}
	if (n >= s->rest.n) {
		fail(s, "this text has no closing quote");
		return 0;
	}
	return n + 1;
}

static enum bw_err take_text(struct bw_config_scan *s)
{
	size_t n = text_length(s);
	enum bw_err err = n == 0 ? BW_ERR_INPUT : step(s, BW_WORD_SCALAR);

	if (err != BW_OK)
		return err;
	copy(s, n);
	s->after_text = true;
	return BW_OK;
}

static bool is_boolean(struct bw_slice name)
{
	return bw_slice_equal_nocase(name, BW_S("true")) || bw_slice_equal_nocase(name, BW_S("false"));
}

static enum bw_err take_name(struct bw_config_scan *s)
{
	size_t n = span(s, 0, is_name_part);
	struct bw_slice name = bw_slice_head(s->rest, n);
	bool value = bw_config_syntax_wants_value(s->syntax);

	if (value && !is_boolean(name))
		return fail(s, "%.*s is no value; texts stand in quotes", (int)(n < 40 ? n : 40), name.p);
	if (peek(s, n) == '.')
		return fail(s, "a name cannot hold a dot; write groups, or settings = [ \"NAME = VALUE\" ]");
	enum bw_err err = step(s, value ? BW_WORD_SCALAR : BW_WORD_NAME);

	if (err == BW_OK)
		copy(s, n);
	return err;
}

/* Writes the integer of `n` bytes with the mark of 64 bits, without which libconfig 1.5 cuts it to 32. */
static enum bw_err put_integer(struct bw_config_scan *s, size_t n, size_t digits, size_t max)
{
	if (digits > max)
		return fail(s, "a number of %zu digits is too long, at most %zu", digits, max);
	enum bw_err err = step(s, BW_WORD_SCALAR);

	if (err != BW_OK)
		return err;
	copy(s, n);
	bw_buf_add_char(s->out, 'L');
	while (peek(s, 0) == 'L')
		drop(s, 1);
	return BW_OK;
}

/* Length without L or LL at the end. */
static size_t without_mark(const struct bw_config_scan *s, size_t n)
{
	for (int i = 0; i < 2 && n > 0 && s->rest.p[n - 1] == 'L'; i++)
		n--;
	return n;
}

static enum bw_err take_number(struct bw_config_scan *s)
{
	size_t whole = span(s, 0, is_number_part), n = without_mark(s, whole);
	size_t sign = peek(s, 0) == '-' || peek(s, 0) == '+' ? 1 : 0;

	if (n > sign && span(s, sign, is_digit) == n)
		return put_integer(s, n, n - sign, DIGITS_MAX);
	if (peek(s, 0) == '0' && (peek(s, 1) == 'x' || peek(s, 1) == 'X') && n > 2 && span(s, 2, is_hex) == n)
		return put_integer(s, n, n - 2, HEX_DIGITS_MAX);
	return fail(s, "%.*s is no whole number; durations and sizes stand in quotes, as in \"60m\"", (int)(whole < 40 ? whole : 40),
	            s->rest.p);
}

static enum bw_err take_mark(struct bw_config_scan *s, enum bw_config_word word)
{
	enum bw_err err = step(s, word);

	if (err == BW_OK)
		copy(s, 1);
	return err;
}

static enum bw_err take_open(struct bw_config_scan *s)
{
	return take_mark(s, BW_WORD_OPEN);
}

static enum bw_err take_close(struct bw_config_scan *s)
{
	return take_mark(s, BW_WORD_CLOSE);
}

static enum bw_err take_assign(struct bw_config_scan *s)
{
	return take_mark(s, BW_WORD_ASSIGN);
}

static enum bw_err take_semicolon(struct bw_config_scan *s)
{
	return take_mark(s, BW_WORD_SEMICOLON);
}

static enum bw_err take_comma(struct bw_config_scan *s)
{
	return take_mark(s, BW_WORD_COMMA);
}

static bool at_line_start(const struct bw_buf *out)
{
	size_t n = out->n;

	while (n > 0 && (out->p[n - 1] == ' ' || out->p[n - 1] == '\t'))
		n--;
	return n == 0 || out->p[n - 1] == '\n';
}

/* An include stands alone on its line, but for a comment. */
static enum bw_err take_include(struct bw_config_scan *s)
{
	static const char usage[] = "wanted: @include \"FILE\", alone on its line";
	struct bw_slice line = bw_slice_head(s->rest, bw_slice_find(s->rest, '\n'));
	struct bw_slice word = BW_S("@include");

	if (!bw_slice_starts_nocase(line, word) || !at_line_start(s->out))
		return fail(s, "%s", usage);
	struct bw_slice name = bw_slice_trim(bw_slice_from(line, word.n));
	size_t end = name.n > 0 && name.p[0] == '"' ? bw_slice_find(bw_slice_from(name, 1), '"') + 1 : 0;
	struct bw_slice after = bw_slice_trim(bw_slice_from(name, end + 1));

	name = bw_slice_from(bw_slice_head(name, end), 1);
	if (end < 2 || name.n > 4000 || (after.n > 0 && after.p[0] != '#'))
		return fail(s, "%s", usage);
	drop(s, line.n);
	bw_buf_add_char(s->out, '\n');
	return s->include(s->ctx, s, name, s->why);
}

static const struct word {
	const char *first; /* characters it may begin with; NULL: ask `begins` */
	bool (*begins)(char c);
	enum bw_err (*take)(struct bw_config_scan *s);
	bool keeps_text; /* a text before it is still the last word behind it, or it is one */
} words[] = {
	{ "\n", NULL, take_line_feed, true },
	{ " \t\r", NULL, take_blank, true },
	{ "#", NULL, take_line_comment, true },
	{ "/", NULL, take_slash, true },
	{ "\"", NULL, take_text, true },
	{ "@", NULL, take_include, false },
	{ "{[(", NULL, take_open, false },
	{ "}])", NULL, take_close, false },
	{ "=:", NULL, take_assign, false },
	{ ";", NULL, take_semicolon, false },
	{ ",", NULL, take_comma, false },
	{ NULL, is_name_start, take_name, false },
	{ NULL, is_number_start, take_number, false },
};

static const struct word *word_of(char c)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const struct word *w = &words[i];

		if (w->begins != NULL ? w->begins(c) : bw_slice_find(bw_slice_of(w->first), c) < bw_slice_of(w->first).n)
			return w;
	}
	return NULL;
}

static enum bw_err fail_byte(const struct bw_config_scan *s)
{
	unsigned char c = (unsigned char)peek(s, 0);

	return c > 0x20 && c < 0x7f ? fail(s, "unexpected \"%c\"; texts stand in quotes", c)
	                            : fail(s, "unexpected byte 0x%02x; texts stand in quotes", c);
}

static enum bw_err take_word(struct bw_config_scan *s, const struct word *w)
{
	bool ends_text = s->after_text && bw_slice_find(BW_S(",])"), peek(s, 0)) < 3;

	if (!w->keeps_text) {
		s->after_text = false;
		if (!ends_text)
			flush_line_feeds(s);
	}
	enum bw_err err = w->take(s);

	if (!s->after_text)
		flush_line_feeds(s);
	return err;
}

enum bw_err bw_config_scan_file(struct bw_config_scan *s)
{
	enum bw_err err = BW_OK;

	while (err == BW_OK && s->rest.n > 0) {
		const struct word *w = word_of(peek(s, 0));

		err = w == NULL ? fail_byte(s) : take_word(s, w);
	}
	flush_line_feeds(s);
	if (err == BW_OK)
		bw_buf_add_char(s->out, '\n');
	return err;
}
