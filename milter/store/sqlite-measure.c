/* The numbers that go out: distinct senders, replies, breakers. Counted, never judged. */
#include "bw/clock.h"
#include "sqlite-message.h"
#include "store-internal.h"

int64_t bw_sqlite_edge(const struct bw_sqlite_case *c, int64_t window_ms)
{
	return c->now_ms - (window_ms < c->in->memory_ms ? window_ms : c->in->memory_ms);
}

/* Since the phase began, that moment included. */
static int64_t phase_edge(const struct bw_sqlite_case *c, const struct bw_breaker *b)
{
	int64_t oldest = bw_sqlite_edge(c, c->in->memory_ms);

	return b->since_ms - 1 > oldest ? b->since_ms - 1 : oldest;
}

static int64_t at_most_cap(int64_t n)
{
	return n < BW_STORE_COUNT_CAP ? n : BW_STORE_COUNT_CAP;
}

static void measure_list(struct bw_sqlite_case *c)
{
	struct bw_count_out *out = c->out;
	struct bw_sqlite_tally *t = &c->list_tally;
	const struct bw_sqlite_memo *window = bw_sqlite_after(c->lane, t, BW_MEMO_WINDOW, bw_sqlite_edge(c, c->in->list_window_ms));

	out->list_breaker = t->breaker;
	out->list_senders = at_most_cap(window->senders);
	out->list_deliveries = window->amount;
	out->list_phase_senders = out->list_senders;
	if (t->breaker.since_ms != 0)
		out->list_phase_senders = at_most_cap(bw_sqlite_after(c->lane, t, BW_MEMO_PHASE, phase_edge(c, &t->breaker))->senders);
}

/* In one conversation, or in the two that this message ties together. */
static int64_t conversation_senders(struct bw_sqlite_case *c, enum bw_sqlite_memo_name name, int64_t edge_ms)
{
	if (c->rival.id != 0)
		return at_most_cap(bw_sqlite_senders_of_both(c->lane, &c->conversation_tally, &c->rival_tally, edge_ms));
	return at_most_cap(bw_sqlite_after(c->lane, &c->conversation_tally, name, edge_ms)->senders);
}

static int64_t conversation_replies(struct bw_sqlite_case *c, int64_t edge_ms)
{
	int64_t n = bw_sqlite_after(c->lane, &c->conversation_tally, BW_MEMO_WINDOW, edge_ms)->amount;

	if (c->rival.id != 0)
		n += bw_sqlite_after(c->lane, &c->rival_tally, BW_MEMO_WINDOW, edge_ms)->amount;
	return at_most_cap(n);
}

/* Of two tied conversations the less closed breaker speaks; what the policy makes of it is written to the older one. */
static void choose_breaker(struct bw_sqlite_case *c)
{
	struct bw_breaker *b = &c->out->conversation_breaker;

	*b = c->conversation_tally.breaker;
	if (c->rival.id == 0 || !bw_store_less_closed(&c->rival_tally.breaker, b))
		return;
	*b = c->rival_tally.breaker;
	b->version = c->conversation_tally.breaker.version;
}

static void measure_conversation(struct bw_sqlite_case *c)
{
	struct bw_count_out *out = c->out;
	int64_t window = bw_sqlite_edge(c, c->in->conversation_window_ms);

	choose_breaker(c);
	out->conversation_senders = conversation_senders(c, BW_MEMO_WINDOW, window);
	out->conversation_day_senders = conversation_senders(c, BW_MEMO_DAY, bw_sqlite_edge(c, BW_DAY_MS));
	out->conversation_replies = conversation_replies(c, window);
	out->conversation_phase_senders = out->conversation_senders;
	if (out->conversation_breaker.since_ms != 0)
		out->conversation_phase_senders = conversation_senders(c, BW_MEMO_PHASE, phase_edge(c, &out->conversation_breaker));
}

void bw_sqlite_measure(struct bw_sqlite_case *c)
{
	c->out->now_ms = c->now_ms;
	c->out->conversation = c->conversation.hash;
	c->out->merge_wanted = c->rival.id != 0 && c->in->may_merge;
	measure_list(c);
	measure_conversation(c);
}
