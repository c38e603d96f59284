/* records.h: what one source says of one list, in drafts that grow and in parts that are finished.
 *
 * Layer:     directory, seen by its own files only; part of internal.h, which see.
 * Threads:   a draft belongs to one thread; a part is read-only but for `views`, and refcounted.
 */
#ifndef BW_DIRECTORY_RECORDS_H
#define BW_DIRECTORY_RECORDS_H

enum {
	BW_RECORD_UNCONFIRMED = 1,
	BW_RECORD_MORE = 2, /* the next record is of the same address: what a weaker source says */
	BW_RECORD_GONE = 4, /* the source says nothing (any more) */
};

struct bw_directory_record {
	uint32_t text;   /* the address and, right behind it, the List-Id */
	uint32_t detail; /* owner and posters, shared among records that have the same; or BW_DIRECTORY_NONE */
	uint32_t size;   /* 0: an operator who leaves it to weaker sources */
	uint16_t address_n, list_id_n;
	uint8_t tier, source, flags;
};

/* In the pool; the posters' and the owner's bytes are right behind it. */
struct bw_directory_detail {
	struct bw_slice owner;
	size_t poster_count;
	struct bw_slice posters[]; /* sorted */
};

/* A record's texts, wherever they lie. */
struct bw_directory_texts {
	struct bw_slice address, list_id, owner;
	const struct bw_slice *posters; /* sorted */
	size_t poster_count;
};

/* --- draft.c: records that are being written --- */

struct bw_directory_draft {
	uint64_t seed;
	struct bw_directory_pool pool;
	struct bw_directory_record *records;
	size_t count, room;
	struct bw_directory_index details; /* by content; its items are references into the pool */
};

void bw_directory_draft_done(struct bw_directory_draft *d);
/* Room for so many records in all. */
bool bw_directory_draft_reserve(struct bw_directory_draft *d, size_t records);
/* Appends a record like `like` with those texts. */
bool bw_directory_draft_put(struct bw_directory_draft *d, const struct bw_directory_record *like,
                            const struct bw_directory_texts *texts);
/* Puts them in order of address, the strongest source first; of each source the last record stays. Marks BW_RECORD_MORE. */
void bw_directory_draft_sort(struct bw_directory_draft *d);
/* operator > config > import > learned (semantics 4; a configuration file is written by hand, an import is not). */
int bw_directory_strength(uint8_t source);

/* --- part.c: records in order, with their indexes --- */

struct bw_directory_views;

struct bw_directory_part {
	atomic_size_t refs;
	uint64_t seed;
	struct bw_directory_pool pool;
	struct bw_directory_record *records; /* in order of address, the strongest source first */
	size_t record_count, list_count;
	uint32_t *heads;        /* first record of each list; NULL if each record is a list of its own */
	uint32_t *next_same_id; /* by first record: the next list with its List-Id; NULL if no two have the same */
	struct bw_directory_index by_address, by_list_id;
	_Atomic(struct bw_directory_views *) *views; /* made at the first look-up near by */
	atomic_size_t reserve_used;
	_Alignas(max_align_t) char reserve[32768]; /* for views when memory is out */
};

/* Takes records and pool of the sorted draft, which is empty afterwards; NULL when memory is out, and the draft is as it was. */
struct bw_directory_part *bw_directory_part_new(struct bw_directory_draft *d);
struct bw_directory_part *bw_directory_part_ref(struct bw_directory_part *p);
void bw_directory_part_unref(struct bw_directory_part **p);
/* The first record of that address, be it a list or not; or BW_DIRECTORY_NONE. */
uint32_t bw_directory_part_find(const struct bw_directory_part *p, uint32_t hash, struct bw_slice address);
/* The list with that List-Id that comes first in order of address; or BW_DIRECTORY_NONE. */
uint32_t bw_directory_part_find_list_id(const struct bw_directory_part *p, uint32_t hash, struct bw_slice list_id);
/* The record that gives the size, or BW_DIRECTORY_NONE: nobody has, and it is no list. */
uint32_t bw_directory_part_sized(const struct bw_directory_part *p, uint32_t head);
/* The list as callers see it; NULL if it is none (or memory is out). */
const struct bw_list *bw_directory_part_view(const struct bw_directory_part *p, uint32_t head);
/* The first record of list `i`. */
uint32_t bw_directory_part_head(const struct bw_directory_part *p, size_t i);
/* How many lists come before that address. */
size_t bw_directory_part_rank(const struct bw_directory_part *p, struct bw_slice address);

static inline struct bw_slice bw_directory_address(const struct bw_directory_pool *pool, const struct bw_directory_record *record)
{
	return (struct bw_slice){ bw_directory_pool_at(pool, record->text), record->address_n };
}

static inline struct bw_slice bw_directory_list_id(const struct bw_directory_pool *pool, const struct bw_directory_record *record)
{
	return (struct bw_slice){ bw_directory_pool_at(pool, record->text) + record->address_n, record->list_id_n };
}

static inline const struct bw_directory_detail *bw_directory_detail_at(const struct bw_directory_pool *pool, uint32_t ref)
{
	return ref == BW_DIRECTORY_NONE ? NULL : (const void *)bw_directory_pool_at(pool, ref);
}

static inline struct bw_slice bw_directory_part_address(const struct bw_directory_part *p, uint32_t record)
{
	return bw_directory_address(&p->pool, &p->records[record]);
}

/* --- merge.c: what has changed over what was --- */

/* Writes into `out` every address that `old` has changes for or `changed` (sorted) has records of: each source's last word. */
bool bw_directory_merge_changes(const struct bw_directory *old, const struct bw_directory_draft *changed,
                                struct bw_directory_draft *out);
/* Writes all of `base` into `out`, but for the addresses of `changed`, which take their place; what is gone is left out. */
bool bw_directory_merge_all(const struct bw_directory_part *base, const struct bw_directory_draft *changed,
                            struct bw_directory_draft *out);

#endif
