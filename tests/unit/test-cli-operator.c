/* link: bw_cli bw_engine bw_store bw_config bw_base */
/* Operator statements of scenarios, and the compare-and-set behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bw/cli.h"
#include "bw/clock.h"
#include "bw/simulate.h"

enum { WORDS = 12 };

#define NOW (BW_SIMULATE_START_MS + BW_HOUR_MS)

struct stage {
	struct bw_store *store;
	struct bw_world *world;
};

static void renew(struct stage *s)
{
	static const struct bw_key key;
	struct bw_config *config = NULL;
	struct bw_buf skipped;
	struct bw_why why;

	bw_world_unref(&s->world);
	bw_buf_init(&skipped, 1000);
	assert_int_equal(bw_config_default(&config, &why), BW_OK);
	assert_int_equal(bw_world_load(&key, config, s->store, &skipped, &s->world, &why), BW_OK);
	assert_int_equal(skipped.n, 0);
	bw_buf_done(&skipped);
}

static int set_up(void **state)
{
	static struct stage stage;
	struct bw_why why;

	bw_mail_init();
	stage = (struct stage){ .store = NULL };
	if (bw_store_sqlite_open(":memory:", 100, &stage.store, &why) != BW_OK)
		return -1;
	renew(&stage);
	*state = &stage;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *s = *state;

	bw_world_unref(&s->world);
	bw_store_close(&s->store);
	return 0;
}

static enum bw_err run_on(struct stage *s, struct bw_store *store, const char *line, struct bw_why *why)
{
	char copy[200], *argv[WORDS] = { NULL };
	int argc = 0;

	assert_true(strlen(line) < sizeof(copy));
	memcpy(copy, line, strlen(line) + 1);
	for (char *word = copy; word != NULL && argc < WORDS - 1; argc++) {
		char *blank = strchr(word, ' ');

		argv[argc] = word;
		if (blank != NULL)
			*blank++ = '\0';
		word = blank;
	}
	enum bw_err err = bw_cli_operator(s->world, store, argc, argv, NOW, why);

	renew(s);
	return err;
}

static void must(struct stage *s, const char *line)
{
	struct bw_why why = { "" };

	if (run_on(s, s->store, line, &why) != BW_OK)
		fail_msg("%s: %s", line, why.text);
}

static const struct bw_list *list_of(const struct stage *s, const char *address)
{
	return bw_directory_find(bw_world_directory(s->world), bw_slice_of(address));
}

static struct bw_breaker breaker_of(const struct stage *s, const char *address)
{
	struct bw_breaker_key key = { .scope = BW_SCOPE_LIST, .list = bw_slice_of(address) };
	struct bw_breaker record = { .version = -1 };
	struct bw_why why;

	assert_int_equal(s->store->ops->breaker_get(s->store, &key, &record, &why), BW_OK);
	return record;
}

static void statements_change_the_store(void **state)
{
	struct stage *s = *state;

	must(s, "list add all@n.example 40000 --poster auth:comms@n.example");
	assert_non_null(list_of(s, "all@n.example"));
	assert_int_equal(list_of(s, "all@n.example")->poster_count, 1);
	must(s, "mode enforce");
	assert_int_equal(bw_settings_mode(bw_world_settings(s->world)), BW_MODE_ENFORCE);
	must(s, "list set all@n.example 300 --unconfirmed");
	assert_true(list_of(s, "all@n.example")->unconfirmed);
	must(s, "list confirm all@n.example");
	assert_false(list_of(s, "all@n.example")->unconfirmed);
	assert_int_equal(list_of(s, "all@n.example")->size, 300);
	must(s, "poster rm all@n.example auth:comms@n.example");
	assert_int_equal(list_of(s, "all@n.example")->poster_count, 0);
	must(s, "list rm all@n.example");
	assert_null(list_of(s, "all@n.example"));
}

static void overrides_have_owner_reason_and_expiry(void **state)
{
	struct stage *s = *state;
	struct bw_breaker record;

	must(s, "list add all@n.example 40000");
	must(s, "list stop all@n.example --reason storm");
	record = breaker_of(s, "all@n.example");
	assert_int_equal(record.override_state, BW_OVERRIDE_FORCED_OPEN);
	assert_int_equal(record.override_until_ms, NOW + 4 * BW_HOUR_MS);
	assert_string_equal(record.override_owner, "scenario");
	assert_string_equal(record.override_reason, "storm");
	must(s, "list resume all@n.example --for 90m");
	record = breaker_of(s, "all@n.example");
	assert_int_equal(record.override_state, BW_OVERRIDE_DISABLED);
	assert_int_equal(record.override_until_ms, NOW + 90 * BW_MINUTE_MS);
	assert_string_equal(record.override_reason, "");
	must(s, "list resume all@n.example");
	record = breaker_of(s, "all@n.example");
	assert_int_equal(record.override_state, BW_OVERRIDE_NONE);
	assert_string_equal(record.override_owner, "");
	must(s, "breaker open all@n.example --for 1h");
	assert_int_equal(breaker_of(s, "all@n.example").override_state, BW_OVERRIDE_FORCED_OPEN);
	must(s, "breaker close all@n.example");
	assert_int_equal(breaker_of(s, "all@n.example").override_state, BW_OVERRIDE_NONE);
}

static void closing_ends_an_open_phase(void **state)
{
	struct stage *s = *state;
	struct bw_breaker_key key = { .scope = BW_SCOPE_LIST, .list = BW_S("all@n.example") };
	struct bw_breaker record = {
		.phase = BW_PHASE_OPEN, .rule = BW_RULE_LIST_SENDERS, .since_ms = NOW - 1, .until_ms = NOW + BW_HOUR_MS
	};
	struct bw_why why;

	record.relapses = 2;
	record.trips = 3;
	must(s, "list add all@n.example 40000");
	assert_int_equal(s->store->ops->breaker_cas(s->store, &key, &record, &why), BW_OK);
	must(s, "list resume all@n.example");
	record = breaker_of(s, "all@n.example");
	assert_int_equal(record.phase, BW_PHASE_CLOSED);
	assert_int_equal(record.since_ms, NOW);
	assert_int_equal(record.until_ms, 0);
	assert_int_equal(record.relapses, 0);
	assert_int_equal(record.trips, 3); /* its history stays */
}

struct refusal {
	const char *line;
	enum bw_err err;
	const char *part; /* of the sentence */
};

static const struct refusal refusals[] = {
	{ "status", BW_ERR_INPUT, "no place in a scenario" },
	{ "held release --list all@n.example", BW_ERR_INPUT, "no place in a scenario" },
	{ "bypass --for 1h", BW_ERR_INPUT, "no place in a scenario" },
	{ "frobnicate", BW_ERR_INPUT, "unknown command" },
	{ "list stop", BW_ERR_INPUT, "a word is missing" },
	{ "list stop nobody@n.example", BW_ERR_NOT_FOUND, "no list of the directory" },
	{ "list add all@n.example 0", BW_ERR_INPUT, "allowed: 1 to" },
	{ "set huge.conversation.senders 0", BW_ERR_INPUT, "allowed: 1 to 10000" },
	{ "set no.such 1", BW_ERR_INPUT, "no such setting" },
	{ "unset list.budget", BW_ERR_NOT_FOUND, "not set here" },
	{ "mode enforce", BW_ERR_CONFLICT, "--force" },
};

static void refused_statements_say_why(void **state)
{
	struct stage *s = *state;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct bw_why why = { "" };
		enum bw_err err = run_on(s, s->store, refusals[i].line, &why);

		if (err != refusals[i].err || strstr(why.text, refusals[i].part) == NULL)
			fail_msg("%s: %s: %s", refusals[i].line, bw_err_name(err), why.text);
	}
}

/* --- a store where somebody else always writes first --- */

static struct bw_store contended;
static struct bw_store_ops contended_ops;
static struct bw_store *inner;
static int losses;

static enum bw_err get_inner(struct bw_store *s, const struct bw_breaker_key *key, struct bw_breaker *out, struct bw_why *why)
{
	(void)s;
	return inner->ops->breaker_get(inner, key, out, why);
}

static enum bw_err lose_some(struct bw_store *s, const struct bw_breaker_key *key, const struct bw_breaker *next,
                             struct bw_why *why)
{
	(void)s;
	if (losses-- > 0)
		return bw_fail(why, BW_ERR_CONFLICT, "lost");
	return inner->ops->breaker_cas(inner, key, next, why);
}

static enum bw_err note_inner(struct bw_store *s, const struct bw_event_row *row, struct bw_why *why)
{
	(void)s;
	return inner->ops->event_add(inner, row, why);
}

static void lost_rounds_are_repeated(void **state)
{
	struct stage *s = *state;
	struct bw_why why = { "" };

	must(s, "list add all@n.example 40000");
	inner = s->store;
	contended_ops = (struct bw_store_ops){ .breaker_get = get_inner, .breaker_cas = lose_some, .event_add = note_inner };
	contended.ops = &contended_ops;
	losses = 50;
	assert_int_equal(run_on(s, &contended, "list stop all@n.example", &why), BW_OK);
	assert_int_equal(breaker_of(s, "all@n.example").override_state, BW_OVERRIDE_FORCED_OPEN);
	losses = 1000000;
	assert_int_equal(run_on(s, &contended, "list stop all@n.example", &why), BW_ERR_NOT_FOUND);
	assert_non_null(strstr(why.text, "try again"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(statements_change_the_store, set_up, tear_down),
		cmocka_unit_test_setup_teardown(overrides_have_owner_reason_and_expiry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(closing_ends_an_open_phase, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused_statements_say_why, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lost_rounds_are_repeated, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
