/* link: bw_mail bw_base */
#include <string.h>

#include "bw/mail.h"
#include "fuzz.h"

struct seen {
	bool ours, called;
};

/* Whoever asks whether it is ours has found a name. */
static bool is_ours(void *ctx, struct bw_slice id)
{
	struct seen *s = ctx;

	FUZZ_MUST(id.n > 0 && memchr(id.p, ';', id.n) == NULL && memchr(id.p, ' ', id.n) == NULL);
	s->called = true;
	return s->ours;
}

/* The answer is the caller's; without it nothing is touched; no pass without the word. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct bw_slice value = { (const char *)data, size };
	struct seen not_ours = { .ours = false }, ours = { .ours = true };
	bool pass = true, word = false;

	FUZZ_MUST(!bw_auth_results(value, is_ours, &not_ours, &pass) && pass);
	FUZZ_MUST(bw_auth_results(value, is_ours, &ours, &pass) == ours.called && ours.called == not_ours.called);
	for (size_t i = 0; i + 4 <= size; i++)
		word = word || bw_slice_equal_nocase((struct bw_slice){ value.p + i, 4 }, BW_S("pass"));
	/* A comment or a backslash may stand within the word. */
	FUZZ_MUST(!ours.called || !pass || word || memchr(data, '(', size) != NULL || memchr(data, '"', size) != NULL);
	return 0;
}
