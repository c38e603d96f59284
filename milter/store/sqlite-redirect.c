/* Redirected replies of a conversation (store.h: redirect). */
#include <stdlib.h>
#include <string.h>

#include "sqlite-backend.h"
#include "sqlite-message.h"
#include "store-internal.h"

struct redirecting {
	const struct bw_redirect_in *in;
	struct bw_redirect_out *out;
	size_t n;
};

/* Who began it is readable no longer than the memory, however long it goes on. */
static void read_root(struct bw_sqlite_lane *lane, int64_t conversation, int64_t oldest_ms, struct bw_redirect_out *out)
{
	sqlite3_stmt *row = bw_sqlite_rows(lane, BW_SQL_ROOT_GET, ARGS(INT(conversation)));
	struct bw_slice root = row == NULL ? BW_S("") : bw_sqlite_text(row, 0);

	if (root.n > 0 && root.n < sizeof(out->root_sender) && sqlite3_column_int64(row, 1) > oldest_ms) {
		bw_slice_copy(root, out->root_sender, sizeof(out->root_sender));
		out->root_trusted = sqlite3_column_int(row, 2) != 0;
	}
	if (row != NULL)
		bw_sqlite_done(row);
}

static void redirect_one(struct bw_sqlite_lane *lane, const struct bw_redirect_in *in, struct bw_redirect_out *out)
{
	int64_t now_ms = bw_sqlite_now(lane, in->now_ms), list = bw_sqlite_list_id(lane, in->list, false), counted[2] = { 0 };
	struct bw_sqlite_conversation c = { 0 };

	*out = (struct bw_redirect_out){ 0 };
	if (list == 0 || !bw_sqlite_conversation_find(lane, list, &in->conversation, &c) || now_ms - c.last_ms >= in->memory_ms)
		return;
	bw_sqlite_ints(lane, BW_SQL_REDIRECTED_GET, counted, 2, ARGS(INT(c.id), HASH(&in->message)));
	out->again = counted[1] != 0;
	out->ordinal = out->again ? (counted[0] < in->limit ? counted[0] : in->limit) : counted[0] + 1;
	if (in->give_back)
		bw_sqlite_run(lane, BW_SQL_REDIRECTED_TAKE, ARGS(INT(c.id), HASH(&in->message)));
	else if (!out->again && out->ordinal <= in->limit)
		bw_sqlite_run(lane, BW_SQL_REDIRECTED_PUT, ARGS(INT(c.id), HASH(&in->message)));
	read_root(lane, c.id, now_ms - in->memory_ms, out);
}

static enum bw_err redirect_all(struct bw_sqlite_lane *lane, void *arg, struct bw_why *why)
{
	const struct redirecting *r = arg;

	(void)why;
	for (size_t i = 0; i < r->n && lane->rc == SQLITE_OK; i++)
		redirect_one(lane, &r->in[i], &r->out[i]);
	return BW_OK;
}

enum bw_err bw_sqlite_redirect(struct bw_store *s, const struct bw_redirect_in *in, struct bw_redirect_out *out, size_t n,
                               struct bw_why *why)
{
	struct redirecting r = { in, calloc(n > 0 ? n : 1, sizeof(*out)), n };
	enum bw_err err = bw_store_check_redirect(in, n, why);

	if (err == BW_OK && r.out == NULL)
		err = bw_fail(why, BW_ERR_MEMORY, "no memory to redirect from %zu lists", n);
	if (err == BW_OK && n > 0)
		err = bw_sqlite_do(bw_sqlite_of(s)->counting, BW_SQLITE_WRITE, redirect_all, &r, why);
	if (err == BW_OK && n > 0)
		memcpy(out, r.out, n * sizeof(*out));
	free(r.out);
	return err;
}
