/* engine.h: facts -> store counts -> policy -> verdict; the only place where a failure becomes mail policy.
 *
 * Layer:     engine, on mail, policy, store, config and directory.
 * Threads:   one engine, any number of threads; a struct bw_facts belongs to one.
 * Time:      `now_ms` in facts; 0 means the store's clock.
 * Ownership: the engine borrows its store and sinks; it holds one reference on the current world.
 * Fails:     judging never fails: what cannot be counted is decided without (semantics 9).
 */
#ifndef BW_ENGINE_H
#define BW_ENGINE_H

#include "bw/envelope.h"
#include "bw/logline.h"
#include "bw/mail.h"
#include "bw/room.h"
#include "bw/store.h"
#include "bw/verdict.h"
#include "bw/world.h"

#define BW_FACTS_LISTS_MAX BW_VERDICT_LISTS_MAX /* more lists in one message are counted in the fan-out, and held by the gate */

#define BW_FACTS_MAILBOXES_MAX 32 /* recipients that are no lists: kept for the mailbox guard; those beyond are counted as they come */

/* What is known of one message. O(lists), never O(recipients). */
struct bw_facts {
	int64_t now_ms;
	/* connection */
	enum bw_client client;
	bool vouched, relay, expander, list_server;
	char client_ip[64];
	/* identity */
	enum bw_identity_kind identity_kind;
	struct bw_slice identity; /* "auth:user@realm", "inside:...", "outside:... [net]" */
	/* envelope */
	struct bw_address sender;
	int64_t recipients;       /* accepted RCPTs */
	int64_t fanout;           /* learned lists are one recipient in it: */
	int64_t learned_fanout;   /* what their sizes would add */
	struct bw_hash fingerprint; /* sum over all recipients' hashes */
	struct bw_facts_list lists[BW_FACTS_LISTS_MAX];
	size_t list_count;
	bool lists_cut;
	bool recipients_fixed, notify_fixed, fields_fixed; /* what the MTA does not let us change */
	bool postmaster;          /* postmaster@ or abuse@ of an own domain is among the recipients: never refused */
	struct bw_hash mailboxes[BW_FACTS_MAILBOXES_MAX]; /* keyed hashes of single recipients */
	size_t mailbox_count;
	bool mailbox_free;        /* one beyond them is below the mailbox guard's limit */
	struct bw_slice first_recipient; /* for logs */
	int64_t declared_size;
	/* header and first body chunk; zero for ordinary mail */
	struct bw_header header;
	struct bw_receipts receipts;
	bool message_id_is_ours;
	struct bw_slice unknown; /* behind an expander: an own address in To or Cc that is no list of the directory; */
	int unknown_count;       /* 2: there are more */
	bool foreign_origin; /* an own domain in From:, from outside, without authentication and a trusted dmarc=pass */
	const char *mta; /* "postfix" or "sendmail" */
	struct bw_slice queue_id; /* of the MTA, "" if unknown */
};

struct bw_engine;

/* Where a daemon may be killed while it holds a message, in the order in which it gets there; tests kill it at each. */
enum bw_hold_fault {
	BW_HOLD_DECIDED,     /* nothing is written yet */
	BW_HOLD_WRITTEN,     /* in the ledger */
	BW_HOLD_MARKED,      /* the MTA has the mark */
	BW_HOLD_QUARANTINED, /* and was told to hold it, and waits for the end */
	BW_HOLD_FAULT_COUNT
};
bool bw_hold_fault_parse(struct bw_slice word, enum bw_hold_fault *out);

struct bw_engine_options {
	struct bw_log_sink log;
	const char *host;         /* this host's name */
	bool jitter;              /* of block times; off in virtual time */
	bool keep_ledger;         /* write ledger entries and marks for held messages */
	void (*at)(enum bw_hold_fault fault); /* NULL but in tests */
};

struct bw_engine *bw_engine_new(struct bw_store *store, struct bw_world *world, const struct bw_engine_options *options);
void bw_engine_free(struct bw_engine **engine);
struct bw_world *bw_engine_world(struct bw_engine *engine); /* a reference of the caller's own */
void bw_engine_swap(struct bw_engine *engine, struct bw_world *world); /* takes the reference; never blocks a message */

/* What the front end is to do. Text lives in the arena. */
struct bw_judgement {
	struct bw_verdict verdict;
	const char *sentence;      /* of verdict.why; "" when accepted without a word */
	const char *would_sentence;
	const char *reply_code;    /* "550", "451", ... for reject and throttle */
	const char *reply_status;  /* "5.7.28", "4.7.28" */
	const char *reply_text;    /* no CR, LF, '%' escaped for libmilter's varargs-free call, at most 400 bytes a line */
	const char *quarantine;    /* reason for hold, Sendmail shows it */
	const char *mark;          /* value of X-Breakwater-Held for hold; "" if no ledger is kept */
	const char *trace;         /* value of X-Breakwater, "" unless asked for */
	const struct bw_change *changes; /* of what goes on or waits */
	size_t change_count;
	enum bw_full full;         /* the limit of the hold queue that made another action of a hold */
	enum bw_err store_error;   /* BW_OK, or why it was decided without counts */
	enum bw_err ledger_error;  /* BW_OK, or why a held message has no ledger entry (its mark still tells all) */
	struct bw_why ledger_why;
	void (*at)(enum bw_hold_fault fault); /* bw_engine_options.at, for who applies a hold */
};
void bw_hold_reach(const struct bw_judgement *j, enum bw_hold_fault fault);

/* Judges one complete message. `world` is the reference the message started with. */
void bw_engine_judge(struct bw_engine *engine, struct bw_world *world, const struct bw_facts *facts, struct bw_arena *arena,
                     struct bw_judgement *out);

/* How much waits on this host; whoever holds a message asks it. It is to be told by one thread (bw_room_read_begin and the like). */
struct bw_room *bw_engine_room(struct bw_engine *engine);

/* Figures since the start, for status, heartbeats and metrics. */
struct bw_engine_figures {
	int64_t messages, list_messages; /* judged; ordinary mail counts in messages only */
	int64_t by_action[BW_ACTION_COUNT], would_by_action[BW_ACTION_COUNT];
	int64_t deliveries;              /* really let pass to lists */
	int64_t degraded;                /* decided in degraded mode */
	int64_t learned;                 /* proposals of sizes written to the directory */
	int64_t posts_evicted;           /* accepted list messages that no freeze will find: the store took none for too long */
};
void bw_engine_figures(const struct bw_engine *engine, struct bw_engine_figures *out);
/* Until this time (wall clock, ms; 0: no bypass) everything passes unjudged: the operator's last resort, a local file. */
void bw_engine_set_bypass(struct bw_engine *engine, int64_t until_ms);
bool bw_engine_bypassed(const struct bw_engine *engine, int64_t now_ms);

/* What a list server or an expander handed on, and was let pass, teaches the size of a list; never asks the store. */
void bw_engine_learn(struct bw_engine *engine, const struct bw_world *world, const struct bw_facts *facts);

void bw_engine_note_ordinary(struct bw_engine *engine); /* an ordinary message was accepted at DATA */

/* Ordinary mail at DATA: counted, and accepted (true), unless its sender or each of its mailboxes is at a limit or stopped, or there is
 * suspicion; then (false) nothing is counted, and it goes on to the end of message, where alone hold is possible. Never asks the store. */
bool bw_engine_passes(struct bw_engine *engine, const struct bw_world *world, const struct bw_facts *facts);
/* A recipient beyond those that facts hold. */
void bw_engine_note_mailbox(struct bw_engine *engine, const struct bw_world *world, struct bw_facts *facts, const struct bw_hash *mailbox);
/* Hands over what ordinary mail was counted as, learns what is stopped elsewhere, and lets time pass for what is stopped. To be called
 * every 100 to 1000 ms by one thread; asks the store. `now_ms` 0: wall time; else virtual time, for simulate and tests, from then on. */
void bw_engine_tick(struct bw_engine *engine, int64_t now_ms);

#endif
