#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

enum bw_err bw_privileges_group(const char *name, int64_t *gid, struct bw_why *why)
{
	if (name[0] == '\0') {
		*gid = -1;
		return BW_OK;
	}
	const struct group *g = getgrnam(name);

	if (g == NULL)
		return bw_fail(why, BW_ERR_NOT_FOUND, "there is no group \"%s\" on this host", name);
	*gid = (int64_t)g->gr_gid;
	return BW_OK;
}

enum bw_err bw_privileges_user(const char *name, int64_t *uid, struct bw_why *why)
{
	*uid = -1;
	if (geteuid() != 0 || name[0] == '\0')
		return BW_OK;
	const struct passwd *p = getpwnam(name);

	if (p == NULL)
		return bw_fail(why, BW_ERR_NOT_FOUND, "daemon.user: there is no user \"%s\" on this host", name);
	*uid = (int64_t)p->pw_uid;
	return BW_OK;
}

enum bw_err bw_privileges_drop(const char *user, const char *group, struct bw_why *why)
{
	if (geteuid() != 0 || user[0] == '\0')
		return BW_OK;
	const struct passwd *p = getpwnam(user);

	if (p == NULL)
		return bw_fail(why, BW_ERR_NOT_FOUND, "daemon.user: there is no user \"%s\" on this host", user);
	int64_t gid = (int64_t)p->pw_gid;

	if (group[0] != '\0' && bw_privileges_group(group, &gid, why) != BW_OK)
		return BW_ERR_NOT_FOUND;
	if (initgroups(user, (gid_t)gid) != 0 || setresgid((gid_t)gid, (gid_t)gid, (gid_t)gid) != 0 ||
	    setresuid(p->pw_uid, p->pw_uid, p->pw_uid) != 0)
		return bw_fail(why, BW_ERR_PERMISSION, "daemon.user: cannot become \"%s\": %s", user, strerror(errno));
	if (p->pw_uid != 0 && setuid(0) == 0)
		return bw_fail(why, BW_ERR_PERMISSION, "daemon.user: root came back after it was given up");
	return BW_OK;
}
