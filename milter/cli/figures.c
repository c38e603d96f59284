#include <stdlib.h>
#include <string.h>

#include "status.h"

/* --- hosts --- */

struct hosts {
	struct figures *f;
	int64_t settings, directory; /* the newest versions */
};

static bool note_host(void *ctx, const struct bw_host_row *row)
{
	struct hosts *hosts = ctx;
	struct figures *f = hosts->f;

	if (f->host_count == HOSTS_MAX)
		return false;
	struct host *h = &f->hosts[f->host_count++];

	h->row = *row;
	bw_slice_copy(row->host, h->host, sizeof(h->host));
	bw_slice_copy(row->version, h->version, sizeof(h->version));
	h->row.host = bw_slice_of(h->host);
	h->row.version = bw_slice_of(h->version);
	h->behind = row->settings_version < hosts->settings || row->directory_version < hosts->directory;
	f->degraded = f->degraded || row->degraded;
	f->deliveries += row->deliveries;
	if (f->since_ms == 0 || row->started_ms < f->since_ms)
		f->since_ms = row->started_ms;
	return true;
}

static enum bw_err note_hosts(struct cli *c, struct figures *f)
{
	struct hosts hosts = { .f = f };
	int64_t daemons = 0;
	enum bw_err err = c->store->ops->versions(c->store, &hosts.settings, &hosts.directory, &c->why);

	if (err == BW_OK)
		err = c->store->ops->host_each(c->store, c->now_ms - ALIVE_MS, note_host, &hosts, &c->why);
	/* Either of the two may have found the shared store gone. */
	f->degraded = f->degraded || c->store->ops->degraded(c->store, &daemons);
	return err;
}

/* --- lists --- */

/* Beyond TALLIES_MAX suffering lists the newcomers are left out: a screen shows the worst few. */
static struct tally *tally_of(struct figures *f, const struct cli *c, struct bw_slice list)
{
	for (size_t i = 0; i < f->tally_count; i++) {
		if (bw_slice_equal(list, bw_slice_of(f->tallies[i].list)))
			return &f->tallies[i];
	}
	char *name = f->tally_count < TALLIES_MAX ? bw_slice_dup(list) : NULL;

	if (name == NULL)
		return NULL;
	const struct bw_list *known = bw_directory_find(bw_world_directory(c->world), list);
	struct tally *t = &f->tallies[f->tally_count++];

	*t = (struct tally){ .list = name, .size = known != NULL ? known->size : 0 };
	return t;
}

static void note_breakers(struct cli *c, struct figures *f, const struct breakers *breakers)
{
	for (size_t i = 0; i < breakers->count; i++) {
		struct tally *t = bw_cli_breaker_stops(&breakers->at[i]) ? tally_of(f, c, breakers->at[i].key.list) : NULL;

		if (t != NULL)
			t->open++;
	}
}

static void note_lists(const struct cli *c, struct figures *f)
{
	const struct bw_directory *directory = bw_world_directory(c->world);

	f->lists = (int64_t)bw_directory_count(directory);
	for (size_t i = 0; i < bw_directory_count(directory); i++)
		f->unconfirmed += bw_directory_at(directory, i)->unconfirmed;
}

/* --- the ledger --- */

struct ledger {
	struct cli *c;
	struct figures *f;
};

static bool note_waiting(void *ctx, const struct bw_held *held)
{
	struct ledger *l = ctx;
	struct tally *t = tally_of(l->f, l->c, held->list);

	l->f->held++;
	l->f->held_deliveries += held->deliveries;
	if (bw_slice_equal(held->host, bw_slice_of(l->c->host))) {
		l->f->room.messages++;
		l->f->room.bytes += bw_room_size(held->size_bytes);
	}
	if (t != NULL) {
		t->held++;
		t->deliveries += held->deliveries;
	}
	return true;
}

static bool note_released(void *ctx, const struct bw_held *held)
{
	struct ledger *l = ctx;

	if (held->state_ms < l->f->since_ms)
		return true;
	l->f->released++;
	l->f->released_deliveries += held->deliveries;
	return true;
}

static enum bw_err note_held(struct cli *c, struct figures *f)
{
	struct ledger l = { c, f };
	struct bw_held_query query = { .by_state = true, .state = BW_HELD_WAITING };
	enum bw_err err = c->store->ops->held_each(c->store, &query, note_waiting, &l, &c->why);

	query.state = BW_HELD_RELEASED;
	if (err == BW_OK)
		err = c->store->ops->held_each(c->store, &query, note_released, &l, &c->why);
	f->deliveries += f->released_deliveries;
	return err;
}

/* The same rule that breakwaterd goes by. A queue that cannot be seen from here sets no limit. */
static void note_room(struct cli *c, struct figures *f)
{
	f->room_limits = bw_room_limits_of(bw_cli_config(c));
	(void)bw_room_measure(bw_cli_config(c), &f->room.free, NULL);
	f->full = bw_room_check(&f->room_limits, &f->room, BW_ROOM_BLOCK);
}

static int by_suffering(const void *a, const void *b)
{
	const struct tally *x = a, *y = b;
	int order = (y->deliveries > x->deliveries) - (y->deliveries < x->deliveries);

	if (order == 0)
		order = (y->open > x->open) - (y->open < x->open);
	return order != 0 ? order : strcmp(x->list, y->list);
}

enum bw_cli_exit bw_cli_figures(struct cli *c, const struct breakers *breakers, struct figures *out)
{
	enum bw_err err = note_hosts(c, out);

	if (err == BW_OK) {
		out->bypass_until_ms = bw_cli_bypass_end_ms(c);
		note_lists(c, out);
		note_breakers(c, out, breakers);
		err = note_held(c, out);
		note_room(c, out);
	}
	qsort(out->tallies, out->tally_count, sizeof(out->tallies[0]), by_suffering);
	return bw_cli_fail_err(err);
}

void bw_cli_figures_done(struct figures *f)
{
	for (size_t i = 0; i < f->tally_count; i++)
		free(f->tallies[i].list);
	f->tally_count = 0;
}
