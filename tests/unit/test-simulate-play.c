/* link: bw_simulate bw_store bw_base PkgConfig::JANSSON */
/* What a play comes to: figures, first trip, misses, and what the caller is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "bw/clock.h"
#include "bw/simulate.h"

static struct bw_scenario *read_text(const char *text)
{
	struct bw_scenario *scenario = NULL;
	struct bw_why why = { "" };

	if (bw_scenario_parse("t.storm", bw_slice_of(text), &scenario, &why) != BW_OK)
		fail_msg("%s", why.text);
	return scenario;
}

static struct bw_simulate_result *play(const struct bw_scenario *scenario, const struct bw_simulate_options *options)
{
	const struct bw_simulate_options none = { .store = NULL };
	struct bw_simulate_result *result = NULL;
	struct bw_why why = { "" };

	if (bw_simulate_play(scenario, options == NULL ? &none : options, &result, &why) != BW_OK)
		fail_msg("%s", why.text);
	return result;
}

/* --- figures --- */

/* An announcement by a poster and eighty replies of as many people, as the demonstration plays it through SMTP. */
static void the_first_to_be_stopped_follows_from_the_size(void **state)
{
	static const struct {
		int size, replies;
		int64_t ordinal, with, held;
		const char *guard;
	} rows[] = {
		{ 840000, 80, 1, 840000, 80, "list" },             /* one announcement an hour fits the budget */
		{ 123456, 37, 4, 4 * 123456, 34, "conversation" }, /* three people may answer */
		{ 333333, 5, 3, 3 * 333333, 3, "list" },           /* two answers fill the budget */
		{ 4000, 30, 11, 11 * 4000, 20, "conversation" },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text),
		         "internal n.example\nlist all@n.example size %d poster=comms\n"
		         "at 0s post from=comms@n.example auth=comms to=all@n.example\n"
		         "at 1m reply from=u[1-%d]@n.example to=all@n.example every 1s\n"
		         "at 1m10s post from=a@n.example to=b@n.example rcpts=3\n",
		         rows[i].size, rows[i].replies);
		struct bw_scenario *scenario = read_text(text);
		struct bw_simulate_result *r = play(scenario, NULL);

		assert_int_equal(r->posts, rows[i].replies + 1);
		assert_int_equal(r->replies, rows[i].replies);
		assert_int_equal(r->ordinary, 1);
		assert_int_equal(r->messages, rows[i].replies + 2);
		assert_int_equal(r->deliveries_without, (int64_t)rows[i].size * (rows[i].replies + 1));
		assert_int_equal(r->deliveries_with, rows[i].with);
		assert_int_equal(r->held, rows[i].held);
		assert_true(r->first_trip.tripped);
		assert_int_equal(r->first_trip.ordinal, rows[i].ordinal);
		assert_int_equal(r->first_trip.at_ms, 60000 + 1000 * (rows[i].ordinal - 1));
		assert_string_equal(bw_guard_name(r->first_trip.guard), rows[i].guard);
		assert_string_equal(r->first_trip.list, "all@n.example");
		assert_int_equal(r->miss_count, 0);
		bw_simulate_result_free(&r);
		bw_scenario_free(&scenario);
	}
}

/* Whatever a shadow lets pass is delivered, and counted as what it would have been. */
static void shadow_delivers_and_says_what_it_would_have_stopped(void **state)
{
	struct bw_scenario *scenario = read_text("list all@n.example size 4000\nset mode shadow\n"
	                                         "at 0s post from=a@n.example to=all@n.example\n"
	                                         "at 1m reply from=u[1-15]@n.example to=all@n.example\n");
	struct bw_simulate_result *r = play(scenario, NULL);

	(void)state;
	assert_int_equal(r->deliveries_with, 16 * 4000);
	assert_int_equal(r->held, 0);
	assert_int_equal(r->shadow_stopped, 5);
	assert_int_equal(r->first_trip.ordinal, 11);
	bw_simulate_result_free(&r);
	assert_int_equal(bw_scenario_set(scenario, BW_S("mode"), BW_S("enforce"), NULL), BW_OK);
	r = play(scenario, NULL);
	assert_int_equal(r->held, 5);
	assert_int_equal(r->shadow_stopped, 0);
	bw_simulate_result_free(&r);
	bw_scenario_free(&scenario);
}

static void every_message_counts_once_whatever_its_retries(void **state)
{
	struct bw_scenario *scenario = read_text("list all@n.example size 4000\nset large.conversation.action throttle\n"
	                                         "set large.conversation.senders 1\n"
	                                         "at 0s post from=a@n.example to=all@n.example\n"
	                                         "at 1m reply from=u[1-3]@n.example to=all@n.example retry=20 backoff=1m\n");
	struct bw_simulate_result *r = play(scenario, NULL);

	(void)state;
	assert_int_equal(r->messages, 4);
	assert_int_equal(r->throttled, 2);
	assert_int_equal(r->deliveries_without, 16000);
	assert_int_equal(r->deliveries_with, 8000);
	assert_int_equal(r->span_ms, 21 * BW_MINUTE_MS);
	bw_simulate_result_free(&r);
	bw_scenario_free(&scenario);
}

static void legitimate_mail_is_what_the_scenario_calls_so(void **state)
{
	struct bw_scenario *scenario = read_text("list all@n.example size 4000\n"
	                                         "at 0s post from=a@n.example to=all@n.example expect accept\n"
	                                         "at 1m reply from=u[1-12]@n.example to=all@n.example expect accept\n"
	                                         "at 2m reply from=v@n.example to=all@n.example expect hold\n"
	                                         "at 3m reply from=w@n.example to=all@n.example\n");
	struct bw_simulate_result *r = play(scenario, NULL);

	(void)state;
	assert_int_equal(r->legitimate_held_count, 2);
	assert_int_equal(r->legitimate_held[1].line, 3);
	assert_int_equal(r->legitimate_held[1].ordinal, 12);
	assert_string_equal(r->legitimate_held[1].from, "u12@n.example");
	assert_int_equal(r->legitimate_held[1].guard, BW_GUARD_CONVERSATION);
	assert_int_equal(r->miss_count, 2);
	assert_string_equal(r->misses[0].text,
	                    "t.storm:3: message 11 of 12, reply from u11@n.example at 1m: expected accept, got hold "
	                    "guard=conversation breaker=open event=trip: conversation: 11th sender of at most 10 in 60 min to "
	                    "all@n.example (4,000 members)");
	bw_simulate_result_free(&r);
	bw_scenario_free(&scenario);
}

/* More notes than are kept: all are counted. */
static void notes_are_bounded(void **state)
{
	struct bw_scenario *scenario = read_text("at 0s post from=a@n.example to=b@n.example times=1200 expect hold\n");
	struct bw_simulate_result *r = play(scenario, NULL);

	(void)state;
	assert_int_equal(r->miss_count, 1200);
	assert_int_equal(r->misses[BW_SIMULATE_NOTES_MAX - 1].ordinal, BW_SIMULATE_NOTES_MAX);
	bw_simulate_result_free(&r);
	bw_scenario_free(&scenario);
}

/* --- what the caller is told --- */

struct witness {
	int messages, retries, remarks;
	int64_t last_ms;
};

static void see_message(void *ctx, const struct bw_simulate_message *m)
{
	struct witness *w = ctx;
	struct bw_buf line;

	assert_true(m->at_ms >= w->last_ms);
	w->last_ms = m->at_ms;
	w->messages++;
	w->retries += m->attempt > 0;
	bw_buf_init(&line, 1000);
	bw_simulate_print_message(m, &line);
	assert_non_null(strstr(bw_buf_text(&line), bw_action_name(m->verdict->action)));
	bw_buf_done(&line);
}

static void see_remark(void *ctx, int64_t at_ms, const char *text)
{
	struct witness *w = ctx;

	assert_true(at_ms >= w->last_ms);
	assert_true(text[0] != '\0');
	w->remarks++;
}

static void every_offer_is_told_in_order_of_time(void **state)
{
	struct bw_scenario *scenario = read_text("list all@n.example size 4000\nset conversation.action throttle\n"
	                                         "set conversation.senders 1\n"
	                                         "at 5m reply from=u[1-2]@n.example to=all@n.example retry=2 backoff=10s every 15s\n"
	                                         "at 0s post from=a@n.example to=all@n.example\n"
	                                         "at 5m5s store down\nat +1s store up\n"
	                                         "at 1m post from=c@n.example to=d@n.example times=10 every 1m\n");
	struct witness w = { 0 };
	const struct bw_simulate_options options = { .message = see_message, .remark = see_remark, .ctx = &w };
	struct bw_simulate_result *r = play(scenario, &options);

	(void)state;
	assert_int_equal(w.retries, 2);
	assert_int_equal(w.messages, r->messages + w.retries);
	assert_int_equal(w.remarks, 2);
	bw_simulate_result_free(&r);
	bw_scenario_free(&scenario);
}

/* --- operators --- */

static char seen_command[100];
static int64_t seen_ms;

/* "poke VALUE" sets the limit of senders; anything else fails. */
static enum bw_err run_operator(const struct bw_world *world, struct bw_store *store, int argc, char **argv, int64_t now_ms,
                                struct bw_why *why)
{
	struct bw_setting_row row = { .name = BW_S("conversation.senders"), .owner = BW_S("test"), .set_ms = now_ms };

	assert_non_null(bw_directory_find(bw_world_directory(world), BW_S("all@n.example")));
	assert_null(argv[argc]);
	snprintf(seen_command, sizeof(seen_command), "%s %s", argv[0], argc > 1 ? argv[1] : "");
	seen_ms = now_ms;
	if (argc != 2 || strcmp(argv[0], "poke") != 0)
		return bw_fail(why, BW_ERR_NOT_FOUND, "no such thing");
	row.value = bw_slice_of(argv[1]);
	row.until_ms = now_ms + 10 * BW_MINUTE_MS;
	return store->ops->setting_put(store, &row, NULL, why);
}

#define COMMANDS                                                                   \
	"list all@n.example size 4000\nat 0s post from=a@n.example to=all@n.example\n" \
	"at 1m operator poke 2\nat 2m reply from=u[1-3]@n.example to=all@n.example expect first 2 accept then hold\n"

static void commands_act_until_they_expire(void **state)
{
	struct bw_scenario *scenario = read_text(COMMANDS "at 50m post from=b@n.example to=all@n.example thread=x\n"
	                                                  "at 51m reply from=v[1-6]@n.example to=all@n.example expect accept\n");
	const struct bw_simulate_options options = { .run_operator = run_operator };
	struct bw_simulate_result *r = play(scenario, &options);

	(void)state;
	assert_int_equal(r->miss_count, 0);
	assert_string_equal(seen_command, "poke 2");
	assert_int_equal(seen_ms, BW_SIMULATE_START_MS + BW_MINUTE_MS);
	bw_simulate_result_free(&r);
	bw_scenario_free(&scenario);
}

static void a_command_that_fails_is_a_miss(void **state)
{
	struct bw_scenario *scenario = read_text(COMMANDS "at 3m operator fly away\n");
	const struct bw_simulate_options with = { .run_operator = run_operator }, without = { .store = NULL };
	struct bw_simulate_result *r = play(scenario, &with);

	(void)state;
	assert_int_equal(r->miss_count, 1);
	assert_string_equal(r->misses[0].text, "t.storm:5: operator fly away: no such thing");
	bw_simulate_result_free(&r);
	r = play(scenario, &without);
	assert_int_equal(r->miss_count, 3); /* two commands that nobody runs, and what the first was for */
	assert_string_equal(r->misses[0].text,
	                    "t.storm:3: operator poke 2: there is nobody to run it; expected to be played by breakwaterctl");
	bw_simulate_result_free(&r);
	bw_scenario_free(&scenario);
}

/* A command of a person needs the shared store, as it does in life. */
static void a_command_fails_with_the_store(void **state)
{
	struct bw_scenario *scenario = read_text("list all@n.example size 4000\nat 0s post from=a@n.example to=all@n.example\n"
	                                         "at 1m store down\nat 2m operator poke 2\n");
	const struct bw_simulate_options options = { .run_operator = run_operator };
	struct bw_simulate_result *r = play(scenario, &options);

	(void)state;
	assert_int_equal(r->miss_count, 1);
	bw_simulate_result_free(&r);
	bw_scenario_free(&scenario);
}

/* --- JSON --- */

static void the_json_object_has_its_promised_members(void **state)
{
	static const char *const counts[] = { "posts",     "replies",  "deliveries_without", "deliveries_with", "held",
		                                  "throttled", "rejected", "redirected",         "discarded",       "elapsed_ms" };
	struct bw_scenario *scenario = read_text("list all@n.example size 4000\nat 0s post from=a@n.example to=all@n.example\n"
	                                         "at 1m reply from=u[1-12]@n.example to=all@n.example every 250ms expect accept\n");
	const struct bw_simulate_options options = { .monotonic_ms = bw_clock_monotonic_ms };
	struct bw_simulate_result *r = play(scenario, &options);
	struct bw_buf text;

	(void)state;
	bw_buf_init(&text, 1 << 20);
	bw_simulate_print_json(scenario, r, &text);
	json_t *o = json_loads(bw_buf_text(&text), 0, NULL);
	const json_t *trip = json_object_get(o, "first_trip");

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		assert_true(json_is_integer(json_object_get(o, counts[i])));
	assert_int_equal(json_integer_value(json_object_get(o, "posts")), 13);
	assert_int_equal(json_array_size(json_object_get(o, "legitimate_held")), 2);
	assert_true(json_real_value(json_object_get(trip, "at_s")) == 62.5);
	assert_string_equal(json_string_value(json_object_get(trip, "guard")), "conversation");
	assert_string_equal(json_string_value(json_object_get(trip, "list")), "all@n.example");
	assert_int_equal(json_integer_value(json_object_get(trip, "ordinal")), 11);
	json_decref(o);
	bw_buf_done(&text);
	bw_simulate_result_free(&r);
	bw_scenario_free(&scenario);
}

static void no_trip_is_null(void **state)
{
	struct bw_scenario *scenario = read_text("at 0s post from=a@n.example to=b@n.example\n");
	struct bw_simulate_result *r = play(scenario, NULL);
	struct bw_buf text;

	(void)state;
	bw_buf_init(&text, 1 << 20);
	bw_simulate_print_json(scenario, r, &text);
	assert_non_null(strstr(bw_buf_text(&text), "\"first_trip\":null"));
	bw_buf_reset(&text);
	bw_simulate_print(scenario, r, &text);
	assert_non_null(strstr(bw_buf_text(&text), "No breaker tripped."));
	bw_buf_done(&text);
	bw_simulate_result_free(&r);
	bw_scenario_free(&scenario);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_to_be_stopped_follows_from_the_size),
		cmocka_unit_test(shadow_delivers_and_says_what_it_would_have_stopped),
		cmocka_unit_test(every_message_counts_once_whatever_its_retries),
		cmocka_unit_test(legitimate_mail_is_what_the_scenario_calls_so),
		cmocka_unit_test(notes_are_bounded),
		cmocka_unit_test(every_offer_is_told_in_order_of_time),
		cmocka_unit_test(commands_act_until_they_expire),
		cmocka_unit_test(a_command_that_fails_is_a_miss),
		cmocka_unit_test(a_command_fails_with_the_store),
		cmocka_unit_test(the_json_object_has_its_promised_members),
		cmocka_unit_test(no_trip_is_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
