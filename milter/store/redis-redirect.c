/* Redirected replies of a conversation (scripts/redirect.lua). */
#include <string.h>

#include "redis-internal.h"

enum { ARGUMENTS = 5 };

static void add_call(struct bw_redis *s, struct bw_redis_exchange *x, const struct bw_redirect_in *in)
{
	bw_redis_begin_list(s, x, BW_REDIS_REDIRECT, in->list, in->now_ms, ARGUMENTS);
	bw_redis_add_hash(x, &in->conversation);
	bw_redis_add_hash(x, &in->message);
	bw_redis_add_number(x, in->limit);
	bw_redis_add_number(x, in->memory_ms);
	bw_redis_add_number(x, in->give_back);
}

/* A NUL in front: of a proven identity (redis-count.c). */
static void read_root(struct bw_slice root, struct bw_redirect_out *out)
{
	out->root_trusted = root.n > 1 && root.p[0] == '\0';
	root = bw_slice_from(root, out->root_trusted ? 1 : 0);
	if (root.n < sizeof(out->root_sender))
		bw_slice_copy(root, out->root_sender, sizeof(out->root_sender));
}

static bool read_one(struct bw_redis *s, const struct redisReply *reply, struct bw_redirect_out *out)
{
	struct bw_redis_row row = bw_redis_row_of(reply);
	int64_t now_ms = bw_redis_take_number(&row);

	*out = (struct bw_redirect_out){ .ordinal = bw_redis_take_number(&row) };
	out->again = bw_redis_take_flag(&row);
	read_root(bw_redis_take_text(&row), out);
	if (!row.bad)
		bw_redis_saw(s, now_ms);
	return !row.bad;
}

static enum bw_err read_all(struct bw_redis *s, const struct bw_redis_exchange *x, struct bw_redirect_out *out, size_t n,
                            struct bw_why *why)
{
	struct bw_redirect_out one;

	/* All or nothing: the first pass only looks. */
	for (size_t i = 0; i < n; i++) {
		if (!read_one(s, x->commands[i].reply, &one))
			return bw_redis_bad_reply("what was redirected", why);
	}
	for (size_t i = 0; i < n; i++)
		read_one(s, x->commands[i].reply, &out[i]);
	return BW_OK;
}

enum bw_err bw_redis_redirect(struct bw_store *store, const struct bw_redirect_in *in, struct bw_redirect_out *out, size_t n,
                              struct bw_why *why)
{
	struct bw_redis *s = bw_redis_of(store);
	enum bw_err err = bw_store_check_redirect(in, n, why);

	for (size_t i = 0; i < n && err == BW_OK; i++)
		err = bw_redis_check_time(in[i].now_ms, why);
	if (err != BW_OK || n == 0)
		return err;
	struct bw_redis_exchange *x = bw_redis_exchange_new(n);

	if (x == NULL)
		return bw_redis_no_memory(why);
	for (size_t i = 0; i < n; i++)
		add_call(s, x, &in[i]);
	err = bw_redis_run(s, BW_REDIS_LANE_COUNTING, x, 0, why);
	if (err == BW_OK)
		err = read_all(s, x, out, n, why);
	bw_redis_exchange_unref(&x);
	return err;
}
