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
	uint64_t seed;
	struct bw_directory_pool pool;
	struct bw_directory_record *records;
	size_t count, room;
	struct bw_directory_index by_address;
	struct bw_directory_index details; /* by content; its items are references into the pool */
};

struct bw_directory_builder *bw_directory_builder_new(const struct bw_tier_bounds *bounds)
{
	struct bw_directory_builder *b = calloc(1, sizeof(*b));
	struct bw_hash random = bw_hash_random();

	if (b == NULL)
		return NULL;
	b->bounds = *bounds;
	memcpy(&b->seed, random.b, sizeof(b->seed));
	return b;
}

/* Lets go of everything but the bounds. */
static void empty(struct bw_directory_builder *b)
{
	bw_directory_pool_done(&b->pool);
	bw_directory_index_done(&b->by_address);
	bw_directory_index_done(&b->details);
	free(b->records);
	b->records = NULL;
	b->count = b->room = 0;
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

/* --- details: owner and posters --- */

struct detail_find {
	const struct bw_directory_pool *pool;
	const char *wanted;
};

static uint32_t detail_bytes(const char *detail)
{
	struct bw_directory_detail head;

	memcpy(&head, detail, sizeof(head));
	return head.bytes;
}

static bool same_detail(const void *ctx, uint32_t ref)
{
	const struct detail_find *find = ctx;
	const char *other = bw_directory_pool_at(find->pool, ref);
	uint32_t bytes = detail_bytes(find->wanted);

	return detail_bytes(other) == bytes && memcmp(other, find->wanted, bytes) == 0;
}

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

static char *put_bytes(char *at, const void *p, size_t n)
{
	if (n > 0)
		memcpy(at, p, n);
	return at + n;
}

/* Writes one detail into the pool; `posters` are sorted. */
static bool write_detail(struct bw_directory_builder *b, struct bw_slice owner, const struct bw_slice *posters, size_t n,
                         uint32_t *ref)
{
	size_t bytes = sizeof(struct bw_directory_detail) + n * sizeof(uint16_t) + owner.n;

	for (size_t i = 0; i < n; i++)
		bytes += posters[i].n;
	char *at = bw_directory_pool_take(&b->pool, bytes, ref);
	struct bw_directory_detail head = { (uint32_t)bytes, (uint16_t)owner.n, (uint16_t)n };

	if (at == NULL)
		return false;
	at = put_bytes(at, &head, sizeof(head));
	for (size_t i = 0; i < n; i++)
		at = put_bytes(at, &(uint16_t){ (uint16_t)posters[i].n }, sizeof(uint16_t));
	at = put_bytes(at, owner.p, owner.n);
	for (size_t i = 0; i < n; i++)
		at = put_bytes(at, posters[i].p, posters[i].n);
	return true;
}

/* Keeps the detail just written at `*ref`, or takes it back and points `*ref` at an equal one. */
static void share_detail(struct bw_directory_builder *b, uint32_t *ref)
{
	struct detail_find find = { &b->pool, bw_directory_pool_at(&b->pool, *ref) };
	uint32_t bytes = detail_bytes(find.wanted);
	uint32_t hash = bw_directory_hash(b->seed, (struct bw_slice){ find.wanted, bytes });
	uint32_t other = bw_directory_index_find(&b->details, hash, same_detail, &find);

	if (other == BW_DIRECTORY_NONE) {
		bw_directory_index_put(&b->details, hash, *ref);
		return;
	}
	b->pool.used -= bytes;
	*ref = other;
}

static bool add_detail(struct bw_directory_builder *b, const struct bw_list_entry *entry, uint32_t *ref)
{
	*ref = BW_DIRECTORY_NONE;
	if (entry->owner.n == 0 && entry->poster_count == 0)
		return true;
	struct bw_slice *posters = calloc(entry->poster_count + 1, sizeof(*posters));

	if (posters == NULL)
		return false;
	for (size_t i = 0; i < entry->poster_count; i++)
		posters[i] = entry->posters[i];
	bool done = write_detail(b, entry->owner, posters, sort_posters(posters, entry->poster_count), ref);

	free(posters);
	if (done)
		share_detail(b, ref);
	return done;
}

/* --- records --- */

struct address_find {
	const struct bw_directory_pool *pool;
	const struct bw_directory_record *records;
	struct bw_slice address;
};

static bool same_address(const void *ctx, uint32_t item)
{
	const struct address_find *find = ctx;

	return bw_slice_equal(bw_directory_record_address(find->pool, &find->records[item]), find->address);
}

static bool make_record(struct bw_directory_builder *b, const struct bw_list_entry *entry, struct bw_directory_record *out)
{
	struct bw_directory_record record = {
		.size = (uint32_t)entry->size,
		.address_n = (uint16_t)entry->address.n,
		.list_id_n = (uint16_t)entry->list_id.n,
		.tier = (uint8_t)bw_tier_of(&b->bounds, entry->size),
		.source = (uint8_t)entry->source,
		.texts = (uint8_t)entry->source,
		.unconfirmed = entry->unconfirmed,
	};

	if (!add_detail(b, entry, &record.detail))
		return false;
	char *text = bw_directory_pool_take(&b->pool, entry->address.n + entry->list_id.n, &record.text);

	if (text == NULL)
		return false;
	put_bytes(put_bytes(text, entry->address.p, entry->address.n), entry->list_id.p, entry->list_id.n);
	*out = record;
	return true;
}

static bool reserve_index(struct bw_directory_index *index)
{
	size_t needed = index->used + 1;

	return needed + needed / 3 + 1 <= index->cap || bw_directory_index_reserve(index, needed + needed / 2 + 8);
}

/* Room for one more list, whatever it brings. */
static bool reserve(struct bw_directory_builder *b)
{
	if (b->count == b->room) {
		size_t room = b->room + b->room / 2 + 16;
		struct bw_directory_record *records = realloc(b->records, room * sizeof(*records));

		if (records == NULL)
			return false;
		b->records = records;
		b->room = room;
	}
	return reserve_index(&b->by_address) && reserve_index(&b->details);
}

/* operator > config > import > learned (semantics 4; a configuration file is written by hand, an import is not). */
static int strength(uint8_t source)
{
	static const uint8_t order[BW_SOURCE_COUNT] = {
		[BW_SOURCE_LEARNED] = 0, [BW_SOURCE_IMPORT] = 1, [BW_SOURCE_CONFIG] = 2, [BW_SOURCE_OPERATOR] = 3
	};

	return order[source];
}

/* Of what the old record holds, the part that the new one is too weak for. */
static void keep_stronger(struct bw_directory_record *record, const struct bw_directory_record *old)
{
	bool size = record->size > 0 && (old->size == 0 || strength(record->source) >= strength(old->source));

	if (!size) {
		record->size = old->size;
		record->tier = old->tier;
		record->source = old->source;
		record->unconfirmed = old->unconfirmed;
	}
	if (strength(record->texts) < strength(old->texts)) {
		record->text = old->text;
		record->list_id_n = old->list_id_n;
		record->detail = old->detail;
		record->texts = old->texts;
	}
}

enum bw_err bw_directory_add(struct bw_directory_builder *b, const struct bw_list_entry *entry, struct bw_why *why)
{
	enum bw_err err = check_entry(entry, why);
	struct bw_directory_record record;

	if (err != BW_OK)
		return err;
	struct address_find find = { &b->pool, b->records, entry->address };
	uint32_t hash = bw_directory_hash(b->seed, entry->address);
	uint32_t at = bw_directory_index_find(&b->by_address, hash, same_address, &find);

	if (at != BW_DIRECTORY_NONE && b->records[at].size > 0 &&
	    strength((uint8_t)entry->source) < strength(b->records[at].source))
		return BW_OK;
	if (!reserve(b) || !make_record(b, entry, &record))
		return no_memory(why);
	if (at == BW_DIRECTORY_NONE) {
		at = (uint32_t)b->count++;
		bw_directory_index_put(&b->by_address, hash, at);
	} else {
		keep_stronger(&record, &b->records[at]);
	}
	b->records[at] = record;
	return BW_OK;
}

/* --- building --- */

static int compare_records(const void *a, const void *b, void *pool)
{
	return bw_slice_compare(bw_directory_record_address(pool, a), bw_directory_record_address(pool, b));
}

/* Stores and importers mostly deliver in order already. */
static bool is_sorted(const struct bw_directory_builder *b)
{
	for (size_t i = 1; i < b->count; i++) {
		if (compare_records(&b->records[i - 1], &b->records[i], (void *)&b->pool) > 0)
			return false;
	}
	return true;
}

static bool same_list_id(const void *ctx, uint32_t item)
{
	const struct address_find *find = ctx;

	return bw_slice_equal(bw_directory_record_list_id(find->pool, &find->records[item]), find->address);
}

/* Of lists that share a List-Id the first in order of address is found by it. */
static void index_list_id(struct bw_directory *d, uint32_t item)
{
	struct bw_slice id = bw_directory_record_list_id(&d->pool, &d->records[item]);
	struct address_find find = { &d->pool, d->records, id };
	uint32_t hash = bw_directory_hash(d->seed, id);

	if (id.n > 0 && bw_directory_index_find(&d->by_list_id, hash, same_list_id, &find) == BW_DIRECTORY_NONE)
		bw_directory_index_put(&d->by_list_id, hash, item);
}

static void index_records(struct bw_directory *d)
{
	for (uint32_t i = 0; i < d->count; i++) {
		struct bw_slice address = bw_directory_record_address(&d->pool, &d->records[i]);

		bw_directory_index_put(&d->by_address, bw_directory_hash(d->seed, address), i);
		index_list_id(d, i);
	}
}

static size_t count_list_ids(const struct bw_directory_builder *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->count; i++)
		n += b->records[i].list_id_n > 0;
	return n;
}

/* Everything that building has to allocate; the builder is as it was if that fails. */
static struct bw_directory *new_snapshot(const struct bw_directory_builder *b)
{
	struct bw_directory *d = calloc(1, sizeof(*d));
	size_t ids = count_list_ids(b);

	if (d == NULL)
		return NULL;
	atomic_init(&d->refs, 1);
	d->seed = b->seed;
	d->views = calloc(b->count + 1, sizeof(*d->views));
	if (d->views != NULL && bw_directory_index_reserve(&d->by_address, b->count) &&
	    (ids == 0 || bw_directory_index_reserve(&d->by_list_id, ids)))
		return d;
	bw_directory_unref(&d);
	return NULL;
}

/* Gives back the room that was kept for more records. */
static struct bw_directory_record *shrink(struct bw_directory_record *records, size_t n)
{
	struct bw_directory_record *smaller = n == 0 ? NULL : realloc(records, n * sizeof(*records));

	return smaller == NULL ? records : smaller;
}

/* What nobody gave a size is no list: an import that knew it has forgotten it. */
static void drop_sizeless(struct bw_directory_builder *b)
{
	size_t kept = 0;

	for (size_t i = 0; i < b->count; i++) {
		if (b->records[i].size > 0)
			b->records[kept++] = b->records[i];
	}
	b->count = kept;
}

enum bw_err bw_directory_build(struct bw_directory_builder *b, struct bw_directory **out, struct bw_why *why)
{
	drop_sizeless(b);
	struct bw_directory *d = new_snapshot(b);

	if (d == NULL)
		return no_memory(why);
	if (!is_sorted(b))
		qsort_r(b->records, b->count, sizeof(*b->records), compare_records, &b->pool);
	d->pool = b->pool;
	d->records = shrink(b->records, b->count);
	d->count = b->count;
	b->pool = (struct bw_directory_pool){ 0 };
	b->records = NULL;
	empty(b);
	index_records(d);
	*out = d;
	return BW_OK;
}
