/* Proposals of sizes: the largest stays, and there are at most BW_LEARNED_MAX of them, whoever brings them. */
#include "contract.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct bw_list_row proposal(const char *address, int64_t size)
{
	return (struct bw_list_row){ .address = bw_slice_of(address), .source = BW_SOURCE_LEARNED, .size = size, .changed_ms = T0 };
}

static enum bw_learn learn(struct bw_store *s, const char *address, int64_t size)
{
	struct bw_list_row row = proposal(address, size);
	enum bw_learn out = BW_LEARN_FULL;

	assert_ok(s->ops->list_learn(s, &row, &out, 1, &why));
	return out;
}

struct seen {
	int n;
	int64_t size, version;
	char id[64];
};

static bool note(void *ctx, const struct bw_list_row *row)
{
	struct seen *seen = ctx;

	seen->n += row->source == BW_SOURCE_LEARNED && !row->removed;
	seen->size = row->size;
	seen->version = row->version;
	bw_slice_copy(row->list_id, seen->id, sizeof(seen->id));
	return true;
}

static struct seen seen(struct bw_store *s)
{
	struct seen all = { 0 };

	assert_ok(s->ops->list_each(s, 0, note, &all, &why));
	return all;
}

static void the_largest_stays(void **state)
{
	static const struct {
		int64_t size;
		enum bw_learn becomes;
		int64_t stands, version;
	} rows[] = {
		{ 10, BW_LEARN_WRITTEN, 10, 1 }, { 10, BW_LEARN_SAME, 10, 1 }, { 9, BW_LEARN_SAME, 10, 1 },
		{ 11, BW_LEARN_WRITTEN, 11, 2 }, { 1, BW_LEARN_SAME, 11, 2 },
	};
	struct bw_store *s = STORE(state);
	int64_t settings, directory;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(learn(s, "all@x", rows[i].size), rows[i].becomes);
		assert_int_equal(seen(s).n, 1);
		assert_int_equal(seen(s).size, rows[i].stands);
		assert_ok(s->ops->versions(s, &settings, &directory, &why));
		assert_int_equal(directory, rows[i].version);
	}
}

/* In the order of the rows, and with all that they say. */
static void a_batch_is_answered_row_by_row(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_list_row rows[] = { proposal("a@x", 5), proposal("b@x", 6), proposal("a@x", 4), proposal("a@x", 7) };
	enum bw_learn out[4];

	rows[3].list_id = BW_S("a.x");
	assert_ok(s->ops->list_learn(s, rows, out, 0, &why));
	assert_ok(s->ops->list_learn(s, rows, out, 4, &why));
	assert_int_equal(out[0], BW_LEARN_WRITTEN);
	assert_int_equal(out[1], BW_LEARN_WRITTEN);
	assert_int_equal(out[2], BW_LEARN_SAME);
	assert_int_equal(out[3], BW_LEARN_WRITTEN);
	assert_int_equal(seen(s).n, 2);
	assert_int_equal(seen(s).size, 7);
	assert_string_equal(seen(s).id, "a.x");
	assert_int_equal(seen(s).version, 3);
}

/* What the operator or an import says has rows of its own; a proposal that was taken away may come back. */
static void other_sources_stay_as_they_are(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_list_row row = proposal("all@x", 100);

	row.source = BW_SOURCE_OPERATOR;
	assert_ok(s->ops->list_put(s, &row, NULL, &why));
	assert_int_equal(learn(s, "all@x", 50), BW_LEARN_WRITTEN);
	assert_int_equal(seen(s).n, 1);
	row = proposal("all@x", 50);
	row.removed = true;
	assert_ok(s->ops->list_put(s, &row, NULL, &why));
	assert_int_equal(seen(s).n, 0);
	assert_int_equal(learn(s, "all@x", 40), BW_LEARN_WRITTEN);
	assert_int_equal(seen(s).n, 1);
}

static void only_proposals_are_learned(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_list_row rows[] = { proposal("a@x", 5), proposal("b@x", 5) };
	enum bw_learn out[2];

	rows[1].source = BW_SOURCE_IMPORT;
	assert_int_equal(s->ops->list_learn(s, rows, out, 2, NULL), BW_ERR_INPUT);
	rows[1] = proposal("b@x", 5);
	rows[1].unconfirmed = true;
	assert_int_equal(s->ops->list_learn(s, rows, out, 2, NULL), BW_ERR_INPUT);
	rows[1] = proposal("", 5);
	assert_int_equal(s->ops->list_learn(s, rows, out, 2, NULL), BW_ERR_INPUT);
	assert_int_equal(seen(s).n, 0);
}

/* --- the bound --- */

enum { TEACHERS = 4, EACH = BW_LEARNED_MAX / TEACHERS + 300, BATCH = 50 };

struct teacher {
	struct bw_store *store;
	int index, written, full;
	enum bw_err err;
};

static void *teach(void *arg)
{
	struct teacher *t = arg;
	struct bw_list_row rows[BATCH];
	char addresses[BATCH][32];
	enum bw_learn out[BATCH];

	for (int from = 0; from < EACH && t->err == BW_OK; from += BATCH) {
		for (int i = 0; i < BATCH; i++) {
			snprintf(addresses[i], sizeof(addresses[i]), "l%d-%d@x", t->index, from + i);
			rows[i] = proposal(addresses[i], 2);
		}
		t->err = t->store->ops->list_learn(t->store, rows, out, BATCH, NULL);
		for (int i = 0; i < BATCH && t->err == BW_OK; i++) {
			t->written += out[i] == BW_LEARN_WRITTEN;
			t->full += out[i] == BW_LEARN_FULL;
		}
	}
	return NULL;
}

/* Four hosts that together know of more: exactly so many are kept, the others are refused; and room is made by taking one away. */
static void there_are_at_most_so_many(void **state)
{
	struct bw_store *s = STORE(state);
	struct teacher teachers[TEACHERS];
	pthread_t threads[TEACHERS];
	int written = 0, full = 0;

	for (int i = 0; i < TEACHERS; i++) {
		teachers[i] = (struct teacher){ .store = s, .index = i };
		assert_int_equal(pthread_create(&threads[i], NULL, teach, &teachers[i]), 0);
	}
	for (int i = 0; i < TEACHERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(teachers[i].err, BW_OK);
		written += teachers[i].written;
		full += teachers[i].full;
	}
	assert_int_equal(written, BW_LEARNED_MAX);
	assert_int_equal(full, TEACHERS * EACH - BW_LEARNED_MAX);
	assert_int_equal(seen(s).n, BW_LEARNED_MAX);
	struct bw_list_row gone = proposal("l0-0@x", 2);

	gone.removed = true;
	assert_int_equal(learn(s, "new@x", 9000), BW_LEARN_FULL);
	assert_int_equal(learn(s, "l0-0@x", 9000), BW_LEARN_WRITTEN); /* one that is there may grow */
	assert_ok(s->ops->list_put_many(s, &gone, 1, NULL, &why));
	assert_ok(s->ops->list_put_many(s, &gone, 1, NULL, &why)); /* twice is once */
	assert_int_equal(learn(s, "new@x", 9000), BW_LEARN_WRITTEN);
	assert_int_equal(learn(s, "l0-0@x", 2), BW_LEARN_FULL);
}

int run_learn(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_largest_stays),          TEST(a_batch_is_answered_row_by_row), TEST(other_sources_stay_as_they_are),
		TEST(only_proposals_are_learned), TEST(there_are_at_most_so_many),
	};

	return cmocka_run_group_tests_name("learn", tests, NULL, NULL);
}
