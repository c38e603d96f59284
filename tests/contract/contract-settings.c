/* Settings with versions, expiry and history; the directory's rows. */
#include "contract.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t put(struct bw_store *s, const char *name, const char *value, int64_t set_ms, int64_t until_ms)
{
	struct bw_setting_row row = {
		.name = bw_slice_of(name),
		.value = bw_slice_of(value),
		.owner = BW_S("ops"),
		.reason = BW_S("because"),
		.set_ms = set_ms,
		.until_ms = until_ms,
	};
	int64_t version = 0;

	assert_ok(s->ops->setting_put(s, &row, &version, &why));
	return version;
}

struct seen {
	int n;
	char text[1024]; /* "name=value name=value" */
	int64_t until_ms, version;
};

static bool note(void *ctx, const struct bw_setting_row *row)
{
	struct seen *seen = ctx;
	size_t at = strlen(seen->text);

	snprintf(seen->text + at, sizeof(seen->text) - at, "%s%.*s=%.*s", seen->n > 0 ? " " : "", (int)row->name.n, row->name.p,
	         (int)row->value.n, row->value.p);
	seen->n++;
	seen->until_ms = row->until_ms;
	seen->version = row->version;
	assert_true(bw_slice_equal(row->owner, BW_S("ops")));
	assert_true(bw_slice_equal(row->reason, BW_S("because")));
	return true;
}

static struct seen settings(struct bw_store *s, bool history)
{
	struct seen seen = { 0 };

	assert_ok(s->ops->setting_each(s, history, note, &seen, &why));
	return seen;
}

static int64_t settings_version(struct bw_store *s)
{
	int64_t version = -1, directory = -1;

	assert_ok(s->ops->versions(s, &version, &directory, &why));
	return version;
}

/* The store's clock goes with what it sees. */
static void advance(struct bw_store *s, int64_t now_ms)
{
	struct bw_host_row row = { .host = BW_S("clock"), .seen_ms = now_ms };

	assert_ok(s->ops->heartbeat(s, &row, &why));
}

static void lasting_values(void **state)
{
	struct bw_store *s = STORE(state);

	assert_int_equal(settings(s, false).n, 0);
	assert_int_equal(settings_version(s), 0);
	assert_int_equal(put(s, "huge.conversation.senders", "3", T0, 0), 1);
	assert_int_equal(put(s, "mode", "enforce", T0 + 1, 0), 2);
	assert_int_equal(settings_version(s), 2);
	assert_string_equal(settings(s, false).text, "huge.conversation.senders=3 mode=enforce");
	/* The latest change is the last to be applied. */
	assert_int_equal(put(s, "huge.conversation.senders", "5", T0 + 2, 0), 3);
	assert_string_equal(settings(s, false).text, "mode=enforce huge.conversation.senders=5");
	assert_int_equal(put(s, "mode", "", T0 + 3, 0), 4);
	assert_string_equal(settings(s, false).text, "huge.conversation.senders=5");
	assert_int_equal(settings(s, false).version, 3);
	/* Everything is in the history, in order. */
	assert_string_equal(settings(s, true).text, "huge.conversation.senders=3 mode=enforce huge.conversation.senders=5 mode=");
	assert_int_equal(settings(s, true).version, 4);
}

static void temporary_values(void **state)
{
	struct bw_store *s = STORE(state);

	put(s, "mode", "enforce", T0, 0);
	assert_int_equal(put(s, "mode", "shadow", T0 + 1, T0 + HOUR), 2);
	assert_string_equal(settings(s, false).text, "mode=shadow");
	assert_int_equal(settings(s, false).until_ms, T0 + HOUR);
	advance(s, T0 + HOUR - MINUTE); /* time goes on */
	assert_string_equal(settings(s, false).text, "mode=shadow");
	assert_int_equal(settings_version(s), 2);
	/* Over: the lasting value is back, and whoever polls notices. */
	advance(s, T0 + HOUR);
	assert_string_equal(settings(s, false).text, "mode=enforce");
	assert_int_equal(settings_version(s), 3);
	assert_ok(s->ops->expire(s, T0 + HOUR, WEEK, &why)); /* collected or not */
	assert_int_equal(settings_version(s), 3);
	assert_int_equal(put(s, "mode", "shadow", T0 + HOUR + 1, 0), 4);
	assert_int_equal(settings_version(s), 4);
}

static void temporary_and_lasting_meet(void **state)
{
	struct bw_store *s = STORE(state);
	int64_t before;

	/* Without a lasting value nothing is left afterwards. */
	put(s, "a", "1", T0, T0 + 1000);
	/* A temporary unset hides the lasting value. */
	put(s, "b", "1", T0, 0);
	put(s, "b", "", T0 + 1, T0 + 1000);
	assert_string_equal(settings(s, false).text, "a=1");
	/* A temporary value over a temporary one: the later. */
	put(s, "c", "1", T0, T0 + 1000);
	put(s, "c", "2", T0 + 2, T0 + 3000);
	/* A lasting value takes the place of both at once. */
	put(s, "d", "1", T0, T0 + 1000);
	put(s, "d", "2", T0 + 3, 0);
	assert_string_equal(settings(s, false).text, "a=1 c=2 d=2");
	before = settings_version(s);
	advance(s, T0 + 1000);
	assert_string_equal(settings(s, false).text, "b=1 c=2 d=2");
	assert_int_equal(settings_version(s), before + 2); /* a and b's */
	/* Replacing one that is over does not count it away. */
	assert_int_equal(put(s, "a", "3", T0 + 1001, 0), before + 3);
	assert_int_equal(settings_version(s), before + 3);
	assert_string_equal(settings(s, false).text, "b=1 c=2 d=2 a=3");
}

static void bad_settings_change_nothing(void **state)
{
	static char endless[300000];
	struct bw_store *s = STORE(state);
	struct bw_setting_row row = { .name = BW_S("mode"), .value = BW_S("shadow"), .set_ms = T0, .until_ms = T0 };
	int64_t version = -7;

	assert_int_equal(s->ops->setting_put(s, &row, &version, NULL), BW_ERR_RANGE); /* ends as it begins */
	row.until_ms = 0;
	row.name.n = 0;
	assert_int_equal(s->ops->setting_put(s, &row, &version, NULL), BW_ERR_INPUT);
	row.name = BW_S("mode");
	memset(endless, 'x', sizeof(endless));
	row.value = (struct bw_slice){ endless, sizeof(endless) };
	assert_int_equal(s->ops->setting_put(s, &row, &version, NULL), BW_ERR_LIMIT);
	assert_int_equal(version, -7);
	assert_int_equal(settings_version(s), 0);
	assert_int_equal(settings(s, true).n, 0);
}

/* --- directory --- */

struct lists {
	int n;
	int64_t last;
	struct bw_list_row row;
	char address[64], posters[64], list_id[64], owner[64];
};

static bool note_list(void *ctx, const struct bw_list_row *row)
{
	struct lists *l = ctx;

	assert_true(row->version > l->last);
	l->n++;
	l->last = row->version;
	l->row = *row;
	bw_slice_copy(row->address, l->address, sizeof(l->address));
	bw_slice_copy(row->posters, l->posters, sizeof(l->posters));
	bw_slice_copy(row->list_id, l->list_id, sizeof(l->list_id));
	bw_slice_copy(row->owner, l->owner, sizeof(l->owner));
	return true;
}

static struct lists lists(struct bw_store *s, int64_t since)
{
	struct lists l = { .last = since };

	assert_ok(s->ops->list_each(s, since, note_list, &l, &why));
	return l;
}

static void directory_rows(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_list_row row = {
		.address = BW_S("all@nhs.example"),
		.owner = BW_S("boss@nhs.example"),
		.list_id = BW_S("all.nhs.example"),
		.posters = BW_S("auth:comms@nhs.example,inside:x@nhs.example"),
		.size = 840000,
		.source = BW_SOURCE_IMPORT,
		.unconfirmed = true,
		.changed_ms = T0,
	};
	int64_t version = 0, settings_was = 0, directory = 0;

	assert_ok(s->ops->list_put(s, &row, &version, &why));
	assert_int_equal(version, 1);
	struct lists l = lists(s, 0);

	assert_int_equal(l.n, 1);
	assert_string_equal(l.address, "all@nhs.example");
	assert_string_equal(l.owner, "boss@nhs.example");
	assert_string_equal(l.list_id, "all.nhs.example");
	assert_string_equal(l.posters, "auth:comms@nhs.example,inside:x@nhs.example");
	assert_int_equal(l.row.size, 840000);
	assert_int_equal(l.row.source, BW_SOURCE_IMPORT);
	assert_true(l.row.unconfirmed && !l.row.removed);
	assert_int_equal(l.row.changed_ms, T0);
	/* Another, then the first again: changes since a version come in their order, each address once. */
	row.address = BW_S("b@nhs.example");
	assert_ok(s->ops->list_put(s, &row, &version, &why));
	row.address = BW_S("all@nhs.example");
	row.removed = true;
	assert_ok(s->ops->list_put(s, &row, &version, &why));
	assert_int_equal(version, 3);
	l = lists(s, 0);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.address, "all@nhs.example");
	assert_true(l.row.removed); /* whoever follows changes learns of it */
	assert_int_equal(lists(s, 2).n, 1);
	assert_int_equal(lists(s, 3).n, 0);
	assert_ok(s->ops->versions(s, &settings_was, &directory, &why));
	assert_int_equal(settings_was, 0);
	assert_int_equal(directory, 3);
	row.address = BW_S("");
	assert_int_equal(s->ops->list_put(s, &row, &version, NULL), BW_ERR_INPUT);
}

/* More than any page of a listing. */
static void many_lists(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_list_row row = { .size = 1 };
	char address[32];

	for (int i = 0; i < 500; i++) {
		snprintf(address, sizeof(address), "l%d@x.example", i);
		row.address = bw_slice_of(address);
		assert_ok(s->ops->list_put(s, &row, NULL, &why));
	}
	assert_int_equal(lists(s, 0).n, 500);
	assert_int_equal(lists(s, 499).n, 1);
}

static struct bw_list_row row_of(const char *address, enum bw_source source, int64_t size)
{
	return (struct bw_list_row){ .address = bw_slice_of(address), .source = source, .size = size, .changed_ms = T0 };
}

struct sizes {
	char text[256]; /* "address/source=size" of each row, in order of version */
};

static bool note_size(void *ctx, const struct bw_list_row *row)
{
	struct sizes *s = ctx;
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof(s->text) - n, "%s%.*s/%s=%d%s", n > 0 ? " " : "", (int)row->address.n, row->address.p,
	         bw_source_name(row->source), (int)row->size, row->removed ? "-" : "");
	return true;
}

static struct sizes sizes(struct bw_store *s)
{
	struct sizes all = { "" };

	assert_ok(s->ops->list_each(s, 0, note_size, &all, &why));
	return all;
}

/* An import that runs after the operator leaves the operator's row as it is, and the other way about. */
static void each_source_has_its_row(void **state)
{
	struct bw_store *s = STORE(state);
	struct bw_list_row operators = row_of("all@x", BW_SOURCE_OPERATOR, 40000), imported = row_of("all@x", BW_SOURCE_IMPORT, 7);

	imported.origin = BW_S("aliases /etc/aliases");
	assert_ok(s->ops->list_put(s, &operators, NULL, &why));
	assert_ok(s->ops->list_put(s, &imported, NULL, &why));
	assert_string_equal(sizes(s).text, "all@x/operator=40000 all@x/import=7");
	imported.size = 8;
	assert_ok(s->ops->list_put_many(s, &imported, 1, NULL, &why));
	assert_string_equal(sizes(s).text, "all@x/operator=40000 all@x/import=8");
	operators.removed = true;
	assert_ok(s->ops->list_put(s, &operators, NULL, &why));
	assert_string_equal(sizes(s).text, "all@x/import=8 all@x/operator=40000-");
	assert_int_equal(lists(s, 0).last, 4);
}

static bool note_origin(void *ctx, const struct bw_list_row *row)
{
	bw_slice_copy(row->origin, ctx, 64);
	return true;
}

/* More than any page and any call; a version each, and the last of them is the directory's. */
static void many_at_once(void **state)
{
	enum { MANY = 1203 };
	static struct bw_list_row rows[MANY];
	static char addresses[MANY][32];
	struct bw_store *s = STORE(state);
	char origin[64] = "";
	int64_t version = -1, settings_are, directory = 0;

	for (int i = 0; i < MANY; i++) {
		snprintf(addresses[i], sizeof(addresses[i]), "l%d@x.example", i);
		rows[i] = row_of(addresses[i], BW_SOURCE_IMPORT, i + 1);
		rows[i].origin = BW_S("csv /x");
	}
	assert_ok(s->ops->list_put_many(s, rows, 0, &version, &why));
	assert_int_equal(version, -1);
	assert_ok(s->ops->list_put_many(s, rows, MANY, &version, &why));
	assert_int_equal(version, MANY);
	struct lists l = lists(s, 0);

	assert_int_equal(l.n, MANY);
	assert_int_equal(l.row.size, MANY);
	assert_int_equal(l.row.changed_ms, T0);
	assert_ok(s->ops->list_each(s, MANY - 1, note_origin, origin, &why));
	assert_string_equal(origin, "csv /x");
	/* Again, fewer: they move to the end, nothing is there twice. */
	assert_ok(s->ops->list_put_many(s, rows, 3, &version, &why));
	assert_int_equal(version, MANY + 3);
	assert_int_equal(lists(s, 0).n, MANY);
	assert_int_equal(lists(s, MANY).n, 3);
	assert_ok(s->ops->versions(s, &settings_are, &directory, &why));
	assert_int_equal(directory, MANY + 3);
}

/* One row that cannot be kept, far behind: no row is. */
static void all_rows_or_none(void **state)
{
	enum { ROWS = 700 };
	static struct bw_list_row rows[ROWS];
	static char addresses[ROWS][32], endless[300000];
	struct bw_store *s = STORE(state);
	int64_t version = -1, settings_are, directory = -1;

	memset(endless, 'x', sizeof(endless));
	for (int i = 0; i < ROWS; i++) {
		snprintf(addresses[i], sizeof(addresses[i]), "l%d@x.example", i);
		rows[i] = row_of(addresses[i], BW_SOURCE_IMPORT, 10);
	}
	rows[ROWS - 1].address = BW_S("");
	assert_int_equal(s->ops->list_put_many(s, rows, ROWS, &version, NULL), BW_ERR_INPUT);
	rows[ROWS - 1].address = BW_S("l@x");
	rows[ROWS - 1].origin = (struct bw_slice){ endless, sizeof(endless) };
	assert_int_equal(s->ops->list_put_many(s, rows, ROWS, &version, NULL), BW_ERR_LIMIT);
	rows[ROWS - 1].origin = BW_S("");
	rows[ROWS - 1].source = BW_SOURCE_COUNT;
	assert_int_equal(s->ops->list_put_many(s, rows, ROWS, &version, NULL), BW_ERR_INPUT);
	assert_int_equal(version, -1);
	assert_int_equal(lists(s, 0).n, 0);
	assert_ok(s->ops->versions(s, &settings_are, &directory, &why));
	assert_int_equal(directory, 0);
}

/* --- two at once --- */

enum { WRITERS = 2, WRITTEN = 900 };

struct writer {
	struct bw_store *store;
	int index;
	enum bw_err err;
	int64_t version;
};

static void *write_many(void *arg)
{
	struct writer *w = arg;
	struct bw_list_row *rows = calloc(WRITTEN, sizeof(*rows));
	char(*addresses)[32] = calloc(WRITTEN, sizeof(*addresses));

	for (int i = 0; i < WRITTEN; i++) {
		snprintf(addresses[i], sizeof(addresses[i]), "l%d@w%d.example", i, w->index);
		rows[i] = row_of(addresses[i], BW_SOURCE_IMPORT, w->index + 1);
	}
	w->err = w->store->ops->list_put_many(w->store, rows, WRITTEN, &w->version, NULL);
	free(rows);
	free(addresses);
	return NULL;
}

struct owners {
	int rows[WRITERS];
	int64_t first[WRITERS], last[WRITERS];
};

static bool note_owner(void *ctx, const struct bw_list_row *row)
{
	struct owners *o = ctx;
	int index = (int)row->size - 1;

	o->first[index] = o->rows[index]++ == 0 ? row->version : o->first[index];
	o->last[index] = row->version;
	return true;
}

/* Each writes all of its rows, in versions that nobody else's lie between, or is told that another was faster. */
static void two_at_once(void **state)
{
	struct bw_store *s = STORE(state);
	struct writer writers[WRITERS];
	pthread_t threads[WRITERS];
	struct owners owners = { .rows = { 0 } };
	int written = 0;

	for (int i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ .store = s, .index = i };
		assert_int_equal(pthread_create(&threads[i], NULL, write_many, &writers[i]), 0);
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	assert_ok(s->ops->list_each(s, 0, note_owner, &owners, &why));
	for (int i = 0; i < WRITERS; i++) {
		assert_true(writers[i].err == BW_OK || writers[i].err == BW_ERR_CONFLICT);
		assert_int_equal(owners.rows[i], writers[i].err == BW_OK ? WRITTEN : 0);
		if (writers[i].err != BW_OK)
			continue;
		assert_int_equal(owners.last[i] - owners.first[i], WRITTEN - 1);
		assert_int_equal(owners.last[i], writers[i].version);
		written++;
	}
	assert_true(written > 0);
}

int run_settings(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(lasting_values),   TEST(temporary_values), TEST(temporary_and_lasting_meet), TEST(bad_settings_change_nothing),
		TEST(directory_rows),   TEST(many_lists),       TEST(each_source_has_its_row),    TEST(many_at_once),
		TEST(all_rows_or_none), TEST(two_at_once),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
