/* A list as the operator stores it. */
#include <string.h>

#include "change.h"

enum { POSTERS_MAX_BYTES = 256 * 1024, IDENTITY_MAX_BYTES = 1000 };

void bw_cli_list_change(const struct bw_list *list, struct list_change *out)
{
	*out = (struct list_change){
		.row = {
			.address = list->address,
			.owner = list->owner,
			.list_id = list->list_id,
			.size = list->size,
			.source = BW_SOURCE_OPERATOR,
			.unconfirmed = list->unconfirmed,
		},
		.was = list->source,
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
}

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

static json_t *describe(const struct cli *c, const struct bw_list_row *row)
{
	json_t *o = json_object();

	bw_cli_put(o, "address", row->address);
	bw_cli_put_int(o, "size", row->size);
	bw_cli_put_text(o, "tier", bw_tier_name(bw_tier_of(&bw_cli_config(c)->tiers, row->size)));
	bw_cli_put_bool(o, "unconfirmed", row->unconfirmed);
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

enum bw_cli_exit bw_cli_put_list(struct cli *c, struct list_change *change, const char *what)
{
	struct bw_list_row *row = &change->row;
	int64_t version = 0;

	row->posters = bw_buf_slice(&change->posters);
	row->changed_ms = c->now_ms;
	enum bw_cli_exit code = row->removed ? BW_CLI_DONE : check_entry(c, change);

	if (code == BW_CLI_DONE)
		code = bw_cli_fail_err(c->store->ops->list_put(c->store, row, &version, &c->why));
	if (code != BW_CLI_DONE)
		return code;
	enum bw_cli_exit event =
		bw_cli_event(c, BW_EVENT_DIRECTORY, row->address, BW_S(""), "%.*s %s", (int)row->address.n, row->address.p, what);
	json_t *json = describe(c, row);

	bw_cli_say(c, STYLE_PLAIN, "%.*s %s", (int)row->address.n, row->address.p, what);
	note_source(c, change);
	code = bw_cli_await(c, VERSION_DIRECTORY, version, json);

	if (c->args.json)
		bw_cli_json(c, json);
	else
		json_decref(json);
	return code == BW_CLI_DONE ? event : code;
}
