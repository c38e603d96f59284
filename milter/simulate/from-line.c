/* The line between two messages of an archive, and the fields of a header.
 *
 * RFC 4155 appendix A: "From " SP addr-spec SP asctime; in UTC. Real ones have a zone now and then, two blanks before the date,
 * or an address in words ("user at host"), so the line is read from its end. */
#include <string.h>

#include "bw/clock.h"
#include "bw/mbox.h"
#include "bw/parse.h"

enum { DATE_WORDS = 6, LINE_MAX_BYTES = 1000 };

static bool take_last_word(struct bw_slice *s, struct bw_slice *word)
{
	*s = bw_slice_trim(*s);
	size_t at = s->n;

	while (at > 0 && s->p[at - 1] != ' ' && s->p[at - 1] != '\t')
		at--;
	*word = bw_slice_from(*s, at);
	s->n = at;
	return word->n > 0;
}

static int name_index(struct bw_slice word, const char *names)
{
	if (word.n != 3)
		return -1;
	for (int i = 0; names[3 * i] != '\0'; i++) {
		if (bw_slice_equal_nocase(word, (struct bw_slice){ names + 3 * (ptrdiff_t)i, 3 }))
			return i;
	}
	return -1;
}

/* A plain number of `least` to `most` digits. */
static bool take_digits(struct bw_slice s, size_t least, size_t most, int *out)
{
	int n = 0;

	if (s.n < least || s.n > most)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		n = 10 * n + (s.p[i] - '0');
	}
	*out = n;
	return true;
}

/* "18:52:50" or "18:52", in seconds; 60 is a leap second. */
static bool read_time(struct bw_slice s, int *out)
{
	int hour, minute, second = 0;

	if (s.n < 5 || s.p[2] != ':' || (s.n > 5 && s.p[5] != ':'))
		return false;
	if (!take_digits(bw_slice_head(s, 2), 2, 2, &hour) || !take_digits(bw_slice_head(bw_slice_from(s, 3), 2), 2, 2, &minute))
		return false;
	if (s.n > 5 && !take_digits(bw_slice_from(s, 6), 2, 2, &second))
		return false;
	*out = hour * 3600 + minute * 60 + second;
	return hour < 24 && minute < 60 && second < 61;
}

/* "+0100" in seconds; letters ("UTC", "CET") are taken for UTC. */
static bool read_zone(struct bw_slice s, int *out)
{
	int n;
	bool letters = s.n > 0 && s.n <= 5;

	for (size_t i = 0; i < s.n; i++)
		letters = letters && ((s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= 'a' && s.p[i] <= 'z'));
	*out = 0;
	if (letters)
		return true;
	if (s.n != 5 || (s.p[0] != '+' && s.p[0] != '-') || !take_digits(bw_slice_from(s, 1), 4, 4, &n))
		return false;
	*out = (n / 100 * 3600 + n % 100 * 60) * (s.p[0] == '-' ? -1 : 1);
	return true;
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = year - (month <= 2);
	int64_t era = y / 400, of_era = y % 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* The year is the last word, or a zone is. */
static bool take_year(struct bw_slice *s, int *year, int *zone)
{
	struct bw_slice word;

	*zone = 0;
	if (!take_last_word(s, &word))
		return false;
	if (take_digits(word, 4, 4, year))
		return true;
	return read_zone(word, zone) && take_last_word(s, &word) && take_digits(word, 4, 4, year);
}

/* "Mar  2 18:52:50", perhaps with a zone behind the time. */
static bool take_day_and_time(struct bw_slice *s, int *month, int *day, int *time, int *zone)
{
	struct bw_slice word;

	if (!take_last_word(s, &word))
		return false;
	if (!read_time(word, time) && !(read_zone(word, zone) && take_last_word(s, &word) && read_time(word, time)))
		return false;
	if (!take_last_word(s, &word) || !take_digits(word, 1, 2, day) || *day < 1 || *day > 31)
		return false;
	if (!take_last_word(s, &word))
		return false;
	*month = 1 + name_index(word, "JanFebMarAprMayJunJulAugSepOctNovDec");
	return *month >= 1;
}

bool bw_mbox_from_line(struct bw_slice line, struct bw_slice *sender, int64_t *at_ms)
{
	struct bw_slice s = bw_slice_from(line, 5), word;
	int year, month, day, time, zone;

	if (line.n > LINE_MAX_BYTES || !bw_slice_equal(bw_slice_head(line, 5), BW_S("From ")))
		return false;
	if (!take_year(&s, &year, &zone) || year < 1970 || !take_day_and_time(&s, &month, &day, &time, &zone))
		return false;
	if (!take_last_word(&s, &word) || name_index(word, "MonTueWedThuFriSatSun") < 0)
		return false;
	*sender = bw_slice_trim(s);
	*at_ms = (days_of(year, month, day) * 86400 + time - zone) * BW_SECOND_MS;
	return true;
}

/* --- the fields of a header --- */

/* The length of the field at the head, its folded lines included (RFC 5322 2.2.3). */
static size_t field_length(struct bw_slice text)
{
	size_t n = bw_slice_find(text, '\n');

	while (n + 1 < text.n && (text.p[n + 1] == ' ' || text.p[n + 1] == '\t'))
		n += 1 + bw_slice_find(bw_slice_from(text, n + 1), '\n');
	return n;
}

/* RFC 5322 3.6.8: printable characters without a colon; blanks before the colon are of RFC 822. */
static bool is_name(struct bw_slice s)
{
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] == 0x7F)
			return false;
	}
	return s.n > 0;
}

void bw_mbox_fields(struct bw_slice head, void (*each)(void *ctx, struct bw_slice name, struct bw_slice value), void *ctx)
{
	while (head.n > 0) {
		size_t n = field_length(head);
		struct bw_slice field = bw_slice_head(head, n);
		size_t colon = bw_slice_find(field, ':');
		struct bw_slice name = bw_slice_head(field, colon);

		if (colon < field.n && is_name(name))
			each(ctx, bw_slice_trim(name), bw_slice_trim(bw_slice_from(field, colon + 1)));
		head = bw_slice_from(head, n + 1);
	}
}
