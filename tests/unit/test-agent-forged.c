/* link: bw_agent bw_store bw_base */
/* Rows in the store that nobody of ours has written: refused with an event each, and never in the way of an honest order. */
#include "runner-stage.h"

/* Whoever can write to a shared store can write any of these: each is refused, with an event, and the order after it is done. */
static void forged_items(void **state)
{
	static const struct {
		const char *what, *queue_id, *mta, *text;
		int subject;
		const char *event;
	} cases[] = {
		{ "not signed", "Q00", "postfix", "bad", 0, "not signed" },
		{ "no text at all", "Q00", "postfix", "", 0, "not signed" },
		{ "an unknown id", "Q00", "postfix", "good", 99, "knows no such message" },
		{ "shell characters", "Q00;reboot", "postfix", "good", 0, "under the queue id Q00" },
		{ "a queue id of another message", "Q01", "postfix", "good", 0, "under the queue id Q00" },
		{ "another MTA", "Q00", "sendmail", "good", 0, "held by postfix" },
		{ "a queue id that is used again", "Q02", "postfix", "good", 2, "another held message" },
		{ "bytes that are no text", "Q00", "postfix", "good\xff\xfe\n", 0, "none that breakwaterctl writes" },
		{ "a long queue id", "QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ", "postfix", "good", 0,
		  "none that breakwaterctl writes" },
	};

	(void)state;
	queue[2].mark = id_of(77); /* somebody else's message */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bw_order_row row = row_of((uint8_t)(10 + i), i % 2 == 0 ? BW_ORDER_RELEASE : BW_ORDER_DELETE, i % 3 == 0 ? 1000 : 0);
		struct bw_order_item item = item_of(0, 0);
		int before = events(BW_EVENT_REFUSED, cases[i].event);

		item.subject = id_of(cases[i].subject);
		item.queue_id = bw_slice_of(cases[i].queue_id);
		item.mta = bw_slice_of(cases[i].mta);
		item.signed_text = bw_slice_of(cases[i].text);
		put_order(&row, &item, 1);
		run_until(now_ms + 3 * BW_SECOND_MS);
		if (seen((uint8_t)(10 + i)).results[BW_ITEM_REFUSED] != 1 || events(BW_EVENT_REFUSED, cases[i].event) != before + 1)
			fail_msg("%s: not refused with its event", cases[i].what);
		assert_int_equal(seen((uint8_t)(10 + i)).state, BW_ORDER_DONE);
	}
	assert_int_equal(count_where(HELD), MESSAGES);
	give(1, BW_ORDER_RELEASE, 0, 3, 4);
	run_until(now_ms + 2 * BW_SECOND_MS);
	assert_int_equal(count_where(OUT), 1);
}

/* What it was before the order was made is no work of the order. */
static void replayed(void **state)
{
	(void)state;
	give(1, BW_ORDER_RELEASE, 0, 0, 1);
	run_until(now_ms + BW_MINUTE_MS);
	give(2, BW_ORDER_RELEASE, 0, 0, 1);
	run_until(now_ms + BW_MINUTE_MS);
	assert_int_equal(seen(2).results[BW_ITEM_REFUSED], 1);
	assert_int_equal(events(BW_EVENT_REFUSED, "since before the order was given"), 1);
	assert_int_equal(queue[0].times, 1);
}

static void hostile_rows(void **state)
{
	static const char *const changes[] = {
		"UPDATE mail_order SET items = 1000000, done = -5", /* none of them there */
		"UPDATE mail_order SET owner = x'fffe00c1', note = x'ff'",
		"UPDATE mail_order SET pace = 9223372036854775807, observe_ms = 9223372036854775807",
		"UPDATE mail_order SET pace = -1, observe_ms = -9223372036854775807, made_ms = -9223372036854775807",
		"UPDATE mail_order SET expires_ms = -9223372036854775807",
		"UPDATE mail_order SET made_ms = 9223372036854775807",
		"UPDATE mail_order SET kind = 3",
		"UPDATE order_item SET number = 9223372036854775807",
		"UPDATE order_item SET deliveries = -9223372036854775807",
		"DELETE FROM order_item",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		give((uint8_t)(20 + i), BW_ORDER_RELEASE, 1000000, 0, 1);
		sql(changes[i]);
		run_until(now_ms + 3 * BW_SECOND_MS);
		sql("DELETE FROM mail_order");
		sql("DELETE FROM order_item");
		hold_all();
		give(1, BW_ORDER_DELETE, 0, 1, 2);
		run_until(now_ms + 3 * BW_SECOND_MS);
		if (queue[1].where != DROPPED)
			fail_msg("%s: another order is not carried out", changes[i]);
		sql("DELETE FROM mail_order");
		sql("DELETE FROM order_item");
		sql("DELETE FROM held");
		hold_all();
	}
	/* More of them than are worked on at a time: all are brought to their end. */
	for (int i = 0; i < 100; i++)
		give((uint8_t)(100 + i), BW_ORDER_FREEZE, 0, 0, 0 + 1);
	give(1, BW_ORDER_RELEASE, 0, 5, 6);
	run_until(now_ms + 30 * BW_SECOND_MS);
	assert_int_equal(sql("SELECT count(*) FROM mail_order WHERE state = 4"), 101);
	assert_int_equal(queue[5].where, OUT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		RUNNER_TEST(forged_items),
		RUNNER_TEST(replayed),
		RUNNER_TEST(hostile_rows),
	};

	return cmocka_run_group_tests_name("forged", tests, NULL, NULL);
}
