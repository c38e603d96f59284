/* The ledger as all hosts see it (scripts/held.lua). */
#include <string.h>

#include "bw/clock.h"
#include "redis-compat.h"
#include "redis-site.h"
#include "store-internal.h"

enum { PUT_ARGUMENTS = 21, OF_LIST = 4, ROWS_A_PAGE = 128 };

/* --- put --- */

static void add_held(struct bw_redis_exchange *x, const struct bw_held *h)
{
	const struct bw_slice texts[] = { h->guard, h->sentence, h->sender, h->identity, h->message_id, h->subject };

	bw_redis_add_hash(x, &h->id);
	bw_redis_add(x, bw_redis_cut(h->host));
	bw_redis_add(x, bw_redis_cut(h->queue_id));
	bw_redis_add(x, bw_redis_cut(h->mta));
	bw_redis_add(x, h->list);
	bw_redis_add_hash(x, &h->conversation);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		bw_redis_add(x, bw_redis_cut(texts[i]));
	bw_redis_add_number(x, h->deliveries);
	bw_redis_add_number(x, h->size_bytes);
	bw_redis_add_hash(x, &h->message);
	bw_redis_add_number(x, h->side);
	bw_redis_add_number(x, h->state);
	bw_redis_add_number(x, h->state_ms);
	bw_redis_add(x, bw_redis_cut(h->state_by));
	bw_redis_add_number(x, (int64_t)h->list_count);
	for (size_t i = 0; i < h->list_count; i++) {
		bw_redis_add(x, h->lists[i].list);
		bw_redis_add_number(x, h->lists[i].side);
		bw_redis_add_hash(x, &h->lists[i].conversation);
		bw_redis_add_number(x, h->lists[i].deliveries);
	}
	bw_redis_add_number(x, h->automatic);
}

enum bw_err bw_redis_held_put(struct bw_store *store, const struct bw_held *held, struct bw_why *why)
{
	struct bw_redis *s = bw_redis_of(store);
	int64_t same = 0;
	enum bw_err err = bw_redis_check_time(held->held_ms, why);

	if (err == BW_OK)
		err = bw_store_check_held(held, why);
	struct bw_redis_exchange *x = err == BW_OK ? bw_redis_exchange_new(1) : NULL;

	if (x == NULL)
		return err != BW_OK ? err : bw_redis_no_memory(why);
	bw_redis_begin_site(s, x, BW_REDIS_HELD, held->held_ms, "put", PUT_ARGUMENTS + OF_LIST * held->list_count);
	add_held(x, held);
	err = bw_redis_run_number(s, x, &same, why);
	if (err == BW_OK && same == 0)
		err = bw_fail(why, BW_ERR_EXISTS, "the ledger has another message under this id");
	bw_redis_exchange_unref(&x);
	return err;
}

/* --- the lists of an entry --- */

/* Reads N and the lists behind it into `lists`; how many. */
static size_t take_lists(struct bw_redis_row *row, struct bw_held_list lists[BW_HELD_LISTS_MAX])
{
	int64_t count = bw_redis_take_number(row);

	if (count < 0 || count > BW_HELD_LISTS_MAX)
		row->bad = true;
	for (int64_t i = 0; !row->bad && i < count; i++) {
		lists[i].list = bw_redis_take_text(row);
		lists[i].side = (enum bw_side)bw_redis_take_word(row, BW_SIDE_COUNT);
		lists[i].conversation = bw_redis_take_hash(row);
		lists[i].deliveries = bw_redis_take_number(row);
	}
	return row->bad ? 0 : (size_t)count;
}

/* --- move --- */

struct move {
	bool moved, owed; /* owed: the lists have not heard of the release yet */
	enum bw_held_state state;
	struct bw_redis_released released;
	struct bw_held_list lists[BW_HELD_LISTS_MAX];
	size_t list_count;
};

static enum bw_err read_move(const struct redisReply *reply, struct move *out, struct bw_why *why)
{
	struct bw_redis_row row = bw_redis_row_of(reply);
	struct bw_redis_released *r = &out->released;

	if (!row.bad && bw_redis_row_count(&row) == 0)
		return bw_fail(why, BW_ERR_NOT_FOUND, "the ledger has no such held message");
	out->moved = bw_redis_take_flag(&row);
	out->owed = bw_redis_take_flag(&row);
	out->state = (enum bw_held_state)bw_redis_take_word(&row, BW_HELD_STATE_COUNT);
	r->now_ms = bw_redis_take_number(&row);
	r->list = bw_redis_take_text(&row);
	r->side = (enum bw_side)bw_redis_take_word(&row, BW_SIDE_COUNT);
	r->message = bw_redis_take_hash(&row);
	r->conversation = bw_redis_take_hash(&row);
	r->deliveries = bw_redis_take_number(&row);
	out->list_count = take_lists(&row, out->lists);
	return row.bad ? bw_redis_bad_reply("a held message", why) : BW_OK;
}

/* Each list hears of its own deliveries; an entry without lists has all of them on its own one. */
static enum bw_err release_lists(struct bw_redis *s, const struct move *m, int64_t deadline_ms, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	if (m->list_count == 0 && m->released.list.n > 0)
		return bw_redis_release(s, &m->released, deadline_ms, why);
	for (size_t i = 0; i < m->list_count && err == BW_OK; i++) {
		struct bw_redis_released one = m->released;

		one.list = m->lists[i].list;
		one.side = m->lists[i].side;
		one.conversation = m->lists[i].conversation;
		one.deliveries = m->lists[i].deliveries;
		err = bw_redis_release(s, &one, deadline_ms, why);
	}
	return err;
}

/* The lists' keys lie elsewhere than the ledger's. Should we die between the two, whoever tries to
 * release it next goes on here (and is told that it is released already). */
static enum bw_err release(struct bw_redis *s, const struct bw_hash *id, const struct move *m, int64_t deadline_ms,
                           struct bw_why *why)
{
	struct bw_redis_exchange *x = bw_redis_exchange_new(1);
	enum bw_err err = x == NULL ? bw_redis_no_memory(why) : BW_OK;

	if (err == BW_OK)
		err = release_lists(s, m, deadline_ms, why);
	if (err == BW_OK) {
		bw_redis_begin_site(s, x, BW_REDIS_HELD, 0, "paid", 1);
		bw_redis_add_hash(x, id);
		err = bw_redis_run(s, BW_REDIS_LANE_OTHER, x, deadline_ms, why);
	}
	bw_redis_exchange_unref(&x);
	return err;
}

struct order {
	const struct bw_hash *id;
	enum bw_held_state from, to;
	int64_t now_ms;
	struct bw_slice by, queue_id; /* queue_id: the one it has now; "" as it was */
};

static enum bw_err run_move(struct bw_redis *s, const struct order *o, struct bw_why *why)
{
	struct move move = { .moved = false };
	int64_t deadline_ms = bw_clock_monotonic_ms() + s->deadline_ms;
	enum bw_err err = bw_redis_check_time(o->now_ms, why);
	struct bw_redis_exchange *x = err == BW_OK ? bw_redis_exchange_new(1) : NULL;

	if (x == NULL)
		return err != BW_OK ? err : bw_redis_no_memory(why);
	bw_redis_begin_site(s, x, BW_REDIS_HELD, o->now_ms, "move", 5);
	bw_redis_add_hash(x, o->id);
	bw_redis_add_number(x, o->from);
	bw_redis_add_number(x, o->to);
	bw_redis_add(x, bw_redis_cut(o->by));
	bw_redis_add(x, bw_redis_cut(o->queue_id));
	err = bw_redis_run(s, BW_REDIS_LANE_OTHER, x, deadline_ms, why);
	if (err == BW_OK)
		err = read_move(x->commands[0].reply, &move, why);
	if (err == BW_OK && move.moved)
		bw_redis_saw(s, move.released.now_ms);
	if (err == BW_OK && move.owed)
		err = release(s, o->id, &move, deadline_ms, why);
	if (err == BW_OK && !move.moved)
		err = bw_fail(why, BW_ERR_CONFLICT, "the held message is %s, not %s", bw_held_state_name(move.state),
		              bw_held_state_name(o->from));
	bw_redis_exchange_unref(&x);
	return err;
}

enum bw_err bw_redis_held_move(struct bw_store *store, const struct bw_hash *id, enum bw_held_state from, enum bw_held_state to,
                               int64_t now_ms, struct bw_slice by, struct bw_why *why)
{
	const struct order o = { id, from, to, now_ms, by, { NULL, 0 } };

	return run_move(bw_redis_of(store), &o, why);
}

enum bw_err bw_redis_held_return(struct bw_store *store, const struct bw_hash *id, enum bw_held_state from,
                                 struct bw_slice queue_id, int64_t now_ms, struct bw_slice by, struct bw_why *why)
{
	const struct order o = { id, from, BW_HELD_WAITING, now_ms, by, queue_id };

	return run_move(bw_redis_of(store), &o, why);
}

/* --- listing --- */

struct taker {
	bool (*each)(void *ctx, const struct bw_held *row);
	void *ctx;
	const struct bw_hash *after; /* rows up to this one are passed by; NULL: none */
	int64_t left;                /* of the limit, where rows are passed by */
};

static bool take_row(struct taker *taker, const struct bw_held *row)
{
	if (taker->after != NULL) {
		if (bw_hash_equal(&row->id, taker->after))
			taker->after = NULL;
		return true;
	}
	return taker->each(taker->ctx, row) && --taker->left != 0;
}

static void ask(const struct bw_redis_pages *p, struct bw_redis_exchange *x)
{
	const struct bw_held_query *query = p->query;

	bw_redis_begin_site(p->s, x, BW_REDIS_HELD, 0, "each", 7);
	bw_redis_add_number(x, p->after);
	bw_redis_add_number(x, ROWS_A_PAGE);
	bw_redis_add_hash_or_all(x, &query->id);
	bw_redis_add_hash_or_all(x, &query->conversation);
	bw_redis_add(x, query->list);
	if (query->by_state)
		bw_redis_add_number(x, query->state);
	else
		bw_redis_add(x, BW_S(""));
	bw_redis_add_number(x, query->since_ms);
}

static void read_texts(struct bw_redis_row *record, struct bw_held *row)
{
	bw_redis_take_number(record); /* its place in the order */
	row->id = bw_redis_take_hash(record);
	row->host = bw_redis_take_text(record);
	row->queue_id = bw_redis_take_text(record);
	row->mta = bw_redis_take_text(record);
	row->list = bw_redis_take_text(record);
	row->conversation = bw_redis_take_hash(record);
	row->guard = bw_redis_take_text(record);
	row->sentence = bw_redis_take_text(record);
	row->sender = bw_redis_take_text(record);
	row->identity = bw_redis_take_text(record);
	row->message_id = bw_redis_take_text(record);
	row->subject = bw_redis_take_text(record);
}

static bool give(struct bw_redis_pages *p, struct bw_redis_row *record)
{
	struct taker *taker = p->taker;
	struct bw_held_list lists[BW_HELD_LISTS_MAX];
	struct bw_held row = { .lists = lists };

	read_texts(record, &row);
	row.deliveries = bw_redis_take_number(record);
	row.size_bytes = bw_redis_take_number(record);
	row.held_ms = bw_redis_take_number(record);
	row.message = bw_redis_take_hash(record);
	row.side = (enum bw_side)bw_redis_take_word(record, BW_SIDE_COUNT);
	row.state = (enum bw_held_state)bw_redis_take_word(record, BW_HELD_STATE_COUNT);
	row.state_ms = bw_redis_take_number(record);
	row.state_by = bw_redis_take_text(record);
	bw_redis_take_flag(record); /* what its lists are owed */
	row.list_count = take_lists(record, lists);
	row.automatic = bw_redis_row_more(record) && bw_redis_take_flag(record); /* older entries end with their lists */
	return !record->bad && take_row(taker, &row);
}

enum bw_err bw_redis_held_each(struct bw_store *store, const struct bw_held_query *query, BW_EACH(struct bw_held),
                               struct bw_why *why)
{
	bool from_start = bw_hash_is_zero(&query->after);
	struct taker taker = { each, ctx, from_start ? NULL : &query->after, query->limit };
	struct bw_redis_pages pages = {
		.s = bw_redis_of(store),
		.ask = ask,
		.give = give,
		.with_cursor = true,
		.limit = from_start ? query->limit : 0,
		.taker = &taker,
		.query = query,
		.what = "a held message",
	};

	return bw_redis_give_pages(&pages, why);
}
