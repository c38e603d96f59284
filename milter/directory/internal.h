/* internal.h: the compact form in which builder and snapshot keep lists.
 *
 * Layer:     directory, seen by its own files only.
 * Threads:   a draft belongs to one thread; a part is read-only but for `views`.
 * Ownership: pool and index own their memory; both are all-zero when empty and moved by plain assignment.
 * Fails:     what allocates answers false, with nothing changed.
 *
 * A snapshot is a part that holds (nearly) everything, shared by many snapshots, and a small one with the addresses that have changed
 * since: a change costs what has changed, and a million lists are in memory once. They are there twice only while everything is
 * read anew or the changes are folded into a new large part, and that has to fit into 256 MiB; a struct bw_list for each, 88 bytes
 * without its texts, would not leave room for it. So what a source says of a list is a record of 20 bytes and its texts, and the
 * struct bw_list that callers see is made when somebody first asks for that list.
 */
#ifndef BW_DIRECTORY_INTERNAL_H
#define BW_DIRECTORY_INTERNAL_H

#include <stdatomic.h>

#include "bw/directory.h"

#define BW_DIRECTORY_NONE UINT32_MAX

/* --- pool.c: bytes that never move, addressed by 32 bits: chunk number and offset --- */

struct bw_directory_pool {
	char **chunks;
	size_t count, room; /* chunks there are; pointers `chunks` has room for */
	size_t used;        /* bytes of the last chunk */
};
#define BW_DIRECTORY_CHUNK_BITS  20
#define BW_DIRECTORY_CHUNK_BYTES ((size_t)1 << BW_DIRECTORY_CHUNK_BITS) /* longest piece, too */

void bw_directory_pool_done(struct bw_directory_pool *pool);
/* Room for `n` bytes in one piece, from a multiple of `align` on; NULL when memory is out or 4 GiB are reached. Of two pieces the
 * later one has the greater reference. */
char *bw_directory_pool_take(struct bw_directory_pool *pool, size_t n, size_t align, uint32_t *ref);

static inline const char *bw_directory_pool_at(const struct bw_directory_pool *pool, uint32_t ref)
{
	return pool->chunks[ref >> BW_DIRECTORY_CHUNK_BITS] + (ref & (BW_DIRECTORY_CHUNK_BYTES - 1));
}

/* --- index.c: open addressing with linear probing --- */

/* A slot is 32 bits of hash and an item's number plus one, 0 if empty. The hash bits answer nearly every miss without a look at the
 * item: most recipients of most mail are no lists. */
struct bw_directory_index {
	uint64_t *slots;
	size_t cap, used;
};

void bw_directory_index_done(struct bw_directory_index *index);
/* Makes room for `items` in all, at most three quarters full. */
bool bw_directory_index_reserve(struct bw_directory_index *index, size_t items);
/* Needs room. */
void bw_directory_index_put(struct bw_directory_index *index, uint32_t hash, uint32_t item);
/* Another item for one that is there. */
void bw_directory_index_replace(struct bw_directory_index *index, uint32_t hash, uint32_t item, uint32_t by);
/* The first item of that hash which `same` accepts, or BW_DIRECTORY_NONE. */
uint32_t bw_directory_index_find(const struct bw_directory_index *index, uint32_t hash,
                                 bool (*same)(const void *ctx, uint32_t item), const void *ctx);
/* `seed` is random, so that nobody can choose addresses that collide. */
uint32_t bw_directory_hash(uint64_t seed, struct bw_slice s);

/* --- records.h --- */

#include "records.h"

/* --- snapshot.c --- */

/* A list of the changed part, in order of address. */
struct bw_directory_place {
	uint32_t head;     /* its first record */
	uint32_t rank;     /* lists of the base before it */
	uint32_t shown;    /* changed lists before it that are lists now */
	uint32_t replaced; /* changed lists before it that are lists in the base */
};

struct bw_directory {
	atomic_size_t refs;
	struct bw_tier_bounds bounds;
	struct bw_directory_part *base, *changes; /* `changes` may be NULL */
	struct bw_directory_place *places;
	size_t place_count, count;
};

/* Fills one that is all-zero; takes both parts over on success. `changes` may be NULL, and without them it does not fail. */
bool bw_directory_assemble(struct bw_directory *d, const struct bw_tier_bounds *bounds, struct bw_directory_part *base,
                           struct bw_directory_part *changes);

#endif
