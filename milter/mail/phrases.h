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

extern const struct bw_mail_phrase bw_mail_phrases[];
extern const size_t bw_mail_phrase_count;

#endif
