/* What has changed over what was: two runs of records in order of address become one. */
#include "internal.h"

/* The records of one address. */
struct group {
	const struct bw_directory_pool *pool;
	const struct bw_directory_record *records;
	size_t n; /* 0: there are none */
};

/* Goes through records, group by group. */
struct cursor {
	const struct bw_directory_pool *pool;
	const struct bw_directory_record *records;
	size_t count, at;
};

static struct group group_of(const struct cursor *c)
{
	struct group g = { c->pool, c->records + c->at, 0 };

	if (c->at == c->count)
		return g;
	while ((g.records[g.n].flags & BW_RECORD_MORE) != 0)
		g.n++;
	g.n++;
	return g;
}

static struct group take(struct cursor *c)
{
	struct group g = group_of(c);

	c->at += g.n;
	return g;
}

static struct cursor over_draft(const struct bw_directory_draft *d)
{
	return (struct cursor){ &d->pool, d->records, d->count, 0 };
}

static struct cursor over_part(const struct bw_directory_part *p)
{
	return p == NULL ? (struct cursor){ NULL, NULL, 0, 0 } : (struct cursor){ &p->pool, p->records, p->record_count, 0 };
}

static struct bw_slice address_of(struct group g)
{
	return bw_directory_address(g.pool, &g.records[0]);
}

/* Which of two comes first: < 0, 0: both are of one address, > 0. One that is at its end comes last. */
static int compare(const struct cursor *a, const struct cursor *b)
{
	if (a->at == a->count || b->at == b->count)
		return (a->at == a->count) - (b->at == b->count);
	return bw_slice_compare(bw_directory_address(a->pool, &a->records[a->at]), bw_directory_address(b->pool, &b->records[b->at]));
}

static bool put(struct bw_directory_draft *out, const struct bw_directory_pool *pool, const struct bw_directory_record *record)
{
	const struct bw_directory_detail *detail = bw_directory_detail_at(pool, record->detail);
	struct bw_directory_texts texts = { .address = bw_directory_address(pool, record), .list_id = bw_directory_list_id(pool, record) };
	struct bw_directory_record like = *record;

	if (detail != NULL) {
		texts.owner = detail->owner;
		texts.posters = detail->posters;
		texts.poster_count = detail->poster_count;
	}
	like.flags &= (uint8_t)~BW_RECORD_MORE;
	return bw_directory_draft_put(out, &like, &texts);
}

/* --- what changed --- */

static const struct bw_directory_record *of_strength(struct group g, int strength)
{
	for (size_t i = 0; i < g.n; i++) {
		if (bw_directory_strength(g.records[i].source) == strength)
			return &g.records[i];
	}
	return NULL;
}

/* Nobody says anything of this address now; somebody did. */
static bool put_gone(struct bw_directory_draft *out, struct bw_slice address)
{
	const struct bw_directory_record like = { .flags = BW_RECORD_GONE };
	const struct bw_directory_texts texts = { .address = address };

	return bw_directory_draft_put(out, &like, &texts);
}

/* Of each source its last word; at least one of the groups is not empty. */
static bool combine(struct bw_directory_draft *out, struct group old, struct group changed)
{
	size_t first = out->count;

	for (int strength = BW_SOURCE_COUNT; strength-- > 0;) {
		const struct bw_directory_record *record = of_strength(changed, strength);
		const struct bw_directory_pool *pool = record != NULL ? changed.pool : old.pool;

		if (record == NULL)
			record = of_strength(old, strength);
		if (record == NULL || (record->flags & BW_RECORD_GONE) != 0)
			continue;
		if (!put(out, pool, record))
			return false;
		if (out->count > first + 1)
			out->records[out->count - 2].flags |= BW_RECORD_MORE;
	}
	return out->count > first || put_gone(out, address_of(changed.n > 0 ? changed : old));
}

static struct group find_group(const struct bw_directory_part *p, struct bw_slice address)
{
	struct cursor c = over_part(p);
	uint32_t head = bw_directory_part_find(p, bw_directory_hash(p->seed, address), address);

	c.at = head == BW_DIRECTORY_NONE ? c.count : head;
	return group_of(&c);
}

bool bw_directory_merge_changes(const struct bw_directory *old, const struct bw_directory_draft *changed,
                                struct bw_directory_draft *out)
{
	struct cursor before = over_part(old->changes), now = over_draft(changed);
	const struct group none = { NULL, NULL, 0 };
	bool done = true;

	while (done && (before.at < before.count || now.at < now.count)) {
		int order = compare(&before, &now);
		struct group was = order <= 0 ? take(&before) : none;
		struct group is = order >= 0 ? take(&now) : none;

		if (was.n == 0)
			was = find_group(old->base, address_of(is));
		done = combine(out, was, is);
	}
	return done;
}

/* --- all --- */

/* As it is, but for what is gone. */
static bool put_group(struct bw_directory_draft *out, struct group g)
{
	size_t first = out->count;

	for (size_t i = 0; i < g.n; i++) {
		if ((g.records[i].flags & BW_RECORD_GONE) != 0)
			continue;
		if (!put(out, g.pool, &g.records[i]))
			return false;
		if (out->count > first + 1)
			out->records[out->count - 2].flags |= BW_RECORD_MORE;
	}
	return true;
}

bool bw_directory_merge_all(const struct bw_directory_part *base, const struct bw_directory_draft *changed,
                            struct bw_directory_draft *out)
{
	struct cursor before = over_part(base), now = over_draft(changed);
	bool done = bw_directory_draft_reserve(out, before.count + now.count);

	while (done && (before.at < before.count || now.at < now.count)) {
		int order = compare(&before, &now);
		struct group was = { NULL, NULL, 0 };

		if (order <= 0)
			was = take(&before);
		done = put_group(out, order >= 0 ? take(&now) : was);
	}
	return done;
}
