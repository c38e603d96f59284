/* link: bw_agent bw_store bw_base */
/* Orders carried out: in their order, at their pace, paused, stopped, cancelled, after a kill, from two stores. */
#include "runner-stage.h"


static void at_once(void **state)
{
	(void)state;
	give(1, BW_ORDER_RELEASE, 0, 0, 5);
	give(2, BW_ORDER_DELETE, 0, 5, 8);
	run_until(now_ms + 2 * BW_SECOND_MS);
	assert_int_equal(count_where(OUT), 5);
	assert_int_equal(count_where(DROPPED), 3);
	assert_int_equal(seen(1).state, BW_ORDER_DONE);
	assert_int_equal(seen(1).results[BW_ITEM_DONE], 5);
	assert_int_equal(seen(1).deliveries, 5000);
	assert_int_equal(seen(2).state, BW_ORDER_DONE);
	assert_int_equal(events(BW_EVENT_ORDER, "released 5 of 5 messages, 5,000 deliveries"), 1);
	give(3, BW_ORDER_RESTORE, 0, 5, 8);
	run_until(now_ms + 2 * BW_SECOND_MS);
	assert_int_equal(seen(3).results[BW_ITEM_DONE], 3);
	assert_int_equal(count_where(HELD), MESSAGES - 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(queue[i].times, 1);
	/* Nothing to do is looked for once a second, and no more often. */
	assert_in_range(run_until(now_ms + 20 * BW_SECOND_MS), 19, 22);
}

/* The canary, ten seconds, two, ten seconds, four ...; within a round a tenth of a minute between two. */
static void paced(void **state)
{
	static const int64_t at_s[] = { 0, 10, 16, 26, 32, 38, 44, 54, 60, 66, 72, 78 };
	int64_t start_ms = now_ms;

	(void)state;
	give(1, BW_ORDER_RELEASE, 10000, 0, MESSAGES);
	run_until(now_ms + 2 * BW_MINUTE_MS);
	for (int i = 0; i < MESSAGES; i++)
		assert_int_equal((queue[i].at_ms - start_ms) / BW_SECOND_MS, at_s[i]);
	assert_int_equal(seen(1).state, BW_ORDER_DONE);
}

static void paused_resumed_cancelled(void **state)
{
	(void)state;
	give(1, BW_ORDER_RELEASE, 10000, 0, MESSAGES);
	run_until(now_ms + 12 * BW_SECOND_MS);
	assert_int_equal(count_where(OUT), 2);
	move(1, BW_ORDER_RUNNING, BW_ORDER_PAUSED);
	run_until(now_ms + 10 * BW_MINUTE_MS);
	assert_int_equal(count_where(OUT), 2);
	move(1, BW_ORDER_PAUSED, BW_ORDER_RUNNING);
	run_until(now_ms + 2 * BW_SECOND_MS); /* the canary again, after at most a second */
	assert_int_equal(count_where(OUT), 3);
	run_until(now_ms + 10 * BW_SECOND_MS);
	assert_int_equal(count_where(OUT), 4);
	move(1, BW_ORDER_RUNNING, BW_ORDER_CANCELLED);
	run_until(now_ms + 10 * BW_MINUTE_MS);
	assert_int_equal(count_where(OUT), 4);
	assert_int_equal(seen(1).results[BW_ITEM_PENDING], MESSAGES - 4);
}

static void trip(const char *list)
{
	const struct bw_breaker_key at = { .scope = BW_SCOPE_LIST, .side = BW_SIDE_MEMBERS, .list = bw_slice_of(list) };
	const struct bw_breaker open = { .phase = BW_PHASE_OPEN, .since_ms = now_ms, .until_ms = now_ms + BW_HOUR_MS };

	assert_int_equal(store->ops->breaker_cas(store, &at, &open, NULL), BW_OK);
}

static void a_flare_up_stops_it(void **state)
{
	(void)state;
	give(1, BW_ORDER_RELEASE, 10000, 0, MESSAGES);
	run_until(now_ms + 2 * BW_SECOND_MS);
	trip("other@example.org");
	run_until(now_ms + 3 * BW_SECOND_MS);
	assert_int_equal(seen(1).state, BW_ORDER_RUNNING);
	trip(KIT_LIST);
	run_until(now_ms + 3 * BW_SECOND_MS);
	assert_int_equal(seen(1).state, BW_ORDER_STOPPED);
	assert_true(bw_slice_contains_nocase(seen(1).note, BW_S("after 1 messages: a breaker of " KIT_LIST " has tripped")));
	assert_int_equal(events(BW_EVENT_ORDER, "has tripped"), 1);
	run_until(now_ms + BW_HOUR_MS);
	assert_int_equal(count_where(OUT), 1);
	move(1, BW_ORDER_STOPPED, BW_ORDER_RUNNING);
	run_until(now_ms + 5 * BW_MINUTE_MS);
	assert_int_equal(count_where(OUT), MESSAGES);
	assert_int_equal(seen(1).state, BW_ORDER_DONE);
}

/* Killed when the message is out and nobody knows; the next runner finds it done. */
static void restarted_in_the_midst(void **state)
{
	(void)state;
	give(1, BW_ORDER_RELEASE, 0, 0, 6);
	for (int i = 0; i < 6; i++) {
		int64_t next_ms;
		char statement[200];

		assert_int_equal(agent_runner_step(runner, now_ms, &next_ms, NULL), BW_OK);
		assert_int_equal(count_where(OUT), i + 1);
		/* As if the result of the last one had not been written, in every second case not even the ledger. */
		snprintf(statement, sizeof(statement), "UPDATE order_item SET result = 0 WHERE number = %d", i);
		sql(statement);
		if (i % 2 == 1) {
			struct bw_hash id = id_of(i);
			char hex[2 * BW_HASH_BYTES + 1], path[300];

			bw_hash_hex(&id, hex);
			snprintf(path, sizeof(path), "%s/%s.release", archive_path, hex);
			fclose(fopen(path, "w"));
			assert_int_equal(store->ops->held_return(store, &id, BW_HELD_RELEASED, bw_slice_of(queue_id_of(i)), now_ms, BW_S("x"), NULL),
			                 BW_OK);
		}
		stop_runner();
		start_runner();
		assert_int_equal(agent_runner_step(runner, now_ms, &next_ms, NULL), BW_OK);
		assert_int_equal(count_where(OUT), i + 1);
	}
	run_until(now_ms + 2 * BW_SECOND_MS);
	assert_int_equal(seen(1).state, BW_ORDER_DONE);
	for (int i = 0; i < MESSAGES; i++)
		assert_int_equal(queue[i].times, i < 6 ? 1 : 0);
	assert_int_equal(sql("SELECT count(*) FROM order_item WHERE result = 1"), 6);
	assert_int_equal(sql("SELECT count(*) FROM held WHERE state = 1"), 6);
}

/* What does not answer is asked again, for as long as the order lasts; what fails for one message fails for it alone. */
static void failures(void **state)
{
	(void)state;
	give(1, BW_ORDER_RELEASE, 0, 0, 2);
	mta_says = BW_ERR_STORE;
	run_until(now_ms + BW_HOUR_MS);
	assert_int_equal(seen(1).state, BW_ORDER_RUNNING);
	assert_int_equal(seen(1).results[BW_ITEM_PENDING], 2);
	assert_true(bw_slice_contains_nocase(seen(1).note, BW_S("the MTA fails")));
	mta_says = BW_OK;
	run_until(now_ms + BW_MINUTE_MS);
	assert_int_equal(seen(1).results[BW_ITEM_DONE], 2);
	give(2, BW_ORDER_RELEASE, 0, 2, 4);
	mta_says = BW_ERR_IO;
	run_until(now_ms + 5 * BW_MINUTE_MS);
	assert_int_equal(seen(2).results[BW_ITEM_FAILED], 2);
	assert_int_equal(seen(2).state, BW_ORDER_DONE);
	assert_int_equal(count_where(OUT), 2);
}

/* Done, and whoever did it was killed before he said so: nothing is lost, nothing comes twice, and the order hears that it is done. */
static void lost_answers(void **state)
{
	static const enum bw_order_kind kinds[] = { BW_ORDER_RELEASE, BW_ORDER_DELETE, BW_ORDER_RESTORE };

	(void)state;
	for (int i = 0; i < 3; i++) {
		int message = i == 0 ? 0 : 1;

		give((uint8_t)(1 + i), kinds[i], 0, message, message + 1);
		agent_runner_wake(runner);
		mta_forgets = true;
		run_until(now_ms + 500);
		assert_int_equal(seen((uint8_t)(1 + i)).results[BW_ITEM_PENDING], 1);
		assert_int_equal((int)queue[message].where, i == 0 ? OUT : i == 1 ? DROPPED : HELD);
		mta_forgets = false;
		run_until(now_ms + 3 * BW_SECOND_MS);
		assert_int_equal(seen((uint8_t)(1 + i)).results[BW_ITEM_DONE], 1);
	}
	assert_int_equal(queue[0].times, 1);
	assert_int_equal(sql("SELECT count(*) FROM held WHERE state = 0"), MESSAGES - 1);
	give(9, BW_ORDER_RELEASE, 0, 1, 2);
	run_until(now_ms + 3 * BW_SECOND_MS);
	assert_int_equal(queue[1].times, 1);
}

static void time_is_over(void **state)
{
	struct bw_order_row row = row_of(1, BW_ORDER_RELEASE, 0), unfinished = row_of(2, BW_ORDER_RELEASE, 0);
	struct bw_order_item item = item_of(0, 0);

	(void)state;
	row.expires_ms = now_ms + BW_HOUR_MS;
	put_order(&row, &item, 1);
	move(1, BW_ORDER_RUNNING, BW_ORDER_PAUSED);
	assert_int_equal(store->ops->order_put(store, &unfinished, &item, 1, NULL), BW_OK);
	run_until(now_ms + BW_MINUTE_MS);
	assert_int_equal(seen(2).state, BW_ORDER_WRITING);
	run_until(now_ms + BW_HOUR_MS);
	assert_int_equal(seen(1).state, BW_ORDER_CANCELLED);
	assert_int_equal(seen(2).state, BW_ORDER_CANCELLED);
	assert_int_equal(count_where(OUT), 0);
}

static void other_hosts(void **state)
{
	struct bw_order_row row = row_of(1, BW_ORDER_RELEASE, 0);
	struct bw_order_item item = item_of(0, 0);

	(void)state;
	row.host = BW_S("mx2");
	put_order(&row, &item, 1);
	run_until(now_ms + BW_MINUTE_MS);
	assert_int_equal(seen(1).state, BW_ORDER_RUNNING);
	assert_int_equal(count_where(OUT), 0);
}

/* The shared store goes away and comes back; orders given meanwhile in this host's own are carried out, each once. */
static void two_stores(void **state)
{
	struct bw_store *inner = NULL, *faulty;

	(void)state;
	assert_int_equal(bw_store_sqlite_open(":memory:", 1000, &inner, NULL), BW_OK);
	faulty = bw_store_faulty_new(inner, 50);
	tools.orders[0] = faulty;
	tools.orders[1] = store;
	give(1, BW_ORDER_RELEASE, 0, 0, 3);
	bw_store_faulty_set(faulty, true, 0);
	run_until(now_ms + 5 * BW_SECOND_MS);
	assert_int_equal(count_where(OUT), 3);
	bw_store_faulty_set(faulty, false, 0);
	run_until(now_ms + 5 * BW_SECOND_MS);
	assert_int_equal(seen(1).state, BW_ORDER_DONE);
	assert_int_equal(count_where(OUT), 3);
	bw_store_close(&faulty);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		RUNNER_TEST(at_once),
		RUNNER_TEST(paced),
		RUNNER_TEST(paused_resumed_cancelled),
		RUNNER_TEST(a_flare_up_stops_it),
		RUNNER_TEST(restarted_in_the_midst),
		RUNNER_TEST(failures),
		RUNNER_TEST(lost_answers),
		RUNNER_TEST(time_is_over),
		RUNNER_TEST(other_hosts),
		RUNNER_TEST(two_stores),
	};

	return cmocka_run_group_tests_name("runner", tests, NULL, NULL);
}
