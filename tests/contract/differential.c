/* differential [OPERATIONS [SEED]]: random operations with virtual time on the embedded store and on Redis, which must answer
 * alike, field by field. A difference is told with the seed and the operation's number, so that it can be repeated. */
#include "differential.h"
#include "redis-server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct redis_server server;

static void stop_server(void)
{
	redis_server_stop(&server);
}

/* --- chance --- */

static uint64_t random_of(struct run *r)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 7;
	r->random ^= r->random << 17;
	return r->random;
}

int64_t below(struct run *r, int64_t n)
{
	return (int64_t)(random_of(r) >> 11) % n;
}

bool chance(struct run *r, int percent)
{
	return below(r, 100) < percent;
}

static int64_t pick(struct run *r, const int64_t *values, size_t n)
{
	return values[below(r, (int64_t)n)];
}
#define PICK(run, ...) pick((run), (const int64_t[]){ __VA_ARGS__ }, sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))

struct bw_hash hash_of(const char *kind, int64_t n)
{
	static const struct bw_key key = { { 7 } };
	char text[64];

	snprintf(text, sizeof(text), "%s %" PRId64, kind, n);
	return bw_hash_slice(&key, "differential", bw_slice_of(text));
}

struct bw_slice list_of(int64_t n)
{
	static const char *const lists[LISTS] = { "all@example.org", "{staff}@example.org", "b@\xc3\xa4.example" };

	return bw_slice_of(lists[n]);
}

/* --- counting --- */

static int64_t age_ms(const struct run *r, const struct recent *m)
{
	return r->now_ms - m->in.now_ms;
}

/* One that the counters still remember; NULL: none. Only operators end what is older, and they find it or not. */
static struct recent *pick_recent(struct run *r)
{
	struct recent *m = r->recent_count == 0 ? NULL : &r->recent[below(r, (int64_t)r->recent_count)];

	return m == NULL || age_ms(r, m) >= MEMORY_MS / 2 ? NULL : m;
}

static void add_key(struct bw_count_in *in, enum bw_join_kind kind, struct bw_hash hash)
{
	if (in->key_count < BW_JOIN_KEYS_MAX)
		in->keys[in->key_count++] = (struct bw_join_key){ kind, hash };
}

static void add_keys(struct run *r, struct bw_count_in *in, int64_t id)
{
	int64_t references = chance(r, 70) ? 1 + below(r, 3) : 0;

	if (chance(r, 90))
		add_key(in, BW_JOIN_MESSAGE_ID, hash_of("id", id));
	for (int64_t i = 0; i < references; i++)
		add_key(in, BW_JOIN_REFERENCES, hash_of("id", id - below(r, 1 + (id < 40 ? id : 40))));
	if (chance(r, 20))
		add_key(in, BW_JOIN_IN_REPLY_TO, hash_of("id", id - below(r, 1 + (id < 5 ? id : 5))));
	if (chance(r, 15))
		add_key(in, BW_JOIN_THREAD_INDEX, hash_of("thread", below(r, THREADS) + id / 200));
	if (chance(r, 50))
		add_key(in, BW_JOIN_SUBJECT, hash_of("subject", below(r, SUBJECTS)));
	in->looks_like_reply = references > 0 || chance(r, 30);
}

static struct bw_count_in new_message(struct run *r)
{
	int64_t id = r->next_id++;
	struct bw_count_in in = {
		.list = list_of(below(r, LISTS)),
		.side = chance(r, 80) ? BW_SIDE_MEMBERS : BW_SIDE_OUTSIDE,
		.message = hash_of("message", id),
		.recipients = hash_of("recipients", below(r, 4)),
		.sender = hash_of("sender", below(r, SENDERS)),
		.may_merge = chance(r, 85),
		.expander = chance(r, 12),
		.poster = chance(r, 10),
		.known_stopped = chance(r, 8),
		.stopped_unless_reply = chance(r, 8),
		.memory_ms = MEMORY_MS,
		.root_sender = BW_S("root@example.org"),
		.root_trusted = chance(r, 50),
	};

	add_keys(r, &in, id);
	return in;
}

/* What may change from one call to the next: limits and windows are the caller's. */
static void vary(struct run *r, struct bw_count_in *in)
{
	in->now_ms = r->now_ms;
	in->again = false;
	in->peek = chance(r, 8);
	in->deliveries = PICK(r, 0, 1, 10, 100, 100, 840000);
	in->budget = PICK(r, 0, 0, 150, 400, 1000000);
	in->pass = (struct bw_pass){
		.senders = PICK(r, 0, 0, 3, 10),
		.replies = PICK(r, 0, 0, 4),
		.reply_senders = below(r, 4),
		.day_senders = PICK(r, 0, 0, 6),
		.list_senders = PICK(r, 0, 0, 8),
		.one_in_probation = chance(r, 70),
	};
	if (r->conversation_window_ms < 0 || chance(r, 2))
		r->conversation_window_ms = PICK(r, BW_MINUTE_MS, BW_HOUR_MS, BW_HOUR_MS, 2 * BW_HOUR_MS, 3 * MEMORY_MS, 0);
	if (r->list_window_ms < 0 || chance(r, 2))
		r->list_window_ms = PICK(r, BW_MINUTE_MS, BW_HOUR_MS, BW_HOUR_MS, 2 * BW_HOUR_MS, 3 * MEMORY_MS, 0);
	in->conversation_window_ms = r->conversation_window_ms;
	in->list_window_ms = r->list_window_ms;
}

static struct bw_count_in some_message(struct run *r)
{
	const struct recent *m = r->recent_count > 0 && chance(r, 35) ? &r->recent[below(r, (int64_t)r->recent_count)] : NULL;
	struct bw_count_in in = m == NULL ? new_message(r) : m->in;

	/* Retried, replayed, split, repeated after a lost compare-and-set, or by somebody else. */
	vary(r, &in);
	if (m != NULL) {
		in.again = chance(r, 20);
		if (chance(r, in.expander ? 50 : 15))
			in.recipients = hash_of("recipients", below(r, 4));
		if (chance(r, 5))
			in.list = list_of(below(r, LISTS));
	}
	return in;
}

static void remember(struct run *r, const struct bw_count_in *in, const struct bw_count_out *out)
{
	size_t at = r->recent_count < RECENT ? r->recent_count++ : (size_t)below(r, RECENT);

	r->recent[at] = (struct recent){ *in, *out };
}

static void do_count(struct run *r)
{
	size_t n = chance(r, 90) ? 1 : LISTS_AT_ONCE;
	struct bw_count_in in[LISTS_AT_ONCE];
	struct bw_count_out a[LISTS_AT_ONCE], b[LISTS_AT_ONCE];
	struct bw_why why[2];

	for (size_t i = 0; i < n; i++)
		in[i] = some_message(r);
	if (!same_answer(r, "count", r->a->ops->count(r->a, in, a, n, &why[0]), r->b->ops->count(r->b, in, b, n, &why[1]), why))
		return;
	for (size_t i = 0; i < n; i++) {
		same_counts(r, &a[i], &b[i]);
		if (!in[i].peek)
			remember(r, &in[i], &a[i]);
	}
}

static void do_settle(struct run *r)
{
	const struct recent *m = pick_recent(r);
	struct bw_why why[2];

	if (m == NULL)
		return;
	struct bw_settle_in in = {
		.now_ms = r->now_ms,
		.list = m->in.list,
		.side = m->in.side,
		.message = m->in.message,
		.recipients = m->in.recipients,
		.sender = m->in.sender,
		.conversation = m->out.conversation,
		.accepted = chance(r, 40),
		.give_back = chance(r, 50),
		.merge = m->out.merge_wanted && chance(r, 80),
		.deliveries = m->in.deliveries,
	};
	/* The very same again: idempotent. */
	int times = chance(r, 15) ? 2 : 1;

	while (times-- > 0)
		same_answer(r, "settle", r->a->ops->settle(r->a, &in, 1, &why[0]), r->b->ops->settle(r->b, &in, 1, &why[1]), why);
}

static void do_redirect(struct run *r)
{
	const struct recent *m = pick_recent(r);
	struct bw_redirect_out a, b;
	struct bw_why why[2];

	if (m == NULL)
		return;
	struct bw_redirect_in in = {
		.now_ms = r->now_ms,
		.list = m->in.list,
		.conversation = m->out.conversation,
		.message = m->in.message,
		.limit = below(r, 6),
		.memory_ms = MEMORY_MS,
		.give_back = chance(r, 20),
	};

	if (!same_answer(r, "redirect", r->a->ops->redirect(r->a, &in, &a, 1, &why[0]), r->b->ops->redirect(r->b, &in, &b, 1, &why[1]), why))
		return;
	same_number(r, "redirect: ordinal", a.ordinal, b.ordinal);
	same_number(r, "redirect: again", a.again, b.again);
	same_number(r, "redirect: trusted", a.root_trusted, b.root_trusted);
	if (strcmp(a.root_sender, b.root_sender) != 0)
		differ(r, "redirect: root '%s', but '%s'", a.root_sender, b.root_sender);
}

/* --- breakers --- */

static bool some_key(struct run *r, struct bw_breaker_key *key)
{
	const struct recent *m = pick_recent(r);

	*key = (struct bw_breaker_key){ .scope = BW_SCOPE_LIST, .side = BW_SIDE_MEMBERS, .list = list_of(below(r, LISTS)) };
	if (m == NULL || chance(r, 15))
		return true;
	*key = (struct bw_breaker_key){
		.scope = BW_SCOPE_CONVERSATION, .side = m->in.side, .list = m->in.list, .conversation = m->out.conversation
	};
	return true;
}

static bool get_both(struct run *r, const struct bw_breaker_key *key, struct bw_breaker *out)
{
	struct bw_breaker b;
	struct bw_why why[2];

	if (!same_answer(r, "breaker_get", r->a->ops->breaker_get(r->a, key, out, &why[0]),
	                 r->b->ops->breaker_get(r->b, key, &b, &why[1]), why))
		return false;
	same_breaker(r, "breaker_get", out, &b);
	return true;
}

static void do_breaker(struct run *r)
{
	struct bw_breaker_key key;
	struct bw_breaker next;
	struct bw_why why[2];

	if (!some_key(r, &key) || !get_both(r, &key, &next))
		return;
	next.phase = (enum bw_phase)(chance(r, 60) ? BW_PHASE_CLOSED : below(r, BW_PHASE_COUNT));
	next.rule = (enum bw_rule)below(r, BW_RULE_COUNT);
	next.since_ms = chance(r, 10) ? 0 : r->now_ms - below(r, 2 * BW_HOUR_MS);
	next.until_ms = chance(r, 10) ? INT64_MAX : r->now_ms + below(r, 2 * BW_HOUR_MS);
	next.ordinal = below(r, 1000);
	next.limit = chance(r, 10) ? INT64_MAX : below(r, 1000);
	next.trips++;
	next.override_state = (enum bw_override)(chance(r, 85) ? 0 : below(r, BW_OVERRIDE_COUNT));
	next.override_until_ms = next.override_state == BW_OVERRIDE_NONE ? 0 : r->now_ms + below(r, BW_HOUR_MS);
	snprintf(next.override_owner, sizeof(next.override_owner), "ops %" PRId64, below(r, 9));
	next.version -= chance(r, 15);
	same_answer(r, "breaker_cas", r->a->ops->breaker_cas(r->a, &key, &next, &why[0]),
	            r->b->ops->breaker_cas(r->b, &key, &next, &why[1]), why);
	get_both(r, &key, &next);
}

struct rows {
	int64_t now_ms;
	size_t n;
	struct {
		char list[64];
		struct bw_breaker_row row;
	} rows[ROWS];
};

/* A record without an attempt or a change for longer than the memory: its conversation or its list may have been collected, or
 * not yet; nobody asks for it by its key any more. */
static bool is_past(const struct bw_breaker_row *row, int64_t now_ms)
{
	const struct bw_breaker *b = &row->record;
	int64_t cutoff_ms = now_ms - MEMORY_MS;

	return (b->override_state == BW_OVERRIDE_NONE || b->override_until_ms <= now_ms) && b->since_ms <= cutoff_ms &&
	       row->last_ms <= cutoff_ms;
}

static bool note_row(void *ctx, const struct bw_breaker_row *row)
{
	struct rows *rows = ctx;

	if (is_past(row, rows->now_ms))
		return true;
	if (rows->n == ROWS)
		return false;
	rows->rows[rows->n].row = *row;
	bw_slice_copy(row->key.list, rows->rows[rows->n].list, sizeof(rows->rows[0].list));
	rows->n++;
	return true;
}

/* The stores list in orders of their own; a conversation that was forgotten and founded anew stands there twice. */
static size_t find_row(const struct run *r, const struct rows *rows, const struct bw_breaker_row *row, const char *list)
{
	for (size_t i = 0; i < rows->n; i++) {
		const struct bw_breaker_row *x = &rows->rows[i].row;

		if (x->key.scope == row->key.scope && x->key.side == row->key.side && strcmp(rows->rows[i].list, list) == 0 &&
		    bw_hash_equal(&x->key.conversation, &row->key.conversation) && x->record.ordinal == row->record.ordinal &&
		    x->record.since_ms == row->record.since_ms)
			return i;
	}
	differ(r, "breaker_each: Redis lacks a breaker of %s", list);
}

static void do_breaker_each(struct run *r)
{
	static struct rows a, b;
	int64_t window_ms = PICK(r, BW_MINUTE_MS, BW_HOUR_MS, 2 * BW_HOUR_MS);
	bool all = chance(r, 30);
	struct bw_why why[2];

	a.n = b.n = 0;
	a.now_ms = b.now_ms = r->now_ms;
	same_answer(r, "breaker_each", r->a->ops->breaker_each(r->a, r->now_ms, window_ms, all, note_row, &a, &why[0]),
	            r->b->ops->breaker_each(r->b, r->now_ms, window_ms, all, note_row, &b, &why[1]), why);
	if (a.n == ROWS || b.n == ROWS)
		return;
	same_number(r, "breaker_each", (int64_t)a.n, (int64_t)b.n);
	for (size_t i = 0; i < a.n; i++) {
		const struct bw_breaker_row *x = &a.rows[i].row, *y = &b.rows[find_row(r, &b, x, a.rows[i].list)].row;

		same_breaker(r, "breaker_each", &x->record, &y->record);
		same_number(r, "breaker_each: senders", x->senders, y->senders);
		/* A last attempt that is past may have been forgotten. */
		if (x->last_ms > r->now_ms - MEMORY_MS || y->last_ms > r->now_ms - MEMORY_MS)
			same_number(r, "breaker_each: last", x->last_ms, y->last_ms);
	}
}

/* --- ledger --- */

static void do_hold(struct run *r)
{
	const struct recent *m = pick_recent(r);
	struct bw_hash id = hash_of("held", r->operation);
	struct bw_why why[2];

	if (m == NULL)
		return;
	struct bw_held held = {
		.id = id,
		.host = BW_S("mx1"),
		.queue_id = BW_S("4Xyz"),
		.mta = BW_S("postfix"),
		.list = m->in.list,
		.conversation = m->out.conversation,
		.guard = BW_S("conversation"),
		.sentence = BW_S("too many"),
		.deliveries = 70,
		.held_ms = r->now_ms,
		.message = m->in.message,
		.side = m->in.side,
	};

	same_answer(r, "held_put", r->a->ops->held_put(r->a, &held, &why[0]), r->b->ops->held_put(r->b, &held, &why[1]), why);
	r->held[r->held_count++ % HELD] = id;
}

static bool note_held(void *ctx, const struct bw_held *row)
{
	struct bw_held *out = ctx;

	*out = *row;
	return false;
}

/* Only while its message is remembered: later, each store has forgotten in its own time. */
static void do_move(struct run *r)
{
	struct bw_held_query query = { .limit = 1 };
	struct bw_held held = { .held_ms = 0 };
	enum bw_held_state to = (enum bw_held_state)below(r, BW_HELD_STATE_COUNT), from = chance(r, 90) ? BW_HELD_WAITING : to;
	struct bw_why why[2];

	if (r->held_count == 0)
		return;
	query.id = r->held[below(r, (int64_t)(r->held_count < HELD ? r->held_count : HELD))];
	r->a->ops->held_each(r->a, &query, note_held, &held, NULL);
	if (r->now_ms - held.held_ms >= MEMORY_MS / 2)
		return;
	same_answer(r, "held_move", r->a->ops->held_move(r->a, &query.id, from, to, r->now_ms, BW_S("ops"), &why[0]),
	            r->b->ops->held_move(r->b, &query.id, from, to, r->now_ms, BW_S("ops"), &why[1]), why);
}

/* --- settings, collecting --- */

static void do_setting(struct run *r)
{
	int64_t versions[2][3] = { { 0 } };
	struct bw_why why[2];
	struct bw_setting_row row = {
		.name = chance(r, 50) ? BW_S("huge.list.budget") : BW_S("mode"),
		.value = chance(r, 80) ? BW_S("17") : BW_S(""),
		.owner = BW_S("ops"),
		.reason = BW_S("because"),
		.set_ms = r->now_ms,
		.until_ms = chance(r, 50) ? 0 : r->now_ms + below(r, BW_HOUR_MS),
	};

	same_answer(r, "setting_put", r->a->ops->setting_put(r->a, &row, &versions[0][0], &why[0]),
	            r->b->ops->setting_put(r->b, &row, &versions[1][0], &why[1]), why);
	same_answer(r, "versions", r->a->ops->versions(r->a, &versions[0][1], &versions[0][2], &why[0]),
	            r->b->ops->versions(r->b, &versions[1][1], &versions[1][2], &why[1]), why);
	for (size_t i = 0; i < 3; i++)
		same_number(r, "versions", versions[0][i], versions[1][i]);
}

/* Often enough that nothing which is past is left in either. */
static void do_expire(struct run *r)
{
	struct bw_why why[2];

	r->expired_ms = r->now_ms;
	for (int i = 0; i < 12; i++)
		same_answer(r, "expire", r->a->ops->expire(r->a, r->now_ms, MEMORY_MS, &why[0]),
		            r->b->ops->expire(r->b, r->now_ms, MEMORY_MS, &why[1]), why);
}

/* --- time --- */

/* Mostly moments; now and then exactly to an edge of something that happened, or just beside it. */
static void pass_time(struct run *r)
{
	const struct recent *m = r->recent_count == 0 ? NULL : &r->recent[below(r, (int64_t)r->recent_count)];
	int64_t edge_ms = PICK(r, BW_MINUTE_MS, BW_HOUR_MS, 2 * BW_HOUR_MS, 10 * BW_MINUTE_MS, MEMORY_MS) + below(r, 3) - 1;

	if (chance(r, 60))
		r->now_ms += below(r, 200);
	else if (chance(r, 95))
		r->now_ms += below(r, 20 * BW_SECOND_MS);
	if (m != NULL && chance(r, 2) && m->in.now_ms + edge_ms > r->now_ms)
		r->now_ms = m->in.now_ms + edge_ms;
	if (below(r, 3000) == 0)
		r->now_ms += below(r, 2 * MEMORY_MS);
}

/* --- the run --- */

static const struct kind {
	const char *name;
	int weight; /* of 1000 */
	void (*run)(struct run *r);
} kinds[] = {
	{ "count", 640, do_count },    { "settle", 170, do_settle },
	{ "redirect", 20, do_redirect },
	{ "breaker", 60, do_breaker }, { "breaker_each", 5, do_breaker_each },
	{ "hold", 20, do_hold },       { "move", 20, do_move },
	{ "setting", 14, do_setting }, { "expire", 1, do_expire },
	{ "order", 15, do_order },     { "order_work", 15, do_order_work },
	{ "order_each", 4, do_order_each },
	{ "post", 10, do_post },       { "post_each", 6, do_post_each },
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static void step(struct run *r)
{
	int64_t at = below(r, 1000);
	size_t k = 0;

	pass_time(r);
	/* What nobody has collected for long is forgotten at moments of each store's own. */
	if (r->now_ms - r->expired_ms > 2 * MEMORY_MS)
		do_expire(r);
	while (at >= kinds[k].weight)
		at -= kinds[k++].weight;
	kinds[k].run(r);
	r->tally[k]++;
}

static bool open_both(struct run *r)
{
	struct bw_store_redis_options options;
	struct bw_why why = { "" };

	if (!redis_server_start(&server, false))
		return false;
	atexit(stop_server);
	options = redis_server_options(&server);
	options.deadline_ms = 20000; /* what is tested are the answers */
	if (bw_store_sqlite_open(":memory:", 1000, &r->a, &why) == BW_OK && bw_store_redis_open(&options, &r->b, &why) == BW_OK)
		return true;
	fprintf(stderr, "differential: %s\n", why.text);
	return false;
}

int main(int argc, char **argv)
{
	static struct run r;
	int64_t operations = argc > 1 ? atoll(argv[1]) : OPERATIONS, started_ms = bw_clock_monotonic_ms();

	r.seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	r.random = r.seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	r.now_ms = r.expired_ms = T0;
	r.next_id = 1000;
	r.conversation_window_ms = r.list_window_ms = -1;
	if (!open_both(&r))
		return 1;
	for (r.operation = 0; r.operation < operations; r.operation++)
		step(&r);
	printf("differential: seed %" PRIu64 ": %" PRId64 " operations (", r.seed, operations);
	for (size_t k = 0; k < KINDS; k++)
		printf("%s%s %" PRId64, k > 0 ? ", " : "", kinds[k].name, r.tally[k]);
	printf(") over %" PRId64 " h, equal answers, in %" PRId64 " ms\n", (r.now_ms - T0) / BW_HOUR_MS,
	       bw_clock_monotonic_ms() - started_ms);
	bw_store_close(&r.a);
	bw_store_close(&r.b);
	return 0;
}
