/* learning.h: how many recipients each message of a list has had so far, behind list servers and expanders: what sizes are learned from.
 *
 * Layer:     engine, on base only.
 * Threads:   any; one lock, held for a look at eight entries, or at all of them by the thread that ticks.
 * Time:      an argument (ms).
 * Ownership: text is copied.
 * Bounds:    fixed memory, whatever comes: BW_LEARNING_ENTRIES messages, less than 1 MiB, most of it untouched until needed.
 * Fails:     never; without a place nothing is learned.
 *
 * Eviction: a new message takes the place of one that has been silent for an hour, else of the one with the fewest recipients among
 * eight, of equals the one that rested longest. What was evicted begins again at what the store remembers of it. So a flood of
 * messages to few cannot displace one to many; nor can it cost memory.
 */
#ifndef BW_ENGINE_LEARNING_H
#define BW_ENGINE_LEARNING_H

#include "bw/hash.h"

enum {
	BW_LEARNING_ENTRIES = 1024,
	BW_LEARNING_BATCH = 64, /* messages that one flush sums up, and sizes that it proposes */
	BW_LEARNING_ADDRESS_BYTES = 321, /* RFC 5321 4.5.3.1: 64 + 1 + 255, and NUL */
	BW_LEARNING_ID_BYTES = 256,      /* RFC 2919 3 */
	BW_LEARNING_CLIENT_BYTES = 64,
};

#define BW_LEARNING_QUIET_MS  INT64_C(10000)  /* without a recipient for so long, a message is looked at; */
#define BW_LEARNING_EVERY_MS  INT64_C(60000)  /* so often while it goes on, and */
#define BW_LEARNING_WHOLE_MS  INT64_C(600000) /* after so long without one nobody more is expected */
#define BW_LEARNING_FORGET_MS INT64_C(3600000)

/* One transaction of one message of one list. */
struct bw_lesson {
	struct bw_hash key;          /* of list and message */
	struct bw_slice address;     /* normalised; of the list */
	struct bw_slice list_id;     /* "" if none */
	struct bw_slice client;      /* the host that taught it */
	int64_t recipients;
	int64_t least;               /* fewer make no list */
	bool expander;
	bool doubtful;               /* teaches nothing, and is only added up: the address is a recipient of this message itself, … */
};

struct bw_learning_sum {
	struct bw_hash key;
	int64_t amount;
};

/* What one message of a list has taught. */
struct bw_finding {
	char address[BW_LEARNING_ADDRESS_BYTES], list_id[BW_LEARNING_ID_BYTES], client[BW_LEARNING_CLIENT_BYTES];
	int64_t size, least;
	bool expander;
	bool whole; /* no more recipients are expected: a smaller size says something as well */
};

struct bw_learning;
struct bw_learning *bw_learning_new(void); /* NULL when memory is out */
void bw_learning_free(struct bw_learning **learning);

void bw_learning_add(struct bw_learning *l, const struct bw_lesson *lesson, int64_t now_ms);
/* Takes at most BW_LEARNING_BATCH sums that the store has not been told of; what becomes of them, settle() is told: `totals` of all
 * hosts, or NULL: lost. */
size_t bw_learning_take(struct bw_learning *l, struct bw_learning_sum out[BW_LEARNING_BATCH]);
void bw_learning_settle(struct bw_learning *l, const struct bw_learning_sum *sums, const int64_t *totals, size_t n);
/* At most `most` findings that are due, each once. */
size_t bw_learning_due(struct bw_learning *l, struct bw_finding *out, size_t most, int64_t now_ms);
/* What is known here of all recipients of that message so far. */
int64_t bw_learning_total(struct bw_learning *l, const struct bw_hash *key);
int64_t bw_learning_evicted(struct bw_learning *l); /* since the start, silent ones not counted */

#endif
