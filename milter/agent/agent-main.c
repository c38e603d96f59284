/* breakwater-agent: carries out orders on held mail, keeps ledger and queue in agreement, and tells people what waits and what has
 * tripped. It needs no privilege, and holds none: what needs root it asks of breakwater-helper. */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "bw/agent.h"
#include "bw/clock.h"
#include "bw/logline.h"
#include "bw/parse.h"
#include "bw/stores.h"
#include "hands.h"
#include "herald.h"

enum { EXIT_USAGE = 2, NAP_MS = 250 };

/* A person waits for nothing here. */
#define BUSY_MS        (5 * BW_SECOND_MS)
#define HANDS_AGAIN_MS (5 * BW_SECOND_MS)

static const char usage[] = "usage: breakwater-agent [-c FILE] [-f] [-k POINT] [-V]\n"
							"  -c FILE  configuration (default /etc/breakwater/breakwater.conf)\n"
							"  -f       stay in the foreground and log to stderr\n"
							"  -k POINT for tests: be killed at this point (a number of enum bw_fault)\n"
							"  -V       print the version and exit\n";

struct agent {
	const char *config_path;
	bool foreground;
	int64_t fault;
	struct bw_config *config;
	struct bw_stores stores;
	struct bw_store *local; /* of this host: with Redis, the ledger of its hold queue is in it */
	struct herald *herald;
	struct hands *hands;    /* NULL: something that they need is not there */
	int64_t hands_ms, probe_ms, look_ms; /* next tries and looks, by the monotonic clock */
	bool looks_fail, works_fail;
	char host[256];
};

static volatile sig_atomic_t ended, reload;

static void on_signal(int number)
{
	if (number == SIGUSR1 || number == SIGHUP)
		reload = 1;
	else
		ended = 1;
}

/* --- log --- */

static void say(const struct agent *a, enum bw_severity severity, const char *event, const char *text)
{
	struct bw_buf line;

	bw_buf_init(&line, BW_LOGLINE_MAX);
	bw_logline_start(&line, event);
	bw_logline_text(&line, "text", text);
	if (a->foreground)
		fprintf(stderr, "%s\n", bw_buf_text(&line));
	else
		syslog(severity == BW_SEV_ERROR ? LOG_ERR : LOG_NOTICE, "%s", bw_buf_text(&line));
	bw_buf_done(&line);
}

/* --- start --- */

static enum bw_err drop_privileges(const struct bw_config *config, struct bw_why *why)
{
	const struct passwd *user;

	if (geteuid() != 0 || config->daemon.user[0] == '\0')
		return BW_OK;
	user = getpwnam(config->daemon.user);
	if (user == NULL)
		return bw_fail(why, BW_ERR_NOT_FOUND, "daemon.user: no user %s", config->daemon.user);
	if (initgroups(config->daemon.user, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)
		return bw_fail(why, BW_ERR_PERMISSION, "cannot become %s: %s", config->daemon.user, strerror(errno));
	return BW_OK;
}

static void find_host(struct agent *a)
{
	if (a->config->daemon.host[0] != '\0')
		bw_slice_copy(bw_slice_of(a->config->daemon.host), a->host, sizeof(a->host));
	else if (gethostname(a->host, sizeof(a->host) - 1) != 0)
		bw_slice_copy(BW_S("localhost"), a->host, sizeof(a->host));
}

static enum bw_err open_stores(struct agent *a, struct bw_why *why)
{
	const char *path = a->config->store.path;
	enum bw_err err = BW_OK;

	if (access(path, F_OK) != 0)
		err = bw_fail(why, BW_ERR_STORE, "store %s: not there yet; breakwaterd makes it at its first start", path);
	if (err == BW_OK)
		err = bw_stores_open_for_command(a->config, BUSY_MS, true, &a->stores, why);
	a->local = a->stores.store;
	if (err == BW_OK && a->stores.shared != NULL) {
		bw_store_guarded_follow(a->stores.shared); /* the daemon merges */
		err = bw_store_sqlite_open(path, BUSY_MS, &a->local, why);
	}
	return err;
}

static void close_stores(struct agent *a)
{
	if (a->local != a->stores.store)
		bw_store_close(&a->local);
	if (a->stores.store != NULL)
		bw_store_close(&a->stores.store);
}

static enum bw_err open_all(struct agent *a, struct bw_why *why)
{
	enum bw_err err = drop_privileges(a->config, why);

	find_host(a);
	if (err == BW_OK)
		err = open_stores(a, why);
	return err == BW_OK ? agent_herald_new(a->config, a->stores.store, a->host, &a->herald, why) : err;
}

/* --- work --- */

static void reload_config(struct agent *a)
{
	struct bw_config *config = NULL;
	struct bw_why why;
	enum bw_err err = bw_config_load(a->config_path, &config, &why);

	reload = 0;
	if (err == BW_OK)
		err = agent_herald_configure(a->herald, config, &why);
	if (err != BW_OK) {
		say(a, BW_SEV_ERROR, "reload-refused", why.text);
		if (config != NULL)
			bw_config_free(&config);
		return;
	}
	agent_hands_free(&a->hands); /* they borrow the old one */
	a->hands_ms = 0;
	bw_config_free(&a->config);
	a->config = config;
	say(a, BW_SEV_NOTICE, "reloaded", a->config_path);
}

/* A failure is said once, and once more when it is over. */
static void say_change(const struct agent *a, bool *failing, bool fails, const char *const events[2], const char *text)
{
	if (fails && !*failing)
		say(a, BW_SEV_ERROR, events[0], text);
	if (!fails && *failing)
		say(a, BW_SEV_NOTICE, events[1], "as it should be again");
	*failing = fails;
}

static void look(struct agent *a)
{
	static const char *const events[2] = { "notice-failed", "notice-back" };
	struct bw_why why = { "" };
	int64_t told = 0;
	enum bw_err err = agent_herald_look(a->herald, &told, &why);
	char text[80];

	say_change(a, &a->looks_fail, err != BW_OK, events, why.text);
	if (agent_herald_hook_failed(a->herald, &why))
		say(a, BW_SEV_WARNING, "hook-failed", why.text);
	if (told > 0) {
		snprintf(text, sizeof(text), "%lld notices", (long long)told);
		say(a, BW_SEV_INFO, "notified", text);
	}
}

/* The time until the next step. Without hands, or when they fail, it is tried again after a while. */
static int64_t work(struct agent *a)
{
	static const char *const events[2] = { "work-failed", "work-back" };
	const struct hands_in in = { a->config, a->stores.store, a->local, a->host, a->fault };
	struct bw_why why = { "" };
	struct bw_buf said;
	int64_t now_ms = 0, next_ms = 0;
	enum bw_err err = BW_OK;

	if (a->hands == NULL && (bw_clock_monotonic_ms() < a->hands_ms || !agent_hands_wanted(a->config)))
		return NAP_MS;
	a->hands_ms = bw_clock_monotonic_ms() + HANDS_AGAIN_MS;
	bw_buf_init(&said, 400);
	if (a->hands == NULL)
		err = agent_hands_new(&in, &a->hands, &why);
	if (err == BW_OK)
		err = a->stores.store->ops->now(a->stores.store, &now_ms, &why);
	if (err == BW_OK)
		err = agent_hands_step(a->hands, now_ms, &next_ms, &said, &why);
	bool fails = err != BW_OK || (a->works_fail && agent_hands_troubled(a->hands));

	say_change(a, &a->works_fail, fails, events, why.text);
	if (said.n > 0)
		say(a, BW_SEV_NOTICE, "worked", bw_buf_text(&said));
	bw_buf_done(&said);
	return err == BW_OK ? next_ms - now_ms : NAP_MS;
}

/* A shared store that was away is looked for; until it is back, this host's own answers. */
static void probe(struct agent *a)
{
	int64_t daemons, mono_ms = bw_clock_monotonic_ms();

	if (a->stores.shared == NULL || mono_ms < a->probe_ms || !a->stores.store->ops->degraded(a->stores.store, &daemons))
		return;
	(void)bw_store_guarded_probe(a->stores.shared);
	a->probe_ms = bw_clock_monotonic_ms() + BW_SECOND_MS;
}

/* One round: how long to wait for the next. */
static int64_t go_round(struct agent *a)
{
	probe(a);
	if (bw_clock_monotonic_ms() >= a->look_ms) {
		look(a);
		a->look_ms = bw_clock_monotonic_ms() + a->config->notify.every_ms;
	}
	int64_t left_ms = work(a), until_look_ms = a->look_ms - bw_clock_monotonic_ms();

	return left_ms < until_look_ms ? left_ms : until_look_ms;
}

static void warn_of_queues(const struct agent *a)
{
	const struct bw_mta *mta = bw_mta_find("postfix");
	const struct bw_mta_place place = bw_mta_place_of(a->config, mta);
	struct bw_why why;

	/* A host without Postfix has no such command, and nothing to be warned of. */
	if (bw_mta_check(mta, &place, &why) == BW_ERR_INPUT)
		say(a, BW_SEV_WARNING, "short-queue-ids", why.text);
}

static void serve(struct agent *a)
{
	const struct sigaction act = { .sa_handler = on_signal }, ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGUSR1, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	say(a, BW_SEV_NOTICE, "started", "breakwater-agent " BW_VERSION);
	warn_of_queues(a);
	while (!ended) {
		if (reload)
			reload_config(a);
		int64_t wait_ms = go_round(a);

		if (wait_ms > 0 && !ended && !reload)
			poll(NULL, 0, (int)(wait_ms < NAP_MS ? wait_ms : NAP_MS)); /* a signal between two looks at the flags waits no longer */
	}
	say(a, BW_SEV_NOTICE, "stopped", "breakwater-agent");
}

/* -1: go on; else the exit code. */
static int read_options(int argc, char **argv, struct agent *a)
{
	int c;

	while ((c = getopt(argc, argv, "c:fhk:V")) != -1) {
		if (c == 'c') {
			a->config_path = optarg;
		} else if (c == 'f') {
			a->foreground = true;
		} else if (c == 'k' && bw_parse_int(bw_slice_of(optarg), &a->fault)) {
			continue;
		} else if (c == 'V') {
			puts("breakwater-agent " BW_VERSION);
			return EXIT_SUCCESS;
		} else {
			fputs(usage, c == 'h' ? stdout : stderr);
			return c == 'h' ? EXIT_SUCCESS : EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "breakwater-agent: unexpected argument \"%s\"\n%s", argv[optind], usage);
		return EXIT_USAGE;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct agent a = { .config_path = "/etc/breakwater/breakwater.conf", .fault = -1 };
	struct bw_why why;
	int code = read_options(argc, argv, &a);

	if (code >= 0)
		return code;
	if (bw_config_load(a.config_path, &a.config, &why) != BW_OK) {
		fprintf(stderr, "breakwater-agent: %s\n", why.text);
		return EXIT_FAILURE;
	}
	openlog("breakwater-agent", LOG_PID, LOG_MAIL);
	code = EXIT_FAILURE;
	if (!a.foreground && daemon(0, 0) != 0) {
		perror("breakwater-agent: cannot go to the background");
	} else if (open_all(&a, &why) != BW_OK) {
		say(&a, BW_SEV_ERROR, "start-failed", why.text);
	} else {
		serve(&a);
		code = EXIT_SUCCESS;
	}
	agent_hands_free(&a.hands);
	agent_herald_free(&a.herald);
	close_stores(&a);
	bw_config_free(&a.config);
	return code;
}
