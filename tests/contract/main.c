/* contract BACKEND: runs every group on one backend. (With more arguments: a child process of the races.) */
#include <stdio.h>
#include <string.h>

#include "contract.h"

int main(int argc, char **argv)
{
	static int (*const groups[])(void) = { run_count,   run_windows,  run_identity, run_split,   run_conversation, run_merge,
		                                   run_breaker, run_settings, run_ledger,   run_records, run_expire,       run_race,
		                                   run_meter,   run_redirect };
	static int (*const embedded[])(void) = { run_orders, run_posts };
	int failed = 0;

	if (argc < 2 || (backend = backend_find(argv[1])) == NULL) {
		fprintf(stderr, "usage: contract BACKEND\n");
		return 2;
	}
	if (argc > 2)
		return race_child(argc - 2, argv + 2);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		failed += groups[i]() != 0;
	/* What the shared store has not learned yet. */
	for (size_t i = 0; i < sizeof(embedded) / sizeof(embedded[0]) && strcmp(argv[1], "redis") != 0 && strcmp(argv[1], "shared") != 0; i++)
		failed += embedded[i]() != 0;
	return failed == 0 ? 0 : 1;
}
