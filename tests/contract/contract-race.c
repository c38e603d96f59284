/* Races: many threads on one handle, many processes on one store. What is exact alone is exact together. */
#include "contract.h"

#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 50, PROCESSES = 4, SHARE = 12, ROUNDS = 3 };

/* What everybody does, all at once; shared with child processes. */
struct race {
	pthread_barrier_t start;
	struct bw_count_out outs[THREADS];
	enum bw_err errs[THREADS];
};

struct racer {
	struct race *race;
	struct bw_store *store;
	int index, round;
	void (*run)(struct racer *r);
};

static void reply(struct racer *r);
static void spend(struct racer *r);
static void step_breaker(struct racer *r);
static void work(struct racer *r);
static void redirect(struct racer *r);

static const struct {
	const char *name;
	void (*run)(struct racer *r);
} races[] = { { "reply", reply }, { "spend", spend }, { "breaker", step_breaker }, { "work", work }, { "redirect", redirect } };

static void *run_racer(void *arg)
{
	struct racer *r = arg;

	pthread_barrier_wait(&r->race->start);
	r->run(r);
	return NULL;
}

static void run_threads(struct race *race, struct bw_store *s, int from, int n, int round, void (*run)(struct racer *r))
{
	struct racer racers[THREADS];
	pthread_t ids[THREADS];

	for (int i = 0; i < n; i++) {
		racers[i] = (struct racer){ race, s, from + i, round, run };
		if (pthread_create(&ids[i], NULL, run_racer, &racers[i]) != 0)
			abort();
	}
	for (int i = 0; i < n; i++)
		pthread_join(ids[i], NULL);
}

/* --- threads --- */

static void init_race(struct race *race, unsigned racers)
{
	pthread_barrierattr_t shared;

	memset(race, 0, sizeof(*race));
	pthread_barrierattr_init(&shared);
	pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&race->start, &shared, racers);
	pthread_barrierattr_destroy(&shared);
}

static void check_racers(const struct race *race, int n)
{
	for (int i = 0; i < n; i++) {
		if (race->errs[i] != BW_OK)
			fail_msg("racer %d: %s", i, bw_err_name(race->errs[i]));
	}
}

static void race_threads(struct bw_store *s, struct race *race, int round, void (*run)(struct racer *r))
{
	init_race(race, THREADS);
	run_threads(race, s, 0, THREADS, round, run);
	check_racers(race, THREADS);
}

/* --- processes: each opens the store itself, in a program of its own (SQLite's locks do not survive a fork) --- */

static struct race *map_race(int fd)
{
	void *p = mmap(NULL, sizeof(struct race), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

int race_child(int argc, char **argv)
{
	struct race *race = argc == 5 ? map_race(atoi(argv[1])) : NULL;
	struct bw_why why = { "" };
	struct bw_store *s = race == NULL ? NULL : backend->open(argv[0], &why);

	if (s == NULL) {
		fprintf(stderr, "race: %s\n", why.text);
		return 1;
	}
	for (size_t i = 0; i < sizeof(races) / sizeof(races[0]); i++) {
		if (strcmp(argv[2], races[i].name) == 0)
			run_threads(race, s, atoi(argv[4]), SHARE, atoi(argv[3]), races[i].run);
	}
	bw_store_close(&s);
	return 0;
}

static pid_t spawn_racers(const char *dir, int fd, const char *name, int round, int from)
{
	char fd_text[16], round_text[16], from_text[16];
	char *const argv[] = {
		(char *)"contract", (char *)backend->name, (char *)dir, fd_text, (char *)name, round_text, from_text, NULL
	};
	pid_t pid = -1;

	snprintf(fd_text, sizeof(fd_text), "%d", fd);
	snprintf(round_text, sizeof(round_text), "%d", round);
	snprintf(from_text, sizeof(from_text), "%d", from);
	return posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) == 0 ? pid : -1;
}

static void race_processes(const char *dir, struct race *out, int round, const char *name)
{
	int fd = memfd_create("race", 0);
	pid_t pids[PROCESSES];

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, sizeof(struct race)), 0);
	struct race *race = map_race(fd);

	assert_non_null(race);
	init_race(race, PROCESSES * SHARE);
	for (int p = 0; p < PROCESSES; p++)
		pids[p] = spawn_racers(dir, fd, name, round, p * SHARE);
	for (int p = 0; p < PROCESSES; p++) {
		int status = -1;

		assert_true(pids[p] > 0);
		waitpid(pids[p], &status, 0);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	*out = *race;
	munmap(race, sizeof(*race));
	close(fd);
	check_racers(out, PROCESSES * SHARE);
}

/* --- ordinals --- */

static void reply(struct racer *r)
{
	char id[32], root[16];

	snprintf(id, sizeof(id), "r%d-%d", r->round, r->index);
	snprintf(root, sizeof(root), "root%d", r->round);
	struct bw_count_in in = mail(T0 + 1, id, id, root);

	r->race->errs[r->index] = r->store->ops->count(r->store, &in, &r->race->outs[r->index], 1, NULL);
}

/* With limit N exactly N pass: because each number is given once. */
static void each_ordinal_is_given_once(const struct race *race, int n)
{
	bool given[THREADS + 1] = { false };

	for (int i = 0; i < n; i++) {
		int64_t ordinal = race->outs[i].conversation_senders;

		if (!race->outs[i].joined || ordinal < 1 || ordinal > n || given[ordinal])
			fail_msg("racer %d of %d: ordinal %lld", i, n, (long long)ordinal);
		given[ordinal] = true;
		assert_int_equal(race->outs[i].conversation_replies, ordinal);
	}
}

static void ordinals_of_threads(void **state)
{
	static struct race race;
	char root[16];

	for (int round = 0; round < ROUNDS; round++) {
		snprintf(root, sizeof(root), "root%d", round);
		offer(STORE(state), T0, root, "comms", NULL);
		race_threads(STORE(state), &race, round, reply);
		each_ordinal_is_given_once(&race, THREADS);
	}
}

static void ordinals_of_processes(void **state)
{
	static struct race race;
	char root[16];

	if (!backend->shared)
		return;
	for (int round = 0; round < ROUNDS; round++) {
		snprintf(root, sizeof(root), "root%d", round);
		offer(STORE(state), T0, root, "comms", NULL);
		race_processes(DIR(state), &race, round, "reply");
		each_ordinal_is_given_once(&race, PROCESSES * SHARE);
	}
}

/* --- one message, many connections --- */

static void same_message(struct racer *r)
{
	struct bw_count_in in = mail(T0, "same", "ann", NULL);

	r->race->errs[r->index] = r->store->ops->count(r->store, &in, &r->race->outs[r->index], 1, NULL);
}

static void one_message_sent_at_once(void **state)
{
	static struct race race;
	int seen[BW_SEEN_COUNT] = { 0 };

	race_threads(STORE(state), &race, 0, same_message);
	for (int i = 0; i < THREADS; i++)
		seen[race.outs[i].seen]++;
	assert_int_equal(seen[BW_SEEN_FRESH], 1);
	assert_int_equal(seen[BW_SEEN_DUPLICATE], 1);
	assert_int_equal(seen[BW_SEEN_REPLAY], THREADS - 2);
}

/* --- budget --- */

static void spend(struct racer *r)
{
	char id[16];

	snprintf(id, sizeof(id), "m%d", r->index);
	struct bw_count_in in = mail(T0, id, id, NULL);

	in.deliveries = 10;
	in.budget = 200;
	r->race->errs[r->index] = r->store->ops->count(r->store, &in, &r->race->outs[r->index], 1, NULL);
}

static void the_budget_is_spent_once(const struct race *race, int n)
{
	int fitted = 0;

	for (int i = 0; i < n; i++) {
		fitted += race->outs[i].provisional;
		assert_int_equal(race->outs[i].provisional, race->outs[i].budget_ok);
	}
	assert_int_equal(fitted, 20);
}

static void budget_of_threads(void **state)
{
	static struct race race;

	race_threads(STORE(state), &race, 0, spend);
	the_budget_is_spent_once(&race, THREADS);
}

static void budget_of_processes(void **state)
{
	static struct race race;

	if (!backend->shared)
		return;
	race_processes(DIR(state), &race, 0, "spend");
	the_budget_is_spent_once(&race, PROCESSES * SHARE);
}

/* --- redirected replies --- */

enum { REDIRECTED = 20 };

static void redirect(struct racer *r)
{
	char id[16];

	snprintf(id, sizeof(id), "m%d", r->index);
	struct bw_redirect_in in = { .now_ms = T0 + 1, .list = BW_S(LIST), .conversation = look(r->store, T0 + 1, "root").conversation,
		                         .message = hash_of(id), .limit = REDIRECTED, .memory_ms = WEEK };
	struct bw_redirect_out out = { 0 };

	r->race->errs[r->index] = r->store->ops->redirect(r->store, &in, &out, 1, NULL);
	r->race->outs[r->index].conversation_senders = out.ordinal;
}

/* However many daemons: exactly so many have a place of their own. */
static void so_many_are_redirected(const struct race *race, int n)
{
	int places[REDIRECTED + 2] = { 0 };

	for (int i = 0; i < n; i++) {
		int64_t ordinal = race->outs[i].conversation_senders;

		assert_true(ordinal >= 1 && ordinal <= REDIRECTED + 1);
		places[ordinal]++;
	}
	for (int i = 1; i <= REDIRECTED; i++)
		assert_int_equal(places[i], 1);
	assert_int_equal(places[REDIRECTED + 1], n - REDIRECTED);
}

static void redirected_by_threads(void **state)
{
	static struct race race;

	offer(STORE(state), T0, "root", "comms", NULL);
	race_threads(STORE(state), &race, 0, redirect);
	so_many_are_redirected(&race, THREADS);
}

static void redirected_by_processes(void **state)
{
	static struct race race;

	if (!backend->shared)
		return;
	offer(STORE(state), T0, "root", "comms", NULL);
	race_processes(DIR(state), &race, 0, "redirect");
	so_many_are_redirected(&race, PROCESSES * SHARE);
}

/* --- compare-and-set --- */

enum { STEPS = 20 };

/* Everybody adds to one record what only compare-and-set can add up. */
static void step_breaker(struct racer *r)
{
	struct bw_breaker_key key = list_key(BW_SIDE_MEMBERS);
	enum bw_err err = BW_OK;

	for (int done = 0; done < STEPS && err == BW_OK;) {
		struct bw_breaker b;

		err = r->store->ops->breaker_get(r->store, &key, &b, NULL);
		b.trips++;
		if (err == BW_OK)
			err = r->store->ops->breaker_cas(r->store, &key, &b, NULL);
		done += err == BW_OK;
		if (err == BW_ERR_CONFLICT)
			err = BW_OK;
	}
	r->race->errs[r->index] = err;
}

static void breakers_of_threads(void **state)
{
	static struct race race;

	race_threads(STORE(state), &race, 0, step_breaker);
	assert_int_equal(breaker(STORE(state), list_key(BW_SIDE_MEMBERS)).trips, THREADS * STEPS);
	assert_int_equal(breaker(STORE(state), list_key(BW_SIDE_MEMBERS)).version, THREADS * STEPS);
}

static void breakers_of_processes(void **state)
{
	static struct race race;

	if (!backend->shared)
		return;
	race_processes(DIR(state), &race, 0, "breaker");
	assert_int_equal(breaker(STORE(state), list_key(BW_SIDE_MEMBERS)).trips, PROCESSES * SHARE * STEPS);
}

/* --- everything at once --- */

static bool read_held(void *ctx, const struct bw_held *row)
{
	(void)row;
	++*(int *)ctx;
	return true;
}

/* Counting, settling, ledger, settings, events, listings and expiry by everybody: no failure, no deadlock, sums that agree. */
static void work(struct racer *r)
{
	struct bw_store *s = r->store;
	struct bw_held_query all = { .limit = 10 };
	enum bw_err err = BW_OK;
	int n = 0;

	for (int i = 0; i < 10 && err == BW_OK; i++) {
		char id[32];

		snprintf(id, sizeof(id), "w%d-%d", r->index, i);
		struct bw_count_in in = mail(T0 + i, id, id, "root");
		struct bw_count_out out = { 0 };
		struct bw_held held = { .id = hash_of(id), .message = in.message, .list = in.list, .held_ms = T0 };
		struct bw_event_row event = { .text = BW_S("x"), .at_ms = T0, .event = BW_EVENT_HOLD };
		struct bw_setting_row setting = { .name = BW_S("mode"), .value = BW_S("shadow"), .set_ms = T0 };

		err = s->ops->count(s, &in, &out, 1, NULL);
		struct bw_settle_in end = ending(&in, &out, false);

		if (err == BW_OK)
			err = s->ops->settle(s, &end, 1, NULL);
		if (err == BW_OK)
			err = s->ops->held_put(s, &held, NULL);
		if (err == BW_OK && i % 3 == 0)
			err = s->ops->event_add(s, &event, NULL);
		if (err == BW_OK && i % 5 == 0)
			err = s->ops->setting_put(s, &setting, NULL, NULL);
		if (err == BW_OK && i == 7)
			err = s->ops->held_each(s, &all, read_held, &n, NULL);
		if (err == BW_OK && i == 9)
			err = s->ops->expire(s, T0 + 10, WEEK, NULL);
	}
	r->race->errs[r->index] = err;
}

static void the_sums_agree(struct bw_store *s, int racers)
{
	struct bw_held_query all = { .limit = 0 };
	struct bw_count_out out = look(s, T0 + 20, "root");
	int64_t settings = 0, directory = 0;
	int n = 0;

	assert_int_equal(out.conversation_senders, racers * 10);
	assert_int_equal(out.conversation_replies, racers * 10);
	assert_int_equal(out.list_deliveries, 100); /* the root's alone */
	assert_ok(s->ops->held_each(s, &all, read_held, &n, &why));
	assert_int_equal(n, racers * 10);
	assert_ok(s->ops->versions(s, &settings, &directory, &why));
	assert_int_equal(settings, racers * 2);
}

static void work_of_threads(void **state)
{
	static struct race race;

	offer(STORE(state), T0, "root", "comms", NULL);
	race_threads(STORE(state), &race, 0, work);
	the_sums_agree(STORE(state), THREADS);
}

static void work_of_processes(void **state)
{
	static struct race race;

	if (!backend->shared)
		return;
	offer(STORE(state), T0, "root", "comms", NULL);
	race_processes(DIR(state), &race, 0, "work");
	the_sums_agree(STORE(state), PROCESSES * SHARE);
}

/* --- releasing --- */

static void release(struct racer *r)
{
	struct bw_hash id = hash_of("held");
	enum bw_err err = r->store->ops->held_move(r->store, &id, BW_HELD_WAITING, BW_HELD_RELEASED, T0 + 1, BW_S("ops"), NULL);

	r->race->outs[r->index].joined = err == BW_OK;
	r->race->errs[r->index] = err == BW_ERR_CONFLICT ? BW_OK : err;
}

static void one_releases(void **state)
{
	static struct race race;
	struct bw_held held = { .id = hash_of("held"), .message = hash_of("m"), .list = BW_S(LIST), .deliveries = 5, .held_ms = T0 };
	int released = 0;

	assert_ok(STORE(state)->ops->held_put(STORE(state), &held, &why));
	race_threads(STORE(state), &race, 0, release);
	for (int i = 0; i < THREADS; i++)
		released += race.outs[i].joined;
	assert_int_equal(released, 1);
	assert_int_equal(look(STORE(state), T0 + 2, NULL).list_deliveries, 5);
}

int run_race(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(ordinals_of_threads), TEST(ordinals_of_processes), TEST(one_message_sent_at_once), TEST(budget_of_threads),
		TEST(budget_of_processes), TEST(breakers_of_threads),   TEST(breakers_of_processes),    TEST(work_of_threads),
		TEST(work_of_processes),   TEST(one_releases),         TEST(redirected_by_threads),    TEST(redirected_by_processes),
	};

	return cmocka_run_group_tests_name("race", tests, NULL, NULL);
}
