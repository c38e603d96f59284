/* What has begun to wait, on all hosts: posts that want approval, and the owners of lists. */
#include <stdlib.h>
#include <string.h>

#include "bw/directory.h"
#include "herald-internal.h"

/* The directory is looked through no more often, and so many lists are told of at a time. */
#define OWNERS_EVERY_MS BW_MINUTE_MS

enum { LISTS_A_LOOK = 50 };

static const struct bw_key no_secret;

/* --- reading --- */

static struct owed *find_owed(struct herald *h, struct bw_slice list)
{
	for (size_t k = 0; k < h->owed_count; k++) {
		if (bw_slice_equal(list, bw_slice_of(h->owed[k].list)))
			return &h->owed[k];
	}
	return NULL;
}

static void owe(struct herald *h, struct bw_slice list)
{
	if (list.n == 0 || list.n >= INCIDENT_NAME_BYTES || h->owed_count == HERALD_OWED_MAX || find_owed(h, list) != NULL)
		return;
	bw_slice_copy(list, h->owed[h->owed_count++].list, INCIDENT_NAME_BYTES);
}

static bool take_waiting(void *ctx, const struct bw_held *row)
{
	const struct bw_slice id = { (const char *)row->id.b, sizeof(row->id.b) };
	struct herald *h = ctx;
	struct told *t = &h->told;

	if (told_was(t, t->waiting, id, h->now_ms, INT64_MAX))
		return true;
	told_note(t, t->waiting, id, h->now_ms);
	t->waiting_ms = row->held_ms > t->waiting_ms ? row->held_ms : t->waiting_ms;
	(void)incidents_take_held(&h->incidents, row);
	if (!h->config->notify.owners)
		return true;
	for (size_t k = 0; k < row->list_count; k++)
		owe(h, row->lists[k].list);
	if (row->list_count == 0)
		owe(h, row->list);
	return true;
}

enum bw_err herald_read_waiting(struct herald *h)
{
	const struct bw_held_query waiting = { .by_state = true, .state = BW_HELD_WAITING, .since_ms = h->told.waiting_ms - HERALD_LAG_MS };

	return h->store->ops->held_each(h->store, &waiting, take_waiting, h, h->why);
}

/* --- who owns them --- */

struct finding {
	struct herald *h;
	struct bw_directory_builder *builder;
};

/* Only what is asked for: the directory may have a million lists. An entry that is refused owns nothing. */
static bool add_row(void *ctx, const struct bw_list_row *row)
{
	const struct finding *f = ctx;
	const struct bw_list_entry entry = { .address = row->address, .size = row->size, .source = row->source, .owner = row->owner };

	if (!row->removed && find_owed(f->h, row->address) != NULL)
		(void)bw_directory_add(f->builder, &entry, NULL);
	return true;
}

static enum bw_err find_owners(struct herald *h, struct bw_directory **out)
{
	const struct bw_config *config = h->config;
	struct finding f = { h, bw_directory_builder_new(&config->tiers) };

	if (f.builder == NULL)
		return bw_fail(h->why, BW_ERR_MEMORY, "no memory for the owners of lists");
	for (size_t k = 0; k < config->list_count; k++) {
		if (find_owed(h, config->lists[k].address) != NULL)
			(void)bw_directory_add(f.builder, &config->lists[k], NULL);
	}
	enum bw_err err = h->store->ops->list_each(h->store, 0, add_row, &f, h->why);

	if (err == BW_OK)
		err = bw_directory_build(f.builder, out, h->why);
	bw_directory_builder_free(&f.builder);
	return err;
}

/* --- what waits for them --- */

struct gathering {
	struct bulletin_list *list;
	bool nameless;
};

static void add_reason(struct bulletin_list *l, struct bw_slice sentence)
{
	for (size_t k = 0; k < l->reason_count; k++) {
		if (bw_slice_equal(sentence, bw_slice_of(l->reasons[k])))
			return;
	}
	if (sentence.n > 0 && l->reason_count < BULLETIN_REASONS)
		bw_slice_copy(sentence, l->reasons[l->reason_count++], BW_WHY_BYTES);
}

static bool gather_row(void *ctx, const struct bw_held *row)
{
	const struct gathering *g = ctx;
	struct bulletin_list *l = g->list;
	int64_t deliveries = row->deliveries;

	for (size_t k = 0; k < row->list_count; k++)
		deliveries = bw_slice_equal(row->lists[k].list, l->list) ? row->lists[k].deliveries : deliveries;
	l->waiting++;
	l->deliveries += deliveries;
	if (!g->nameless || !bw_slice_equal(row->guard, BW_S("sender")))
		add_reason(l, row->sentence);
	return true;
}

static enum bw_err gather(struct herald *h, struct bulletin_list *l)
{
	const struct bw_held_query waiting = { .list = l->list, .by_state = true, .state = BW_HELD_WAITING };
	struct gathering g = { l, !h->config->privacy.sender };

	return h->store->ops->held_each(h->store, &waiting, gather_row, &g, h->why);
}

/* --- telling --- */

struct due {
	struct bulletin_list lists[LISTS_A_LOOK];
	struct bw_slice owners[LISTS_A_LOOK];
	size_t n;
};

static struct bw_hash claim_of(struct bw_slice list)
{
	return bw_hash_slice(&no_secret, "owner", list);
}

static void forget(struct herald *h, struct bw_slice list)
{
	struct owed *o = find_owed(h, list);

	if (o != NULL)
		*o = h->owed[--h->owed_count];
}

/* One list: is somebody to be told now? What was told lately stays owed, until its time comes or nothing waits any more. */
static enum bw_err look_at(struct herald *h, const struct bw_directory *directory, size_t at, struct due *due, bool *gone)
{
	struct bw_slice name = bw_slice_of(h->owed[at].list);
	const struct bw_list *list = bw_directory_find(directory, name);
	struct bw_hash claim = claim_of(name);
	struct bulletin_list *l = &due->lists[due->n];
	bool told = false;

	*gone = list == NULL || !agent_notice_address(list->owner) || bw_slice_equal(list->owner, name);
	if (*gone)
		return BW_OK;
	enum bw_err err = leader_is_told(h->store, &claim, h->config->notify.again_ms, &told, h->why);

	if (err != BW_OK || told)
		return err;
	*l = (struct bulletin_list){ .list = list->address };
	err = gather(h, l);
	*gone = err == BW_OK && l->waiting == 0;
	if (err == BW_OK && l->waiting > 0)
		due->owners[due->n++] = list->owner;
	return err;
}

static enum bw_err collect(struct herald *h, const struct bw_directory *directory, struct due *due)
{
	enum bw_err err = BW_OK;

	for (size_t k = 0; k < h->owed_count && due->n < LISTS_A_LOOK && err == BW_OK;) {
		bool gone = false;

		err = look_at(h, directory, k, due, &gone);
		if (gone)
			h->owed[k] = h->owed[--h->owed_count];
		else
			k++;
	}
	return err;
}

/* All lists of the owner of the first that is left go into one mail. */
static size_t take_owner(struct due *due, struct bulletin_list *lists, struct bw_slice *owner)
{
	size_t n = 0, kept = 0;

	*owner = due->owners[0];
	for (size_t k = 0; k < due->n; k++) {
		if (bw_slice_equal(due->owners[k], *owner)) {
			lists[n++] = due->lists[k];
			continue;
		}
		due->lists[kept] = due->lists[k];
		due->owners[kept++] = due->owners[k];
	}
	due->n = kept;
	return n;
}

static enum bw_err write_owner(struct herald *h, struct bw_slice owner, const struct bulletin_list *lists, size_t n)
{
	const struct notice_frame frame = herald_frame(h);
	struct bw_buf text;

	bw_buf_init(&text, 4 * NOTICE_BYTES);
	agent_bulletin_owner(&text, &frame, owner, lists, n);
	enum bw_err err = herald_post(h, owner, &text);

	bw_buf_done(&text);
	for (size_t k = 0; k < n && err == BW_OK; k++) {
		struct bw_hash claim = claim_of(lists[k].list);

		err = leader_tell(h->store, &claim, h->config->notify.again_ms, h->why);
		forget(h, lists[k].list);
	}
	return err;
}

static enum bw_err tell(struct herald *h, const struct bw_directory *directory)
{
	struct due *due = calloc(1, sizeof(*due));
	struct bulletin_list *lists = calloc(LISTS_A_LOOK, sizeof(*lists));
	enum bw_err err = BW_OK;

	if (due == NULL || lists == NULL)
		err = bw_fail(h->why, BW_ERR_MEMORY, "no memory to tell the owners of lists");
	if (err == BW_OK)
		err = collect(h, directory, due);
	while (err == BW_OK && due->n > 0 && herald_has_room(h)) {
		struct bw_slice owner;
		size_t n = take_owner(due, lists, &owner);

		err = write_owner(h, owner, lists, n);
	}
	free(due);
	free(lists);
	return err;
}

enum bw_err herald_tell_owners(struct herald *h)
{
	struct bw_directory *directory = NULL;

	if (!h->config->notify.owners)
		h->owed_count = 0;
	if (h->owed_count == 0 || !h->leads || (h->owners_ms != 0 && h->now_ms - h->owners_ms < OWNERS_EVERY_MS))
		return BW_OK;
	h->owners_ms = h->now_ms;
	enum bw_err err = find_owners(h, &directory);

	if (err == BW_OK)
		err = tell(h, directory);
	bw_directory_unref(&directory);
	return err;
}
