/* node.h: a parsed configuration as a tree, free of libconfig's types.
 *
 * Layer:     config, its own files only; loader.c alone knows libconfig.
 * Threads:   one tree, one thread.
 * Ownership: nodes and their texts live as long as the tree.
 * Fails:     only bw_config_tree_read() and _parse(); a question to a node of the wrong kind has an empty answer.
 */
#ifndef BW_CONFIG_NODE_H
#define BW_CONFIG_NODE_H

#include "bw/err.h"
#include "bw/slice.h"

enum bw_config_kind {
	BW_CONFIG_GROUP,  /* { name = value; … } */
	BW_CONFIG_SERIES, /* [ … ] or ( … ) */
	BW_CONFIG_TEXT,
	BW_CONFIG_INTEGER,
	BW_CONFIG_BOOLEAN,
	BW_CONFIG_KIND_COUNT
};

struct bw_config_tree;
struct bw_config_node; /* never defined: libconfig's own behind it */

enum bw_err bw_config_tree_read(const char *path, bool roots, struct bw_config_tree **out, struct bw_why *why);
enum bw_err bw_config_tree_parse(struct bw_slice text, const char *name, struct bw_config_tree **out, struct bw_why *why);
void bw_config_tree_free(struct bw_config_tree **tree);
const struct bw_config_node *bw_config_tree_root(const struct bw_config_tree *tree);

enum bw_config_kind bw_config_node_kind(const struct bw_config_node *node);
struct bw_slice bw_config_node_name(const struct bw_config_node *node); /* "" in a series */
struct bw_slice bw_config_node_text(const struct bw_config_node *node);
int64_t bw_config_node_integer(const struct bw_config_node *node);
bool bw_config_node_boolean(const struct bw_config_node *node);
size_t bw_config_node_count(const struct bw_config_node *node); /* of what a group or series holds */
const struct bw_config_node *bw_config_node_at(const struct bw_config_node *node, size_t i);
const struct bw_config_node *bw_config_node_member(const struct bw_config_node *group, struct bw_slice name); /* NULL: none */
/* File and line it stands in. */
const char *bw_config_node_place(const struct bw_config_tree *tree, const struct bw_config_node *node, unsigned *line);
/* "FILE:LINE: …": the whole of a failure. */
enum bw_err bw_config_node_fail(const struct bw_config_tree *tree, const struct bw_config_node *node, struct bw_why *why,
                                enum bw_err err, const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
