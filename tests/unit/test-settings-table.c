/* link: bw_settings bw_base */
/* The defaults of semantics 5, row by row, and what every row promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bw/clock.h"
#include "bw/settings.h"

#define COUNT_OF(rows) (sizeof(rows) / sizeof((rows)[0]))

static const char *const defaults[][5] = {
	/* name, small, medium, large, huge */
	{ "gate.mode", "enforce", "enforce", "enforce", "enforce" },
	{ "gate.action", "hold", "hold", "hold", "hold" },
	{ "gate.fanout", "25000", "25000", "25000", "25000" },
	{ "conversation.mode", "enforce", "enforce", "enforce", "enforce" },
	{ "conversation.action", "hold", "hold", "hold", "hold" },
	{ "conversation.senders", "off", "20", "10", "3" },
	{ "conversation.replies", "off", "120", "40", "10" },
	{ "conversation.reply_senders", "8", "8", "5", "3" },
	{ "conversation.day_senders", "off", "60", "30", "10" },
	{ "conversation.window", "1h", "1h", "1h", "1h" },
	{ "conversation.block", "30m", "30m", "30m", "2h" },
	{ "conversation.block_max", "1d", "1d", "1d", "1d" },
	{ "list.mode", "enforce", "enforce", "enforce", "enforce" },
	{ "list.action", "hold", "hold", "hold", "hold" },
	{ "list.senders", "off", "60", "20", "6" },
	{ "list.budget", "1000000", "1000000", "1000000", "1000000" },
	{ "list.window", "1h", "1h", "1h", "1h" },
	{ "list.block", "30m", "30m", "30m", "2h" },
	{ "list.block_max", "1d", "1d", "1d", "1d" },
	{ "automaton.mode", "off", "enforce", "enforce", "enforce" },
	{ "automaton.action", "discard", "discard", "discard", "discard" },
	{ "automaton.weak_action", "hold", "hold", "hold", "hold" },
	{ "origin.mode", "shadow", "shadow", "shadow", "shadow" },
	{ "origin.action", "hold", "hold", "hold", "hold" },
	{ "defuse.mode", "off", "off", "off", "enforce" },
	{ "sender.mode", "enforce", "enforce", "enforce", "enforce" },
	{ "sender.others_mode", "off", "off", "off", "off" },
	{ "sender.action", "hold", "hold", "hold", "hold" },
	{ "sender.recipients", "2000", "2000", "2000", "2000" },
	{ "sender.posts", "20", "20", "20", "20" },
	{ "sender.window", "1h", "1h", "1h", "1h" },
	{ "sender.block", "30m", "30m", "30m", "30m" },
	{ "sender.block_max", "1d", "1d", "1d", "1d" },
	{ "mailbox.mode", "enforce", "enforce", "enforce", "enforce" },
	{ "mailbox.action", "throttle", "throttle", "throttle", "throttle" },
	{ "mailbox.messages", "100", "100", "100", "100" },
	{ "mailbox.window", "10m", "10m", "10m", "10m" },
	{ "capacity.mode", "enforce", "enforce", "enforce", "enforce" },
	{ "capacity.action", "hold", "hold", "hold", "hold" },
	{ "capacity.deliveries", "off", "off", "off", "off" },
	{ "capacity.window", "1m", "1m", "1m", "1m" },
};

static void every_default(void **state)
{
	struct bw_settings *s = bw_settings_new();

	(void)state;
	assert_non_null(s);
	assert_int_equal(bw_setting_count(), COUNT_OF(defaults));
	for (size_t i = 0; i < COUNT_OF(defaults); i++) {
		assert_string_equal(bw_setting_at(i)->name, defaults[i][0]);
		for (int tier = 0; tier < BW_TIER_COUNT; tier++) {
			struct bw_buf name, value;

			bw_buf_init(&name, 100);
			bw_buf_init(&value, 100);
			bw_buf_printf(&name, "%s.%s", bw_tier_name((enum bw_tier)tier), defaults[i][0]);
			assert_int_equal(bw_settings_get(s, bw_buf_slice(&name), &value, NULL), BW_OK);
			assert_string_equal(bw_buf_text(&value), defaults[i][1 + tier]);
			bw_buf_done(&name);
			bw_buf_done(&value);
		}
	}
	assert_null(bw_setting_at(COUNT_OF(defaults)));
	bw_settings_free(&s);
}

/* Rows do not share a place, lie inside the struct, are within their own range, and explain themselves. */
static void every_row(void **state)
{
	bool taken[sizeof(struct bw_limits)] = { false };

	(void)state;
	for (size_t i = 0; i < bw_setting_count(); i++) {
		const struct bw_setting *row = bw_setting_at(i);
		size_t bytes = row->kind == BW_VALUE_MODE || row->kind == BW_VALUE_ACTION ? sizeof(enum bw_mode) : sizeof(int64_t);

		assert_true(row->offset + bytes <= sizeof(struct bw_limits));
		for (size_t at = row->offset; at < row->offset + bytes; at++) {
			assert_false(taken[at]);
			taken[at] = true;
		}
		for (int tier = 0; tier < BW_TIER_COUNT; tier++) {
			bool off = row->def[tier] == 0 && row->may_be_off;

			assert_true(off || (row->def[tier] >= row->min && row->def[tier] <= row->max));
		}
		assert_ptr_equal(bw_setting_find(bw_slice_of(row->name)), row);
		assert_true(strlen(row->help) > 20 && row->help[strlen(row->help) - 1] == '.');
	}
	assert_null(bw_setting_find(BW_S("conversation")));
	assert_null(bw_setting_find(BW_S("")));
}

/* What is printed is read back as the same value, for the edges of every row. */
static void print_and_read(void **state)
{
	struct bw_settings *s = bw_settings_new();

	(void)state;
	assert_non_null(s);
	for (size_t i = 0; i < bw_setting_count(); i++) {
		const struct bw_setting *row = bw_setting_at(i);
		const int64_t raws[] = { row->min, row->max, row->def[0], row->def[3] };

		for (size_t k = 0; k < COUNT_OF(raws); k++) {
			struct bw_buf text, again;

			bw_buf_init(&text, 100);
			bw_buf_init(&again, 100);
			bw_setting_print(row, raws[k], &text);
			assert_int_equal(bw_settings_set(s, bw_slice_of(row->name), bw_buf_slice(&text), NULL), BW_OK);
			assert_int_equal(bw_settings_get(s, bw_slice_of(row->name), &again, NULL), BW_OK);
			assert_string_equal(bw_buf_text(&again), bw_buf_text(&text));
			bw_buf_done(&text);
			bw_buf_done(&again);
		}
	}
	bw_settings_free(&s);
}

static void resolved_defaults(void **state)
{
	struct bw_settings *s = bw_settings_new();
	struct bw_limits l;

	(void)state;
	assert_non_null(s);
	assert_int_equal(bw_settings_mode(s), BW_MODE_SHADOW);
	bw_settings_resolve(s, BW_TIER_HUGE, BW_S(""), &l);
	assert_int_equal(l.gate.mode, BW_MODE_SHADOW); /* a fresh installation caps every guard */
	assert_int_equal(l.conversation.mode, BW_MODE_SHADOW);
	assert_int_equal(l.list.mode, BW_MODE_SHADOW);
	assert_int_equal(l.automaton.mode, BW_MODE_SHADOW);
	assert_int_equal(l.conversation.senders, 3);
	assert_int_equal(l.conversation.block_ms, 2 * BW_HOUR_MS);
	assert_int_equal(l.list.budget, 1000000);
	assert_int_equal(l.automaton.action, BW_DISCARD);
	assert_int_equal(l.automaton.weak_action, BW_HOLD);
	bw_settings_resolve(s, BW_TIER_SMALL, BW_S(""), &l);
	assert_int_equal(l.automaton.mode, BW_MODE_OFF);
	assert_int_equal(l.conversation.senders, 0);
	bw_settings_free(&s);
}

static void tiers(void **state)
{
	static const struct {
		int64_t size;
		enum bw_tier tier;
	} rows[] = {
		{ -1, BW_TIER_SMALL },    { 0, BW_TIER_SMALL },        { 249, BW_TIER_SMALL },   { 250, BW_TIER_MEDIUM },
		{ 2499, BW_TIER_MEDIUM }, { 2500, BW_TIER_LARGE },     { 24999, BW_TIER_LARGE }, { 25000, BW_TIER_HUGE },
		{ 840000, BW_TIER_HUGE }, { INT64_MAX, BW_TIER_HUGE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(bw_tier_of(&bw_tier_bounds_default, rows[i].size), rows[i].tier);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_default),     cmocka_unit_test(every_row), cmocka_unit_test(print_and_read),
		cmocka_unit_test(resolved_defaults), cmocka_unit_test(tiers),
	};

	return cmocka_run_group_tests_name("settings/table", tests, NULL, NULL);
}
