/* work.h: what a command works on: configuration, store and the world in force; and the daemons that must hear of a change.
 *
 * Layer:     cli.
 * Time:      c->now_ms: the store's clock when it was opened, or the caller's virtual time.
 * Ownership: bw_cli_open() / bw_cli_close().
 * Fails:     an exit code, with the sentence in c->why; nothing was changed then.
 */
#ifndef BW_CLI_WORK_H
#define BW_CLI_WORK_H

#include "bw/mail.h"
#include "command.h"

/* Opens as much as the command's row says it needs. */
enum bw_cli_exit bw_cli_open(struct cli *c);
void bw_cli_close(struct cli *c);
/* Reads the configuration, for a command that goes on without it: bw_cli_default_config() takes the built-in one then. */
enum bw_cli_exit bw_cli_read_config(struct cli *c);
enum bw_cli_exit bw_cli_default_config(struct cli *c);
/* Opens the store alone, for what works without it as well. */
bool bw_cli_try_store(struct cli *c);
/* The configuration, whether the world has it already or not. */
const struct bw_config *bw_cli_config(const struct cli *c);

/* Normalises `word` as an address. */
enum bw_cli_exit bw_cli_address(struct cli *c, const char *word, struct bw_address *out);
/* The same, or an identity ("auth:jane@utah.example"), which stands where a list's address does for what its guard stopped. */
enum bw_cli_exit bw_cli_watched(struct cli *c, const char *word, struct bw_address *out);
/* The list of that address; BW_CLI_NO with the nearest list's name. */
enum bw_cli_exit bw_cli_find_list(struct cli *c, const char *word, const struct bw_list **out);

/* One line of history. A change that was made stays made when its event cannot be written: the sentence says so. */
enum bw_cli_exit bw_cli_event(struct cli *c, enum bw_event event, struct bw_slice list, struct bw_slice guard, const char *format,
                              ...) __attribute__((format(printf, 5, 6)));

/* c->args.reason, or "". BW_CLI_USAGE when it is longer than a breaker's record keeps. */
enum bw_cli_exit bw_cli_reason(struct cli *c, struct bw_slice *out);

/* Who has acknowledged a change. */
enum versioned { VERSION_SETTINGS, VERSION_DIRECTORY };
struct acks {
	int64_t alive, active;
	struct bw_buf late; /* hosts that have not, comma-separated */
};
/* Waits until every live daemon's heartbeat shows `version`, and says so: "active on 2 of 2 hosts". With --json the figures
 * go into `json` (may be NULL; json_t, borrowed). BW_CLI_NO when somebody did not within the time. */
enum bw_cli_exit bw_cli_await(struct cli *c, enum versioned what, int64_t version, void *json);

/* A daemon is alive that was seen within this. */
#define ALIVE_MS (10 * INT64_C(1000))

#endif
