/* change.h: the changes that several commands make, each with its history, its event and its wait for the daemons.
 *
 * Layer:     cli.
 * Ownership: texts are borrowed during the call.
 * Fails:     an exit code, with the sentence in c->why.
 */
#ifndef BW_CLI_CHANGE_H
#define BW_CLI_CHANGE_H

#include "output.h"
#include "work.h"

/* --- settings (set.c) --- */

/* Puts `name` (any form of settings.h) to `value` with the command's --for, --reason and --force. */
enum bw_cli_exit bw_cli_set(struct cli *c, struct bw_slice name, struct bw_slice value);
/* What a name means in `settings`: for "@ADDRESS.GUARD.FIELD" without an override what applies to that list. */
void bw_cli_setting_value(const struct cli *c, const struct bw_settings *settings, struct bw_slice name, struct bw_buf *out);
/* What applies to one list under `row`: its tier's value and its overrides together. */
void bw_cli_list_value(const struct bw_settings *settings, const struct bw_setting *row, const struct bw_list *list,
                       struct bw_buf *out);
/* The full name of a setting for the command's --list, in lower case and with its list's address normalised:
 * "@all@nhs.example.list.budget". */
enum bw_cli_exit bw_cli_setting_name(struct cli *c, const char *word, struct bw_buf *out);

/* --- lists (list-change.c) --- */

/* A list as it is to be stored. Borrowed texts.
 *
 * What the operator says of a list whose size an import found is a row without a size: the size goes on following the import, and
 * its confirmation is a change of the import's own row. */
struct list_change {
	struct bw_list_row row;    /* the operator's */
	struct bw_buf posters;     /* of row.posters: identities, comma-separated */
	enum bw_source was;        /* where the size stood before */
	int64_t size;              /* in force afterwards */
	bool unconfirmed;          /* in force afterwards */
	bool keeps_row;            /* nothing changes but the import's row */
	struct bw_list_row source; /* the import's row, if `writes_source` */
	bool writes_source;
	struct bw_arena *texts;    /* of `source` */
};
/* What the directory says of `list`, as the operator's row; bw_list_change_done() afterwards. */
void bw_cli_list_change(const struct bw_list *list, struct list_change *out);
void bw_cli_list_change_done(struct list_change *change);
/* Completes `poster` and adds it to the change's; BW_CLI_USAGE. */
enum bw_cli_exit bw_cli_add_poster(struct cli *c, struct list_change *change, const char *poster);
/* Puts the size into the operator's row, where it stays whatever imports say. */
void bw_cli_fix_size(struct list_change *change, int64_t size);
/* Sets whether the size awaits confirmation, in the row that has the size. */
enum bw_cli_exit bw_cli_set_unconfirmed(struct cli *c, struct list_change *change, bool unconfirmed);
/* Takes the list away: the operator's row and, where the size was imported, the import's. `uncovers`: the stronger row goes, and
 * what was imported is in force again. */
enum bw_cli_exit bw_cli_take_away(struct cli *c, struct list_change *change, bool *uncovers);
/* What an imported list was imported from, into `out`; nothing for lists of other sources. */
enum bw_cli_exit bw_cli_list_origin(struct cli *c, const struct bw_list *list, struct bw_buf *out);
/* Stores it, with an event that says `what` ("added with 840,000 members"), and waits. Prints the list with --json. */
enum bw_cli_exit bw_cli_put_list(struct cli *c, struct list_change *change, const char *what);

/* --- breakers (override.c) --- */

/* Puts an override on the breaker of `key`, or with BW_OVERRIDE_NONE takes it away and closes an open breaker. `out` (may be
 * NULL) is what the store holds then. */
enum bw_cli_exit bw_cli_override(struct cli *c, const struct bw_breaker_key *key, enum bw_override value, int64_t until_ms,
                                 struct bw_breaker *out);
/* Why mail passes although a breaker is to stop it (stop.c). */
enum unjudged { UNJUDGED_NOT, UNJUDGED_NO_DAEMON, UNJUDGED_BYPASS };
enum bw_cli_exit bw_cli_unjudged(struct cli *c, enum unjudged *out);
/* "no breakwaterd is running: mail passes unjudged now"; `json`: its one word, NULL for UNJUDGED_NOT. */
const char *bw_cli_unjudged_sentence(enum unjudged u, bool json);
/* The exit code that goes with it: BW_CLI_NO and what to do about it. */
enum bw_cli_exit bw_cli_unjudged_fail(struct cli *c, enum unjudged u);
/* Now + --for, or + 4 h without it (semantics 6). */
int64_t bw_cli_override_until(const struct cli *c);

#endif
