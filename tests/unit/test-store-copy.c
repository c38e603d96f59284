/* link: bw_store bw_base */
/* The copy of a large directory on each host: written by pages, and nothing twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bw/clock.h"
#include "bw/store-guarded.h"

enum { LISTS = 2300 };
#define T0 INT64_C(4102444800000)

/* A host's own store that counts what is written, and fails or asks for a stop at a call of list_put_many. It is not closed with
 * the stores that use it, as a file would stay. */
struct host {
	struct bw_store base;
	struct bw_store_ops ops;
	struct bw_store *inner;
	int calls, fail_at, stop_at; /* 0: never */
	size_t written;
	_Atomic bool stop;
};

struct stores {
	struct bw_store *primary;
	struct host host;
};

static enum bw_err put_many(struct bw_store *s, const struct bw_list_row *rows, size_t n, int64_t *version, struct bw_why *why)
{
	struct host *h = (struct host *)s;

	h->calls++;
	if (h->calls == h->fail_at)
		return bw_fail(why, BW_ERR_STORE, "the disk is full");
	if (h->calls == h->stop_at)
		atomic_store(&h->stop, true);
	h->written += n;
	return h->inner->ops->list_put_many(h->inner, rows, n, version, why);
}

#define INNER(name, parameters, ...)                                \
	static enum bw_err name parameters                              \
	{                                                               \
		struct bw_store *inner = ((struct host *)s)->inner;         \
                                                                    \
		return inner->ops->name(inner, __VA_ARGS__);                \
	}

INNER(list_each, (struct bw_store *s, int64_t since, BW_EACH(struct bw_list_row), struct bw_why *why), since, each, ctx, why)
INNER(setting_each, (struct bw_store *s, bool history, BW_EACH(struct bw_setting_row), struct bw_why *why), history, each, ctx, why)
INNER(held_each, (struct bw_store *s, const struct bw_held_query *query, BW_EACH(struct bw_held), struct bw_why *why), query, each, ctx,
      why)

static void leave_open(struct bw_store *s)
{
	(void)s;
}

static void put(struct bw_store *s, size_t i, int64_t size, int64_t now_ms)
{
	char address[64], posters[64];
	struct bw_why why = { "" };

	snprintf(address, sizeof(address), "list-%zu@nhs.example", i);
	snprintf(posters, sizeof(posters), "auth:poster-%zu@nhs.example", i % 7);
	struct bw_list_row row = { .address = bw_slice_of(address), .posters = bw_slice_of(posters), .size = size, .changed_ms = now_ms,
		                       .source = i % 3 == 0 ? BW_SOURCE_OPERATOR : BW_SOURCE_IMPORT, .removed = i % 11 == 5 };

	if (s->ops->list_put(s, &row, NULL, &why) != BW_OK)
		fail_msg("%s", why.text);
}

static int setup(void **state)
{
	struct stores *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	assert_int_equal(bw_store_sqlite_open(":memory:", 100, &s->primary, NULL), BW_OK);
	assert_int_equal(bw_store_sqlite_open(":memory:", 100, &s->host.inner, NULL), BW_OK);
	for (size_t i = 0; i < LISTS; i++)
		put(s->primary, i, 10 + (int64_t)i, T0 + (i < 2000 ? 0 : 1));
	s->host.base.ops = &s->host.ops;
	s->host.ops = (struct bw_store_ops){ .close = leave_open, .list_put_many = put_many, .list_each = list_each,
		                                 .setting_each = setting_each, .held_each = held_each };
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct stores *s = *state;

	bw_store_close(&s->primary);
	bw_store_close(&s->host.inner);
	free(s);
	return 0;
}

/* The primary, not closed with those who use it. */
struct lent {
	struct bw_store base;
	struct bw_store_ops ops;
	struct bw_store *inner;
};

#define LENT(name, parameters, ...)                                 \
	static enum bw_err lent_##name parameters                       \
	{                                                               \
		struct bw_store *inner = ((struct lent *)s)->inner;         \
                                                                    \
		return inner->ops->name(inner, __VA_ARGS__);                \
	}

LENT(list_each, (struct bw_store *s, int64_t since, BW_EACH(struct bw_list_row), struct bw_why *why), since, each, ctx, why)
LENT(setting_each, (struct bw_store *s, bool history, BW_EACH(struct bw_setting_row), struct bw_why *why), history, each, ctx, why)
LENT(versions, (struct bw_store *s, int64_t *settings, int64_t *directory, struct bw_why *why), settings, directory, why)
LENT(now, (struct bw_store *s, int64_t *now_ms, struct bw_why *why), now_ms, why)
LENT(host_each, (struct bw_store *s, int64_t since, BW_EACH(struct bw_host_row), struct bw_why *why), since, each, ctx, why)

/* A daemon's life: starts, copies so many times, ends. */
static void live(struct stores *s, int copies)
{
	struct lent lent = { .inner = s->primary };
	struct bw_store *shared = NULL;

	lent.ops = (struct bw_store_ops){ .close = leave_open,          .list_each = lent_list_each, .setting_each = lent_setting_each,
		                              .versions = lent_versions,    .now = lent_now,             .host_each = lent_host_each };
	lent.base.ops = &lent.ops;
	s->host.calls = 0;
	s->host.written = 0;
	atomic_store(&s->host.stop, false);
	assert_int_equal(bw_store_shared_new(&lent.base, &s->host.base, &shared, NULL), BW_OK);
	for (int i = 0; i < copies; i++)
		bw_store_shared_copy(shared, -1, &s->host.stop);
	bw_store_close(&shared);
}

static bool print_row(void *ctx, const struct bw_list_row *row)
{
	bw_buf_printf(ctx, "%.*s %lld %d %d %lld %.*s\n", (int)row->address.n, row->address.p, (long long)row->size, row->source,
	              row->removed, (long long)row->changed_ms, (int)row->posters.n, row->posters.p);
	return true;
}

/* The same rows, in the same order. */
static void assert_copied(struct stores *s)
{
	struct bw_buf here, there;

	bw_buf_init(&here, 1 << 20);
	bw_buf_init(&there, 1 << 20);
	assert_int_equal(s->primary->ops->list_each(s->primary, 0, print_row, &there, NULL), BW_OK);
	assert_int_equal(s->host.inner->ops->list_each(s->host.inner, 0, print_row, &here, NULL), BW_OK);
	assert_false(there.cut);
	assert_true(there.n > LISTS * 20);
	assert_string_equal(bw_buf_text(&here), bw_buf_text(&there));
	bw_buf_done(&here);
	bw_buf_done(&there);
}

static void all_are_copied_once(void **state)
{
	struct stores *s = *state;

	live(s, 2);
	assert_int_equal(s->host.written, LISTS);
	assert_int_equal(s->host.calls, 5); /* 2,000 of one time of change, 300 of another */
	assert_copied(s);
	/* A daemon that starts again has all of it. */
	live(s, 1);
	assert_int_equal(s->host.written, 0);
	/* And reads what changed since, as does one that runs. */
	put(s->primary, 3, 77, T0 + 2);
	put(s->primary, 1500, 78, T0 + 2);
	put(s->primary, LISTS, 79, T0 + 3);
	live(s, 1);
	assert_int_equal(s->host.written, 3);
	assert_int_equal(s->host.calls, 2);
	assert_copied(s);
}

static void an_interrupted_copy_goes_on(void **state)
{
	struct stores *s = *state;

	s->host.stop_at = 2;
	live(s, 3);
	assert_int_equal(s->host.calls, 3); /* what was on its way is written; then nothing more is begun */
	size_t first = s->host.written;

	assert_int_equal(first, 1001);
	s->host.stop_at = 0;
	live(s, 1);
	assert_int_equal(first + s->host.written, LISTS);
	assert_copied(s);
}

static void a_failed_copy_goes_on(void **state)
{
	struct stores *s = *state;

	s->host.fail_at = 3;
	live(s, 2);
	assert_int_equal(s->host.calls, 6);
	assert_int_equal(s->host.written, LISTS);
	assert_copied(s);
}

/* Copies in another order: more is written than need be, and all of it is right. */
static void another_order(void **state)
{
	struct stores *s = *state;

	for (size_t i = LISTS; i-- > 0;)
		put(s->host.inner, i, i == 5 ? 1 : 10 + (int64_t)i, T0);
	live(s, 1);
	assert_true(s->host.written >= LISTS - 1);
	put(s->primary, 0, 99, T0 + 5); /* both have the order of the primary but for the row that was there */
	live(s, 1);
	struct bw_buf here;

	bw_buf_init(&here, 1 << 20);
	assert_int_equal(s->host.inner->ops->list_each(s->host.inner, 0, print_row, &here, NULL), BW_OK);
	assert_non_null(strstr(bw_buf_text(&here), "list-5@nhs.example 15 "));
	assert_non_null(strstr(bw_buf_text(&here), "list-0@nhs.example 99 "));
	assert_null(strstr(bw_buf_text(&here), "list-0@nhs.example 10 "));
	bw_buf_done(&here);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(all_are_copied_once), TEST(an_interrupted_copy_goes_on), TEST(a_failed_copy_goes_on), TEST(another_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
