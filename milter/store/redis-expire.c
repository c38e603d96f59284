/* Collects what is past its time. Nothing depends on it: times decide what counts, this only keeps Redis small. Each call goes
 * a piece further through the lists and starts over at the end (scripts/sweep.lua, tidy.lua). */
#include <stdio.h>

#include "bw/clock.h"
#include "redis-compat.h"
#include "redis-orders.h"

enum {
	LISTS_A_CALL = 128,
	LISTS_A_TRIP = 8, /* bounds how long others wait for Redis */
	ENTRIES_A_LIST = 256
};

/* Ledger entries that are done with, and events, outlive the memory: an incident is looked into for 90 days. */
#define HISTORY_MS (90 * BW_DAY_MS)

struct sweep {
	struct bw_redis *s;
	int64_t now_ms, cutoff_ms;
	char after[1 + BW_STORE_LIST_BYTES_MAX + 1]; /* "(" and an address, or "-" */
	size_t after_n;
	struct bw_redis_exchange *page; /* of addresses */
	struct bw_slice lists[LISTS_A_TRIP];
	size_t count;
};

/* --- the installation --- */

static enum bw_err tidy_site(const struct sweep *w, struct bw_why *why)
{
	struct bw_redis_exchange *x = bw_redis_exchange_new(3);
	char cutoff[32];

	if (x == NULL)
		return bw_redis_no_memory(why);
	snprintf(cutoff, sizeof(cutoff), "%lld", (long long)w->cutoff_ms);
	bw_redis_begin_site(w->s, x, BW_REDIS_TIDY, w->now_ms, cutoff, 1);
	bw_redis_add_number(x, w->now_ms - HISTORY_MS < w->cutoff_ms ? w->now_ms - HISTORY_MS : w->cutoff_ms);
	bw_redis_tidy_orders(w->s, x, w->now_ms);
	bw_redis_tidy_posts(w->s, x, w->now_ms);
	enum bw_err err = bw_redis_run(w->s, BW_REDIS_LANE_OTHER, x, 0, why);

	bw_redis_exchange_unref(&x);
	return err;
}

/* --- lists --- */

static enum bw_err read_lists(struct sweep *w, struct bw_why *why)
{
	char key[BW_REDIS_KEY_BYTES];

	w->page = bw_redis_exchange_new(1);
	w->count = 0;
	if (w->page == NULL)
		return bw_redis_no_memory(why);
	bw_redis_begin(w->page, 7);
	bw_redis_add(w->page, BW_S("ZRANGEBYLEX"));
	bw_redis_add(w->page, bw_redis_key(w->s, "lists", key));
	bw_redis_add(w->page, (struct bw_slice){ w->after, w->after_n });
	bw_redis_add(w->page, BW_S("+"));
	bw_redis_add(w->page, BW_S("LIMIT"));
	bw_redis_add(w->page, BW_S("0"));
	bw_redis_add_number(w->page, LISTS_A_TRIP);
	enum bw_err err = bw_redis_run(w->s, BW_REDIS_LANE_OTHER, w->page, 0, why);
	struct bw_redis_row row = bw_redis_row_of(err == BW_OK ? w->page->commands[0].reply : NULL);

	while (w->count < LISTS_A_TRIP && bw_redis_row_more(&row))
		w->lists[w->count++] = bw_redis_take_text(&row);
	if (err == BW_OK && row.bad)
		err = bw_redis_bad_reply("the index of lists", why);
	if (w->count > 0)
		w->after_n = 1 + bw_slice_copy(w->lists[w->count - 1], w->after + 1, sizeof(w->after) - 1);
	w->after[0] = '(';
	return err;
}

static void add_sweep(const struct sweep *w, struct bw_redis_exchange *x, struct bw_slice list)
{
	struct bw_redis_list_keys keys;

	bw_redis_list_keys(w->s, list, &keys);
	bw_redis_begin_script(x, BW_REDIS_SWEEP, keys.keys, BW_REDIS_LIST_KEYS, 3);
	bw_redis_add_number(x, w->now_ms);
	bw_redis_add_number(x, w->cutoff_ms);
	bw_redis_add_number(x, ENTRIES_A_LIST);
}

static void add_stopped(const struct sweep *w, struct bw_redis_exchange *x, struct bw_slice list)
{
	bw_redis_begin_list(w->s, x, BW_REDIS_BREAKER, list, w->now_ms, 5);
	bw_redis_add(x, BW_S("0"));
	bw_redis_add(x, BW_S(""));
	bw_redis_add(x, BW_S("each"));
	bw_redis_add_number(x, w->now_ms);
	bw_redis_add(x, BW_S("0"));
}

/* 1 and more: there is something of it in Redis, or something that is stopped. */
static bool is_there(const struct redisReply *reply)
{
	struct bw_redis_row rows = bw_redis_row_of(reply);
	int64_t n = 0;

	return bw_redis_reply_number(reply, &n) ? n != 0 : bw_redis_row_count(&rows) > 0;
}

struct index {
	const char *name;
	void (*add)(const struct sweep *w, struct bw_redis_exchange *x, struct bw_slice list);
	void (*put)(struct bw_redis *s, struct bw_redis_exchange *x, struct bw_slice list);
};

/* Takes a list out of an index; looks again afterwards, because somebody may have needed it there just then. */
static enum bw_err leave_index(const struct sweep *w, const struct index *index, struct bw_slice list, struct bw_why *why)
{
	struct bw_redis_exchange *x = bw_redis_exchange_new(2), *back = bw_redis_exchange_new(2);
	char key[BW_REDIS_KEY_BYTES];
	enum bw_err err = x == NULL || back == NULL ? bw_redis_no_memory(why) : BW_OK;

	if (err == BW_OK) {
		bw_redis_begin(x, 3);
		bw_redis_add(x, BW_S("ZREM"));
		bw_redis_add(x, bw_redis_key(w->s, index->name, key));
		bw_redis_add(x, list);
		index->add(w, x, list);
		err = bw_redis_run(w->s, BW_REDIS_LANE_OTHER, x, 0, why);
	}
	bw_redis_forget_indexed(w->s);
	if (err == BW_OK && is_there(x->commands[1].reply)) {
		index->put(w->s, back, list);
		err = bw_redis_run(w->s, BW_REDIS_LANE_OTHER, back, 0, why);
	}
	bw_redis_exchange_unref(&x);
	bw_redis_exchange_unref(&back);
	return err;
}

static const struct index lists_index = { "lists", add_sweep, bw_redis_index_list };
static const struct index stopped_index = { "stopped", add_stopped, bw_redis_index_stopped };

static enum bw_err sweep_page(const struct sweep *w, struct bw_why *why)
{
	struct bw_redis_exchange *x = bw_redis_exchange_new(2 * w->count);
	enum bw_err err = x == NULL ? bw_redis_no_memory(why) : BW_OK;

	for (size_t i = 0; err == BW_OK && i < w->count; i++) {
		add_sweep(w, x, w->lists[i]);
		add_stopped(w, x, w->lists[i]);
	}
	if (err == BW_OK)
		err = bw_redis_run(w->s, BW_REDIS_LANE_OTHER, x, 0, why);
	for (size_t i = 0; err == BW_OK && i < w->count; i++) {
		bool there = is_there(x->commands[2 * i].reply), stopped = is_there(x->commands[2 * i + 1].reply);

		if (!stopped)
			err = leave_index(w, &stopped_index, w->lists[i], why);
		if (err == BW_OK && !there)
			err = leave_index(w, &lists_index, w->lists[i], why);
	}
	bw_redis_exchange_unref(&x);
	return err;
}

/* --- where it goes on --- */

static void start(struct sweep *w)
{
	pthread_mutex_lock(&w->s->lock);
	w->after_n = 1 + bw_slice_copy(bw_slice_of(w->s->swept), w->after + 1, sizeof(w->after) - 1);
	pthread_mutex_unlock(&w->s->lock);
	w->after[0] = w->after_n > 1 ? '(' : '-';
}

static void remember(const struct sweep *w, bool end)
{
	pthread_mutex_lock(&w->s->lock);
	if (end)
		w->s->swept[0] = '\0';
	else
		bw_slice_copy((struct bw_slice){ w->after + 1, w->after_n - 1 }, w->s->swept, sizeof(w->s->swept));
	pthread_mutex_unlock(&w->s->lock);
}

enum bw_err bw_redis_expire(struct bw_store *store, int64_t now_ms, int64_t memory_ms, struct bw_why *why)
{
	struct sweep w = { .s = bw_redis_of(store) };
	enum bw_err err = now_ms > 0 ? bw_redis_check_time(now_ms, why) : store->ops->now(store, &now_ms, why);
	bool end = false;

	if (err == BW_OK && memory_ms <= 0)
		err = bw_fail(why, BW_ERR_RANGE, "the memory is positive");
	w.now_ms = now_ms;
	w.cutoff_ms = now_ms - memory_ms;
	if (err == BW_OK)
		err = tidy_site(&w, why);
	start(&w);
	for (int n = 0; err == BW_OK && !end && n < LISTS_A_CALL; n += LISTS_A_TRIP) {
		err = read_lists(&w, why);
		if (err == BW_OK && w.count > 0)
			err = sweep_page(&w, why);
		end = w.count < LISTS_A_TRIP;
		bw_redis_exchange_unref(&w.page);
	}
	if (err == BW_OK)
		remember(&w, end);
	return err;
}
