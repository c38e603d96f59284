/* packet.h: packets of the milter protocol, written into a bounded buffer and read from a stream in pieces.
 *
 * Layer:   bench, on base.
 * Threads: values; no shared state.
 * Fails:   what does not fit into the buffer is cut (see bw_buf); an answer's data beyond BW_ANSWER_KEPT is read over.
 *
 * A packet is a 32-bit length in network order (of what follows), a command byte, data; strings end in NUL (libmilter's mfdef.h).
 */
#ifndef BW_BENCH_PACKET_H
#define BW_BENCH_PACKET_H

#include "bw/slice.h"

#define BW_ANSWER_KEPT 2048 /* the lists of macro names that come with a negotiation are a few hundred bytes */
#define BW_ANSWER_MAX  (1 << 20)

/* Starts a packet; bw_packet_end() takes the position returned and writes the length there. */
size_t bw_packet_begin(struct bw_buf *out, char command);
void bw_packet_end(struct bw_buf *out, size_t start);
void bw_packet_string(struct bw_buf *out, struct bw_slice text);
void bw_packet_number(struct bw_buf *out, uint32_t n);

/* One answer of the milter, gathered from as many pieces as it comes in. */
struct bw_answer {
	char command;
	size_t kept; /* of its data */
	char data[BW_ANSWER_KEPT];
	/* private */
	unsigned char head[5];
	size_t have, left; /* bytes of the head; of the data, still to come */
};

/* Takes bytes off `in` until an answer is whole (true; read it before the next call) or none are left (false). An answer longer
 * than BW_ANSWER_MAX or shorter than its command comes out with the command NUL: the peer speaks another protocol. */
bool bw_answer_feed(struct bw_answer *a, struct bw_slice *in);
/* A 32-bit number at `at`; false if the data ends before. */
bool bw_answer_number(const struct bw_answer *a, size_t at, uint32_t *out);

#endif
