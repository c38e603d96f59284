/* tally.h: what came of a play, added up message by message.
 *
 * Layer:     simulate.
 * Ownership: texts are copied into the result's memory.
 * Fails:     a note that finds no memory is counted, but not kept.
 */
#ifndef BW_SIMULATE_TALLY_H
#define BW_SIMULATE_TALLY_H

#include "bw/mail.h"
#include "bw/store.h"
#include "internal.h"
#include "schedule.h"

/* The end of one message. */
struct outcome {
	const struct due *due;
	struct bw_slice from;
	bool list_mail;          /* a list is among its recipients, or named in an expander's header */
	int64_t fanout;          /* deliveries */
	struct bw_verdict verdict;
	const char *sentence; /* why; of what would have happened, in shadow mode */
};

struct tally {
	const struct bw_scenario *scenario;
	struct bw_simulate_result *result;
	int64_t start_ms; /* the store's time of what is 0 in the result */
	struct bw_simulate_note *legitimate, *misses, *trips;
	struct bw_simulate_event *events;
	struct bw_map repliers;       /* "LIST SENDER" -> its number on that list, until a breaker trips */
	struct bw_map replier_counts; /* LIST -> how many */
};

bool bw_tally_init(struct tally *t, const struct bw_scenario *scenario);
void bw_tally_done(struct tally *t); /* keeps the result */
/* All events that `store` holds; they come after what is there, bw_tally_sort() puts them in their places. */
enum bw_err bw_tally_history(struct tally *t, struct bw_store *store, struct bw_why *why);
void bw_tally_sort(struct tally *t);
/* A message's last verdict. Returns the miss as a sentence, NULL if its expectation was met. */
const char *bw_tally_message(struct tally *t, const struct outcome *o);
/* Any offer of a message, before its last verdict: breakers act on retries as well. */
void bw_tally_offer(struct tally *t, const struct outcome *o);
void bw_tally_event(struct tally *t, const struct bw_simulate_event *event);
/* A message of an archive, `when_ms` since 1970: what it tripped, and whether it was a person's and stopped. */
void bw_tally_archived(struct tally *t, const struct outcome *o, const struct bw_header *header, int64_t when_ms);
/* What was to happen and did not, apart from messages: a command that failed. */
void bw_tally_miss(struct tally *t, const struct statement *st, const char *text);

#endif
