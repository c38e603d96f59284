/* simulate: a storm from a file, or an archive of mail, through the real engine in virtual time. */
#include "bw/simulate.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bw/clock.h"
#include "bw/parse.h"
#include "output.h"

enum { PATH_BYTES = 4096, NAME_BYTES = 200, REPORT_BYTES = 16 << 20 };

/* Where this program is: an installed one has its scenarios beside it, one in a build tree a link to them. */
static bool own_directory(char out[PATH_BYTES])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_BYTES - 1);

	if (n <= 0)
		return false;
	out[n] = '\0';
	char *slash = strrchr(out, '/');

	if (slash == NULL)
		return false;
	*slash = '\0';
	return true;
}

static bool try_path(const char *directory, const char *below, const char *name, char out[PATH_BYTES])
{
	if (directory == NULL || directory[0] == '\0')
		return false;
	int n = snprintf(out, PATH_BYTES, "%s%s/%s.storm", directory, below, name);

	return n < PATH_BYTES && access(out, R_OK) == 0;
}

/* A word with a slash or a dot is a file; any other may be a name. */
static enum bw_cli_exit find_scenario(struct cli *c, const char *word, char out[PATH_BYTES])
{
	char own[PATH_BYTES];

	if (word[0] == '\0' || strlen(word) >= PATH_BYTES)
		return bw_cli_fail(c, BW_CLI_USAGE, "--scenario: the name of a scenario or a file is expected");
	bw_slice_copy(bw_slice_of(word), out, PATH_BYTES);
	if (strpbrk(word, "/.") != NULL || strlen(word) > NAME_BYTES)
		return BW_CLI_DONE; /* the reader says what is wrong with it */
	if (try_path(getenv("BREAKWATER_SCENARIOS"), "", word, out))
		return BW_CLI_DONE;
	if (own_directory(own) &&
	    (try_path(own, "/scenarios", word, out) || try_path(own, "/../share/breakwater/scenarios", word, out)))
		return BW_CLI_DONE;
	if (try_path(BW_SCENARIOS, "", word, out))
		return BW_CLI_DONE;
	return bw_cli_fail(c, BW_CLI_USAGE, "no scenario is called %s in %s; a file is named with a slash, such as ./%s", word,
	                   BW_SCENARIOS, word);
}

static enum bw_cli_exit apply_settings(struct cli *c, struct bw_scenario *scenario)
{
	for (size_t i = 0; i < c->args.text_count; i++) {
		struct bw_slice text = bw_slice_of(c->args.texts[i]);
		size_t equals = bw_slice_find(text, '=');

		if (equals == text.n || equals == 0)
			return bw_cli_fail(c, BW_CLI_USAGE, "--set: \"%s\" is no NAME=VALUE", c->args.texts[i]);
		if (bw_scenario_set(scenario, bw_slice_head(text, equals), bw_slice_from(text, equals + 1), &c->why) != BW_OK)
			return BW_CLI_USAGE;
	}
	return BW_CLI_DONE;
}

/* Lines of messages go to people; with --json standard output is one object, so they go to standard error. */
static void print_line(struct cli *c, const char *text)
{
	struct bw_buf clean;

	if (!c->args.json) {
		bw_cli_say(c, STYLE_PLAIN, "%s", text);
		return;
	}
	bw_buf_init(&clean, 8192);
	bw_cli_neutralise(&clean, bw_slice_of(text));
	fprintf(c->env->err, "%s\n", bw_buf_text(&clean));
	bw_buf_done(&clean);
}

static void print_message(void *ctx, const struct bw_simulate_message *m)
{
	struct bw_buf line;

	bw_buf_init(&line, 4096);
	bw_simulate_print_message(m, &line);
	struct bw_slice text = bw_buf_slice(&line);

	while (text.n > 0 && text.p[text.n - 1] == '\n')
		line.p[--text.n] = '\0';
	print_line(ctx, bw_buf_text(&line));
	bw_buf_done(&line);
}

static void print_remark(void *ctx, int64_t at_ms, const char *text)
{
	struct cli *c = ctx;
	struct bw_buf at, line;

	bw_buf_init(&at, 40);
	bw_print_duration(&at, at_ms);
	bw_buf_init(&line, 4096);
	bw_buf_printf(&line, "%10s  %s", bw_buf_text(&at), text);
	print_line(c, bw_buf_text(&line));
	bw_buf_done(&at);
	bw_buf_done(&line);
}

/* The report is many lines; each is made harmless on its own. */
static void print_lines(struct cli *c, struct bw_slice text)
{
	while (text.n > 0) {
		size_t end = bw_slice_find(text, '\n');

		bw_cli_line(c, STYLE_PLAIN, "%.*s", (int)end, text.p);
		text = bw_slice_from(text, end + 1);
	}
}

static enum bw_cli_exit report(struct cli *c, const struct bw_scenario *scenario, const struct bw_simulate_result *result)
{
	struct bw_buf text;

	bw_buf_init(&text, REPORT_BYTES);
	if (c->args.json) {
		bw_simulate_print_json(scenario, result, &text);
		/* Made by jansson already; through bw_cli_json() it becomes one line of ASCII like all others. */
		json_t *o = json_loadb(bw_buf_text(&text), text.n, 0, NULL);

		if (o != NULL)
			bw_cli_json(c, o);
	} else {
		bw_simulate_print(scenario, result, &text);
		print_lines(c, bw_buf_slice(&text));
	}
	bw_buf_done(&text);
	if (result->miss_count == 0)
		return BW_CLI_DONE;
	/* The report shows each; the first is said again where scripts look. */
	return bw_cli_fail(c, BW_CLI_NO, "%zu expectation%s not met, the first: %s", result->miss_count,
	                   result->miss_count == 1 ? "" : "s", result->misses[0].text);
}

/* On a file that cannot be read nothing was played: misuse, as a scenario that cannot be read. */
static enum bw_cli_exit fail_play(enum bw_err err)
{
	return err == BW_ERR_INPUT || err == BW_ERR_RANGE || err == BW_ERR_IO ? BW_CLI_USAGE : bw_cli_fail_err(err);
}

/* Plays the scenario, or the archive on it. */
static enum bw_cli_exit play(struct cli *c, const struct bw_scenario *scenario)
{
	struct bw_simulate_result *result = NULL;
	struct bw_simulate_options options = {
		.run_operator = bw_cli_operator,
		.message = c->args.verbose ? print_message : NULL,
		.remark = c->args.verbose ? print_remark : NULL,
		.ctx = c,
		.monotonic_ms = bw_clock_monotonic_ms,
	};
	enum bw_err err = c->args.mbox == NULL ? bw_simulate_play(scenario, &options, &result, &c->why)
	                                       : bw_simulate_archive(scenario, c->args.mbox, &options, &result, &c->why);
	enum bw_cli_exit code = fail_play(err);

	if (err == BW_OK)
		code = report(c, scenario, result);
	bw_simulate_result_free(&result);
	return code;
}

static enum bw_cli_exit read_scenario(struct cli *c, struct bw_scenario **out)
{
	char path[PATH_BYTES];
	enum bw_cli_exit code = find_scenario(c, c->args.scenario, path);

	/* A scenario that cannot be read is misuse like any other, and nothing was played. */
	if (code == BW_CLI_DONE && bw_scenario_read(path, out, &c->why) != BW_OK)
		code = BW_CLI_USAGE;
	return code;
}

/* The list that an archive is played to. */
static enum bw_cli_exit make_scenario(struct cli *c, struct bw_scenario **out)
{
	if (c->args.list == NULL || c->args.list_size == 0)
		return bw_cli_fail(c, BW_CLI_USAGE, "simulate: --mbox FILE needs --list ADDRESS and --list-size N: who would have got the mail");
	if (bw_scenario_of_list(c->args.mbox, c->args.list, c->args.list_size, out, &c->why) != BW_OK)
		return BW_CLI_USAGE;
	return BW_CLI_DONE;
}

static enum bw_cli_exit run_simulate(struct cli *c)
{
	struct bw_scenario *scenario = NULL;
	enum bw_cli_exit code;

	if ((c->args.scenario == NULL) == (c->args.mbox == NULL))
		return bw_cli_fail(c, BW_CLI_USAGE,
		                   "simulate: what is to be played? Expected --scenario NAME, a file or the name of an installed one, or --mbox FILE");
	if (c->args.mbox == NULL && (c->args.list != NULL || c->args.list_size != 0))
		return bw_cli_fail(c, BW_CLI_USAGE, "simulate: --list and --list-size belong to --mbox; a scenario names its lists itself");
	code = c->args.mbox == NULL ? read_scenario(c, &scenario) : make_scenario(c, &scenario);
	if (code == BW_CLI_DONE)
		code = apply_settings(c, scenario);
	if (code == BW_CLI_DONE)
		code = play(c, scenario);
	bw_scenario_free(&scenario);
	return code;
}

const struct command bw_cli_family_simulate[] = {
	{ "simulate", "", 0, 0, OPT(SCENARIO) | OPT(MBOX) | OPT(LIST) | OPT(LIST_SIZE) | OPT(SET) | OPT(VERBOSE), NEED_NOTHING, false,
	  run_simulate,
	  "play a storm from a file, or an archive of mail, through the real engine, in virtual time; nothing is sent\n"
	  "With --mbox each message is sent at the time of its From_ line, by the mailbox in its From, to the list named with --list, whatever "
	  "list it was written to; what people wrote and would have been stopped is listed as legitimate.\n"
	  "Exit code 1 when an expectation of the scenario is not met, 2 when it cannot be read; nothing is played then." },
	{ .name = NULL },
};
