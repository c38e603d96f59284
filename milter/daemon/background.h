/* background.h: to the background, with the parent waiting until the service is ready, so that its exit code and
 * stderr tell the truth.
 *
 * Layer:   daemon; before any thread starts and before SQLite is opened (its handles do not survive a fork).
 */
#ifndef BW_DAEMON_BACKGROUND_H
#define BW_DAEMON_BACKGROUND_H

#include <stdbool.h>

/* Forks. In the child: a descriptor for bw_background_ready(). In the parent: never returns, exits 0 when the child is ready and
 * 1 when it ended before. -1: fork failed. */
int bw_background_start(void);
/* Tells the parent, lets go of the terminal; of standard error too, unless it is the log. */
void bw_background_ready(int fd, bool keep_stderr);

#endif
