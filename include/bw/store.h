/* store.h: where shared state lives. A table of functions with two backends to come behind it (embedded SQLite, Redis) and
 * wrappers; tests/contract proves every promise here on each of them.
 *
 * Layer:     store, on base only. The store counts; the policy decides. No rule is known here: no threshold is
 *            ever stored, windows and budgets come as arguments and plain numbers go out.
 * Threads:   every function may be called from any thread.
 * Time:      `now_ms` in inputs: 0 means the store's own clock (never before the last seen); tests and simulate give virtual time.
 *            Windows are sliding and half-open: an event at t is inside a window of w at now iff now - t < w.
 * Ownership: the store copies what it keeps; results are values or live in the caller's arena.
 * Fails:     BW_ERR_STORE when the backend does not answer in its deadline, cannot write or is gone (state unchanged or unknown; a
 *            later call with the same message is idempotent). Nothing blocks longer than the backend's deadline.
 */
#ifndef BW_STORE_H
#define BW_STORE_H

#include "bw/arena.h"
#include "bw/breaker.h"
#include "bw/err.h"
#include "bw/hash.h"

#define BW_JOIN_KEYS_MAX 14
#define BW_STORE_COUNT_CAP 20000 /* counts of senders and replies are exact up to here and stay here above */

enum bw_join_kind { BW_JOIN_MESSAGE_ID, BW_JOIN_REFERENCES, BW_JOIN_IN_REPLY_TO, BW_JOIN_THREAD_INDEX, BW_JOIN_SUBJECT };

struct bw_join_key {
	enum bw_join_kind kind; /* a subject joins only what looks like a reply and matched nothing else, and only conversations of the last 24 h */
	struct bw_hash hash;
};

/* One message on one list. */
struct bw_count_in {
	int64_t now_ms;
	struct bw_slice list;      /* normalised address */
	enum bw_side side;
	struct bw_hash message;    /* message identity (semantics 3) */
	struct bw_hash recipients; /* fingerprint of all recipients */
	struct bw_hash sender;     /* hash of the sender's identity */
	struct bw_join_key keys[BW_JOIN_KEYS_MAX]; /* strongest first; the first is its own Message-ID when it has one */
	size_t key_count;
	bool looks_like_reply;
	bool may_merge;            /* false for outside mail: it joins, but merges nothing */
	bool expander;             /* other recipients under one identity are the same post (SPLIT), not a replay */
	bool poster;               /* counts in the list's figures, not in its conversations */
	bool again;                /* the caller repeats this very call after losing a compare-and-set: never a duplicate */
	bool known_stopped;        /* the caller stops it whatever the counts say: an attempt, no deliveries */
	bool stopped_unless_reply; /* the caller stops it unless it joins as a reply: as known_stopped when `joined` is false, so that
	                              a post which the gate holds never fills the budget, not even for a moment */
	bool peek;                 /* compute everything, write nothing (automata) */
	int64_t deliveries;
	int64_t budget;            /* add the deliveries only if the window's sum stays <= budget, or the window is empty (one post
	                              always fits); <= 0: no budget */
	int64_t conversation_window_ms, list_window_ms;
	int64_t memory_ms;         /* of conversations and identities (default 7 d) */
	struct bw_slice root_sender; /* readable, kept for the conversation's root only (redirect); may be empty */
};

struct bw_count_out {
	int64_t now_ms;                    /* the time it was counted at */
	enum bw_seen seen;
	struct bw_hash conversation;       /* id of the conversation it joined or founded */
	bool joined;                       /* joined one that has an accepted (or released) message: a reply */
	bool merge_wanted;                 /* ties a second conversation; counts already cover both; settle(accepted) merges */
	int64_t conversation_senders;      /* distinct senders of replies in conversation_window_ms, this attempt included */
	int64_t conversation_replies;
	int64_t conversation_day_senders;  /* in 24 h */
	int64_t conversation_phase_senders; /* distinct since conversation_breaker.since_ms */
	int64_t conversation_last_ms;      /* attempt before this one; 0: none */
	bool conversation_sender_was_counted; /* this sender stood in the window before this attempt */
	int64_t list_senders;              /* distinct senders of posts and replies in list_window_ms */
	int64_t list_phase_senders, list_last_ms;
	bool list_sender_was_counted;
	int64_t list_deliveries;           /* in list_window_ms, before this message */
	bool budget_ok;                    /* the deliveries fit (and were added provisionally unless a breaker is open or it is known_stopped) */
	bool provisional;                  /* counted as accepted for now: settle() it if the verdict is another */
	struct bw_breaker conversation_breaker, list_breaker;
};

/* The end of a message whose verdict differs from what count() assumed, or that merges. Idempotent. */
struct bw_settle_in {
	int64_t now_ms;
	struct bw_slice list;
	enum bw_side side;
	struct bw_hash message, recipients, sender, conversation;
	bool accepted;   /* true: deliveries added (unconditionally), identity marked accepted; false: deliveries and mark taken back */
	bool give_back;  /* not accepted through no fault of this list: its sender slot and reply are taken back as well */
	bool merge;      /* merge the conversations tied by this message into the older (only with accepted) */
	int64_t deliveries;
};

enum bw_scope { BW_SCOPE_CONVERSATION, BW_SCOPE_LIST, BW_SCOPE_COUNT };

struct bw_breaker_key {
	enum bw_scope scope;
	enum bw_side side;
	struct bw_slice list;
	struct bw_hash conversation; /* zero for the list's own */
};

/* A breaker in a listing, with what is needed to advance it in time. */
struct bw_breaker_row {
	struct bw_breaker_key key;
	struct bw_breaker record;
	int64_t senders;  /* distinct attempts in `window_ms` of the query */
	int64_t last_ms;
};

struct bw_setting_row {
	struct bw_slice name, value; /* value empty in history: unset */
	struct bw_slice owner, reason;
	int64_t set_ms, until_ms;    /* until 0: for good */
	int64_t version;
};

/* A list as stored by the operator or an import; posters as one text, comma-separated identities. */
struct bw_list_row {
	struct bw_slice address, owner, list_id, posters;
	int64_t size;
	enum bw_source source;
	bool unconfirmed, removed;
	int64_t changed_ms, version;
};

enum bw_held_state { BW_HELD_WAITING, BW_HELD_RELEASED, BW_HELD_DELETED, BW_HELD_LOST, BW_HELD_STATE_COUNT };
const char *bw_held_state_name(enum bw_held_state state);
bool bw_held_state_parse(struct bw_slice word, enum bw_held_state *out);

/* One held message (the ledger). */
struct bw_held {
	struct bw_hash id;
	struct bw_slice host, queue_id, mta; /* mta: "postfix" or "sendmail" */
	struct bw_slice list;                /* of the guard that stopped it */
	struct bw_hash conversation;
	struct bw_slice guard, sentence;
	struct bw_slice sender, identity, message_id, subject; /* readable; empty when privacy settings say so */
	int64_t deliveries, size_bytes, held_ms;
	struct bw_hash message;              /* identity, to mark it accepted on release */
	enum bw_side side;
	enum bw_held_state state;
	int64_t state_ms;
	struct bw_slice state_by;
};

struct bw_event_row {
	int64_t id, at_ms;
	enum bw_event event;
	struct bw_slice host, list, guard, text, owner;
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
	struct bw_slice list;
	bool by_state;
	enum bw_held_state state;
	int64_t limit; /* 0: all */
};

/* A callback of listings; false stops. Rows live during the call only. */
#define BW_EACH(type) bool (*each)(void *ctx, const type *row), void *ctx

struct bw_store;
struct bw_store_ops {
	const char *name; /* "sqlite", "redis", "guarded" */
	void (*close)(struct bw_store *s);
	enum bw_err (*now)(struct bw_store *s, int64_t *now_ms, struct bw_why *why);
	/* Atomic per list; several lists of one message are one trip. out[i] belongs to in[i]. All or, on error, unknown. */
	enum bw_err (*count)(struct bw_store *s, const struct bw_count_in *in, struct bw_count_out *out, size_t n, struct bw_why *why);
	enum bw_err (*settle)(struct bw_store *s, const struct bw_settle_in *in, size_t n, struct bw_why *why);
	enum bw_err (*breaker_get)(struct bw_store *s, const struct bw_breaker_key *key, struct bw_breaker *out, struct bw_why *why);
	/* Writes `next` if the stored version is next->version; the stored version becomes one more. BW_ERR_CONFLICT. */
	enum bw_err (*breaker_cas)(struct bw_store *s, const struct bw_breaker_key *key, const struct bw_breaker *next, struct bw_why *why);
	enum bw_err (*breaker_each)(struct bw_store *s, int64_t now_ms, int64_t window_ms, bool all, BW_EACH(struct bw_breaker_row), struct bw_why *why);
	/* An empty value unsets. Each change raises the settings version, enters the history, and is in force for readers at once. */
	enum bw_err (*setting_put)(struct bw_store *s, const struct bw_setting_row *row, int64_t *version, struct bw_why *why);
	enum bw_err (*setting_each)(struct bw_store *s, bool history, BW_EACH(struct bw_setting_row), struct bw_why *why);
	enum bw_err (*list_put)(struct bw_store *s, const struct bw_list_row *row, int64_t *version, struct bw_why *why);
	enum bw_err (*list_each)(struct bw_store *s, int64_t since_version, BW_EACH(struct bw_list_row), struct bw_why *why);
	/* Versions of settings and directory in one cheap call, for polling. */
	enum bw_err (*versions)(struct bw_store *s, int64_t *settings, int64_t *directory, struct bw_why *why);
	enum bw_err (*heartbeat)(struct bw_store *s, const struct bw_host_row *row, struct bw_why *why);
	enum bw_err (*host_each)(struct bw_store *s, int64_t alive_since_ms, BW_EACH(struct bw_host_row), struct bw_why *why);
	/* Full sync before it returns. */
	enum bw_err (*held_put)(struct bw_store *s, const struct bw_held *held, struct bw_why *why);
	/* Moves from `from` to `to`; BW_ERR_CONFLICT when it is in another state. Releasing marks the message accepted. */
	enum bw_err (*held_move)(struct bw_store *s, const struct bw_hash *id, enum bw_held_state from, enum bw_held_state to,
	                         int64_t now_ms, struct bw_slice by, struct bw_why *why);
	enum bw_err (*held_each)(struct bw_store *s, const struct bw_held_query *query, BW_EACH(struct bw_held), struct bw_why *why);
	enum bw_err (*event_add)(struct bw_store *s, const struct bw_event_row *row, struct bw_why *why);
	enum bw_err (*event_each)(struct bw_store *s, int64_t since_ms, int64_t limit, BW_EACH(struct bw_event_row), struct bw_why *why);
	/* Collects garbage: whatever is past its time; bounded work a call. */
	enum bw_err (*expire)(struct bw_store *s, int64_t now_ms, int64_t memory_ms, struct bw_why *why);
	/* The fingerprint of the site secret: stored if there is none; BW_ERR_PERMISSION if another one is stored. */
	enum bw_err (*claim)(struct bw_store *s, const struct bw_hash *fingerprint, struct bw_why *why);
	bool (*degraded)(const struct bw_store *s, int64_t *daemons); /* true: answers come from a fallback, for so many known daemons */
};

/* Backends embed this as their first member. */
struct bw_store {
	const struct bw_store_ops *ops;
};

/* Opens (and creates) the embedded store; ":memory:" for simulate and tests. BW_ERR_STORE says which file and why. `busy_ms`: the
 * longest wait for another process's write. */
enum bw_err bw_store_sqlite_open(const char *path, int64_t busy_ms, struct bw_store **out, struct bw_why *why);
/* For tests and simulate: what that store takes for wall time where it is given none (`now_ms` 0, the end of temporary
 * settings). Before the first use. */
void bw_store_sqlite_set_clock(struct bw_store *sqlite, int64_t (*now_ms)(void *ctx), void *ctx);

/* A store that asks `primary` and, when it answers BW_ERR_STORE, goes on with `fallback` until bw_store_guarded_probe()
 * finds the primary back (open breakers made meanwhile are then merged into it). Owns both. `host` is this host's name. */
enum bw_err bw_store_guarded_new(struct bw_store *primary, struct bw_store *fallback, struct bw_store **out, struct bw_why *why);
bool bw_store_guarded_probe(struct bw_store *guarded, int64_t now_ms);

/* For simulate and tests: passes on to `inner`, unless told to fail (BW_ERR_STORE) or be slow (as failing when
 * delay_ms is over deadline_ms). Owns `inner`. */
struct bw_store *bw_store_faulty_new(struct bw_store *inner, int64_t deadline_ms);
void bw_store_faulty_set(struct bw_store *faulty, bool down, int64_t delay_ms);

void bw_store_close(struct bw_store **s);

#endif
