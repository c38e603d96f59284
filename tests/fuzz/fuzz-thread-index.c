/* link: bw_mail bw_base */
#include <string.h>

#include "bw/mail.h"
#include "fuzz.h"

/* A failure touches nothing; what is long enough to be longer than its root has at least 31 digits. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t root[16], before[16];
	bool longer = false;

	memset(before, 0xA5, sizeof(before));
	memcpy(root, before, sizeof(root));
	if (!bw_thread_index((struct bw_slice){ (const char *)data, size }, root, &longer))
		FUZZ_MUST(memcmp(root, before, sizeof(root)) == 0 && !longer);
	else
		FUZZ_MUST(size >= (longer ? 31 : 30));
	return 0;
}
