/* link: bw_engine bw_mail bw_policy bw_settings bw_store bw_config bw_directory bw_base Threads::Threads */
/* Accepted posts on their way into the store: in order, in batches, kept while it fails, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../milter/engine/posts.h"

struct scene {
	struct bw_store *faulty;
	struct bw_posts *posts;
};

static int setup(void **state)
{
	static struct scene c;
	struct bw_store *inner = NULL;

	if (bw_store_sqlite_open(":memory:", 100, &inner, NULL) != BW_OK)
		return -1;
	c.faulty = bw_store_faulty_new(inner, 50);
	c.posts = bw_posts_new();
	*state = &c;
	return c.faulty == NULL || c.posts == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	struct scene *c = *state;

	bw_posts_free(&c->posts);
	bw_store_close(&c->faulty);
	return 0;
}

static struct bw_hash id_of(int n)
{
	static const struct bw_key key = { { 5 } };
	char text[16];

	snprintf(text, sizeof(text), "%d", n);
	return bw_hash_slice(&key, "post", bw_slice_of(text));
}

/* The texts are gone when it returns. */
static void add(struct bw_posts *p, int n)
{
	char queue_id[32], sender[32];

	snprintf(queue_id, sizeof(queue_id), "Q%d", n);
	snprintf(sender, sizeof(sender), "u%d@example.org", n);
	const struct bw_post row = { .id = id_of(n), .queue_id = bw_slice_of(queue_id), .list = BW_S("all@example.org"),
		                         .sender = bw_slice_of(sender), .accepted_ms = 1000 + n };

	bw_posts_add(p, &row);
	memset(queue_id, 'x', sizeof(queue_id));
	memset(sender, 'x', sizeof(sender));
}

struct seen {
	int n, first, last;
	bool rising, whole;
};

static bool note(void *ctx, const struct bw_post *row)
{
	struct seen *s = ctx;
	char queue_id[32] = "", sender[32] = "", expected[32];
	int n;

	bw_slice_copy(row->queue_id, queue_id, sizeof(queue_id));
	bw_slice_copy(row->sender, sender, sizeof(sender));
	n = atoi(queue_id + 1);
	snprintf(expected, sizeof(expected), "u%d@example.org", n);
	s->whole = s->whole && strcmp(sender, expected) == 0 && row->accepted_ms == 1000 + n;
	s->rising = s->rising && (s->n == 0 || n == s->last + 1);
	s->first = s->n++ == 0 ? n : s->first;
	s->last = n;
	return true;
}

static struct seen stored(struct scene *c)
{
	struct seen s = { .rising = true, .whole = true };
	struct bw_post_query all = { .limit = 0 };

	bw_store_faulty_set(c->faulty, false, 0);
	assert_int_equal(c->faulty->ops->post_each(c->faulty, &all, note, &s, NULL), BW_OK);
	return s;
}

static void in_order_and_whole(void **state)
{
	struct scene *c = *state;

	assert_true(bw_posts_flush(c->posts, c->faulty)); /* nothing */
	for (int i = 0; i < 2 * BW_POSTS_BATCH + 3; i++)
		add(c->posts, i);
	assert_true(bw_posts_flush(c->posts, c->faulty));
	struct seen s = stored(c);

	assert_int_equal(s.n, 2 * BW_POSTS_BATCH + 3);
	assert_true(s.rising && s.whole);
	assert_int_equal(bw_posts_evicted(c->posts), 0);
	assert_true(bw_posts_flush(c->posts, c->faulty));
	assert_int_equal(stored(c).n, s.n);
}

static void a_failing_store_loses_nothing(void **state)
{
	struct scene *c = *state;

	bw_store_faulty_set(c->faulty, true, 0);
	for (int i = 0; i < 700; i++) {
		add(c->posts, i);
		if (i % 100 == 0)
			assert_false(bw_posts_flush(c->posts, c->faulty));
	}
	bw_store_faulty_set(c->faulty, false, 0);
	assert_true(bw_posts_flush(c->posts, c->faulty));
	struct seen s = stored(c);

	assert_int_equal(s.n, 700);
	assert_true(s.rising && s.whole);
}

/* The oldest goes, and it is told how many. */
static void the_oldest_is_evicted(void **state)
{
	struct scene *c = *state;

	bw_store_faulty_set(c->faulty, true, 0);
	for (int i = 0; i < BW_POSTS_WAITING + 10; i++)
		add(c->posts, i);
	assert_false(bw_posts_flush(c->posts, c->faulty));
	assert_int_equal(bw_posts_evicted(c->posts), 10);
	bw_store_faulty_set(c->faulty, false, 0);
	assert_true(bw_posts_flush(c->posts, c->faulty));
	struct seen s = stored(c);

	assert_int_equal(s.n, BW_POSTS_WAITING);
	assert_int_equal(s.first, 10);
	assert_true(s.rising && s.whole);
}

/* What no store would take does not keep the others from it. */
static void what_is_no_post_is_dropped(void **state)
{
	struct scene *c = *state;
	const struct bw_post none = { .list = BW_S("all@example.org") };

	bw_posts_add(c->posts, &none);
	assert_true(bw_posts_flush(c->posts, c->faulty));
	assert_int_equal(bw_posts_evicted(c->posts), 1);
	add(c->posts, 1);
	assert_true(bw_posts_flush(c->posts, c->faulty));
	assert_int_equal(stored(c).n, 1);
}

enum { THREADS = 4, EACH = 500 };

struct worker {
	struct bw_posts *posts;
	int from;
};

static void *work(void *arg)
{
	const struct worker *w = arg;

	for (int i = 0; i < EACH; i++)
		add(w->posts, w->from + i);
	return NULL;
}

static void many_threads(void **state)
{
	struct scene *c = *state;
	struct worker workers[THREADS];
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ c->posts, i * EACH };
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < 50; i++)
		assert_true(bw_posts_flush(c->posts, c->faulty));
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_true(bw_posts_flush(c->posts, c->faulty));
	struct seen s = stored(c);

	assert_int_equal(s.n, THREADS * EACH);
	assert_true(s.whole);
	assert_int_equal(bw_posts_evicted(c->posts), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(in_order_and_whole), TEST(a_failing_store_loses_nothing), TEST(the_oldest_is_evicted), TEST(what_is_no_post_is_dropped),
		TEST(many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
