/* expect.h: what a scenario expects of a message's verdict.
 *
 * Layer:     simulate.
 * Ownership: values.
 */
#ifndef BW_SIMULATE_EXPECT_H
#define BW_SIMULATE_EXPECT_H

#include "bw/verdict.h"

enum breaker_state { STATE_ANY, STATE_CLOSED, STATE_OPEN, STATE_HALF_OPEN, STATE_FORCED_OPEN };

struct expectation {
	enum bw_action action;
	bool any_guard, any_event;
	enum bw_guard guard;
	enum breaker_state state;
	enum bw_event event;
	struct bw_slice target; /* of redirect; "": any */
};

struct expect {
	bool given;
	int64_t first; /* so many messages meet `head`, the others `rest`; 0: all meet `rest` */
	struct expectation head, rest;
};

/* Which expectation the n-th message (from 1) has to meet; NULL: none. */
const struct expectation *bw_expect_of(const struct expect *expect, int64_t ordinal);
bool bw_expect_met(const struct expectation *e, const struct bw_verdict *v);
void bw_expect_print(const struct expectation *e, struct bw_buf *out);
/* What came instead, in the same words. */
void bw_expect_print_verdict(const struct bw_verdict *v, struct bw_buf *out);

#endif
