/* What a play came to, for people. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bw/clock.h"
#include "bw/parse.h"
#include "internal.h"

enum { EVENTS_SHOWN = 40, NOTES_SHOWN = 20 };

static void add_row(struct bw_buf *out, const char *name, int64_t n)
{
	struct bw_buf digits;

	bw_buf_init(&digits, 32);
	bw_print_count(&digits, n);
	bw_buf_printf(out, "  %-24s %15s\n", name, bw_buf_text(&digits));
	bw_buf_done(&digits);
}

static void add_time(struct bw_buf *out, int64_t at_ms)
{
	struct bw_buf time;

	bw_buf_init(&time, 32);
	bw_print_duration(&time, at_ms);
	bw_buf_printf(out, "%10s", bw_buf_text(&time));
	bw_buf_done(&time);
}

/* "1.2 %"; tenths are enough for anybody. */
static void add_share(struct bw_buf *out, int64_t part, int64_t whole)
{
	int64_t permille = whole > 0 ? (int64_t)(1000.0 * (double)part / (double)whole + 0.5) : 0;

	bw_buf_printf(out, "  %-24s %11" PRId64 ".%" PRId64 " %%\n", "of those", permille / 10, permille % 10);
}

static void print_figures(const struct bw_simulate_result *r, struct bw_buf *out)
{
	const struct {
		const char *name;
		int64_t n;
	} rows[] = {
		{ "automatic messages", r->automatic },
		{ "mail to no list", r->ordinary },
		{ "held", r->held },
		{ "throttled", r->throttled },
		{ "rejected", r->rejected },
		{ "redirected", r->redirected },
		{ "discarded", r->discarded },
		{ "stripped", r->stripped },
		{ "passed only in shadow", r->shadow_stopped },
		{ "decided in degraded mode", r->degraded },
	};

	add_row(out, "posts to lists", r->posts);
	add_row(out, "replies among them", r->replies);
	add_row(out, "deliveries, unprotected", r->deliveries_without);
	add_row(out, "deliveries, protected", r->deliveries_with);
	add_share(out, r->deliveries_with, r->deliveries_without);
	add_row(out, "messages accepted", r->accepted);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].n > 0)
			add_row(out, rows[i].name, rows[i].n);
	}
}

static void print_trip(const struct bw_simulate_trip *trip, struct bw_buf *out)
{
	if (!trip->tripped) {
		bw_buf_add_text(out, "\nNo breaker tripped.\n");
		return;
	}
	bw_buf_add_text(out, "\nFirst trip after ");
	bw_print_duration(out, trip->at_ms);
	if (trip->guard != BW_GUARD_SENDER) {
		bw_buf_add_text(out, ", at the ");
		bw_print_ordinal(out, trip->ordinal);
		bw_buf_add_text(out, " sender");
	}
	bw_buf_printf(out, ":\n  %s\n", trip->sentence);
}

static void print_events(const struct bw_simulate_result *r, struct bw_buf *out)
{
	size_t n = r->event_count < EVENTS_SHOWN ? r->event_count : EVENTS_SHOWN;

	if (n > 0)
		bw_buf_add_text(out, "\nEvents\n");
	for (size_t i = 0; i < n; i++) {
		const struct bw_simulate_event *e = &r->events[i];

		add_time(out, e->at_ms);
		bw_buf_printf(out, "  %-10s %s\n", bw_event_name(e->event), e->text[0] != '\0' ? e->text : e->list);
	}
	if (r->event_count > n)
		bw_buf_printf(out, "            and %zu more\n", r->event_count - n);
}

/* Which message of an archive, in a line of its own. */
static void print_message_of(const struct bw_simulate_note *note, struct bw_buf *out)
{
	if (note->message_id == NULL)
		return;
	bw_buf_printf(out, "%10s  line %d, ", "", note->line);
	bw_clock_format(out, note->when_ms);
	bw_buf_printf(out, ", <%s>, %s\n", note->message_id, note->subject);
}

static void print_trips(const struct bw_simulate_result *r, struct bw_buf *out)
{
	size_t n = r->trip_count < NOTES_SHOWN ? r->trip_count : NOTES_SHOWN;

	if (n > 0)
		bw_buf_printf(out, "\nTrips: %zu\n", r->trip_count);
	for (size_t i = 0; i < n; i++) {
		add_time(out, r->trips[i].at_ms);
		bw_buf_printf(out, "  %s\n", r->trips[i].text);
		print_message_of(&r->trips[i], out);
	}
	if (r->trip_count > n)
		bw_buf_printf(out, "  and %zu more\n", r->trip_count - n);
}

static void print_legitimate(const struct bw_simulate_result *r, bool shadow, struct bw_buf *out)
{
	size_t n = r->legitimate_held_count < NOTES_SHOWN ? r->legitimate_held_count : NOTES_SHOWN;

	if (n > 0)
		bw_buf_printf(out, "\nLegitimate mail that %s stopped: %zu\n", shadow ? "enforcement would have" : "was",
		              r->legitimate_held_count);
	for (size_t i = 0; i < n; i++) {
		const struct bw_simulate_note *note = &r->legitimate_held[i];

		add_time(out, note->at_ms);
		bw_buf_printf(out, "  %s -> %s  %s\n", note->from, note->to, note->text);
		print_message_of(note, out);
	}
	if (r->legitimate_held_count > n)
		bw_buf_printf(out, "  and %zu more\n", r->legitimate_held_count - n);
}

static void print_misses(const struct bw_simulate_result *r, struct bw_buf *out)
{
	size_t n = r->miss_count < NOTES_SHOWN ? r->miss_count : NOTES_SHOWN;

	if (n > 0)
		bw_buf_printf(out, "\nNot as expected: %zu\n", r->miss_count);
	for (size_t i = 0; i < n; i++)
		bw_buf_printf(out, "  %s\n", r->misses[i].text);
	if (r->miss_count > n)
		bw_buf_printf(out, "  and %zu more\n", r->miss_count - n);
}

void bw_simulate_print(const struct bw_scenario *scenario, const struct bw_simulate_result *r, struct bw_buf *out)
{
	bool shadow = bw_settings_mode(scenario->settings) == BW_MODE_SHADOW;

	bw_buf_printf(out, "%s: %" PRId64 " messages in ", scenario->name, r->messages);
	bw_print_duration(out, r->span_ms);
	bw_buf_printf(out, " of virtual time, played in %" PRId64 " ms%s\n\n", r->elapsed_ms,
	              shadow ? ", starting in SHADOW mode" : "");
	print_figures(r, out);
	print_trip(&r->first_trip, out);
	print_trips(r, out);
	print_events(r, out);
	print_legitimate(r, shadow, out);
	print_misses(r, out);
}

void bw_simulate_print_message(const struct bw_simulate_message *m, struct bw_buf *out)
{
	add_time(out, m->at_ms);
	bw_buf_printf(out, "  %-8s %-10s %.*s -> %.*s", bw_action_name(m->verdict->action), m->kind, (int)m->from.n, m->from.p,
	              (int)m->to.n, m->to.p);
	if (m->attempt > 0)
		bw_buf_printf(out, " (retry %" PRId64 ")", m->attempt);
	if (m->sentence[0] != '\0')
		bw_buf_printf(out, "  %s", m->sentence);
}
