/* Thresholds, in their three shapes: groups below a tier or a list, and "NAME = VALUE" texts. What they mean and which values
 * are allowed is known to the settings alone. */
#include <stdio.h>

#include "bw/mail.h"
#include "internal.h"

enum { NAME_MAX_BYTES = BW_ADDRESS_MAX + 80 };

static enum bw_err set(struct bw_config_loading *l, const struct bw_config_node *node, const char *name, struct bw_slice value)
{
	struct bw_why why = { "" };
	enum bw_err err = bw_settings_set(l->config->settings, bw_slice_of(name), value, &why);

	return err == BW_OK ? BW_OK : bw_config_node_fail(l->tree, node, l->why, err, "%s", why.text);
}

static enum bw_err set_node(struct bw_config_loading *l, const struct bw_config_node *node, const char *name)
{
	char number[32];

	switch (bw_config_node_kind(node)) {
	case BW_CONFIG_TEXT:
		return set(l, node, name, bw_config_node_text(node));
	case BW_CONFIG_INTEGER:
		snprintf(number, sizeof(number), "%lld", (long long)bw_config_node_integer(node));
		return set(l, node, name, bw_slice_of(number));
	case BW_CONFIG_GROUP:
	case BW_CONFIG_SERIES:
	case BW_CONFIG_BOOLEAN:
	case BW_CONFIG_KIND_COUNT:
		break;
	}
	return bw_config_fail_kind(l, node, name, "a number or a text");
}

/* Guards are known by their settings. */
static bool is_guard(struct bw_slice name)
{
	for (size_t i = 0; i < bw_setting_count(); i++) {
		struct bw_slice row = bw_slice_of(bw_setting_at(i)->name);

		if (bw_slice_equal(bw_slice_head(row, bw_slice_find(row, '.')), name))
			return true;
	}
	return false;
}

static void list_guards(struct bw_buf *out)
{
	struct bw_slice last = { 0 };

	for (size_t i = 0; i < bw_setting_count(); i++) {
		struct bw_slice row = bw_slice_of(bw_setting_at(i)->name);
		struct bw_slice guard = bw_slice_head(row, bw_slice_find(row, '.'));

		if (!bw_slice_equal(guard, last))
			bw_buf_printf(out, "%s%.*s", last.n > 0 ? ", " : "", (int)guard.n, guard.p);
		last = guard;
	}
}

static enum bw_err fail_guard(struct bw_config_loading *l, const struct bw_config_node *node, const char *key)
{
	struct bw_slice name = bw_config_node_name(node);
	struct bw_buf guards;

	bw_buf_init(&guards, 200);
	list_guards(&guards);
	enum bw_err err = bw_config_node_fail(l->tree, node, l->why, BW_ERR_NOT_FOUND, "%s.%.*s: no such guard, allowed: %s", key,
	                                      (int)name.n, name.p, bw_buf_text(&guards));

	bw_buf_done(&guards);
	return err;
}

static enum bw_err load_guard(struct bw_config_loading *l, const struct bw_config_node *guard, const char *prefix)
{
	struct bw_slice name = bw_config_node_name(guard);
	enum bw_err err = BW_OK;

	for (size_t i = 0; err == BW_OK && i < bw_config_node_count(guard); i++) {
		const struct bw_config_node *node = bw_config_node_at(guard, i);
		struct bw_slice field = bw_config_node_name(node);
		char full[NAME_MAX_BYTES];
		int n = snprintf(full, sizeof(full), "%s%.*s.%.*s", prefix, (int)name.n, name.p, (int)field.n, field.p);

		err = (size_t)n < sizeof(full)
		          ? set_node(l, node, full)
		          : bw_config_node_fail(l->tree, node, l->why, BW_ERR_INPUT, "a name too long for a setting");
	}
	return err;
}

enum bw_err bw_config_load_guards(struct bw_config_loading *l, const struct bw_config_node *node, const char *key,
                                  const char *prefix, bool tier)
{
	enum bw_err err = BW_OK;

	if (bw_config_node_kind(node) != BW_CONFIG_GROUP)
		return bw_config_fail_kind(l, node, key, "a group");
	for (size_t i = 0; err == BW_OK && i < bw_config_node_count(node); i++) {
		const struct bw_config_node *guard = bw_config_node_at(node, i);
		struct bw_slice name = bw_config_node_name(guard);

		if (tier && bw_slice_equal(name, BW_S("from")))
			continue;
		if (!is_guard(name))
			err = fail_guard(l, guard, key);
		else if (bw_config_node_kind(guard) != BW_CONFIG_GROUP)
			err = bw_config_fail_kind(l, guard, key, "a group");
		else
			err = load_guard(l, guard, prefix);
	}
	return err;
}

/* --- tiers --- */

/* Where a lower bound was given, for the sentence about their order. */
struct bounds_nodes {
	const struct bw_config_node *at[BW_TIER_COUNT];
};

static enum bw_err set_from(struct bw_config_loading *l, enum bw_tier tier, const struct bw_config_node *node,
                            struct bounds_nodes *bounds)
{
	char key[40];

	snprintf(key, sizeof(key), "tiers.%s.from", bw_tier_name(tier));
	const struct bw_config_row *row = bw_config_row_find(bw_slice_of(key));

	if (row == NULL)
		return bw_config_node_fail(l->tree, node, l->why, BW_ERR_NOT_FOUND, "%s: no such key, this tier begins at 0", key);
	bounds->at[tier] = node;
	return bw_config_row_set(l, row, node, l->config);
}

/* A tier is a group, or a number where only its lower bound is given. */
static enum bw_err load_tier(struct bw_config_loading *l, enum bw_tier tier, const struct bw_config_node *node,
                             struct bounds_nodes *bounds)
{
	char key[40], prefix[40];

	if (bw_config_node_kind(node) != BW_CONFIG_GROUP)
		return set_from(l, tier, node, bounds);
	snprintf(key, sizeof(key), "tiers.%s", bw_tier_name(tier));
	snprintf(prefix, sizeof(prefix), "%s.", bw_tier_name(tier));
	const struct bw_config_node *from = bw_config_node_member(node, BW_S("from"));
	enum bw_err err = from == NULL ? BW_OK : set_from(l, tier, from, bounds);

	return err == BW_OK ? bw_config_load_guards(l, node, key, prefix, true) : err;
}

static enum bw_err check_order(struct bw_config_loading *l, const struct bounds_nodes *bounds)
{
	const int64_t *from = l->config->tiers.from;

	for (int tier = BW_TIER_MEDIUM; tier < BW_TIER_HUGE; tier++) {
		const struct bw_config_node *node = bounds->at[tier + 1] != NULL ? bounds->at[tier + 1] : bounds->at[tier];

		if (from[tier] >= from[tier + 1])
			return bw_config_node_fail(l->tree, node, l->why, BW_ERR_RANGE,
			                           "tiers.%s.from: %lld must be above tiers.%s.from, %lld",
			                           bw_tier_name((enum bw_tier)(tier + 1)), (long long)from[tier + 1],
			                           bw_tier_name((enum bw_tier)tier), (long long)from[tier]);
	}
	return BW_OK;
}

/* No key but tiers and `all`. */
static enum bw_err check_tier_names(struct bw_config_loading *l, const struct bw_config_node *tiers)
{
	for (size_t i = 0; i < bw_config_node_count(tiers); i++) {
		const struct bw_config_node *node = bw_config_node_at(tiers, i);
		struct bw_slice name = bw_config_node_name(node);
		enum bw_tier tier;

		if (!bw_slice_equal(name, BW_S("all")) &&
		    !(bw_tier_parse(name, &tier) && bw_slice_equal(name, bw_slice_of(bw_tier_name(tier)))))
			return bw_config_node_fail(l->tree, node, l->why, BW_ERR_NOT_FOUND,
			                           "tiers.%.*s: no such tier, allowed: huge, large, medium, small, all", (int)name.n, name.p);
	}
	return BW_OK;
}

static enum bw_err load_all(struct bw_config_loading *l, const struct bw_config_node *tiers)
{
	const struct bw_config_node *all = bw_config_node_member(tiers, BW_S("all"));

	if (all == NULL)
		return BW_OK;
	const struct bw_config_node *from =
		bw_config_node_kind(all) == BW_CONFIG_GROUP ? bw_config_node_member(all, BW_S("from")) : NULL;

	if (from != NULL)
		return bw_config_node_fail(l->tree, from, l->why, BW_ERR_NOT_FOUND, "tiers.all.from: no such key, each tier has its own");
	return bw_config_load_guards(l, all, "tiers.all", "", true);
}

enum bw_err bw_config_load_tiers(struct bw_config_loading *l, const struct bw_config_node *tiers)
{
	struct bounds_nodes bounds = { { NULL } };

	if (bw_config_node_kind(tiers) != BW_CONFIG_GROUP)
		return bw_config_fail_kind(l, tiers, "tiers", "a group");
	enum bw_err err = check_tier_names(l, tiers);

	/* `all` first, wherever it stands: what is said of one tier goes before it. */
	if (err == BW_OK)
		err = load_all(l, tiers);
	for (int tier = 0; err == BW_OK && tier < BW_TIER_COUNT; tier++) {
		const struct bw_config_node *node = bw_config_node_member(tiers, bw_slice_of(bw_tier_name((enum bw_tier)tier)));

		if (node != NULL)
			err = load_tier(l, (enum bw_tier)tier, node, &bounds);
	}
	return err == BW_OK ? check_order(l, &bounds) : err;
}

/* --- "NAME = VALUE" --- */

/* Where the address of "@ADDRESS.GUARD.FIELD" ends: before the last dot but one. */
static size_t address_end(struct bw_slice name)
{
	size_t at = name.n;

	for (int dots = 0; at > 0 && dots < 2; at--)
		dots += name.p[at - 1] == '.';
	return at;
}

/* The address of a list's setting in the form of all addresses; other names as they are. */
static bool write_name(const struct bw_config *c, struct bw_slice name, struct bw_buf *out)
{
	size_t end = address_end(name);
	struct bw_address address;

	if (name.n == 0 || name.p[0] != '@' || end < 2) {
		bw_buf_add(out, name);
		return true;
	}
	if (!bw_address_normalise(bw_slice_from(bw_slice_head(name, end), 1), c->internal.detail, &address))
		return false;
	bw_buf_printf(out, "@%s", address.text);
	bw_buf_add(out, bw_slice_from(name, end));
	return true;
}

static enum bw_err load_setting(struct bw_config_loading *l, const struct bw_config_node *node)
{
	struct bw_slice text = bw_config_node_text(node);
	size_t divider = text.n;
	struct bw_buf name;
	enum bw_err err;

	if (bw_config_node_kind(node) != BW_CONFIG_TEXT)
		return bw_config_fail_kind(l, node, "settings", "a text \"NAME = VALUE\"");
	while (divider > 0 && text.p[divider - 1] != '=')
		divider--;
	struct bw_slice left = bw_slice_trim(bw_slice_head(text, divider > 0 ? divider - 1 : 0));

	if (left.n == 0)
		return bw_config_node_fail(l->tree, node, l->why, BW_ERR_INPUT,
		                           "settings: \"%.*s\" is not allowed, allowed: \"NAME = VALUE\"",
		                           (int)(text.n < 80 ? text.n : 80), text.p);
	if (bw_slice_equal(left, BW_S("mode")))
		return bw_config_node_fail(l->tree, node, l->why, BW_ERR_INPUT, "settings: mode has a key of its own, mode = \"…\";");
	bw_buf_init(&name, NAME_MAX_BYTES);
	bool good = write_name(l->config, left, &name);

	if (good && name.cut && left.n < NAME_MAX_BYTES)
		err = bw_config_fail_memory(l);
	else if (!good || name.cut)
		err = bw_config_node_fail(l->tree, node, l->why, BW_ERR_INPUT,
		                          "settings: \"%.*s\" holds no address, allowed: @ADDRESS.GUARD.FIELD",
		                          (int)(left.n < 80 ? left.n : 80), left.p);
	else
		err = set(l, node, bw_buf_text(&name), bw_slice_trim(bw_slice_from(text, divider)));
	bw_buf_done(&name);
	return err;
}

enum bw_err bw_config_load_settings(struct bw_config_loading *l, const struct bw_config_node *settings)
{
	enum bw_err err = BW_OK;

	if (bw_config_node_kind(settings) != BW_CONFIG_SERIES)
		return bw_config_fail_kind(l, settings, "settings", "a list of texts \"NAME = VALUE\"");
	for (size_t i = 0; err == BW_OK && i < bw_config_node_count(settings); i++)
		err = load_setting(l, bw_config_node_at(settings, i));
	return err;
}
