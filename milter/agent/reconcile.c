/* The ledger against the queue, in both directions. Streaming: what is kept in memory is a hundred bytes for each waiting entry; of the
 * queue, only held messages that the ledger does not know by queue id and arrival are looked into.
 *
 * First the entries that wait here, then the queue, then what is on its way under another queue id, then once more those entries that
 * nothing has shown. Whatever changes its state meanwhile is safe: every move says what it moves from. */
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "bw/clock.h"
#include "bw/mail.h"
#include "follow.h"
#include "parts.h"

/* An entry without its message is normal for so long: the MTA may still be at it (semantics 8). */
#define YOUNG_MS (10 * BW_MINUTE_MS)

enum { ENTRIES_MOST = 2000000, SENDER_BYTES = 128, CLOCKS_MS = 60000 /* that MTA and store may differ by */ };

struct waiting {
	struct bw_hash id;
	char queue_id[BW_QUEUE_ID_BYTES];
	int64_t held_ms, since_ms; /* when it was held, and moved last */
	bool held, elsewhere;      /* where the queue shows it */
};

/* Held under another queue id than the entry says: a part of a message that was split, or a file that somebody has renamed. */
struct renamed {
	struct bw_hash id;
	char queue_id[BW_QUEUE_ID_BYTES];
};

struct reconciling {
	struct bw_keeper *k;
	const struct bw_mta *mta;
	struct bw_mta_place place; /* the instance that is looked at */
	const struct bw_mta_place *all; /* of its instances */
	const struct bw_directory *directory;
	bool dry;
	struct bw_reconciled *out;
	bool (*each)(void *ctx, const struct bw_finding *row);
	void *ctx;
	struct waiting *at; /* by id, once loaded */
	struct waiting **by_queue_id;
	struct renamed *renamed;
	size_t count, room, renamed_count, renamed_room;
	enum bw_err err;
	struct bw_why *why;
};

const char *bw_found_name(enum bw_found found)
{
	static const char *const names[] = { "released", "deleted", "lost", "returned", "rebuilt", "held-again" };

	return (unsigned)found < sizeof(names) / sizeof(names[0]) ? names[found] : "unknown";
}

static enum bw_err fail_memory(struct bw_why *why)
{
	return bw_fail(why, BW_ERR_MEMORY, "no memory to compare the ledger with the queue");
}

static void tell(struct reconciling *r, const struct bw_finding *finding)
{
	r->out->found[finding->found]++;
	if (r->each != NULL && !r->each(r->ctx, finding))
		r->each = NULL;
}

/* --- the ledger's side --- */

static bool load_one(void *ctx, const struct bw_held *row)
{
	struct reconciling *r = ctx;

	if (!bw_slice_equal(row->host, bw_slice_of(r->k->host)) || !bw_slice_equal(row->mta, bw_slice_of(r->mta->name)))
		return true;
	if (r->count == r->room) {
		size_t room = r->room == 0 ? 256 : 2 * r->room;
		struct waiting *at = room > ENTRIES_MOST ? NULL : realloc(r->at, room * sizeof(*at));

		if (at == NULL) {
			r->err = fail_memory(r->why);
			return false;
		}
		r->at = at;
		r->room = room;
	}
	struct waiting *w = &r->at[r->count++];

	*w = (struct waiting){ .id = row->id, .held_ms = row->held_ms, .since_ms = row->held_ms > row->state_ms ? row->held_ms : row->state_ms };
	bw_slice_copy(row->queue_id, w->queue_id, sizeof(w->queue_id));
	return true;
}

static int by_id(const void *a, const void *b)
{
	return memcmp(&((const struct waiting *)a)->id, &((const struct waiting *)b)->id, sizeof(struct bw_hash));
}

static int by_queue_id(const void *a, const void *b)
{
	return strcmp((*(struct waiting *const *)a)->queue_id, (*(struct waiting *const *)b)->queue_id);
}

static enum bw_err load(struct reconciling *r)
{
	struct bw_store *store = r->k->store;
	struct bw_held_query query = { .by_state = true, .state = BW_HELD_WAITING };
	enum bw_err err = store->ops->held_each(store, &query, load_one, r, r->why);

	if (err == BW_OK)
		err = r->err;
	if (err != BW_OK)
		return err;
	r->by_queue_id = calloc(r->count + 1, sizeof(struct waiting *));
	if (r->by_queue_id == NULL)
		return fail_memory(r->why);
	if (r->count > 0)
		qsort(r->at, r->count, sizeof(*r->at), by_id);
	for (size_t i = 0; i < r->count; i++)
		r->by_queue_id[i] = &r->at[i];
	qsort(r->by_queue_id, r->count, sizeof(struct waiting *), by_queue_id);
	r->out->waiting = (int64_t)r->count;
	return BW_OK;
}

static struct waiting *find_id(struct reconciling *r, const struct bw_hash *id)
{
	struct waiting key = { .id = *id };

	return r->count == 0 ? NULL : bsearch(&key, r->at, r->count, sizeof(key), by_id);
}

static struct waiting *find_queue_id(struct reconciling *r, struct bw_slice queue_id)
{
	struct waiting key, *pointer = &key, **found;

	bw_slice_copy(queue_id, key.queue_id, sizeof(key.queue_id));
	found = r->count == 0 ? NULL : bsearch(&pointer, r->by_queue_id, r->count, sizeof(pointer), by_queue_id);
	return found == NULL ? NULL : *found;
}

/* --- the queue's side --- */

static struct bw_finding finding_of(enum bw_found found, const struct bw_queued *q)
{
	return (struct bw_finding){ found, q->mark.id, q->queue_id, q->mark.list, q->sender, q->mark.deliveries };
}

/* Each recipient that is a list of the directory, with its size; the mark alone knows one. */
static size_t lists_of(const struct reconciling *r, const struct bw_queued *q, struct bw_held_list lists[BW_HELD_LISTS_MAX])
{
	struct bw_slice rest = q->recipients;
	size_t n = 0;

	while (rest.n > 0 && n < BW_HELD_LISTS_MAX) {
		size_t end = bw_slice_find(rest, '\n');
		struct bw_address address;
		const struct bw_list *list = NULL;

		if (bw_address_normalise(bw_slice_head(rest, end), 0, &address))
			list = bw_directory_find(r->directory, bw_slice_of(address.text));
		if (list != NULL)
			lists[n++] = (struct bw_held_list){ list->address, q->mark.conversation, q->mark.side, list->size };
		rest = bw_slice_from(rest, end + 1);
	}
	return n;
}

static enum bw_err rebuild(struct reconciling *r, const struct bw_queued *q)
{
	struct bw_held_list lists[BW_HELD_LISTS_MAX];
	struct bw_held h = {
		.id = q->mark.id,
		.host = bw_slice_of(r->k->host),
		.queue_id = q->queue_id,
		.mta = bw_slice_of(r->mta->name),
		.list = q->mark.list,
		.conversation = q->mark.conversation,
		.guard = bw_slice_of(bw_guard_name(q->mark.guard)),
		.sentence = BW_S("the ledger was rebuilt from the hold queue; why it was held is no longer known"),
		.sender = r->k->hide_sender ? BW_S("") : q->sender,
		.message_id = q->message_id,
		.subject = r->k->hide_subject ? BW_S("") : q->subject,
		.deliveries = q->mark.deliveries,
		.held_ms = q->mark.held_ms,
		.message = q->mark.message,
		.side = q->mark.side,
		.lists = lists,
	};

	h.list_count = lists_of(r, q, lists);
	return r->dry ? BW_OK : r->k->store->ops->held_put(r->k->store, &h, r->why);
}

struct there {
	bool found;
	enum bw_held_state state;
};

static bool note_state(void *ctx, const struct bw_held *row)
{
	struct there *t = ctx;

	t->found = true;
	t->state = row->state;
	return true;
}

static void forget_notes(const struct reconciling *r, const struct bw_hash *id)
{
	for (enum archive_kind kind = ARCHIVE_MESSAGE; !r->dry && kind <= ARCHIVE_PLACE; kind++)
		archive_remove(r->k->archive, id, kind, NULL);
}

static bool has_more(const struct reconciling *r, const struct bw_hash *id, struct bw_slice queue_id)
{
	char text[BW_QUEUE_ID_BYTES];

	bw_slice_copy(queue_id, text, sizeof(text));
	return archive_has(r->k->archive, id, ARCHIVE_MESSAGE) && agent_archive_has_more(r->k, r->mta, &r->place, id, text);
}

/* A held message whose entry does not wait here. */
static enum bw_err take_unwaited(struct reconciling *r, const struct bw_queued *q)
{
	struct bw_store *store = r->k->store;
	struct bw_held_query query = { .id = q->mark.id };
	struct there there = { false, BW_HELD_WAITING };
	enum bw_found found = BW_FOUND_REBUILT;
	enum bw_err err = store->ops->held_each(store, &query, note_state, &there, r->why);

	if (err != BW_OK || (there.found && there.state == BW_HELD_WAITING))
		return err; /* held while we look: it waits, as it should */
	if (!there.found) {
		err = rebuild(r, q);
	} else if (there.state == BW_HELD_RELEASED) {
		found = BW_FOUND_HELD_AGAIN;
	} else if (has_more(r, &q->mark.id, q->queue_id)) {
		return BW_OK; /* some of its parts are back, and the rest will be when the order is given again */
	} else {
		found = BW_FOUND_RETURNED;
		if (!r->dry)
			err = store->ops->held_return(store, &q->mark.id, there.state, q->queue_id, r->k->now_ms, bw_slice_of(r->k->by), r->why);
		if (err == BW_OK)
			forget_notes(r, &q->mark.id);
	}
	const struct bw_finding finding = finding_of(found, q);

	if (err == BW_OK)
		tell(r, &finding);
	return err == BW_ERR_CONFLICT ? BW_OK : err;
}

static enum bw_err take_unknown(struct reconciling *r, const struct bw_queued *q)
{
	archive_lock(r->k->archive); /* one who restores it just now is done first */
	enum bw_err err = take_unwaited(r, q);

	archive_unlock(r->k->archive);
	return err;
}

/* What the queue shows later may be the one that the ledger names: it is decided at the end. */
static enum bw_err note_renamed(struct reconciling *r, const struct bw_queued *q)
{
	if (r->renamed_count == r->renamed_room) {
		size_t room = r->renamed_room == 0 ? 64 : 2 * r->renamed_room;
		struct renamed *at = room > ENTRIES_MOST ? NULL : realloc(r->renamed, room * sizeof(*at));

		if (at == NULL)
			return fail_memory(r->why);
		r->renamed = at;
		r->renamed_room = room;
	}
	struct renamed *one = &r->renamed[r->renamed_count++];

	one->id = q->mark.id;
	bw_slice_copy(q->queue_id, one->queue_id, sizeof(one->queue_id));
	return BW_OK;
}

/* A queue id that was used again has come after ours was held. */
static bool is_known(void *ctx, struct bw_slice queue_id, int64_t arrived_ms)
{
	struct reconciling *r = ctx;
	const struct waiting *w = find_queue_id(r, queue_id);

	return w != NULL && arrived_ms > 0 && arrived_ms <= w->held_ms + CLOCKS_MS;
}

static bool take_queued(void *ctx, const struct bw_queued *q)
{
	struct reconciling *r = ctx;
	struct waiting *w;

	if (!q->held) {
		w = find_queue_id(r, q->queue_id);
		if (w != NULL)
			w->elsewhere = true;
		return true;
	}
	r->out->held++;
	if (q->known) {
		w = find_queue_id(r, q->queue_id);
		if (w != NULL)
			w->held = true;
		return true;
	}
	r->out->foreign += !q->marked;
	if (!q->marked)
		return true;
	w = find_id(r, &q->mark.id);
	if (w == NULL)
		r->err = take_unknown(r, q);
	else if (strcmp(w->queue_id, "") == 0 || bw_slice_equal(bw_slice_of(w->queue_id), q->queue_id))
		w->held = true;
	else
		r->err = note_renamed(r, q);
	return r->err == BW_OK;
}

/* --- what is on its way under another queue id --- */

static bool sealed_with(void *ctx, const struct bw_hash *id, struct bw_slice *queue_id)
{
	struct waiting *w = find_id(ctx, id);

	if (w == NULL || w->held || w->elsewhere)
		return false;
	*queue_id = bw_slice_of(w->queue_id);
	return true;
}

/* Requeued by hand, or by one who was killed. The ledger gets its new id while the entry waits: then it waits for nothing, and is released. */
static void take_requeued(void *ctx, const struct bw_hash *id, struct bw_slice queue_id)
{
	struct reconciling *r = ctx;
	const struct bw_keeper *k = r->k;

	find_id(r, id)->elsewhere = true;
	if (!r->dry)
		k->store->ops->held_return(k->store, id, BW_HELD_WAITING, queue_id, k->now_ms, bw_slice_of(k->by), NULL);
}

/* What came to the queue since the first of the entries that are missed. */
static enum bw_err look_elsewhere(struct reconciling *r, const struct bw_mta_place *place)
{
	const struct follower follower = { sealed_with, take_requeued, r };
	int64_t since_ms = INT64_MAX;

	for (size_t i = 0; i < r->count; i++) {
		if (!r->at[i].held && !r->at[i].elsewhere && r->at[i].held_ms < since_ms)
			since_ms = r->at[i].held_ms;
	}
	return since_ms == INT64_MAX ? BW_OK : agent_follow(r->k, r->mta, place, since_ms, &follower, r->why);
}

/* --- held under another queue id --- */

static bool tell_returned(void *ctx, const struct bw_held *row)
{
	const struct bw_finding finding = { BW_FOUND_RETURNED, row->id, row->queue_id, row->list, row->sender, row->deliveries };

	tell(ctx, &finding);
	return true;
}

/* The entry waits on, under an id that is there. */
static enum bw_err take_renamed(struct reconciling *r)
{
	const struct bw_keeper *k = r->k;
	enum bw_err err = BW_OK;

	for (size_t i = 0; err == BW_OK && i < r->renamed_count; i++) {
		const struct renamed *one = &r->renamed[i];
		struct waiting *w = find_id(r, &one->id);
		struct bw_held_query query = { .id = one->id };

		if (w == NULL || w->held || has_more(r, &one->id, bw_slice_of(one->queue_id)))
			continue;
		w->held = true;
		if (!r->dry)
			err = k->store->ops->held_return(k->store, &one->id, BW_HELD_WAITING, bw_slice_of(one->queue_id), k->now_ms,
			                                 bw_slice_of(k->by), r->why);
		if (err == BW_OK)
			err = k->store->ops->held_each(k->store, &query, tell_returned, r, r->why);
		else if (err == BW_ERR_CONFLICT)
			err = BW_OK;
	}
	return err;
}

/* --- entries without their message --- */

/* What became of it: a note tells, or the rest of the queue. False: nothing yet, it is young. */
static bool judge(const struct reconciling *r, const struct waiting *w, enum bw_found *found, enum bw_held_state *state)
{
	int archive = r->k->archive;
	bool old = w->since_ms <= r->k->now_ms - YOUNG_MS;

	if (archive_has(archive, &w->id, ARCHIVE_MESSAGE)) {
		*found = BW_FOUND_DELETED;
		*state = BW_HELD_DELETED;
	} else if (w->elsewhere || archive_has(archive, &w->id, ARCHIVE_RELEASE)) {
		*found = BW_FOUND_RELEASED;
		*state = BW_HELD_RELEASED;
	} else {
		*found = BW_FOUND_LOST;
		*state = BW_HELD_LOST;
		return old;
	}
	return true;
}

struct settling {
	struct reconciling *r;
	const struct waiting *w;
	enum bw_found found;
	bool still;
};

static bool tell_row(void *ctx, const struct bw_held *row)
{
	struct settling *s = ctx;
	const struct bw_finding finding = { s->found, row->id, row->queue_id, row->list, row->sender, row->deliveries };

	tell(s->r, &finding);
	return true;
}

static bool has_notes(const struct reconciling *r, const struct bw_hash *id)
{
	bool has = false;

	for (enum archive_kind kind = ARCHIVE_MESSAGE; kind <= ARCHIVE_PLACE; kind++)
		has = has || archive_has(r->k->archive, id, kind);
	return has;
}

static bool note_held(void *ctx, const struct bw_queued *q)
{
	struct settling *s = ctx;

	s->still = q->held && q->marked && bw_hash_equal(&q->mark.id, &s->w->id);
	return false;
}

/* It was held when the queue was read, and its entry waited. Is it so now, with nobody at work on it, what a killed keeper had begun is
 * void. What was begun since then is not. */
static enum bw_err settle_held(struct reconciling *r, const struct waiting *w)
{
	struct bw_held_query query = { .id = w->id };
	struct settling s = { .r = r, .w = w };
	struct there there = { false, BW_HELD_WAITING };
	struct bw_why ignored;
	enum bw_err err = BW_OK;

	if (r->dry || !has_notes(r, &w->id))
		return BW_OK;
	archive_lock(r->k->archive);
	err = r->k->store->ops->held_each(r->k->store, &query, note_state, &there, r->why);
	if (err == BW_OK && there.found && there.state == BW_HELD_WAITING &&
	    r->mta->is_queue_id(w->queue_id) &&
	    bw_mta_locate(r->mta, r->all, r->k->key, w->queue_id, &w->id, &r->place, &ignored) == BW_OK &&
	    r->mta->look(&r->place, r->k->key, w->queue_id, note_held, &s, &ignored) == BW_OK && s.still &&
	    !has_more(r, &w->id, bw_slice_of(w->queue_id)))
		forget_notes(r, &w->id);
	archive_unlock(r->k->archive);
	return err;
}

static enum bw_err settle_one(struct reconciling *r, const struct waiting *w)
{
	struct bw_store *store = r->k->store;
	struct bw_held_query query = { .id = w->id };
	struct settling settling = { .r = r, .w = w };
	enum bw_held_state state;
	enum bw_err err = BW_OK;

	if (w->held)
		return settle_held(r, w);
	if (!judge(r, w, &settling.found, &state))
		return BW_OK;
	if (!r->dry)
		err = store->ops->held_move(store, &w->id, BW_HELD_WAITING, state, r->k->now_ms, bw_slice_of(r->k->by), r->why);
	if (err == BW_ERR_CONFLICT)
		return BW_OK; /* somebody has done and written it while we looked */
	if (err == BW_OK && !r->dry)
		err = archive_remove(r->k->archive, &w->id, ARCHIVE_RELEASE, r->why);
	return err == BW_OK ? store->ops->held_each(store, &query, tell_row, &settling, r->why) : err;
}

enum bw_err bw_keeper_reconcile(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                                const struct bw_directory *directory, bool dry, struct bw_reconciled *out, BW_EACH(struct bw_finding),
                                struct bw_why *why)
{
	struct reconciling r = {
		.k = k, .mta = mta, .all = place, .directory = directory, .dry = dry, .out = out, .each = each, .ctx = ctx, .err = BW_OK, .why = why
	};

	const struct bw_queue_walk walk = { is_known, take_queued, &r };

	*out = (struct bw_reconciled){ .waiting = 0 };
	enum bw_err err = load(&r);

	for (size_t i = 0; err == BW_OK && i < bw_mta_instances(place); i++) {
		r.place = bw_mta_instance(place, i);
		err = mta->walk != NULL ? mta->walk(&r.place, k->key, &walk, why) : mta->each(&r.place, k->key, take_queued, &r, why);
		if (err == BW_OK)
			err = r.err;
	}
	if (err == BW_OK)
		err = take_renamed(&r);
	if (err == BW_OK)
		err = look_elsewhere(&r, place);
	for (size_t i = 0; err == BW_OK && i < r.count; i++)
		err = settle_one(&r, &r.at[i]);
	free(r.renamed);
	free(r.by_queue_id);
	free(r.at);
	return err;
}
