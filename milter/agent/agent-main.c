/* breakwater-agent: tells people what waits and what has tripped. It needs no privilege, and holds none. */
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
#include "bw/stores.h"
#include "herald.h"

enum { EXIT_USAGE = 2, NAP_MS = 250 };

/* A person waits for nothing here. */
#define BUSY_MS (5 * BW_SECOND_MS)

static const char usage[] = "usage: breakwater-agent [-c FILE] [-f] [-V]\n"
							"  -c FILE  configuration (default /etc/breakwater/breakwater.conf)\n"
							"  -f       stay in the foreground and log to stderr\n"
							"  -V       print the version and exit\n";

struct agent {
	const char *config_path;
	bool foreground;
	struct bw_config *config;
	struct bw_stores stores;
	struct herald *herald;
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

/* What all hosts share, and this host's own store behind it. */
static enum bw_err open_all(struct agent *a, struct bw_why *why)
{
	enum bw_err err = drop_privileges(a->config, why);

	find_host(a);
	if (err == BW_OK && access(a->config->store.path, F_OK) != 0)
		err = bw_fail(why, BW_ERR_STORE, "store %s: not there yet; breakwaterd makes it at its first start", a->config->store.path);
	if (err == BW_OK)
		err = bw_stores_open_for_command(a->config, BUSY_MS, true, &a->stores, why);
	if (err == BW_OK && a->stores.shared != NULL)
		bw_store_guarded_follow(a->stores.shared); /* breakwaterd merges */
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
	bw_config_free(&a->config);
	a->config = config;
	say(a, BW_SEV_NOTICE, "reloaded", a->config_path);
}

/* A shared store that was away is looked for; until it is back, this host's own answers. */
static void probe(struct agent *a)
{
	int64_t daemons;

	if (a->stores.shared != NULL && a->stores.store->ops->degraded(a->stores.store, &daemons))
		(void)bw_store_guarded_probe(a->stores.shared);
}

/* A failure is said once, and once more when it is over. */
static void look(struct agent *a, bool *failing)
{
	struct bw_why why;
	int64_t told = 0;
	enum bw_err err = agent_herald_look(a->herald, &told, &why);
	char text[80];

	if (err != BW_OK && !*failing)
		say(a, BW_SEV_ERROR, "notice-failed", why.text);
	if (err == BW_OK && *failing)
		say(a, BW_SEV_NOTICE, "notice-back", "notices go out again");
	*failing = err != BW_OK;
	if (agent_herald_hook_failed(a->herald, &why))
		say(a, BW_SEV_WARNING, "hook-failed", why.text);
	if (told > 0) {
		snprintf(text, sizeof(text), "%lld notices", (long long)told);
		say(a, BW_SEV_INFO, "notified", text);
	}
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
	bool failing = false;

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
		probe(a);
		look(a, &failing);
		for (int64_t left_ms = a->config->notify.every_ms; left_ms > 0 && !ended && !reload; left_ms -= NAP_MS)
			poll(NULL, 0, NAP_MS); /* a signal between two looks at the flags waits no longer than this */
	}
	say(a, BW_SEV_NOTICE, "stopped", "breakwater-agent");
}

/* -1: go on; else the exit code. */
static int read_options(int argc, char **argv, struct agent *a)
{
	int c;

	while ((c = getopt(argc, argv, "c:fhV")) != -1) {
		if (c == 'c') {
			a->config_path = optarg;
		} else if (c == 'f') {
			a->foreground = true;
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
	struct agent a = { .config_path = "/etc/breakwater/breakwater.conf" };
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
	agent_herald_free(&a.herald);
	bw_store_close(&a.stores.store);
	bw_config_free(&a.config);
	return code;
}
