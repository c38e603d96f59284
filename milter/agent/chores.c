#include "chores.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bw/parse.h"

static void tell(const struct chores *c, enum bw_event event, int64_t now_ms, struct bw_slice list, const char *text)
{
	const struct bw_event_row row = {
		.at_ms = now_ms,
		.event = event,
		.host = bw_slice_of(c->keeper->host),
		.list = list,
		.text = bw_slice_of(text),
		.owner = BW_S(AGENT_NAME),
	};

	(void)c->keeper->store->ops->event_add(c->keeper->store, &row, NULL);
}

/* --- the directory, for messages that only the queue knows --- */

struct loading {
	struct bw_directory_builder *builder;
	enum bw_err err;
	struct bw_why *why;
};

/* Sizes alone are wanted; a row that cannot be is left out. */
static bool add_list(void *ctx, const struct bw_list_row *row)
{
	struct loading *l = ctx;
	const struct bw_list_entry entry = { .address = row->address, .size = row->size, .source = row->source };

	if (!row->removed && bw_directory_add(l->builder, &entry, l->why) == BW_ERR_MEMORY)
		l->err = BW_ERR_MEMORY;
	return l->err == BW_OK;
}

static enum bw_err load_directory(const struct chores *c, struct bw_directory **out, struct bw_why *why)
{
	struct bw_store *store = c->keeper->store;
	struct loading l = { bw_directory_builder_new(&c->config->tiers), BW_OK, why };
	enum bw_err err = l.builder == NULL ? bw_fail(why, BW_ERR_MEMORY, "no memory for the directory") : BW_OK;

	for (size_t i = 0; err == BW_OK && i < c->config->list_count; i++)
		err = bw_directory_add(l.builder, &c->config->lists[i], why);
	if (err == BW_OK)
		err = store->ops->list_each(store, 0, add_list, &l, why);
	if (err == BW_OK)
		err = l.err;
	if (err == BW_OK)
		err = bw_directory_build(l.builder, out, why);
	bw_directory_builder_free(&l.builder);
	return err;
}

/* --- reconcile --- */

struct telling {
	const struct chores *c;
	int64_t now_ms, count;
};

static bool tell_finding(void *ctx, const struct bw_finding *f)
{
	struct telling *t = ctx;
	char text[BW_WHY_BYTES];

	if (f->found == BW_FOUND_HELD_AGAIN)
		return true;
	t->count++;
	snprintf(text, sizeof(text), "reconcile: %.*s from %.*s to %.*s, %lld deliveries: %s", (int)f->queue_id.n, f->queue_id.p,
	         (int)bw_slice_head(f->sender, 128).n, f->sender.p, (int)bw_slice_head(f->list, 128).n, f->list.p, (long long)f->deliveries,
	         bw_found_name(f->found));
	tell(t->c, f->found == BW_FOUND_RELEASED ? BW_EVENT_RELEASE : BW_EVENT_OPERATOR, t->now_ms, f->list, text);
	return true;
}

/* MTAs that the ledger has had messages of. */
struct kinds {
	const char *host;
	bool seen[PLACES_MAX];
	const struct places *places;
	bool any;
};

static bool note_kind(void *ctx, const struct bw_held *row)
{
	struct kinds *k = ctx;
	bool all = true;

	for (size_t i = 0; i < k->places->count; i++) {
		if (bw_slice_equal(row->host, bw_slice_of(k->host)) && bw_slice_equal(row->mta, bw_slice_of(k->places->each[i].mta->name)))
			k->seen[i] = k->any = true;
		all = all && k->seen[i];
	}
	return !all;
}

/* A ledger that is gone tells nothing, and then it is the MTA whose queue is there. */
static enum bw_err find_kinds(const struct chores *c, struct kinds *k, struct bw_why *why)
{
	const struct bw_held_query all = { .limit = 0 };
	bool sendmail = access(c->config->hold.sendmail_queue, F_OK) == 0;
	enum bw_err err = c->ledger->ops->held_each(c->ledger, &all, note_kind, k, why);

	for (size_t i = 0; err == BW_OK && !k->any && i < k->places->count; i++)
		k->seen[i] = (strcmp(k->places->each[i].mta->name, "sendmail") == 0) == sendmail;
	return err;
}

enum bw_err agent_reconcile(const struct chores *c, int64_t now_ms, int64_t *findings, struct bw_why *why)
{
	struct kinds kinds = { .host = c->keeper->host, .places = c->places };
	struct telling telling = { c, now_ms, 0 };
	struct bw_directory *directory = NULL;
	enum bw_err err = load_directory(c, &directory, why);

	if (err == BW_OK)
		err = find_kinds(c, &kinds, why);
	c->keeper->now_ms = now_ms;
	c->keeper->by = AGENT_NAME;
	for (size_t i = 0; err == BW_OK && i < c->places->count; i++) {
		const struct place *p = &c->places->each[i];
		struct bw_reconciled sum;

		if (kinds.seen[i])
			err = bw_keeper_reconcile(c->keeper, p->mta, &p->at, directory, false, &sum, tell_finding, &telling, why);
	}
	bw_directory_unref(&directory);
	*findings = telling.count;
	return err;
}

/* --- what has waited for too long --- */

struct old {
	struct bw_hash id;
	char queue_id[BW_QUEUE_ID_BYTES], mta[16], list[400];
	int64_t held_ms, deliveries;
};
struct collecting {
	const char *host;
	int64_t before_ms;
	struct old at[EXPIRE_AT_A_TIME];
	size_t count;
};

static bool collect(void *ctx, const struct bw_held *row)
{
	struct collecting *c = ctx;

	if (row->held_ms > c->before_ms || !bw_slice_equal(row->host, bw_slice_of(c->host)))
		return true;
	struct old *o = &c->at[c->count++];

	*o = (struct old){ .id = row->id, .held_ms = row->held_ms, .deliveries = row->deliveries };
	bw_slice_copy(row->queue_id, o->queue_id, sizeof(o->queue_id));
	bw_slice_copy(row->mta, o->mta, sizeof(o->mta));
	bw_slice_copy(row->list, o->list, sizeof(o->list));
	return c->count < EXPIRE_AT_A_TIME;
}

static enum bw_err delete_one(const struct chores *c, const struct old *o, struct bw_why *why)
{
	const struct bw_held held = { .id = o->id, .queue_id = bw_slice_of(o->queue_id), .mta = bw_slice_of(o->mta),
		                          .list = bw_slice_of(o->list), .held_ms = o->held_ms, .deliveries = o->deliveries };
	const struct place *place = agent_place_of(c->places, &held);

	return place == NULL ? BW_ERR_NOT_FOUND : bw_keeper_delete(c->keeper, place->mta, &place->at, &held, why);
}

static void tell_expired(const struct chores *c, int64_t now_ms, int64_t moved)
{
	struct bw_buf text;

	bw_buf_init(&text, 200);
	bw_buf_printf(&text, "%lld held message%s had waited for ", (long long)moved, moved == 1 ? "" : "s");
	bw_print_duration(&text, c->config->hold.keep_ms);
	bw_buf_add_text(&text, " (hold.keep), and went into the archive");
	tell(c, BW_EVENT_OPERATOR, now_ms, BW_S(""), bw_buf_text(&text));
	bw_buf_done(&text);
}

enum bw_err agent_expire_held(const struct chores *c, int64_t now_ms, int64_t *moved, struct bw_why *why)
{
	const struct bw_held_query waiting = { .by_state = true, .state = BW_HELD_WAITING };
	struct collecting old = { .host = c->keeper->host, .before_ms = now_ms - c->config->hold.keep_ms };
	enum bw_err err = BW_OK;

	*moved = 0;
	if (c->config->hold.keep_ms <= 0)
		return BW_OK;
	err = c->ledger->ops->held_each(c->ledger, &waiting, collect, &old, why);
	c->keeper->now_ms = now_ms;
	c->keeper->by = AGENT_NAME " (hold.keep)";
	/* One that is gone meanwhile, or is not ours, is reconcile's. */
	for (size_t i = 0; i < old.count && (err == BW_OK || err == BW_ERR_NOT_FOUND || err == BW_ERR_CONFLICT); i++) {
		err = delete_one(c, &old.at[i], why);
		*moved += err == BW_OK;
	}
	c->keeper->by = AGENT_NAME;
	if (*moved > 0)
		tell_expired(c, now_ms, *moved);
	return err == BW_ERR_NOT_FOUND || err == BW_ERR_CONFLICT ? BW_OK : err;
}
