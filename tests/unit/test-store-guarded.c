/* link: bw_store Threads::Threads */
/* The guarded store: from the primary to the fallback and back, and what goes back with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bw/clock.h"
#include "bw/store-guarded.h"

#define T0   INT64_C(4102444800000)
#define LIST "all@example.org"

struct stores {
	struct bw_store *primary, *fallback; /* inside of the others; not to be closed */
	struct bw_store *faulty, *guarded;
};

static int setup(void **state)
{
	struct stores *s = calloc(1, sizeof(*s));

	if (s == NULL || bw_store_sqlite_open(":memory:", 1000, &s->primary, NULL) != BW_OK ||
	    bw_store_sqlite_open(":memory:", 1000, &s->fallback, NULL) != BW_OK)
		return -1;
	s->faulty = bw_store_faulty_new(s->primary, 50);
	*state = s;
	return s->faulty == NULL ? -1 : bw_store_guarded_new(s->faulty, s->fallback, &s->guarded, NULL) != BW_OK;
}

static int teardown(void **state)
{
	struct stores *s = *state;

	bw_store_close(&s->guarded);
	free(s);
	return 0;
}

static struct bw_hash hash_of(const char *text)
{
	static const struct bw_key key = { { 1 } };

	return bw_hash_slice(&key, "guarded", bw_slice_of(text));
}

static struct bw_count_in mail(int64_t now_ms, const char *id, const char *ref)
{
	struct bw_count_in in = {
		.now_ms = now_ms,
		.list = BW_S(LIST),
		.message = hash_of(id),
		.sender = hash_of(id),
		.keys = { { BW_JOIN_MESSAGE_ID, hash_of(id) }, { BW_JOIN_REFERENCES, hash_of(ref) } },
		.key_count = ref[0] == '\0' ? 1 : 2,
		.looks_like_reply = ref[0] != '\0',
		.may_merge = true,
		.deliveries = 100,
		.conversation_window_ms = BW_HOUR_MS,
		.list_window_ms = BW_HOUR_MS,
		.memory_ms = 7 * BW_DAY_MS,
	};

	return in;
}

static struct bw_count_out offer(struct bw_store *s, int64_t now_ms, const char *id, const char *ref)
{
	struct bw_count_in in = mail(now_ms, id, ref);
	struct bw_count_out out;

	assert_int_equal(s->ops->count(s, &in, &out, 1, NULL), BW_OK);
	return out;
}

static struct bw_breaker_key list_key(enum bw_side side)
{
	return (struct bw_breaker_key){ .scope = BW_SCOPE_LIST, .side = side, .list = BW_S(LIST) };
}

static struct bw_breaker_key conversation_key(struct bw_hash id)
{
	return (struct bw_breaker_key){ .scope = BW_SCOPE_CONVERSATION, .list = BW_S(LIST), .conversation = id };
}

static struct bw_breaker get(struct bw_store *s, struct bw_breaker_key key)
{
	struct bw_breaker b;

	assert_int_equal(s->ops->breaker_get(s, &key, &b, NULL), BW_OK);
	return b;
}

static void set(struct bw_store *s, struct bw_breaker_key key, enum bw_phase phase, int64_t until_ms)
{
	struct bw_breaker b = get(s, key);

	b.phase = phase;
	b.since_ms = T0;
	b.until_ms = until_ms;
	assert_int_equal(s->ops->breaker_cas(s, &key, &b, NULL), BW_OK);
}

static bool is_degraded(struct bw_store *s, int64_t *daemons)
{
	return s->ops->degraded(s, daemons);
}

/* --- there and back --- */

static void a_failure_moves_to_the_fallback_and_stays(void **state)
{
	struct stores *s = *state;
	int64_t daemons = 0;

	offer(s->guarded, T0, "root", "");
	assert_false(is_degraded(s->guarded, &daemons));
	bw_store_faulty_set(s->faulty, true, 0);
	/* The very call that fails is answered. */
	assert_false(offer(s->guarded, T0 + 1, "r1", "root").joined);
	assert_true(is_degraded(s->guarded, &daemons));
	assert_int_equal(daemons, 1);
	/* Back, but nobody has looked: messages do not try. */
	bw_store_faulty_set(s->faulty, false, 0);
	assert_true(offer(s->guarded, T0 + 2, "r2", "root").joined); /* the fallback knows r1's conversation by now */
	assert_true(is_degraded(s->guarded, NULL));
	assert_true(bw_store_guarded_probe(s->guarded));
	assert_false(is_degraded(s->guarded, NULL));
	/* What the fallback counted stays there: numbers are exact again from here. */
	assert_int_equal(offer(s->guarded, T0 + 4, "r3", "root").conversation_senders, 1);
}

static bool count_event(void *ctx, const struct bw_event_row *row)
{
	int *n = ctx;

	(void)row;
	++*n;
	return true;
}

/* Beside a daemon that merges, another process on the same fallback finds the way back, and takes nothing with it. */
static void one_that_follows_merges_nothing(void **state)
{
	const struct bw_event_row event = { .event = BW_EVENT_TRIP, .list = BW_S(LIST), .at_ms = T0 + 2 };
	const struct bw_breaker_key key = { .list = BW_S(LIST), .scope = BW_SCOPE_LIST };
	struct stores *s = *state;
	int n = 0;

	bw_store_guarded_follow(s->guarded);
	bw_store_faulty_set(s->faulty, true, 0);
	offer(s->guarded, T0 + 1, "r1", "root");
	assert_true(is_degraded(s->guarded, NULL));
	set(s->guarded, key, BW_PHASE_OPEN, T0 + BW_HOUR_MS);
	assert_int_equal(s->guarded->ops->event_add(s->guarded, &event, NULL), BW_OK);
	assert_false(bw_store_guarded_probe(s->guarded));
	bw_store_faulty_set(s->faulty, false, 0);
	assert_true(bw_store_guarded_probe(s->guarded));
	assert_false(is_degraded(s->guarded, NULL));
	assert_int_equal(s->primary->ops->event_each(s->primary, 0, 0, count_event, &n, NULL), BW_OK);
	assert_int_equal(n, 0);
	assert_int_equal(get(s->primary, key).phase, BW_PHASE_CLOSED);
	assert_int_equal(get(s->fallback, key).phase, BW_PHASE_OPEN); /* still there for who merges */
}

/* How many were redirected only the primary knows: never so many a host. */
static void nobody_redirects_alone(void **state)
{
	struct stores *s = *state;
	struct bw_redirect_in in = { .now_ms = T0 + 1,
		                         .list = BW_S(LIST),
		                         .conversation = offer(s->guarded, T0, "root", "").conversation,
		                         .message = hash_of("r1"),
		                         .limit = 2,
		                         .memory_ms = 7 * BW_DAY_MS };
	struct bw_redirect_out out = { .ordinal = 42 };
	struct bw_why why = { "" };

	bw_store_faulty_set(s->faulty, true, 0);
	assert_int_equal(s->guarded->ops->redirect(s->guarded, &in, &out, 1, &why), BW_ERR_STORE);
	assert_true(is_degraded(s->guarded, NULL));
	offer(s->guarded, T0 + 1, "root", "");
	assert_int_equal(s->guarded->ops->redirect(s->guarded, &in, &out, 1, &why), BW_ERR_STORE);
	assert_non_null(strstr(why.text, "redirected"));
	assert_int_equal(out.ordinal, 42);
	bw_store_faulty_set(s->faulty, false, 0);
	assert_true(bw_store_guarded_probe(s->guarded));
	assert_int_equal(s->guarded->ops->redirect(s->guarded, &in, &out, 1, &why), BW_OK);
	assert_int_equal(out.ordinal, 1);
}

static void a_probe_of_what_is_down(void **state)
{
	struct stores *s = *state;

	assert_true(bw_store_guarded_probe(s->guarded)); /* nothing to do */
	bw_store_faulty_set(s->faulty, true, 0);
	assert_true(bw_store_guarded_probe(s->guarded)); /* no call has failed so far */
	offer(s->guarded, T0, "m", "");
	assert_false(bw_store_guarded_probe(s->guarded));
	assert_true(is_degraded(s->guarded, NULL));
}

static void late_is_failed(void **state)
{
	struct stores *s = *state;
	struct bw_why why = { "" };
	int64_t now_ms;

	bw_store_faulty_set(s->faulty, false, 50);
	offer(s->guarded, T0, "m1", "");
	assert_false(is_degraded(s->guarded, NULL));
	bw_store_faulty_set(s->faulty, false, 51);
	assert_int_equal(s->faulty->ops->now(s->faulty, &now_ms, &why), BW_ERR_STORE);
	assert_non_null(strstr(why.text, "50 ms"));
	offer(s->guarded, T0, "m2", "");
	assert_true(is_degraded(s->guarded, NULL));
}

/* An answer that is no, is an answer. */
static void refusals_do_not_degrade(void **state)
{
	struct stores *s = *state;
	struct bw_breaker_key key = list_key(BW_SIDE_MEMBERS);
	struct bw_breaker b = { .version = 5 };
	struct bw_hash one = hash_of("one"), other = hash_of("other");
	struct bw_count_in nonsense = { .now_ms = T0 };
	struct bw_count_out out;

	assert_int_equal(s->guarded->ops->breaker_cas(s->guarded, &key, &b, NULL), BW_ERR_CONFLICT);
	assert_int_equal(s->guarded->ops->held_move(s->guarded, &one, BW_HELD_WAITING, BW_HELD_LOST, T0, BW_S("x"), NULL),
	                 BW_ERR_NOT_FOUND);
	assert_int_equal(s->guarded->ops->claim(s->guarded, &one, NULL), BW_OK);
	assert_int_equal(s->guarded->ops->claim(s->guarded, &other, NULL), BW_ERR_PERMISSION);
	assert_int_equal(s->guarded->ops->count(s->guarded, &nonsense, &out, 1, NULL), BW_ERR_INPUT);
	assert_false(is_degraded(s->guarded, NULL));
}

static bool never(void *ctx, const struct bw_setting_row *row)
{
	(void)ctx;
	(void)row;
	fail_msg("a setting from the fallback");
	return false;
}

/* The fallback knows neither: answered from there, a daemon would drop every threshold and every list. */
static void settings_and_directory_stay(void **state)
{
	struct stores *s = *state;
	struct bw_setting_row row = { .name = BW_S("mode"), .value = BW_S("enforce"), .set_ms = T0 };
	struct bw_list_row list = { .address = BW_S(LIST), .size = 5 };
	struct bw_why why = { "" };
	int64_t a = -7, b = -7;

	assert_int_equal(s->guarded->ops->setting_put(s->guarded, &row, NULL, NULL), BW_OK);
	bw_store_faulty_set(s->faulty, true, 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(s->guarded->ops->versions(s->guarded, &a, &b, &why), BW_ERR_STORE);
		assert_true(why.text[0] != '\0');
		assert_true(a == -7 && b == -7);
		assert_int_equal(s->guarded->ops->setting_put(s->guarded, &row, &a, NULL), BW_ERR_STORE);
		assert_int_equal(s->guarded->ops->setting_each(s->guarded, false, never, NULL, NULL), BW_ERR_STORE);
		assert_int_equal(s->guarded->ops->list_put(s->guarded, &list, &a, NULL), BW_ERR_STORE);
		assert_true(is_degraded(s->guarded, NULL));
	}
	bw_store_faulty_set(s->faulty, false, 0);
	assert_true(bw_store_guarded_probe(s->guarded));
	assert_int_equal(s->guarded->ops->versions(s->guarded, &a, &b, NULL), BW_OK);
	assert_true(a == 1 && b == 0);
}

static void known_daemons_are_those_last_seen(void **state)
{
	static const char *const names[] = { "mx1", "mx2", "mx3" };
	struct stores *s = *state;
	struct bw_host_row row = { .pid = 1 };
	int64_t daemons = 0;

	for (int i = 0; i < 3; i++) {
		row.host = bw_slice_of(names[i]);
		row.seen_ms = T0 + (i == 0 ? -60000 : i); /* mx1 has been silent for a minute */
		assert_int_equal(s->guarded->ops->heartbeat(s->guarded, &row, NULL), BW_OK);
	}
	bw_store_faulty_set(s->faulty, true, 0);
	offer(s->guarded, T0, "m", "");
	assert_true(is_degraded(s->guarded, &daemons));
	assert_int_equal(daemons, 2);
	/* Heartbeats to the fallback say nothing about the others. */
	assert_int_equal(s->guarded->ops->heartbeat(s->guarded, &row, NULL), BW_OK);
	is_degraded(s->guarded, &daemons);
	assert_int_equal(daemons, 2);
}

/* --- what goes back --- */

static void outage(struct stores *s)
{
	bw_store_faulty_set(s->faulty, true, 0);
	offer(s->guarded, T0 + 10, "during", "");
	assert_true(is_degraded(s->guarded, NULL));
}

static void recovery(struct stores *s)
{
	bw_store_faulty_set(s->faulty, false, 0);
	assert_true(bw_store_guarded_probe(s->guarded));
	assert_false(is_degraded(s->guarded, NULL));
}

static void open_breakers_go_back(void **state)
{
	struct stores *s = *state;

	set(s->guarded, list_key(BW_SIDE_OUTSIDE), BW_PHASE_OPEN, T0 + BW_DAY_MS);
	outage(s);
	set(s->guarded, list_key(BW_SIDE_MEMBERS), BW_PHASE_OPEN, T0 + BW_HOUR_MS);
	set(s->guarded, list_key(BW_SIDE_OUTSIDE), BW_PHASE_HALF_OPEN, T0 + BW_HOUR_MS);
	recovery(s);
	assert_int_equal(get(s->primary, list_key(BW_SIDE_MEMBERS)).phase, BW_PHASE_OPEN);
	assert_int_equal(get(s->primary, list_key(BW_SIDE_MEMBERS)).until_ms, T0 + BW_HOUR_MS);
	/* The less closed wins: the primary's own is open still. */
	assert_int_equal(get(s->primary, list_key(BW_SIDE_OUTSIDE)).phase, BW_PHASE_OPEN);
	assert_int_equal(get(s->primary, list_key(BW_SIDE_OUTSIDE)).until_ms, T0 + BW_DAY_MS);
}

/* Of two that are open the one that stays so longer; of two forced open the operator's later word. */
static void of_two_open_ones_the_longer_stays(void **state)
{
	struct stores *s = *state;
	struct bw_breaker forced = { .override_state = BW_OVERRIDE_FORCED_OPEN, .override_until_ms = T0 + BW_HOUR_MS };
	struct bw_breaker_key key = list_key(BW_SIDE_OUTSIDE);

	set(s->guarded, list_key(BW_SIDE_MEMBERS), BW_PHASE_OPEN, T0 + BW_HOUR_MS);
	assert_int_equal(s->guarded->ops->breaker_cas(s->guarded, &key, &forced, NULL), BW_OK);
	outage(s);
	set(s->guarded, list_key(BW_SIDE_MEMBERS), BW_PHASE_OPEN, T0 + BW_DAY_MS);
	forced.override_until_ms = T0 + BW_DAY_MS;
	assert_int_equal(s->guarded->ops->breaker_cas(s->guarded, &key, &forced, NULL), BW_OK);
	recovery(s);
	assert_int_equal(get(s->primary, list_key(BW_SIDE_MEMBERS)).until_ms, T0 + BW_DAY_MS);
	assert_int_equal(get(s->primary, key).override_until_ms, T0 + BW_DAY_MS);
}

/* What was closed since is not opened by the next outage, which brings none of the last one's. */
static void an_outage_is_merged_once(void **state)
{
	struct stores *s = *state;

	outage(s);
	set(s->guarded, list_key(BW_SIDE_MEMBERS), BW_PHASE_OPEN, T0 + BW_HOUR_MS);
	recovery(s);
	set(s->guarded, list_key(BW_SIDE_MEMBERS), BW_PHASE_CLOSED, 0);
	bw_store_faulty_set(s->faulty, true, 0);
	struct bw_count_out out = offer(s->guarded, T0 + 30, "again", "");

	assert_int_equal(out.list_breaker.phase, BW_PHASE_CLOSED);
	recovery(s);
	assert_int_equal(get(s->primary, list_key(BW_SIDE_MEMBERS)).phase, BW_PHASE_CLOSED);
}

/* The storm began before the outage: the conversation has one id in both stores, so what tripped alone stops everywhere. */
static void a_storm_across_the_outage(void **state)
{
	struct stores *s = *state;
	struct bw_hash root = offer(s->guarded, T0, "root", "").conversation;

	offer(s->guarded, T0 + 1, "r1", "root");
	outage(s);
	offer(s->guarded, T0 + 11, "r2", "root");
	struct bw_count_out out = offer(s->guarded, T0 + 12, "r3", "root");

	assert_true(out.joined);
	assert_true(bw_hash_equal(&out.conversation, &root));
	set(s->guarded, conversation_key(out.conversation), BW_PHASE_OPEN, T0 + BW_HOUR_MS);
	recovery(s);
	out = offer(s->guarded, T0 + 21, "r4", "r1");
	assert_true(bw_hash_equal(&out.conversation, &root));
	assert_int_equal(out.conversation_breaker.phase, BW_PHASE_OPEN);
	assert_false(out.provisional);
}

/* A conversation that only the fallback met. */
static void a_storm_within_the_outage(void **state)
{
	struct stores *s = *state;
	struct bw_hash conversation;

	outage(s);
	conversation = offer(s->guarded, T0 + 11, "new root", "").conversation;
	set(s->guarded, conversation_key(conversation), BW_PHASE_OPEN, T0 + BW_HOUR_MS);
	recovery(s);
	struct bw_count_out out = offer(s->guarded, 0, "reply", "new root");

	assert_true(out.joined);
	assert_int_equal(out.conversation_breaker.phase, BW_PHASE_OPEN);
}

struct ledger {
	int n;
	enum bw_held_state states[16];
};

static bool note_held(void *ctx, const struct bw_held *row)
{
	struct ledger *l = ctx;

	l->states[l->n++ % 16] = row->state;
	return true;
}

static struct ledger ledger(struct bw_store *s)
{
	struct bw_held_query all = { .limit = 0 };
	struct ledger l = { 0 };

	assert_int_equal(s->ops->held_each(s, &all, note_held, &l, NULL), BW_OK);
	return l;
}

static void hold(struct bw_store *s, const char *id, int64_t held_ms)
{
	struct bw_held held = { .id = hash_of(id), .message = hash_of(id), .list = BW_S(LIST), .held_ms = held_ms, .deliveries = 7 };

	assert_int_equal(s->ops->held_put(s, &held, NULL), BW_OK);
}

static void ledger_entries_go_back(void **state)
{
	struct stores *s = *state;
	struct bw_hash before = hash_of("before"), released = hash_of("h2"), held = hash_of("h1");

	hold(s->guarded, "before", T0);
	outage(s);
	hold(s->guarded, "h1", T0 + 11);
	hold(s->guarded, "h2", T0 + 12);
	assert_int_equal(
		s->guarded->ops->held_move(s->guarded, &released, BW_HELD_WAITING, BW_HELD_RELEASED, T0 + 13, BW_S("ops"), NULL), BW_OK);
	assert_int_equal(
		s->guarded->ops->held_move(s->guarded, &before, BW_HELD_WAITING, BW_HELD_RELEASED, T0 + 13, BW_S("ops"), NULL),
		BW_ERR_NOT_FOUND);
	recovery(s);
	struct ledger l = ledger(s->primary);

	assert_int_equal(l.n, 3);
	assert_int_equal(l.states[0], BW_HELD_WAITING);
	assert_int_equal(l.states[1], BW_HELD_WAITING);
	assert_int_equal(l.states[2], BW_HELD_RELEASED);
	/* Gone its own way since: a second outage does not bring it back to waiting. */
	assert_int_equal(s->guarded->ops->held_move(s->guarded, &held, BW_HELD_WAITING, BW_HELD_DELETED, T0 + 14, BW_S("ops"), NULL),
	                 BW_OK);
	outage(s);
	recovery(s);
	l = ledger(s->primary);
	assert_int_equal(l.n, 3);
	assert_int_equal(l.states[1], BW_HELD_DELETED);
}

/* A primary that is still away: nothing lost, merged the next time. */
static void what_could_not_go_back_goes_later(void **state)
{
	struct stores *s = *state;

	outage(s);
	hold(s->guarded, "h1", T0 + 11);
	assert_false(bw_store_guarded_probe(s->guarded));
	assert_int_equal(ledger(s->primary).n, 0);
	recovery(s);
	assert_int_equal(ledger(s->primary).n, 1);
}

/* --- threads --- */

struct hammer {
	struct stores *s;
	_Atomic int failed;
	_Atomic bool stop;
	int index;
};

static void *hammer(void *arg)
{
	struct hammer *h = arg;
	static _Atomic int next;

	for (int i = 0; i < 200; i++) {
		char id[32];
		struct bw_count_out out;

		snprintf(id, sizeof(id), "h%d", atomic_fetch_add(&next, 1));
		struct bw_count_in in = mail(T0 + i, id, "");

		if (h->s->guarded->ops->count(h->s->guarded, &in, &out, 1, NULL) != BW_OK)
			atomic_fetch_add(&h->failed, 1);
	}
	return NULL;
}

static void *flicker(void *arg)
{
	struct hammer *h = arg;

	while (!atomic_load(&h->stop)) {
		bw_store_faulty_set(h->s->faulty, true, 0);
		bw_store_guarded_probe(h->s->guarded);
		bw_store_faulty_set(h->s->faulty, false, 0);
		bw_store_guarded_probe(h->s->guarded);
	}
	return NULL;
}

static void every_message_is_answered_while_it_flickers(void **state)
{
	struct hammer h = { .s = *state };
	pthread_t threads[4], other;

	assert_int_equal(pthread_create(&other, NULL, flicker, &h), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, &h), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&h.stop, true);
	pthread_join(other, NULL);
	assert_int_equal(atomic_load(&h.failed), 0);
	assert_true(bw_store_guarded_probe(h.s->guarded));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_failure_moves_to_the_fallback_and_stays),
		TEST(nobody_redirects_alone),
		TEST(a_probe_of_what_is_down),
		TEST(late_is_failed),
		TEST(refusals_do_not_degrade),
		TEST(settings_and_directory_stay),
		TEST(known_daemons_are_those_last_seen),
		TEST(open_breakers_go_back),
		TEST(of_two_open_ones_the_longer_stays),
		TEST(an_outage_is_merged_once),
		TEST(one_that_follows_merges_nothing),
		TEST(a_storm_across_the_outage),
		TEST(a_storm_within_the_outage),
		TEST(ledger_entries_go_back),
		TEST(what_could_not_go_back_goes_later),
		TEST(every_message_is_answered_while_it_flickers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
