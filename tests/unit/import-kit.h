/* import-kit.h: for the tests of the importers: rules as the CLI gives them, and what came out as one text. */
#ifndef IMPORT_KIT_H
#define IMPORT_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bw/clock.h"
#include "bw/import.h"
#include "bw/mail.h"

static inline bool kit_normalise(void *ctx, struct bw_slice raw, char out[BW_IMPORT_ADDRESS_BYTES])
{
	struct bw_address address;
	bool is = bw_address_normalise(raw, '+', &address);
	struct bw_slice text = bw_slice_of(address.text);

	(void)ctx;
	bw_slice_copy(text, out, BW_IMPORT_ADDRESS_BYTES);
	return is && bw_slice_find(text, '@') > 0 && bw_slice_find(text, '@') + 1 < text.n;
}

static inline bool kit_identify(void *ctx, struct bw_slice raw, struct bw_buf *out)
{
	(void)ctx;
	if (bw_slice_starts_nocase(raw, BW_S("outside:")))
		return false;
	bw_buf_printf(out, "auth:%.*s", (int)raw.n, raw.p);
	return true;
}

static inline struct bw_import *kit_new(const char *const *domains, size_t n)
{
	struct bw_import_rules rules = { .normalise = kit_normalise,
		                             .identify = kit_identify,
		                             .domains = domains,
		                             .domain_count = n,
		                             .deadline_ms = bw_clock_monotonic_ms() + 20000 };
	struct bw_import *im = NULL;

	bw_mail_init();
	assert_int_equal(bw_import_new(&rules, &im, NULL), BW_OK);
	return im;
}

/* "all@x=3 staff@x=2": lists that are lists, in order of address. */
static inline void kit_show(const struct bw_import *im, struct bw_buf *out)
{
	for (size_t i = 0; i < bw_import_count(im); i++) {
		const struct bw_import_list *list = bw_import_at(im, i);

		if (!list->slight)
			bw_buf_printf(out, "%s%.*s=%lld", out->n > 0 ? " " : "", (int)list->address.n, list->address.p,
			              (long long)list->size);
	}
}

#endif
