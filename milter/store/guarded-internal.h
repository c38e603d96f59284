/* guarded-internal.h: the two stores behind a guarded or a shared one.
 *
 * Layer:   store, inside the guarded and shared files only.
 * Threads: any; the members that change are atomic, or under the lock that their line names.
 */
#ifndef BW_GUARDED_INTERNAL_H
#define BW_GUARDED_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "shared-known.h"
#include "bw/store-guarded.h"
#include "store-internal.h"

#define BW_GUARDED_NEWS_MAX 4096

struct bw_guarded {
	struct bw_store base;
	struct bw_store_ops ops; /* of this kind: a shared store answers some calls in its own way */
	struct bw_store *primary, *fallback;
	_Atomic bool degraded;
	_Atomic int64_t since_ms; /* store time of the fallback when it took over */
	_Atomic int64_t daemons;  /* live hosts, as the primary last said */
	pthread_mutex_t reason_lock;
	struct bw_why reason;     /* why it is degraded; under reason_lock */
	pthread_mutex_t probe;    /* one probe at a time; and the members up to here */
	bool follows;             /* another process merges */
	bool has_beat;            /* the owner's last heartbeat: what a probe writes, for reading proves nothing */
	struct bw_host_row beat;
	char host[256], version[64];
	bool has_claim;           /* the owner's site secret: a primary that comes back must have the same */
	struct bw_hash claim;
	/* of a shared store */
	struct bw_known *known;
	_Atomic int64_t next_look_ms; /* monotonic: when what is known is compared next */
	pthread_mutex_t copying;  /* one copier at a time; and the members up to here */
	int64_t copied_settings, copied_directory; /* versions of the primary that the fallback has */
	_Atomic int64_t seen_settings, seen_directory; /* that the primary has shown last */
	_Atomic bool was_empty;                        /* it has shown none, and has been asked why */
	pthread_mutex_t news_lock;
	struct bw_hash news[BW_GUARDED_NEWS_MAX]; /* a ring: ledger entries that the primary does not have; under news_lock */
	size_t news_first, news_count;
	bool news_lost;           /* there were more */
	bool owes_posts;          /* under news_lock, as the next: the primary lacks posts that were accepted or moved then or later */
	int64_t owed_posts_ms;
	/* what a guarded store does, for a shared one that adds to it */
	enum bw_err (*guarded_order_move)(struct bw_store *s, const struct bw_hash *id, enum bw_order_state from, enum bw_order_state to,
	                                  int64_t now_ms, struct bw_slice by, struct bw_slice note, struct bw_why *why);
	enum bw_err (*guarded_order_result)(struct bw_store *s, const struct bw_hash *id, int64_t number, enum bw_item_result result,
	                                    struct bw_slice note, int64_t now_ms, struct bw_why *why);
};

static inline struct bw_guarded *bw_guarded_of(struct bw_store *s)
{
	return (struct bw_guarded *)s;
}

enum bw_err bw_guarded_count(struct bw_store *s, const struct bw_count_in *in, struct bw_count_out *out, size_t n,
                             struct bw_why *why);
enum bw_err bw_guarded_breaker_cas(struct bw_store *s, const struct bw_breaker_key *key, const struct bw_breaker *next,
                                   struct bw_why *why);
void bw_guarded_close(struct bw_store *s);
/* From now on the fallback decides. */
void bw_guarded_degrade(struct bw_guarded *g, const struct bw_why *why);
/* Copies the text of `mine` for a caller who wants to know. */
enum bw_err bw_guarded_tell(enum bw_err err, const struct bw_why *mine, struct bw_why *why);

/* Brings open breakers and ledger entries made since `since_ms` from the fallback into the primary. May be repeated. */
enum bw_err bw_guarded_merge(struct bw_guarded *g, int64_t since_ms);
/* The events of that time; once. */
enum bw_err bw_guarded_merge_events(struct bw_guarded *g, int64_t since_ms);
/* Closes what was merged in the fallback, so that its next turn starts without it. */
void bw_guarded_forget(struct bw_guarded *g);
/* Puts one ledger entry of the fallback into the primary, in the state that it has come to. */
enum bw_err bw_guarded_merge_held(struct bw_store *primary, const struct bw_held *held);

/* Orders that were given to the fallback since `since_ms`: into the primary (may be repeated); and then ended where they were. */
enum bw_err bw_guarded_merge_orders(struct bw_guarded *g, int64_t since_ms);
void bw_guarded_end_orders(struct bw_guarded *g);

/* A shared store's way with posts and orders (shared-posts.c). */
void bw_shared_take_posts(struct bw_guarded *g);
/* Copies the posts that the primary lacks, and those accepted or moved at `since_ms` or later (negative: none). Needs `copying`. */
void bw_shared_copy_posts(struct bw_guarded *g, int64_t since_ms, const _Atomic bool *stop);
void bw_shared_owe_posts(struct bw_guarded *g, int64_t since_ms);

/* The next copy compares the whole ledger. */
void bw_shared_look_at_all(struct bw_guarded *g);
/* What a primary that was emptied or set back has lost of settings and directory, from the fallback's copies. */
enum bw_err bw_shared_restore(struct bw_guarded *g, struct bw_why *why);
/* The other way: the fallback's copies follow the primary. Needs `copying`. */
enum bw_err bw_shared_copy_settings(struct bw_guarded *g, const _Atomic bool *stop);

#endif
