/* transcript: plays the command lines of a transcript through breakwaterctl's table and prints the transcript anew.
 *
 *   transcript FILE
 *
 * In FILE, lines that begin with
 *   #          are comments; "# store: empty" or "# store: storm" in the first line says what the store holds, "none" that there is none
 *   $          are command lines: "$ breakwaterctl list ls"; "..." quotes a word, \xNN is a byte
 *   %          are steps: "% later 31m" moves the time, "% silence" lets every daemon fall silent, "% deaf" lets one not listen,
 *              "% write PATH TEXT", "% forbid PATH" makes it unreadable, and what follows runs as nobody
 * All other lines are output, and made again: standard output as it is (behind a blank, if it looks like one of the above), standard
 * error behind "! ", the exit code as "[0]".
 * {scratch} and {tests} in command lines, steps and output stand for the directory of this run and for tests/golden.
 * Time, owner and host are fixed, so that nothing needs to be blurred.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bw/cli.h"
#include "bw/clock.h"
#include "bw/parse.h"
#include "bw/simulate.h"
#include "furnish.h"

enum { LINE_BYTES = 4096, ARGS_MAX = 200, ACK_MS = 60, NOBODY = 65534 };

struct run {
	char scratch[64];
	char config[100];
	char store[100];
	int64_t now_ms;
	bool has_store;
};

static void die(const char *what)
{
	perror(what);
	exit(3);
}

/* --- placeholders --- */

static void replace(struct bw_buf *out, struct bw_slice text, const char *what, const char *with)
{
	struct bw_slice pattern = bw_slice_of(what);

	while (text.n > 0) {
		if (pattern.n > 0 && text.n >= pattern.n && memcmp(text.p, pattern.p, pattern.n) == 0) {
			bw_buf_add_text(out, with);
			text = bw_slice_from(text, pattern.n);
			continue;
		}
		bw_buf_add_char(out, text.p[0]);
		text = bw_slice_from(text, 1);
	}
}

static void replace_both(struct bw_buf *out, struct bw_slice text, const char *const pairs[2][2])
{
	struct bw_buf half;

	bw_buf_init(&half, 1 << 20);
	replace(&half, text, pairs[0][0], pairs[0][1]);
	replace(out, bw_buf_slice(&half), pairs[1][0], pairs[1][1]);
	bw_buf_done(&half);
}

static void fill_in(const struct run *r, const char *text, struct bw_buf *out)
{
	const char *const pairs[2][2] = { { "{scratch}", r->scratch }, { "{tests}", BW_SOURCE_DIR "/tests/golden" } };

	replace_both(out, bw_slice_of(text), pairs);
}

static void take_out(const struct run *r, struct bw_slice text, struct bw_buf *out)
{
	const char *const pairs[2][2] = { { r->scratch, "{scratch}" }, { BW_SOURCE_DIR "/tests/golden", "{tests}" } };

	replace_both(out, text, pairs);
}

/* The only figure that no two runs share. */
static void blur_duration(char *text)
{
	static const char before[] = "played in ";
	char *at = strstr(text, before);

	if (at == NULL)
		return;
	char *digits = at + sizeof(before) - 1;
	size_t n = strspn(digits, "0123456789");

	if (n > 0) {
		*digits = 'N';
		memmove(digits + 1, digits + n, strlen(digits + n) + 1);
	}
}

/* --- words --- */

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

/* Splits `line` in place into words; returns their number. */
static int split(char *line, char **words)
{
	char *in = line, *out = line;
	int n = 0;

	while (*in != '\0' && n < ARGS_MAX - 1) {
		bool quoted = false;

		while (*in == ' ')
			in++;
		if (*in == '\0')
			break;
		words[n++] = out;
		for (; *in != '\0' && (quoted || *in != ' '); in++) {
			if (*in == '"') {
				quoted = !quoted;
			} else if (in[0] == '\\' && in[1] == 'x' && hex_digit(in[2]) >= 0 && hex_digit(in[3]) >= 0) {
				*out++ = (char)(hex_digit(in[2]) * 16 + hex_digit(in[3]));
				in += 3;
			} else {
				*out++ = *in;
			}
		}
		if (*in == ' ')
			in++;
		*out++ = '\0'; /* never past `in`: what was read is at least as long as what was written */
	}
	words[n] = NULL;
	return n;
}

/* --- running one --- */

static void print_output(const struct run *r, const char *mark, char *text)
{
	struct bw_buf clean;
	struct bw_slice rest;

	bw_buf_init(&clean, 1 << 20);
	blur_duration(text);
	take_out(r, bw_slice_of(text), &clean);
	rest = bw_buf_slice(&clean);
	while (rest.n > 0) {
		size_t end = bw_slice_find(rest, '\n');

		bool looks_like_input = end > 0 && strchr("#$%", rest.p[0]) != NULL;

		printf("%s%s%.*s%s\n", mark, looks_like_input ? " " : "", (int)end, rest.p, end < rest.n ? "" : "(no line break)");
		rest = bw_slice_from(rest, end + 1);
	}
	bw_buf_done(&clean);
}

static bool names_config(char **words, int n)
{
	for (int i = 0; i < n; i++) {
		if (strcmp(words[i], "-c") == 0 || strncmp(words[i], "--config", 8) == 0)
			return true;
	}
	return false;
}

static void run_command(const struct run *r, const char *line)
{
	char *words[ARGS_MAX], *argv[ARGS_MAX + 2], *out = NULL, *err = NULL;
	size_t out_bytes, err_bytes;
	struct bw_buf text;
	int argc = 0;

	bw_buf_init(&text, LINE_BYTES);
	fill_in(r, line, &text);
	int n = split(text.p, words);

	argv[argc++] = words[0];
	if (!names_config(words, n)) {
		argv[argc++] = (char *)(uintptr_t) "-c";
		argv[argc++] = (char *)(uintptr_t)r->config;
	}
	for (int i = 1; i < n; i++)
		argv[argc++] = words[i];
	argv[argc] = NULL;
	struct bw_cli_env env = {
		.out = open_memstream(&out, &out_bytes),
		.err = open_memstream(&err, &err_bytes),
		.now_ms = r->now_ms,
		.ack_ms = ACK_MS,
		.owner = "alice",
	};
	int code = bw_cli_run(&env, argc, argv);

	fclose(env.out);
	fclose(env.err);
	print_output(r, "", out);
	print_output(r, "! ", err);
	printf("[%d]\n", code);
	free(out);
	free(err);
	bw_buf_done(&text);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
		die(path);
}

/* Root may read everything, so it becomes somebody else; its saved user id brings it back. */
static void forbid(const struct run *r, const char *path)
{
	if (chmod(path, 0) != 0 || chmod(r->scratch, 0711) != 0)
		die(path);
	if (geteuid() == 0 && setresuid(NOBODY, NOBODY, 0) != 0)
		die("setresuid");
}

static void later(struct run *r, const char *duration)
{
	int64_t ms;

	if (!bw_parse_duration_ms(bw_slice_of(duration), &ms))
		die(duration);
	r->now_ms += ms;
	furnish_heartbeat(r->store, r->now_ms, FURNISH_LISTENING);
}

static void run_step(struct run *r, const char *line)
{
	char *words[ARGS_MAX];
	struct bw_buf text;

	bw_buf_init(&text, LINE_BYTES);
	fill_in(r, line, &text);
	int n = split(text.p, words);

	if (n == 2 && strcmp(words[0], "later") == 0)
		later(r, words[1]);
	else if (n == 1 && strcmp(words[0], "silence") == 0)
		furnish_heartbeat(r->store, r->now_ms - BW_HOUR_MS, FURNISH_LISTENING);
	else if (n == 1 && strcmp(words[0], "deaf") == 0)
		furnish_heartbeat(r->store, r->now_ms, FURNISH_DEAF);
	else if (n == 2 && strcmp(words[0], "forbid") == 0)
		forbid(r, words[1]);
	else if (n == 3 && strcmp(words[0], "write") == 0)
		write_file(words[1], words[2]);
	else
		die(line);
	bw_buf_done(&text);
}

/* --- the stage --- */

static void set_stage(struct run *r, const char *store)
{
	struct bw_buf config;

	memcpy(r->scratch, "/tmp/bw-golden-XXXXXX", sizeof("/tmp/bw-golden-XXXXXX"));
	if (mkdtemp(r->scratch) == NULL)
		die("mkdtemp");
	snprintf(r->config, sizeof(r->config), "%s/breakwater.conf", r->scratch);
	snprintf(r->store, sizeof(r->store), "%s/store.db", r->scratch);
	bw_buf_init(&config, LINE_BYTES);
	furnish_config(&config, r->scratch, strcmp(store, "storm") == 0);
	write_file(r->config, bw_buf_text(&config));
	bw_buf_done(&config);
	/* 2100-01-01 09:00: in time after any clock, because a store's time never goes back. */
	r->now_ms = BW_SIMULATE_START_MS + 9 * BW_HOUR_MS;
	if (strcmp(store, "none") != 0)
		furnish_store(r->store, r->now_ms, strcmp(store, "storm") == 0);
	furnish_queues(r->scratch);
	setenv("BREAKWATER_POSTFIX_CONFIG", r->scratch, 1); /* where the stand-ins look for their queue */
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static void clear_stage(const struct run *r)
{
	nftw(r->scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(int argc, char **argv)
{
	struct run r = { .now_ms = 0 };
	char line[LINE_BYTES], store[32] = "";
	FILE *in = argc == 2 ? fopen(argv[1], "r") : NULL;

	if (in == NULL || fgets(line, sizeof(line), in) == NULL || sscanf(line, "# store: %31[a-z]", store) != 1)
		die("usage: transcript FILE, whose first line is \"# store: none|empty|storm\"");
	setenv("TZ", "UTC", 1);
	unsetenv("BREAKWATER_SCENARIOS");
	tzset();
	set_stage(&r, store);
	fputs(line, stdout);
	while (fgets(line, sizeof(line), in) != NULL) {
		bool is_command = strncmp(line, "$ breakwaterctl", 15) == 0, is_step = line[0] == '%';

		if (line[0] == '#' || is_command || is_step)
			fputs(line, stdout);
		line[strcspn(line, "\n")] = '\0';
		if (is_command)
			run_command(&r, line + 2);
		else if (is_step)
			run_step(&r, line + 1);
	}
	fclose(in);
	if (seteuid(0) != 0 && errno != EPERM) /* EPERM: we did not begin as root */
		die("cannot become who we were");
	clear_stage(&r);
	return 0;
}
