/* Orders on held and queued mail, and their items. */
#include "contract.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct bw_order_row order(const char *id)
{
	return (struct bw_order_row){
		.id = hash_of(id),
		.kind = BW_ORDER_RELEASE,
		.host = BW_S("mx1"),
		.owner = BW_S("ops"),
		.reason = BW_S("calm\r\nagain"),
		.pace = 1000,
		.observe_ms = 60000,
		.made_ms = T0,
		.expires_ms = T0 + BW_DAY_MS,
	};
}

enum { ITEMS_MOST = BW_ORDER_PIECE + 1 };

struct piece {
	struct bw_order_item items[ITEMS_MOST];
	char texts[ITEMS_MOST][32];
};

static const struct bw_order_item *piece(struct piece *p, int64_t from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		snprintf(p->texts[i], sizeof(p->texts[i]), "order %lld", (long long)(from + (int64_t)i));
		p->items[i] = (struct bw_order_item){
			.number = from + (int64_t)i,
			.subject = hash_of(p->texts[i]),
			.mta = BW_S("postfix"),
			.queue_id = BW_S("4Abc"),
			.list = BW_S(LIST),
			.signed_text = bw_slice_of(p->texts[i]),
			.deliveries = 10,
		};
	}
	return p->items;
}

static enum bw_err put(struct bw_store *s, const char *id, int64_t from, size_t n)
{
	static struct piece p;
	struct bw_order_row row = order(id);

	return s->ops->order_put(s, &row, piece(&p, from, n), n, NULL);
}

static enum bw_err move_at(struct bw_store *s, const char *id, enum bw_order_state from, enum bw_order_state to, int64_t now_ms)
{
	struct bw_hash hash = hash_of(id);

	return s->ops->order_move(s, &hash, from, to, now_ms, BW_S("ann"), BW_S("why"), NULL);
}

static enum bw_err move(struct bw_store *s, const char *id, enum bw_order_state from, enum bw_order_state to)
{
	return move_at(s, id, from, to, T0 + 1);
}

static enum bw_err result(struct bw_store *s, const char *id, int64_t number, enum bw_item_result result)
{
	struct bw_hash hash = hash_of(id);

	return s->ops->order_result(s, &hash, number, result, BW_S("said"), T0 + 5, NULL);
}

/* --- reading --- */

struct rows {
	int n;
	struct bw_order_row last;
	char paces[64], host[16], owner[16], reason[32], by[16], note[16];
};

static bool note_order(void *ctx, const struct bw_order_row *row)
{
	struct rows *r = ctx;
	size_t at = strlen(r->paces);

	r->n++;
	r->last = *row;
	snprintf(r->paces + at, sizeof(r->paces) - at, "%lld ", (long long)row->pace);
	bw_slice_copy(row->host, r->host, sizeof(r->host));
	bw_slice_copy(row->owner, r->owner, sizeof(r->owner));
	bw_slice_copy(row->reason, r->reason, sizeof(r->reason));
	bw_slice_copy(row->state_by, r->by, sizeof(r->by));
	bw_slice_copy(row->note, r->note, sizeof(r->note));
	return true;
}

static struct rows ask(struct bw_store *s, struct bw_order_query query)
{
	struct rows r = { 0 };

	assert_ok(s->ops->order_each(s, &query, note_order, &r, &why));
	return r;
}

static struct bw_order_row one(struct bw_store *s, const char *id)
{
	struct rows r = ask(s, (struct bw_order_query){ .id = hash_of(id) });

	assert_int_equal(r.n, 1);
	return r.last;
}

struct items {
	int n;
	int64_t next; /* the number that must come: only where all are asked for */
	struct bw_order_item last;
	char numbers[64], text[32], note[16], queue_id[16];
};

static bool note_item(void *ctx, const struct bw_order_item *item)
{
	struct items *r = ctx;
	size_t at = strlen(r->numbers);

	if (r->next >= 0)
		assert_int_equal(item->number, r->next++);
	if (at + 24 < sizeof(r->numbers))
		snprintf(r->numbers + at, sizeof(r->numbers) - at, "%lld ", (long long)item->number);
	r->n++;
	r->last = *item;
	bw_slice_copy(item->signed_text, r->text, sizeof(r->text));
	bw_slice_copy(item->note, r->note, sizeof(r->note));
	bw_slice_copy(item->queue_id, r->queue_id, sizeof(r->queue_id));
	return true;
}

static struct items items(struct bw_store *s, const char *id, int64_t from, int64_t limit, bool pending)
{
	struct items r = { .next = pending ? -1 : from };
	struct bw_hash hash = hash_of(id);

	assert_ok(s->ops->order_items(s, &hash, from, limit, pending, note_item, &r, &why));
	return r;
}

/* --- tests --- */

static void put_and_read(void **state)
{
	struct bw_store *s = STORE(state);

	assert_int_equal(put(s, "o1", 0, 3), BW_OK);
	struct rows r = ask(s, (struct bw_order_query){ 0 });

	assert_int_equal(r.n, 1);
	assert_int_equal(r.last.kind, BW_ORDER_RELEASE);
	assert_string_equal(r.host, "mx1");
	assert_string_equal(r.owner, "ops");
	assert_string_equal(r.by, "ops");
	assert_string_equal(r.reason, "calm\r\nagain"); /* bytes are kept as they are */
	assert_int_equal(r.last.pace, 1000);
	assert_int_equal(r.last.observe_ms, 60000);
	assert_int_equal(r.last.made_ms, T0);
	assert_int_equal(r.last.expires_ms, T0 + BW_DAY_MS);
	assert_int_equal(r.last.state, BW_ORDER_WRITING);
	assert_int_equal(r.last.state_ms, T0);
	assert_int_equal(r.last.items, 3);
	assert_int_equal(r.last.results[BW_ITEM_PENDING], 3);
	assert_int_equal(r.last.deliveries, 0);
	struct items i = items(s, "o1", 0, 0, false);

	assert_int_equal(i.n, 3);
	assert_string_equal(i.text, "order 2");
	assert_string_equal(i.queue_id, "4Abc");
	assert_string_equal(i.note, "");
	assert_int_equal(i.last.deliveries, 10);
	assert_int_equal(i.last.result, BW_ITEM_PENDING);
	struct bw_hash subject = hash_of("order 2");

	assert_true(bw_hash_equal(&i.last.subject, &subject));
	assert_int_equal(items(s, "o2", 0, 0, false).n, 0);
}

static void pieces(void **state)
{
	static const struct {
		const char *what;
		int64_t from;
		size_t n;
		enum bw_err err;
		int64_t items;
	} cases[] = {
		{ "the first", 0, BW_ORDER_PIECE, BW_OK, BW_ORDER_PIECE },
		{ "again", 0, BW_ORDER_PIECE, BW_OK, BW_ORDER_PIECE },
		{ "one too many", BW_ORDER_PIECE, BW_ORDER_PIECE + 1, BW_ERR_RANGE, BW_ORDER_PIECE },
		{ "the second", BW_ORDER_PIECE, 100, BW_OK, BW_ORDER_PIECE + 100 },
		{ "half of it there", BW_ORDER_PIECE + 50, 100, BW_OK, BW_ORDER_PIECE + 150 },
		{ "one left out", BW_ORDER_PIECE + 151, 5, BW_ERR_INPUT, BW_ORDER_PIECE + 150 },
		{ "none", 0, 0, BW_OK, BW_ORDER_PIECE + 150 },
		{ "beyond the limit", BW_ORDER_ITEMS_MAX, 1, BW_ERR_LIMIT, BW_ORDER_PIECE + 150 },
		{ "negative", -1, 1, BW_ERR_INPUT, BW_ORDER_PIECE + 150 },
	};
	struct bw_store *s = STORE(state);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum bw_err err = put(s, "o1", cases[i].from, cases[i].n);

		if (err != cases[i].err || one(s, "o1").items != cases[i].items)
			fail_msg("%s: %s, %lld items", cases[i].what, bw_err_name(err), (long long)one(s, "o1").items);
	}
	assert_int_equal(items(s, "o1", 0, 0, false).n, BW_ORDER_PIECE + 150);
	assert_int_equal(one(s, "o1").results[BW_ITEM_PENDING], BW_ORDER_PIECE + 150);
	assert_int_equal(move(s, "o1", BW_ORDER_WRITING, BW_ORDER_RUNNING), BW_OK);
	assert_int_equal(put(s, "o1", BW_ORDER_PIECE + 150, 1), BW_ERR_CONFLICT);
	assert_int_equal(one(s, "o1").items, BW_ORDER_PIECE + 150);
}

static void refused(void **state)
{
	struct bw_store *s = STORE(state);
	static char longer[BW_ORDER_TEXT_BYTES + 1];
	struct piece p;
	struct bw_order_row row = order("o1");

	piece(&p, 0, 1);
	memset(longer, 'x', sizeof(longer));
	p.items[0].signed_text = (struct bw_slice){ longer, sizeof(longer) };
	assert_int_equal(s->ops->order_put(s, &row, p.items, 1, NULL), BW_ERR_INPUT);
	p.items[0].signed_text.n--;
	row.host = BW_S("");
	assert_int_equal(s->ops->order_put(s, &row, p.items, 1, NULL), BW_ERR_INPUT);
	row = order("");
	assert_int_equal(s->ops->order_put(s, &row, p.items, 1, NULL), BW_ERR_INPUT);
	row = order("o1");
	p.items[0].deliveries = -1;
	assert_int_equal(s->ops->order_put(s, &row, p.items, 1, NULL), BW_ERR_RANGE);
	assert_int_equal(ask(s, (struct bw_order_query){ 0 }).n, 0);
	p.items[0].deliveries = 1;
	assert_int_equal(s->ops->order_put(s, &row, p.items, 1, NULL), BW_OK);
}

static void queries(void **state)
{
	struct bw_store *s = STORE(state);
	char name[8];

	for (int i = 0; i < 4; i++) {
		struct bw_order_row row;

		snprintf(name, sizeof(name), "o%d", i);
		row = order(name);
		row.pace = i;
		row.host = i == 2 ? BW_S("mx2") : BW_S("mx1");
		assert_ok(s->ops->order_put(s, &row, NULL, 0, &why));
	}
	assert_int_equal(move(s, "o1", BW_ORDER_WRITING, BW_ORDER_RUNNING), BW_OK);
	assert_int_equal(move(s, "o1", BW_ORDER_RUNNING, BW_ORDER_DONE), BW_OK);
	assert_string_equal(ask(s, (struct bw_order_query){ 0 }).paces, "3 2 1 0 ");
	assert_string_equal(ask(s, (struct bw_order_query){ .limit = 2 }).paces, "3 2 ");
	assert_string_equal(ask(s, (struct bw_order_query){ .host = BW_S("mx1") }).paces, "3 1 0 ");
	assert_string_equal(ask(s, (struct bw_order_query){ .live = true }).paces, "3 2 0 ");
	assert_string_equal(ask(s, (struct bw_order_query){ .live = true, .host = BW_S("mx1"), .limit = 1 }).paces, "3 ");
	assert_string_equal(ask(s, (struct bw_order_query){ .id = hash_of("o2") }).paces, "2 ");
	assert_int_equal(ask(s, (struct bw_order_query){ .id = hash_of("o9") }).n, 0);
	assert_int_equal(ask(s, (struct bw_order_query){ .id = hash_of("o2"), .host = BW_S("mx1") }).n, 0);
}

static void moves(void **state)
{
	static const struct {
		enum bw_order_state from, to;
		enum bw_err err;
		bool live;
	} cases[] = {
		{ BW_ORDER_RUNNING, BW_ORDER_PAUSED, BW_ERR_CONFLICT, true }, { BW_ORDER_WRITING, BW_ORDER_RUNNING, BW_OK, true },
		{ BW_ORDER_RUNNING, BW_ORDER_PAUSED, BW_OK, true },           { BW_ORDER_RUNNING, BW_ORDER_DONE, BW_ERR_CONFLICT, true },
		{ BW_ORDER_PAUSED, BW_ORDER_RUNNING, BW_OK, true },           { BW_ORDER_RUNNING, BW_ORDER_STOPPED, BW_OK, true },
		{ BW_ORDER_STOPPED, BW_ORDER_WRITING, BW_ERR_INPUT, true },   { BW_ORDER_STOPPED, BW_ORDER_CANCELLED, BW_OK, false },
	};
	struct bw_store *s = STORE(state);

	assert_int_equal(put(s, "o1", 0, 1), BW_OK);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum bw_err err = move_at(s, "o1", cases[i].from, cases[i].to, T0 + 10 + (int64_t)i);

		if (err != cases[i].err || (ask(s, (struct bw_order_query){ .live = true }).n == 1) != cases[i].live)
			fail_msg("move %zu: %s", i, bw_err_name(err));
	}
	struct rows r = ask(s, (struct bw_order_query){ 0 });

	assert_int_equal(r.last.state, BW_ORDER_CANCELLED);
	assert_int_equal(r.last.state_ms, T0 + 17);
	assert_string_equal(r.by, "ann");
	assert_string_equal(r.note, "why");
	assert_string_equal(r.owner, "ops");
	assert_int_equal(move(s, "o9", BW_ORDER_WRITING, BW_ORDER_RUNNING), BW_ERR_NOT_FOUND);
}

static void results(void **state)
{
	static const struct {
		int64_t number;
		enum bw_item_result result;
		enum bw_err err;
		int64_t counts[BW_ITEM_RESULT_COUNT], deliveries;
	} cases[] = {
		{ 0, BW_ITEM_DONE, BW_OK, { 4, 1, 0, 0, 0 }, 10 },      { 0, BW_ITEM_DONE, BW_OK, { 4, 1, 0, 0, 0 }, 10 },
		{ 0, BW_ITEM_FAILED, BW_OK, { 4, 1, 0, 0, 0 }, 10 },    { 3, BW_ITEM_GONE, BW_OK, { 3, 1, 1, 0, 0 }, 10 },
		{ 2, BW_ITEM_REFUSED, BW_OK, { 2, 1, 1, 1, 0 }, 10 },   { 1, BW_ITEM_FAILED, BW_OK, { 1, 1, 1, 1, 1 }, 10 },
		{ 5, BW_ITEM_DONE, BW_ERR_NOT_FOUND, { 1, 1, 1, 1, 1 }, 10 }, { -1, BW_ITEM_DONE, BW_ERR_NOT_FOUND, { 1, 1, 1, 1, 1 }, 10 },
		{ 4, BW_ITEM_PENDING, BW_ERR_INPUT, { 1, 1, 1, 1, 1 }, 10 },
		{ 4, BW_ITEM_DONE, BW_OK, { 0, 2, 1, 1, 1 }, 20 },
	};
	struct bw_store *s = STORE(state);

	assert_int_equal(put(s, "o1", 0, 5), BW_OK);
	assert_int_equal(move(s, "o1", BW_ORDER_WRITING, BW_ORDER_RUNNING), BW_OK);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum bw_err err = result(s, "o1", cases[i].number, cases[i].result);
		struct bw_order_row row = one(s, "o1");

		if (err != cases[i].err || memcmp(row.results, cases[i].counts, sizeof(row.results)) != 0 ||
		    row.deliveries != cases[i].deliveries)
			fail_msg("result %zu: %s, %lld deliveries", i, bw_err_name(err), (long long)row.deliveries);
		if (i == 4)
			assert_string_equal(items(s, "o1", 0, 0, true).numbers, "1 4 ");
	}
	struct items i = items(s, "o1", 3, 1, false);

	assert_int_equal(i.n, 1);
	assert_int_equal(i.last.result, BW_ITEM_GONE);
	assert_int_equal(i.last.done_ms, T0 + 5);
	assert_string_equal(i.note, "said");
	assert_string_equal(items(s, "o1", 1, 2, false).numbers, "1 2 ");
	assert_int_equal(items(s, "o1", 0, 0, true).n, 0);
	assert_int_equal(result(s, "o9", 0, BW_ITEM_DONE), BW_ERR_NOT_FOUND);
}

/* More than any page of a backend: all come, in order, and the pending ones are found behind those that are done. */
static void long_order(void **state)
{
	enum { PIECES = 3 };
	struct bw_store *s = STORE(state);

	for (int i = 0; i < PIECES; i++)
		assert_int_equal(put(s, "o1", i * BW_ORDER_PIECE, BW_ORDER_PIECE), BW_OK);
	assert_int_equal(items(s, "o1", 0, 0, false).n, PIECES * BW_ORDER_PIECE);
	assert_int_equal(items(s, "o1", 700, 600, false).n, 600);
	for (int i = 0; i < 1300; i++)
		assert_int_equal(result(s, "o1", i, BW_ITEM_DONE), BW_OK);
	struct items i = items(s, "o1", 0, 2, true);

	assert_string_equal(i.numbers, "1300 1301 ");
	assert_int_equal(one(s, "o1").deliveries, 13000);
}

/* --- races --- */

enum { RACERS = 4, RACE_ITEMS = 60 };

static void *race(void *arg)
{
	struct bw_store *s = arg;
	struct piece p;
	struct bw_order_row row = order("o1");

	for (int from = 0; from < RACE_ITEMS; from += 20)
		(void)s->ops->order_put(s, &row, piece(&p, from, 20), 20, NULL);
	(void)move(s, "o1", BW_ORDER_WRITING, BW_ORDER_RUNNING);
	for (int i = 0; i < RACE_ITEMS; i++)
		(void)result(s, "o1", i, BW_ITEM_DONE);
	return move(s, "o1", BW_ORDER_RUNNING, BW_ORDER_DONE) == BW_OK ? arg : NULL;
}

/* Several write the same order and carry it out at once: every item counts once, and one ends it. */
static void at_once(void **state)
{
	struct bw_store *s = STORE(state);
	pthread_t threads[RACERS];
	int ended = 0;

	for (int i = 0; i < RACERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, race, s), 0);
	for (int i = 0; i < RACERS; i++) {
		void *out;

		pthread_join(threads[i], &out);
		ended += out != NULL;
	}
	struct bw_order_row row = one(s, "o1");

	assert_int_equal(ended, 1);
	assert_int_equal(row.state, BW_ORDER_DONE);
	assert_int_equal(row.items, RACE_ITEMS);
	assert_int_equal(row.results[BW_ITEM_DONE], RACE_ITEMS);
	assert_int_equal(row.results[BW_ITEM_PENDING], 0);
	assert_int_equal(row.deliveries, RACE_ITEMS * 10);
	assert_int_equal(items(s, "o1", 0, 0, false).n, RACE_ITEMS);
}

/* --- expiry --- */

static void expire(struct bw_store *s, int64_t now_ms)
{
	for (int i = 0; i < 6; i++)
		assert_ok(s->ops->expire(s, now_ms, WEEK, &why));
}

static bool is_there(struct bw_store *s, const char *id)
{
	return ask(s, (struct bw_order_query){ .id = hash_of(id) }).n == 1;
}

static void orders_go(void **state)
{
	struct bw_store *s = STORE(state);
	static const char *const ids[] = { "writing", "running", "done", "late" };

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct piece p;
		struct bw_order_row row = order(ids[i]);

		row.made_ms = i == 3 ? T0 + HOUR : T0;
		row.expires_ms = T0 + 2 * BW_DAY_MS;
		assert_ok(s->ops->order_put(s, &row, piece(&p, 0, 400), 400, &why));
	}
	assert_int_equal(move(s, "running", BW_ORDER_WRITING, BW_ORDER_RUNNING), BW_OK);
	assert_int_equal(move(s, "done", BW_ORDER_WRITING, BW_ORDER_DONE), BW_OK);
	/* Its writer is gone, and who comes back after an hour must begin anew. */
	expire(s, T0 + HOUR - 1);
	assert_int_equal(put(s, "writing", 400, 1), BW_OK);
	expire(s, T0 + HOUR);
	assert_int_equal(put(s, "late", 400, 1), BW_OK);
	assert_false(is_there(s, "writing"));
	assert_int_equal(move(s, "late", BW_ORDER_WRITING, BW_ORDER_RUNNING), BW_OK);
	/* Thirty days after the end, of what ended or should have. */
	expire(s, T0 + 30 * BW_DAY_MS);
	assert_true(is_there(s, "done"));
	expire(s, T0 + 30 * BW_DAY_MS + 1);
	assert_false(is_there(s, "done"));
	expire(s, T0 + 32 * BW_DAY_MS - 1);
	assert_true(is_there(s, "running"));
	expire(s, T0 + 32 * BW_DAY_MS);
	assert_false(is_there(s, "running"));
	assert_false(is_there(s, "late"));
	assert_int_equal(items(s, "running", 0, 0, false).n, 0);
}

int run_orders(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(put_and_read), TEST(pieces),     TEST(refused), TEST(queries),   TEST(moves),
		TEST(results),      TEST(long_order), TEST(at_once), TEST(orders_go),
	};

	return cmocka_run_group_tests_name("orders", tests, NULL, NULL);
}
