/* help, version: from the table. */
#include <string.h>

#include "output.h"

enum { TEXT_BYTES = 2000, WIDTH = 78 };

static void print_options(struct cli *c, uint64_t options)
{
	struct bw_buf name;

	bw_buf_init(&name, 80);
	for (enum option_id id = 0; id < OPTION_COUNT; id++) {
		const struct option *o = bw_cli_option_at(id);

		if ((options & UINT64_C(1) << id) == 0)
			continue;
		bw_buf_reset(&name);
		if (o->letter != 0)
			bw_buf_printf(&name, "-%c, ", o->letter);
		bw_buf_printf(&name, "--%s%s%s", o->name, o->value != NULL ? " " : "", o->value != NULL ? o->value : "");
		bw_cli_line(c, STYLE_PLAIN, "  %-26s %s", bw_buf_text(&name), o->help);
	}
	bw_buf_done(&name);
}

static void print_all(struct cli *c)
{
	const struct command *command;

	bw_cli_line(c, STYLE_PLAIN, "usage: breakwaterctl [-c FILE] [--json] [--yes] COMMAND [WORD...]");
	bw_cli_line(c, STYLE_PLAIN, "%s", "");
	for (size_t i = 0; (command = bw_cli_command_at(i)) != NULL; i++) {
		struct bw_slice help = bw_cli_help_line(command);

		bw_cli_line(c, STYLE_PLAIN, "  %-19s %.*s", command->name, (int)help.n, help.p);
	}
	bw_cli_line(c, STYLE_PLAIN, "%s", "");
	bw_cli_line(c, STYLE_PLAIN, "options of all commands:");
	print_options(c, OPT_ALWAYS);
	bw_cli_line(c, STYLE_PLAIN, "%s", "");
	bw_cli_line(c, STYLE_PLAIN, "exit codes: 0 done, 1 answered no or not found, 2 usage, 3 refused by a safety rule,");
	bw_cli_line(c, STYLE_PLAIN, "69 store not reachable, 77 not permitted");
	bw_cli_line(c, STYLE_PLAIN, "`breakwaterctl help COMMAND` explains one; breakwaterctl(1) all of them");
}

/* Lines of at most WIDTH characters, broken at blanks. */
static void print_wrapped(struct cli *c, struct bw_slice text)
{
	struct bw_slice word;
	struct bw_buf line;

	bw_buf_init(&line, TEXT_BYTES);
	while (bw_slice_word(&text, &word)) {
		if (line.n > 0 && line.n + 1 + word.n > WIDTH) {
			bw_cli_line(c, STYLE_PLAIN, "%s", bw_buf_text(&line));
			bw_buf_reset(&line);
		}
		if (line.n > 0)
			bw_buf_add_char(&line, ' ');
		bw_buf_add(&line, word);
	}
	if (line.n > 0)
		bw_cli_line(c, STYLE_PLAIN, "%s", bw_buf_text(&line));
	bw_buf_done(&line);
}

static void print_one(struct cli *c, const struct command *command)
{
	struct bw_slice first = bw_cli_help_line(command);
	struct bw_buf text;

	bw_buf_init(&text, TEXT_BYTES);
	bw_cli_usage(&text, command);
	bw_cli_line(c, STYLE_HEAD, "breakwaterctl %s", bw_buf_text(&text));
	bw_cli_line(c, STYLE_PLAIN, "%s", "");
	bw_buf_reset(&text);
	bw_buf_add(&text, first);
	if (text.n > 0 && text.p[0] >= 'a' && text.p[0] <= 'z')
		text.p[0] = (char)(text.p[0] - 'a' + 'A'); /* a sentence here, a phrase in the table */
	bw_buf_add_char(&text, '.');
	if (command->help[first.n] == '\n')
		bw_buf_printf(&text, " %s", command->help + first.n + 1);
	print_wrapped(c, bw_buf_slice(&text));
	bw_buf_done(&text);
	if (command->options == 0)
		return;
	bw_cli_line(c, STYLE_PLAIN, "%s", "");
	print_options(c, command->options);
}

/* `help breaker`: all of a group. */
static bool print_group(struct cli *c, const char *group)
{
	const struct command *command;
	bool found = false;

	for (size_t i = 0; (command = bw_cli_command_at(i)) != NULL; i++) {
		struct bw_slice name = bw_slice_of(command->name), help = bw_cli_help_line(command);

		if (!bw_slice_equal(bw_slice_head(name, bw_slice_find(name, ' ')), bw_slice_of(group)))
			continue;
		bw_cli_line(c, STYLE_PLAIN, "  %-19s %.*s", command->name, (int)help.n, help.p);
		found = true;
	}
	return found;
}

static enum bw_cli_exit run_help(struct cli *c)
{
	const struct command *command;
	int used;

	if (c->word_count == 0) {
		print_all(c);
		return BW_CLI_DONE;
	}
	command = bw_cli_command_find(c->words, c->word_count, &used, &c->why);
	if (command != NULL) {
		print_one(c, command);
		return BW_CLI_DONE;
	}
	return print_group(c, c->words[0]) ? BW_CLI_DONE : BW_CLI_USAGE;
}

static enum bw_cli_exit run_version(struct cli *c)
{
	json_t *o;

	if (!c->args.json) {
		bw_cli_line(c, STYLE_PLAIN, "breakwaterctl " BW_VERSION);
		return BW_CLI_DONE;
	}
	o = json_object();
	bw_cli_put_text(o, "version", BW_VERSION);
	bw_cli_json(c, o);
	return BW_CLI_DONE;
}

const struct command bw_cli_family_help[] = {
	{ "help", "[COMMAND]", 0, 3, 0, NEED_NOTHING, false, run_help, "explain a command, or list all of them" },
	{ "version", "", 0, 0, 0, NEED_NOTHING, false, run_version, "print the version" },
	{ .name = NULL },
};
