/* The guards that watch no list, on figures that are known here: ordinary mail is counted at DATA without the store; mail that is near
 * a limit comes to the end of message, where the store is asked before anything is stopped. */
#include "bw/clock.h"
#include "internal.h"

enum { CAS_TRIES = 5 };

int64_t bw_engine_now(const struct bw_engine *e)
{
	int64_t virtual_ms = atomic_load_explicit(&e->virtual_ms, memory_order_relaxed);

	return virtual_ms != 0 ? virtual_ms : bw_clock_now_ms();
}

/* --- keys --- */

static struct bw_meter_key recipients_key(const struct bw_limits *l, const struct bw_hash *who)
{
	return (struct bw_meter_key){ BW_METER_RECIPIENTS, *who, l->sender.window_ms, l->sender.recipients };
}

static struct bw_meter_key posts_key(const struct bw_limits *l, const struct bw_hash *who)
{
	return (struct bw_meter_key){ BW_METER_POSTS, *who, l->sender.window_ms, l->sender.posts };
}

static struct bw_meter_key mailbox_key(const struct bw_limits *l, const struct bw_hash *mailbox)
{
	return (struct bw_meter_key){ BW_METER_MAILBOX, *mailbox, l->mailbox.window_ms, l->mailbox.messages };
}

static struct bw_meter_key deliveries_key(const struct bw_limits *l)
{
	return (
		struct bw_meter_key){ .meter = BW_METER_DELIVERIES, .window_ms = l->capacity.window_ms, .limit = l->capacity.deliveries };
}

/* Expanders and list managers send what others sent: a second hop adds neither a sender nor recipients (semantics 2). */
static enum bw_mode sender_mode(const struct bw_limits *l, const struct bw_facts *f)
{
	if (f->expander || f->list_server || f->relay || f->identity.n == 0)
		return BW_MODE_OFF;
	return bw_policy_sender_mode(l, f->identity_kind, f->client);
}

static bool capacity_watches(const struct bw_limits *l)
{
	return l->capacity.mode != BW_MODE_OFF && l->capacity.deliveries > 0;
}

static bool mailbox_watches(const struct bw_limits *l)
{
	return l->mailbox.mode != BW_MODE_OFF && l->mailbox.messages > 0;
}

/* What the mailbox guard counts, as far as the envelope tells: mail from outside, and reports, which have no sender (RFC 5321 4.5.5). */
static bool is_flood_mail(const struct bw_facts *f)
{
	return (f->client == BW_CLIENT_OUTSIDE && f->identity_kind == BW_IDENTITY_OUTSIDE) || f->sender.null_sender;
}

/* --- ordinary mail, at DATA --- */

/* Is each of its mailboxes full? Of mail from inside only the header could tell whether a robot wrote it, so that is looked at when a
 * mailbox gets half of its limit. */
static bool mailboxes_full(struct bw_engine *e, const struct bw_limits *l, const struct bw_facts *f, int64_t now_ms)
{
	bool flood = is_flood_mail(f), full = f->mailbox_count > 0 && f->list_count == 0 && !f->mailbox_free;

	for (size_t i = 0; i < f->mailbox_count && (full || !flood); i++) {
		const struct bw_meter_key k = mailbox_key(l, &f->mailboxes[i]);
		int64_t n = flood ? bw_meters_total(e->meters, &k, now_ms) : bw_meters_note(e->meters, &k, now_ms);

		full = full && n >= (flood ? k.limit : k.limit / 2 + 1);
	}
	return full;
}

static bool sender_passes(struct bw_engine *e, const struct bw_world *world, const struct bw_facts *f, int64_t now_ms)
{
	const struct bw_limits *l = bw_world_limits(world);
	bool any = bw_blocked_any(e->blocked), watched = sender_mode(l, f) != BW_MODE_OFF;
	struct bw_breaker record;

	if (!any && !watched)
		return true;
	const struct bw_hash who = bw_hash_slice(bw_world_key(world), "sender", f->identity);
	const struct bw_meter_key k = recipients_key(l, &who);

	if (any && bw_blocked_find(e->blocked, &who, &record))
		return false;
	return !watched || bw_meters_add_within(e->meters, &k, f->recipients, now_ms);
}

static void count_mailboxes(struct bw_engine *e, const struct bw_limits *l, const struct bw_facts *f, int64_t now_ms)
{
	for (size_t i = 0; i < f->mailbox_count; i++) {
		const struct bw_meter_key k = mailbox_key(l, &f->mailboxes[i]);

		(void)bw_meters_add(e->meters, &k, 1, now_ms);
	}
}

bool bw_engine_passes(struct bw_engine *e, const struct bw_world *world, const struct bw_facts *f)
{
	const struct bw_limits *l = bw_world_limits(world);
	int64_t now_ms = bw_engine_now(e);

	if (mailbox_watches(l) && mailboxes_full(e, l, f, now_ms))
		return false;
	if (!sender_passes(e, world, f, now_ms))
		return false;
	if (mailbox_watches(l) && is_flood_mail(f))
		count_mailboxes(e, l, f, now_ms);
	if (capacity_watches(l)) {
		const struct bw_meter_key k = deliveries_key(l);

		(void)bw_meters_add(e->meters, &k, f->fanout, now_ms);
	}
	return true;
}

void bw_engine_note_mailbox(struct bw_engine *e, const struct bw_world *world, struct bw_facts *f, const struct bw_hash *mailbox)
{
	const struct bw_limits *l = bw_world_limits(world);
	const struct bw_meter_key k = mailbox_key(l, mailbox);

	if (mailbox_watches(l) && is_flood_mail(f) && bw_meters_add(e->meters, &k, 1, bw_engine_now(e)) > k.limit)
		return;
	f->mailbox_free = true;
}

/* --- the end of message --- */

/* The store's figure, where the one known here says that it is too many. */
static int64_t exact_total(struct trial *t, const struct bw_meter_key *k, int64_t total, int64_t now_ms)
{
	if (k->limit <= 0 || total <= k->limit)
		return total;
	bw_meters_ask(t->engine->meters, t->engine->store, k, now_ms);
	return bw_meters_total(t->engine->meters, k, now_ms);
}

static bool stops_lists(const struct trial *t, const struct bw_opinion *o)
{
	return !bw_counts_as_accepted(t, &o->verdict);
}

static void start_sender(struct trial *t, int64_t now_ms)
{
	const struct bw_facts *f = t->facts;
	const struct bw_limits *l = bw_world_limits(t->world);
	struct metered *m = &t->metered;
	struct bw_sender_case *c = &m->sender;
	struct bw_opinion opinion;

	*c = (struct bw_sender_case){ .now_ms = now_ms,
		                          .limits = l,
		                          .mode = sender_mode(l, f),
		                          .who = f->identity,
		                          .recipients = f->recipients,
		                          .fanout = f->fanout };
	if (c->mode == BW_MODE_OFF && !bw_blocked_any(t->engine->blocked))
		return;
	m->who = bw_hash_slice(bw_world_key(t->world), "sender", f->identity);
	/* Whom nobody watches may be stopped by an operator's word all the same. */
	m->sender_watched = bw_blocked_find(t->engine->blocked, &m->who, &c->record) || c->mode != BW_MODE_OFF;
	if (!m->sender_watched)
		return;
	m->recipients = recipients_key(l, &m->who);
	m->posts = posts_key(l, &m->who);
	c->jitter_permille = t->engine->options.jitter ? (m->who.b[0] * 256 + m->who.b[1]) % 201 - 100 : 0;
	c->total_recipients = bw_meters_add(t->engine->meters, &m->recipients, c->recipients, now_ms);
	c->total_posts = bw_meters_total(t->engine->meters, &m->posts, now_ms);
	/* An open breaker needs no exact figure: whoever is stopped a thousand times asks the store for none of them. */
	if (c->record.phase != BW_PHASE_OPEN)
		c->total_recipients = exact_total(t, &m->recipients, c->total_recipients, now_ms);
	bw_policy_judge_sender(c, &opinion);
	for (size_t i = 0; i < t->n && stops_lists(t, &opinion); i++)
		t->in[i].known_stopped = true;
}

/* Deliveries are added before the lists are asked, so that two posts at once do not both fit. */
static void start_capacity(struct trial *t, int64_t now_ms)
{
	const struct bw_limits *l = bw_world_limits(t->world);
	struct metered *m = &t->metered;

	m->capacity_watched = capacity_watches(l);
	if (!m->capacity_watched)
		return;
	m->deliveries = deliveries_key(l);
	int64_t total = bw_meters_add(t->engine->meters, &m->deliveries, t->facts->fanout, now_ms);

	if (t->n == 0)
		return;
	struct bw_opinion *o = &t->opinions[t->n + t->others++];

	bw_policy_judge_capacity(l, t->facts->fanout, exact_total(t, &m->deliveries, total, now_ms), o);
	for (size_t i = 0; i < t->n && stops_lists(t, o); i++)
		t->in[i].known_stopped = true;
}

void bw_metering_start(struct trial *t)
{
	int64_t now_ms = bw_engine_now(t->engine);

	start_sender(t, now_ms);
	start_capacity(t, now_ms);
}

/* New posts of this message to lists of others; one that comes again was counted when it first came. */
static int64_t posts_of(const struct trial *t)
{
	int64_t posts = 0;

	if (t->store_error != BW_OK || !bw_policy_is_counted(t->facts->header.class))
		return 0;
	for (size_t i = 0; i < t->n; i++) {
		const struct bw_case *c = &t->cases[i];
		bool first = c->counts.seen == BW_SEEN_FRESH || c->counts.seen == BW_SEEN_REPLAY;

		posts += first && !c->counts.reply && c->tier >= BW_TIER_MEDIUM && !c->poster && t->lists[i]->source != BW_SOURCE_LEARNED;
	}
	return posts;
}

/* False: somebody else stepped it; c->record is what the store holds now, and it is to be judged again. */
static bool write_sender(struct bw_engine *e, struct bw_sender_case *c, const struct bw_hash *who,
                         const struct bw_transition *next)
{
	const struct bw_breaker_key key = { .scope = BW_SCOPE_LIST, .side = BW_SIDE_MEMBERS, .list = c->who };
	struct bw_store *store = e->store;
	struct bw_breaker record = next->next, held;

	if (store->ops->breaker_get(store, &key, &held, NULL) == BW_OK && held.version != record.version) {
		c->record = held;
		bw_blocked_put(e->blocked, who, c->who, &held);
		return false;
	}
	enum bw_err err = store->ops->breaker_cas(store, &key, &record, NULL);

	if (err == BW_ERR_CONFLICT)
		return false;
	record.version += err == BW_OK;
	bw_blocked_put(e->blocked, who, c->who, &record);
	bw_record_sender(e, c, next);
	return true;
}

static void judge_sender(struct trial *t, struct bw_opinion *out, int64_t now_ms)
{
	struct metered *m = &t->metered;
	struct bw_sender_case *c = &m->sender;

	c->posts = posts_of(t);
	if (c->posts > 0)
		c->total_posts = bw_meters_add(t->engine->meters, &m->posts, c->posts, now_ms);
	if (c->posts > 0 && c->record.phase != BW_PHASE_OPEN)
		c->total_posts = exact_total(t, &m->posts, c->total_posts, now_ms);
	for (int tries = 0; tries < CAS_TRIES; tries++) {
		bw_policy_judge_sender(c, out);
		if (!out->list.changed || write_sender(t->engine, c, &m->who, &out->list))
			break;
	}
}

/* The figure of the mailbox that has least, with this message in it. */
static int64_t least_mailbox(struct trial *t, const struct bw_limits *l, int64_t now_ms)
{
	const struct bw_facts *f = t->facts;
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < f->mailbox_count; i++) {
		const struct bw_meter_key k = mailbox_key(l, &f->mailboxes[i]);
		int64_t n = bw_meters_total(t->engine->meters, &k, now_ms);

		if (n >= k.limit) {
			bw_meters_ask(t->engine->meters, t->engine->store, &k, now_ms);
			n = bw_meters_total(t->engine->meters, &k, now_ms);
		}
		least = n + 1 < least ? n + 1 : least;
	}
	return least;
}

static void judge_mailbox(struct trial *t, int64_t now_ms)
{
	const struct bw_facts *f = t->facts;
	const struct bw_limits *l = bw_world_limits(t->world);
	struct metered *m = &t->metered;

	m->mailbox_watched = mailbox_watches(l) && (is_flood_mail(f) || !bw_policy_is_counted(f->header.class));
	if (m->mailbox_watched && f->list_count == 0 && f->mailbox_count > 0 && !f->mailbox_free)
		bw_policy_judge_mailbox(l, f->first_recipient, least_mailbox(t, l, now_ms), &t->opinions[t->n + t->others++]);
}

void bw_metering_judge(struct trial *t)
{
	int64_t now_ms = bw_engine_now(t->engine);

	if (t->metered.sender_watched)
		judge_sender(t, &t->opinions[t->n + t->others++], now_ms);
	judge_mailbox(t, now_ms);
}

/* What is throttled comes again: it counts when it is let in. */
void bw_metering_settle(struct trial *t, const struct bw_verdict *verdict)
{
	const struct metered *m = &t->metered;
	int64_t now_ms = bw_engine_now(t->engine);
	enum bw_action action = bw_counts_rehearse(t) ? verdict->would : verdict->action;
	int64_t reached = bw_counts_reached(t, verdict); /* of a stripped message, all but the list */

	if (m->sender_watched && action == BW_THROTTLE) {
		bw_meters_take_back(t->engine->meters, &m->recipients, m->sender.recipients, now_ms);
		bw_meters_take_back(t->engine->meters, &m->posts, m->sender.posts, now_ms);
	}
	if (m->capacity_watched && reached < t->facts->fanout)
		bw_meters_take_back(t->engine->meters, &m->deliveries, t->facts->fanout - reached, now_ms);
	if (m->mailbox_watched && reached > 0)
		count_mailboxes(t->engine, bw_world_limits(t->world), t->facts, now_ms);
}

/* --- without a message --- */

void bw_metering_rest(struct bw_engine *e, const struct bw_world *world, const struct bw_blocked_row *row, int64_t now_ms)
{
	const struct bw_limits *l = bw_world_limits(world);
	const struct bw_meter_key recipients = recipients_key(l, &row->key), posts = posts_key(l, &row->key);
	struct bw_sender_case c = { .now_ms = now_ms, .limits = l, .who = bw_slice_of(row->who), .record = row->record };
	struct bw_transition next;

	/* Only an open one whose block time is over waits for calm: no other asks the store. */
	if (row->record.phase == BW_PHASE_OPEN && now_ms >= row->record.until_ms) {
		bw_meters_ask(e->meters, e->store, &recipients, now_ms);
		bw_meters_ask(e->meters, e->store, &posts, now_ms);
	}
	c.total_recipients = bw_meters_total(e->meters, &recipients, now_ms);
	c.total_posts = bw_meters_total(e->meters, &posts, now_ms);
	bw_policy_rest_sender(&c, &next);
	if (next.changed)
		(void)write_sender(e, &c, &row->key, &next); /* lost: somebody else stepped it */
}
