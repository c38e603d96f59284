#include "ordering.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bw/clock.h"
#include "bw/parse.h"
#include "bw/stores.h"
#include "pacing.h"

#define EXPIRES_MS (7 * BW_DAY_MS) /* unless --for says otherwise */

/* --- the key --- */

bool bw_cli_has_orders(const struct cli *c)
{
	return access(bw_cli_config(c)->hold.order_key, F_OK) == 0 || errno == EACCES;
}

enum bw_cli_exit bw_cli_order_key(struct cli *c, struct bw_order_key *out)
{
	const char *path = bw_cli_config(c)->hold.order_key;
	enum bw_err err = bw_order_key_load(path, false, false, out, &c->why);
	const struct group *group = NULL;
	struct stat st;

	if (err != BW_ERR_PERMISSION)
		return bw_cli_fail_err(err);
	if (stat(path, &st) == 0)
		group = getgrgid(st.st_gid);
	if (group == NULL)
		return bw_cli_fail(c, BW_CLI_NOT_PERMITTED, "%s: may not be read by %s; only root gives orders on held mail here", path,
		                   c->owner);
	return bw_cli_fail(c, BW_CLI_NOT_PERMITTED, "%s: may not be read by %s; root and the group %s give orders on held mail", path,
	                   c->owner, group->gr_name);
}

/* --- writing --- */

static int by_host(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->host, y->host);

	if (order == 0)
		order = strcmp(x->list, y->list);
	return order != 0 ? order : (x->held_ms > y->held_ms) - (x->held_ms < y->held_ms);
}

static enum bw_cli_exit split(struct ordering *o)
{
	const struct entries *e = o->entries;
	struct cli *c = o->c;

	qsort(e->at, e->count, sizeof(e->at[0]), by_host);
	o->given = calloc(e->count, sizeof(o->given[0]));
	if (o->given == NULL)
		return bw_cli_fail(c, BW_CLI_NO, "no memory for an order about %zu messages", e->count);
	for (size_t i = 0; i < e->count; i++) {
		struct given *g = o->count > 0 ? &o->given[o->count - 1] : NULL;

		if (i == 0 || strcmp(e->at[i].host, e->at[i - 1].host) != 0) {
			g = &o->given[o->count++];
			g->first = i;
			g->row = (struct bw_order_row){
				.id = bw_hash_random(),
				.kind = o->batch->kind,
				.host = bw_slice_of(e->at[i].host),
				.owner = bw_slice_of(c->owner),
				.reason = bw_slice_of(o->batch->command),
				.pace = o->batch->pacing ? c->args.pace : 0,
				.observe_ms = bw_cli_observe_ms(c),
				.made_ms = c->now_ms,
				.expires_ms = c->now_ms + (c->args.for_ms > 0 ? c->args.for_ms : EXPIRES_MS),
				.state = BW_ORDER_WRITING,
			};
		}
		g->count++;
		g->deliveries += e->at[i].deliveries;
	}
	return BW_CLI_DONE;
}

/* Up to BW_ORDER_PIECE items, with their texts. */
struct piece {
	struct bw_order_item items[BW_ORDER_PIECE];
	struct bw_buf texts[BW_ORDER_PIECE];
};

static bool sign(const struct given *g, const struct entry *e, const struct bw_order_key *key, struct bw_buf *out)
{
	const struct bw_order order = {
		.kind = g->row.kind,
		.host = g->row.host,
		.mta = bw_slice_of(e->mta),
		.queue_id = bw_slice_of(e->queue_id),
		.id = e->id,
		.at_ms = e->held_ms,
		.until_ms = g->row.expires_ms,
		.nonce = bw_hash_random(),
	};

	return bw_order_print(out, key, &order);
}

static enum bw_cli_exit fill(struct ordering *o, const struct given *g, size_t from, size_t n, const struct bw_order_key *key,
                             struct piece *piece)
{
	for (size_t i = 0; i < n; i++) {
		const struct entry *e = &o->entries->at[g->first + from + i];

		bw_buf_reset(&piece->texts[i]);
		if (!sign(g, e, key, &piece->texts[i]))
			return bw_cli_fail(o->c, BW_CLI_NO, "%s of %s: no order can be signed about it", e->queue_id, e->host);
		piece->items[i] = (struct bw_order_item){
			.number = (int64_t)(from + i),
			.subject = e->id,
			.mta = bw_slice_of(e->mta),
			.queue_id = bw_slice_of(e->queue_id),
			.list = bw_slice_of(e->list),
			.signed_text = bw_buf_slice(&piece->texts[i]),
			.deliveries = e->deliveries,
		};
	}
	return BW_CLI_DONE;
}

static enum bw_cli_exit write_items(struct ordering *o, const struct given *g, const struct bw_order_key *key, struct piece *piece)
{
	struct bw_store *store = o->c->store;
	enum bw_cli_exit code = BW_CLI_DONE;

	for (size_t from = 0; code == BW_CLI_DONE && from < g->count; from += BW_ORDER_PIECE) {
		size_t n = g->count - from < BW_ORDER_PIECE ? g->count - from : BW_ORDER_PIECE;

		code = fill(o, g, from, n, key, piece);
		if (code == BW_CLI_DONE)
			code = bw_cli_fail_err(store->ops->order_put(store, &g->row, piece->items, n, &o->c->why));
	}
	return code;
}

static enum bw_cli_exit write_order(struct ordering *o, const struct given *g, const struct bw_order_key *key)
{
	struct piece *piece = calloc(1, sizeof(*piece));

	if (piece == NULL)
		return bw_cli_fail(o->c, BW_CLI_NO, "no memory for an order about %zu messages", g->count);
	for (size_t i = 0; i < BW_ORDER_PIECE; i++)
		bw_buf_init(&piece->texts[i], BW_ORDER_TEXT_BYTES);
	enum bw_cli_exit code = write_items(o, g, key, piece);

	for (size_t i = 0; i < BW_ORDER_PIECE; i++)
		bw_buf_done(&piece->texts[i]);
	free(piece);
	return code;
}

/* --- giving --- */

static enum bw_cli_exit note_given(struct cli *c, const struct given *g)
{
	char id[2 * BW_HASH_BYTES + 1];
	struct bw_buf text;

	bw_hash_hex(&g->row.id, id);
	bw_buf_init(&text, BW_WHY_BYTES);
	bw_buf_printf(&text, "order %.*s to %s given: %zu message%s of %.*s, ", ORDER_DIGITS, id, bw_order_kind_name(g->row.kind), g->count,
	              g->count == 1 ? "" : "s", (int)g->row.host.n, g->row.host.p);
	bw_print_count(&text, g->deliveries);
	bw_buf_add_text(&text, " deliveries");
	if (g->row.pace > 0) {
		bw_buf_add_text(&text, ", ");
		bw_print_count(&text, g->row.pace);
		bw_buf_add_text(&text, " a minute");
	}
	bw_cli_say(c, STYLE_PLAIN, "%s", bw_buf_text(&text));
	enum bw_cli_exit code = bw_cli_event(c, BW_EVENT_ORDER, BW_S(""), BW_S(""), "%s", bw_buf_text(&text));

	bw_buf_done(&text);
	return code;
}

/* While the shared store is away, an order for another host would never reach it. */
static enum bw_cli_exit check_reach(struct ordering *o)
{
	struct cli *c = o->c;
	int64_t daemons;

	if (!c->store->ops->degraded(c->store, &daemons))
		return BW_CLI_DONE;
	for (size_t i = 0; i < o->count; i++) {
		if (!bw_slice_equal(o->given[i].row.host, bw_slice_of(c->host)))
			return bw_cli_fail(c, BW_CLI_UNREACHABLE,
			                   "the shared store does not answer, so an order cannot reach %.*s; give it there, or later",
			                   (int)o->given[i].row.host.n, o->given[i].row.host.p);
	}
	return BW_CLI_DONE;
}

static enum bw_cli_exit start(struct cli *c, const struct given *g, enum bw_order_state to)
{
	return bw_cli_fail_err(c->store->ops->order_move(c->store, &g->row.id, BW_ORDER_WRITING, to, c->now_ms, bw_slice_of(c->owner),
	                                                 BW_S(""), &c->why));
}

/* None runs before all are written. */
enum bw_cli_exit bw_cli_orders_give(struct ordering *o, const struct bw_order_key *key)
{
	enum bw_cli_exit code = split(o);
	struct cli *c = o->c;

	if (code == BW_CLI_DONE)
		code = check_reach(o);
	for (size_t i = 0; code == BW_CLI_DONE && i < o->count; i++)
		code = write_order(o, &o->given[i], key);
	for (size_t i = 0; code == BW_CLI_DONE && i < o->count; i++) {
		code = start(c, &o->given[i], BW_ORDER_RUNNING);
		if (code == BW_CLI_DONE)
			code = note_given(c, &o->given[i]);
	}
	return code;
}

void bw_cli_orders_done(struct ordering *o)
{
	free(o->given);
	o->given = NULL;
}

enum bw_cli_exit bw_cli_batch_order(struct cli *c, const struct batch *b, struct entries *e, bool *ended)
{
	struct ordering o = { .c = c, .batch = b, .entries = e };
	struct bw_order_key key;
	enum bw_cli_exit code = bw_cli_order_key(c, &key);

	if (code == BW_CLI_DONE)
		code = bw_cli_orders_give(&o, &key);
	explicit_bzero(&key, sizeof(key));
	*ended = false;
	if (code == BW_CLI_DONE && c->env->now_ms == 0)
		code = bw_cli_orders_follow(&o, ended);
	bw_cli_orders_done(&o);
	return code;
}
