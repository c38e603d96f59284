/* told.h: who was told what, and how far an agent is: bounded memory, and a small file that outlives it.
 *
 * Layer:     agent.
 * Threads:   one thread.
 * Time:      store time.
 * Fails:     BW_ERR_IO and the like with the file's name; BW_ERR_CONFLICT: another agent has the file.
 */
#ifndef BW_AGENT_TOLD_H
#define BW_AGENT_TOLD_H

#include "bw/hash.h"

enum { TOLD_SLOTS = 65536 };

/* Bounded: where two fall into one slot, the older is forgotten and may be told once more. */
struct told_slot {
	struct bw_hash who;
	int64_t at_ms;
};

struct told {
	struct bw_key key; /* nobody can choose whom he displaces */
	int state_fd;
	const char *path;
	/* As in the file: senders have been told of what began to wait until held_ms, everybody else until waiting_ms, and of events until
	 * event_ms. */
	int64_t held_ms, event_ms, waiting_ms;
	struct told_slot ids[TOLD_SLOTS], senders[TOLD_SLOTS], events[TOLD_SLOTS], waiting[TOLD_SLOTS];
};

bool told_was(const struct told *t, struct told_slot *slots, struct bw_slice what, int64_t now_ms, int64_t within_ms);
void told_note(const struct told *t, struct told_slot *slots, struct bw_slice what, int64_t now_ms);

/* Opens the file, and locks it while the process lives; `known`: it says how far an agent before us was. */
enum bw_err told_open(struct told *t, const char *path, bool *known, struct bw_why *why);
void told_close(struct told *t);
enum bw_err told_write(struct told *t, struct bw_why *why);

#endif
