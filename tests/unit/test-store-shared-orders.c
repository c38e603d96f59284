/* link: bw_store Threads::Threads */
/* The shared store's orders and accepted posts: where they lie while the primary is there, while it is away, and afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bw/clock.h"
#include "shared-kit.h"

#define LIST "all@example.org"

static void primary(struct stores *s, bool there)
{
	bw_store_faulty_set(s->faulty, !there, 0);
	if (there)
		assert_true(bw_store_guarded_probe(s->shared));
}

/* --- orders --- */

enum { ITEMS = BW_ORDER_PIECE + 7 };

static enum bw_err put_piece(struct bw_store *s, const char *id, int64_t from, size_t n)
{
	static struct bw_order_item items[BW_ORDER_PIECE];
	const struct bw_order_row row = { .id = hash_of(id), .host = BW_S("mx1"), .owner = BW_S("ops") };

	for (size_t i = 0; i < n; i++)
		items[i] = (struct bw_order_item){
			.number = from + (int64_t)i, .subject = hash_of(id), .queue_id = BW_S("Q"), .signed_text = BW_S("v=1"), .deliveries = 10
		};
	return s->ops->order_put(s, &row, items, n, NULL);
}

static void put_order(struct bw_store *s, const char *id)
{
	assert_int_equal(put_piece(s, id, 0, BW_ORDER_PIECE), BW_OK);
	assert_int_equal(put_piece(s, id, BW_ORDER_PIECE, ITEMS - BW_ORDER_PIECE), BW_OK);
}

static enum bw_err move(struct bw_store *s, const char *id, enum bw_order_state from, enum bw_order_state to)
{
	struct bw_hash hash = hash_of(id);

	return s->ops->order_move(s, &hash, from, to, 0, BW_S("ops"), BW_S(""), NULL);
}

static enum bw_err done(struct bw_store *s, const char *id, int64_t number)
{
	struct bw_hash hash = hash_of(id);

	return s->ops->order_result(s, &hash, number, BW_ITEM_DONE, BW_S(""), 0, NULL);
}

static bool note_order(void *ctx, const struct bw_order_row *row)
{
	*(struct bw_order_row *)ctx = *row;
	return false;
}

/* One line: state, items, done, deliveries; "" when it is not there. */
static const char *order_in(struct bw_store *s, const char *id)
{
	static char line[96];
	struct bw_order_query one = { .id = hash_of(id) };
	struct bw_order_row row = { .items = -1 };

	assert_int_equal(s->ops->order_each(s, &one, note_order, &row, NULL), BW_OK);
	line[0] = '\0';
	if (row.items >= 0)
		snprintf(line, sizeof(line), "%s %lld %lld %lld", bw_order_state_name(row.state), (long long)row.items,
		         (long long)row.results[BW_ITEM_DONE], (long long)row.deliveries);
	return line;
}

static void orders_are_the_primarys(void **state)
{
	struct stores *s = *state;

	put_order(s->shared, "o1");
	assert_int_equal(move(s->shared, "o1", BW_ORDER_WRITING, BW_ORDER_RUNNING), BW_OK);
	assert_int_equal(done(s->shared, "o1", 0), BW_OK);
	assert_string_equal(order_in(s->primary, "o1"), "running 507 1 10");
	assert_string_equal(order_in(s->local, "o1"), "");
	/* The primary goes away: of that order nobody here can say that there is none. */
	primary(s, false);
	assert_string_equal(order_in(s->shared, "o1"), "");
	assert_int_equal(done(s->shared, "o1", 1), BW_ERR_STORE);
	assert_int_equal(move(s->shared, "o1", BW_ORDER_RUNNING, BW_ORDER_PAUSED), BW_ERR_STORE);
	primary(s, true);
	assert_int_equal(done(s->shared, "o1", 1), BW_OK);
	assert_int_equal(done(s->shared, "o9", 1), BW_ERR_NOT_FOUND);
	assert_string_equal(order_in(s->primary, "o1"), "running 507 2 20");
}

static void orders_given_meanwhile_go_on_in_the_primary(void **state)
{
	struct stores *s = *state;

	primary(s, false);
	put_order(s->shared, "running");
	put_order(s->shared, "done");
	assert_int_equal(put_piece(s->shared, "writing", 0, 5), BW_OK);
	assert_int_equal(move(s->shared, "running", BW_ORDER_WRITING, BW_ORDER_RUNNING), BW_OK);
	assert_int_equal(move(s->shared, "done", BW_ORDER_WRITING, BW_ORDER_RUNNING), BW_OK);
	assert_int_equal(done(s->shared, "running", 0), BW_OK);
	assert_int_equal(done(s->shared, "running", ITEMS - 1), BW_OK);
	assert_int_equal(done(s->shared, "done", 3), BW_OK);
	assert_int_equal(move(s->shared, "done", BW_ORDER_RUNNING, BW_ORDER_DONE), BW_OK);
	primary(s, true);
	assert_string_equal(order_in(s->primary, "running"), "running 507 2 20");
	assert_string_equal(order_in(s->primary, "done"), "done 507 1 10");
	assert_string_equal(order_in(s->primary, "writing"), "writing 5 0 0");
	assert_int_equal(put_piece(s->shared, "writing", 5, 2), BW_OK); /* its writer goes on */
	assert_int_equal(done(s->shared, "running", 1), BW_OK);
	/* Away once more: nothing of it runs a second time here. */
	primary(s, false);
	assert_string_equal(order_in(s->shared, "running"), "cancelled 507 2 20");
	assert_string_equal(order_in(s->shared, "done"), "done 507 1 10");
	primary(s, true);
	assert_string_equal(order_in(s->primary, "running"), "running 507 3 30");
}

/* --- posts --- */

static void put_post(struct bw_store *s, const char *id)
{
	const struct bw_post post = { .id = hash_of(id), .host = BW_S("mx1"), .queue_id = bw_slice_of(id), .list = BW_S(LIST) };

	assert_int_equal(s->ops->post_put(s, &post, 1, NULL), BW_OK);
}

static bool note_post(void *ctx, const struct bw_post *row)
{
	char *line = ctx;
	size_t at = strlen(line);

	assert_true(at < 64);
	snprintf(line + at, 96 - at, "%.*s %s ", (int)row->queue_id.n, row->queue_id.p, bw_post_state_name(row->state));
	return true;
}

static const char *posts_in(struct bw_store *s)
{
	static char line[96];
	struct bw_post_query all = { .limit = 0 };

	line[0] = '\0';
	assert_int_equal(s->ops->post_each(s, &all, note_post, line, NULL), BW_OK);
	return line;
}

static enum bw_err move_post(struct bw_store *s, const char *id, enum bw_post_state to)
{
	struct bw_hash hash = hash_of(id);

	return s->ops->post_move(s, &hash, to, 0, NULL);
}

static void posts_lie_in_both(void **state)
{
	struct stores *s = *state;

	put_post(s->shared, "p1");
	put_post(s->primary, "p2"); /* another host's */
	assert_string_equal(posts_in(s->primary), "p1 queued p2 queued ");
	assert_string_equal(posts_in(s->local), "p1 queued ");
	assert_string_equal(posts_in(s->shared), "p1 queued p2 queued ");
	assert_int_equal(move_post(s->shared, "p1", BW_POST_FROZEN), BW_OK);
	assert_int_equal(move_post(s->shared, "p2", BW_POST_THAWED), BW_OK);
	assert_int_equal(move_post(s->shared, "p3", BW_POST_THAWED), BW_ERR_NOT_FOUND);
	assert_string_equal(posts_in(s->primary), "p1 frozen p2 thawed ");
	assert_string_equal(posts_in(s->local), "p1 frozen ");
}

static void posts_of_an_outage_are_copied_afterwards(void **state)
{
	struct stores *s = *state;

	put_post(s->shared, "p1");
	primary(s, false);
	put_post(s->shared, "p2");
	put_post(s->shared, "p3");
	assert_int_equal(move_post(s->shared, "p1", BW_POST_FROZEN), BW_OK);
	assert_int_equal(move_post(s->shared, "p3", BW_POST_DROPPED), BW_OK);
	assert_int_equal(move_post(s->shared, "p9", BW_POST_FROZEN), BW_ERR_NOT_FOUND);
	assert_string_equal(posts_in(s->shared), "p1 frozen p2 queued p3 dropped ");
	primary(s, true);
	bw_store_shared_copy(s->shared, -1, NULL);
	assert_string_equal(posts_in(s->primary), "p1 frozen p2 queued p3 dropped ");
}

/* What came back under another queue id, while the primary was there and while it was not. */
static void posts_that_came_back(void **state)
{
	struct bw_hash first = hash_of("p1"), second = hash_of("p2");
	struct stores *s = *state;

	put_post(s->shared, "p1");
	put_post(s->shared, "p2");
	assert_int_equal(s->shared->ops->post_return(s->shared, &first, BW_POST_FROZEN, BW_S("q1"), 0, NULL), BW_OK);
	assert_string_equal(posts_in(s->primary), "q1 frozen p2 queued ");
	primary(s, false);
	assert_int_equal(s->shared->ops->post_return(s->shared, &second, BW_POST_FROZEN, BW_S("q2"), 0, NULL), BW_OK);
	assert_int_equal(move_post(s->shared, "p1", BW_POST_THAWED), BW_OK);
	primary(s, true);
	bw_store_shared_copy(s->shared, -1, NULL);
	assert_string_equal(posts_in(s->primary), "q1 thawed q2 frozen ");
	assert_string_equal(posts_in(s->local), "q1 thawed q2 frozen ");
}

/* A primary that refuses for a moment, a daemon that starts anew: what it lacks is copied all the same. */
static void a_look_back_copies_all(void **state)
{
	struct stores *s = *state;

	put_post(s->local, "p1");
	bw_store_shared_copy(s->shared, -1, NULL);
	assert_string_equal(posts_in(s->primary), "");
	bw_store_shared_copy(s->shared, 0, NULL);
	assert_string_equal(posts_in(s->primary), "p1 queued ");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(orders_are_the_primarys),
		TEST(orders_given_meanwhile_go_on_in_the_primary),
		TEST(posts_lie_in_both),
		TEST(posts_of_an_outage_are_copied_afterwards),
		TEST(posts_that_came_back),
		TEST(a_look_back_copies_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
