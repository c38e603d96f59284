/* link: bw_simulate bw_mail bw_base */
/* What would have tripped in real archives: each in ../shared/data/lists (BW_DATA names another folder) is played as a list of 5,000 members
 * (tier large) with default settings, in mode shadow and in mode enforce. Every trip that is known is explained in docs/real-mail.md. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bw/clock.h"
#include "bw/simulate.h"

enum { PATH_BYTES = 4096, SHOWN = 30 };

/* Trips that are explained. An archive that is not listed is played and told about: whoever brought it has to look. */
static const struct known {
	const char *file;
	size_t trips; /* all of the list guard */
} known[] = {
	{ "usrp-users-2021-03_07.mbox", 0 },
	{ "sa-easy-ham-1.mbox", 19 },
	{ "small.mbox", 0 },
};

static const struct known *find_known(const char *file)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].file, file) == 0)
			return &known[i];
	}
	return NULL;
}

static void print_result(const char *file, const char *mode, const struct bw_simulate_result *r)
{
	printf("%s, %s: %lld messages, %lld replies, %zu trips, %zu messages of people stopped, %lld ms\n", file, mode, (long long)r->messages,
	       (long long)r->replies, r->trip_count, r->legitimate_held_count, (long long)r->elapsed_ms);
	for (size_t i = 0; i < r->trip_count && i < SHOWN; i++)
		printf("  line %d: %s\n", r->trips[i].line, r->trips[i].text);
}

/* No conversation of people trips, and no list more often than is explained. */
static bool is_explained(const struct known *k, const struct bw_simulate_result *r)
{
	for (size_t i = 0; k != NULL && i < r->trip_count && i < BW_SIMULATE_NOTES_MAX; i++) {
		if (r->trips[i].guard == BW_GUARD_CONVERSATION)
			return false;
	}
	return k == NULL || r->trip_count == k->trips;
}

static bool play(const char *path, const char *file, const char *mode)
{
	const struct bw_simulate_options options = { .monotonic_ms = bw_clock_monotonic_ms };
	struct bw_simulate_result *r = NULL;
	struct bw_scenario *scenario = NULL;
	struct bw_why why = { "" };
	bool ok = bw_scenario_of_list(file, "all@archive.example", 5000, &scenario, &why) == BW_OK &&
	          bw_scenario_set(scenario, BW_S("mode"), bw_slice_of(mode), &why) == BW_OK &&
	          bw_simulate_archive(scenario, path, &options, &r, &why) == BW_OK;

	if (ok) {
		print_result(file, mode, r);
		ok = is_explained(find_known(file), r) && r->messages > 0;
		printf("%s", ok ? "" : "  FAILED: these are not the trips that docs/real-mail.md explains\n");
	} else {
		printf("  FAILED: %s\n", why.text);
	}
	bw_simulate_result_free(&r);
	bw_scenario_free(&scenario);
	return ok;
}

int main(void)
{
	const char *set = getenv("BW_DATA");
	char folder[PATH_BYTES / 2], path[PATH_BYTES];
	bool ok = true;

	(void)snprintf(folder, sizeof(folder), "%s/lists", set != NULL ? set : BW_SOURCE_DIR "/../shared/data");
	DIR *d = opendir(folder);

	if (d == NULL) {
		/* The project's own: it trips at three senders, not at the ten of a large list. */
		printf("No archives are in %s: played was the project's own only.\n", folder);
		return play(BW_SOURCE_DIR "/tests/golden/cli/small.mbox", "small.mbox", "enforce") ? 0 : 1;
	}
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
		size_t n = strlen(e->d_name);

		if (n < 5 || strcmp(e->d_name + n - 5, ".mbox") != 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		ok = play(path, e->d_name, "shadow") && ok;
		ok = play(path, e->d_name, "enforce") && ok;
	}
	closedir(d);
	return ok ? 0 : 1;
}
