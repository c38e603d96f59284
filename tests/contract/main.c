/* contract BACKEND: runs every group on one backend. (With more arguments: a child process of the races.) */
#include <stdio.h>

#include "contract.h"

int main(int argc, char **argv)
{
	static int (*const groups[])(void) = { run_count,   run_windows,  run_identity, run_split,   run_conversation, run_merge,
		                                   run_breaker, run_settings, run_ledger,   run_records, run_expire,       run_race,
		                                   run_meter,   run_redirect, run_orders,   run_posts,   run_learn };
	int failed = 0;

	if (argc < 2 || (backend = backend_find(argv[1])) == NULL) {
		fprintf(stderr, "usage: contract BACKEND\n");
		return 2;
	}
	if (argc > 2)
		return race_child(argc - 2, argv + 2);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		failed += groups[i]() != 0;
	return failed == 0 ? 0 : 1;
}
