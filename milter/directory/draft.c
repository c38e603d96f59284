/* Records that are being written: appended in any order, sorted once. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

void bw_directory_draft_done(struct bw_directory_draft *d)
{
	bw_directory_pool_done(&d->pool);
	bw_directory_index_done(&d->details);
	free(d->records);
	d->records = NULL;
	d->count = d->room = 0;
}

/* --- details: owner and posters --- */

struct detail_find {
	const struct bw_directory_pool *pool;
	const struct bw_directory_texts *texts;
};

static bool same_detail(const void *ctx, uint32_t ref)
{
	const struct detail_find *find = ctx;
	const struct bw_directory_detail *other = bw_directory_detail_at(find->pool, ref);

	if (other->poster_count != find->texts->poster_count || !bw_slice_equal(other->owner, find->texts->owner))
		return false;
	for (size_t i = 0; i < other->poster_count; i++) {
		if (!bw_slice_equal(other->posters[i], find->texts->posters[i]))
			return false;
	}
	return true;
}

static uint32_t hash_detail(uint64_t seed, const struct bw_directory_texts *texts)
{
	uint32_t hash = bw_directory_hash(seed, texts->owner);

	for (size_t i = 0; i < texts->poster_count; i++)
		hash = bw_directory_hash(seed ^ hash, texts->posters[i]);
	return hash;
}

static char *put_text(char *at, struct bw_slice text, struct bw_slice *kept)
{
	if (text.n > 0)
		memcpy(at, text.p, text.n);
	*kept = (struct bw_slice){ at, text.n };
	return at + text.n;
}

static bool write_detail(struct bw_directory_pool *pool, const struct bw_directory_texts *texts, uint32_t *ref)
{
	size_t slices = texts->poster_count * sizeof(struct bw_slice), bytes = texts->owner.n;

	for (size_t i = 0; i < texts->poster_count; i++)
		bytes += texts->posters[i].n;
	struct bw_directory_detail *detail =
		(void *)bw_directory_pool_take(pool, sizeof(*detail) + slices + bytes, _Alignof(struct bw_directory_detail), ref);

	if (detail == NULL)
		return false;
	char *at = put_text((char *)detail + sizeof(*detail) + slices, texts->owner, &detail->owner);

	detail->poster_count = texts->poster_count;
	for (size_t i = 0; i < texts->poster_count; i++)
		at = put_text(at, texts->posters[i], &detail->posters[i]);
	return true;
}

static bool reserve_details(struct bw_directory_index *details)
{
	size_t needed = details->used + 1;

	return needed + needed / 3 + 1 <= details->cap || bw_directory_index_reserve(details, needed + needed / 2 + 8);
}

/* Many lists have one owner and the same posters. */
static bool find_or_write_detail(struct bw_directory_draft *d, const struct bw_directory_texts *texts, uint32_t *ref)
{
	struct detail_find find = { &d->pool, texts };

	*ref = BW_DIRECTORY_NONE;
	if (texts->owner.n == 0 && texts->poster_count == 0)
		return true;
	uint32_t hash = hash_detail(d->seed, texts);

	*ref = bw_directory_index_find(&d->details, hash, same_detail, &find);
	if (*ref != BW_DIRECTORY_NONE)
		return true;
	if (!reserve_details(&d->details) || !write_detail(&d->pool, texts, ref))
		return false;
	bw_directory_index_put(&d->details, hash, *ref);
	return true;
}

/* --- records --- */

bool bw_directory_draft_reserve(struct bw_directory_draft *d, size_t records)
{
	if (records <= d->room)
		return true;
	struct bw_directory_record *more =
		records < BW_DIRECTORY_NONE ? realloc(d->records, records * sizeof(*more)) : NULL;

	if (more == NULL)
		return false;
	d->records = more;
	d->room = records;
	return true;
}

static bool reserve_one_more(struct bw_directory_draft *d)
{
	return d->count < d->room || bw_directory_draft_reserve(d, d->room + d->room / 2 + 16);
}

bool bw_directory_draft_put(struct bw_directory_draft *d, const struct bw_directory_record *like,
                            const struct bw_directory_texts *texts)
{
	struct bw_directory_record record = *like;
	struct bw_slice kept;

	if (!reserve_one_more(d) || !find_or_write_detail(d, texts, &record.detail))
		return false;
	char *text = bw_directory_pool_take(&d->pool, texts->address.n + texts->list_id.n, 1, &record.text);

	if (text == NULL)
		return false;
	put_text(put_text(text, texts->address, &kept), texts->list_id, &kept);
	record.address_n = (uint16_t)texts->address.n;
	record.list_id_n = (uint16_t)texts->list_id.n;
	d->records[d->count++] = record;
	return true;
}

/* --- order --- */

int bw_directory_strength(uint8_t source)
{
	static const uint8_t order[BW_SOURCE_COUNT] = {
		[BW_SOURCE_LEARNED] = 0, [BW_SOURCE_IMPORT] = 1, [BW_SOURCE_CONFIG] = 2, [BW_SOURCE_OPERATOR] = 3
	};

	return order[source];
}

/* By address; then the strongest source first; then the last word of that source first: later texts lie further on. */
static int compare_records(const void *one, const void *other, void *pool)
{
	const struct bw_directory_record *a = one, *b = other;
	int order = bw_slice_compare(bw_directory_address(pool, a), bw_directory_address(pool, b));

	if (order == 0)
		order = bw_directory_strength(b->source) - bw_directory_strength(a->source);
	return order != 0 ? order : (b->text > a->text) - (b->text < a->text);
}

/* Stores and importers mostly deliver in order already. */
static bool is_sorted(const struct bw_directory_draft *d)
{
	for (size_t i = 1; i < d->count; i++) {
		if (compare_records(&d->records[i - 1], &d->records[i], (void *)&d->pool) > 0)
			return false;
	}
	return true;
}

void bw_directory_draft_sort(struct bw_directory_draft *d)
{
	size_t kept = 0;

	if (!is_sorted(d))
		qsort_r(d->records, d->count, sizeof(*d->records), compare_records, &d->pool);
	for (size_t i = 0; i < d->count; i++) {
		struct bw_directory_record *last = kept == 0 ? NULL : &d->records[kept - 1];
		struct bw_directory_record *next = &d->records[i];
		bool same = last != NULL &&
		            bw_slice_equal(bw_directory_address(&d->pool, last), bw_directory_address(&d->pool, next));

		if (same && last->source == next->source)
			continue;
		if (same)
			last->flags |= BW_RECORD_MORE;
		next->flags &= (uint8_t)~BW_RECORD_MORE;
		d->records[kept++] = *next;
	}
	d->count = kept;
}
