/* Names, what they expand to, and what is known of them beside that. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { SLOTS_FIRST = 1024, NOTE_BYTES = 600 };

enum bw_err bw_import_no_memory(struct bw_why *why)
{
	return bw_fail(why, BW_ERR_MEMORY, "memory is out, or the source has more than an import takes");
}

enum bw_err bw_import_new(const struct bw_import_rules *rules, struct bw_import **out, struct bw_why *why)
{
	struct bw_import *im = calloc(1, sizeof(*im));
	struct bw_hash random = bw_hash_random();

	if (im != NULL)
		im->texts = bw_arena_new(BW_IMPORT_TEXT_BYTES_MAX);
	if (im == NULL || im->texts == NULL) {
		bw_import_free(&im);
		return bw_import_no_memory(why);
	}
	im->rules = *rules;
	memcpy(im->key.b, random.b, sizeof(im->key.b));
	*out = im;
	return BW_OK;
}

void bw_import_free(struct bw_import **import)
{
	struct bw_import *im = *import;

	*import = NULL;
	if (im == NULL)
		return;
	bw_arena_free(&im->texts);
	free(im->nodes);
	free(im->slots);
	free(im->edges);
	free(im->details);
	free(im->pending);
	free(im->lists);
	for (size_t i = 0; i < BW_IMPORT_NOTES_MAX; i++)
		free(im->notes[i]);
	free(im);
}

enum bw_err bw_import_grow(void **array, size_t *room, size_t count, size_t size, size_t max, const char *what,
                           struct bw_why *why)
{
	if (count < *room)
		return BW_OK;
	if (count >= max)
		return bw_fail(why, BW_ERR_LIMIT, "the source has more than %zu %s, more than an import takes", max, what);
	size_t next = *room + *room / 2 + 64;
	void *grown = realloc(*array, next * size);

	if (grown == NULL)
		return bw_import_no_memory(why);
	*array = grown;
	*room = next;
	return BW_OK;
}

struct bw_slice bw_import_keep(struct bw_import *im, struct bw_slice text)
{
	return text.n == 0 ? BW_S("") : bw_arena_slice(im->texts, text);
}

/* --- the table of names --- */

static size_t slot_of(const struct bw_import *im, struct bw_slice name)
{
	struct bw_hash hash = bw_hash_slice(&im->key, "import", name);
	uint64_t at;

	memcpy(&at, hash.b, sizeof(at));
	at &= im->slot_count - 1;
	while (im->slots[at] != 0 && !bw_slice_equal(im->nodes[im->slots[at] - 1].name, name))
		at = (at + 1) & (im->slot_count - 1);
	return (size_t)at;
}

/* At most half full. */
static enum bw_err widen(struct bw_import *im, struct bw_why *why)
{
	size_t count = im->slot_count == 0 ? SLOTS_FIRST : im->slot_count * 2;

	if (im->node_count < im->slot_count / 2)
		return BW_OK;
	uint32_t *slots = calloc(count, sizeof(*slots));

	if (slots == NULL)
		return bw_import_no_memory(why);
	free(im->slots);
	im->slots = slots;
	im->slot_count = count;
	for (size_t i = 0; i < im->node_count; i++)
		im->slots[slot_of(im, im->nodes[i].name)] = (uint32_t)i + 1;
	return BW_OK;
}

uint32_t bw_import_find(const struct bw_import *im, struct bw_slice name)
{
	return im->slot_count == 0 ? BW_IMPORT_NONE : im->slots[slot_of(im, name)] - 1; /* 0 - 1 is BW_IMPORT_NONE */
}

enum bw_err bw_import_node(struct bw_import *im, struct bw_slice name, uint32_t *out, struct bw_why *why)
{
	enum bw_err err = widen(im, why);

	if (err == BW_OK)
		err = bw_import_grow((void **)&im->nodes, &im->node_room, im->node_count, sizeof(*im->nodes), BW_IMPORT_NAMES_MAX,
		                     "names", why);
	if (err != BW_OK)
		return err;
	size_t slot = slot_of(im, name);

	if (im->slots[slot] == 0) {
		struct bw_slice kept = bw_import_keep(im, name);

		if (kept.n != name.n)
			return bw_import_no_memory(why);
		im->nodes[im->node_count] = (struct bw_import_node){ .name = kept, .size = -1, .detail = BW_IMPORT_NONE };
		im->slots[slot] = (uint32_t)++im->node_count;
	}
	*out = im->slots[slot] - 1;
	return BW_OK;
}

/* --- members --- */

bool bw_import_begin(struct bw_import *im, uint32_t node, enum bw_import_node_kind kind, struct bw_slice place)
{
	struct bw_import_node *n = &im->nodes[node];

	if (n->kind != BW_IMPORT_LEAF)
		return false;
	n->kind = kind;
	n->first = (uint32_t)im->edge_count;
	n->place = bw_import_keep(im, place);
	return true;
}

enum bw_err bw_import_member(struct bw_import *im, uint32_t list, uint32_t member, struct bw_why *why)
{
	enum bw_err err = bw_import_grow((void **)&im->edges, &im->edge_room, im->edge_count, sizeof(*im->edges), BW_IMPORT_EDGES_MAX,
	                                 "members", why);

	if (err != BW_OK)
		return err;
	im->edges[im->edge_count++] = member;
	im->nodes[list].count++;
	return BW_OK;
}

enum bw_err bw_import_member_named(struct bw_import *im, uint32_t list, struct bw_slice name, struct bw_why *why)
{
	uint32_t member;
	enum bw_err err = bw_import_node(im, name, &member, why);

	return err == BW_OK ? bw_import_member(im, list, member, why) : err;
}

struct bw_import_detail *bw_import_detail(struct bw_import *im, uint32_t node)
{
	if (im->nodes[node].detail == BW_IMPORT_NONE) {
		if (bw_import_grow((void **)&im->details, &im->detail_room, im->detail_count, sizeof(*im->details), BW_IMPORT_LISTS_MAX,
		                   "lists", NULL) != BW_OK)
			return NULL;
		im->details[im->detail_count] = (struct bw_import_detail){ .address_count = 0 };
		im->nodes[node].detail = (uint32_t)im->detail_count++;
	}
	return &im->details[im->nodes[node].detail];
}

bool bw_import_address(const struct bw_import *im, struct bw_slice raw, bool *bare, char out[BW_IMPORT_ADDRESS_BYTES])
{
	char whole[BW_IMPORT_ADDRESS_BYTES];

	*bare = bw_slice_find(raw, '@') == raw.n;
	if (!*bare)
		return im->rules.normalise(im->rules.ctx, raw, out);
	if (im->rules.domain_count == 0 || raw.n == 0)
		return false;
	int n = snprintf(whole, sizeof(whole), "%.*s@%s", (int)raw.n, raw.p, im->rules.domains[0]);

	return n > 0 && (size_t)n < sizeof(whole) && im->rules.normalise(im->rules.ctx, bw_slice_of(whole), out);
}

/* --- notes --- */

void bw_import_note(struct bw_import *im, const char *format, ...)
{
	char text[NOTE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (im->note_count < BW_IMPORT_NOTES_MAX)
		im->notes[im->note_count] = bw_slice_dup(bw_slice_of(text));
	im->note_count++;
}

size_t bw_import_note_count(const struct bw_import *im)
{
	return im->note_count;
}

const char *bw_import_note_at(const struct bw_import *im, size_t i)
{
	return i < BW_IMPORT_NOTES_MAX && i < im->note_count ? im->notes[i] : NULL;
}
