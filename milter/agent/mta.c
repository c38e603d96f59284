/* The MTAs that the ledger knows. */
#include <string.h>

#include "reading.h"

const struct bw_mta *bw_mta_find(const char *name)
{
	static const struct bw_mta *const all[] = { &bw_agent_postfix, &bw_agent_sendmail };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	}
	return NULL;
}
