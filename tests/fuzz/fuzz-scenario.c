/* link: bw_simulate bw_config bw_settings bw_mail bw_base */
/* Scenario files are written by people and by programs: whatever stands in one, it is read or refused with a sentence. */
#include <stdlib.h>
#include <string.h>

#include "bw/simulate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bw_scenario *scenario = NULL;
	struct bw_why why = { "" };
	enum bw_err err = bw_scenario_parse("fuzz.storm", (struct bw_slice){ (const char *)data, size }, &scenario, &why);

	if ((err == BW_OK) != (scenario != NULL))
		abort();
	if (err != BW_OK && err != BW_ERR_MEMORY && strncmp(why.text, "fuzz.storm:", 11) != 0)
		abort();
	bw_scenario_free(&scenario);
	return 0;
}
