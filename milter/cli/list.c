/* list ls / show / add / set / rm / confirm: the directory. */
#include <ctype.h>
#include <string.h>

#include "breakers.h"
#include "bw/parse.h"
#include "change.h"

enum { TEXT_MAX_BYTES = 400 };

/* --- looking --- */

/* Another size than the one in force, learned; 0: none. */
static int64_t proposal_of(const struct cli *c, const struct bw_list *list)
{
	return list->source == BW_SOURCE_LEARNED ? 0 : bw_directory_said(bw_world_directory(c->world), list->address, BW_SOURCE_LEARNED);
}

static json_t *list_json(const struct cli *c, const struct bw_list *list)
{
	json_t *o = json_object(), *posters = json_array();

	bw_cli_put(o, "address", list->address);
	bw_cli_put_int(o, "size", list->size);
	bw_cli_put_text(o, "tier", bw_tier_name(list->tier));
	bw_cli_put_text(o, "source", bw_source_name(list->source));
	bw_cli_put_bool(o, "unconfirmed", list->unconfirmed);
	bw_cli_put(o, "owner", list->owner);
	bw_cli_put(o, "list_id", list->list_id);
	for (size_t i = 0; i < list->poster_count; i++)
		json_array_append_new(posters, bw_cli_string(list->posters[i]));
	json_object_set_new(o, "posters", posters);
	if (proposal_of(c, list) > 0)
		bw_cli_put_int(o, "proposal", proposal_of(c, list));
	return o;
}

static void remark_cell(struct cli *c, struct table *t, const struct bw_list *list)
{
	struct bw_buf text;

	bw_buf_init(&text, 80);
	if (list->unconfirmed) {
		bw_buf_add_text(&text, "unconfirmed");
	} else if (list->source == BW_SOURCE_LEARNED) {
		bw_buf_add_text(&text, "in shadow until confirmed");
	} else if (proposal_of(c, list) > 0) {
		bw_print_count(&text, proposal_of(c, list));
		bw_buf_add_text(&text, " by what was learned");
	}
	if (text.n > 0)
		bw_cli_cell_styled(t, STYLE_WARN, bw_buf_text(&text));
	else
		bw_cli_cell(t, BW_S(""));
	bw_buf_done(&text);
}

static void list_row(struct cli *c, struct table *t, const struct bw_list *list)
{
	bw_cli_cell(t, list->address);
	bw_cli_cell_count(t, list->size);
	bw_cli_cell(t, bw_slice_of(bw_tier_name(list->tier)));
	bw_cli_cell(t, bw_slice_of(bw_source_name(list->source)));
	bw_cli_cell_count(t, (int64_t)list->poster_count);
	remark_cell(c, t, list);
}

static enum bw_cli_exit run_ls(struct cli *c)
{
	static const struct column columns[] = {
		{ .head = "LIST" },   { .head = "MEMBERS", .right = true }, { .head = "TIER" },
		{ .head = "SOURCE" }, { .head = "POSTERS", .right = true }, { .head = "" },
	};
	const struct bw_directory *directory = bw_world_directory(c->world);
	struct bw_slice part = c->word_count > 0 ? bw_slice_of(c->words[0]) : BW_S("");
	struct table *t = c->args.json ? NULL : bw_cli_table_start(c, columns, sizeof(columns) / sizeof(columns[0]));
	int64_t shown = 0, hidden = 0;

	for (size_t i = 0; i < bw_directory_count(directory); i++) {
		const struct bw_list *list = bw_directory_at(directory, i);

		if (c->args.limit > 0 && shown == c->args.limit)
			break;
		if (!bw_slice_contains_nocase(list->address, part))
			continue;
		if (list->source == BW_SOURCE_LEARNED && !c->args.all) {
			hidden++;
			continue;
		}
		shown++;
		if (c->args.json)
			bw_cli_json(c, list_json(c, list));
		else
			list_row(c, t, list);
	}
	bw_cli_table_end(&t, part.n > 0 ? "no list has that in its address" : "no lists; `list add ADDRESS SIZE` adds one");
	if (hidden > 0)
		bw_cli_say(c, STYLE_PLAIN, "%lld learned list%s not shown; --all shows %s", (long long)hidden, hidden == 1 ? "" : "s",
		           hidden == 1 ? "it" : "them");
	return BW_CLI_DONE;
}

/* What awaits the operator's word. */
static void show_open(struct cli *c, const struct bw_list *list)
{
	struct bw_buf size;

	if (list->unconfirmed)
		bw_cli_say(c, STYLE_WARN, "its size awaits confirmation: the next post is held, whoever sends it (`list confirm`)");
	if (list->source == BW_SOURCE_LEARNED)
		bw_cli_say(c, STYLE_WARN, "its size was learned: its guards act in shadow until it is confirmed (`list confirm`)");
	if (proposal_of(c, list) == 0)
		return;
	bw_buf_init(&size, 40);
	bw_print_count(&size, proposal_of(c, list));
	bw_cli_say(c, STYLE_WARN, "learned:  %s members, by what was handed on to them (`list confirm` takes that size)", bw_buf_text(&size));
	bw_buf_done(&size);
}

static void show_text(struct cli *c, const struct bw_list *list, struct bw_slice origin)
{
	struct bw_buf size;

	bw_buf_init(&size, 40);
	bw_print_count(&size, list->size);
	bw_cli_say(c, STYLE_HEAD, "%.*s", (int)list->address.n, list->address.p);
	bw_cli_say(c, STYLE_PLAIN, "members:  %s (%s)", bw_buf_text(&size), bw_tier_name(list->tier));
	show_open(c, list);
	bw_cli_say(c, STYLE_PLAIN, "source:   %s%s%.*s%s", bw_source_name(list->source), origin.n > 0 ? " (" : "", (int)origin.n,
	           origin.p, origin.n > 0 ? ")" : "");
	if (list->owner.n > 0)
		bw_cli_say(c, STYLE_PLAIN, "owner:    %.*s", (int)list->owner.n, list->owner.p);
	if (list->list_id.n > 0)
		bw_cli_say(c, STYLE_PLAIN, "list-id:  %.*s", (int)list->list_id.n, list->list_id.p);
	for (size_t i = 0; i < list->poster_count; i++)
		bw_cli_say(c, STYLE_PLAIN, "%s %.*s", i == 0 ? "posters: " : "         ", (int)list->posters[i].n, list->posters[i].p);
	bw_buf_done(&size);
}

static enum bw_cli_exit run_show(struct cli *c)
{
	const struct bw_list *list;
	struct breakers breakers = { 0 };
	struct bw_buf origin;
	enum unjudged unjudged = UNJUDGED_NOT;
	enum bw_cli_exit code = bw_cli_find_list(c, c->words[0], &list);

	bw_buf_init(&origin, TEXT_MAX_BYTES);
	if (code == BW_CLI_DONE)
		code = bw_cli_list_origin(c, list, &origin);
	if (code == BW_CLI_DONE)
		code = bw_cli_breakers(c, list->address, false, &breakers);
	if (code == BW_CLI_DONE && bw_cli_breakers_open(&breakers) > 0)
		code = bw_cli_unjudged(c, &unjudged);
	if (code == BW_CLI_DONE && c->args.json) {
		json_t *o = list_json(c, list);

		bw_cli_put(o, "origin", bw_buf_slice(&origin));
		json_object_set_new(o, "breakers", bw_cli_breakers_json(&breakers));
		bw_cli_put_text(o, "unjudged", bw_cli_unjudged_sentence(unjudged, true));
		bw_cli_json(c, o);
	} else if (code == BW_CLI_DONE) {
		show_text(c, list, bw_buf_slice(&origin));
		bw_cli_say(c, STYLE_PLAIN, "%s", "");
		bw_cli_breakers_text(c, &breakers, "mail flows: no breaker of this list is open");
		if (unjudged != UNJUDGED_NOT)
			bw_cli_say(c, STYLE_BAD, "%s", bw_cli_unjudged_sentence(unjudged, false));
	}
	bw_buf_done(&origin);
	bw_cli_breakers_done(&breakers);
	return code == BW_CLI_DONE ? bw_cli_unjudged_fail(c, unjudged) : code;
}

/* --- changing --- */

static enum bw_cli_exit run_confirm(struct cli *c);

struct texts {
	struct bw_address owner;
	char list_id[256];
};

/* RFC 2919 section 3: the id stands between < and >, in any case, and has neither blanks nor brackets. */
static enum bw_cli_exit read_list_id(struct cli *c, struct list_change *change, struct texts *texts)
{
	struct bw_slice id = bw_slice_trim(bw_slice_of(c->args.list_id));

	if (id.n > 2 && id.p[0] == '<' && id.p[id.n - 1] == '>')
		id = bw_slice_from(bw_slice_head(id, id.n - 1), 1);
	if (id.n >= sizeof(texts->list_id))
		return bw_cli_fail(c, BW_CLI_USAGE, "--list-id: longer than %zu bytes", sizeof(texts->list_id) - 1);
	for (size_t i = 0; i < id.n; i++) {
		if ((unsigned char)id.p[i] <= ' ' || id.p[i] == 0x7F || id.p[i] == '<' || id.p[i] == '>')
			return bw_cli_fail(c, BW_CLI_USAGE, "--list-id: \"%.*s\" is no List-Id, expected one word such as all.example.org",
			                   (int)id.n, id.p);
		texts->list_id[i] = (char)tolower((unsigned char)id.p[i]);
	}
	change->row.list_id = bw_slice_of(texts->list_id);
	return BW_CLI_DONE;
}

/* --owner, --list-id and --poster, as far as they are given. */
static enum bw_cli_exit apply_options(struct cli *c, struct list_change *change, struct texts *texts)
{
	enum bw_cli_exit code = BW_CLI_DONE;

	if (c->args.owner != NULL && c->args.owner[0] != '\0')
		code = bw_cli_address(c, c->args.owner, &texts->owner);
	if (c->args.owner != NULL)
		change->row.owner = bw_slice_of(texts->owner.text);
	if (code == BW_CLI_DONE && c->args.list_id != NULL)
		code = read_list_id(c, change, texts);
	for (size_t i = 0; code == BW_CLI_DONE && i < c->args.text_count; i++)
		code = bw_cli_add_poster(c, change, c->args.texts[i]);
	return code;
}

/* The size is the second word, or --size. */
static enum bw_cli_exit read_size(struct cli *c)
{
	int64_t size;

	if (c->word_count < 2)
		return BW_CLI_DONE;
	if (c->args.size > 0)
		return bw_cli_fail(c, BW_CLI_USAGE, "%s: the size is given twice, %s and --size", c->command->name, c->words[1]);
	if (!bw_parse_int(bw_slice_of(c->words[1]), &size) || size < 1 || size > BW_LIST_SIZE_MAX)
		return bw_cli_fail(c, BW_CLI_USAGE, "%s: \"%s\" is no size, allowed: 1 to 1,000,000,000 members", c->command->name,
		                   c->words[1]);
	c->args.size = size;
	return BW_CLI_DONE;
}

static void say_members(struct bw_buf *out, const struct cli *c, int64_t size)
{
	bw_print_count(out, size);
	bw_buf_printf(out, " member%s (%s)", size == 1 ? "" : "s", bw_tier_name(bw_tier_of(&bw_cli_config(c)->tiers, size)));
}

static void say_text(struct bw_buf *out, const char *what, struct bw_slice text)
{
	if (text.n > 0)
		bw_buf_printf(out, ", %s %.*s", what, (int)text.n, text.p);
	else
		bw_buf_printf(out, ", no %s", what);
}

/* What else was changed, for the history. */
static void say_options(struct bw_buf *out, const struct cli *c, const struct list_change *change)
{
	if (c->args.owner != NULL)
		say_text(out, "owner", change->row.owner);
	if (c->args.list_id != NULL)
		say_text(out, "List-Id", change->row.list_id);
	if (c->args.unconfirmed)
		bw_buf_add_text(out, ", its next post is held until `list confirm`");
}

static enum bw_cli_exit add(struct cli *c, struct bw_slice address)
{
	struct bw_list list = {
		.address = address, .size = c->args.size, .source = BW_SOURCE_OPERATOR, .unconfirmed = c->args.unconfirmed
	};
	struct list_change change;
	struct texts texts = { 0 };
	struct bw_buf what;

	bw_cli_list_change(&list, &change);
	bw_buf_init(&what, TEXT_MAX_BYTES);
	bw_buf_add_text(&what, "added with ");
	say_members(&what, c, list.size);
	enum bw_cli_exit code = apply_options(c, &change, &texts);

	say_options(&what, c, &change);
	if (code == BW_CLI_DONE)
		code = bw_cli_put_list(c, &change, bw_buf_text(&what));
	bw_buf_done(&what);
	bw_cli_list_change_done(&change);
	return code;
}

static enum bw_cli_exit run_add(struct cli *c)
{
	struct bw_address address;
	enum bw_cli_exit code = bw_cli_address(c, c->words[0], &address);

	if (code == BW_CLI_DONE)
		code = read_size(c);
	if (code != BW_CLI_DONE)
		return code;
	if (c->args.size == 0)
		return bw_cli_fail(c, BW_CLI_USAGE, "list add: how many members has %s? A SIZE is missing", address.text);
	if (bw_directory_find(bw_world_directory(c->world), bw_slice_of(address.text)) != NULL)
		return bw_cli_fail(c, BW_CLI_NO, "%s is a list already; `list set` changes it", address.text);
	return add(c, bw_slice_of(address.text));
}

/* The size and whether it awaits confirmation. A size that is what the import says stays the import's. */
static enum bw_cli_exit change_size(struct cli *c, const struct bw_list *list, struct list_change *change)
{
	bool confirms = c->command->run == run_confirm;
	enum bw_cli_exit code = BW_CLI_DONE;

	/* Nothing learned awaits confirmation with its posts held: whoever wants that takes the size as well. */
	if (c->args.unconfirmed && list->source == BW_SOURCE_LEARNED && c->args.size == 0)
		c->args.size = list->size;
	if (c->args.size > 0 && (c->args.size != list->size || !confirms || list->source == BW_SOURCE_LEARNED))
		bw_cli_fix_size(change, c->args.size);
	if (c->args.unconfirmed || (confirms && list->unconfirmed))
		code = bw_cli_set_unconfirmed(c, change, !confirms);
	change->keeps_row = change->writes_source && (c->args.given & (OPT(OWNER) | OPT(LIST_ID))) == 0;
	return code;
}

static enum bw_cli_exit change_list(struct cli *c, const struct bw_list *list, const char *verb)
{
	struct list_change change;
	struct texts texts = { 0 };
	struct bw_buf what;

	bw_cli_list_change(list, &change);
	enum bw_cli_exit code = change_size(c, list, &change);

	bw_buf_init(&what, TEXT_MAX_BYTES);
	bw_buf_printf(&what, "%s: ", verb);
	say_members(&what, c, change.size);
	if (change.size != list->size) {
		bw_buf_add_text(&what, ", was ");
		bw_print_count(&what, list->size);
	}
	if (code == BW_CLI_DONE)
		code = apply_options(c, &change, &texts);
	say_options(&what, c, &change);
	if (code == BW_CLI_DONE)
		code = bw_cli_put_list(c, &change, bw_buf_text(&what));
	bw_buf_done(&what);
	bw_cli_list_change_done(&change);
	return code;
}

static enum bw_cli_exit run_set(struct cli *c)
{
	const uint64_t some = OPT(SIZE) | OPT(OWNER) | OPT(LIST_ID) | OPT(UNCONFIRMED);
	const struct bw_list *list;
	enum bw_cli_exit code = bw_cli_find_list(c, c->words[0], &list);

	if (code == BW_CLI_DONE)
		code = read_size(c);
	if (code != BW_CLI_DONE)
		return code;
	if ((c->args.given & some) == 0 && c->args.size == 0)
		return bw_cli_fail(c, BW_CLI_USAGE, "list set: nothing to change; give SIZE, --owner, --list-id or --unconfirmed");
	return change_list(c, list, "changed");
}

static enum bw_cli_exit run_confirm(struct cli *c)
{
	const struct bw_list *list;
	enum bw_cli_exit code = bw_cli_find_list(c, c->words[0], &list);

	if (code == BW_CLI_DONE)
		code = read_size(c);
	if (code != BW_CLI_DONE)
		return code;
	/* What was learned becomes the operator's word. An import that awaits confirmation comes first: its posts are held. */
	if (c->args.size == 0 && !list->unconfirmed)
		c->args.size = bw_directory_said(bw_world_directory(c->world), list->address, BW_SOURCE_LEARNED);
	if (!list->unconfirmed && list->source != BW_SOURCE_LEARNED && (c->args.size == 0 || c->args.size == list->size)) {
		bw_cli_say(c, STYLE_PLAIN, "%.*s: its size is confirmed already", (int)list->address.n, list->address.p);
		if (c->args.json)
			bw_cli_json(c, list_json(c, list));
		return BW_CLI_DONE;
	}
	return change_list(c, list, "confirmed");
}

/* --- removing --- */

static bool in_configuration(const struct cli *c, struct bw_slice address)
{
	const struct bw_config *config = bw_cli_config(c);

	for (size_t i = 0; i < config->list_count; i++) {
		if (bw_slice_equal(config->lists[i].address, address))
			return true;
	}
	return false;
}

/* Without its entry an open breaker guards nothing: the storm would go on as ordinary mail. */
static enum bw_cli_exit check_removal(struct cli *c, const struct bw_list *list)
{
	struct breakers breakers = { 0 };
	enum bw_cli_exit code = c->args.force ? BW_CLI_DONE : bw_cli_breakers(c, list->address, false, &breakers);
	size_t open = bw_cli_breakers_open(&breakers);

	bw_cli_breakers_done(&breakers);
	if (code != BW_CLI_DONE || open == 0)
		return code;
	return bw_cli_fail(c, BW_CLI_REFUSED,
	                   "%.*s: a breaker of this list is open, and without the list it would stop nothing; --force removes "
	                   "the list all the same",
	                   (int)list->address.n, list->address.p);
}

static enum bw_cli_exit run_rm(struct cli *c)
{
	const struct bw_list *list;
	struct list_change change;
	enum bw_cli_exit code = bw_cli_find_list(c, c->words[0], &list);

	if (code != BW_CLI_DONE)
		return code;
	if (list->source == BW_SOURCE_CONFIG)
		return bw_cli_fail(c, BW_CLI_NO, "%.*s is named in the configuration file; remove it there and reload breakwaterd",
		                   (int)list->address.n, list->address.p);
	bool stays = in_configuration(c, list->address), uncovers = false;

	bw_cli_list_change(list, &change);
	code = bw_cli_take_away(c, &change, &uncovers);
	if (code == BW_CLI_DONE && !stays && !uncovers)
		code = check_removal(c, list);
	if (code == BW_CLI_DONE)
		code = bw_cli_put_list(c, &change,
		                       stays                  ? "removed here; the entry of the configuration file is in force again"
		                       : uncovers             ? "removed here; what was imported is in force again"
		                       : change.writes_source ? "removed; an import that still finds it adds it again"
		                                              : "removed");
	bw_cli_list_change_done(&change);
	return code;
}

const struct command bw_cli_family_list[] = {
	{ "list ls", "[PART]", 0, 1, OPT(LIMIT) | OPT(ALL), NEED_STORE, false, run_ls,
	  "lists of the directory, those with PART in their address\n"
	  "With --all also those whose size was learned and awaits confirmation." },
	{ "list show", "ADDRESS", 1, 1, 0, NEED_STORE, false, run_show, "one list: its size, its posters, its breakers" },
	{ "list add", "ADDRESS SIZE", 1, 2, OPT(SIZE) | OPT(OWNER) | OPT(LIST_ID) | OPT(POSTER) | OPT(UNCONFIRMED), NEED_STORE, true,
	  run_add, "add a list of so many members" },
	{ "list set", "ADDRESS [SIZE]", 1, 2, OPT(SIZE) | OPT(OWNER) | OPT(LIST_ID) | OPT(UNCONFIRMED), NEED_STORE, true, run_set,
	  "change a list's size, owner or List-Id" },
	{ "list rm", "ADDRESS", 1, 1, OPT(FORCE), NEED_STORE, true, run_rm,
	  "remove a list that was added here\n"
	  "Refused with exit code 3 while one of its breakers is open; --force lifts that." },
	{ "list confirm", "ADDRESS [SIZE]", 1, 2, OPT(SIZE), NEED_STORE, true, run_confirm,
	  "confirm the size of a list that an import found surprising, or that was learned\n"
	  "Until then the next post to a surprising one is held, whoever sends it, and a learned one acts in shadow. SIZE confirms another "
	  "number." },
	{ .name = NULL },
};
