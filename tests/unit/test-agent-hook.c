/* link: bw_agent bw_base */
/* The program of incidents: what it is given, what it cannot do to us, and what is said of it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../milter/agent/hook.h"
#include "bw/clock.h"

static char directory[64], program[100], output[100];

static int make_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/bw-hook.XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(program, sizeof(program), "%s/hook", directory);
	snprintf(output, sizeof(output), "%s/out", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(program);
	unlink(output);
	return rmdir(directory);
}

/* `script` with the output file as $0's neighbour. */
static void write_program(const char *script)
{
	FILE *f = fopen(program, "w");

	assert_non_null(f);
	fprintf(f, "#!/bin/sh\nout=%s\n%s\n", output, script);
	assert_int_equal(fchmod(fileno(f), 0700), 0);
	fclose(f);
}

static void nap(void)
{
	const struct timespec pause = { 0, 20 * 1000000 };

	nanosleep(&pause, NULL);
}

/* What the programs have written, once that is `n` bytes; bounded. */
static const char *written(size_t n)
{
	static char text[4096];

	for (int tries = 0; tries < 1000; tries++) {
		FILE *f = fopen(output, "r");
		size_t got = f == NULL ? 0 : fread(text, 1, sizeof(text) - 1, f);

		if (f != NULL)
			fclose(f);
		text[got] = '\0';
		if (got >= n)
			break;
		nap();
	}
	return text;
}

static bool fails(struct hook *h, struct bw_why *why)
{
	for (int tries = 0; tries < 1000; tries++) {
		if (agent_hook_failed(h, why))
			return true;
		nap();
	}
	return false;
}

static void each_gets_its_own(void **state)
{
	struct bw_why why;
	struct hook *h = agent_hook_new(&why);

	(void)state;
	assert_non_null(h);
	signal(SIGPIPE, SIG_IGN);
	unlink(output);
	/* Nothing of ours is open in it (3 is ls's own), none of the usual signals is ignored, and its words go nowhere. */
	write_program("echo noise; echo noise >&2; cat >> $out; ls /proc/self/fd | tr -d '\\n' >> $out; "
	              "grep SigIgn /proc/self/status | tr -d '\\n' | tail -c 7 >> $out; echo \" $PATH\" >> $out");
	assert_int_equal(agent_hook_give(h, program, BW_S("{\"a\":1}\n"), &why), BW_OK);
	assert_int_equal(agent_hook_give(h, program, BW_S("{\"b\":2}\n"), &why), BW_OK);
	const char *rest = "01230000000 /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n";
	char wanted[400];

	snprintf(wanted, sizeof(wanted), "{\"a\":1}\n%s{\"b\":2}\n%s", rest, rest);
	assert_string_equal(written(strlen(wanted)), wanted);
	assert_false(agent_hook_failed(h, &why));
	agent_hook_free(&h);
	assert_null(h);
}

static void failures_are_told_once(void **state)
{
	static const struct {
		const char *script, *wanted;
	} cases[] = {
		{ "exit 3", "failed" },
		{ "kill -9 $$", "failed" },
		{ NULL, "could not be started: No such file or directory" },
	};
	struct bw_why why;
	struct hook *h = agent_hook_new(&why);

	(void)state;
	assert_non_null(h);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].script != NULL)
			write_program(cases[i].script);
		else
			unlink(program);
		assert_int_equal(agent_hook_give(h, program, BW_S("{}"), &why), BW_OK);
		assert_true(fails(h, &why));
		assert_non_null(strstr(why.text, cases[i].wanted));
		assert_non_null(strstr(why.text, program));
		assert_false(agent_hook_failed(h, &why));
	}
	/* One that reads nothing is no failure: the rest of its input is nobody's. */
	write_program("exec true");
	assert_int_equal(agent_hook_give(h, program, BW_S("{}"), &why), BW_OK);
	unlink(output);
	agent_hook_free(&h);
}

/* Whoever hangs is killed with all that it started, and holds nobody up: not the giver, not the end. */
static void one_that_hangs(void **state)
{
	struct bw_why why;
	struct hook *h = agent_hook_new(&why);
	int given = 0;

	(void)state;
	assert_non_null(h);
	unlink(output);
	write_program("sleep 1000 & echo $! > $out; wait");
	while (given < 2 * HOOK_WAITING_MAX && agent_hook_give(h, program, BW_S("{}"), &why) == BW_OK)
		given++;
	assert_in_range(given, HOOK_WAITING_MAX, HOOK_WAITING_MAX + 1); /* one of them runs */
	assert_non_null(strstr(why.text, "is too slow"));
	int child = atoi(written(2));

	assert_in_range(child, 2, INT32_MAX);
	agent_hook_free(&h);
	for (int tries = 0; tries < 500 && kill(child, 0) == 0; tries++)
		nap();
	/* Gone, or a zombie that init has not taken yet. */
	char path[60], line[200] = "";

	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	FILE *f = fopen(path, "r");

	if (f != NULL) {
		assert_non_null(fgets(line, sizeof(line), f));
		fclose(f);
		assert_non_null(strstr(line, ") Z"));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(each_gets_its_own), cmocka_unit_test(failures_are_told_once),
		                                       cmocka_unit_test(one_that_hangs) };

	return cmocka_run_group_tests_name("hook", tests, make_directory, remove_directory);
}
