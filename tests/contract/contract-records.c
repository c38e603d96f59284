/* Heartbeats, events, the claim of the site secret. */
#include "contract.h"

#include <stdio.h>
#include <string.h>

/* --- hosts --- */

struct hosts {
	int n;
	struct bw_host_row last;
	char names[128];
};

static bool note_host(void *ctx, const struct bw_host_row *row)
{
	struct hosts *h = ctx;
	size_t at = strlen(h->names);

	h->n++;
	h->last = *row;
	snprintf(h->names + at, sizeof(h->names) - at, "%.*s ", (int)row->host.n, row->host.p);
	return true;
}

static struct hosts hosts(struct bw_store *s, int64_t since_ms)
{
	struct hosts h = { 0 };

	assert_ok(s->ops->host_each(s, since_ms, note_host, &h, &why));
	return h;
}

static void heartbeats(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_host_row row = {
		.host = BW_S("mx1"),
		.version = BW_S("0.1.0"),
		.pid = 4711,
		.seen_ms = T0,
		.settings_version = 3,
		.directory_version = 4,
		.format = 1,
		.degraded = true,
		.deliveries = 10,
		.held = 11,
		.accepted = 12,
		.started_ms = T0 - 1,
	};

	assert_ok(s->ops->heartbeat(s, &row, &why));
	struct hosts h = hosts(s, 0);

	assert_int_equal(h.n, 1);
	assert_int_equal(h.last.pid, 4711);
	assert_int_equal(h.last.seen_ms, T0);
	assert_int_equal(h.last.settings_version, 3);
	assert_int_equal(h.last.directory_version, 4);
	assert_int_equal(h.last.format, 1);
	assert_true(h.last.degraded);
	assert_int_equal(h.last.deliveries, 10);
	assert_int_equal(h.last.held, 11);
	assert_int_equal(h.last.accepted, 12);
	assert_int_equal(h.last.started_ms, T0 - 1);
	row.host = BW_S("mx2");
	row.seen_ms = T0 + 5000;
	assert_ok(s->ops->heartbeat(s, &row, &why));
	row.host = BW_S("mx1");
	row.seen_ms = T0 + 6000;
	row.settings_version = 9;
	assert_ok(s->ops->heartbeat(s, &row, &why));
	assert_string_equal(hosts(s, 0).names, "mx1 mx2 "); /* once each */
	assert_string_equal(hosts(s, T0 + 6000).names, "mx1 ");
	assert_int_equal(hosts(s, T0 + 6000).last.settings_version, 9);
	assert_int_equal(hosts(s, T0 + 6001).n, 0);
	row.host = BW_S("");
	assert_int_equal(s->ops->heartbeat(s, &row, NULL), BW_ERR_INPUT);
}

/* --- events --- */

struct events {
	int n;
	int64_t last_id;
	char texts[4096];
	struct bw_event_row first, last;
	size_t last_bytes;
};

static bool note_event(void *ctx, const struct bw_event_row *row)
{
	struct events *e = ctx;
	size_t at = strlen(e->texts);

	assert_true(row->id > e->last_id);
	if (e->n++ == 0)
		e->first = *row;
	e->last_id = row->id;
	e->last = *row;
	e->last_bytes = row->text.n;
	if (row->text.n < 16)
		snprintf(e->texts + at, sizeof(e->texts) - at, "%.*s ", (int)row->text.n, row->text.p);
	return true;
}

static struct events events(struct bw_store *s, int64_t since_ms, int64_t limit)
{
	struct events e = { 0 };

	assert_ok(s->ops->event_each(s, since_ms, limit, note_event, &e, &why));
	return e;
}

static void history(void **state)
{
	static char endless[20000];
	struct bw_store *s = STORE(state);
	struct bw_event_row row = {
		.host = BW_S("mx1"), .list = BW_S(LIST), .guard = BW_S("list"), .owner = BW_S("ops"), .event = BW_EVENT_TRIP
	};
	const struct bw_hash conversation = { { 1, 2, 3 } };
	char text[8];

	for (int i = 1; i <= 5; i++) {
		snprintf(text, sizeof(text), "e%d", i);
		row.text = bw_slice_of(text);
		row.at_ms = T0 + i;
		row.conversation = i == 5 ? conversation : (struct bw_hash){ { 0 } };
		assert_ok(s->ops->event_add(s, &row, &why));
	}
	struct events e = events(s, 0, 0);

	assert_string_equal(e.texts, "e1 e2 e3 e4 e5 ");
	assert_int_equal(e.last.event, BW_EVENT_TRIP);
	assert_int_equal(e.last.at_ms, T0 + 5);
	assert_true(bw_hash_equal(&e.last.conversation, &conversation));
	assert_false(bw_hash_equal(&e.first.conversation, &conversation));
	assert_string_equal(events(s, T0 + 3, 0).texts, "e3 e4 e5 ");
	assert_string_equal(events(s, 0, 2).texts, "e4 e5 "); /* the newest, oldest first */
	assert_string_equal(events(s, T0 + 5, 2).texts, "e5 ");
	assert_string_equal(events(s, 0, 9).texts, "e1 e2 e3 e4 e5 ");
	assert_int_equal(events(s, T0 + 6, 0).n, 0);
	/* A text without end is cut, never within a character. */
	memset(endless, 'x', sizeof(endless));
	for (size_t i = 1; i + 1 < sizeof(endless); i += 2)
		memcpy(endless + i, "\xc3\xa9", 2);
	row.text = (struct bw_slice){ endless, sizeof(endless) };
	row.at_ms = T0 + 7;
	assert_ok(s->ops->event_add(s, &row, &why));
	e = events(s, T0 + 7, 0);
	assert_int_equal(e.n, 1);
	assert_true(e.last_bytes > 1000 && e.last_bytes < sizeof(endless));
	assert_int_equal(e.last_bytes % 2, 1);
}

static void more_events_than_a_page(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_event_row row = { .text = BW_S("e"), .event = BW_EVENT_HOLD, .at_ms = T0 };

	for (int i = 0; i < 400; i++)
		assert_ok(s->ops->event_add(s, &row, &why));
	assert_int_equal(events(s, 0, 0).n, 400);
	assert_int_equal(events(s, 0, 399).n, 399);
}

/* --- claim --- */

static void one_secret_a_store(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_hash one = hash_of("one"), other = hash_of("other");
	struct bw_why why = { "" };

	assert_int_equal(s->ops->claim(s, &one, &why), BW_OK);
	assert_int_equal(s->ops->claim(s, &one, &why), BW_OK);
	assert_int_equal(s->ops->claim(s, &other, &why), BW_ERR_PERMISSION);
	assert_non_null(strstr(why.text, "secret"));
	assert_int_equal(s->ops->claim(s, &one, &why), BW_OK);
}

static void what_is_written_is_there_after_reopening(void **state)
{
	struct place *p = *state;
	struct bw_hash one = hash_of("one"), other = hash_of("other");
	struct bw_why why = { "" };

	if (!backend->shared)
		return;
	assert_int_equal(p->store->ops->claim(p->store, &one, &why), BW_OK);
	offer(p->store, T0, "root", "comms", NULL);
	offer(p->store, T0 + 1, "r1", "ann", "root");
	set_breaker(p->store, list_key(BW_SIDE_MEMBERS), BW_PHASE_HALF_OPEN, T0 + 2, T0 + HOUR);
	bw_store_close(&p->store);
	p->store = backend->open(p->dir, &why);
	assert_non_null(p->store);
	assert_int_equal(p->store->ops->claim(p->store, &other, NULL), BW_ERR_PERMISSION);
	struct bw_count_out out = offer(p->store, T0 + 3, "r2", "bob", "root");

	assert_int_equal(out.conversation_senders, 2);
	assert_int_equal(out.list_deliveries, 200);
	assert_int_equal(out.list_breaker.phase, BW_PHASE_HALF_OPEN);
	assert_int_equal(out.list_phase_senders, 1);
}

static void not_degraded(void **state)
{
	int64_t daemons = 0;

	assert_false(STORE(state)->ops->degraded(STORE(state), &daemons));
	assert_true(daemons >= 1);
	assert_false(STORE(state)->ops->degraded(STORE(state), NULL));
}

int run_records(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(heartbeats),
		TEST(history),
		TEST(more_events_than_a_page),
		TEST(one_secret_a_store),
		TEST(what_is_written_is_there_after_reopening),
		TEST(not_degraded),
	};

	return cmocka_run_group_tests_name("records", tests, NULL, NULL);
}
