/* Accepted posts, while they may still be queued. */
#include "contract.h"

#include <stdio.h>
#include <string.h>

static struct bw_post post(const char *id, const char *queue_id)
{
	return (struct bw_post){
		.id = hash_of(id),
		.host = BW_S("mx1"),
		.queue_id = bw_slice_of(queue_id),
		.mta = BW_S("postfix"),
		.list = BW_S(LIST),
		.conversation = hash_of("root"),
		.sender = BW_S("ann@example.org"),
		.message_id = BW_S("p1\r\n@example.org"),
		.deliveries = 840000,
		.accepted_ms = T0,
	};
}

struct rows {
	int n;
	struct bw_post last;
	char queue_ids[256], host[16], mta[16], list[32], sender[32], message_id[32];
};

static bool note(void *ctx, const struct bw_post *row)
{
	struct rows *r = ctx;
	size_t at = strlen(r->queue_ids);

	r->n++;
	r->last = *row;
	if (at + row->queue_id.n + 2 < sizeof(r->queue_ids))
		snprintf(r->queue_ids + at, sizeof(r->queue_ids) - at, "%.*s ", (int)row->queue_id.n, row->queue_id.p);
	bw_slice_copy(row->host, r->host, sizeof(r->host));
	bw_slice_copy(row->mta, r->mta, sizeof(r->mta));
	bw_slice_copy(row->list, r->list, sizeof(r->list));
	bw_slice_copy(row->sender, r->sender, sizeof(r->sender));
	bw_slice_copy(row->message_id, r->message_id, sizeof(r->message_id));
	return true;
}

static struct rows ask(struct bw_store *s, struct bw_post_query query)
{
	struct rows r = { 0 };

	assert_ok(s->ops->post_each(s, &query, note, &r, &why));
	return r;
}

static enum bw_err move(struct bw_store *s, const char *id, enum bw_post_state to, int64_t now_ms)
{
	struct bw_hash hash = hash_of(id);

	return s->ops->post_move(s, &hash, to, now_ms, NULL);
}

static void put_and_read(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_post p = post("p1", "4Abc");

	assert_ok(s->ops->post_put(s, &p, 1, &why));
	struct rows r = ask(s, (struct bw_post_query){ 0 });

	assert_int_equal(r.n, 1);
	assert_true(bw_hash_equal(&r.last.id, &p.id));
	assert_true(bw_hash_equal(&r.last.conversation, &p.conversation));
	assert_string_equal(r.host, "mx1");
	assert_string_equal(r.queue_ids, "4Abc ");
	assert_string_equal(r.mta, "postfix");
	assert_string_equal(r.list, LIST);
	assert_string_equal(r.sender, "ann@example.org");
	assert_string_equal(r.message_id, "p1\r\n@example.org"); /* bytes are kept as they are */
	assert_int_equal(r.last.deliveries, 840000);
	assert_int_equal(r.last.accepted_ms, T0);
	assert_int_equal(r.last.state, BW_POST_QUEUED);
	assert_int_equal(r.last.state_ms, T0);
	/* Again, and otherwise: it stays as it is. */
	p.queue_id = BW_S("other");
	p.deliveries = 1;
	assert_ok(s->ops->post_put(s, &p, 1, &why));
	r = ask(s, (struct bw_post_query){ 0 });
	assert_string_equal(r.queue_ids, "4Abc ");
	assert_int_equal(r.last.deliveries, 840000);
	p.id = hash_of("");
	assert_int_equal(s->ops->post_put(s, &p, 1, NULL), BW_ERR_INPUT);
	p = post("p2", "Q2");
	p.list = BW_S("");
	assert_int_equal(s->ops->post_put(s, &p, 1, NULL), BW_ERR_INPUT);
	assert_ok(s->ops->post_put(s, NULL, 0, &why));
	assert_int_equal(ask(s, (struct bw_post_query){ 0 }).n, 1);
}

static void queries(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_post p[5] = { post("p1", "Q1"), post("p2", "Q2"), post("p3", "Q3"), post("p4", "Q4"), post("p4", "Q4") };

	p[1].list = BW_S("other@example.org");
	p[1].host = BW_S("mx2");
	p[2].conversation = hash_of("fork");
	p[3].accepted_ms = T0 + 10;
	p[4].accepted_ms = T0 + 10;
	p[4].list = BW_S("other@example.org"); /* of one message the second list */
	p[4].conversation = hash_of("there");
	assert_ok(s->ops->post_put(s, p, 4, &why));
	assert_ok(s->ops->post_put(s, p + 3, 2, &why));
	assert_string_equal(ask(s, (struct bw_post_query){ 0 }).queue_ids, "Q1 Q2 Q3 Q4 Q4 ");
	assert_string_equal(ask(s, (struct bw_post_query){ .list = BW_S("other@example.org") }).queue_ids, "Q2 Q4 ");
	assert_string_equal(ask(s, (struct bw_post_query){ .host = BW_S("mx1") }).queue_ids, "Q1 Q3 Q4 Q4 ");
	assert_string_equal(ask(s, (struct bw_post_query){ .conversation = hash_of("root") }).queue_ids, "Q1 Q2 Q4 ");
	assert_string_equal(ask(s, (struct bw_post_query){ .conversation = hash_of("there") }).queue_ids, "Q4 ");
	assert_string_equal(ask(s, (struct bw_post_query){ .id = hash_of("p4") }).queue_ids, "Q4 Q4 ");
	assert_string_equal(ask(s, (struct bw_post_query){ .id = hash_of("p4"), .list = BW_S(LIST) }).queue_ids, "Q4 ");
	assert_int_equal(ask(s, (struct bw_post_query){ .id = hash_of("p9") }).n, 0);
	assert_string_equal(ask(s, (struct bw_post_query){ .since_ms = T0 + 10 }).queue_ids, "Q4 Q4 ");
	assert_string_equal(ask(s, (struct bw_post_query){ .limit = 3 }).queue_ids, "Q1 Q2 Q3 ");
	assert_string_equal(ask(s, (struct bw_post_query){ .limit = 2, .list = BW_S(LIST) }).queue_ids, "Q1 Q3 ");
	/* What has moved since then as well. */
	assert_int_equal(move(s, "p1", BW_POST_FROZEN, T0 + 20), BW_OK);
	assert_string_equal(ask(s, (struct bw_post_query){ .since_ms = T0 + 10 }).queue_ids, "Q1 Q4 Q4 ");
	assert_string_equal(ask(s, (struct bw_post_query){ .since_ms = T0 + 11 }).queue_ids, "Q1 ");
}

static void moves(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_post p[2] = { post("p1", "Q1"), post("p1", "Q1") };

	p[1].list = BW_S("other@example.org");
	assert_ok(s->ops->post_put(s, p, 2, &why));
	for (int to = BW_POST_STATE_COUNT - 1; to >= 0; to--) {
		assert_int_equal(move(s, "p1", (enum bw_post_state)to, T0 + 10 - to), BW_OK);
		for (int i = 0; i < 2; i++) {
			struct rows r = ask(s, (struct bw_post_query){ .list = p[i].list });

			assert_int_equal(r.n, 1);
			assert_int_equal(r.last.state, to);
			assert_int_equal(r.last.state_ms, T0 + 10 - to);
		}
	}
	/* A list that is heard of later has the message's state. */
	assert_int_equal(move(s, "p1", BW_POST_FROZEN, T0 + 20), BW_OK);
	p[0].list = BW_S("third@example.org");
	assert_ok(s->ops->post_put(s, p, 1, &why));
	struct rows third = ask(s, (struct bw_post_query){ .list = p[0].list });

	assert_int_equal(third.last.state, BW_POST_FROZEN);
	assert_int_equal(third.last.state_ms, T0 + 20);
	assert_int_equal(move(s, "p2", BW_POST_FROZEN, T0), BW_ERR_NOT_FOUND);
	assert_int_equal(move(s, "p1", BW_POST_STATE_COUNT, T0), BW_ERR_INPUT);
}

/* What came back may have got another queue id; it is the message's, in all its rows. */
static void returns(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_post p[2] = { post("p1", "Q1"), post("p1", "Q1") };
	struct bw_hash id = hash_of("p1"), other = hash_of("p2");

	p[1].list = BW_S("other@example.org");
	assert_ok(s->ops->post_put(s, p, 2, &why));
	assert_int_equal(move(s, "p1", BW_POST_DROPPED, T0 + 10), BW_OK);
	assert_string_equal(ask(s, (struct bw_post_query){ 0 }).queue_ids, "Q1 Q1 ");
	assert_ok(s->ops->post_return(s, &id, BW_POST_FROZEN, BW_S("Q7"), T0 + 20, &why));
	struct rows r = ask(s, (struct bw_post_query){ 0 });

	assert_string_equal(r.queue_ids, "Q7 Q7 ");
	assert_int_equal(r.last.state, BW_POST_FROZEN);
	assert_int_equal(r.last.state_ms, T0 + 20);
	assert_int_equal(r.last.accepted_ms, T0);
	assert_int_equal(move(s, "p1", BW_POST_THAWED, T0 + 30), BW_OK); /* which keeps it */
	p[0].list = BW_S("third@example.org");
	assert_ok(s->ops->post_put(s, p, 1, &why)); /* as a list that is heard of later has it */
	assert_string_equal(ask(s, (struct bw_post_query){ 0 }).queue_ids, "Q7 Q7 Q7 ");
	assert_int_equal(s->ops->post_return(s, &other, BW_POST_FROZEN, BW_S("Q7"), T0, NULL), BW_ERR_NOT_FOUND);
	assert_int_equal(s->ops->post_return(s, &id, BW_POST_FROZEN, BW_S(""), T0, NULL), BW_ERR_INPUT);
	assert_int_equal(s->ops->post_return(s, &id, BW_POST_STATE_COUNT, BW_S("Q7"), T0, NULL), BW_ERR_INPUT);
}

static void many_posts(void **state)
{
	enum { POSTS = 700, BATCH = 100 };
	struct bw_store *s = STORE(state);
	struct bw_post batch[BATCH];
	char names[BATCH][16];

	for (int i = 0; i < POSTS; i++) {
		snprintf(names[i % BATCH], sizeof(names[0]), "p%d", i);
		batch[i % BATCH] = post(names[i % BATCH], names[i % BATCH]);
		if (i % BATCH == BATCH - 1)
			assert_ok(s->ops->post_put(s, batch, BATCH, &why));
	}
	assert_int_equal(ask(s, (struct bw_post_query){ 0 }).n, POSTS);
	assert_int_equal(ask(s, (struct bw_post_query){ .limit = 699 }).n, 699);
	assert_string_equal(ask(s, (struct bw_post_query){ .id = hash_of("p650") }).queue_ids, "p650 ");
}

static void expire(struct bw_store *s, int64_t now_ms)
{
	for (int i = 0; i < 3; i++)
		assert_ok(s->ops->expire(s, now_ms, WEEK, &why));
}

/* After a week nothing is queued any more; what is frozen waits longer, and what was dropped can come back. */
static void posts_go(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_post p[5] = { post("p1", "Q1"), post("p2", "Q2"), post("p3", "Q3"), post("p4", "Q4"), post("p5", "Q5") };

	p[1].accepted_ms = T0 + 1;
	assert_ok(s->ops->post_put(s, p, 5, &why));
	assert_int_equal(move(s, "p3", BW_POST_FROZEN, T0 + HOUR), BW_OK);
	assert_int_equal(move(s, "p5", BW_POST_DROPPED, T0 + HOUR + 1), BW_OK);
	assert_int_equal(move(s, "p4", BW_POST_THAWED, T0 + HOUR), BW_OK);
	expire(s, T0 + WEEK - 1);
	assert_string_equal(ask(s, (struct bw_post_query){ 0 }).queue_ids, "Q1 Q2 Q3 Q4 Q5 ");
	expire(s, T0 + WEEK);
	assert_string_equal(ask(s, (struct bw_post_query){ 0 }).queue_ids, "Q2 Q3 Q5 ");
	expire(s, T0 + WEEK + 1);
	assert_string_equal(ask(s, (struct bw_post_query){ 0 }).queue_ids, "Q3 Q5 ");
	expire(s, T0 + HOUR + 90 * BW_DAY_MS - 1);
	assert_string_equal(ask(s, (struct bw_post_query){ 0 }).queue_ids, "Q3 Q5 ");
	expire(s, T0 + HOUR + 90 * BW_DAY_MS);
	assert_string_equal(ask(s, (struct bw_post_query){ 0 }).queue_ids, "Q5 ");
	expire(s, T0 + HOUR + 90 * BW_DAY_MS + 1);
	assert_int_equal(ask(s, (struct bw_post_query){ 0 }).n, 0);
}

int run_posts(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(put_and_read), TEST(queries), TEST(moves), TEST(returns), TEST(many_posts), TEST(posts_go),
	};

	return cmocka_run_group_tests_name("posts", tests, NULL, NULL);
}
