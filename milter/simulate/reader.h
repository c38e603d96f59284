/* reader.h: one line of a scenario in hand, and the functions that understand its parts.
 *
 * Layer:     simulate.
 * Ownership: words live in the scenario's arena; a NUL that they do not count stands behind each.
 * Fails:     "FILE:LINE: what is wrong; expected ...".
 */
#ifndef BW_SIMULATE_READER_H
#define BW_SIMULATE_READER_H

#include "internal.h"

struct reader {
	struct bw_scenario *scenario;
	struct bw_why *why;
	int line;
	struct bw_slice words[SCENARIO_WORDS_MAX];
	size_t count, at; /* words, and the next one to read */
};

/* Splits a line into the reader's words. */
enum bw_err bw_lex_line(struct reader *r, struct bw_slice line);
/* Is all of it UTF-8 without control characters but tab, CR and LF? Else the line of the first byte that is not. */
bool bw_lex_is_text(struct bw_slice text, int *line);
/* Fails with "FILE:LINE: ". */
enum bw_err bw_reader_fail(const struct reader *r, enum bw_err err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
enum bw_err bw_reader_no_memory(const struct reader *r);
/* The next word; false at the end of the line. */
bool bw_reader_next(struct reader *r, struct bw_slice *word);
/* Splits "key=value" at the first '='; false: there is none. */
bool bw_reader_split(struct bw_slice word, struct bw_slice *key, struct bw_slice *value);
/* A normalised address in the scenario's arena. */
enum bw_err bw_reader_address(const struct reader *r, const char *what, struct bw_slice text, struct bw_slice *out);
/* A duration, and a number within `range`; `what` names it in the sentence. */
enum bw_err bw_reader_duration(const struct reader *r, const char *what, struct bw_slice text, int64_t *out);
enum bw_err bw_reader_count(const struct reader *r, const char *what, struct bw_slice text, const int64_t range[2], int64_t *out);

enum bw_err bw_read_internal(struct reader *r);
enum bw_err bw_read_list(struct reader *r);
enum bw_err bw_read_set(struct reader *r);
enum bw_err bw_read_mail(struct reader *r, enum mail_kind kind, struct mail_plan *plan);
enum bw_err bw_read_expect(struct reader *r, int64_t messages, struct expect *out);

#endif
