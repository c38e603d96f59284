#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* One list as callers see it. */
struct bw_directory_view {
	struct bw_list list;
	struct bw_slice posters[];
};

struct bw_directory *bw_directory_ref(struct bw_directory *d)
{
	if (d != NULL)
		atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
	return d;
}

static void free_view(const struct bw_directory *d, struct bw_directory_view *view)
{
	const char *at = (const char *)view;

	if (at < d->reserve || at >= d->reserve + sizeof(d->reserve))
		free(view);
}

void bw_directory_unref(struct bw_directory **d)
{
	struct bw_directory *gone = *d;

	*d = NULL;
	if (gone == NULL || atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < gone->count; i++)
		free_view(gone, atomic_load_explicit(&gone->views[i], memory_order_relaxed));
	free(gone->views);
	free(gone->records);
	bw_directory_index_done(&gone->by_address);
	bw_directory_index_done(&gone->by_list_id);
	bw_directory_pool_done(&gone->pool);
	free(gone);
}

/* --- views --- */

/* Memory for a view. When there is none, a little set aside at building time: a huge list stays protected even then. */
static struct bw_directory_view *new_view(struct bw_directory *d, size_t posters)
{
	size_t bytes = sizeof(struct bw_directory_view) + posters * sizeof(struct bw_slice);
	struct bw_directory_view *view = calloc(1, bytes);

	if (view != NULL)
		return view;
	size_t at = atomic_fetch_add_explicit(&d->reserve_used, bytes, memory_order_relaxed);

	return at < sizeof(d->reserve) && bytes <= sizeof(d->reserve) - at ? (void *)(d->reserve + at) : NULL;
}

static const char *take_slice(const char *at, size_t n, struct bw_slice *out)
{
	*out = (struct bw_slice){ at, n };
	return at + n;
}

/* Owner and posters out of the detail at `at`. */
static void fill_detail(struct bw_directory_view *view, const char *at, const struct bw_directory_detail *head)
{
	const char *lengths = at + sizeof(*head);
	const char *text = take_slice(lengths + head->poster_count * sizeof(uint16_t), head->owner_n, &view->list.owner);

	for (size_t i = 0; i < head->poster_count; i++) {
		uint16_t n;

		memcpy(&n, lengths + i * sizeof(n), sizeof(n));
		text = take_slice(text, n, &view->posters[i]);
	}
	view->list.poster_count = head->poster_count;
	view->list.posters = view->posters;
}

static struct bw_directory_view *make_view(struct bw_directory *d, const struct bw_directory_record *record)
{
	struct bw_directory_detail head = { 0 };
	const char *detail = NULL;

	if (record->detail != BW_DIRECTORY_NONE) {
		detail = bw_directory_pool_at(&d->pool, record->detail);
		memcpy(&head, detail, sizeof(head));
	}
	struct bw_directory_view *view = new_view(d, head.poster_count);

	if (view == NULL)
		return NULL;
	view->list = (struct bw_list){
		.address = bw_directory_record_address(&d->pool, record),
		.size = record->size,
		.tier = (enum bw_tier)record->tier,
		.source = (enum bw_source)record->source,
		.unconfirmed = record->unconfirmed,
		.list_id = bw_directory_record_list_id(&d->pool, record),
	};
	if (detail != NULL)
		fill_detail(view, detail, &head);
	return view;
}

/* The view of list `i`, made by whoever asks first. Two who ask at once both make it; one of them is thrown away. */
static const struct bw_list *view_of(const struct bw_directory *constant, size_t i)
{
	struct bw_directory *d = (struct bw_directory *)constant; /* a cache: nothing that can be seen changes */
	struct bw_directory_view *view = atomic_load_explicit(&d->views[i], memory_order_acquire);

	if (view != NULL)
		return &view->list;
	struct bw_directory_view *made = make_view(d, &d->records[i]);

	if (made == NULL)
		return NULL;
	if (atomic_compare_exchange_strong_explicit(&d->views[i], &view, made, memory_order_acq_rel, memory_order_acquire))
		return &made->list;
	free_view(d, made);
	return &view->list;
}

/* --- look-up --- */

struct find {
	const struct bw_directory *d;
	struct bw_slice text;
};

static bool same_address(const void *ctx, uint32_t item)
{
	const struct find *find = ctx;

	return bw_slice_equal(bw_directory_record_address(&find->d->pool, &find->d->records[item]), find->text);
}

static bool same_list_id(const void *ctx, uint32_t item)
{
	const struct find *find = ctx;

	return bw_slice_equal(bw_directory_record_list_id(&find->d->pool, &find->d->records[item]), find->text);
}

static const struct bw_list *find_in(const struct bw_directory *d, const struct bw_directory_index *index,
                                     bool (*same)(const void *ctx, uint32_t item), struct bw_slice text)
{
	struct find find = { d, text };
	uint32_t item = bw_directory_index_find(index, bw_directory_hash(d->seed, text), same, &find);

	return item == BW_DIRECTORY_NONE ? NULL : view_of(d, item);
}

const struct bw_list *bw_directory_find(const struct bw_directory *d, struct bw_slice address)
{
	return find_in(d, &d->by_address, same_address, address);
}

const struct bw_list *bw_directory_find_list_id(const struct bw_directory *d, struct bw_slice list_id)
{
	return find_in(d, &d->by_list_id, same_list_id, list_id);
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

size_t bw_directory_count(const struct bw_directory *d)
{
	return d->count;
}

const struct bw_list *bw_directory_at(const struct bw_directory *d, size_t i)
{
	return i < d->count ? view_of(d, i) : NULL;
}
