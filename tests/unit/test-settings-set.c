/* link: bw_settings bw_base */
/* Setting, getting, overriding: names, values, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bw/clock.h"
#include "bw/settings.h"

#define COUNT_OF(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct bw_settings *fresh(void)
{
	struct bw_settings *s = bw_settings_new();

	assert_non_null(s);
	return s;
}

static void set(struct bw_settings *s, const char *name, const char *value)
{
	struct bw_why why = { "" };

	if (bw_settings_set(s, bw_slice_of(name), bw_slice_of(value), &why) != BW_OK)
		fail_msg("%s = %s: %s", name, value, why.text);
}

static void reads(const struct bw_settings *s, const char *name, const char *value)
{
	struct bw_buf out;

	bw_buf_init(&out, 200);
	assert_int_equal(bw_settings_get(s, bw_slice_of(name), &out, NULL), BW_OK);
	assert_string_equal(bw_buf_text(&out), value);
	bw_buf_done(&out);
}

static void names(void **state)
{
	struct bw_settings *s = fresh();

	(void)state;
	reads(s, "conversation.senders", "huge=3 large=10 medium=20 small=off");
	set(s, "conversation.senders", "7");
	reads(s, "conversation.senders", "7");
	set(s, "huge.conversation.senders", "2");
	reads(s, "conversation.senders", "huge=2 large=7 medium=7 small=7");
	reads(s, "huge.conversation.senders", "2");
	set(s, "conversation.senders", "off");
	reads(s, "huge.conversation.senders", "off");
	set(s, "HUGE.List.Budget", "2,000,000");
	reads(s, "huge.list.budget", "2000000");
	set(s, "mode", "enforce");
	reads(s, "mode", "enforce");
	assert_int_equal(bw_settings_mode(s), BW_MODE_ENFORCE);
	set(s, "conversation.window", "90m");
	reads(s, "large.conversation.window", "1h30m");
	set(s, "gate.action", "reject");
	reads(s, "gate.action", "reject");
	bw_settings_free(&s);
	assert_null(s);
	bw_settings_free(&s);
	bw_settings_free(NULL);
}

static void overrides_of_lists(void **state)
{
	struct bw_settings *s = fresh();
	struct bw_limits l;

	(void)state;
	set(s, "mode", "enforce");
	set(s, "@all.staff@nhs.example.conversation.senders", "5");
	set(s, "@ALL.STAFF@NHS.example.list.mode", "off");
	set(s, "@b@x.example.gate.mode", "shadow");
	reads(s, "@all.staff@nhs.example.conversation.senders", "5");
	reads(s, "@all.staff@nhs.example.list.mode", "off");
	bw_settings_resolve(s, BW_TIER_HUGE, BW_S("all.staff@nhs.example"), &l);
	assert_int_equal(l.conversation.senders, 5);
	assert_int_equal(l.conversation.day_senders, 10); /* the tier's */
	assert_int_equal(l.list.mode, BW_MODE_OFF);
	assert_int_equal(l.gate.mode, BW_MODE_ENFORCE);
	bw_settings_resolve(s, BW_TIER_HUGE, BW_S("b@x.example"), &l);
	assert_int_equal(l.gate.mode, BW_MODE_SHADOW);
	assert_int_equal(l.conversation.senders, 3);
	bw_settings_resolve(s, BW_TIER_HUGE, BW_S("c@x.example"), &l);
	assert_int_equal(l.gate.mode, BW_MODE_ENFORCE);
	/* An override stays when its tier, or all tiers, change. */
	set(s, "conversation.senders", "9");
	reads(s, "@all.staff@nhs.example.conversation.senders", "5");
	/* The installation's shadow caps an override, too; off stays off. */
	set(s, "mode", "shadow");
	set(s, "@b@x.example.gate.mode", "enforce");
	bw_settings_resolve(s, BW_TIER_HUGE, BW_S("b@x.example"), &l);
	assert_int_equal(l.gate.mode, BW_MODE_SHADOW);
	bw_settings_resolve(s, BW_TIER_HUGE, BW_S("all.staff@nhs.example"), &l);
	assert_int_equal(l.list.mode, BW_MODE_OFF);
	bw_settings_free(&s);
}

static void copies_are_apart(void **state)
{
	struct bw_settings *s = fresh();

	(void)state;
	set(s, "@a@x.example.list.senders", "5");
	set(s, "huge.list.senders", "5");

	struct bw_settings *copy = bw_settings_copy(s);

	assert_non_null(copy);
	set(copy, "@a@x.example.list.senders", "6");
	set(copy, "@b@x.example.list.senders", "7");
	set(copy, "huge.list.senders", "8");
	set(copy, "mode", "enforce");
	reads(s, "@a@x.example.list.senders", "5");
	reads(s, "huge.list.senders", "5");
	reads(s, "mode", "shadow");
	reads(copy, "@a@x.example.list.senders", "6");

	struct bw_buf out;

	bw_buf_init(&out, 100);
	assert_int_equal(bw_settings_get(s, BW_S("@b@x.example.list.senders"), &out, NULL), BW_ERR_NOT_FOUND);
	bw_buf_done(&out);
	bw_settings_free(&s);
	reads(copy, "@b@x.example.list.senders", "7");
	bw_settings_free(&copy);
}

static const struct refusal {
	const char *name, *value;
	enum bw_err err;
	const char *sentence;
} refusals[] = {
	{ "huge.conversation.senders", "0", BW_ERR_RANGE,
	  "huge.conversation.senders: 0 is out of range, allowed: 1 to 10000 or \"off\"" },
	{ "huge.conversation.senders", "10001", BW_ERR_RANGE,
	  "huge.conversation.senders: 10001 is out of range, allowed: 1 to 10000 or \"off\"" },
	{ "conversation.senders", "-3", BW_ERR_RANGE, "conversation.senders: -3 is out of range, allowed: 1 to 10000 or \"off\"" },
	{ "conversation.senders", "three", BW_ERR_INPUT,
	  "conversation.senders: \"three\" is not a count, allowed: 1 to 10000 or \"off\"" },
	{ "conversation.senders", "", BW_ERR_INPUT, "conversation.senders: \"\" is not a count, allowed: 1 to 10000 or \"off\"" },
	{ "conversation.senders", "99999999999999999999", BW_ERR_INPUT,
	  "conversation.senders: \"99999999999999999999\" is not a count, allowed: 1 to 10000 or \"off\"" },
	{ "conversation.reply_senders", "off", BW_ERR_INPUT,
	  "conversation.reply_senders: \"off\" is not a count, allowed: 1 to 10000" },
	{ "list.budget", "1000000000001", BW_ERR_RANGE,
	  "list.budget: 1000000000001 is out of range, allowed: 1 to 1000000000000 or \"off\"" },
	{ "gate.fanout", "0", BW_ERR_RANGE, "gate.fanout: 0 is out of range, allowed: 1 to 1000000000000 or \"off\"" },
	{ "conversation.window", "60", BW_ERR_INPUT,
	  "conversation.window: \"60\" is not a duration like 90s, 60m or 2h, allowed: 1s to 30d" },
	{ "conversation.window", "off", BW_ERR_INPUT,
	  "conversation.window: \"off\" is not a duration like 90s, 60m or 2h, allowed: 1s to 30d" },
	{ "conversation.window", "0s", BW_ERR_RANGE, "conversation.window: 0s is out of range, allowed: 1s to 30d" },
	{ "list.block", "31d", BW_ERR_RANGE, "list.block: 31d is out of range, allowed: 1s to 30d" },
	{ "list.mode", "on", BW_ERR_INPUT, "list.mode: \"on\" is not a mode, allowed: enforce, shadow, off" },
	{ "mode", "off", BW_ERR_INPUT, "mode: \"off\" is not a mode of the installation, allowed: shadow, enforce" },
	{ "gate.action", "bounce", BW_ERR_INPUT,
	  "gate.action: \"bounce\" is not an action, allowed: tag, throttle, strip, discard, hold, reject" },
	{ "gate.action", "accept", BW_ERR_RANGE,
	  "gate.action: accept is out of range, allowed: tag, throttle, strip, discard, hold, reject" },
	{ "gate.action", "redirect", BW_ERR_RANGE,
	  "gate.action: redirect is no action of a guard, allowed: tag, throttle, strip, discard, hold, reject" },
	{ "automaton.weak_action", "redirect", BW_ERR_RANGE,
	  "automaton.weak_action: redirect is no action of a guard, allowed: tag, throttle, strip, discard, hold, reject" },
	{ "sender.action", "redirect", BW_ERR_RANGE,
	  "sender.action: redirect is no action of a guard, allowed: tag, throttle, discard, hold, reject" },
	{ "list.action", "accept", BW_ERR_RANGE,
	  "list.action: accept is out of range, allowed: tag, throttle, strip, redirect, discard, hold, reject" },
	{ "conversation.sender", "3", BW_ERR_NOT_FOUND, "conversation.sender: no such setting, the nearest is conversation.senders" },
	{ "huge.conversation.sneders", "3", BW_ERR_NOT_FOUND,
	  "huge.conversation.sneders: no such setting, the nearest is huge.conversation.senders" },
	{ "@a@x.example.list.buget", "3", BW_ERR_NOT_FOUND,
	  "@a@x.example.list.buget: no such setting, the nearest is @a@x.example.list.budget" },
	{ "@all@n.example..istmode", "1", BW_ERR_INPUT, "a list's setting is named @ADDRESS.GUARD.FIELD, like @all@example.org.list.senders" },
	{ "giant.list.senders", "3", BW_ERR_NOT_FOUND, "giant.list.senders: no such setting, the nearest is list.senders" },
	{ "zzzzzzzzzzzzzzzz", "3", BW_ERR_NOT_FOUND, "zzzzzzzzzzzzzzzz: no such setting" },
	{ "", "3", BW_ERR_NOT_FOUND, ": no such setting" },
	{ "huge", "3", BW_ERR_NOT_FOUND, "huge: no such setting" },
	{ "@", "3", BW_ERR_INPUT, "a list's setting is named @ADDRESS.GUARD.FIELD, like @all@example.org.list.senders" },
	{ "@list.senders", "3", BW_ERR_INPUT, "a list's setting is named @ADDRESS.GUARD.FIELD, like @all@example.org.list.senders" },
	{ "@staff.list.senders", "3", BW_ERR_INPUT,
	  "a list's setting is named @ADDRESS.GUARD.FIELD, like @all@example.org.list.senders" },
	{ "@a b@x.example.list.senders", "3", BW_ERR_INPUT,
	  "a list's setting is named @ADDRESS.GUARD.FIELD, like @all@example.org.list.senders" },
	{ "@a@x.example.mode", "off", BW_ERR_NOT_FOUND, "@a@x.example.mode: no such setting" },
	{ "conversation.senders", "1\r\nevil\x1b[31m", BW_ERR_INPUT,
	  "conversation.senders: \"1??evil?[31m\" is not a count, allowed: 1 to 10000 or \"off\"" },
};

/* Each is refused for the right reason, and nothing has changed. */
static void refused(void **state)
{
	struct bw_settings *s = fresh();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(refusals); i++) {
		const struct refusal *r = &refusals[i];
		struct bw_why why = { "" };
		struct bw_limits before, after;

		bw_settings_resolve(s, BW_TIER_HUGE, BW_S("a@x.example"), &before);
		assert_int_equal(bw_settings_set(s, bw_slice_of(r->name), bw_slice_of(r->value), &why), r->err);
		assert_string_equal(why.text, r->sentence);
		assert_int_equal(bw_settings_set(s, bw_slice_of(r->name), bw_slice_of(r->value), NULL), r->err);
		bw_settings_resolve(s, BW_TIER_HUGE, BW_S("a@x.example"), &after);
		assert_memory_equal(&before, &after, sizeof(before));
		assert_int_equal(bw_settings_mode(s), BW_MODE_SHADOW);
	}
	bw_settings_free(&s);
}

/* Names and values of strangers' length end up as one short sentence. */
static void long_input(void **state)
{
	struct bw_settings *s = fresh();
	struct bw_why why;
	char text[5000];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(bw_settings_set(s, (struct bw_slice){ text, sizeof(text) }, BW_S("1"), &why), BW_ERR_NOT_FOUND);
	assert_true(strlen(why.text) < 200);
	assert_int_equal(bw_settings_set(s, BW_S("list.senders"), (struct bw_slice){ text, sizeof(text) }, &why), BW_ERR_INPUT);
	assert_true(strlen(why.text) < 250);
	text[0] = '@';
	memcpy(text + sizeof(text) - 23, "@x.example.list.senders", 23);
	assert_int_equal(bw_settings_set(s, (struct bw_slice){ text, sizeof(text) }, BW_S("1"), &why), BW_ERR_INPUT);
	bw_settings_free(&s);
}

/* Twenty thousand lists have values of their own, in any order; one more is refused. */
static void many_overrides(void **state)
{
	enum { MOST = 20000 };
	struct bw_settings *s = fresh();
	struct bw_why why;
	char name[64];

	(void)state;
	for (unsigned i = 0; i < MOST; i++) {
		unsigned shuffled = i * 7919U % MOST; /* 7919 is prime to 20000 */

		snprintf(name, sizeof(name), "@l%05u@x.example.list.senders", shuffled);
		assert_int_equal(bw_settings_set(s, bw_slice_of(name), bw_slice_of(shuffled % 2 == 0 ? "2" : "3"), &why), BW_OK);
	}
	for (unsigned i = 0; i < MOST; i += 777) {
		struct bw_limits l;

		snprintf(name, sizeof(name), "l%05u@x.example", i);
		bw_settings_resolve(s, BW_TIER_HUGE, bw_slice_of(name), &l);
		assert_int_equal(l.list.senders, i % 2 == 0 ? 2 : 3);
	}
	assert_int_equal(bw_settings_set(s, BW_S("@one-more@x.example.list.senders"), BW_S("2"), &why), BW_ERR_LIMIT);
	assert_string_equal(why.text, "at most 20000 lists can have settings of their own");
	assert_int_equal(bw_settings_set(s, BW_S("@l00000@x.example.list.budget"), BW_S("2"), &why), BW_OK);

	struct bw_settings *copy = bw_settings_copy(s);

	assert_non_null(copy);
	reads(copy, "@l19999@x.example.list.senders", "3");
	bw_settings_free(&copy);
	bw_settings_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),   cmocka_unit_test(overrides_of_lists), cmocka_unit_test(copies_are_apart),
		cmocka_unit_test(refused), cmocka_unit_test(long_input),         cmocka_unit_test(many_overrides),
	};

	return cmocka_run_group_tests_name("settings/set", tests, NULL, NULL);
}
