/* What stands before the storm: `internal`, `list` and `set`. */
#include <string.h>

#include "bw/parse.h"
#include "reader.h"

/* --- internal, and the networks among the settings --- */

/* "192.0.2.0/24", "127.0.0.1", "2001:db8::/32": digits, dots, colons and a slash; a domain has letters. */
static bool looks_like_range(struct bw_slice text)
{
	return bw_slice_find(text, ':') < text.n || bw_slice_find(text, '/') < text.n ||
	       (text.n > 0 && strspn(text.p, "0123456789.") >= text.n);
}

static enum bw_err add_internal(struct reader *r, enum internal_kind kind, struct bw_slice value)
{
	struct internal_entry *entry = bw_arena_alloc(r->scenario->arena, sizeof(*entry));

	if (entry == NULL)
		return bw_reader_no_memory(r);
	*entry = (struct internal_entry){ .kind = kind, .value = value };
	*r->scenario->internals_end = entry;
	r->scenario->internals_end = &entry->next;
	return BW_OK;
}

static enum bw_err add_range(struct reader *r, enum internal_kind kind, struct bw_slice range)
{
	struct bw_networks *scratch = NULL;
	struct bw_why why;
	enum bw_err err = bw_networks_add(&scratch, range, &why);

	bw_networks_free(&scratch);
	if (err != BW_OK)
		return bw_reader_fail(r, err, "%s; expected an address range such as 192.0.2.0/24", why.text);
	return add_internal(r, kind, range);
}

/* A domain is checked, lower-cased and turned into A-labels as the domain of an address. */
static enum bw_err add_domain(struct reader *r, struct bw_slice domain)
{
	struct bw_address address = { .text = "" };
	struct bw_buf text;

	bw_buf_init(&text, BW_ADDRESS_MAX);
	bw_buf_printf(&text, "x@%.*s", (int)domain.n, domain.p);
	bool ok = !text.cut && bw_slice_find(domain, '@') == domain.n && bw_address_normalise(bw_buf_slice(&text), '\0', &address);

	bw_buf_done(&text);
	if (!ok)
		return bw_reader_fail(r, BW_ERR_INPUT, "'%.*s' is no domain; expected a domain or an address range such as 192.0.2.0/24",
		                      (int)domain.n, domain.p);
	struct bw_slice normalised = bw_arena_slice(r->scenario->arena, bw_address_domain(bw_slice_of(address.text)));

	return normalised.n == 0 ? bw_reader_no_memory(r) : add_internal(r, INTERNAL_DOMAIN, normalised);
}

enum bw_err bw_read_internal(struct reader *r)
{
	struct bw_slice word;
	enum bw_err err = BW_OK;

	if (r->at == r->count)
		return bw_reader_fail(r, BW_ERR_INPUT, "'internal' alone; expected a domain or an address range behind it");
	while (err == BW_OK && bw_reader_next(r, &word))
		err = looks_like_range(word) ? add_range(r, INTERNAL_NETWORKS, word) : add_domain(r, word);
	return err;
}

/* --- list --- */

static enum bw_err read_posters(struct reader *r, struct bw_slice value, struct scenario_list *list)
{
	size_t n = 1;

	for (size_t i = 0; i < value.n; i++)
		n += value.p[i] == ',';
	if (n > BW_LIST_POSTERS_MAX)
		return bw_reader_fail(r, BW_ERR_LIMIT, "%zu posters; expected at most %d", n, BW_LIST_POSTERS_MAX);
	list->posters = bw_arena_alloc(r->scenario->arena, n * sizeof(*list->posters));
	if (list->posters == NULL)
		return bw_reader_no_memory(r);
	for (struct bw_slice rest = value; list->poster_count < n; rest = bw_slice_from(rest, bw_slice_find(rest, ',') + 1)) {
		struct bw_slice one = bw_slice_head(rest, bw_slice_find(rest, ','));

		if (one.n == 0)
			return bw_reader_fail(r, BW_ERR_INPUT, "an empty identity in poster=; expected poster=ID[,ID...]");
		list->posters[list->poster_count++] = one;
	}
	return BW_OK;
}

static enum bw_err read_owner(struct reader *r, struct bw_slice value, struct scenario_list *list)
{
	return bw_reader_address(r, "owner", value, &list->owner);
}

static enum bw_err read_unconfirmed(struct reader *r, struct bw_slice value, struct scenario_list *list)
{
	(void)r;
	(void)value;
	list->unconfirmed = true;
	return BW_OK;
}

/* RFC 2919: letters, digits, dots, dashes and the like; with or without < >. */
static enum bw_err read_list_id(struct reader *r, struct bw_slice value, struct scenario_list *list)
{
	if (value.n > 2 && value.p[0] == '<' && value.p[value.n - 1] == '>')
		value = (struct bw_slice){ value.p + 1, value.n - 2 };
	if (value.n == 0 || strcspn(value.p, "<> \t@") < value.n)
		return bw_reader_fail(r, BW_ERR_INPUT, "list-id '%.*s'; expected for example all-staff.nhs.example", (int)value.n,
		                      value.p);
	list->list_id = value;
	return BW_OK;
}

static const struct {
	const char *name;
	bool flag;
	enum bw_err (*read)(struct reader *r, struct bw_slice value, struct scenario_list *list);
} list_options[] = {
	{ "poster", false, read_posters },
	{ "owner", false, read_owner },
	{ "unconfirmed", true, read_unconfirmed },
	{ "list-id", false, read_list_id },
};
enum { LIST_OPTIONS = sizeof(list_options) / sizeof(list_options[0]) };

static enum bw_err read_list_option(struct reader *r, struct bw_slice word, unsigned *given, struct scenario_list *list)
{
	struct bw_slice key = word, value = { "", 0 };
	bool flag = !bw_reader_split(word, &key, &value);

	for (size_t i = 0; i < LIST_OPTIONS; i++) {
		if (list_options[i].flag != flag || !bw_slice_equal(key, bw_slice_of(list_options[i].name)))
			continue;
		if ((*given & (1U << i)) != 0)
			return bw_reader_fail(r, BW_ERR_INPUT, "%s is given twice; expected it once", list_options[i].name);
		*given |= 1U << i;
		return list_options[i].read(r, value, list);
	}
	return bw_reader_fail(r, BW_ERR_INPUT,
	                      "unknown word '%.*s'; expected poster=ID[,ID...], owner=ADDRESS, unconfirmed or list-id=ID",
	                      (int)word.n, word.p);
}

static enum bw_err keep_list(struct reader *r, struct scenario_list *list)
{
	struct bw_scenario *s = r->scenario;
	const struct scenario_list *before = bw_map_find(&s->lists_by_address, list->address);

	if (before != NULL)
		return bw_reader_fail(r, BW_ERR_INPUT, "list %s is named in line %d already; expected each list once", list->address.p,
		                      before->line);
	list->line = r->line;
	list->index = s->list_count++;
	if (!bw_map_put(&s->lists_by_address, list->address, list))
		return bw_reader_no_memory(r);
	*s->lists_end = list;
	s->lists_end = &list->next;
	return BW_OK;
}

static enum bw_err read_size(struct reader *r, struct scenario_list *list)
{
	struct bw_slice word = { "", 0 };

	if (!bw_reader_next(r, &word) || !bw_slice_equal(word, BW_S("size")))
		return bw_reader_fail(r, BW_ERR_INPUT, "list %s without a size; expected 'size N' behind its address", list->address.p);
	word = BW_S("");
	(void)bw_reader_next(r, &word);
	return bw_reader_count(r, "size", word, (const int64_t[]){ 1, BW_LIST_SIZE_MAX }, &list->size);
}

enum bw_err bw_read_list(struct reader *r)
{
	struct scenario_list *list = bw_arena_alloc(r->scenario->arena, sizeof(*list));
	struct bw_slice word = { "", 0 };
	unsigned given = 0;

	if (list == NULL)
		return bw_reader_no_memory(r);
	(void)bw_reader_next(r, &word);
	enum bw_err err = bw_reader_address(r, "list", word, &list->address);

	if (err == BW_OK)
		err = read_size(r, list);
	while (err == BW_OK && bw_reader_next(r, &word))
		err = read_list_option(r, word, &given, list);
	return err == BW_OK ? keep_list(r, list) : err;
}

/* --- set --- */

static const struct {
	const char *name;
	enum internal_kind kind;
} networks[] = {
	{ "internal.networks", INTERNAL_NETWORKS },
	{ "internal.vouched", INTERNAL_VOUCHED },
	{ "internal.relays", INTERNAL_RELAYS },
	{ "internal.expanders", INTERNAL_EXPANDERS },
	{ "internal.list_servers", INTERNAL_LIST_SERVERS },
};

/* "@ADDRESS.GUARD.FIELD": is a list of that address named above? */
static bool names_a_list(const struct bw_scenario *s, struct bw_slice name)
{
	for (size_t n = 2; n < name.n; n++) {
		struct bw_address address;

		if (name.p[n] != '.' || !bw_address_normalise((struct bw_slice){ name.p + 1, n - 1 }, SCENARIO_DETAIL, &address))
			continue;
		if (bw_map_find(&s->lists_by_address, bw_slice_of(address.text)) != NULL)
			return true;
	}
	return false;
}

enum bw_err bw_read_set(struct reader *r)
{
	struct bw_slice name, value;
	struct bw_why why;

	if (r->count != 3)
		return bw_reader_fail(r, BW_ERR_INPUT, "'set' without exactly a name and a value; expected 'set NAME VALUE'");
	name = r->words[1];
	value = r->words[2];
	for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
		if (bw_slice_equal(name, bw_slice_of(networks[i].name)))
			return add_range(r, networks[i].kind, value);
	}
	if (name.p[0] == '@' && !names_a_list(r->scenario, name))
		return bw_reader_fail(r, BW_ERR_INPUT, "'%s' is for a list that is not named above; expected its 'list' line first",
		                      name.p);
	enum bw_err err = bw_settings_set(r->scenario->settings, name, value, &why);

	return err == BW_OK ? BW_OK : bw_reader_fail(r, err, "%s", why.text);
}
