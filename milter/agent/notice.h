/* notice.h: what people are told by mail: that their message waits, and that a breaker has tripped. Text only; nothing is sent here.
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
	const int *languages;       /* indices of bw_notice_language() */
	size_t language_count;
	int64_t now_ms;
	struct bw_hash id;          /* of the notice's own Message-ID */
};

/* "en", "de", "fr", "es": its index; -1 for another. */
int agent_notice_language(struct bw_slice word);
/* May its sender be written to? Not a stranger, whose address may be forged; not an automaton; not an address that a mail program
 * could take for something else. */
bool agent_notice_wanted(const struct bw_held *held);
bool agent_notice_address(struct bw_slice address);
/* The whole message, lines ended by LF: to its sender, that it waits. */
void agent_notice_held(struct bw_buf *out, const struct notice_frame *frame, const struct bw_held *held);
/* The same of history, to one administrator. `lines`: what has happened, one a line. */
void agent_notice_events(struct bw_buf *out, const struct notice_frame *frame, struct bw_slice to, struct bw_slice lines);

#endif
