/* link: bw_simulate bw_cli bw_store bw_base */
/* Plays scenario files on a chosen store, as breakwaterctl does on the one in memory: "play STORE FILE" demands that all
 * expectations are met, "play bad FILE" that the file is refused with the sentence of its first line ("# error: ..."). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bw/cli.h"
#include "bw/clock.h"
#include "bw/simulate.h"
#include "redis-server.h"

/* --- stores: a row each, so that every store to come plays every file --- */

static struct bw_store *in_memory(struct bw_why *why)
{
	struct bw_store *store = NULL;

	return bw_store_sqlite_open(":memory:", 0, &store, why) == BW_OK ? store : NULL;
}

static char directory[64];

static struct bw_store *in_a_file(struct bw_why *why)
{
	struct bw_store *store = NULL;
	char path[sizeof(directory) + 16];

	strcpy(directory, "/tmp/breakwater-play-XXXXXX");
	if (mkdtemp(directory) == NULL)
		return NULL;
	snprintf(path, sizeof(path), "%s/store.db", directory);
	return bw_store_sqlite_open(path, 1000, &store, why) == BW_OK ? store : NULL;
}

static struct redis_server server;

static struct bw_store *in_redis(struct bw_why *why)
{
	struct bw_store *store = NULL;

	if (!redis_server_start(&server, false)) {
		bw_fail(why, BW_ERR_STORE, "no Redis");
		return NULL;
	}
	struct bw_store_redis_options options = redis_server_options(&server);

	options.deadline_ms = 20 * BW_SECOND_MS; /* however loaded the machine is */
	return bw_store_redis_open(&options, &store, why) == BW_OK ? store : NULL;
}

static const struct {
	const char *name;
	struct bw_store *(*open)(struct bw_why *why);
} stores[] = { { "memory", in_memory }, { "file", in_a_file }, { "redis", in_redis } };

static void clean_up(void)
{
	static const char *const names[] = { "store.db", "store.db-wal", "store.db-shm" };
	char path[sizeof(directory) + 16];

	for (size_t i = 0; directory[0] != '\0' && i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		unlink(path);
	}
	if (directory[0] != '\0')
		rmdir(directory);
	if (server.dir[0] != '\0')
		redis_server_stop(&server);
}

/* --- playing --- */

static void print_report(const struct bw_scenario *scenario, const struct bw_simulate_result *result)
{
	struct bw_buf report;

	bw_buf_init(&report, 1 << 20);
	bw_simulate_print(scenario, result, &report);
	fputs(bw_buf_text(&report), stdout);
	bw_buf_done(&report);
}

static int play(const char *path, struct bw_store *store)
{
	struct bw_simulate_options options = { .store = store,
		                                   .run_operator = bw_cli_operator,
		                                   .monotonic_ms = bw_clock_monotonic_ms };
	struct bw_scenario *scenario = NULL;
	struct bw_simulate_result *result = NULL;
	struct bw_why why = { "" };
	int status = 2;

	enum bw_err err = bw_scenario_read(path, &scenario, &why);

	if (err != BW_OK)
		bw_store_close(&store);
	else
		err = bw_simulate_play(scenario, &options, &result, &why);
	if (err == BW_OK) {
		print_report(scenario, result);
		status = result->miss_count > 0 ? 1 : 0;
	} else {
		fprintf(stderr, "play: %s\n", why.text);
	}
	bw_simulate_result_free(&result);
	bw_scenario_free(&scenario);
	return status;
}

/* --- files that are to be refused --- */

/* "# error: 4: ..." of the first line becomes "PATH:4: ...". */
static bool read_expected(const char *path, char *out, size_t size)
{
	static const char mark[] = "# error: ";
	char line[1024];
	FILE *file = fopen(path, "r");
	bool ok = file != NULL && fgets(line, sizeof(line), file) != NULL && strncmp(line, mark, sizeof(mark) - 1) == 0;

	if (file != NULL)
		fclose(file);
	if (!ok)
		return false;
	line[strcspn(line, "\n")] = '\0';
	snprintf(out, size, "%s:%s", path, line + sizeof(mark) - 1);
	return true;
}

static int refuse(const char *path)
{
	struct bw_scenario *scenario = NULL;
	struct bw_why why = { "" };
	char expected[2048];

	if (!read_expected(path, expected, sizeof(expected))) {
		fprintf(stderr, "play: %s: no '# error: ' in its first line\n", path);
		return 2;
	}
	enum bw_err err = bw_scenario_read(path, &scenario, &why);
	bool met = err != BW_OK && scenario == NULL && strncmp(why.text, expected, sizeof(why.text) - 1) == 0;

	if (!met)
		fprintf(stderr, "expected: %s\ngot:      %s\n", expected, err == BW_OK ? "no error" : why.text);
	bw_scenario_free(&scenario);
	return met ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "bad") == 0)
		return refuse(argv[2]);
	for (size_t i = 0; argc == 3 && i < sizeof(stores) / sizeof(stores[0]); i++) {
		struct bw_why why = { "" };

		if (strcmp(argv[1], stores[i].name) != 0)
			continue;
		struct bw_store *store = stores[i].open(&why);

		int status = 2;

		if (store == NULL)
			fprintf(stderr, "play: no store: %s\n", why.text);
		else
			status = play(argv[2], store);
		clean_up();
		return status;
	}
	fprintf(stderr, "usage: play memory|file|redis|bad FILE\n");
	return 2;
}
