/* settings, history: thresholds as they are in force, where they come from, and who changed them when. */
#include <string.h>

#include "bw/parse.h"
#include "change.h"

enum { VALUE_MAX_BYTES = 200 };

/* The GUARD.FIELD of any form of a name: its last two parts. */
static struct bw_slice field_of(struct bw_slice name)
{
	int dots = 0;

	for (size_t i = name.n; i > 0; i--) {
		if (name.p[i - 1] == '.' && ++dots == 2)
			return bw_slice_from(name, i);
	}
	return name;
}

static void tier_value(const struct cli *c, const struct bw_setting *row, enum bw_tier tier, struct bw_buf *out)
{
	struct bw_buf name;
	struct bw_why why;

	bw_buf_reset(out);
	bw_buf_init(&name, VALUE_MAX_BYTES);
	bw_buf_printf(&name, "%s.%s", bw_tier_name(tier), row->name);
	if (bw_settings_get(bw_world_settings(c->world), bw_buf_slice(&name), out, &why) != BW_OK)
		bw_buf_add_text(out, "unknown");
	bw_buf_done(&name);
}

void bw_cli_list_value(const struct bw_settings *settings, const struct bw_setting *row, const struct bw_list *list,
                       struct bw_buf *out)
{
	struct bw_limits limits;
	int64_t raw = 0;

	bw_settings_resolve(settings, list->tier, list->address, &limits);
	const char *at = (const char *)&limits + row->offset;

	switch (row->kind) {
	case BW_VALUE_COUNT:
	case BW_VALUE_DURATION:
		memcpy(&raw, at, sizeof(raw));
		break;
	case BW_VALUE_MODE:
		raw = (int64_t) * (const enum bw_mode *)(const void *)at;
		break;
	case BW_VALUE_ACTION:
		raw = (int64_t) * (const enum bw_action *)(const void *)at;
		break;
	}
	bw_buf_reset(out);
	bw_setting_print(row, raw, out);
}

void bw_cli_setting_value(const struct cli *c, const struct bw_settings *settings, struct bw_slice name, struct bw_buf *out)
{
	struct bw_slice field = field_of(name);
	struct bw_why why;

	bw_buf_reset(out);
	if (bw_settings_get(settings, name, out, &why) == BW_OK)
		return;
	/* No override of its own: its list's tier speaks. */
	struct bw_slice address = bw_slice_from(bw_slice_head(name, name.n > field.n ? name.n - field.n - 1 : 0), 1);
	const struct bw_list *list = bw_directory_find(bw_world_directory(c->world), address);
	const struct bw_setting *row = bw_setting_find(field);

	if (list != NULL && row != NULL)
		bw_cli_list_value(settings, row, list, out);
}

/* --- what the store changes --- */

static void put_row(json_t *o, const struct bw_setting_row *row)
{
	bw_cli_put(o, "name", row->name);
	if (row->value.n > 0)
		bw_cli_put(o, "value", row->value);
	else
		bw_cli_put_text(o, "value", NULL);
	bw_cli_put_time(o, "at", row->set_ms);
	bw_cli_put_time(o, "until", row->until_ms);
	bw_cli_put(o, "owner", row->owner);
	bw_cli_put(o, "reason", row->reason);
	bw_cli_put_int(o, "version", row->version);
}

struct stored {
	struct bw_slice field; /* only rows about this one; empty: all */
	json_t *array;         /* or */
	struct table *table;
};

static bool each_stored(void *ctx, const struct bw_setting_row *row)
{
	struct stored *s = ctx;

	if (row->value.n == 0 || (s->field.n > 0 && !bw_slice_equal(field_of(row->name), s->field)))
		return true;
	if (s->array != NULL) {
		json_t *o = json_object();

		put_row(o, row);
		json_array_append_new(s->array, o);
		return true;
	}
	bw_cli_cell(s->table, row->name);
	bw_cli_cell(s->table, row->value);
	bw_cli_cell_time(s->table, row->until_ms);
	bw_cli_cell(s->table, row->owner);
	bw_cli_cell(s->table, row->reason);
	return true;
}

static enum bw_err stored_json(struct cli *c, struct bw_slice field, json_t *into)
{
	struct stored s = { .field = field, .array = json_array() };
	enum bw_err err = c->store->ops->setting_each(c->store, false, each_stored, &s, &c->why);

	json_object_set_new(into, "stored", s.array);
	return err;
}

static enum bw_err stored_text(struct cli *c, struct bw_slice field)
{
	static const struct column columns[] = {
		{ .head = "CHANGED HERE" }, { .head = "VALUE" }, { .head = "UNTIL" }, { .head = "BY" }, { .head = "REASON", .most = 60 }
	};
	struct stored s = { .field = field, .table = bw_cli_table_start(c, columns, sizeof(columns) / sizeof(columns[0])) };
	enum bw_err err = c->store->ops->setting_each(c->store, false, each_stored, &s, &c->why);

	bw_cli_table_end(&s.table, NULL);
	return err;
}

/* --- settings --- */

static enum bw_err print_setting_json(struct cli *c, const struct bw_setting *row)
{
	json_t *o = json_object(), *values = json_object(), *defaults = json_object();
	struct bw_buf text;

	bw_buf_init(&text, VALUE_MAX_BYTES);
	for (enum bw_tier tier = 0; tier < BW_TIER_COUNT; tier++) {
		tier_value(c, row, tier, &text);
		bw_cli_put(values, bw_tier_name(tier), bw_buf_slice(&text));
		bw_buf_reset(&text);
		bw_setting_print(row, row->def[tier], &text);
		bw_cli_put(defaults, bw_tier_name(tier), bw_buf_slice(&text));
	}
	bw_buf_reset(&text);
	bw_config_print_allowed(row, &text);
	bw_cli_put_text(o, "name", row->name);
	json_object_set_new(o, "values", values);
	json_object_set_new(o, "defaults", defaults);
	bw_cli_put(o, "allowed", bw_buf_slice(&text));
	bw_cli_put_text(o, "help", row->help);
	bw_buf_done(&text);
	enum bw_err err = stored_json(c, bw_slice_of(row->name), o);

	bw_cli_json(c, o);
	return err;
}

static enum bw_err print_mode_json(struct cli *c)
{
	json_t *o = json_object();

	bw_cli_put_text(o, "name", "mode");
	bw_cli_put_text(o, "value", bw_mode_name(bw_settings_mode(bw_world_settings(c->world))));
	enum bw_err err = stored_json(c, BW_S("mode"), o);

	bw_cli_json(c, o);
	return err;
}

static enum bw_cli_exit all_json(struct cli *c)
{
	enum bw_err err = print_mode_json(c);

	for (size_t i = 0; err == BW_OK && i < bw_setting_count(); i++)
		err = print_setting_json(c, bw_setting_at(i));
	return bw_cli_fail_err(err);
}

static enum bw_cli_exit all_text(struct cli *c)
{
	static const struct column columns[] = {
		{ .head = "SETTING" },
		{ .head = "huge", .right = true },
		{ .head = "large", .right = true },
		{ .head = "medium", .right = true },
		{ .head = "small", .right = true },
	};
	struct table *t;
	struct bw_buf text;

	bw_cli_say(c, STYLE_PLAIN, "mode: %s", bw_mode_name(bw_settings_mode(bw_world_settings(c->world))));
	bw_cli_say(c, STYLE_PLAIN, "%s", "");
	t = bw_cli_table_start(c, columns, sizeof(columns) / sizeof(columns[0]));
	bw_buf_init(&text, VALUE_MAX_BYTES);
	for (size_t i = 0; i < bw_setting_count(); i++) {
		bw_cli_cell(t, bw_slice_of(bw_setting_at(i)->name));
		for (int tier = BW_TIER_HUGE; tier >= BW_TIER_SMALL; tier--) {
			tier_value(c, bw_setting_at(i), (enum bw_tier)tier, &text);
			bw_cli_cell(t, bw_buf_slice(&text));
		}
	}
	bw_buf_done(&text);
	bw_cli_table_end(&t, NULL);
	bw_cli_say(c, STYLE_PLAIN, "%s", "");
	return bw_cli_fail_err(stored_text(c, BW_S("")));
}

static enum bw_cli_exit for_list(struct cli *c)
{
	static const struct column columns[] = { { .head = "SETTING" }, { .head = "VALUE" } };
	const struct bw_list *list;
	struct bw_buf text;
	struct table *t = NULL;
	json_t *o = NULL;
	enum bw_cli_exit code = bw_cli_find_list(c, c->args.list, &list);

	if (code != BW_CLI_DONE)
		return code;
	if (c->args.json)
		o = json_object();
	else
		t = bw_cli_table_start(c, columns, 2);
	bw_buf_init(&text, VALUE_MAX_BYTES);
	for (size_t i = 0; i < bw_setting_count(); i++) {
		bw_cli_list_value(bw_world_settings(c->world), bw_setting_at(i), list, &text);
		if (o != NULL) {
			bw_cli_put(o, bw_setting_at(i)->name, bw_buf_slice(&text));
			continue;
		}
		bw_cli_cell(t, bw_slice_of(bw_setting_at(i)->name));
		bw_cli_cell(t, bw_buf_slice(&text));
	}
	bw_buf_done(&text);
	bw_cli_table_end(&t, NULL);
	if (o != NULL)
		bw_cli_json(c, o);
	return BW_CLI_DONE;
}

static enum bw_cli_exit explain_setting(struct cli *c, struct bw_slice name, const struct bw_setting *row)
{
	struct bw_buf text;

	bw_buf_init(&text, VALUE_MAX_BYTES);
	bw_cli_setting_value(c, bw_world_settings(c->world), name, &text);
	bw_cli_say(c, STYLE_HEAD, "%.*s = %s", (int)name.n, name.p, bw_buf_text(&text));
	bw_cli_say(c, STYLE_PLAIN, "%s", row->help);
	bw_buf_reset(&text);
	bw_config_print_allowed(row, &text);
	bw_cli_say(c, STYLE_PLAIN, "allowed: %s", bw_buf_text(&text));
	bw_buf_reset(&text);
	for (int tier = BW_TIER_HUGE; tier >= BW_TIER_SMALL; tier--) {
		bw_buf_printf(&text, "%s%s ", text.n > 0 ? ", " : "", bw_tier_name((enum bw_tier)tier));
		bw_setting_print(row, row->def[tier], &text);
	}
	bw_cli_say(c, STYLE_PLAIN, "default: %s", bw_buf_text(&text));
	bw_buf_done(&text);
	return bw_cli_fail_err(stored_text(c, bw_slice_of(row->name)));
}

static enum bw_cli_exit one(struct cli *c, struct bw_slice name)
{
	const struct bw_setting *row = bw_setting_find(field_of(name));
	struct bw_buf value;
	enum bw_cli_exit code = BW_CLI_DONE;

	if (bw_slice_equal(name, BW_S("mode"))) {
		if (c->args.json)
			return bw_cli_fail_err(print_mode_json(c));
		bw_cli_say(c, STYLE_PLAIN, "mode = %s", bw_mode_name(bw_settings_mode(bw_world_settings(c->world))));
		return bw_cli_fail_err(stored_text(c, name));
	}
	/* The table's own sentence for an unknown name, with the nearest. */
	bw_buf_init(&value, VALUE_MAX_BYTES);
	if (row == NULL && bw_settings_get(bw_world_settings(c->world), name, &value, &c->why) != BW_OK)
		code = BW_CLI_USAGE;
	bw_buf_done(&value);
	if (code != BW_CLI_DONE || row == NULL)
		return BW_CLI_USAGE;
	return c->args.json ? bw_cli_fail_err(print_setting_json(c, row)) : explain_setting(c, name, row);
}

static enum bw_cli_exit run_settings(struct cli *c)
{
	struct bw_buf name;

	if (c->word_count == 0 && c->args.list != NULL)
		return for_list(c);
	if (c->word_count == 0)
		return c->args.json ? all_json(c) : all_text(c);
	bw_buf_init(&name, 1024);
	enum bw_cli_exit code = bw_cli_setting_name(c, c->words[0], &name);

	if (code == BW_CLI_DONE)
		code = one(c, bw_buf_slice(&name));
	bw_buf_done(&name);
	return code;
}

/* --- history --- */

struct history {
	struct cli *c;
	struct table *table;
};

static bool each_change(void *ctx, const struct bw_setting_row *row)
{
	struct history *h = ctx;

	if (h->c->args.json) {
		json_t *o = json_object();

		put_row(o, row);
		bw_cli_json(h->c, o);
		return true;
	}
	bw_cli_cell_time(h->table, row->set_ms);
	bw_cli_cell(h->table, row->owner);
	bw_cli_cell(h->table, row->name);
	bw_cli_cell(h->table, row->value.n > 0 ? row->value : BW_S("(unset)"));
	bw_cli_cell_time(h->table, row->until_ms);
	bw_cli_cell(h->table, row->reason);
	return true;
}

static enum bw_cli_exit run_history(struct cli *c)
{
	static const struct column columns[] = {
		{ .head = "AT" },    { .head = "BY" },    { .head = "SETTING" },
		{ .head = "VALUE" }, { .head = "UNTIL" }, { .head = "REASON", .most = 60 },
	};
	struct history h = { .c = c };

	if (!c->args.json)
		h.table = bw_cli_table_start(c, columns, sizeof(columns) / sizeof(columns[0]));
	enum bw_err err = c->store->ops->setting_each(c->store, true, each_change, &h, &c->why);

	bw_cli_table_end(&h.table, c->args.json ? NULL : "no setting was ever changed here");
	return bw_cli_fail_err(err);
}

const struct command bw_cli_family_settings[] = {
	{ "settings", "[NAME]", 0, 1, OPT(LIST), NEED_STORE, false, run_settings,
	  "show thresholds: those in force by tier, what was changed here and until when\n"
	  "With NAME: one setting, its range and its default. With --list: what applies to that list." },
	{ "history", "", 0, 0, 0, NEED_STORE, false, run_history, "who changed which setting, when and why" },
	{ .name = NULL },
};
