#include "files.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum bw_err agent_fail_errno(const char *name, const char *what, struct bw_why *why)
{
	int error = errno;
	enum bw_err err = BW_ERR_IO;

	if (error == EACCES || error == EPERM)
		err = BW_ERR_PERMISSION;
	else if (error == ENOENT)
		err = BW_ERR_NOT_FOUND;
	return bw_fail(why, err, "%s: %s: %s", name, what, strerror(error));
}

enum bw_err agent_write(int fd, const void *bytes, size_t n, const char *name, struct bw_why *why)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return agent_fail_errno(name, "could not be written", why);
		p += done;
		n -= (size_t)done;
	}
	return BW_OK;
}
