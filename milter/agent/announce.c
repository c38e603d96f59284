/* Incidents, to administrators by mail and to a program: once a state, by one agent of all. */
#include "herald-internal.h"

/* Administrators get a mail no more often; what happens meanwhile is in the next one. */
#define ADMINS_EVERY_MS BW_MINUTE_MS

enum { EVENTS_A_LOOK = 5000 };

/* --- reading --- */

static struct bw_slice print_event(struct bw_buf *out, const struct bw_event_row *row)
{
	char hex[2 * BW_HASH_BYTES + 1];

	bw_hash_hex(&row->conversation, hex);
	bw_buf_printf(out, "%d %lld %s ", (int)row->event, (long long)row->at_ms, hex);
	bw_buf_add(out, row->host);
	bw_buf_add_char(out, '\n');
	bw_buf_add(out, row->guard);
	bw_buf_add_char(out, '\n');
	bw_buf_add(out, row->list);
	bw_buf_add_char(out, '\n');
	bw_buf_add(out, row->text);
	return bw_buf_slice(out);
}

/* Known by what it says: the same event has another number in another store. */
static bool take_event(void *ctx, const struct bw_event_row *row)
{
	struct herald *h = ctx;
	struct told *t = &h->told;
	struct bw_buf text;

	bw_buf_init(&text, 6000);
	struct bw_slice what = print_event(&text, row);

	if (!told_was(t, t->events, what, h->now_ms, INT64_MAX)) {
		told_note(t, t->events, what, h->now_ms);
		(void)incidents_take(&h->incidents, row);
		h->last_event_ms = row->at_ms > h->last_event_ms ? row->at_ms : h->last_event_ms;
	}
	bw_buf_done(&text);
	return true;
}

static bool skip_event(void *ctx, const struct bw_event_row *row)
{
	struct herald *h = ctx;
	struct bw_buf text;

	bw_buf_init(&text, 6000);
	if (row->at_ms <= h->told.event_ms)
		told_note(&h->told, h->told.events, print_event(&text, row), h->now_ms);
	bw_buf_done(&text);
	return true;
}

enum bw_err herald_skip_events(struct herald *h, struct bw_why *why)
{
	h->last_event_ms = h->told.event_ms;
	return h->store->ops->event_each(h->store, h->told.event_ms - HERALD_LAG_MS, EVENTS_A_LOOK, skip_event, h, why);
}

enum bw_err herald_read_events(struct herald *h)
{
	return h->store->ops->event_each(h->store, h->told.event_ms - HERALD_LAG_MS, EVENTS_A_LOOK, take_event, h, h->why);
}

/* --- what it comes to --- */

struct summing {
	const struct incident *incident;
	struct incident_figures *out;
};

/* A message to several lists makes deliveries of each. */
static int64_t deliveries_of(const struct bw_held *row, struct bw_slice list)
{
	for (size_t k = 0; k < row->list_count; k++) {
		if (bw_slice_equal(row->lists[k].list, list))
			return row->lists[k].deliveries;
	}
	return row->deliveries;
}

static bool add_held(void *ctx, const struct bw_held *row)
{
	const struct summing *s = ctx;
	int64_t deliveries = deliveries_of(row, bw_slice_of(s->incident->name));

	if (!bw_slice_equal(row->guard, bw_slice_of(s->incident->guard)) && bw_hash_is_zero(&s->incident->conversation))
		return true;
	if (row->state == BW_HELD_WAITING) {
		s->out->waiting++;
		s->out->waiting_deliveries += deliveries;
	}
	if (row->state == BW_HELD_WAITING || row->state == BW_HELD_DELETED)
		s->out->avoided += deliveries;
	return true;
}

static bool add_post(void *ctx, const struct bw_post *row)
{
	struct incident_figures *f = ctx;

	f->made += row->deliveries;
	return true;
}

/* Of a conversation from its first message on; of a list or a sender since it began. A store that cannot say leaves it open. */
static void sum_up(struct herald *h, const struct incident *i, struct incident_figures *out)
{
	bool conversation = !bw_hash_is_zero(&i->conversation);
	const struct bw_held_query held = { .list = bw_slice_of(i->name), .conversation = i->conversation,
		                                .since_ms = conversation || i->kind == INCIDENT_APPROVAL ? 0 : i->began_ms };
	const struct bw_post_query posts = { .list = held.list, .conversation = i->conversation, .since_ms = held.since_ms };
	struct summing s = { i, out };

	*out = (struct incident_figures){ .made = -1, .avoided = -1 };
	if (i->kind != INCIDENT_STORM && i->kind != INCIDENT_SENDER && i->kind != INCIDENT_APPROVAL)
		return;
	out->avoided = 0;
	if (h->store->ops->held_each(h->store, &held, add_held, &s, NULL) != BW_OK)
		out->avoided = -1;
	if (i->kind != INCIDENT_STORM)
		return;
	out->made = 0;
	if (h->store->ops->post_each(h->store, &posts, add_post, out, NULL) != BW_OK)
		out->made = -1;
}

/* --- the program --- */

static void give_hook(struct herald *h, const struct bulletin_item *item)
{
	struct bw_buf text;
	struct bw_why why;

	if (h->hook == NULL)
		h->hook = agent_hook_new(&why);
	bw_buf_init(&text, BULLETIN_JSON_BYTES);
	agent_bulletin_json(&text, item, !h->config->privacy.sender);
	if (h->hook == NULL || agent_hook_give(h->hook, h->config->notify.hook, bw_buf_slice(&text), &why) != BW_OK) {
		h->hook_why = why;
		h->hook_failed = true;
	}
	bw_buf_done(&text);
}

/* --- the mail --- */

/* True: one administrator at least has it. */
static bool write_admins(struct herald *h, const struct bulletin_item *items, size_t count, enum bw_err *err)
{
	bool any = false;

	for (size_t i = 0; i < h->config->notify.admin_count; i++) {
		const struct notice_frame frame = herald_frame(h);
		struct bw_slice to = bw_slice_of(h->config->notify.admins[i]);
		struct bw_buf text;

		bw_buf_init(&text, 4 * NOTICE_BYTES);
		agent_bulletin_admins(&text, &frame, to, items, count, h->incidents.lost);
		enum bw_err one = herald_post(h, to, &text);

		bw_buf_done(&text);
		any = any || one == BW_OK;
		*err = *err == BW_OK ? one : *err;
	}
	return any;
}

/* --- all of it --- */

struct news {
	struct incident *incidents[INCIDENTS_MAX];
	struct bulletin_item items[INCIDENTS_MAX];
	size_t n;
};

/* What another agent has told already is news no more. */
static enum bw_err collect(struct herald *h, struct news *news)
{
	enum bw_err err = BW_OK;

	for (size_t k = 0; k < h->incidents.n && err == BW_OK; k++) {
		struct incident *i = &h->incidents.at[k];
		bool told = false;

		if (!incident_is_news(i, h->now_ms))
			continue;
		struct bw_hash claim = incident_claim(i);

		err = leader_is_told(h->store, &claim, incident_claim_ms(i), &told, h->why);
		if (err != BW_OK)
			break;
		if (told)
			incident_set_told(i, h->now_ms);
		else
			news->incidents[news->n++] = i;
	}
	return err;
}

static enum bw_err set_told(struct herald *h, struct news *news)
{
	enum bw_err err = BW_OK;

	for (size_t k = 0; k < news->n; k++) {
		struct incident *i = news->incidents[k];
		struct bw_hash claim = incident_claim(i);
		enum bw_err one = leader_tell(h->store, &claim, incident_claim_ms(i), h->why);

		incident_set_told(i, h->now_ms);
		err = err == BW_OK ? one : err;
	}
	h->incidents.lost = 0;
	return err;
}

static enum bw_err tell(struct herald *h, struct news *news)
{
	bool hook = h->config->notify.hook[0] != '\0', admins = h->config->notify.admin_count > 0;
	bool mail = admins && herald_has_room(h) && (h->admins_ms == 0 || h->now_ms - h->admins_ms >= ADMINS_EVERY_MS);
	enum bw_err err = BW_OK;

	for (size_t k = 0; k < news->n; k++) {
		struct incident *i = news->incidents[k];

		news->items[k].incident = i;
		if ((hook && i->hooked != i->state) || (mail && k < BULLETIN_FULL))
			sum_up(h, i, &news->items[k].figures);
		if (hook && i->hooked != i->state)
			give_hook(h, &news->items[k]);
		i->hooked = i->state;
	}
	if (mail && !write_admins(h, news->items, news->n, &err))
		return err;
	if (mail)
		h->admins_ms = h->now_ms;
	if (mail || !admins) {
		enum bw_err told = set_told(h, news);

		err = err == BW_OK ? told : err;
	}
	return err;
}

enum bw_err herald_announce(struct herald *h)
{
	struct news news = { .n = 0 };
	enum bw_err err = collect(h, &news);

	if (err == BW_OK && news.n > 0 && h->leads)
		err = tell(h, &news);
	/* What is still to be told is read again after a restart. */
	int64_t through_ms = incidents_oldest_news(&h->incidents, h->last_event_ms + 1) - 1;

	h->told.event_ms = through_ms > h->told.event_ms ? through_ms : h->told.event_ms;
	return err;
}
