/* internal.h: what the engine's files share.
 *
 * Layer:   engine.
 * Threads: struct bw_engine is shared by all threads; a struct trial belongs to the thread that judges its message.
 */
#ifndef BW_ENGINE_INTERNAL_H
#define BW_ENGINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "blocked.h"
#include "bw/engine.h"
#include "bw/policy.h"
#include "learning.h"
#include "meters.h"
#include "posts.h"

/* What the ticking thread has told of learned sizes. */
struct learner {
	int64_t hour_ms, told, full_ms;
};

struct bw_engine {
	struct bw_store *store;
	struct bw_world *world; /* under `swap` */
	pthread_mutex_t swap;
	struct bw_engine_options options;
	struct bw_meters *meters;
	struct bw_blocked *blocked;
	struct bw_room *room;
	struct bw_learning *learning;
	struct learner learner;
	struct bw_posts *posts;
	_Atomic int64_t virtual_ms; /* 0: wall time */
	int64_t next_tick_ms;       /* of the ticking thread */
	_Atomic int64_t bypass_until_ms;
	_Atomic int64_t messages, list_messages, deliveries, degraded, learned;
	_Atomic int64_t by_action[BW_ACTION_COUNT], would_by_action[BW_ACTION_COUNT];
};

/* What one message is to the guards that watch no list. */
struct metered {
	struct bw_sender_case sender;
	struct bw_hash who;
	bool sender_watched, capacity_watched, mailbox_watched;
	struct bw_meter_key recipients, posts, deliveries;
};
enum { BW_METERED_OPINIONS = 3 }; /* sender, mailbox, capacity */

struct redirection; /* redirect.c */

/* Changes of one message; made for as many as there can be. */
struct change_list {
	struct bw_change *at;
	size_t n, capacity;
};

/* What defusing did (mode enforce) or would do (shadow). */
struct defused {
	enum bw_mode mode;
	bool requests, notify, silence;
	int64_t avoided; /* receipts, estimated: one a member for each way of asking */
};

/* One message before its judge. Arrays hold `n` lists each, in the arena. */
struct trial {
	struct bw_engine *engine;
	const struct bw_world *world;
	const struct bw_facts *facts;
	struct bw_arena *arena;
	size_t n;
	const struct bw_list **lists;
	struct bw_limits *limits;
	struct bw_count_in *in;
	struct bw_count_out *out;
	struct bw_case *cases;
	struct bw_opinion *opinions; /* and behind those of the lists, `others` more */
	size_t others;
	struct metered metered;
	struct change_list changes;
	struct redirection *redirections; /* of each list; NULL: no guard redirects */
	struct defused defused;
	bool poster_of_all[2]; /* of all lists but learned ones; of those as well */
	bool degraded;
	int64_t daemons;
	enum bw_err store_error;
};

/* judge.c: what the counters are told. An installation in shadow rehearses: they follow what would have happened. Else they follow
 * what happens, or a guard in shadow would blind those that enforce. */
bool bw_counts_rehearse(const struct trial *t);
bool bw_counts_as_accepted(const struct trial *t, const struct bw_verdict *v);
int64_t bw_counts_reached(const struct trial *t, const struct bw_verdict *v); /* mailboxes that it counts for */

/* translate.c: facts to store and policy inputs. */
bool bw_translate_facts(struct trial *t); /* false: memory */
void bw_translate_counts(struct trial *t, size_t i);

/* metering.c: sender, mailbox, capacity. First: before the lists are counted; attempts are, and lists that a stopped message would reach
 * are told so. Judge: after it, adds their opinions. Settle: when the verdict is known. */
void bw_metering_start(struct trial *t);
void bw_metering_judge(struct trial *t);
void bw_metering_settle(struct trial *t, const struct bw_verdict *verdict);
int64_t bw_engine_now(const struct bw_engine *e); /* wall or virtual time */
/* The tick's share: advances a stopped identity's breaker without a message. */
void bw_metering_rest(struct bw_engine *e, const struct bw_world *world, const struct bw_blocked_row *row, int64_t now_ms);

/* learn.c: an expander's message has gone to many more than the list has members: no part of that post any more. And the tick's share. */
bool bw_learn_overrun(const struct trial *t, const struct bw_list *list);
void bw_engine_flush_learned(struct bw_engine *e, const struct bw_world *world, int64_t now_ms);

/* envelope.c: strip and redirect. Actions are those of the verdict; `would`: as if every guard enforced. */
enum bw_action bw_envelope_action(const struct trial *t, enum bw_action action, bool would); /* what can be done of it */
bool bw_envelope_reaches(const struct trial *t, size_t i, enum bw_action action, bool would); /* list i */
int64_t bw_envelope_reached(const struct trial *t, enum bw_action action, bool would); /* mailboxes */
const struct bw_facts_list *bw_envelope_list(const struct trial *t, size_t i); /* list i as facts have it */
bool bw_envelope_can_leave(const struct trial *t, const struct bw_facts_list *fl);
bool bw_envelope_write(struct trial *t, enum bw_action action); /* its changes; false: memory */
enum bw_action bw_envelope_said(const struct bw_opinion *o, bool would);
void bw_change_add(struct change_list *c, const struct bw_change *change); /* `c` NULL: nothing */

/* redirect.c: to whom, for each list. Decide: before the envelope is asked; End: when the verdict is known. Explain: its sentence, for what
 * the action has become. */
void bw_redirect_decide(struct trial *t, const struct bw_verdict *v);
void bw_redirect_end(struct trial *t, const struct bw_verdict *v);
void bw_redirect_explain(const struct trial *t, enum bw_action action, bool would, struct bw_explain *why);
const char *bw_redirect_target(const struct trial *t, size_t i); /* NULL: nobody */
int64_t bw_redirect_new(const struct trial *t, bool would);      /* people who are put in */
void bw_redirect_write(struct trial *t);                         /* its changes */

/* defuse.c: more changes, of what goes out or waits. */
void bw_defuse(struct trial *t, struct bw_judgement *j);

/* ledger.c: entry and mark of a held message. */
void bw_ledger_hold(struct trial *t, struct bw_judgement *j);
void bw_ledger_post(struct trial *t, const struct bw_verdict *verdict); /* what of it is accepted, for `storm freeze` */

/* reply.c: what the MTA is told. */
void bw_reply_write(struct trial *t, struct bw_judgement *j);

/* record.c: log lines and events. */
void bw_record_transition(struct trial *t, size_t i, enum bw_scope scope, const struct bw_transition *transition);
void bw_record_sender(struct bw_engine *e, const struct bw_sender_case *c, const struct bw_transition *transition);
void bw_record_verdict(struct trial *t, const struct bw_judgement *j);

/* engine.c */
void bw_engine_note(struct bw_engine *e, const struct bw_verdict *v);

#endif
