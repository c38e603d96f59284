/* cli-document: breakwaterctl(1) with its generated parts renewed.
 *
 *   cli-document FILE    FILE, with what stands between the lines "; begin: PART" and "; end: PART" made anew from the tables;
 *                        PART is commands or options
 */
#include <stdio.h>
#include <string.h>

#include "command.h"

enum { OUTPUT_MAX = 1 << 20, LINE_BYTES = 4096, PIECE_MAX = 4096 };

/* '_', '*' and '\' mark up text in scdoc(5); `...` of our help becomes bold. */
static void print_plain(struct bw_buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '`')
			bw_buf_add_char(out, '*');
		else if (strchr("_*\\<>", *text) != NULL)
			bw_buf_printf(out, "\\%c", *text);
		else
			bw_buf_add_char(out, *text == '\n' ? ' ' : *text);
	}
}

static void print_commands(struct bw_buf *out)
{
	const struct command *command;
	struct bw_buf piece;

	bw_buf_init(&piece, PIECE_MAX);
	for (size_t i = 0; (command = bw_cli_command_at(i)) != NULL; i++) {
		struct bw_slice first = bw_cli_help_line(command);

		bw_buf_reset(&piece);
		bw_cli_usage(&piece, command);
		bw_buf_printf(out, "*%s*", command->name);
		print_plain(out, bw_buf_text(&piece) + strlen(command->name));
		bw_buf_add_text(out, "\n\t");
		bw_buf_reset(&piece);
		bw_buf_add(&piece, first);
		bw_buf_add_char(&piece, '.');
		if (command->help[first.n] == '\n')
			bw_buf_printf(&piece, " %s", command->help + first.n + 1);
		/* A sentence begins with a capital letter; help lines do not. */
		if (piece.n > 0 && piece.p[0] >= 'a' && piece.p[0] <= 'z')
			piece.p[0] = (char)(piece.p[0] - 'a' + 'A');
		print_plain(out, bw_buf_text(&piece));
		bw_buf_add_text(out, "\n\n");
	}
	bw_buf_done(&piece);
}

static void print_options(struct bw_buf *out)
{
	for (enum option_id id = 0; id < OPTION_COUNT; id++) {
		const struct option *o = bw_cli_option_at(id);

		if (o->letter != 0)
			bw_buf_printf(out, "*-%c*, ", o->letter);
		bw_buf_printf(out, "*--%s*", o->name);
		if (o->value != NULL)
			bw_buf_printf(out, " _%s_", o->value);
		bw_buf_add_text(out, "\n\t");
		print_plain(out, o->help);
		bw_buf_add_text(out, "\n\n");
	}
}

static const struct part {
	const char *begin, *end;
	void (*print)(struct bw_buf *out);
} parts[] = {
	{ "; begin: commands\n", "; end: commands\n", print_commands },
	{ "; begin: options\n", "; end: options\n", print_options },
};
enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

static const struct part *part_that_begins(const char *line)
{
	for (size_t i = 0; i < PARTS; i++) {
		if (strcmp(line, parts[i].begin) == 0)
			return &parts[i];
	}
	return NULL;
}

static bool renew(FILE *in, struct bw_buf *out)
{
	const struct part *inside = NULL;
	size_t found = 0;
	char line[LINE_BYTES];

	while (fgets(line, sizeof(line), in) != NULL) {
		if (inside != NULL && strcmp(line, inside->end) != 0)
			continue;
		inside = inside != NULL ? NULL : part_that_begins(line);
		bw_buf_add_text(out, line);
		if (inside == NULL)
			continue;
		bw_buf_add_char(out, '\n');
		inside->print(out);
		found++;
	}
	return inside == NULL && found == PARTS;
}

int main(int argc, char **argv)
{
	struct bw_buf out;
	FILE *in = argc == 2 ? fopen(argv[1], "r") : NULL;

	if (in == NULL) {
		fprintf(stderr, "usage: cli-document FILE\n");
		return 2;
	}
	bw_buf_init(&out, OUTPUT_MAX);
	bool whole = renew(in, &out) && !out.cut;

	fclose(in);
	if (!whole)
		fprintf(stderr, "%s: each part must begin and end once\n", argv[1]);
	else
		whole = fwrite(bw_buf_text(&out), 1, out.n, stdout) == out.n && fflush(stdout) == 0;
	bw_buf_done(&out);
	return whole ? 0 : 1;
}
