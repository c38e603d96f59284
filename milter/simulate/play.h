/* play.h: the parts of one play that its files share.
 *
 * Layer:     simulate.
 * Time:      virtual: milliseconds since the start in the scenario, since 1970 for the engine.
 */
#ifndef BW_SIMULATE_PLAY_H
#define BW_SIMULATE_PLAY_H

#include "schedule.h"
#include "stage.h"
#include "tally.h"
#include "thread.h"

struct play {
	const struct bw_scenario *scenario;
	const struct bw_simulate_options *options;
	struct stage stage;
	struct schedule schedule;
	struct threads threads;
	struct bw_map dates; /* message-id= -> when it was first used: the same message carries the same Date */
	struct bw_arena *arena;
	struct tally tally;
	int64_t queue_ids; /* given so far */
	bool degraded;     /* the last verdicts were made without the shared store */
	bool recovered;    /* the store is back; the next verdict on list mail says so */
};

/* Makes the message that is due: bytes, Message-ID, thread. */
enum bw_err bw_offer_make(struct play *p, const struct due *due, struct bw_slice from, struct offer **out, struct bw_why *why);
/* Brings it through a session, as an MTA would, and tells what came of it. The outcome lives until the next one. */
void bw_offer_bring(struct play *p, const struct due *due, struct bw_slice from, struct outcome *out);

#endif
