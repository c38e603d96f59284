/* link: bw_import bw_mail bw_base */
/* CSV files come out of spreadsheets: whatever stands in one, it is read or refused with its line, and no size leaves its range. */
#include <stdlib.h>
#include <string.h>

#include "bw/import.h"
#include "bw/mail.h"
#include "fuzz.h"

static bool normalise(void *ctx, struct bw_slice raw, char out[BW_IMPORT_ADDRESS_BYTES])
{
	struct bw_address address;

	(void)ctx;
	if (!bw_address_normalise(raw, '+', &address) || bw_address_domain(bw_slice_of(address.text)).n == 0)
		return false;
	bw_slice_copy(bw_slice_of(address.text), out, BW_IMPORT_ADDRESS_BYTES);
	return true;
}

static bool identify(void *ctx, struct bw_slice raw, struct bw_buf *out)
{
	(void)ctx;
	bw_buf_add_text(out, "auth:");
	bw_buf_add(out, raw);
	return raw.n > 1;
}

/* Reads it, and compares it with an empty directory: what is new is written, and nothing else. */
static enum bw_err none(void *ctx, bool (*take)(void *taker, const struct bw_list_row *row), void *taker, struct bw_why *why)
{
	(void)ctx;
	(void)take;
	(void)taker;
	(void)why;
	return BW_OK;
}

static void check_plan(const struct bw_import *im)
{
	const struct bw_import_limits limits = { .huge = 25000, .medium = 250 };
	const struct bw_import_rows rows = { .each = none };
	struct bw_import_plan plan;

	if (bw_import_plan(im, BW_S("fuzz"), &limits, &rows, &plan, NULL) != BW_OK)
		return;
	FUZZ_MUST(plan.row_count == plan.step_count && plan.counts[BW_IMPORT_NEW] == plan.step_count);
	for (size_t i = 0; i < plan.row_count; i++)
		FUZZ_MUST(plan.rows[i].size > 0 && plan.rows[i].unconfirmed == (plan.rows[i].size >= limits.huge));
	bw_import_plan_done(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct bw_import_rules rules = { .normalise = normalise, .identify = identify };
	struct bw_import *im = NULL;
	struct bw_why why = { "" };

	bw_mail_init();
	if (bw_import_new(&rules, &im, NULL) != BW_OK)
		return 0;
	enum bw_err err = bw_import_csv_text(im, "fuzz", (struct bw_slice){ (const char *)data, size }, &why);

	if (err == BW_OK)
		err = bw_import_finish(im, &why);
	FUZZ_MUST(err == BW_OK || err == BW_ERR_MEMORY || strncmp(why.text, "fuzz:", 5) == 0);
	for (size_t i = 0; err == BW_OK && i < bw_import_count(im); i++)
		FUZZ_MUST(bw_import_at(im, i)->size >= 0 && bw_import_at(im, i)->size <= BW_IMPORT_SIZE_MAX);
	if (err == BW_OK)
		check_plan(im);
	bw_import_free(&im);
	return 0;
}
