/* output.h: what is printed: lines, tables and JSON. Everything passes one of these, and no byte of a stranger reaches a
 * terminal as a control character.
 *
 * Layer:     cli (jansson is seen here and by the commands that build objects).
 * Threads:   one command at a time.
 * Ownership: bw_cli_json() takes the object; a table keeps its cells until bw_cli_table_end().
 * Fails:     never; what memory refuses is left out, and the front end notices a stream that failed.
 */
#ifndef BW_CLI_OUTPUT_H
#define BW_CLI_OUTPUT_H

#include <jansson.h>

#include "command.h"

enum style { STYLE_PLAIN, STYLE_GOOD, STYLE_WARN, STYLE_BAD, STYLE_HEAD, STYLE_FAINT, STYLE_COUNT };

/* Appends `s` with control characters (C0, DEL, C1), what turns the direction of text (Unicode TR 36, 3.1), line and paragraph
 * separators, and invalid UTF-8 written as \xNN or \u{NNNN}. Used on whole lines: a line break is a control character. */
void bw_cli_neutralise(struct bw_buf *out, struct bw_slice s);

/* What switches a terminal to `style`; "\033[0m" switches it back. */
const char *bw_cli_colour(enum style style);

/* One line on c->env->out; nothing in a scenario. */
void bw_cli_line(struct cli *c, enum style style, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A line for people only: nothing with --json. */
void bw_cli_say(struct cli *c, enum style style, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* --- JSON --- */

void bw_cli_json(struct cli *c, json_t *object); /* one line; takes the reference */
json_t *bw_cli_string(struct bw_slice text);     /* any bytes; invalid UTF-8 becomes U+FFFD */
void bw_cli_put(json_t *object, const char *key, struct bw_slice text);
void bw_cli_put_text(json_t *object, const char *key, const char *text); /* NULL gives null */
void bw_cli_put_int(json_t *object, const char *key, int64_t n);
void bw_cli_put_bool(json_t *object, const char *key, bool yes);
void bw_cli_put_time(json_t *object, const char *key, int64_t at_ms); /* RFC 3339; 0 gives null */

/* --- tables --- */

enum { COLUMNS_MAX = 10, BATCH_ROWS = 400 };

struct column {
	const char *head;
	bool right;  /* numbers */
	size_t most; /* characters; 0: as many as there are */
};

/* Rows are kept until a batch of them is there to measure, so a million rows need no more memory than a few hundred. */
struct table {
	struct cli *c;
	const struct column *columns;
	size_t count, row, column;
	size_t widths[COLUMNS_MAX];
	bool headed;
	char *cells[BATCH_ROWS][COLUMNS_MAX];
	enum style styles[BATCH_ROWS][COLUMNS_MAX];
};

/* NULL when memory is out; the other functions accept that. */
struct table *bw_cli_table_start(struct cli *c, const struct column *columns, size_t count);
void bw_cli_cell(struct table *t, struct bw_slice text);
void bw_cli_cell_styled(struct table *t, enum style style, const char *text);
void bw_cli_cell_count(struct table *t, int64_t n);    /* "840,000" */
void bw_cli_cell_time(struct table *t, int64_t at_ms); /* 0: "-" */
/* Prints what is left; with no row at all, `nothing` (unless NULL). */
void bw_cli_table_end(struct table **t, const char *nothing);

/* --- times, in the local zone --- */

void bw_cli_stamp(struct bw_buf *out, int64_t at_ms);                 /* "2016-11-14 08:29:00" */
void bw_cli_until(struct bw_buf *out, int64_t now_ms, int64_t at_ms); /* "14:05", another day: "14:05 on 2016-11-15" */

#endif
