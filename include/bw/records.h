/* records.h: what the store keeps beside its counters: settings, lists, the ledger of held messages, events, hosts.
 *
 * Layer:     store, part of store.h's contract.
 * Time:      store time, milliseconds since 1970.
 * Ownership: rows handed to a callback, and their slices, live during the call; rows given to the store are copied.
 */
#ifndef BW_RECORDS_H
#define BW_RECORDS_H

#include "bw/hash.h"
#include "bw/words.h"

struct bw_setting_row {
	struct bw_slice name, value; /* value empty in history: unset */
	struct bw_slice owner, reason;
	int64_t set_ms, until_ms;    /* until 0: for good */
	int64_t version;
};

/* What one source says of a list; posters as one text, comma-separated identities. Each source has rows of its own, so none
 * overwrites another's; which is in force, bw_directory_add() decides. */
struct bw_list_row {
	struct bw_slice address, owner, list_id, posters;
	struct bw_slice origin; /* of an import: what it was imported from, "aliases /etc/aliases" */
	int64_t size;           /* 0, in the operator's row only: whatever the weaker sources say */
	enum bw_source source;
	bool unconfirmed, removed;
	int64_t changed_ms, version;
};

#define BW_LEARNED_MAX 10000 /* proposals in one installation */
enum bw_learn { BW_LEARN_SAME, BW_LEARN_WRITTEN, BW_LEARN_FULL };

enum bw_held_state { BW_HELD_WAITING, BW_HELD_RELEASED, BW_HELD_DELETED, BW_HELD_LOST, BW_HELD_STATE_COUNT };
const char *bw_held_state_name(enum bw_held_state state);
bool bw_held_state_parse(struct bw_slice word, enum bw_held_state *out);

#define BW_HELD_LISTS_MAX 128

/* One list of a held message, and what its release delivers there. */
struct bw_held_list {
	struct bw_slice list;
	struct bw_hash conversation;
	enum bw_side side;
	int64_t deliveries;
};

/* One held message (the ledger). */
struct bw_held {
	struct bw_hash id;
	struct bw_slice host, queue_id, mta; /* mta: "postfix" or "sendmail" */
	struct bw_slice list;                /* of the guard that stopped it */
	struct bw_hash conversation;
	const struct bw_held_list *lists;    /* all lists of the message, at most BW_HELD_LISTS_MAX; none: `list` alone */
	size_t list_count;
	struct bw_slice guard, sentence;
	struct bw_slice sender, identity, message_id, subject; /* readable; empty when privacy settings say so */
	int64_t deliveries, size_bytes, held_ms; /* deliveries of all lists and single recipients together */
	struct bw_hash message;              /* identity, to mark it accepted on release */
	enum bw_side side;
	bool automatic;                      /* a program wrote it: nobody is told that it waits (RFC 3834) */
	enum bw_held_state state;
	int64_t state_ms;
	struct bw_slice state_by;
};

struct bw_event_row {
	int64_t id, at_ms;
	enum bw_event event;
	struct bw_slice host, list, guard, text, owner;
	struct bw_hash conversation; /* of a conversation's breaker; else zero */
};

struct bw_host_row {
	struct bw_slice host, version;
	int64_t pid, seen_ms, settings_version, directory_version, format;
	bool degraded;
	int64_t deliveries, held, accepted; /* counters of the daemon since its start */
	int64_t started_ms;
};

/* What a held listing selects; empty or zero members select all. */
struct bw_held_query {
	struct bw_hash id, conversation;
	struct bw_slice list; /* among the lists of the message */
	bool by_state;
	enum bw_held_state state;
	int64_t since_ms; /* held at this time or later */
	int64_t limit;    /* 0: all */
	struct bw_hash after; /* those that come after this one in the listing; none where there is no such entry */
};

#endif
