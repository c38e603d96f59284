/* The table of all commands: look-up, usage and help lines. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "bw/nearest.h"
#include "command.h"

static const struct command *const families[] = {
	bw_cli_family_status,  bw_cli_family_stop,     bw_cli_family_list,    bw_cli_family_list_import,
	bw_cli_family_poster,  bw_cli_family_settings, bw_cli_family_set,     bw_cli_family_mode,
	bw_cli_family_breaker, bw_cli_family_held,     bw_cli_family_release, bw_cli_family_delete,
	bw_cli_family_orders,  bw_cli_family_storm, bw_cli_family_reconcile, bw_cli_family_approve, bw_cli_family_events, bw_cli_family_bypass,  bw_cli_family_simulate,
	bw_cli_family_help,    bw_cli_family_completion,
};
enum { FAMILIES = sizeof(families) / sizeof(families[0]) };

const struct command *bw_cli_command_at(size_t i)
{
	for (size_t f = 0; f < FAMILIES; f++) {
		for (const struct command *command = families[f]; command->name != NULL; command++) {
			if (i-- == 0)
				return command;
		}
	}
	return NULL;
}

/* How many words of `name` the command line begins with, if it begins with all of them; else 0. */
static int match(const char *name, const char *const *words, int count)
{
	struct bw_slice rest = bw_slice_of(name), word;
	int used = 0;

	while (bw_slice_word(&rest, &word)) {
		if (used == count || !bw_slice_equal(word, bw_slice_of(words[used])))
			return 0;
		used++;
	}
	return used;
}

/* Does `name` begin with the first `count` of `words`? Then `rest` is the word behind them. */
static bool begins_with(const char *name, const char *const *words, int count, struct bw_slice *rest)
{
	struct bw_slice all = bw_slice_of(name), word;

	for (int i = 0; i < count; i++) {
		if (!bw_slice_word(&all, &word) || !bw_slice_equal(word, bw_slice_of(words[i])))
			return false;
	}
	return bw_slice_word(&all, rest);
}

/* The words that may stand behind the first `count`, each once. */
static void next_words(const char *const *words, int count, struct bw_buf *out)
{
	const struct command *command;
	struct bw_slice word, before = BW_S("");

	for (size_t i = 0; (command = bw_cli_command_at(i)) != NULL; i++) {
		if (!begins_with(command->name, words, count, &word) || bw_slice_equal(word, before))
			continue;
		bw_buf_printf(out, "%s%.*s", out->n == 0 ? "" : ", ", (int)word.n, word.p);
		before = word;
	}
}

/* "breaker" or "list import" alone, or with a word that is none of its commands. */
static bool explain_group(const char *const *words, int count, struct bw_why *why)
{
	struct bw_buf known;
	int depth = count < 2 ? count : 2;

	bw_buf_init(&known, 300);
	next_words(words, depth, &known);
	if (known.n == 0)
		next_words(words, --depth, &known);
	bool found = known.n > 0 && depth > 0;
	const char *second = depth > 1 ? words[1] : "", *blank = depth > 1 ? " " : "";

	if (found && count == depth)
		bw_fail(why, BW_ERR_INPUT, "%s%s%s: a word is missing, one of: %s", words[0], blank, second, bw_buf_text(&known));
	else if (found)
		bw_fail(why, BW_ERR_INPUT, "%s%s%s %s: unknown, allowed: %s", words[0], blank, second, words[depth], bw_buf_text(&known));
	bw_buf_done(&known);
	return found;
}

static void explain_unknown(const char *word, struct bw_why *why)
{
	struct bw_nearest near;
	const struct command *command;

	bw_nearest_start(&near, bw_slice_of(word));
	for (size_t i = 0; (command = bw_cli_command_at(i)) != NULL; i++) {
		struct bw_slice name = bw_slice_of(command->name);

		bw_nearest_offer(&near, bw_slice_head(name, bw_slice_find(name, ' ')));
	}
	if (near.found)
		bw_fail(why, BW_ERR_INPUT, "unknown command \"%s\", did you mean \"%s\"?", word, near.name);
	else
		bw_fail(why, BW_ERR_INPUT, "unknown command \"%s\"; `breakwaterctl help` lists them", word);
}

const struct command *bw_cli_command_find(const char *const *words, int count, int *used, struct bw_why *why)
{
	const struct command *command, *best = NULL;

	*used = 0;
	for (size_t i = 0; (command = bw_cli_command_at(i)) != NULL; i++) {
		int n = match(command->name, words, count);

		if (n <= *used)
			continue;
		best = command;
		*used = n;
	}
	if (best == NULL && count == 0)
		bw_fail(why, BW_ERR_INPUT, "a command is missing; `breakwaterctl help` lists them");
	else if (best == NULL && !explain_group(words, count, why))
		explain_unknown(words[0], why);
	return best;
}

void bw_cli_usage(struct bw_buf *out, const struct command *command)
{
	bw_buf_add_text(out, command->name);
	if (command->words[0] != '\0')
		bw_buf_printf(out, " %s", command->words);
	for (enum option_id id = 0; id < OPTION_COUNT; id++) {
		const struct option *o = bw_cli_option_at(id);

		if ((command->options & UINT64_C(1) << id) == 0)
			continue;
		bw_buf_printf(out, " [--%s", o->name);
		if (o->value != NULL)
			bw_buf_printf(out, " %s", o->value);
		bw_buf_add_text(out, o->kind == KIND_TEXTS ? "]..." : "]");
	}
}

struct bw_slice bw_cli_help_line(const struct command *command)
{
	struct bw_slice help = bw_slice_of(command->help);

	return bw_slice_head(help, bw_slice_find(help, '\n'));
}

enum bw_cli_exit bw_cli_fail(struct cli *c, enum bw_cli_exit code, const char *format, ...)
{
	struct bw_why text;
	va_list args;

	va_start(args, format);
	vsnprintf(text.text, sizeof(text.text), format, args);
	va_end(args);
	c->why = text;
	return code;
}

enum bw_cli_exit bw_cli_fail_err(enum bw_err err)
{
	static const enum bw_cli_exit codes[] = {
		[BW_OK] = BW_CLI_DONE,
		[BW_ERR_MEMORY] = BW_CLI_NO,
		[BW_ERR_INPUT] = BW_CLI_USAGE,
		[BW_ERR_RANGE] = BW_CLI_USAGE,
		[BW_ERR_IO] = BW_CLI_UNREACHABLE,
		[BW_ERR_STORE] = BW_CLI_UNREACHABLE,
		[BW_ERR_CONFLICT] = BW_CLI_NO,
		[BW_ERR_NOT_FOUND] = BW_CLI_NO,
		[BW_ERR_EXISTS] = BW_CLI_NO,
		[BW_ERR_LIMIT] = BW_CLI_NO,
		[BW_ERR_PERMISSION] = BW_CLI_NOT_PERMITTED,
		[BW_ERR_CORRUPT] = BW_CLI_UNREACHABLE,
	};
	static_assert(sizeof(codes) / sizeof(codes[0]) == BW_ERR_COUNT, "an exit code for every error");

	return codes[err];
}
