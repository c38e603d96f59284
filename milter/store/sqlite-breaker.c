/* Breaker records: read, compared and set, listed. */
#include "bw/clock.h"
#include "sqlite-backend.h"
#include "sqlite-message.h"
#include "store-internal.h"

/* --- rows --- */

void bw_sqlite_breaker_read(struct bw_sqlite_lane *lane, sqlite3_stmt *row, int column, struct bw_breaker *out)
{
	*out = (struct bw_breaker){
		.phase = (enum bw_phase)bw_sqlite_word(lane, row, column, BW_PHASE_COUNT),
		.rule = (enum bw_rule)bw_sqlite_word(lane, row, column + 1, BW_RULE_COUNT),
		.since_ms = sqlite3_column_int64(row, column + 2),
		.until_ms = sqlite3_column_int64(row, column + 3),
		.ordinal = sqlite3_column_int64(row, column + 4),
		.limit = sqlite3_column_int64(row, column + 5),
		.relapses = (int32_t)sqlite3_column_int(row, column + 6),
		.trips = (int32_t)sqlite3_column_int(row, column + 7),
		.override_state = (enum bw_override)bw_sqlite_word(lane, row, column + 8, BW_OVERRIDE_COUNT),
		.override_until_ms = sqlite3_column_int64(row, column + 9),
		.version = sqlite3_column_int64(row, column + 12),
	};
	bw_slice_copy(bw_sqlite_text(row, column + 10), out->override_owner, sizeof(out->override_owner));
	bw_slice_copy(bw_sqlite_text(row, column + 11), out->override_reason, sizeof(out->override_reason));
}

void bw_sqlite_breaker_write(struct bw_sqlite_lane *lane, int64_t tally, const struct bw_breaker *b)
{
	bw_sqlite_run(lane, BW_SQL_BREAKER_PUT,
	              ARGS(INT(tally), INT(b->phase), INT(b->rule), INT(b->since_ms), INT(b->until_ms), INT(b->ordinal),
	                   INT(b->limit), INT(b->relapses), INT(b->trips), INT(b->override_state), INT(b->override_until_ms),
	                   TEXT(bw_slice_of(b->override_owner)), TEXT(bw_slice_of(b->override_reason)), INT(b->version),
	                   INT(BW_SQLITE_FORMAT)));
}

/* --- keys --- */

/* The tally a key names; 0: nothing was ever counted or stopped there. */
static int64_t find_tally(struct bw_sqlite_lane *lane, const struct bw_breaker_key *key)
{
	struct bw_sqlite_conversation c;
	int64_t list = bw_sqlite_list_id(lane, key->list, false);

	if (list == 0 || key->scope == BW_SCOPE_LIST)
		return list == 0 ? 0 : bw_sqlite_tally_id(list, key->scope, key->side);
	if (!bw_sqlite_conversation_find(lane, list, &key->conversation, &c))
		return 0;
	return bw_sqlite_tally_id(c.id, key->scope, key->side);
}

static int64_t make_tally(struct bw_sqlite_lane *lane, const struct bw_breaker_key *key)
{
	struct bw_sqlite_conversation c = { 0 };
	int64_t list = bw_sqlite_list_id(lane, key->list, true);

	if (key->scope == BW_SCOPE_LIST)
		return bw_sqlite_tally_id(list, key->scope, key->side);
	bw_sqlite_conversation_revive(lane, list, &key->conversation, bw_sqlite_now(lane, 0), &c);
	return bw_sqlite_tally_id(c.id, key->scope, key->side);
}

/* --- get and compare-and-set --- */

struct get {
	const struct bw_breaker_key *key;
	struct bw_sqlite_tally tally;
};

static enum bw_err run_get(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	struct get *g = arg;
	int64_t id = find_tally(lane, g->key);

	(void)why;
	if (id != 0)
		bw_sqlite_tally_load(lane, id, &g->tally);
	return BW_OK;
}

enum bw_err bw_sqlite_breaker_get(struct bw_store *s, const struct bw_breaker_key *key, struct bw_breaker *out,
                                  struct bw_why *why)
{
	struct get get = { .key = key };
	enum bw_err err = bw_store_check_key(key, why);

	if (err == BW_OK)
		err = bw_sqlite_do(bw_sqlite_of(s)->counting, BW_SQLITE_READ, run_get, &get, why);
	if (err == BW_OK)
		*out = get.tally.breaker;
	return err;
}

struct cas {
	const struct bw_breaker_key *key;
	const struct bw_breaker *next;
};

static enum bw_err run_cas(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct cas *c = arg;
	struct bw_sqlite_tally t = { 0 };
	int64_t id = find_tally(lane, c->key);

	if (id != 0)
		bw_sqlite_tally_load(lane, id, &t);
	if (t.breaker.version != c->next->version)
		return bw_fail(why, BW_ERR_CONFLICT, "the breaker was changed meanwhile (version %lld, not %lld)",
		               (long long)t.breaker.version, (long long)c->next->version);
	if (id == 0)
		bw_sqlite_tally_load(lane, make_tally(lane, c->key), &t);
	t.breaker = *c->next;
	t.breaker.version++;
	bw_sqlite_breaker_write(lane, t.id, &t.breaker);
	/* A breaker is read with its tally, so there is one. */
	t.changed = true;
	bw_sqlite_tally_store(lane, &t);
	return BW_OK;
}

enum bw_err bw_sqlite_breaker_cas(struct bw_store *s, const struct bw_breaker_key *key, const struct bw_breaker *next,
                                  struct bw_why *why)
{
	struct cas cas = { key, next };
	enum bw_err err = bw_store_check_key(key, why);

	return err == BW_OK ? bw_sqlite_do(bw_sqlite_of(s)->counting, BW_SQLITE_WRITE, run_cas, &cas, why) : err;
}

/* --- listing --- */

static void read_row(struct bw_sqlite_lane *lane, sqlite3_stmt *row, struct bw_arena *arena, void *out)
{
	struct bw_breaker_row *r = out;
	int64_t tally = sqlite3_column_int64(row, 0);

	r->key.scope = (enum bw_scope)((tally / 2) % BW_SCOPE_COUNT);
	r->key.side = (enum bw_side)(tally % BW_SIDE_COUNT);
	r->key.list = bw_sqlite_keep(arena, row, 1);
	r->key.conversation = bw_sqlite_hash(row, 2);
	r->senders = sqlite3_column_int64(row, 3);
	r->last_ms = sqlite3_column_int64(row, 4);
	bw_sqlite_breaker_read(lane, row, 5, &r->record);
}

struct taker {
	bool (*each)(void *ctx, const struct bw_breaker_row *row);
	void *ctx;
};

static bool give_row(void *taker, const void *row)
{
	const struct taker *t = taker;

	return t->each(t->ctx, row);
}

enum bw_err bw_sqlite_breaker_each(struct bw_store *s, int64_t now_ms, int64_t window_ms, bool all,
                                   BW_EACH(struct bw_breaker_row), struct bw_why *why)
{
	enum bw_err err = now_ms == 0 ? s->ops->now(s, &now_ms, why) : BW_OK;
	struct taker taker = { each, ctx };
	struct bw_sqlite_listing listing = {
		.lane = bw_sqlite_of(s)->ledger,
		.sql = BW_SQL_BREAKER_EACH,
		.args = { INT(-1), INT(all), INT(now_ms - window_ms) },
		.arg_count = 3,
		.row_bytes = sizeof(struct bw_breaker_row),
		.read = read_row,
		.give = give_row,
		.taker = &taker,
	};

	return err == BW_OK ? bw_sqlite_list_rows(&listing, why) : err;
}
