/* The options of all commands, and the splitting of a command line into options and words. */
#include <assert.h>
#include <string.h>

#include "bw/clock.h"
#include "bw/nearest.h"
#include "bw/parse.h"
#include "command.h"

#define AT(member) offsetof(struct arguments, member)

static const struct option options[] = {
	[OPTION_CONFIG] = { "config", 'c', "FILE", KIND_TEXT, AT(config), "configuration to read (/etc/breakwater/breakwater.conf)" },
	[OPTION_JSON] = { "json", 0, NULL, KIND_FLAG, AT(json), "print JSON: one object, or one a line for listings" },
	[OPTION_YES] = { "yes", 0, NULL, KIND_FLAG, AT(yes),
	                 "do it; without it, commands that touch held mail only show what they would do" },
	[OPTION_HELP] = { "help", 'h', NULL, KIND_FLAG, AT(help), "explain the command" },
	[OPTION_VERSION] = { "version", 'V', NULL, KIND_FLAG, AT(version), "print the version" },
	[OPTION_LIST] = { "list", 0, "ADDRESS", KIND_TEXT, AT(list), "for this list only" },
	[OPTION_FOR] = { "for", 0, "DURATION", KIND_DURATION, AT(for_ms), "how long it is to last, such as 90s, 30m, 4h, 2d" },
	[OPTION_REASON] = { "reason", 0, "TEXT", KIND_TEXT, AT(reason), "why; kept in the history" },
	[OPTION_FORCE] = { "force", 0, NULL, KIND_FLAG, AT(force), "do it although a safety rule refuses (exit code 3)" },
	[OPTION_SIDE] = { "side", 0, "SIDE", KIND_TEXT, AT(side), "whose breaker of a list: members (default) or outside" },
	[OPTION_ALL] = { "all", 0, NULL, KIND_FLAG, AT(all), "show what is over as well" },
	[OPTION_CONVERSATIONS] = { "conversations", 0, NULL, KIND_FLAG, AT(conversations), "its stopped conversations as well" },
	[OPTION_LIMIT] = { "limit", 0, "N", KIND_COUNT, AT(limit), "at most so many lines" },
	[OPTION_AFTER] = { "after", 0, "ID", KIND_TEXT, AT(after), "go on after the held message with this id (all its digits)" },
	[OPTION_SIZE] = { "size", 0, "N", KIND_COUNT, AT(size), "members of the list" },
	[OPTION_OWNER] = { "owner", 0, "ADDRESS", KIND_TEXT, AT(owner), "owner of the list; \"\" for none" },
	[OPTION_LIST_ID] = { "list-id", 0, "ID", KIND_TEXT, AT(list_id), "its List-Id (RFC 2919); \"\" for none" },
	[OPTION_POSTER] = { "poster", 0, "IDENTITY", KIND_TEXTS, AT(texts), "a poster of the list; may be repeated" },
	[OPTION_UNCONFIRMED] = { "unconfirmed", 0, NULL, KIND_FLAG, AT(unconfirmed),
	                         "hold its next post, whoever sends it, until `list confirm`" },
	[OPTION_CONVERSATION] = { "conversation", 0, "ID", KIND_TEXT, AT(conversation), "of this conversation only" },
	[OPTION_POSTFIX_CONFIG] = { "postfix-config", 0, "DIR", KIND_TEXT, AT(postfix_config), "Postfix configuration directory" },
	[OPTION_POSTFIX_COMMANDS] = { "postfix-commands", 0, "DIR", KIND_TEXT, AT(postfix_commands),
	                              "where postsuper and postqueue are (PATH, /usr/sbin)" },
	[OPTION_SENDMAIL_CONFIG] = { "sendmail-config", 0, "FILE", KIND_TEXT, AT(sendmail_config), "Sendmail's configuration file" },
	[OPTION_SENDMAIL_COMMANDS] = { "sendmail-commands", 0, "DIR", KIND_TEXT, AT(sendmail_commands),
	                               "where sendmail is (PATH, /usr/sbin)" },
	[OPTION_OFF] = { "off", 0, NULL, KIND_FLAG, AT(off), "end it now" },
	[OPTION_SINCE] = { "since", 0, "DURATION", KIND_DURATION, AT(since_ms), "not older than this, such as 30m, 2d" },
	[OPTION_FOLLOW] = { "follow", 0, NULL, KIND_FLAG, AT(follow), "go on printing what happens until interrupted" },
	[OPTION_SCENARIO] = { "scenario", 0, "NAME", KIND_TEXT, AT(scenario), "a scenario file, or the name of an installed one" },
	[OPTION_SET] = { "set", 0, "NAME=VALUE", KIND_TEXTS, AT(texts), "a setting to play it with; may be repeated" },
	[OPTION_VERBOSE] = { "verbose", 0, NULL, KIND_FLAG, AT(verbose), "one line for each message" },
	[OPTION_APPLY] = { "apply", 0, NULL, KIND_FLAG, AT(apply),
	                   "write it; without it, an import only shows what it would change" },
	[OPTION_PRUNE] = { "prune", 0, NULL, KIND_FLAG, AT(prune),
	                   "remove lists that this import brought and that its source has no longer" },
	[OPTION_DOMAIN] = { "domain", 0, "DOMAIN", KIND_TEXTS, AT(texts),
	                    "domain of names without one (the first of internal.domains); may be repeated" },
	[OPTION_ORIGIN] = { "origin", 0, "NAME", KIND_TEXT, AT(origin),
	                    "what this import is called, the same in every run (its kind and source)" },
	[OPTION_USER] = { "user", 0, "NAME", KIND_TEXT, AT(user), "who asks the server; for LDAP the DN to bind with" },
	[OPTION_PASSWORD_FILE] = { "password-file", 0, "FILE", KIND_TEXT, AT(password_file),
	                           "a file whose first line is the password" },
	[OPTION_CA_FILE] = { "ca-file", 0, "FILE", KIND_TEXT, AT(ca_file), "certificates to trust (the system's)" },
	[OPTION_START_TLS] = { "start-tls", 0, NULL, KIND_FLAG, AT(start_tls), "turn the connection to TLS before anything is said" },
	[OPTION_TIMEOUT] = { "timeout", 0, "DURATION", KIND_DURATION, AT(timeout_ms), "the longest wait for the source (1m)" },
	[OPTION_MBOX] = { "mbox", 0, "FILE", KIND_TEXT, AT(mbox), "an archive of mail to play, as if all of it went to --list" },
	[OPTION_LIST_SIZE] = { "list-size", 0, "N", KIND_COUNT, AT(list_size), "members of the list that the archive is played to" },
	[OPTION_PACE] = { "pace", 0, "N", KIND_COUNT, AT(pace),
	                  "deliveries a minute: one message first, then two, four, eight ..., each round watched before the next" },
	[OPTION_OBSERVE] = { "observe", 0, "DURATION", KIND_DURATION, AT(observe_ms), "how long each round is watched (2m)" },
};
static_assert(sizeof(options) / sizeof(options[0]) == OPTION_COUNT, "a row for every option");
static_assert(OPTION_COUNT <= 64, "options are bits of a uint64_t");

const struct option *bw_cli_option_at(enum option_id id)
{
	return &options[id];
}

static int find_letter(char letter)
{
	for (int i = 0; i < OPTION_COUNT; i++) {
		if (letter != 0 && options[i].letter == letter)
			return i;
	}
	return -1;
}

static int find_name(struct bw_slice name)
{
	for (int i = 0; i < OPTION_COUNT; i++) {
		if (bw_slice_equal(bw_slice_of(options[i].name), name))
			return i;
	}
	return -1;
}

static enum bw_cli_exit unknown_option(struct cli *c, struct bw_slice name)
{
	struct bw_nearest near;

	bw_nearest_start(&near, name);
	for (int i = 0; i < OPTION_COUNT; i++)
		bw_nearest_offer(&near, bw_slice_of(options[i].name));
	if (near.found)
		return bw_cli_fail(c, BW_CLI_USAGE, "unknown option --%.*s, did you mean --%s?", (int)name.n, name.p, near.name);
	return bw_cli_fail(c, BW_CLI_USAGE, "unknown option --%.*s", (int)name.n, name.p);
}

/* Durations of options: from a second to a year. */
static enum bw_cli_exit take_duration(struct cli *c, const struct option *o, const char *value)
{
	int64_t ms;

	if (!bw_parse_duration_ms(bw_slice_of(value), &ms) || ms < BW_SECOND_MS || ms > 365 * BW_DAY_MS)
		return bw_cli_fail(c, BW_CLI_USAGE, "--%s: \"%s\" is no duration, allowed: 1s to 365d, such as 90s, 30m, 4h, 2d", o->name,
		                   value);
	*(int64_t *)((char *)&c->args + o->offset) = ms;
	return BW_CLI_DONE;
}

static enum bw_cli_exit take_count(struct cli *c, const struct option *o, const char *value)
{
	int64_t n;

	if (!bw_parse_int(bw_slice_of(value), &n) || n < 1 || n > BW_LIST_SIZE_MAX)
		return bw_cli_fail(c, BW_CLI_USAGE, "--%s: \"%s\" is out of range, allowed: a number from 1 to 1,000,000,000", o->name,
		                   value);
	*(int64_t *)((char *)&c->args + o->offset) = n;
	return BW_CLI_DONE;
}

static enum bw_cli_exit take_text(struct cli *c, const struct option *o, const char *value)
{
	*(const char **)((char *)&c->args + o->offset) = value;
	return BW_CLI_DONE;
}

static enum bw_cli_exit take_texts(struct cli *c, const struct option *o, const char *value)
{
	if (c->args.text_count == TEXTS_MAX)
		return bw_cli_fail(c, BW_CLI_USAGE, "--%s: more than %d of them", o->name, TEXTS_MAX);
	c->args.texts[c->args.text_count++] = value;
	return BW_CLI_DONE;
}

static enum bw_cli_exit take_value(struct cli *c, const struct option *o, const char *value)
{
	switch (o->kind) {
	case KIND_DURATION:
		return take_duration(c, o, value);
	case KIND_COUNT:
		return take_count(c, o, value);
	case KIND_TEXT:
		return take_text(c, o, value);
	case KIND_TEXTS:
		return take_texts(c, o, value);
	case KIND_FLAG:
		break;
	}
	*(bool *)((char *)&c->args + o->offset) = true;
	return BW_CLI_DONE;
}

/* Takes the option at argv[*i], and its value, which may be the next word. */
static enum bw_cli_exit take_option(struct cli *c, int argc, char *const *argv, int *i)
{
	const char *text = argv[*i];
	bool is_long = text[1] == '-';
	struct bw_slice name = bw_slice_of(is_long ? text + 2 : text + 1);
	size_t equals = bw_slice_find(name, '=');
	const char *value = equals < name.n ? name.p + equals + 1 : NULL;

	name = bw_slice_head(name, equals);
	int id = is_long ? find_name(name) : name.n == 1 ? find_letter(name.p[0]) : -1;

	if (id < 0 && is_long)
		return unknown_option(c, name);
	if (id < 0)
		return bw_cli_fail(c, BW_CLI_USAGE, "unknown option %s", text);
	const struct option *o = &options[id];

	if (o->kind == KIND_FLAG && value != NULL)
		return bw_cli_fail(c, BW_CLI_USAGE, "--%s takes no value", o->name);
	if (o->kind != KIND_FLAG && value == NULL) {
		if (*i + 1 >= argc)
			return bw_cli_fail(c, BW_CLI_USAGE, "--%s: its %s is missing", o->name, o->value);
		value = argv[++*i];
	}
	if (o->kind != KIND_TEXTS && (c->args.given & UINT64_C(1) << id) != 0)
		return bw_cli_fail(c, BW_CLI_USAGE, "--%s is given twice", o->name);
	c->args.given |= UINT64_C(1) << id;
	return take_value(c, o, value);
}

/* "-5" is a (wrong) number, not an option. */
static bool is_option(const char *text)
{
	return text[0] == '-' && text[1] != '\0' && !(text[1] >= '0' && text[1] <= '9');
}

static enum bw_cli_exit split(struct cli *c, int argc, char *const *argv)
{
	enum bw_cli_exit code = BW_CLI_DONE;
	bool words_only = false;

	for (int i = 0; code == BW_CLI_DONE && i < argc; i++) {
		if (!words_only && strcmp(argv[i], "--") == 0)
			words_only = true;
		else if (!words_only && is_option(argv[i]))
			code = take_option(c, argc, argv, &i);
		else if (c->args.word_count == WORDS_MAX)
			code = bw_cli_fail(c, BW_CLI_USAGE, "more than %d words", WORDS_MAX);
		else
			c->args.words[c->args.word_count++] = argv[i];
	}
	return code;
}

static enum bw_cli_exit usage_error(struct cli *c, const char *problem)
{
	struct bw_buf usage;

	bw_buf_init(&usage, 400);
	bw_cli_usage(&usage, c->command);
	bw_cli_fail(c, BW_CLI_USAGE, "%s: %s; usage: breakwaterctl %s", c->command->name, problem, bw_buf_text(&usage));
	bw_buf_done(&usage);
	return BW_CLI_USAGE;
}

static enum bw_cli_exit check_options(struct cli *c)
{
	uint64_t stray = c->args.given & ~(c->command->options | OPT_ALWAYS);
	char problem[80];

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if ((stray & UINT64_C(1) << i) == 0)
			continue;
		snprintf(problem, sizeof(problem), "it has no option --%s", options[i].name);
		return usage_error(c, problem);
	}
	return BW_CLI_DONE;
}

static enum bw_cli_exit check_words(struct cli *c)
{
	if (c->word_count < c->command->least)
		return usage_error(c, "a word is missing");
	if (c->word_count > c->command->most)
		return usage_error(c, "a word too many");
	return BW_CLI_DONE;
}

/* `--version` and `--help` are commands in disguise; a bare program name asks for help, and is told so. */
static void disguise(struct arguments *a)
{
	int used;

	if (!a->version && !a->help)
		return;
	if (a->version) {
		a->words[0] = "version";
		a->word_count = 1;
		return;
	}
	if (a->word_count == WORDS_MAX)
		a->word_count--;
	memmove(a->words + 1, a->words, (size_t)a->word_count * sizeof(a->words[0]));
	a->words[0] = "help";
	a->word_count++;
	/* `list add X --help` asks about `list add`. */
	if (bw_cli_command_find(a->words + 1, a->word_count - 1, &used, NULL) != NULL)
		a->word_count = 1 + used;
	else if (a->word_count > 4)
		a->word_count = 4;
	a->given &= OPT_ALWAYS;
}

enum bw_cli_exit bw_cli_parse(struct cli *c, int argc, char *const *argv)
{
	enum bw_cli_exit code = split(c, argc, argv);
	int used = 0;

	if (code != BW_CLI_DONE)
		return code;
	disguise(&c->args);
	c->command = bw_cli_command_find(c->args.words, c->args.word_count, &used, &c->why);
	if (c->command == NULL)
		return BW_CLI_USAGE;
	c->words = c->args.words + used;
	c->word_count = c->args.word_count - used;
	code = check_options(c);
	return code == BW_CLI_DONE ? check_words(c) : code;
}
