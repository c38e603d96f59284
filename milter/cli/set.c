/* set, unset: thresholds in the store, checked against the table, in force everywhere when the command returns. */
#include <string.h>

#include "change.h"

enum { NAME_MAX_BYTES = 700, VALUE_MAX_BYTES = 200 };

/* "@ADDRESS.GUARD.FIELD": where the address ends. The last two dots part it from the name; an address has dots of its own. */
static size_t address_end(struct bw_slice name)
{
	int dots = 0;

	for (size_t i = name.n; i > 1; i--) {
		if (name.p[i - 1] == '.' && ++dots == 2)
			return i - 1;
	}
	return name.n;
}

/* Names are read in any case, but stored in one: the store tells its rows apart byte by byte. */
static void add_lower(struct bw_buf *out, struct bw_slice name)
{
	for (size_t i = 0; i < name.n; i++)
		bw_buf_add_char(out, name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] - 'A' + 'a') : name.p[i]);
}

/* GUARD.FIELD has one dot; a list has no tier, and no mode of the installation. */
static bool is_guard_field(struct bw_slice name)
{
	size_t dot = bw_slice_find(name, '.');

	return dot < name.n && bw_slice_find(bw_slice_from(name, dot + 1), '.') == name.n - dot - 1;
}

static enum bw_cli_exit list_name(struct cli *c, const char *address, struct bw_slice rest, struct bw_buf *out)
{
	const struct bw_list *list;
	enum bw_cli_exit code = bw_cli_find_list(c, address, &list);

	if (code != BW_CLI_DONE)
		return code;
	bw_buf_add_char(out, '@');
	bw_buf_add(out, list->address);
	bw_buf_add_char(out, '.');
	add_lower(out, rest);
	return BW_CLI_DONE;
}

enum bw_cli_exit bw_cli_setting_name(struct cli *c, const char *word, struct bw_buf *out)
{
	struct bw_slice name = bw_slice_of(word);
	char address[BW_ADDRESS_MAX];

	if (name.n == 0 || name.n > NAME_MAX_BYTES)
		return bw_cli_fail(c, BW_CLI_USAGE, "\"%.60s\" is no setting; `breakwaterctl settings` lists them", word);
	if (c->args.list != NULL && name.p[0] == '@')
		return bw_cli_fail(c, BW_CLI_USAGE, "%s: names its list already, so --list does not go with it", word);
	if (c->args.list != NULL && !is_guard_field(name))
		return bw_cli_fail(c, BW_CLI_USAGE, "%s: with --list, NAME is GUARD.FIELD and nothing else, like conversation.senders",
		                   word);
	if (c->args.list != NULL)
		return list_name(c, c->args.list, name, out);
	if (name.p[0] != '@') {
		add_lower(out, name);
		return BW_CLI_DONE;
	}
	size_t end = address_end(name);

	bw_slice_copy(bw_slice_from(bw_slice_head(name, end), 1), address, sizeof(address));
	return list_name(c, address, bw_slice_from(name, end + 1), out);
}

/* Enforcing with an empty directory stops nothing, and an operator who believes otherwise finds out in the storm. */
static enum bw_cli_exit check_safety(struct cli *c, struct bw_slice name, const struct bw_settings *next)
{
	if (!bw_slice_equal(name, BW_S("mode")) || bw_settings_mode(next) != BW_MODE_ENFORCE || c->args.force)
		return BW_CLI_DONE;
	if (bw_directory_count(bw_world_directory(c->world)) > 0)
		return BW_CLI_DONE;
	return bw_cli_fail(c, BW_CLI_REFUSED,
	                   "no list is known, so mode enforce would stop nothing; add lists first (`list add`), or --force");
}

static enum bw_cli_exit store_setting(struct cli *c, struct bw_slice name, struct bw_slice value, int64_t *version)
{
	struct bw_setting_row row = {
		.name = name,
		.value = value,
		.owner = bw_slice_of(c->owner),
		.set_ms = c->now_ms,
		.until_ms = c->args.for_ms > 0 ? c->now_ms + c->args.for_ms : 0,
	};
	enum bw_cli_exit code = bw_cli_reason(c, &row.reason);

	if (code != BW_CLI_DONE)
		return code;
	return bw_cli_fail_err(c->store->ops->setting_put(c->store, &row, version, &c->why));
}

struct setting_change {
	struct bw_slice name;
	struct bw_buf before, after;
};

static void tell(struct cli *c, const struct setting_change *s)
{
	struct bw_buf until;

	bw_buf_init(&until, 60);
	if (c->args.for_ms > 0) {
		bw_buf_add_text(&until, " until ");
		bw_cli_until(&until, c->now_ms, c->now_ms + c->args.for_ms);
	}
	bw_cli_say(c, STYLE_PLAIN, "%.*s is now %s%s (was %s)", (int)s->name.n, s->name.p, bw_buf_text(&s->after),
	           bw_buf_text(&until), bw_buf_text(&s->before));
	if (bw_settings_mode(bw_world_settings(c->world)) == BW_MODE_SHADOW && !bw_slice_equal(s->name, BW_S("mode")))
		bw_cli_say(c, STYLE_WARN, "note: the installation is in mode shadow, so no guard stops mail");
	bw_buf_done(&until);
}

/* The event, the words, the wait. */
static enum bw_cli_exit announce(struct cli *c, const struct setting_change *s, int64_t version)
{
	bool is_mode = bw_slice_equal(s->name, BW_S("mode"));
	json_t *json = json_object();
	struct bw_slice reason = bw_slice_of(c->args.reason);
	enum bw_cli_exit event =
		bw_cli_event(c, is_mode ? BW_EVENT_OPERATOR : BW_EVENT_SETTING, BW_S(""), BW_S(""), "%.*s = %s (was %s)%s%.*s",
	                 (int)s->name.n, s->name.p, bw_buf_text(&s->after), bw_buf_text(&s->before), reason.n > 0 ? ": " : "",
	                 (int)reason.n, reason.n > 0 ? reason.p : "");

	bw_cli_put(json, "name", s->name);
	bw_cli_put(json, "value", bw_buf_slice(&s->after));
	bw_cli_put(json, "before", bw_buf_slice(&s->before));
	bw_cli_put_time(json, "until", c->args.for_ms > 0 ? c->now_ms + c->args.for_ms : 0);
	bw_cli_put_int(json, "version", version);
	tell(c, s);
	enum bw_cli_exit code = bw_cli_await(c, VERSION_SETTINGS, version, json);

	if (c->args.json)
		bw_cli_json(c, json);
	else
		json_decref(json);
	return code == BW_CLI_DONE ? event : code;
}

static void change_init(struct setting_change *s, struct bw_slice name)
{
	s->name = name;
	bw_buf_init(&s->before, VALUE_MAX_BYTES);
	bw_buf_init(&s->after, VALUE_MAX_BYTES);
}

static void change_done(struct setting_change *s)
{
	bw_buf_done(&s->before);
	bw_buf_done(&s->after);
}

enum bw_cli_exit bw_cli_set(struct cli *c, struct bw_slice name, struct bw_slice value)
{
	struct bw_settings *next = bw_settings_copy(bw_world_settings(c->world));
	struct setting_change s;
	int64_t version = 0;
	enum bw_cli_exit code = BW_CLI_DONE;

	if (next == NULL)
		return bw_cli_fail(c, BW_CLI_NO, "no memory for the settings");
	change_init(&s, name);
	/* Names and values are a fixed vocabulary: an unknown one is misuse, not an answer "no". */
	if (bw_settings_set(next, name, value, &c->why) != BW_OK)
		code = BW_CLI_USAGE;
	if (code == BW_CLI_DONE)
		code = check_safety(c, name, next);
	if (code == BW_CLI_DONE) {
		bw_cli_setting_value(c, bw_world_settings(c->world), name, &s.before);
		bw_cli_setting_value(c, next, name, &s.after);
		code = store_setting(c, name, value, &version);
	}
	if (code == BW_CLI_DONE)
		code = announce(c, &s, version);
	change_done(&s);
	bw_settings_free(&next);
	return code;
}

static enum bw_cli_exit run_set(struct cli *c)
{
	struct bw_buf name;

	bw_buf_init(&name, NAME_MAX_BYTES + BW_ADDRESS_MAX);
	enum bw_cli_exit code = bw_cli_setting_name(c, c->words[0], &name);

	if (code == BW_CLI_DONE)
		code = bw_cli_set(c, bw_buf_slice(&name), bw_slice_of(c->words[1]));
	bw_buf_done(&name);
	return code;
}

struct lookup {
	struct bw_slice name;
	bool found;
};

static bool match_name(void *ctx, const struct bw_setting_row *row)
{
	struct lookup *l = ctx;

	l->found = l->found || (row->value.n > 0 && bw_slice_equal(row->name, l->name));
	return !l->found;
}

static enum bw_cli_exit must_be_stored(struct cli *c, struct bw_slice name)
{
	struct lookup l = { .name = name };
	struct bw_buf value;
	enum bw_err err = c->store->ops->setting_each(c->store, false, match_name, &l, &c->why);

	if (err != BW_OK || l.found)
		return bw_cli_fail_err(err);
	bw_buf_init(&value, VALUE_MAX_BYTES);
	enum bw_cli_exit code = BW_CLI_NO;

	/* Also tells a mistyped name from one that nobody set. */
	err = bw_settings_get(bw_world_settings(c->world), name, &value, &c->why);
	if (err == BW_ERR_NOT_FOUND && name.p[0] != '@')
		code = BW_CLI_USAGE;
	else
		bw_cli_fail(c, code, "%.*s is not set here; its value comes from the configuration or the defaults", (int)name.n, name.p);
	bw_buf_done(&value);
	return code;
}

static enum bw_cli_exit unset(struct cli *c, struct bw_slice name)
{
	struct setting_change s;
	struct bw_buf skipped;
	struct bw_world *next = NULL;
	int64_t version = 0;
	enum bw_cli_exit code = must_be_stored(c, name);

	if (code != BW_CLI_DONE)
		return code;
	change_init(&s, name);
	bw_buf_init(&skipped, VALUE_MAX_BYTES);
	bw_cli_setting_value(c, bw_world_settings(c->world), name, &s.before);
	code = store_setting(c, name, BW_S(""), &version);
	if (code == BW_CLI_DONE)
		code = bw_cli_fail_err(bw_world_renew(c->world, c->store, &skipped, &next, &c->why));
	if (code == BW_CLI_DONE) {
		bw_cli_setting_value(c, bw_world_settings(next), name, &s.after);
		code = announce(c, &s, version);
	}
	bw_world_unref(&next);
	bw_buf_done(&skipped);
	change_done(&s);
	return code;
}

static enum bw_cli_exit run_unset(struct cli *c)
{
	struct bw_buf name;

	bw_buf_init(&name, NAME_MAX_BYTES + BW_ADDRESS_MAX);
	enum bw_cli_exit code = bw_cli_setting_name(c, c->words[0], &name);

	if (code == BW_CLI_DONE)
		code = unset(c, bw_buf_slice(&name));
	bw_buf_done(&name);
	return code;
}

const struct command bw_cli_family_set[] = {
	{ "set", "NAME VALUE", 2, 2, OPT(LIST) | OPT_REASONS | OPT(FORCE), NEED_STORE, true, run_set,
	  "change a setting; it acts on the next message and forgets nothing\n"
	  "NAME is GUARD.FIELD for all tiers, TIER.GUARD.FIELD for one, @ADDRESS.GUARD.FIELD for one list, or mode. With --list it "
	  "is "
	  "GUARD.FIELD. The command "
	  "returns "
	  "when every live breakwaterd has the change." },
	{ "unset", "NAME", 1, 1, OPT(LIST) | OPT(REASON), NEED_STORE, true, run_unset,
	  "take a setting back to the configuration's value" },
	{ .name = NULL },
};
