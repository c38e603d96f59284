/* pacing.h: a release that takes its time: `held release --pace N`.
 *
 * Layer:     cli.
 * Time:      waits by sleeping; with virtual time (env->now_ms) the wait is that time's.
 * Ownership: the entries are borrowed.
 * Fails:     BW_CLI_REFUSED at a flare-up, with the sentence in c->why.
 */
#ifndef BW_CLI_PACING_H
#define BW_CLI_PACING_H

#include "bw/pace.h"
#include "held.h"

struct pacing {
	struct cli *c;
	const struct entries *entries;
	struct bw_pace pace;
	int64_t started_ms;
	int64_t now_ms;    /* store time, kept up by waiting */
	int64_t looked_ms; /* for a flare-up */
};

void bw_cli_pacing_start(struct pacing *p, struct cli *c, const struct entries *e);
/* Until the next message may go. */
enum bw_cli_exit bw_cli_pacing_wait(struct pacing *p);
void bw_cli_pacing_sent(struct pacing *p, const struct entry *e);

#endif
