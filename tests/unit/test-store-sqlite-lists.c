/* link: bw_store PkgConfig::SQLITE Threads::Threads */
/* A file of before there was a row for each source: its lists are taken over, once. */
#include "store-kit.h"

static bool note(void *ctx, const struct bw_list_row *row)
{
	char *text = ctx;
	size_t n = strlen(text);

	snprintf(text + n, 200 - n, "%lld:%.*s/%s=%lld%s%s ", (long long)row->version, (int)row->address.n, row->address.p,
	         bw_source_name(row->source), (long long)row->size, row->unconfirmed ? "?" : "", row->removed ? "-" : "");
	return true;
}

static const char *lists(void)
{
	static char text[200];
	struct bw_store *s = kit_open(1000);

	text[0] = '\0';
	assert_int_equal(s->ops->list_each(s, 0, note, text, NULL), BW_OK);
	bw_store_close(&s);
	return text;
}

static void an_older_directory(void **state)
{
	struct bw_store *s = kit_open(1000);

	(void)state;
	bw_store_close(&s);
	kit_sql("DROP TABLE directory_row");
	kit_sql("CREATE TABLE directory(version INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, list_id TEXT "
	        "NOT NULL, posters TEXT NOT NULL, size INTEGER NOT NULL, source INTEGER NOT NULL, unconfirmed INTEGER NOT NULL,"
	        " removed INTEGER NOT NULL, changed_ms INTEGER NOT NULL, format INTEGER NOT NULL) STRICT");
	kit_sql("INSERT INTO directory VALUES(2, 'a@x', 'o@x', 'a.x', 'auth:p@x', 40, 0, 0, 0, 1, 1), "
	        "(5, 'b@x', '', '', '', 900, 1, 1, 0, 1, 1), (6, 'c@x', '', '', '', 3, 0, 0, 1, 1, 1)");
	assert_string_equal(lists(), "2:a@x/operator=40 5:b@x/import=900? 6:c@x/operator=3- ");
	assert_int_equal(kit_sql("SELECT count(*) FROM sqlite_schema WHERE name = 'directory'"), 0);
	assert_string_equal(lists(), "2:a@x/operator=40 5:b@x/import=900? 6:c@x/operator=3- ");
}

static bool note_conversation(void *ctx, const struct bw_event_row *row)
{
	struct bw_hash *last = ctx;

	*last = row->conversation;
	return true;
}

static void an_older_history(void **state)
{
	const struct bw_event_row row = { .event = BW_EVENT_TRIP, .text = BW_S("new"), .conversation = { { 7 } } };
	struct bw_store *s = kit_open(1000);
	const struct bw_held held = { .id = { { 9 } }, .list = BW_S("a@x"), .automatic = true };
	struct bw_hash last = { { 1 } };

	(void)state;
	bw_store_close(&s);
	kit_sql("ALTER TABLE event DROP COLUMN conversation");
	kit_sql("ALTER TABLE held DROP COLUMN automatic");
	kit_sql("INSERT INTO event(at_ms, event, host, list, guard, text, owner) VALUES(1, 1, '', '', '', 'old', '')");
	s = kit_open(1000);
	assert_int_equal(s->ops->event_each(s, 0, 0, note_conversation, &last, NULL), BW_OK);
	assert_true(bw_hash_is_zero(&last));
	assert_int_equal(s->ops->event_add(s, &row, NULL), BW_OK);
	assert_int_equal(s->ops->event_each(s, 0, 0, note_conversation, &last, NULL), BW_OK);
	assert_true(bw_hash_equal(&last, &row.conversation));
	assert_int_equal(s->ops->held_put(s, &held, NULL), BW_OK);
	bw_store_close(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { KIT_TEST(an_older_directory), KIT_TEST(an_older_history) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
