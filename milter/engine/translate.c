/* Facts to the store's and the policy's inputs: nothing is decided here. */
#include "internal.h"

static struct bw_hash hash_text(const struct trial *t, const char *domain, struct bw_slice text)
{
	return bw_hash_slice(bw_world_key(t->world), domain, text);
}

static void add_key(struct trial *t, struct bw_count_in *in, enum bw_join_kind kind, const char *domain, struct bw_slice text)
{
	if (text.n == 0 || in->key_count == BW_JOIN_KEYS_MAX)
		return;
	in->keys[in->key_count++] = (struct bw_join_key){ kind, hash_text(t, domain, text) };
}

/* Strongest first (semantics 3). References are read from the end: the parent says more than the root. */
static void add_keys(struct trial *t, struct bw_count_in *in)
{
	const struct bw_header *h = &t->facts->header;

	if (!t->facts->message_id_is_ours)
		add_key(t, in, BW_JOIN_MESSAGE_ID, "message-id", h->message_id);
	for (size_t i = h->references_count; i > 0; i--)
		add_key(t, in, BW_JOIN_REFERENCES, "message-id", h->references[i - 1]);
	for (size_t i = 0; i < h->in_reply_to_count; i++)
		add_key(t, in, BW_JOIN_IN_REPLY_TO, "message-id", h->in_reply_to[i]);
	if (h->has_thread_root)
		add_key(t, in, BW_JOIN_THREAD_INDEX, "thread-index",
		        (struct bw_slice){ (const char *)h->thread_root, sizeof(h->thread_root) });
	/* RFC 5256 base subjects shorter than four characters ("hi") tie strangers together. */
	if (h->base_subject_length >= 4)
		add_key(t, in, BW_JOIN_SUBJECT, "subject", h->base_subject);
}

/* What this message delivers on this list: all members, or, behind an expander that names the list only in the header,
 * the single recipients of this transaction. */
static int64_t deliveries_of(const struct bw_facts *f, const struct bw_facts_list *fl)
{
	return fl->named_only ? f->recipients : fl->list->size;
}

/* RFC 2919: list managers make "all.example.org" of all@example.org. */
static bool is_customary_id(struct bw_slice id, struct bw_slice address)
{
	size_t at = bw_slice_find(address, '@');

	return id.n == address.n && at < id.n && id.p[at] == '.' &&
	       bw_slice_equal_nocase(bw_slice_head(id, at), bw_slice_head(address, at)) &&
	       bw_slice_equal_nocase(bw_slice_from(id, at + 1), bw_slice_from(address, at + 1));
}

/* The output of a list manager is no post of its own list. Only List-Id says whose output it is, which the manager writes: To and Cc
 * are the poster's words. */
static bool is_own_output(const struct bw_facts *f, const struct bw_list *list)
{
	struct bw_slice id = f->header.list_id;

	if (f->header.class != BW_CLASS_LIST_OUTPUT || id.n == 0)
		return false;
	return list->list_id.n > 0 ? bw_slice_equal_nocase(list->list_id, id) : is_customary_id(id, list->address);
}

/* A size that nobody has confirmed decides, counts and is logged, and stops nothing (semantics 4). */
static void rehearse_only(struct bw_limits *l)
{
	enum bw_mode *const modes[] = { &l->gate.mode,   &l->conversation.mode, &l->list.mode, &l->automaton.mode,
		                            &l->origin.mode, &l->defuse.mode };

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (*modes[i] == BW_MODE_ENFORCE)
			*modes[i] = BW_MODE_SHADOW;
	}
}

static void fill_case(struct trial *t, size_t i, const struct bw_facts_list *fl)
{
	const struct bw_facts *f = t->facts;
	const struct bw_list *list = fl->list;
	bool learned = list->source == BW_SOURCE_LEARNED;

	bw_settings_resolve(bw_world_settings(t->world), list->tier, list->address, &t->limits[i]);
	if (learned)
		rehearse_only(&t->limits[i]);
	t->lists[i] = list;
	t->cases[i] = (struct bw_case){
		.now_ms = f->now_ms,
		.limits = &t->limits[i],
		.tier = list->tier,
		.list = list->address,
		.members = list->size,
		.deliveries = deliveries_of(f, fl),
		.fanout = f->fanout + (learned ? f->learned_fanout : 0),
		.unconfirmed = list->unconfirmed,
		.poster = bw_list_has_poster(list, f->identity),
		.poster_of_all = t->poster_of_all[learned],
		.side = f->identity_kind == BW_IDENTITY_OUTSIDE ? BW_SIDE_OUTSIDE : BW_SIDE_MEMBERS,
		.class = f->header.class,
		.evidence = f->header.evidence,
		.auto_generated = f->header.auto_generated,
		.foreign_origin = f->foreign_origin,
		.lists_cut = f->lists_cut && !learned,
		.degraded = t->degraded ? t->daemons : 0,
		.counts = { .budget_ok = true },
	};
}

/* Which guard would stop it were it a new post, without counts? The gate stops posts only; the origin guard whatever comes. */
static enum bw_guard stopped_by(const struct trial *t, const struct bw_case *c)
{
	struct bw_opinion opinion;

	bw_policy_judge(c, &opinion);
	const struct bw_verdict *v = &opinion.verdict;
	const struct bw_explain *why = bw_counts_rehearse(t) ? &v->would_why : &v->why;

	return bw_counts_as_accepted(t, v) ? BW_GUARD_NONE : why->guard;
}

/* Where the guards would stop it: so that the store never marks as accepted, not even for a moment, what will be stopped. */
static struct bw_pass pass_of(const struct bw_limits *l)
{
	struct bw_pass pass = { .one_in_probation = true };

	if (l->conversation.mode != BW_MODE_OFF) {
		pass.senders = l->conversation.senders;
		pass.replies = l->conversation.replies;
		pass.reply_senders = l->conversation.reply_senders;
		pass.day_senders = l->conversation.day_senders;
	}
	if (l->list.mode != BW_MODE_OFF)
		pass.list_senders = l->list.senders;
	return pass;
}

/* Who began the conversation, should this message found it: only what is no reply does, and what a list manager sends came from somebody
 * else. Readable, so only where senders may be. */
static struct bw_slice root_sender(const struct trial *t)
{
	const struct bw_facts *f = t->facts;
	bool apt = !f->header.looks_like_reply && !f->list_server && !f->sender.null_sender && !f->sender.verp && !f->sender.srs;

	return apt && bw_world_config(t->world)->privacy.sender ? bw_slice_of(f->sender.text) : BW_S("");
}

static void fill_count(struct trial *t, size_t i, const struct bw_facts_list *fl)
{
	const struct bw_facts *f = t->facts;
	const struct bw_case *c = &t->cases[i];
	const struct bw_limits *limits = c->limits;
	enum bw_guard guard = stopped_by(t, c);
	struct bw_count_in *in = &t->in[i];

	*in = (struct bw_count_in){
		.now_ms = f->now_ms,
		.list = c->list,
		.side = c->side,
		.message = bw_mail_identity(bw_world_key(t->world), f->identity, &f->header, f->message_id_is_ours),
		.recipients = f->fingerprint,
		.sender = hash_text(t, "sender", f->identity),
		.looks_like_reply = f->header.looks_like_reply,
		.may_merge = c->side == BW_SIDE_MEMBERS,
		.expander = fl->named_only && !bw_learn_overrun(t, fl->list),
		.poster = c->poster,
		.known_stopped = guard == BW_GUARD_ORIGIN,
		.stopped_unless_reply = guard == BW_GUARD_GATE,
		.stops_when_open = limits->conversation.mode == BW_MODE_ENFORCE && limits->conversation.action > BW_TAG,
		.pass = pass_of(limits),
		.deliveries = c->deliveries,
		.budget = limits->list.mode == BW_MODE_OFF ? 0 : limits->list.budget,
		.conversation_window_ms = limits->conversation.window_ms,
		.list_window_ms = limits->list.window_ms,
		.memory_ms = bw_world_config(t->world)->store.memory_ms,
		.root_sender = root_sender(t),
		.root_trusted = f->identity_kind != BW_IDENTITY_OUTSIDE,
	};
	if (t->degraded && in->budget > 0)
		in->budget = in->budget / t->daemons > 0 ? in->budget / t->daemons : 1;
	add_keys(t, in);
}

/* A learned list has no posters, and stands in the way of no other. */
static bool is_poster_of_all(const struct bw_facts *f, bool learned_too)
{
	for (size_t i = 0; i < f->list_count; i++) {
		const struct bw_list *list = f->lists[i].list;

		if ((learned_too || list->source != BW_SOURCE_LEARNED) && !bw_list_has_poster(list, f->identity))
			return false;
	}
	return !f->lists_cut;
}

static bool allocate(struct trial *t)
{
	size_t n = t->facts->list_count + BW_METERED_OPINIONS;

	t->lists = bw_arena_alloc(t->arena, n * sizeof(*t->lists));
	t->limits = bw_arena_alloc(t->arena, n * sizeof(*t->limits));
	t->in = bw_arena_alloc(t->arena, n * sizeof(*t->in));
	t->out = bw_arena_alloc(t->arena, n * sizeof(*t->out));
	t->cases = bw_arena_alloc(t->arena, n * sizeof(*t->cases));
	t->opinions = bw_arena_alloc(t->arena, n * sizeof(*t->opinions));
	return t->lists != NULL && t->limits != NULL && t->in != NULL && t->out != NULL && t->cases != NULL &&
	       t->opinions != NULL;
}

bool bw_translate_facts(struct trial *t)
{
	const struct bw_facts *f = t->facts;
	if (!allocate(t))
		return false;
	t->poster_of_all[false] = is_poster_of_all(f, false);
	t->poster_of_all[true] = is_poster_of_all(f, true);
	for (size_t i = 0; i < f->list_count; i++) {
		if (is_own_output(f, f->lists[i].list))
			continue;
		fill_case(t, t->n, &f->lists[i]);
		fill_count(t, t->n, &f->lists[i]);
		t->n++;
	}
	return true;
}

static int32_t jitter_of(const struct trial *t, size_t i)
{
	const uint8_t *b = t->out[i].conversation.b;

	if (!t->engine->options.jitter)
		return 0;
	/* Keyed hashes are as good as random, and the same on every host. */
	return (int32_t)((b[0] * 256 + b[1] + t->out[i].list_breaker.trips) % 201) - 100;
}

void bw_translate_counts(struct trial *t, size_t i)
{
	const struct bw_count_out *o = &t->out[i];
	struct bw_case *c = &t->cases[i];

	c->now_ms = o->now_ms;
	c->jitter_permille = jitter_of(t, i);
	c->conversation = o->conversation_breaker;
	c->list_breaker = o->list_breaker;
	c->counts = (struct bw_counts){
		.seen = o->seen,
		.reply = o->joined && o->seen != BW_SEEN_REPLAY,
		.conversation_senders = o->conversation_senders,
		.conversation_replies = o->conversation_replies,
		.conversation_day_senders = o->conversation_day_senders,
		.conversation_phase_senders = o->conversation_phase_senders,
		.conversation_last_ms = o->conversation_last_ms,
		.conversation_sender_was_counted = o->conversation_sender_was_counted,
		.list_senders = o->list_senders,
		.list_phase_senders = o->list_phase_senders,
		.list_last_ms = o->list_last_ms,
		.sender_was_counted = o->list_sender_was_counted,
		.list_deliveries = o->list_deliveries,
		.budget_ok = o->budget_ok,
	};
}
