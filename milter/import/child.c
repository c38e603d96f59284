#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bw/clock.h"

extern char **environ;

enum { OUT, COMPLAINT, STREAMS };

struct pipes {
	int ends[STREAMS][2]; /* read, write; -1: closed */
};

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_pipes(struct pipes *p)
{
	for (int i = 0; i < STREAMS; i++) {
		close_end(&p->ends[i][0]);
		close_end(&p->ends[i][1]);
	}
}

static enum bw_err start(const struct bw_child *child, struct pipes *p, pid_t *pid, struct bw_why *why)
{
	posix_spawn_file_actions_t actions;
	char *argv[16];
	size_t n = 0;
	int error = posix_spawn_file_actions_init(&actions);

	if (error != 0)
		return bw_fail(why, BW_ERR_MEMORY, "%s: %s", child->argv[0], strerror(error));
	/* posix_spawn's argv is not const for historical reasons; it does not write to it. */
	for (; child->argv[n] != NULL && n < sizeof(argv) / sizeof(argv[0]) - 1; n++)
		argv[n] = (char *)(uintptr_t)child->argv[n];
	argv[n] = NULL;
	error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&actions, p->ends[OUT][1], STDOUT_FILENO);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(&actions, p->ends[COMPLAINT][1], STDERR_FILENO);
	if (error == 0)
		error = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error == ENOENT)
		return bw_fail(why, BW_ERR_NOT_FOUND, "%s: not found", child->argv[0]);
	return error == 0 ? BW_OK : bw_fail(why, BW_ERR_IO, "%s: could not be started: %s", child->argv[0], strerror(error));
}

/* Takes what is there; false: this stream has ended. */
static bool take(int fd, struct bw_buf *to)
{
	char bytes[16384];
	ssize_t n = read(fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n > 0)
		bw_buf_add(to, (struct bw_slice){ bytes, (size_t)n });
	return n > 0;
}

/* Reads both streams to their ends. */
static enum bw_err listen_to(const struct bw_child *child, struct pipes *p, struct bw_why *why)
{
	struct bw_buf *buffers[STREAMS] = { child->out, child->complaint };

	while (p->ends[OUT][0] >= 0 || p->ends[COMPLAINT][0] >= 0) {
		struct pollfd fds[STREAMS];
		int64_t left_ms = child->deadline_ms - bw_clock_monotonic_ms();

		for (int i = 0; i < STREAMS; i++)
			fds[i] = (struct pollfd){ .fd = p->ends[i][0], .events = POLLIN };
		if (left_ms <= 0 || poll(fds, STREAMS, left_ms > 60000 ? 60000 : (int)left_ms) == 0) {
			if (left_ms <= 60000)
				return bw_fail(why, BW_ERR_IO, "%s: no end in time, so it was killed", child->argv[0]);
			continue;
		}
		for (int i = 0; i < STREAMS; i++) {
			if (fds[i].fd >= 0 && fds[i].revents != 0 && !take(fds[i].fd, buffers[i]))
				close_end(&p->ends[i][0]);
		}
		if (child->out->cut)
			return bw_fail(why, BW_ERR_LIMIT, "%s: prints more than %zu MiB, more than an import takes", child->argv[0],
			               child->out->max >> 20);
	}
	return BW_OK;
}

static int wait_for(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

enum bw_err bw_child_run(struct bw_child *child, struct bw_why *why)
{
	struct pipes p = { { { -1, -1 }, { -1, -1 } } };
	pid_t pid = -1;
	enum bw_err err = BW_OK;

	if (pipe2(p.ends[OUT], O_CLOEXEC) != 0 || pipe2(p.ends[COMPLAINT], O_CLOEXEC) != 0)
		err = bw_fail(why, BW_ERR_IO, "%s: no pipe: %s", child->argv[0], strerror(errno));
	if (err == BW_OK)
		err = start(child, &p, &pid, why);
	close_end(&p.ends[OUT][1]);
	close_end(&p.ends[COMPLAINT][1]);
	if (err == BW_OK) {
		err = listen_to(child, &p, why);
		if (err != BW_OK)
			kill(pid, SIGKILL);
		child->status = wait_for(pid);
	}
	close_pipes(&p);
	return err;
}
