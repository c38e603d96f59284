/* link: bw_import bw_mail bw_base */
/* Alias files are written by people and by programs: whatever stands in one, it is read or refused with its place, and nobody is
 * counted who is not named. */
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

/* No file is read: what names one is a member like any other here. */
static bool names_file(struct bw_slice text)
{
	return bw_slice_contains_nocase(text, BW_S(":include:"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const domains[] = { "x.example", "y.example" };
	const struct bw_import_rules rules = { .normalise = normalise, .domains = domains, .domain_count = 2 };
	struct bw_slice text = { (const char *)data, size };
	struct bw_import *im = NULL;
	struct bw_why why = { "" };

	bw_mail_init();
	if (names_file(text) || bw_import_new(&rules, &im, NULL) != BW_OK)
		return 0;
	enum bw_err err = bw_import_alias_text(im, "fuzz", text, &why);

	if (err == BW_OK)
		err = bw_import_finish(im, &why);
	FUZZ_MUST(err == BW_OK || err == BW_ERR_MEMORY || strncmp(why.text, "fuzz:", 5) == 0);
	for (size_t i = 0; err == BW_OK && i < bw_import_count(im); i++) {
		const struct bw_import_list *list = bw_import_at(im, i);

		FUZZ_MUST(list->size >= 0 && (size_t)list->size <= size && bw_slice_find(list->address, '@') < list->address.n);
		FUZZ_MUST(i == 0 || bw_slice_compare(bw_import_at(im, i - 1)->address, list->address) < 0);
	}
	bw_import_free(&im);
	return 0;
}
