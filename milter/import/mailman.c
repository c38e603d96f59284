/* Mailman 3 by its REST interface: GET /3.1/lists?count=N&page=N. */
#include <jansson.h>
#include <string.h>

#include "fetch.h"

enum { LISTS_A_PAGE = 500, PAGE_BYTES_MAX = 32 << 20, URL_BYTES = 2048, SHOWN_BYTES = 60 };

struct reading {
	struct bw_import *im;
	struct bw_fetch *fetch;
	char root[URL_BYTES]; /* "http://localhost:8001/3.1" */
	char url[URL_BYTES + 64];
	int64_t total, seen;
};

/* --- the URL --- */

/* "http://localhost:8001" and "http://localhost:8001/3.1/" are the same Mailman. */
static enum bw_err take_url(struct reading *r, const char *url, struct bw_why *why)
{
	struct bw_slice text = bw_slice_of(url);
	const char *behind = strstr(url, "://");

	while (text.n > 0 && text.p[text.n - 1] == '/')
		text.n--;
	if (behind == NULL || text.n > URL_BYTES - 8)
		return bw_fail(why, BW_ERR_INPUT, "\"%.100s\" is no URL of a Mailman, expected one such as http://localhost:8001", url);
	struct bw_slice rest = bw_slice_from(text, (size_t)(behind + 3 - url));
	struct bw_slice authority = bw_slice_head(rest, bw_slice_find(rest, '/'));

	if (bw_slice_find(authority, '@') < authority.n)
		return bw_fail(why, BW_ERR_INPUT,
		               "a password in a URL is seen by everybody on this host; give --user NAME --password-file FILE instead");
	if (bw_slice_find(rest, '?') < rest.n || bw_slice_find(rest, '#') < rest.n)
		return bw_fail(why, BW_ERR_INPUT, "\"%.100s\" is no URL of a Mailman, expected one such as http://localhost:8001", url);
	snprintf(r->root, sizeof(r->root), "%.*s%s", (int)text.n, text.p, authority.n == rest.n ? "/3.1" : "");
	return BW_OK;
}

enum bw_err bw_import_check_mailman(const char *url, struct bw_why *why)
{
	struct reading r = { .im = NULL };

	return take_url(&r, url, why);
}

/* --- one list --- */

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text != NULL ? text : "";
}

/* Mailman sends what goes to NAME-owner@HOST to all owners of the list. */
static enum bw_err take_detail(struct bw_import *im, uint32_t node, const char *list_id, struct bw_why *why)
{
	struct bw_import_detail *detail = bw_import_detail(im, node);
	struct bw_slice address = im->nodes[node].name;
	size_t at = bw_slice_find(address, '@');
	char owner[BW_IMPORT_ADDRESS_BYTES + 8];

	if (detail == NULL)
		return bw_import_no_memory(why);
	int n = snprintf(owner, sizeof(owner), "%.*s-owner%.*s", (int)at, address.p, (int)(address.n - at), address.p + at);

	detail->owner = n < BW_IMPORT_ADDRESS_BYTES ? bw_import_keep(im, bw_slice_of(owner)) : BW_S("");
	detail->list_id = bw_import_keep(im, bw_slice_of(list_id));
	return BW_OK;
}

static enum bw_err take_list(struct reading *r, const json_t *entry, struct bw_why *why)
{
	const char *name = text_of(entry, "fqdn_listname"), *list_id = text_of(entry, "list_id");
	const json_t *count = json_object_get(entry, "member_count");
	char address[BW_IMPORT_ADDRESS_BYTES];
	bool bare;
	uint32_t node;

	if (strchr(name, '@') == NULL || !bw_import_address(r->im, bw_slice_of(name), &bare, address))
		return bw_fail(why, BW_ERR_INPUT, "%s: a list's fqdn_listname is \"%.100s\", which is no address", r->url, name);
	if (!json_is_integer(count) || json_integer_value(count) < 0 || json_integer_value(count) > BW_IMPORT_SIZE_MAX)
		return bw_fail(why, BW_ERR_RANGE, "%s: %s: its member_count is missing or out of range, allowed: 0 to 1,000,000,000",
		               r->url, address);
	enum bw_err err = bw_import_node(r->im, bw_slice_of(address), &node, why);

	if (err != BW_OK)
		return err;
	if (!bw_import_begin(r->im, node, BW_IMPORT_LIST, bw_slice_of(r->url)))
		return bw_fail(why, BW_ERR_INPUT, "%s: %s is there twice: the lists changed while they were read; try again", r->url,
		               address);
	r->im->nodes[node].size = json_integer_value(count);
	r->im->nodes[node].listed = true;
	return take_detail(r->im, node, list_id, why);
}

/* --- one page --- */

static enum bw_err no_mailman(const struct reading *r, struct bw_slice body, struct bw_why *why)
{
	char shown[SHOWN_BYTES + 1];

	bw_slice_copy(bw_slice_head(bw_slice_trim(body), SHOWN_BYTES), shown, sizeof(shown));
	for (char *c = shown; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7F)
			*c = ' ';
	}
	return bw_fail(why, BW_ERR_INPUT,
	               "%s: the answer is no page of Mailman's lists, but begins with \"%s\"; is it Mailman's REST port?", r->url,
	               shown);
}

/* Without any list there is no "entries" at all. */
static enum bw_err take_page(struct reading *r, const json_t *page, struct bw_slice body, struct bw_why *why)
{
	const json_t *total = json_object_get(page, "total_size"), *entries = json_object_get(page, "entries"), *entry;
	size_t i;
	enum bw_err err = BW_OK;

	if (!json_is_integer(total) || json_integer_value(total) < 0 || (entries != NULL && !json_is_array(entries)))
		return no_mailman(r, body, why);
	r->total = json_integer_value(total);
	if (r->total > BW_IMPORT_LISTS_MAX)
		return bw_fail(why, BW_ERR_LIMIT, "%s: %lld lists are more than an import takes", r->url, (long long)r->total);
	json_array_foreach(entries, i, entry)
	{
		if (err == BW_OK)
			err = take_list(r, entry, why);
	}
	r->seen += (int64_t)json_array_size(entries);
	if (err == BW_OK && json_array_size(entries) == 0 && r->seen < r->total)
		err = bw_fail(why, BW_ERR_INPUT,
		              "%s: %lld of %lld lists came, then none: the lists changed while they were read; try again", r->url,
		              (long long)r->seen, (long long)r->total);
	return err;
}

static enum bw_err read_page(struct reading *r, int page, struct bw_buf *body, struct bw_why *why)
{
	bw_buf_reset(body);
	snprintf(r->url, sizeof(r->url), "%s/lists?count=%d&page=%d", r->root, LISTS_A_PAGE, page);
	enum bw_err err = bw_fetch_get(r->fetch, r->url, body, why);

	if (err != BW_OK)
		return err;
	json_t *json = json_loadb(bw_buf_text(body), body->n, JSON_REJECT_DUPLICATES, NULL);

	err = json_is_object(json) ? take_page(r, json, bw_buf_slice(body), why) : no_mailman(r, bw_buf_slice(body), why);
	json_decref(json);
	return err;
}

enum bw_err bw_import_mailman(struct bw_import *im, const char *url, const struct bw_import_login *login, struct bw_why *why)
{
	struct reading r = { .im = im };
	struct bw_buf body;
	enum bw_err err = take_url(&r, url, why);

	if (err == BW_OK)
		err = bw_fetch_new(login, im->rules.deadline_ms, &r.fetch, why);
	if (err != BW_OK)
		return err;
	bw_buf_init(&body, PAGE_BYTES_MAX);
	for (int page = 1; err == BW_OK && (page == 1 || r.seen < r.total); page++)
		err = read_page(&r, page, &body, why);
	bw_buf_done(&body);
	bw_fetch_free(&r.fetch);
	return err;
}
