/* link: bw_base */
/* The mark of a held message: what was written is read, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bw/mark.h"

static const struct bw_key key = { { 1, 2, 3 } }, other_key = { { 4 } };

static struct bw_mark sample(const char *list)
{
	return (struct bw_mark){
		.id = { { 0xab } },
		.conversation = { { 0xcd } },
		.message = { { 0xef } },
		.list = bw_slice_of(list),
		.guard = BW_GUARD_CONVERSATION,
		.side = BW_SIDE_OUTSIDE,
		.deliveries = 840000,
		.held_ms = INT64_C(1479112140000),
	};
}

static void print(struct bw_buf *out, const char *list, const char *queue_id)
{
	struct bw_mark m = sample(list);

	bw_buf_init(out, BW_MARK_BYTES);
	bw_mark_print(out, &key, &m, bw_slice_of(queue_id));
}

/* Addresses may hold what separates fields. */
static void round_trips(void **state)
{
	static const char *const lists[] = { "all@nhs.example", "\"a; guard=list; at=1; mac=0\"@nhs.example", "" };

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct bw_mark m = sample(lists[i]), back = { .deliveries = 0 };
		struct bw_buf text, folded;

		print(&text, lists[i], "4Abc");
		bw_buf_init(&folded, 2 * BW_MARK_BYTES);
		bw_buf_printf(&folded, " %s\r\n", bw_buf_text(&text));
		assert_true(bw_mark_read(&key, bw_buf_slice(&folded), BW_S("4Abc"), &back));
		assert_true(bw_hash_equal(&back.id, &m.id));
		assert_true(bw_hash_equal(&back.conversation, &m.conversation));
		assert_true(bw_hash_equal(&back.message, &m.message));
		assert_true(bw_slice_equal(back.list, m.list));
		back.id = (struct bw_hash){ { 0 } };
		assert_true(bw_mark_id(bw_buf_slice(&folded), &back.id));
		assert_true(bw_hash_equal(&back.id, &m.id));
		assert_int_equal(back.guard, m.guard);
		assert_int_equal(back.side, m.side);
		assert_int_equal(back.deliveries, m.deliveries);
		assert_int_equal(back.held_ms, m.held_ms);
		bw_buf_done(&folded);
		bw_buf_done(&text);
	}
}

/* Each byte of it is sealed: a change anywhere, another key, another message. */
static void forgeries(void **state)
{
	struct bw_mark untouched = { .deliveries = 7 };
	struct bw_buf text;

	(void)state;
	print(&text, "all@nhs.example", "4Abc");
	assert_false(bw_mark_read(&other_key, bw_buf_slice(&text), BW_S("4Abc"), &untouched));
	assert_false(bw_mark_read(&key, bw_buf_slice(&text), BW_S("4Abd"), &untouched));
	assert_false(bw_mark_read(&key, bw_buf_slice(&text), BW_S(""), &untouched));
	for (size_t i = 0; i < text.n; i++) {
		char was = text.p[i];

		text.p[i] = was == '1' ? '2' : '1';
		assert_false(bw_mark_read(&key, bw_buf_slice(&text), BW_S("4Abc"), &untouched));
		text.p[i] = was;
		assert_false(bw_mark_read(&key, bw_slice_head(bw_buf_slice(&text), i), BW_S("4Abc"), &untouched));
	}
	assert_false(bw_mark_read(&key, BW_S(""), BW_S(""), &untouched));
	assert_false(bw_mark_read(&key, BW_S("; mac="), BW_S(""), &untouched));
	assert_int_equal(untouched.deliveries, 7);
	bw_buf_done(&text);
}

/* The longest address that a list may have fits into one line. */
static void longest(void **state)
{
	char list[321];
	struct bw_mark back;
	struct bw_buf text;

	(void)state;
	memset(list, 'a', sizeof(list) - 1);
	list[sizeof(list) - 1] = '\0';
	print(&text, list, "4Abc");
	assert_false(text.cut);
	assert_true(bw_mark_read(&key, bw_buf_slice(&text), BW_S("4Abc"), &back));
	bw_buf_done(&text);
}

static void no_id(void **state)
{
	static const char *const texts[] = { "", "v=1; id=", "v=2; id=ab000000000000000000000000000000", "v=1; id=ab00000000000000000000000000000",
		                                 "v=1; id=xy000000000000000000000000000000" };
	struct bw_hash id;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(bw_mark_id(bw_slice_of(texts[i]), &id));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),
		cmocka_unit_test(no_id),
		cmocka_unit_test(forgeries),
		cmocka_unit_test(longest),
	};

	return cmocka_run_group_tests_name("mark", tests, NULL, NULL);
}
