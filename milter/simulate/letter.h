/* letter.h: one message as its sender's program writes it, and its way through a session.
 *
 * Layer:     simulate.
 * Ownership: a letter borrows; bytes go into the caller's buffers.
 */
#ifndef BW_SIMULATE_LETTER_H
#define BW_SIMULATE_LETTER_H

#include "bw/session.h"
#include "internal.h"

struct letter {
	enum mail_kind kind;
	struct bw_slice from;       /* "<>" stands for the MTA itself */
	struct bw_slice to;         /* comma-separated addresses */
	struct bw_slice subject;    /* UTF-8; of the kind's own prefix nothing yet */
	bool prefix;                /* put the kind's prefix ("Re: ", "Automatic reply: ") in front */
	struct bw_slice message_id; /* without < > */
	int64_t date_ms;
	const char *const *references; /* the root first, the parent last; without < > */
	size_t reference_count;
	struct bw_slice list_address, list_id; /* list-output: of the list that it is the output of */
};

/* The header as an MTA hands it to a milter: LF between lines, no empty line at the end. */
void bw_letter_write_head(const struct letter *l, struct bw_buf *out);
/* The body, CRLF between lines. */
void bw_letter_write_body(const struct letter *l, struct bw_buf *out);
/* Does this kind travel with the null sender (RFC 3834 3.3, RFC 8098 3, RFC 3464 2)? */
bool bw_letter_has_null_sender(enum mail_kind kind);
/* Hands the fields of a header to the session, one by one. */
void bw_letter_feed(struct bw_session *session, struct bw_slice head);

#endif
