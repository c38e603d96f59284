/* link: bw_agent bw_store bw_base */
/* Events become incidents: one breaker, one incident, one telling a state; and whoever looks on another host comes to the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../milter/agent/incidents.h"

#define T0   INT64_C(1479112140000)
#define LIST "all@nhs.example"

struct step {
	int64_t at_s;
	enum bw_event event;
	const char *host, *list, *guard, *text;
	uint8_t conversation;
	const char *news; /* what is to be told after it, "-": nothing; told is told then, unless it ends in '+' */
};

static bool take(struct incidents *t, const struct step *s)
{
	const struct bw_event_row row = {
		.at_ms = T0 + s->at_s * BW_SECOND_MS,
		.event = s->event,
		.host = bw_slice_of(s->host),
		.list = bw_slice_of(s->list),
		.guard = bw_slice_of(s->guard),
		.text = bw_slice_of(s->text),
		.conversation = { { s->conversation } },
	};

	return incidents_take(t, &row);
}

/* "storm all@nhs.example open; ..." of what is news; told, if `tell`. */
static void list_news(struct incidents *t, int64_t at_s, bool tell, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t k = 0; k < t->n; k++) {
		struct incident *i = &t->at[k];

		if (!incident_is_news(i, T0 + at_s * BW_SECOND_MS))
			continue;
		n += (size_t)snprintf(out + n, size - n, "%s%s %s %s", n > 0 ? "; " : "", incident_kind_name(i->kind), i->name,
		                      incident_state_name(i->state));
		if (tell)
			incident_set_told(i, T0 + at_s * BW_SECOND_MS);
	}
	if (n == 0)
		snprintf(out, size, "-");
}

static void play(const struct step *steps, size_t n)
{
	struct incidents *t = calloc(1, sizeof(*t));
	char news[1000], wanted[1000];

	assert_non_null(t);
	for (size_t k = 0; k < n; k++) {
		size_t end = strlen(steps[k].news);
		bool tell = steps[k].news[end - 1] != '+';

		if (steps[k].event != BW_EVENT_NONE)
			(void)take(t, &steps[k]);
		list_news(t, steps[k].at_s, tell, news, sizeof(news));
		snprintf(wanted, sizeof(wanted), "%.*s", (int)(tell ? end : end - 1), steps[k].news);
		if (strcmp(news, wanted) != 0)
			fail_msg("step %zu: \"%s\", expected \"%s\"", k, news, wanted);
	}
	free(t);
}

static void a_storm_from_trip_to_end(void **state)
{
	static const struct step steps[] = {
		{ 0, BW_EVENT_SETTING, "mx1", LIST, "", "set", 0, "-" },
		{ 1, BW_EVENT_TRIP, "mx1", LIST, "conversation", "4th sender", 7, "storm " LIST " open" },
		{ 2, BW_EVENT_NONE, "", "", "", "", 0, "-" },
		/* a fork is an incident of its own, and so is the list's breaker */
		{ 3, BW_EVENT_TRIP, "mx2", LIST, "conversation", "4th sender", 8, "storm " LIST " open" },
		{ 4, BW_EVENT_TRIP, "mx2", LIST, "list", "7th sender", 0, "storm " LIST " open" },
		{ 7200, BW_EVENT_CALM, "mx1", LIST, "conversation", "is half-open", 7, "storm " LIST " calm" },
		{ 7300, BW_EVENT_RELAPSE, "mx1", LIST, "conversation", "is open", 7, "storm " LIST " open" },
		/* there and back before anybody was told: nothing has changed */
		{ 7400, BW_EVENT_CALM, "mx1", LIST, "conversation", "is half-open", 7, "storm " LIST " calm+" },
		{ 7401, BW_EVENT_RELAPSE, "mx1", LIST, "conversation", "is open", 7, "-" },
		{ 9000, BW_EVENT_CALM, "mx1", LIST, "conversation", "is half-open", 7, "storm " LIST " calm+" },
		{ 9001, BW_EVENT_CLOSED, "mx1", LIST, "conversation", "is closed", 7, "storm " LIST " closed" },
		/* the next storm, over before the next look */
		{ 9100, BW_EVENT_TRIP, "mx1", LIST, "conversation", "4th sender", 7, "storm " LIST " open+" },
		{ 9101, BW_EVENT_CALM, "mx1", LIST, "conversation", "is half-open", 7, "storm " LIST " calm+" },
		{ 9102, BW_EVENT_CLOSED, "mx1", LIST, "conversation", "is closed", 7, "storm " LIST " closed" },
		{ 9103, BW_EVENT_NONE, "", "", "", "", 0, "-" },
	};

	(void)state;
	play(steps, sizeof(steps) / sizeof(steps[0]));
}

static void everything_else(void **state)
{
	static const struct step steps[] = {
		{ 1, BW_EVENT_TRIP, "mx1", "auth:jane@nhs.example", "sender", "2,001 recipients", 0, "sender auth:jane@nhs.example open" },
		{ 2, BW_EVENT_DEGRADED, "mx1", "", "", "gone", 0, "store mx1 degraded" },
		{ 3, BW_EVENT_DEGRADED, "mx2", "", "", "gone", 0, "store mx2 degraded" },
		{ 4, BW_EVENT_RECOVERED, "mx1", "", "", "back", 0, "store mx1 recovered" },
		{ 5, BW_EVENT_LIMIT, "mx1", "", "", "full", 0, "hold-queue mx1 full" },
		{ 6, BW_EVENT_ROOM, "mx1", "", "", "room", 0, "hold-queue mx1 room+" },
		{ 7, BW_EVENT_LIMIT, "mx1", "", "", "full", 0, "hold-queue mx1 full" },
		/* of orders one hears when they stop, and then when they go on or end */
		{ 10, BW_EVENT_ORDER, "mx1", "", "", "order 0123abcd to release running: by root", 0, "-" },
		{ 11, BW_EVENT_ORDER, "mx1", "", "", "order 0123abcd to release stopped: a flare-up", 0, "order 0123abcd stopped" },
		{ 12, BW_EVENT_ORDER, "mx1", "", "", "order 0123abcd to release done: released 9", 0, "order 0123abcd resumed" },
		{ 13, BW_EVENT_ORDER, "mx1", "", "", "order", 0, "-" },
		{ 14, BW_EVENT_ORDER, "mx1", "", "", "order a to b party: c", 0, "-" },
		/* what may come by the hundred is told at once, and then twice an hour with how often */
		{ 20, BW_EVENT_REFUSED, "mx1", "", "", "forged", 0, "refusal mx1 refused" },
		{ 21, BW_EVENT_REFUSED, "mx1", "", "", "forged", 0, "-" },
		{ 22, BW_EVENT_REFUSED, "mx1", "", "", "forged", 0, "-" },
		{ 1819, BW_EVENT_NONE, "", "", "", "", 0, "-" },
		{ 1820, BW_EVENT_NONE, "", "", "", "", 0, "refusal mx1 refused" },
		{ 9999, BW_EVENT_NONE, "", "", "", "", 0, "-" },
	};

	(void)state;
	play(steps, sizeof(steps) / sizeof(steps[0]));
}

static void posts_that_want_approval(void **state)
{
	static const struct {
		const char *guard;
		enum bw_held_state state;
		bool taken;
	} rows[] = {
		{ "gate", BW_HELD_WAITING, true },   { "gate", BW_HELD_WAITING, true },          { "origin", BW_HELD_WAITING, true },
		{ "gate", BW_HELD_RELEASED, false }, { "conversation", BW_HELD_WAITING, false }, { "", BW_HELD_WAITING, false },
	};
	struct incidents *t = calloc(1, sizeof(*t));
	char news[1000];

	(void)state;
	assert_non_null(t);
	for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
		const struct bw_held h = { .id = { { (uint8_t)k } }, .list = BW_S(LIST), .host = BW_S("mx1"), .guard = bw_slice_of(rows[k].guard),
			                       .state = rows[k].state, .deliveries = 100, .held_ms = T0 + (int64_t)k };

		assert_int_equal(incidents_take_held(t, &h), rows[k].taken);
	}
	assert_int_equal(t->at[0].count, 2);
	assert_int_equal(t->at[0].deliveries, 200);
	assert_int_equal(t->at[0].entry.b[0], 1);
	list_news(t, 1, true, news, sizeof(news));
	assert_string_equal(news, "approval " LIST " wanted; approval " LIST " wanted");
	free(t);
}

/* Two hosts that read the same events claim the same. */
static void claims(void **state)
{
	static const struct step trip = { 1, BW_EVENT_TRIP, "mx1", LIST, "conversation", "4th", 7, "" };
	static const struct step calm = { 9, BW_EVENT_CALM, "mx2", LIST, "conversation", "calm", 7, "" };
	static const struct step fork = { 1, BW_EVENT_TRIP, "mx1", LIST, "conversation", "4th", 8, "" };
	static const struct step again = { 99, BW_EVENT_TRIP, "mx1", LIST, "conversation", "4th", 7, "" };
	struct incidents *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_true(take(a, &trip) && take(b, &trip));
	struct bw_hash first = incident_claim(&a->at[0]), other = incident_claim(&b->at[0]);

	assert_true(bw_hash_equal(&first, &other));
	incident_set_told(&a->at[0], T0 + 5000); /* the one was told, the other waits for it: that changes nothing */
	assert_true(take(a, &calm) && take(b, &calm));
	struct bw_hash second = incident_claim(&a->at[0]);

	other = incident_claim(&b->at[0]);
	assert_true(bw_hash_equal(&second, &other));
	assert_false(bw_hash_equal(&second, &first));
	assert_true(take(a, &fork));
	other = incident_claim(&a->at[1]);
	assert_false(bw_hash_equal(&first, &other));
	assert_true(take(a, &again));
	other = incident_claim(&a->at[0]);
	assert_false(bw_hash_equal(&first, &other));
	assert_int_equal(incidents_oldest_news(a, T0 + 100000), T0 + 1000);
	free(a);
	free(b);
}

/* More than there is room for: those that are over make room, and what finds none is counted. */
static void very_many(void **state)
{
	struct incidents *t = calloc(1, sizeof(*t));
	struct step s = { 1, BW_EVENT_TRIP, "mx1", "", "list", "7th", 0, "" };
	char list[40];

	(void)state;
	assert_non_null(t);
	s.list = list;
	for (int k = 0; k < INCIDENTS_MAX + 3; k++) {
		snprintf(list, sizeof(list), "l%d@nhs.example", k);
		assert_int_equal(take(t, &s), k < INCIDENTS_MAX);
	}
	assert_int_equal(t->lost, 3);
	s.event = BW_EVENT_CLOSED;
	snprintf(list, sizeof(list), "l5@nhs.example");
	assert_true(take(t, &s));
	s.event = BW_EVENT_TRIP;
	snprintf(list, sizeof(list), "new@nhs.example");
	assert_false(take(t, &s)); /* the end of l5's is still to be told */
	incident_set_told(&t->at[5], T0 + 2000);
	assert_true(take(t, &s));
	assert_string_equal(t->at[5].name, "new@nhs.example");
	assert_int_equal(t->n, INCIDENTS_MAX);
	free(t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_storm_from_trip_to_end), cmocka_unit_test(everything_else), cmocka_unit_test(posts_that_want_approval),
		cmocka_unit_test(claims),                   cmocka_unit_test(very_many),
	};

	return cmocka_run_group_tests_name("incidents", tests, NULL, NULL);
}
