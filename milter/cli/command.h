/* command.h: what one command line is: its table row, its parsed words and options, and what it runs on.
 *
 * Layer:     cli.
 * Threads:   one command at a time.
 * Time:      c->now_ms, taken once when the store is opened.
 * Ownership: bw_cli_open() / bw_cli_close(); words and options borrow from argv.
 * Fails:     functions return an exit code and leave one sentence in c->why, printed once by the front end.
 */
#ifndef BW_CLI_COMMAND_H
#define BW_CLI_COMMAND_H

#include "bw/cli.h"

enum { WORDS_MAX = 128, TEXTS_MAX = 64 };

/* One bit an option, in the order of the table in options.c. */
enum option_id {
	OPTION_CONFIG,
	OPTION_JSON,
	OPTION_YES,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_LIST,
	OPTION_FOR,
	OPTION_REASON,
	OPTION_FORCE,
	OPTION_SIDE,
	OPTION_ALL,
	OPTION_CONVERSATIONS,
	OPTION_LIMIT,
	OPTION_AFTER,
	OPTION_SIZE,
	OPTION_OWNER,
	OPTION_LIST_ID,
	OPTION_POSTER,
	OPTION_UNCONFIRMED,
	OPTION_CONVERSATION,
	OPTION_POSTFIX_CONFIG,
	OPTION_POSTFIX_COMMANDS,
	OPTION_SENDMAIL_CONFIG,
	OPTION_SENDMAIL_COMMANDS,
	OPTION_OFF,
	OPTION_SINCE,
	OPTION_FOLLOW,
	OPTION_SCENARIO,
	OPTION_SET,
	OPTION_VERBOSE,
	OPTION_APPLY,
	OPTION_PRUNE,
	OPTION_DOMAIN,
	OPTION_ORIGIN,
	OPTION_USER,
	OPTION_PASSWORD_FILE,
	OPTION_CA_FILE,
	OPTION_START_TLS,
	OPTION_TIMEOUT,
	OPTION_MBOX,
	OPTION_LIST_SIZE,
	OPTION_PACE,
	OPTION_OBSERVE,
	OPTION_COUNT
};
#define OPT(name)   (UINT64_C(1) << OPTION_##name)
#define OPT_ALWAYS  (OPT(CONFIG) | OPT(JSON) | OPT(YES) | OPT(HELP) | OPT(VERSION))
#define OPT_REASONS (OPT(FOR) | OPT(REASON))

enum option_kind { KIND_FLAG, KIND_TEXT, KIND_TEXTS, KIND_DURATION, KIND_COUNT };

struct arguments {
	uint64_t given; /* options on the command line */
	bool json, yes, help, version, force, all, conversations, unconfirmed, off, follow, verbose, apply, prune, start_tls;
	const char *config, *list, *reason, *side, *owner, *list_id, *conversation, *after, *postfix_config, *postfix_commands,
		*sendmail_config, *sendmail_commands, *scenario, *mbox,
		*origin, *user, *password_file, *ca_file;
	int64_t for_ms, since_ms, timeout_ms, observe_ms, pace, limit, size, list_size;
	const char *texts[TEXTS_MAX]; /* of the one option that may be repeated: --poster, --set or --domain */
	size_t text_count;
	const char *words[WORDS_MAX];
	int word_count;
};

struct option {
	const char *name;  /* without the dashes */
	char letter;       /* 0 none */
	const char *value; /* what help calls its value; NULL for flags */
	enum option_kind kind;
	size_t offset; /* in struct arguments */
	const char *help;
};
const struct option *bw_cli_option_at(enum option_id id);

enum need { NEED_NOTHING, NEED_CONFIG, NEED_STORE };

struct cli {
	const struct bw_cli_env *env;
	const struct command *command;
	struct arguments args;
	const char *const *words; /* after the command's name */
	int word_count;
	struct bw_config *config; /* until the world takes it */
	struct bw_store *store;
	const struct bw_world *world;
	struct bw_world *loaded; /* the same, if this command loaded it */
	bool in_scenario;        /* bw_cli_operator(): nothing is printed, nobody is waited for */
	int64_t now_ms;
	char owner[BW_OWNER_BYTES];
	char host[256];
	struct bw_why why;
};

/* One row: everything the parser, help, completion and the manual know of a command. */
struct command {
	const char *name;  /* "list stop"; NULL ends a family */
	const char *words; /* "ADDRESS" */
	int least, most;   /* words */
	uint64_t options;  /* beside OPT_ALWAYS */
	enum need need;
	bool in_scenario; /* may stand in a scenario's `operator` statement */
	enum bw_cli_exit (*run)(struct cli *c);
	const char *help; /* one sentence; further ones after a line break are shown by `help COMMAND` */
};

/* One family a file. */
extern const struct command bw_cli_family_status[], bw_cli_family_list[], bw_cli_family_list_import[], bw_cli_family_stop[], bw_cli_family_poster[],
	bw_cli_family_settings[], bw_cli_family_set[], bw_cli_family_mode[], bw_cli_family_breaker[], bw_cli_family_bypass[],
	bw_cli_family_held[], bw_cli_family_release[], bw_cli_family_delete[], bw_cli_family_orders[],
	bw_cli_family_reconcile[], bw_cli_family_approve[], bw_cli_family_storm[],
	bw_cli_family_events[], bw_cli_family_simulate[], bw_cli_family_help[],
	bw_cli_family_completion[];

/* The i-th command of all families in the order of the manual; NULL past the end. */
const struct command *bw_cli_command_at(size_t i);
/* The command that `words` begin with, and how many of them are its name; NULL and a sentence for anything else. */
const struct command *bw_cli_command_find(const char *const *words, int count, int *used, struct bw_why *why);
/* "list stop ADDRESS [--for DURATION] [--reason TEXT]". */
void bw_cli_usage(struct bw_buf *out, const struct command *command);
/* The first line of a help text. */
struct bw_slice bw_cli_help_line(const struct command *command);

/* Fills c->args, c->command and c->words from the words after the program's name. */
enum bw_cli_exit bw_cli_parse(struct cli *c, int argc, char *const *argv);

/* Sets the sentence and returns `code`. */
enum bw_cli_exit bw_cli_fail(struct cli *c, enum bw_cli_exit code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The exit code of a failure whose sentence is in c->why already. */
enum bw_cli_exit bw_cli_fail_err(enum bw_err err);

#endif
