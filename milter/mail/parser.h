/* parser.h: a header in the making.
 *
 * Layer:     mail, between header.c (the message's course) and fields.c (one field at a time).
 * Threads:   one.
 * Ownership: slices in `facts` live in the arena.
 */
#ifndef BW_MAIL_PARSER_H
#define BW_MAIL_PARSER_H

#include "signs.h"

struct bw_header_parser {
	struct bw_arena *arena;
	bool (*want)(void *ctx, struct bw_slice address);
	void *ctx;
	char detail;             /* recipient delimiter of To and Cc */
	struct bw_header facts;
	uint64_t signs;
	const char *vendor;      /* whose field gave BW_SIGN_VENDOR_REPLY */
	size_t taken;            /* bytes of header read so far, and a fee for each field */
	struct bw_mail_budget budget; /* of To and Cc */
	bool from_seen;          /* the first From stands, whatever it holds */
	bool answers;            /* a non-blank In-Reply-To or References */
	bool in_body;            /* `mime` has started */
	struct bw_slice content_type;
	struct bw_mail_mime mime;
};

/* Reads one field of the header. `name` and `value` are bounded by the caller. */
void bw_mail_field_read(struct bw_header_parser *p, struct bw_slice name, struct bw_slice value);

#endif
