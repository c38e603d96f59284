/* CSV files: ADDRESS,SIZE[,OWNER[,LIST-ID[,POSTERS]]].
 *
 * RFC 4180 section 2: records end with a line break; "fields containing line breaks (CRLF), double quotes, and commas should be
 * enclosed in double-quotes. If double-quotes are used to enclose fields, then a double-quote appearing inside a field must be
 * escaped by preceding it with another double quote." */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bw/parse.h"
#include "internal.h"

enum column { COLUMN_ADDRESS, COLUMN_SIZE, COLUMN_OWNER, COLUMN_LIST_ID, COLUMN_POSTERS, COLUMN_COUNT };
enum { FIELD_BYTES_MAX = 256 * 1024, PLACE_BYTES = 4200, LIST_ID_BYTES_MAX = 255 };

static const char *const names[COLUMN_COUNT] = { "address", "size", "owner", "list-id", "posters" };

struct reader {
	struct bw_import *im;
	const char *name;
	struct bw_slice rest;
	size_t line;   /* where `rest` begins */
	size_t number; /* where the record began */
	char place[PLACE_BYTES];
	struct bw_buf fields[COLUMN_COUNT];
	size_t count;                    /* fields of the record; blank lines have none */
	enum column order[COLUMN_COUNT]; /* which column each field is */
	size_t columns;                  /* of the heading; 0: none */
};

static enum bw_err fail_at(const struct reader *r, const char *what, struct bw_why *why)
{
	return bw_fail(why, BW_ERR_INPUT, "%s: %s", r->place, what);
}

static char take(struct reader *r)
{
	char c = r->rest.p[0];

	r->rest = bw_slice_from(r->rest, 1);
	r->line += c == '\n';
	return c;
}

static bool at_end_of_line(const struct reader *r)
{
	return r->rest.n == 0 || r->rest.p[0] == '\n' || (r->rest.p[0] == '\r' && r->rest.n > 1 && r->rest.p[1] == '\n');
}

static enum bw_err read_quoted(struct reader *r, struct bw_buf *out, struct bw_why *why)
{
	take(r);
	for (;;) {
		if (r->rest.n == 0)
			return fail_at(r, "a quote is opened and never closed", why);
		char c = take(r);

		if (c == '"' && (r->rest.n == 0 || r->rest.p[0] != '"'))
			break;
		if (c == '"')
			take(r);
		bw_buf_add_char(out, c);
	}
	if (!at_end_of_line(r) && r->rest.p[0] != ',')
		return fail_at(r, "text behind a closing quote", why);
	return BW_OK;
}

static enum bw_err read_plain(struct reader *r, struct bw_buf *out, struct bw_why *why)
{
	while (!at_end_of_line(r) && r->rest.p[0] != ',') {
		if (r->rest.p[0] == '"')
			return fail_at(r, "a quote within a field that is not quoted", why);
		bw_buf_add_char(out, take(r));
	}
	return BW_OK;
}

/* Reads one record; r->rest must not be empty. */
static enum bw_err read_record(struct reader *r, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	r->number = r->line;
	r->count = 0;
	snprintf(r->place, sizeof(r->place), "%s:%zu", r->name, r->number);
	while (err == BW_OK && (r->count > 0 || !at_end_of_line(r))) {
		if (r->count == COLUMN_COUNT)
			return fail_at(r, "more than five fields, expected address,size,owner,list-id,posters", why);
		struct bw_buf *field = &r->fields[r->count++];

		bw_buf_reset(field);
		err = r->rest.n > 0 && r->rest.p[0] == '"' ? read_quoted(r, field, why) : read_plain(r, field, why);
		if (err == BW_OK && field->cut)
			err = fail_at(r, "a field of more than 256 KiB", why);
		if (at_end_of_line(r))
			break;
		if (err == BW_OK)
			take(r); /* the comma */
	}
	while (err == BW_OK && r->rest.n > 0 && take(r) != '\n')
		continue;
	return err;
}

/* --- fields --- */

static struct bw_slice field(const struct reader *r, enum column column)
{
	for (size_t i = 0; i < r->count; i++) {
		if (r->order[i] == column)
			return bw_slice_trim(bw_buf_slice(&r->fields[i]));
	}
	return BW_S("");
}

static enum bw_err read_heading(struct reader *r, struct bw_why *why)
{
	bool seen[COLUMN_COUNT] = { false };

	for (size_t i = 0; i < r->count; i++) {
		struct bw_slice name = bw_slice_trim(bw_buf_slice(&r->fields[i]));
		size_t column = 0;

		while (column < COLUMN_COUNT && !bw_slice_equal_nocase(name, bw_slice_of(names[column])))
			column++;
		if (column == COLUMN_COUNT || seen[column])
			return bw_fail(why, BW_ERR_INPUT,
			               "%s: \"%.*s\" is no column, or there twice; known: address, size, owner, list-id, posters", r->place,
			               (int)(name.n > 100 ? 100 : name.n), name.p);
		seen[column] = true;
		r->order[i] = (enum column)column;
	}
	r->columns = r->count;
	return seen[COLUMN_SIZE] ? BW_OK : fail_at(r, "the heading has no column size", why);
}

static enum bw_err read_size(const struct reader *r, struct bw_slice text, int64_t *out, struct bw_why *why)
{
	if (!bw_parse_int(text, out) || *out < 0 || *out > BW_IMPORT_SIZE_MAX)
		return bw_fail(why, BW_ERR_RANGE, "%s: size \"%.*s\" is out of range, allowed: a number from 0 to 1,000,000,000",
		               r->place, (int)(text.n > 60 ? 60 : text.n), text.p);
	return BW_OK;
}

/* RFC 2919 section 3, with or without its < >. */
static enum bw_err read_list_id(struct reader *r, struct bw_slice text, struct bw_slice *out, struct bw_why *why)
{
	char id[LIST_ID_BYTES_MAX + 1];

	if (text.n > 2 && text.p[0] == '<' && text.p[text.n - 1] == '>')
		text = bw_slice_from(bw_slice_head(text, text.n - 1), 1);
	if (text.n > LIST_ID_BYTES_MAX)
		return fail_at(r, "a List-Id of more than 255 bytes", why);
	for (size_t i = 0; i < text.n; i++) {
		if ((unsigned char)text.p[i] <= ' ' || text.p[i] == 0x7F || text.p[i] == '<' || text.p[i] == '>')
			return bw_fail(why, BW_ERR_INPUT, "%s: \"%.*s\" is no List-Id, expected one word such as all.example.org", r->place,
			               (int)text.n, text.p);
		id[i] = (char)tolower((unsigned char)text.p[i]);
	}
	*out = bw_import_keep(r->im, (struct bw_slice){ id, text.n });
	return BW_OK;
}

/* Parted by semicolons or blanks. */
static enum bw_err read_posters(struct reader *r, struct bw_slice text, struct bw_slice *out, struct bw_why *why)
{
	struct bw_buf all;
	enum bw_err err = BW_OK;

	bw_buf_init(&all, FIELD_BYTES_MAX);
	while (err == BW_OK && text.n > 0) {
		size_t n = 0;

		while (n < text.n && strchr("; \t\r\n", text.p[n]) == NULL)
			n++;
		struct bw_slice one = bw_slice_head(text, n);

		text = bw_slice_from(text, n + 1);
		if (one.n == 0)
			continue;
		if (all.n > 0)
			bw_buf_add_char(&all, ',');
		if (bw_slice_find(one, ',') < one.n || !r->im->rules.identify(r->im->rules.ctx, one, &all))
			err = bw_fail(why, BW_ERR_INPUT,
			              "%s: \"%.*s\" is no poster, expected NAME, auth:NAME@REALM, cert:NAME or inside:ADDRESS", r->place,
			              (int)(one.n > 100 ? 100 : one.n), one.p);
	}
	if (err == BW_OK && all.cut)
		err = fail_at(r, "more posters than a list can have", why);
	if (err == BW_OK)
		*out = bw_import_keep(r->im, bw_buf_slice(&all));
	bw_buf_done(&all);
	return err;
}

static enum bw_err read_address(const struct reader *r, struct bw_slice text, char out[BW_IMPORT_ADDRESS_BYTES],
                                struct bw_why *why)
{
	bool bare;

	if (bw_import_address(r->im, text, &bare, out))
		return BW_OK;
	return bw_fail(why, BW_ERR_INPUT, "%s: \"%.*s\" is no address, expected local@domain", r->place,
	               (int)(text.n > 100 ? 100 : text.n), text.p);
}

/* --- records --- */

static enum bw_err read_texts(struct reader *r, uint32_t node, struct bw_why *why)
{
	struct bw_slice owner = field(r, COLUMN_OWNER), id = field(r, COLUMN_LIST_ID), posters = field(r, COLUMN_POSTERS);
	struct bw_import_detail read = { .address_count = 0 }, *detail;
	char address[BW_IMPORT_ADDRESS_BYTES];
	enum bw_err err = BW_OK;

	if (owner.n + id.n + posters.n == 0)
		return BW_OK;
	if (owner.n > 0)
		err = read_address(r, owner, address, why);
	if (err == BW_OK && owner.n > 0)
		read.owner = bw_import_keep(r->im, bw_slice_of(address));
	if (err == BW_OK)
		err = read_list_id(r, id, &read.list_id, why);
	if (err == BW_OK)
		err = read_posters(r, posters, &read.posters, why);
	if (err != BW_OK)
		return err;
	detail = bw_import_detail(r->im, node);
	if (detail == NULL)
		return bw_import_no_memory(why);
	*detail = read;
	return BW_OK;
}

static enum bw_err take_list(struct reader *r, struct bw_why *why)
{
	char address[BW_IMPORT_ADDRESS_BYTES];
	int64_t size = 0;
	uint32_t node;

	if (field(r, COLUMN_ADDRESS).n == 0 || field(r, COLUMN_SIZE).n == 0)
		return fail_at(r, "a field is missing, expected address,size[,owner[,list-id[,posters]]]", why);
	if (r->columns > 0 && r->count > r->columns)
		return fail_at(r, "more fields than the heading has columns", why);
	enum bw_err err = read_address(r, field(r, COLUMN_ADDRESS), address, why);

	if (err == BW_OK)
		err = read_size(r, field(r, COLUMN_SIZE), &size, why);
	if (err == BW_OK)
		err = bw_import_node(r->im, bw_slice_of(address), &node, why);
	if (err != BW_OK)
		return err;
	if (!bw_import_begin(r->im, node, BW_IMPORT_LIST, bw_slice_of(r->place)))
		return bw_fail(why, BW_ERR_INPUT, "%s: %s is there twice, first at %.*s", r->place, address,
		               (int)r->im->nodes[node].place.n, r->im->nodes[node].place.p);
	r->im->nodes[node].size = size;
	r->im->nodes[node].listed = true;
	return read_texts(r, node, why);
}

enum bw_err bw_import_csv_text(struct bw_import *im, const char *name, struct bw_slice text, struct bw_why *why)
{
	struct reader r = { .im = im, .name = name, .rest = text, .line = 1 };
	bool first = true;
	enum bw_err err = BW_OK;

	if (bw_slice_starts_nocase(text, BW_S("\xEF\xBB\xBF"))) /* spreadsheets put a byte order mark before UTF-8 */
		r.rest = bw_slice_from(text, 3);
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		bw_buf_init(&r.fields[i], FIELD_BYTES_MAX);
		r.order[i] = (enum column)i;
	}
	while (err == BW_OK && r.rest.n > 0) {
		err = read_record(&r, why);
		if (err != BW_OK || r.count == 0)
			continue;
		if (first && bw_slice_equal_nocase(bw_slice_trim(bw_buf_slice(&r.fields[0])), bw_slice_of(names[COLUMN_ADDRESS])))
			err = read_heading(&r, why);
		else
			err = take_list(&r, why);
		first = false;
	}
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		bw_buf_done(&r.fields[i]);
	return err;
}

enum bw_err bw_import_csv(struct bw_import *im, const char *file, struct bw_why *why)
{
	struct bw_slice text = { NULL, 0 };
	enum bw_err err = bw_import_read(file, "", &text, why);

	if (err == BW_OK)
		err = bw_import_csv_text(im, file, text, why);
	free((char *)(uintptr_t)text.p);
	return err;
}
