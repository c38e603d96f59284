/* link: bw_store PkgConfig::SQLITE Threads::Threads */
/* The rows of the embedded store: how many, how long, and what is not in them. */
#include "store-kit.h"

static const char *const tables[] = { "meta",    "list", "tally",   "entry",   "conversation",    "join_key",
	                                  "message", "part", "breaker", "setting", "setting_history", "directory_row",
	                                  "host",    "held", "event",   "mail_order", "order_item", "post" };

static int64_t rows_of(const char *table)
{
	char sql[80];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	return kit_sql(sql);
}

static int64_t rows_of_counting(void)
{
	return rows_of("list") + rows_of("tally") + rows_of("entry") + rows_of("conversation") + rows_of("join_key") +
	       rows_of("message") + rows_of("part") + rows_of("breaker");
}

static void a_busy_week(struct bw_store *s)
{
	struct bw_count_out out;
	char id[32], list[32];

	for (int i = 0; i < 600; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		snprintf(list, sizeof(list), "l%d@x.example", i % 20);
		struct bw_count_in in = kit_mail(KIT_T0 + i, id, "");

		in.list = bw_slice_of(list);
		in.side = i % 3 == 0 ? BW_SIDE_OUTSIDE : BW_SIDE_MEMBERS;
		in.expander = i % 5 == 0;
		if (i % 2 == 0 && i >= 20) {
			snprintf(id, sizeof(id), "m%d", i - 20);
			in.keys[in.key_count++] = (struct bw_join_key){ BW_JOIN_REFERENCES, kit_hash(id) };
			in.looks_like_reply = true;
		}
		if (i % 7 == 0)
			in.key_count = 0;
		assert_int_equal(s->ops->count(s, &in, &out, 1, NULL), BW_OK);
		if (i % 11 == 0) {
			struct bw_breaker_key key = {
				.scope = BW_SCOPE_CONVERSATION, .side = in.side, .list = in.list, .conversation = out.conversation
			};
			struct bw_breaker b = out.conversation_breaker;

			b.phase = BW_PHASE_OPEN;
			b.until_ms = KIT_T0 + BW_DAY_MS;
			assert_int_equal(s->ops->breaker_cas(s, &key, &b, NULL), BW_OK);
		}
	}
}

/* Nothing without an end: after the memory nothing of counting is left but what keeps ids from being used twice. */
static void all_of_it_goes(void **state)
{
	struct bw_store *s = kit_open(5000);

	(void)state;
	a_busy_week(s);
	assert_true(rows_of_counting() > 2000);
	for (int i = 0; i < 40; i++)
		assert_int_equal(s->ops->expire(s, KIT_T0 + 9 * BW_DAY_MS, 7 * BW_DAY_MS, NULL), BW_OK);
	assert_int_equal(
		rows_of("entry") + rows_of("tally") + rows_of("join_key") + rows_of("message") + rows_of("part") + rows_of("breaker"), 0);
	assert_int_equal(rows_of("conversation"), 1);
	assert_int_equal(kit_sql("SELECT count(*) FROM conversation WHERE root <> ''"), 0);
	assert_int_equal(rows_of("list"), 1);
	/* And life goes on. */
	a_busy_week(s);
	bw_store_close(&s);
}

/* Before its time nothing goes. */
static void none_of_it_goes_early(void **state)
{
	struct bw_store *s = kit_open(5000);
	int64_t before;

	(void)state;
	a_busy_week(s);
	before = rows_of_counting();
	for (int i = 0; i < 10; i++)
		assert_int_equal(s->ops->expire(s, KIT_T0 + 7 * BW_DAY_MS - 1, 7 * BW_DAY_MS, NULL), BW_OK);
	assert_int_equal(rows_of_counting(), before);
	bw_store_close(&s);
}

/* A message adds a few rows, whatever came before it; a retry, a duplicate and a look add at most a log entry. */
static void growth_is_bounded(void **state)
{
	struct bw_store *s = kit_open(5000);
	struct bw_count_out out;
	char id[32];
	int64_t before;

	(void)state;
	kit_count(s, KIT_T0, "root", "", &out, NULL);
	for (int i = 0; i < 200; i++) {
		before = rows_of_counting();
		snprintf(id, sizeof(id), "r%d", i);
		assert_int_equal(kit_count(s, KIT_T0 + i, id, "root", &out, NULL), BW_OK);
		assert_true(rows_of_counting() - before <= 8);
	}
	before = rows_of_counting();
	struct bw_count_in in = kit_mail(KIT_T0 + 300, "peek", "root");

	in.peek = true;
	for (int i = 0; i < 10; i++)
		assert_int_equal(s->ops->count(s, &in, &out, 1, NULL), BW_OK);
	assert_int_equal(rows_of_counting(), before);
	assert_int_equal(kit_count(s, KIT_T0 + 301, "r7", "root", &out, NULL), BW_OK);
	assert_int_equal(out.seen, BW_SEEN_DUPLICATE);
	assert_int_equal(rows_of_counting(), before);
	in = kit_mail(KIT_T0 + 302, "held", "root");
	in.known_stopped = true;
	s->ops->count(s, &in, &out, 1, NULL);
	before = rows_of_counting();
	for (int i = 0; i < 20; i++) {
		in.now_ms++;
		assert_int_equal(s->ops->count(s, &in, &out, 1, NULL), BW_OK);
	}
	assert_true(rows_of_counting() - before <= 40);
	bw_store_close(&s);
}

/* No window, budget or memory is in any row: a threshold's change finds nothing to convert. */
static void no_threshold_is_stored(void **state)
{
	static const int64_t thresholds[] = { 3599771, 1799773, 604799777, 987654321 };
	struct bw_store *s = kit_open(5000);
	struct bw_count_out out;
	char sql[256], id[16];

	(void)state;
	for (int i = 0; i < 30; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		struct bw_count_in in = kit_mail(KIT_T0 + i * 1000, id, i % 3 == 0 ? "" : "m0");

		in.conversation_window_ms = thresholds[0];
		in.list_window_ms = thresholds[1];
		in.memory_ms = thresholds[2];
		in.budget = thresholds[3];
		assert_int_equal(s->ops->count(s, &in, &out, 1, NULL), BW_OK);
	}
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		int64_t columns;

		snprintf(sql, sizeof(sql), "SELECT count(*) FROM pragma_table_info('%s')", tables[t]);
		columns = kit_sql(sql);
		assert_true(columns > 0);
		for (int64_t c = 0; c < columns; c++) {
			for (size_t i = 0; i < sizeof(thresholds) / sizeof(thresholds[0]); i++) {
				sqlite3 *db = NULL;
				sqlite3_stmt *stmt = NULL;

				assert_int_equal(sqlite3_open(kit_path, &db), SQLITE_OK);
				snprintf(sql, sizeof(sql), "SELECT * FROM %s", tables[t]);
				assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
				while (sqlite3_step(stmt) == SQLITE_ROW) {
					if (sqlite3_column_type(stmt, (int)c) == SQLITE_INTEGER &&
					    sqlite3_column_int64(stmt, (int)c) == thresholds[i])
						fail_msg("%s.%s holds %lld", tables[t], sqlite3_column_name(stmt, (int)c), (long long)thresholds[i]);
				}
				sqlite3_finalize(stmt);
				sqlite3_close(db);
			}
		}
	}
	bw_store_close(&s);
}

/* Addresses of senders, Message-IDs and subjects of counted mail are in the file as keyed hashes only. The root's poster is
 * readable (redirect needs it), for the memory, however long its conversation goes on. */
static void what_is_readable(void **state)
{
	struct bw_store *s = kit_open(5000);
	struct bw_count_out out;

	(void)state;
	kit_count(s, KIT_T0, "root", "", &out, NULL);
	kit_count(s, KIT_T0 + 1, "r1", "root", &out, NULL);
	assert_int_equal(kit_sql("SELECT count(*) FROM conversation WHERE root = 'root@example.org'"), 1);
	assert_int_equal(kit_sql("SELECT count(*) FROM list WHERE name = 'all@example.org'"), 1);
	bw_store_close(&s);
}

/* The clock that simulate gives is the one that ends temporary settings. */
static int64_t fixed_clock(void *ctx)
{
	return *(int64_t *)ctx;
}

static bool count_row(void *ctx, const struct bw_setting_row *row)
{
	(void)row;
	++*(int *)ctx;
	return true;
}

static void a_clock_of_ones_own(void **state)
{
	struct bw_store *s = kit_open(5000);
	struct bw_setting_row row = { .name = BW_S("mode"), .value = BW_S("enforce"), .until_ms = 5000 };
	int64_t at = 1000, now_ms = 0;
	int n = 0;

	(void)state;
	bw_store_sqlite_set_clock(s, fixed_clock, &at);
	assert_int_equal(s->ops->setting_put(s, &row, NULL, NULL), BW_OK);
	at = 4999;
	assert_int_equal(s->ops->setting_each(s, false, count_row, &n, NULL), BW_OK);
	assert_int_equal(n, 1);
	at = 5000;
	assert_int_equal(s->ops->setting_each(s, false, count_row, &n, NULL), BW_OK);
	assert_int_equal(n, 1);
	/* It never goes back, whatever it says. */
	struct bw_count_out out;

	at = 9000;
	assert_int_equal(kit_count(s, 0, "m", "", &out, NULL), BW_OK);
	assert_int_equal(out.now_ms, 9000);
	at = 100;
	assert_int_equal(s->ops->now(s, &now_ms, NULL), BW_OK);
	assert_int_equal(now_ms, 9000);
	assert_int_equal(kit_count(s, 0, "n", "", &out, NULL), BW_OK);
	assert_int_equal(out.now_ms, 9000);
	bw_store_close(&s);
	/* Nor after a restart, but for the last second. */
	s = kit_open(5000);
	bw_store_sqlite_set_clock(s, fixed_clock, &at);
	assert_int_equal(s->ops->now(s, &now_ms, NULL), BW_OK);
	assert_true(now_ms > 8000);
	bw_store_close(&s);
}

/* --- orders and posts --- */

static void put_post(struct bw_store *s, const char *id)
{
	const struct bw_post post = { .id = kit_hash(id), .list = BW_S(KIT_LIST), .accepted_ms = KIT_T0 };

	assert_int_equal(s->ops->post_put(s, &post, 1, NULL), BW_OK);
}

static bool note_post(void *ctx, const struct bw_post *row)
{
	(void)row;
	++*(int *)ctx;
	return true;
}

static int posts_of(struct bw_store *s, const char *id)
{
	const struct bw_post_query query = { .id = kit_hash(id) };
	int n = 0;

	assert_int_equal(s->ops->post_each(s, &query, note_post, &n, NULL), BW_OK);
	return n;
}

/* Of too many posts the oldest go, but none that is frozen: it waits in a hold queue. */
static void posts_are_bounded(void **state)
{
	struct bw_store *s = kit_open(5000);
	struct bw_hash frozen = kit_hash("p2");
	char sql[96];

	(void)state;
	put_post(s, "p1");
	put_post(s, "p2");
	put_post(s, "p3");
	put_post(s, "p4");
	assert_int_equal(s->ops->post_move(s, &frozen, BW_POST_FROZEN, KIT_T0, NULL), BW_OK);
	snprintf(sql, sizeof(sql), "UPDATE post SET seq = %d WHERE seq = 4", BW_POSTS_MAX);
	kit_sql(sql);
	put_post(s, "p5"); /* number BW_POSTS_MAX + 1 */
	assert_int_equal(posts_of(s, "p1"), 0);
	assert_int_equal(posts_of(s, "p2"), 1);
	assert_int_equal(posts_of(s, "p3"), 1);
	put_post(s, "p6");
	put_post(s, "p7");
	assert_int_equal(posts_of(s, "p2"), 1);
	assert_int_equal(posts_of(s, "p3"), 0);
	assert_int_equal(posts_of(s, "p4"), 1);
	bw_store_close(&s);
}

/* A file of the version before has no such tables: opened, it has. */
static void an_older_file(void **state)
{
	struct bw_store *s = kit_open(5000);

	(void)state;
	put_post(s, "p1");
	bw_store_close(&s);
	kit_sql("DROP TABLE post");
	kit_sql("DROP TABLE order_item");
	kit_sql("DROP TABLE mail_order");
	s = kit_open(5000);
	put_post(s, "p2");
	const struct bw_order_row order = { .id = kit_hash("o"), .host = BW_S("mx1") };

	assert_int_equal(s->ops->order_put(s, &order, NULL, 0, NULL), BW_OK);
	assert_int_equal(rows_of("post"), 1);
	assert_int_equal(rows_of("mail_order"), 1);
	bw_store_close(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		KIT_TEST(all_of_it_goes),         KIT_TEST(none_of_it_goes_early), KIT_TEST(growth_is_bounded),
		KIT_TEST(no_threshold_is_stored), KIT_TEST(what_is_readable),      KIT_TEST(a_clock_of_ones_own),
		KIT_TEST(posts_are_bounded),      KIT_TEST(an_older_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
