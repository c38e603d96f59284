/* contract.h: what include/bw/store.h promises, proved on any backend.
 *
 * A backend is a row of the table in backends.c. Each file of this folder is a group of tests that knows nothing of how the store
 * at hand works. Time is virtual throughout, except where the store's own clock is the subject.
 */
#ifndef BW_CONTRACT_H
#define BW_CONTRACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bw/clock.h"
#include "bw/store-guarded.h"

struct backend {
	const char *name;
	/* Opens the store that lives under `dir`; NULL with a sentence in `why`. */
	struct bw_store *(*open)(const char *dir, struct bw_why *why);
	bool shared; /* a second open() of the same directory, even in another process, sees the same store */
};

/* The one under test, and by name. */
extern const struct backend *backend;
const struct backend *backend_find(const char *name);

/* Each test has a store of its own in a directory of its own. */
struct place {
	char dir[64];
	struct bw_store *store;
};
int place_setup(void **state);
int place_teardown(void **state);
#define TEST(function) cmocka_unit_test_setup_teardown(function, place_setup, place_teardown)
#define STORE(state)   (((struct place *)*(state))->store)
#define DIR(state)     (((struct place *)*(state))->dir)

/* Later than any clock of these days: a store's time never goes back. */
#define T0 INT64_C(4102444800000)

#define LIST   "all@example.org"
#define WEEK   (7 * BW_DAY_MS)
#define HOUR   BW_HOUR_MS
#define MINUTE BW_MINUTE_MS

struct bw_hash hash_of(const char *text); /* the same text, the same hash; NULL and "" give zero */

/* One message: "id" is its identity and Message-ID, `ref` what it refers to (NULL: nothing). Windows of an hour, memory of a
 * week, 100 deliveries, no budget, members' side. */
struct bw_count_in mail(int64_t now_ms, const char *id, const char *sender, const char *ref);
void add_key(struct bw_count_in *in, enum bw_join_kind kind, const char *text);
struct bw_settle_in ending(const struct bw_count_in *in, const struct bw_count_out *out, bool accepted);
bool same_conversation(struct bw_count_out a, struct bw_count_out b);
struct bw_breaker_key list_key(enum bw_side side);
struct bw_breaker_key conversation_key(const struct bw_count_out *out, enum bw_side side);

/* Calls that must succeed. */
struct bw_count_out count(struct bw_store *s, const struct bw_count_in *in);
struct bw_count_out offer(struct bw_store *s, int64_t now_ms, const char *id, const char *sender, const char *ref);
void settle(struct bw_store *s, const struct bw_settle_in *in);
/* Counts and settles as not accepted. */
struct bw_count_out stop(struct bw_store *s, int64_t now_ms, const char *id, const char *sender, const char *ref);
struct bw_breaker breaker(struct bw_store *s, struct bw_breaker_key key);
void set_breaker(struct bw_store *s, struct bw_breaker_key key, enum bw_phase phase, int64_t since_ms, int64_t until_ms);
/* What a look without an attempt sees: a poster's peek that joins `ref`. */
struct bw_count_out look(struct bw_store *s, int64_t now_ms, const char *ref);

#define assert_ok(call)                                                       \
	do {                                                                      \
		struct bw_why why = { "" };                                           \
		enum bw_err assert_err = (call);                                      \
		if (assert_err != BW_OK)                                              \
			fail_msg("%s: %s: %s", #call, bw_err_name(assert_err), why.text); \
	} while (0)

/* The groups; each returns the number of failed tests. */
int run_count(void);
int run_windows(void);
int run_identity(void);
int run_split(void);
int run_conversation(void);
int run_merge(void);
int run_breaker(void);
int run_settings(void);
int run_learn(void);
int run_ledger(void);
int run_orders(void);
int run_posts(void);
int run_records(void);
int run_expire(void);
int run_meter(void);
int run_redirect(void);
int run_race(void);
/* What a child process of the races does: DIR FD RACE ROUND FROM. */
int race_child(int argc, char **argv);

#endif
