/* link: bw_mail bw_base */
#include <string.h>

#include "bw/mail.h"
#include "fuzz.h"

/* What came out of a list is an address, and its own normal form. */
static void check(void *ctx, const struct bw_address *a)
{
	struct bw_address again;

	(void)ctx;
	FUZZ_MUST(a->text[0] != '\0' && memchr(a->text, '\0', sizeof(a->text)) != NULL);
	FUZZ_MUST(bw_address_normalise(bw_slice_of(a->text), 0, &again));
	FUZZ_MUST(bw_address_domain(bw_slice_of(a->text)).n < sizeof(a->text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bw_slice raw = { (const char *)data, size };
	struct bw_address a, again;

	bw_mail_init();
	bw_address_list(raw, 100, check, NULL);
	if (!bw_address_normalise(raw, '+', &a)) {
		FUZZ_MUST(a.text[0] == '\0' && !a.null_sender);
		return 0;
	}
	FUZZ_MUST(a.null_sender == (a.text[0] == '\0'));
	/* Undoing may bare what can be undone again; a second round must at least give an address. */
	if (!a.null_sender)
		FUZZ_MUST(bw_address_normalise(bw_slice_of(a.text), '+', &again));
	return 0;
}
