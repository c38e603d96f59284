/* A configuration: first the defaults, from the same table rows and by the same functions as a file, then the file. */
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

enum { ARENA_MAX = 512 << 20 }; /* a million lists with posters take a quarter of it */

void bw_config_free(struct bw_config **config)
{
	struct bw_config *c = *config;
	struct bw_arena *arena;

	if (c == NULL)
		return;
	bw_networks_free(&c->internal.networks);
	bw_networks_free(&c->internal.vouched);
	bw_networks_free(&c->internal.relays);
	bw_networks_free(&c->internal.expanders);
	bw_networks_free(&c->internal.list_servers);
	bw_settings_free(&c->settings);
	arena = c->owned;
	bw_arena_free(&arena);
	free(c);
	*config = NULL;
}

/* --- defaults --- */

/* Reads a row's default as a file would hold it. */
static enum bw_err set_default(struct bw_config_loading *l, const struct bw_config_row *row)
{
	struct bw_config_tree *tree = NULL;
	struct bw_buf text;

	bw_buf_init(&text, 1024);
	bw_buf_printf(&text, "value = %s;", row->key.def);
	enum bw_err err =
		text.cut ? bw_config_fail_memory(l) : bw_config_tree_parse(bw_buf_slice(&text), row->key.name, &tree, l->why);

	if (err == BW_OK) {
		l->tree = tree;
		err = bw_config_row_set(l, row, bw_config_node_at(bw_config_tree_root(tree), 0), l->config);
	}
	bw_config_tree_free(&tree);
	bw_buf_done(&text);
	return err;
}

static bool has_default(const struct bw_config_row *row)
{
	return row->form != BW_FORM_SPECIAL && !bw_slice_starts_nocase(bw_slice_of(row->key.name), BW_S("lists."));
}

static enum bw_err set_defaults(struct bw_config_loading *l)
{
	enum bw_err err = BW_OK;

	l->config->tiers = bw_tier_bounds_default;
	for (size_t i = 0; err == BW_OK && i < bw_config_key_count(); i++) {
		if (has_default(bw_config_row_at(i)))
			err = set_default(l, bw_config_row_at(i));
	}
	return err;
}

/* An empty one with all that it owns; NULL when memory is out. */
static struct bw_config *new_config(void)
{
	struct bw_config *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->owned = bw_arena_new(ARENA_MAX);
	c->settings = bw_settings_new();
	if (c->owned == NULL || c->settings == NULL)
		bw_config_free(&c);
	return c;
}

enum bw_err bw_config_default(struct bw_config **out, struct bw_why *why)
{
	struct bw_config *c = new_config();
	struct bw_config_loading l = { .config = c, .arena = c == NULL ? NULL : c->owned, .why = why };
	enum bw_err err = c == NULL ? bw_config_fail_memory(&l) : set_defaults(&l);

	if (err == BW_OK)
		*out = c;
	else
		bw_config_free(&c);
	return err;
}

/* --- a file --- */

static enum bw_err load_row(struct bw_config_loading *l, struct bw_slice section, const struct bw_config_node *node)
{
	char key[128];

	snprintf(key, sizeof(key), "%s.%s", section.p, bw_config_node_name(node).p);
	const struct bw_config_row *row = bw_config_row_find(bw_slice_of(key));

	return row == NULL ? bw_config_fail_unknown(l, node, section) : bw_config_row_set(l, row, node, l->config);
}

/* A section of plain rows. */
static enum bw_err load_rows(struct bw_config_loading *l, const struct bw_config_node *section)
{
	struct bw_slice name = bw_config_node_name(section);
	enum bw_err err = BW_OK;

	if (bw_config_node_kind(section) != BW_CONFIG_GROUP)
		return bw_config_fail_kind(l, section, name.p, "a group");
	for (size_t i = 0; err == BW_OK && i < bw_config_node_count(section); i++)
		err = load_row(l, name, bw_config_node_at(section, i));
	return err;
}

static enum bw_err load_mode(struct bw_config_loading *l, const struct bw_config_node *mode)
{
	return bw_config_row_set(l, bw_config_row_find(BW_S("mode")), mode, l->config);
}

/* In the order in which they are read: lists need the own domains and the delimiter, and what is said of one list or by
 * name goes before what is said of a tier. */
static const struct section {
	const char *name;
	enum bw_err (*load)(struct bw_config_loading *l, const struct bw_config_node *node);
} sections[] = {
	{ "mode", load_mode },
	{ "daemon", load_rows },
	{ "store", load_rows },
	{ "internal", load_rows },
	{ "hold", load_rows },
	{ "privacy", load_rows },
	{ "notify", load_rows },
	{ "tiers", bw_config_load_tiers },
	{ "lists", bw_config_load_lists },
	{ "settings", bw_config_load_settings },
};

enum { SECTIONS = sizeof(sections) / sizeof(sections[0]) };

static bool is_section(struct bw_slice name)
{
	for (size_t i = 0; i < SECTIONS; i++) {
		if (bw_slice_equal(name, bw_slice_of(sections[i].name)))
			return true;
	}
	return false;
}

static enum bw_err load_sections(struct bw_config_loading *l)
{
	const struct bw_config_node *root = bw_config_tree_root(l->tree);
	enum bw_err err = BW_OK;

	for (size_t i = 0; err == BW_OK && i < bw_config_node_count(root); i++) {
		const struct bw_config_node *node = bw_config_node_at(root, i);

		if (!is_section(bw_config_node_name(node)))
			err = bw_config_fail_unknown(l, node, (struct bw_slice){ "", 0 });
	}
	for (size_t i = 0; err == BW_OK && i < SECTIONS; i++) {
		const struct bw_config_node *node = bw_config_node_member(root, bw_slice_of(sections[i].name));

		if (node != NULL)
			err = sections[i].load(l, node);
	}
	return err;
}

static enum bw_err load_tree(const struct bw_config_tree *tree, struct bw_config **out, struct bw_why *why)
{
	struct bw_config *c = NULL;
	enum bw_err err = bw_config_default(&c, why);

	if (err != BW_OK)
		return err;
	struct bw_config_loading l = { tree, c, c->owned, why };

	err = load_sections(&l);
	if (err == BW_OK)
		*out = c;
	else
		bw_config_free(&c);
	return err;
}

static enum bw_err load_file(const char *path, bool roots, struct bw_config **out, struct bw_why *why)
{
	struct bw_config_tree *tree = NULL;
	enum bw_err err = bw_config_tree_read(path, roots, &tree, why);

	if (err == BW_OK)
		err = load_tree(tree, out, why);
	bw_config_tree_free(&tree);
	return err;
}

enum bw_err bw_config_load(const char *path, struct bw_config **out, struct bw_why *why)
{
	return load_file(path, false, out, why);
}

enum bw_err bw_config_load_roots(const char *path, struct bw_config **out, struct bw_why *why)
{
	return load_file(path, true, out, why);
}

enum bw_err bw_config_parse(struct bw_slice text, const char *name, struct bw_config **out, struct bw_why *why)
{
	struct bw_config_tree *tree = NULL;
	enum bw_err err = bw_config_tree_parse(text, name, &tree, why);

	if (err == BW_OK)
		err = load_tree(tree, out, why);
	bw_config_tree_free(&tree);
	return err;
}
