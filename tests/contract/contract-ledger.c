/* The ledger of held messages. */
#include "contract.h"

#include <stdio.h>
#include <string.h>

static struct bw_held held(const char *id, const char *message, const char *queue_id)
{
	return (struct bw_held){
		.id = hash_of(id),
		.host = BW_S("mx1"),
		.queue_id = bw_slice_of(queue_id),
		.mta = BW_S("postfix"),
		.list = BW_S(LIST),
		.conversation = hash_of("root"),
		.guard = BW_S("conversation"),
		.sentence = BW_S("conversation: 4th sender of at most 3"),
		.sender = BW_S("ann@example.org"),
		.identity = BW_S("auth:ann@example.org"),
		.message_id = BW_S("r1@example.org"),
		.subject = BW_S("Re: test\r\n\x1b[31m"),
		.deliveries = 840000,
		.size_bytes = 1234,
		.held_ms = T0,
		.message = hash_of(message),
		.side = BW_SIDE_MEMBERS,
	};
}

struct rows {
	int n;
	struct bw_held last;
	char queue_ids[256], subject[64], sentence[64], by[64];
};

static bool note(void *ctx, const struct bw_held *row)
{
	struct rows *r = ctx;
	size_t at = strlen(r->queue_ids);

	r->n++;
	r->last = *row;
	if (at + row->queue_id.n + 2 < sizeof(r->queue_ids))
		snprintf(r->queue_ids + at, sizeof(r->queue_ids) - at, "%.*s ", (int)row->queue_id.n, row->queue_id.p);
	bw_slice_copy(row->subject, r->subject, sizeof(r->subject));
	bw_slice_copy(row->sentence, r->sentence, sizeof(r->sentence));
	bw_slice_copy(row->state_by, r->by, sizeof(r->by));
	return true;
}

static struct rows ask(struct bw_store *s, struct bw_held_query query)
{
	struct rows r = { 0 };

	assert_ok(s->ops->held_each(s, &query, note, &r, &why));
	return r;
}

static void put_and_read(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_held h = held("h1", "r1", "4Abc");

	h.automatic = true;
	assert_ok(s->ops->held_put(s, &h, &why));
	struct rows r = ask(s, (struct bw_held_query){ .id = hash_of("h1") });

	assert_true(r.last.automatic);

	assert_int_equal(r.n, 1);
	assert_true(bw_hash_equal(&r.last.id, &h.id));
	assert_true(bw_hash_equal(&r.last.conversation, &h.conversation));
	assert_true(bw_hash_equal(&r.last.message, &h.message));
	assert_string_equal(r.subject, "Re: test\r\n\x1b[31m"); /* bytes are kept as they are */
	assert_string_equal(r.sentence, "conversation: 4th sender of at most 3");
	assert_int_equal(r.last.deliveries, 840000);
	assert_int_equal(r.last.size_bytes, 1234);
	assert_int_equal(r.last.held_ms, T0);
	assert_int_equal(r.last.state, BW_HELD_WAITING);
	/* Said again: once. Another message under that id: refused. */
	assert_ok(s->ops->held_put(s, &h, &why));
	assert_int_equal(ask(s, (struct bw_held_query){ 0 }).n, 1);
	h.message = hash_of("another");
	assert_int_equal(s->ops->held_put(s, &h, NULL), BW_ERR_EXISTS);
	h.id = hash_of("");
	assert_int_equal(s->ops->held_put(s, &h, NULL), BW_ERR_INPUT);
}

static void queries(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_held h[4] = { held("h1", "r1", "Q1"), held("h2", "r2", "Q2"), held("h3", "r3", "Q3"), held("h4", "r4", "Q4") };
	struct bw_hash none = hash_of("h9");

	h[1].list = BW_S("other@example.org");
	h[2].conversation = hash_of("fork");
	h[3].held_ms = T0 + 1;
	for (int i = 0; i < 4; i++)
		assert_ok(s->ops->held_put(s, &h[i], &why));
	assert_ok(s->ops->held_move(s, &h[3].id, BW_HELD_WAITING, BW_HELD_DELETED, T0 + 1, BW_S("ops"), &why));
	assert_string_equal(ask(s, (struct bw_held_query){ 0 }).queue_ids, "Q1 Q2 Q3 Q4 ");
	assert_string_equal(ask(s, (struct bw_held_query){ .list = BW_S(LIST) }).queue_ids, "Q1 Q3 Q4 ");
	assert_string_equal(ask(s, (struct bw_held_query){ .conversation = hash_of("fork") }).queue_ids, "Q3 ");
	assert_string_equal(ask(s, (struct bw_held_query){ .by_state = true, .state = BW_HELD_WAITING }).queue_ids, "Q1 Q2 Q3 ");
	assert_string_equal(ask(s, (struct bw_held_query){ .by_state = true, .state = BW_HELD_DELETED }).queue_ids, "Q4 ");
	assert_string_equal(ask(s, (struct bw_held_query){ .limit = 2 }).queue_ids, "Q1 Q2 ");
	assert_string_equal(ask(s, (struct bw_held_query){ .since_ms = T0 }).queue_ids, "Q1 Q2 Q3 Q4 ");
	assert_string_equal(ask(s, (struct bw_held_query){ .since_ms = T0 + 1 }).queue_ids, "Q4 ");
	assert_string_equal(ask(s, (struct bw_held_query){ .list = BW_S(LIST), .limit = 2 }).queue_ids, "Q1 Q3 ");
	assert_int_equal(ask(s, (struct bw_held_query){ .id = none }).n, 0);
	/* Page by page. */
	assert_string_equal(ask(s, (struct bw_held_query){ .after = h[1].id }).queue_ids, "Q3 Q4 ");
	assert_string_equal(ask(s, (struct bw_held_query){ .after = h[0].id, .limit = 2 }).queue_ids, "Q2 Q3 ");
	assert_string_equal(ask(s, (struct bw_held_query){ .after = h[0].id, .list = BW_S(LIST), .limit = 1 }).queue_ids, "Q3 ");
	assert_int_equal(ask(s, (struct bw_held_query){ .after = h[3].id }).n, 0);
	assert_int_equal(ask(s, (struct bw_held_query){ .after = none }).n, 0);
}

/* A message that waits may get another queue id; it goes on waiting. */
static void waiting_under_another_id(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_held h = held("h1", "r1", "Q1");

	assert_ok(s->ops->held_put(s, &h, &why));
	assert_ok(s->ops->held_return(s, &h.id, BW_HELD_WAITING, BW_S("Q2"), T0 + 1, BW_S("ops"), &why));
	assert_string_equal(ask(s, (struct bw_held_query){ .by_state = true, .state = BW_HELD_WAITING }).queue_ids, "Q2 ");
	assert_ok(s->ops->held_move(s, &h.id, BW_HELD_WAITING, BW_HELD_RELEASED, T0 + 2, BW_S("ops"), &why));
	assert_string_equal(ask(s, (struct bw_held_query){ .by_state = true, .state = BW_HELD_RELEASED }).queue_ids, "Q2 ");
}

static void states(void **state)
{
	static const struct {
		enum bw_held_state from, to;
		enum bw_err err;
	} moves[] = {
		{ BW_HELD_RELEASED, BW_HELD_DELETED, BW_ERR_CONFLICT }, { BW_HELD_WAITING, BW_HELD_LOST, BW_OK },
		{ BW_HELD_WAITING, BW_HELD_DELETED, BW_ERR_CONFLICT },  { BW_HELD_LOST, BW_HELD_WAITING, BW_OK },
		{ BW_HELD_WAITING, BW_HELD_RELEASED, BW_OK },           { BW_HELD_WAITING, BW_HELD_RELEASED, BW_ERR_CONFLICT },
		{ BW_HELD_RELEASED, BW_HELD_DELETED, BW_OK },
	};
	struct bw_store *s = STORE(state);
	struct bw_held h = held("h1", "r1", "Q1");
	struct bw_hash none = hash_of("none");

	assert_ok(s->ops->held_put(s, &h, &why));
	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		struct bw_why why = { "" };
		enum bw_err err = s->ops->held_move(s, &h.id, moves[i].from, moves[i].to, T0 + 10 + (int64_t)i, BW_S("ops"), &why);

		if (err != moves[i].err)
			fail_msg("move %zu: %s (%s)", i, bw_err_name(err), why.text);
	}
	struct rows r = ask(s, (struct bw_held_query){ 0 });

	assert_int_equal(r.last.state, BW_HELD_DELETED);
	assert_int_equal(r.last.state_ms, T0 + 16);
	assert_string_equal(r.by, "ops");
	assert_int_equal(s->ops->held_move(s, &none, BW_HELD_WAITING, BW_HELD_LOST, T0, BW_S("ops"), NULL), BW_ERR_NOT_FOUND);
}

/* Let go, it went out: deliveries of now, an identity that is accepted, a conversation that opens doors. */
static void releasing_accepts(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0, "post", "ann", NULL);
	struct bw_count_out out;

	in.known_stopped = true;
	out = count(s, &in);
	struct bw_held h = held("h1", "post", "Q1");

	h.conversation = out.conversation;
	assert_ok(s->ops->held_put(s, &h, &why));
	assert_false(offer(s, T0 + 1, "r0", "bob", "post").joined);
	struct bw_count_out before = look(s, T0 + 2, NULL);

	assert_int_equal(before.list_deliveries, 100);
	assert_ok(s->ops->held_move(s, &h.id, BW_HELD_WAITING, BW_HELD_RELEASED, T0 + 2 * HOUR, BW_S("ops"), &why));
	out = look(s, T0 + 2 * HOUR + 1, "post");
	assert_true(out.joined);
	assert_int_equal(out.list_deliveries, 840000); /* of the release, not of the day it came */
	in.now_ms = T0 + 2 * HOUR + 2;
	in.known_stopped = false;
	assert_int_equal(count(s, &in).seen, BW_SEEN_DUPLICATE);
	/* A second release is refused and adds nothing. */
	assert_int_equal(s->ops->held_move(s, &h.id, BW_HELD_WAITING, BW_HELD_RELEASED, T0 + 2 * HOUR, BW_S("ops"), NULL),
	                 BW_ERR_CONFLICT);
	assert_int_equal(look(s, T0 + 2 * HOUR + 3, NULL).list_deliveries, 840000);
}

/* Held for longer than anything is remembered: its replies are replies all the same. */
static void releasing_what_was_forgotten(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_count_in in = mail(T0, "post", "ann", NULL);
	struct bw_held h = held("h1", "post", "Q1");

	in.known_stopped = true;
	h.conversation = count(s, &in).conversation;
	assert_ok(s->ops->held_put(s, &h, &why));
	for (int i = 0; i < 5; i++)
		assert_ok(s->ops->expire(s, T0 + 2 * WEEK, WEEK, &why));
	assert_int_equal(ask(s, (struct bw_held_query){ 0 }).n, 1); /* the ledger forgets nothing that waits */
	assert_ok(s->ops->held_move(s, &h.id, BW_HELD_WAITING, BW_HELD_RELEASED, T0 + 2 * WEEK, BW_S("ops"), &why));
	struct bw_count_out out = offer(s, T0 + 2 * WEEK + 1, "r1", "bob", "post");

	assert_true(out.joined);
	assert_int_equal(out.conversation_senders, 1);
	assert_int_equal(out.list_deliveries, 840000);
	in.now_ms = T0 + 2 * WEEK + 2;
	in.known_stopped = false;
	assert_int_equal(count(s, &in).seen, BW_SEEN_DUPLICATE);
}

/* Other ends of waiting deliver nothing. */
static void deleting_accepts_nothing(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_held h = held("h1", "post", "Q1");
	struct bw_count_in in = mail(T0, "post", "ann", NULL);

	in.known_stopped = true;
	h.conversation = count(s, &in).conversation;
	assert_ok(s->ops->held_put(s, &h, &why));
	assert_ok(s->ops->held_move(s, &h.id, BW_HELD_WAITING, BW_HELD_DELETED, T0 + 1, BW_S("ops"), &why));
	assert_false(look(s, T0 + 2, "post").joined);
	assert_int_equal(look(s, T0 + 2, NULL).list_deliveries, 0);
}

static void post_to(struct bw_store *s, const char *list, int64_t deliveries, struct bw_held_list *out)
{
	struct bw_count_in in = mail(T0, "post", "ann", NULL);

	in.list = bw_slice_of(list);
	in.known_stopped = true;
	*out = (struct bw_held_list){ in.list, count(s, &in).conversation, BW_SIDE_MEMBERS, deliveries };
}

static struct bw_count_out look_at(struct bw_store *s, const char *list, int64_t now_ms, const char *id)
{
	struct bw_count_in in = mail(now_ms, id, "carol", "post");

	in.list = bw_slice_of(list);
	in.peek = true;
	return count(s, &in);
}

/* A message to several lists: each of them hears of its own deliveries, and each listing by one of them shows it. */
static void releasing_to_several_lists(void **state)
{
	static const struct {
		const char *list;
		int64_t deliveries;
	} to[] = { { LIST, 40000 }, { "other@example.org", 500 }, { "third@example.org", 7 } };
	enum { LISTS = sizeof(to) / sizeof(to[0]) };
	struct bw_store *s = STORE(state);
	struct bw_held_list lists[LISTS];
	struct bw_held h = held("h1", "post", "Q1");

	for (size_t i = 0; i < LISTS; i++)
		post_to(s, to[i].list, to[i].deliveries, &lists[i]);
	h.conversation = lists[0].conversation;
	h.lists = lists;
	h.list_count = LISTS;
	h.deliveries = 40509; /* and two single recipients */
	assert_ok(s->ops->held_put(s, &h, &why));
	assert_int_equal(ask(s, (struct bw_held_query){ 0 }).last.list_count, LISTS);
	for (size_t i = 0; i < LISTS; i++)
		assert_string_equal(ask(s, (struct bw_held_query){ .list = bw_slice_of(to[i].list) }).queue_ids, "Q1 ");
	assert_int_equal(ask(s, (struct bw_held_query){ .list = BW_S("fourth@example.org") }).n, 0);
	assert_ok(s->ops->held_move(s, &h.id, BW_HELD_WAITING, BW_HELD_RELEASED, T0 + MINUTE, BW_S("ops"), &why));
	for (size_t i = 0; i < LISTS; i++) {
		struct bw_count_out out = look_at(s, to[i].list, T0 + MINUTE + 1, "r1");

		assert_int_equal(out.list_deliveries, to[i].deliveries);
		assert_true(out.joined);
		assert_true(bw_hash_equal(&out.conversation, &lists[i].conversation));
	}
	lists[1].deliveries = -1;
	h.id = hash_of("h2");
	assert_int_equal(s->ops->held_put(s, &h, NULL), BW_ERR_RANGE);
	lists[1].deliveries = 1;
	h.list_count = BW_HELD_LISTS_MAX + 1;
	assert_int_equal(s->ops->held_put(s, &h, NULL), BW_ERR_RANGE);
}

/* Back in the hold queue under another queue id. */
static void returning(void **state)
{
	static const struct {
		enum bw_held_state from;
		const char *queue_id;
		enum bw_err err;
		const char *then;
	} returns[] = {
		{ BW_HELD_RELEASED, "Q2", BW_ERR_CONFLICT, "Q1 " },
		{ BW_HELD_DELETED, "Q2", BW_OK, "Q2 " },
		{ BW_HELD_DELETED, "Q3", BW_ERR_CONFLICT, "Q2 " },
	};
	struct bw_store *s = STORE(state);
	struct bw_held h = held("h1", "r1", "Q1");
	struct bw_hash none = hash_of("none");

	assert_ok(s->ops->held_put(s, &h, &why));
	assert_ok(s->ops->held_move(s, &h.id, BW_HELD_WAITING, BW_HELD_DELETED, T0 + 1, BW_S("ops"), &why));
	for (size_t i = 0; i < sizeof(returns) / sizeof(returns[0]); i++) {
		assert_int_equal(s->ops->held_return(s, &h.id, returns[i].from, bw_slice_of(returns[i].queue_id), T0 + 2 + (int64_t)i,
		                                     BW_S("eve"), NULL),
		                 returns[i].err);
		assert_string_equal(ask(s, (struct bw_held_query){ .id = h.id }).queue_ids, returns[i].then);
	}
	struct rows r = ask(s, (struct bw_held_query){ .by_state = true, .state = BW_HELD_WAITING });

	assert_int_equal(r.n, 1);
	assert_int_equal(r.last.state_ms, T0 + 3);
	assert_string_equal(r.by, "eve");
	assert_ok(s->ops->held_move(s, &h.id, BW_HELD_WAITING, BW_HELD_LOST, T0 + 5, BW_S("ops"), &why));
	assert_ok(s->ops->held_return(s, &h.id, BW_HELD_LOST, BW_S(""), T0 + 6, BW_S("ops"), &why));
	assert_string_equal(ask(s, (struct bw_held_query){ .id = h.id }).queue_ids, "Q2 "); /* as it was */
	assert_int_equal(s->ops->held_return(s, &none, BW_HELD_LOST, BW_S("Q2"), T0 + 7, BW_S("ops"), NULL), BW_ERR_NOT_FOUND);
}

static void many_entries(void **state)
{
	struct bw_store *s = STORE(state);
	char name[16];

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "h%d", i);
		struct bw_held h = held(name, name, name);

		assert_ok(s->ops->held_put(s, &h, &why));
	}
	assert_int_equal(ask(s, (struct bw_held_query){ 0 }).n, 300);
	assert_int_equal(ask(s, (struct bw_held_query){ .limit = 299 }).n, 299);
}

static void state_names(void **state)
{
	(void)state;
	for (int i = 0; i < BW_HELD_STATE_COUNT; i++) {
		enum bw_held_state out = BW_HELD_STATE_COUNT;

		assert_true(bw_held_state_parse(bw_slice_of(bw_held_state_name((enum bw_held_state)i)), &out));
		assert_int_equal(out, i);
	}
	enum bw_held_state untouched = BW_HELD_LOST;

	assert_false(bw_held_state_parse(BW_S("gone"), &untouched));
	assert_int_equal(untouched, BW_HELD_LOST);
	assert_string_equal(bw_held_state_name(BW_HELD_STATE_COUNT), "unknown");
}

int run_ledger(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(put_and_read),
		TEST(queries),
		TEST(states),
		TEST(releasing_accepts),
		TEST(releasing_what_was_forgotten),
		TEST(deleting_accepts_nothing),
		TEST(releasing_to_several_lists),
		TEST(returning),
		TEST(waiting_under_another_id),
		TEST(many_entries),
		TEST(state_names),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
