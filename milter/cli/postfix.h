/* postfix.h: the two Postfix commands of a release, with fixed arguments and never through a shell.
 *
 * Layer:     cli.
 * Time:      each command is given half a minute of monotonic time.
 * Ownership: texts are borrowed.
 * Fails:     one sentence with what the command said.
 */
#ifndef BW_CLI_POSTFIX_H
#define BW_CLI_POSTFIX_H

#include "bw/err.h"

struct postfix {
	const char *commands; /* directory of postsuper and postqueue; NULL: PATH, then /usr/sbin */
	const char *config;   /* -c DIR; NULL: Postfix's own default, or MAIL_CONFIG */
};

/* postsuper -H ID. BW_ERR_INPUT (`queue_id` is no Postfix queue id), BW_ERR_NOT_FOUND (it is not in the hold queue), BW_ERR_PERMISSION
 * (postsuper refused, and we are not root), BW_ERR_IO (it could not be run, or failed). */
enum bw_err bw_cli_postfix_release(const struct postfix *postfix, const char *queue_id, struct bw_why *why);
/* postqueue -i ID: deliver now; without it the message waits for the next queue run. BW_ERR_INPUT, BW_ERR_IO. */
enum bw_err bw_cli_postfix_deliver(const struct postfix *postfix, const char *queue_id, struct bw_why *why);

#endif
