/* The archive's directory: whose it is, and who works in it. */
#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"

void archive_lock(int dir)
{
	while (flock(dir, LOCK_EX) != 0 && errno == EINTR)
		continue;
}

void archive_unlock(int dir)
{
	(void)flock(dir, LOCK_UN);
}

/* Root may work in the archive of the user whose folder it lies in: breakwater-agent's. Everybody else wants one of his own. */
static bool is_owner(const char *path, uid_t owner)
{
	char parent[BW_PATH_BYTES];
	struct stat st;

	if (owner == geteuid())
		return true;
	snprintf(parent, sizeof(parent), "%s/..", path);
	return geteuid() == 0 && stat(parent, &st) == 0 && st.st_uid == owner;
}

enum bw_err bw_archive_open(const char *path, int *fd, struct bw_why *why)
{
	struct stat st;

	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return agent_fail_errno(path, "could not be made", why);
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0)
		return agent_fail_errno(path, "could not be opened", why);
	/* Its folder may belong to a less privileged user, who could put another directory there. */
	if (fstat(dir, &st) != 0 || !is_owner(path, st.st_uid) || (st.st_mode & 077) != 0) {
		close(dir);
		return bw_fail(why, BW_ERR_PERMISSION, "%s: the archive must belong to uid %u alone (mode 0700)", path, (unsigned)geteuid());
	}
	*fd = dir;
	return BW_OK;
}
