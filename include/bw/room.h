/* room.h: is there room in the hold queue of this host? What waits there is counted, so that the breaker never fills the spool.
 *
 * Layer:     engine.
 * Threads:   a struct bw_room is shared by all; bw_room_check() and bw_room_tell() are pure.
 * Time:      given.
 * Ownership: bw_room_new() / bw_room_free().
 * Fails:     BW_ERR_MEMORY, BW_ERR_IO; what cannot be measured sets no limit.
 *
 * Whoever holds a message takes its place first, under a lock, so the limits are passed by nobody. How much waits is read from the ledger
 * from time to time, off the message path: what is released, deleted or expired makes room then.
 */
#ifndef BW_ROOM_H
#define BW_ROOM_H

#include "bw/config.h"

enum bw_full {
	BW_FULL_NO,
	BW_FULL_MESSAGES, /* hold.max_messages */
	BW_FULL_BYTES,    /* hold.max_bytes */
	BW_FULL_DISK,     /* hold.min_free */
	BW_FULL_COUNT
};
const char *bw_full_name(enum bw_full full); /* "no", "messages", "bytes", "disk" */

/* 0: no limit. */
struct bw_room_limits {
	int64_t max_messages, max_bytes, min_free;
};
struct bw_room_limits bw_room_limits_of(const struct bw_config *config);

struct bw_room_figures {
	int64_t messages, bytes; /* that wait on this host */
	int64_t free;            /* bytes on the disk of the MTA's queue; negative: not known */
};

/* A message takes a block of the disk at least, and so much is taken for one whose client did not say its size. */
#define BW_ROOM_BLOCK INT64_C(4096)
int64_t bw_room_size(int64_t declared_bytes);

/* Does one more message of that size fit? Which limit says no. */
enum bw_full bw_room_check(const struct bw_room_limits *limits, const struct bw_room_figures *now, int64_t bytes);
/* "100,000 of at most 100,000 messages wait". */
void bw_room_print(struct bw_buf *out, enum bw_full full, const struct bw_room_limits *limits, const struct bw_room_figures *now);
/* Bytes free on the disk of the MTA's queue: hold.queue, or the least of where Postfix and Sendmail usually have theirs. BW_ERR_IO for a
 * hold.queue that is not there; `free` is negative then, and where no queue was found. */
enum bw_err bw_room_measure(const struct bw_config *config, int64_t *free_bytes, struct bw_why *why);

/* --- what is told of it --- */

struct bw_room_teller {
	bool full;          /* as last told */
	int64_t entered_ms; /* when that was told last, 0: never */
};
/* BW_EVENT_LIMIT when it has become full, once a minute at most; BW_EVENT_ROOM when it was told to be full and is not any more; else
 * BW_EVENT_NONE. */
enum bw_event bw_room_tell(struct bw_room_teller *t, int64_t now_ms, bool full);

/* --- shared by all threads --- */

struct bw_room;
struct bw_room *bw_room_new(void); /* NULL: memory */
void bw_room_free(struct bw_room **room);
/* Takes a place for one message (BW_FULL_NO), or says which limit is reached. */
enum bw_full bw_room_take(struct bw_room *room, const struct bw_room_limits *limits, int64_t bytes);
/* The ledger has it, or nobody will hold it: a reading that begins from now on knows of it. */
void bw_room_taken(struct bw_room *room);
/* Around a reading of the ledger by one thread: what was held meanwhile is not forgotten. */
int64_t bw_room_read_begin(struct bw_room *room); /* places that are being taken right now */
void bw_room_read_end(struct bw_room *room, int64_t messages, int64_t bytes);
void bw_room_set_free(struct bw_room *room, int64_t free_bytes);
/* As it is now; how many were refused since the last look, and by which limit. */
void bw_room_look(struct bw_room *room, struct bw_room_figures *now, int64_t *refused, enum bw_full *by);

#endif
