/* What is looked up: a large part that many snapshots share, and over it the addresses that have changed since. */
#include <stdlib.h>

#include "internal.h"

struct bw_directory *bw_directory_ref(struct bw_directory *d)
{
	if (d != NULL)
		atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
	return d;
}

void bw_directory_unref(struct bw_directory **d)
{
	struct bw_directory *gone = *d;

	*d = NULL;
	if (gone == NULL || atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) != 1)
		return;
	bw_directory_part_unref(&gone->base);
	bw_directory_part_unref(&gone->changes);
	free(gone->places);
	free(gone);
}

/* --- putting both together --- */

static uint32_t find_in(const struct bw_directory_part *p, struct bw_slice address)
{
	return bw_directory_part_find(p, bw_directory_hash(p->seed, address), address);
}

static bool is_list(const struct bw_directory_part *p, uint32_t head)
{
	return head != BW_DIRECTORY_NONE && bw_directory_part_sized(p, head) != BW_DIRECTORY_NONE;
}

/* The place of the address whose first record `head` is; `shown` and `replaced` are the counts so far. */
static void note_place(struct bw_directory *d, uint32_t head, uint32_t *shown, uint32_t *replaced)
{
	struct bw_slice address = bw_directory_part_address(d->changes, head);

	d->places[d->place_count++] = (struct bw_directory_place){
		.head = head,
		.rank = (uint32_t)bw_directory_part_rank(d->base, address),
		.shown = *shown,
		.replaced = *replaced,
	};
	*shown += is_list(d->changes, head);
	*replaced += is_list(d->base, find_in(d->base, address));
}

static bool note_places(struct bw_directory *d)
{
	const struct bw_directory_part *changes = d->changes;
	uint32_t shown = 0, replaced = 0;

	d->places = malloc(changes->record_count * sizeof(*d->places));
	if (d->places == NULL)
		return false;
	for (uint32_t i = 0; i < changes->record_count; i++) {
		if (i == 0 || (changes->records[i - 1].flags & BW_RECORD_MORE) == 0)
			note_place(d, i, &shown, &replaced);
	}
	d->count += shown;
	d->count -= replaced;
	return true;
}

bool bw_directory_assemble(struct bw_directory *d, const struct bw_tier_bounds *bounds, struct bw_directory_part *base,
                           struct bw_directory_part *changes)
{
	atomic_init(&d->refs, 1);
	d->bounds = *bounds;
	d->base = base;
	d->changes = changes;
	d->count = base->list_count;
	return changes == NULL || note_places(d);
}

/* --- look-up --- */

static bool has_changed(const struct bw_directory *d, struct bw_slice address)
{
	return d->changes != NULL && find_in(d->changes, address) != BW_DIRECTORY_NONE;
}

/* Its first record, and the part that has it; or BW_DIRECTORY_NONE. */
static uint32_t find_head(const struct bw_directory *d, struct bw_slice address, const struct bw_directory_part **part)
{
	uint32_t hash = bw_directory_hash(d->base->seed, address); /* both parts have one seed */
	uint32_t head = BW_DIRECTORY_NONE;

	*part = d->changes;
	if (d->changes != NULL)
		head = bw_directory_part_find(d->changes, hash, address);
	if (head != BW_DIRECTORY_NONE)
		return head;
	*part = d->base;
	return bw_directory_part_find(d->base, hash, address);
}

const struct bw_list *bw_directory_find(const struct bw_directory *d, struct bw_slice address)
{
	const struct bw_directory_part *part;
	uint32_t head = find_head(d, address, &part);

	return head == BW_DIRECTORY_NONE ? NULL : bw_directory_part_view(part, head);
}

int64_t bw_directory_said(const struct bw_directory *d, struct bw_slice address, enum bw_source source)
{
	const struct bw_directory_part *part;
	uint32_t head = find_head(d, address, &part);

	for (; head != BW_DIRECTORY_NONE; head++) {
		const struct bw_directory_record *r = &part->records[head];

		if (r->source == source && (r->flags & BW_RECORD_GONE) == 0)
			return r->size;
		if ((r->flags & BW_RECORD_MORE) == 0)
			break;
	}
	return 0;
}

/* The base's first list with that List-Id among those that have not changed. */
static uint32_t find_unchanged_id(const struct bw_directory *d, uint32_t hash, struct bw_slice list_id)
{
	const struct bw_directory_part *base = d->base;
	uint32_t head = bw_directory_part_find_list_id(base, hash, list_id);

	while (head != BW_DIRECTORY_NONE && has_changed(d, bw_directory_part_address(base, head)))
		head = base->next_same_id == NULL ? BW_DIRECTORY_NONE : base->next_same_id[head];
	return head;
}

const struct bw_list *bw_directory_find_list_id(const struct bw_directory *d, struct bw_slice list_id)
{
	const struct bw_directory_part *base = d->base, *changes = d->changes;
	uint32_t hash = bw_directory_hash(base->seed, list_id);
	uint32_t old = find_unchanged_id(d, hash, list_id);
	uint32_t new = changes == NULL ? BW_DIRECTORY_NONE : bw_directory_part_find_list_id(changes, hash, list_id);

	if (new == BW_DIRECTORY_NONE)
		return old == BW_DIRECTORY_NONE ? NULL : bw_directory_part_view(base, old);
	if (old != BW_DIRECTORY_NONE &&
	    bw_slice_compare(bw_directory_part_address(base, old), bw_directory_part_address(changes, new)) < 0)
		return bw_directory_part_view(base, old);
	return bw_directory_part_view(changes, new);
}

static int compare_slices(const void *a, const void *b)
{
	return bw_slice_compare(*(const struct bw_slice *)a, *(const struct bw_slice *)b);
}

bool bw_list_has_poster(const struct bw_list *list, struct bw_slice identity)
{
	/* No "outside:" identity ever gets in, see bw_directory_add(). */
	return list->poster_count > 0 &&
	       bsearch(&identity, list->posters, list->poster_count, sizeof(*list->posters), compare_slices) != NULL;
}

/* --- by number --- */

size_t bw_directory_count(const struct bw_directory *d)
{
	return d->count;
}

/* How many lists of the snapshot come before a changed address. */
static size_t lists_before(const struct bw_directory_place *place)
{
	return (size_t)place->rank - place->replaced + place->shown;
}

/* How many changed addresses come before list `i`. */
static size_t places_before(const struct bw_directory *d, size_t i)
{
	size_t from = 0, to = d->place_count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		const struct bw_directory_place *place = &d->places[middle];

		if (lists_before(place) + is_list(d->changes, place->head) <= i)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

const struct bw_list *bw_directory_at(const struct bw_directory *d, size_t i)
{
	if (i >= d->count)
		return NULL;
	size_t k = places_before(d, i), shown = 0, replaced = 0;

	if (k < d->place_count && lists_before(&d->places[k]) == i)
		return bw_directory_part_view(d->changes, d->places[k].head);
	if (k > 0) {
		const struct bw_directory_place *last = &d->places[k - 1];

		shown = last->shown + is_list(d->changes, last->head);
		replaced = last->replaced + is_list(d->base, find_in(d->base, bw_directory_part_address(d->changes, last->head)));
	}
	return bw_directory_part_view(d->base, bw_directory_part_head(d->base, i - shown + replaced));
}
