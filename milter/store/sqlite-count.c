/* One message on one list: recognised, joined, counted, and its deliveries added while they fit. No rule is known here. */
#include <stdlib.h>
#include <string.h>

#include "bw/clock.h"
#include "sqlite-backend.h"
#include "sqlite-message.h"
#include "store-internal.h"

#define DUPLICATE_MS (10 * BW_MINUTE_MS) /* a lost 250 comes again within (semantics 3) */

/* --- what it is --- */

/* A message that was settled without having been counted has none yet. */
static bool has_recipients(const struct bw_sqlite_message *m, const struct bw_count_in *in)
{
	bool unknown = m->recipients[0] == 0 && m->recipients[1] == 0;

	return unknown || memcmp(m->recipients, in->recipients.b, sizeof(m->recipients)) == 0;
}

static enum bw_seen recognise(const struct bw_sqlite_case *c)
{
	const struct bw_sqlite_message *m = &c->message;
	const struct bw_sqlite_offer *o = &c->offer;

	if (!m->known)
		return BW_SEEN_FRESH;
	if (c->in->again && o->known && o->seen < BW_SEEN_COUNT)
		return (enum bw_seen)o->seen;
	if (o->accepted_ms == 0) {
		if (m->accepted == 0)
			return BW_SEEN_RETRY;
		return c->in->expander ? BW_SEEN_SPLIT : BW_SEEN_REPLAY;
	}
	/* A lost 250 comes again to the same recipients; to others it is a new post under an old name. */
	if (!c->in->expander && !has_recipients(m, c->in))
		return BW_SEEN_REPLAY;
	if ((o->flags & BW_OFFER_DUPLICATED) == 0 && c->now_ms - o->accepted_ms < DUPLICATE_MS)
		return BW_SEEN_DUPLICATE;
	return BW_SEEN_REPLAY;
}

static void find_conversation(struct bw_sqlite_case *c)
{
	struct bw_sqlite_message *m = &c->message;

	if (m->known && bw_sqlite_conversation_load(c->lane, m->conversation, c->now_ms, c->in->memory_ms, &c->conversation)) {
		if (m->rival != 0 && bw_sqlite_conversation_load(c->lane, m->rival, c->now_ms, c->in->memory_ms, &c->rival) &&
		    c->rival.id == c->conversation.id)
			c->rival.id = 0; /* merged meanwhile */
	} else {
		bool founded = bw_sqlite_conversation_join(c->lane, c->list, c->now_ms, c->in, &c->conversation, &c->rival);

		m->flags = founded ? m->flags | BW_MESSAGE_FOUNDER : m->flags & ~(int64_t)BW_MESSAGE_FOUNDER;
	}
	m->conversation = c->conversation.id;
	m->rival = c->rival.id;
}

static void load(struct bw_sqlite_case *c)
{
	const struct bw_count_in *in = c->in;
	enum bw_side side = in->side;

	c->now_ms = bw_sqlite_now(c->lane, in->now_ms);
	c->list = bw_sqlite_list_load(c->lane, in->list, side, true, &c->list_tally);
	bw_sqlite_message_load(c->lane, c->list, &in->message, c->now_ms, in->memory_ms, &c->message);
	c->offer = c->message.own;
	if (in->expander)
		bw_sqlite_offer_load(c->lane, &c->message, &in->recipients, c->now_ms, in->memory_ms, &c->offer);
	find_conversation(c);
	bw_sqlite_tally_load(c->lane, bw_sqlite_tally_id(c->conversation.id, BW_SCOPE_CONVERSATION, side), &c->conversation_tally);
	if (c->rival.id != 0)
		bw_sqlite_tally_load(c->lane, bw_sqlite_tally_id(c->rival.id, BW_SCOPE_CONVERSATION, side), &c->rival_tally);
}

/* A reply joins a conversation that went out; its founder is none, nor is a replay. */
static bool is_joined(struct bw_sqlite_case *c)
{
	struct bw_sqlite_message *m = &c->message;

	if (c->out->seen == BW_SEEN_REPLAY)
		return false;
	if (c->out->seen == BW_SEEN_FRESH || c->out->seen == BW_SEEN_RETRY) {
		bool went_out = c->conversation.accepted > 0 || (c->rival.id != 0 && c->rival.accepted > 0);

		m->flags &= ~(int64_t)BW_MESSAGE_JOINED;
		if (went_out && (m->flags & BW_MESSAGE_FOUNDER) == 0)
			m->flags |= BW_MESSAGE_JOINED;
	}
	return (m->flags & BW_MESSAGE_JOINED) != 0;
}

/* --- its attempt --- */

static bool is_after(int64_t at_ms, int64_t edge_ms)
{
	return at_ms != 0 && at_ms > edge_ms;
}

/* A time as it goes out: 0 when it is past the memory. */
static int64_t remembered(const struct bw_sqlite_case *c, int64_t at_ms)
{
	return is_after(at_ms, bw_sqlite_edge(c, c->in->memory_ms)) ? at_ms : 0;
}

static void set_flag(int64_t *flags, int64_t flag, bool on)
{
	*flags = on ? *flags | flag : *flags & ~flag;
}

/* What stood before this attempt, as the first call of it saw it. */
static void recall_list(struct bw_sqlite_case *c)
{
	const struct bw_sqlite_message *m = &c->message;
	bool alone = c->list_tally.last_ms == m->attempt_ms;

	c->out->list_last_ms = remembered(c, alone ? m->list_last_ms : c->list_tally.last_ms);
	c->out->list_sender_was_counted = (m->flags & BW_MESSAGE_WAS_LIST) != 0;
}

/* `attempted_ms`: when this message was counted before. A retry behind another message of its sender goes back to that one when it
 * is given back, not to what was before both. */
static void attempt_on_list(struct bw_sqlite_case *c, bool counts, int64_t attempted_ms)
{
	struct bw_sqlite_message *m = &c->message;
	struct bw_sqlite_tally *t = &c->list_tally;
	struct bw_sqlite_entry entry = { c->now_ms, &m->hash, &c->in->sender };
	int64_t last_ms = t->last_ms, before_ms;

	if (counts) {
		bool anew = c->out->seen == BW_SEEN_REPLAY || (m->flags & BW_MESSAGE_COUNTED) == 0;

		before_ms = bw_sqlite_attempt_put(c->lane, t, &entry, anew);
		if (anew || before_ms != attempted_ms)
			m->list_before_ms = before_ms;
		m->list_last_ms = last_ms;
		m->attempt_ms = c->now_ms;
		/* At once, not with the deliveries: a walk through the window finds a standing by its entry in the log. */
		bw_sqlite_log_add(c->lane, t, &(struct bw_sqlite_entry){ c->now_ms, &m->hash, &c->in->sender }, 0);
		m->flags |= BW_MESSAGE_COUNTED;
	} else {
		before_ms = bw_sqlite_attempt_last(c->lane, t, &c->in->sender);
	}
	c->out->list_last_ms = remembered(c, last_ms);
	c->out->list_sender_was_counted = is_after(before_ms, bw_sqlite_edge(c, c->in->list_window_ms));
	if (counts)
		set_flag(&m->flags, BW_MESSAGE_WAS_LIST, c->out->list_sender_was_counted);
}

static void recall_conversation(struct bw_sqlite_case *c)
{
	const struct bw_sqlite_message *m = &c->message;
	int64_t last_ms = c->conversation_tally.last_ms == m->attempt_ms ? m->conversation_last_ms : c->conversation_tally.last_ms;

	if (c->rival.id != 0 && c->rival_tally.last_ms > last_ms)
		last_ms = c->rival_tally.last_ms;
	c->out->conversation_last_ms = remembered(c, last_ms);
	c->out->conversation_sender_was_counted = (m->flags & BW_MESSAGE_WAS_CONVERSATION) != 0;
}

static void attempt_in_conversation(struct bw_sqlite_case *c, bool counts, int64_t attempted_ms)
{
	struct bw_sqlite_message *m = &c->message;
	struct bw_sqlite_tally *t = &c->conversation_tally;
	struct bw_sqlite_entry entry = { c->now_ms, &m->hash, &c->in->sender };
	int64_t last_ms = t->last_ms, before_ms, rival_ms = 0;

	if (counts) {
		bool anew = (m->flags & BW_MESSAGE_REPLIED) == 0;

		before_ms = bw_sqlite_attempt_put(c->lane, t, &entry, anew);
		bw_sqlite_log_add(c->lane, t, &entry, anew);
		if (anew || before_ms != attempted_ms)
			m->conversation_before_ms = before_ms;
		if (anew)
			m->reply_ms = c->now_ms;
		m->conversation_last_ms = last_ms;
		m->flags |= BW_MESSAGE_REPLIED;
	} else {
		before_ms = bw_sqlite_attempt_last(c->lane, t, &c->in->sender);
	}
	if (c->rival.id != 0) {
		rival_ms = bw_sqlite_attempt_last(c->lane, &c->rival_tally, &c->in->sender);
		if (c->rival_tally.last_ms > last_ms)
			last_ms = c->rival_tally.last_ms;
	}
	int64_t edge_ms = bw_sqlite_edge(c, c->in->conversation_window_ms);

	c->out->conversation_last_ms = remembered(c, last_ms);
	c->out->conversation_sender_was_counted = is_after(before_ms, edge_ms) || is_after(rival_ms, edge_ms);
	if (counts)
		set_flag(&m->flags, BW_MESSAGE_WAS_CONVERSATION, c->out->conversation_sender_was_counted);
}

/* Duplicates and splits count nobody; posters count on the list only; a repeated call finds its own attempt. */
static void attempt(struct bw_sqlite_case *c)
{
	enum bw_seen seen = c->out->seen;
	int64_t attempted_ms = c->message.attempt_ms;
	bool counts = seen == BW_SEEN_FRESH || seen == BW_SEEN_RETRY || seen == BW_SEEN_REPLAY;
	bool replies = counts && c->out->joined && !c->in->poster;

	if (c->in->again && counts && (c->message.flags & BW_MESSAGE_COUNTED) != 0)
		recall_list(c);
	else
		attempt_on_list(c, counts, attempted_ms);
	if (c->in->again && replies && (c->message.flags & BW_MESSAGE_REPLIED) != 0)
		recall_conversation(c);
	else
		attempt_in_conversation(c, replies, attempted_ms);
}

/* --- its deliveries --- */

static bool is_open(const struct bw_breaker *b)
{
	return b->override_state == BW_OVERRIDE_FORCED_OPEN || b->phase == BW_PHASE_OPEN;
}

static bool is_forced(const struct bw_breaker *b)
{
	return b->override_state == BW_OVERRIDE_FORCED_OPEN;
}

static bool fits(const struct bw_count_in *in, int64_t sum)
{
	return in->budget <= 0 || sum == 0 || (sum <= in->budget && in->deliveries <= in->budget - sum);
}

static bool may_pass(const struct bw_sqlite_case *c)
{
	const struct bw_count_out *out = c->out;
	const struct bw_breaker *conversation = &out->conversation_breaker, *list = &out->list_breaker;

	if (c->in->known_stopped || (c->in->stopped_unless_reply && !out->joined) || out->seen == BW_SEEN_DUPLICATE)
		return false;
	/* Part of a post that went out: only an operator's word stops the rest of it. */
	if (out->seen == BW_SEEN_SPLIT)
		return !is_forced(conversation) && !is_forced(list);
	return out->budget_ok && !is_open(conversation) && !is_open(list) && (c->in->poster || !bw_store_over(c->in, out));
}

static struct bw_sqlite_acceptance acceptance_of(struct bw_sqlite_case *c)
{
	return (struct bw_sqlite_acceptance){ &c->message, &c->offer, &c->list_tally, &c->conversation, &c->in->sender };
}

static void admit(struct bw_sqlite_case *c)
{
	struct bw_sqlite_acceptance a = acceptance_of(c);
	struct bw_count_out *out = c->out;
	bool split = out->seen == BW_SEEN_SPLIT;

	out->budget_ok = split || fits(c->in, out->list_deliveries);
	out->provisional = may_pass(c);
	if (out->seen == BW_SEEN_DUPLICATE)
		c->offer.flags |= BW_OFFER_DUPLICATED;
	else
		c->offer.flags &= ~(int64_t)BW_OFFER_LIVE; /* what an earlier call put in stays in for good */
	if (out->provisional)
		bw_sqlite_accept(c->lane, &a, c->now_ms, split && c->message.post_ms != 0 ? c->message.post_ms : c->now_ms,
		                 c->in->deliveries);
}

/* --- the whole --- */

static void store(struct bw_sqlite_case *c)
{
	c->offer.known = true;
	c->offer.seen = c->out->seen;
	if (!c->in->expander)
		memcpy(c->message.recipients, c->in->recipients.b, sizeof(c->message.recipients));
	if (c->now_ms > c->message.seen_ms)
		c->message.seen_ms = c->now_ms;
	if (c->now_ms > c->conversation.last_ms)
		c->conversation.last_ms = c->now_ms;
	c->conversation.changed = true;
	bw_sqlite_offer_store(c->lane, &c->message, &c->in->recipients, &c->offer);
	bw_sqlite_message_store(c->lane, &c->message);
	bw_sqlite_conversation_store(c->lane, &c->conversation);
	bw_sqlite_tally_store(c->lane, &c->list_tally);
	bw_sqlite_tally_store(c->lane, &c->conversation_tally);
	bw_sqlite_tally_store(c->lane, &c->rival_tally);
}

static void count_one(struct bw_sqlite_lane *lane, const struct bw_count_in *in, struct bw_count_out *out)
{
	struct bw_sqlite_case c = { .lane = lane, .in = in, .out = out };
	struct bw_sqlite_acceptance a = acceptance_of(&c);

	load(&c);
	out->seen = recognise(&c);
	/* A repeated call starts where the first one did. */
	if (in->again && out->seen != BW_SEEN_DUPLICATE)
		bw_sqlite_take_back(lane, &a);
	out->joined = is_joined(&c);
	attempt(&c);
	bw_sqlite_measure(&c);
	admit(&c);
	store(&c);
}

/* Counts as ever and undoes it: the numbers are those of a real call, and nothing of it stays. */
static void peek_one(struct bw_sqlite_lane *lane, const struct bw_count_in *in, struct bw_count_out *out)
{
	int64_t seen_ms = lane->seen_ms;

	bw_sqlite_run(lane, BW_SQL_SAVEPOINT, NO_ARGS);
	count_one(lane, in, out);
	bw_sqlite_run(lane, BW_SQL_SAVEPOINT_UNDO, NO_ARGS);
	bw_sqlite_run(lane, BW_SQL_SAVEPOINT_END, NO_ARGS);
	lane->seen_ms = seen_ms;
}

struct count {
	const struct bw_count_in *in;
	struct bw_count_out *out;
	size_t n;
};

static enum bw_err count_all(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	struct count *c = arg;

	(void)why;
	for (size_t i = 0; i < c->n && lane->rc == SQLITE_OK; i++) {
		if (c->in[i].peek)
			peek_one(lane, &c->in[i], &c->out[i]);
		else
			count_one(lane, &c->in[i], &c->out[i]);
	}
	return BW_OK;
}

enum bw_err bw_sqlite_count(struct bw_store *s, const struct bw_count_in *in, struct bw_count_out *out, size_t n,
                            struct bw_why *why)
{
	struct count c = { in, calloc(n, sizeof(*out)), n };
	enum bw_err err = bw_store_check_count(in, n, why);

	if (err == BW_OK && c.out == NULL && n > 0)
		err = bw_fail(why, BW_ERR_MEMORY, "no memory to count %zu lists", n);
	if (err == BW_OK && n > 0)
		err = bw_sqlite_do(bw_sqlite_of(s)->counting, BW_SQLITE_WRITE, count_all, &c, why);
	if (err == BW_OK && n > 0)
		memcpy(out, c.out, n * sizeof(*out));
	free(c.out);
	return err;
}
