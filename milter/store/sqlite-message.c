/* Message identities: what was seen of a message on a list, and which of its offers were accepted. */
#include "sqlite-message.h"

/* --- rows --- */

enum { OFFER_COLUMNS = 6, MESSAGE_COLUMNS = 14 };

static void read_offer(const int64_t *v, struct bw_sqlite_offer *o)
{
	o->known = true;
	o->flags = v[0];
	o->seen = v[1];
	o->accepted_ms = v[2];
	o->prior_ms = v[3];
	o->at_ms = v[4];
	o->deliveries = v[5];
}

void bw_sqlite_message_load(struct bw_sqlite_lane *lane, int64_t list, const struct bw_hash *hash, int64_t now_ms,
                            int64_t memory_ms, struct bw_sqlite_message *out)
{
	int64_t v[MESSAGE_COLUMNS + OFFER_COLUMNS];

	*out = (struct bw_sqlite_message){ .hash = *hash, .list = list, .own = { .seen = BW_SEEN_COUNT } };
	if (!bw_sqlite_ints(lane, BW_SQL_MESSAGE_GET, v, MESSAGE_COLUMNS + OFFER_COLUMNS, ARGS(INT(list), HASH(hash))) ||
	    (memory_ms > 0 && now_ms - v[1] >= memory_ms))
		return;
	*out = (struct bw_sqlite_message){
		.hash = *hash,
		.known = true,
		.list = list,
		.flags = v[0],
		.seen_ms = v[1],
		.conversation = v[2],
		.rival = v[3],
		.attempt_ms = v[4],
		.list_before_ms = v[5],
		.list_last_ms = v[6],
		.conversation_before_ms = v[7],
		.conversation_last_ms = v[8],
		.reply_ms = v[9],
		.accepted = v[10],
		.post_ms = v[11],
		.recipients = { v[12], v[13] },
	};
	read_offer(v + MESSAGE_COLUMNS, &out->own);
}

void bw_sqlite_message_store(struct bw_sqlite_lane *lane, const struct bw_sqlite_message *m)
{
	const struct bw_sqlite_offer *o = &m->own;

	bw_sqlite_run(lane, BW_SQL_MESSAGE_PUT,
	              ARGS(INT(m->list), HASH(&m->hash), INT(m->flags), INT(m->seen_ms), INT(m->conversation), INT(m->rival),
	                   INT(m->attempt_ms), INT(m->list_before_ms), INT(m->list_last_ms), INT(m->conversation_before_ms),
	                   INT(m->conversation_last_ms), INT(m->reply_ms), INT(m->accepted), INT(m->post_ms), INT(m->recipients[0]),
	                   INT(m->recipients[1]), INT(o->flags), INT(o->seen), INT(o->accepted_ms), INT(o->prior_ms), INT(o->at_ms),
	                   INT(o->deliveries)));
}

void bw_sqlite_offer_load(struct bw_sqlite_lane *lane, const struct bw_sqlite_message *m, const struct bw_hash *recipients,
                          int64_t now_ms, int64_t memory_ms, struct bw_sqlite_offer *out)
{
	int64_t v[1 + OFFER_COLUMNS];

	*out = (struct bw_sqlite_offer){ .apart = true, .seen = BW_SEEN_COUNT };
	if (!m->known ||
	    !bw_sqlite_ints(lane, BW_SQL_PART_GET, v, 1 + OFFER_COLUMNS, ARGS(INT(m->list), HASH(&m->hash), HASH(recipients))))
		return;
	/* A part of an earlier life of this identity, which was forgotten meanwhile, was never seen. */
	if (memory_ms > 0 && now_ms - v[0] >= memory_ms)
		return;
	read_offer(v + 1, out);
}

void bw_sqlite_offer_store(struct bw_sqlite_lane *lane, struct bw_sqlite_message *m, const struct bw_hash *recipients,
                           const struct bw_sqlite_offer *o)
{
	if (!o->apart) {
		m->own = *o;
		return;
	}
	bw_sqlite_run(lane, BW_SQL_PART_PUT,
	              ARGS(INT(m->list), HASH(&m->hash), HASH(recipients), INT(m->seen_ms), INT(o->flags), INT(o->seen),
	                   INT(o->accepted_ms), INT(o->prior_ms), INT(o->at_ms), INT(o->deliveries)));
}

/* --- acceptance --- */

void bw_sqlite_accept(struct bw_sqlite_lane *lane, struct bw_sqlite_acceptance *a, int64_t now_ms, int64_t at_ms,
                      int64_t deliveries)
{
	struct bw_sqlite_message *m = a->message;
	struct bw_sqlite_offer *o = a->offer;

	o->prior_ms = o->accepted_ms;
	o->accepted_ms = now_ms;
	o->at_ms = at_ms;
	o->deliveries = deliveries;
	o->flags |= BW_OFFER_LIVE;
	bw_sqlite_log_add(lane, a->list, &(struct bw_sqlite_entry){ at_ms, &m->hash, a->sender }, deliveries);
	if (o->prior_ms != 0)
		return; /* once more: the message stands accepted already */
	if (m->accepted == 0) {
		m->post_ms = at_ms;
		a->conversation->accepted++;
		a->conversation->changed = true;
	}
	m->accepted++;
}

void bw_sqlite_take_back(struct bw_sqlite_lane *lane, struct bw_sqlite_acceptance *a)
{
	struct bw_sqlite_message *m = a->message;
	struct bw_sqlite_offer *o = a->offer;

	if ((o->flags & BW_OFFER_LIVE) == 0)
		return;
	bw_sqlite_log_take(lane, a->list, &(struct bw_sqlite_entry){ o->at_ms, &m->hash, a->sender }, o->deliveries);
	o->flags &= ~(int64_t)BW_OFFER_LIVE;
	o->accepted_ms = o->prior_ms;
	o->deliveries = 0;
	if (o->accepted_ms != 0 || m->accepted == 0)
		return;
	m->accepted--;
	if (m->accepted == 0) {
		m->post_ms = 0;
		a->conversation->accepted -= a->conversation->accepted > 0;
		a->conversation->changed = true;
	}
}
