/* privileges.h: from root to the daemon's own user, once, after the socket is open and before any message.
 *
 * Layer: daemon.
 */
#ifndef BW_DAEMON_PRIVILEGES_H
#define BW_DAEMON_PRIVILEGES_H

#include "bw/err.h"

#include <stdint.h>

/* Group id of `name`; -1 for "". BW_ERR_NOT_FOUND. */
enum bw_err bw_privileges_group(const char *name, int64_t *gid, struct bw_why *why);
/* User id of `name`; -1 for "" or when not started as root. BW_ERR_NOT_FOUND. */
enum bw_err bw_privileges_user(const char *name, int64_t *uid, struct bw_why *why);
/* Gives up root for good, with the user's supplementary groups; nothing happens when not started as root or `user` is "". */
enum bw_err bw_privileges_drop(const char *user, const char *group, struct bw_why *why);

#endif
