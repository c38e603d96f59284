/* held.h: entries of the ledger, selected for listing and release.
 *
 * Layer:     cli.
 * Ownership: an entry owns its texts; bw_cli_entries_done().
 * Fails:     an exit code, with the sentence in c->why.
 */
#ifndef BW_CLI_HELD_H
#define BW_CLI_HELD_H

#include "output.h"
#include "work.h"

enum { ENTRIES_MAX = 20000, ID_LEAST_DIGITS = 4 };

/* What a command line selects: ids (or beginnings of them, or queue ids), --list, --conversation; nothing selects all. */
struct selection {
	const char *const *ids;
	int id_count;
	struct bw_address list;   /* "" any; it need not be a list any more */
	const char *conversation; /* beginning of its hex digits, NULL any */
	struct bw_hash after;     /* zero: from the first */
	bool all_states;          /* not only those in `state` */
	enum bw_held_state state; /* waiting, unless it is changed */
};
enum bw_cli_exit bw_cli_select(struct cli *c, struct selection *out);

/* One list of an entry, and what a release delivers there. */
struct share {
	char *list;
	enum bw_side side;
	int64_t deliveries;
};

/* What a release needs of an entry. */
struct entry {
	struct bw_hash id, conversation;
	char *host, *queue_id, *mta, *list, *guard, *sender;
	struct share *shares; /* one at least */
	size_t share_count;
	int64_t deliveries, held_ms;
	bool done;        /* by this command */
	const char *note; /* what happened to it; static text */
};

struct entries {
	struct entry *at;
	size_t count, room;
	bool cut, out_of_memory;
};

/* Calls `each` for every entry that is selected. */
enum bw_cli_exit bw_cli_held_each(struct cli *c, const struct selection *s, bool (*each)(void *ctx, const struct bw_held *held),
                                  void *ctx);
enum bw_cli_exit bw_cli_entries(struct cli *c, const struct selection *s, struct entries *out);
/* A copy more. False, and one of the two flags: there are ENTRIES_MAX already, or memory is out. */
bool bw_cli_entries_add(struct entries *e, const struct bw_held *held);
void bw_cli_entries_done(struct entries *e);

#endif
