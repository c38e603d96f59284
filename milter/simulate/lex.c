/* Lines into words. Words are separated by blanks; "..." keeps blanks, anywhere in a word; # at the head of a word starts a
 * comment. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bw/parse.h"
#include "reader.h"

enum bw_err bw_reader_fail(const struct reader *r, enum bw_err err, const char *format, ...)
{
	char text[BW_WHY_BYTES];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return bw_fail(r->why, err, "%s:%d: %s", r->scenario->name, r->line, text);
}

enum bw_err bw_reader_no_memory(const struct reader *r)
{
	return bw_reader_fail(r, BW_ERR_MEMORY, "the scenario is larger than fits into memory");
}

/* --- characters --- */

/* Length of the UTF-8 sequence at the head of `s` (RFC 3629), 0 if there is none, or if it is a control character: those
 * would act on the terminal that a sentence is shown on. */
static size_t sequence(struct bw_slice s)
{
	static const struct {
		unsigned char lead, mask;
		size_t length;
		uint32_t least;
	} forms[] = { { 0x00, 0x80, 1, 0 }, { 0xc0, 0xe0, 2, 0x80 }, { 0xe0, 0xf0, 3, 0x800 }, { 0xf0, 0xf8, 4, 0x10000 } };
	unsigned char c = (unsigned char)s.p[0];

	for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		if ((c & forms[f].mask) != forms[f].lead || s.n < forms[f].length)
			continue;
		uint32_t code = (uint32_t)(c & ~forms[f].mask);

		for (size_t i = 1; i < forms[f].length; i++) {
			unsigned char next = (unsigned char)s.p[i];

			if ((next & 0xc0) != 0x80)
				return 0;
			code = (code << 6) | (next & 0x3fU);
		}
		bool control = (code < 0x20 && code != '\t' && code != '\n' && code != '\r') || (code >= 0x7f && code < 0xa0);
		bool surrogate = code >= 0xd800 && code < 0xe000;

		return control || surrogate || code < forms[f].least || code > 0x10ffff ? 0 : forms[f].length;
	}
	return 0;
}

bool bw_lex_is_text(struct bw_slice text, int *line)
{
	int at = 1;

	while (text.n > 0) {
		size_t n = sequence(text);

		if (n == 0) {
			*line = at;
			return false;
		}
		at += text.p[0] == '\n';
		text = bw_slice_from(text, n);
	}
	return true;
}

/* --- words --- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Takes the word at the head of `rest`, quotes removed and a NUL behind it; both in place. `rest` ends in a NUL. */
static bool take_word(char **rest, struct bw_slice *word)
{
	char *text = *rest, *from = text, *to = text;
	bool quoted = false;

	for (; *from != '\0' && (quoted || !is_blank(*from)); from++) {
		if (*from == '"')
			quoted = !quoted;
		else
			*to++ = *from;
	}
	*rest = *from == '\0' ? from : from + 1;
	*to = '\0';
	*word = (struct bw_slice){ text, (size_t)(to - text) };
	return !quoted;
}

static char *skip_blanks(char *s)
{
	while (is_blank(*s))
		s++;
	return s;
}

enum bw_err bw_lex_line(struct reader *r, struct bw_slice line)
{
	char *text = bw_arena_text(r->scenario->arena, line);

	r->count = 0;
	r->at = 0;
	if (text == NULL)
		return bw_reader_no_memory(r);
	for (text = skip_blanks(text); *text != '\0' && *text != '#'; text = skip_blanks(text)) {
		if (r->count == SCENARIO_WORDS_MAX)
			return bw_reader_fail(r, BW_ERR_LIMIT, "more than %d words; expected a shorter line", SCENARIO_WORDS_MAX);
		if (!take_word(&text, &r->words[r->count++]))
			return bw_reader_fail(r, BW_ERR_INPUT, "a quotation that does not end; expected \" before the end of the line");
	}
	return BW_OK;
}

bool bw_reader_next(struct reader *r, struct bw_slice *word)
{
	if (r->at == r->count)
		return false;
	*word = r->words[r->at++];
	return true;
}

bool bw_reader_split(struct bw_slice word, struct bw_slice *key, struct bw_slice *value)
{
	size_t at = bw_slice_find(word, '=');

	if (at == word.n)
		return false;
	*key = bw_slice_head(word, at);
	*value = (struct bw_slice){ word.p + at + 1, word.n - at - 1 };
	return true;
}

/* --- values --- */

enum bw_err bw_reader_address(const struct reader *r, const char *what, struct bw_slice text, struct bw_slice *out)
{
	struct bw_address address;

	if (!bw_address_normalise(text, SCENARIO_DETAIL, &address) || address.null_sender || strchr(address.text, '@') == NULL)
		return bw_reader_fail(r, BW_ERR_INPUT, "%s '%.*s' is no address; expected NAME@DOMAIN", what, (int)text.n, text.p);
	*out = bw_arena_slice(r->scenario->arena, bw_slice_of(address.text));
	return out->n == 0 ? bw_reader_no_memory(r) : BW_OK;
}

enum bw_err bw_reader_duration(const struct reader *r, const char *what, struct bw_slice text, int64_t *out)
{
	/* Ten years: no storm lasts longer, and sums of times stay far from overflow. */
	const int64_t max_ms = INT64_C(3650) * 24 * 3600 * 1000;
	int64_t ms;

	if (!bw_parse_duration_ms(text, &ms))
		return bw_reader_fail(r, BW_ERR_INPUT, "%s '%.*s' is no duration; expected for example 0s, 90s, 5m, 1h30m or 2d", what,
		                      (int)text.n, text.p);
	if (ms > max_ms)
		return bw_reader_fail(r, BW_ERR_RANGE, "%s '%.*s' is too long; expected at most 3650d", what, (int)text.n, text.p);
	*out = ms;
	return BW_OK;
}

enum bw_err bw_reader_count(const struct reader *r, const char *what, struct bw_slice text, const int64_t range[2], int64_t *out)
{
	int64_t n;

	if (!bw_parse_int(text, &n))
		return bw_reader_fail(r, BW_ERR_INPUT, "%s '%.*s' is no number; expected %lld to %lld", what, (int)text.n, text.p,
		                      (long long)range[0], (long long)range[1]);
	if (n < range[0] || n > range[1])
		return bw_reader_fail(r, BW_ERR_RANGE, "%s %lld is out of range; expected %lld to %lld", what, (long long)n,
		                      (long long)range[0], (long long)range[1]);
	*out = n;
	return BW_OK;
}
