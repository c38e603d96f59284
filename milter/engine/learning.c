#include "learning.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { WAYS = 8, BUCKETS = BW_LEARNING_ENTRIES / WAYS };

struct entry {
	struct bw_hash key;
	int64_t pending; /* the store has not been told */
	int64_t total;   /* what the store said last, over all hosts */
	int64_t looked;  /* the total that was found last */
	int64_t last_ms, looked_ms, least;
	bool used, expander, doubtful, whole;
};

/* Apart from what is gone through at every tick. */
struct texts {
	char address[BW_LEARNING_ADDRESS_BYTES], list_id[BW_LEARNING_ID_BYTES], client[BW_LEARNING_CLIENT_BYTES];
};

struct bw_learning {
	pthread_mutex_t lock;
	struct entry entries[BW_LEARNING_ENTRIES];
	struct texts *texts; /* of each entry */
	size_t used, at;     /* `at`: where the next flush begins */
	int64_t evicted;
};

struct bw_learning *bw_learning_new(void)
{
	struct bw_learning *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	pthread_mutex_init(&l->lock, NULL);
	l->texts = calloc(BW_LEARNING_ENTRIES, sizeof(*l->texts));
	if (l->texts == NULL)
		bw_learning_free(&l);
	return l;
}

void bw_learning_free(struct bw_learning **learning)
{
	struct bw_learning *l = *learning;

	*learning = NULL;
	if (l == NULL)
		return;
	pthread_mutex_destroy(&l->lock);
	free(l->texts);
	free(l);
}

/* --- from messages --- */

static struct entry *bucket_of(struct bw_learning *l, const struct bw_hash *key)
{
	return &l->entries[(size_t)(key->b[0] | key->b[1] << 8) % BUCKETS * WAYS];
}

static struct entry *find(struct bw_learning *l, const struct bw_hash *key)
{
	struct entry *bucket = bucket_of(l, key);

	for (size_t i = 0; i < WAYS; i++) {
		if (bucket[i].used && bw_hash_equal(&bucket[i].key, key))
			return &bucket[i];
	}
	return NULL;
}

static bool is_over(const struct entry *e, int64_t now_ms)
{
	return !e->used || now_ms - e->last_ms >= BW_LEARNING_FORGET_MS;
}

static bool goes_first(const struct entry *a, const struct entry *b)
{
	int64_t x = a->total + a->pending, y = b->total + b->pending;

	return x != y ? x < y : a->last_ms < b->last_ms;
}

static struct entry *place_for(struct bw_learning *l, const struct bw_hash *key, int64_t now_ms)
{
	struct entry *bucket = bucket_of(l, key), *least = bucket;

	for (size_t i = 0; i < WAYS; i++) {
		if (is_over(&bucket[i], now_ms)) {
			l->used += !bucket[i].used;
			return &bucket[i];
		}
		if (goes_first(&bucket[i], least))
			least = &bucket[i];
	}
	l->evicted++;
	return least;
}

static struct entry *make(struct bw_learning *l, const struct bw_lesson *lesson, int64_t now_ms)
{
	struct entry *e = place_for(l, &lesson->key, now_ms);
	struct texts *t = &l->texts[e - l->entries];

	*e = (struct entry){ .key = lesson->key, .used = true, .looked_ms = now_ms };
	bw_slice_copy(lesson->address, t->address, sizeof(t->address));
	bw_slice_copy(lesson->list_id, t->list_id, sizeof(t->list_id));
	bw_slice_copy(lesson->client, t->client, sizeof(t->client));
	return e;
}

void bw_learning_add(struct bw_learning *l, const struct bw_lesson *lesson, int64_t now_ms)
{
	if (lesson->address.n >= BW_LEARNING_ADDRESS_BYTES || lesson->list_id.n >= BW_LEARNING_ID_BYTES)
		return;
	pthread_mutex_lock(&l->lock);
	struct entry *e = find(l, &lesson->key);

	if (e == NULL)
		e = make(l, lesson, now_ms);
	e->pending += lesson->recipients;
	e->last_ms = now_ms;
	e->least = lesson->least;
	e->expander = lesson->expander;
	e->doubtful = e->doubtful || lesson->doubtful;
	e->whole = false;
	pthread_mutex_unlock(&l->lock);
}

/* --- to the store --- */

size_t bw_learning_take(struct bw_learning *l, struct bw_learning_sum out[BW_LEARNING_BATCH])
{
	size_t n = 0;

	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < BW_LEARNING_ENTRIES && l->used > 0 && n < BW_LEARNING_BATCH; i++) {
		struct entry *e = &l->entries[l->at];

		l->at = (l->at + 1) % BW_LEARNING_ENTRIES;
		if (e->pending == 0)
			continue;
		out[n++] = (struct bw_learning_sum){ e->key, e->pending };
		e->pending = 0;
	}
	pthread_mutex_unlock(&l->lock);
	return n;
}

void bw_learning_settle(struct bw_learning *l, const struct bw_learning_sum *sums, const int64_t *totals, size_t n)
{
	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < n && totals != NULL; i++) {
		struct entry *e = find(l, &sums[i].key);

		if (e != NULL && totals[i] > e->total)
			e->total = totals[i];
	}
	pthread_mutex_unlock(&l->lock);
}

/* --- what it teaches --- */

static bool is_due(struct entry *e, int64_t now_ms)
{
	bool quiet = now_ms - e->last_ms >= BW_LEARNING_QUIET_MS || now_ms - e->looked_ms >= BW_LEARNING_EVERY_MS;
	bool whole = !e->whole && now_ms - e->last_ms >= BW_LEARNING_WHOLE_MS;

	if (!e->used || e->doubtful || e->pending > 0 || e->total < e->least || !((quiet && e->total > e->looked) || whole))
		return false;
	e->whole = whole;
	e->looked = e->total;
	e->looked_ms = now_ms;
	return true;
}

size_t bw_learning_due(struct bw_learning *l, struct bw_finding *out, size_t most, int64_t now_ms)
{
	size_t n = 0;

	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < BW_LEARNING_ENTRIES && l->used > 0 && n < most; i++) {
		struct entry *e = &l->entries[i];
		const struct texts *t = &l->texts[i];
		struct bw_finding *f = &out[n];

		if (!is_due(e, now_ms))
			continue;
		f->size = e->total;
		f->least = e->least;
		f->expander = e->expander;
		f->whole = e->whole;
		memcpy(f->address, t->address, sizeof(f->address));
		memcpy(f->list_id, t->list_id, sizeof(f->list_id));
		memcpy(f->client, t->client, sizeof(f->client));
		n++;
	}
	pthread_mutex_unlock(&l->lock);
	return n;
}

int64_t bw_learning_total(struct bw_learning *l, const struct bw_hash *key)
{
	pthread_mutex_lock(&l->lock);
	const struct entry *e = find(l, key);
	int64_t n = e == NULL ? 0 : e->total + e->pending;

	pthread_mutex_unlock(&l->lock);
	return n;
}

int64_t bw_learning_evicted(struct bw_learning *l)
{
	pthread_mutex_lock(&l->lock);
	int64_t n = l->evicted;

	pthread_mutex_unlock(&l->lock);
	return n;
}
