/* mbox.h: an archive of mail (RFC 4155), one message after the other in order of time.
 *
 * Layer:     simulate; the CLI and tests stand on it.
 * Threads:   one archive belongs to one thread.
 * Time:      of the From_ lines, UTC.
 * Ownership: bw_mbox_open() / bw_mbox_close(); a message's slices live until the next call.
 * Fails:     with a sentence that names the file. What stands in the messages never is a failure: a header without an end, NULs and
 *            broken lines are a message with fewer facts. A From_ line without a readable time is text of the message before it.
 *
 * Memory is bounded: 24 bytes a message for the order of time, and one buffer for the message in hand.
 */
#ifndef BW_MBOX_H
#define BW_MBOX_H

#include "bw/err.h"
#include "bw/slice.h"

#define BW_MBOX_MESSAGES_MAX 4000000

struct bw_mbox;

struct bw_mbox_message {
	int64_t line;           /* of its From_ line, from 1 */
	int64_t at_ms;          /* of its From_ line */
	struct bw_slice sender; /* of its From_ line; may be anything */
	struct bw_slice head;   /* the header, its lines as they stand in the file, without the empty line */
	struct bw_slice body;   /* the first BW_BODY_MAX bytes and perhaps more */
};

/* Reads all From_ lines and sorts them by time; what has the same time keeps its order. BW_ERR_IO, BW_ERR_INPUT (no mbox),
 * BW_ERR_RANGE (too many messages), BW_ERR_MEMORY. */
enum bw_err bw_mbox_open(const char *path, struct bw_mbox **out, struct bw_why *why);
void bw_mbox_close(struct bw_mbox **mbox);
size_t bw_mbox_count(const struct bw_mbox *mbox);
/* The next message, `*found` false at the end. BW_ERR_IO. */
enum bw_err bw_mbox_next(struct bw_mbox *mbox, struct bw_mbox_message *out, bool *found, struct bw_why *why);

/* Calls `each` for every field of a header: name, and value as an MTA hands it to a milter (folded, ends trimmed). Lines that are no
 * field are skipped. */
void bw_mbox_fields(struct bw_slice head, void (*each)(void *ctx, struct bw_slice name, struct bw_slice value), void *ctx);
/* The time of a From_ line in ms since 1970: "From ADDRESS Tue Mar  2 18:52:50 2021", perhaps with a zone ("+0100") before or
 * behind the year. False: it is no From_ line. */
bool bw_mbox_from_line(struct bw_slice line, struct bw_slice *sender, int64_t *at_ms);

#endif
