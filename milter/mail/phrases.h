/* phrases.h: what the subjects of automatic messages say, in many languages.
 *
 * Layer:   mail.
 * Threads: constants.
 *
 * Rows are in folded form (bw_mail_fold). A phrase is evidence only where class.c says so, mostly together with other signs.
 */
#ifndef BW_MAIL_PHRASES_H
#define BW_MAIL_PHRASES_H

#include "signs.h"

enum bw_mail_place {
	BW_MAIL_PLACE_START,    /* at the start, behind tags and brackets, at a word's end */
	BW_MAIL_PLACE_PREFIX,   /* at the start, and a colon follows */
	BW_MAIL_PLACE_WHOLE,    /* nothing else stands there */
	BW_MAIL_PLACE_END,
	BW_MAIL_PLACE_ANYWHERE, /* between words */
};

struct bw_mail_phrase {
	const char *text;
	size_t n; /* its bytes */
	enum bw_mail_place place;
	uint64_t sign;
};

/* The rows of one file. */
struct bw_mail_phrases {
	const struct bw_mail_phrase *rows;
	size_t count;
};

extern const struct bw_mail_phrases bw_mail_phrases_auto;    /* an answering machine speaks, or somebody of absence */
extern const struct bw_mail_phrases bw_mail_phrases_reports; /* bounces, receipts, recalls, answers to invitations */

#define BW_MAIL_ROW(text, place, sign) { text, sizeof(text) - 1, BW_MAIL_PLACE_##place, BW_SIGN(sign) }
#define START(text, sign)    BW_MAIL_ROW(text, START, sign)
#define PREFIX(text, sign)   BW_MAIL_ROW(text, PREFIX, sign)
#define WHOLE(text, sign)    BW_MAIL_ROW(text, WHOLE, sign)
#define END(text, sign)      BW_MAIL_ROW(text, END, sign)
#define ANYWHERE(text, sign) BW_MAIL_ROW(text, ANYWHERE, sign)

#endif
