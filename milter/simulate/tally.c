#include "tally.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bw/parse.h"

enum { MEMORY_BYTES = 256 << 20, NOTE_TEXT_BYTES = 250 };

bool bw_tally_init(struct tally *t, const struct bw_scenario *scenario)
{
	*t = (struct tally){
		.scenario = scenario, .result = calloc(1, sizeof(struct bw_simulate_result)), .start_ms = BW_SIMULATE_START_MS
	};
	if (t->result == NULL)
		return false;
	t->result->memory = bw_arena_new(MEMORY_BYTES);
	if (t->result->memory != NULL)
		return true;
	bw_simulate_result_free(&t->result);
	return false;
}

void bw_tally_done(struct tally *t)
{
	bw_map_done(&t->repliers);
	bw_map_done(&t->replier_counts);
}

void bw_simulate_result_free(struct bw_simulate_result **result)
{
	struct bw_simulate_result *r = *result;

	*result = NULL;
	if (r == NULL)
		return;
	bw_arena_free(&r->memory);
	free(r);
}

static const char *keep(struct tally *t, struct bw_slice text)
{
	const char *copy = bw_arena_text(t->result->memory, text);

	return copy == NULL ? "" : copy;
}

/* --- arrays that double until they hold BW_SIMULATE_NOTES_MAX --- */

/* A bigger copy of an array of `count` items when it is full; NULL when it may not grow. */
static void *room_for_one(struct tally *t, void *array, size_t count, size_t item)
{
	enum { FIRST = 16 };
	bool full = count == 0 || (count >= FIRST && (count & (count - 1)) == 0);

	if (count >= BW_SIMULATE_NOTES_MAX)
		return NULL;
	if (!full)
		return array;
	void *bigger = bw_arena_alloc(t->result->memory, (count < FIRST ? FIRST : 2 * count) * item);

	if (bigger != NULL && count > 0)
		memcpy(bigger, array, count * item);
	return bigger;
}

static void add_note(struct tally *t, struct bw_simulate_note **notes, size_t *count, const struct bw_simulate_note *note)
{
	struct bw_simulate_note *array = room_for_one(t, *notes, *count, sizeof(*note));

	if (array != NULL) {
		array[*count] = *note;
		*notes = array;
	}
	++*count;
}

static void add_miss(struct tally *t, const struct bw_simulate_note *note)
{
	add_note(t, &t->misses, &t->result->miss_count, note);
	t->result->misses = t->misses;
}

void bw_tally_event(struct tally *t, const struct bw_simulate_event *event)
{
	struct bw_simulate_event *array = room_for_one(t, t->events, t->result->event_count, sizeof(*event));

	if (array != NULL) {
		struct bw_simulate_event *e = &array[t->result->event_count];

		*e = *event;
		e->list = keep(t, bw_slice_of(event->list));
		e->text = keep(t, bw_slice_of(event->text));
		t->events = array;
		t->result->events = array;
	}
	t->result->event_count++;
}

static bool take_event(void *ctx, const struct bw_event_row *row)
{
	struct tally *t = ctx;
	char list[BW_ADDRESS_MAX], text[BW_WHY_BYTES];
	struct bw_simulate_event event = {
		.at_ms = row->at_ms - t->start_ms, .event = row->event, .list = list, .text = text
	};

	bw_slice_copy(row->list, list, sizeof(list));
	bw_slice_copy(row->text, text, sizeof(text));
	(void)bw_guard_parse(row->guard, &event.guard);
	bw_tally_event(t, &event);
	return true;
}

enum bw_err bw_tally_history(struct tally *t, struct bw_store *store, struct bw_why *why)
{
	return store->ops->event_each(store, 0, BW_SIMULATE_NOTES_MAX, take_event, t, why);
}

void bw_tally_sort(struct tally *t)
{
	size_t n = t->result->event_count < BW_SIMULATE_NOTES_MAX ? t->result->event_count : BW_SIMULATE_NOTES_MAX;

	/* By insertion: stable, and the few lists that come together are in order already. */
	for (size_t i = 1; i < n; i++) {
		struct bw_simulate_event event = t->events[i];
		size_t at = i;

		for (; at > 0 && t->events[at - 1].at_ms > event.at_ms; at--)
			t->events[at] = t->events[at - 1];
		t->events[at] = event;
	}
}

void bw_tally_miss(struct tally *t, const struct statement *st, const char *text)
{
	struct bw_simulate_note note = {
		.line = st->line, .at_ms = st->at_ms, .from = "", .to = "", .text = keep(t, bw_slice_of(text))
	};

	add_miss(t, &note);
}

/* --- who was the first to be stopped --- */

static int64_t as_number(const void *value)
{
	return (int64_t)(intptr_t)value;
}

static void *as_value(int64_t number)
{
	return (void *)(intptr_t)number;
}

/* The sender's number among those who wrote to `list`, counted when they first do. 0: no memory. */
static int64_t number_of(struct tally *t, struct bw_slice list, struct bw_slice sender)
{
	struct bw_buf text;
	int64_t number = 0;

	bw_buf_init(&text, (size_t)4 * BW_ADDRESS_MAX);
	bw_buf_add(&text, list);
	bw_buf_add_char(&text, ' ');
	bw_buf_add(&text, sender);
	const void *known = bw_map_find(&t->repliers, bw_buf_slice(&text));

	if (known != NULL) {
		number = as_number(known);
	} else {
		struct bw_slice key = bw_arena_slice(t->result->memory, bw_buf_slice(&text));

		number = as_number(bw_map_find(&t->replier_counts, list)) + 1;
		if (key.n == 0 || !bw_map_put(&t->repliers, key, as_value(number)) ||
		    !bw_map_put(&t->replier_counts, bw_slice_head(key, list.n), as_value(number)))
			number = 0;
	}
	bw_buf_done(&text);
	return number;
}

static void note_replier(struct tally *t, const struct outcome *o)
{
	const struct mail_plan *plan = &o->due->statement->u.mail;

	if (t->result->first_trip.tripped || plan->kind != KIND_REPLY || !o->list_mail)
		return;
	for (size_t i = 0; i < plan->to_count; i++)
		(void)number_of(t, plan->to[i], o->from);
}

/* Rules that count senders say themselves the how-manieth was one too many. */
static bool counts_senders(enum bw_rule rule)
{
	return rule == BW_RULE_CONVERSATION_SENDERS || rule == BW_RULE_CONVERSATION_DAY || rule == BW_RULE_LIST_SENDERS;
}

static void note_trip(struct tally *t, const struct outcome *o)
{
	const struct bw_explain *why = &o->verdict.would_why;
	struct bw_simulate_trip *trip = &t->result->first_trip;

	if (trip->tripped)
		return;
	*trip = (struct bw_simulate_trip){
		.tripped = true,
		.at_ms = o->due->at_ms,
		.line = o->due->statement->line,
		.guard = why->guard,
		.rule = why->rule,
		.list = keep(t, why->list),
		.ordinal = counts_senders(why->rule) ? why->ordinal : number_of(t, why->list, o->from),
		.figure = why->ordinal,
		.limit = why->limit,
		.sentence = keep(t, bw_slice_of(o->sentence)),
	};
}

void bw_tally_offer(struct tally *t, const struct outcome *o)
{
	note_replier(t, o);
	if (o->verdict.event == BW_EVENT_TRIP)
		note_trip(t, o);
}

/* --- figures --- */

static void count_kind(struct bw_simulate_result *r, const struct outcome *o)
{
	enum mail_kind kind = o->due->statement->u.mail.kind;

	r->messages++;
	if (!o->list_mail)
		r->ordinary++;
	else if (kind == KIND_POST || kind == KIND_REPLY)
		r->posts++;
	else
		r->automatic++;
	if (o->list_mail && kind == KIND_REPLY)
		r->replies++;
}

static void count_action(struct bw_simulate_result *r, enum bw_action action)
{
	int64_t *const by_action[BW_ACTION_COUNT] = {
		[BW_ACCEPT] = &r->accepted,     [BW_TAG] = &r->accepted,      [BW_THROTTLE] = &r->throttled, [BW_STRIP] = &r->stripped,
		[BW_REDIRECT] = &r->redirected, [BW_DISCARD] = &r->discarded, [BW_HOLD] = &r->held,          [BW_REJECT] = &r->rejected,
	};

	++*by_action[action];
}

static bool passes(enum bw_action action)
{
	return action == BW_ACCEPT || action == BW_TAG;
}

static void add_figures(struct bw_simulate_result *r, const struct outcome *o)
{
	const struct bw_verdict *v = &o->verdict;

	count_kind(r, o);
	count_action(r, v->action);
	if (o->list_mail) {
		r->deliveries_without += o->fanout;
		r->deliveries_with += o->verdict.reached;
	}
	r->shadow_stopped += passes(v->action) && !passes(v->would);
	r->degraded += v->degraded;
	if (o->due->at_ms > r->span_ms)
		r->span_ms = o->due->at_ms;
}

/* --- expectations --- */

/* "FILE:LINE: message 4 of 80 (reply from u4@... at 2m): expected accept, got hold guard=conversation ...: SENTENCE" */
static const char *miss_text(struct tally *t, const struct outcome *o, const struct expectation *e)
{
	const struct statement *st = o->due->statement;
	struct bw_buf text;

	bw_buf_init(&text, 4096);
	bw_buf_printf(&text, "%s:%d: ", t->scenario->name, st->line);
	if (bw_statement_count(st) > 1)
		bw_buf_printf(&text, "message %" PRId64 " of %" PRId64 ", ", o->due->number + 1, bw_statement_count(st));
	bw_buf_printf(&text, "%s from %.*s at ", bw_scenario_kind_name(st->u.mail.kind), (int)o->from.n, o->from.p);
	bw_print_duration(&text, o->due->at_ms);
	bw_buf_add_text(&text, ": expected ");
	bw_expect_print(e, &text);
	bw_buf_add_text(&text, ", got ");
	bw_expect_print_verdict(&o->verdict, &text);
	if (o->sentence[0] != '\0')
		bw_buf_printf(&text, ": %s", o->sentence);
	const char *copy = keep(t, bw_buf_slice(&text));

	bw_buf_done(&text);
	return copy;
}

static struct bw_simulate_note note_of(struct tally *t, const struct outcome *o, const char *text)
{
	return (struct bw_simulate_note){
		.line = o->due->statement->line,
		.ordinal = o->due->number + 1,
		.at_ms = o->due->at_ms,
		.from = keep(t, o->from),
		.to = keep(t, o->due->statement->u.mail.to_text),
		.guard = o->verdict.why.guard,
		.action = o->verdict.action,
		.text = text,
	};
}

const char *bw_tally_message(struct tally *t, const struct outcome *o)
{
	const struct expectation *e = bw_expect_of(&o->due->statement->u.mail.expect, o->due->number + 1);
	struct bw_simulate_note note;

	add_figures(t->result, o);
	if (e == NULL)
		return NULL;
	if (passes(e->action) && !passes(o->verdict.action)) {
		note = note_of(t, o, keep(t, bw_slice_of(o->sentence)));
		add_note(t, &t->legitimate, &t->result->legitimate_held_count, &note);
		t->result->legitimate_held = t->legitimate;
	}
	if (bw_expect_met(e, &o->verdict))
		return NULL;
	note = note_of(t, o, miss_text(t, o, e));
	add_miss(t, &note);
	return note.text;
}

/* --- archives --- */

/* Bytes of strangers: what is no text is shown as '?'. */
static const char *keep_clean(struct tally *t, struct bw_slice s)
{
	char *copy = bw_arena_text(t->result->memory, bw_slice_head(s, NOTE_TEXT_BYTES));

	for (char *p = copy; p != NULL && *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7F)
			*p = '?';
	}
	return copy == NULL ? "" : copy;
}

static struct bw_simulate_note archived_note(struct tally *t, const struct outcome *o, const struct bw_header *header, int64_t when_ms)
{
	struct bw_simulate_note note = note_of(t, o, keep(t, bw_slice_of(o->sentence)));

	/* In shadow mode what would have been. */
	note.guard = o->verdict.would_why.guard;
	note.action = o->verdict.would;
	note.when_ms = when_ms;
	note.message_id = keep_clean(t, header->message_id);
	note.subject = keep_clean(t, header->subject);
	return note;
}

void bw_tally_archived(struct tally *t, const struct outcome *o, const struct bw_header *header, int64_t when_ms)
{
	enum mail_kind kind = o->due->statement->u.mail.kind;
	bool tripped = o->verdict.event == BW_EVENT_TRIP || o->verdict.event == BW_EVENT_RELAPSE;
	bool held = !passes(o->verdict.would) && (kind == KIND_POST || kind == KIND_REPLY || kind == KIND_LIST_OUTPUT);
	struct bw_simulate_note note;

	if (!tripped && !held)
		return;
	note = archived_note(t, o, header, when_ms);
	if (tripped)
		add_note(t, &t->trips, &t->result->trip_count, &note);
	if (held)
		add_note(t, &t->legitimate, &t->result->legitimate_held_count, &note);
	t->result->trips = t->trips;
	t->result->legitimate_held = t->legitimate;
}
