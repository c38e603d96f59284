/* Numbers as a sentence wants them. */
#include <stdio.h>

#include "bw/clock.h"
#include "bw/parse.h"

void bw_print_duration_words(struct bw_buf *out, int64_t ms)
{
	static const struct {
		int64_t unit;
		const char *word;
	} words[] = { { BW_HOUR_MS, "h" }, { BW_MINUTE_MS, "min" }, { BW_SECOND_MS, "s" }, { 1, "ms" } };
	size_t i = 0;

	/* One hour reads better as "60 min"; from two hours on, whole hours. */
	if (ms < 2 * BW_HOUR_MS)
		i = 1;
	while (i < 3 && (ms % words[i].unit != 0 || ms == 0))
		i++;
	bw_buf_printf(out, "%lld %s", (long long)(ms / words[i].unit), words[i].word);
}

void bw_print_count(struct bw_buf *out, int64_t n)
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%lld", (long long)n);
	int first = digits[0] == '-' ? 1 : 0;

	for (int i = 0; i < length; i++) {
		if (i > first && (length - i) % 3 == 0)
			bw_buf_add_char(out, ',');
		bw_buf_add_char(out, digits[i]);
	}
}

void bw_print_ordinal(struct bw_buf *out, int64_t n)
{
	static const char *const endings[] = { "th", "st", "nd", "rd" };
	int64_t last = n % 10, two = n % 100;
	bool teen = two >= 11 && two <= 13;

	bw_print_count(out, n);
	bw_buf_add_text(out, (last <= 3 && last >= 0 && !teen) ? endings[last] : "th");
}
