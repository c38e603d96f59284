#include <limits.h>

#include "bw/clock.h"
#include "bw/parse.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Appends a digit; false on overflow. */
static bool push_digit(int64_t *value, char digit)
{
	int64_t next;

	if (__builtin_mul_overflow(*value, 10, &next) || __builtin_add_overflow(next, digit - '0', &next))
		return false;
	*value = next;
	return true;
}

/* Takes the digits at the head of `rest`; false if there is none or too many. */
static bool take_number(struct bw_slice *rest, int64_t *out)
{
	size_t n = 0;
	int64_t value = 0;

	while (n < rest->n && is_digit(rest->p[n])) {
		if (!push_digit(&value, rest->p[n]))
			return false;
		n++;
	}
	if (n == 0)
		return false;
	*out = value;
	*rest = bw_slice_from(*rest, n);
	return true;
}

/* A separator stands between digits, with exactly three digits behind it. */
static bool is_group_separator(struct bw_slice s, size_t at)
{
	if (s.p[at] != ',' && s.p[at] != '_')
		return false;
	if (at == 0 || !is_digit(s.p[at - 1]) || s.n - at < 4)
		return false;
	for (size_t i = 1; i <= 3; i++) {
		if (!is_digit(s.p[at + i]))
			return false;
	}
	return s.n - at == 4 || s.p[at + 4] == s.p[at];
}

bool bw_parse_int(struct bw_slice s, int64_t *out)
{
	bool negative = s.n > 0 && s.p[0] == '-';
	size_t digits = 0;
	int64_t value = 0;

	for (size_t i = negative ? 1 : 0; i < s.n; i++) {
		if (is_group_separator(s, i))
			continue;
		if (!is_digit(s.p[i]) || !push_digit(&value, s.p[i]))
			return false;
		digits++;
	}
	if (digits == 0)
		return false;
	*out = negative ? -value : value;
	return true;
}

static const struct unit {
	const char *name;
	int64_t factor;
} duration_units[] = {
	{ "d", BW_DAY_MS }, { "h", BW_HOUR_MS }, { "m", BW_MINUTE_MS }, { "s", BW_SECOND_MS }, { "ms", 1 },
};
enum { DURATION_UNITS = sizeof(duration_units) / sizeof(duration_units[0]) };

/* The unit at the head of `rest`: the letters up to the next digit. -1: none of ours. */
static int take_unit(struct bw_slice *rest)
{
	size_t n = 0;

	while (n < rest->n && !is_digit(rest->p[n]))
		n++;
	for (int i = 0; i < DURATION_UNITS; i++) {
		if (bw_slice_equal(bw_slice_head(*rest, n), bw_slice_of(duration_units[i].name))) {
			*rest = bw_slice_from(*rest, n);
			return i;
		}
	}
	return -1;
}

bool bw_parse_duration_ms(struct bw_slice s, int64_t *out)
{
	int64_t total = 0;
	int last = -1;

	if (bw_slice_equal(s, BW_S("0"))) {
		*out = 0;
		return true;
	}
	if (s.n == 0)
		return false;
	while (s.n > 0) {
		int64_t number, part;

		if (!take_number(&s, &number))
			return false;
		int unit = take_unit(&s);

		/* Units descend: "1h30m", never "30m1h" or "1h1h". */
		if (unit <= last || __builtin_mul_overflow(number, duration_units[unit].factor, &part) ||
		    __builtin_add_overflow(total, part, &total))
			return false;
		last = unit;
	}
	*out = total;
	return true;
}

bool bw_parse_bool(struct bw_slice s, bool *out)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = { { "yes", true }, { "on", true }, { "true", true }, { "no", false }, { "off", false }, { "false", false } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (bw_slice_equal_nocase(s, bw_slice_of(words[i].word))) {
			*out = words[i].value;
			return true;
		}
	}
	return false;
}

void bw_print_duration(struct bw_buf *out, int64_t ms)
{
	if (ms == 0)
		bw_buf_add_text(out, "0s");
	for (int i = 0; i < DURATION_UNITS; i++) {
		int64_t n = ms / duration_units[i].factor;

		if (n > 0)
			bw_buf_printf(out, "%lld%s", (long long)n, duration_units[i].name);
		ms -= n * duration_units[i].factor;
	}
}
