/* Who is reached: cycles are found first, then every list counts its leaves, each once.
 *
 * Both walks keep their own stack, so that no nesting is too deep for them. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Members looked at before an import is given up: minutes of work, which only a source made for that purpose asks for. */
#define WORK_MAX INT64_C(4000000000)

struct walk {
	struct bw_import *im;
	uint32_t *stack; /* nodes */
	uint32_t *at;    /* beside it, the next member of each */
	uint32_t *marks; /* one a node */
	uint32_t *order; /* whatever has members, behind its members */
	size_t ordered;
	size_t depth;
	int64_t work;
};

static enum bw_err start(struct walk *w, struct bw_import *im, struct bw_why *why)
{
	*w = (struct walk){ .im = im };
	w->stack = calloc(3 * im->node_count + 3, sizeof(*w->stack));
	w->marks = calloc(im->node_count + 1, sizeof(*w->marks));
	if (w->stack == NULL || w->marks == NULL)
		return bw_import_no_memory(why);
	w->at = w->stack + im->node_count + 1;
	w->order = w->at + im->node_count + 1;
	return BW_OK;
}

static void end(struct walk *w)
{
	free(w->stack);
	free(w->marks);
}

static void push(struct walk *w, uint32_t node)
{
	w->stack[w->depth] = node;
	w->at[w->depth++] = 0;
}

/* --- cycles --- */

enum { UNSEEN, OPEN, CLOSED };

/* "a -> b -> a", and where a stands. */
static enum bw_err cycle(const struct walk *w, uint32_t again, struct bw_why *why)
{
	const struct bw_import_node *nodes = w->im->nodes;
	size_t from = w->depth;
	struct bw_buf text;

	while (from > 0 && w->stack[from - 1] != again)
		from--;
	bw_buf_init(&text, BW_WHY_BYTES);
	for (size_t i = from - 1; i < w->depth; i++)
		bw_buf_printf(&text, "%.*s -> ", (int)nodes[w->stack[i]].name.n, nodes[w->stack[i]].name.p);
	bw_buf_add(&text, nodes[again].name);
	enum bw_err err =
		bw_fail(why, BW_ERR_INPUT, "%.*s: a cycle: %s", (int)nodes[again].place.n, nodes[again].place.p, bw_buf_text(&text));

	bw_buf_done(&text);
	return err;
}

static enum bw_err look_for_cycles(struct walk *w, uint32_t root, struct bw_why *why)
{
	const struct bw_import *im = w->im;

	if (w->marks[root] != UNSEEN || im->nodes[root].kind == BW_IMPORT_LEAF)
		return BW_OK;
	w->marks[root] = OPEN;
	push(w, root);
	while (w->depth > 0) {
		uint32_t node = w->stack[w->depth - 1], *at = &w->at[w->depth - 1];

		if (*at == im->nodes[node].count) {
			w->marks[node] = CLOSED;
			w->order[w->ordered++] = node;
			w->depth--;
			continue;
		}
		uint32_t member = im->edges[im->nodes[node].first + (*at)++];

		if (w->marks[member] == OPEN)
			return cycle(w, member, why);
		if (w->marks[member] == CLOSED || im->nodes[member].kind == BW_IMPORT_LEAF)
			continue;
		w->marks[member] = OPEN;
		push(w, member);
	}
	return BW_OK;
}

/* --- sizes --- */

/* A name for another list has that list's size; chains of names are followed without a walk. */
static bool take_size_of_only_member(struct bw_import *im, struct bw_import_node *node)
{
	const struct bw_import_node *member = node->count == 1 ? &im->nodes[im->edges[node->first]] : NULL;

	if (member == NULL || member->kind == BW_IMPORT_LEAF || member->size < 0)
		return false;
	node->size = member->size;
	return true;
}

/* Marks are the root's number plus one, so nothing has to be cleared between walks. Sets the size of `root`. */
static enum bw_err count_leaves(struct walk *w, uint32_t root, struct bw_why *why)
{
	struct bw_import *im = w->im;
	int64_t leaves = 0;

	w->depth = 0;
	push(w, root);
	while (w->depth > 0) {
		const struct bw_import_node *node = &im->nodes[w->stack[--w->depth]];

		w->work += node->count;
		for (uint32_t i = 0; i < node->count; i++) {
			uint32_t member = im->edges[node->first + i];

			if (w->marks[member] == root + 1)
				continue;
			w->marks[member] = root + 1;
			if (im->nodes[member].kind == BW_IMPORT_LEAF)
				leaves++;
			else
				push(w, member);
		}
	}
	if (w->work > WORK_MAX)
		return bw_fail(why, BW_ERR_LIMIT, "the lists contain one another so often that counting them would take too long");
	im->nodes[root].size = leaves;
	return BW_OK;
}

enum bw_err bw_import_count_members(struct bw_import *im, struct bw_why *why)
{
	struct walk w;
	enum bw_err err = start(&w, im, why);

	for (size_t i = 0; err == BW_OK && i < im->node_count; i++)
		err = look_for_cycles(&w, (uint32_t)i, why);
	if (err == BW_OK)
		memset(w.marks, 0, im->node_count * sizeof(*w.marks));
	for (size_t i = 0; err == BW_OK && i < w.ordered; i++) {
		struct bw_import_node *node = &im->nodes[w.order[i]];

		if (node->size < 0 && !take_size_of_only_member(im, node) && node->kind == BW_IMPORT_LIST)
			err = count_leaves(&w, w.order[i], why);
	}
	end(&w);
	return err;
}
