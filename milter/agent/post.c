#include "post.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "bw/clock.h"
#include "child.h"

#define POST_MS (30 * BW_SECOND_MS)

extern char **environ;

static enum bw_err start(const char *sendmail, const char *to, int input, pid_t *child, struct bw_why *why)
{
	char program[] = "sendmail", i[] = "-i", f[] = "-f", null_sender[] = "<>", end[] = "--", address[400];
	char *argv[] = { program, i, f, null_sender, end, address, NULL };

	bw_slice_copy(bw_slice_of(to), address, sizeof(address));
	return agent_child_start(sendmail, argv, environ, input, child, why);
}

/* False: it did not take all of it in time. */
static bool feed(int fd, struct bw_slice message)
{
	int64_t end_ms = bw_clock_monotonic_ms() + POST_MS;

	while (message.n > 0) {
		int64_t left_ms = end_ms - bw_clock_monotonic_ms();
		struct pollfd p = { .fd = fd, .events = POLLOUT };

		if (left_ms <= 0 || poll(&p, 1, (int)left_ms) <= 0)
			return false;
		ssize_t n = write(fd, message.p, message.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		message = bw_slice_from(message, (size_t)n);
	}
	return true;
}

enum bw_err agent_post(const char *sendmail, const char *to, struct bw_slice message, struct bw_why *why)
{
	pid_t child;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		return bw_fail(why, BW_ERR_IO, "%s: no pipe: %s", sendmail, strerror(errno));
	enum bw_err err = start(sendmail, to, fds[0], &child, why);

	close(fds[0]);
	if (err != BW_OK) {
		close(fds[1]);
		return err;
	}
	bool fed = feed(fds[1], message);

	close(fds[1]);
	if (!fed)
		kill(-child, SIGKILL); /* half a message must not go out */
	if (agent_child_wait(child, POST_MS, NULL) != CHILD_WELL || !fed)
		err = bw_fail(why, BW_ERR_IO, "%s: did not take a notice to %s", sendmail, to);
	return err;
}
