/* link: bw_store Threads::Threads */
/* The shared store: the ledger that lies on its host, copies of settings and directory, and open conversations that are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bw/clock.h"
#include "shared-kit.h"

#define LIST  "all@example.org"
#define OTHER "other@example.org"

static bool is_degraded(const struct stores *s)
{
	return s->shared->ops->degraded(s->shared, NULL);
}

/* --- a storm that is known --- */

static struct bw_count_in mail(const char *list, const char *id, const char *ref)
{
	struct bw_count_in in = {
		.list = bw_slice_of(list),
		.message = hash_of(id),
		.sender = hash_of(id),
		.keys = { { BW_JOIN_MESSAGE_ID, hash_of(id) }, { BW_JOIN_REFERENCES, hash_of(ref) } },
		.key_count = ref[0] == '\0' ? 1 : 2,
		.looks_like_reply = ref[0] != '\0',
		.may_merge = true,
		.stops_when_open = true,
		.deliveries = 100,
		.conversation_window_ms = BW_HOUR_MS,
		.list_window_ms = BW_HOUR_MS,
		.memory_ms = 7 * BW_DAY_MS,
	};

	return in;
}

static struct bw_count_out offer_in(struct stores *s, const struct bw_count_in *in)
{
	struct bw_count_out out;

	assert_int_equal(s->shared->ops->count(s->shared, in, &out, 1, NULL), BW_OK);
	return out;
}

static struct bw_count_out offer(struct stores *s, const char *list, const char *id, const char *ref)
{
	struct bw_count_in in = mail(list, id, ref);

	return offer_in(s, &in);
}

static struct bw_breaker_key key_of(const char *list, struct bw_hash conversation)
{
	return (struct bw_breaker_key){ .scope = BW_SCOPE_CONVERSATION, .list = bw_slice_of(list), .conversation = conversation };
}

static void set(struct bw_store *s, const char *list, struct bw_hash conversation, enum bw_phase phase)
{
	struct bw_breaker_key key = key_of(list, conversation);
	struct bw_breaker b;
	int64_t now_ms;

	assert_int_equal(s->ops->breaker_get(s, &key, &b, NULL), BW_OK);
	assert_int_equal(s->ops->now(s, &now_ms, NULL), BW_OK);
	b.phase = phase;
	b.since_ms = now_ms;
	b.until_ms = phase == BW_PHASE_OPEN ? now_ms + BW_HOUR_MS : 0;
	assert_int_equal(s->ops->breaker_cas(s, &key, &b, NULL), BW_OK);
}

/* A root and a reply on `list`, then its breaker trips, and one more reply tells of it. */
static struct bw_hash trip(struct stores *s, const char *list, const char *root)
{
	char first[40], second[40];

	snprintf(first, sizeof(first), "%s-1", root);
	snprintf(second, sizeof(second), "%s-2", root);
	struct bw_hash id = offer(s, list, root, "").conversation;

	offer(s, list, first, root);
	set(s->primary, list, id, BW_PHASE_OPEN);
	assert_int_equal(offer(s, list, second, root).conversation_breaker.phase, BW_PHASE_OPEN);
	return id;
}

/* Does the next reply ask the primary? It is made to fail for that one call: who asks is degraded then. */
static bool asks(struct stores *s, const struct bw_count_in *in)
{
	struct bw_count_out out;

	bw_store_faulty_set(s->faulty, true, 0);
	assert_int_equal(s->shared->ops->count(s->shared, in, &out, 1, NULL), BW_OK);
	bool asked = is_degraded(s);

	bw_store_faulty_set(s->faulty, false, 0);
	assert_true(bw_store_guarded_probe(s->shared));
	return asked;
}

static void an_open_conversation_is_known(void **state)
{
	struct stores *s = *state;
	struct bw_hash id = trip(s, LIST, "root");
	struct bw_count_in in = mail(LIST, "known", "root");

	bw_store_faulty_set(s->faulty, true, 0);
	struct bw_count_out out = offer_in(s, &in);

	assert_false(is_degraded(s));
	assert_true(out.joined);
	assert_false(out.provisional);
	assert_true(bw_hash_equal(&out.conversation, &id));
	assert_int_equal(out.conversation_breaker.phase, BW_PHASE_OPEN);
}

static void poster(struct bw_count_in *in)
{
	in->poster = true;
}

static void passes_when_open(struct bw_count_in *in)
{
	in->stops_when_open = false;
}

static void peeks(struct bw_count_in *in)
{
	in->peek = true;
}

static void again(struct bw_count_in *in)
{
	in->again = true;
}

static void outside(struct bw_count_in *in)
{
	in->side = BW_SIDE_OUTSIDE;
}

static void elsewhere(struct bw_count_in *in)
{
	in->list = BW_S(OTHER);
}

static void unknown_reference(struct bw_count_in *in)
{
	in->keys[1].hash = hash_of("somebody else's");
}

static void by_subject(struct bw_count_in *in)
{
	in->keys[1].kind = BW_JOIN_SUBJECT;
}

static void passed_before(struct bw_count_in *in)
{
	in->message = hash_of("root-1");
}

static void what_is_asked(void **state)
{
	static const struct {
		const char *name;
		void (*change)(struct bw_count_in *in);
	} rows[] = {
		{ "a poster", poster },
		{ "a guard that lets pass", passes_when_open },
		{ "a look", peeks },
		{ "a second look", again },
		{ "mail from outside", outside },
		{ "another list", elsewhere },
		{ "a reference that is not known", unknown_reference },
		{ "a subject alone", by_subject },
		{ "a message that passed before: perhaps a lost 250", passed_before },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stores *s;

		assert_int_equal(setup(state), 0);
		s = *state;
		trip(s, LIST, "root");
		struct bw_count_in in = mail(LIST, "next", "root");

		rows[i].change(&in);
		if (!asks(s, &in))
			fail_msg("%s: not asked", rows[i].name);
		teardown(state);
	}
	*state = NULL;
}

static void attempts_are_told(void **state)
{
	struct stores *s = *state;
	struct bw_count_in peek = mail(LIST, "peek", "root");
	char id[32];

	trip(s, LIST, "root");
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "r%d", i);
		offer(s, LIST, id, "root");
	}
	offer(s, LIST, "r5", "root"); /* a retry: the same attempt */
	peek.peek = true;
	bw_store_shared_look(s->shared);
	assert_int_equal(offer_in(s, &peek).conversation_senders, 100 + 2 + 1);
}

static void an_operators_change_acts(void **state)
{
	struct stores *s = *state;
	struct bw_hash id = trip(s, LIST, "root");
	struct bw_count_in in = mail(LIST, "next", "root"), last = mail(LIST, "last", "root");

	assert_false(asks(s, &in));
	/* The probe in asks() has forgotten nothing; here the breaker is closed elsewhere. */
	set(s->primary, LIST, id, BW_PHASE_CLOSED);
	bw_store_shared_look(s->shared);
	struct timespec second = { 1, 100000000 };

	nanosleep(&second, NULL);
	assert_true(asks(s, &last));
}

static void one_that_is_closed_here_is_forgotten_at_once(void **state)
{
	struct stores *s = *state;
	struct bw_hash id = trip(s, LIST, "root");
	struct bw_count_in in = mail(LIST, "next", "root");

	set(s->shared, LIST, id, BW_PHASE_CLOSED);
	assert_true(asks(s, &in));
}

/* The list's breaker trips in mid-storm, by a message whose counts were read before: the next reply knows of it. */
static void a_list_that_trips_here_is_known(void **state)
{
	struct stores *s = *state;
	struct bw_breaker_key key = { .scope = BW_SCOPE_LIST, .list = BW_S(LIST) };
	struct bw_breaker b = { .phase = BW_PHASE_OPEN, .until_ms = INT64_C(4102444800000) };

	trip(s, LIST, "root");
	assert_int_equal(s->shared->ops->breaker_cas(s->shared, &key, &b, NULL), BW_OK);
	bw_store_faulty_set(s->faulty, true, 0);
	struct bw_count_out out = offer(s, LIST, "next", "root");

	assert_false(is_degraded(s));
	assert_int_equal(out.list_breaker.phase, BW_PHASE_OPEN);
	assert_int_equal(out.list_breaker.version, 1);
}

/* More conversations than there is room for: keys of who had to go lead nowhere. */
static void many_conversations(void **state)
{
	struct stores *s = *state;
	char root[32];

	trip(s, LIST, "root");
	for (int i = 0; i < 200; i++) {
		snprintf(root, sizeof(root), "more-%d", i);
		trip(s, LIST, root);
	}
	struct bw_count_in in = mail(LIST, "next", "root");

	assert_true(asks(s, &in));
}

/* --- settings and directory --- */

static void put_setting(struct bw_store *s, const char *name, const char *value)
{
	struct bw_setting_row row = { .name = bw_slice_of(name), .value = bw_slice_of(value), .owner = BW_S("alice") };

	assert_int_equal(s->ops->setting_put(s, &row, NULL, NULL), BW_OK);
}

static void put_list(struct bw_store *s, const char *address, int64_t size)
{
	struct bw_list_row row = { .address = bw_slice_of(address), .size = size };

	assert_int_equal(s->ops->list_put(s, &row, NULL, NULL), BW_OK);
}

static bool add_setting(void *ctx, const struct bw_setting_row *row)
{
	char *text = ctx;

	snprintf(text + strlen(text), 200 - strlen(text), "%.*s=%.*s ", (int)row->name.n, row->name.p, (int)row->value.n, row->value.p);
	return true;
}

static bool add_list(void *ctx, const struct bw_list_row *row)
{
	char *text = ctx;

	snprintf(text + strlen(text), 200 - strlen(text), "%.*s:%lld ", (int)row->address.n, row->address.p, (long long)row->size);
	return true;
}

static void expect_both(struct bw_store *s, const char *settings, const char *lists)
{
	char text[200] = "";

	assert_int_equal(s->ops->setting_each(s, false, add_setting, text, NULL), BW_OK);
	assert_string_equal(text, settings);
	text[0] = '\0';
	assert_int_equal(s->ops->list_each(s, 0, add_list, text, NULL), BW_OK);
	assert_string_equal(text, lists);
}

static void copies_follow(void **state)
{
	struct stores *s = *state;

	put_setting(s->primary, "mode", "enforce");
	put_setting(s->primary, "gate.fanout", "5");
	put_list(s->primary, LIST, 10);
	bw_store_shared_copy(s->shared, -1, NULL);
	expect_both(s->local, "mode=enforce gate.fanout=5 ", LIST ":10 ");
	put_setting(s->primary, "gate.fanout", "");
	put_list(s->primary, LIST, 11);
	put_list(s->primary, OTHER, 1);
	bw_store_shared_copy(s->shared, -1, NULL);
	expect_both(s->local, "mode=enforce ", LIST ":11 " OTHER ":1 ");
	/* While it is away they are what there is. */
	bw_store_faulty_set(s->faulty, true, 0);
	int64_t a, b;

	assert_int_equal(s->shared->ops->versions(s->shared, &a, &b, NULL), BW_OK);
	assert_true(is_degraded(s));
	expect_both(s->shared, "mode=enforce ", LIST ":11 " OTHER ":1 ");
}

/* What it has stays, even where the copies say something else. */
static void a_primary_that_has_something_is_not_overwritten(void **state)
{
	struct stores *s = *state;
	const struct bw_hash secret = hash_of("secret");
	int64_t settings, directory;

	assert_int_equal(s->shared->ops->claim(s->shared, &secret, NULL), BW_OK);
	put_setting(s->local, "mode", "enforce");
	put_list(s->local, LIST, 10);
	put_setting(s->primary, "mode", "shadow");
	put_list(s->primary, LIST, 99);
	assert_int_equal(s->shared->ops->versions(s->shared, &settings, &directory, NULL), BW_OK);
	expect_both(s->primary, "mode=shadow ", LIST ":99 ");
	bw_store_shared_copy(s->shared, -1, NULL);
	expect_both(s->local, "mode=shadow ", LIST ":99 ");
}

/* --- ledger --- */

static bool count_held(void *ctx, const struct bw_held *row)
{
	*(int *)ctx += 1 + 100 * (row->state == BW_HELD_RELEASED);
	return true;
}

/* How many; each that is released counts 101. */
static int held_in(struct bw_store *s)
{
	struct bw_held_query all = { .limit = 0 };
	int n = 0;

	assert_int_equal(s->ops->held_each(s, &all, count_held, &n, NULL), BW_OK);
	return n;
}

static void hold(struct bw_store *s, const char *id)
{
	struct bw_held h = { .id = hash_of(id), .host = BW_S("mx1"), .queue_id = BW_S("Q"), .mta = BW_S("postfix"), .list = BW_S(LIST),
		                 .message = hash_of(id) };

	assert_int_equal(s->ops->held_put(s, &h, NULL), BW_OK);
}

static void the_ledger_is_local_and_copied(void **state)
{
	struct stores *s = *state;
	struct bw_hash id = hash_of("h1");

	hold(s->shared, "h1");
	assert_int_equal(held_in(s->local), 1);
	assert_int_equal(held_in(s->primary), 0);
	bw_store_shared_copy(s->shared, -1, NULL);
	assert_int_equal(held_in(s->primary), 1);
	assert_int_equal(s->shared->ops->held_move(s->shared, &id, BW_HELD_WAITING, BW_HELD_RELEASED, 0, BW_S("ops"), NULL), BW_OK);
	assert_int_equal(held_in(s->local), 101);
	assert_int_equal(held_in(s->primary), 101);
	/* Another host's. */
	hold(s->primary, "h2");
	id = hash_of("h2");
	assert_int_equal(s->shared->ops->held_move(s->shared, &id, BW_HELD_WAITING, BW_HELD_RELEASED, 0, BW_S("ops"), NULL), BW_OK);
	assert_int_equal(held_in(s->primary), 202);
	assert_int_equal(held_in(s->shared), 202);
}

/* A primary without anything is filled from the copies, once; by a daemon, which has a ledger to bring back as well, not by a command. */
static void an_empty_primary_is_filled(void **state)
{
	struct stores *s = *state;
	const struct bw_hash secret = hash_of("secret");
	int64_t settings, directory;

	put_setting(s->local, "mode", "enforce");
	put_list(s->local, LIST, 10);
	hold(s->local, "a");
	assert_int_equal(s->shared->ops->versions(s->shared, &settings, &directory, NULL), BW_OK);
	assert_true(settings == 0 && directory == 0);
	assert_int_equal(s->shared->ops->claim(s->shared, &secret, NULL), BW_OK);
	assert_int_equal(s->shared->ops->versions(s->shared, &settings, &directory, NULL), BW_OK);
	assert_true(settings > 0 && directory > 0);
	expect_both(s->primary, "mode=enforce ", LIST ":10 ");
	assert_int_equal(held_in(s->primary), 0);
	bw_store_shared_copy(s->shared, -1, NULL);
	assert_int_equal(held_in(s->primary), 1);
}

static void what_was_held_meanwhile_is_copied_afterwards(void **state)
{
	struct stores *s = *state;
	struct bw_hash id = hash_of("h1");

	hold(s->shared, "h1");
	bw_store_shared_copy(s->shared, -1, NULL);
	bw_store_faulty_set(s->faulty, true, 0);
	hold(s->shared, "h2");
	assert_int_equal(s->shared->ops->held_move(s->shared, &id, BW_HELD_WAITING, BW_HELD_RELEASED, 0, BW_S("ops"), NULL), BW_OK);
	assert_int_equal(held_in(s->shared), 102);
	assert_true(is_degraded(s));
	bw_store_faulty_set(s->faulty, false, 0);
	assert_true(bw_store_guarded_probe(s->shared));
	bw_store_shared_copy(s->shared, -1, NULL);
	assert_int_equal(held_in(s->primary), 102);
}

/* More than is kept one by one: nothing is missing. */
static void many_are_held_at_once(void **state)
{
	struct stores *s = *state;
	char id[32];

	for (int i = 0; i < 5000; i++) {
		snprintf(id, sizeof(id), "h%d", i);
		hold(s->shared, id);
	}
	bw_store_shared_copy(s->shared, -1, NULL);
	assert_int_equal(held_in(s->primary), 5000);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(an_open_conversation_is_known),
		cmocka_unit_test(what_is_asked),
		TEST(attempts_are_told),
		TEST(an_operators_change_acts),
		TEST(one_that_is_closed_here_is_forgotten_at_once),
		TEST(a_list_that_trips_here_is_known),
		TEST(many_conversations),
		TEST(copies_follow),
		TEST(an_empty_primary_is_filled),
		TEST(a_primary_that_has_something_is_not_overwritten),
		TEST(the_ledger_is_local_and_copied),
		TEST(what_was_held_meanwhile_is_copied_afterwards),
		TEST(many_are_held_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
