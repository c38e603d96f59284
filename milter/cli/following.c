/* What a command shows of the orders it has given, until they have ended. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bw/clock.h"
#include "bw/parse.h"
#include "ordering.h"

#define POLL_MS    300
#define SILENCE_MS (10 * BW_SECOND_MS) /* an agent has looked ten times by then */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static const char *id_of(const struct given *g, char out[2 * BW_HASH_BYTES + 1])
{
	bw_hash_hex(&g->row.id, out);
	out[ORDER_DIGITS] = '\0';
	return out;
}

/* --- how far they are --- */

static bool is_live(const struct given *g)
{
	return g->state == BW_ORDER_WRITING || g->state == BW_ORDER_RUNNING || g->state == BW_ORDER_PAUSED;
}

static bool note_row(void *ctx, const struct bw_order_row *row)
{
	struct given *g = ctx;

	g->state = row->state;
	g->done = row->results[BW_ITEM_DONE];
	g->ended = 0;
	for (int i = BW_ITEM_DONE; i < BW_ITEM_RESULT_COUNT; i++)
		g->ended += row->results[i];
	g->done_deliveries = row->deliveries;
	bw_slice_copy(row->note, g->note, sizeof(g->note));
	return false;
}

static void print_progress(struct ordering *o, const struct given *g)
{
	struct bw_buf deliveries;
	bool named = o->count > 1;

	bw_buf_init(&deliveries, 40);
	bw_print_count(&deliveries, g->done_deliveries);
	bw_cli_say(o->c, STYLE_FAINT, "%.*s%s%lld of %zu messages, %s deliveries%s%s%s%s", named ? (int)g->row.host.n : 0, g->row.host.p,
	           named ? ": " : "", (long long)g->ended, g->count, bw_buf_text(&deliveries),
	           g->state == BW_ORDER_RUNNING ? "" : "; ", g->state == BW_ORDER_RUNNING ? "" : bw_order_state_name(g->state),
	           g->note[0] == '\0' ? "" : ": ", g->note);
	bw_buf_done(&deliveries);
	fflush(o->c->env->out);
}

/* A store that does not answer now may answer the next time. */
static void look(struct ordering *o, struct given *g)
{
	const struct bw_order_query query = { .id = g->row.id, .limit = 1 };
	const struct given before = *g;
	struct bw_store *store = o->c->store;

	if (!is_live(g) || store->ops->order_each(store, &query, note_row, g, NULL) != BW_OK)
		return;
	if (g->ended != before.ended || g->state != before.state || strcmp(g->note, before.note) != 0)
		print_progress(o, g);
}

static bool look_at_all(struct ordering *o)
{
	bool live = false;

	for (size_t i = 0; i < o->count; i++) {
		look(o, &o->given[i]);
		live = live || is_live(&o->given[i]);
	}
	return live;
}

/* Said once for each order that nobody takes up. */
static void warn_of_silence(struct ordering *o)
{
	char id[2 * BW_HASH_BYTES + 1];

	for (size_t i = 0; i < o->count; i++) {
		const struct given *g = &o->given[i];

		if (is_live(g) && g->ended == 0 && g->note[0] == '\0')
			fprintf(o->c->env->err, "breakwaterctl: nobody has begun with the order %s so far: is breakwater-agent running on %.*s? "
			                        "The order waits for it\n", id_of(g, id), (int)g->row.host.n, g->row.host.p);
	}
}

/* False: interrupted. */
static bool wait_for_all(struct ordering *o)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	int64_t waited_ms = 0;

	while (look_at_all(o)) {
		if (interrupted)
			return false;
		nanosleep(&pause, NULL);
		waited_ms += POLL_MS;
		if (waited_ms >= SILENCE_MS && waited_ms < SILENCE_MS + POLL_MS)
			warn_of_silence(o);
	}
	return true;
}

/* --- what came of them --- */

struct collecting {
	struct ordering *o;
	const struct given *g;
};

static bool note_item(void *ctx, const struct bw_order_item *row)
{
	static const char *const notes[BW_ITEM_RESULT_COUNT] = {
		[BW_ITEM_PENDING] = "not tried",
		[BW_ITEM_GONE] = "not there any more",
		[BW_ITEM_REFUSED] = "refused",
		[BW_ITEM_FAILED] = "not done",
	};
	const struct collecting *col = ctx;
	struct ordering *o = col->o;

	if (row->number < 0 || (uint64_t)row->number >= col->g->count || (unsigned)row->result >= BW_ITEM_RESULT_COUNT)
		return true;
	struct entry *e = &o->entries->at[col->g->first + (size_t)row->number];

	e->done = row->result == BW_ITEM_DONE;
	e->note = e->done ? o->batch->done : notes[row->result];
	if (!e->done && row->result != BW_ITEM_PENDING && o->c->why.text[0] == '\0')
		bw_cli_fail(o->c, BW_CLI_NO, "%s: %.*s", e->queue_id, (int)row->note.n, row->note.p == NULL ? "" : row->note.p);
	return true;
}

/* One sentence about all: a flare-up first, then what was not done. */
static enum bw_cli_exit conclude(struct ordering *o)
{
	struct cli *c = o->c;
	char id[2 * BW_HASH_BYTES + 1];

	for (size_t i = 0; i < o->count; i++) {
		const struct given *g = &o->given[i];

		if (g->state == BW_ORDER_STOPPED)
			return bw_cli_fail(c, BW_CLI_REFUSED, "stopped %s; the rest waits, and `held resume %s` goes on with it", g->note,
			                   id_of(g, id));
	}
	for (size_t i = 0; i < o->count; i++) {
		if (o->given[i].state == BW_ORDER_CANCELLED)
			return bw_cli_fail(c, BW_CLI_NO, "cancelled after %lld of %zu messages%s%s", (long long)o->given[i].ended,
			                   o->given[i].count, o->given[i].note[0] == '\0' ? "" : ": ", o->given[i].note);
	}
	return c->why.text[0] == '\0' ? BW_CLI_DONE : BW_CLI_NO;
}

static enum bw_cli_exit collect(struct ordering *o)
{
	struct bw_store *store = o->c->store;
	enum bw_err err = BW_OK;

	o->c->why.text[0] = '\0';
	for (size_t i = 0; err == BW_OK && i < o->count; i++) {
		struct collecting col = { o, &o->given[i] };

		err = store->ops->order_items(store, &o->given[i].row.id, 0, BW_ORDER_ITEMS_MAX, false, note_item, &col, &o->c->why);
	}
	return err == BW_OK ? conclude(o) : bw_cli_fail_err(err);
}

static enum bw_cli_exit leave_running(struct ordering *o)
{
	char id[2 * BW_HASH_BYTES + 1];

	for (size_t i = 0; i < o->count; i++) {
		if (is_live(&o->given[i]))
			bw_cli_say(o->c, STYLE_PLAIN, "the order %s goes on without this command: `held orders %s` shows it, `held pause %s` and "
			                              "`held cancel %s` end it", id_of(&o->given[i], id), id, id, id);
	}
	return bw_cli_fail(o->c, BW_CLI_NO, "interrupted; what was ordered goes on");
}

enum bw_cli_exit bw_cli_orders_follow(struct ordering *o, bool *ended)
{
	const struct sigaction act = { .sa_handler = on_interrupt };
	struct sigaction before;

	for (size_t i = 0; i < o->entries->count; i++)
		o->entries->at[i].note = "not tried";
	for (size_t i = 0; i < o->count; i++)
		o->given[i].state = BW_ORDER_RUNNING;
	interrupted = 0;
	sigaction(SIGINT, &act, &before);
	*ended = wait_for_all(o);

	sigaction(SIGINT, &before, NULL);
	return *ended ? collect(o) : leave_running(o);
}
