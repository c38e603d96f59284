/* reading.h: what the MTAs' files share: reading one message out of many lines.
 *
 * Layer: agent.
 */
#ifndef BW_AGENT_READING_H
#define BW_AGENT_READING_H

#include "bw/agent.h"

extern const struct bw_mta bw_agent_postfix, bw_agent_sendmail;

/* One message while its lines are read. */
struct reading {
	const struct bw_key *key;
	bool (*each)(void *ctx, const struct bw_queued *row);
	void *ctx;
	bool sealed_id; /* its mark is bound to the queue id that it was given first */
	bool in_it, stopped;
	bool elsewhere; /* not in the hold queue */
	char queue_id[BW_QUEUE_ID_BYTES], first_id[BW_QUEUE_ID_BYTES];
	int64_t arrived_ms; /* 0: unknown */
	bool marked;
	struct bw_mark mark;
	struct bw_buf mark_text, list, sender, subject, message_id, recipients;
};

void reading_init(struct reading *r, const struct bw_key *key, bool (*each)(void *ctx, const struct bw_queued *row), void *ctx);
void reading_done(struct reading *r);
void reading_start(struct reading *r, struct bw_slice queue_id);
/* One line of a header, or of folding. */
void reading_header(struct reading *r, struct bw_slice line);
/* A genuine mark is kept, the last one: ours is added at the end of a header. */
void reading_mark(struct reading *r, struct bw_slice value);
void reading_recipient(struct reading *r, struct bw_slice address);
/* Gives the message to `each`. */
void reading_end(struct reading *r);

#endif
