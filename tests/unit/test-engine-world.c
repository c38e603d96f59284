/* link: bw_engine bw_mail bw_policy bw_settings bw_store bw_config bw_directory bw_base Threads::Threads */
/* Worlds that follow a store: what they read of it, and that messages see each as a whole. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bw/engine.h"
#include "bw/mail.h"

enum { LISTS = 300, THREADS = 4, SWAPS = 150 };

static const struct bw_key key = { { 7 } };

/* A store that says how many rows of the directory were read from it, and shows other versions if told. */
struct reading {
	struct bw_store base;
	struct bw_store_ops ops;
	struct bw_store *inner;
	size_t rows;
	int64_t lower_by;
	bool degraded, goes_away;
};

struct taker {
	struct reading *r;
	bool (*each)(void *ctx, const struct bw_list_row *row);
	void *ctx;
};

static bool count_row(void *taker, const struct bw_list_row *row)
{
	const struct taker *t = taker;

	t->r->rows++;
	t->r->degraded = t->r->degraded || t->r->goes_away;
	return t->each(t->ctx, row);
}

static enum bw_err list_each(struct bw_store *s, int64_t since_version, BW_EACH(struct bw_list_row), struct bw_why *why)
{
	struct taker taker = { (struct reading *)s, each, ctx };

	return taker.r->inner->ops->list_each(taker.r->inner, since_version, count_row, &taker, why);
}

static enum bw_err setting_each(struct bw_store *s, bool history, BW_EACH(struct bw_setting_row), struct bw_why *why)
{
	struct bw_store *inner = ((struct reading *)s)->inner;

	return inner->ops->setting_each(inner, history, each, ctx, why);
}

static enum bw_err versions(struct bw_store *s, int64_t *settings, int64_t *directory, struct bw_why *why)
{
	struct reading *r = (struct reading *)s;
	enum bw_err err = r->inner->ops->versions(r->inner, settings, directory, why);

	*directory -= r->lower_by;
	return err;
}

static bool degraded(const struct bw_store *s, int64_t *daemons)
{
	*daemons = 1;
	return ((const struct reading *)s)->degraded;
}

static void put(struct bw_store *s, const struct bw_list_row *row)
{
	struct bw_why why = { "" };

	if (s->ops->list_put(s, row, NULL, &why) != BW_OK)
		fail_msg("%s", why.text);
}

static struct bw_list_row row_of(size_t i, int64_t size, char text[64])
{
	snprintf(text, 64, "list-%zu@nhs.example", i);
	return (struct bw_list_row){ .address = bw_slice_of(text), .size = size, .source = BW_SOURCE_IMPORT };
}

struct place {
	struct reading reading;
	struct bw_world *world;
	struct bw_buf skipped;
};

static int move_in(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct bw_config *config = NULL;
	struct bw_why why = { "" };
	char text[64];

	assert_non_null(p);
	bw_mail_init();
	bw_buf_init(&p->skipped, 1000);
	p->reading.base.ops = &p->reading.ops;
	p->reading.ops = (struct bw_store_ops){ .list_each = list_each, .setting_each = setting_each, .versions = versions,
		                                    .degraded = degraded };
	assert_int_equal(bw_store_sqlite_open(":memory:", 100, &p->reading.inner, &why), BW_OK);
	for (size_t i = 0; i < LISTS; i++) {
		struct bw_list_row row = row_of(i, 100, text);

		put(p->reading.inner, &row);
	}
	assert_int_equal(bw_config_default(&config, &why), BW_OK);
	assert_int_equal(bw_world_load(&key, config, &p->reading.base, &p->skipped, &p->world, &why), BW_OK);
	assert_int_equal(p->reading.rows, LISTS);
	p->reading.rows = 0;
	*state = p;
	return 0;
}

static int move_out(void **state)
{
	struct place *p = *state;

	bw_world_unref(&p->world);
	bw_store_close(&p->reading.inner);
	bw_buf_done(&p->skipped);
	free(p);
	return 0;
}

/* Renews, and expects so many rows to be read for it. */
static void renew(struct place *p, bool whole, size_t rows)
{
	struct bw_world *next = NULL;
	struct bw_why why = { "" };
	enum bw_err err = whole ? bw_world_reread(p->world, &p->reading.base, &p->skipped, &next, &why)
	                        : bw_world_renew(p->world, &p->reading.base, &p->skipped, &next, &why);

	if (err != BW_OK)
		fail_msg("%s", why.text);
	assert_int_equal(p->reading.rows, rows);
	p->reading.rows = 0;
	bw_world_unref(&p->world);
	p->world = next;
}

/* Size of list `i`, 0 if it is none. */
static int64_t size_of(const struct bw_world *w, size_t i)
{
	char text[64];
	struct bw_list_row row = row_of(i, 0, text);
	const struct bw_list *list = bw_directory_find(bw_world_directory(w), row.address);

	return list == NULL ? 0 : list->size;
}

static void what_has_changed_is_read(void **state)
{
	struct place *p = *state;
	struct bw_store *s = p->reading.inner;
	struct bw_setting_row setting = { .name = BW_S("mode"), .value = BW_S("enforce") };
	char text[64];

	struct bw_list_row row = row_of(5, 30000, text);

	put(s, &row);
	renew(p, false, 1);
	assert_int_equal(size_of(p->world, 5), 30000);
	assert_int_equal(size_of(p->world, 6), 100);
	/* A setting: no list is read. */
	assert_int_equal(s->ops->setting_put(s, &setting, NULL, NULL), BW_OK);
	const struct bw_directory *before = bw_world_directory(p->world);

	renew(p, false, 0);
	assert_ptr_equal(bw_world_directory(p->world), before);
	assert_int_equal(bw_settings_mode(bw_world_settings(p->world)), BW_MODE_ENFORCE);
	/* One that is gone, one that is new, one that the operator knows better. */
	row.removed = true;
	put(s, &row);
	row = row_of(LISTS, 7, text);
	put(s, &row);
	row = row_of(6, 40, text);
	row.source = BW_SOURCE_OPERATOR;
	put(s, &row);
	renew(p, false, 3);
	assert_int_equal(size_of(p->world, 5), 0);
	assert_int_equal(size_of(p->world, LISTS), 7);
	assert_int_equal(size_of(p->world, 6), 40);
	row.removed = true;
	put(s, &row);
	renew(p, false, 1);
	assert_int_equal(size_of(p->world, 6), 100);
	assert_int_equal(bw_directory_count(bw_world_directory(p->world)), LISTS);
	assert_int_equal(p->skipped.n, 0);
}

/* A row that cannot be: named once, and nothing of what its source said before is left. */
static void a_row_that_cannot_be(void **state)
{
	struct place *p = *state;
	char text[64];
	struct bw_list_row row = row_of(5, 200, text);

	row.owner = BW_S("nobody");
	put(p->reading.inner, &row);
	renew(p, false, 1);
	assert_int_equal(size_of(p->world, 5), 0);
	assert_string_equal(bw_buf_text(&p->skipped),
	                    "list-5@nhs.example: list list-5@nhs.example: owner \"nobody\" is no address, wanted local-part@domain");
	bw_buf_reset(&p->skipped);
	row = row_of(6, 1, text);
	put(p->reading.inner, &row);
	renew(p, false, 1);
	assert_int_equal(p->skipped.n, 0);
}

/* When it cannot be told what has changed, everything is read. */
static void everything_is_read(void **state)
{
	struct place *p = *state;

	renew(p, true, LISTS);
	p->reading.lower_by = 1; /* a store that was set back */
	renew(p, false, LISTS);
	renew(p, false, 0);
	p->reading.lower_by = 0;
	p->reading.degraded = true; /* the copies that answer now have versions of their own */
	renew(p, false, LISTS);
	p->reading.degraded = false;
	renew(p, false, LISTS);
	renew(p, false, 0);
	p->reading.lower_by = -200000; /* more changes than are worth it */
	renew(p, false, LISTS);
}

static void it_goes_away_meanwhile(void **state)
{
	struct place *p = *state;
	struct bw_world *next = NULL;
	struct bw_why why = { "" };
	char text[64];
	struct bw_list_row row = row_of(5, 30000, text);

	put(p->reading.inner, &row);
	p->reading.goes_away = true;
	assert_int_equal(bw_world_renew(p->world, &p->reading.base, &p->skipped, &next, &why), BW_ERR_STORE);
	assert_null(next);
	assert_string_equal(why.text, "the shared store went away while changed lists were read; the directory stays as it is");
}

/* --- swaps under load --- */

struct crowd {
	struct bw_engine *engine;
	atomic_bool over;
	atomic_long looked;
};

/* As messages do: a world, look-ups in it, done. Both lists are changed together, so each world has the same size for both. */
static void *look(void *crowd)
{
	struct crowd *c = crowd;
	long wrong = 0;

	while (!atomic_load(&c->over)) {
		struct bw_world *w = bw_engine_world(c->engine);
		int64_t size = size_of(w, 1);

		for (size_t i = 3; i < 40; i++)
			wrong += size_of(w, i) != 100;
		wrong += size != size_of(w, 2) || size < 100;
		wrong += bw_directory_count(bw_world_directory(w)) != LISTS;
		bw_world_unref(&w);
		atomic_fetch_add(&c->looked, 1);
	}
	return (void *)(intptr_t)wrong;
}

static void swap_once(struct place *p, struct crowd *c, int64_t size)
{
	struct bw_store *s = p->reading.inner;
	struct bw_world *old = bw_engine_world(c->engine), *next = NULL;
	char texts[2][64];
	struct bw_list_row rows[2] = { row_of(1, size, texts[0]), row_of(2, size, texts[1]) };

	assert_int_equal(s->ops->list_put_many(s, rows, 2, NULL, NULL), BW_OK);
	p->reading.rows = 0;
	assert_int_equal(bw_world_renew(old, &p->reading.base, &p->skipped, &next, NULL), BW_OK);
	assert_int_equal(p->reading.rows, 2);
	bw_engine_swap(c->engine, next);
	/* In force for whoever comes now. */
	next = bw_engine_world(c->engine);
	assert_int_equal(size_of(next, 1), size);
	bw_world_unref(&next);
	bw_world_unref(&old);
}

static void swaps_under_load(void **state)
{
	struct place *p = *state;
	struct bw_engine_options options = { .host = "mx1" };
	struct crowd c = { .engine = bw_engine_new(&p->reading.base, p->world, &options) };
	pthread_t threads[THREADS];

	assert_non_null(c.engine);
	p->world = NULL;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look, &c), 0);
	for (int64_t i = 0; i < SWAPS; i++)
		swap_once(p, &c, 1000 + i);
	while (atomic_load(&c.looked) < SWAPS)
		sched_yield();
	atomic_store(&c.over, true);
	for (size_t i = 0; i < THREADS; i++) {
		void *wrong = NULL;

		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	bw_engine_free(&c.engine);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, move_in, move_out)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_has_changed_is_read), TEST(a_row_that_cannot_be), TEST(everything_is_read),
		TEST(it_goes_away_meanwhile),   TEST(swaps_under_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
