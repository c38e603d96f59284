#include "blocked.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct bw_blocked {
	pthread_mutex_t lock;
	_Atomic size_t count;
	uint64_t changes;
	uint64_t tags
		[BW_BLOCKED_MAX]; /* of the rows: the beginnings of their keys, 0 for a free one; 4 KiB, for every message looks here */
	struct bw_blocked_row rows[BW_BLOCKED_MAX];
};

struct bw_blocked *bw_blocked_new(void)
{
	struct bw_blocked *b = calloc(1, sizeof(*b));

	if (b != NULL)
		pthread_mutex_init(&b->lock, NULL);
	return b;
}

void bw_blocked_free(struct bw_blocked **blocked)
{
	if (*blocked == NULL)
		return;
	pthread_mutex_destroy(&(*blocked)->lock);
	free(*blocked);
	*blocked = NULL;
}

bool bw_blocked_any(const struct bw_blocked *b)
{
	return atomic_load_explicit(&b->count, memory_order_relaxed) > 0;
}

static uint64_t tag_of(const struct bw_hash *key)
{
	uint64_t tag;

	memcpy(&tag, key->b, sizeof(tag));
	return tag | 1;
}

/* The row of a key, or where it would stand; NULL: neither. Rows are few: they stand wherever there was room. */
static struct bw_blocked_row *find(struct bw_blocked *b, const struct bw_hash *key, bool make)
{
	struct bw_blocked_row *room = NULL;
	size_t left = atomic_load(&b->count);
	uint64_t tag = tag_of(key);

	for (size_t i = 0; i < BW_BLOCKED_MAX && (left > 0 || (make && room == NULL)); i++) {
		if (b->tags[i] == 0) {
			room = room == NULL ? &b->rows[i] : room;
			continue;
		}
		left--;
		if (b->tags[i] == tag && bw_hash_equal(&b->rows[i].key, key))
			return &b->rows[i];
	}
	return make ? room : NULL;
}

bool bw_blocked_find(struct bw_blocked *b, const struct bw_hash *key, struct bw_breaker *out)
{
	if (!bw_blocked_any(b))
		return false;
	pthread_mutex_lock(&b->lock);
	const struct bw_blocked_row *row = find(b, key, false);

	if (row != NULL)
		*out = row->record;
	pthread_mutex_unlock(&b->lock);
	return row != NULL;
}

static void drop(struct bw_blocked *b, struct bw_blocked_row *row)
{
	if (row == NULL || !row->used)
		return;
	row->used = false;
	b->tags[row - b->rows] = 0;
	atomic_fetch_sub(&b->count, 1);
}

/* `change` 0 keeps its number. */
static void write(struct bw_blocked *b, const struct bw_hash *key, struct bw_slice who, const struct bw_breaker *record,
                  uint64_t change)
{
	bool stops = record->phase != BW_PHASE_CLOSED || record->override_state != BW_OVERRIDE_NONE;
	struct bw_blocked_row *row = find(b, key, stops);

	if (row == NULL || !stops) {
		drop(b, row);
		return;
	}
	if (!row->used) {
		*row = (struct bw_blocked_row){ .key = *key, .used = true };
		b->tags[row - b->rows] = tag_of(key);
		bw_slice_copy(who, row->who, sizeof(row->who));
		atomic_fetch_add(&b->count, 1);
	}
	row->record = *record;
	row->seen = true;
	row->change = change != 0 ? change : row->change;
}

void bw_blocked_put(struct bw_blocked *b, const struct bw_hash *key, struct bw_slice who, const struct bw_breaker *record)
{
	pthread_mutex_lock(&b->lock);
	write(b, key, who, record, ++b->changes);
	pthread_mutex_unlock(&b->lock);
}

uint64_t bw_blocked_start(struct bw_blocked *b)
{
	pthread_mutex_lock(&b->lock);
	uint64_t start = b->changes;

	for (size_t i = 0; i < BW_BLOCKED_MAX; i++)
		b->rows[i].seen = false;
	pthread_mutex_unlock(&b->lock);
	return start;
}

void bw_blocked_listed(struct bw_blocked *b, uint64_t start, const struct bw_hash *key, struct bw_slice who,
                       const struct bw_breaker *record)
{
	pthread_mutex_lock(&b->lock);
	const struct bw_blocked_row *row = find(b, key, false);

	/* A row that left the table while the store was read comes back for one round: the next listing knows better. */
	if (row == NULL || row->change <= start)
		write(b, key, who, record, 0);
	pthread_mutex_unlock(&b->lock);
}

void bw_blocked_end(struct bw_blocked *b, uint64_t start)
{
	pthread_mutex_lock(&b->lock);
	for (size_t i = 0; i < BW_BLOCKED_MAX; i++) {
		struct bw_blocked_row *row = &b->rows[i];

		if (row->used && !row->seen && row->change <= start)
			drop(b, row);
	}
	pthread_mutex_unlock(&b->lock);
}

bool bw_blocked_next(struct bw_blocked *b, size_t *at, struct bw_blocked_row *out)
{
	bool found = false;

	pthread_mutex_lock(&b->lock);
	for (; *at < BW_BLOCKED_MAX && !found; (*at)++) {
		found = b->rows[*at].used;
		if (found)
			*out = b->rows[*at];
	}
	pthread_mutex_unlock(&b->lock);
	return found;
}
