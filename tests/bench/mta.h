/* mta.h: one connection of an MTA to a milter, as Postfix 3.7 behaves on the wire (recorded from it, and milter8.c).
 *
 *   - every action and step is offered; what the milter declines is not sent, what it does not answer is not waited for;
 *   - macros go ahead of every step, empty or not, also of steps that are declined; their names may be replaced by the milter;
 *   - what needs no answer waits in the buffer until an answer is needed, 4 KiB are full, or cleanup takes over after DATA;
 *   - an answer of "accept" at DATA ends the message; ABORT follows every message, and travels with the next one.
 *
 * Layer:     bench, on base. Does no I/O: the loop moves the bytes.
 * Threads:   one connection, one thread.
 * Time:      none.
 * Ownership: bw_mta_init() / bw_mta_done(); the plan is borrowed.
 * Fails:     bw_mta_take() says false and leaves a sentence in `why`; the connection is of no further use then.
 */
#ifndef BW_BENCH_MTA_H
#define BW_BENCH_MTA_H

#include "letter.h"
#include "packet.h"

enum bw_mta_step {
	BW_MTA_NEGOTIATE,
	BW_MTA_CONNECT,
	BW_MTA_HELO,
	BW_MTA_MAIL,
	BW_MTA_RCPT,
	BW_MTA_DATA,
	BW_MTA_HEADER,
	BW_MTA_EOH,
	BW_MTA_BODY,
	BW_MTA_EOM,
	BW_MTA_REST, /* between messages */
	BW_MTA_STEP_COUNT
};

/* What became of a message. */
enum bw_mta_verdict { BW_MTA_ACCEPT, BW_MTA_HOLD, BW_MTA_THROTTLE, BW_MTA_REJECT, BW_MTA_DISCARD, BW_MTA_VERDICT_COUNT };

enum { BW_MTA_STAGES = 7, BW_MTA_WHY_BYTES = 128 };

struct bw_mta {
	const struct bw_plan *plan;
	enum bw_mta_step step;
	bool waiting; /* for an answer */
	bool flush;   /* what is in `out` has to leave before anything is added */
	struct bw_buf out;
	uint32_t actions, steps;        /* negotiated: SMFIF_*, SMFIP_* */
	uint32_t macros[BW_MTA_STAGES]; /* by SMFIM_*: which of the known macros are wanted */
	int64_t n, i;                   /* number of the message; of the recipient or field in it */
	int64_t refused;                /* recipients */
	bool quarantined, skip_body;
	enum bw_mta_verdict refusal; /* of the recipient refused last */
	enum bw_mta_verdict verdict; /* of the last message */
	struct bw_answer answer;
	char why[BW_MTA_WHY_BYTES];
};

void bw_mta_init(struct bw_mta *m, const struct bw_plan *plan);
void bw_mta_done(struct bw_mta *m);

/* Adds to `out` what may be sent now. Nothing is added while it waits, rests or must be flushed; the loop clears `flush` when `out`
 * has been written. */
void bw_mta_fill(struct bw_mta *m);
/* Takes bytes off `in` up to the end of one answer, or all. */
bool bw_mta_take(struct bw_mta *m, struct bw_slice *in);
/* Begins message number `n`; only at rest. */
void bw_mta_start(struct bw_mta *m, int64_t n);
/* Adds the good-bye. */
void bw_mta_quit(struct bw_mta *m);

#endif
