/* The end of a message, and of one that was held (scripts/settle.lua). */
#include "redis-internal.h"

enum { ARGUMENTS = 7, COMMANDS_A_LIST = 3 };

static void add_call(struct bw_redis *s, struct bw_redis_exchange *x, const struct bw_settle_in *in, struct bw_slice flags)
{
	bw_redis_begin_list(s, x, BW_REDIS_SETTLE, in->list, in->now_ms, ARGUMENTS);
	bw_redis_add_number(x, in->side);
	bw_redis_add_hash(x, &in->message);
	bw_redis_add_hash(x, &in->recipients);
	bw_redis_add_hash(x, &in->sender);
	bw_redis_add_hash(x, &in->conversation);
	bw_redis_add(x, flags);
	bw_redis_add_number(x, in->deliveries);
}

static struct bw_slice flags_of(const struct bw_settle_in *in)
{
	if (in->accepted)
		return in->merge ? BW_S("am") : BW_S("a");
	return in->give_back ? BW_S("g") : BW_S("");
}

static enum bw_err read_all(struct bw_redis *s, const struct bw_redis_exchange *x, size_t n, struct bw_why *why)
{
	int64_t now_ms;

	for (size_t i = 0; i < n; i++) {
		if (!bw_redis_reply_number(x->commands[i].reply, &now_ms))
			return bw_redis_bad_reply("what was settled", why);
		bw_redis_saw(s, now_ms);
	}
	return BW_OK;
}

enum bw_err bw_redis_settle(struct bw_store *store, const struct bw_settle_in *in, size_t n, struct bw_why *why)
{
	struct bw_redis *s = bw_redis_of(store);
	enum bw_err err = BW_OK;

	for (size_t i = 0; i < n && err == BW_OK; i++) {
		err = bw_store_check_place(in[i].list, in[i].side, in[i].deliveries, why);
		if (err == BW_OK)
			err = bw_redis_check_time(in[i].now_ms, why);
	}
	if (err != BW_OK || n == 0)
		return err;
	struct bw_redis_exchange *x = bw_redis_exchange_new(n);

	if (x == NULL)
		return bw_redis_no_memory(why);
	for (size_t i = 0; i < n; i++)
		add_call(s, x, &in[i], flags_of(&in[i]));
	err = bw_redis_run(s, BW_REDIS_LANE_COUNTING, x, 0, why);
	if (err == BW_OK)
		err = read_all(s, x, n, why);
	bw_redis_exchange_unref(&x);
	return err;
}

/* Its deliveries are made now, whatever was counted before. */
enum bw_err bw_redis_release(struct bw_redis *s, const struct bw_redis_released *r, int64_t deadline_ms, struct bw_why *why)
{
	struct bw_settle_in in = {
		.now_ms = r->now_ms,
		.list = r->list,
		.side = r->side,
		.message = r->message,
		.conversation = r->conversation,
		.deliveries = r->deliveries,
	};
	struct bw_redis_exchange *x = bw_redis_exchange_new(COMMANDS_A_LIST);

	if (x == NULL)
		return bw_redis_no_memory(why);
	add_call(s, x, &in, BW_S("r"));
	bw_redis_index_list(s, x, r->list);
	enum bw_err err = bw_redis_run(s, BW_REDIS_LANE_OTHER, x, deadline_ms, why);

	if (err == BW_OK)
		err = read_all(s, x, 1, why);
	bw_redis_exchange_unref(&x);
	return err;
}
