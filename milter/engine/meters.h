/* meters.h: what identities send and mailboxes get, summed in the daemon, so that ordinary mail never waits for the store.
 *
 * Layer:   engine, on store's contract (bw/counting.h) only.
 * Threads: any; locks are striped and held for a look at eight entries. flush() is for one thread at a time.
 * Time:    an argument (local or virtual, ms): how old a figure is; windows themselves slide in the store.
 * Bounds:  fixed memory, whatever keys come: BW_METERS_ENTRIES entries of 64 bytes, and BW_METERS_SPILL rows on their way.
 * Fails:   never; a table without memory counts nothing and lets everything pass.
 *
 * A total is what the store said last (all hosts), what is on its way there, and what was added since. It may be too high when the
 * store was asked long ago (ask again before stopping anything), and too low by what other hosts did since.
 *
 * Eviction: a new key takes the place of the one with the smallest total among eight, of equals the one that rested longest. What was
 * not handed over yet goes into the spill, and from there to the store: evicted is not lost. Where the spill is full the new key goes
 * uncounted until the next flush. So a million fresh keys can keep other fresh keys from being counted for a moment. They cannot
 * displace a key that has counted more than theirs, make anything forgotten that was counted, or cost memory or a wait.
 */
#ifndef BW_ENGINE_METERS_H
#define BW_ENGINE_METERS_H

#include "bw/store.h"

enum {
	BW_METERS_ENTRIES = 65536, /* 4 MiB */
	BW_METERS_SPILL = 8192,
	BW_METERS_BATCH = 2048 /* rows that one flush hands over */
};

/* A key of a meter, with the window and the limit of these days. */
struct bw_meter_key {
	enum bw_meter meter;
	struct bw_hash key;
	int64_t window_ms;
	int64_t limit; /* 0: none */
};

struct bw_meters;
struct bw_meters *bw_meters_new(void); /* NULL when memory is out */
void bw_meters_free(struct bw_meters **meters);

/* For simulate and tests: the store is told the time of each call, from now on. */
void bw_meters_set_virtual(struct bw_meters *m);

/* The total as known here. */
int64_t bw_meters_total(struct bw_meters *m, const struct bw_meter_key *k, int64_t now_ms);
/* Adds, whatever the limit; returns the total with it. */
int64_t bw_meters_add(struct bw_meters *m, const struct bw_meter_key *k, int64_t amount, int64_t now_ms);
/* Adds unless the total would pass the limit. */
bool bw_meters_add_within(struct bw_meters *m, const struct bw_meter_key *k, int64_t amount, int64_t now_ms);
/* Counts one under this key here only, in a window of its own that does not slide: for suspicion, never for a verdict. */
int64_t bw_meters_note(struct bw_meters *m, const struct bw_meter_key *k, int64_t now_ms);
/* Takes back what was added and did not happen. */
void bw_meters_take_back(struct bw_meters *m, const struct bw_meter_key *k, int64_t amount, int64_t now_ms);
/* Asks the store for this key now, unless it was asked within the last second; hands over what waits. For mail that may be stopped. */
void bw_meters_ask(struct bw_meters *m, struct bw_store *store, const struct bw_meter_key *k, int64_t now_ms);
/* Hands over what waits, at most one batch; windows by meter. False: the store failed, and the batch waits for the next flush. */
bool bw_meters_flush(struct bw_meters *m, struct bw_store *store, const int64_t windows_ms[BW_METER_COUNT], int64_t now_ms);

struct bw_meters_figures {
	int64_t evicted, spilled, uncounted; /* keys: in all, with something to hand over, without a place */
};
void bw_meters_figures(struct bw_meters *m, struct bw_meters_figures *out);

#endif
