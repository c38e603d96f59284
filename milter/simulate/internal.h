/* internal.h: a scenario as read.
 *
 * Layer:     simulate.
 * Ownership: everything of a scenario lives in its arena.
 */
#ifndef BW_SIMULATE_INTERNAL_H
#define BW_SIMULATE_INTERNAL_H

#include "bw/arena.h"
#include "bw/simulate.h"
#include "expect.h"
#include "map.h"

enum {
	SCENARIO_BYTES_MAX = 16 << 20, /* of a file */
	SCENARIO_WORDS_MAX = 256,      /* of a line */
	SCENARIO_TO_MAX = 128,         /* addresses in to=; BW_FACTS_LISTS_MAX is as many as facts hold */
	SCENARIO_MESSAGES_MAX = 1000000,
	SCENARIO_RETRIED_MAX = 100000,   /* messages of statements with retry=, whose bytes are kept */
	SCENARIO_OFFERS_MAX = 100000000, /* recipients offered in all, retries included */
	REFERENCES_KEPT = 8,
	SCENARIO_DETAIL = '+', /* internal.detail's default: what divides a detail from a recipient's name */
};

/* --- a scenario as read --- */

enum mail_kind {
	KIND_POST,
	KIND_REPLY,
	KIND_AUTO_REPLY,
	KIND_MDN,
	KIND_DSN,
	KIND_RECALL,
	KIND_CALENDAR_REPLY,
	KIND_LIST_OUTPUT,
	KIND_COUNT
};
const char *bw_scenario_kind_name(enum mail_kind kind);

/* "u[1-500]@nhs.example": head, numbers, tail. Without brackets: one message, the whole text is the head. */
struct range {
	struct bw_slice text; /* as written */
	struct bw_slice head, tail;
	int64_t first, last;
	int width; /* of the number, 0: not padded */
};
/* Reads a range; the sentence of a failure has no file and line yet. */
enum bw_err bw_range_parse(struct bw_slice text, struct range *out, struct bw_why *why);
int64_t bw_range_count(const struct range *range);
/* Writes the i-th text (from 0, wrapping around) after what `out` holds. */
void bw_range_print(const struct range *range, int64_t i, struct bw_buf *out);

struct scenario_list {
	struct bw_slice address; /* normalised */
	int64_t size;
	struct bw_slice owner, list_id;
	struct bw_slice *posters; /* as written */
	size_t poster_count;
	bool unconfirmed;
	int line;
	size_t index;
	struct scenario_list *next;
};

struct mail_plan {
	enum mail_kind kind;
	struct range from, auth; /* auth.text empty: none */
	struct bw_slice to_text; /* as written */
	size_t to_count;
	struct bw_slice *to;                                 /* normalised addresses */
	const struct scenario_list **lists;                  /* of each: NULL for a person */
	struct bw_slice thread, subject, client, message_id; /* empty: not given, but see has_subject */
	bool has_subject, no_refs;
	int64_t rcpts, times, every_ms, retry, backoff_ms;
	struct expect expect;
};

enum statement_kind { STATEMENT_MAIL, STATEMENT_STORE, STATEMENT_OPERATOR };
enum store_state { STORE_DOWN, STORE_UP, STORE_SLOW };

struct statement {
	enum statement_kind kind;
	int line;
	size_t index;
	int64_t at_ms; /* of the first message, since the start */
	struct statement *next;
	union {
		struct mail_plan mail;
		struct {
			enum store_state state;
			int64_t delay_ms;
		} store;
		struct {
			int argc;
			char **argv;
		} command;
	} u;
};
int64_t bw_statement_count(const struct statement *st);   /* messages, or 1 */
int64_t bw_statement_last_ms(const struct statement *st); /* time of the last of them */

/* A value of `internal ...` or `set internal...`: an own domain, or a range for one of the networks of the configuration. */
enum internal_kind {
	INTERNAL_DOMAIN,
	INTERNAL_NETWORKS,
	INTERNAL_VOUCHED,
	INTERNAL_RELAYS,
	INTERNAL_EXPANDERS,
	INTERNAL_LIST_SERVERS,
	INTERNAL_COUNT
};

struct internal_entry {
	enum internal_kind kind;
	struct bw_slice value;
	struct internal_entry *next;
};

struct bw_scenario {
	struct bw_arena *arena;
	const char *name;
	struct internal_entry *internals, **internals_end;
	struct scenario_list *lists, **lists_end;
	size_t list_count;
	struct bw_map lists_by_address;
	struct bw_map threads;        /* names founded by posts, for checks */
	struct bw_settings *settings; /* defaults, mode enforce, and its own on top */
	struct statement *statements, **statements_end, *last;
	size_t statement_count;
	int64_t messages, retried, offers; /* sums, bounded */
};

#endif
