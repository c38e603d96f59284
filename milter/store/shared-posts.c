/* Accepted posts of a shared store: this host's lie in its own store too, so that they can be frozen while the primary is away. And
 * orders, which are the primary's: one that was given there is not answered for by the store of this host. */
#include "bw/clock.h"
#include "guarded-internal.h"

enum { POSTS_A_CALL = 100 };
#define TEXTS_BYTES_MAX ((size_t)4 << 20)

/* --- what the primary lacks --- */

void bw_shared_owe_posts(struct bw_guarded *g, int64_t since_ms)
{
	pthread_mutex_lock(&g->news_lock);
	if (!g->owes_posts || since_ms < g->owed_posts_ms)
		g->owed_posts_ms = since_ms;
	g->owes_posts = true;
	pthread_mutex_unlock(&g->news_lock);
}

static bool take_owed(struct bw_guarded *g, int64_t *since_ms)
{
	pthread_mutex_lock(&g->news_lock);
	bool owes = g->owes_posts;

	*since_ms = g->owed_posts_ms;
	g->owes_posts = false;
	pthread_mutex_unlock(&g->news_lock);
	return owes;
}

/* --- put, move --- */

static int64_t first_ms(const struct bw_post *posts, size_t n)
{
	int64_t first = posts[0].accepted_ms;

	for (size_t i = 1; i < n; i++)
		first = posts[i].accepted_ms < first ? posts[i].accepted_ms : first;
	return first;
}

static enum bw_err post_put(struct bw_store *s, const struct bw_post *posts, size_t n, struct bw_why *why)
{
	struct bw_guarded *g = bw_guarded_of(s);
	struct bw_why mine = { "" };
	enum bw_err err = g->fallback->ops->post_put(g->fallback, posts, n, why), theirs = BW_ERR_STORE;

	if (err != BW_OK || n == 0)
		return err;
	if (!atomic_load(&g->degraded)) {
		theirs = g->primary->ops->post_put(g->primary, posts, n, &mine);
		if (theirs == BW_ERR_STORE)
			bw_guarded_degrade(g, &mine);
	}
	if (theirs != BW_OK)
		bw_shared_owe_posts(g, first_ms(posts, n));
	return BW_OK;
}

/* `queue_id` "": it keeps its own. */
static enum bw_err move_in(struct bw_store *s, const struct bw_hash *id, enum bw_post_state to, struct bw_slice queue_id, int64_t now_ms,
                           struct bw_why *why)
{
	return queue_id.n == 0 ? s->ops->post_move(s, id, to, now_ms, why) : s->ops->post_return(s, id, to, queue_id, now_ms, why);
}

static enum bw_err move_both(struct bw_store *s, const struct bw_hash *id, enum bw_post_state to, struct bw_slice queue_id, int64_t now_ms,
                             struct bw_why *why)
{
	struct bw_guarded *g = bw_guarded_of(s);
	struct bw_why mine = { "" };
	enum bw_err err = BW_OK, theirs = BW_ERR_STORE;

	if (now_ms <= 0) /* the same in both */
		err = g->fallback->ops->now(g->fallback, &now_ms, why);
	if (err == BW_OK)
		err = move_in(g->fallback, id, to, queue_id, now_ms, why);
	if (err != BW_OK && err != BW_ERR_NOT_FOUND)
		return err;
	if (!atomic_load(&g->degraded))
		theirs = move_in(g->primary, id, to, queue_id, now_ms, &mine);
	else if (err == BW_ERR_NOT_FOUND)
		return err;
	if (err == BW_ERR_NOT_FOUND) /* of another host */
		return bw_guarded_tell(theirs, &mine, why);
	if (theirs != BW_OK)
		bw_shared_owe_posts(g, now_ms);
	return BW_OK;
}

static enum bw_err post_move(struct bw_store *s, const struct bw_hash *id, enum bw_post_state to, int64_t now_ms, struct bw_why *why)
{
	return move_both(s, id, to, BW_S(""), now_ms, why);
}

static enum bw_err post_return(struct bw_store *s, const struct bw_hash *id, enum bw_post_state to, struct bw_slice queue_id,
                               int64_t now_ms, struct bw_why *why)
{
	return queue_id.n == 0 ? bw_store_no_queue_id(why) : move_both(s, id, to, queue_id, now_ms, why);
}

/* --- copies --- */

struct copy {
	struct bw_guarded *g;
	const _Atomic bool *stop;
	struct bw_arena *texts;
	struct bw_post posts[POSTS_A_CALL];
	size_t n;
	enum bw_err err;
};

struct there {
	struct bw_slice queue_id; /* that we have */
	bool found, renamed;
	enum bw_post_state state;
	int64_t state_ms;
};

static bool note_there(void *ctx, const struct bw_post *row)
{
	struct there *t = ctx;

	t->found = true;
	t->renamed = !bw_slice_equal(t->queue_id, row->queue_id);
	t->state = row->state;
	t->state_ms = row->state_ms;
	return false;
}

/* What was there before stays as it is: one that has moved here since moves there too. */
static enum bw_err follow(struct bw_store *primary, const struct bw_post *p)
{
	struct bw_post_query one = { .id = p->id };
	struct there there = { .queue_id = p->queue_id };
	enum bw_err err = BW_OK;

	if (p->state != BW_POST_QUEUED)
		err = primary->ops->post_each(primary, &one, note_there, &there, NULL);
	if (err == BW_OK && there.found && (there.state != p->state || there.renamed) && p->state_ms >= there.state_ms)
		err = move_in(primary, &p->id, p->state, there.renamed ? p->queue_id : BW_S(""), p->state_ms, NULL);
	return err;
}

static void write_posts(struct copy *c)
{
	struct bw_store *primary = c->g->primary;

	if (c->n > 0)
		c->err = primary->ops->post_put(primary, c->posts, c->n, NULL);
	for (size_t i = 0; i < c->n && c->err == BW_OK; i++)
		c->err = follow(primary, &c->posts[i]);
	bw_arena_reset(c->texts);
	c->n = 0;
}

static bool keep_post(void *ctx, const struct bw_post *row)
{
	struct copy *c = ctx;
	struct bw_post *p = &c->posts[c->n++];

	*p = *row;
	p->host = bw_arena_slice(c->texts, row->host);
	p->queue_id = bw_arena_slice(c->texts, row->queue_id);
	p->mta = bw_arena_slice(c->texts, row->mta);
	p->list = bw_arena_slice(c->texts, row->list);
	p->sender = bw_arena_slice(c->texts, row->sender);
	p->message_id = bw_arena_slice(c->texts, row->message_id);
	if (c->n == POSTS_A_CALL)
		write_posts(c);
	if (c->stop != NULL && atomic_load(c->stop))
		c->err = BW_ERR_STORE; /* not now; it stays owed */
	return c->err == BW_OK;
}

static void copy_posts(struct bw_guarded *g, int64_t since_ms, const _Atomic bool *stop)
{
	struct copy c = { .g = g, .stop = stop, .texts = bw_arena_new(TEXTS_BYTES_MAX) };
	struct bw_post_query query = { .since_ms = since_ms };

	c.err = c.texts == NULL ? BW_ERR_MEMORY : g->fallback->ops->post_each(g->fallback, &query, keep_post, &c, NULL);
	if (c.err == BW_OK)
		write_posts(&c);
	if (c.err != BW_OK)
		bw_shared_owe_posts(g, since_ms);
	bw_arena_free(&c.texts);
}

void bw_shared_copy_posts(struct bw_guarded *g, int64_t since_ms, const _Atomic bool *stop)
{
	int64_t owed_ms;

	if (since_ms >= 0)
		bw_shared_owe_posts(g, since_ms);
	if (take_owed(g, &owed_ms))
		copy_posts(g, owed_ms, stop);
}

/* --- orders --- */

/* Not here, and the store that may have it does not answer: that is no answer. */
static enum bw_err unknown_here(struct bw_store *s, enum bw_err err, struct bw_why *why)
{
	if (err == BW_ERR_NOT_FOUND && atomic_load(&bw_guarded_of(s)->degraded))
		return bw_fail(why, BW_ERR_STORE, "the shared store does not answer, and the order lies there");
	return err;
}

static enum bw_err order_move(struct bw_store *s, const struct bw_hash *id, enum bw_order_state from, enum bw_order_state to,
                              int64_t now_ms, struct bw_slice by, struct bw_slice note, struct bw_why *why)
{
	return unknown_here(s, bw_guarded_of(s)->guarded_order_move(s, id, from, to, now_ms, by, note, why), why);
}

static enum bw_err order_result(struct bw_store *s, const struct bw_hash *id, int64_t number, enum bw_item_result result,
                                struct bw_slice note, int64_t now_ms, struct bw_why *why)
{
	return unknown_here(s, bw_guarded_of(s)->guarded_order_result(s, id, number, result, note, now_ms, why), why);
}

void bw_shared_take_posts(struct bw_guarded *g)
{
	g->guarded_order_move = g->ops.order_move;
	g->guarded_order_result = g->ops.order_result;
	g->ops.order_move = order_move;
	g->ops.order_result = order_result;
	g->ops.post_put = post_put;
	g->ops.post_move = post_move;
	g->ops.post_return = post_return;
}
