/* internal.h: what the files of config/ know of each other: rows, conversions, the loading in hand.
 *
 * Layer:     config, its own files only.
 * Threads:   one loading, one thread; tables are constants.
 * Ownership: what ends up in the configuration lives in its arena.
 * Fails:     one sentence with file, line, key and what is allowed.
 */
#ifndef BW_CONFIG_INTERNAL_H
#define BW_CONFIG_INTERNAL_H

#include "bw/arena.h"
#include "bw/config.h"
#include "node.h"

/* One file being loaded into one configuration. */
struct bw_config_loading {
	const struct bw_config_tree *tree;
	struct bw_config *config;
	struct bw_arena *arena;
	struct bw_why *why;
};

/* How a value is read, kept and printed. */
enum bw_config_form {
	BW_FORM_TEXT,      /* char * */
	BW_FORM_TEXTS,     /* char ** and a count */
	BW_FORM_SLICE,     /* struct bw_slice */
	BW_FORM_SLICES,    /* const struct bw_slice * and a count */
	BW_FORM_NETWORKS,  /* struct bw_networks * */
	BW_FORM_COUNT,     /* int64_t */
	BW_FORM_DURATION,  /* int64_t, ms */
	BW_FORM_OCTAL,     /* int64_t */
	BW_FORM_FLAG,      /* bool */
	BW_FORM_CHARACTER, /* char, 0 for "" */
	BW_FORM_MODE,      /* of the settings */
	BW_FORM_SPECIAL,   /* lists, limits and settings: read by functions of their own */
	BW_FORM_COUNT_OF
};

struct bw_config_row {
	struct bw_config_key key;
	enum bw_config_form form;
	size_t offset, count_offset; /* in struct bw_config, or struct bw_list_entry for lists.* */
	int64_t min, max;
	/* Checks one text and writes the form that is kept; false: not allowed. `out` is cut when memory is out. */
	bool (*convert)(const struct bw_config *c, struct bw_slice in, struct bw_buf *out);
};

/* The row of "daemon.socket", or NULL. */
const struct bw_config_row *bw_config_row_find(struct bw_slice name);
const struct bw_config_row *bw_config_row_at(size_t i);
/* Sets one row from a node; `base` is what the row's offsets count from. */
enum bw_err bw_config_row_set(struct bw_config_loading *l, const struct bw_config_row *row, const struct bw_config_node *node,
                              void *base);
/* "KEY: no such key, the nearest is …". `section` is the name before the dot, "" for the outermost. */
enum bw_err bw_config_fail_unknown(struct bw_config_loading *l, const struct bw_config_node *node, struct bw_slice section);
/* "KEY: a text where a group is wanted". */
enum bw_err bw_config_fail_kind(struct bw_config_loading *l, const struct bw_config_node *node, const char *key,
                                const char *wanted);
enum bw_err bw_config_fail_memory(struct bw_config_loading *l);

/* Sections with a shape of their own. */
enum bw_err bw_config_load_tiers(struct bw_config_loading *l, const struct bw_config_node *tiers);
enum bw_err bw_config_load_lists(struct bw_config_loading *l, const struct bw_config_node *lists);
enum bw_err bw_config_load_settings(struct bw_config_loading *l, const struct bw_config_node *settings);
/* The guards' groups in `node`; `prefix` ("huge.", "@a@b.example.", "") goes before GUARD.FIELD. A `tier` has a key "from"
 * beside them. */
enum bw_err bw_config_load_guards(struct bw_config_loading *l, const struct bw_config_node *node, const char *key,
                                  const char *prefix, bool tier);

/* Conversions, see struct bw_config_row. */
bool bw_config_convert_backend(const struct bw_config *c, struct bw_slice in, struct bw_buf *out);
bool bw_config_convert_redis_server(const struct bw_config *c, struct bw_slice in, struct bw_buf *out);
bool bw_config_convert_redis_prefix(const struct bw_config *c, struct bw_slice in, struct bw_buf *out);
bool bw_config_convert_word_or_none(const struct bw_config *c, struct bw_slice in, struct bw_buf *out);
bool bw_config_convert_log(const struct bw_config *c, struct bw_slice in, struct bw_buf *out);
bool bw_config_convert_socket(const struct bw_config *c, struct bw_slice in, struct bw_buf *out);
bool bw_config_convert_path(const struct bw_config *c, struct bw_slice in, struct bw_buf *out);
bool bw_config_convert_path_or_none(const struct bw_config *c, struct bw_slice in, struct bw_buf *out);
bool bw_config_convert_user(const struct bw_config *c, struct bw_slice in, struct bw_buf *out);
bool bw_config_convert_host_or_none(const struct bw_config *c, struct bw_slice in, struct bw_buf *out);
bool bw_config_convert_domain(const struct bw_config *c, struct bw_slice in, struct bw_buf *out);
bool bw_config_convert_word(const struct bw_config *c, struct bw_slice in, struct bw_buf *out);
bool bw_config_convert_certificate(const struct bw_config *c, struct bw_slice in, struct bw_buf *out);
bool bw_config_convert_address(const struct bw_config *c, struct bw_slice in, struct bw_buf *out);
bool bw_config_convert_address_or_none(const struct bw_config *c, struct bw_slice in, struct bw_buf *out);
bool bw_config_convert_list_id(const struct bw_config *c, struct bw_slice in, struct bw_buf *out);
bool bw_config_convert_poster(const struct bw_config *c, struct bw_slice in, struct bw_buf *out);
bool bw_config_is_delimiter(char c);

/* Prints the ranges of a set as "192.0.2.0/24", one call of `each` a range. */
void bw_config_networks_each(const struct bw_networks *n, void (*each)(void *ctx, struct bw_slice range), void *ctx);

#endif
