/* posts.h: accepted list messages on their way into the store, which `storm freeze` asks where their copies are queued.
 *
 * Layer:     engine, on store's contract only.
 * Threads:   any; the lock is held for a few instructions. flush() is for one thread at a time, off the message path.
 * Ownership: rows that are given are copied.
 * Bounds:    BW_POSTS_WAITING rows, each with its own text (a few hundred bytes; never more than POST_TEXT_BYTES of one).
 * Fails:     never; what finds no memory is counted as evicted.
 *
 * Eviction: when more rows wait than there is room for, the store has not taken any for a while. The oldest goes: it has had the most
 * time to be delivered, and freezing what is delivered helps nobody. How many went that way is counted and shown.
 */
#ifndef BW_ENGINE_POSTS_H
#define BW_ENGINE_POSTS_H

#include "bw/store.h"

enum { BW_POSTS_WAITING = 8192, BW_POSTS_BATCH = 500 };

struct bw_posts;
struct bw_posts *bw_posts_new(void); /* NULL when memory is out */
void bw_posts_free(struct bw_posts **posts);
void bw_posts_add(struct bw_posts *p, const struct bw_post *row);
/* Hands over all that waits, by batches. False: the store failed, and the rest waits for the next flush. */
bool bw_posts_flush(struct bw_posts *p, struct bw_store *store);
int64_t bw_posts_evicted(const struct bw_posts *p);

#endif
