/* syntax.h: may this word stand here? libconfig's grammar, word by word, over all files of a source.
 *
 * Layer:     config, its own files only.
 * Ownership: a value; file names are borrowed from the source.
 * Fails:     answers with what is wanted instead; the state is then as it was.
 *
 * libconfig would say "syntax error" and lose the memory of a text it was about to take; so it is only ever given what it accepts.
 */
#ifndef BW_CONFIG_SYNTAX_H
#define BW_CONFIG_SYNTAX_H

#include "bw/err.h"
#include "bw/slice.h"
#include "source.h"

enum bw_config_word {
	BW_WORD_NAME,
	BW_WORD_SCALAR, /* text, number, true, false */
	BW_WORD_ASSIGN, /* = : */
	BW_WORD_SEMICOLON,
	BW_WORD_COMMA,
	BW_WORD_OPEN,
	BW_WORD_CLOSE,
	BW_WORD_COUNT
};

/* What may come next. */
enum bw_config_state {
	BW_WANT_NAME, /* in a group: a name, or its end */
	BW_WANT_ASSIGN,
	BW_WANT_VALUE,
	BW_WANT_END,   /* behind a value in a group: ";" or ",", a name, or the group's end */
	BW_WANT_FIRST, /* in a series: a value, or its end */
	BW_WANT_COMMA, /* behind a value in a series */
	BW_WANT_ITEM,  /* behind a comma in a series */
	BW_WANT_COUNT
};

/* A bracket that waits to be closed; the first level is the file's own, without one. */
struct bw_config_level {
	char open;
	enum bw_config_state state;
	unsigned line;
	const char *file;
};

struct bw_config_syntax {
	struct bw_config_level at[BW_CONFIG_DEPTH_MAX + 1];
	size_t depth; /* brackets that are open */
};

/* Goes on with a word (`bracket`: which, for OPEN and CLOSE) of that line; false: `problem` says why it cannot stand there. */
bool bw_config_syntax_step(struct bw_config_syntax *syntax, enum bw_config_word word, char bracket, const char *file,
                           unsigned line, struct bw_buf *problem);
/* Is a name at this place a value (true, false)? */
bool bw_config_syntax_wants_value(const struct bw_config_syntax *syntax);
/* Everything must be whole at the end of the last file. */
enum bw_err bw_config_syntax_end(const struct bw_config_syntax *syntax, const char *file, struct bw_why *why);

#endif
