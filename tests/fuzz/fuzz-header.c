/* link: bw_mail bw_base */
#include <string.h>

#include "bw/mail.h"
#include "fuzz.h"

static bool want(void *ctx, struct bw_slice address)
{
	(void)ctx;
	return address.n % 2 == 0;
}

/* The first byte says how the body is cut and whether the sender is null; then fields by line, an empty line, the body. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bw_slice rest = bw_slice_from((struct bw_slice){ (const char *)data, size }, 1);
	size_t step = size == 0 ? 1 : 1 + data[0] % 64U;
	struct bw_header h;

	bw_mail_init();
	struct bw_arena *arena = bw_arena_new(1 << 16);
	struct bw_header_parser *p = bw_header_new(arena, want, NULL);

	while (rest.n > 0 && rest.p[0] != '\n') {
		struct bw_slice line = bw_slice_head(rest, bw_slice_find(rest, '\n'));
		size_t colon = bw_slice_find(line, ':');

		bw_header_add(p, bw_slice_head(line, colon), bw_slice_from(line, colon + 1));
		rest = bw_slice_from(rest, line.n + 1);
	}
	while (rest.n > 0 && bw_header_body(p, bw_slice_head(rest, step)))
		rest = bw_slice_from(rest, step);
	bw_header_done(p, size > 0 && data[0] >= 128, &h);
	FUZZ_MUST(h.class < BW_CLASS_COUNT && h.class_reason != NULL && h.named_count <= BW_HEADER_ADDRESSES_MAX);
	FUZZ_MUST((h.evidence == BW_EVIDENCE_NONE) == (h.class == BW_CLASS_HUMAN) && h.subject.n <= 998 && h.base_subject.n <= 998);
	bw_header_free(&p);
	bw_arena_free(&arena);
	return 0;
}
