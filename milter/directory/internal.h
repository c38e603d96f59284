/* internal.h: the compact form in which builder and snapshot keep lists.
 *
 * Layer:     directory, seen by its own files only.
 * Threads:   a builder's parts belong to one thread; a snapshot's are read-only but for `views`.
 * Ownership: pool and index own their memory; both are all-zero when empty and moved by plain assignment.
 * Fails:     what allocates answers false, with nothing changed.
 *
 * A million lists have to fit twice into 256 MiB (the old snapshot and the new one while they are swapped), which a
 * struct bw_list for each, 88 bytes without its texts, would not leave room for. So a list is a record of 20 bytes
 * and its texts, and the struct bw_list that callers see is made when somebody first asks for that list.
 */
#ifndef BW_DIRECTORY_INTERNAL_H
#define BW_DIRECTORY_INTERNAL_H

#include <stdatomic.h>

#include "bw/directory.h"

#define BW_DIRECTORY_NONE UINT32_MAX

/* Bytes that never move, addressed by 32 bits: chunk number and offset. */
struct bw_directory_pool {
	char **chunks;
	size_t count, room; /* chunks there are; pointers `chunks` has room for */
	size_t used;        /* bytes of the last chunk */
};
#define BW_DIRECTORY_CHUNK_BITS  20
#define BW_DIRECTORY_CHUNK_BYTES ((size_t)1 << BW_DIRECTORY_CHUNK_BITS) /* longest piece, too */

void bw_directory_pool_done(struct bw_directory_pool *pool);
/* Room for `n` bytes in one piece; NULL when memory is out or 4 GiB are reached. */
char *bw_directory_pool_take(struct bw_directory_pool *pool, size_t n, uint32_t *ref);

static inline const char *bw_directory_pool_at(const struct bw_directory_pool *pool, uint32_t ref)
{
	return pool->chunks[ref >> BW_DIRECTORY_CHUNK_BITS] + (ref & (BW_DIRECTORY_CHUNK_BYTES - 1));
}

/* Open addressing with linear probing; a slot is 32 bits of hash and an item's number plus one, 0 if empty. The hash bits
 * answer nearly every miss without a look at the item: most recipients of most mail are no lists. */
struct bw_directory_index {
	uint64_t *slots;
	size_t cap, used;
};

void bw_directory_index_done(struct bw_directory_index *index);
/* Makes room for `items` in all, at most three quarters full. */
bool bw_directory_index_reserve(struct bw_directory_index *index, size_t items);
/* Needs room. */
void bw_directory_index_put(struct bw_directory_index *index, uint32_t hash, uint32_t item);
/* The first item of that hash which `same` accepts, or BW_DIRECTORY_NONE. */
uint32_t bw_directory_index_find(const struct bw_directory_index *index, uint32_t hash,
                                 bool (*same)(const void *ctx, uint32_t item), const void *ctx);
/* `seed` is random a builder, so that nobody can choose addresses that collide. */
uint32_t bw_directory_hash(uint64_t seed, struct bw_slice s);

struct bw_directory_record {
	uint32_t text;   /* the address and, right behind it, the List-Id */
	uint32_t detail; /* owner and posters, shared among lists that have the same; or BW_DIRECTORY_NONE */
	uint32_t size;
	uint16_t address_n, list_id_n;
	uint8_t tier;
	uint8_t source, texts; /* where the size is from, and where owner, List-Id and posters are from */
	bool unconfirmed;
};

/* A detail in the pool: this head, the posters' lengths (uint16_t each), the owner's text, the posters' texts. */
struct bw_directory_detail {
	uint32_t bytes; /* of all of it */
	uint16_t owner_n, poster_count;
};

struct bw_directory_view;

struct bw_directory {
	atomic_size_t refs;
	uint64_t seed;
	struct bw_directory_pool pool;
	struct bw_directory_record *records; /* in order of address */
	size_t count;
	struct bw_directory_index by_address, by_list_id;
	_Atomic(struct bw_directory_view *) *views; /* made at the first look-up of each */
	atomic_size_t reserve_used;
	_Alignas(max_align_t) char reserve[32768]; /* for views when memory is out */
};

static inline struct bw_slice bw_directory_record_address(const struct bw_directory_pool *pool,
                                                          const struct bw_directory_record *record)
{
	return (struct bw_slice){ bw_directory_pool_at(pool, record->text), record->address_n };
}

static inline struct bw_slice bw_directory_record_list_id(const struct bw_directory_pool *pool,
                                                          const struct bw_directory_record *record)
{
	return (struct bw_slice){ bw_directory_pool_at(pool, record->text) + record->address_n, record->list_id_n };
}

#endif
