/* link: bw_agent bw_store bw_base */
/* Freeze, thaw, drop, and back: whatever is killed or does not answer in between, nothing is lost, and nobody else's hold is touched. */
#include "store-kit.h"

#include "../../milter/agent/archive.h"
#include "../../milter/agent/frozen.h"
#include "bw/clock.h"

#define HOST  "mx1"
#define QUEUE "Q1"
#define AGAIN "Q2" /* what it is called when it comes back */

/* --- an MTA with one message --- */

static struct {
	enum { QUEUED, HELD, GONE } where;
	bool marked;
	int64_t arrived_ms;
	const char *name; /* its queue id */
	int released, dropped, put;
	enum bw_err says;  /* instead of doing what it is asked */
	bool lost;         /* it does what it is asked, and its answer is lost */
} mail;

static bool fake_is_id(const char *text)
{
	return strcmp(text, QUEUE) == 0 || strcmp(text, AGAIN) == 0;
}

/* False: it does nothing. */
static bool obeys(enum bw_err *err, struct bw_why *why)
{
	*err = mail.lost ? bw_fail(why, BW_ERR_IO, "has not answered") : mail.says != BW_OK ? bw_fail(why, mail.says, "says no") : BW_OK;
	return mail.lost || mail.says == BW_OK;
}

static enum bw_err fake_hold(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	enum bw_err err;

	(void)place;
	(void)queue_id;
	if (obeys(&err, why))
		mail.where = HELD;
	return err;
}

static enum bw_err fake_release(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	enum bw_err err;

	(void)place;
	(void)queue_id;
	if (obeys(&err, why)) {
		mail.where = QUEUED;
		mail.released++;
	}
	return err;
}

static enum bw_err fake_deliver(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	(void)place;
	(void)queue_id;
	return bw_fail(why, BW_ERR_IO, "the next queue run delivers");
}

static enum bw_err fake_drop(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	enum bw_err err;

	(void)place;
	(void)queue_id;
	if (obeys(&err, why)) {
		mail.where = GONE;
		mail.dropped++;
	}
	return err;
}

static enum bw_err fake_look(const struct bw_mta_place *place, const struct bw_key *key, const char *queue_id, BW_EACH(struct bw_queued),
                             struct bw_why *why)
{
	const struct bw_queued row = {
		.queue_id = bw_slice_of(queue_id), .held = mail.where == HELD, .marked = mail.marked, .arrived_ms = mail.arrived_ms
	};

	(void)place;
	(void)key;
	if (mail.where == GONE || strcmp(queue_id, mail.name) != 0)
		return bw_fail(why, BW_ERR_NOT_FOUND, "gone");
	each(ctx, &row);
	return BW_OK;
}

static enum bw_err fake_files(const struct bw_mta_place *place, const char *queue_id, struct bw_queue_file files[BW_QUEUE_FILES_MAX],
                              size_t *count, struct bw_why *why)
{
	FILE *file;

	(void)place;
	(void)queue_id;
	(void)why;
	snprintf(files[0].path, sizeof(files[0].path), "%s/message", kit_dir);
	files[0].name = "message";
	*count = 1;
	file = fopen(files[0].path, "w");
	assert_non_null(file);
	fputs("text", file);
	fclose(file);
	return BW_OK;
}

/* As real ones do it: what stands there already is what an earlier attempt has left. */
static enum bw_err fake_put(const struct bw_mta_place *place, struct bw_archived *from, char queue_id[BW_QUEUE_ID_BYTES],
                            enum bw_err (*note)(void *ctx, const char *queue_id, struct bw_why *why), void *ctx, struct bw_why *why)
{
	enum bw_err err;

	(void)place;
	assert_non_null(from);
	if (mail.where == HELD && strcmp(queue_id, mail.name) == 0)
		return BW_OK;
	snprintf(queue_id, BW_QUEUE_ID_BYTES, AGAIN);
	err = note(ctx, AGAIN, why);
	if (err == BW_OK && obeys(&err, why)) {
		mail.where = HELD;
		mail.name = AGAIN;
		mail.put++;
	}
	return err;
}

static const struct bw_mta fake = {
	.name = "postfix",
	.is_queue_id = fake_is_id,
	.release = fake_release,
	.deliver = fake_deliver,
	.look = fake_look,
	.files = fake_files,
	.hold = fake_hold,
	.drop = fake_drop,
	.put = fake_put,
};
static const struct places places = { .each = { { .mta = &fake } }, .count = 1 };

/* --- the stage --- */

static const struct bw_key key = { { 7 } };
static struct bw_store *store;
static struct bw_keeper keeper;
static char archive_path[200];

static int set(void **state)
{
	struct bw_why why;

	if (kit_setup(state) != 0)
		return -1;
	memset(&mail, 0, sizeof(mail));
	mail.arrived_ms = KIT_T0;
	mail.name = QUEUE;
	store = bw_store_faulty_new(kit_open(1000), 50);
	keeper = (struct bw_keeper){ .store = store, .key = &key, .host = HOST, .by = "agent", .archive = -1, .archive_most_bytes = 1 << 20,
		                         .now_ms = KIT_T0 + BW_MINUTE_MS };
	snprintf(archive_path, sizeof(archive_path), "%s.archive", kit_dir);
	if (bw_archive_open(archive_path, &keeper.archive, &why) != BW_OK)
		return -1;
	const struct bw_post posts[] = {
		{ .id = kit_hash("p"), .host = BW_S(HOST), .queue_id = BW_S(QUEUE), .mta = BW_S("postfix"), .list = BW_S(KIT_LIST),
		  .deliveries = 1000, .accepted_ms = KIT_T0 },
		{ .id = kit_hash("p"), .host = BW_S(HOST), .queue_id = BW_S(QUEUE), .mta = BW_S("postfix"), .list = BW_S("b@example.org"),
		  .deliveries = 50, .accepted_ms = KIT_T0 },
	};

	return store->ops->post_put(store, posts, 2, &why) == BW_OK ? 0 : -1;
}

static int clear(void **state)
{
	char command[300];

	close(keeper.archive);
	bw_store_close(&store);
	snprintf(command, sizeof(command), "rm -rf '%s'", archive_path);
	return system(command) == 0 ? kit_teardown(state) : -1;
}

static char name_there[BW_QUEUE_ID_BYTES]; /* in the store */

static bool note_state(void *ctx, const struct bw_post *row)
{
	*(enum bw_post_state *)ctx = row->state;
	bw_slice_copy(row->queue_id, name_there, sizeof(name_there));
	return true;
}

static enum bw_post_state state_of(void)
{
	struct bw_post_query one = { .id = kit_hash("p") };
	enum bw_post_state state = BW_POST_STATE_COUNT;

	bw_store_faulty_set(store, false, 0);
	assert_int_equal(store->ops->post_each(store, &one, note_state, &state, NULL), BW_OK);
	return state;
}

static struct outcome outcome;

/* As an item of an order. */
static enum bw_item_result item(enum bw_order_kind kind, const char *post, const char *queue_id)
{
	const struct bw_order_item row = { .subject = kit_hash(post), .mta = BW_S("postfix"), .queue_id = bw_slice_of(queue_id),
		                               .list = BW_S(KIT_LIST), .signed_text = BW_S("v=1") };
	const struct item_order order = { .kind = kind, .id = kit_hash("o"), .owner = "ops", .made_ms = KIT_T0 };
	const struct item_tools tools = { .keeper = &keeper, .ledger = store, .posts = store, .places = &places };
	struct item copy;

	agent_item_copy(&row, &copy);
	agent_item_do(&tools, &order, &copy, KIT_T0 + BW_MINUTE_MS, &outcome);
	return outcome.result;
}

static bool archived(void)
{
	struct bw_hash id = kit_hash("p");

	return archive_has(keeper.archive, &id, ARCHIVE_MESSAGE);
}

/* --- tests --- */

static void there_and_back(void **state)
{
	(void)state;
	assert_int_equal(item(BW_ORDER_FREEZE, "p", QUEUE), BW_ITEM_DONE);
	assert_string_equal(outcome.note.text, "frozen");
	assert_int_equal(outcome.deliveries, 1050); /* of all its lists */
	assert_int_equal(mail.where, HELD);
	assert_int_equal(state_of(), BW_POST_FROZEN);
	assert_int_equal(item(BW_ORDER_FREEZE, "p", QUEUE), BW_ITEM_DONE); /* again, by one who was killed */
	assert_int_equal(item(BW_ORDER_THAW, "p", QUEUE), BW_ITEM_DONE);
	assert_int_equal(mail.where, QUEUED);
	assert_int_equal(state_of(), BW_POST_THAWED);
	assert_int_equal(item(BW_ORDER_DROP, "p", QUEUE), BW_ITEM_REFUSED); /* not frozen */
	assert_int_equal(item(BW_ORDER_FREEZE, "p", QUEUE), BW_ITEM_DONE);
	assert_int_equal(item(BW_ORDER_DROP, "p", QUEUE), BW_ITEM_DONE);
	assert_int_equal(mail.where, GONE);
	assert_int_equal(state_of(), BW_POST_DROPPED);
	assert_true(archived());
	assert_int_equal(item(BW_ORDER_DROP, "p", QUEUE), BW_ITEM_DONE);
	assert_int_equal(item(BW_ORDER_FREEZE, "p", QUEUE), BW_ITEM_REFUSED);
	assert_int_equal(item(BW_ORDER_THAW, "p", QUEUE), BW_ITEM_REFUSED);
	assert_int_equal(mail.released, 1);
	assert_int_equal(mail.dropped, 1);
}

static void not_that_one(void **state)
{
	static const struct {
		int64_t arrived_ms;
		bool marked;
		enum bw_item_result result;
	} cases[] = {
		{ KIT_T0 + 2001, false, BW_ITEM_REFUSED },           { KIT_T0 + 2000, true, BW_ITEM_REFUSED },
		{ KIT_T0 - BW_HOUR_MS - 1, false, BW_ITEM_REFUSED }, { 0, false, BW_ITEM_REFUSED },
		{ KIT_T0 - BW_HOUR_MS, false, BW_ITEM_DONE },        { KIT_T0 + 2000, false, BW_ITEM_DONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		mail.arrived_ms = cases[i].arrived_ms;
		mail.marked = cases[i].marked;
		if (item(BW_ORDER_FREEZE, "p", QUEUE) != cases[i].result || (mail.where == HELD) != (cases[i].result == BW_ITEM_DONE))
			fail_msg("case %zu: %s: %s", i, bw_item_result_name(outcome.result), outcome.note.text);
	}
	assert_int_equal(item(BW_ORDER_FREEZE, "another", QUEUE), BW_ITEM_REFUSED);
	assert_int_equal(item(BW_ORDER_FREEZE, "p", "Q2"), BW_ITEM_REFUSED);
	keeper.host = "mx2";
	assert_int_equal(item(BW_ORDER_THAW, "p", QUEUE), BW_ITEM_REFUSED);
	assert_int_equal(mail.where, HELD);
}

static void somebody_elses(void **state)
{
	(void)state;
	mail.where = HELD;
	assert_int_equal(item(BW_ORDER_FREEZE, "p", QUEUE), BW_ITEM_REFUSED);
	assert_int_equal(state_of(), BW_POST_QUEUED);
	assert_int_equal(item(BW_ORDER_THAW, "p", QUEUE), BW_ITEM_REFUSED);
	assert_int_equal(item(BW_ORDER_DROP, "p", QUEUE), BW_ITEM_REFUSED);
	assert_int_equal(mail.where, HELD);
	/* Frozen, let go by hand, and held by somebody. */
	mail.where = QUEUED;
	assert_int_equal(item(BW_ORDER_FREEZE, "p", QUEUE), BW_ITEM_DONE);
	mail.where = QUEUED;
	assert_int_equal(item(BW_ORDER_THAW, "p", QUEUE), BW_ITEM_DONE); /* as it was ordered */
	mail.where = HELD;
	assert_int_equal(item(BW_ORDER_THAW, "p", QUEUE), BW_ITEM_REFUSED);
	assert_int_equal(mail.released, 0);
}

static void gone(void **state)
{
	(void)state;
	mail.where = GONE;
	assert_int_equal(item(BW_ORDER_FREEZE, "p", QUEUE), BW_ITEM_GONE);
	assert_int_equal(state_of(), BW_POST_QUEUED);
	mail.where = QUEUED;
	mail.says = BW_ERR_NOT_FOUND; /* delivered just now */
	assert_int_equal(item(BW_ORDER_FREEZE, "p", QUEUE), BW_ITEM_GONE);
	assert_int_equal(state_of(), BW_POST_QUEUED);
	mail.says = BW_OK;
	assert_int_equal(item(BW_ORDER_FREEZE, "p", QUEUE), BW_ITEM_DONE);
	mail.where = GONE; /* by hand */
	assert_int_equal(item(BW_ORDER_DROP, "p", QUEUE), BW_ITEM_GONE);
	assert_false(archived());
	assert_int_equal(state_of(), BW_POST_THAWED);
}

/* Done, and nobody was told: found done by the next attempt, once. */
static void lost_answers(void **state)
{
	(void)state;
	mail.lost = true;
	item(BW_ORDER_FREEZE, "p", QUEUE);
	assert_true(outcome.again);
	mail.lost = false;
	assert_int_equal(item(BW_ORDER_FREEZE, "p", QUEUE), BW_ITEM_DONE);
	mail.lost = true;
	item(BW_ORDER_THAW, "p", QUEUE);
	assert_true(outcome.again);
	mail.lost = false;
	assert_int_equal(item(BW_ORDER_THAW, "p", QUEUE), BW_ITEM_DONE);
	assert_int_equal(mail.released, 1);
	assert_int_equal(item(BW_ORDER_FREEZE, "p", QUEUE), BW_ITEM_DONE);
	mail.lost = true;
	item(BW_ORDER_DROP, "p", QUEUE);
	assert_true(outcome.again);
	assert_int_equal(mail.where, GONE);
	assert_true(archived()); /* it is nowhere else */
	mail.lost = false;
	assert_int_equal(item(BW_ORDER_DROP, "p", QUEUE), BW_ITEM_DONE);
	assert_int_equal(state_of(), BW_POST_DROPPED);
	assert_int_equal(mail.dropped, 1);
}

/* What is still queued is not in the archive as well. */
static void refused_by_the_mta(void **state)
{
	(void)state;
	assert_int_equal(item(BW_ORDER_FREEZE, "p", QUEUE), BW_ITEM_DONE);
	mail.says = BW_ERR_PERMISSION;
	assert_int_equal(item(BW_ORDER_DROP, "p", QUEUE), BW_ITEM_REFUSED);
	assert_false(archived());
	assert_int_equal(state_of(), BW_POST_FROZEN);
	keeper.archive_most_bytes = 1; /* a full archive drops nothing */
	mail.says = BW_OK;
	assert_int_equal(item(BW_ORDER_DROP, "p", QUEUE), BW_ITEM_FAILED);
	assert_int_equal(mail.where, HELD);
}

/* The store is away: nothing is held that it does not say is frozen. */
static void without_the_store(void **state)
{
	(void)state;
	bw_store_faulty_set(store, true, 0);
	item(BW_ORDER_FREEZE, "p", QUEUE);
	assert_true(outcome.again && outcome.away);
	assert_int_equal(mail.where, QUEUED);
	assert_int_equal(state_of(), BW_POST_QUEUED);
}

/* --- what was dropped comes back --- */

static void dropped(void)
{
	assert_int_equal(item(BW_ORDER_FREEZE, "p", QUEUE), BW_ITEM_DONE);
	assert_int_equal(item(BW_ORDER_DROP, "p", QUEUE), BW_ITEM_DONE);
	assert_int_equal(mail.where, GONE);
	assert_int_equal(state_of(), BW_POST_DROPPED);
}

static bool noted(void)
{
	struct bw_hash id = kit_hash("p");

	return archive_has(keeper.archive, &id, ARCHIVE_PLACE);
}

static void is_back(void)
{
	assert_int_equal(mail.where, HELD);
	assert_int_equal(mail.put, 1);
	assert_int_equal(state_of(), BW_POST_FROZEN);
	assert_string_equal(name_there, AGAIN);
	assert_false(archived());
	assert_false(noted());
}

static void restored(void **state)
{
	(void)state;
	dropped();
	assert_int_equal(item(BW_ORDER_RESTORE, "p", QUEUE), BW_ITEM_DONE);
	assert_string_equal(outcome.note.text, "restored");
	assert_int_equal(outcome.deliveries, 1050);
	is_back();
	assert_int_equal(item(BW_ORDER_RESTORE, "p", QUEUE), BW_ITEM_DONE); /* again, by one who was killed */
	is_back();
	assert_int_equal(item(BW_ORDER_THAW, "p", QUEUE), BW_ITEM_REFUSED); /* as it was called before */
	assert_int_equal(item(BW_ORDER_THAW, "p", AGAIN), BW_ITEM_DONE);
	assert_int_equal(mail.released, 1);
	assert_int_equal(item(BW_ORDER_RESTORE, "p", AGAIN), BW_ITEM_REFUSED); /* not dropped */
	assert_int_equal(item(BW_ORDER_RESTORE, "another", QUEUE), BW_ITEM_REFUSED);
}

static void restored_too_late(void **state)
{
	struct bw_hash id = kit_hash("p");

	(void)state;
	dropped();
	assert_int_equal(archive_remove(keeper.archive, &id, ARCHIVE_MESSAGE, NULL), BW_OK);
	assert_int_equal(item(BW_ORDER_RESTORE, "p", QUEUE), BW_ITEM_GONE);
	assert_non_null(strstr(outcome.note.text, "not in the archive any more"));
	assert_int_equal(mail.put, 0);
	assert_int_equal(state_of(), BW_POST_DROPPED);
}

/* The MTA has it, and nobody was told; or the store was not. */
static void restored_by_halves(void **state)
{
	const struct bw_post post = { .id = kit_hash("p"), .queue_id = BW_S(QUEUE), .mta = BW_S("postfix"), .accepted_ms = KIT_T0,
		                          .state = BW_POST_DROPPED };
	const struct bw_mta_place place = { .commands = NULL };
	struct bw_why why;

	(void)state;
	for (int i = 0; i < 2; i++) {
		mail.where = QUEUED;
		mail.put = 0;
		mail.name = QUEUE;
		assert_int_equal(store->ops->post_return(store, &post.id, BW_POST_QUEUED, BW_S(QUEUE), 0, NULL), BW_OK);
		dropped();
		mail.lost = i == 0;
		bw_store_faulty_set(store, i == 1, 0);
		assert_int_equal(bw_keeper_undrop(&keeper, &fake, &place, &post, &why), i == 0 ? BW_ERR_IO : BW_ERR_STORE);
		mail.lost = false;
		assert_int_equal(mail.where, HELD);
		assert_true(archived() && noted());
		assert_int_equal(state_of(), BW_POST_DROPPED);
		assert_int_equal(item(BW_ORDER_RESTORE, "p", QUEUE), BW_ITEM_DONE);
		is_back();
	}
}

/* What stands under that name is somebody else's: the archive stays the only place that has ours. */
static void not_what_was_put(void **state)
{
	(void)state;
	dropped();
	mail.arrived_ms = KIT_T0 + BW_HOUR_MS;
	assert_int_equal(item(BW_ORDER_RESTORE, "p", QUEUE), BW_ITEM_REFUSED);
	assert_true(archived());
	assert_int_equal(state_of(), BW_POST_DROPPED);
}

/* Killed before the copy was removed: what went another way afterwards was not dropped. */
static void copies_of_what_is_back(void **state)
{
	struct bw_hash id = kit_hash("p");

	(void)state;
	for (int i = 0; i < 2; i++) {
		mail.where = QUEUED;
		mail.name = QUEUE;
		assert_int_equal(store->ops->post_return(store, &id, BW_POST_QUEUED, BW_S(QUEUE), 0, NULL), BW_OK);
		dropped();
		assert_int_equal(archive_note(keeper.archive, &id, ARCHIVE_PLACE, AGAIN, NULL), BW_OK);
		assert_int_equal(store->ops->post_return(store, &id, BW_POST_FROZEN, BW_S(AGAIN), 0, NULL), BW_OK);
		mail.name = AGAIN;
		mail.where = i == 0 ? GONE : HELD;
		assert_int_equal(item(i == 0 ? BW_ORDER_DROP : BW_ORDER_THAW, "p", AGAIN), i == 0 ? BW_ITEM_GONE : BW_ITEM_DONE);
		assert_int_equal(state_of(), BW_POST_THAWED);
		assert_int_equal(archived(), i == 0);
	}
}

#define FROZEN_TEST(function) cmocka_unit_test_setup_teardown(function, set, clear)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		FROZEN_TEST(there_and_back), FROZEN_TEST(not_that_one),       FROZEN_TEST(somebody_elses),    FROZEN_TEST(gone),
		FROZEN_TEST(lost_answers),   FROZEN_TEST(refused_by_the_mta), FROZEN_TEST(without_the_store),
		FROZEN_TEST(restored),       FROZEN_TEST(restored_too_late),  FROZEN_TEST(restored_by_halves), FROZEN_TEST(not_what_was_put),
		FROZEN_TEST(copies_of_what_is_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
