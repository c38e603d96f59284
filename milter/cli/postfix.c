#include "postfix.h"

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

enum { PATH_BYTES = 4096, SAID_BYTES = 4096 };

extern char **environ;

/* Letters and digits only (Postfix's short ids are hex, its long ones alphanumeric); never "ALL", which means every message. */
static bool is_queue_id(const char *text)
{
	static const char allowed[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	size_t n = strlen(text);

	return n >= 5 && n <= 40 && strspn(text, allowed) == n;
}

static bool try_directory(struct bw_slice directory, const char *name, char path[PATH_BYTES])
{
	int n = snprintf(path, PATH_BYTES, "%.*s/%s", (int)directory.n, directory.p, name);

	return directory.n > 0 && directory.n < PATH_BYTES && n < PATH_BYTES && access(path, X_OK) == 0;
}

/* Cron's PATH has no sbin, so that is tried in any case. */
static enum bw_err find_command(const struct postfix *postfix, const char *name, char path[PATH_BYTES], struct bw_why *why)
{
	struct bw_slice rest = bw_slice_of(getenv("PATH"));

	if (postfix->commands != NULL) {
		if (try_directory(bw_slice_of(postfix->commands), name, path))
			return BW_OK;
		return bw_fail(why, BW_ERR_IO, "%s: no %s that can be run is there (--postfix-commands)", postfix->commands, name);
	}
	while (rest.n > 0) {
		size_t colon = bw_slice_find(rest, ':');

		if (try_directory(bw_slice_head(rest, colon), name, path))
			return BW_OK;
		rest = bw_slice_from(rest, colon + 1);
	}
	if (try_directory(BW_S("/usr/sbin"), name, path) || try_directory(BW_S("/usr/local/sbin"), name, path))
		return BW_OK;
	return bw_fail(why, BW_ERR_IO, "%s is not found on this host; --postfix-commands says where Postfix's commands are", name);
}

/* Reads what the command says until it ends or time is up; false: time was up. */
static bool listen_to(int fd, struct bw_buf *said)
{
	int64_t end_ms = bw_clock_monotonic_ms() + COMMAND_MS;
	char bytes[512];

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
		bw_buf_add(said, (struct bw_slice){ bytes, (size_t)n });
	}
}

static enum bw_err start(const char *path, char *const argv[], int output, pid_t *child, struct bw_why *why)
{
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);

	if (error != 0)
		return bw_fail(why, BW_ERR_MEMORY, "%s: %s", path, strerror(error));
	error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
	if (error == 0)
		error = posix_spawn(child, path, &actions, NULL, argv, environ);
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

/* Runs it to its end; `status` is its exit status, `said` its output. */
static enum bw_err run(const char *path, char *const argv[], struct bw_buf *said, int *status, struct bw_why *why)
{
	pid_t child;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		return bw_fail(why, BW_ERR_IO, "%s: no pipe: %s", path, strerror(errno));
	enum bw_err err = start(path, argv, fds[1], &child, why);

	close(fds[1]);
	if (err == BW_OK) {
		bool ended = listen_to(fds[0], said);

		if (!ended)
			kill(child, SIGKILL);
		*status = wait_for(child);
		if (!ended)
			err = bw_fail(why, BW_ERR_IO, "%s: no end within %d s, so it was killed", path, (int)(COMMAND_MS / BW_SECOND_MS));
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

/* `name` [-c DIR] `flag` ID. */
static enum bw_err order(const struct postfix *postfix, const char *const command[2], const char *queue_id, struct bw_buf *said,
                         struct bw_why *why)
{
	char path[PATH_BYTES];
	const char *argv[6] = { command[0] };
	size_t n = 1;
	int status = 0;

	if (!is_queue_id(queue_id))
		return bw_fail(why, BW_ERR_INPUT, "\"%s\" is no queue id of Postfix", queue_id);
	enum bw_err err = find_command(postfix, command[0], path, why);

	if (err != BW_OK)
		return err;
	if (postfix->config != NULL) {
		argv[n++] = "-c";
		argv[n++] = postfix->config;
	}
	argv[n++] = command[1];
	argv[n++] = queue_id;
	/* posix_spawn's argv is not const for historical reasons; it does not write to it. */
	char *words[6];

	memcpy(words, argv, sizeof(words));
	err = run(path, words, said, &status, why);
	if (err != BW_OK || status == 0)
		return err;
	struct bw_slice text = one_line(said);

	if (geteuid() != 0)
		return bw_fail(why, BW_ERR_PERMISSION, "%s %s %s: %.*s; try sudo", path, command[1], queue_id, (int)text.n, text.p);
	return bw_fail(why, BW_ERR_IO, "%s %s %s: %.*s (exit status %d)", path, command[1], queue_id, (int)text.n, text.p, status);
}

enum bw_err bw_cli_postfix_release(const struct postfix *postfix, const char *queue_id, struct bw_why *why)
{
	static const char *const command[2] = { "postsuper", "-H" };
	struct bw_buf said, released;

	bw_buf_init(&said, SAID_BYTES);
	bw_buf_init(&released, SAID_BYTES);
	enum bw_err err = order(postfix, command, queue_id, &said, why);

	/* postsuper(1) exits 0 for an id that is not there ("Released from hold: 0 messages"); only the line with the id tells. */
	bw_buf_printf(&released, "%s: released from hold", queue_id);
	if (err == BW_OK && !bw_slice_contains_nocase(bw_buf_slice(&said), bw_buf_slice(&released)))
		err = bw_fail(why, BW_ERR_NOT_FOUND, "%s is not in Postfix's hold queue any more", queue_id);
	bw_buf_done(&released);
	bw_buf_done(&said);
	return err;
}

enum bw_err bw_cli_postfix_deliver(const struct postfix *postfix, const char *queue_id, struct bw_why *why)
{
	static const char *const command[2] = { "postqueue", "-i" };
	struct bw_buf said;

	bw_buf_init(&said, SAID_BYTES);
	enum bw_err err = order(postfix, command, queue_id, &said, why);

	bw_buf_done(&said);
	return err;
}
