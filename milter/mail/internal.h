/* internal.h: what the files of mail/ know of each other.
 *
 * Layer:     mail.
 * Threads:   pure, but for the structs, which belong to one message.
 * Ownership: slices borrow from what was passed in unless said otherwise.
 * Fails:     never; what cannot be read is missing.
 */
#ifndef BW_MAIL_INTERNAL_H
#define BW_MAIL_INTERNAL_H

#include "bw/mail.h"

#define BW_MAIL_VALUE_MAX 998 /* longest field body kept: the longest line of RFC 5322 2.1.1 */

/* --- text.c --- */

/* Unfolds a field body (RFC 5322 2.2.3) into `out`: line ends go, NUL becomes a blank, the ends are trimmed. Returns the
 * length; sets *cut (may be NULL) when `size` was too small. */
size_t bw_mail_unfold(struct bw_slice value, char *out, size_t size, bool *cut);
/* Decodes encoded words (RFC 2047) of an unfolded body into valid UTF-8. The caller frees it with bw_mail_text_free(). */
char *bw_mail_decode(const char *unfolded);
/* Folds UTF-8 for comparison: NFKC (full-width forms become ASCII), case folded, invisible characters dropped, runs of white
 * space one blank, ends trimmed. The caller frees it with bw_mail_text_free(). */
char *bw_mail_fold(const char *utf8);
void bw_mail_text_free(char *text);
/* The largest n <= max that does not end within a UTF-8 character. */
size_t bw_mail_utf8_head(struct bw_slice s, size_t max);

/* --- address parts: domain.c, verp.c --- */

/* Lower case, A-labels (RFC 5890), without a trailing dot; or an address literal. False: no domain. */
bool bw_mail_domain(struct bw_slice raw, char *out, size_t size);

/* A path in two parts, unquoted; slices borrow. */
struct bw_mail_path {
	struct bw_slice local, domain;
	bool verp, srs;
};

/* Undoes SRS, BATV and VERP, repeatedly where they are wrapped in one another. */
void bw_mail_path_undo(struct bw_mail_path *path);

/* --- addresslist.c --- */

#define BW_MAIL_MAILBOXES_MAX 20000 /* looked at in To and Cc of one message */
#define BW_MAIL_HARD_MAX      4000  /* of them, those that need a grammar */

/* What may still be looked at: time is bounded, not only memory. */
struct bw_mail_budget {
	size_t mailboxes, hard;
};

/* As bw_address_list(), within a budget that several fields share. */
void bw_mail_addresses(struct bw_slice field, struct bw_mail_budget *budget, void (*each)(void *ctx, const struct bw_address *a),
                       void *ctx);

/* --- header fields: references.c, fields.c --- */

/* The first and the last few ids of a field, in order, without doubles. */
struct bw_mail_ids {
	struct bw_slice first[BW_REFERENCES_FIRST], last[BW_REFERENCES_LAST];
	size_t first_count, last_count;
	size_t total;
	bool prose; /* something other than ids, comments and commas stood there */
};

void bw_mail_ids_read(struct bw_slice value, struct bw_mail_ids *out);
/* The id between < and >, or the first word when there are no brackets. */
struct bw_slice bw_mail_id_first(struct bw_slice value);

/* --- subject.c, prefixes.c --- */

enum bw_mail_prefix { BW_MAIL_PREFIX_NONE, BW_MAIL_PREFIX_REPLY, BW_MAIL_PREFIX_FORWARD };

/* Reads one prefix with its colon off the head of a folded subject; *taken becomes its length. */
enum bw_mail_prefix bw_mail_prefix_read(struct bw_slice folded, size_t *taken);
/* Reads one tag ("[ext]", "(external)", "***spam***", "external:") off the head; 0: there is none. */
size_t bw_mail_tag_read(struct bw_slice folded);
/* The row numbers of the table of prefixes, for the test that each is in folded form; NULL past the end. */
const char *bw_mail_prefix_at(size_t i);

struct bw_mail_subject {
	struct bw_slice base;      /* within the folded text */
	struct bw_slice ticket;    /* a tag with a number of its own ("[#4711]"), which belongs to the base; empty if none */
	struct bw_slice untagged;  /* the folded text behind leading tags only */
	bool reply, forward;
};

void bw_mail_subject_strip(struct bw_slice folded, struct bw_mail_subject *out);
/* The base with its ticket in the arena; {NULL, 0} when it is full. */
struct bw_slice bw_mail_subject_keep(struct bw_arena *arena, const struct bw_mail_subject *subject);

#endif
