#include "runner-stage.h"

static const struct bw_key key = { { 7 } };

struct queue queue[MESSAGES];
int64_t now_ms;
enum bw_err mta_says;
bool mta_forgets;

/* --- the MTA --- */

static int index_of(const char *queue_id)
{
	return queue_id[0] == 'Q' ? (queue_id[1] - '0') * 10 + queue_id[2] - '0' : -1;
}

static bool fake_is_id(const char *text)
{
	return strlen(text) == 3 && index_of(text) >= 0 && index_of(text) < MESSAGES;
}

static enum bw_err check_order(const struct bw_mta_place *place, struct bw_why *why)
{
	if (mta_says != BW_OK)
		return bw_fail(why, mta_says, "the MTA fails");
	if (place->order == NULL || strncmp(place->order, "good", 4) != 0)
		return bw_fail(why, BW_ERR_PERMISSION, "not signed");
	return BW_OK;
}

static enum bw_err answer(struct bw_why *why)
{
	return mta_forgets ? bw_fail(why, BW_ERR_IO, "no answer") : BW_OK;
}

static enum bw_err fake_release(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	struct queue *q = &queue[index_of(queue_id)];
	enum bw_err err = check_order(place, why);

	if (err != BW_OK)
		return err;
	q->where = OUT;
	q->times++;
	q->at_ms = now_ms;
	return answer(why);
}

static enum bw_err fake_deliver(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	(void)place;
	(void)queue_id;
	(void)why;
	return BW_OK;
}

static enum bw_err fake_look(const struct bw_mta_place *place, const struct bw_key *k, const char *queue_id, BW_EACH(struct bw_queued),
                             struct bw_why *why)
{
	const struct queue *q = &queue[index_of(queue_id)];
	const struct bw_queued row = { .queue_id = bw_slice_of(queue_id), .held = true, .marked = true, .mark = { .id = q->mark } };

	(void)place;
	(void)k;
	if (q->where != HELD)
		return bw_fail(why, BW_ERR_NOT_FOUND, "gone");
	each(ctx, &row);
	return BW_OK;
}

static enum bw_err fake_files(const struct bw_mta_place *place, const char *queue_id, struct bw_queue_file files[BW_QUEUE_FILES_MAX],
                              size_t *count, struct bw_why *why)
{
	FILE *file;

	(void)place;
	(void)why;
	snprintf(files[0].path, sizeof(files[0].path), "%s/%s", kit_dir, queue_id);
	files[0].name = "message";
	*count = 1;
	file = fopen(files[0].path, "w");
	assert_non_null(file);
	fprintf(file, "text of %s", queue_id);
	fclose(file);
	return BW_OK;
}

static enum bw_err fake_drop(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	enum bw_err err = check_order(place, why);

	if (err == BW_OK)
		queue[index_of(queue_id)].where = DROPPED;
	return err == BW_OK ? answer(why) : err;
}

static enum bw_err fake_put(const struct bw_mta_place *place, struct bw_archived *from, char queue_id[BW_QUEUE_ID_BYTES],
                            enum bw_err (*note)(void *ctx, const char *queue_id, struct bw_why *why), void *ctx, struct bw_why *why)
{
	enum bw_err err = check_order(place, why);

	(void)from;
	if (err == BW_OK)
		err = note(ctx, queue_id, why);
	if (err == BW_OK)
		queue[index_of(queue_id)].where = HELD;
	return err == BW_OK ? answer(why) : err;
}

static const struct bw_mta fake = {
	.name = "postfix",
	.is_queue_id = fake_is_id,
	.release = fake_release,
	.deliver = fake_deliver,
	.look = fake_look,
	.files = fake_files,
	.drop = fake_drop,
	.put = fake_put,
};
static const struct places places = { .each = { { .mta = &fake } }, .count = 1 };

/* --- the stage --- */

struct bw_store *store;
struct runner_tools tools;
struct runner *runner;
char archive_path[200];
static struct bw_keeper keeper;

struct bw_hash id_of(int i)
{
	return (struct bw_hash){ { 1, (uint8_t)i } };
}

const char *queue_id_of(int i)
{
	static char ids[MESSAGES][16];

	snprintf(ids[i], sizeof(ids[i]), "Q%d%d", i / 10 % 10, i % 10);
	return ids[i];
}

static int64_t clock_ms(void *ctx)
{
	(void)ctx;
	return now_ms;
}

void hold_all(void)
{
	for (int i = 0; i < MESSAGES; i++) {
		const struct bw_held held = { .id = id_of(i), .host = BW_S(HOST), .queue_id = bw_slice_of(queue_id_of(i)), .mta = BW_S("postfix"),
			                          .list = BW_S(KIT_LIST), .guard = BW_S("list"), .deliveries = 1000, .held_ms = KIT_T0,
			                          .message = id_of(100 + i) };

		queue[i] = (struct queue){ .where = HELD, .mark = id_of(i) };
		assert_int_equal(store->ops->held_put(store, &held, NULL), BW_OK);
	}
}

void start_runner(void)
{
	struct bw_why why;

	keeper = (struct bw_keeper){ .store = store, .key = &key, .host = HOST, .by = "agent", .archive = -1, .archive_most_bytes = 1 << 20 };
	snprintf(archive_path, sizeof(archive_path), "%s.archive", kit_dir);
	assert_int_equal(bw_archive_open(archive_path, &keeper.archive, &why), BW_OK);
	tools = (struct runner_tools){ .orders = { store }, .ledger = store, .keeper = &keeper, .places = &places };
	assert_int_equal(agent_runner_new(&tools, &runner, &why), BW_OK);
}

void stop_runner(void)
{
	agent_runner_free(&runner);
	close(keeper.archive);
}

int stage_set(void **state)
{
	if (kit_setup(state) != 0)
		return -1;
	now_ms = KIT_T0 + BW_HOUR_MS;
	mta_says = BW_OK;
	mta_forgets = false;
	store = kit_open(1000);
	bw_store_sqlite_set_clock(store, clock_ms, NULL);
	hold_all();
	start_runner();
	return 0;
}

int stage_clear(void **state)
{
	char command[300];

	stop_runner();
	bw_store_close(&store);
	snprintf(command, sizeof(command), "rm -rf '%s'", archive_path);
	return system(command) == 0 ? kit_teardown(state) : -1;
}

/* --- orders --- */

struct bw_order_row row_of(uint8_t name, enum bw_order_kind kind, int64_t pace)
{
	return (struct bw_order_row){
		.id = { { 9, name } },
		.kind = kind,
		.host = BW_S(HOST),
		.owner = BW_S("jane"),
		.pace = pace,
		.observe_ms = 10 * BW_SECOND_MS,
		.made_ms = now_ms,
		.expires_ms = now_ms + BW_DAY_MS,
	};
}

struct bw_order_item item_of(int64_t number, int message)
{
	return (struct bw_order_item){ .number = number, .subject = id_of(message), .mta = BW_S("postfix"),
		                           .queue_id = bw_slice_of(queue_id_of(message)), .list = BW_S(KIT_LIST), .signed_text = BW_S("good"),
		                           .deliveries = 1000 };
}

void put_order(const struct bw_order_row *row, const struct bw_order_item *items, size_t n)
{
	struct bw_why why = { "" };

	if (store->ops->order_put(store, row, items, n, &why) != BW_OK)
		fail_msg("%s", why.text);
	assert_int_equal(store->ops->order_move(store, &row->id, BW_ORDER_WRITING, BW_ORDER_RUNNING, now_ms, row->owner, BW_S(""), &why), BW_OK);
}

/* About the messages `from` .. `to` - 1. */
void give(uint8_t name, enum bw_order_kind kind, int64_t pace, int from, int to)
{
	struct bw_order_row row = row_of(name, kind, pace);
	struct bw_order_item items[MESSAGES];

	for (int i = from; i < to; i++)
		items[i - from] = item_of(i - from, i);
	put_order(&row, items, (size_t)(to - from));
}

static bool copy_row(void *ctx, const struct bw_order_row *row)
{
	struct bw_order_row *out = ctx;
	static char note[600];

	*out = *row;
	bw_slice_copy(row->note, note, sizeof(note));
	out->note = bw_slice_of(note);
	return false;
}

struct bw_order_row seen(uint8_t name)
{
	const struct bw_order_query query = { .id = { { 9, name } } };
	struct bw_order_row row = { .items = -1 };

	assert_int_equal(store->ops->order_each(store, &query, copy_row, &row, NULL), BW_OK);
	return row;
}

void move(uint8_t name, enum bw_order_state from, enum bw_order_state to)
{
	const struct bw_hash id = { { 9, name } };

	assert_int_equal(store->ops->order_move(store, &id, from, to, now_ms, BW_S("jane"), BW_S(""), NULL), BW_OK);
}

struct counting {
	enum bw_event event;
	const char *part;
	int found;
};

static bool count_event(void *ctx, const struct bw_event_row *row)
{
	struct counting *c = ctx;

	c->found += row->event == c->event && bw_slice_contains_nocase(row->text, bw_slice_of(c->part));
	return true;
}

int events(enum bw_event event, const char *part)
{
	struct counting c = { event, part, 0 };

	assert_int_equal(store->ops->event_each(store, 0, 0, count_event, &c, NULL), BW_OK);
	return c.found;
}

/* Lets time go on until `end_ms`, as the agent does. How many steps there were. */
int run_until(int64_t end_ms)
{
	int steps = 0;

	while (now_ms < end_ms) {
		struct bw_why why = { "" };
		int64_t next_ms = 0;

		(void)agent_runner_step(runner, now_ms, &next_ms, &why);
		steps++;
		if (steps > 10000)
			fail_msg("the runner does not rest: %s", why.text);
		if (next_ms > now_ms)
			now_ms = next_ms < end_ms ? next_ms : end_ms;
	}
	return steps;
}

int count_where(int where)
{
	int n = 0;

	for (int i = 0; i < MESSAGES; i++)
		n += (int)queue[i].where == where;
	return n;
}

int64_t sql(const char *statement)
{
	return kit_sql(statement);
}
