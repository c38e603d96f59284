/* link: bw_directory bw_settings bw_base Threads::Threads */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bw/clock.h"
#include "bw/directory.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

#if defined(SANITIZED)
enum { LISTS = 100000 };
#else
enum { LISTS = 1000000 };
#endif
enum { SNAPSHOT_MIB = 100, SWAP_MIB = 200, THREADS = 4 };

static double resident_mib(void)
{
	long pages[2] = { 0, 0 };
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &pages[0], &pages[1]), 2);
	fclose(f);
	return (double)pages[1] * (double)sysconf(_SC_PAGESIZE) / 1048576.0;
}

/* Address of the i-th list, in an order that is not sorted. */
static struct bw_slice address_of(size_t i, char text[64])
{
	int n = snprintf(text, 64, "department-%06zu@lists.nhs.example", i * 7919 % LISTS);

	return (struct bw_slice){ text, (size_t)n };
}

static struct bw_directory *build_million(void)
{
	struct bw_directory_builder *b = bw_directory_builder_new(&bw_tier_bounds_default);
	const struct bw_slice posters[] = { BW_S("auth:comms@nhs.example"), BW_S("auth:board@nhs.example") };
	struct bw_directory *d = NULL;

	assert_non_null(b);
	for (size_t i = 0; i < LISTS; i++) {
		char text[64], owner[64];
		struct bw_list_entry e = { .size = (int64_t)(1 + i), .source = BW_SOURCE_IMPORT, .posters = posters, .poster_count = 2 };

		e.address = address_of(i, text);
		snprintf(owner, sizeof(owner), "owner-%zu@nhs.example", i % 50000);
		e.owner = bw_slice_of(owner);
		assert_int_equal(bw_directory_add(b, &e, NULL), BW_OK);
	}
	assert_int_equal(bw_directory_build(b, &d, NULL), BW_OK);
	bw_directory_builder_free(&b);
	return d;
}

/* Sanitizers keep shadows of all memory; what they add is not ours to bound. */
static void assert_mib(const char *what, double mib, double most)
{
	printf("%s: %.1f MiB\n", what, mib);
#if !defined(SANITIZED)
	assert_true(mib <= most);
#else
	(void)most;
#endif
}

static void look_up_all(const struct bw_directory *d, size_t step)
{
	for (size_t i = 0; i < LISTS; i += step) {
		char text[64];
		struct bw_slice address = address_of(i, text);
		const struct bw_list *list = bw_directory_find(d, address);

		assert_non_null(list);
		assert_int_equal(list->size, (int64_t)(1 + i));
		text[0] = 'x';
		assert_null(bw_directory_find(d, address));
	}
}

static void test_size_and_swap(void **state)
{
	(void)state;
	double before = resident_mib();
	int64_t start = bw_clock_monotonic_ms();
	struct bw_directory *old = build_million();

	printf("built in %lld ms\n", (long long)(bw_clock_monotonic_ms() - start));
	assert_int_equal(bw_directory_count(old), LISTS);
	look_up_all(old, 997);
	assert_mib("one snapshot", resident_mib() - before, SNAPSHOT_MIB);
	struct bw_directory *next = build_million();

	assert_mib("while two are swapped", resident_mib() - before, SWAP_MIB);
	bw_directory_unref(&old);
	look_up_all(next, 1);
	for (size_t i = 1; i < LISTS; i += 1000)
		assert_true(bw_slice_compare(bw_directory_at(next, i - 1)->address, bw_directory_at(next, i)->address) < 0);
	bw_directory_unref(&next);
}

static void *race(void *d)
{
	struct bw_directory *mine = bw_directory_ref(d);
	int64_t sum = 0;

	for (size_t i = 0; i < bw_directory_count(mine); i++) {
		const struct bw_list *list = bw_directory_at(mine, i);

		sum += list->size + (int64_t)list->poster_count + (int64_t)list->posters[0].n;
	}
	bw_directory_unref(&mine);
	return (void *)(intptr_t)sum;
}

/* Everybody asks for the same lists for the first time at once. */
static void test_first_look_up_races(void **state)
{
	(void)state;
	struct bw_directory_builder *b = bw_directory_builder_new(&bw_tier_bounds_default);
	const struct bw_slice poster = BW_S("auth:comms@nhs.example");
	struct bw_directory *d = NULL;
	pthread_t threads[THREADS];

	for (size_t i = 0; i < 20000; i++) {
		char text[64];
		struct bw_list_entry e = { .address = address_of(i, text), .size = 3, .posters = &poster, .poster_count = 1 };

		assert_int_equal(bw_directory_add(b, &e, NULL), BW_OK);
	}
	assert_int_equal(bw_directory_build(b, &d, NULL), BW_OK);
	bw_directory_builder_free(&b);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, race, d), 0);
	for (size_t i = 0; i < THREADS; i++) {
		void *sum;

		assert_int_equal(pthread_join(threads[i], &sum), 0);
		assert_int_equal((intptr_t)sum, 20000 * (3 + 1 + (intptr_t)poster.n));
	}
	bw_directory_unref(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size_and_swap),
		cmocka_unit_test(test_first_look_up_races),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
