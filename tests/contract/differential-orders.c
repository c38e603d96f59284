/* Random orders and accepted posts on two stores. Few names, so that they meet: pieces come again, too early and too late, results twice,
 * moves from states that are past. */
#include "differential.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ORDERS = 12, POSTS_AN_HOUR = 20, HOURS_BACK = 30, PIECE = 40, TEXT_BYTES = 1 << 20 };

/* --- orders --- */

void do_order(struct run *r)
{
	struct bw_order_item items[PIECE];
	struct bw_why why[2];
	int64_t from = below(r, 4) * PIECE / 2 + below(r, 3);
	size_t n = (size_t)below(r, PIECE);
	const struct bw_order_row row = { .id = hash_of("order", below(r, ORDERS)),
		                              .kind = (enum bw_order_kind)below(r, BW_ORDER_KIND_COUNT),
		                              .host = chance(r, 70) ? BW_S("mx1") : BW_S("mx2"),
		                              .owner = BW_S("ops"),
		                              .pace = below(r, 3),
		                              .made_ms = r->now_ms,
		                              .expires_ms = r->now_ms + below(r, BW_DAY_MS) };

	for (size_t i = 0; i < n; i++)
		items[i] = (struct bw_order_item){ .number = from + (int64_t)i - (chance(r, 5) && i > 0 ? 1 : 0),
			                               .subject = hash_of("held", below(r, 50)),
			                               .mta = BW_S("postfix"),
			                               .queue_id = BW_S("4Xyz"),
			                               .list = list_of(below(r, LISTS)),
			                               .signed_text = BW_S("v=1; \r\n"),
			                               .deliveries = below(r, 1000) };
	same_answer(r, "order_put", r->a->ops->order_put(r->a, &row, items, n, &why[0]), r->b->ops->order_put(r->b, &row, items, n, &why[1]),
	            why);
}

void do_order_work(struct run *r)
{
	struct bw_hash id = hash_of("order", below(r, ORDERS));
	enum bw_order_state from = (enum bw_order_state)below(r, 3), to = (enum bw_order_state)below(r, BW_ORDER_STATE_COUNT);
	struct bw_why why[2];

	if (chance(r, 40)) {
		same_answer(r, "order_move", r->a->ops->order_move(r->a, &id, from, to, r->now_ms, BW_S("ann"), BW_S("why"), &why[0]),
		            r->b->ops->order_move(r->b, &id, from, to, r->now_ms, BW_S("ann"), BW_S("why"), &why[1]), why);
		return;
	}
	for (int i = 0; i < 10; i++) {
		int64_t number = below(r, 3 * PIECE) - 1;
		enum bw_item_result result = (enum bw_item_result)below(r, BW_ITEM_RESULT_COUNT);

		same_answer(r, "order_result", r->a->ops->order_result(r->a, &id, number, result, BW_S("note"), r->now_ms, &why[0]),
		            r->b->ops->order_result(r->b, &id, number, result, BW_S("note"), r->now_ms, &why[1]), why);
	}
}

/* What a listing says, as text. */
static void print_hash(struct bw_buf *out, const struct bw_hash *h)
{
	char hex[2 * BW_HASH_BYTES + 1];

	bw_hash_hex(h, hex);
	bw_buf_add_text(out, hex);
}

static bool print_order(void *ctx, const struct bw_order_row *o)
{
	struct bw_buf *out = ctx;

	print_hash(out, &o->id);
	bw_buf_printf(out, " %d %.*s %.*s %" PRId64 " %" PRId64 " %" PRId64 " %d %" PRId64 " %.*s %.*s %" PRId64 " %" PRId64, o->kind,
	              (int)o->host.n, o->host.p, (int)o->owner.n, o->owner.p, o->pace, o->made_ms, o->expires_ms, o->state, o->state_ms,
	              (int)o->state_by.n, o->state_by.p, (int)o->note.n, o->note.p, o->items, o->deliveries);
	for (int i = 0; i < BW_ITEM_RESULT_COUNT; i++)
		bw_buf_printf(out, " %" PRId64, o->results[i]);
	bw_buf_add_char(out, '\n');
	return true;
}

static bool print_item(void *ctx, const struct bw_order_item *i)
{
	struct bw_buf *out = ctx;

	bw_buf_printf(out, "%" PRId64 " ", i->number);
	print_hash(out, &i->subject);
	bw_buf_printf(out, " %.*s %.*s %" PRId64 " %d %.*s %" PRId64 "\n", (int)i->list.n, i->list.p, (int)i->signed_text.n, i->signed_text.p,
	              i->deliveries, i->result, (int)i->note.n, i->note.p, i->done_ms);
	return true;
}

static void same_text(const struct run *r, const char *what, struct bw_buf *a, struct bw_buf *b)
{
	if (a->cut || b->cut || !bw_slice_equal(bw_buf_slice(a), bw_buf_slice(b)))
		differ(r, "%s:\n%s--- embedded, Redis:\n%s", what, bw_buf_text(a), bw_buf_text(b));
	bw_buf_done(a);
	bw_buf_done(b);
}

void do_order_each(struct run *r)
{
	const struct bw_order_query query = { .id = chance(r, 30) ? hash_of("order", below(r, ORDERS)) : (struct bw_hash){ { 0 } },
		                                  .host = chance(r, 30) ? BW_S("mx2") : BW_S(""),
		                                  .live = chance(r, 50),
		                                  .limit = below(r, 4) };
	struct bw_hash id = hash_of("order", below(r, ORDERS));
	int64_t from = below(r, 3 * PIECE), limit = below(r, 20);
	bool pending = chance(r, 50);
	struct bw_buf a, b;
	struct bw_why why[2];

	bw_buf_init(&a, TEXT_BYTES);
	bw_buf_init(&b, TEXT_BYTES);
	same_answer(r, "order_each", r->a->ops->order_each(r->a, &query, print_order, &a, &why[0]),
	            r->b->ops->order_each(r->b, &query, print_order, &b, &why[1]), why);
	same_answer(r, "order_items", r->a->ops->order_items(r->a, &id, from, limit, pending, print_item, &a, &why[0]),
	            r->b->ops->order_items(r->b, &id, from, limit, pending, print_item, &b, &why[1]), why);
	same_text(r, "orders", &a, &b);
}

/* --- posts --- */

/* One message: the same host and time whoever speaks of it. */
static struct bw_post a_post(struct run *r, int64_t hours_back)
{
	int64_t hour = r->now_ms / BW_HOUR_MS - below(r, hours_back + 1), n = hour * POSTS_AN_HOUR + below(r, POSTS_AN_HOUR);

	return (struct bw_post){ .id = hash_of("post", n),
		                     .host = n % 3 == 0 ? BW_S("mx2") : BW_S("mx1"),
		                     .queue_id = BW_S("4Xyz"),
		                     .mta = BW_S("postfix"),
		                     .list = list_of(below(r, LISTS)),
		                     .conversation = hash_of("conversation", below(r, 6)),
		                     .sender = BW_S("ann@example.org"),
		                     .deliveries = below(r, 1000),
		                     .accepted_ms = hour * BW_HOUR_MS };
}

void do_post(struct run *r)
{
	struct bw_post posts[4];
	size_t n = (size_t)below(r, 5);
	struct bw_hash moved = a_post(r, HOURS_BACK).id;
	enum bw_post_state to = (enum bw_post_state)below(r, BW_POST_STATE_COUNT);
	struct bw_why why[2];

	for (size_t i = 0; i < n; i++)
		posts[i] = a_post(r, 2);
	same_answer(r, "post_put", r->a->ops->post_put(r->a, posts, n, &why[0]), r->b->ops->post_put(r->b, posts, n, &why[1]), why);
	if (chance(r, 50))
		same_answer(r, "post_move", r->a->ops->post_move(r->a, &moved, to, r->now_ms, &why[0]),
		            r->b->ops->post_move(r->b, &moved, to, r->now_ms, &why[1]), why);
	if (chance(r, 10))
		same_answer(r, "post_return", r->a->ops->post_return(r->a, &moved, to, BW_S("again"), r->now_ms, &why[0]),
		            r->b->ops->post_return(r->b, &moved, to, BW_S("again"), r->now_ms, &why[1]), why);
}

/* In which order the rows of one message come among others is the store's: they are added up. */
struct sum {
	struct bw_hash hash;
	int64_t n;
};

static bool add_post(void *ctx, const struct bw_post *p)
{
	static const struct bw_key key = { { 9 } };
	struct sum *s = ctx;
	struct bw_buf text;

	bw_buf_init(&text, 4096);
	print_hash(&text, &p->id);
	print_hash(&text, &p->conversation);
	bw_buf_printf(&text, " %.*s %.*s %" PRId64 " %" PRId64 " %d %" PRId64, (int)p->list.n, p->list.p, (int)p->host.n, p->host.p,
	              p->deliveries, p->accepted_ms, p->state, p->state_ms);
	struct bw_hash one = bw_hash_slice(&key, "row", bw_buf_slice(&text));

	bw_buf_done(&text);
	bw_hash_sum(&s->hash, &one);
	s->n++;
	return true;
}

void do_post_each(struct run *r)
{
	const struct bw_post_query query = { .id = chance(r, 30) ? a_post(r, 2).id : (struct bw_hash){ { 0 } },
		                                 .conversation = chance(r, 30) ? hash_of("conversation", below(r, 6)) : (struct bw_hash){ { 0 } },
		                                 .list = chance(r, 40) ? list_of(below(r, LISTS)) : BW_S(""),
		                                 .host = chance(r, 30) ? BW_S("mx2") : BW_S(""),
		                                 .since_ms = chance(r, 30) ? r->now_ms - below(r, HOURS_BACK) * BW_HOUR_MS : 0 };
	struct sum a = { .n = 0 }, b = { .n = 0 };
	struct bw_why why[2];

	same_answer(r, "post_each", r->a->ops->post_each(r->a, &query, add_post, &a, &why[0]),
	            r->b->ops->post_each(r->b, &query, add_post, &b, &why[1]), why);
	same_number(r, "posts", a.n, b.n);
	same_hash(r, "posts", &a.hash, &b.hash);
}
