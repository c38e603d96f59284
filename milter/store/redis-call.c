/* What every call to Redis needs: keys, time, the run itself, the indexes of lists. */
#include <stdio.h>
#include <string.h>

#include "bw/clock.h"
#include "redis-internal.h"

#define INDEX_AGAIN_MS (BW_HOUR_MS) /* a list's place in the index is renewed so often */
#define INDEX_TTL_MS   (30 * BW_DAY_MS)

/* --- keys --- */

struct bw_slice bw_redis_key(const struct bw_redis *s, const char *name, char out[BW_REDIS_KEY_BYTES])
{
	int n = snprintf(out, BW_REDIS_KEY_BYTES, "%s%s", s->prefix, name);

	return (struct bw_slice){ out, (size_t)n };
}

void bw_redis_list_keys(const struct bw_redis *s, struct bw_slice list, struct bw_redis_list_keys *out)
{
	/* No secret: it only has to spread, and to keep braces in an address from choosing the slot. */
	static const struct bw_key public_key;
	static const char kinds[BW_REDIS_LIST_KEYS] = { 'h', 'z', 'x' };
	char hex[2 * BW_HASH_BYTES + 1];

	out->hash = bw_hash_slice(&public_key, "list", list);
	bw_hash_hex(&out->hash, hex);
	for (size_t i = 0; i < BW_REDIS_LIST_KEYS; i++) {
		int n = snprintf(out->text[i], BW_REDIS_KEY_BYTES, "%s{%s}:%c", s->prefix, hex, kinds[i]);

		out->keys[i] = (struct bw_slice){ out->text[i], (size_t)n };
	}
}

/* --- time --- */

int64_t bw_redis_given(const struct bw_redis *s, int64_t now_ms)
{
	if (now_ms > 0 || s->clock == NULL)
		return now_ms > 0 ? now_ms : 0;
	int64_t clock_ms = s->clock(s->clock_ctx), last_ms = bw_redis_least(s);

	return clock_ms > last_ms ? clock_ms : last_ms;
}

enum bw_err bw_redis_check_time(int64_t now_ms, struct bw_why *why)
{
	if (now_ms >= BW_REDIS_TIME_MAX)
		return bw_fail(why, BW_ERR_RANGE, "no time is as late as %lld ms since 1970", (long long)now_ms);
	return BW_OK;
}

int64_t bw_redis_least(const struct bw_redis *s)
{
	return bw_store_clock_least(&s->seen, bw_clock_monotonic_ms());
}

void bw_redis_saw(struct bw_redis *s, int64_t now_ms)
{
	bw_store_clock_saw(&s->seen, now_ms, bw_clock_monotonic_ms());
}

/* --- running --- */

enum bw_err bw_redis_no_memory(struct bw_why *why)
{
	return bw_fail(why, BW_ERR_MEMORY, "no memory for a call to Redis");
}

void bw_redis_begin_list(struct bw_redis *s, struct bw_redis_exchange *x, enum bw_redis_script_id script, struct bw_slice list,
                         int64_t now_ms, size_t arguments)
{
	struct bw_redis_list_keys keys;

	bw_redis_list_keys(s, list, &keys);
	bw_redis_begin_script(x, script, keys.keys, BW_REDIS_LIST_KEYS, 3 + arguments);
	bw_redis_add_number(x, bw_redis_given(s, now_ms));
	bw_redis_add_number(x, bw_redis_least(s));
	bw_redis_add(x, list);
}

enum { SITE_KEYS_MAX = 7 };

static const char *const site_keys[BW_REDIS_SCRIPT_COUNT][SITE_KEYS_MAX] = {
	[BW_REDIS_SETTINGS] = { "{site}:numbers", "{site}:settings", "{site}:temporary", "{site}:history" },
	[BW_REDIS_DIRECTORY] = { "{site}:numbers", "{site}:directory", "{site}:versions", "{site}:next" },
	[BW_REDIS_HOSTS] = { "{site}:numbers", "{site}:hosts" },
	[BW_REDIS_HELD] = { "{site}:numbers", "{site}:held", "{site}:order" },
	[BW_REDIS_EVENTS] = { "{site}:numbers", "{site}:events" },
	[BW_REDIS_TIDY] = { "{site}:numbers", "{site}:settings", "{site}:temporary", "{site}:hosts", "{site}:held", "{site}:order",
	                    "{site}:events" },
	[BW_REDIS_ORDERS] = { "{site}:numbers", "{site}:orders", "{site}:ordered", "{site}:items" },
	[BW_REDIS_POSTS] = { "{site}:numbers", "{site}:posts", "{site}:posted" },
};

void bw_redis_begin_site(struct bw_redis *s, struct bw_redis_exchange *x, enum bw_redis_script_id script, int64_t now_ms,
                         const char *todo, size_t arguments)
{
	char texts[SITE_KEYS_MAX][BW_REDIS_KEY_BYTES];
	struct bw_slice keys[SITE_KEYS_MAX];
	size_t n = 0;

	/* No message waits for these: a few calls a second of watchers and commands. By text they show in Redis's command statistics
	 * apart from what mail costs (evalsha: messages times lists). */
	x->by_text = true;
	for (; n < SITE_KEYS_MAX && site_keys[script][n] != NULL; n++)
		keys[n] = bw_redis_key(s, site_keys[script][n], texts[n]);
	bw_redis_begin_script(x, script, keys, n, 3 + arguments);
	bw_redis_add_number(x, bw_redis_given(s, now_ms));
	bw_redis_add_number(x, bw_redis_least(s));
	bw_redis_add_text(x, todo);
}

/* Redis forgets scripts with a restart, a failover or SCRIPT FLUSH: those calls are made once more, behind their script. */
static enum bw_err load_and_repeat(struct bw_redis *s, enum bw_redis_lane lane, struct bw_redis_exchange *x, struct bw_why *why)
{
	struct bw_redis_exchange *again = bw_redis_exchange_new(2 * x->count);
	enum bw_err err = again == NULL ? bw_redis_no_memory(why) : BW_OK;

	for (size_t i = 0; err == BW_OK && i < x->count; i++) {
		if (!bw_redis_reply_is_noscript(x->commands[i].reply))
			continue;
		bw_redis_load_script(again, x->commands[i].script);
		bw_redis_repeat(again, x, i);
	}
	if (err == BW_OK) {
		again->deadline_ms = x->deadline_ms;
		err = bw_redis_link_run(s->link, lane, again, why);
	}
	for (size_t i = 0, from = 1; err == BW_OK && i < x->count; i++) {
		if (!bw_redis_reply_is_noscript(x->commands[i].reply))
			continue;
		struct redisReply *lost = x->commands[i].reply;

		x->commands[i].reply = again->commands[from].reply;
		again->commands[from].reply = lost;
		from += 2;
	}
	bw_redis_exchange_unref(&again);
	return err;
}

static bool has_noscript(const struct bw_redis_exchange *x)
{
	bool lost = false;

	for (size_t i = 0; i < x->count; i++)
		lost = lost || (x->commands[i].script != NULL && bw_redis_reply_is_noscript(x->commands[i].reply));
	return lost;
}

/* Whatever was lost may have held an entry of the index; and Redis may come back empty. */
void bw_redis_forget_indexed(struct bw_redis *s)
{
	pthread_mutex_lock(&s->lock);
	memset(s->indexed, 0, sizeof(s->indexed));
	pthread_mutex_unlock(&s->lock);
}

enum bw_err bw_redis_run(struct bw_redis *s, enum bw_redis_lane lane, struct bw_redis_exchange *x, int64_t deadline_ms,
                         struct bw_why *why)
{
	x->deadline_ms = deadline_ms != 0 ? deadline_ms : bw_clock_monotonic_ms() + s->deadline_ms;
	enum bw_err err = bw_redis_link_run(s->link, lane, x, why);

	if (err == BW_OK && has_noscript(x))
		err = load_and_repeat(s, lane, x, why);
	for (size_t i = 0; err == BW_OK && i < x->count; i++)
		err = bw_redis_reply_check(x->commands[i].reply, why);
	if (err == BW_ERR_STORE)
		bw_redis_forget_indexed(s);
	return err;
}

/* --- indexes of lists --- */

static void index_in(struct bw_redis *s, struct bw_redis_exchange *x, const char *name, struct bw_slice list)
{
	char text[BW_REDIS_KEY_BYTES];
	struct bw_slice key = bw_redis_key(s, name, text);

	bw_redis_begin(x, 4);
	bw_redis_add(x, BW_S("ZADD"));
	bw_redis_add(x, key);
	bw_redis_add(x, BW_S("0"));
	bw_redis_add(x, list);
	bw_redis_begin(x, 3);
	bw_redis_add(x, BW_S("PEXPIRE"));
	bw_redis_add(x, key);
	bw_redis_add_number(x, INDEX_TTL_MS);
}

void bw_redis_index_list(struct bw_redis *s, struct bw_redis_exchange *x, struct bw_slice list)
{
	struct bw_redis_list_keys keys;
	int64_t now_ms = bw_clock_monotonic_ms();
	uint16_t slot;

	bw_redis_list_keys(s, list, &keys);
	memcpy(&slot, keys.hash.b, sizeof(slot));
	struct bw_redis_indexed *known = &s->indexed[slot % BW_REDIS_INDEXED];

	pthread_mutex_lock(&s->lock);
	bool fresh = known->at_ms != 0 && now_ms - known->at_ms < INDEX_AGAIN_MS && bw_hash_equal(&known->list, &keys.hash);

	*known = (struct bw_redis_indexed){ keys.hash, fresh ? known->at_ms : now_ms };
	pthread_mutex_unlock(&s->lock);
	if (!fresh)
		index_in(s, x, "lists", list);
}

void bw_redis_index_stopped(struct bw_redis *s, struct bw_redis_exchange *x, struct bw_slice list)
{
	index_in(s, x, "stopped", list);
}

/* --- texts --- */

struct bw_slice bw_redis_cut(struct bw_slice text)
{
	size_t n = BW_REDIS_TEXT_BYTES_MAX;

	if (text.n <= n)
		return text;
	while (n > 0 && ((unsigned char)text.p[n] & 0xC0) == 0x80)
		n--;
	return bw_slice_head(text, n);
}
