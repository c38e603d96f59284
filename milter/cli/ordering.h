/* ordering.h: commands on held mail as orders, which the agents of the hosts carry out: written, signed, given, and followed.
 *
 * Layer:     cli.
 * Time:      waits until the orders have ended, or the command is interrupted; with virtual time (env->now_ms) it does not wait.
 * Ownership: entries are borrowed.
 * Fails:     an exit code, with the sentence in c->why.
 */
#ifndef BW_CLI_ORDERING_H
#define BW_CLI_ORDERING_H

#include "batch.h"
#include "bw/order.h"

enum { ORDER_DIGITS = 12 };

/* Is this an installation with breakwater-helper, where held mail is moved by signed orders? */
bool bw_cli_has_orders(const struct cli *c);
/* The key to sign them with: BW_CLI_NOT_PERMITTED says whose it is. */
enum bw_cli_exit bw_cli_order_key(struct cli *c, struct bw_order_key *out);

/* One order a host. */
struct given {
	struct bw_order_row row; /* its host is borrowed from the entries */
	size_t first, count;     /* among the entries, which are sorted by host */
	int64_t deliveries;
	/* as it was seen last */
	enum bw_order_state state;
	int64_t done, ended, done_deliveries;
	char note[200];
};
struct ordering {
	struct cli *c;
	const struct batch *batch;
	struct entries *entries;
	struct given *given;
	size_t count;
};
/* Writes and gives the orders for all entries, which it sorts by host. */
enum bw_cli_exit bw_cli_orders_give(struct ordering *o, const struct bw_order_key *key);
void bw_cli_orders_done(struct ordering *o);
/* Shows how far they are until they have ended (`ended`: the entries say then what came of them), or it is interrupted. */
enum bw_cli_exit bw_cli_orders_follow(struct ordering *o, bool *ended);

/* Both of these, instead of doing it here. */
enum bw_cli_exit bw_cli_batch_order(struct cli *c, const struct batch *b, struct entries *e, bool *ended);

#endif
