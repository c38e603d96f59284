/* Every key outside the thresholds: a row, a range, a sentence. The sample file, the manual, the checks and the defaults
 * all come from here. */
#include <stddef.h>

#include "bw/clock.h"
#include "internal.h"

#define AT(member)   offsetof(struct bw_config, member)
#define LIST(member) offsetof(struct bw_list_entry, member)

enum { UNIT_ms = 1, UNIT_s = 1000, UNIT_m = 60 * UNIT_s, UNIT_h = 60 * UNIT_m, UNIT_d = 24 * UNIT_h };

/* name, type, default, range and help of the document; form, place and place of a count; least and most; check */
#define ROW(name, type, standard, range, help, form, place, counter, low, high, check) \
	{                                                                                  \
		{ name, type, standard, range, help }, form, place, counter, low, high, check  \
	}

#define TEXT(name, member, standard, range, check, help) \
	ROW(name, "text", "\"" standard "\"", range, help, BW_FORM_TEXT, AT(member), 0, 0, 0, check)
#define TEXTS(name, member, counter, standard, range, check, help) \
	ROW(name, "list of texts", standard, range, help, BW_FORM_TEXTS, AT(member), AT(counter), 0, 0, check)
#define RANGES "addresses and ranges such as \"192.0.2.0/24\" or \"2001:db8::/32\""
#define NETWORKS(name, member, standard, help) \
	ROW(name, "list of texts", standard, RANGES, help, BW_FORM_NETWORKS, AT(internal.member), 0, 0, 0, NULL)
#define DURATION(name, member, standard, low, low_unit, high, high_unit, help)                                               \
	ROW(name, "duration", "\"" standard "\"", #low #low_unit " to " #high #high_unit, help, BW_FORM_DURATION, AT(member), 0, \
	    INT64_C(low) * UNIT_##low_unit, INT64_C(high) * UNIT_##high_unit, NULL)
#define COUNT(name, place, standard, low, high, help) \
	ROW(name, "count", standard, #low " to " #high, help, BW_FORM_COUNT, place, 0, INT64_C(low), INT64_C(high), NULL)
#define FLAG(name, place, help) ROW(name, "yes/no", "false", "true, false", help, BW_FORM_FLAG, place, 0, 0, 0, NULL)
#define ONE(name, type, standard, range, form, place, low, high, help) \
	ROW(name, type, standard, range, help, form, place, 0, low, high, NULL)
#define SPECIAL(name, type, standard, range, help) ONE(name, type, standard, range, BW_FORM_SPECIAL, 0, 0, 0, help)
#define SLICE(name, member, standard, range, check, help) \
	ROW(name, "text", standard, range, help, BW_FORM_SLICE, LIST(member), 0, 0, 0, check)

static const struct bw_config_row rows[] = {
	ONE("mode", "text", "\"shadow\"", "shadow, enforce", BW_FORM_MODE, 0, 0, 0,
	    "Of the whole installation. In shadow every guard decides, counts and logs as it would in enforce, and lets the "
	    "message pass: begin so, and look at what would have been stopped."),

	TEXT("daemon.socket", daemon.socket, "unix:/var/spool/postfix/breakwater/milter.sock",
	     "unix:/PATH, inet:PORT@HOST or inet6:PORT@HOST", bw_config_convert_socket,
	     "Where the MTA reaches breakwaterd. Postfix on Debian runs in a chroot and sees only what lies below "
	     "/var/spool/postfix; for Sendmail take unix:/run/breakwater/milter.sock. A Unix socket is the faster one."),
	ONE("daemon.socket_mode", "text", "\"0660\"", "\"0600\" to \"0777\", octal", BW_FORM_OCTAL, AT(daemon.socket_mode), 0600,
	    0777, "Permissions of a Unix socket."),
	TEXT("daemon.socket_group", daemon.socket_group, "", "a group, or \"\" for that of the folder or process",
	     bw_config_convert_user, "Group that owns a Unix socket: one that the MTA belongs to (\"postfix\", \"smmsp\")."),
	TEXT("daemon.user", daemon.user, "breakwater", "a user, or \"\" to stay who started it", bw_config_convert_user,
	     "User that breakwaterd becomes when it was started as root, after the socket is open."),
	TEXT("daemon.group", daemon.group, "breakwater", "a group, or \"\" for the user's own", bw_config_convert_user,
	     "Group that goes with it."),
	TEXT("daemon.pid_file", daemon.pid_file, "/run/breakwater/breakwaterd.pid", "an absolute path, or \"\" for none",
	     bw_config_convert_path_or_none, "File with the process id."),
	TEXT("daemon.secret_file", daemon.secret_file, "/var/lib/breakwater/secret", "an absolute path", bw_config_convert_path,
	     "The site secret under which identities and Message-IDs are hashed; made at the first start. Hosts that share a "
	     "store must have the same one."),
	TEXT("daemon.bypass_file", daemon.bypass_file, "/run/breakwater/bypass", "an absolute path", bw_config_convert_path,
	     "While this file names a time in the future, this host lets everything pass (breakwaterctl bypass)."),
	TEXT("daemon.host", daemon.host, "", "a host name, or \"\" for the system's", bw_config_convert_host_or_none,
	     "Name of this host in events, in the ledger and in status. Every host that shares a store needs its own."),
	TEXT("daemon.log", daemon.log, "syslog", "syslog, stderr", bw_config_convert_log,
	     "Where log lines go when breakwaterd runs in the background; with -f they go to standard error."),
	FLAG("daemon.trace_header", AT(daemon.trace_header), "Adds an X-Breakwater field with the verdict to list mail that passes."),
	DURATION("daemon.drain", daemon.drain_ms, "10s", 0, s, 5, m,
	         "How long SIGTERM waits for open transactions; new connections are refused meanwhile."),

	TEXT("store.backend", store.backend, "embedded", "embedded, redis", bw_config_convert_backend,
	     "Where counters, breakers, settings and the directory live. embedded: one SQLite file, for one host. redis: one Redis for "
	     "all hosts; the embedded file then keeps the ledger of this host, and counts while Redis is away."),
	TEXT("store.path", store.path, "/var/lib/breakwater/store.db", "an absolute path", bw_config_convert_path,
	     "The file of the embedded store. It belongs to daemon.user, and so does its folder."),
	DURATION("store.busy", store.busy_ms, "250ms", 10, ms, 30, s,
	         "The longest wait for another process that writes to the store. After it this daemon counts in memory until the file is back "
	         "(event=degraded), and replies to huge lists wait meanwhile."),
	DURATION("store.memory", store.memory_ms, "7d", 1, d, 90, d,
	         "How long conversations and identities of messages are remembered. A reply to an older post is a new post."),
	DURATION("store.expire_every", store.expire_every_ms, "1m", 1, s, 1, h,
	         "How often what is past its time is removed, a bounded piece each time."),
	TEXT("store.redis_server", store.redis_server, "127.0.0.1:6379", "HOST:PORT, [IPV6]:PORT or unix:/PATH",
	     bw_config_convert_redis_server, "The Redis that all hosts share. A name is resolved in the background; should it vanish, the last "
	     "address stays in use."),
	TEXT("store.redis_user", store.redis_user, "", "an ACL user, or \"\" for the default one", bw_config_convert_word_or_none,
	     "Its rights are in conf/redis/breakwater.conf: give it no others."),
	TEXT("store.redis_password_file", store.redis_password_file, "", "an absolute path, or \"\" for no password",
	     bw_config_convert_path_or_none, "Its first line is the password; read again at every connection. Readable by daemon.user alone."),
	COUNT("store.redis_database", AT(store.redis_database), "0", 0, 1000000, "Number of the database within that Redis."),
	TEXT("store.redis_prefix", store.redis_prefix, "bw:", "1 to 31 bytes without blanks and braces", bw_config_convert_redis_prefix,
	     "Begins the name of every key. Two installations in one Redis need two."),
	DURATION("store.redis_deadline", store.redis_deadline_ms, "50ms", 5, ms, 5, s,
	         "The longest that a message waits for Redis, once an outage: from then on the embedded store decides until Redis is back."),
	FLAG("store.redis_tls", AT(store.redis_tls),
	     "Speaks TLS to Redis (not through a Unix socket). Needs a breakwater built with hiredis 1.0 or later and hiredis_ssl, as on "
	     "Debian 13; breakwaterd -t says if it is not."),
	TEXT("store.redis_tls_ca", store.redis_tls_ca, "", "an absolute path, or \"\" for the system's", bw_config_convert_path_or_none,
	     "File or folder of PEM certificates that may have signed that of Redis. It and the next two are read again at every connection."),
	TEXT("store.redis_tls_certificate", store.redis_tls_certificate, "", "an absolute path, or \"\" for none",
	     bw_config_convert_path_or_none, "This host's certificate (PEM, with its chain), where Redis wants one."),
	TEXT("store.redis_tls_key", store.redis_tls_key, "", "an absolute path, or \"\" for none", bw_config_convert_path_or_none,
	     "Its key, without a passphrase. Readable by daemon.user alone."),
	TEXT("store.redis_tls_name", store.redis_tls_name, "", "a host name or address, or \"\" for the server's", bw_config_convert_word_or_none,
	     "Name or address that the certificate of Redis must be for, where it is not that of store.redis_server."),

	TEXTS("internal.domains", internal.domains, internal.domain_count, "[ ]", "domain names", bw_config_convert_domain,
	      "Own domains, the most important first: it completes SASL names and posters that have no domain. Set this."),
	TEXTS("internal.local_domains", internal.local_domains, internal.local_domain_count, "[ ]", "domain names", bw_config_convert_domain,
	      "Further names of this host (Postfix: mydestination): <all@host> is looked up as all@ each own domain. localhost and daemon.host always are."),
	NETWORKS("internal.networks", networks, "[ \"127.0.0.0/8\", \"::1\" ]", "Hosts whose mail is of class inside."),
	NETWORKS("internal.vouched", vouched, "[ ]",
	         "Hosts that authenticate their users themselves (Exchange, webmail): the envelope sender of their mail is an "
	         "identity. Never put a host here that relays for strangers."),
	NETWORKS("internal.relays", relays, "[ ]", "Our own MTAs whose mail breakwater has judged already: not judged again."),
	NETWORKS("internal.expanders", expanders, "[ ]",
	         "Hosts that expand our lists before us: their mail counts for the lists in To, Cc and List-Id, and all "
	         "transactions with one message are one post, and teach the sizes of lists."),
	NETWORKS("internal.list_servers", list_servers, "[ ]",
	         "List managers that send expanded mail back through us (Mailman, Sympa). Their output is no post, and teaches "
	         "the sizes of lists."),
	TEXTS("internal.submission_daemons", internal.submission_daemons, internal.submission_count,
	      "[ \"submission\", \"submissions\", \"ORIGINATING\", \"MSA\", \"MSP-v4\", \"MSP-v6\" ]", "names without blanks",
	      bw_config_convert_word,
	      "Values of {daemon_name} that make a connection one of class submission: Postfix's milter_macro_daemon_name, "
	      "Sendmail's Name= of DAEMON_OPTIONS."),
	TEXTS("internal.authserv_ids", internal.authserv_ids, internal.authserv_id_count, "[ ]", "names without blanks",
	      bw_config_convert_word,
	      "The authserv-ids under which our own hosts write Authentication-Results (RFC 8601). Their dmarc=pass is trusted by "
	      "the origin guard, so these hosts must remove what others write under these names."),
	TEXTS("internal.own_message_ids", internal.own_message_ids, internal.own_message_id_count, "[ ]", "host names",
	      bw_config_convert_domain,
	      "Host parts of Message-IDs that our own MTAs make for mail without one. Such an id is new at each retry and "
	      "identifies nothing. Name this host too if its MTA adds them."),
	TEXTS("internal.certificates", internal.certificates, internal.certificate_count, "[ ]", "\"SUBJECT=NAME\"",
	      bw_config_convert_certificate,
	      "Verified client certificates that are identities: a subject as the MTA's {cert_subject} shows it, and the name "
	      "for it (poster cert:NAME)."),
	ONE("internal.detail", "text", "\"+\"", "one of + - = _ . # ~ | % ^ !, or \"\" for none", BW_FORM_CHARACTER,
	    AT(internal.detail), 0, 0,
	    "Recipient delimiter: what stands behind it in a local part is no part of the address (recipient_delimiter)."),

	TEXT("hold.archive", hold.archive, "/var/lib/breakwater/archive", "an absolute path", bw_config_convert_path,
	     "Directory where `held delete` keeps messages. It belongs to root alone, or, with breakwater-helper, to daemon.user alone."),
	DURATION("hold.archive_keep", hold.archive_keep_ms, "90d", 1, d, 3650, d, "How long a deleted message can be restored."),
	COUNT("hold.archive_bytes", AT(hold.archive_bytes), "10000000000", 0, 1000000000000000,
	      "Bytes that the archive may have. Beyond them nothing is deleted, and `held delete` says so."),
	COUNT("hold.archive_min_free", AT(hold.archive_min_free), "1000000000", 0, 1000000000000000,
	      "Bytes that must stay free on the archive's disk. Below them nothing is deleted either."),
	COUNT("hold.max_messages", AT(hold.max_messages), "100000", 0, 1000000000,
	      "Messages that may wait on this host, 0 for no limit. Beyond it, and beyond the next two, breakwaterd refuses mail of people who "
	      "have logged in, with an explanation, and asks other mail to come again, in place of holding it."),
	COUNT("hold.max_bytes", AT(hold.max_bytes), "10000000000", 0, 1000000000000000, "Bytes of them, 0 for no limit."),
	COUNT("hold.min_free", AT(hold.min_free), "1000000000", 0, 1000000000000000,
	      "Bytes that must stay free on the disk of the MTA's queue, 0 for no limit."),
	TEXT("hold.queue", hold.queue, "", "an absolute path, or \"\" for /var/spool/postfix and hold.sendmail_queue",
	     bw_config_convert_path_or_none, "The directory on whose disk hold.min_free must be free. Name it if Postfix's queue_directory is another."),
	DURATION("hold.keep", hold.keep_ms, "0s", 0, s, 3650, d,
	         "What has waited for so long is taken into the archive, as `held delete` would; 0s: it waits until somebody decides."),
	DURATION("hold.reconcile_every", hold.reconcile_every_ms, "1h", 1, m, 7, d,
	         "How often breakwater-agent compares the ledger with the hold queue; it does so at its start, too."),
	TEXTS("hold.postfix_config", hold.postfix_config, hold.postfix_config_count, "[ ]", "absolute paths", bw_config_convert_path,
	      "Configuration directories of the Postfix instances whose mail breakwaterd judges; none: Postfix's own."),
	TEXT("hold.postfix_commands", hold.postfix_commands, "", "an absolute path, or \"\" to look for them", bw_config_convert_path_or_none,
	     "Directory of postsuper, postqueue and postcat."),
	TEXT("hold.sendmail_commands", hold.sendmail_commands, "", "an absolute path, or \"\" to look for it", bw_config_convert_path_or_none,
	     "Directory of Sendmail's sendmail."),
	TEXT("hold.sendmail_config", hold.sendmail_config, "", "an absolute path, or \"\" for its own", bw_config_convert_path_or_none,
	     "Sendmail's sendmail.cf."),
	TEXT("hold.sendmail_queue", hold.sendmail_queue, "/var/spool/mqueue", "an absolute path", bw_config_convert_path,
	     "Sendmail's queue directory (QueueDirectory); a last \"*\" stands for several, as there. Postfix tells where its own is."),
	TEXT("hold.helper_socket", hold.helper_socket, "/run/breakwater-helper/socket", "an absolute path", bw_config_convert_path,
	     "Where breakwater-helper, which alone is root, takes signed orders from breakwater-agent."),
	TEXT("hold.order_key", hold.order_key, "/etc/breakwater/order.key", "an absolute path", bw_config_convert_path,
	     "The key that signs orders on held mail, made by breakwater-helper: readable by root and by the group of those who may give them, and "
	     "never by daemon.user. Hosts that share a store have the same one."),

	ONE("privacy.subject", "yes/no", "true", "true, false", BW_FORM_FLAG, AT(privacy.subject), 0, 0,
	    "The ledger keeps the subjects of held messages, and notices name them."),
	ONE("privacy.sender", "yes/no", "true", "true, false", BW_FORM_FLAG, AT(privacy.sender), 0, 0,
	    "The ledger keeps their senders. Without, nobody can be told that his message waits, and nobody "
	    "keeps who began a conversation: a reply is redirected to the list's owner only."),

	ONE("notify.senders", "yes/no", "true", "true, false", BW_FORM_FLAG, AT(notify.senders), 0, 0,
	    "breakwater-agent tells people who have logged in, or whose host vouches for them, that their message waits. Strangers are "
	    "never written to."),
	FLAG("notify.owners", AT(notify.owners), "breakwater-agent tells the owners of lists what waits for their lists, and why, no more often than notify.again."),
	TEXT("notify.hook", notify.hook, "", "an absolute path, or \"\" for none", bw_config_convert_path_or_none,
	     "A program that breakwater-agent runs, as its own user, once for each state of an incident: one JSON object on its standard input. It "
	     "is killed after 10 s."),
	TEXTS("notify.admins", notify.admins, notify.admin_count, "[ ]", "local-part@domain", bw_config_convert_address,
	      "Who is told, once a state: when a breaker trips, becomes calm or closes, a post wants approval, a hold queue is full, the store "
	      "fails, an order stops or is refused, and when that is over. Of several hosts that share a store one tells."),
	TEXTS("notify.languages", notify.languages, notify.language_count, "[ \"en\" ]", "en, de, fr, es", bw_config_convert_word,
	      "Languages of notices: each has all of them, in this order."),
	TEXT("notify.from", notify.from, "", "local-part@domain, or \"\" for postmaster@ the first of internal.domains",
	     bw_config_convert_address_or_none, "The From: of notices. Their envelope sender is always empty, so nothing answers them."),
	TEXT("notify.sendmail", notify.sendmail, "/usr/sbin/sendmail", "an absolute path", bw_config_convert_path,
	     "The program that posts notices: sendmail -i -f <> -- ADDRESS."),
	TEXT("notify.state_file", notify.state_file, "/var/lib/breakwater/notified", "an absolute path", bw_config_convert_path,
	     "Where breakwater-agent keeps how far it is, so that nobody is told twice after a restart."),
	DURATION("notify.every", notify.every_ms, "5s", 1, s, 10, m, "How often breakwater-agent looks for news."),
	DURATION("notify.again", notify.again_ms, "1h", 1, m, 7, d, "One person is told of held messages no more often than this."),
	COUNT("notify.most", AT(notify.most), "60", 1, 100000, "Notices a minute at most; further ones follow later."),

	COUNT("tiers.huge.from", AT(tiers.from[BW_TIER_HUGE]), "25000", 1, 1000000000, "Members from which on a list is huge."),
	COUNT("tiers.large.from", AT(tiers.from[BW_TIER_LARGE]), "2500", 1, 1000000000, "Members from which on a list is large."),
	COUNT("tiers.medium.from", AT(tiers.from[BW_TIER_MEDIUM]), "250", 1, 1000000000,
	      "Members from which on a list is medium; below it is small."),

	SPECIAL("lists", "list of groups", "( )", "one group a list",
	        "Lists known from this file. Those that breakwaterctl adds are kept in the store and stand above this file."),
	SLICE("lists.address", address, "", "local-part@domain", bw_config_convert_address, "Its address. Required."),
	COUNT("lists.size", LIST(size), "", 1, 1000000000, "Its members, those of lists in it included. Required."),
	SLICE("lists.owner", owner, "\"\"", "local-part@domain", bw_config_convert_address, "Who answers for it."),
	ROW("lists.posters", "list of texts", "[ ]", "\"NAME\" or \"auth:NAME\", \"cert:NAME\", \"inside:ADDRESS\"",
	    "Identities that may post to it without approval. A NAME without a prefix is a SASL user, one without a domain gets "
	    "the first of internal.domains.",
	    BW_FORM_SLICES, LIST(posters), LIST(poster_count), 0, 0, bw_config_convert_poster),
	SLICE("lists.list_id", list_id, "\"\"", "an id without < and >", bw_config_convert_list_id,
	      "Its List-Id (RFC 2919), by which an expander's mail is known where To and Cc do not name it."),
	FLAG("lists.unconfirmed", LIST(unconfirmed),
	     "Holds its next post whoever sends it, until its size is confirmed (breakwaterctl list confirm)."),
	SPECIAL("lists.limits", "group", "{ }", "guards and their settings as in tiers", "Thresholds of this list alone."),

	SPECIAL(
		"settings", "list of texts", "[ ]", "\"NAME = VALUE\"",
		"Thresholds by the names that breakwaterctl uses: GUARD.FIELD, TIER.GUARD.FIELD or @ADDRESS.GUARD.FIELD, the last also "
		"for lists that only the store knows. They are read last."),
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

size_t bw_config_key_count(void)
{
	return ROWS;
}

const struct bw_config_key *bw_config_key_at(size_t i)
{
	return i < ROWS ? &rows[i].key : NULL;
}

const struct bw_config_row *bw_config_row_at(size_t i)
{
	return i < ROWS ? &rows[i] : NULL;
}

const struct bw_config_row *bw_config_row_find(struct bw_slice name)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (bw_slice_equal(name, bw_slice_of(rows[i].key.name)))
			return &rows[i];
	}
	return NULL;
}
