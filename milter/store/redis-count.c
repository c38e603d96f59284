/* One message on its lists: one EVALSHA a list, all in one trip (scripts/count.lua). */
#include <string.h>

#include "redis-internal.h"

enum { ARGUMENTS = 18, COMMANDS_A_LIST = 4, KEY_BYTES = 1 + BW_HASH_BYTES, FLAGS = 9 };

/* --- what goes out --- */

/* Message-ID, References and In-Reply-To hold the same ids; the other kinds are worlds of their own (scripts/list.lua). */
static char class_of(enum bw_join_kind kind)
{
	switch (kind) {
	case BW_JOIN_THREAD_INDEX:
		return 't';
	case BW_JOIN_SUBJECT:
		return 's';
	case BW_JOIN_MESSAGE_ID:
	case BW_JOIN_REFERENCES:
	case BW_JOIN_IN_REPLY_TO:
		break;
	}
	return 'i';
}

static void write_key(char out[KEY_BYTES], char class, const struct bw_hash *hash)
{
	out[0] = class;
	memcpy(out + 1, hash->b, BW_HASH_BYTES);
}

static void add_keys(struct bw_redis_exchange *x, const struct bw_count_in *in)
{
	char text[BW_JOIN_KEYS_MAX * KEY_BYTES];

	for (size_t i = 0; i < in->key_count; i++)
		write_key(text + i * KEY_BYTES, class_of(in->keys[i].kind), &in->keys[i].hash);
	bw_redis_add(x, (struct bw_slice){ text, in->key_count * KEY_BYTES });
}

/* The key that stands for the whole conversation: references come newest first, so the last of them is the root's. */
static void add_root(struct bw_redis_exchange *x, const struct bw_count_in *in)
{
	static const enum bw_join_kind order[] = { BW_JOIN_REFERENCES, BW_JOIN_IN_REPLY_TO, BW_JOIN_MESSAGE_ID,
		                                       BW_JOIN_THREAD_INDEX };
	char text[KEY_BYTES];
	bool found = false;

	write_key(text, 'o', &in->message);
	for (size_t o = 0; o < sizeof(order) / sizeof(order[0]) && !found; o++) {
		for (size_t i = in->key_count; i > 0 && !found; i--) {
			found = in->keys[i - 1].kind == order[o];
			if (found)
				write_key(text, class_of(order[o]), &in->keys[i - 1].hash);
		}
	}
	bw_redis_add(x, (struct bw_slice){ text, sizeof(text) });
}

static void add_flags(struct bw_redis_exchange *x, const struct bw_count_in *in)
{
	const struct {
		bool set;
		char letter;
	} flags[FLAGS] = {
		{ in->looks_like_reply, 'r' },
		{ in->may_merge, 'm' },
		{ in->expander, 'e' },
		{ in->poster, 'p' },
		{ in->again, 'a' },
		{ in->known_stopped, 'k' },
		{ in->stopped_unless_reply, 'u' },
		{ in->peek, 'q' },
		{ in->pass.one_in_probation, 'o' },
	};
	char text[FLAGS];
	size_t n = 0;

	for (size_t i = 0; i < FLAGS; i++) {
		if (flags[i].set)
			text[n++] = flags[i].letter;
	}
	bw_redis_add(x, (struct bw_slice){ text, n });
}

static void add_call(struct bw_redis *s, struct bw_redis_exchange *x, const struct bw_count_in *in)
{
	bw_redis_begin_list(s, x, BW_REDIS_COUNT, in->list, in->now_ms, ARGUMENTS);
	bw_redis_add_number(x, in->side);
	bw_redis_add_hash(x, &in->message);
	bw_redis_add_hash(x, &in->recipients);
	bw_redis_add_hash(x, &in->sender);
	add_keys(x, in);
	add_root(x, in);
	add_flags(x, in);
	bw_redis_add_number(x, in->deliveries);
	bw_redis_add_number(x, in->budget);
	bw_redis_add_number(x, in->conversation_window_ms);
	bw_redis_add_number(x, in->list_window_ms);
	bw_redis_add_number(x, in->memory_ms);
	bw_redis_add(x, bw_redis_cut(in->root_sender));
	bw_redis_add_number(x, in->pass.senders);
	bw_redis_add_number(x, in->pass.replies);
	bw_redis_add_number(x, in->pass.reply_senders);
	bw_redis_add_number(x, in->pass.day_senders);
	bw_redis_add_number(x, in->pass.list_senders);
}

/* --- what comes back --- */

static void take_conversation(struct bw_redis_row *row, struct bw_count_out *out)
{
	out->conversation_senders = bw_redis_take_number(row);
	out->conversation_replies = bw_redis_take_number(row);
	out->conversation_day_senders = bw_redis_take_number(row);
	out->conversation_phase_senders = bw_redis_take_number(row);
	out->conversation_last_ms = bw_redis_take_number(row);
	out->conversation_sender_was_counted = bw_redis_take_flag(row);
}

static void take_list(struct bw_redis_row *row, struct bw_count_out *out)
{
	out->list_senders = bw_redis_take_number(row);
	out->list_phase_senders = bw_redis_take_number(row);
	out->list_last_ms = bw_redis_take_number(row);
	out->list_sender_was_counted = bw_redis_take_flag(row);
	out->list_deliveries = bw_redis_take_number(row);
	out->budget_ok = bw_redis_take_flag(row);
}

static bool read_counts(const struct redisReply *reply, struct bw_count_out *out)
{
	struct bw_redis_row row = bw_redis_row_of(reply);

	*out = (struct bw_count_out){ 0 };
	out->now_ms = bw_redis_take_number(&row);
	out->seen = (enum bw_seen)bw_redis_take_word(&row, BW_SEEN_COUNT);
	out->conversation = bw_redis_take_hash(&row);
	out->joined = bw_redis_take_flag(&row);
	out->merge_wanted = bw_redis_take_flag(&row);
	take_conversation(&row, out);
	take_list(&row, out);
	out->provisional = bw_redis_take_flag(&row);
	bw_redis_take_breaker(&row, &out->conversation_breaker);
	bw_redis_take_breaker(&row, &out->list_breaker);
	return !row.bad;
}

static enum bw_err read_all(struct bw_redis *s, const struct bw_redis_exchange *x, const struct bw_count_in *in,
                            struct bw_count_out *out, size_t n, struct bw_why *why)
{
	struct bw_count_out counts;

	/* All or nothing: the first pass only looks. */
	for (size_t i = 0; i < n; i++) {
		if (!read_counts(x->commands[i].reply, &counts))
			return bw_redis_bad_reply("what was counted", why);
		if (!in[i].peek)
			bw_redis_saw(s, counts.now_ms);
	}
	for (size_t i = 0; i < n; i++)
		read_counts(x->commands[i].reply, &out[i]);
	return BW_OK;
}

enum bw_err bw_redis_count(struct bw_store *store, const struct bw_count_in *in, struct bw_count_out *out, size_t n,
                           struct bw_why *why)
{
	struct bw_redis *s = bw_redis_of(store);
	enum bw_err err = bw_store_check_count(in, n, why);

	for (size_t i = 0; i < n && err == BW_OK; i++)
		err = bw_redis_check_time(in[i].now_ms, why);
	if (err != BW_OK || n == 0)
		return err;
	struct bw_redis_exchange *x = bw_redis_exchange_new(n * COMMANDS_A_LIST);

	if (x == NULL)
		return bw_redis_no_memory(why);
	for (size_t i = 0; i < n; i++)
		add_call(s, x, &in[i]);
	for (size_t i = 0; i < n; i++) {
		if (!in[i].peek)
			bw_redis_index_list(s, x, in[i].list);
		/* A given time is one that nobody has seen yet: only in tests and simulations. */
		if (!in[i].peek && in[i].now_ms > atomic_load(&s->last_ms))
			bw_redis_begin_site(s, x, BW_REDIS_SETTINGS, in[i].now_ms, "saw", 0);
	}
	err = bw_redis_run(s, BW_REDIS_LANE_COUNTING, x, 0, why);
	if (err == BW_OK)
		err = read_all(s, x, in, out, n, why);
	bw_redis_exchange_unref(&x);
	return err;
}
