/* Alias files: aliases(5) "name: members", virtual(5) "pattern members", and the files they include.
 *
 * aliases(5): "An entry has the form: name: value1, value2, ...  A logical line starts with non-whitespace text. A line that
 * starts with whitespace continues a logical line. Empty lines and whitespace-only lines are ignored, as are lines whose first
 * non-whitespace character is a `#'." virtual(5) has the same lines, with blanks in place of the colon. A file may mix both. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "members.h"

enum { LINE_BYTES_MAX = 64 << 20, PLACE_BYTES = 4200 };

struct reader {
	struct bw_import *im;
	const char *name; /* of the file */
	struct bw_slice rest;
	size_t next;        /* number of the line at the head of `rest` */
	struct bw_buf line; /* the logical line */
	size_t number;      /* of its first line */
	char place[PLACE_BYTES];
};

/* --- lines --- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct bw_slice peek_line(const struct reader *r)
{
	return bw_slice_head(r->rest, bw_slice_find(r->rest, '\n'));
}

static void skip_line(struct reader *r)
{
	r->rest = bw_slice_from(r->rest, bw_slice_find(r->rest, '\n') + 1);
	r->next++;
}

static bool says_nothing(struct bw_slice line)
{
	line = bw_slice_trim(line);
	return line.n == 0 || line.p[0] == '#';
}

/* Puts the next logical line into r->line; false: there is none. */
static bool next_logical(struct reader *r)
{
	bw_buf_reset(&r->line);
	while (r->rest.n > 0 && says_nothing(peek_line(r)))
		skip_line(r);
	if (r->rest.n == 0)
		return false;
	r->number = r->next;
	snprintf(r->place, sizeof(r->place), "%s:%zu", r->name, r->number);
	bw_buf_add(&r->line, peek_line(r));
	skip_line(r);
	while (r->rest.n > 0 && (says_nothing(peek_line(r)) || is_blank(r->rest.p[0]))) {
		if (!says_nothing(peek_line(r)))
			bw_buf_add(&r->line, peek_line(r));
		skip_line(r);
	}
	return true;
}

/* --- entries --- */

/* The length of the name at the head of a line, with its quotes; a bracket keeps the colons of an address literal together. */
static size_t name_length(struct bw_slice line)
{
	bool quoted = false, literal = false;

	for (size_t i = 0; i < line.n; i++) {
		char c = line.p[i];

		if (c == '\\' && quoted)
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '[' || c == ']'))
			literal = c == '[';
		else if (!quoted && !literal && (c == ':' || is_blank(c)))
			return i;
	}
	return line.n;
}

/* Parts a logical line; false: there is a name and nothing else. */
static bool part(struct bw_slice line, struct bw_slice *name, struct bw_slice *value)
{
	size_t n = name_length(line);

	*name = bw_slice_head(line, n);
	*value = bw_slice_trim(bw_slice_from(line, n));
	/* What begins with a colon in a virtual file is ":include:" or its like. */
	if (value->n > 0 && value->p[0] == ':' && !bw_members_is_word(*value)) {
		*value = bw_slice_trim(bw_slice_from(*value, 1));
		return true;
	}
	return n < line.n && value->n > 0;
}

/* sendmail's "owner-all: boss" says who owns the list "all"; any address will do, so the first one does. */
static enum bw_err note_owner(struct bw_import *im, struct bw_slice name, struct bw_slice value, struct bw_why *why)
{
	char list[BW_IMPORT_ADDRESS_BYTES], owner[BW_IMPORT_ADDRESS_BYTES];
	uint32_t node;
	bool bare;

	if (!bw_slice_starts_nocase(name, BW_S("owner-")) || !bw_import_address(im, bw_slice_from(name, 6), &bare, list) ||
	    !bw_import_address(im, bw_slice_trim(bw_slice_head(value, bw_slice_find(value, ','))), &bare, owner))
		return BW_OK;
	enum bw_err err = bw_import_node(im, bw_slice_of(list), &node, why);
	struct bw_import_detail *detail = err == BW_OK ? bw_import_detail(im, node) : NULL;

	if (err == BW_OK && detail == NULL)
		return bw_import_no_memory(why);
	if (err == BW_OK && detail->owner.n == 0)
		detail->owner = bw_import_keep(im, bw_slice_of(owner));
	return err;
}

/* "@domain people" stands for every address of a domain, and is no list with an address. */
static bool is_list_name(struct reader *r, struct bw_slice name, bool *bare, char address[BW_IMPORT_ADDRESS_BYTES])
{
	if (name.n >= 2 && name.p[0] == '"' && name.p[name.n - 1] == '"')
		name = bw_slice_from(bw_slice_head(name, name.n - 1), 1);
	if (name.n > 0 && name.p[0] == '@') {
		bw_import_note(r->im, "%s: %.*s stands for a whole domain: passed over", r->place, (int)name.n, name.p);
		return false;
	}
	if (bw_import_address(r->im, name, bare, address))
		return true;
	bw_import_note(r->im, "%s: \"%.*s\" is no address: passed over", r->place, (int)(name.n > 100 ? 100 : name.n), name.p);
	return false;
}

static enum bw_err check_domain(const struct reader *r, struct bw_slice name, struct bw_why *why)
{
	if (r->im->rules.domain_count > 0 || bw_slice_find(name, '@') < name.n)
		return BW_OK;
	return bw_fail(why, BW_ERR_INPUT,
	               "%s: %.*s has no domain; --domain DOMAIN says which it is (internal.domains of the configuration names none)",
	               r->place, (int)name.n, name.p);
}

static enum bw_err take_entry(struct reader *r, struct bw_why *why)
{
	struct bw_slice name, value;
	char address[BW_IMPORT_ADDRESS_BYTES];
	uint32_t node;
	bool bare;

	if (r->line.cut)
		return bw_fail(why, BW_ERR_LIMIT, "%s: an entry of more than %d MiB", r->place, LINE_BYTES_MAX >> 20);
	if (!part(bw_buf_slice(&r->line), &name, &value))
		return bw_fail(why, BW_ERR_INPUT,
		               "%s: \"%.*s\" is followed by nothing, expected \"name: members\" or \"address members\"", r->place,
		               (int)(name.n > 100 ? 100 : name.n), name.p);
	enum bw_err err = check_domain(r, name, why);

	if (err == BW_OK)
		err = note_owner(r->im, name, value, why);
	if (err != BW_OK || !is_list_name(r, name, &bare, address))
		return err;
	err = bw_import_node(r->im, bw_slice_of(address), &node, why);
	if (err != BW_OK)
		return err;
	if (!bw_import_begin(r->im, node, BW_IMPORT_LIST, bw_slice_of(r->place))) {
		bw_import_note(r->im, "%s: %s stands there a second time: the first one counts, at %.*s", r->place, address,
		               (int)r->im->nodes[node].place.n, r->im->nodes[node].place.p);
		return BW_OK;
	}
	r->im->nodes[node].bare = bare;
	return bw_members_take(r->im, node, value, r->place, why);
}

enum bw_err bw_import_alias_text(struct bw_import *im, const char *name, struct bw_slice text, struct bw_why *why)
{
	struct reader r = { .im = im, .name = name, .rest = text, .next = 1 };
	enum bw_err err = BW_OK;

	bw_buf_init(&r.line, LINE_BYTES_MAX);
	while (err == BW_OK && next_logical(&r))
		err = take_entry(&r, why);
	bw_buf_done(&r.line);
	return err;
}

/* --- files --- */

/* A line of an included file is what stands behind the colon of an entry; there is no continuation, and a number sign at its
 * beginning makes it a comment. */
static enum bw_err take_included(struct bw_import *im, uint32_t node, struct bw_slice text, struct bw_why *why)
{
	struct bw_slice path = bw_slice_from(im->nodes[node].name, sizeof(":include:") - 1);
	char place[PLACE_BYTES];
	enum bw_err err = BW_OK;

	for (size_t number = 1; err == BW_OK && text.n > 0; number++) {
		size_t end = bw_slice_find(text, '\n');
		struct bw_slice line = bw_slice_head(text, end);

		text = bw_slice_from(text, end + 1);
		if (says_nothing(line))
			continue;
		snprintf(place, sizeof(place), "%.*s:%zu", (int)path.n, path.p, number);
		err = bw_members_take(im, node, line, place, why);
	}
	return err;
}

static enum bw_err read_included(struct bw_import *im, uint32_t node, struct bw_why *why)
{
	char place[PLACE_BYTES];
	struct bw_slice text = { NULL, 0 };

	bw_slice_copy(im->nodes[node].place, place, sizeof(place));
	enum bw_err err = bw_import_read(im->nodes[node].name.p + sizeof(":include:") - 1, place, &text, why);

	im->nodes[node].first = (uint32_t)im->edge_count;
	if (err == BW_OK)
		err = take_included(im, node, text, why);
	free((char *)(uintptr_t)text.p);
	return err;
}

enum bw_err bw_import_read_included(struct bw_import *im, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	while (err == BW_OK && im->pending_read < im->pending_count)
		err = read_included(im, im->pending[im->pending_read++], why);
	return err;
}

enum bw_err bw_import_aliases(struct bw_import *im, const char *const *files, size_t n, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	for (size_t i = 0; err == BW_OK && i < n; i++) {
		struct bw_slice text = { NULL, 0 };

		err = bw_import_read(files[i], "", &text, why);
		if (err == BW_OK)
			err = bw_import_alias_text(im, files[i], text, why);
		free((char *)(uintptr_t)text.p);
	}
	return err;
}
