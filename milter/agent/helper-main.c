/* breakwater-helper: the one program of breakwater that is root while it works. It listens on one socket, to breakwater-agent and to root. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "bw/agent.h"
#include "bw/clock.h"
#include "bw/logline.h"
#include "bw/parse.h"
#include "helper-serve.h"

#define ADMIN_GROUP "breakwater-admin"

enum { EXIT_USAGE = 2, CLIENTS = 8, FIRST_PASSED = 3 /* SD_LISTEN_FDS_START */, GROUPS_MAX = 256 };

static const char usage[] = "usage: breakwater-helper [-c FILE] [-f] [-g GROUP] [-k POINT] [-s DIRECTORY] [-V]\n"
							"  -c FILE       configuration (default /etc/breakwater/breakwater.conf)\n"
							"  -f            stay in the foreground and log to stderr\n"
							"  -g GROUP      who may give orders: group of the key that signs them (default " ADMIN_GROUP ", if there is one)\n"
							"  -k POINT      for tests: be killed at this point of the first order\n"
							"  -s DIRECTORY  of its own files (default /var/lib/breakwater-helper)\n"
							"  -V            print the version and exit\n";

struct options {
	const char *config, *group, *state;
	bool foreground;
	int fault;
};

struct client {
	int fd; /* -1: none */
	int64_t heard_ms;
};

struct program {
	struct options options;
	struct bw_config *config;
	struct helper helper;
	uid_t user;   /* of daemon.user: who may ask, beside root */
	gid_t group;  /* of the socket */
	int listener;
	bool passed;  /* the socket is systemd's */
	struct client clients[CLIENTS];
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

/* --- log --- */

static void say(void *ctx, enum bw_err err, const char *event, const char *code, const char *text)
{
	const struct program *p = ctx;
	struct bw_buf line;

	bw_buf_init(&line, BW_LOGLINE_MAX);
	bw_logline_start(&line, event);
	bw_logline_text(&line, "code", code);
	bw_logline_text(&line, "text", text);
	if (p->options.foreground)
		fprintf(stderr, "%s\n", bw_buf_text(&line));
	else
		syslog(err == BW_OK ? LOG_NOTICE : LOG_ERR, "%s", bw_buf_text(&line));
	bw_buf_done(&line);
}

/* --- who --- */

static enum bw_err find_user(struct program *p, struct bw_why *why)
{
	const char *name = p->config->daemon.user, *group_name = p->config->daemon.group;
	const struct passwd *user = name[0] == '\0' ? NULL : getpwnam(name);
	const struct group *group;

	if (name[0] != '\0' && user == NULL)
		return bw_fail(why, BW_ERR_NOT_FOUND, "daemon.user: no user %s", name);
	p->user = user == NULL ? 0 : user->pw_uid;
	p->group = user == NULL ? 0 : user->pw_gid;
	if (group_name[0] == '\0')
		return BW_OK;
	group = getgrnam(group_name);
	if (group == NULL)
		return bw_fail(why, BW_ERR_NOT_FOUND, "daemon.group: no group %s", group_name);
	p->group = group->gr_gid;
	return BW_OK;
}

/* The daemon and the agent read mail from everywhere: whoever takes them over must not be able to give orders. */
static enum bw_err check_stranger(const struct program *p, gid_t key_group, struct bw_why *why)
{
	gid_t groups[GROUPS_MAX];
	int count = GROUPS_MAX;
	const struct passwd *user = p->user == 0 ? NULL : getpwuid(p->user);

	if (user == NULL)
		return BW_OK;
	if (getgrouplist(user->pw_name, user->pw_gid, groups, &count) < 0)
		return bw_fail(why, BW_ERR_LIMIT, "daemon.user: %s is in more than %d groups", user->pw_name, (int)GROUPS_MAX);
	for (int i = 0; i < count; i++) {
		if (groups[i] == key_group || p->group == key_group)
			return bw_fail(why, BW_ERR_PERMISSION, "hold.order_key: %s must not be able to read %s, and is in its group", user->pw_name,
			               p->config->hold.order_key);
	}
	return BW_OK;
}

/* The group of those who may give orders: by option; else, where root's alone has it, the usual one. */
static enum bw_err find_key_group(const struct program *p, gid_t *out, struct bw_why *why)
{
	const char *name = p->options.group != NULL ? p->options.group : ADMIN_GROUP;
	const struct group *group = getgrnam(name);

	if (group == NULL && p->options.group != NULL)
		return bw_fail(why, BW_ERR_NOT_FOUND, "-g: no group %s", name);
	if (group != NULL && (p->options.group != NULL || *out == 0))
		*out = group->gr_gid;
	return *out == 0 ? BW_OK : check_stranger(p, *out, why);
}

static enum bw_err give_key(const struct program *p, const char *path, struct bw_why *why)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0) {
		if (fd >= 0)
			close(fd);
		return bw_fail(why, BW_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
	}
	gid_t wanted = st.st_gid;
	enum bw_err err = find_key_group(p, &wanted, why);

	if (err == BW_OK && wanted != st.st_gid && fchown(fd, 0, wanted) != 0)
		err = bw_fail(why, BW_ERR_IO, "%s: cannot be given to group %u: %s", path, (unsigned)wanted, strerror(errno));
	close(fd);
	return err;
}

static enum bw_err load_keys(struct program *p, struct bw_why *why)
{
	const char *path = p->config->hold.order_key;
	enum bw_err err = bw_key_load(p->config->daemon.secret_file, false, &p->helper.site, why);

	if (err == BW_OK)
		err = bw_order_key_load(path, true, true, &p->helper.key, why);
	return err == BW_OK ? give_key(p, path, why) : err;
}

/* --- the socket --- */

/* From systemd (sd_listen_fds(3)): LISTEN_PID is us, LISTEN_FDS is one. */
static bool take_passed(struct program *p)
{
	int64_t pid, count;
	int type = 0, listens = 0;
	socklen_t size = sizeof(int);

	if (!bw_parse_int(bw_slice_of(getenv("LISTEN_PID")), &pid) || pid != (int64_t)getpid() ||
	    !bw_parse_int(bw_slice_of(getenv("LISTEN_FDS")), &count) || count != 1)
		return false;
	if (getsockopt(FIRST_PASSED, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET ||
	    getsockopt(FIRST_PASSED, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0)
		return false;
	p->listener = FIRST_PASSED;
	p->passed = fcntl(FIRST_PASSED, F_SETFD, FD_CLOEXEC) == 0 && fcntl(FIRST_PASSED, F_SETFL, O_NONBLOCK) == 0;
	return p->passed;
}

/* Its folder is root's: elsewhere somebody could put another socket in its place. */
static enum bw_err check_folder(const char *path, struct bw_why *why)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct stat st;

	bw_slice_copy((struct bw_slice){ path, (size_t)(slash - path) }, folder, sizeof(folder));
	if (mkdir(folder, 0755) != 0 && errno != EEXIST)
		return bw_fail(why, BW_ERR_IO, "%s: cannot be made: %s", folder, strerror(errno));
	if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022) != 0)
		return bw_fail(why, BW_ERR_PERMISSION, "hold.helper_socket: %s must be root's, and nobody else may write to it", folder);
	return BW_OK;
}

static enum bw_err bind_to(struct program *p, const struct sockaddr_un *address, struct bw_why *why)
{
	const char *path = address->sun_path;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return bw_fail(why, BW_ERR_IO, "no socket: %s", strerror(errno));
	p->listener = fd;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return bw_fail(why, BW_ERR_EXISTS, "%s: another breakwater-helper answers there", path);
	/* What a killed one has left. */
	unlink(path);
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 || chown(path, 0, p->group) != 0 ||
	    chmod(path, 0660) != 0 || listen(fd, CLIENTS) != 0)
		return bw_fail(why, BW_ERR_IO, "%s: no socket there: %s", path, strerror(errno));
	return BW_OK;
}

static enum bw_err open_socket(struct program *p, struct bw_why *why)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = p->config->hold.helper_socket;
	enum bw_err err;

	if (p->passed)
		return BW_OK;
	if (strlen(path) >= sizeof(address.sun_path))
		return bw_fail(why, BW_ERR_INPUT, "hold.helper_socket: %s is too long for a Unix socket", path);
	bw_slice_copy(bw_slice_of(path), address.sun_path, sizeof(address.sun_path));
	err = check_folder(path, why);
	return err == BW_OK ? bind_to(p, &address, why) : err;
}

/* --- start --- */

static void find_host(struct program *p)
{
	struct helper *h = &p->helper;

	if (p->config->daemon.host[0] != '\0')
		bw_slice_copy(bw_slice_of(p->config->daemon.host), h->host, sizeof(h->host));
	else if (gethostname(h->host, sizeof(h->host) - 1) != 0)
		bw_slice_copy(BW_S("localhost"), h->host, sizeof(h->host));
}

static enum bw_err open_all(struct program *p, struct bw_why *why)
{
	struct helper *h = &p->helper;

	h->config = p->config;
	h->fault = p->options.fault;
	h->log = say;
	h->log_ctx = p;
	find_host(p);
	enum bw_err err = find_user(p, why);

	if (err == BW_OK)
		err = load_keys(p, why);
	if (err == BW_OK)
		err = bw_archive_open(p->options.state, &h->state, why);
	if (err == BW_OK)
		err = nonces_open(h->state, bw_clock_now_ms(), &h->nonces, why);
	return err == BW_OK ? open_socket(p, why) : err;
}

/* The MTA's commands see nothing of ours but this. */
static void clean_environment(void)
{
	clearenv();
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("LC_ALL", "C", 1);
	umask(077);
	if (chdir("/") != 0)
		perror("breakwater-helper: /");
}

/* --- work --- */

static void hang_up(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* A free place, else that of the one who was silent longest. */
static struct client *place_for(struct program *p)
{
	struct client *found = &p->clients[0];

	for (size_t i = 0; i < CLIENTS; i++) {
		if (p->clients[i].fd < 0)
			return &p->clients[i];
		if (p->clients[i].heard_ms < found->heard_ms)
			found = &p->clients[i];
	}
	hang_up(found);
	return found;
}

static void welcome(struct program *p)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t size = sizeof(peer);
	char text[80];
	int fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == p->user)) {
		*place_for(p) = (struct client){ fd, bw_clock_monotonic_ms() };
		return;
	}
	snprintf(text, sizeof(text), "uid %u may not ask: only root and daemon.user may", (unsigned)peer.uid);
	helper_turn_away(&p->helper, fd, text);
	close(fd);
}

static void look_around(struct program *p, const sigset_t *calm)
{
	struct pollfd all[CLIENTS + 1];
	struct client *who[CLIENTS + 1] = { NULL };
	nfds_t count = 1;

	all[0] = (struct pollfd){ .fd = p->listener, .events = POLLIN };
	for (size_t i = 0; i < CLIENTS; i++) {
		if (p->clients[i].fd < 0)
			continue;
		who[count] = &p->clients[i];
		all[count++] = (struct pollfd){ .fd = p->clients[i].fd, .events = POLLIN };
	}
	if (ppoll(all, count, NULL, calm) <= 0)
		return;
	for (nfds_t i = 1; i < count && !ended; i++) {
		if (all[i].revents == 0)
			continue;
		who[i]->heard_ms = bw_clock_monotonic_ms();
		if (!helper_serve(&p->helper, who[i]->fd))
			hang_up(who[i]);
	}
	if (all[0].revents != 0)
		welcome(p);
}

/* A signal is taken between two requests only: none is left half done. */
static void serve(struct program *p)
{
	const struct sigaction act = { .sa_handler = on_signal }, ignore = { .sa_handler = SIG_IGN };
	sigset_t ends, calm;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, &calm);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	say(p, BW_OK, "started", NULL, "breakwater-helper " BW_VERSION);
	while (!ended)
		look_around(p, &calm);
	say(p, BW_OK, "stopped", NULL, "breakwater-helper");
}

static void close_all(struct program *p)
{
	for (size_t i = 0; i < CLIENTS; i++)
		hang_up(&p->clients[i]);
	nonces_close(&p->helper.nonces);
	if (p->listener >= 0)
		close(p->listener);
	if (p->helper.state >= 0)
		close(p->helper.state);
	bw_config_free(&p->config);
}

/* --- options --- */

static int fault_of(const char *name)
{
	for (int i = 0; i < BW_HELPER_FAULT_COUNT; i++) {
		if (strcmp(bw_helper_fault_name((enum bw_helper_fault)i), name) == 0)
			return i;
	}
	return -1;
}

static bool take_option(int c, struct options *o)
{
	switch (c) {
	case 'c':
		o->config = optarg;
		return true;
	case 'f':
		o->foreground = true;
		return true;
	case 'g':
		o->group = optarg;
		return true;
	case 'k':
		o->fault = fault_of(optarg);
		return o->fault >= 0;
	case 's':
		o->state = optarg;
		return true;
	default:
		return false;
	}
}

/* -1: go on; else the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
	int c;

	while ((c = getopt(argc, argv, "c:fg:hk:s:V")) != -1) {
		if (c == 'V') {
			puts("breakwater-helper " BW_VERSION);
			return EXIT_SUCCESS;
		}
		if (!take_option(c, o)) {
			fputs(usage, c == 'h' ? stdout : stderr);
			return c == 'h' ? EXIT_SUCCESS : EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "breakwater-helper: unexpected argument \"%s\"\n%s", argv[optind], usage);
		return EXIT_USAGE;
	}
	return -1;
}

static int run(struct program *p)
{
	struct bw_why why;
	int code = EXIT_FAILURE;

	if (geteuid() != 0) {
		fputs("breakwater-helper: it does what only root may do, so it must be started as root\n", stderr);
	} else if (bw_config_load_roots(p->options.config, &p->config, &why) != BW_OK) {
		fprintf(stderr, "breakwater-helper: %s\n", why.text);
	} else if (open_all(p, &why) != BW_OK) {
		fprintf(stderr, "breakwater-helper: %s\n", why.text);
	} else if (!p->options.foreground && daemon(0, 0) != 0) {
		perror("breakwater-helper: cannot go to the background");
	} else {
		serve(p);
		code = EXIT_SUCCESS;
	}
	return code;
}

int main(int argc, char **argv)
{
	/* A packet is large. */
	struct program *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return EXIT_FAILURE;
	p->options = (struct options){ "/etc/breakwater/breakwater.conf", NULL, "/var/lib/breakwater-helper", false, -1 };
	p->listener = p->helper.state = -1;
	for (size_t i = 0; i < CLIENTS; i++)
		p->clients[i].fd = -1;
	int code = read_options(argc, argv, &p->options);

	if (code < 0) {
		take_passed(p);
		clean_environment();
		openlog("breakwater-helper", LOG_PID, LOG_MAIL);
		code = run(p);
		close_all(p);
	}
	free(p);
	return code;
}
