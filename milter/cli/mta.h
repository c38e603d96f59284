/* mta.h: what a release asks of an MTA, for each MTA that the ledger knows.
 *
 * Layer:     cli.
 * Time:      each command is given half a minute of monotonic time.
 * Ownership: texts are borrowed.
 * Fails:     one sentence with what the command said.
 */
#ifndef BW_CLI_MTA_H
#define BW_CLI_MTA_H

#include "order.h"

/* Out of the MTA's hold. BW_ERR_INPUT (`queue_id` is none of this MTA), BW_ERR_NOT_FOUND (it is not held any more), BW_ERR_PERMISSION
 * (refused, and we are not root), BW_ERR_IO (the command could not be run, or failed). */
typedef enum bw_err mta_release_fn(const struct mta_place *place, const char *queue_id, struct bw_why *why);
/* Delivered now; without it the message waits for the next queue run. BW_ERR_INPUT, BW_ERR_PERMISSION, BW_ERR_IO. */
typedef enum bw_err mta_deliver_fn(const struct mta_place *place, const char *queue_id, struct bw_why *why);

mta_release_fn bw_cli_postfix_release, bw_cli_sendmail_release;
mta_deliver_fn bw_cli_postfix_deliver, bw_cli_sendmail_deliver;

#endif
