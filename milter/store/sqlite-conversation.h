/* sqlite-conversation.h: which messages of a list belong together.
 *
 * Layer:   store, inside the sqlite files only.
 * Threads: inside a job of a lane.
 * Time:    store time, milliseconds.
 *
 * A conversation's public id is the hash of its root's key (the first reference, else its own Message-ID, ...), so that two
 * stores that meet it apart give it the same id.
 */
#ifndef BW_SQLITE_CONVERSATION_H
#define BW_SQLITE_CONVERSATION_H

#include "sqlite-tally.h"

struct bw_sqlite_conversation {
	int64_t id; /* 0: none */
	int64_t list;
	struct bw_hash hash; /* its public id */
	int64_t founded_ms, last_ms;
	int64_t accepted; /* messages of it that went out */
	bool changed;
};

/* Follows merges to the conversation that is there now; false: gone, or (with memory_ms > 0) forgotten. */
bool bw_sqlite_conversation_load(struct bw_sqlite_lane *lane, int64_t id, int64_t now_ms, int64_t memory_ms,
                                 struct bw_sqlite_conversation *out);
void bw_sqlite_conversation_store(struct bw_sqlite_lane *lane, struct bw_sqlite_conversation *c);
/* By its public id. */
bool bw_sqlite_conversation_find(struct bw_sqlite_lane *lane, int64_t list, const struct bw_hash *hash,
                                 struct bw_sqlite_conversation *out);
/* The same; if there is none it is made anew, as one that went out: its replies will find it by its root. */
void bw_sqlite_conversation_revive(struct bw_sqlite_lane *lane, int64_t list, const struct bw_hash *hash, int64_t now_ms,
                                   struct bw_sqlite_conversation *out);
/* Joins or founds; `rival` is the second conversation the keys point at (id 0: none). True: founded. */
bool bw_sqlite_conversation_join(struct bw_sqlite_lane *lane, int64_t list, int64_t now_ms, const struct bw_count_in *in,
                                 struct bw_sqlite_conversation *joined, struct bw_sqlite_conversation *rival);
/* The younger goes into the older, which `a` is afterwards. */
void bw_sqlite_conversation_merge(struct bw_sqlite_lane *lane, struct bw_sqlite_conversation *a,
                                  struct bw_sqlite_conversation *b);
bool bw_sqlite_conversation_older(const struct bw_sqlite_conversation *a, const struct bw_sqlite_conversation *b);

#endif
