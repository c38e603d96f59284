/* letter.h: the mail that the load generator sends: envelope, a header of twelve fields, a body.
 *
 * Layer:     bench, on base.
 * Threads:   pure.
 * Ownership: a plan borrows its texts.
 */
#ifndef BW_BENCH_LETTER_H
#define BW_BENCH_LETTER_H

#include "bw/slice.h"

#define BW_LETTER_BODY_MAX 65535 /* one chunk of the milter protocol (MILTER_CHUNK_SIZE) */

/* What is the same for all messages of a run. '#' in an address stands for a number. */
struct bw_plan {
	const char *client; /* the SMTP client's address, IPv4 */
	const char *from, *to;
	int64_t senders;        /* how many different senders take turns; 1 and up */
	int64_t spread;         /* how many different recipients take turns; 1 and up */
	int64_t rcpts;          /* recipients of one message */
	const char *thread;     /* the Message-ID that is replied to; NULL: new posts */
	const char *message_id; /* of the message; NULL: one for each, made from `tag` */
	const char *tag;        /* tells this run's Message-IDs from others' */
	bool auth;              /* senders are SASL users */
	int64_t body_bytes;     /* 0..BW_LETTER_BODY_MAX */
};

/* Addresses without angle brackets; `n` is the number of the message, `i` that of the recipient in it. */
void bw_letter_sender(const struct bw_plan *plan, int64_t n, struct bw_buf *out);
void bw_letter_recipient(const struct bw_plan *plan, int64_t n, int64_t i, struct bw_buf *out);
/* The queue id that the MTA gives message `n`. */
void bw_letter_queue_id(int64_t n, struct bw_buf *out);

size_t bw_letter_field_count(void);
/* Field number `i` of message `n`: name, NUL, value, NUL, as the milter protocol has it. */
void bw_letter_field(const struct bw_plan *plan, int64_t n, size_t i, struct bw_buf *out);
void bw_letter_body(const struct bw_plan *plan, struct bw_buf *out);

#endif
