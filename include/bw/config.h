/* config.h: breakwater.conf: one table row per setting -> parsing, defaults, ranges, documentation.
 *
 * Layer:     config (libconfig is seen only by its loader). Sits on base, policy's settings, mail's addresses and directory.
 * Threads:   a loaded configuration is immutable.
 * Ownership: bw_config_load() / bw_config_free().
 * Fails:     one sentence with file, line, key and the allowed range; nothing is returned then and the running
 *            configuration stays.
 */
#ifndef BW_CONFIG_H
#define BW_CONFIG_H

#include "bw/directory.h"
#include "bw/settings.h"

/* Address ranges (CIDR, IPv4 and IPv6); opaque. */
struct bw_networks;
bool bw_networks_contain(const struct bw_networks *n, const char *ip); /* false for NULL and nonsense */
/* Parses "192.0.2.0/24", "2001:db8::/32", "127.0.0.1" into a growing set (*n may be NULL). */
enum bw_err bw_networks_add(struct bw_networks **n, struct bw_slice range, struct bw_why *why);
void bw_networks_free(struct bw_networks **n);

struct bw_config {
	struct {
		char *socket;         /* "unix:/path", "inet:port@host", as libmilter takes it */
		char *socket_group;   /* group that owns a Unix socket; "" leaves it */
		int64_t socket_mode;  /* octal, 0660 */
		char *user, *group;   /* to drop privileges to when started as root; "" stays */
		char *pid_file;       /* "" none */
		char *secret_file;    /* site secret; made at first start */
		char *bypass_file;    /* while it names a future time, everything passes */
		char *host;           /* this host's name; "" asks the system */
		char *log;            /* "syslog" or "stderr" */
		bool trace_header;    /* add X-Breakwater to list mail */
		int64_t drain_ms;     /* wait for open transactions at SIGTERM */
	} daemon;
	struct {
		char *backend; /* "embedded" or "redis" */
		char *path;    /* SQLite file; with Redis: of this host's ledger, and of what it counts alone while Redis is away */
		int64_t busy_ms, memory_ms, expire_every_ms;
		char *redis_server;        /* "HOST:PORT", "[IPv6]:PORT" or "unix:/path" */
		char *redis_user;          /* "" the default user */
		char *redis_password_file; /* "" no password */
		char *redis_prefix;        /* of every key */
		int64_t redis_database, redis_deadline_ms;
		bool redis_tls;
		char *redis_tls_ca, *redis_tls_certificate, *redis_tls_key, *redis_tls_name; /* "" the system's, none, none, the server's */
	} store;
	struct {
		char **domains; size_t domain_count; /* own domains, A-labels; the first is the realm of bare SASL names */
		char **local_domains; size_t local_domain_count; /* further names of this host: their local parts are looked up in `domains` */
		struct bw_networks *networks;        /* class inside */
		struct bw_networks *vouched, *relays, *expanders, *list_servers;
		char **submission_daemons; size_t submission_count; /* {daemon_name}s of class submission */
		char **authserv_ids; size_t authserv_id_count; /* whose Authentication-Results are trusted */
		char **own_message_ids; size_t own_message_id_count; /* host parts of Message-IDs that our own MTAs make */
		char **certificates; size_t certificate_count;        /* "SUBJECT=NAME": verified client certificates that are identities */
		char detail;                         /* recipient delimiter, 0 none */
	} internal;
	struct {
		char *archive; /* directory of deleted messages */
		int64_t archive_keep_ms, archive_bytes, archive_min_free;
		char **postfix_config; size_t postfix_config_count; /* of its instances; none: Postfix's own */
		char *postfix_commands, *sendmail_commands, *sendmail_config; /* "" where they usually are */
		char *sendmail_queue;                     /* one directory, or those that a last "*" stands for */
		int64_t max_messages, max_bytes, min_free; /* of the hold queue; 0: no limit */
		char *queue;                               /* on whose disk; "" where the MTAs usually have it */
		int64_t keep_ms;                          /* what has waited longer goes into the archive; 0: waits for ever */
		int64_t reconcile_every_ms;
		char *helper_socket, *order_key;
	} hold;
	struct {
		bool subject, sender; /* readable in ledger, posts and notices */
	} privacy;
	struct {
		bool senders;                            /* are told that their message waits */
		bool owners;                             /* of lists are told what waits for them */
		char *hook;                              /* a program that gets each incident as JSON; "" none */
		char **admins; size_t admin_count;       /* are told of trips and the like */
		char **languages; size_t language_count; /* of notices, the first one first */
		char *from;                              /* "" postmaster@ the first own domain */
		char *sendmail;                          /* the program that posts them */
		char *state_file;                        /* how far they are */
		int64_t every_ms, again_ms, most;        /* looks; to one person; a minute */
	} notify;
	struct bw_tier_bounds tiers;
	struct bw_settings *settings; /* mode, thresholds and overrides of the file */
	struct bw_list_entry *lists; size_t list_count; /* of the file; source CONFIG; text owned by the configuration */
	void *owned; /* the loader's memory */
};

/* Built-in defaults (what an empty file gives). */
enum bw_err bw_config_default(struct bw_config **out, struct bw_why *why);
enum bw_err bw_config_load(const char *path, struct bw_config **out, struct bw_why *why);
/* The same where each file must be root's and nobody else may write to it, as programs that it names are run as root: BW_ERR_PERMISSION. */
enum bw_err bw_config_load_roots(const char *path, struct bw_config **out, struct bw_why *why);
/* The same from memory; `name` stands for the file in sentences, and @include is an error. */
enum bw_err bw_config_parse(struct bw_slice text, const char *name, struct bw_config **out, struct bw_why *why);
void bw_config_free(struct bw_config **config);

/* Takes "HOST:PORT" (IPv6 addresses in brackets) apart; false when it is no such thing. `host` borrows from `server`. */
bool bw_config_host_port(struct bw_slice server, struct bw_slice *host, int64_t *port);

/* One documented key outside the thresholds, for the sample file, the manual and completion. */
struct bw_config_key {
	const char *name; /* "daemon.socket" */
	const char *type; /* "text", "count", "duration", "yes/no", "list of texts" */
	const char *def;  /* as the sample file writes it */
	const char *range;
	const char *help;
};
size_t bw_config_key_count(void);
const struct bw_config_key *bw_config_key_at(size_t i);
/* Appends the value of key `i` in `c` as a file would hold it; false where it is no single value (lists, settings). */
bool bw_config_key_print(const struct bw_config *c, size_t i, struct bw_buf *out);

/* conf/breakwater.conf: every key and threshold, commented, with its default. */
void bw_config_print_sample(struct bw_buf *out);
/* The tables of breakwater.conf(5) in scdoc's language. */
void bw_config_print_keys(struct bw_buf *out);
void bw_config_print_thresholds(struct bw_buf *out);
/* What a threshold may be: "1 to 10000 or "off"", "off, shadow, enforce". */
void bw_config_print_allowed(const struct bw_setting *row, struct bw_buf *out);

/* Is it one of internal.domains? */
bool bw_config_is_own_domain(const struct bw_config *c, struct bw_slice domain);
/* The realm-completed, lower-case "auth:user@realm" of a SASL name; also for posters without a prefix. */
void bw_config_identity(const struct bw_config *c, struct bw_slice poster, struct bw_buf *out);

#endif
