/* receipts.h: which fields of a message ask for receipts, and which of them nobody may touch. Inside the session library only.
 *
 * Layer:   filter (session).
 * Threads: pure.
 */
#ifndef BW_FILTER_RECEIPTS_H
#define BW_FILTER_RECEIPTS_H

#include "bw/envelope.h"

typedef bool bw_receipts_own(const void *ctx, struct bw_slice domain);

/* One header field of the message. `own`: is a domain one of ours, whose signatures are made after us? */
void bw_receipts_read(struct bw_receipts *r, struct bw_slice name, struct bw_slice value, bw_receipts_own *own, const void *ctx);
/* Writes the RCPT parameters that stand for those given: "NOTIFY=FAILURE", with DELAY and ORCPT where they were asked for. False:
 * success was not asked for, nothing is written. */
bool bw_receipts_notify(char *const *parameters, struct bw_buf *out);

#endif
