/* "u[1-500]@nhs.example": five hundred senders in nine words. */
#include <inttypes.h>

#include "bw/parse.h"
#include "internal.h"

static enum bw_err fail(struct bw_why *why, struct bw_slice text, const char *what)
{
	return bw_fail(why, BW_ERR_RANGE, "'%.*s' %s; expected for example u[1-500]@nhs.example", (int)text.n, text.p, what);
}

/* Reads "FIRST-LAST"; a FIRST with a leading zero gives all numbers its width. */
static enum bw_err parse_numbers(struct bw_slice text, struct bw_slice numbers, struct range *out, struct bw_why *why)
{
	size_t dash = bw_slice_find(numbers, '-');
	struct bw_slice first = bw_slice_head(numbers, dash), last = bw_slice_from(numbers, dash + 1);

	if (!bw_parse_int(first, &out->first) || !bw_parse_int(last, &out->last) || out->first < 0 || out->last < 0)
		return fail(why, text, "has no range of numbers between its brackets");
	if (out->last < out->first)
		return fail(why, text, "is a range that ends before it starts");
	if (out->last - out->first >= SCENARIO_MESSAGES_MAX)
		return fail(why, text, "is a range of more than a million");
	out->width = first.n > 1 && first.p[0] == '0' ? (int)(first.n < 18 ? first.n : 18) : 0;
	return BW_OK;
}

enum bw_err bw_range_parse(struct bw_slice text, struct range *out, struct bw_why *why)
{
	size_t open = bw_slice_find(text, '[');
	struct range range = { .text = text, .head = bw_slice_head(text, open) };

	if (open == text.n) {
		if (bw_slice_find(text, ']') < text.n)
			return fail(why, text, "has a ] without a [");
		*out = range;
		return BW_OK;
	}
	struct bw_slice rest = bw_slice_from(text, open + 1);
	size_t close = bw_slice_find(rest, ']');

	if (close == rest.n)
		return fail(why, text, "has a [ without a ]");
	range.tail = bw_slice_from(rest, close + 1);
	if (bw_slice_find(range.tail, '[') < range.tail.n || bw_slice_find(range.tail, ']') < range.tail.n)
		return fail(why, text, "has more than one range");
	enum bw_err err = parse_numbers(text, bw_slice_head(rest, close), &range, why);

	if (err == BW_OK)
		*out = range;
	return err;
}

int64_t bw_range_count(const struct range *range)
{
	return range->last - range->first + 1;
}

void bw_range_print(const struct range *range, int64_t i, struct bw_buf *out)
{
	bw_buf_add(out, range->head);
	if (range->head.n == range->text.n)
		return;
	bw_buf_printf(out, "%0*" PRId64, range->width, range->first + i % bw_range_count(range));
	bw_buf_add(out, range->tail);
}
