/* Records in order of address with their indexes, and the lists that callers see of them. */
#include <stdlib.h>

#include "internal.h"

/* Lists are made by so many neighbouring records at once: a pointer for each list would cost more than most of them ever do. */
enum { VIEWS = 8 };

struct bw_directory_views {
	struct bw_list lists[VIEWS]; /* by first record; the others stay empty */
};

static size_t views_needed(const struct bw_directory_part *p)
{
	return (p->record_count + VIEWS - 1) / VIEWS;
}

struct bw_directory_part *bw_directory_part_ref(struct bw_directory_part *p)
{
	if (p != NULL)
		atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

static void free_views(struct bw_directory_part *p, struct bw_directory_views *views)
{
	const char *at = (const char *)views;

	if (at < p->reserve || at >= p->reserve + sizeof(p->reserve))
		free(views);
}

/* Everything but records and pool. */
static void free_shell(struct bw_directory_part *p)
{
	for (size_t i = 0; p->views != NULL && i < views_needed(p); i++)
		free_views(p, atomic_load_explicit(&p->views[i], memory_order_relaxed));
	free(p->views);
	free(p->heads);
	free(p->next_same_id);
	bw_directory_index_done(&p->by_address);
	bw_directory_index_done(&p->by_list_id);
	free(p);
}

void bw_directory_part_unref(struct bw_directory_part **part)
{
	struct bw_directory_part *p = *part;

	*part = NULL;
	if (p == NULL || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(p->records);
	bw_directory_pool_done(&p->pool);
	free_shell(p);
}

/* --- what a list's records say together --- */

static bool is_head(const struct bw_directory_part *p, size_t record)
{
	return record == 0 || (p->records[record - 1].flags & BW_RECORD_MORE) == 0;
}

uint32_t bw_directory_part_sized(const struct bw_directory_part *p, uint32_t head)
{
	while (p->records[head].size == 0) {
		if ((p->records[head].flags & BW_RECORD_MORE) == 0)
			return BW_DIRECTORY_NONE;
		head++;
	}
	return head;
}

static bool is_list(const struct bw_directory_part *p, uint32_t record)
{
	return is_head(p, record) && bw_directory_part_sized(p, record) != BW_DIRECTORY_NONE;
}

/* --- indexes --- */

struct find {
	const struct bw_directory_part *p;
	struct bw_slice text;
};

static bool same_address(const void *ctx, uint32_t record)
{
	const struct find *find = ctx;

	return bw_slice_equal(bw_directory_part_address(find->p, record), find->text);
}

static bool same_list_id(const void *ctx, uint32_t record)
{
	const struct find *find = ctx;

	return bw_slice_equal(bw_directory_list_id(&find->p->pool, &find->p->records[record]), find->text);
}

uint32_t bw_directory_part_find(const struct bw_directory_part *p, uint32_t hash, struct bw_slice address)
{
	struct find find = { p, address };

	return bw_directory_index_find(&p->by_address, hash, same_address, &find);
}

uint32_t bw_directory_part_find_list_id(const struct bw_directory_part *p, uint32_t hash, struct bw_slice list_id)
{
	struct find find = { p, list_id };

	return bw_directory_index_find(&p->by_list_id, hash, same_list_id, &find);
}

static bool chain_list_id(struct bw_directory_part *p, uint32_t record, uint32_t next)
{
	if (p->next_same_id == NULL) {
		p->next_same_id = malloc(p->record_count * sizeof(*p->next_same_id));
		for (size_t i = 0; p->next_same_id != NULL && i < p->record_count; i++)
			p->next_same_id[i] = BW_DIRECTORY_NONE;
	}
	if (p->next_same_id != NULL)
		p->next_same_id[record] = next;
	return p->next_same_id != NULL;
}

/* From the last list to the first, so that the first of those with the same List-Id is the one that is found. */
static bool index_list_id(struct bw_directory_part *p, uint32_t record)
{
	struct bw_slice id = bw_directory_list_id(&p->pool, &p->records[record]);

	if (id.n == 0 || !is_list(p, record))
		return true;
	uint32_t hash = bw_directory_hash(p->seed, id), other = bw_directory_part_find_list_id(p, hash, id);

	if (other == BW_DIRECTORY_NONE) {
		bw_directory_index_put(&p->by_list_id, hash, record);
		return true;
	}
	bw_directory_index_replace(&p->by_list_id, hash, other, record);
	return chain_list_id(p, record, other);
}

static bool index_records(struct bw_directory_part *p)
{
	for (size_t i = p->record_count; i-- > 0;) {
		if (is_head(p, i))
			bw_directory_index_put(&p->by_address, bw_directory_hash(p->seed, bw_directory_part_address(p, (uint32_t)i)), (uint32_t)i);
		if (!index_list_id(p, (uint32_t)i))
			return false;
	}
	return true;
}

/* --- making one --- */

struct counts {
	size_t heads, ids;
};

static struct counts count_records(struct bw_directory_part *p)
{
	struct counts n = { 0, 0 };

	p->list_count = 0;
	for (uint32_t i = 0; i < p->record_count; i++) {
		n.heads += is_head(p, i);
		if (!is_list(p, i))
			continue;
		p->list_count++;
		n.ids += p->records[i].list_id_n > 0;
	}
	return n;
}

static bool note_heads(struct bw_directory_part *p)
{
	size_t n = 0;

	if (p->list_count == p->record_count)
		return true;
	p->heads = malloc((p->list_count + 1) * sizeof(*p->heads));
	for (uint32_t i = 0; p->heads != NULL && i < p->record_count; i++) {
		if (is_list(p, i))
			p->heads[n++] = i;
	}
	return p->heads != NULL;
}

static bool finish(struct bw_directory_part *p)
{
	struct counts n = count_records(p);

	p->views = calloc(views_needed(p) + 1, sizeof(*p->views));
	return p->views != NULL && note_heads(p) && bw_directory_index_reserve(&p->by_address, n.heads) &&
	       (n.ids == 0 || bw_directory_index_reserve(&p->by_list_id, n.ids)) && index_records(p);
}

/* Gives back the room that was kept for more records. */
static struct bw_directory_record *shrink(struct bw_directory_record *records, size_t n)
{
	struct bw_directory_record *smaller = n == 0 ? NULL : realloc(records, n * sizeof(*records));

	return smaller == NULL ? records : smaller;
}

struct bw_directory_part *bw_directory_part_new(struct bw_directory_draft *d)
{
	struct bw_directory_part *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	bw_directory_index_done(&d->details); /* only saves memory: what it would share later is written twice */
	if (d->count < d->room) {
		d->records = shrink(d->records, d->count);
		d->room = d->count == 0 ? d->room : d->count;
	}
	atomic_init(&p->refs, 1);
	p->seed = d->seed;
	p->pool = d->pool;
	p->records = d->records;
	p->record_count = d->count;
	if (!finish(p)) {
		free_shell(p);
		return NULL;
	}
	d->pool = (struct bw_directory_pool){ 0 };
	d->records = NULL;
	bw_directory_draft_done(d);
	return p;
}

/* --- views --- */

static void fill_view(const struct bw_directory_part *p, uint32_t head, struct bw_list *out)
{
	const struct bw_directory_record *texts = &p->records[head];
	uint32_t sized = bw_directory_part_sized(p, head);
	const struct bw_directory_detail *detail = bw_directory_detail_at(&p->pool, texts->detail);

	if (sized == BW_DIRECTORY_NONE)
		return;
	*out = (struct bw_list){
		.address = bw_directory_part_address(p, head),
		.size = p->records[sized].size,
		.tier = (enum bw_tier)p->records[sized].tier,
		.source = (enum bw_source)p->records[sized].source,
		.unconfirmed = (p->records[sized].flags & BW_RECORD_UNCONFIRMED) != 0,
		.list_id = bw_directory_list_id(&p->pool, texts),
	};
	if (detail != NULL) {
		out->owner = detail->owner;
		out->poster_count = detail->poster_count;
		out->posters = detail->posters;
	}
}

/* Memory for views. When there is none, a little set aside at building time: a huge list stays protected even then. */
static struct bw_directory_views *new_views(struct bw_directory_part *p)
{
	struct bw_directory_views *views = calloc(1, sizeof(*views));

	if (views != NULL)
		return views;
	size_t at = atomic_fetch_add_explicit(&p->reserve_used, sizeof(*views), memory_order_relaxed);

	return at < sizeof(p->reserve) && sizeof(*views) <= sizeof(p->reserve) - at ? (void *)(p->reserve + at) : NULL;
}

static struct bw_directory_views *make_views(struct bw_directory_part *p, size_t first)
{
	struct bw_directory_views *views = new_views(p);

	for (size_t i = 0; views != NULL && i < VIEWS && first + i < p->record_count; i++) {
		if (is_head(p, first + i))
			fill_view(p, (uint32_t)(first + i), &views->lists[i]);
	}
	return views;
}

/* Made by whoever asks first. Two who ask at once both make them; those of one are thrown away. */
const struct bw_list *bw_directory_part_view(const struct bw_directory_part *constant, uint32_t head)
{
	struct bw_directory_part *p = (struct bw_directory_part *)constant; /* a cache: nothing that can be seen changes */
	_Atomic(struct bw_directory_views *) *slot = &p->views[head / VIEWS];
	struct bw_directory_views *views = atomic_load_explicit(slot, memory_order_acquire);

	if (views == NULL) {
		struct bw_directory_views *made = make_views(p, head / VIEWS * VIEWS);

		if (made == NULL)
			return NULL;
		if (atomic_compare_exchange_strong_explicit(slot, &views, made, memory_order_acq_rel, memory_order_acquire))
			views = made;
		else
			free_views(p, made);
	}
	return views->lists[head % VIEWS].size > 0 ? &views->lists[head % VIEWS] : NULL;
}

/* --- by number --- */

uint32_t bw_directory_part_head(const struct bw_directory_part *p, size_t i)
{
	return p->heads == NULL ? (uint32_t)i : p->heads[i];
}

size_t bw_directory_part_rank(const struct bw_directory_part *p, struct bw_slice address)
{
	size_t from = 0, to = p->list_count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		struct bw_slice there = bw_directory_part_address(p, bw_directory_part_head(p, middle));

		if (bw_slice_compare(there, address) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}
