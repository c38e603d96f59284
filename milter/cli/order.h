/* order.h: one command of an MTA, run to its end, with fixed arguments and never through a shell.
 *
 * Layer:     cli.
 * Time:      half a minute of monotonic time for each.
 * Ownership: texts are borrowed; `said` is the caller's and receives the command's output.
 * Fails:     one sentence with what the command said.
 */
#ifndef BW_CLI_ORDER_H
#define BW_CLI_ORDER_H

#include "bw/err.h"
#include "bw/slice.h"

enum { ORDER_WORDS = 5, SAID_BYTES = 4096 };

/* Where an MTA's commands and configuration are. */
struct mta_place {
	const char *commands; /* directory; NULL: PATH, then /usr/sbin */
	const char *config;   /* NULL: the MTA's own default */
};

struct order {
	const char *program;
	const char *config_flag;        /* what names `config` on its command line */
	const char *words[ORDER_WORDS]; /* further words; NULL ends them */
	const char *option;             /* of breakwaterctl, that says where the commands are */
	bool lasts;                     /* may go on when time is up; others are killed then */
};

/* BW_ERR_PERMISSION (it failed, and we are not root), BW_ERR_IO (not found, not started, failed or did not end). */
enum bw_err bw_cli_order(const struct mta_place *place, const struct order *order, struct bw_buf *said, struct bw_why *why);

#endif
