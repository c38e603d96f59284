/* The end of a message: what count() assumed is confirmed, taken back, or given back; tied conversations are merged. */
#include "sqlite-backend.h"
#include "sqlite-message.h"
#include "store-internal.h"

struct ending {
	struct bw_sqlite_lane *lane;
	enum bw_side side;
	const struct bw_hash *recipients, *sender;
	int64_t now_ms, list;
	struct bw_sqlite_message message;
	struct bw_sqlite_offer offer;
	struct bw_sqlite_conversation conversation, rival;
	struct bw_sqlite_tally tally; /* the list's */
};

/* Whatever its age: an operator may end what the counters have forgotten. */
static void load(struct ending *e, const struct bw_hash *message, const struct bw_hash *conversation, bool revive)
{
	struct bw_sqlite_message *m = &e->message;

	bw_sqlite_message_load(e->lane, e->list, message, 0, 0, m);
	bw_sqlite_offer_load(e->lane, m, e->recipients, 0, 0, &e->offer);
	if (!e->offer.known)
		e->offer = m->own;
	if (!m->known || !bw_sqlite_conversation_load(e->lane, m->conversation, 0, 0, &e->conversation)) {
		if (revive)
			bw_sqlite_conversation_revive(e->lane, e->list, conversation, e->now_ms, &e->conversation);
		m->conversation = e->conversation.id;
	}
	if (m->rival != 0)
		bw_sqlite_conversation_load(e->lane, m->rival, 0, 0, &e->rival);
}

static void store(struct ending *e)
{
	struct bw_sqlite_message *m = &e->message;

	if (!m->known)
		m->seen_ms = e->now_ms;
	m->conversation = e->conversation.id;
	m->rival = e->rival.id;
	bw_sqlite_offer_store(e->lane, m, e->recipients, &e->offer);
	bw_sqlite_message_store(e->lane, m);
	bw_sqlite_conversation_store(e->lane, &e->conversation);
	bw_sqlite_tally_store(e->lane, &e->tally);
}

static struct bw_sqlite_acceptance acceptance_of(struct ending *e)
{
	return (struct bw_sqlite_acceptance){ &e->message, &e->offer, &e->tally, &e->conversation, e->sender };
}

/* --- accepted --- */

static void accept(struct ending *e, int64_t deliveries)
{
	struct bw_sqlite_acceptance a = acceptance_of(e);
	bool split = e->offer.seen == BW_SEEN_SPLIT && e->message.post_ms != 0;

	bw_sqlite_accept(e->lane, &a, e->now_ms, split ? e->message.post_ms : e->now_ms, deliveries);
	if (e->now_ms > e->conversation.last_ms)
		e->conversation.last_ms = e->now_ms;
	e->conversation.changed = true;
}

static void merge(struct ending *e)
{
	if (e->conversation.id == 0 || e->rival.id == 0)
		return;
	if (e->rival.id != e->conversation.id)
		bw_sqlite_conversation_merge(e->lane, &e->conversation, &e->rival);
	e->rival.id = 0;
}

/* --- not accepted --- */

/* Undoes one attempt in a tally; who was last before it is last again. */
static void give_back_attempt(struct ending *e, struct bw_sqlite_tally *t, int64_t before_ms, int64_t last_ms)
{
	struct bw_sqlite_entry entry = { e->message.attempt_ms, &e->message.hash, e->sender };

	bw_sqlite_attempt_give_back(e->lane, t, &entry, before_ms);
	if (t->last_ms == e->message.attempt_ms)
		t->last_ms = last_ms;
	t->changed = true;
}

static void give_back_reply(struct ending *e)
{
	struct bw_sqlite_message *m = &e->message;
	struct bw_sqlite_tally t;

	bw_sqlite_tally_load(e->lane, bw_sqlite_tally_id(e->conversation.id, BW_SCOPE_CONVERSATION, e->side), &t);
	give_back_attempt(e, &t, m->conversation_before_ms, m->conversation_last_ms);
	bw_sqlite_log_take(e->lane, &t, &(struct bw_sqlite_entry){ m->reply_ms, &m->hash, e->sender }, 1);
	bw_sqlite_tally_store(e->lane, &t);
	m->flags &= ~(int64_t)BW_MESSAGE_REPLIED;
	m->reply_ms = 0;
}

static void give_back(struct ending *e, int64_t seen)
{
	struct bw_sqlite_message *m = &e->message;

	/* A replay gives back its own attempt only; duplicates and splits made none. */
	if (seen == BW_SEEN_REPLAY) {
		give_back_attempt(e, &e->tally, m->list_before_ms, m->list_last_ms);
		return;
	}
	if (seen == BW_SEEN_DUPLICATE || seen == BW_SEEN_SPLIT || m->accepted > 0)
		return;
	if ((m->flags & BW_MESSAGE_COUNTED) != 0)
		give_back_attempt(e, &e->tally, m->list_before_ms, m->list_last_ms);
	if ((m->flags & BW_MESSAGE_REPLIED) != 0)
		give_back_reply(e);
	m->flags &= ~(int64_t)BW_MESSAGE_COUNTED;
}

static void refuse(struct ending *e, bool gives_back)
{
	struct bw_sqlite_acceptance a = acceptance_of(e);
	int64_t seen = e->offer.seen;

	if (seen == BW_SEEN_DUPLICATE)
		e->offer.flags &= ~(int64_t)BW_OFFER_DUPLICATED;
	else
		bw_sqlite_take_back(e->lane, &a);
	if (gives_back)
		give_back(e, seen);
	e->offer.seen = BW_SEEN_COUNT;
}

/* --- settle --- */

static void settle_one(struct bw_sqlite_lane *lane, const struct bw_settle_in *in)
{
	struct ending e = { .lane = lane, .side = in->side, .recipients = &in->recipients, .sender = &in->sender };

	e.now_ms = bw_sqlite_now(lane, in->now_ms);
	e.list = bw_sqlite_list_load(lane, in->list, in->side, in->accepted, &e.tally);
	if (e.list == 0)
		return;
	load(&e, &in->message, &in->conversation, in->accepted);
	if (!in->accepted && !e.message.known)
		return;
	if (!in->accepted)
		refuse(&e, in->give_back);
	else if (e.offer.seen != BW_SEEN_DUPLICATE && (e.offer.flags & BW_OFFER_LIVE) == 0)
		accept(&e, in->deliveries);
	if (in->accepted && in->merge)
		merge(&e);
	store(&e);
}

struct settle {
	const struct bw_settle_in *in;
	size_t n;
};

static enum bw_err settle_all(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct settle *s = arg;

	(void)why;
	for (size_t i = 0; i < s->n && lane->rc == SQLITE_OK; i++)
		settle_one(lane, &s->in[i]);
	return BW_OK;
}

enum bw_err bw_sqlite_settle(struct bw_store *s, const struct bw_settle_in *in, size_t n, struct bw_why *why)
{
	struct settle settle = { in, n };
	enum bw_err err = BW_OK;

	for (size_t i = 0; i < n && err == BW_OK; i++)
		err = bw_store_check_place(in[i].list, in[i].side, in[i].deliveries, why);
	return err == BW_OK && n > 0 ? bw_sqlite_do(bw_sqlite_of(s)->counting, BW_SQLITE_WRITE, settle_all, &settle, why) : err;
}

/* --- a held message goes out --- */

/* Its deliveries are made now, whatever was counted before. */
void bw_sqlite_release(struct bw_sqlite_lane *lane, const struct bw_sqlite_released *r)
{
	static const struct bw_hash nobody;
	struct ending e = { .lane = lane, .side = r->side, .recipients = &nobody, .sender = &nobody, .now_ms = r->now_ms };

	if (r->list.n == 0)
		return;
	e.list = bw_sqlite_list_load(lane, r->list, r->side, true, &e.tally);
	load(&e, &r->message, &r->conversation, true);
	e.offer = e.message.own;
	e.offer.flags &= ~(int64_t)BW_OFFER_LIVE;
	accept(&e, r->deliveries);
	store(&e);
}
