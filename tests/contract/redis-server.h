/* redis-server.h: a private Redis for tests: unpacked by tests/support/packages.sh, in a directory of its own, on a Unix socket
 * (and a port of loopback, if asked), under the user and the rights of conf/redis/breakwater.conf. It ends with its test.
 */
#ifndef BW_TEST_REDIS_SERVER_H
#define BW_TEST_REDIS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "bw/store-redis.h"

#define REDIS_USER     "breakwater"
#define REDIS_PASSWORD "correct horse battery staple"

struct redis_server {
	char dir[64], socket[96], password_file[96];
	int port; /* 0: no TCP */
	pid_t pid;
};

/* Makes the directory and starts it; false says why on stderr. */
bool redis_server_start(struct redis_server *server, bool tcp);
/* Again after redis_server_signal(SIGKILL), empty, in the same place. */
bool redis_server_restart(struct redis_server *server);
/* SIGKILL waits for its end. */
void redis_server_signal(struct redis_server *server, int signal);
/* Kills it and removes its directory. */
void redis_server_stop(struct redis_server *server);
/* A command of its administrator, words separated by blanks; the reply as text, errors as "ERR ...". */
bool redis_server_admin(const struct redis_server *server, const char *command, char *reply, size_t size);

/* How breakwater reaches it. */
struct bw_store_redis_options redis_server_options(const struct redis_server *server);

/* One server for all tests of a program and its child processes, started at the first call. NULL: it does not start. */
const struct redis_server *redis_server_shared(void);

#endif
