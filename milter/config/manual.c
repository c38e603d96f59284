/* The tables of breakwater.conf(5), in the language of scdoc(5). */
#include "document.h"

/* '_', '*' and '\' mark up text there. */
static void print_plain(struct bw_buf *out, struct bw_slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '_' || text.p[i] == '*' || text.p[i] == '\\')
			bw_buf_add_char(out, '\\');
		bw_buf_add_char(out, text.p[i]);
	}
}

static void print_plain_text(struct bw_buf *out, const char *text)
{
	print_plain(out, bw_slice_of(text));
}

static void print_entry(struct bw_buf *out, const struct bw_config_key *key)
{
	bw_buf_add_char(out, '*');
	print_plain_text(out, key->name);
	bw_buf_printf(out, "* (%s", key->type);
	if (key->def[0] != '\0') {
		bw_buf_add_text(out, ", default ");
		print_plain_text(out, key->def);
	}
	bw_buf_add_text(out, ")\n\t");
	print_plain_text(out, key->help);
	bw_buf_add_text(out, " Allowed: ");
	print_plain_text(out, key->range);
	bw_buf_add_text(out, ".\n\n");
}

void bw_config_print_keys(struct bw_buf *out)
{
	struct bw_slice section = { 0 };

	for (size_t i = 0; i < bw_config_key_count(); i++) {
		struct bw_slice name = bw_slice_of(bw_config_key_at(i)->name);
		struct bw_slice head = bw_slice_head(name, bw_slice_find(name, '.'));

		if (!bw_slice_equal(head, section))
			bw_buf_printf(out, "## %.*s\n\n", (int)head.n, head.p);
		section = head;
		print_entry(out, bw_config_key_at(i));
	}
}

/* --- thresholds --- */

/* Names among `count` that the settings take for `row`. */
static void print_words(const struct bw_setting *row, const char *(*name)(int i), int count, struct bw_buf *out)
{
	struct bw_settings *scratch = bw_settings_new();
	bool first = true;

	for (int i = 0; scratch != NULL && i < count; i++) {
		if (bw_settings_set(scratch, bw_slice_of(row->name), bw_slice_of(name(i)), NULL) != BW_OK)
			continue;
		bw_buf_printf(out, "%s%s", first ? "" : ", ", name(i));
		first = false;
	}
	bw_settings_free(&scratch);
}

static const char *mode_name(int i)
{
	return bw_mode_name((enum bw_mode)i);
}

static const char *action_name(int i)
{
	return bw_action_name((enum bw_action)i);
}

void bw_config_print_allowed(const struct bw_setting *row, struct bw_buf *out)
{
	switch (row->kind) {
	case BW_VALUE_MODE:
		print_words(row, mode_name, BW_MODE_COUNT, out);
		break;
	case BW_VALUE_ACTION:
		print_words(row, action_name, BW_ACTION_COUNT, out);
		break;
	case BW_VALUE_COUNT:
	case BW_VALUE_DURATION:
		bw_setting_print(row, row->min, out);
		bw_buf_add_text(out, " to ");
		bw_setting_print(row, row->max, out);
		if (row->may_be_off)
			bw_buf_add_text(out, " or \"off\"");
		break;
	}
}

static void print_defaults_row(struct bw_buf *out, const struct bw_setting *row)
{
	bw_buf_add_text(out, "|  *");
	print_plain_text(out, row->name);
	bw_buf_add_text(out, "*\n");
	for (int tier = BW_TIER_COUNT - 1; tier >= 0; tier--) {
		bw_buf_add_text(out, ":  ");
		bw_setting_print(row, row->def[tier], out);
		bw_buf_add_char(out, '\n');
	}
}

static void print_help(struct bw_buf *out, const struct bw_setting *row)
{
	struct bw_buf allowed;

	bw_buf_init(&allowed, 256);
	bw_config_print_allowed(row, &allowed);
	bw_buf_add_char(out, '*');
	print_plain_text(out, row->name);
	bw_buf_add_text(out, "*\n\t");
	print_plain_text(out, row->help);
	bw_buf_add_text(out, " Allowed: ");
	print_plain(out, bw_buf_slice(&allowed));
	bw_buf_add_text(out, ".\n\n");
	bw_buf_done(&allowed);
}

void bw_config_print_thresholds(struct bw_buf *out)
{
	bw_buf_add_text(out, "[[ *Threshold*\n:- *huge*\n:- *large*\n:- *medium*\n:- *small*\n");
	for (size_t i = 0; i < bw_setting_count(); i++)
		print_defaults_row(out, bw_setting_at(i));
	bw_buf_add_char(out, '\n');
	for (size_t i = 0; i < bw_setting_count(); i++)
		print_help(out, bw_setting_at(i));
}
