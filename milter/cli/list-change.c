/* A list as the operator stores it. */
#include <string.h>

#include "change.h"

enum { POSTERS_MAX_BYTES = 256 * 1024, IDENTITY_MAX_BYTES = 1000, ROW_BYTES_MAX = 1 << 20 };

static bool is_imported(enum bw_source source)
{
	return source == BW_SOURCE_IMPORT || source == BW_SOURCE_LEARNED;
}

void bw_cli_list_change(const struct bw_list *list, struct list_change *out)
{
	*out = (struct list_change){
		.row = {
			.address = list->address,
			.owner = list->owner,
			.list_id = list->list_id,
			.size = is_imported(list->source) ? 0 : list->size,
			.source = BW_SOURCE_OPERATOR,
			.unconfirmed = list->unconfirmed && !is_imported(list->source),
		},
		.was = list->source,
		.size = list->size,
		.unconfirmed = list->unconfirmed,
	};
	bw_buf_init(&out->posters, POSTERS_MAX_BYTES);
	for (size_t i = 0; i < list->poster_count; i++) {
		if (i > 0)
			bw_buf_add_char(&out->posters, ',');
		bw_buf_add(&out->posters, list->posters[i]);
	}
}

void bw_cli_list_change_done(struct list_change *change)
{
	bw_buf_done(&change->posters);
	bw_arena_free(&change->texts);
}

/* --- the import's row --- */

struct look {
	struct bw_slice address;
	struct list_change *change;
	enum bw_source source;
	bool found, cut;
};

static bool take_row(void *ctx, const struct bw_list_row *row)
{
	struct look *look = ctx;
	struct bw_arena *texts = look->change->texts;

	if (row->source != look->source || row->removed || !bw_slice_equal(row->address, look->address))
		return true;
	struct bw_list_row copy = *row;

	copy.address = bw_arena_slice(texts, row->address);
	copy.owner = bw_arena_slice(texts, row->owner);
	copy.list_id = bw_arena_slice(texts, row->list_id);
	copy.posters = bw_arena_slice(texts, row->posters);
	copy.origin = bw_arena_slice(texts, row->origin);
	look->cut = copy.owner.n + copy.list_id.n + copy.posters.n + copy.origin.n <
	            row->owner.n + row->list_id.n + row->posters.n + row->origin.n;
	look->change->source = copy;
	look->found = true;
	return false;
}

/* The row as the import (of a learned list: the daemon) wrote it, into change->source; false in `found` if there is none. */
static enum bw_cli_exit find_source(struct cli *c, struct list_change *change, bool *found)
{
	struct look look = { .address = change->row.address,
		                 .change = change,
		                 .source = change->was == BW_SOURCE_LEARNED ? BW_SOURCE_LEARNED : BW_SOURCE_IMPORT };

	if (change->texts == NULL)
		change->texts = bw_arena_new(ROW_BYTES_MAX);
	if (change->texts == NULL)
		return bw_cli_fail(c, BW_CLI_NO, "no memory for the list");
	enum bw_err err = c->store->ops->list_each(c->store, 0, take_row, &look, &c->why);

	*found = look.found;
	if (err == BW_OK && look.cut)
		return bw_cli_fail(c, BW_CLI_NO, "no memory for the list");
	return bw_cli_fail_err(err);
}

enum bw_cli_exit bw_cli_list_origin(struct cli *c, const struct bw_list *list, struct bw_buf *out)
{
	struct list_change change = { .row = { .address = list->address }, .was = list->source };
	bool found = false;
	enum bw_cli_exit code = is_imported(list->source) ? find_source(c, &change, &found) : BW_CLI_DONE;

	if (code == BW_CLI_DONE && found)
		bw_buf_add(out, change.source.origin);
	bw_arena_free(&change.texts);
	return code;
}

void bw_cli_fix_size(struct list_change *change, int64_t size)
{
	change->row.size = change->size = size;
	change->row.unconfirmed = change->unconfirmed;
}

enum bw_cli_exit bw_cli_set_unconfirmed(struct cli *c, struct list_change *change, bool unconfirmed)
{
	bool found = false;
	enum bw_cli_exit code = BW_CLI_DONE;

	change->unconfirmed = unconfirmed;
	if (change->row.size > 0)
		change->row.unconfirmed = unconfirmed;
	else
		code = find_source(c, change, &found);
	if (code != BW_CLI_DONE || change->row.size > 0)
		return code;
	if (!found)
		return bw_cli_fail(c, BW_CLI_NO, "%.*s: its row has changed meanwhile; try again", (int)change->row.address.n,
		                   change->row.address.p);
	change->source.unconfirmed = unconfirmed;
	change->writes_source = true;
	return BW_CLI_DONE;
}

enum bw_cli_exit bw_cli_take_away(struct cli *c, struct list_change *change, bool *uncovers)
{
	bool found = false;
	enum bw_cli_exit code = find_source(c, change, &found);

	change->row.removed = true;
	change->source.removed = change->writes_source = found && is_imported(change->was);
	*uncovers = found && !change->writes_source;
	return code;
}

/* --- posters --- */

enum bw_cli_exit bw_cli_add_poster(struct cli *c, struct list_change *change, const char *poster)
{
	struct bw_buf identity;
	struct bw_slice word = bw_slice_trim(bw_slice_of(poster));
	enum bw_cli_exit code = BW_CLI_DONE;

	/* A comma parts identities where they are stored. */
	if (word.n == 0 || word.n > IDENTITY_MAX_BYTES || bw_slice_find(word, ',') < word.n)
		return bw_cli_fail(c, BW_CLI_USAGE,
		                   "\"%.100s\" is no poster, expected NAME, auth:NAME@REALM, cert:NAME or inside:ADDRESS", poster);
	bw_buf_init(&identity, 2 * IDENTITY_MAX_BYTES);
	bw_config_identity(bw_cli_config(c), word, &identity);
	if (identity.n == 0 || bw_slice_starts_nocase(word, BW_S("outside:")))
		code = bw_cli_fail(c, BW_CLI_USAGE,
		                   "\"%.100s\" is no poster: mail from outside proves no identity; expected NAME, auth:NAME@REALM, "
		                   "cert:NAME or inside:ADDRESS",
		                   poster);
	if (code == BW_CLI_DONE && change->posters.n > 0)
		bw_buf_add_char(&change->posters, ',');
	if (code == BW_CLI_DONE)
		bw_buf_add(&change->posters, bw_buf_slice(&identity));
	bw_buf_done(&identity);
	if (change->posters.cut)
		return bw_cli_fail(c, BW_CLI_NO, "more posters than a list can hold");
	return code;
}

static void put_posters(json_t *o, struct bw_slice posters)
{
	json_t *array = json_array();

	while (posters.n > 0) {
		size_t comma = bw_slice_find(posters, ',');

		json_array_append_new(array, bw_cli_string(bw_slice_head(posters, comma)));
		posters = bw_slice_from(posters, comma + 1);
	}
	json_object_set_new(o, "posters", array);
}

static json_t *describe(const struct cli *c, const struct list_change *change)
{
	const struct bw_list_row *row = &change->row;
	json_t *o = json_object();

	bw_cli_put(o, "address", row->address);
	bw_cli_put_int(o, "size", change->size);
	bw_cli_put_text(o, "tier", bw_tier_name(bw_tier_of(&bw_cli_config(c)->tiers, change->size)));
	bw_cli_put_bool(o, "unconfirmed", change->unconfirmed);
	bw_cli_put_bool(o, "removed", row->removed);
	bw_cli_put(o, "owner", row->owner);
	bw_cli_put(o, "list_id", row->list_id);
	put_posters(o, row->posters);
	return o;
}

/* What the daemon would skip is not stored: the directory's own rules are asked first. */
static enum bw_cli_exit check_entry(struct cli *c, const struct list_change *change)
{
	static struct bw_slice posters[BW_LIST_POSTERS_MAX + 1]; /* one command at a time */
	struct bw_slice rest = change->row.posters;
	struct bw_list_entry entry = {
		.address = change->row.address,
		.size = change->row.size,
		.source = change->row.source,
		.owner = change->row.owner,
		.list_id = change->row.list_id,
		.posters = posters,
	};
	struct bw_directory_builder *builder = bw_directory_builder_new(&bw_cli_config(c)->tiers);
	enum bw_err err = BW_OK;

	while (rest.n > 0 && entry.poster_count <= BW_LIST_POSTERS_MAX) {
		size_t comma = bw_slice_find(rest, ',');

		posters[entry.poster_count++] = bw_slice_head(rest, comma);
		rest = bw_slice_from(rest, comma + 1);
	}
	if (builder == NULL)
		err = bw_fail(&c->why, BW_ERR_MEMORY, "no memory for the directory");
	else
		err = bw_directory_add(builder, &entry, &c->why);
	bw_directory_builder_free(&builder);
	return bw_cli_fail_err(err);
}

/* A list of the configuration file gets an entry here, which is stronger from then on. */
static void note_source(struct cli *c, const struct list_change *change)
{
	if (change->was == BW_SOURCE_CONFIG)
		bw_cli_say(c, STYLE_WARN,
		           "note: its entry stands in the store from now on, and is stronger than the one of the configuration file");
}

/* A size that the operator fixes, and a list that goes, leave no proposal behind. */
static bool drops_learned(const struct cli *c, const struct list_change *change)
{
	const struct bw_list_row *row = &change->row;

	return (row->removed || row->size > 0) && !(change->writes_source && change->source.source == BW_SOURCE_LEARNED) &&
	       bw_directory_said(bw_world_directory(c->world), row->address, BW_SOURCE_LEARNED) > 0;
}

static enum bw_err write_rows(struct cli *c, const struct list_change *change, int64_t *version)
{
	struct bw_list_row rows[3];
	size_t n = 0;

	if (!change->keeps_row)
		rows[n++] = change->row;
	if (change->writes_source)
		rows[n++] = change->source;
	if (drops_learned(c, change))
		rows[n++] = (struct bw_list_row){ .address = change->row.address, .source = BW_SOURCE_LEARNED, .removed = true };
	rows[0].changed_ms = c->now_ms;
	return c->store->ops->list_put_many(c->store, rows, n, version, &c->why);
}

enum bw_cli_exit bw_cli_put_list(struct cli *c, struct list_change *change, const char *what)
{
	struct bw_list_row *row = &change->row;
	int64_t version = 0;

	row->posters = bw_buf_slice(&change->posters);
	enum bw_cli_exit code = row->removed ? BW_CLI_DONE : check_entry(c, change);

	if (code == BW_CLI_DONE)
		code = bw_cli_fail_err(write_rows(c, change, &version));
	if (code != BW_CLI_DONE)
		return code;
	enum bw_cli_exit event =
		bw_cli_event(c, BW_EVENT_DIRECTORY, row->address, BW_S(""), "%.*s %s", (int)row->address.n, row->address.p, what);
	json_t *json = describe(c, change);

	bw_cli_say(c, STYLE_PLAIN, "%.*s %s", (int)row->address.n, row->address.p, what);
	note_source(c, change);
	code = bw_cli_await(c, VERSION_DIRECTORY, version, json);

	if (c->args.json)
		bw_cli_json(c, json);
	else
		json_decref(json);
	return code == BW_CLI_DONE ? event : code;
}
