/* status.h: the figures of the status screen.
 *
 * Layer:     cli.
 * Time:      c->now_ms.
 * Ownership: bw_cli_figures() / bw_cli_figures_done().
 * Fails:     an exit code, with the sentence in c->why.
 */
#ifndef BW_CLI_STATUS_H
#define BW_CLI_STATUS_H

#include "breakers.h"
#include "bw/room.h"

enum { HOSTS_MAX = 256, TALLIES_MAX = 1000 };

struct host {
	char host[128], version[32];
	struct bw_host_row row; /* its texts are those above */
	bool behind;            /* has not acknowledged the newest settings or lists */
};

/* What one list suffers. */
struct tally {
	char *list;
	int64_t size, open, held, deliveries;
};

struct figures {
	struct host hosts[HOSTS_MAX]; /* alive ones */
	size_t host_count;
	bool degraded;
	int64_t bypass_until_ms; /* in force on this host, 0 none */
	int64_t lists, unconfirmed;
	int64_t deliveries;                    /* let pass to lists since `since_ms`, by daemons and by releases */
	int64_t since_ms;                      /* start of the daemon that runs longest, 0 if none runs */
	int64_t held, held_deliveries;         /* waiting */
	struct bw_room_limits room_limits;     /* of the hold queue of this host, */
	struct bw_room_figures room;           /* how much waits there, */
	enum bw_full full;                     /* and which limit leaves no room for more */
	int64_t released, released_deliveries; /* since `since_ms` */
	struct tally tallies[TALLIES_MAX];     /* the worst first */
	size_t tally_count;
};

enum bw_cli_exit bw_cli_figures(struct cli *c, const struct breakers *breakers, struct figures *out);
void bw_cli_figures_done(struct figures *f);
/* The end of the bypass that is in force on this host by its own clock, 0 for none (bypass.c). */
int64_t bw_cli_bypass_end_ms(const struct cli *c);

#endif
