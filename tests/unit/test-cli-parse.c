/* link: bw_cli bw_base */
/* From argv to a row of the table: words, options, and the sentence for what does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../milter/cli/command.h"
#include "bw/nearest.h"
#include "bw/clock.h"

enum { ARGS = 16 };

static enum bw_cli_exit parse(struct cli *c, const char *line, char *copy, size_t size)
{
	static const struct bw_cli_env env;
	char *argv[ARGS] = { NULL };
	int argc = 0;

	*c = (struct cli){ .env = &env };
	assert_true(strlen(line) < size);
	memcpy(copy, line, strlen(line) + 1);
	for (char *word = copy; word != NULL && *word != '\0' && argc < ARGS; argc++) {
		char *blank = strchr(word, ' ');

		argv[argc] = word;
		if (blank != NULL)
			*blank++ = '\0';
		word = blank;
	}
	return bw_cli_parse(c, argc, argv);
}

struct good {
	const char *line, *command;
	int words;
	int64_t for_ms;
	bool json, yes;
};

static const struct good goods[] = {
	{ "status", "status", 0, 0, false, false },
	{ "--json status", "status", 0, 0, true, false },
	{ "status --json", "status", 0, 0, true, false },
	{ "list stop a@b --for 4h", "list stop", 1, 4 * BW_HOUR_MS, false, false },
	{ "list --for=90s stop a@b", "list stop", 1, 90 * BW_SECOND_MS, false, false },
	{ "--yes list stop -- a@b", "list stop", 1, 0, false, true },
	{ "set x -3", "set", 2, 0, false, false },
	{ "set x -- --json", "set", 2, 0, false, false },
	{ "mode", "mode", 0, 0, false, false },
	{ "mode shadow", "mode", 1, 0, false, false },
	{ "-h", "help", 0, 0, false, false },
	{ "list stop --help", "help", 2, 0, false, false },
	{ "list stop a@b --for 4h --help", "help", 2, 4 * BW_HOUR_MS, false, false },
	{ "-V", "version", 0, 0, false, false },
	{ "status --version", "version", 0, 0, false, false },
	{ "-c /some/file status", "status", 0, 0, false, false },
};

static void accepted(void **state)
{
	struct cli c;
	char copy[200];

	(void)state;
	for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
		const struct good *g = &goods[i];

		if (parse(&c, g->line, copy, sizeof(copy)) != BW_CLI_DONE)
			fail_msg("%s: %s", g->line, c.why.text);
		assert_string_equal(c.command->name, g->command);
		assert_int_equal(c.word_count, g->words);
		assert_int_equal(c.args.for_ms, g->for_ms);
		assert_int_equal(c.args.json, g->json);
		assert_int_equal(c.args.yes, g->yes);
	}
}

static void repeated_options(void **state)
{
	struct cli c;
	char copy[200];

	(void)state;
	assert_int_equal(parse(&c, "list add a@b 5 --poster x --poster y", copy, sizeof(copy)), BW_CLI_DONE);
	assert_int_equal(c.args.text_count, 2);
	assert_string_equal(c.args.texts[0], "x");
	assert_string_equal(c.args.texts[1], "y");
	assert_int_equal(parse(&c, "status --json --json", copy, sizeof(copy)), BW_CLI_USAGE);
}

/* A table that contradicts itself is a bug that no user should find. */
static void the_table_is_sound(void **state)
{
	const struct command *command, *other;

	(void)state;
	for (size_t i = 0; (command = bw_cli_command_at(i)) != NULL; i++) {
		struct bw_buf usage;

		assert_true(command->least <= command->most && command->most < WORDS_MAX);
		assert_true((command->options & OPT_ALWAYS) == 0);
		assert_true(bw_cli_help_line(command).n > 0 && bw_cli_help_line(command).n <= 110);
		assert_true(command->run != NULL);
		assert_true((command->most > 0) == (command->words[0] != '\0'));
		/* What changes state in a scenario works on the store. */
		assert_true(!command->in_scenario || command->need == NEED_STORE);
		for (size_t k = 0; k < i && (other = bw_cli_command_at(k)) != NULL; k++)
			assert_string_not_equal(other->name, command->name);
		bw_buf_init(&usage, 400);
		bw_cli_usage(&usage, command);
		assert_false(usage.cut);
		bw_buf_done(&usage);
	}
	for (enum option_id id = 0; id < OPTION_COUNT; id++)
		assert_true((bw_cli_option_at(id)->value == NULL) == (bw_cli_option_at(id)->kind == KIND_FLAG));
}

struct guess {
	const char *wanted, *best; /* NULL: none is near enough */
};

static void nearest_names(void **state)
{
	static const char *const names[] = { "status", "breaker", "held", "list" };
	static const struct guess guesses[] = {
		{ "stauts", "status" }, { "braeker", "breaker" }, { "hold", "held" }, { "lits", "list" },
		{ "l", NULL },          { "completely", NULL },   { "", NULL },       { "status", "status" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++) {
		struct bw_nearest n;

		bw_nearest_start(&n, bw_slice_of(guesses[i].wanted));
		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			bw_nearest_offer(&n, bw_slice_of(names[k]));
		assert_int_equal(n.found, guesses[i].best != NULL);
		if (guesses[i].best != NULL)
			assert_string_equal(n.name, guesses[i].best);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted),
		cmocka_unit_test(repeated_options),
		cmocka_unit_test(the_table_is_sound),
		cmocka_unit_test(nearest_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
