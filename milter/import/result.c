/* From names to lists: sizes, the address or addresses of each, their order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "members.h"

/* --- the same name in several domains --- */

static bool split_address(struct bw_slice address, struct bw_slice *local, struct bw_slice *domain)
{
	size_t at = address.n;

	while (at > 0 && address.p[at - 1] != '@')
		at--;
	if (at == 0)
		return false;
	*local = bw_slice_head(address, at - 1);
	*domain = bw_slice_from(address, at);
	return true;
}

static bool in_domain(const struct bw_import *im, struct bw_slice local, size_t domain, char out[BW_IMPORT_ADDRESS_BYTES])
{
	char whole[BW_IMPORT_ADDRESS_BYTES];
	int n = snprintf(whole, sizeof(whole), "%.*s@%s", (int)local.n, local.p, im->rules.domains[domain]);

	return n > 0 && (size_t)n < sizeof(whole) && im->rules.normalise(im->rules.ctx, bw_slice_of(whole), out);
}

/* A member all@second.example is the alias "all", when that domain is one of the rules and has no all of its own. */
static enum bw_err join_domains(struct bw_import *im, uint32_t node, struct bw_why *why)
{
	struct bw_slice local, domain;
	char address[BW_IMPORT_ADDRESS_BYTES], first[BW_IMPORT_ADDRESS_BYTES];

	if (im->nodes[node].kind != BW_IMPORT_LEAF || !split_address(im->nodes[node].name, &local, &domain))
		return BW_OK;
	for (size_t i = 1; i < im->rules.domain_count; i++) {
		if (!in_domain(im, local, i, address) || !bw_slice_equal(bw_slice_of(address), im->nodes[node].name) ||
		    !in_domain(im, local, 0, first))
			continue;
		uint32_t same = bw_import_find(im, bw_slice_of(first));

		if (same == BW_IMPORT_NONE || !im->nodes[same].bare)
			return BW_OK;
		bw_import_begin(im, node, BW_IMPORT_STEP, im->nodes[same].place);
		return bw_import_member(im, node, same, why);
	}
	return BW_OK;
}

/* --- lists --- */

static enum bw_err add(struct bw_import *im, const struct bw_import_node *node, struct bw_slice address, struct bw_why *why)
{
	static const struct bw_import_detail none;
	const struct bw_import_detail *detail = node->detail == BW_IMPORT_NONE ? &none : &im->details[node->detail];
	enum bw_err err = bw_import_grow((void **)&im->lists, &im->list_room, im->list_count, sizeof(*im->lists), BW_IMPORT_LISTS_MAX,
	                                 "lists", why);

	if (err != BW_OK)
		return err;
	im->lists[im->list_count++] = (struct bw_import_list){
		.address = address,
		.size = node->size,
		.owner = detail->owner,
		.list_id = detail->list_id,
		.posters = detail->posters,
		.place = node->place,
		.slight = !node->listed && node->size < 2,
	};
	return BW_OK;
}

static enum bw_err add_in_other_domains(struct bw_import *im, const struct bw_import_node *node, struct bw_why *why)
{
	struct bw_slice local, domain;
	char address[BW_IMPORT_ADDRESS_BYTES];
	enum bw_err err = BW_OK;

	if (!split_address(node->name, &local, &domain))
		return BW_OK;
	for (size_t i = 1; err == BW_OK && i < im->rules.domain_count; i++) {
		if (!in_domain(im, local, i, address))
			continue;
		uint32_t own = bw_import_find(im, bw_slice_of(address));
		struct bw_slice kept = bw_import_keep(im, bw_slice_of(address));

		if (kept.n == 0)
			err = bw_import_no_memory(why);
		else if (own == BW_IMPORT_NONE || im->nodes[own].kind != BW_IMPORT_LIST)
			err = add(im, node, kept, why);
	}
	return err;
}

static enum bw_err add_node(struct bw_import *im, const struct bw_import_node *node, struct bw_why *why)
{
	const struct bw_import_detail *detail = node->detail == BW_IMPORT_NONE ? NULL : &im->details[node->detail];
	enum bw_err err = BW_OK;

	if (node->kind != BW_IMPORT_LIST)
		return BW_OK;
	if (detail == NULL || detail->address_count == 0)
		err = add(im, node, node->name, why);
	for (size_t i = 0; err == BW_OK && detail != NULL && i < detail->address_count; i++)
		err = add(im, node, detail->addresses[i], why);
	return err == BW_OK && node->bare ? add_in_other_domains(im, node, why) : err;
}

/* Of two that share an address the larger stands first. */
static int compare(const void *a, const void *b)
{
	const struct bw_import_list *x = a, *y = b;
	int order = bw_slice_compare(x->address, y->address);

	return order != 0 ? order : (x->size < y->size) - (x->size > y->size);
}

static void drop_doubles(struct bw_import *im)
{
	size_t kept = 0;

	for (size_t i = 0; i < im->list_count; i++) {
		const struct bw_import_list *list = &im->lists[i], *before = kept > 0 ? &im->lists[kept - 1] : NULL;

		if (before == NULL || !bw_slice_equal(before->address, list->address)) {
			im->lists[kept++] = *list;
			continue;
		}
		bw_import_note(im, "%.*s: %.*s is there, too: the larger one counts, at %.*s", (int)list->place.n, list->place.p,
		               (int)list->address.n, list->address.p, (int)before->place.n, before->place.p);
	}
	im->list_count = kept;
}

/* More members than there are people is an error, whoever says so. */
static enum bw_err check_sizes(const struct bw_import *im, struct bw_why *why)
{
	for (size_t i = 0; i < im->list_count; i++) {
		const struct bw_import_list *list = &im->lists[i];

		if (list->size < 0 || list->size > BW_IMPORT_SIZE_MAX)
			return bw_fail(why, BW_ERR_RANGE, "%.*s: %.*s with %lld members: out of range, allowed: 0 to %lld",
			               (int)list->place.n, list->place.p, (int)list->address.n, list->address.p, (long long)list->size,
			               (long long)BW_IMPORT_SIZE_MAX);
	}
	return BW_OK;
}

enum bw_err bw_import_finish(struct bw_import *im, struct bw_why *why)
{
	enum bw_err err = bw_import_read_included(im, why);

	for (size_t i = 0; err == BW_OK && im->rules.domain_count > 1 && i < im->node_count; i++)
		err = join_domains(im, (uint32_t)i, why);
	if (err == BW_OK)
		err = bw_import_count_members(im, why);
	for (size_t i = 0; err == BW_OK && i < im->node_count; i++)
		err = add_node(im, &im->nodes[i], why);
	if (err == BW_OK)
		err = check_sizes(im, why);
	if (err != BW_OK)
		return err;
	if (im->list_count > 0)
		qsort(im->lists, im->list_count, sizeof(*im->lists), compare);
	drop_doubles(im);
	return BW_OK;
}

size_t bw_import_count(const struct bw_import *im)
{
	return im->list_count;
}

const struct bw_import_list *bw_import_at(const struct bw_import *im, size_t i)
{
	return &im->lists[i];
}
