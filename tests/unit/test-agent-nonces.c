/* link: bw_agent bw_base */
/* Which orders were carried out: known again after a restart, until their time is over, whatever was half written. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../milter/agent/helper-nonces.h"

#define NOW  INT64_C(1000000)
#define HOUR INT64_C(3600000)

static char root[64];
static int dir = -1;

static int make_place(void **state)
{
	(void)state;
	strcpy(root, "/tmp/bw-nonces-XXXXXX");
	if (mkdtemp(root) == NULL)
		return -1;
	dir = open(root, O_RDONLY | O_DIRECTORY);
	return dir < 0 ? -1 : 0;
}

static int remove_place(void **state)
{
	(void)state;
	unlinkat(dir, "orders-done", 0);
	unlinkat(dir, "orders-done.new", AT_REMOVEDIR);
	close(dir);
	return rmdir(root);
}

static struct bw_hash nonce_of(int i)
{
	struct bw_hash h = { { (uint8_t)(i * 37), (uint8_t)(i >> 8), (uint8_t)i, 1 } };

	return h;
}

static struct nonces *opened(int64_t now_ms)
{
	struct nonces *n = NULL;

	assert_int_equal(nonces_open(dir, now_ms, &n, NULL), BW_OK);
	return n;
}

static void add(struct nonces *n, int i, int64_t until_ms, int64_t now_ms)
{
	struct bw_hash h = nonce_of(i);

	assert_int_equal(nonces_add(n, &h, until_ms, now_ms, NULL), BW_OK);
}

static bool has(const struct nonces *n, int i)
{
	struct bw_hash h = nonce_of(i);

	return nonces_has(n, &h);
}

static int64_t file_bytes(void)
{
	struct stat st;

	assert_int_equal(fstatat(dir, "orders-done", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	return (int64_t)st.st_size;
}

static void known_again(void **state)
{
	struct nonces *n = opened(NOW);

	(void)state;
	for (int i = 0; i < 600; i++) {
		assert_false(has(n, i));
		add(n, i, NOW + (i % 2 == 0 ? HOUR : 2 * HOUR), NOW);
		add(n, i, NOW + HOUR, NOW);
	}
	nonces_close(&n);
	n = opened(NOW + HOUR);
	for (int i = 0; i < 600; i++)
		assert_true(has(n, i));
	nonces_close(&n);
	n = opened(NOW + HOUR + 1);
	for (int i = 0; i < 600; i++)
		assert_int_equal(has(n, i), i % 2 != 0);
	nonces_close(&n);
}

/* A line of which a kill has left a part, and what is none. */
static void half_a_line(void **state)
{
	struct nonces *n = opened(NOW);

	(void)state;
	add(n, 1, NOW + HOUR, NOW);
	add(n, 2, NOW + HOUR, NOW);
	nonces_close(&n);
	for (int64_t cut = file_bytes() - 1; cut >= 0; cut -= 7) {
		int fd = openat(dir, "orders-done", O_WRONLY);

		assert_int_equal(ftruncate(fd, cut), 0);
		close(fd);
		n = opened(NOW);
		assert_int_equal(has(n, 1) + has(n, 2), file_bytes() / (int64_t)strlen("00000000000000000000000000000000 4600000\n"));
		add(n, 3, NOW + HOUR, NOW);
		nonces_close(&n);
		n = opened(NOW);
		assert_true(has(n, 3));
		nonces_close(&n);
	}
}

/* It does not grow for ever: what is over goes. */
static void bounded(void **state)
{
	struct nonces *n = opened(NOW);
	int64_t most = 0;

	(void)state;
	for (int i = 0; i < 6000; i++) {
		add(n, i, NOW + i * 10 + 100, NOW + i * 10);
		most = file_bytes() > most ? file_bytes() : most;
	}
	assert_true(most < 3000 * 42);
	assert_true(has(n, 5999));
	assert_false(has(n, 1));
	nonces_close(&n);
}

/* Where the disk does not take it, it is known all the same, nothing else is taken on, and later it is written. */
static void unwritable(void **state)
{
	struct nonces *n = opened(NOW);
	struct bw_hash h = nonce_of(2);

	(void)state;
	for (int i = 100; i < 1101; i++)
		add(n, i, NOW + 1, NOW);
	/* The file is due to be renewed, and something stands in the way. */
	assert_int_equal(mkdirat(dir, "orders-done.new", 0700), 0);
	assert_int_not_equal(nonces_add(n, &h, NOW + HOUR, NOW + 2, NULL), BW_OK);
	assert_true(has(n, 2));
	assert_int_not_equal(nonces_ready(n, NOW + 2, NULL), BW_OK);
	assert_int_equal(unlinkat(dir, "orders-done.new", AT_REMOVEDIR), 0);
	assert_int_equal(nonces_ready(n, NOW + 2, NULL), BW_OK);
	nonces_close(&n);
	n = opened(NOW + 2);
	assert_true(has(n, 2));
	assert_false(has(n, 100));
	nonces_close(&n);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(known_again, make_place, remove_place),
		cmocka_unit_test_setup_teardown(half_a_line, make_place, remove_place),
		cmocka_unit_test_setup_teardown(bounded, make_place, remove_place),
		cmocka_unit_test_setup_teardown(unwritable, make_place, remove_place),
	};

	return cmocka_run_group_tests_name("nonces", tests, NULL, NULL);
}
