/* batch.h: one thing done to several held messages: selected, checked, shown first and done with --yes.
 *
 * Layer:     cli.
 * Fails:     the first failure's exit code and sentence; the other messages are tried all the same.
 */
#ifndef BW_CLI_BATCH_H
#define BW_CLI_BATCH_H

#include "bw/orders.h"
#include "held.h"
#include "keeper.h"

struct batch {
	const char *command;    /* "held release" */
	const char *done;       /* "released" */
	const char *after;      /* what is to be said behind the sum; NULL: nothing */
	enum bw_held_state from; /* what is selected */
	enum bw_cli_exit (*check)(struct cli *c, const struct entries *e); /* what may stop all of it; NULL: nothing */
	enum bw_err (*one)(struct cli *c, struct cli_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
	                   struct entry *e);
	enum bw_event event;
	bool pacing; /* --pace N is meant for it */
	enum bw_order_kind kind; /* of the order that does the same on the host that holds them */
};

enum bw_cli_exit bw_cli_batch(struct cli *c, const struct batch *b);
/* The same with messages that are selected already. */
enum bw_cli_exit bw_cli_batch_do(struct cli *c, const struct batch *b, struct entries *e);
/* May these go: not to a list that an operator stopped, and not more at once than a list's budget. BW_CLI_REFUSED; --force lifts it. */
enum bw_cli_exit bw_cli_check_release(struct cli *c, const struct entries *e);
/* Lets one go: out of the hold, and the order to deliver it. For struct batch's `one`. */
enum bw_err bw_cli_release_one(struct cli *c, struct cli_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                               struct entry *e);
/* `e` as the keeper's functions take it; it borrows. */
struct bw_held bw_cli_entry_held(const struct entry *e, enum bw_held_state state);

#endif
