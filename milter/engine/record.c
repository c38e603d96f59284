/* History: one log line a judged list message and a transition; transitions are events of the store as well. */
#include "internal.h"

static void write_line(struct trial *t, enum bw_severity severity, struct bw_buf *line)
{
	const struct bw_log_sink *log = &t->engine->options.log;

	if (log->write != NULL)
		log->write(log->ctx, severity, bw_buf_slice(line));
	bw_buf_done(line);
}

static enum bw_guard guard_of(enum bw_scope scope)
{
	return scope == BW_SCOPE_LIST ? BW_GUARD_LIST : BW_GUARD_CONVERSATION;
}

/* From the record that was written, not from the verdict: another guard may speak for the message. */
static void describe_transition(struct bw_buf *text, const struct trial *t, size_t i, enum bw_scope scope,
                                const struct bw_transition *transition)
{
	const struct bw_breaker *b = &transition->next;
	const struct bw_case *c = &t->cases[i];
	const struct bw_explain why = {
		.guard = guard_of(scope),
		.rule = b->rule,
		.ordinal = b->ordinal,
		.limit = b->limit,
		.window_ms = bw_policy_window(c->limits, b->rule),
		.members = c->members,
		.list = c->list,
	};

	bw_buf_printf(text, "%s breaker of %.*s is %s", bw_guard_name(why.guard), (int)c->list.n, c->list.p, bw_phase_name(b->phase));
	if (transition->event == BW_EVENT_TRIP) {
		bw_buf_add_text(text, ", ");
		bw_explain_print(text, &why);
	}
}

static void add_event(struct trial *t, size_t i, enum bw_scope scope, const struct bw_transition *transition, const char *text)
{
	struct bw_store *store = t->engine->store;
	struct bw_event_row row = {
		.at_ms = t->out[i].now_ms,
		.event = transition->event,
		.host = bw_slice_of(t->engine->options.host),
		.list = t->in[i].list,
		.guard = bw_slice_of(bw_guard_name(guard_of(scope))),
		.text = bw_slice_of(text),
		.conversation = scope == BW_SCOPE_CONVERSATION ? t->out[i].conversation : (struct bw_hash){ { 0 } },
	};

	(void)store->ops->event_add(store, &row, NULL); /* the log line below says the same */
}

void bw_record_transition(struct trial *t, size_t i, enum bw_scope scope, const struct bw_transition *transition)
{
	const struct bw_breaker *b = &transition->next;
	struct bw_buf line, text;

	if (transition->event == BW_EVENT_NONE)
		return;
	bw_buf_init(&text, BW_WHY_BYTES);
	describe_transition(&text, t, i, scope, transition);
	add_event(t, i, scope, transition, bw_buf_text(&text));

	bw_buf_init(&line, BW_LOGLINE_MAX);
	bw_logline_start(&line, bw_event_name(transition->event));
	bw_logline_str(&line, "list", t->in[i].list);
	bw_logline_text(&line, "guard", bw_guard_name(guard_of(scope)));
	bw_logline_text(&line, "side", bw_side_name(t->in[i].side));
	bw_logline_text(&line, "breaker", bw_phase_name(b->phase));
	bw_logline_text(&line, "rule", bw_rule_name(b->rule));
	bw_logline_int(&line, "ordinal", b->ordinal);
	bw_logline_int(&line, "limit", b->limit);
	bw_logline_int(&line, "relapses", b->relapses);
	if (b->until_ms > t->out[i].now_ms)
		bw_logline_int(&line, "for_s", (b->until_ms - t->out[i].now_ms) / 1000);
	bw_logline_text(&line, "why", bw_buf_text(&text));
	write_line(t, BW_SEV_NOTICE, &line);
	bw_buf_done(&text);
}

void bw_record_sender(struct bw_engine *e, const struct bw_sender_case *c, const struct bw_transition *transition)
{
	const struct bw_breaker *b = &transition->next;
	const struct bw_explain why = {
		.guard = BW_GUARD_SENDER,
		.rule = b->rule,
		.ordinal = b->ordinal,
		.limit = b->limit,
		.window_ms = c->limits->sender.window_ms,
		.list = c->who,
	};
	struct bw_event_row row = { .at_ms = c->now_ms,
		                        .event = transition->event,
		                        .host = bw_slice_of(e->options.host),
		                        .list = c->who,
		                        .guard = bw_slice_of(bw_guard_name(BW_GUARD_SENDER)) };
	struct bw_buf line, text;

	if (transition->event == BW_EVENT_NONE)
		return;
	bw_buf_init(&text, BW_WHY_BYTES);
	bw_buf_printf(&text, "sender breaker of %.*s is %s", (int)c->who.n, c->who.p, bw_phase_name(b->phase));
	if (transition->event == BW_EVENT_TRIP) {
		bw_buf_add_text(&text, ", ");
		bw_explain_print(&text, &why);
	}
	row.text = bw_buf_slice(&text);
	(void)e->store->ops->event_add(e->store, &row, NULL); /* the log line says the same */
	bw_buf_init(&line, BW_LOGLINE_MAX);
	bw_logline_start(&line, bw_event_name(transition->event));
	bw_logline_str(&line, "identity", c->who);
	bw_logline_text(&line, "guard", bw_guard_name(BW_GUARD_SENDER));
	bw_logline_text(&line, "breaker", bw_phase_name(b->phase));
	bw_logline_text(&line, "rule", bw_rule_name(b->rule));
	bw_logline_int(&line, "ordinal", b->ordinal);
	bw_logline_int(&line, "limit", b->limit);
	bw_logline_int(&line, "relapses", b->relapses);
	if (b->until_ms > c->now_ms)
		bw_logline_int(&line, "for_s", (b->until_ms - c->now_ms) / 1000);
	bw_logline_text(&line, "why", bw_buf_text(&text));
	if (e->options.log.write != NULL)
		e->options.log.write(e->options.log.ctx, BW_SEV_NOTICE, bw_buf_slice(&line));
	bw_buf_done(&line);
	bw_buf_done(&text);
}

static void add_counts(struct bw_buf *line, const struct trial *t)
{
	const struct bw_count_out *o = &t->out[0];

	if (t->n == 0 || t->store_error != BW_OK)
		return;
	bw_logline_text(line, "seen", bw_seen_name(o->seen));
	bw_logline_bool(line, "reply", o->joined);
	bw_logline_int(line, "senders", o->joined ? o->conversation_senders : o->list_senders);
}

/* The list that the verdict is about; what the sender guard names is an identity. */
static struct bw_slice list_behind(const struct bw_facts *f, const struct bw_explain *why)
{
	return why->list.n > 0 && why->guard != BW_GUARD_SENDER ? why->list : f->lists[0].list->address;
}

/* "requests,notify,silence": what was done, or would be. */
static void add_defused(struct bw_buf *line, const struct trial *t)
{
	const struct defused *d = &t->defused;
	const struct {
		bool done;
		const char *word;
	} parts[] = { { d->requests, "requests" }, { d->notify, "notify" }, { d->silence, "silence" } };
	struct bw_buf text;

	bw_buf_init(&text, 64);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].done)
			bw_buf_printf(&text, "%s%s", text.n > 0 ? "," : "", parts[i].word);
	}
	if (text.n > 0)
		bw_logline_text(line, d->mode == BW_MODE_ENFORCE ? "defused" : "would_defuse", bw_buf_text(&text));
	if (d->avoided > 0)
		bw_logline_int(line, "receipts_estimate", d->avoided);
	bw_buf_done(&text);
}

void bw_record_verdict(struct trial *t, const struct bw_judgement *j)
{
	const struct bw_facts *f = t->facts;
	const struct bw_verdict *v = &j->verdict;
	struct bw_buf line;

	if (t->engine->options.log.write == NULL)
		return; /* a simulation reads no lines */
	bw_buf_init(&line, BW_LOGLINE_MAX);
	bw_logline_start(&line, "verdict");
	bw_logline_text(&line, "action", bw_action_name(v->action));
	if (v->would != v->action)
		bw_logline_text(&line, "would", bw_action_name(v->would));
	if (j->full != BW_FULL_NO)
		bw_logline_text(&line, "full", bw_full_name(j->full));
	bw_logline_text(&line, "guard", bw_guard_name(v->would_why.guard));
	bw_logline_str(&line, "qid", f->queue_id);
	bw_logline_str(&line, "identity", f->identity);
	if (f->list_count > 0)
		bw_logline_str(&line, "list", list_behind(f, &v->would_why));
	bw_logline_int(&line, "lists", (int64_t)f->list_count);
	bw_logline_int(&line, "deliveries", v->deliveries);
	if (v->action == BW_STRIP || v->action == BW_REDIRECT)
		bw_logline_int(&line, "reached", v->reached);
	bw_logline_text(&line, "class", bw_class_name(f->header.class));
	add_counts(&line, t);
	bw_logline_text(&line, "breaker", bw_phase_name(v->breaker));
	add_defused(&line, t);
	if (v->degraded)
		bw_logline_bool(&line, "degraded", true);
	if (j->ledger_error != BW_OK)
		bw_logline_text(&line, "ledger", j->ledger_why.text);
	if (j->would_sentence[0] != '\0')
		bw_logline_text(&line, "why", j->would_sentence);
	write_line(t, v->would == BW_ACCEPT ? BW_SEV_INFO : BW_SEV_NOTICE, &line);
}
