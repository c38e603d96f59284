/* Breaker records: compare-and-set, listed, kept whole. */
#include "contract.h"

#include <string.h>

static void absent_is_closed(void **state)
{
	struct bw_breaker_key key = list_key(BW_SIDE_MEMBERS);
	struct bw_breaker b = { .version = 7 };
	static const struct bw_breaker zero;

	assert_ok(STORE(state)->ops->breaker_get(STORE(state), &key, &b, &why));
	assert_memory_equal(&b, &zero, sizeof(b));
	key.scope = BW_SCOPE_CONVERSATION;
	key.conversation = hash_of("unheard of");
	b.version = 7;
	assert_ok(STORE(state)->ops->breaker_get(STORE(state), &key, &b, &why));
	assert_int_equal(b.version, 0);
}

static void every_member_comes_back(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_breaker_key key = list_key(BW_SIDE_OUTSIDE);
	struct bw_breaker b = {
		.phase = BW_PHASE_HALF_OPEN,
		.rule = BW_RULE_LIST_BUDGET,
		.since_ms = T0,
		.until_ms = T0 + 1,
		.ordinal = 1680000,
		.limit = 1000000,
		.relapses = 3,
		.trips = 9,
		.override_state = BW_OVERRIDE_DISABLED,
		.override_until_ms = T0 + 2,
		.override_owner = "ops 'x' \"y\"; --",
		.override_reason = "r\xc3\xa9union",
	}, out;

	assert_ok(s->ops->breaker_cas(s, &key, &b, &why));
	out = breaker(s, key);
	b.version = 1;
	assert_int_equal(out.phase, b.phase);
	assert_int_equal(out.rule, b.rule);
	assert_int_equal(out.since_ms, b.since_ms);
	assert_int_equal(out.until_ms, b.until_ms);
	assert_int_equal(out.ordinal, b.ordinal);
	assert_int_equal(out.limit, b.limit);
	assert_int_equal(out.relapses, b.relapses);
	assert_int_equal(out.trips, b.trips);
	assert_int_equal(out.override_state, b.override_state);
	assert_int_equal(out.override_until_ms, b.override_until_ms);
	assert_string_equal(out.override_owner, b.override_owner);
	assert_string_equal(out.override_reason, b.override_reason);
	assert_int_equal(out.version, 1);
	/* The other side has its own. */
	assert_int_equal(breaker(s, list_key(BW_SIDE_MEMBERS)).version, 0);
	/* count() reads the same record. */
	struct bw_count_in in = mail(T0, "m", "stranger", NULL);

	in.side = BW_SIDE_OUTSIDE;
	assert_int_equal(count(s, &in).list_breaker.trips, 9);
	assert_string_equal(count(s, &in).list_breaker.override_reason, b.override_reason);
}

static void compare_and_set(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_breaker_key key = list_key(BW_SIDE_MEMBERS);
	struct bw_breaker b = { .trips = 1 };
	struct bw_why why = { "" };

	b.version = 1; /* nothing is there */
	assert_int_equal(s->ops->breaker_cas(s, &key, &b, &why), BW_ERR_CONFLICT);
	assert_true(why.text[0] != '\0');
	b.version = 0;
	assert_int_equal(s->ops->breaker_cas(s, &key, &b, &why), BW_OK);
	assert_int_equal(s->ops->breaker_cas(s, &key, &b, &why), BW_ERR_CONFLICT);
	assert_int_equal(breaker(s, key).trips, 1);
	for (int i = 1; i < 5; i++) {
		b = breaker(s, key);
		assert_int_equal(b.version, i);
		b.trips++;
		assert_int_equal(s->ops->breaker_cas(s, &key, &b, &why), BW_OK);
	}
	assert_int_equal(breaker(s, key).trips, 5);
	key.scope = BW_SCOPE_CONVERSATION; /* without a conversation */
	assert_int_equal(s->ops->breaker_cas(s, &key, &b, &why), BW_ERR_INPUT);
}

/* A breaker of a conversation that this store never met (merged back from another): its replies are stopped. */
static void a_conversation_known_by_its_breaker(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_breaker_key key = list_key(BW_SIDE_MEMBERS);
	struct bw_count_out out;

	key.scope = BW_SCOPE_CONVERSATION;
	key.conversation = hash_of("root");
	set_breaker(s, key, BW_PHASE_OPEN, T0, T0 + HOUR);
	/* The store's clock is far behind the test's times; the conversation is remembered from then on. */
	struct bw_count_in in = mail(0, "r1", "ann", "root");

	out = count(s, &in);
	assert_true(out.joined);
	assert_int_equal(out.conversation_breaker.phase, BW_PHASE_OPEN);
	assert_false(out.provisional);
	assert_true(bw_hash_equal(&out.conversation, &key.conversation));
}

struct found {
	int n, lists, conversations;
	struct bw_breaker_row last;
	char list[64];
	int stop_after;
};

static bool note(void *ctx, const struct bw_breaker_row *row)
{
	struct found *f = ctx;

	f->n++;
	f->lists += row->key.scope == BW_SCOPE_LIST;
	f->conversations += row->key.scope == BW_SCOPE_CONVERSATION;
	f->last = *row;
	bw_slice_copy(row->key.list, f->list, sizeof(f->list));
	return f->stop_after == 0 || f->n < f->stop_after;
}

static void listing(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_out root = offer(s, T0, "root", "comms", NULL);
	struct found f = { 0 };

	offer(s, T0 + 1, "r1", "ann", "root");
	offer(s, T0 + 2, "r2", "bob", "root");
	assert_ok(s->ops->breaker_each(s, T0 + 3, HOUR, true, note, &f, &why));
	assert_int_equal(f.n, 0);
	set_breaker(s, conversation_key(&root, BW_SIDE_MEMBERS), BW_PHASE_OPEN, T0 + 3, T0 + HOUR);
	assert_ok(s->ops->breaker_each(s, T0 + 1 + HOUR, HOUR, false, note, &f, &why));
	assert_int_equal(f.n, 1);
	assert_int_equal(f.conversations, 1);
	assert_string_equal(f.list, LIST);
	assert_true(bw_hash_equal(&f.last.key.conversation, &root.conversation));
	assert_int_equal(f.last.key.side, BW_SIDE_MEMBERS);
	assert_int_equal(f.last.senders, 1); /* ann stood an hour ago to the millisecond */
	assert_int_equal(f.last.last_ms, T0 + 2);
	assert_int_equal(f.last.record.phase, BW_PHASE_OPEN);
	assert_int_equal(f.last.record.version, 1);
	/* A closed one shows only when all are asked for, one with an override always. */
	set_breaker(s, list_key(BW_SIDE_MEMBERS), BW_PHASE_CLOSED, T0 + 3, 0);
	f = (struct found){ 0 };
	assert_ok(s->ops->breaker_each(s, T0 + 3, HOUR, false, note, &f, &why));
	assert_int_equal(f.n, 1);
	f = (struct found){ 0 };
	assert_ok(s->ops->breaker_each(s, T0 + 3, HOUR, true, note, &f, &why));
	assert_int_equal(f.n, 2);
	assert_int_equal(f.lists, 1);
	struct bw_breaker_key key = list_key(BW_SIDE_MEMBERS);
	struct bw_breaker b = breaker(s, key);

	b.override_state = BW_OVERRIDE_FORCED_OPEN;
	assert_ok(s->ops->breaker_cas(s, &key, &b, &why));
	f = (struct found){ .stop_after = 1 };
	assert_ok(s->ops->breaker_each(s, T0 + 3, HOUR, false, note, &f, &why));
	assert_int_equal(f.n, 1); /* the callback had enough */
	f = (struct found){ 0 };
	assert_ok(s->ops->breaker_each(s, T0 + 3, HOUR, false, note, &f, &why));
	assert_int_equal(f.n, 2);
}

/* A callback may use the store: listings hold no lock while they hand over. */
static bool close_it(void *ctx, const struct bw_breaker_row *row)
{
	struct bw_store *s = ctx;
	struct bw_breaker closed = { .version = row->record.version };

	assert_ok(s->ops->breaker_cas(s, &row->key, &closed, &why));
	return true;
}

static void callbacks_may_call_the_store(void **state)
{
	struct bw_store *s = STORE(state);
	struct found f = { 0 };

	set_breaker(s, list_key(BW_SIDE_MEMBERS), BW_PHASE_OPEN, T0, T0 + HOUR);
	set_breaker(s, list_key(BW_SIDE_OUTSIDE), BW_PHASE_OPEN, T0, T0 + HOUR);
	assert_ok(s->ops->breaker_each(s, T0, HOUR, false, close_it, s, &why));
	assert_ok(s->ops->breaker_each(s, T0, HOUR, false, note, &f, &why));
	assert_int_equal(f.n, 0);
}

int run_breaker(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(absent_is_closed), TEST(every_member_comes_back),
		TEST(compare_and_set),  TEST(a_conversation_known_by_its_breaker),
		TEST(listing),          TEST(callbacks_may_call_the_store),
	};

	return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
