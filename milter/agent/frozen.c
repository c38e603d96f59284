/* Freeze, thaw, drop, and back: accepted posts that are still queued. They carry no mark of ours; which message is meant, its queue id and the time
 * of its arrival say, and the store remembers it as frozen before it is, so that a hold of ours is never taken for somebody else's:
 *
 *     freeze    store: frozen      into the MTA's hold
 *     thaw      out of the hold    store: thawed
 *     drop      ID.zst written     removed from the queue    store: dropped
 *     restore   ID.place noted     back in the hold queue    store: frozen, its queue id    archive and note removed
 *
 * Killed between two steps, each may be repeated, and finds what was done. An archive with a note beside it is a copy of what came back. */
#include "frozen.h"

#include <stdio.h>
#include <string.h>

#include "archive.h"
#include "bw/clock.h"
#include "parts.h"

/* Accepted at the end of a message whose queue file was begun earlier, by the time that it took to send it; clocks of files are coarse. */
#define ARRIVED_BEFORE_MS BW_HOUR_MS
#define ARRIVED_AFTER_MS  (2 * BW_SECOND_MS)

/* --- is it the post? --- */

struct seen {
	bool found, held, marked;
	int64_t arrived_ms;
};

static bool note_seen(void *ctx, const struct bw_queued *row)
{
	*(struct seen *)ctx = (struct seen){ true, row->held, row->marked, row->arrived_ms };
	return false;
}

bool agent_frozen_fits(int64_t arrived_ms, int64_t accepted_ms)
{
	return arrived_ms <= accepted_ms + ARRIVED_AFTER_MS && arrived_ms >= accepted_ms - ARRIVED_BEFORE_MS;
}

static bool is_it(const struct seen *s, const struct bw_post *post)
{
	return s->found && !s->marked && agent_frozen_fits(s->arrived_ms, post->accepted_ms);
}

static enum bw_err take_queue_id(const struct bw_mta *mta, const struct bw_post *post, char out[BW_QUEUE_ID_BYTES], struct bw_why *why)
{
	bw_slice_copy(post->queue_id, out, BW_QUEUE_ID_BYTES);
	if (post->queue_id.n < BW_QUEUE_ID_BYTES && mta->is_queue_id(out))
		return BW_OK;
	return bw_fail(why, BW_ERR_INPUT, "\"%s\" is no queue id of %s", out, mta->name);
}

/* Where there are several instances, the one that has it: the same id may be another message's in another. */
static enum bw_err see(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_post *post, const char *queue_id,
                       struct bw_mta_place *place, struct seen *out, struct bw_why *why)
{
	const struct bw_mta_place all = *place;
	enum bw_err err = BW_OK;
	bool others = false;

	for (size_t i = 0; i < bw_mta_instances(&all); i++) {
		struct bw_why its;

		*out = (struct seen){ .found = false };
		*place = bw_mta_instance(&all, i);
		enum bw_err one = mta->look(place, k->key, queue_id, note_seen, out, &its);

		if (one == BW_OK && is_it(out, post))
			return BW_OK;
		others = others || (one == BW_OK && out->found);
		if (one != BW_OK && one != BW_ERR_NOT_FOUND && err == BW_OK)
			err = bw_fail(why, one, "%s", its.text);
	}
	if (err != BW_OK)
		return err;
	if (others)
		return bw_fail(why, BW_ERR_CONFLICT, "%s did not come when the post came that is meant: left alone", queue_id);
	return bw_fail(why, BW_ERR_NOT_FOUND, "%s is not queued any more: its copies are delivered, or it was removed", queue_id);
}

/* The post in the MTA's queue: its queue id, and the place that has it. */
struct queued {
	char queue_id[BW_QUEUE_ID_BYTES];
	struct bw_mta_place place;
	bool held;
};

static enum bw_err find(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, const struct bw_post *post,
                        struct queued *out, struct bw_why *why)
{
	enum bw_err err = take_queue_id(mta, post, out->queue_id, why);
	struct seen seen;

	out->place = *place;
	if (err == BW_OK)
		err = see(k, mta, post, out->queue_id, &out->place, &seen, why);
	out->held = err == BW_OK && seen.held;
	return err;
}

static enum bw_err move(const struct bw_keeper *k, const struct bw_post *post, enum bw_post_state to, struct bw_why *why)
{
	return post->state == to ? BW_OK : k->store->ops->post_move(k->store, &post->id, to, k->now_ms, why);
}

/* Nothing answers: what was asked for may have been done all the same. */
static bool is_unknown(enum bw_err err)
{
	return err == BW_ERR_IO || err == BW_ERR_STORE || err == BW_ERR_MEMORY;
}

static bool has_copy(const struct bw_keeper *k, const struct bw_hash *id)
{
	return archive_has(k->archive, id, ARCHIVE_MESSAGE) && !archive_has(k->archive, id, ARCHIVE_PLACE);
}

/* Of a message that is back: the note goes last, for it says that the archive is only a copy. */
static enum bw_err remove_copy(const struct bw_keeper *k, const struct bw_hash *id, struct bw_why *why)
{
	enum bw_err err = archive_remove(k->archive, id, ARCHIVE_MESSAGE, why);

	return err == BW_OK ? archive_remove(k->archive, id, ARCHIVE_PLACE, why) : err;
}

/* What a killed drop or restore has left of a message that is held: it would say later that this was dropped. */
static enum bw_err forget_copy(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_post *post, const struct queued *q,
                               struct bw_why *why)
{
	if (agent_archive_has_more(k, mta, &q->place, &post->id, q->queue_id))
		return bw_fail(why, BW_ERR_CONFLICT, "%s was being dropped, and parts of it are in the archive: drop it, then restore it", q->queue_id);
	return remove_copy(k, &post->id, why);
}

/* --- freeze --- */

static enum bw_err hold(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_post *post, const struct queued *q,
                        struct bw_why *why)
{
	enum bw_err err = move(k, post, BW_POST_FROZEN, why);

	if (err != BW_OK)
		return err;
	err = mta->hold(&q->place, q->queue_id, why);
	/* It is on its way after all. */
	if (err != BW_OK && !is_unknown(err))
		(void)k->store->ops->post_move(k->store, &post->id, post->state == BW_POST_FROZEN ? BW_POST_THAWED : post->state, k->now_ms, NULL);
	return err;
}

enum bw_err bw_keeper_freeze(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, const struct bw_post *post,
                             struct bw_why *why)
{
	struct queued q;
	enum bw_err err = post->state == BW_POST_DROPPED ? bw_fail(why, BW_ERR_CONFLICT, "the post was dropped") : BW_OK;

	if (err == BW_OK)
		err = find(k, mta, place, post, &q, why);
	if (err != BW_OK)
		return err;
	if (!q.held)
		return hold(k, mta, post, &q, why);
	if (post->state == BW_POST_FROZEN)
		return BW_OK;
	return bw_fail(why, BW_ERR_CONFLICT, "%s is held already, and not by breakwater: left alone", q.queue_id);
}

/* --- thaw --- */

static enum bw_err check_frozen(const struct bw_post *post, enum bw_post_state to, struct bw_why *why)
{
	if (post->state == BW_POST_FROZEN || post->state == to)
		return BW_OK;
	return bw_fail(why, BW_ERR_CONFLICT, "the post is %s, not frozen", bw_post_state_name(post->state));
}

enum bw_err bw_keeper_thaw(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, const struct bw_post *post,
                           struct bw_why *why)
{
	struct bw_why ignored;
	struct queued q;
	enum bw_err err = check_frozen(post, BW_POST_THAWED, why);

	if (err != BW_OK)
		return err;
	err = find(k, mta, place, post, &q, why);
	if (err == BW_ERR_NOT_FOUND)
		(void)move(k, post, BW_POST_THAWED, &ignored); /* nothing waits any more */
	if (err == BW_OK && q.held && post->state == BW_POST_THAWED)
		return bw_fail(why, BW_ERR_CONFLICT, "%s is held again, and not by breakwater: left alone", q.queue_id);
	if (err == BW_OK && q.held)
		err = forget_copy(k, mta, post, &q, why);
	if (err == BW_OK && q.held)
		err = mta->release(&q.place, q.queue_id, why);
	if (err != BW_OK)
		return err;
	/* Where this fails, the next queue run delivers. */
	if (q.held)
		(void)mta->deliver(&q.place, q.queue_id, &ignored);
	return move(k, post, BW_POST_THAWED, why);
}

/* --- drop --- */

static enum bw_err remove_it(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_post *post, const struct queued *q,
                             struct bw_why *why)
{
	enum bw_err err = bw_agent_archive(k, mta, &q->place, &post->id, q->queue_id, why);

	if (err == BW_OK)
		err = archive_remove(k->archive, &post->id, ARCHIVE_PLACE, why); /* no copy any more */
	if (err != BW_OK)
		return err;
	err = mta->drop(&q->place, q->queue_id, why);
	/* Still queued, so not in the archive; where that is not known, or parts of it are gone, it stays in both. */
	if (err != BW_OK && !is_unknown(err) && !agent_archive_has_more(k, mta, &q->place, &post->id, q->queue_id))
		archive_remove(k->archive, &post->id, ARCHIVE_MESSAGE, NULL);
	return err == BW_OK ? move(k, post, BW_POST_DROPPED, why) : err;
}

enum bw_err bw_keeper_drop(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, const struct bw_post *post,
                           struct bw_why *why)
{
	struct bw_why ignored;
	struct queued q;
	enum bw_err err = check_frozen(post, BW_POST_DROPPED, why);

	if (err != BW_OK)
		return err;
	err = find(k, mta, place, post, &q, why);
	if (err == BW_ERR_NOT_FOUND && has_copy(k, &post->id))
		return move(k, post, BW_POST_DROPPED, why); /* one who was killed has dropped it already */
	if (err == BW_ERR_NOT_FOUND)
		(void)move(k, post, BW_POST_THAWED, &ignored);
	if (err == BW_OK && !q.held)
		return bw_fail(why, BW_ERR_NOT_FOUND, "%s is not held any more: it is on its way", q.queue_id);
	return err == BW_OK ? remove_it(k, mta, post, &q, why) : err;
}

/* --- restore --- */

static enum bw_err not_held(const struct queued *q, struct bw_why *why)
{
	return bw_fail(why, BW_ERR_NOT_FOUND, "%s is not held any more: it is on its way", q->queue_id);
}

/* One who was killed has brought it back already. */
static enum bw_err finish_restore(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                                  const struct bw_post *post, struct bw_why *why)
{
	struct queued q;
	enum bw_err err = find(k, mta, place, post, &q, why);

	if (err == BW_OK && !q.held)
		return not_held(&q, why);
	return err == BW_OK ? forget_copy(k, mta, post, &q, why) : err;
}

static enum bw_err bring_back(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                              const struct bw_post *post, struct bw_why *why)
{
	struct queued q = { .place = *place };
	struct seen seen;
	enum bw_err err = take_queue_id(mta, post, q.queue_id, why);

	if (err == BW_OK && !archive_has(k->archive, &post->id, ARCHIVE_MESSAGE))
		err = bw_fail(why, BW_ERR_NOT_FOUND, "%s is not in the archive any more, so it cannot come back: that ends with hold.archive_keep",
		              q.queue_id);
	if (err == BW_OK)
		err = bw_agent_put_back(k, mta, &q.place, &post->id, q.queue_id, why);
	/* Where something stood under that name already, it must be this message. */
	if (err == BW_OK)
		err = see(k, mta, post, q.queue_id, &q.place, &seen, why);
	if (err == BW_OK && !seen.held)
		err = not_held(&q, why);
	if (err == BW_OK)
		err = k->store->ops->post_return(k->store, &post->id, BW_POST_FROZEN, bw_slice_of(q.queue_id), k->now_ms, why);
	return err == BW_OK ? remove_copy(k, &post->id, why) : err;
}

enum bw_err bw_keeper_undrop(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, const struct bw_post *post,
                             struct bw_why *why)
{
	enum bw_err err;

	archive_lock(k->archive);
	if (post->state == BW_POST_DROPPED)
		err = bring_back(k, mta, place, post, why);
	else if (post->state == BW_POST_FROZEN)
		err = finish_restore(k, mta, place, post, why);
	else
		err = bw_fail(why, BW_ERR_CONFLICT, "the post is %s, not dropped", bw_post_state_name(post->state));
	archive_unlock(k->archive);
	return err;
}

/* --- items of orders --- */

typedef enum bw_err frozen_fn(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, const struct bw_post *post,
                              struct bw_why *why);

static const struct {
	const char *done;
	frozen_fn *run;
} kinds[BW_ORDER_KIND_COUNT] = {
	[BW_ORDER_FREEZE] = { "frozen", bw_keeper_freeze },
	[BW_ORDER_THAW] = { "thawed", bw_keeper_thaw },
	[BW_ORDER_DROP] = { "dropped", bw_keeper_drop },
	[BW_ORDER_RESTORE] = { "restored", bw_keeper_undrop },
};

const char *agent_frozen_done(enum bw_order_kind kind)
{
	return (unsigned)kind < BW_ORDER_KIND_COUNT ? kinds[kind].done : NULL;
}

/* The post as this host's store has it; its rows are one a list. */
struct known {
	bool found;
	struct bw_post post;
	char host[256], mta[16], queue_id[BW_QUEUE_ID_BYTES];
	const struct item_tools *tools;
};

static bool take_row(void *ctx, const struct bw_post *row)
{
	struct known *known = ctx;
	int64_t before = known->post.deliveries;

	known->found = true;
	known->post = *row;
	known->post.deliveries += before;
	known->post.list = known->post.sender = known->post.message_id = BW_S("");
	known->post.host = (struct bw_slice){ known->host, bw_slice_copy(row->host, known->host, sizeof(known->host)) };
	known->post.mta = (struct bw_slice){ known->mta, bw_slice_copy(row->mta, known->mta, sizeof(known->mta)) };
	known->post.queue_id = (struct bw_slice){ known->queue_id, bw_slice_copy(row->queue_id, known->queue_id, sizeof(known->queue_id)) };
	if (known->tools->note_list != NULL)
		known->tools->note_list(known->tools->ctx, row->list);
	return true;
}

/* A restored one may have got another queue id, and nobody lived to say so. */
static bool is_renamed(const struct known *known, enum bw_order_kind kind)
{
	return kind == BW_ORDER_RESTORE && known->post.state == BW_POST_FROZEN;
}

/* NULL: it is about this post. */
static const char *not_about(const struct known *known, const struct item *item, enum bw_order_kind kind, const char *host)
{
	if (!item->fits)
		return "the item is none that breakwaterctl writes";
	if (!known->found)
		return "no such post is known";
	if (strcmp(known->host, host) != 0)
		return "the post is queued on another host";
	if ((strcmp(known->queue_id, item->queue_id) != 0 && !is_renamed(known, kind)) || strcmp(known->mta, item->mta) != 0)
		return "the post is queued under another id";
	return NULL;
}

static void carry_out(const struct item_tools *t, const struct item_order *order, const struct item *item, const struct known *known,
                      struct outcome *out)
{
	const struct bw_held like = { .mta = known->post.mta };
	const struct place *found = agent_place_of(t->places, &like);
	struct bw_keeper keeper = *t->keeper;

	if (found == NULL) {
		out->result = BW_ITEM_FAILED;
		snprintf(out->note.text, sizeof(out->note.text), "no %s on this host", known->mta);
		return;
	}
	struct place place = *found;

	keeper.store = t->posts;
	place.at.order = item->signed_text;
	const enum bw_err err = kinds[order->kind].run(&keeper, place.mta, &place.at, &known->post, &out->note);

	agent_item_settle(err, kinds[order->kind].done, place.at.helper, out);
	out->deliveries = out->result == BW_ITEM_DONE ? known->post.deliveries : 0;
}

void agent_frozen_do(const struct item_tools *t, const struct item_order *order, const struct item *item, int64_t now_ms,
                     struct outcome *out)
{
	const struct bw_post_query query = { .id = item->subject };
	struct known known = { .tools = t };

	*out = (struct outcome){ .result = BW_ITEM_REFUSED };
	t->keeper->now_ms = now_ms;
	/* A zero id would select all. */
	if (!bw_hash_is_zero(&item->subject) && t->posts->ops->post_each(t->posts, &query, take_row, &known, &out->note) != BW_OK) {
		out->again = out->away = true;
		return;
	}
	const char *why_not = not_about(&known, item, order->kind, t->keeper->host);

	if (why_not == NULL)
		carry_out(t, order, item, &known, out);
	else
		snprintf(out->note.text, sizeof(out->note.text), "%s", why_not);
}
