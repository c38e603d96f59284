/* One value: its place in struct bw_limits, its text, its range. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "bw/parse.h"
#include "rows.h"

enum { QUOTE_MAX = 80 };

int64_t bw_setting_raw(const struct bw_setting *row, const struct bw_limits *limits)
{
	const char *at = (const char *)limits + row->offset;
	int64_t number;
	enum bw_mode mode;
	enum bw_action action;

	switch (row->kind) {
	case BW_VALUE_MODE:
		memcpy(&mode, at, sizeof(mode));
		return mode;
	case BW_VALUE_ACTION:
		memcpy(&action, at, sizeof(action));
		return action;
	case BW_VALUE_COUNT:
	case BW_VALUE_DURATION:
		break;
	}
	memcpy(&number, at, sizeof(number));
	return number;
}

void bw_setting_store(const struct bw_setting *row, struct bw_limits *limits, int64_t raw)
{
	char *at = (char *)limits + row->offset;
	enum bw_mode mode = (enum bw_mode)raw;
	enum bw_action action = (enum bw_action)raw;

	switch (row->kind) {
	case BW_VALUE_MODE:
		memcpy(at, &mode, sizeof(mode));
		break;
	case BW_VALUE_ACTION:
		memcpy(at, &action, sizeof(action));
		break;
	case BW_VALUE_COUNT:
	case BW_VALUE_DURATION:
		memcpy(at, &raw, sizeof(raw));
		break;
	}
}

void bw_setting_print(const struct bw_setting *row, int64_t raw, struct bw_buf *out)
{
	switch (row->kind) {
	case BW_VALUE_MODE:
		bw_buf_add_text(out, bw_mode_name((enum bw_mode)raw));
		break;
	case BW_VALUE_ACTION:
		bw_buf_add_text(out, bw_action_name((enum bw_action)raw));
		break;
	case BW_VALUE_DURATION:
		bw_print_duration(out, raw);
		break;
	case BW_VALUE_COUNT:
		if (raw == 0 && row->may_be_off)
			bw_buf_add_text(out, "off");
		else
			bw_buf_printf(out, "%" PRId64, raw);
		break;
	}
}

void bw_setting_quote(struct bw_buf *out, struct bw_slice s)
{
	struct bw_slice shown = bw_slice_head(s, QUOTE_MAX);

	for (size_t i = 0; i < shown.n; i++) {
		unsigned char c = (unsigned char)shown.p[i];

		bw_buf_add_char(out, c < 0x20 || c == 0x7f ? '?' : (char)c);
	}
	if (shown.n < s.n)
		bw_buf_add_text(out, "...");
}

/* A reply can go to one person instead; of the guards that watch replies only these know one. */
static bool watches_replies(const struct bw_setting *row)
{
	return row->offset == offsetof(struct bw_limits, conversation.action) || row->offset == offsetof(struct bw_limits, list.action);
}

/* The actions a guard can take: to accept is mode shadow or off; a guard that watches no list has none to take out. */
static bool is_action_of(const struct bw_setting *row, enum bw_action action)
{
	switch (action) {
	case BW_TAG:
	case BW_THROTTLE:
	case BW_DISCARD:
	case BW_HOLD:
	case BW_REJECT:
		return true;
	case BW_STRIP:
		return !row->whole;
	case BW_REDIRECT:
		return watches_replies(row);
	case BW_ACCEPT:
	case BW_ACTION_COUNT:
		break;
	}
	return false;
}

static void add_actions(const struct bw_setting *row, struct bw_buf *out)
{
	bool first = true;

	for (enum bw_action action = BW_ACCEPT; action < BW_ACTION_COUNT; action++) {
		if (!is_action_of(row, action))
			continue;
		bw_buf_printf(out, "%s%s", first ? "" : ", ", bw_action_name(action));
		first = false;
	}
}

static void add_allowed(const struct bw_setting *row, struct bw_buf *out)
{
	switch (row->kind) {
	case BW_VALUE_MODE:
		bw_buf_add_text(out, "enforce, shadow, off");
		break;
	case BW_VALUE_ACTION:
		add_actions(row, out);
		break;
	case BW_VALUE_DURATION:
	case BW_VALUE_COUNT:
		bw_setting_print(row, row->min, out);
		bw_buf_add_text(out, " to ");
		bw_setting_print(row, row->max, out);
		if (row->may_be_off)
			bw_buf_add_text(out, " or \"off\"");
		break;
	}
}

static enum bw_err refuse(const struct bw_setting *row, struct bw_slice name, struct bw_slice value, enum bw_err err,
                          const char *problem, struct bw_why *why)
{
	struct bw_buf text;

	bw_buf_init(&text, BW_WHY_BYTES - 1);
	bw_setting_quote(&text, name);
	bw_buf_add_text(&text, err == BW_ERR_INPUT ? ": \"" : ": ");
	bw_setting_quote(&text, value);
	bw_buf_printf(&text, "%s %s, allowed: ", err == BW_ERR_INPUT ? "\"" : "", problem);
	add_allowed(row, &text);
	(void)bw_fail(why, err, "%s", bw_buf_text(&text));
	bw_buf_done(&text);
	return err;
}

/* The text of each kind, to a raw value; false: no such text. */
static bool read_value(const struct bw_setting *row, struct bw_slice value, int64_t *raw)
{
	enum bw_mode mode;
	enum bw_action action;

	switch (row->kind) {
	case BW_VALUE_MODE:
		if (!bw_mode_parse(value, &mode))
			return false;
		*raw = mode;
		return true;
	case BW_VALUE_ACTION:
		if (!bw_action_parse(value, &action))
			return false;
		*raw = action;
		return true;
	case BW_VALUE_DURATION:
		return bw_parse_duration_ms(value, raw);
	case BW_VALUE_COUNT:
		break;
	}
	return bw_parse_int(value, raw);
}

static const char *const not_a[] = {
	[BW_VALUE_COUNT] = "is not a count",
	[BW_VALUE_DURATION] = "is not a duration like 90s, 60m or 2h",
	[BW_VALUE_MODE] = "is not a mode",
	[BW_VALUE_ACTION] = "is not an action",
};

enum bw_err bw_setting_parse(const struct bw_setting *row, struct bw_slice name, struct bw_slice value, int64_t *raw,
                             struct bw_why *why)
{
	int64_t read = 0;

	if (row->may_be_off && bw_slice_equal_nocase(value, BW_S("off"))) {
		*raw = 0;
		return BW_OK;
	}
	if (!read_value(row, value, &read))
		return refuse(row, name, value, BW_ERR_INPUT, not_a[row->kind], why);
	if (read < row->min || read > row->max)
		return refuse(row, name, value, BW_ERR_RANGE, "is out of range", why);
	if (row->kind == BW_VALUE_ACTION && !is_action_of(row, (enum bw_action)read))
		return refuse(row, name, value, BW_ERR_RANGE, "is no action of a guard", why);
	*raw = read;
	return BW_OK;
}
