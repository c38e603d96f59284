/* Meters: sums of amounts by key and slot of time (scripts/meter.lua). Keys are spread over some hash tags; the keys of
 * one tag go out in calls of at most KEYS_A_CALL, all in one trip. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis-compat.h"
#include "redis-internal.h"

enum { TAGS = 16, KEYS_A_CALL = 64, BEFORE_KEYS = 2, A_KEY = 3 };

/* One call: which rows it carries. */
struct call {
	uint32_t rows[KEYS_A_CALL];
	size_t n;
};

/* A batch on its way: rows of one key are one row, so that no key stands twice in a call. */
struct batch {
	struct bw_redis *s;
	struct bw_meter_in *rows; /* merged */
	uint32_t *place;          /* of each input row: its merged one */
	size_t n;
	struct call *calls;
	size_t call_count;
};

static int compare(const struct bw_meter_in *a, const struct bw_meter_in *b)
{
	int order = memcmp(a->key.b, b->key.b, BW_HASH_BYTES);

	return order != 0 ? order : (int)a->meter - (int)b->meter;
}

struct sorted {
	const struct bw_meter_in *row;
	uint32_t at;
};

static int by_key(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	int order = compare(x->row, y->row);

	return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

/* The later time and the wider window count for rows of one key. */
static void merge_row(struct bw_meter_in *into, const struct bw_meter_in *row)
{
	into->amount += row->amount;
	if (row->now_ms > into->now_ms)
		into->now_ms = row->now_ms;
	if (row->window_ms > into->window_ms)
		into->window_ms = row->window_ms;
}

static void merge(struct batch *b, const struct bw_meter_in *in, struct sorted *sorted, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sorted[i] = (struct sorted){ &in[i], (uint32_t)i };
	if (n > 0)
		qsort(sorted, n, sizeof(*sorted), by_key);
	for (size_t i = 0; i < n; i++) {
		bool same = i > 0 && compare(sorted[i].row, sorted[i - 1].row) == 0;

		if (same)
			merge_row(&b->rows[b->n - 1], sorted[i].row);
		else
			b->rows[b->n++] = *sorted[i].row;
		b->place[sorted[i].at] = (uint32_t)b->n - 1;
	}
}

static unsigned tag_of(const struct bw_meter_in *row)
{
	return row->key.b[0] % TAGS;
}

static void divide(struct batch *b)
{
	for (unsigned tag = 0; tag < TAGS; tag++) {
		struct call *c = NULL;

		for (size_t i = 0; i < b->n; i++) {
			if (tag_of(&b->rows[i]) != tag)
				continue;
			if (c == NULL || c->n == KEYS_A_CALL)
				c = &b->calls[b->call_count++];
			c->rows[c->n++] = (uint32_t)i;
		}
	}
}

static void add_call(const struct batch *b, struct bw_redis_exchange *x, const struct call *c)
{
	char texts[KEYS_A_CALL][BW_REDIS_KEY_BYTES], name[64], hex[2 * BW_HASH_BYTES + 1];
	struct bw_slice keys[KEYS_A_CALL];

	for (size_t i = 0; i < c->n; i++) {
		const struct bw_meter_in *row = &b->rows[c->rows[i]];

		bw_hash_hex(&row->key, hex);
		snprintf(name, sizeof(name), "{m%u}:%d:%s", tag_of(row), (int)row->meter, hex);
		keys[i] = bw_redis_key(b->s, name, texts[i]);
	}
	bw_redis_begin_script(x, BW_REDIS_METER, keys, c->n, BEFORE_KEYS + A_KEY * c->n);
	bw_redis_add_number(x, bw_redis_least(b->s));
	bw_redis_add_number(x, BW_METER_SLOT_MS);
	for (size_t i = 0; i < c->n; i++) {
		const struct bw_meter_in *row = &b->rows[c->rows[i]];

		bw_redis_add_number(x, bw_redis_given(b->s, row->now_ms));
		bw_redis_add_number(x, row->amount);
		bw_redis_add_number(x, row->window_ms);
	}
}

/* The totals take the place of the amounts, which are sent. */
static enum bw_err read_call(struct batch *b, const struct redisReply *reply, const struct call *c, struct bw_why *why)
{
	struct bw_redis_row row = bw_redis_row_of(reply);
	int64_t now_ms = bw_redis_take_number(&row);

	for (size_t i = 0; i < c->n; i++)
		b->rows[c->rows[i]].amount = bw_redis_take_number(&row);
	if (row.bad || bw_redis_row_more(&row))
		return bw_redis_bad_reply("meters", why);
	bw_redis_saw(b->s, now_ms);
	return BW_OK;
}

static enum bw_err run(struct batch *b, struct bw_why *why)
{
	struct bw_redis_exchange *x = bw_redis_exchange_new(b->call_count);

	if (x == NULL)
		return bw_redis_no_memory(why);
	for (size_t i = 0; i < b->call_count; i++)
		add_call(b, x, &b->calls[i]);
	enum bw_err err = bw_redis_run(b->s, BW_REDIS_LANE_OTHER, x, 0, why);

	for (size_t i = 0; err == BW_OK && i < b->call_count; i++)
		err = read_call(b, x->commands[i].reply, &b->calls[i], why);
	bw_redis_exchange_unref(&x);
	return err;
}

static enum bw_err meter_all(struct bw_redis *s, const struct bw_meter_in *in, int64_t *totals, size_t n, struct bw_why *why)
{
	struct batch b = { .s = s, .rows = calloc(n, sizeof(*b.rows)), .place = calloc(n, sizeof(*b.place)) };
	struct sorted *sorted = calloc(n, sizeof(*sorted));
	enum bw_err err = BW_ERR_MEMORY;

	b.calls = calloc(TAGS + n / KEYS_A_CALL, sizeof(*b.calls));
	if (b.rows == NULL || b.place == NULL || sorted == NULL || b.calls == NULL) {
		err = bw_redis_no_memory(why);
	} else {
		merge(&b, in, sorted, n);
		divide(&b);
		err = run(&b, why);
	}
	for (size_t i = 0; err == BW_OK && i < n; i++)
		totals[i] = b.rows[b.place[i]].amount;
	free(b.calls);
	free(sorted);
	free(b.place);
	free(b.rows);
	return err;
}

enum bw_err bw_redis_meter(struct bw_store *s, const struct bw_meter_in *in, int64_t *totals, size_t n, struct bw_why *why)
{
	enum bw_err err = bw_store_check_meter(in, n, why);

	for (size_t i = 0; err == BW_OK && i < n; i++)
		err = bw_redis_check_time(in[i].now_ms, why);
	return err != BW_OK || n == 0 ? err : meter_all(bw_redis_of(s), in, totals, n, why);
}
