/* stage.h: what a scenario is played on: stores, world, engine.
 *
 * Layer:     simulate.
 * Time:      virtual, since 1970, from the caller.
 * Ownership: bw_stage_open() / bw_stage_close(); texts of the configuration are the scenario's and the stage's.
 */
#ifndef BW_SIMULATE_STAGE_H
#define BW_SIMULATE_STAGE_H

#include "bw/session.h"
#include "internal.h"

/* Where list output comes from unless client= says otherwise: the dummy address of RFC 7600, which no host has. */
#define BW_STAGE_LIST_SERVER "192.0.0.8"
#define BW_STAGE_CLIENT      "192.0.0.9" /* where messages come from unless a statement says otherwise: ours, vouched */

/* A shared store that may fail, guarded by an embedded one, as a daemon with a shared store has them. */
struct stage {
	const struct bw_scenario *scenario;
	struct bw_arena *arena;
	struct bw_store *shared;   /* the faulty one; owned by `store` */
	struct bw_store *fallback; /* owned by `store` */
	struct bw_store *store;    /* guarded: what the engine counts on */
	struct bw_engine *engine;
	struct bw_session *session;
	char **domains;
	size_t domain_count;
	struct bw_list_entry *lists;
	int64_t expiry_ms;                 /* the next setting to expire, 0: none */
	int64_t swept_ms;                  /* when the store last collected its garbage */
	int64_t learned;                   /* proposals of sizes that the directory in force knows of */
	int64_t sweep_every_ms, memory_ms; /* of the configuration */
};

enum bw_err bw_stage_open(struct stage *stage, const struct bw_scenario *scenario, const struct bw_simulate_options *options,
                          struct bw_why *why);
void bw_stage_close(struct stage *stage);
/* Reads settings and lists anew, as the daemon does when they changed. The old world stays when the store does not answer. */
enum bw_err bw_stage_reload(struct stage *stage, int64_t now_ms, struct bw_why *why);
/* What a daemon does from time to time: garbage is collected, which tells the store the time, and the world is read anew when
 * a setting has expired. */
enum bw_err bw_stage_tick(struct stage *stage, int64_t now_ms, struct bw_why *why);

#endif
