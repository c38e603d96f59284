#include "posts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { POST_TEXT_BYTES = 1024 };

struct waiting {
	struct bw_post row; /* its texts stand behind it */
	char texts[];
};

struct bw_posts {
	pthread_mutex_t lock; /* of the ring */
	struct waiting *ring[BW_POSTS_WAITING];
	size_t first, count;
	_Atomic int64_t evicted;
};

struct bw_posts *bw_posts_new(void)
{
	struct bw_posts *p = calloc(1, sizeof(*p));

	if (p != NULL)
		pthread_mutex_init(&p->lock, NULL);
	return p;
}

void bw_posts_free(struct bw_posts **posts)
{
	struct bw_posts *p = *posts;

	*posts = NULL;
	for (size_t i = 0; p != NULL && i < BW_POSTS_WAITING; i++)
		free(p->ring[i]);
	if (p != NULL)
		pthread_mutex_destroy(&p->lock);
	free(p);
}

int64_t bw_posts_evicted(const struct bw_posts *p)
{
	return atomic_load(&p->evicted);
}

/* --- one row with its texts --- */

static char *keep(char *to, struct bw_slice *text)
{
	size_t n = text->n;

	memcpy(to, n > 0 ? text->p : "", n);
	*text = (struct bw_slice){ to, n };
	return to + n;
}

static struct waiting *copy_of(const struct bw_post *row)
{
	struct bw_post cut = *row;
	struct bw_slice *const texts[] = { &cut.host, &cut.queue_id, &cut.mta, &cut.list, &cut.sender, &cut.message_id };
	size_t bytes = 0;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		*texts[i] = bw_slice_head(*texts[i], POST_TEXT_BYTES);
		bytes += texts[i]->n;
	}
	struct waiting *w = malloc(sizeof(*w) + bytes);
	char *to = w == NULL ? NULL : w->texts;

	for (size_t i = 0; w != NULL && i < sizeof(texts) / sizeof(texts[0]); i++)
		to = keep(to, texts[i]);
	if (w != NULL)
		w->row = cut;
	return w;
}

/* --- the ring --- */

/* Takes the oldest; NULL when there is none. Under the lock. */
static struct waiting *take(struct bw_posts *p)
{
	if (p->count == 0)
		return NULL;
	struct waiting *w = p->ring[p->first];

	p->ring[p->first] = NULL;
	p->first = (p->first + 1) % BW_POSTS_WAITING;
	p->count--;
	return w;
}

void bw_posts_add(struct bw_posts *p, const struct bw_post *row)
{
	struct waiting *w = copy_of(row), *gone = NULL;

	if (w == NULL) {
		atomic_fetch_add(&p->evicted, 1);
		return;
	}
	pthread_mutex_lock(&p->lock);
	if (p->count == BW_POSTS_WAITING)
		gone = take(p);
	p->ring[(p->first + p->count++) % BW_POSTS_WAITING] = w;
	pthread_mutex_unlock(&p->lock);
	if (gone != NULL)
		atomic_fetch_add(&p->evicted, 1);
	free(gone);
}

static size_t take_batch(struct bw_posts *p, struct waiting *batch[BW_POSTS_BATCH])
{
	size_t n = 0;

	pthread_mutex_lock(&p->lock);
	while (n < BW_POSTS_BATCH && p->count > 0)
		batch[n++] = take(p);
	pthread_mutex_unlock(&p->lock);
	return n;
}

/* Before all others, as they were; where more have come meanwhile than there is room for, the oldest of them go. */
static void give_back(struct bw_posts *p, struct waiting *batch[BW_POSTS_BATCH], size_t n)
{
	pthread_mutex_lock(&p->lock);
	for (; n > 0 && p->count < BW_POSTS_WAITING; n--) {
		p->first = (p->first + BW_POSTS_WAITING - 1) % BW_POSTS_WAITING;
		p->ring[p->first] = batch[n - 1];
		p->count++;
	}
	pthread_mutex_unlock(&p->lock);
	atomic_fetch_add(&p->evicted, (int64_t)n);
	for (size_t i = 0; i < n; i++)
		free(batch[i]);
}

static bool hand_over(struct bw_posts *p, struct bw_store *store, struct waiting *batch[BW_POSTS_BATCH], size_t n)
{
	struct bw_post rows[BW_POSTS_BATCH] = { { .state = BW_POST_QUEUED } };

	for (size_t i = 0; i < n; i++)
		rows[i] = batch[i]->row;
	enum bw_err err = store->ops->post_put(store, rows, n, NULL);

	if (err == BW_ERR_STORE || err == BW_ERR_MEMORY) {
		give_back(p, batch, n);
		return false;
	}
	/* Refused for good: what is no post will not be one the next time either. */
	if (err != BW_OK)
		atomic_fetch_add(&p->evicted, (int64_t)n);
	for (size_t i = 0; i < n; i++)
		free(batch[i]);
	return true;
}

bool bw_posts_flush(struct bw_posts *p, struct bw_store *store)
{
	struct waiting *batch[BW_POSTS_BATCH];
	bool took = true;
	size_t n;

	while (took && (n = take_batch(p, batch)) > 0)
		took = hand_over(p, store, batch, n);
	return took;
}
