/* Aligned columns for people. */
#include <stdlib.h>
#include <string.h>

#include "bw/parse.h"
#include "output.h"

struct table *bw_cli_table_start(struct cli *c, const struct column *columns, size_t count)
{
	struct table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->c = c;
	t->columns = columns;
	t->count = count;
	return t;
}

/* Characters, not bytes: what is no continuation byte of UTF-8 begins one. */
static size_t characters(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xC0) != 0x80;
	return n;
}

/* Cuts `text` to `most` characters; two dots in place of the last two say so. */
static void cut(char *text, size_t most)
{
	size_t n = 0;

	if (most < 2 || characters(text) <= most)
		return;
	for (; *text != '\0'; text++) {
		if (((unsigned char)*text & 0xC0) != 0x80 && ++n == most - 1)
			break;
	}
	memcpy(text, "..", 3); /* at least three characters stand here */
}

static void print_cell(const struct table *t, size_t row, size_t column, bool last)
{
	const char *text = t->cells[row][column] != NULL ? t->cells[row][column] : "";
	size_t n = characters(text);
	int padding = n < t->widths[column] ? (int)(t->widths[column] - n) : 0;
	FILE *out = t->c->env->out;
	struct cli *c = t->c;
	bool colour = c->env->colour && t->styles[row][column] != STYLE_PLAIN;

	if (t->columns[column].right)
		fprintf(out, "%*s", padding, "");
	fprintf(out, "%s%s%s", colour ? bw_cli_colour(t->styles[row][column]) : "", text, colour ? "\033[0m" : "");
	if (!t->columns[column].right && !last)
		fprintf(out, "%*s", padding, "");
	fputs(last ? "\n" : "  ", out);
}

/* No blanks at the end of a line: what follows the last cell with something in it is left out. */
static void print_row(const struct table *t, size_t row)
{
	size_t n = 1;

	for (size_t i = 0; i < t->count; i++) {
		if (t->cells[row][i] != NULL && t->cells[row][i][0] != '\0')
			n = i + 1;
	}
	for (size_t i = 0; i < n; i++)
		print_cell(t, row, i, i + 1 == n);
}

static void print_head(struct table *t)
{
	FILE *out = t->c->env->out;
	size_t n = t->count;

	while (n > 1 && t->columns[n - 1].head[0] == '\0')
		n--;
	for (size_t i = 0; i < n; i++) {
		const struct column *column = &t->columns[i];
		int width = i + 1 == n && !column->right ? 0 : (int)t->widths[i];

		fprintf(out, column->right ? "%*s%s" : "%-*s%s", width, column->head, i + 1 == n ? "\n" : "  ");
	}
	t->headed = true;
}

static void flush(struct table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		if (t->widths[i] < strlen(t->columns[i].head))
			t->widths[i] = strlen(t->columns[i].head);
	}
	if (!t->headed && t->row > 0)
		print_head(t);
	for (size_t row = 0; row < t->row; row++) {
		print_row(t, row);
		for (size_t i = 0; i < t->count; i++) {
			free(t->cells[row][i]);
			t->cells[row][i] = NULL;
		}
	}
	t->row = 0;
}

static void add_cell(struct table *t, enum style style, struct bw_slice text)
{
	struct bw_buf clean;

	if (t == NULL)
		return;
	bw_buf_init(&clean, 4 * text.n + 1);
	bw_cli_neutralise(&clean, text);
	char *cell = bw_slice_dup(bw_buf_slice(&clean));

	bw_buf_done(&clean);
	if (cell != NULL) {
		cut(cell, t->columns[t->column].most);
		if (characters(cell) > t->widths[t->column])
			t->widths[t->column] = characters(cell);
	}
	t->cells[t->row][t->column] = cell;
	t->styles[t->row][t->column] = style;
	if (++t->column < t->count)
		return;
	t->column = 0;
	if (++t->row == BATCH_ROWS)
		flush(t);
}

void bw_cli_cell(struct table *t, struct bw_slice text)
{
	add_cell(t, STYLE_PLAIN, text);
}

void bw_cli_cell_styled(struct table *t, enum style style, const char *text)
{
	add_cell(t, style, bw_slice_of(text));
}

void bw_cli_cell_count(struct table *t, int64_t n)
{
	struct bw_buf text;

	bw_buf_init(&text, 40);
	bw_print_count(&text, n);
	add_cell(t, STYLE_PLAIN, bw_buf_slice(&text));
	bw_buf_done(&text);
}

void bw_cli_cell_time(struct table *t, int64_t at_ms)
{
	struct bw_buf text;

	bw_buf_init(&text, 40);
	if (at_ms > 0)
		bw_cli_stamp(&text, at_ms);
	else
		bw_buf_add_char(&text, '-');
	add_cell(t, STYLE_PLAIN, bw_buf_slice(&text));
	bw_buf_done(&text);
}

void bw_cli_table_end(struct table **table, const char *nothing)
{
	struct table *t = *table;

	*table = NULL;
	if (t == NULL)
		return;
	if (t->row > 0)
		flush(t);
	else if (!t->headed && nothing != NULL)
		bw_cli_line(t->c, STYLE_PLAIN, "%s", nothing);
	free(t);
}
