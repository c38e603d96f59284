/* libmilter's callbacks. The protocol is kept as lean as the decisions allow, since most of its cost is chatter: no HELO, and no
 * reply to anything but DATA, the first body chunk and the end of message. */
#include <arpa/inet.h>
#include <errno.h>
#include <libmilter/mfapi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "apply.h"
#include "bw/filter.h"
#include "bw/parse.h"
#include "bw/session.h"

/* libmilter's callbacks carry no context of ours before the first priv pointer: one engine a process. */
static struct bw_engine *engine;
static char *unix_path;
static atomic_bool refusing, stopped;
static _Atomic int64_t open_transactions;
static _Atomic unsigned long last_steps; /* negotiated last: for a connection that libmilter continues without negotiating */

static _Atomic unsigned long last_actions;

static const unsigned long wanted_actions = SMFIF_ADDHDRS | SMFIF_QUARANTINE | SMFIF_SETSYMLIST | SMFIF_DELRCPT |
                                            SMFIF_ADDRCPT | SMFIF_ADDRCPT_PAR | SMFIF_CHGHDRS;
static const unsigned long wanted_steps = SMFIP_NOHELO | SMFIP_NOUNKNOWN | SMFIP_NR_CONN | SMFIP_NR_HELO |
                                          SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_SKIP;

struct connection {
	struct bw_session *session;
	unsigned long steps; /* SMFIP_* agreed on */
	unsigned long actions; /* SMFIF_* agreed on */
	bool in_transaction;
	bool postfix;
};

/* --- transactions, counted so that a stop can wait for them --- */

static void begin(struct connection *c)
{
	if (!c->in_transaction)
		atomic_fetch_add(&open_transactions, 1);
	c->in_transaction = true;
}

static void end(struct connection *c)
{
	if (c->in_transaction)
		atomic_fetch_sub(&open_transactions, 1);
	c->in_transaction = false;
}

/* --- helpers --- */

static struct connection *connection_new(SMFICTX *ctx, unsigned long steps, unsigned long actions)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->steps = steps;
	c->session = bw_session_new(engine);
	if (c->session == NULL || smfi_setpriv(ctx, c) != MI_SUCCESS) {
		bw_session_free(&c->session);
		free(c);
		return NULL;
	}
	c->actions = actions;
	return c;
}

/* "Go on" for a step: silence where silence was agreed on. */
static sfsistat go_on(const struct connection *c, unsigned long silent_step)
{
	return (c->steps & silent_step) != 0 ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static const char *macro(SMFICTX *ctx, const char *name)
{
	return smfi_getsymval(ctx, bw_milter_text(name));
}

/* Postfix calls itself so in macro v ("Postfix 3.7.11"); Sendmail gives its bare version. */
static bool is_postfix(SMFICTX *ctx)
{
	return bw_slice_starts_nocase(bw_slice_of(macro(ctx, "v")), BW_S("Postfix"));
}

/* The subject of a verified client certificate. Postfix gives {cert_subject} for trusted certificates only; Sendmail gives it
 * always, and says in {verify} what it is worth. */
static const char *certificate(SMFICTX *ctx, const struct connection *c)
{
	const char *verify = macro(ctx, "{verify}");
	bool verified = verify == NULL ? c->postfix : strcmp(verify, "OK") == 0;

	return verified ? macro(ctx, "{cert_subject}") : NULL;
}

/* SIZE= of RFC 1870 among MAIL's parameters; 0 if there is none. */
static int64_t declared_size(char *const *argv)
{
	int64_t size = 0;

	for (size_t i = 1; argv[0] != NULL && argv[i] != NULL; i++) {
		struct bw_slice word = bw_slice_of(argv[i]);

		if (bw_slice_starts_nocase(word, BW_S("SIZE=")))
			bw_parse_int(bw_slice_from(word, 5), &size);
	}
	return size;
}

static const char *ip_text(const _SOCK_ADDR *address, char *out, size_t size)
{
	const struct sockaddr *any = (const struct sockaddr *)address;

	if (any == NULL)
		return NULL;
	if (any->sa_family == AF_INET) {
		struct sockaddr_in v4;

		memcpy(&v4, address, sizeof(v4));
		return inet_ntop(AF_INET, &v4.sin_addr, out, (socklen_t)size);
	}
	if (any->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;

		memcpy(&v6, address, sizeof(v6));
		if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
			return inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, out, (socklen_t)size);
		return inet_ntop(AF_INET6, &v6.sin6_addr, out, (socklen_t)size);
	}
	return NULL;
}

/* --- callbacks --- */

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long offered_actions, unsigned long offered_steps, unsigned long f2,
                             unsigned long f3, unsigned long *actions, unsigned long *steps, unsigned long *pf2,
                             unsigned long *pf3)
{
	(void)f2;
	(void)f3;
	if (atomic_load(&refusing))
		return SMFIS_REJECT;
	*actions = offered_actions & wanted_actions;
	*steps = offered_steps & wanted_steps;
	*pf2 = *pf3 = 0;
	atomic_store(&last_steps, *steps);
	atomic_store(&last_actions, *actions);
	if ((*actions & SMFIF_SETSYMLIST) != 0) {
		smfi_setsymlist(ctx, SMFIM_CONNECT, bw_milter_text("j {daemon_name} v"));
		smfi_setsymlist(ctx, SMFIM_ENVFROM, bw_milter_text("{auth_authen} {cert_subject} {verify}"));
		/* Sendmail (8.17.1, milter_data() in milter.c) looks whether a filter has a list for the end of the header when it chooses
		 * the list for the end of the message: without the first, the second is ignored and the queue id never comes. */
		smfi_setsymlist(ctx, SMFIM_EOH, bw_milter_text("i"));
		smfi_setsymlist(ctx, SMFIM_ENVRCPT, bw_milter_text("{rcpt_addr} {rcpt_mailer}"));
		smfi_setsymlist(ctx, SMFIM_EOM, bw_milter_text("i"));
	}
	return connection_new(ctx, *steps, *actions) == NULL ? SMFIS_REJECT : SMFIS_CONTINUE;
}

/* Sendmail takes a recipient that comes back for the one that went, and adds the new NOTIFY to the old: seen on 8.17. */
static void note_abilities(struct connection *c)
{
	const unsigned long fields = SMFIF_ADDHDRS | SMFIF_CHGHDRS, recipients = SMFIF_DELRCPT | SMFIF_ADDRCPT;

	bw_session_fixed(c->session, (c->actions & recipients) != recipients, !c->postfix || (c->actions & SMFIF_ADDRCPT_PAR) == 0,
	                 (c->actions & fields) != fields);
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
	struct connection *c = smfi_getpriv(ctx);
	char ip[INET6_ADDRSTRLEN];

	(void)host;
	if (c == NULL)
		c = connection_new(ctx, atomic_load(&last_steps), atomic_load(&last_actions));
	if (c == NULL)
		return SMFIS_ACCEPT;
	c->postfix = is_postfix(ctx);
	note_abilities(c);
	bw_session_connect(c->session, ip_text(address, ip, sizeof(ip)), macro(ctx, "{daemon_name}"));
	bw_session_mta(c->session, c->postfix ? "postfix" : "sendmail", macro(ctx, "j"));
	return go_on(c, SMFIP_NR_CONN);
}

static sfsistat on_mail(SMFICTX *ctx, char **argv)
{
	struct connection *c = smfi_getpriv(ctx);

	if (c == NULL)
		return SMFIS_ACCEPT;
	begin(c);
	if (atomic_load(&stopped)) { /* counted first: who stops us either sees this transaction or is seen by it */
		end(c);
		return SMFIS_ACCEPT;
	}
	bw_session_mail(c->session, bw_slice_of(argv[0]), macro(ctx, "{auth_authen}"), certificate(ctx, c), declared_size(argv));
	return go_on(c, SMFIP_NR_MAIL);
}

/* Sendmail expands aliases, which are of its local mailer, while it takes RCPT; smfi_delrcpt(8) then finds the alias but none of its
 * members (sendmail's recipient.c: removefromlist()). Postfix expands later, and deletes by the address before. */
static bool is_expanded(SMFICTX *ctx, const struct connection *c)
{
	const char *mailer = c->postfix ? NULL : macro(ctx, "{rcpt_mailer}");

	return mailer != NULL && strcmp(mailer, "local") == 0;
}

static sfsistat on_rcpt(SMFICTX *ctx, char **argv)
{
	struct connection *c = smfi_getpriv(ctx);

	if (c == NULL)
		return SMFIS_ACCEPT;
	bw_session_rcpt(c->session, bw_slice_of(argv[0]), macro(ctx, "{rcpt_addr}"));
	bw_session_rcpt_more(c->session, argv[0] == NULL ? argv : argv + 1, is_expanded(ctx, c));
	return go_on(c, SMFIP_NR_RCPT);
}

static sfsistat on_data(SMFICTX *ctx)
{
	struct connection *c = smfi_getpriv(ctx);

	if (c == NULL)
		return SMFIS_ACCEPT;
	if (bw_session_data(c->session) == BW_STEP_GO_ON)
		return SMFIS_CONTINUE;
	end(c);
	return SMFIS_ACCEPT;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	struct connection *c = smfi_getpriv(ctx);

	if (c == NULL)
		return SMFIS_ACCEPT;
	bw_session_header(c->session, bw_slice_of(name), bw_slice_of(value));
	return go_on(c, SMFIP_NR_HDR);
}

/* Asked for although it decides nothing: without it libmilter loses its place in a message without any header field, does not
 * answer, and the message passes unjudged. */
static sfsistat on_header_end(SMFICTX *ctx)
{
	struct connection *c = smfi_getpriv(ctx);

	return c == NULL ? SMFIS_ACCEPT : go_on(c, SMFIP_NR_EOH);
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *bytes, size_t n)
{
	struct connection *c = smfi_getpriv(ctx);

	if (c == NULL)
		return SMFIS_ACCEPT;
	bool more = bw_session_body(c->session, (struct bw_slice){ (const char *)bytes, n });

	return !more && (c->steps & SMFIP_SKIP) != 0 ? SMFIS_SKIP : SMFIS_CONTINUE;
}

static sfsistat on_end(SMFICTX *ctx)
{
	struct connection *c = smfi_getpriv(ctx);

	if (c == NULL)
		return SMFIS_ACCEPT;
	sfsistat status = bw_apply(ctx, bw_session_end(c->session, macro(ctx, "i"), 0));

	bw_session_abort(c->session);
	end(c);
	return status;
}

static sfsistat on_abort(SMFICTX *ctx)
{
	struct connection *c = smfi_getpriv(ctx);

	if (c != NULL) {
		bw_session_abort(c->session);
		end(c);
	}
	return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
	struct connection *c = smfi_getpriv(ctx);

	if (c != NULL) {
		end(c);
		bw_session_free(&c->session);
		free(c);
		smfi_setpriv(ctx, NULL);
	}
	return SMFIS_CONTINUE;
}

/* --- life --- */

static enum bw_err prepare_socket(const char *socket, int64_t owner, int64_t group, struct bw_why *why)
{
	const char *path = strchr(socket, '/');

	if (path == NULL || (path != socket && strncmp(socket, "unix:", 5) != 0 && strncmp(socket, "local:", 6) != 0))
		return BW_OK; /* TCP */
	unix_path = strdup(path);
	/* Never through a symbolic link that the folder's owner may have put there. */
	if ((owner >= 0 || group >= 0) && lchown(path, (uid_t)owner, (gid_t)group) != 0)
		return bw_fail(why, BW_ERR_IO, "%s: cannot give the socket its owner and group: %s", path, strerror(errno));
	return BW_OK;
}

enum bw_err bw_filter_open(const char *socket, int64_t mode, int64_t owner, int64_t group, struct bw_why *why)
{
	struct smfiDesc description = {
		.xxfi_name = bw_milter_text("breakwater"),
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = wanted_actions,
		.xxfi_connect = on_connect,
		.xxfi_envfrom = on_mail,
		.xxfi_envrcpt = on_rcpt,
		.xxfi_header = on_header,
		.xxfi_eoh = on_header_end,
		.xxfi_body = on_body,
		.xxfi_eom = on_end,
		.xxfi_abort = on_abort,
		.xxfi_close = on_close,
		.xxfi_data = on_data,
		.xxfi_negotiate = on_negotiate,
	};

	if (smfi_register(description) != MI_SUCCESS)
		return bw_fail(why, BW_ERR_IO, "libmilter does not take the registration");
	/* The mode comes with the socket's birth: no chmod that could be led astray. */
	mode_t before = umask((mode_t)(~mode & 0777));
	bool opened = smfi_setconn(bw_milter_text(socket)) == MI_SUCCESS && smfi_opensocket(true) == MI_SUCCESS;

	umask(before);
	if (!opened)
		return bw_fail(why, BW_ERR_IO, "daemon.socket: cannot listen on %s: %s", socket, strerror(errno));
	return prepare_socket(socket, owner, group, why);
}

enum bw_err bw_filter_run(struct bw_engine *e, struct bw_why *why)
{
	engine = e;
	return smfi_main() == MI_SUCCESS ? BW_OK : bw_fail(why, BW_ERR_IO, "libmilter ended with an error; its own log line says why");
}

/* Where the socket waits for bw_filter_stop()'s own connection, out of the MTA's sight. */
static bool closing_address(struct sockaddr_un *out)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	int n = unix_path == NULL ? -1 : snprintf(out->sun_path, sizeof(out->sun_path), "%s.closing", unix_path);

	return n > 0 && n < (int)sizeof(out->sun_path);
}

void bw_filter_refuse(void)
{
	struct sockaddr_un closing;

	/* A Unix socket that is gone refuses connections by itself; on a TCP socket negotiation is refused. */
	atomic_store(&refusing, true);
	if (unix_path != NULL && (!closing_address(&closing) || rename(unix_path, closing.sun_path) != 0))
		unlink(unix_path);
}

int64_t bw_filter_open_transactions(void)
{
	return atomic_load(&open_transactions);
}

/* libmilter's listener holds the lock that smfi_stop() wants, and lets it go every five seconds or when somebody connects. So
 * somebody connects. */
static void *knock(void *answered)
{
	const struct timespec pause = { 0, 10 * 1000000 };
	struct sockaddr_un closing;

	while (closing_address(&closing) && !atomic_load((atomic_bool *)answered)) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (fd >= 0) {
			(void)!connect(fd, (const struct sockaddr *)&closing, sizeof(closing));
			close(fd);
		}
		nanosleep(&pause, NULL);
	}
	unlink(closing.sun_path);
	return NULL;
}

void bw_filter_stop(void)
{
	atomic_bool answered = false;
	pthread_t knocker;
	bool knocks = unix_path != NULL && pthread_create(&knocker, NULL, knock, &answered) == 0;

	atomic_store(&stopped, true);
	smfi_stop();
	atomic_store(&answered, true);
	if (knocks)
		pthread_join(knocker, NULL);
}
