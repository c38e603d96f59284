/* link: bw_agent bw_store bw_base */
/* Where Postfix's queue files are, and when they came: paths and bytes that a Postfix 3.7 has made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../milter/agent/postfix.h"

static void subdirectories(void **state)
{
	static const struct {
		const char *id;
		int depth;
		const char *path;
	} rows[] = {
		{ "4jXN8g44brz1kHGT", 0, "/q/deferred/4jXN8g44brz1kHGT" },
		{ "4jXN8g44brz1kHGT", 1, "/q/deferred/8/4jXN8g44brz1kHGT" },
		{ "4jXN8g44brz1kHGT", 5, "/q/deferred/8/C/5/B/8/4jXN8g44brz1kHGT" },
		/* A "z" among the microseconds; the inode after the last one has none. */
		{ "4jXNJx35Tzz1kQ6H", 2, "/q/deferred/6/A/4jXNJx35Tzz1kQ6H" },
		{ "6C8A65023F", 1, "/q/deferred/6/6C8A65023F" },
		{ "6C8A65023F", 5, "/q/deferred/6/C/8/A/6/6C8A65023F" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct postfix_queue queue = { .directory = "/q" };
		char path[BW_PATH_BYTES];

		queue.depth[POSTFIX_DEFERRED] = rows[i].depth;
		assert_int_equal(bw_agent_postfix_path(&queue, POSTFIX_DEFERRED, rows[i].id, path, NULL), BW_OK);
		assert_string_equal(path, rows[i].path);
	}
}

#define HEAD "C_            434             672               1               0             434               0"

static void arrival(void **state)
{
	static const struct {
		const char *bytes;
		int64_t ms;
	} rows[] = {
		{ HEAD "T\x11" "1795337475 564793A\x16" "create_time=1795337475", INT64_C(1795337475000) },
		{ "T\x11" "1795337475 564793", INT64_C(1795337475000) },
		{ "T\x0a" "1795337475", INT64_C(1795337475000) }, /* Postfix before 2.3 wrote no microseconds */
		{ HEAD "A\x16" "create_time=1795337475", 0 },
		{ HEAD "T\x11" "1795337475 56479", 0 },
		{ HEAD "T\x11" "-795337475 564793", 0 },
		{ "T\x13" "9223372036854775807", 0 },
		{ "T\xff\xff\xff\xff\xff\xff", 0 },
		{ "T", 0 },
		{ "", 0 },
	};
	char path[] = "/tmp/bw-arrival-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, rows[i].bytes, strlen(rows[i].bytes), 0), (ssize_t)strlen(rows[i].bytes));
		if (bw_agent_postfix_arrived(path) != rows[i].ms)
			fail_msg("row %zu: %lld", i, (long long)bw_agent_postfix_arrived(path));
	}
	close(fd);
	unlink(path);
	assert_int_equal(bw_agent_postfix_arrived(path), 0);
}

static void times(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: not understood */
	} rows[] = {
		{ "5d", INT64_C(432000000) }, { "5", INT64_C(432000000) }, { "1h", 3600000 }, { "90m", 5400000 }, { "12s", 12000 },
		{ "2W", INT64_C(1209600000) }, { "0", 0 }, { "", -1 }, { "d", -1 }, { "-1d", -1 }, { "1y", -1 }, { "99999999999999999w", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ms = -1;

		assert_int_equal(bw_agent_postfix_time(bw_slice_of(rows[i].text), &ms), rows[i].ms >= 0);
		assert_int_equal(ms, rows[i].ms);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(subdirectories), cmocka_unit_test(arrival), cmocka_unit_test(times) };

	return cmocka_run_group_tests_name("postfix", tests, NULL, NULL);
}
