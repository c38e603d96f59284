#include "order.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bw/clock.h"

#define COMMAND_MS (30 * BW_SECOND_MS)
#define LISTING_MS (10 * BW_MINUTE_MS)

extern char **environ;

static bool try_directory(struct bw_slice directory, const char *name, char path[BW_PATH_BYTES])
{
	int n = snprintf(path, BW_PATH_BYTES, "%.*s/%s", (int)directory.n, directory.p, name);

	return directory.n > 0 && directory.n < BW_PATH_BYTES && n < BW_PATH_BYTES && access(path, X_OK) == 0;
}

/* Cron's PATH has no sbin, so that is tried in any case. */
enum bw_err bw_mta_program(const struct bw_mta_place *place, const char *name, const char *option, char path[BW_PATH_BYTES],
                           struct bw_why *why)
{
	struct bw_slice rest = bw_slice_of(getenv("PATH"));

	if (place->commands != NULL) {
		if (try_directory(bw_slice_of(place->commands), name, path))
			return BW_OK;
		return bw_fail(why, BW_ERR_IO, "%s: no %s that can be run is there (--%s)", place->commands, name, option);
	}
	while (rest.n > 0) {
		size_t colon = bw_slice_find(rest, ':');

		if (try_directory(bw_slice_head(rest, colon), name, path))
			return BW_OK;
		rest = bw_slice_from(rest, colon + 1);
	}
	if (try_directory(BW_S("/usr/sbin"), name, path) || try_directory(BW_S("/usr/local/sbin"), name, path))
		return BW_OK;
	return bw_fail(why, BW_ERR_IO, "%s is not found on this host; --%s says where it is", name, option);
}

/* Where what the command says goes: kept, and given away line by line. */
struct listener {
	struct bw_buf *said;
	struct bw_buf line;
	void (*each)(void *ctx, struct bw_slice line); /* NULL: only kept */
	void *ctx;
	int64_t most_ms;
};

static void hear(struct listener *l, struct bw_slice bytes)
{
	bw_buf_add(l->said, bytes);
	while (l->each != NULL && bytes.n > 0) {
		size_t end = bw_slice_find(bytes, '\n');

		bw_buf_add(&l->line, bw_slice_head(bytes, end));
		if (end == bytes.n)
			return;
		l->each(l->ctx, bw_buf_slice(&l->line));
		bw_buf_reset(&l->line);
		bytes = bw_slice_from(bytes, end + 1);
	}
}

/* Reads what the command says until it ends or time is up; false: time was up. */
static bool listen_to(int fd, struct listener *l)
{
	int64_t end_ms = bw_clock_monotonic_ms() + l->most_ms;
	char bytes[8192];

	for (;;) {
		int64_t left_ms = end_ms - bw_clock_monotonic_ms();
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (left_ms <= 0 || poll(&p, 1, (int)left_ms) == 0)
			return false;
		ssize_t n = read(fd, bytes, sizeof(bytes));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return true;
		hear(l, (struct bw_slice){ bytes, (size_t)n });
	}
}

/* Which signals we block or ignore is nothing to the command. */
static int clean_signals(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	int error = posix_spawnattr_init(attributes);

	sigemptyset(&none);
	sigfillset(&all);
	if (error == 0)
		error = posix_spawnattr_setsigmask(attributes, &none);
	if (error == 0)
		error = posix_spawnattr_setsigdefault(attributes, &all);
	return error == 0 ? posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) : error;
}

static enum bw_err start(const char *path, char *const argv[], int output, pid_t *child, struct bw_why *why)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error = posix_spawn_file_actions_init(&actions);

	if (error == 0)
		error = clean_signals(&attributes);
	if (error != 0)
		return bw_fail(why, BW_ERR_MEMORY, "%s: %s", path, strerror(error));
	error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
	if (error == 0)
		error = posix_spawn(child, path, &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error == 0 ? BW_OK : bw_fail(why, BW_ERR_IO, "%s: could not be started: %s", path, strerror(error));
}

static int wait_for(pid_t child)
{
	int status = -1;

	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Runs it to its end; `status` is its exit status, `l` hears its output. One that `lasts` is left alone when time is up. */
static enum bw_err run(const char *path, char *const argv[], bool lasts, struct listener *l, int *status, struct bw_why *why)
{
	pid_t child;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		return bw_fail(why, BW_ERR_IO, "%s: no pipe: %s", path, strerror(errno));
	enum bw_err err = start(path, argv, fds[1], &child, why);

	close(fds[1]);
	if (err == BW_OK) {
		bool ended = listen_to(fds[0], l);

		if (!ended && !lasts)
			kill(child, SIGKILL);
		*status = ended || !lasts ? wait_for(child) : 0;
		if (!ended && !lasts)
			err = bw_fail(why, BW_ERR_IO, "%s: no end within %d s, so it was killed", path, (int)(l->most_ms / BW_SECOND_MS));
	}
	close(fds[0]);
	return err;
}

static struct bw_slice one_line(struct bw_buf *said)
{
	for (size_t i = 0; i < said->n; i++) {
		if (said->p[i] == '\n')
			said->p[i] = ' ';
	}
	return bw_slice_trim(bw_buf_slice(said));
}

static enum bw_err complain(const char *path, const struct order *order, struct bw_slice said, int status, struct bw_why *why)
{
	struct bw_buf line;
	enum bw_err err;

	bw_buf_init(&line, BW_PATH_BYTES);
	bw_buf_add_text(&line, path);
	for (size_t i = 0; i < ORDER_WORDS && order->words[i] != NULL; i++)
		bw_buf_printf(&line, " %s", order->words[i]);
	if (geteuid() != 0)
		err = bw_fail(why, BW_ERR_PERMISSION, "%s: %.*s; try sudo", bw_buf_text(&line), (int)said.n, said.p);
	else
		err = bw_fail(why, BW_ERR_IO, "%s: %.*s (exit status %d)", bw_buf_text(&line), (int)said.n, said.p, status);
	bw_buf_done(&line);
	return err;
}

static enum bw_err run_order(const struct bw_mta_place *place, const struct order *order, struct listener *l, struct bw_why *why)
{
	char path[BW_PATH_BYTES];
	const char *argv[ORDER_WORDS + 4] = { order->program };
	size_t n = 1;
	int status = 0;
	enum bw_err err = bw_mta_program(place, order->program, order->option, path, why);

	if (err != BW_OK)
		return err;
	if (place->config != NULL) {
		argv[n++] = order->config_flag;
		argv[n++] = place->config;
	}
	for (size_t i = 0; i < ORDER_WORDS && order->words[i] != NULL; i++)
		argv[n++] = order->words[i];
	/* posix_spawn's argv is not const for historical reasons; it does not write to it. */
	char *words[ORDER_WORDS + 4];

	memcpy(words, argv, sizeof(words));
	err = run(path, words, order->lasts, l, &status, why);
	if (err != BW_OK || status == 0)
		return err;
	return complain(path, order, one_line(l->said), status, why);
}

enum bw_err bw_agent_order(const struct bw_mta_place *place, const struct order *order, struct bw_buf *said, struct bw_why *why)
{
	struct listener l = { .said = said, .most_ms = COMMAND_MS };

	return run_order(place, order, &l, why);
}

enum bw_err bw_agent_order_lines(const struct bw_mta_place *place, const struct order *order,
                                 void (*each)(void *ctx, struct bw_slice line), void *ctx, struct bw_why *why)
{
	struct bw_buf said;
	struct listener l = { .said = &said, .each = each, .ctx = ctx, .most_ms = LISTING_MS };

	bw_buf_init(&said, SAID_BYTES);
	bw_buf_init(&l.line, LINE_BYTES);
	enum bw_err err = run_order(place, order, &l, why);

	bw_buf_done(&l.line);
	bw_buf_done(&said);
	return err;
}
