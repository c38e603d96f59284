/* link: bw_engine bw_store bw_config bw_base */
/* The limits of the hold queue: which one is reached, how often that is told, and that no race passes one. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bw/clock.h"
#include "bw/room.h"

static void which_limit(void **state)
{
	static const struct {
		struct bw_room_limits limits;
		struct bw_room_figures now;
		int64_t bytes;
		enum bw_full full;
		const char *text;
	} cases[] = {
		{ { 0, 0, 0 }, { INT64_MAX - 1, INT64_MAX - 1, 0 }, 4096, BW_FULL_NO, "there is room" },
		{ { 5, 0, 0 }, { 4, 0, -1 }, 4096, BW_FULL_NO, "there is room" },
		{ { 5, 0, 0 }, { 5, 0, -1 }, 4096, BW_FULL_MESSAGES, "5 of at most 5 messages wait" },
		{ { 5, 0, 0 }, { 9, 0, -1 }, 4096, BW_FULL_MESSAGES, "9 of at most 5 messages wait" }, /* lowered meanwhile */
		{ { 0, 10000, 0 }, { 1, 5904, -1 }, 4096, BW_FULL_NO, "there is room" },
		{ { 0, 10000, 0 }, { 1, 5905, -1 }, 4096, BW_FULL_BYTES, "5,905 of at most 10,000 bytes wait" },
		{ { 0, 10000, 0 }, { 1, 20000, -1 }, 0, BW_FULL_BYTES, "20,000 of at most 10,000 bytes wait" },
		{ { 0, 10000, 0 }, { 1, 1, -1 }, INT64_MAX, BW_FULL_BYTES, "1 of at most 10,000 bytes wait" },
		{ { 0, 0, 1000 }, { 1, 1, 1000 }, 4096, BW_FULL_NO, "there is room" },
		{ { 0, 0, 1000 }, { 1, 1, 999 }, 4096, BW_FULL_DISK, "999 bytes are free, at least 1,000 must be" },
		{ { 0, 0, 1000 }, { 1, 1, 0 }, 4096, BW_FULL_DISK, "0 bytes are free, at least 1,000 must be" },
		{ { 0, 0, 1000 }, { 1, 1, -1 }, 4096, BW_FULL_NO, "there is room" }, /* not known */
		{ { 5, 10000, 1000 }, { 5, 10000, 10 }, 4096, BW_FULL_MESSAGES, "5 of at most 5 messages wait" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bw_buf text;

		bw_buf_init(&text, 200);
		assert_string_equal(bw_full_name(bw_room_check(&cases[i].limits, &cases[i].now, cases[i].bytes)),
		                    bw_full_name(cases[i].full));
		bw_room_print(&text, cases[i].full, &cases[i].limits, &cases[i].now);
		assert_string_equal(bw_buf_text(&text), cases[i].text);
		bw_buf_done(&text);
	}
	assert_int_equal(bw_room_size(0), BW_ROOM_BLOCK);
	assert_int_equal(bw_room_size(-5), BW_ROOM_BLOCK);
	assert_int_equal(bw_room_size(5000000), 5000000);
}

static void how_often_it_is_told(void **state)
{
	static const struct {
		int64_t at_s;
		bool full;
		enum bw_event event;
	} steps[] = {
		{ 100, false, BW_EVENT_NONE }, { 101, true, BW_EVENT_LIMIT }, { 102, true, BW_EVENT_NONE },
		{ 103, false, BW_EVENT_ROOM }, { 104, true, BW_EVENT_NONE }, /* one goes, one comes */
		{ 105, false, BW_EVENT_NONE }, { 106, true, BW_EVENT_NONE },  { 160, true, BW_EVENT_NONE },
		{ 161, true, BW_EVENT_LIMIT }, { 162, true, BW_EVENT_NONE },  { 900, true, BW_EVENT_NONE },
		{ 901, false, BW_EVENT_ROOM }, { 50, true, BW_EVENT_LIMIT }, /* a clock that was set back */
	};
	struct bw_room_teller teller = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		assert_string_equal(bw_event_name(bw_room_tell(&teller, steps[i].at_s * BW_SECOND_MS, steps[i].full)),
		                    bw_event_name(steps[i].event));
}

/* --- the count --- */

static int64_t waiting(struct bw_room *room)
{
	struct bw_room_figures now;
	enum bw_full by;
	int64_t refused;

	bw_room_look(room, &now, &refused, &by);
	return now.messages;
}

static void a_reading_forgets_nobody(void **state)
{
	const struct bw_room_limits limits = { .max_messages = 5 };
	struct bw_room *room = bw_room_new();

	(void)state;
	assert_non_null(room);
	assert_int_equal(bw_room_take(room, &limits, 4096), BW_FULL_NO);
	/* One is being written while the reading begins, another while it lasts: neither is in what was read. */
	assert_int_equal(bw_room_read_begin(room), 1);
	assert_int_equal(bw_room_take(room, &limits, 4096), BW_FULL_NO);
	bw_room_taken(room);
	bw_room_taken(room);
	bw_room_read_end(room, 2, 8192);
	assert_int_equal(waiting(room), 4);
	assert_int_equal(bw_room_take(room, &limits, 4096), BW_FULL_NO);
	assert_int_equal(bw_room_take(room, &limits, 4096), BW_FULL_MESSAGES);
	bw_room_taken(room);
	/* Two were released. */
	assert_int_equal(bw_room_read_begin(room), 0);
	bw_room_read_end(room, 3, 3 * 4096);
	assert_int_equal(waiting(room), 3);
	bw_room_free(&room);
	assert_null(room);
}

static void who_was_refused(void **state)
{
	const struct bw_room_limits limits = { .max_bytes = 10000, .min_free = 1000 };
	struct bw_room *room = bw_room_new();
	struct bw_room_figures now;
	enum bw_full by;
	int64_t refused;

	(void)state;
	assert_non_null(room);
	assert_int_equal(bw_room_take(room, &limits, 10001), BW_FULL_BYTES);
	bw_room_set_free(room, 999);
	assert_int_equal(bw_room_take(room, &limits, 4096), BW_FULL_DISK);
	bw_room_look(room, &now, &refused, &by);
	assert_int_equal(refused, 2);
	assert_int_equal(by, BW_FULL_DISK);
	bw_room_look(room, &now, &refused, &by);
	assert_int_equal(refused, 0);
	assert_int_equal(now.messages, 0);
	bw_room_free(&room);
}

enum { THREADS = 8, TRIES = 500, PLACES = 1000 };

struct crowd {
	struct bw_room *room;
	int64_t placed;
};

static void *press(void *crowd)
{
	const struct bw_room_limits limits = { .max_messages = PLACES };
	struct crowd *c = crowd;

	for (int i = 0; i < TRIES; i++) {
		if (bw_room_take(c->room, &limits, 4096) == BW_FULL_NO) {
			c->placed++;
			bw_room_taken(c->room);
		}
	}
	return NULL;
}

static void exactly_so_many(void **state)
{
	struct bw_room *room = bw_room_new();
	struct crowd crowds[THREADS];
	pthread_t threads[THREADS];
	int64_t placed = 0;

	(void)state;
	assert_non_null(room);
	for (int i = 0; i < THREADS; i++) {
		crowds[i] = (struct crowd){ room, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, press, &crowds[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		placed += crowds[i].placed;
	}
	assert_int_equal(placed, PLACES);
	assert_int_equal(waiting(room), PLACES);
	bw_room_free(&room);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_limit),     cmocka_unit_test(how_often_it_is_told), cmocka_unit_test(a_reading_forgets_nobody),
		cmocka_unit_test(who_was_refused), cmocka_unit_test(exactly_so_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
