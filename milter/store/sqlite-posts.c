/* Accepted posts: what may still be queued, one row a message and list. */
#include "sqlite-backend.h"
#include "store-internal.h"

struct put {
	const struct bw_post *posts;
	size_t n;
};

static enum bw_err run_put(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct put *put = arg;

	(void)why;
	for (size_t i = 0; i < put->n; i++) {
		const struct bw_post *p = &put->posts[i];
		int64_t accepted_ms = bw_sqlite_now(lane, p->accepted_ms);

		bw_sqlite_run(lane, BW_SQL_POST_PUT,
		              ARGS(HASH(&p->id), TEXT(bw_sqlite_cut(p->host)), TEXT(bw_sqlite_cut(p->queue_id)), TEXT(bw_sqlite_cut(p->mta)),
		                   TEXT(p->list), HASH(&p->conversation), TEXT(bw_sqlite_cut(p->sender)), TEXT(bw_sqlite_cut(p->message_id)),
		                   INT(p->deliveries), INT(accepted_ms), INT(p->state), INT(p->state_ms > 0 ? p->state_ms : accepted_ms),
		                   INT(BW_SQLITE_FORMAT)));
	}
	/* More than come: so a store that was over its bound comes back below it. */
	bw_sqlite_run(lane, BW_SQL_POST_MOST, ARGS(INT(BW_POSTS_MAX), INT(BW_POST_FROZEN), INT(2 * (int64_t)put->n)));
	return BW_OK;
}

enum bw_err bw_sqlite_post_put(struct bw_store *s, const struct bw_post *posts, size_t n, struct bw_why *why)
{
	struct put put = { posts, n };
	enum bw_err err = bw_store_check_posts(posts, n, why);

	return err != BW_OK || n == 0 ? err : bw_sqlite_do(bw_sqlite_of(s)->ledger, BW_SQLITE_WRITE, run_put, &put, why);
}

struct move {
	const struct bw_hash *id;
	enum bw_post_state to;
	struct bw_slice queue_id; /* "": it keeps its own */
	int64_t now_ms;
};

static enum bw_err run_move(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct move *m = arg;
	int64_t moved = bw_sqlite_run(lane, BW_SQL_POST_MOVE, ARGS(HASH(m->id), INT(m->to), INT(bw_sqlite_now(lane, m->now_ms)),
	                                                             TEXT(bw_sqlite_cut(m->queue_id))));

	return moved == 0 && lane->rc == SQLITE_OK ? bw_fail(why, BW_ERR_NOT_FOUND, "the store knows no such post") : BW_OK;
}

static enum bw_err do_move(struct bw_store *s, struct move *move, struct bw_why *why)
{
	enum bw_err err = bw_store_check_post_state(move->to, why);

	return err != BW_OK ? err : bw_sqlite_do(bw_sqlite_of(s)->ledger, BW_SQLITE_WRITE, run_move, move, why);
}

enum bw_err bw_sqlite_post_move(struct bw_store *s, const struct bw_hash *id, enum bw_post_state to, int64_t now_ms,
                                struct bw_why *why)
{
	struct move move = { id, to, BW_S(""), now_ms };

	return do_move(s, &move, why);
}

enum bw_err bw_sqlite_post_return(struct bw_store *s, const struct bw_hash *id, enum bw_post_state to, struct bw_slice queue_id,
                                  int64_t now_ms, struct bw_why *why)
{
	struct move move = { id, to, queue_id, now_ms };

	return queue_id.n == 0 ? bw_store_no_queue_id(why) : do_move(s, &move, why);
}

/* --- listing --- */

static void read_row(struct bw_sqlite_lane *lane, sqlite3_stmt *row, struct bw_arena *arena, void *out)
{
	*(struct bw_post *)out = (struct bw_post){
		.id = bw_sqlite_hash(row, 1),
		.host = bw_sqlite_keep(arena, row, 2),
		.queue_id = bw_sqlite_keep(arena, row, 3),
		.mta = bw_sqlite_keep(arena, row, 4),
		.list = bw_sqlite_keep(arena, row, 5),
		.conversation = bw_sqlite_hash(row, 6),
		.sender = bw_sqlite_keep(arena, row, 7),
		.message_id = bw_sqlite_keep(arena, row, 8),
		.deliveries = sqlite3_column_int64(row, 9),
		.accepted_ms = sqlite3_column_int64(row, 10),
		.state = (enum bw_post_state)bw_sqlite_word(lane, row, 11, BW_POST_STATE_COUNT),
		.state_ms = sqlite3_column_int64(row, 12),
	};
}

struct taker {
	bool (*each)(void *ctx, const struct bw_post *row);
	void *ctx;
};

static bool give_row(void *taker, const void *row)
{
	const struct taker *t = taker;

	return t->each(t->ctx, row);
}

enum bw_err bw_sqlite_post_each(struct bw_store *s, const struct bw_post_query *query, BW_EACH(struct bw_post), struct bw_why *why)
{
	struct taker taker = { each, ctx };
	struct bw_sqlite_listing listing = {
		.lane = bw_sqlite_of(s)->ledger,
		.sql = bw_hash_is_zero(&query->id) ? BW_SQL_POST_EACH : BW_SQL_POST_ONE, /* one is found by the index of ids */
		.args = { INT(0), INT(!bw_hash_is_zero(&query->id)), HASH(&query->id), INT(!bw_hash_is_zero(&query->conversation)),
		          HASH(&query->conversation), TEXT(query->list), TEXT(query->host), INT(query->since_ms) },
		.arg_count = 8,
		.limit = query->limit,
		.row_bytes = sizeof(struct bw_post),
		.read = read_row,
		.give = give_row,
		.taker = &taker,
	};

	return bw_sqlite_list_rows(&listing, why);
}
