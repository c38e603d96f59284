/* What a play came to, for programs. The names are promises, see breakwaterctl(1). */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "bw/clock.h"
#include "internal.h"

/* A text that was cut may end within a character, which JSON cannot hold. */
static json_t *text(const char *s)
{
	json_t *json = json_string(s);

	if (json != NULL)
		return json;
	char *ascii = strdup(s);

	for (char *p = ascii; p != NULL && *p != '\0'; p++) {
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	}
	json = json_string(ascii == NULL ? "" : ascii);
	free(ascii);
	return json;
}

static json_t *seconds(int64_t ms)
{
	return ms % 1000 == 0 ? json_integer(ms / 1000) : json_real((double)ms / 1000.0);
}

static void set_count(json_t *object, const char *name, int64_t n)
{
	(void)json_object_set_new(object, name, json_integer(n));
}

static json_t *trip(const struct bw_simulate_trip *t)
{
	if (!t->tripped)
		return json_null();
	json_t *o = json_object();

	(void)json_object_set_new(o, "at_s", seconds(t->at_ms));
	(void)json_object_set_new(o, "guard", text(bw_guard_name(t->guard)));
	(void)json_object_set_new(o, "rule", text(bw_rule_name(t->rule)));
	(void)json_object_set_new(o, "list", text(t->list));
	set_count(o, "ordinal", t->ordinal);
	set_count(o, "figure", t->figure);
	set_count(o, "limit", t->limit);
	set_count(o, "line", t->line);
	(void)json_object_set_new(o, "sentence", text(t->sentence));
	return o;
}

static json_t *date(int64_t at_ms)
{
	struct bw_buf b;

	bw_buf_init(&b, 40);
	bw_clock_format(&b, at_ms);
	json_t *json = text(bw_buf_text(&b));

	bw_buf_done(&b);
	return json;
}

/* Which message of an archive. */
static void set_message(json_t *o, const struct bw_simulate_note *note)
{
	if (note->message_id == NULL)
		return;
	(void)json_object_set_new(o, "at", date(note->when_ms));
	(void)json_object_set_new(o, "message_id", text(note->message_id));
	(void)json_object_set_new(o, "subject", text(note->subject));
}

static json_t *legitimate(const struct bw_simulate_note *note)
{
	json_t *o = json_object();

	set_count(o, "line", note->line);
	set_count(o, "ordinal", note->ordinal);
	(void)json_object_set_new(o, "at_s", seconds(note->at_ms));
	(void)json_object_set_new(o, "from", text(note->from));
	(void)json_object_set_new(o, "to", text(note->to));
	(void)json_object_set_new(o, "action", text(bw_action_name(note->action)));
	(void)json_object_set_new(o, "guard", text(bw_guard_name(note->guard)));
	(void)json_object_set_new(o, "sentence", text(note->text));
	set_message(o, note);
	return o;
}

static json_t *miss(const struct bw_simulate_note *note)
{
	json_t *o = json_object();

	set_count(o, "line", note->line);
	set_count(o, "ordinal", note->ordinal);
	(void)json_object_set_new(o, "at_s", seconds(note->at_ms));
	(void)json_object_set_new(o, "text", text(note->text));
	return o;
}

static json_t *notes(const struct bw_simulate_note *array, size_t count, json_t *(*make)(const struct bw_simulate_note *note))
{
	json_t *list = json_array();

	for (size_t i = 0; i < count && i < BW_SIMULATE_NOTES_MAX; i++)
		(void)json_array_append_new(list, make(&array[i]));
	return list;
}

static json_t *events(const struct bw_simulate_result *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->event_count && i < BW_SIMULATE_NOTES_MAX; i++) {
		const struct bw_simulate_event *e = &r->events[i];
		json_t *o = json_object();

		(void)json_object_set_new(o, "at_s", seconds(e->at_ms));
		(void)json_object_set_new(o, "event", text(bw_event_name(e->event)));
		(void)json_object_set_new(o, "guard", text(bw_guard_name(e->guard)));
		(void)json_object_set_new(o, "list", text(e->list));
		(void)json_object_set_new(o, "text", text(e->text));
		(void)json_array_append_new(list, o);
	}
	return list;
}

static void set_figures(json_t *o, const struct bw_simulate_result *r)
{
	const struct {
		const char *name;
		int64_t n;
	} rows[] = {
		{ "messages", r->messages },
		{ "posts", r->posts },
		{ "replies", r->replies },
		{ "automatic", r->automatic },
		{ "ordinary", r->ordinary },
		{ "deliveries_without", r->deliveries_without },
		{ "deliveries_with", r->deliveries_with },
		{ "accepted", r->accepted },
		{ "held", r->held },
		{ "throttled", r->throttled },
		{ "rejected", r->rejected },
		{ "redirected", r->redirected },
		{ "stripped", r->stripped },
		{ "discarded", r->discarded },
		{ "shadow_stopped", r->shadow_stopped },
		{ "degraded", r->degraded },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		set_count(o, rows[i].name, rows[i].n);
}

void bw_simulate_print_json(const struct bw_scenario *scenario, const struct bw_simulate_result *r, struct bw_buf *out)
{
	json_t *o = json_object();

	(void)json_object_set_new(o, "scenario", text(scenario->name));
	(void)json_object_set_new(o, "mode", text(bw_mode_name(bw_settings_mode(scenario->settings))));
	set_figures(o, r);
	(void)json_object_set_new(o, "first_trip", trip(&r->first_trip));
	if (r->start_ms != 0) {
		(void)json_object_set_new(o, "mbox", text(scenario->name));
		(void)json_object_set_new(o, "start", date(r->start_ms));
		(void)json_object_set_new(o, "trips", notes(r->trips, r->trip_count, legitimate));
		set_count(o, "trip_count", (int64_t)r->trip_count);
		set_count(o, "legitimate_held_count", (int64_t)r->legitimate_held_count);
	}
	(void)json_object_set_new(o, "legitimate_held", notes(r->legitimate_held, r->legitimate_held_count, legitimate));
	(void)json_object_set_new(o, "events", events(r));
	(void)json_object_set_new(o, "misses", notes(r->misses, r->miss_count, miss));
	set_count(o, "miss_count", (int64_t)r->miss_count);
	(void)json_object_set_new(o, "span_s", seconds(r->span_ms));
	set_count(o, "elapsed_ms", r->elapsed_ms);
	char *line = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(15));

	bw_buf_add_text(out, line == NULL ? "{}" : line);
	free(line);
	json_decref(o);
}
