/* keeper.h: what commands on held messages work with: an MTA and where it is, and a keeper on this command's store and archive.
 *
 * Layer:     cli.
 * Ownership: bw_cli_keeper_open() / bw_cli_keeper_close().
 * Fails:     an exit code, with the sentence in c->why.
 */
#ifndef BW_CLI_KEEPER_H
#define BW_CLI_KEEPER_H

#include "bw/agent.h"
#include "command.h"

/* An MTA's commands and configuration as the options, else the environment, else the configuration, say. */
struct bw_mta_place bw_cli_mta_place(const struct cli *c, const struct bw_mta *mta);

struct cli_keeper {
	struct bw_keeper keeper;
	struct bw_key key;
};
enum bw_cli_exit bw_cli_keeper_open(struct cli *c, struct cli_keeper *out);
void bw_cli_keeper_close(struct cli_keeper *k);

/* The options that say where the MTAs are. */
#define OPT_MTA (OPT(POSTFIX_CONFIG) | OPT(POSTFIX_COMMANDS) | OPT(SENDMAIL_CONFIG) | OPT(SENDMAIL_COMMANDS))

#endif
