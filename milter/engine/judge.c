/* Facts -> store counts -> policy -> verdict. The store's ordinals make the trip exact; the only lock is inside the store. */
#include "bw/clock.h"
#include "internal.h"

enum { CAS_TRIES = 5 };

/* --- counting and opinions --- */

static struct bw_breaker_key key_of(const struct trial *t, size_t i, enum bw_scope scope)
{
	struct bw_breaker_key key = { .scope = scope, .side = t->in[i].side, .list = t->in[i].list };

	if (scope == BW_SCOPE_CONVERSATION)
		key.conversation = t->out[i].conversation;
	return key;
}

/* Writes a breaker's next state and tells of it. CONFLICT: somebody else stepped it first, look again. */
static enum bw_err write_transition(struct trial *t, size_t i, enum bw_scope scope, const struct bw_transition *transition)
{
	struct bw_store *store = t->engine->store;
	struct bw_breaker_key key = key_of(t, i, scope);

	if (!transition->changed)
		return BW_OK;
	enum bw_err err = store->ops->breaker_cas(store, &key, &transition->next, NULL);

	if (err == BW_OK)
		bw_record_transition(t, i, scope, transition);
	return err;
}

static enum bw_err write_transitions(struct trial *t, size_t i)
{
	const struct bw_opinion *o = &t->opinions[i];
	enum bw_err err = write_transition(t, i, BW_SCOPE_CONVERSATION, &o->conversation);

	return err == BW_OK ? write_transition(t, i, BW_SCOPE_LIST, &o->list) : err;
}

/* One list's opinion, repeated while others step the same breaker between our look and our write. */
static void judge_list(struct trial *t, size_t i)
{
	struct bw_store *store = t->engine->store;

	for (int tries = 0;; tries++) {
		bw_translate_counts(t, i);
		bw_policy_judge(&t->cases[i], &t->opinions[i]);
		/* Whoever loses that often leaves the writing to the winners; the opinion is by their latest record. */
		if (tries == CAS_TRIES || write_transitions(t, i) != BW_ERR_CONFLICT)
			return;
		t->in[i].again = true;
		if (store->ops->count(store, &t->in[i], &t->out[i], 1, NULL) != BW_OK)
			return;
	}
}

/* The list was never asked: what is known without counts decides. Huge lists stay protected (semantics 9). */
static void judge_uncounted(struct trial *t)
{
	for (size_t i = 0; i < t->n; i++) {
		t->cases[i].degraded = t->daemons > 0 ? t->daemons : 1;
		if (t->cases[i].now_ms == 0)
			t->cases[i].now_ms = bw_clock_now_ms();
		t->cases[i].counts = (struct bw_counts){ .budget_ok = true };
		bw_policy_judge(&t->cases[i], &t->opinions[i]);
	}
}

static void judge_counted(struct trial *t)
{
	struct bw_store *store = t->engine->store;

	t->store_error = t->n == 0 ? BW_OK : store->ops->count(store, t->in, t->out, t->n, NULL);
	/* A guarded store may have changed to its fallback in this very call. */
	t->degraded = store->ops->degraded(store, &t->daemons);
	for (size_t i = 0; i < t->n; i++)
		t->cases[i].degraded = t->degraded ? t->daemons : 0;
	if (t->store_error != BW_OK) {
		t->degraded = true;
		judge_uncounted(t);
		return;
	}
	for (size_t i = 0; i < t->n; i++)
		judge_list(t, i);
}

static bool is_open(const struct bw_breaker *b)
{
	return b->phase == BW_PHASE_OPEN || b->override_state == BW_OVERRIDE_FORCED_OPEN;
}

/* Automata count nowhere; the store is only asked whether their conversation is stopped. */
static void judge_automaton(struct trial *t)
{
	struct bw_store *store = t->engine->store;

	for (size_t i = 0; i < t->n; i++)
		t->in[i].peek = true;
	t->store_error = t->n == 0 ? BW_OK : store->ops->count(store, t->in, t->out, t->n, NULL);
	t->degraded = t->store_error != BW_OK || store->ops->degraded(store, &t->daemons);
	for (size_t i = 0; i < t->n; i++) {
		if (t->store_error == BW_OK)
			bw_translate_counts(t, i);
		bw_policy_judge_automaton(&t->cases[i], is_open(&t->cases[i].conversation), &t->opinions[i]);
	}
}

/* --- the end of the message --- */

bool bw_counts_rehearse(const struct trial *t)
{
	return bw_settings_mode(bw_world_settings(t->world)) == BW_MODE_SHADOW;
}

bool bw_counts_as_accepted(const struct trial *t, const struct bw_verdict *v)
{
	return (bw_counts_rehearse(t) ? v->would : v->action) <= BW_TAG;
}

int64_t bw_counts_reached(const struct trial *t, const struct bw_verdict *v)
{
	bool would = bw_counts_rehearse(t);

	return bw_envelope_reached(t, would ? v->would : v->action, would);
}

/* Tells the store where the verdict differs from what count() assumed. */
static void settle(struct trial *t, const struct bw_verdict *verdict)
{
	struct bw_settle_in *in = bw_arena_alloc(t->arena, t->n * sizeof(*in));
	bool would = bw_counts_rehearse(t);
	size_t n = 0;

	for (size_t i = 0; in != NULL && i < t->n; i++) {
		const struct bw_count_out *o = &t->out[i];
		bool accepted = bw_envelope_reaches(t, i, would ? verdict->would : verdict->action, would);
		bool merge = accepted && o->merge_wanted;
		bool give_back = !accepted && !t->opinions[i].counted_stop;

		if (o->seen == BW_SEEN_DUPLICATE || (accepted == o->provisional && !merge && !give_back))
			continue;
		in[n++] = (struct bw_settle_in){
			.now_ms = o->now_ms,
			.list = t->in[i].list,
			.side = t->in[i].side,
			.message = t->in[i].message,
			.recipients = t->in[i].recipients,
			.sender = t->in[i].sender,
			.conversation = o->conversation,
			.accepted = accepted,
			.give_back = give_back,
			.merge = merge,
			.deliveries = t->in[i].deliveries,
		};
	}
	if (n > 0)
		(void)t->engine->store->ops->settle(t->engine->store, in, n, NULL); /* lost: lists that would have let it pass have counted it */
}

/* What the front end and the kind of client allow in place of what the guards ask for. */
static void adapt_action(const struct bw_facts *f, enum bw_action *action)
{
	/* Mail programs do not retry: a throttled submission would be an error dialogue (semantics 7). */
	if (*action == BW_THROTTLE && f->client == BW_CLIENT_SUBMISSION)
		*action = BW_HOLD;
	/* RFC 5321 4.5.1: postmaster is never refused; it waits with the message it shares. */
	if (f->postmaster && (*action == BW_REJECT || *action == BW_DISCARD || *action == BW_THROTTLE))
		*action = BW_HOLD;
}

/* Where there is no room to keep one more message (semantics 8): who has logged in is told so at once, other mail comes again. postmaster
 * is not refused for good (RFC 5321 4.5.1); a full system may ask for patience. */
static void find_room(struct trial *t, struct bw_judgement *out)
{
	const struct bw_facts *f = t->facts;
	struct bw_room_limits limits = bw_room_limits_of(bw_world_config(t->world));
	bool known = f->identity_kind == BW_IDENTITY_AUTH || f->identity_kind == BW_IDENTITY_CERT;

	if (out->verdict.action != BW_HOLD || !t->engine->options.keep_ledger)
		return;
	out->full = bw_room_take(t->engine->room, &limits, bw_room_size(f->declared_size));
	if (out->full != BW_FULL_NO)
		out->verdict.action = known && !f->postmaster ? BW_REJECT : BW_THROTTLE;
}

/* What the envelope allows of strip and redirect. */
static void change_lists(struct trial *t, struct bw_verdict *v)
{
	bool redirects = v->action == BW_REDIRECT, would_redirect = v->would == BW_REDIRECT;

	bw_redirect_decide(t, v);
	v->action = bw_envelope_action(t, v->action, false);
	v->would = bw_envelope_action(t, v->would, true);
	if (redirects)
		bw_redirect_explain(t, v->action, false, &v->why);
	if (would_redirect)
		bw_redirect_explain(t, v->would, true, &v->would_why);
}

static void conclude(struct trial *t, struct bw_judgement *out)
{
	struct bw_verdict *v = &out->verdict;

	bw_policy_combine(t->opinions, t->n + t->others, v);
	v->degraded = t->degraded && t->n > 0;
	v->deliveries = t->facts->fanout;
	change_lists(t, v);
	adapt_action(t->facts, &v->action);
	adapt_action(t->facts, &v->would);
	if (!bw_envelope_write(t, v->action)) {
		t->changes.n = 0;
		v->action = BW_HOLD;
	}
	find_room(t, out);
	bw_redirect_end(t, v);
	v->reached = bw_envelope_reached(t, v->action, false);
	bw_defuse(t, out);
}

static const char *sentence(struct bw_arena *arena, const struct bw_explain *why)
{
	struct bw_buf text;

	bw_buf_init(&text, BW_WHY_BYTES);
	bw_explain_print(&text, why);
	const char *copy = bw_arena_text(arena, bw_buf_slice(&text));

	bw_buf_done(&text);
	return copy == NULL ? "" : copy;
}

/* Nothing can be counted or written: mail to huge lists is asked to come again, all other mail passes. */
static void judge_without_memory(struct trial *t, struct bw_judgement *out)
{
	bool huge = false;

	for (size_t i = 0; i < t->facts->list_count; i++)
		huge = huge || (t->facts->lists[i].list->tier == BW_TIER_HUGE && t->facts->lists[i].list->source != BW_SOURCE_LEARNED);
	out->store_error = BW_ERR_MEMORY;
	out->verdict.deliveries = t->facts->fanout;
	out->verdict.degraded = true;
	if (huge) {
		out->verdict.would = BW_THROTTLE;
		out->verdict.action = bw_counts_rehearse(t) ? BW_ACCEPT : BW_THROTTLE;
		out->reply_code = "451";
		out->reply_status = "4.3.2"; /* RFC 3463: system not accepting messages */
		out->reply_text = "No memory to judge a message to so many people, try again later";
	}
	t->n = 0;
	out->verdict.reached = bw_envelope_reached(t, out->verdict.action, false);
	bw_record_verdict(t, out);
	bw_engine_note(t->engine, &out->verdict);
}

void bw_engine_judge(struct bw_engine *engine, struct bw_world *world, const struct bw_facts *facts, struct bw_arena *arena,
                     struct bw_judgement *out)
{
	struct trial t = { .engine = engine, .world = world, .facts = facts, .arena = arena, .daemons = 1 };

	*out = (struct bw_judgement){ .sentence = "", .would_sentence = "", .reply_code = "", .reply_status = "",
		                          .reply_text = "", .quarantine = "", .mark = "", .trace = "" };
	t.degraded = engine->store->ops->degraded(engine->store, &t.daemons);
	if (!bw_translate_facts(&t)) {
		judge_without_memory(&t, out);
		return;
	}
	bool counted = bw_policy_is_counted(facts->header.class);

	bw_metering_start(&t);
	if (counted)
		judge_counted(&t);
	else
		judge_automaton(&t);
	bw_metering_judge(&t);
	conclude(&t, out);
	if (counted && t.store_error == BW_OK)
		settle(&t, &out->verdict);
	bw_metering_settle(&t, &out->verdict);
	out->store_error = t.store_error;
	out->sentence = sentence(arena, &out->verdict.why);
	out->would_sentence = sentence(arena, &out->verdict.would_why);
	if (out->verdict.action == BW_HOLD)
		bw_ledger_hold(&t, out);
	bw_ledger_post(&t, &out->verdict);
	bw_reply_write(&t, out);
	bw_record_verdict(&t, out);
	bw_engine_note(engine, &out->verdict);
}
