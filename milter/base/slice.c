#include "bw/slice.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static unsigned char lower(char c)
{
	unsigned char u = (unsigned char)c;

	return (u >= 'A' && u <= 'Z') ? (unsigned char)(u + ('a' - 'A')) : u;
}

static bool equal_nocase(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (lower(a[i]) != lower(b[i]))
			return false;
	}
	return true;
}

struct bw_slice bw_slice_of(const char *text)
{
	return (struct bw_slice){ text, text == NULL ? 0 : strlen(text) };
}

bool bw_slice_equal(struct bw_slice a, struct bw_slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool bw_slice_equal_nocase(struct bw_slice a, struct bw_slice b)
{
	return a.n == b.n && equal_nocase(a.p, b.p, a.n);
}

bool bw_slice_starts_nocase(struct bw_slice s, struct bw_slice prefix)
{
	return s.n >= prefix.n && equal_nocase(s.p, prefix.p, prefix.n);
}

/* Hardly any place begins right, so that is looked at first. */
bool bw_slice_contains_nocase(struct bw_slice s, struct bw_slice part)
{
	const unsigned char first = part.n == 0 ? 0 : lower(part.p[0]);

	for (size_t i = 0; i + part.n <= s.n; i++) {
		if (part.n == 0 || (lower(s.p[i]) == first && equal_nocase(s.p + i, part.p, part.n)))
			return true;
	}
	return false;
}

int bw_slice_compare(struct bw_slice a, struct bw_slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n == 0 ? 0 : memcmp(a.p, b.p, n);

	if (order != 0)
		return order;
	return (a.n > b.n) - (a.n < b.n);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct bw_slice bw_slice_trim(struct bw_slice s)
{
	while (s.n > 0 && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct bw_slice bw_slice_from(struct bw_slice s, size_t at)
{
	if (at >= s.n)
		return (struct bw_slice){ NULL, 0 };
	return (struct bw_slice){ s.p + at, s.n - at };
}

struct bw_slice bw_slice_head(struct bw_slice s, size_t n)
{
	return (struct bw_slice){ s.p, s.n < n ? s.n : n };
}

size_t bw_slice_find(struct bw_slice s, char c)
{
	const char *at = s.n == 0 ? NULL : memchr(s.p, c, s.n);

	return at == NULL ? s.n : (size_t)(at - s.p);
}

bool bw_slice_word(struct bw_slice *rest, struct bw_slice *word)
{
	struct bw_slice s = bw_slice_trim(*rest);
	size_t n = 0;

	if (s.n == 0)
		return false;
	while (n < s.n && s.p[n] != ' ' && s.p[n] != '\t')
		n++;
	*word = bw_slice_head(s, n);
	*rest = bw_slice_from(s, n);
	return true;
}

size_t bw_slice_copy(struct bw_slice s, char *out, size_t size)
{
	if (size == 0)
		return 0;
	size_t n = s.n < size - 1 ? s.n : size - 1;

	if (n > 0)
		memcpy(out, s.p, n);
	out[n] = '\0';
	return n;
}

size_t bw_slice_character(struct bw_slice slice)
{
	static const struct {
		unsigned char first_low, first_high, second_low, second_high;
		size_t length;
	} rows[] = {
		{ 0xC2, 0xC2, 0xA0, 0xBF, 2 }, { 0xC3, 0xDF, 0x80, 0xBF, 2 }, { 0xE0, 0xE0, 0xA0, 0xBF, 3 },
		{ 0xE1, 0xEC, 0x80, 0xBF, 3 }, { 0xED, 0xED, 0x80, 0x9F, 3 }, { 0xEE, 0xEF, 0x80, 0xBF, 3 },
		{ 0xF0, 0xF0, 0x90, 0xBF, 4 }, { 0xF1, 0xF3, 0x80, 0xBF, 4 }, { 0xF4, 0xF4, 0x80, 0x8F, 4 },
	};
	const unsigned char *s = (const unsigned char *)slice.p;

	if (slice.n > 0 && s[0] < 0x80)
		return 1;
	for (size_t i = 0; slice.n > 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (s[0] < rows[i].first_low || s[0] > rows[i].first_high)
			continue;
		if (slice.n < rows[i].length || s[1] < rows[i].second_low || s[1] > rows[i].second_high)
			return 0;
		for (size_t k = 2; k < rows[i].length; k++) {
			if ((s[k] & 0xC0) != 0x80)
				return 0;
		}
		return rows[i].length;
	}
	return 0;
}

char *bw_slice_dup(struct bw_slice s)
{
	char *copy = malloc(s.n + 1);

	if (copy != NULL)
		bw_slice_copy(s, copy, s.n + 1);
	return copy;
}
