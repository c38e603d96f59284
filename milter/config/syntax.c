#include "syntax.h"

enum { NO = BW_WANT_COUNT }; /* not allowed here */

/* OPEN and CLOSE: the state that the outer level is left in, and whether the level may end. */
static const unsigned char next[BW_WANT_COUNT][BW_WORD_COUNT] = {
	/* behind a name, a scalar, = or :, a semicolon, a comma, an opening and a closing bracket */
	[BW_WANT_NAME] = { BW_WANT_ASSIGN, NO, NO, NO, NO, NO, BW_WANT_END },
	[BW_WANT_ASSIGN] = { NO, NO, BW_WANT_VALUE, NO, NO, NO, NO },
	[BW_WANT_VALUE] = { NO, BW_WANT_END, NO, NO, NO, BW_WANT_END, NO },
	[BW_WANT_END] = { BW_WANT_ASSIGN, NO, NO, BW_WANT_NAME, BW_WANT_NAME, NO, BW_WANT_END },
	[BW_WANT_FIRST] = { NO, BW_WANT_COMMA, NO, NO, NO, BW_WANT_COMMA, BW_WANT_END },
	[BW_WANT_COMMA] = { NO, NO, NO, NO, BW_WANT_ITEM, NO, BW_WANT_END },
	[BW_WANT_ITEM] = { NO, BW_WANT_COMMA, NO, NO, NO, BW_WANT_COMMA, NO },
};

static const char *const wanted[BW_WANT_COUNT] = {
	[BW_WANT_NAME] = "a name",
	[BW_WANT_ASSIGN] = "\"=\" or \":\"",
	[BW_WANT_VALUE] = "a value",
	[BW_WANT_END] = "\";\", a name or a closing bracket",
	[BW_WANT_FIRST] = "a value or a closing bracket",
	[BW_WANT_COMMA] = "\",\" or a closing bracket",
	[BW_WANT_ITEM] = "a value",
};

static const char *const found[BW_WORD_COUNT] = {
	[BW_WORD_NAME] = "a word without quotes",
	[BW_WORD_SCALAR] = "a value",
	[BW_WORD_ASSIGN] = "\"=\" or \":\"",
	[BW_WORD_SEMICOLON] = "\";\"",
	[BW_WORD_COMMA] = "\",\"",
	[BW_WORD_OPEN] = "an opening bracket",
	[BW_WORD_CLOSE] = "a closing bracket",
};

static bool open_level(struct bw_config_syntax *s, char bracket, const char *file, unsigned line, struct bw_buf *problem)
{
	struct bw_config_level *level = &s->at[s->depth];

	if (level->open == '[') {
		bw_buf_add_text(problem, "brackets hold texts and numbers only; groups stand in parentheses: ( { … }, { … } )");
		return false;
	}
	if (s->depth == BW_CONFIG_DEPTH_MAX) {
		bw_buf_printf(problem, "more than %d brackets within each other", BW_CONFIG_DEPTH_MAX);
		return false;
	}
	level->state = (enum bw_config_state)next[level->state][BW_WORD_OPEN];
	s->at[++s->depth] = (struct bw_config_level){ bracket, bracket == '{' ? BW_WANT_NAME : BW_WANT_FIRST, line, file };
	return true;
}

static char partner(char open)
{
	return open == '{' ? '}' : open == '[' ? ']' : ')';
}

static bool close_level(struct bw_config_syntax *s, char bracket, struct bw_buf *problem)
{
	const struct bw_config_level *level = &s->at[s->depth];

	if (s->depth == 0) {
		bw_buf_printf(problem, "\"%c\" closes nothing", bracket);
		return false;
	}
	if (partner(level->open) != bracket) {
		bw_buf_printf(problem, "\"%c\" where \"%c\" must close the \"%c\" of %s:%u", bracket, partner(level->open), level->open,
		              level->file, level->line);
		return false;
	}
	s->depth--;
	return true;
}

bool bw_config_syntax_step(struct bw_config_syntax *s, enum bw_config_word word, char bracket, const char *file, unsigned line,
                           struct bw_buf *problem)
{
	struct bw_config_level *level = &s->at[s->depth];

	/* A bracket of the wrong kind is worth its own sentence, wherever it stands. */
	if (word == BW_WORD_CLOSE && (s->depth == 0 || partner(level->open) != bracket))
		return close_level(s, bracket, problem);
	if (next[level->state][word] == NO) {
		bw_buf_printf(problem, "%s where %s is wanted", found[word], wanted[level->state]);
		return false;
	}
	if (word == BW_WORD_OPEN)
		return open_level(s, bracket, file, line, problem);
	if (word == BW_WORD_CLOSE)
		return close_level(s, bracket, problem);
	level->state = (enum bw_config_state)next[level->state][word];
	return true;
}

bool bw_config_syntax_wants_value(const struct bw_config_syntax *s)
{
	return next[s->at[s->depth].state][BW_WORD_SCALAR] != NO;
}

enum bw_err bw_config_syntax_end(const struct bw_config_syntax *s, const char *file, struct bw_why *why)
{
	const struct bw_config_level *level = &s->at[s->depth];

	if (s->depth > 0)
		return bw_fail(why, BW_ERR_INPUT, "%s:%u: this \"%c\" is never closed", level->file, level->line, level->open);
	if (level->state == BW_WANT_NAME || level->state == BW_WANT_END)
		return BW_OK;
	return bw_fail(why, BW_ERR_INPUT, "%s: the end of the file where %s is wanted", file, wanted[level->state]);
}
