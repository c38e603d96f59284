/* The ledger: one row a held message, on the disk before anybody is told. */
#include "sqlite-backend.h"
#include "store-internal.h"

/* --- put --- */

static enum bw_err run_put(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct bw_held *h = arg;
	int64_t same;

	/* Said again after an answer that got lost: the entry is there, and stays as it is. */
	if (bw_sqlite_ints(lane, BW_SQL_HELD_SAME, &same, 1, ARGS(HASH(&h->id), HASH(&h->message), TEXT(bw_sqlite_cut(h->queue_id)))))
		return same ? BW_OK : bw_fail(why, BW_ERR_EXISTS, "the ledger has another message under this id");
	bw_sqlite_run(lane, BW_SQL_HELD_PUT,
	              ARGS(HASH(&h->id), TEXT(bw_sqlite_cut(h->host)), TEXT(bw_sqlite_cut(h->queue_id)), TEXT(bw_sqlite_cut(h->mta)),
	                   TEXT(h->list), HASH(&h->conversation), TEXT(bw_sqlite_cut(h->guard)), TEXT(bw_sqlite_cut(h->sentence)),
	                   TEXT(bw_sqlite_cut(h->sender)), TEXT(bw_sqlite_cut(h->identity)), TEXT(bw_sqlite_cut(h->message_id)),
	                   TEXT(bw_sqlite_cut(h->subject)), INT(h->deliveries), INT(h->size_bytes),
	                   INT(bw_sqlite_now(lane, h->held_ms)), HASH(&h->message), INT(h->side), INT(h->state), INT(h->state_ms),
	                   TEXT(bw_sqlite_cut(h->state_by)), INT(BW_SQLITE_FORMAT)));
	return BW_OK;
}

enum bw_err bw_sqlite_held_put(struct bw_store *s, const struct bw_held *held, struct bw_why *why)
{
	struct bw_held copy = *held;

	if (bw_hash_is_zero(&held->id))
		return bw_fail(why, BW_ERR_INPUT, "a held message without an id");
	if (held->list.n > BW_STORE_LIST_BYTES_MAX)
		return bw_fail(why, BW_ERR_INPUT, "a held message whose list's address is longer than %d bytes", BW_STORE_LIST_BYTES_MAX);
	return bw_sqlite_do(bw_sqlite_of(s)->ledger, BW_SQLITE_WRITE, run_put, &copy, why);
}

/* --- move --- */

struct move {
	const struct bw_hash *id;
	enum bw_held_state from, to;
	int64_t now_ms;
	struct bw_slice by;
};

static enum bw_err run_move(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct move *m = arg;
	char list[BW_STORE_LIST_BYTES_MAX + 1];
	sqlite3_stmt *row = bw_sqlite_rows(lane, BW_SQL_HELD_GET, ARGS(HASH(m->id)));

	if (row == NULL)
		return lane->rc == SQLITE_OK ? bw_fail(why, BW_ERR_NOT_FOUND, "the ledger has no such held message") : BW_OK;
	enum bw_held_state state = (enum bw_held_state)bw_sqlite_word(lane, row, 0, BW_HELD_STATE_COUNT);
	struct bw_sqlite_released released = {
		.list = { list, bw_slice_copy(bw_sqlite_text(row, 1), list, sizeof(list)) },
		.side = (enum bw_side)bw_sqlite_word(lane, row, 2, BW_SIDE_COUNT),
		.message = bw_sqlite_hash(row, 3),
		.conversation = bw_sqlite_hash(row, 4),
		.deliveries = sqlite3_column_int64(row, 5),
		.now_ms = bw_sqlite_now(lane, m->now_ms),
	};

	bw_sqlite_done(row);
	if (state != m->from)
		return bw_fail(why, BW_ERR_CONFLICT, "the held message is %s, not %s", bw_held_state_name(state),
		               bw_held_state_name(m->from));
	bw_sqlite_run(lane, BW_SQL_HELD_MOVE, ARGS(HASH(m->id), INT(m->to), INT(released.now_ms), TEXT(bw_sqlite_cut(m->by))));
	if (m->to == BW_HELD_RELEASED)
		bw_sqlite_release(lane, &released);
	return BW_OK;
}

enum bw_err bw_sqlite_held_move(struct bw_store *s, const struct bw_hash *id, enum bw_held_state from, enum bw_held_state to,
                                int64_t now_ms, struct bw_slice by, struct bw_why *why)
{
	struct move move = { id, from, to, now_ms, by };

	return bw_sqlite_do(bw_sqlite_of(s)->ledger, BW_SQLITE_WRITE, run_move, &move, why);
}

/* --- listing --- */

static void read_row(struct bw_sqlite_lane *lane, sqlite3_stmt *row, struct bw_arena *arena, void *out)
{
	*(struct bw_held *)out = (struct bw_held){
		.id = bw_sqlite_hash(row, 1),
		.host = bw_sqlite_keep(arena, row, 2),
		.queue_id = bw_sqlite_keep(arena, row, 3),
		.mta = bw_sqlite_keep(arena, row, 4),
		.list = bw_sqlite_keep(arena, row, 5),
		.conversation = bw_sqlite_hash(row, 6),
		.guard = bw_sqlite_keep(arena, row, 7),
		.sentence = bw_sqlite_keep(arena, row, 8),
		.sender = bw_sqlite_keep(arena, row, 9),
		.identity = bw_sqlite_keep(arena, row, 10),
		.message_id = bw_sqlite_keep(arena, row, 11),
		.subject = bw_sqlite_keep(arena, row, 12),
		.deliveries = sqlite3_column_int64(row, 13),
		.size_bytes = sqlite3_column_int64(row, 14),
		.held_ms = sqlite3_column_int64(row, 15),
		.message = bw_sqlite_hash(row, 16),
		.side = (enum bw_side)bw_sqlite_word(lane, row, 17, BW_SIDE_COUNT),
		.state = (enum bw_held_state)bw_sqlite_word(lane, row, 18, BW_HELD_STATE_COUNT),
		.state_ms = sqlite3_column_int64(row, 19),
		.state_by = bw_sqlite_keep(arena, row, 20),
	};
}

struct taker {
	bool (*each)(void *ctx, const struct bw_held *row);
	void *ctx;
};

static bool give_row(void *taker, const void *row)
{
	const struct taker *t = taker;

	return t->each(t->ctx, row);
}

enum bw_err bw_sqlite_held_each(struct bw_store *s, const struct bw_held_query *query, BW_EACH(struct bw_held),
                                struct bw_why *why)
{
	struct taker taker = { each, ctx };
	struct bw_sqlite_listing listing = {
		.lane = bw_sqlite_of(s)->ledger,
		.sql = BW_SQL_HELD_EACH,
		.args = { INT(0), INT(!bw_hash_is_zero(&query->id)), HASH(&query->id), INT(!bw_hash_is_zero(&query->conversation)),
		          HASH(&query->conversation), TEXT(query->list), INT(query->by_state), INT(query->state) },
		.arg_count = 8,
		.limit = query->limit,
		.row_bytes = sizeof(struct bw_held),
		.read = read_row,
		.give = give_row,
		.taker = &taker,
	};

	return bw_sqlite_list_rows(&listing, why);
}
