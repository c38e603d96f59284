#include "background.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

int bw_background_start(void)
{
	int fds[2];
	char byte;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return -1;
	pid_t child = fork();

	if (child < 0)
		return -1;
	if (child > 0) {
		close(fds[1]);
		_exit(read(fds[0], &byte, 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	close(fds[0]);
	setsid();
	return fds[1];
}

void bw_background_ready(int fd, bool keep_stderr)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = STDIN_FILENO; null >= 0 && i <= (keep_stderr ? STDOUT_FILENO : STDERR_FILENO); i++)
		dup2(null, i);
	if (null > STDERR_FILENO)
		close(null);
	ssize_t written = write(fd, "r", 1);

	(void)written; /* the parent may be gone; the service is ready all the same */
	close(fd);
}
