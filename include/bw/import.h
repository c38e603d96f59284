/* import.h: lists and their sizes, read from where a site keeps them: alias files, Postfix tables, Mailman 3, LDAP, CSV files.
 *
 * Layer:     import, on base, and on store and directory for their words; linked by the CLI only, so that the daemon carries
 *            neither libcurl nor libldap.
 * Threads:   one import, one thread at a time.
 * Time:      deadlines are monotonic (bw_clock_monotonic_ms); no call waits past the one in its rules.
 * Ownership: bw_import_new() / bw_import_free(); texts of results live as long as the import.
 * Fails:     one sentence with the place (FILE:LINE, URL, DN) and the reason; an import that failed holds nothing to use.
 *            BW_ERR_INPUT (the source is not what it should be), BW_ERR_RANGE (a size), BW_ERR_LIMIT (more than an import takes),
 *            BW_ERR_IO (a file, a server), BW_ERR_PERMISSION (it may not be read), BW_ERR_NOT_FOUND, BW_ERR_MEMORY.
 *
 * A source gives names and what each name expands to; bw_import_finish() counts who is reached. Members reached twice count
 * once; names that expand to each other in a cycle are an error that says the cycle.
 */
#ifndef BW_IMPORT_H
#define BW_IMPORT_H

#include "bw/arena.h"
#include "bw/err.h"
#include "bw/records.h"

#define BW_IMPORT_ADDRESS_BYTES 512 /* of a normalised address, with its NUL */
#define BW_IMPORT_DOMAINS_MAX   64
#define BW_IMPORT_SIZE_MAX      INT64_C(1000000000) /* the directory's own bound */

/* What one name of the source turned out to be. */
struct bw_import_list {
	struct bw_slice address; /* normalised */
	int64_t size;            /* 0: nobody */
	struct bw_slice owner, list_id, posters; /* "" where the source does not say */
	struct bw_slice place;   /* where it stands: "/etc/aliases:12", a DN, a URL */
	bool slight;             /* an alias for one or nobody: no list, unless it was one before */
};

/* What the caller knows and the sources do not. */
struct bw_import_rules {
	/* Writes the normalised form of an address; false: it is none. */
	bool (*normalise)(void *ctx, struct bw_slice raw, char out[BW_IMPORT_ADDRESS_BYTES]);
	/* Appends the full identity that a poster's name means; false: it is none. */
	bool (*identify)(void *ctx, struct bw_slice raw, struct bw_buf *out);
	void *ctx;
	const char *const *domains; /* of names without one; the first is theirs, the others are the same */
	size_t domain_count;        /* at most BW_IMPORT_DOMAINS_MAX */
	int64_t deadline_ms;
};

struct bw_import;
enum bw_err bw_import_new(const struct bw_import_rules *rules, struct bw_import **out, struct bw_why *why);
void bw_import_free(struct bw_import **im);

/* --- sources; each may be read into the same import --- */

/* Alias files: "name: members" (aliases(5)) and "pattern members" (virtual(5)), line by line; with the files they include. */
enum bw_err bw_import_aliases(struct bw_import *im, const char *const *files, size_t n, struct bw_why *why);
/* The same from memory: the text of a file called `name`. Files that it includes are read. */
enum bw_err bw_import_alias_text(struct bw_import *im, const char *name, struct bw_slice text, struct bw_why *why);

/* Everything in a Postfix table ("hash:/etc/postfix/virtual"), as `postmap -s` lists it. */
struct bw_import_postmap {
	const char *table;
	const char *commands; /* where postmap is; NULL: PATH, then /usr/sbin */
	const char *config;   /* Postfix's configuration directory; NULL: Postfix's own default */
};
enum bw_err bw_import_postmap(struct bw_import *im, const struct bw_import_postmap *from, struct bw_why *why);

/* Lines of ADDRESS,SIZE[,OWNER[,LIST-ID[,POSTERS]]] (RFC 4180); a first line that begins with "address" names the columns. */
enum bw_err bw_import_csv(struct bw_import *im, const char *file, struct bw_why *why);
enum bw_err bw_import_csv_text(struct bw_import *im, const char *name, struct bw_slice text, struct bw_why *why);

/* Who asks a server, and how it is known. */
struct bw_import_login {
	const char *user;          /* NULL: nobody; of LDAP the bind DN */
	const char *password_file; /* its first line */
	const char *ca_file;       /* certificates to trust; NULL: the system's */
};
/* All lists of a Mailman 3 by its REST interface: "http://localhost:8001". */
enum bw_err bw_import_mailman(struct bw_import *im, const char *url, const struct bw_import_login *login, struct bw_why *why);
/* Groups of a directory server: an LDAP URI (RFC 4516) with base, the attribute that holds a group's address (mail), scope (sub)
 * and filter (every kind of group). `start_tls`: turn the connection to TLS before anything is said. */
enum bw_err bw_import_ldap(struct bw_import *im, const char *uri, const struct bw_import_login *login, bool start_tls,
                           struct bw_why *why);

/* Is this what names such a source at all? BW_ERR_INPUT. The functions above ask first. */
enum bw_err bw_import_check_postmap(const char *table, struct bw_why *why);
enum bw_err bw_import_check_mailman(const char *url, struct bw_why *why);
enum bw_err bw_import_check_ldap(const char *uri, struct bw_why *why);

/* --- results --- */

/* Counts. After it the lists are there, in order of address, each once. */
enum bw_err bw_import_finish(struct bw_import *im, struct bw_why *why);
size_t bw_import_count(const struct bw_import *im);
const struct bw_import_list *bw_import_at(const struct bw_import *im, size_t i);
/* What the operator should know beside the lists: names passed over, and why. At most 100 are kept, the rest is counted. */
size_t bw_import_note_count(const struct bw_import *im);
const char *bw_import_note_at(const struct bw_import *im, size_t i); /* NULL past those kept */

/* --- what an import would change (plan.c) --- */

enum bw_import_kind {
	BW_IMPORT_NEW,      /* not in the directory before */
	BW_IMPORT_GROWN,
	BW_IMPORT_SHRUNK,
	BW_IMPORT_CHANGED,  /* owner, List-Id, posters or where it comes from */
	BW_IMPORT_EMPTY,    /* was imported, has nobody now; stays as it was */
	BW_IMPORT_GONE,     /* was imported from here, is not there any more; stays unless pruned */
	BW_IMPORT_FOREIGN,  /* belongs to another import; left alone unless forced */
	BW_IMPORT_COLLAPSED, /* a tenth or less of a list that was not small; its size stays unless forced */
	BW_IMPORT_KIND_COUNT
};
const char *bw_import_kind_name(enum bw_import_kind kind);

struct bw_import_step {
	enum bw_import_kind kind;
	struct bw_slice address;
	int64_t was, now;        /* sizes; 0: none */
	bool surprise;           /* becomes unconfirmed: new above huge, or grown more than tenfold */
	bool writes;             /* changes the store */
	enum bw_source covered;  /* the stronger source whose size stays in force; BW_SOURCE_IMPORT: none */
	struct bw_slice place;   /* in the source; of FOREIGN: where the other import found it */
};

struct bw_import_limits {
	int64_t huge;     /* a new list of so many members is a surprise */
	int64_t medium;   /* below it no list collapses */
	bool prune, force;
};

struct bw_import_plan {
	struct bw_import_step *steps; /* in order of address */
	struct bw_list_row *rows;     /* what is to be written; texts are borrowed from the import and from the plan */
	size_t step_count, row_count;
	size_t counts[BW_IMPORT_KIND_COUNT], unchanged, surprises;
	size_t known;  /* lists of this origin before */
	struct bw_arena *texts;
};

/* Compares an import that is finished with the directory's rows as `each_row` gives them (all of them: every source).
 * `origin`: what this import is called in the rows it writes, the same in every run. */
struct bw_import_rows {
	enum bw_err (*each)(void *ctx, bool (*take)(void *taker, const struct bw_list_row *row), void *taker, struct bw_why *why);
	void *ctx;
};
enum bw_err bw_import_plan(const struct bw_import *im, struct bw_slice origin, const struct bw_import_limits *limits,
                           const struct bw_import_rows *rows, struct bw_import_plan *out, struct bw_why *why);
void bw_import_plan_done(struct bw_import_plan *plan);

#endif
