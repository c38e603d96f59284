/* One row, one node: checks the value and puts it where the row says. */
#include <string.h>

#include "bw/nearest.h"
#include "bw/parse.h"
#include "internal.h"

enum { SERIES_MAX = 10000, SHOWN = 80 };

/* --- failures --- */

static const char *const kind_names[BW_CONFIG_KIND_COUNT] = {
	[BW_CONFIG_GROUP] = "a group",    [BW_CONFIG_SERIES] = "a list",         [BW_CONFIG_TEXT] = "a text",
	[BW_CONFIG_INTEGER] = "a number", [BW_CONFIG_BOOLEAN] = "true or false",
};

enum bw_err bw_config_fail_kind(struct bw_config_loading *l, const struct bw_config_node *node, const char *key,
                                const char *wanted)
{
	return bw_config_node_fail(l->tree, node, l->why, BW_ERR_INPUT, "%s: %s where %s is wanted", key,
	                           kind_names[bw_config_node_kind(node)], wanted);
}

enum bw_err bw_config_fail_memory(struct bw_config_loading *l)
{
	return bw_fail(l->why, BW_ERR_MEMORY, "configuration: memory is out");
}

enum bw_err bw_config_fail_unknown(struct bw_config_loading *l, const struct bw_config_node *node, struct bw_slice section)
{
	struct bw_nearest nearest;
	struct bw_slice name = bw_config_node_name(node);
	const char *dot = section.n > 0 ? "." : "";

	bw_nearest_start(&nearest, name);
	for (size_t i = 0; i < bw_config_key_count(); i++) {
		struct bw_slice key = bw_slice_of(bw_config_key_at(i)->name);
		size_t end = bw_slice_find(key, '.');
		struct bw_slice rest = bw_slice_from(key, end + 1);

		if (section.n == 0)
			bw_nearest_offer(&nearest, bw_slice_head(key, end));
		else if (bw_slice_equal(bw_slice_head(key, end), section))
			bw_nearest_offer(&nearest, rest);
	}
	if (!nearest.found)
		return bw_config_node_fail(l->tree, node, l->why, BW_ERR_NOT_FOUND, "%.*s%s%.*s: no such key", (int)section.n, section.p,
		                           dot, (int)name.n, name.p);
	return bw_config_node_fail(l->tree, node, l->why, BW_ERR_NOT_FOUND, "%.*s%s%.*s: no such key, the nearest is %.*s%s%s",
	                           (int)section.n, section.p, dot, (int)name.n, name.p, (int)section.n, section.p, dot, nearest.name);
}

static enum bw_err fail_form(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node)
{
	char wanted[160];
	struct bw_slice type = bw_slice_of(row->key.type);
	struct bw_buf text;

	bw_buf_init(&text, sizeof(wanted) - 1);
	bw_buf_printf(&text, "a %.*s", (int)type.n, type.p);
	bw_slice_copy(bw_buf_slice(&text), wanted, sizeof(wanted));
	bw_buf_done(&text);
	return bw_config_node_fail(l->tree, node, l->why, BW_ERR_INPUT, "%s: %s where %s is wanted, allowed: %s", row->key.name,
	                           kind_names[bw_config_node_kind(node)], wanted, row->key.range);
}

static enum bw_err fail_text(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node)
{
	struct bw_slice text = bw_slice_head(bw_config_node_text(node), SHOWN);

	return bw_config_node_fail(l->tree, node, l->why, BW_ERR_INPUT, "%s: \"%.*s\" is not allowed, allowed: %s", row->key.name,
	                           (int)text.n, text.p, row->key.range);
}

static enum bw_err fail_range(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node,
                              const struct bw_buf *shown)
{
	return bw_config_node_fail(l->tree, node, l->why, BW_ERR_RANGE, "%s: %s is out of range, allowed: %s", row->key.name,
	                           bw_buf_text(shown), row->key.range);
}

/* --- one function a form --- */

typedef enum bw_err setter(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node,
                           void *base);

static void *at(void *base, size_t offset)
{
	return (char *)base + offset;
}

/* The text of `node` in the form that is kept, in the configuration's arena. */
static enum bw_err convert(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node,
                           struct bw_slice *out)
{
	struct bw_buf text;

	if (bw_config_node_kind(node) != BW_CONFIG_TEXT)
		return fail_form(l, row, node);
	bw_buf_init(&text, 4096);
	enum bw_err err = BW_OK;

	bool good = row->convert(l->config, bw_config_node_text(node), &text);

	if (text.cut) {
		err = bw_config_fail_memory(l);
	} else if (!good) {
		err = fail_text(l, row, node);
	} else {
		struct bw_slice kept = bw_arena_slice(l->arena, bw_buf_slice(&text));

		if (kept.p == NULL)
			err = bw_config_fail_memory(l);
		else
			*out = kept;
	}
	bw_buf_done(&text);
	return err;
}

static enum bw_err set_text(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node,
                            void *base)
{
	struct bw_slice text;
	enum bw_err err = convert(l, row, node, &text);

	if (err == BW_OK)
		memcpy(at(base, row->offset), &text.p, sizeof(text.p));
	return err;
}

static enum bw_err set_slice(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node,
                             void *base)
{
	struct bw_slice text = { 0 };
	/* An owner or a List-Id of "" is none. */
	bool none = bw_config_node_kind(node) == BW_CONFIG_TEXT && bw_config_node_text(node).n == 0 && row->key.def[0] != '\0';
	enum bw_err err = none ? BW_OK : convert(l, row, node, &text);

	if (err == BW_OK)
		memcpy(at(base, row->offset), &text, sizeof(text));
	return err;
}

static enum bw_err check_series(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node)
{
	if (bw_config_node_kind(node) != BW_CONFIG_SERIES)
		return fail_form(l, row, node);
	if (bw_config_node_count(node) > SERIES_MAX)
		return bw_config_node_fail(l->tree, node, l->why, BW_ERR_LIMIT, "%s: more than %d entries", row->key.name, SERIES_MAX);
	return BW_OK;
}

/* All texts of a series, as slices that end with a NUL. */
static enum bw_err convert_series(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node,
                                  struct bw_slice **out, size_t *count)
{
	enum bw_err err = check_series(l, row, node);

	if (err != BW_OK)
		return err;
	size_t n = bw_config_node_count(node);
	struct bw_slice *all = bw_arena_alloc(l->arena, (n + 1) * sizeof(*all));

	if (all == NULL)
		return bw_config_fail_memory(l);
	for (size_t i = 0; err == BW_OK && i < n; i++)
		err = convert(l, row, bw_config_node_at(node, i), &all[i]);
	if (err == BW_OK) {
		*out = all;
		*count = n;
	}
	return err;
}

static enum bw_err set_slices(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node,
                              void *base)
{
	struct bw_slice *all = NULL;
	size_t n = 0;
	enum bw_err err = convert_series(l, row, node, &all, &n);

	if (err != BW_OK)
		return err;
	memcpy(at(base, row->offset), &all, sizeof(all));
	memcpy(at(base, row->count_offset), &n, sizeof(n));
	return BW_OK;
}

static enum bw_err set_texts(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node,
                             void *base)
{
	struct bw_slice *all = NULL;
	size_t n = 0;
	enum bw_err err = convert_series(l, row, node, &all, &n);

	if (err != BW_OK)
		return err;
	const char **texts = bw_arena_alloc(l->arena, (n + 1) * sizeof(*texts));

	if (texts == NULL)
		return bw_config_fail_memory(l);
	for (size_t i = 0; i < n; i++)
		texts[i] = all[i].p;
	memcpy(at(base, row->offset), &texts, sizeof(texts));
	memcpy(at(base, row->count_offset), &n, sizeof(n));
	return BW_OK;
}

static enum bw_err add_network(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node,
                               struct bw_networks **networks)
{
	struct bw_why why = { "" };

	if (bw_config_node_kind(node) != BW_CONFIG_TEXT)
		return fail_form(l, row, node);
	enum bw_err err = bw_networks_add(networks, bw_config_node_text(node), &why);

	if (err != BW_OK)
		return bw_config_node_fail(l->tree, node, l->why, err, "%s: %s", row->key.name, why.text);
	return BW_OK;
}

static enum bw_err set_networks(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node,
                                void *base)
{
	struct bw_networks *fresh = NULL, *old;
	enum bw_err err = check_series(l, row, node);

	for (size_t i = 0; err == BW_OK && i < bw_config_node_count(node); i++)
		err = add_network(l, row, bw_config_node_at(node, i), &fresh);
	if (err != BW_OK) {
		bw_networks_free(&fresh);
		return err;
	}
	memcpy(&old, at(base, row->offset), sizeof(old));
	memcpy(at(base, row->offset), &fresh, sizeof(fresh));
	bw_networks_free(&old);
	return BW_OK;
}

static enum bw_err set_count(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node,
                             void *base)
{
	enum bw_config_kind kind = bw_config_node_kind(node);
	int64_t value = bw_config_node_integer(node);

	if (kind != BW_CONFIG_INTEGER && kind != BW_CONFIG_TEXT)
		return fail_form(l, row, node);
	if (kind == BW_CONFIG_TEXT && !bw_parse_int(bw_config_node_text(node), &value))
		return fail_text(l, row, node);
	if (value < row->min || value > row->max) {
		struct bw_buf shown;

		bw_buf_init(&shown, 32);
		bw_buf_printf(&shown, "%lld", (long long)value);
		enum bw_err err = fail_range(l, row, node, &shown);

		bw_buf_done(&shown);
		return err;
	}
	memcpy(at(base, row->offset), &value, sizeof(value));
	return BW_OK;
}

static enum bw_err set_duration(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node,
                                void *base)
{
	int64_t value;

	if (bw_config_node_kind(node) != BW_CONFIG_TEXT)
		return fail_form(l, row, node);
	if (!bw_parse_duration_ms(bw_config_node_text(node), &value))
		return fail_text(l, row, node);
	if (value < row->min || value > row->max) {
		struct bw_buf shown;

		bw_buf_init(&shown, 64);
		bw_print_duration(&shown, value);
		enum bw_err err = fail_range(l, row, node, &shown);

		bw_buf_done(&shown);
		return err;
	}
	memcpy(at(base, row->offset), &value, sizeof(value));
	return BW_OK;
}

static enum bw_err set_octal(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node,
                             void *base)
{
	struct bw_slice text = bw_config_node_text(node);
	int64_t value = 0;

	/* A text, as 660 without quotes would be a decimal number. */
	if (bw_config_node_kind(node) != BW_CONFIG_TEXT)
		return fail_form(l, row, node);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '7' || text.n > 4)
			return fail_text(l, row, node);
		value = value * 8 + (text.p[i] - '0');
	}
	if (value < row->min || value > row->max)
		return fail_text(l, row, node);
	memcpy(at(base, row->offset), &value, sizeof(value));
	return BW_OK;
}

static enum bw_err set_flag(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node,
                            void *base)
{
	enum bw_config_kind kind = bw_config_node_kind(node);
	bool value = bw_config_node_boolean(node);

	if (kind != BW_CONFIG_BOOLEAN && kind != BW_CONFIG_TEXT)
		return fail_form(l, row, node);
	if (kind == BW_CONFIG_TEXT && !bw_parse_bool(bw_config_node_text(node), &value))
		return fail_text(l, row, node);
	memcpy(at(base, row->offset), &value, sizeof(value));
	return BW_OK;
}

static enum bw_err set_character(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node,
                                 void *base)
{
	struct bw_slice text = bw_config_node_text(node);

	if (bw_config_node_kind(node) != BW_CONFIG_TEXT)
		return fail_form(l, row, node);
	char value = text.n == 1 ? text.p[0] : '\0';

	if (text.n > 1 || (text.n == 1 && !bw_config_is_delimiter(value)))
		return fail_text(l, row, node);
	memcpy(at(base, row->offset), &value, sizeof(value));
	return BW_OK;
}

static enum bw_err set_mode(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node,
                            void *base)
{
	struct bw_why why = { "" };

	(void)base;
	if (bw_config_node_kind(node) != BW_CONFIG_TEXT)
		return fail_form(l, row, node);
	enum bw_err err = bw_settings_set(l->config->settings, BW_S("mode"), bw_config_node_text(node), &why);

	return err == BW_OK ? BW_OK : bw_config_node_fail(l->tree, node, l->why, err, "%s", why.text);
}

static setter *const setters[BW_FORM_COUNT_OF] = {
	[BW_FORM_TEXT] = set_text,           [BW_FORM_TEXTS] = set_texts,       [BW_FORM_SLICE] = set_slice,
	[BW_FORM_SLICES] = set_slices,       [BW_FORM_NETWORKS] = set_networks, [BW_FORM_COUNT] = set_count,
	[BW_FORM_DURATION] = set_duration,   [BW_FORM_OCTAL] = set_octal,       [BW_FORM_FLAG] = set_flag,
	[BW_FORM_CHARACTER] = set_character, [BW_FORM_MODE] = set_mode,
};

enum bw_err bw_config_row_set(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node,
                              void *base)
{
	return setters[row->form](l, row, node, base);
}
