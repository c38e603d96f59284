/* What Redis sees of us: how many connections and calls, which keys, for how long, and how much. */
#include "bw/clock.h"
#include "contract.h"
#include "redis-server.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { THREADS = 40, MESSAGES = 25, REPLY_BYTES = 60000 };

struct scene {
	struct redis_server server;
	struct bw_store *store;
	char reply[REPLY_BYTES];
};

static int scene_setup(void **state)
{
	struct scene *c = calloc(1, sizeof(*c));
	struct bw_store_redis_options options;

	if (c == NULL || !redis_server_start(&c->server, false))
		return -1;
	options = redis_server_options(&c->server);
	options.deadline_ms = 20000;
	if (bw_store_redis_open(&options, &c->store, NULL) != BW_OK)
		return -1;
	*state = c;
	return 0;
}

static int scene_teardown(void **state)
{
	struct scene *c = *state;

	bw_store_close(&c->store);
	redis_server_stop(&c->server);
	free(c);
	return 0;
}

#define SCENE(function) cmocka_unit_test_setup_teardown(function, scene_setup, scene_teardown)

static const char *ask(struct scene *c, const char *command)
{
	assert_true(redis_server_admin(&c->server, command, c->reply, sizeof(c->reply)));
	return c->reply;
}

/* --- connections and calls --- */

struct worker {
	struct bw_store *store;
	int index;
};

static void *work(void *arg)
{
	const struct worker *w = arg;
	char id[32], list[32];

	for (int i = 0; i < MESSAGES; i++) {
		struct bw_count_in in[2];
		struct bw_count_out out[2];

		snprintf(id, sizeof(id), "m%d-%d", w->index, i);
		snprintf(list, sizeof(list), "l%d@example.org", i % 5);
		in[0] = mail(0, id, id, NULL);
		in[1] = in[0];
		in[1].list = bw_slice_of(list);
		assert_ok(w->store->ops->count(w->store, in, out, 2, &why));
	}
	return NULL;
}

static int occurrences(const char *text, const char *word)
{
	int n = 0;

	for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
		n++;
	return n;
}

static void two_connections_and_one_call_a_list(void **state)
{
	struct scene *c = *state;
	struct worker workers[THREADS];
	pthread_t threads[THREADS];

	ask(c, "CONFIG RESETSTAT");
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ c->store, i };
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	assert_true(occurrences(ask(c, "CLIENT LIST"), "user=" REDIS_USER) <= 2);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(occurrences(ask(c, "CLIENT LIST"), "user=" REDIS_USER), 2);
	const char *calls = strstr(ask(c, "INFO commandstats"), "cmdstat_evalsha:calls=");

	assert_non_null(calls);
	assert_int_equal(atoi(calls + strlen("cmdstat_evalsha:calls=")), THREADS * MESSAGES * 2);
}

/* --- keys --- */

static void fill_orders(struct bw_store *s)
{
	const struct bw_order_row order = { .id = hash_of("o"), .host = BW_S("mx1") };
	const struct bw_order_item item = { .subject = hash_of("held"), .signed_text = BW_S("v=1") };
	const struct bw_post post = { .id = hash_of("p"), .list = BW_S(LIST) };

	assert_ok(s->ops->order_put(s, &order, &item, 1, &why));
	assert_ok(s->ops->post_put(s, &post, 1, &why));
}

static void fill(struct bw_store *s)
{
	struct bw_count_out root = offer(s, 0, "root", "comms", NULL);
	struct bw_host_row host = { .host = BW_S("mx1") };
	struct bw_event_row event = { .event = BW_EVENT_TRIP, .text = BW_S("x") };
	struct bw_setting_row setting = { .name = BW_S("mode"), .value = BW_S("shadow"), .until_ms = root.now_ms + HOUR };
	struct bw_list_row list = { .address = BW_S(LIST), .size = 10 };
	struct bw_meter_in meter = { 0, BW_METER_RECIPIENTS, hash_of("ann"), 7, 4 * WEEK };
	int64_t total;
	struct bw_held held = { .id = hash_of("held"), .message = hash_of("m"), .list = BW_S(LIST), .deliveries = 5 };

	stop(s, 0, "r1", "ann", "root");
	set_breaker(s, conversation_key(&root, BW_SIDE_MEMBERS), BW_PHASE_OPEN, 1, root.now_ms + HOUR);
	assert_ok(s->ops->meter(s, &meter, &total, 1, &why));
	assert_ok(s->ops->heartbeat(s, &host, &why));
	assert_ok(s->ops->event_add(s, &event, &why));
	assert_ok(s->ops->setting_put(s, &setting, NULL, &why));
	assert_ok(s->ops->list_put(s, &list, NULL, &why));
	assert_ok(s->ops->held_put(s, &held, &why));
	assert_ok(s->ops->held_move(s, &held.id, BW_HELD_WAITING, BW_HELD_RELEASED, 0, BW_S("ops"), &why));
	fill_orders(s);
}

/* Settings, directory, ledger and the numbers that must never start again. */
static bool may_stay(const char *key)
{
	static const char *const stay[] = { "numbers", "settings", "temporary", "history", "directory", "versions", "held", "order" };
	char name[64];

	for (size_t i = 0; i < sizeof(stay) / sizeof(stay[0]); i++) {
		snprintf(name, sizeof(name), "bw:{site}:%s", stay[i]);
		if (strcmp(key, name) == 0)
			return true;
	}
	return false;
}

static void every_key_has_an_end(void **state)
{
	struct scene *c = *state;
	char keys[REPLY_BYTES], command[256], *rest = keys, *word;
	int seen = 0;

	fill(c->store);
	snprintf(keys, sizeof(keys), "%s", ask(c, "KEYS *"));
	while ((word = strtok_r(rest, "\r\n", &rest)) != NULL) {
		if (word[0] == '*' || word[0] == '$')
			continue;
		assert_int_equal(strncmp(word, "bw:", 3), 0);
		snprintf(command, sizeof(command), "PTTL %s", word);
		int64_t ttl_ms = atoll(ask(c, command));

		if (!may_stay(word) && ttl_ms < WEEK)
			fail_msg("%s lives for %" PRId64 " ms", word, ttl_ms);
		seen++;
	}
	/* A list's, those that stay, hosts and events, two indexes, a meter, orders, posts. */
	assert_int_equal(seen, 3 + 8 + 2 + 2 + 1 + 3 + 2);
}

/* Ids, addresses of senders and keys are hashes; what is readable is the list. */
static void no_threshold_is_stored(void **state)
{
	struct scene *c = *state;
	struct bw_count_in in = mail(0, "m", "ann", NULL);

	in.budget = 987654321987;
	in.conversation_window_ms = 876543219;
	in.list_window_ms = 765432198;
	count(c->store, &in);
	in.again = true;
	count(c->store, &in);
	/* As numbers and as msgpack would write them. */
	const char *all =
		ask(c, "EVAL \"local out = '' for _, k in ipairs(redis.call('KEYS', '*')) do out = out .. redis.call('DUMP', k) end "
	           "local function find(n) return out:find(cmsgpack.pack(n), 1, true) or out:find(tostring(n), 1, true) end "
	           "return (find(987654321987) or find(876543219) or find(765432198)) and 1 or 0\" 0");

	assert_int_equal(atoi(all), 0);
}

/* --- size --- */

static int64_t number_of(struct scene *c, const char *command, const char *key)
{
	char text[256];

	snprintf(text, sizeof(text), "%s %s", command, key);
	return atoll(ask(c, text));
}

static void list_keys(struct scene *c, char keys[3][128])
{
	static const char *const kinds[] = { "h", "z", "x" };
	char pattern[32];

	for (size_t i = 0; i < 3; i++) {
		snprintf(pattern, sizeof(pattern), "KEYS bw:{*}:%s", kinds[i]);
		const char *at = strstr(ask(c, pattern), "bw:{");

		assert_non_null(at);
		snprintf(keys[i], sizeof(keys[i]), "%.*s", (int)strcspn(at, "\r\n"), at);
	}
}

/* A list that never rests, and nobody who calls expire(): counting itself keeps the keys bounded. */
static void counting_keeps_a_busy_list_small(void **state)
{
	struct scene *c = *state;
	char keys[3][128], id[32], root[32];
	int64_t most = 0;

	for (int i = 0; i < 4000; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		snprintf(root, sizeof(root), "root%d", i / 50);
		struct bw_count_in in = mail(T0 + i * 4 * BW_MINUTE_MS, id, id, i % 3 == 0 ? NULL : root);

		in.memory_ms = BW_DAY_MS / 4; /* of 90 messages */
		count(c->store, &in);
		if (i == 0)
			list_keys(c, keys);
		if (i % 500 == 499) {
			int64_t n = number_of(c, "HLEN", keys[0]) + number_of(c, "ZCARD", keys[1]) + number_of(c, "ZCARD", keys[2]);

			most = n > most ? n : most;
		}
	}
	/* Four memories' worth of messages, of some dozen entries each. */
	if (most > 90 * 4 * 16)
		fail_msg("%" PRId64 " entries", most);
}

static void put_post(struct bw_store *s, const char *id)
{
	const struct bw_post post = { .id = hash_of(id), .list = BW_S(LIST), .accepted_ms = T0 };

	assert_ok(s->ops->post_put(s, &post, 1, &why));
}

static bool note_post(void *ctx, const struct bw_post *row)
{
	(void)row;
	++*(int *)ctx;
	return true;
}

static int posts_of(struct bw_store *s, const char *id)
{
	const struct bw_post_query query = { .id = hash_of(id) };
	int n = 0;

	assert_ok(s->ops->post_each(s, &query, note_post, &n, &why));
	return n;
}

/* Of too many posts the oldest go, but none that is frozen: it waits in a hold queue. */
static void posts_are_bounded(void **state)
{
	struct scene *c = *state;
	struct bw_store *s = c->store;
	struct bw_hash frozen = hash_of("p2");
	char command[128];

	put_post(s, "p1");
	put_post(s, "p2");
	put_post(s, "p3");
	assert_ok(s->ops->post_move(s, &frozen, BW_POST_FROZEN, T0, &why));
	snprintf(command, sizeof(command), "HSET bw:{site}:numbers posted %d", BW_POSTS_MAX);
	ask(c, command);
	put_post(s, "p4"); /* number BW_POSTS_MAX + 1 */
	assert_int_equal(posts_of(s, "p1"), 0);
	assert_int_equal(posts_of(s, "p2"), 1);
	assert_int_equal(posts_of(s, "p3"), 1);
	put_post(s, "p5");
	put_post(s, "p6");
	assert_int_equal(posts_of(s, "p2"), 1);
	assert_int_equal(posts_of(s, "p3"), 0);
	assert_int_equal(posts_of(s, "p4"), 1);
}

/* With expire() only the memory's worth stays, and of a list without mail nothing. */
static void expiry_leaves_nothing(void **state)
{
	struct scene *c = *state;
	char id[32];

	for (int i = 0; i < 500; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		offer(c->store, T0 + i, id, id, i % 3 == 0 ? NULL : "root");
	}
	for (int i = 0; i < 20; i++)
		assert_ok(c->store->ops->expire(c->store, T0 + 500 + WEEK, WEEK, &why));
	assert_non_null(strstr(ask(c, "KEYS bw:{*}:h"), "*0"));
	assert_int_equal(number_of(c, "EXISTS", "bw:lists"), 0);
	assert_int_equal(number_of(c, "EXISTS", "bw:stopped"), 0);
}

/* Bytes from strangers are arguments, never commands, keys or patterns. */
static void hostile_names(void **state)
{
	static const char *const names[] = { "{a}b@x",           "}{@x", "a b@x", "*@x", "\r\nFLUSHALL\r\n@x", "%s%n@x", "\xff\xfe@x",
		                                 "']] return 1 --@x" };
	struct scene *c = *state;

	offer(c->store, 0, "witness", "ann", NULL);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct bw_count_in in = mail(0, names[i], names[i], NULL);

		in.list = bw_slice_of(names[i]);
		in.root_sender = bw_slice_of(names[i]);
		assert_int_equal(count(c->store, &in).list_senders, 1);
		assert_int_equal(count(c->store, &in).seen, BW_SEEN_DUPLICATE);
	}
	assert_int_equal(offer(c->store, 0, "second", "bob", NULL).list_senders, 2);
	assert_int_equal(occurrences(ask(c, "KEYS bw:{*}:h"), "bw:{"), 1 + (int)(sizeof(names) / sizeof(names[0])));
}

/* --- formats --- */

static void beat(struct scene *c, const char *host, int64_t format)
{
	struct bw_host_row row = { .host = bw_slice_of(host), .version = BW_S("x"), .format = format };

	assert_ok(c->store->ops->heartbeat(c->store, &row, &why));
}

static void hold_for_two(struct scene *c, const char *id)
{
	const struct bw_held_list lists[] = { { .list = BW_S(LIST), .deliveries = 5 }, { .list = BW_S("b@example.org"), .deliveries = 7 } };
	struct bw_held held = { .id = hash_of(id), .message = hash_of(id), .list = BW_S(LIST), .deliveries = 12, .lists = lists, .list_count = 2 };

	assert_ok(c->store->ops->held_put(c->store, &held, &why));
}

static bool note_lists(void *ctx, const struct bw_held *row)
{
	*(size_t *)ctx = row->list_count;
	return true;
}

static size_t lists_of(struct scene *c, const char *id)
{
	struct bw_held_query query = { .id = hash_of(id) };
	size_t n = 99;

	assert_ok(c->store->ops->held_each(c->store, &query, note_lists, &n, &why));
	return n;
}

/* A host of the version before is there: what it could not read is not written. It is upgraded: from then on the new format is, and
 * what was written before is read. */
static void hosts_are_upgraded_one_by_one(void **state)
{
	struct scene *c = *state;

	beat(c, "mx1", BW_STORE_FORMAT - 1);
	beat(c, "mx2", BW_STORE_FORMAT);
	hold_for_two(c, "old");
	assert_int_equal(lists_of(c, "old"), 0);
	beat(c, "mx1", BW_STORE_FORMAT);
	hold_for_two(c, "new");
	assert_int_equal(lists_of(c, "new"), 2);
	assert_int_equal(lists_of(c, "old"), 0);
	struct bw_hash old = hash_of("old");

	assert_ok(c->store->ops->held_move(c->store, &old, BW_HELD_WAITING, BW_HELD_RELEASED, 0, BW_S("ops"), &why));
	/* Set back: an older one joins again. */
	beat(c, "mx3", BW_STORE_FORMAT - 1);
	hold_for_two(c, "later");
	assert_int_equal(lists_of(c, "later"), 0);
}

/* Of the version after: its rows are refused with a sentence, not misread. */
static void a_newer_format_is_refused(void **state)
{
	struct scene *c = *state;
	struct bw_held_query all = { .limit = 0 };
	struct bw_why why = { "" };
	size_t n;

	hold_for_two(c, "h");
	ask(c, "EVAL \"local k,i=KEYS[1],redis.call('HKEYS',KEYS[1])[1] local r=cmsgpack.unpack(redis.call('HGET',k,i)) r[1]=3 "
	       "redis.call('HSET',k,i,cmsgpack.pack(r)) return 1\" 1 bw:{site}:held");
	assert_int_equal(c->store->ops->held_each(c->store, &all, note_lists, &n, &why), BW_ERR_STORE);
	assert_non_null(strstr(why.text, "another version of breakwater"));
}

/* --- the clock --- */

/* The server's clock was a day ahead, and was set back: store time goes on all the same. */
static void the_clock_was_ahead(void **state)
{
	struct scene *c = *state;
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	const int64_t ahead_ms = bw_clock_now_ms() + BW_DAY_MS;
	struct bw_count_in in = mail(ahead_ms, "m1", "ann", NULL);
	struct bw_count_out out;
	int64_t now_ms = 0;

	assert_int_equal(c->store->ops->count(c->store, &in, &out, 1, NULL), BW_OK);
	assert_int_equal(out.now_ms, ahead_ms);
	nanosleep(&pause, NULL);
	assert_int_equal(c->store->ops->now(c->store, &now_ms, NULL), BW_OK);
	assert_true(now_ms >= out.now_ms + 80);
	in = mail(0, "m2", "ann", NULL);
	assert_int_equal(c->store->ops->count(c->store, &in, &out, 1, NULL), BW_OK);
	assert_true(out.now_ms >= now_ms);
}

/* Whether a root is proven stands in a text that versions before carry along: as they write a conversation anew, nothing is lost; what they
 * found is not proven. */
static void an_older_version_carries_the_root(void **state)
{
	static const char rewrite[] =
		"EVAL \"local h=KEYS[1] for _,f in ipairs(redis.call('HKEYS',h)) do if f:byte()==99 then local t=redis.call('HGET',h,f) "
		"if t:byte()~=1 then return 'format' end local a,b,c,d,e,g=struct.unpack('>Bc16I6I6I4I6',t) "
		"local root=t:sub(40) if ARGV[1]~='' then root=ARGV[1] end "
		"redis.call('HSET',h,f,struct.pack('>Bc16I6I6I4I6',a,b,c,d,e,g)..root) end end return 'done'\" 1 %s %s";
	struct scene *c = *state;
	char keys[3][128], command[1024];
	struct bw_count_in in = mail(0, "root", "comms", NULL);

	in.root_trusted = true;
	struct bw_redirect_in ask_for = { .list = in.list, .conversation = count(c->store, &in).conversation, .message = hash_of("r"), .limit = 9,
		                              .memory_ms = WEEK };
	struct bw_redirect_out out;

	list_keys(c, keys);
	for (int older = 0; older < 2; older++) {
		snprintf(command, sizeof(command), rewrite, keys[0], older ? "root@example.org" : "\"\"");
		assert_non_null(strstr(ask(c, command), "done"));
		assert_ok(c->store->ops->redirect(c->store, &ask_for, &out, 1, &why));
		assert_string_equal(out.root_sender, "root@example.org");
		assert_int_equal(out.root_trusted, !older);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		SCENE(two_connections_and_one_call_a_list), SCENE(every_key_has_an_end),  SCENE(no_threshold_is_stored),
		SCENE(posts_are_bounded),
		SCENE(counting_keeps_a_busy_list_small),    SCENE(expiry_leaves_nothing), SCENE(hostile_names),
		SCENE(hosts_are_upgraded_one_by_one),      SCENE(a_newer_format_is_refused), SCENE(an_older_version_carries_the_root), SCENE(the_clock_was_ahead),
	};

	return cmocka_run_group_tests_name("redis-keys", tests, NULL, NULL);
}
