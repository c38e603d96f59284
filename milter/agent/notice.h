/* notice.h: what people are told by mail: that their message waits. Text only; nothing is sent here.
 *
 * Layer:     agent.
 * Threads:   pure.
 * Time:      given.
 * Ownership: appends to the caller's buffer.
 * Fails:     never; what does not fit is cut.
 */
#ifndef BW_AGENT_NOTICE_H
#define BW_AGENT_NOTICE_H

#include "bw/records.h"

enum { NOTICE_BYTES = 32768, NOTICE_LANGUAGES = 4 };

struct notice_frame {
	const char *from;           /* an address */
	const int *languages;       /* indices of agent_notice_language() */
	size_t language_count;
	int64_t now_ms;
	struct bw_hash id;          /* of the notice's own Message-ID */
	bool nameless, subjectless; /* names no sender, no subject: privacy.* */
};

/* "en", "de", "fr", "es": its index; -1 for another. */
int agent_notice_language(struct bw_slice word);
/* May its sender be written to? Not a stranger, whose address may be forged; nothing that a program wrote (RFC 3834, 2); not an address that a mail program
 * could take for something else. */
bool agent_notice_wanted(const struct bw_held *held);
bool agent_notice_address(struct bw_slice address);
/* The whole message, lines ended by LF: to its sender, that it waits. */
void agent_notice_held(struct bw_buf *out, const struct notice_frame *frame, const struct bw_held *held);

/* --- parts, for the other notices (bulletin.h) --- */

/* The header, without the empty line. Bytes of the subject that are no UTF-8 become '?'. */
void agent_notice_header(struct bw_buf *out, const struct notice_frame *frame, struct bw_slice to, struct bw_slice subject);
/* Bytes of strangers in one line of a body: no control characters, valid UTF-8, at most `most` bytes. */
void agent_notice_clean(struct bw_buf *out, struct bw_slice text, size_t most);
/* `text` with the values in the places of "%s", in their order. */
void agent_notice_fill(struct bw_buf *out, const char *text, const struct bw_slice *values, size_t count);

#endif
