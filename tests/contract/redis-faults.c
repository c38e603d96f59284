/* Redis killed, stopped, emptied, full, read-only, locked, talking nonsense: every call ends with BW_ERR_STORE within its deadline,
 * later ones at once, and the same store works again as soon as Redis does. */
#include "contract.h"
#include "redis-server.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	DEADLINE_MS = 250,
	SLACK_MS = 500, /* of a loaded machine */
	RECOVERY_MS = 20000,
	THREADS = 20
};

struct scene {
	struct redis_server server;
	struct bw_store *store;
	int64_t next; /* message */
};

static struct bw_store *open_store(const struct bw_store_redis_options *given)
{
	struct bw_store_redis_options options = *given;
	struct bw_store *s = NULL;

	options.deadline_ms = DEADLINE_MS;
	assert_ok(bw_store_redis_open(&options, &s, &why));
	return s;
}

static int scene_setup(void **state)
{
	struct scene *c = calloc(1, sizeof(*c));

	if (c == NULL || !redis_server_start(&c->server, true))
		return -1;
	struct bw_store_redis_options options = redis_server_options(&c->server);

	c->store = open_store(&options);
	*state = c;
	return 0;
}

static int scene_teardown(void **state)
{
	struct scene *c = *state;

	bw_store_close(&c->store);
	redis_server_signal(&c->server, SIGCONT);
	redis_server_stop(&c->server);
	free(c);
	return 0;
}

#define SCENE(function) cmocka_unit_test_setup_teardown(function, scene_setup, scene_teardown)

/* --- calls --- */

static enum bw_err count_one(struct scene *c, struct bw_count_out *out, struct bw_why *why)
{
	char id[32], sender[32];

	snprintf(id, sizeof(id), "m%lld", (long long)c->next);
	snprintf(sender, sizeof(sender), "s%lld", (long long)c->next);
	c->next++;
	struct bw_count_in in = mail(0, id, sender, "root");

	return c->store->ops->count(c->store, &in, out, 1, why);
}

static void admin(const struct scene *c, const char *command)
{
	char reply[256];

	assert_true(redis_server_admin(&c->server, command, reply, sizeof(reply)));
	assert_string_not_equal(reply, "");
	if (strncmp(reply, "ERR", 3) == 0)
		fail_msg("%s: %s", command, reply);
}

static void must_answer(struct scene *c)
{
	struct bw_count_out out;

	assert_ok(count_one(c, &out, &why));
}

/* The first failure within the deadline; twenty more in less than one deadline together. */
static void must_fail(struct scene *c, const char *word)
{
	struct bw_count_out out = { .now_ms = 77 };
	struct bw_why why = { "" };
	int64_t start_ms = bw_clock_monotonic_ms();

	assert_int_equal(count_one(c, &out, &why), BW_ERR_STORE);
	assert_true(bw_clock_monotonic_ms() - start_ms < DEADLINE_MS + SLACK_MS);
	assert_int_equal(out.now_ms, 77);
	if (strstr(why.text, word) == NULL)
		fail_msg("\"%s\" is not in: %s", word, why.text);
	start_ms = bw_clock_monotonic_ms();
	for (int i = 0; i < 20; i++)
		assert_int_equal(count_one(c, &out, NULL), BW_ERR_STORE);
	assert_true(bw_clock_monotonic_ms() - start_ms < DEADLINE_MS);
}

static void pause_ms(long ms)
{
	struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&pause, NULL);
}

static void must_recover(struct scene *c)
{
	int64_t until_ms = bw_clock_monotonic_ms() + RECOVERY_MS, now_ms;
	struct bw_why why = { "" };

	while (c->store->ops->now(c->store, &now_ms, &why) != BW_OK) {
		if (bw_clock_monotonic_ms() > until_ms)
			fail_msg("no recovery: %s", why.text);
		pause_ms(20);
	}
	while (count_one(c, &(struct bw_count_out){ 0 }, &why) != BW_OK) {
		if (bw_clock_monotonic_ms() > until_ms)
			fail_msg("no recovery: %s", why.text);
		pause_ms(20);
	}
	must_answer(c);
}

/* --- gone --- */

static void killed_and_restarted_empty(void **state)
{
	struct scene *c = *state;
	struct bw_count_out out;

	must_answer(c);
	redis_server_signal(&c->server, SIGKILL);
	must_fail(c, "redis ");
	assert_true(redis_server_restart(&c->server));
	must_recover(c);
	/* It knows nothing any more, and counts from one. */
	struct bw_count_in in = mail(0, "fresh", "ann", NULL);

	in.list = BW_S("other@example.org");
	assert_ok(c->store->ops->count(c->store, &in, &out, 1, &why));
	assert_int_equal(out.seen, BW_SEEN_FRESH);
	assert_int_equal(out.list_senders, 1);
}

/* The call meets a peer that ended a moment ago: often its write is the first to notice. The test program, like any that links the
 * store, has not asked to ignore SIGPIPE. */
static void killed_again_and_again(void **state)
{
	enum { KILLS = 10 };
	struct scene *c = *state;

	for (int i = 0; i < KILLS; i++) {
		must_answer(c);
		redis_server_signal(&c->server, SIGKILL);
		must_fail(c, "redis ");
		assert_true(redis_server_restart(&c->server));
		must_recover(c);
	}
}

static void stopped_and_continued(void **state)
{
	struct scene *c = *state;
	struct bw_breaker_key key = list_key(BW_SIDE_MEMBERS);
	struct bw_count_out out;

	must_answer(c);
	set_breaker(c->store, key, BW_PHASE_OPEN, 1, 2);
	redis_server_signal(&c->server, SIGSTOP);
	must_fail(c, "no answer");
	redis_server_signal(&c->server, SIGCONT);
	must_recover(c);
	/* Answers belong to their questions: nothing that came late was taken for another's. */
	assert_int_equal(breaker(c->store, key).phase, BW_PHASE_OPEN);
	assert_ok(count_one(c, &out, &why));
	assert_int_equal(out.list_breaker.phase, BW_PHASE_OPEN);
}

struct waiter {
	struct scene *scene;
	int64_t waited_ms;
	enum bw_err err;
};

static void *wait_for_answer(void *arg)
{
	struct waiter *w = arg;
	struct bw_count_in in = mail(0, "same", "ann", NULL);
	struct bw_count_out out;
	int64_t start_ms = bw_clock_monotonic_ms();

	w->err = w->scene->store->ops->count(w->scene->store, &in, &out, 1, NULL);
	w->waited_ms = bw_clock_monotonic_ms() - start_ms;
	return NULL;
}

static void everybody_waits_once(void **state)
{
	struct scene *c = *state;
	struct waiter waiters[THREADS];
	pthread_t threads[THREADS];

	must_answer(c);
	redis_server_signal(&c->server, SIGSTOP);
	for (int i = 0; i < THREADS; i++) {
		waiters[i] = (struct waiter){ .scene = c };
		assert_int_equal(pthread_create(&threads[i], NULL, wait_for_answer, &waiters[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(waiters[i].err, BW_ERR_STORE);
		assert_true(waiters[i].waited_ms < DEADLINE_MS + SLACK_MS);
	}
	must_fail(c, "");
	redis_server_signal(&c->server, SIGCONT);
	must_recover(c);
}

static void not_there_at_first(void **state)
{
	struct scene *c = *state;
	struct bw_store_redis_options options = redis_server_options(&c->server);
	int64_t start_ms;

	redis_server_signal(&c->server, SIGKILL);
	bw_store_close(&c->store);
	start_ms = bw_clock_monotonic_ms();
	c->store = open_store(&options);
	assert_true(bw_clock_monotonic_ms() - start_ms < 1000 + SLACK_MS);
	must_fail(c, "cannot connect");
	assert_true(redis_server_restart(&c->server));
	must_recover(c);
}

static void hung_while_opening(void **state)
{
	struct scene *c = *state;
	struct bw_store_redis_options options = redis_server_options(&c->server);

	bw_store_close(&c->store);
	redis_server_signal(&c->server, SIGSTOP);
	c->store = open_store(&options);
	must_fail(c, "");
	redis_server_signal(&c->server, SIGCONT);
	must_recover(c);
}

/* --- there, but unwilling --- */

static void full(void **state)
{
	struct scene *c = *state;

	must_answer(c);
	admin(c, "CONFIG SET maxmemory 1");
	must_fail(c, "memory is full");
	admin(c, "CONFIG SET maxmemory 0");
	must_recover(c);
}

static void read_only(void **state)
{
	struct scene *c = *state;

	must_answer(c);
	admin(c, "REPLICAOF 127.0.0.1 1");
	must_fail(c, "read-only replica");
	admin(c, "REPLICAOF NO ONE");
	must_recover(c);
}

/* The script's keys, one of them turned into a string by somebody else. */
static void wrong_type(void **state)
{
	struct scene *c = *state;
	char reply[4096], key[128], command[256];

	must_answer(c);
	assert_true(redis_server_admin(&c->server, "KEYS bw:{*}:h", reply, sizeof(reply)));
	char *at = strstr(reply, "bw:{");

	assert_non_null(at);
	snprintf(key, sizeof(key), "%.*s", (int)strcspn(at, "\r\n"), at);
	snprintf(command, sizeof(command), "SET %s x", key);
	admin(c, command);
	must_fail(c, "another type");
	snprintf(command, sizeof(command), "DEL %s", key);
	admin(c, command);
	must_recover(c);
}

static void scripts_forgotten(void **state)
{
	struct scene *c = *state;
	struct bw_count_out out;

	must_answer(c);
	admin(c, "SCRIPT FLUSH");
	assert_ok(count_one(c, &out, &why));
	assert_int_equal(out.conversation_replies, 1);
	assert_int_equal(out.list_senders, 2);
	admin(c, "SCRIPT FLUSH");
	/* Several lists, of which each finds the script gone. */
	struct bw_count_in in[2] = { mail(0, "x", "x", NULL), mail(0, "y", "y", NULL) };
	struct bw_count_out outs[2];

	in[1].list = BW_S("second@example.org");
	assert_ok(c->store->ops->count(c->store, in, outs, 2, &why));
	assert_int_equal(outs[0].list_senders, 3);
	assert_int_equal(outs[1].list_senders, 1);
}

static void rights_taken_away(void **state)
{
	struct scene *c = *state;

	must_answer(c);
	admin(c, "ACL SETUSER " REDIS_USER " -hset");
	must_fail(c, "ACL");
	admin(c, "ACL SETUSER " REDIS_USER " +hset");
	must_recover(c);
}

static void write_password(const struct scene *c, const char *password)
{
	FILE *f = fopen(c->server.password_file, "w");

	assert_non_null(f);
	fprintf(f, "%s\n", password);
	assert_int_equal(fclose(f), 0);
}

static void wrong_password(void **state)
{
	struct scene *c = *state;
	struct bw_store_redis_options options = redis_server_options(&c->server);

	bw_store_close(&c->store);
	write_password(c, "wrong");
	c->store = open_store(&options);
	must_fail(c, "password is wrong");
	write_password(c, REDIS_PASSWORD);
	must_recover(c);
}

/* The reason changes while it is away: the connection was lost, and then the next one is refused. */
static void must_come_to_say(struct scene *c, const char *word)
{
	int64_t until_ms = bw_clock_monotonic_ms() + RECOVERY_MS;
	struct bw_count_out out;
	struct bw_why why = { "" };

	while (strstr(why.text, word) == NULL) {
		assert_int_equal(count_one(c, &out, &why), BW_ERR_STORE);
		if (bw_clock_monotonic_ms() > until_ms)
			fail_msg("\"%s\" is not in: %s", word, why.text);
		pause_ms(10);
	}
}

/* Changed under way: whoever is connected stays so until Redis drops the connections; then the file is read again. */
static void password_changed(void **state)
{
	struct scene *c = *state;

	must_answer(c);
	admin(c, "ACL SETUSER " REDIS_USER " resetpass >another");
	admin(c, "CLIENT KILL USER " REDIS_USER);
	must_fail(c, "redis ");
	must_come_to_say(c, "password is wrong");
	write_password(c, "another");
	must_recover(c);
}

static void no_password_file(void **state)
{
	struct scene *c = *state;
	struct bw_store_redis_options options = redis_server_options(&c->server);
	struct bw_store *s = NULL;
	struct bw_why why = { "" };

	options.password_file = "/nonexistent/password";
	assert_int_equal(bw_store_redis_open(&options, &s, &why), BW_ERR_IO);
	assert_non_null(strstr(why.text, "/nonexistent/password"));
	assert_null(s);
}

/* --- somewhere else --- */

static void over_tcp_by_name(void **state)
{
	struct scene *c = *state;
	struct bw_store_redis_options options = redis_server_options(&c->server);

	bw_store_close(&c->store);
	options.socket = NULL;
	options.host = "localhost";
	options.port = c->server.port;
	options.database = 3;
	c->store = open_store(&options);
	must_recover(c);
	redis_server_signal(&c->server, SIGKILL);
	must_fail(c, "localhost");
	assert_true(redis_server_restart(&c->server));
	must_recover(c);
}

static void a_name_that_does_not_exist(void **state)
{
	struct scene *c = *state;
	struct bw_store_redis_options options = { .host = "redis.invalid" };

	bw_store_close(&c->store);
	c->store = open_store(&options);
	must_fail(c, "redis.invalid");
}

static void *talk_nonsense(void *arg)
{
	int fd;

	/* The listening socket is shut down at the end. */
	while ((fd = accept(*(const int *)arg, NULL, NULL)) >= 0) {
		static const char nonsense[] = "HTTP/1.1 400 Bad Request\r\n\r\n*-7\r\n$99999999999\r\n";

		(void)send(fd, nonsense, sizeof(nonsense) - 1, MSG_NOSIGNAL); /* who asked may have gone again */
		pause_ms(20);
		close(fd);
	}
	return NULL;
}

static void another_protocol(void **state)
{
	struct scene *c = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct bw_store_redis_options options = { .socket = address.sun_path };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	pthread_t thread;

	bw_store_close(&c->store);
	redis_server_signal(&c->server, SIGKILL);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/log", c->server.dir);
	unlink(address.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(pthread_create(&thread, NULL, talk_nonsense, &fd), 0);
	c->store = open_store(&options);
	must_fail(c, "redis ");
	bw_store_close(&c->store);
	shutdown(fd, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(fd);
}

static void options_that_contradict(void **state)
{
	struct bw_store *s = NULL;
	const struct {
		struct bw_store_redis_options options;
		enum bw_err err;
	} cases[] = {
		{ { .host = "h", .socket = "/s" }, BW_ERR_INPUT }, { { .port = 1 }, BW_ERR_INPUT },
		{ { .host = "h", .port = 65536 }, BW_ERR_RANGE },  { { .host = "h", .port = -1 }, BW_ERR_RANGE },
		{ { .host = "h", .database = -1 }, BW_ERR_RANGE }, { { .host = "h", .deadline_ms = -1 }, BW_ERR_RANGE },
		{ { .host = "h", .user = "u" }, BW_ERR_INPUT },    { { .host = "h", .prefix = "a{b}:" }, BW_ERR_INPUT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(bw_store_redis_open(&cases[i].options, &s, NULL), cases[i].err);
	assert_null(s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		SCENE(killed_and_restarted_empty),
		SCENE(killed_again_and_again),
		SCENE(stopped_and_continued),
		SCENE(everybody_waits_once),
		SCENE(not_there_at_first),
		SCENE(hung_while_opening),
		SCENE(full),
		SCENE(read_only),
		SCENE(wrong_type),
		SCENE(scripts_forgotten),
		SCENE(rights_taken_away),
		SCENE(wrong_password),
		SCENE(password_changed),
		SCENE(no_password_file),
		SCENE(over_tcp_by_name),
		SCENE(a_name_that_does_not_exist),
		SCENE(another_protocol),
		cmocka_unit_test(options_that_contradict),
	};

	return cmocka_run_group_tests_name("redis-faults", tests, NULL, NULL);
}
