/* simulate.h: storms as files, and archives of mail, played through the real engine in virtual time (docs: scenario language).
 *
 * Layer:     simulate, on the session and engine; the CLI and tests stand on it. It knows no command: those that a scenario
 *            names are run by whoever plays it.
 * Threads:   a scenario and its play belong to one thread.
 * Time:      virtual; nothing here reads a clock. It starts at BW_SIMULATE_START_MS.
 * Ownership: bw_scenario_read() / bw_scenario_free(), bw_simulate_play() / bw_simulate_result_free(). A result borrows from its
 *            scenario, which must outlive it.
 * Fails:     one sentence, "FILE:LINE: what is wrong; expected ..."; nothing is played then. A miss (the verdict was another
 *            than the one expected) is no failure: it stands in the result.
 */
#ifndef BW_SIMULATE_H
#define BW_SIMULATE_H

#include "bw/engine.h"

/* The moment 0s of every scenario, 2100-01-01T00:00:00Z: later than any clock, because a store's time never goes back. */
#define BW_SIMULATE_START_MS INT64_C(4102444800000)

#define BW_SIMULATE_NOTES_MAX 1000 /* misses, events and stopped legitimate messages kept; all are counted */

struct bw_scenario;

/* Reads a scenario. BW_ERR_IO (the file), BW_ERR_INPUT or BW_ERR_RANGE (its content), BW_ERR_MEMORY. */
enum bw_err bw_scenario_read(const char *path, struct bw_scenario **out, struct bw_why *why);
/* The same from memory; `name` stands for the file in sentences. */
enum bw_err bw_scenario_parse(const char *name, struct bw_slice text, struct bw_scenario **out, struct bw_why *why);
void bw_scenario_free(struct bw_scenario **scenario);
/* Adds a setting on top of the scenario's own, as `simulate --set NAME=VALUE` does. Fails as bw_settings_set(). */
enum bw_err bw_scenario_set(struct bw_scenario *scenario, struct bw_slice name, struct bw_slice value, struct bw_why *why);

/* One offer of one message, as told to the caller; it lives during the call. */
struct bw_simulate_message {
	int line;                 /* of its statement */
	int64_t ordinal, of;      /* which message of how many of its statement, from 1 */
	int64_t attempt;          /* 0, or the how-manieth retry */
	int64_t at_ms;            /* since the start */
	const char *kind;         /* "post", "reply", "mdn", ... */
	struct bw_slice from, to; /* `to` as the scenario writes it */
	const struct bw_verdict *verdict;
	const char *sentence; /* why; in shadow mode why it would have been stopped; "" when accepted without a word */
	const char *miss;     /* what was expected instead, NULL if nothing else was */
};

struct bw_simulate_options {
	/* Where it is counted: a fresh store, taken over. NULL: the embedded store in memory. */
	struct bw_store *store;
	/* Runs `at TIME operator ...`: bw_cli_operator(). NULL: such a statement is a miss. */
	enum bw_err (*run_operator)(const struct bw_world *world, struct bw_store *store, int argc, char **argv, int64_t now_ms,
	                            struct bw_why *why);
	/* Told of every offer of a message, in order of time; may be NULL. */
	void (*message)(void *ctx, const struct bw_simulate_message *m);
	/* Told of what else happens (store down, operator ...); may be NULL. */
	void (*remark)(void *ctx, int64_t at_ms, const char *text);
	void *ctx;
	struct bw_log_sink log;        /* the engine's log lines; a NULL function drops them */
	int64_t (*monotonic_ms)(void); /* to measure elapsed_ms: bw_clock_monotonic_ms, or NULL */
};

/* The first breaker that tripped. */
struct bw_simulate_trip {
	bool tripped;
	int64_t at_ms; /* since the start */
	int line;
	enum bw_guard guard;
	enum bw_rule rule;
	const char *list;
	int64_t ordinal;       /* which distinct sender met it: of those the rule counts, else of the list's repliers */
	int64_t figure, limit; /* of the rule itself: senders, replies or deliveries, and of at most how many */
	const char *sentence;
};

/* An expectation that was not met, a trip, or legitimate mail that was stopped. */
struct bw_simulate_note {
	int line;
	int64_t ordinal, at_ms;
	const char *from, *to;
	enum bw_guard guard;
	enum bw_action action;
	const char *text; /* misses: the whole sentence with file and line; legitimate mail: the verdict's */
	/* of an archive's messages; NULL in a scenario */
	const char *message_id, *subject;
	int64_t when_ms; /* since 1970 */
};

/* One line of history: what the engine recorded in the store, and what happened to the store itself. */
struct bw_simulate_event {
	int64_t at_ms;
	enum bw_event event;
	enum bw_guard guard;
	const char *list, *text;
};

/* Figures of one play. A message that was offered several times counts once, with its last verdict. */
struct bw_simulate_result {
	int64_t messages;           /* all of them */
	int64_t posts;              /* to a list, of people: posts and replies */
	int64_t replies;            /* of those, replies */
	int64_t automatic;          /* to a list: auto-replies, receipts, recalls, calendar replies, bounces, list output */
	int64_t ordinary;           /* to no list */
	int64_t deliveries_without; /* fan-out of all list mail */
	int64_t deliveries_with;    /* fan-out of what was let pass */
	int64_t accepted, held, throttled, rejected, redirected, discarded, stripped; /* of all messages */
	int64_t shadow_stopped; /* let pass only because a guard is in shadow mode */
	int64_t degraded;       /* decided without the shared store */
	struct bw_simulate_trip first_trip;
	size_t legitimate_held_count, event_count, miss_count; /* the arrays hold at most BW_SIMULATE_NOTES_MAX */
	const struct bw_simulate_note *legitimate_held; /* stopped although the scenario expects accept; or of an archive, by people */
	const struct bw_simulate_event *events;                /* in order of time */
	const struct bw_simulate_note *misses;
	/* of an archive only: every trip and relapse with the message that caused it, and when the first message was sent */
	const struct bw_simulate_note *trips;
	size_t trip_count;
	int64_t start_ms;
	int64_t span_ms;         /* virtual time of the last message */
	int64_t elapsed_ms;      /* real time it took; 0 without a clock */
	struct bw_arena *memory; /* the texts' */
};

/* Plays a scenario. Zero even when expectations were missed: look at miss_count. BW_ERR_STORE, BW_ERR_MEMORY, and whatever
 * refuses the world it describes. `options->store` is closed in any case. */
enum bw_err bw_simulate_play(const struct bw_scenario *scenario, const struct bw_simulate_options *options,
                             struct bw_simulate_result **out, struct bw_why *why);
void bw_simulate_result_free(struct bw_simulate_result **result);

/* A scenario of one list and no statements: what an archive is played on. BW_ERR_INPUT: `address` is none that a list can have. */
enum bw_err bw_scenario_of_list(const char *name, const char *address, int64_t size, struct bw_scenario **out, struct bw_why *why);
/* Plays the mbox archive `path` on such a scenario: each message is sent at the time of its From_ line, to that list and nobody else, by
 * the mailbox that stands in From (where a list manager put itself there, by the one it names), from a host of our own. Whoever wrote a
 * message that is not automatic is taken for a person whose mail is legitimate: what would have been stopped of it is
 * legitimate_held, in shadow mode too. Fails as bw_mbox_open() and bw_simulate_play(). */
enum bw_err bw_simulate_archive(const struct bw_scenario *scenario, const char *path, const struct bw_simulate_options *options,
                                struct bw_simulate_result **out, struct bw_why *why);

/* The report for people. */
void bw_simulate_print(const struct bw_scenario *scenario, const struct bw_simulate_result *result, struct bw_buf *out);
/* One JSON object, as documented in breakwaterctl(1). */
void bw_simulate_print_json(const struct bw_scenario *scenario, const struct bw_simulate_result *result, struct bw_buf *out);
/* One line for one message: "      5m  hold    u4@nhs.example -> all-staff@nhs.example  list: ...". */
void bw_simulate_print_message(const struct bw_simulate_message *m, struct bw_buf *out);

#endif
