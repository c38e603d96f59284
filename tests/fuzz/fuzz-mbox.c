/* link: bw_simulate bw_mail bw_base */
#include <string.h>

#include "bw/mbox.h"
#include "fuzz.h"

static void check_field(void *ctx, struct bw_slice name, struct bw_slice value)
{
	const struct bw_slice *all = ctx;

	FUZZ_MUST(name.n > 0 && name.p >= all->p && name.p + name.n < all->p + all->n);
	FUZZ_MUST(value.n == 0 || (value.p > name.p && value.p + value.n <= all->p + all->n));
	FUZZ_MUST(bw_slice_find(name, ':') == name.n && bw_slice_find(name, '\n') == name.n);
}

/* All of it as a header, and each line as a From_ line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bw_slice all = { (const char *)data, size };
	struct bw_slice rest = all;

	bw_mbox_fields(all, check_field, &all);
	while (rest.n > 0) {
		struct bw_slice line = bw_slice_head(rest, bw_slice_find(rest, '\n')), sender = { NULL, 0 };
		int64_t at_ms;

		if (bw_mbox_from_line(line, &sender, &at_ms)) {
			FUZZ_MUST(at_ms >= -INT64_C(86400000) && at_ms < INT64_C(300000000000000) && sender.n < line.n);
			FUZZ_MUST(bw_slice_equal(bw_slice_trim(sender), sender));
		}
		rest = bw_slice_from(rest, line.n + 1);
	}
	return 0;
}
