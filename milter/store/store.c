/* What every backend shares: closing, names, checks of what callers pass. */
#include <assert.h>
#include <stdatomic.h>

#include "store-internal.h"

#define DELIVERIES_MAX INT64_C(1000000000000000) /* sums of a window stay far from overflow */

void bw_store_close(struct bw_store **s)
{
	if (*s == NULL)
		return;
	(*s)->ops->close(*s);
	*s = NULL;
}

/* --- words --- */

static const char *const states[] = { "waiting", "released", "deleted", "lost" };
static_assert(sizeof(states) / sizeof(states[0]) == BW_HELD_STATE_COUNT, "a name for every state");

const char *bw_held_state_name(enum bw_held_state state)
{
	return (unsigned)state < BW_HELD_STATE_COUNT ? states[state] : "unknown";
}

bool bw_held_state_parse(struct bw_slice word, enum bw_held_state *out)
{
	for (int i = 0; i < BW_HELD_STATE_COUNT; i++) {
		if (bw_slice_equal_nocase(word, bw_slice_of(states[i]))) {
			*out = (enum bw_held_state)i;
			return true;
		}
	}
	return false;
}

/* --- checks --- */

enum bw_err bw_store_check_place(struct bw_slice list, enum bw_side side, int64_t deliveries, struct bw_why *why)
{
	if (list.n == 0 || list.n > BW_STORE_LIST_BYTES_MAX)
		return bw_fail(why, BW_ERR_INPUT, "a list's address has 1 to %d bytes, not %zu", BW_STORE_LIST_BYTES_MAX, list.n);
	if ((unsigned)side >= BW_SIDE_COUNT)
		return bw_fail(why, BW_ERR_INPUT, "no side has the number %d", (int)side);
	if (deliveries < 0 || deliveries > DELIVERIES_MAX)
		return bw_fail(why, BW_ERR_RANGE, "a message has 0 to %lld deliveries, not %lld", (long long)DELIVERIES_MAX,
		               (long long)deliveries);
	return BW_OK;
}

enum bw_err bw_store_check_list(const struct bw_list_row *row, size_t texts_max, struct bw_why *why)
{
	enum bw_err err = bw_store_check_place(row->address, BW_SIDE_MEMBERS, 0, why);

	if (err != BW_OK)
		return err;
	if ((unsigned)row->source >= BW_SOURCE_COUNT)
		return bw_fail(why, BW_ERR_INPUT, "no source has the number %d", (int)row->source);
	if (row->owner.n + row->list_id.n + row->posters.n + row->origin.n > texts_max)
		return bw_fail(why, BW_ERR_LIMIT, "%.*s: owner, list id, posters and origin of more than %zu bytes", (int)row->address.n,
		               row->address.p, texts_max);
	return BW_OK;
}

enum bw_err bw_store_check_learn(const struct bw_list_row *rows, size_t n, size_t texts_max, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	for (size_t i = 0; i < n && err == BW_OK; i++) {
		err = bw_store_check_list(&rows[i], texts_max, why);
		if (err == BW_OK && (rows[i].source != BW_SOURCE_LEARNED || rows[i].removed || rows[i].unconfirmed))
			err = bw_fail(why, BW_ERR_INPUT, "%.*s: a proposal has the source learned, awaits nothing and is there",
			              (int)rows[i].address.n, rows[i].address.p);
	}
	return err;
}

enum bw_err bw_store_check_count(const struct bw_count_in *in, size_t n, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	for (size_t i = 0; i < n && err == BW_OK; i++) {
		err = bw_store_check_place(in[i].list, in[i].side, in[i].deliveries, why);
		if (err == BW_OK && in[i].key_count > BW_JOIN_KEYS_MAX)
			err = bw_fail(why, BW_ERR_RANGE, "a message has at most %d join keys, not %zu", BW_JOIN_KEYS_MAX, in[i].key_count);
		if (err == BW_OK && (in[i].memory_ms <= 0 || in[i].conversation_window_ms < 0 || in[i].list_window_ms < 0))
			err = bw_fail(why, BW_ERR_RANGE, "windows are not negative, and the memory is positive");
	}
	return err;
}

enum bw_err bw_store_check_key(const struct bw_breaker_key *key, struct bw_why *why)
{
	if ((unsigned)key->scope >= BW_SCOPE_COUNT)
		return bw_fail(why, BW_ERR_INPUT, "no scope has the number %d", (int)key->scope);
	if (key->scope == BW_SCOPE_CONVERSATION && bw_hash_is_zero(&key->conversation))
		return bw_fail(why, BW_ERR_INPUT, "a conversation's breaker without a conversation");
	return bw_store_check_place(key->list, key->side, 0, why);
}

enum bw_err bw_store_check_redirect(const struct bw_redirect_in *in, size_t n, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	for (size_t i = 0; i < n && err == BW_OK; i++) {
		err = bw_store_check_place(in[i].list, BW_SIDE_MEMBERS, 0, why);
		if (err == BW_OK && bw_hash_is_zero(&in[i].message))
			err = bw_fail(why, BW_ERR_INPUT, "a message to redirect without an identity");
		if (err == BW_OK && (in[i].limit < 0 || in[i].memory_ms <= 0))
			err = bw_fail(why, BW_ERR_RANGE, "a limit of redirected messages is not negative, and the memory is positive");
	}
	return err;
}

enum bw_err bw_store_check_meter(const struct bw_meter_in *in, size_t n, struct bw_why *why)
{
	for (size_t i = 0; i < n; i++) {
		if ((unsigned)in[i].meter >= BW_METER_COUNT)
			return bw_fail(why, BW_ERR_INPUT, "no meter has the number %d", (int)in[i].meter);
		if (in[i].amount < 0 || in[i].amount > BW_METER_AMOUNT_MAX)
			return bw_fail(why, BW_ERR_RANGE, "an amount is 0 to %lld, not %lld", (long long)BW_METER_AMOUNT_MAX,
			               (long long)in[i].amount);
		if (in[i].window_ms <= 0 || in[i].now_ms < 0)
			return bw_fail(why, BW_ERR_RANGE, "a meter's window is positive, and no time is negative");
	}
	return BW_OK;
}

enum bw_err bw_store_check_held(const struct bw_held *held, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	if (bw_hash_is_zero(&held->id))
		return bw_fail(why, BW_ERR_INPUT, "a held message without an id");
	if (held->list.n > BW_STORE_LIST_BYTES_MAX)
		return bw_fail(why, BW_ERR_INPUT, "a held message whose list's address is longer than %d bytes", BW_STORE_LIST_BYTES_MAX);
	if (held->list_count > BW_HELD_LISTS_MAX)
		return bw_fail(why, BW_ERR_RANGE, "a held message has at most %d lists, not %zu", BW_HELD_LISTS_MAX, held->list_count);
	for (size_t i = 0; i < held->list_count && err == BW_OK; i++)
		err = bw_store_check_place(held->lists[i].list, held->lists[i].side, held->lists[i].deliveries, why);
	return err;
}

/* --- orders and posts --- */

static enum bw_err check_item(const struct bw_order_item *item, struct bw_why *why)
{
	if (item->number < 0 || bw_hash_is_zero(&item->subject))
		return bw_fail(why, BW_ERR_INPUT, "an item of an order without a number or a message");
	if (item->number >= BW_ORDER_ITEMS_MAX)
		return bw_fail(why, BW_ERR_LIMIT, "an order has at most %d items; divide it", BW_ORDER_ITEMS_MAX);
	/* A signed text that is cut is no order. */
	if (item->signed_text.n > BW_ORDER_TEXT_BYTES)
		return bw_fail(why, BW_ERR_INPUT, "a signed order has at most %d bytes, not %zu", BW_ORDER_TEXT_BYTES, item->signed_text.n);
	if (item->list.n > BW_STORE_LIST_BYTES_MAX)
		return bw_fail(why, BW_ERR_INPUT, "a list's address has 1 to %d bytes, not %zu", BW_STORE_LIST_BYTES_MAX, item->list.n);
	if (item->deliveries < 0 || item->deliveries > DELIVERIES_MAX)
		return bw_fail(why, BW_ERR_RANGE, "a message has 0 to %lld deliveries, not %lld", (long long)DELIVERIES_MAX,
		               (long long)item->deliveries);
	return BW_OK;
}

enum bw_err bw_store_check_order(const struct bw_order_row *row, const struct bw_order_item *items, size_t n, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	if (bw_hash_is_zero(&row->id) || row->host.n == 0 || (unsigned)row->kind >= BW_ORDER_KIND_COUNT)
		return bw_fail(why, BW_ERR_INPUT, "an order without an id, a host or a kind");
	if (n > BW_ORDER_PIECE)
		return bw_fail(why, BW_ERR_RANGE, "an order is written in pieces of at most %d items, not %zu", BW_ORDER_PIECE, n);
	for (size_t i = 0; i < n && err == BW_OK; i++)
		err = check_item(&items[i], why);
	return err;
}

bool bw_store_fits(const struct bw_order_item *items, size_t n, int64_t have, int64_t *fresh)
{
	int64_t next = have;

	for (size_t i = 0; i < n; i++) {
		if (items[i].number > next)
			return false;
		next += items[i].number == next;
	}
	*fresh = next - have;
	return true;
}

enum bw_err bw_store_check_result(enum bw_item_result result, struct bw_why *why)
{
	if ((unsigned)result >= BW_ITEM_RESULT_COUNT || result == BW_ITEM_PENDING)
		return bw_fail(why, BW_ERR_INPUT, "no result of an item has the number %d", (int)result);
	return BW_OK;
}

enum bw_err bw_store_check_order_move(enum bw_order_state from, enum bw_order_state to, struct bw_why *why)
{
	if ((unsigned)from >= BW_ORDER_STATE_COUNT || (unsigned)to >= BW_ORDER_STATE_COUNT)
		return bw_fail(why, BW_ERR_INPUT, "no state of an order has the number %d or %d", (int)from, (int)to);
	if (to == BW_ORDER_WRITING)
		return bw_fail(why, BW_ERR_INPUT, "an order is written once");
	return BW_OK;
}

enum bw_err bw_store_check_posts(const struct bw_post *posts, size_t n, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	for (size_t i = 0; i < n && err == BW_OK; i++) {
		if (bw_hash_is_zero(&posts[i].id) || (unsigned)posts[i].state >= BW_POST_STATE_COUNT)
			return bw_fail(why, BW_ERR_INPUT, "a post without an id or a state");
		err = bw_store_check_place(posts[i].list, BW_SIDE_MEMBERS, posts[i].deliveries, why);
	}
	return err;
}

enum bw_err bw_store_check_post_state(enum bw_post_state state, struct bw_why *why)
{
	if ((unsigned)state >= BW_POST_STATE_COUNT)
		return bw_fail(why, BW_ERR_INPUT, "no state of a post has the number %d", (int)state);
	return BW_OK;
}

enum bw_err bw_store_no_queue_id(struct bw_why *why)
{
	return bw_fail(why, BW_ERR_INPUT, "a post that came back has a queue id");
}

/* --- breakers --- */

static int rank(const struct bw_breaker *b)
{
	if (b->override_state == BW_OVERRIDE_FORCED_OPEN)
		return 3;
	if (b->override_state == BW_OVERRIDE_DISABLED)
		return 0;
	if (b->phase == BW_PHASE_OPEN)
		return 2;
	return b->phase == BW_PHASE_HALF_OPEN;
}

bool bw_store_less_closed(const struct bw_breaker *a, const struct bw_breaker *b)
{
	int ra = rank(a), rb = rank(b);

	if (ra != rb || ra == 0)
		return ra > rb;
	if (ra == 3)
		return a->override_until_ms > b->override_until_ms;
	return a->until_ms > b->until_ms;
}

static bool is_more(int64_t n, int64_t limit)
{
	return limit > 0 && n > limit;
}

static bool relapses(const struct bw_breaker *b, int64_t phase_senders)
{
	return b->phase == BW_PHASE_HALF_OPEN && phase_senders > 1;
}

bool bw_store_over(const struct bw_count_in *in, const struct bw_count_out *out)
{
	const struct bw_pass *pass = &in->pass;

	if (is_more(out->list_senders, pass->list_senders) ||
	    (pass->one_in_probation && relapses(&out->list_breaker, out->list_phase_senders)))
		return true;
	if (!out->joined)
		return false;
	return is_more(out->conversation_senders, pass->senders) || is_more(out->conversation_day_senders, pass->day_senders) ||
	       (is_more(out->conversation_replies, pass->replies) && out->conversation_senders >= pass->reply_senders) ||
	       (pass->one_in_probation && relapses(&out->conversation_breaker, out->conversation_phase_senders));
}

/* --- store time --- */

static int64_t paced(const struct bw_store_clock *c, int64_t monotonic_ms)
{
	return c->still ? 0 : monotonic_ms - monotonic_ms / 10;
}

void bw_store_clock_init(struct bw_store_clock *c)
{
	atomic_init(&c->base_ms, INT64_MIN / 2);
	c->still = false;
}

int64_t bw_store_clock_least(const struct bw_store_clock *c, int64_t monotonic_ms)
{
	int64_t least_ms = atomic_load(&c->base_ms) + paced(c, monotonic_ms);

	return least_ms > 0 ? least_ms : 0;
}

void bw_store_clock_saw(struct bw_store_clock *c, int64_t seen_ms, int64_t monotonic_ms)
{
	int64_t base_ms = seen_ms - paced(c, monotonic_ms), old_ms = atomic_load(&c->base_ms);

	while (old_ms < base_ms && !atomic_compare_exchange_weak(&c->base_ms, &old_ms, base_ms))
		continue;
}
