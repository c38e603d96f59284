/* Held messages: the ledger's entry, and the mark by which a held message describes itself. Accepted ones: what a freeze will ask for. */
#include <assert.h>

#include "bw/clock.h"
#include "bw/mark.h"
#include "internal.h"

/* The queue id is sealed where it stays: Sendmail may split an envelope after it was judged, and gives the parts ids of their own. */
static const char *mark(const struct trial *t, const struct bw_held *held, enum bw_guard guard)
{
	const struct bw_mark m = {
		.id = held->id,
		.conversation = held->conversation,
		.message = held->message,
		.list = held->list,
		.guard = guard,
		.side = held->side,
		.deliveries = held->deliveries,
		.held_ms = held->held_ms,
	};
	struct bw_buf text;

	bw_buf_init(&text, BW_MARK_BYTES);
	bw_mark_print(&text, bw_world_key(t->world), &m, bw_slice_equal(held->mta, BW_S("postfix")) ? held->queue_id : BW_S(""));
	const char *copy = bw_arena_text(t->arena, bw_buf_slice(&text));

	bw_buf_done(&text);
	return copy == NULL ? "" : copy;
}

static_assert(BW_FACTS_LISTS_MAX <= BW_HELD_LISTS_MAX, "every list of a message fits into its entry");

/* Which of the message's lists stopped it. */
static size_t list_of(const struct trial *t, struct bw_slice address)
{
	for (size_t i = 0; i < t->n; i++) {
		if (bw_slice_equal(t->in[i].list, address))
			return i;
	}
	return 0;
}

/* Each list with what its release will deliver there; none when there is no memory for them. */
static const struct bw_held_list *lists_of(const struct trial *t)
{
	struct bw_held_list *lists = bw_arena_alloc(t->arena, t->n * sizeof(*lists));

	for (size_t i = 0; lists != NULL && i < t->n; i++)
		lists[i] = (struct bw_held_list){ t->in[i].list, t->out[i].conversation, t->in[i].side, t->in[i].deliveries };
	return lists;
}

static const char *const faults[] = { "decided", "written", "marked", "quarantined" };
static_assert(sizeof(faults) / sizeof(faults[0]) == BW_HOLD_FAULT_COUNT, "a name for every point");

bool bw_hold_fault_parse(struct bw_slice word, enum bw_hold_fault *out)
{
	for (size_t i = 0; i < BW_HOLD_FAULT_COUNT; i++) {
		if (bw_slice_equal(word, bw_slice_of(faults[i]))) {
			*out = (enum bw_hold_fault)i;
			return true;
		}
	}
	return false;
}

void bw_hold_reach(const struct bw_judgement *j, enum bw_hold_fault fault)
{
	if (j->at != NULL)
		j->at(fault);
}

void bw_ledger_hold(struct trial *t, struct bw_judgement *j)
{
	const struct bw_facts *f = t->facts;
	const struct bw_config *config = bw_world_config(t->world);
	struct bw_store *store = t->engine->store;
	size_t i = list_of(t, j->verdict.why.list);

	if (!t->engine->options.keep_ledger)
		return;
	/* Mail to no list is found by what its guard watches: an identity, a mailbox. */
	const struct bw_count_in no_list = { .list = j->verdict.why.list.n > 0 ? j->verdict.why.list : f->identity,
		                                 .message = bw_mail_identity(bw_world_key(t->world), f->identity, &f->header,
		                                                             f->message_id_is_ours) };
	const struct bw_count_out uncounted = { 0 };
	const struct bw_count_in *in = t->n > 0 ? &t->in[i] : &no_list;
	const struct bw_count_out *out = t->n > 0 ? &t->out[i] : &uncounted;
	struct bw_held held = {
		.id = bw_hash_random(),
		.host = bw_slice_of(t->engine->options.host),
		.queue_id = f->queue_id,
		.mta = bw_slice_of(f->mta),
		/* What a sender is stopped with is all found under the identity; the lists stand beside it. */
		.list = j->verdict.why.guard == BW_GUARD_SENDER ? j->verdict.why.list : in->list,
		.conversation = out->conversation,
		.guard = bw_slice_of(bw_guard_name(j->verdict.why.guard)),
		.sentence = bw_slice_of(j->sentence),
		.sender = config->privacy.sender ? bw_slice_of(f->sender.text) : BW_S(""),
		.identity = config->privacy.sender ? f->identity : BW_S(""),
		.message_id = f->header.message_id,
		.subject = config->privacy.subject ? f->header.subject : BW_S(""),
		.deliveries = j->verdict.deliveries,
		.size_bytes = f->declared_size,
		.held_ms = out->now_ms > 0 ? out->now_ms : (f->now_ms > 0 ? f->now_ms : bw_clock_now_ms()),
		.message = in->message,
		.side = in->side,
		.automatic = f->header.class != BW_CLASS_HUMAN || f->header.auto_generated,
		.state = BW_HELD_WAITING,
	};

	held.lists = lists_of(t);
	held.list_count = held.lists == NULL ? 0 : t->n;
	j->mark = mark(t, &held, j->verdict.why.guard);
	j->at = t->engine->options.at;
	bw_hold_reach(j, BW_HOLD_DECIDED);
	/* The message is held even if the ledger cannot be written: its mark lets the ledger be rebuilt from the queue. */
	j->ledger_error = store->ops->held_put(store, &held, &j->ledger_why);
	bw_room_taken(t->engine->room);
	bw_hold_reach(j, BW_HOLD_WRITTEN);
}

/* --- accepted --- */

/* One message, one id in all its rows: where it is queued, and since when. */
static struct bw_hash post_id(const struct trial *t, int64_t accepted_ms)
{
	struct bw_buf text;

	bw_buf_init(&text, 512);
	bw_buf_printf(&text, "%s %.*s %lld", t->engine->options.host, (int)t->facts->queue_id.n, t->facts->queue_id.p,
	              (long long)accepted_ms);
	struct bw_hash id = bw_hash_slice(bw_world_key(t->world), "post", bw_buf_slice(&text));

	bw_buf_done(&text);
	return id;
}

/* Posts and replies alike: what a mistake sends to everybody may be either. Time is this host's, as is the MTA's that took it. */
void bw_ledger_post(struct trial *t, const struct bw_verdict *verdict)
{
	const struct bw_facts *f = t->facts;
	const int64_t now_ms = f->now_ms > 0 ? f->now_ms : bw_engine_now(t->engine);
	struct bw_post row = {
		.host = bw_slice_of(t->engine->options.host),
		.queue_id = f->queue_id,
		.mta = bw_slice_of(f->mta),
		.sender = bw_world_config(t->world)->privacy.sender ? bw_slice_of(f->sender.text) : BW_S(""),
		.message_id = f->header.message_id,
		.accepted_ms = now_ms,
		.state_ms = now_ms,
	};

	if (!t->engine->options.keep_ledger || f->queue_id.n == 0)
		return;
	row.id = post_id(t, now_ms);
	for (size_t i = 0; i < t->n; i++) {
		if (t->lists[i]->tier < BW_TIER_MEDIUM || !bw_envelope_reaches(t, i, verdict->action, false))
			continue;
		row.list = t->in[i].list;
		row.conversation = t->out[i].conversation;
		row.deliveries = t->cases[i].deliveries;
		bw_posts_add(t->engine->posts, &row);
	}
}
