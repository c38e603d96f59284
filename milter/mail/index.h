/* index.h: the rows of a table by the byte they begin with, so that a text meets few of them.
 *
 * Layer:   mail.
 * Threads: built by bw_mail_init(), constant from then on.
 */
#ifndef BW_MAIL_INDEX_H
#define BW_MAIL_INDEX_H

#include <stddef.h>
#include <stdint.h>

#define BW_MAIL_INDEX_MAX 6000

struct bw_mail_index {
	uint16_t start[257]; /* rows[start[b]] to rows[start[b + 1] - 1] begin with b */
	uint16_t rows[BW_MAIL_INDEX_MAX];
};

/* `byte_of`: what a row begins with, or -1 for one that does not belong here. Rows keep their order. `count` is at most
 * BW_MAIL_INDEX_MAX. */
void bw_mail_index_build(struct bw_mail_index *index, size_t count, int (*byte_of)(size_t row));

/* Built by bw_mail_init(). */
void bw_mail_phrases_index(void); /* phrases.c */
void bw_mail_evidence_index(void); /* evidence.c */

#endif
