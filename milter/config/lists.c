/* The lists of the file. */
#include <stdio.h>
#include <stdlib.h>

#include "bw/mail.h"
#include "internal.h"

static enum bw_err fail_missing(struct bw_config_loading *l, const struct bw_config_node *node, const char *key,
                                const struct bw_list_entry *entry)
{
	const struct bw_config_row *row = bw_config_row_find(bw_slice_of(key));

	if (entry->address.n == 0)
		return bw_config_node_fail(l->tree, node, l->why, BW_ERR_INPUT, "%s: missing, allowed: %s", key, row->key.range);
	return bw_config_node_fail(l->tree, node, l->why, BW_ERR_INPUT, "%s: missing for %s, allowed: %s", key, entry->address.p,
	                           row->key.range);
}

static enum bw_err load_members(struct bw_config_loading *l, const struct bw_config_node *node, struct bw_list_entry *entry)
{
	enum bw_err err = BW_OK;

	for (size_t i = 0; err == BW_OK && i < bw_config_node_count(node); i++) {
		const struct bw_config_node *member = bw_config_node_at(node, i);
		struct bw_slice name = bw_config_node_name(member);
		char key[64];

		snprintf(key, sizeof(key), "lists.%.*s", (int)(name.n < 40 ? name.n : 40), name.p);
		const struct bw_config_row *row = bw_config_row_find(bw_slice_of(key));

		if (row == NULL)
			err = bw_config_fail_unknown(l, member, BW_S("lists"));
		else if (row->form != BW_FORM_SPECIAL)
			err = bw_config_row_set(l, row, member, entry);
	}
	return err;
}

static enum bw_err load_list(struct bw_config_loading *l, const struct bw_config_node *node, struct bw_list_entry *entry)
{
	char prefix[BW_ADDRESS_MAX + 4];

	if (bw_config_node_kind(node) != BW_CONFIG_GROUP)
		return bw_config_fail_kind(l, node, "lists", "a group");
	entry->source = BW_SOURCE_CONFIG;
	enum bw_err err = load_members(l, node, entry);

	if (err == BW_OK && entry->address.n == 0)
		err = fail_missing(l, node, "lists.address", entry);
	if (err == BW_OK && entry->size == 0)
		err = fail_missing(l, node, "lists.size", entry);
	if (err == BW_OK && entry->poster_count > BW_LIST_POSTERS_MAX)
		err = bw_config_node_fail(l->tree, node, l->why, BW_ERR_LIMIT, "lists.posters: %zu for %s are too many, at most %d",
		                          entry->poster_count, entry->address.p, BW_LIST_POSTERS_MAX);
	const struct bw_config_node *limits = err == BW_OK ? bw_config_node_member(node, BW_S("limits")) : NULL;

	if (limits != NULL) {
		snprintf(prefix, sizeof(prefix), "@%s.", entry->address.p);
		err = bw_config_load_guards(l, limits, "lists.limits", prefix, false);
	}
	return err;
}

/* --- no list twice --- */

static int compare_entries(const void *a, const void *b)
{
	const struct bw_list_entry *x = *(const struct bw_list_entry *const *)a, *y = *(const struct bw_list_entry *const *)b;
	int order = bw_slice_compare(x->address, y->address);

	/* Among equals the one that stands first in the file: both lie in one array. */
	return order != 0 ? order : (x > y) - (x < y);
}

static enum bw_err fail_double(struct bw_config_loading *l, const struct bw_config_node *lists, size_t first, size_t second)
{
	unsigned line;
	const char *file = bw_config_node_place(l->tree, bw_config_node_at(lists, first), &line);

	return bw_config_node_fail(l->tree, bw_config_node_at(lists, second), l->why, BW_ERR_EXISTS,
	                           "lists.address: %s is here for the second time, first in %s:%u", l->config->lists[first].address.p,
	                           file, line);
}

static enum bw_err check_doubles(struct bw_config_loading *l, const struct bw_config_node *lists)
{
	const struct bw_list_entry *all = l->config->lists;
	size_t n = l->config->list_count;
	const struct bw_list_entry **sorted = calloc(n + 1, sizeof(*sorted));
	enum bw_err err = BW_OK;

	if (sorted == NULL)
		return bw_config_fail_memory(l);
	for (size_t i = 0; i < n; i++)
		sorted[i] = &all[i];
	qsort(sorted, n, sizeof(*sorted), compare_entries);
	for (size_t i = 1; err == BW_OK && i < n; i++) {
		if (bw_slice_equal(sorted[i - 1]->address, sorted[i]->address))
			err = fail_double(l, lists, (size_t)(sorted[i - 1] - all), (size_t)(sorted[i] - all));
	}
	free(sorted);
	return err;
}

enum bw_err bw_config_load_lists(struct bw_config_loading *l, const struct bw_config_node *lists)
{
	enum bw_err err = BW_OK;

	if (bw_config_node_kind(lists) != BW_CONFIG_SERIES)
		return bw_config_fail_kind(l, lists, "lists", "a list of groups");
	size_t n = bw_config_node_count(lists);

	l->config->lists = bw_arena_alloc(l->arena, (n + 1) * sizeof(*l->config->lists));
	if (l->config->lists == NULL)
		return bw_config_fail_memory(l);
	l->config->list_count = n;
	for (size_t i = 0; err == BW_OK && i < n; i++)
		err = load_list(l, bw_config_node_at(lists, i), &l->config->lists[i]);
	return err == BW_OK ? check_doubles(l, lists) : err;
}
