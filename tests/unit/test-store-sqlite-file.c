/* link: bw_store PkgConfig::SQLITE Threads::Threads */
/* The embedded store's file: whose it is, who may open it, what happens when somebody else holds it. */
#include "store-kit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void expect_refusal(const char *word)
{
	struct bw_store *s = (struct bw_store *)&kit_dir; /* must stay as it is */
	struct bw_why why = { "" };

	assert_int_equal(bw_store_sqlite_open(kit_path, 100, &s, &why), BW_ERR_STORE);
	assert_ptr_equal(s, &kit_dir);
	if (strstr(why.text, word) == NULL || strstr(why.text, kit_path) == NULL)
		fail_msg("no \"%s\" or path in: %s", word, why.text);
}

static void write_file(const char *bytes, size_t n)
{
	FILE *f = fopen(kit_path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	fclose(f);
}

/* --- opening --- */

static void a_fresh_file(void **state)
{
	struct stat st;
	struct bw_store *s = kit_open(1000);

	(void)state;
	bw_store_close(&s);
	assert_null(s);
	bw_store_close(&s); /* nothing to close */
	assert_int_equal(stat(kit_path, &st), 0);
	assert_int_equal(st.st_mode & 0007, 0); /* the ledger is readable text: not for everybody */
	assert_int_equal(kit_sql("PRAGMA user_version"), 1);
	assert_int_equal(kit_sql("PRAGMA application_id"), 1651991666);
	s = kit_open(1000);
	bw_store_close(&s);
}

static void other_programs_files_are_left_alone(void **state)
{
	(void)state;
	kit_sql("CREATE TABLE precious(x)");
	expect_refusal("another program");
	assert_int_equal(kit_sql("SELECT count(*) FROM sqlite_schema"), 1);
}

static void a_newer_format_is_left_alone(void **state)
{
	struct bw_store *s = kit_open(1000);

	(void)state;
	bw_store_close(&s);
	kit_sql("PRAGMA user_version = 2");
	expect_refusal("format 2");
	assert_int_equal(kit_sql("PRAGMA user_version"), 2);
}

static void no_database(void **state)
{
	char bytes[8192];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	write_file(bytes, sizeof(bytes));
	expect_refusal("no SQLite file");
}

/* The pages after the first are rubbish: found out at once or at work, never a crash, never an answer made up. */
static void a_damaged_file(void **state)
{
	struct bw_store *s = kit_open(1000);
	struct bw_count_out out;
	struct bw_why why = { "" };
	char id[16];

	(void)state;
	for (int i = 0; i < 50; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		assert_int_equal(kit_count(s, KIT_T0 + i, id, "", &out, NULL), BW_OK);
	}
	bw_store_close(&s);
	int fd = open(kit_path, O_WRONLY);
	struct stat st;
	char rubbish[4096];

	memset(rubbish, 0xA5, sizeof(rubbish));
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	for (off_t at = 4096; at < st.st_size; at += 4096)
		assert_int_equal(pwrite(fd, rubbish, sizeof(rubbish), at), sizeof(rubbish));
	close(fd);
	enum bw_err err = bw_store_sqlite_open(kit_path, 100, &s, &why);

	if (err == BW_OK) {
		err = kit_count(s, KIT_T0 + 100, "m", "", &out, &why);
		bw_store_close(&s);
	}
	assert_int_equal(err, BW_ERR_STORE);
	if (strstr(why.text, "damaged") == NULL)
		fail_msg("%s", why.text);
}

/* A record that we cannot have written: refused, and nothing of the message that met it stays. */
static void a_record_nobody_wrote(void **state)
{
	struct bw_store *s = kit_open(1000);
	struct bw_breaker_key key = { .scope = BW_SCOPE_LIST, .list = BW_S(KIT_LIST) };
	struct bw_breaker b = { .trips = 1 };
	struct bw_count_out out = { .now_ms = -7 };

	(void)state;
	assert_int_equal(kit_count(s, KIT_T0, "root", "", &out, NULL), BW_OK);
	assert_int_equal(s->ops->breaker_cas(s, &key, &b, NULL), BW_OK);
	kit_sql("UPDATE breaker SET phase = 99");
	out.now_ms = -7;
	assert_int_equal(kit_count(s, KIT_T0 + 1, "m", "", &out, NULL), BW_ERR_STORE);
	assert_int_equal(out.now_ms, -7);
	assert_int_equal(s->ops->breaker_get(s, &key, &b, NULL), BW_ERR_STORE);
	kit_sql("UPDATE breaker SET phase = 0");
	assert_int_equal(kit_count(s, KIT_T0 + 1, "m", "", &out, NULL), BW_OK);
	assert_int_equal(out.seen, BW_SEEN_FRESH);
	assert_int_equal(out.list_senders, 2);
	bw_store_close(&s);
}

static void no_directory(void **state)
{
	(void)state;
	snprintf(kit_path, sizeof(kit_path), "%s/none/store.db", kit_dir);
	expect_refusal("cannot be created");
}

static void no_path(void **state)
{
	struct bw_store *s = NULL;
	struct bw_why why = { "" };

	(void)state;
	assert_int_equal(bw_store_sqlite_open("", 100, &s, &why), BW_ERR_STORE);
	assert_non_null(strstr(why.text, "path"));
}

/* --- permissions: as a user who is not root --- */

/* Opens in a child without privileges; the sentence comes back through the pipe. */
static void sentence_of_nobody(char *sentence, size_t size)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct bw_store *s = NULL;
		struct bw_why why = { "opened" };

		if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
			_exit(1);
		if (bw_store_sqlite_open(kit_path, 100, &s, &why) == BW_OK)
			bw_store_close(&s);
		ssize_t n = write(ends[1], why.text, strlen(why.text));

		_exit(n < 0);
	}
	close(ends[1]);
	ssize_t n = read(ends[0], sentence, size - 1);

	sentence[n > 0 ? n : 0] = '\0';
	close(ends[0]);
	waitpid(pid, NULL, 0);
}

static void a_directory_that_may_not_be_written(void **state)
{
	char sentence[BW_WHY_BYTES];

	(void)state;
	assert_int_equal(chmod(kit_dir, 0555), 0);
	sentence_of_nobody(sentence, sizeof(sentence));
	chmod(kit_dir, 0755);
	if (strstr(sentence, "cannot be created") == NULL)
		fail_msg("%s", sentence);
}

static void a_file_that_may_not_be_written(void **state)
{
	struct bw_store *s = kit_open(1000);
	char sentence[BW_WHY_BYTES];

	(void)state;
	bw_store_close(&s);
	assert_int_equal(chmod(kit_dir, 0777), 0);
	assert_int_equal(chmod(kit_path, 0444), 0);
	sentence_of_nobody(sentence, sizeof(sentence));
	if (strstr(sentence, "may not be written") == NULL)
		fail_msg("%s", sentence);
}

/* --- somebody else holds the file --- */

static sqlite3 *lock_file(void)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open_v2(kit_path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	return db;
}

struct waiter {
	struct bw_store *store;
	int index;
	enum bw_err err;
	int64_t took_ms;
};

static void *wait_for_it(void *arg)
{
	struct waiter *w = arg;
	int64_t start = bw_clock_monotonic_ms();
	struct bw_count_out out;
	char id[16];

	snprintf(id, sizeof(id), "w%d", w->index);
	w->err = w->index % 2 == 0 ? kit_count(w->store, KIT_T0, id, "", &out, NULL) : kit_hold(w->store, id, NULL);
	w->took_ms = bw_clock_monotonic_ms() - start;
	return NULL;
}

/* One bounded wait each, however many wait together and in whatever lane. */
static void waits_are_bounded(void **state)
{
	struct bw_store *s = kit_open(200);
	sqlite3 *holder = lock_file();
	struct waiter waiters[16];
	pthread_t threads[16];
	struct bw_count_out out = { .now_ms = -7 };
	struct bw_why why = { "" };

	(void)state;
	assert_int_equal(kit_count(s, KIT_T0, "m", "", &out, &why), BW_ERR_STORE);
	assert_int_equal(out.now_ms, -7);
	assert_non_null(strstr(why.text, "locked"));
	for (int i = 0; i < 16; i++) {
		waiters[i] = (struct waiter){ s, i, BW_OK, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, wait_for_it, &waiters[i]), 0);
	}
	for (int i = 0; i < 16; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 16; i++) {
		assert_int_equal(waiters[i].err, BW_ERR_STORE);
		/* 200 ms, and what a loaded machine adds. One after the other they would take 3,200. */
		if (waiters[i].took_ms > 1000)
			fail_msg("waited %lld ms", (long long)waiters[i].took_ms);
	}
	/* Readers wait for nobody. */
	int64_t a, b;

	assert_int_equal(s->ops->versions(s, &a, &b, NULL), BW_OK);
	sqlite3_exec(holder, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_close(holder);
	assert_int_equal(kit_count(s, KIT_T0, "m", "", &out, NULL), BW_OK);
	assert_int_equal(out.seen, BW_SEEN_FRESH); /* nothing of the failed attempts stayed */
	assert_int_equal(out.list_senders, 1);
	bw_store_close(&s);
}

static void *let_go(void *arg)
{
	usleep(100000);
	sqlite3_exec(arg, "ROLLBACK", NULL, NULL, NULL);
	return NULL;
}

static void a_short_wait_is_no_failure(void **state)
{
	struct bw_store *s = kit_open(5000);
	sqlite3 *holder = lock_file();
	struct bw_count_out out;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, let_go, holder), 0);
	assert_int_equal(kit_count(s, KIT_T0, "m", "", &out, NULL), BW_OK);
	pthread_join(thread, NULL);
	sqlite3_close(holder);
	bw_store_close(&s);
}

/* --- two handles --- */

static void two_handles_in_one_process(void **state)
{
	struct bw_store *a = kit_open(1000), *b = kit_open(1000);
	struct bw_count_out out;

	(void)state;
	assert_int_equal(kit_count(a, KIT_T0, "root", "", &out, NULL), BW_OK);
	assert_int_equal(kit_count(b, KIT_T0 + 1, "r1", "root", &out, NULL), BW_OK);
	assert_int_equal(out.conversation_senders, 1);
	assert_int_equal(kit_count(a, KIT_T0 + 2, "r2", "root", &out, NULL), BW_OK);
	assert_int_equal(out.conversation_senders, 2);
	bw_store_close(&a);
	assert_int_equal(kit_count(b, KIT_T0 + 3, "r3", "root", &out, NULL), BW_OK);
	assert_int_equal(out.conversation_senders, 3);
	bw_store_close(&b);
}

static void *open_and_count(void *arg)
{
	struct waiter *w = arg;
	struct bw_store *s = NULL;
	struct bw_count_out out;
	char id[16];

	snprintf(id, sizeof(id), "o%d", w->index);
	w->err = bw_store_sqlite_open(kit_path, 10000, &s, NULL);
	if (w->err == BW_OK)
		w->err = kit_count(s, KIT_T0, id, "", &out, NULL);
	bw_store_close(&s);
	return NULL;
}

/* A fresh file met by many at once is made once. */
static void many_open_a_fresh_file(void **state)
{
	struct waiter waiters[12];
	pthread_t threads[12];
	struct bw_count_out out;

	(void)state;
	for (int i = 0; i < 12; i++) {
		waiters[i] = (struct waiter){ NULL, i, BW_OK, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, open_and_count, &waiters[i]), 0);
	}
	for (int i = 0; i < 12; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 12; i++)
		assert_int_equal(waiters[i].err, BW_OK);
	struct bw_store *s = kit_open(1000);

	assert_int_equal(kit_count(s, KIT_T0 + 1, "last", "", &out, NULL), BW_OK);
	assert_int_equal(out.list_senders, 13);
	bw_store_close(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		KIT_TEST(a_fresh_file),
		KIT_TEST(other_programs_files_are_left_alone),
		KIT_TEST(a_newer_format_is_left_alone),
		KIT_TEST(no_database),
		KIT_TEST(a_damaged_file),
		KIT_TEST(a_record_nobody_wrote),
		KIT_TEST(no_directory),
		KIT_TEST(no_path),
		KIT_TEST(a_directory_that_may_not_be_written),
		KIT_TEST(a_file_that_may_not_be_written),
		KIT_TEST(waits_are_bounded),
		KIT_TEST(a_short_wait_is_no_failure),
		KIT_TEST(two_handles_in_one_process),
		KIT_TEST(many_open_a_fresh_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
