/* link: bw_store PkgConfig::SQLITE Threads::Threads */
/* kill -9 in the midst of writing: the file opens again, is whole, and holds every entry that was acknowledged. */
#include "store-kit.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

enum { ROUNDS = 6 };

/* The child: counts, holds, and says the number of every entry the store has acknowledged. */
static int write_until_killed(const char *path)
{
	struct bw_store *s = NULL;
	struct bw_count_out out;
	char id[32];

	if (bw_store_sqlite_open(path, 5000, &s, NULL) != BW_OK)
		return 1;
	for (int i = 0;; i++) {
		snprintf(id, sizeof(id), "c%d-%d", (int)getpid(), i);
		if (kit_count(s, KIT_T0 + i, id, "root", &out, NULL) != BW_OK || kit_hold(s, id, NULL) != BW_OK)
			return 1;
		printf("%s\n", id);
		fflush(stdout);
	}
}

static pid_t spawn_writer(int out)
{
	char *const argv[] = { (char *)"writer", kit_path, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	int rc = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ);

	posix_spawn_file_actions_destroy(&actions);
	return rc == 0 ? pid : -1;
}

static bool found(void *ctx, const struct bw_held *row)
{
	(void)row;
	*(bool *)ctx = true;
	return true;
}

static bool has_entry(struct bw_store *s, const char *id)
{
	struct bw_held_query query = { .id = kit_hash(id) };
	bool there = false;

	assert_int_equal(s->ops->held_each(s, &query, found, &there, NULL), BW_OK);
	return there;
}

/* Reads what the writer says, kills it at a line that differs from round to round, and looks for all it had said. */
static void one_round(int round)
{
	static char said[4000][32];
	int ends[2], n = 0;

	assert_int_equal(pipe(ends), 0);
	pid_t pid = spawn_writer(ends[1]);

	assert_true(pid > 0);
	close(ends[1]);
	FILE *lines = fdopen(ends[0], "r");

	while (n < 4000 && fgets(said[n], sizeof(said[n]), lines) != NULL) {
		said[n][strcspn(said[n], "\n")] = '\0';
		if (++n == 3 + round * 7)
			kill(pid, SIGKILL);
	}
	fclose(lines);
	waitpid(pid, NULL, 0);
	assert_true(n >= 3 + round * 7);
	struct bw_store *s = kit_open(5000);
	struct bw_count_out out;

	for (int i = 0; i < n; i++) {
		if (!has_entry(s, said[i]))
			fail_msg("round %d: %s was acknowledged and is gone", round, said[i]);
		/* Its count was there before it. */
		assert_int_equal(kit_count(s, KIT_T0 + i, said[i], "root", &out, NULL), BW_OK);
		assert_int_not_equal(out.seen, BW_SEEN_FRESH);
	}
	bw_store_close(&s);
	assert_int_equal(kit_sql("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
}

static void killed_in_mid_write(void **state)
{
	struct bw_store *s = kit_open(5000);
	struct bw_count_out out;

	(void)state;
	assert_int_equal(kit_count(s, KIT_T0, "root", "", &out, NULL), BW_OK);
	bw_store_close(&s);
	for (int round = 0; round < ROUNDS; round++)
		one_round(round);
}

/* The other processes go on when one dies with the file locked. */
static void the_survivors_go_on(void **state)
{
	struct bw_store *s = kit_open(5000);
	struct bw_count_out out;
	char line[32], id[16];
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid_t pid = spawn_writer(ends[1]);

	assert_true(pid > 0);
	close(ends[1]);
	FILE *lines = fdopen(ends[0], "r");

	for (int i = 0; i < 50; i++) {
		snprintf(id, sizeof(id), "s%d", i);
		assert_int_equal(kit_count(s, KIT_T0 + i, id, "root", &out, NULL), BW_OK);
		if (i == 25) {
			assert_non_null(fgets(line, sizeof(line), lines));
			kill(pid, SIGKILL);
		}
	}
	fclose(lines);
	waitpid(pid, NULL, 0);
	bw_store_close(&s);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		KIT_TEST(killed_in_mid_write),
		KIT_TEST(the_survivors_go_on),
	};

	return argc == 2 ? write_until_killed(argv[1]) : cmocka_run_group_tests(tests, NULL, NULL);
}
