/* A private Redis, started, hurt and ended by tests. */
#include "redis-server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 1000, TRY_US = 10000, PATH_BYTES = 512 };

#define SHARED_VARIABLE "BW_CONTRACT_REDIS" /* the shared server's directory, for child processes */

/* --- files --- */

static bool write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	bool ok = f != NULL && fputs(text, f) >= 0;

	return f != NULL && fclose(f) == 0 && ok;
}

/* The shipped configuration, with a password in the place of `resetpass` in the user's line. */
static bool write_configuration(const char *path)
{
	FILE *from = fopen(BW_SOURCE_DIR "/conf/redis/breakwater.conf", "r"), *to = fopen(path, "w");
	bool found = false;
	char line[4096];

	while (from != NULL && to != NULL && fgets(line, sizeof(line), from) != NULL) {
		char *at = strncmp(line, "user ", 5) == 0 ? strstr(line, "resetpass") : NULL;

		if (at != NULL)
			fprintf(to, "%.*s\">" REDIS_PASSWORD "\"%s", (int)(at - line), line, at + strlen("resetpass"));
		else
			fputs(line, to);
		found = found || at != NULL;
	}
	if (from != NULL)
		fclose(from);
	return to != NULL && fclose(to) == 0 && found;
}

static void remove_file(const struct redis_server *s, const char *name)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	unlink(path);
}

/* --- the process --- */

static const char *unpacked(void)
{
	const char *given = getenv("BW_UNPACKED");

	return given != NULL ? given : BW_SOURCE_DIR "/build/unpacked";
}

static void run_server(const struct redis_server *s)
{
	char program[PATH_BYTES], libraries[PATH_BYTES], configuration[PATH_BYTES], log[PATH_BYTES], port[16];

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* it ends with its test, however that ends */
	snprintf(program, sizeof(program), "%s/redis/root/usr/bin/redis-server", unpacked());
	snprintf(libraries, sizeof(libraries), "%s/redis/root/usr/lib/x86_64-linux-gnu:%s/redis/root/usr/lib/aarch64-linux-gnu",
	         unpacked(), unpacked());
	snprintf(configuration, sizeof(configuration), "%s/redis.conf", s->dir);
	snprintf(log, sizeof(log), "%s/log", s->dir);
	snprintf(port, sizeof(port), "%d", s->port);
	setenv("LD_LIBRARY_PATH", libraries, 1);
	execl(program, "redis-server", configuration, "--port", port, "--bind", "127.0.0.1", "--unixsocket", s->socket,
	      "--unixsocketperm", "700", "--save", "", "--appendonly", "no", "--dir", s->dir, "--logfile", log, "--loglevel",
	      "warning", "--enable-debug-command", "local", (char *)NULL);
	fprintf(stderr, "%s: %s (tests/support/packages.sh redis unpacks it)\n", program, strerror(errno));
	_exit(127);
}

/* PING by the administrator until it is answered. */
static bool await(struct redis_server *s)
{
	struct timespec pause = { 0, TRY_US * 1000 };
	char reply[64];

	for (int i = 0; i < TRIES; i++) {
		if (redis_server_admin(s, "PING", reply, sizeof(reply)) && strncmp(reply, "PONG", 4) == 0)
			return true;
		if (waitpid(s->pid, NULL, WNOHANG) == s->pid) {
			s->pid = 0;
			break;
		}
		nanosleep(&pause, NULL);
	}
	fprintf(stderr, "redis in %s does not start\n", s->dir);
	return false;
}

bool redis_server_restart(struct redis_server *s)
{
	s->pid = fork();
	if (s->pid == 0)
		run_server(s);
	return s->pid > 0 && await(s);
}

static int free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&address, n) == 0 && getsockname(fd, (struct sockaddr *)&address, &n) == 0;

	if (fd >= 0)
		close(fd);
	return ok ? ntohs(address.sin_port) : 0;
}

static void name_files(struct redis_server *s)
{
	snprintf(s->socket, sizeof(s->socket), "%s/redis.sock", s->dir);
	snprintf(s->password_file, sizeof(s->password_file), "%s/password", s->dir);
}

bool redis_server_start(struct redis_server *s, bool tcp)
{
	char configuration[PATH_BYTES];

	*s = (struct redis_server){ .dir = "/tmp/bw-redis.XXXXXX", .port = tcp ? free_port() : 0 };
	if (mkdtemp(s->dir) == NULL)
		return false;
	name_files(s);
	snprintf(configuration, sizeof(configuration), "%s/redis.conf", s->dir);
	bool started =
		write_configuration(configuration) && write_file(s->password_file, REDIS_PASSWORD "\n") && redis_server_restart(s);

	if (!started)
		redis_server_stop(s);
	return started;
}

void redis_server_signal(struct redis_server *s, int signal)
{
	if (s->pid <= 0)
		return;
	kill(s->pid, signal);
	if (signal == SIGKILL) {
		waitpid(s->pid, NULL, 0);
		s->pid = 0;
	}
}

void redis_server_stop(struct redis_server *s)
{
	static const char *const names[] = { "redis.conf", "password", "redis.sock", "log", "dump.rdb" };

	redis_server_signal(s, SIGKILL);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		remove_file(s, names[i]);
	rmdir(s->dir);
}

/* --- its administrator --- */

static int connect_admin(const struct redis_server *s)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", s->socket);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Inline commands are one line; of the reply, the first bytes are enough for tests. */
bool redis_server_admin(const struct redis_server *s, const char *command, char *reply, size_t size)
{
	int fd = connect_admin(s);
	char line[1024], text[65536];
	ssize_t n = -1;

	if (fd < 0)
		return false;
	snprintf(line, sizeof(line), "%s\r\n", command);
	if (send(fd, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line))
		n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	snprintf(reply, size, "%s", text + (text[0] == '+' || text[0] == ':' || text[0] == '-'));
	return true;
}

struct bw_store_redis_options redis_server_options(const struct redis_server *s)
{
	return (struct bw_store_redis_options){ .socket = s->socket, .user = REDIS_USER, .password_file = s->password_file };
}

/* --- the shared one --- */

static struct redis_server shared;

static void stop_shared(void)
{
	if (shared.pid > 0)
		redis_server_stop(&shared);
}

const struct redis_server *redis_server_shared(void)
{
	const char *dir = getenv(SHARED_VARIABLE);

	if (shared.dir[0] != '\0')
		return &shared;
	if (dir != NULL) {
		snprintf(shared.dir, sizeof(shared.dir), "%s", dir);
		name_files(&shared);
		return &shared;
	}
	if (!redis_server_start(&shared, false))
		return NULL;
	setenv(SHARED_VARIABLE, shared.dir, 1);
	atexit(stop_shared);
	return &shared;
}
