/* Accepted posts, as all hosts see them (scripts/posts.lua). */
#include "bw/clock.h"
#include "redis-compat.h"
#include "redis-orders.h"
#include "redis-site.h"

enum { PUT_ARGUMENTS = 3, OF_POST = 12, POSTS_A_CALL = 100, ROWS_A_PAGE = 256 };

#define TTL_MS (BW_STORE_FROZEN_MS + BW_DAY_MS) /* of the keys, after the last change */

/* --- put --- */

static void add_post(struct bw_redis_exchange *x, const struct bw_post *p)
{
	bw_redis_add_hash(x, &p->id);
	bw_redis_add(x, bw_redis_cut(p->host));
	bw_redis_add(x, bw_redis_cut(p->queue_id));
	bw_redis_add(x, bw_redis_cut(p->mta));
	bw_redis_add(x, bw_redis_cut(p->sender));
	bw_redis_add(x, bw_redis_cut(p->message_id));
	bw_redis_add_number(x, p->accepted_ms);
	bw_redis_add_number(x, p->state);
	bw_redis_add_number(x, p->state_ms);
	bw_redis_add(x, p->list);
	bw_redis_add_hash(x, &p->conversation);
	bw_redis_add_number(x, p->deliveries);
}

/* At most POSTS_A_CALL: it bounds how long others wait for Redis. */
static enum bw_err put_some(struct bw_redis *s, const struct bw_post *posts, size_t n, struct bw_why *why)
{
	struct bw_redis_exchange *x = bw_redis_exchange_new(1);

	if (x == NULL)
		return bw_redis_no_memory(why);
	bw_redis_begin_site(s, x, BW_REDIS_POSTS, 0, "put", PUT_ARGUMENTS + OF_POST * n);
	bw_redis_add_number(x, TTL_MS);
	bw_redis_add_number(x, BW_POSTS_MAX);
	bw_redis_add_number(x, BW_POST_FROZEN);
	for (size_t i = 0; i < n; i++)
		add_post(x, &posts[i]);
	enum bw_err err = bw_redis_run(s, BW_REDIS_LANE_OTHER, x, 0, why);

	bw_redis_exchange_unref(&x);
	return err;
}

enum bw_err bw_redis_post_put(struct bw_store *store, const struct bw_post *posts, size_t n, struct bw_why *why)
{
	enum bw_err err = bw_store_check_posts(posts, n, why);

	for (size_t at = 0; at < n && err == BW_OK; at += POSTS_A_CALL)
		err = put_some(bw_redis_of(store), posts + at, n - at < POSTS_A_CALL ? n - at : POSTS_A_CALL, why);
	return err;
}

/* --- move --- */

/* `queue_id` "": it keeps its own. */
static enum bw_err move(struct bw_store *store, const struct bw_hash *id, enum bw_post_state to, struct bw_slice queue_id, int64_t now_ms,
                        struct bw_why *why)
{
	struct bw_redis *s = bw_redis_of(store);
	int64_t found = 0;
	enum bw_err err = bw_redis_check_time(now_ms, why);

	if (err == BW_OK)
		err = bw_store_check_post_state(to, why);
	struct bw_redis_exchange *x = err == BW_OK ? bw_redis_exchange_new(1) : NULL;

	if (x == NULL)
		return err != BW_OK ? err : bw_redis_no_memory(why);
	bw_redis_begin_site(s, x, BW_REDIS_POSTS, now_ms, "move", 4);
	bw_redis_add_hash(x, id);
	bw_redis_add_number(x, to);
	bw_redis_add_number(x, TTL_MS);
	bw_redis_add(x, bw_redis_cut(queue_id));
	err = bw_redis_run_number(s, x, &found, why);
	if (err == BW_OK && found == 0)
		err = bw_fail(why, BW_ERR_NOT_FOUND, "the store knows no such post");
	bw_redis_exchange_unref(&x);
	return err;
}

enum bw_err bw_redis_post_move(struct bw_store *store, const struct bw_hash *id, enum bw_post_state to, int64_t now_ms,
                               struct bw_why *why)
{
	return move(store, id, to, BW_S(""), now_ms, why);
}

enum bw_err bw_redis_post_return(struct bw_store *store, const struct bw_hash *id, enum bw_post_state to, struct bw_slice queue_id,
                                 int64_t now_ms, struct bw_why *why)
{
	return queue_id.n == 0 ? bw_store_no_queue_id(why) : move(store, id, to, queue_id, now_ms, why);
}

/* --- listing --- */

struct taker {
	bool (*each)(void *ctx, const struct bw_post *row);
	void *ctx;
};

static void ask(const struct bw_redis_pages *p, struct bw_redis_exchange *x)
{
	const struct bw_post_query *query = p->query;

	bw_redis_begin_site(p->s, x, BW_REDIS_POSTS, 0, "each", 7);
	bw_redis_add_number(x, p->after);
	bw_redis_add_number(x, ROWS_A_PAGE);
	bw_redis_add_hash_or_all(x, &query->id);
	bw_redis_add_hash_or_all(x, &query->conversation);
	bw_redis_add(x, query->list);
	bw_redis_add(x, query->host);
	bw_redis_add_number(x, query->since_ms);
}

static bool give(struct bw_redis_pages *p, struct bw_redis_row *record)
{
	const struct taker *taker = p->taker;
	struct bw_post row = { .deliveries = 0 };

	bw_redis_take_number(record); /* its place in the order */
	row.id = bw_redis_take_hash(record);
	row.host = bw_redis_take_text(record);
	row.queue_id = bw_redis_take_text(record);
	row.mta = bw_redis_take_text(record);
	row.sender = bw_redis_take_text(record);
	row.message_id = bw_redis_take_text(record);
	row.accepted_ms = bw_redis_take_number(record);
	row.state = (enum bw_post_state)bw_redis_take_word(record, BW_POST_STATE_COUNT);
	row.state_ms = bw_redis_take_number(record);
	row.list = bw_redis_take_text(record);
	row.conversation = bw_redis_take_hash(record);
	row.deliveries = bw_redis_take_number(record);
	return !record->bad && taker->each(taker->ctx, &row);
}

enum bw_err bw_redis_post_each(struct bw_store *store, const struct bw_post_query *query, BW_EACH(struct bw_post), struct bw_why *why)
{
	struct taker taker = { each, ctx };
	struct bw_redis_pages pages = {
		.s = bw_redis_of(store),
		.ask = ask,
		.give = give,
		.with_cursor = true,
		.limit = query->limit,
		.taker = &taker,
		.query = query,
		.what = "a post",
	};

	return bw_redis_give_pages(&pages, why);
}

void bw_redis_tidy_posts(struct bw_redis *s, struct bw_redis_exchange *x, int64_t now_ms)
{
	bw_redis_begin_site(s, x, BW_REDIS_POSTS, now_ms, "tidy", 4);
	bw_redis_add_number(x, now_ms - BW_STORE_POST_MS);
	bw_redis_add_number(x, BW_POST_FROZEN);
	bw_redis_add_number(x, now_ms - BW_STORE_FROZEN_MS);
	bw_redis_add_number(x, BW_POST_DROPPED);
}
