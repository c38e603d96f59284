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
	                   TEXT(bw_sqlite_cut(h->state_by)), INT(BW_SQLITE_FORMAT), INT(h->automatic)));
	for (size_t i = 0; i < h->list_count; i++) {
		const struct bw_held_list *l = &h->lists[i];

		bw_sqlite_run(
			lane, BW_SQL_HELD_LIST_PUT,
			ARGS(HASH(&h->id), INT((int64_t)i), TEXT(l->list), INT(l->side), HASH(&l->conversation), INT(l->deliveries)));
	}
	return BW_OK;
}

enum bw_err bw_sqlite_held_put(struct bw_store *s, const struct bw_held *held, struct bw_why *why)
{
	struct bw_held copy = *held;
	enum bw_err err = bw_store_check_held(held, why);

	return err != BW_OK ? err : bw_sqlite_do(bw_sqlite_of(s)->ledger, BW_SQLITE_WRITE, run_put, &copy, why);
}

/* --- the lists of an entry --- */

/* One row of BW_SQL_HELD_LISTS; its text lives until the next step. */
static struct bw_held_list read_list(struct bw_sqlite_lane *lane, sqlite3_stmt *row)
{
	return (struct bw_held_list){
		.list = bw_sqlite_text(row, 0),
		.side = (enum bw_side)bw_sqlite_word(lane, row, 1, BW_SIDE_COUNT),
		.conversation = bw_sqlite_hash(row, 2),
		.deliveries = sqlite3_column_int64(row, 3),
	};
}

/* Each list hears of its own deliveries; an entry without rows of lists has all of them on its own one. */
static void release_lists(struct bw_sqlite_lane *lane, int64_t entry, const struct bw_sqlite_released *whole)
{
	const struct bw_sqlite_arg of_entry = INT(entry);
	sqlite3_stmt *row = bw_sqlite_rows(lane, BW_SQL_HELD_LISTS, &of_entry, 1);

	if (row == NULL)
		bw_sqlite_release(lane, whole);
	for (; row != NULL; row = bw_sqlite_next(lane, row) ? row : NULL) {
		const struct bw_held_list list = read_list(lane, row);
		struct bw_sqlite_released one = *whole;

		one.list = list.list;
		one.side = list.side;
		one.conversation = list.conversation;
		one.deliveries = list.deliveries;
		bw_sqlite_release(lane, &one);
	}
}

/* --- move --- */

struct move {
	const struct bw_hash *id;
	enum bw_held_state from, to;
	int64_t now_ms;
	struct bw_slice by;
	struct bw_slice queue_id; /* the one it has now; "" as it was */
};

static enum bw_err run_move(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct move *m = arg;
	char list[BW_STORE_LIST_BYTES_MAX + 1];
	const struct bw_sqlite_arg of_id = HASH(m->id);
	sqlite3_stmt *row = bw_sqlite_rows(lane, BW_SQL_HELD_GET, &of_id, 1);

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
	int64_t entry = sqlite3_column_int64(row, 6);

	bw_sqlite_done(row);
	if (state != m->from)
		return bw_fail(why, BW_ERR_CONFLICT, "the held message is %s, not %s", bw_held_state_name(state),
		               bw_held_state_name(m->from));
	bw_sqlite_run(lane, BW_SQL_HELD_MOVE, ARGS(HASH(m->id), INT(m->to), INT(released.now_ms), TEXT(bw_sqlite_cut(m->by))));
	if (m->queue_id.n > 0)
		bw_sqlite_run(lane, BW_SQL_HELD_REQUEUE, ARGS(HASH(m->id), TEXT(bw_sqlite_cut(m->queue_id))));
	if (m->to == BW_HELD_RELEASED)
		release_lists(lane, entry, &released);
	return BW_OK;
}

enum bw_err bw_sqlite_held_move(struct bw_store *s, const struct bw_hash *id, enum bw_held_state from, enum bw_held_state to,
                                int64_t now_ms, struct bw_slice by, struct bw_why *why)
{
	struct move move = { id, from, to, now_ms, by, { NULL, 0 } };

	return bw_sqlite_do(bw_sqlite_of(s)->ledger, BW_SQLITE_WRITE, run_move, &move, why);
}

enum bw_err bw_sqlite_held_return(struct bw_store *s, const struct bw_hash *id, enum bw_held_state from, struct bw_slice queue_id,
                                  int64_t now_ms, struct bw_slice by, struct bw_why *why)
{
	struct move move = { id, from, BW_HELD_WAITING, now_ms, by, queue_id };

	return bw_sqlite_do(bw_sqlite_of(s)->ledger, BW_SQLITE_WRITE, run_move, &move, why);
}

/* --- listing --- */

static void read_lists(struct bw_sqlite_lane *lane, int64_t entry, struct bw_arena *arena, struct bw_held *out)
{
	struct bw_held_list lists[BW_HELD_LISTS_MAX], *copy;
	const struct bw_sqlite_arg of_entry = INT(entry);
	sqlite3_stmt *row = bw_sqlite_rows(lane, BW_SQL_HELD_LISTS, &of_entry, 1);
	size_t n = 0;

	for (; row != NULL && n < BW_HELD_LISTS_MAX; row = bw_sqlite_next(lane, row) ? row : NULL) {
		lists[n] = read_list(lane, row);
		lists[n].list = bw_sqlite_keep(arena, row, 0);
		n++;
	}
	if (row != NULL)
		bw_sqlite_done(row);
	copy = n > 0 ? bw_arena_alloc(arena, n * sizeof(*copy)) : NULL;
	for (size_t i = 0; copy != NULL && i < n; i++)
		copy[i] = lists[i];
	out->lists = copy;
	out->list_count = copy == NULL ? 0 : n;
}

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
		.automatic = sqlite3_column_int64(row, 21) != 0,
	};
	read_lists(lane, sqlite3_column_int64(row, 0), arena, out);
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
		.sql = bw_hash_is_zero(&query->id) ? BW_SQL_HELD_EACH : BW_SQL_HELD_ONE, /* one is found by the index of ids */
		.args = { INT(0), INT(!bw_hash_is_zero(&query->id)), HASH(&query->id), INT(!bw_hash_is_zero(&query->conversation)),
		          HASH(&query->conversation), TEXT(query->list), INT(query->by_state), INT(query->state),
		          INT(query->since_ms), INT(!bw_hash_is_zero(&query->after)), HASH(&query->after) },
		.arg_count = bw_hash_is_zero(&query->id) ? 11 : 9,
		.limit = query->limit,
		.row_bytes = sizeof(struct bw_held),
		.read = read_row,
		.give = give_row,
		.taker = &taker,
	};

	return bw_sqlite_list_rows(&listing, why);
}
