/* fuzz.h: what a fuzz target offers. An invariant that does not hold is a crash: FUZZ_MUST(condition). */
#ifndef BW_TESTS_FUZZ_H
#define BW_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_MUST(condition)                                                                                              \
	do {                                                                                                                  \
		if (!(condition))                                                                                                 \
			__builtin_trap();                                                                                             \
	} while (0)

#endif
