/* One message on its lists: one EVALSHA a list, all in one trip (scripts/count.lua). */
#include <string.h>

#include "redis-internal.h"

enum {
	ARGUMENTS = 8,
	COMMANDS_A_LIST = 4,
	KEY_BYTES = 1 + BW_HASH_BYTES,
	PACKED_BYTES = 96, /* of a call's numbers; 75 are in use */
	REPLY_BYTES = 72   /* of a reply's: REPLY in count.lua */
};

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

/* Each once: the first of two that are alike is the stronger. */
static void add_keys(struct bw_redis_exchange *x, const struct bw_count_in *in)
{
	char text[BW_JOIN_KEYS_MAX * KEY_BYTES];
	size_t n = 0;

	for (size_t i = 0; i < in->key_count; i++) {
		char *key = text + n * KEY_BYTES;
		bool repeated = false;

		write_key(key, class_of(in->keys[i].kind), &in->keys[i].hash);
		for (size_t j = 0; j < n && !repeated; j++)
			repeated = memcmp(text + j * KEY_BYTES, key, KEY_BYTES) == 0;
		n += !repeated;
	}
	bw_redis_add(x, (struct bw_slice){ text, n * KEY_BYTES });
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

/* A proven identity's has a NUL in front, which no address has: versions that know nothing of it carry the text as it is. */
static void add_root_sender(struct bw_redis_exchange *x, const struct bw_count_in *in)
{
	char text[1 + BW_ROOT_SENDER_BYTES] = { '\0' };

	if (in->root_trusted && in->root_sender.n > 0 && in->root_sender.n < BW_ROOT_SENDER_BYTES) {
		memcpy(text + 1, in->root_sender.p, in->root_sender.n);
		bw_redis_add(x, (struct bw_slice){ text, 1 + in->root_sender.n });
	} else {
		bw_redis_add(x, bw_redis_cut(in->root_sender));
	}
}

/* Numbers as count.lua unpacks them: big-endian, cut to what fits. */
struct packer {
	unsigned char bytes[PACKED_BYTES];
	size_t n;
};

static void put(struct packer *p, size_t bytes, int64_t value)
{
	int64_t most = (INT64_C(1) << (8 * bytes)) - 1;

	value = value < 0 ? 0 : value > most ? most : value;
	for (size_t i = bytes; i > 0; i--)
		p->bytes[p->n++] = (unsigned char)((uint64_t)value >> (8 * (i - 1)));
}

static void put_flags(struct packer *p, const struct bw_count_in *in)
{
	const bool flags[] = { in->looks_like_reply,
		                   in->may_merge,
		                   in->expander,
		                   in->poster,
		                   in->again,
		                   in->known_stopped,
		                   in->stopped_unless_reply,
		                   in->peek,
		                   in->pass.one_in_probation };

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		put(p, 1, flags[i]);
}

/* Times and windows are cut to what no clock reaches, so that sums of them stay exact in a script's numbers. */
static int64_t reachable(int64_t ms)
{
	return ms < BW_REDIS_TIME_MAX ? ms : BW_REDIS_TIME_MAX;
}

static void add_numbers(struct bw_redis *s, struct bw_redis_exchange *x, const struct bw_count_in *in)
{
	struct packer p = { .n = 0 };

	put(&p, 6, bw_redis_given(s, in->now_ms));
	put(&p, 6, bw_redis_least(s));
	put(&p, 1, in->side);
	put_flags(&p, in);
	put(&p, 7, in->deliveries);
	put(&p, 7, in->budget);
	put(&p, 6, reachable(in->conversation_window_ms));
	put(&p, 6, reachable(in->list_window_ms));
	put(&p, 6, reachable(in->memory_ms));
	put(&p, 4, in->pass.senders);
	put(&p, 4, in->pass.replies);
	put(&p, 4, in->pass.reply_senders);
	put(&p, 4, in->pass.day_senders);
	put(&p, 4, in->pass.list_senders);
	bw_redis_add(x, (struct bw_slice){ (const char *)p.bytes, p.n });
}

static void add_call(struct bw_redis *s, struct bw_redis_exchange *x, const struct bw_count_in *in)
{
	struct bw_redis_list_keys keys;

	bw_redis_list_keys(s, in->list, &keys);
	bw_redis_begin_script(x, BW_REDIS_COUNT, keys.keys, BW_REDIS_LIST_KEYS, ARGUMENTS);
	add_numbers(s, x, in);
	bw_redis_add(x, in->list);
	bw_redis_add_hash(x, &in->message);
	bw_redis_add_hash(x, &in->recipients);
	bw_redis_add_hash(x, &in->sender);
	add_keys(x, in);
	add_root(x, in);
	add_root_sender(x, in);
}

/* --- what comes back --- */

static int64_t get(struct bw_slice *rest, size_t bytes)
{
	int64_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | (unsigned char)rest->p[i];
	*rest = bw_slice_from(*rest, bytes);
	return value;
}

static void read_conversation(struct bw_slice *rest, struct bw_count_out *out)
{
	out->conversation_senders = get(rest, 4);
	out->conversation_replies = get(rest, 4);
	out->conversation_day_senders = get(rest, 4);
	out->conversation_phase_senders = get(rest, 4);
	out->conversation_last_ms = get(rest, 6);
	out->conversation_sender_was_counted = get(rest, 1) != 0;
}

static void read_list(struct bw_slice *rest, struct bw_count_out *out)
{
	out->list_senders = get(rest, 4);
	out->list_phase_senders = get(rest, 4);
	out->list_last_ms = get(rest, 6);
	out->list_sender_was_counted = get(rest, 1) != 0;
	out->list_deliveries = get(rest, 7);
	out->budget_ok = get(rest, 1) != 0;
}

static bool read_numbers(struct bw_slice rest, struct bw_count_out *out)
{
	if (rest.n != REPLY_BYTES)
		return false;
	out->now_ms = get(&rest, 6);
	int64_t seen = get(&rest, 1);

	out->seen = (enum bw_seen)(seen < BW_SEEN_COUNT ? seen : 0);
	out->joined = get(&rest, 1) != 0;
	out->merge_wanted = get(&rest, 1) != 0;
	read_conversation(&rest, out);
	read_list(&rest, out);
	out->provisional = get(&rest, 1) != 0;
	memcpy(out->conversation.b, rest.p, BW_HASH_BYTES);
	return seen < BW_SEEN_COUNT;
}

static bool read_counts(const struct redisReply *reply, struct bw_count_out *out)
{
	struct bw_redis_row row = bw_redis_row_of(reply);

	*out = (struct bw_count_out){ 0 };
	if (!read_numbers(bw_redis_take_text(&row), out))
		return false;
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
		if (!in[i].peek && in[i].now_ms > bw_redis_least(s))
			bw_redis_begin_site(s, x, BW_REDIS_SETTINGS, in[i].now_ms, "saw", 0);
	}
	err = bw_redis_run(s, BW_REDIS_LANE_COUNTING, x, 0, why);
	if (err == BW_OK)
		err = read_all(s, x, in, out, n, why);
	bw_redis_exchange_unref(&x);
	return err;
}
