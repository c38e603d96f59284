/* Field bodies to text: unfolding, encoded words, folding for comparison. */
#include <gmime/gmime.h>
#include <string.h>

#include "internal.h"

/* RFC 5322 2.2.3: unfolding removes a line end that blanks follow. One that nothing follows cannot be in a field body, so
 * every line end is taken for a fold; where no blank follows, one is put in its place. */
size_t bw_mail_unfold(struct bw_slice value, char *out, size_t size, bool *cut)
{
	struct bw_slice s = bw_slice_trim(value);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\r' || c == '\n') {
			if (i + 1 < s.n && strchr(" \t\r\n", s.p[i + 1]) != NULL)
				continue;
			c = ' ';
		}
		if (n + 1 >= size) {
			if (cut != NULL)
				*cut = true;
			break;
		}
		out[n++] = c == '\0' ? ' ' : c;
	}
	out[n] = '\0';
	return n;
}

/* The blanks between a padded encoded word and the encoded word behind it, from `text` on; NULL: none. GMime (3.2.13) joins
 * the payloads of such neighbours before it decodes, and stops at the padding between them. */
static const char *padded_gap(const char *text)
{
	for (const char *end = strstr(text, "=?="); end != NULL; end = strstr(end + 1, "=?=")) {
		size_t blanks = strspn(end + 3, " \t");

		if (blanks > 0 && strncmp(end + 3 + blanks, "=?", 2) == 0)
			return end + 3;
	}
	return NULL;
}

/* Decodes piece by piece where words are padded; the blanks between encoded words are no text (RFC 2047 6.2). */
static char *decode_pieces(const char *unfolded)
{
	GString *all = g_string_new(NULL);
	const char *gap;

	while ((gap = padded_gap(unfolded)) != NULL) {
		char *piece = g_strndup(unfolded, (size_t)(gap - unfolded));
		char *decoded = g_mime_utils_header_decode_text(NULL, piece);

		g_string_append(all, decoded);
		g_free(decoded);
		g_free(piece);
		unfolded = gap + strspn(gap, " \t");
	}
	char *rest = g_mime_utils_header_decode_text(NULL, unfolded);

	g_string_append(all, rest);
	g_free(rest);
	return g_string_free(all, FALSE);
}

char *bw_mail_decode(const char *unfolded)
{
	char *decoded = decode_pieces(unfolded);

	if (g_utf8_validate(decoded, -1, NULL))
		return decoded;
	char *valid = g_utf8_make_valid(decoded, -1);

	g_free(decoded);
	return valid;
}

void bw_mail_text_free(char *text)
{
	g_free(text);
}

/* Direction marks, zero-width joiners and soft hyphens: nobody sees them, programs add and drop them. */
static bool is_invisible(gunichar c)
{
	return c >= 0x80 && (g_unichar_type(c) == G_UNICODE_FORMAT || c == 0xFEFF);
}

static bool is_blank(gunichar c)
{
	return c <= ' ' || c == 0x7F || (c >= 0x80 && (g_unichar_isspace(c) || g_unichar_iscntrl(c)));
}

/* One blank for each run of white space, none at the ends; in place, since text only gets shorter. */
static void squeeze(char *text)
{
	const char *p = text;
	char *out = text;
	bool gap = false;

	while (*p != '\0') {
		const char *next = g_utf8_next_char(p);
		gunichar c = g_utf8_get_char(p);

		if (is_blank(c)) {
			gap = out != text;
		} else if (!is_invisible(c)) {
			if (gap)
				*out++ = ' ';
			gap = false;
			memmove(out, p, (size_t)(next - p));
			out += next - p;
		}
		p = next;
	}
	*out = '\0';
}

static bool is_ascii(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text >= 0x80)
			return false;
	}
	return true;
}

static char *fold_unicode(const char *utf8)
{
	char *plain = g_utf8_normalize(utf8, -1, G_NORMALIZE_ALL_COMPOSE);
	char *folded = g_utf8_casefold(plain == NULL ? "" : plain, -1);

	g_free(plain);
	return folded;
}

char *bw_mail_fold(const char *utf8)
{
	char *folded = is_ascii(utf8) ? g_ascii_strdown(utf8, -1) : fold_unicode(utf8);

	squeeze(folded);
	return folded;
}

size_t bw_mail_utf8_head(struct bw_slice s, size_t max)
{
	if (s.n <= max)
		return s.n;
	while (max > 0 && ((unsigned char)s.p[max] & 0xC0) == 0x80)
		max--;
	return max;
}
