#include "leader.h"

/* Not secret: all hosts are to come to the same. */
static const struct bw_key no_secret;

struct hosts {
	struct bw_slice own;
	struct bw_meter_in signs[LEADER_HOSTS + 1];
	size_t n;
	int64_t window_ms;
};

static struct bw_meter_in sign_of(struct bw_slice host, int64_t amount, int64_t window_ms)
{
	return (struct bw_meter_in){ .meter = BW_METER_NOTICES, .key = bw_hash_slice(&no_secret, "agent", host), .amount = amount,
		                         .window_ms = window_ms };
}

/* The row is the daemon's; an agent may live where that has ended. */
static bool note_host(void *ctx, const struct bw_host_row *row)
{
	struct hosts *h = ctx;

	if (bw_slice_compare(row->host, h->own) < 0 && h->n <= LEADER_HOSTS)
		h->signs[h->n++] = sign_of(row->host, 0, h->window_ms);
	return true;
}

enum bw_err leader_look(struct bw_store *store, const char *host, int64_t every_ms, bool *leads, struct bw_why *why)
{
	struct hosts h = { .own = bw_slice_of(host), .window_ms = 3 * every_ms > LEADER_MS ? 3 * every_ms : LEADER_MS };
	int64_t totals[LEADER_HOSTS + 1];

	h.signs[h.n++] = sign_of(h.own, 1, h.window_ms);
	enum bw_err err = store->ops->host_each(store, 0, note_host, &h, why);

	if (err == BW_OK)
		err = store->ops->meter(store, h.signs, totals, h.n, why);
	if (err != BW_OK)
		return err;
	*leads = true;
	for (size_t i = 1; i < h.n; i++)
		*leads = *leads && totals[i] == 0;
	return BW_OK;
}

static enum bw_err ask(struct bw_store *store, const struct bw_hash *what, int64_t amount, int64_t within_ms, int64_t *total,
                       struct bw_why *why)
{
	const struct bw_meter_in in = { .meter = BW_METER_NOTICES, .key = *what, .amount = amount, .window_ms = within_ms };

	return store->ops->meter(store, &in, total, 1, why);
}

enum bw_err leader_is_told(struct bw_store *store, const struct bw_hash *what, int64_t within_ms, bool *told, struct bw_why *why)
{
	int64_t total = 0;
	enum bw_err err = ask(store, what, 0, within_ms, &total, why);

	if (err == BW_OK)
		*told = total > 0;
	return err;
}

enum bw_err leader_tell(struct bw_store *store, const struct bw_hash *what, int64_t within_ms, struct bw_why *why)
{
	int64_t total;

	return ask(store, what, 1, within_ms, &total, why);
}
