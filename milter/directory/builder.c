#include <stdlib.h>
#include <string.h>

#include "bw/hash.h"
#include "internal.h"

enum {
	ADDRESS_MAX = 511, /* as long as a normalised address can be */
	LIST_ID_MAX = 255, /* RFC 2919, section 3: "must not exceed 255 characters" */
	POSTER_MAX = 600,  /* a prefix and an address */
};

struct bw_directory_builder {
	struct bw_tier_bounds bounds;
	struct bw_directory *old; /* what is changed; NULL: everything is new */
	struct bw_directory_draft draft;
};

struct bw_directory_builder *bw_directory_builder_new(const struct bw_tier_bounds *bounds)
{
	struct bw_directory_builder *b = calloc(1, sizeof(*b));
	struct bw_hash random = bw_hash_random();

	if (b == NULL)
		return NULL;
	b->bounds = *bounds;
	memcpy(&b->draft.seed, random.b, sizeof(b->draft.seed));
	return b;
}

struct bw_directory_builder *bw_directory_builder_from(struct bw_directory *old)
{
	struct bw_directory_builder *b = bw_directory_builder_new(&old->bounds);

	if (b == NULL)
		return NULL;
	b->draft.seed = old->base->seed;
	b->old = bw_directory_ref(old);
	return b;
}

/* Lets go of everything but the bounds. */
static void empty(struct bw_directory_builder *b)
{
	bw_directory_draft_done(&b->draft);
	bw_directory_unref(&b->old);
}

void bw_directory_builder_free(struct bw_directory_builder **b)
{
	if (*b == NULL)
		return;
	empty(*b);
	free(*b);
	*b = NULL;
}

static enum bw_err no_memory(struct bw_why *why)
{
	return bw_fail(why, BW_ERR_MEMORY, "directory: memory is out");
}

/* --- what an entry may hold --- */

static bool is_clean(struct bw_slice s, size_t max)
{
	if (s.n > max)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	}
	return true;
}

static bool is_address(struct bw_slice s)
{
	size_t at = bw_slice_find(s, '@');

	return is_clean(s, ADDRESS_MAX) && at > 0 && at + 1 < s.n;
}

/* For sentences: nothing that moves a terminal's cursor. */
static const char *printable(struct bw_slice s, char out[81])
{
	size_t n = bw_slice_copy(s, out, 81);

	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)out[i] < 0x20 || out[i] == 0x7f)
			out[i] = '?';
	}
	return out;
}

static bool may_post(struct bw_slice identity)
{
	static const char *const prefixes[] = { "auth:", "cert:", "inside:" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		struct bw_slice prefix = bw_slice_of(prefixes[i]);

		if (identity.n > prefix.n && bw_slice_equal(bw_slice_head(identity, prefix.n), prefix))
			return is_clean(identity, POSTER_MAX);
	}
	return false;
}

static enum bw_err check_posters(const struct bw_list_entry *entry, const char *list, struct bw_why *why)
{
	char name[81];

	if (entry->poster_count > BW_LIST_POSTERS_MAX)
		return bw_fail(why, BW_ERR_LIMIT, "list %s: %zu posters are too many, at most %d", list, entry->poster_count,
		               BW_LIST_POSTERS_MAX);
	for (size_t i = 0; i < entry->poster_count; i++) {
		if (!may_post(entry->posters[i]))
			return bw_fail(why, BW_ERR_INPUT, "list %s: poster \"%s\" must begin with auth:, cert: or inside:", list,
			               printable(entry->posters[i], name));
	}
	return BW_OK;
}

static enum bw_err check_entry(const struct bw_list_entry *entry, struct bw_why *why)
{
	char list[81], text[81];

	printable(entry->address, list);
	if (!is_address(entry->address))
		return bw_fail(why, BW_ERR_INPUT, "list \"%s\": this is no address, wanted local-part@domain", list);
	if (entry->size < (entry->source == BW_SOURCE_OPERATOR ? 0 : 1) || entry->size > BW_LIST_SIZE_MAX)
		return bw_fail(why, BW_ERR_RANGE, "list %s: size %lld is out of range, allowed: 1 to %lld", list, (long long)entry->size,
		               (long long)BW_LIST_SIZE_MAX);
	if (entry->source >= BW_SOURCE_COUNT)
		return bw_fail(why, BW_ERR_INPUT, "list %s: unknown source", list);
	if (entry->owner.n > 0 && !is_address(entry->owner))
		return bw_fail(why, BW_ERR_INPUT, "list %s: owner \"%s\" is no address, wanted local-part@domain", list,
		               printable(entry->owner, text));
	if (!is_clean(entry->list_id, LIST_ID_MAX))
		return bw_fail(why, BW_ERR_INPUT, "list %s: List-Id \"%s\" must be at most %d printable bytes", list,
		               printable(entry->list_id, text), LIST_ID_MAX);
	return check_posters(entry, list, why);
}

/* --- adding --- */

static int compare_slices(const void *a, const void *b)
{
	return bw_slice_compare(*(const struct bw_slice *)a, *(const struct bw_slice *)b);
}

/* Sorts; doubles go. Returns how many are left. */
static size_t sort_posters(struct bw_slice *posters, size_t n)
{
	size_t kept = 0;

	qsort(posters, n, sizeof(*posters), compare_slices);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || !bw_slice_equal(posters[kept - 1], posters[i]))
			posters[kept++] = posters[i];
	}
	return kept;
}

enum bw_err bw_directory_add(struct bw_directory_builder *b, const struct bw_list_entry *entry, struct bw_why *why)
{
	enum bw_err err = check_entry(entry, why);
	struct bw_slice *posters = NULL;

	if (err != BW_OK)
		return err;
	const struct bw_directory_record record = {
		.size = (uint32_t)entry->size,
		.tier = (uint8_t)bw_tier_of(&b->bounds, entry->size),
		.source = (uint8_t)entry->source,
		.flags = entry->unconfirmed ? BW_RECORD_UNCONFIRMED : 0,
	};
	struct bw_directory_texts texts = { .address = entry->address, .list_id = entry->list_id, .owner = entry->owner };

	if (entry->poster_count > 0) {
		posters = malloc(entry->poster_count * sizeof(*posters));
		if (posters == NULL)
			return no_memory(why);
		memcpy(posters, entry->posters, entry->poster_count * sizeof(*posters));
		texts.posters = posters;
		texts.poster_count = sort_posters(posters, entry->poster_count);
	}
	if (!bw_directory_draft_put(&b->draft, &record, &texts))
		err = no_memory(why);
	free(posters);
	return err;
}

enum bw_err bw_directory_remove(struct bw_directory_builder *b, struct bw_slice address, enum bw_source source, struct bw_why *why)
{
	const struct bw_directory_record record = { .source = (uint8_t)source, .flags = BW_RECORD_GONE };
	const struct bw_directory_texts texts = { .address = address };

	if (!is_address(address) || source >= BW_SOURCE_COUNT)
		return BW_OK; /* such a one was never let in */
	return bw_directory_draft_put(&b->draft, &record, &texts) ? BW_OK : no_memory(why);
}

/* --- building --- */

/* What was added and then removed. */
static void drop_gone(struct bw_directory_draft *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->count; i++) {
		if ((d->records[i].flags & BW_RECORD_GONE) == 0)
			d->records[kept++] = d->records[i];
	}
	if (kept == d->count)
		return;
	d->count = kept;
	bw_directory_draft_sort(d);
}

/* So many changed addresses are kept beside a large part, and looked up first; with one more all become a new large part. Each change
 * copies those that are there: a few thousand take milliseconds, and what a new large part costs is shared by as many changes. */
static size_t changes_allowed(const struct bw_directory_part *base)
{
	return 1024 + base->list_count / 256;
}

static bool build_new(struct bw_directory_builder *b, struct bw_directory_part **base)
{
	drop_gone(&b->draft);
	*base = bw_directory_part_new(&b->draft);
	return *base != NULL;
}

static bool fold(const struct bw_directory *old, const struct bw_directory_draft *changed, struct bw_directory_part **base)
{
	struct bw_directory_draft all = { .seed = old->base->seed };

	if (bw_directory_merge_all(old->base, changed, &all))
		*base = bw_directory_part_new(&all);
	bw_directory_draft_done(&all);
	return *base != NULL;
}

static bool build_on(const struct bw_directory *old, const struct bw_directory_draft *draft, struct bw_directory_part **base,
                     struct bw_directory_part **changes)
{
	struct bw_directory_draft changed = { .seed = old->base->seed };
	bool done = bw_directory_merge_changes(old, draft, &changed);

	if (done && changed.count > changes_allowed(old->base)) {
		done = fold(old, &changed, base);
	} else if (done) {
		*changes = changed.count == 0 ? NULL : bw_directory_part_new(&changed);
		done = *changes != NULL || changed.count == 0;
		if (done)
			*base = bw_directory_part_ref(old->base);
	}
	bw_directory_draft_done(&changed);
	return done;
}

enum bw_err bw_directory_build(struct bw_directory_builder *b, struct bw_directory **out, struct bw_why *why)
{
	struct bw_directory_part *base = NULL, *changes = NULL;
	struct bw_directory *d = calloc(1, sizeof(*d));
	bool done = d != NULL;

	if (done) {
		bw_directory_draft_sort(&b->draft);
		done = b->old == NULL ? build_new(b, &base) : build_on(b->old, &b->draft, &base, &changes);
	}
	if (!done || !bw_directory_assemble(d, &b->bounds, base, changes)) {
		bw_directory_part_unref(&base);
		bw_directory_part_unref(&changes);
		free(d);
		return no_memory(why);
	}
	empty(b);
	*out = d;
	return BW_OK;
}
