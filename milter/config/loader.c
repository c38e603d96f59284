/* The only file that knows libconfig. It parses text that source.c has read and checked. */
#include <libconfig.h>
#include <stdarg.h>
#include <stdlib.h>

#include "node.h"
#include "source.h"

struct bw_config_tree {
	struct bw_config_source source;
	config_t config;
};

static const config_setting_t *setting_of(const struct bw_config_node *node)
{
	return (const config_setting_t *)node;
}

static const struct bw_config_node *node_of(const config_setting_t *setting)
{
	return (const struct bw_config_node *)setting;
}

void bw_config_tree_free(struct bw_config_tree **tree)
{
	if (*tree == NULL)
		return;
	config_destroy(&(*tree)->config);
	bw_config_source_done(&(*tree)->source);
	free(*tree);
	*tree = NULL;
}

static struct bw_slice line_of(const struct bw_config_source *source, unsigned at)
{
	struct bw_slice rest = bw_buf_slice(&source->text);

	for (unsigned i = 1; i < at; i++)
		rest = bw_slice_from(rest, bw_slice_find(rest, '\n') + 1);
	return bw_slice_trim(bw_slice_head(rest, bw_slice_find(rest, '\n')));
}

static enum bw_err fail_parse(const struct bw_config_tree *tree, struct bw_why *why)
{
	unsigned at = (unsigned)config_error_line(&tree->config), line;
	const char *file = bw_config_source_place(&tree->source, at, &line);
	struct bw_slice text = bw_slice_head(line_of(&tree->source, at), 60);

	return bw_fail(why, BW_ERR_INPUT, "%s:%u: %s near: %.*s", file, line, config_error_text(&tree->config), (int)text.n,
	               text.n == 0 ? "" : text.p);
}

static enum bw_err parse(struct bw_config_tree *tree, struct bw_config_tree **out, struct bw_why *why)
{
	config_init(&tree->config);
	if (config_read_string(&tree->config, bw_buf_text(&tree->source.text)) == CONFIG_TRUE) {
		*out = tree;
		return BW_OK;
	}
	enum bw_err err = fail_parse(tree, why);

	bw_config_tree_free(&tree);
	return err;
}

static enum bw_err new_tree(struct bw_config_tree **out, struct bw_why *why)
{
	*out = calloc(1, sizeof(**out));
	return *out != NULL ? BW_OK : bw_fail(why, BW_ERR_MEMORY, "configuration: memory is out");
}

/* Of the source that was read, unless that failed. */
static enum bw_err finish(struct bw_config_tree *tree, enum bw_err err, struct bw_config_tree **out, struct bw_why *why)
{
	if (err == BW_OK)
		return parse(tree, out, why);
	free(tree);
	return err;
}

enum bw_err bw_config_tree_read(const char *path, bool roots, struct bw_config_tree **out, struct bw_why *why)
{
	struct bw_config_tree *tree;
	enum bw_err err = new_tree(&tree, why);

	return err == BW_OK ? finish(tree, bw_config_source_read(path, roots, &tree->source, why), out, why) : err;
}

enum bw_err bw_config_tree_parse(struct bw_slice text, const char *name, struct bw_config_tree **out, struct bw_why *why)
{
	struct bw_config_tree *tree;
	enum bw_err err = new_tree(&tree, why);

	return err == BW_OK ? finish(tree, bw_config_source_parse(text, name, &tree->source, why), out, why) : err;
}

const struct bw_config_node *bw_config_tree_root(const struct bw_config_tree *tree)
{
	return node_of(config_root_setting(&tree->config));
}

enum bw_config_kind bw_config_node_kind(const struct bw_config_node *node)
{
	switch (config_setting_type(setting_of(node))) {
	case CONFIG_TYPE_GROUP:
		return BW_CONFIG_GROUP;
	case CONFIG_TYPE_STRING:
		return BW_CONFIG_TEXT;
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return BW_CONFIG_INTEGER;
	case CONFIG_TYPE_BOOL:
		return BW_CONFIG_BOOLEAN;
	default: /* arrays and lists; source.c lets no floating number through */
		return BW_CONFIG_SERIES;
	}
}

struct bw_slice bw_config_node_name(const struct bw_config_node *node)
{
	return bw_slice_of(config_setting_name(setting_of(node)));
}

struct bw_slice bw_config_node_text(const struct bw_config_node *node)
{
	return bw_slice_of(config_setting_get_string(setting_of(node)));
}

int64_t bw_config_node_integer(const struct bw_config_node *node)
{
	return config_setting_get_int64(setting_of(node));
}

bool bw_config_node_boolean(const struct bw_config_node *node)
{
	return config_setting_get_bool(setting_of(node)) == CONFIG_TRUE;
}

size_t bw_config_node_count(const struct bw_config_node *node)
{
	return config_setting_is_aggregate(setting_of(node)) ? (size_t)config_setting_length(setting_of(node)) : 0;
}

const struct bw_config_node *bw_config_node_at(const struct bw_config_node *node, size_t i)
{
	return node_of(config_setting_get_elem(setting_of(node), (unsigned)i));
}

const struct bw_config_node *bw_config_node_member(const struct bw_config_node *group, struct bw_slice name)
{
	for (size_t i = 0; i < bw_config_node_count(group); i++) {
		const struct bw_config_node *member = bw_config_node_at(group, i);

		if (bw_slice_equal(bw_config_node_name(member), name))
			return member;
	}
	return NULL;
}

const char *bw_config_node_place(const struct bw_config_tree *tree, const struct bw_config_node *node, unsigned *line)
{
	return bw_config_source_place(&tree->source, config_setting_source_line(setting_of(node)), line);
}

enum bw_err bw_config_node_fail(const struct bw_config_tree *tree, const struct bw_config_node *node, struct bw_why *why,
                                enum bw_err err, const char *format, ...)
{
	char text[BW_WHY_BYTES];
	unsigned line;
	const char *file = bw_config_node_place(tree, node, &line);
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return bw_fail(why, err, "%s:%u: %s", file, line, text);
}
