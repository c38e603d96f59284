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

enum { NAP_MS = 20 };

/* What the agent ignores or blocks, its children do not. */
static int set_signals(posix_spawnattr_t *attributes)
{
	sigset_t all, none;

	sigfillset(&all);
	sigemptyset(&none);
	int error = posix_spawnattr_setsigdefault(attributes, &all);

	if (error == 0)
		error = posix_spawnattr_setsigmask(attributes, &none);
	if (error == 0)
		error = posix_spawnattr_setpgroup(attributes, 0);
	return error != 0 ? error
	                  : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
}

static int set_files(posix_spawn_file_actions_t *actions, int input)
{
	int error = posix_spawn_file_actions_adddup2(actions, input, STDIN_FILENO);

	if (error == 0)
		error = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	return error != 0 ? error : posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
}

enum bw_err agent_child_start(const char *program, char *const argv[], char *const env[], int input, pid_t *child, struct bw_why *why)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error = posix_spawn_file_actions_init(&actions);

	if (error != 0)
		return bw_fail(why, BW_ERR_MEMORY, "%s: %s", program, strerror(error));
	error = posix_spawnattr_init(&attributes);
	if (error == 0) {
		error = set_signals(&attributes);
		if (error == 0)
			error = set_files(&actions, input);
		if (error == 0)
			error = posix_spawn(child, program, &actions, &attributes, argv, env);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return error == 0 ? BW_OK : bw_fail(why, BW_ERR_IO, "%s: could not be started: %s", program, strerror(error));
}

enum child_end agent_child_wait(pid_t child, int64_t within_ms, const _Atomic bool *stop)
{
	int64_t end_ms = bw_clock_monotonic_ms() + within_ms;
	int status = -1;

	for (;;) {
		pid_t done = waitpid(child, &status, WNOHANG);

		if (done == child)
			return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? CHILD_WELL : CHILD_BADLY;
		if (done < 0 && errno != EINTR)
			return CHILD_BADLY;
		if (bw_clock_monotonic_ms() > end_ms || (stop != NULL && atomic_load(stop)))
			break;
		poll(NULL, 0, NAP_MS);
	}
	kill(-child, SIGKILL);
	waitpid(child, &status, 0);
	return CHILD_KILLED;
}
