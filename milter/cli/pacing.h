/* pacing.h: a release that takes its time: `held release --pace N`.
 *
 * Layer:     cli.
 * Time:      waits by sleeping; with virtual time (env->now_ms) the wait is that time's.
 * Ownership: the entries are borrowed.
 * Fails:     BW_CLI_REFUSED at a flare-up, with the sentence in c->why.
 */
#ifndef BW_CLI_PACING_H
#define BW_CLI_PACING_H

#include "bw/flare.h"
#include "held.h"

struct pacing {
	struct cli *c;
	const struct entries *entries;
	struct bw_pace pace;
	struct bw_flare flare;
	int64_t now_ms; /* store time, kept up by waiting */
};

/* How long each round is watched: --observe, or two minutes. */
int64_t bw_cli_observe_ms(const struct cli *c);
void bw_cli_pacing_start(struct pacing *p, struct cli *c, struct entries *e);
/* Until the next message may go. */
enum bw_cli_exit bw_cli_pacing_wait(struct pacing *p);
void bw_cli_pacing_sent(struct pacing *p, const struct entry *e);

#endif
