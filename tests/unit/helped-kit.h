/* helped-kit.h: a helper who is a child of the test, and says what it is told; and an MTA that is asked through it. */
#ifndef BW_TEST_HELPED_KIT_H
#define BW_TEST_HELPED_KIT_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../milter/agent/archive.h"
#include "../../milter/agent/packet.h"
#include "bw/helper.h"

enum { WAIT_MS = 10000, GOOD = 0, BAD = 1 };

#define ID "ab000000000000000000000000000000"

static char root[64], path[100];
static struct bw_helper *helper;
static struct packet packet;
static const struct bw_mta *postfix;
static struct bw_mta_place place;
static pid_t child;
static int archive = -1;
static int closed[2] = { -1, -1 }; /* a byte for each connection that the helper has closed */

/* --- the helper --- */

static inline int listener_at(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* A child that does `say` with one connection after the other, `count` times. */
static inline void with_helper(bool (*say)(int client), int count)
{
	int fd = listener_at();

	assert_int_equal(pipe(closed), 0);
	child = fork();
	if (child == 0) {
		bool good = true;

		for (int i = 0; i < count; i++) {
			int client = accept(fd, NULL, NULL);

			good = say(client) && good;
			close(client);
			good = write(closed[1], "x", 1) == 1 && good;
		}
		_exit(good ? GOOD : BAD);
	}
	close(fd);
}

static inline void await_close(void)
{
	char byte;

	assert_int_equal(read(closed[0], &byte, 1), 1);
}

static inline void expect_helper_content(void)
{
	int status = -1;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	close(closed[0]);
	close(closed[1]);
	assert_int_equal(WEXITSTATUS(status), GOOD);
}

static inline bool heard(int client, const char *ask)
{
	packet_drop_files(&packet);
	return packet_receive(client, &packet, WAIT_MS, NULL) == BW_OK && packet_is(&packet, "ask", ask);
}

static inline bool answer(int client, const char *const *fields)
{
	packet_reset(&packet);
	for (size_t i = 0; fields[i] != NULL; i += 2)
		packet_add_text(&packet, fields[i], fields[i + 1]);
	return packet_send(client, &packet, WAIT_MS, NULL) == BW_OK;
}

static inline bool answer_done(int client)
{
	static const char *const fields[] = { "is", "done", NULL };

	return answer(client, fields);
}

static inline int set_up(void **state)
{
	(void)state;
	strcpy(root, "/tmp/bw-helped-XXXXXX");
	if (mkdtemp(root) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/socket", root);
	postfix = bw_mta_find_helped("postfix");
	if (postfix == NULL || bw_helper_open(path, &helper, NULL) != BW_OK)
		return -1;
	place = (struct bw_mta_place){ .helper = helper };
	return 0;
}

static inline int tear_down(void **state)
{
	char command[100];

	(void)state;
	bw_helper_close(&helper);
	if (archive >= 0)
		close(archive);
	archive = -1;
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

#define HELPED_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
