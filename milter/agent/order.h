/* order.h: one command of an MTA, run to its end, with fixed arguments and never through a shell.
 *
 * Layer:     agent.
 * Time:      half a minute of monotonic time for what is quick, ten minutes for what looks at a whole queue.
 * Ownership: texts are borrowed; `said` is the caller's and receives the command's output.
 * Fails:     one sentence with what the command said.
 */
#ifndef BW_AGENT_ORDER_H
#define BW_AGENT_ORDER_H

#include "bw/agent.h"

enum { ORDER_WORDS = 80, SAID_BYTES = 4096, LINE_BYTES = 65536 };

struct order {
	const char *program;
	const char *config_flag;        /* what names `config` on its command line */
	const char *words[ORDER_WORDS]; /* further words; NULL ends them */
	const char *option;             /* of breakwaterctl, that says where the commands are */
	bool lasts;                     /* may go on when time is up; others are killed then */
};

/* BW_ERR_PERMISSION (it failed, and we are not root), BW_ERR_IO (not found, not started, failed or did not end). */
enum bw_err bw_agent_order(const struct bw_mta_place *place, const struct order *order, struct bw_buf *said, struct bw_why *why);
/* The same for long output: each line, without its end and cut to LINE_BYTES, goes to `each`; what it says is only kept for `why`. */
enum bw_err bw_agent_order_lines(const struct bw_mta_place *place, const struct order *order,
                                 void (*each)(void *ctx, struct bw_slice line), void *ctx, struct bw_why *why);

#endif
