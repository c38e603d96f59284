/* Breaker records: read, compared and set, listed (scripts/breaker.lua). */
#include <stdlib.h>
#include <string.h>

#include "redis-internal.h"

enum { WORDS = 13, LISTS_A_PAGE = 32, INDEX_COMMANDS = 4 };

/* --- records --- */

static void add_breaker(struct bw_redis_exchange *x, const struct bw_breaker *b, int64_t version)
{
	const int64_t numbers[] = { b->phase, b->rule,     b->since_ms, b->until_ms,       b->ordinal,
		                        b->limit, b->relapses, b->trips,    b->override_state, b->override_until_ms };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		bw_redis_add_number(x, numbers[i]);
	bw_redis_add(x, (struct bw_slice){ b->override_owner, strnlen(b->override_owner, sizeof(b->override_owner) - 1) });
	bw_redis_add(x, (struct bw_slice){ b->override_reason, strnlen(b->override_reason, sizeof(b->override_reason) - 1) });
	bw_redis_add_number(x, version);
}

static int32_t take_small(struct bw_redis_row *row)
{
	int64_t n = bw_redis_take_number(row);

	if (n < INT32_MIN || n > INT32_MAX)
		row->bad = true;
	return row->bad ? 0 : (int32_t)n;
}

static void read_breaker(struct bw_redis_row *r, struct bw_breaker *out)
{
	out->phase = (enum bw_phase)bw_redis_take_word(r, BW_PHASE_COUNT);
	out->rule = (enum bw_rule)bw_redis_take_word(r, BW_RULE_COUNT);
	out->since_ms = bw_redis_take_number(r);
	out->until_ms = bw_redis_take_number(r);
	out->ordinal = bw_redis_take_number(r);
	out->limit = bw_redis_take_number(r);
	out->relapses = take_small(r);
	out->trips = take_small(r);
	out->override_state = (enum bw_override)bw_redis_take_word(r, BW_OVERRIDE_COUNT);
	out->override_until_ms = bw_redis_take_number(r);
	bw_slice_copy(bw_redis_take_text(r), out->override_owner, sizeof(out->override_owner));
	bw_slice_copy(bw_redis_take_text(r), out->override_reason, sizeof(out->override_reason));
	out->version = bw_redis_take_number(r);
}

void bw_redis_take_breaker(struct bw_redis_row *row, struct bw_breaker *out)
{
	struct bw_redis_row record = bw_redis_take_row(row);

	*out = (struct bw_breaker){ 0 };
	if (record.bad || bw_redis_row_count(&record) == 0)
		return;
	row->at--;
	record = bw_redis_take_record(row);
	if (!record.bad)
		read_breaker(&record, out);
	row->bad = row->bad || record.bad;
}

/* --- get and compare-and-set --- */

static void begin(struct bw_redis *s, struct bw_redis_exchange *x, const struct bw_breaker_key *key, const char *todo,
                  size_t arguments)
{
	bw_redis_begin_list(s, x, BW_REDIS_BREAKER, key->list, 0, 3 + arguments);
	bw_redis_add_number(x, key->side);
	if (key->scope == BW_SCOPE_CONVERSATION)
		bw_redis_add_hash(x, &key->conversation);
	else
		bw_redis_add(x, BW_S(""));
	bw_redis_add_text(x, todo);
}

enum bw_err bw_redis_breaker_get(struct bw_store *store, const struct bw_breaker_key *key, struct bw_breaker *out,
                                 struct bw_why *why)
{
	struct bw_redis *s = bw_redis_of(store);
	enum bw_err err = bw_store_check_key(key, why);
	struct bw_redis_exchange *x = err == BW_OK ? bw_redis_exchange_new(1) : NULL;
	struct bw_breaker found = { 0 };

	if (x == NULL)
		return err != BW_OK ? err : bw_redis_no_memory(why);
	begin(s, x, key, "get", 0);
	err = bw_redis_run(s, BW_REDIS_LANE_COUNTING, x, 0, why);
	if (err == BW_OK) {
		struct bw_redis_row record = bw_redis_row_of(x->commands[0].reply);

		if (bw_redis_row_count(&record) > 0) {
			record.bad = record.bad || bw_redis_take_number(&record) != 1;
			read_breaker(&record, &found);
		}
		if (record.bad)
			err = bw_redis_bad_reply("a breaker", why);
		else
			*out = found;
	}
	bw_redis_exchange_unref(&x);
	return err;
}

static enum bw_err read_cas(struct bw_redis *s, const struct redisReply *reply, const struct bw_breaker *next, struct bw_why *why)
{
	struct bw_redis_row row = bw_redis_row_of(reply);
	bool done = bw_redis_take_flag(&row);
	int64_t n = bw_redis_take_number(&row); /* the time, or the version that is there */

	if (row.bad)
		return bw_redis_bad_reply("a breaker", why);
	if (!done)
		return bw_fail(why, BW_ERR_CONFLICT, "the breaker was changed meanwhile (version %lld, not %lld)", (long long)n,
		               (long long)next->version);
	bw_redis_saw(s, n);
	return BW_OK;
}

enum bw_err bw_redis_breaker_cas(struct bw_store *store, const struct bw_breaker_key *key, const struct bw_breaker *next,
                                 struct bw_why *why)
{
	struct bw_redis *s = bw_redis_of(store);
	enum bw_err err = bw_store_check_key(key, why);
	struct bw_redis_exchange *x = err == BW_OK ? bw_redis_exchange_new(1 + INDEX_COMMANDS) : NULL;

	if (x == NULL)
		return err != BW_OK ? err : bw_redis_no_memory(why);
	begin(s, x, key, "set", 1 + WORDS);
	bw_redis_add_number(x, next->version);
	add_breaker(x, next, next->version + 1);
	/* Behind the record, so that whoever cleans the index (redis-expire.c) finds the one or the other. */
	bw_redis_index_list(s, x, key->list);
	if (next->phase != BW_PHASE_CLOSED || next->override_state != BW_OVERRIDE_NONE)
		bw_redis_index_stopped(s, x, key->list);
	err = bw_redis_run(s, BW_REDIS_LANE_COUNTING, x, 0, why);
	if (err == BW_OK)
		err = read_cas(s, x->commands[0].reply, next, why);
	bw_redis_exchange_unref(&x);
	return err;
}

/* --- listing --- */

struct listing {
	struct bw_redis *s;
	int64_t edge_ms;
	bool all;
	bool (*each)(void *ctx, const struct bw_breaker_row *row);
	void *ctx;
	char after[BW_STORE_LIST_BYTES_MAX + 1]; /* "(" and the last address of the page before, or "-" */
	size_t after_n;
	struct bw_slice lists[LISTS_A_PAGE];
	size_t list_count;
	bool more;
};

/* The next page of addresses; they live as long as the exchange. */
static enum bw_err read_lists(struct listing *l, struct bw_redis_exchange **out, struct bw_why *why)
{
	struct bw_redis_exchange *x = bw_redis_exchange_new(1);
	char key[BW_REDIS_KEY_BYTES];

	if (x == NULL)
		return bw_redis_no_memory(why);
	bw_redis_begin(x, 7);
	bw_redis_add(x, BW_S("ZRANGEBYLEX"));
	bw_redis_add(x, bw_redis_key(l->s, l->all ? "lists" : "stopped", key));
	bw_redis_add(x, (struct bw_slice){ l->after, l->after_n });
	bw_redis_add(x, BW_S("+"));
	bw_redis_add(x, BW_S("LIMIT"));
	bw_redis_add(x, BW_S("0"));
	bw_redis_add_number(x, LISTS_A_PAGE);
	enum bw_err err = bw_redis_run(l->s, BW_REDIS_LANE_OTHER, x, 0, why);
	struct bw_redis_row row = bw_redis_row_of(err == BW_OK ? x->commands[0].reply : NULL);

	l->list_count = 0;
	while (l->list_count < LISTS_A_PAGE && bw_redis_row_more(&row))
		l->lists[l->list_count++] = bw_redis_take_text(&row);
	if (err == BW_OK && row.bad)
		err = bw_redis_bad_reply("the index of lists", why);
	l->more = l->list_count == LISTS_A_PAGE;
	if (l->list_count > 0)
		l->after_n = 1 + bw_slice_copy(l->lists[l->list_count - 1], l->after + 1, sizeof(l->after) - 1);
	l->after[0] = '(';
	*out = x;
	return err;
}

static bool read_row(struct bw_redis_row *rows, struct bw_slice list, struct bw_breaker_row *out)
{
	struct bw_redis_row row = bw_redis_take_row(rows);

	*out = (struct bw_breaker_row){ .key.list = list };
	out->key.conversation = bw_redis_take_hash(&row);
	out->key.scope = bw_hash_is_zero(&out->key.conversation) ? BW_SCOPE_LIST : BW_SCOPE_CONVERSATION;
	out->key.side = (enum bw_side)bw_redis_take_word(&row, BW_SIDE_COUNT);
	out->senders = bw_redis_take_number(&row);
	out->last_ms = bw_redis_take_number(&row);
	bw_redis_take_breaker(&row, &out->record);
	return !row.bad;
}

/* False: the caller has had enough. */
static enum bw_err give_rows(struct listing *l, const struct bw_redis_exchange *x, struct bw_why *why)
{
	struct bw_breaker_row row;

	for (size_t i = 0; i < x->count; i++) {
		struct bw_redis_row rows = bw_redis_row_of(x->commands[i].reply);

		while (bw_redis_row_more(&rows)) {
			if (!read_row(&rows, l->lists[i], &row))
				return bw_redis_bad_reply("a breaker", why);
			if (!l->each(l->ctx, &row)) {
				l->more = false;
				return BW_OK;
			}
		}
		if (rows.bad)
			return bw_redis_bad_reply("the breakers of a list", why);
	}
	return BW_OK;
}

static enum bw_err read_page(struct listing *l, struct bw_why *why)
{
	struct bw_redis_exchange *lists = NULL, *x = NULL;
	enum bw_err err = read_lists(l, &lists, why);

	if (err == BW_OK && l->list_count > 0) {
		x = bw_redis_exchange_new(l->list_count);
		if (x == NULL)
			err = bw_redis_no_memory(why);
	}
	for (size_t i = 0; err == BW_OK && i < l->list_count; i++) {
		begin(l->s, x, &(struct bw_breaker_key){ .scope = BW_SCOPE_LIST, .list = l->lists[i] }, "each", 2);
		bw_redis_add_number(x, l->edge_ms);
		bw_redis_add_number(x, l->all);
	}
	if (err == BW_OK && x != NULL)
		err = bw_redis_run(l->s, BW_REDIS_LANE_OTHER, x, 0, why);
	if (err == BW_OK && x != NULL)
		err = give_rows(l, x, why);
	bw_redis_exchange_unref(&x);
	bw_redis_exchange_unref(&lists);
	return err;
}

enum bw_err bw_redis_breaker_each(struct bw_store *store, int64_t now_ms, int64_t window_ms, bool all,
                                  BW_EACH(struct bw_breaker_row), struct bw_why *why)
{
	struct listing l = {
		.s = bw_redis_of(store), .all = all, .each = each, .ctx = ctx, .after = "-", .after_n = 1, .more = true
	};
	enum bw_err err = now_ms == 0 ? store->ops->now(store, &now_ms, why) : BW_OK;

	l.edge_ms = now_ms - window_ms;
	while (err == BW_OK && l.more)
		err = read_page(&l, why);
	return err;
}
