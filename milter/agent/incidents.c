#include "incidents.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "bw/breaker.h"
#include "bw/orders.h"

static const char *const kinds[] = { "storm", "sender", "store", "hold-queue", "order", "refusal", "approval" };
static_assert(sizeof(kinds) / sizeof(kinds[0]) == INCIDENT_KIND_COUNT, "a name for every kind");

static const char *const states[] = { "none", "open",    "calm",    "closed",  "degraded", "recovered",
	                                  "full", "room",    "stopped", "resumed", "refused",  "wanted" };
static_assert(sizeof(states) / sizeof(states[0]) == INCIDENT_STATE_COUNT, "a name for every state");

const char *incident_kind_name(enum incident_kind kind)
{
	return kinds[kind];
}

const char *incident_state_name(enum incident_state state)
{
	return states[state];
}

/* --- what an event means --- */

/* Which incident, and what becomes of it. */
struct meaning {
	enum incident_kind kind;
	enum incident_state state;
	struct bw_slice name;
};

static const struct {
	enum incident_kind kind;
	enum incident_state state;
} meanings[BW_EVENT_COUNT] = {
	[BW_EVENT_TRIP] = { INCIDENT_STORM, INCIDENT_OPEN },
	[BW_EVENT_RELAPSE] = { INCIDENT_STORM, INCIDENT_OPEN },
	[BW_EVENT_CALM] = { INCIDENT_STORM, INCIDENT_CALM },
	[BW_EVENT_CLOSED] = { INCIDENT_STORM, INCIDENT_CLOSED },
	[BW_EVENT_DEGRADED] = { INCIDENT_STORE, INCIDENT_DEGRADED },
	[BW_EVENT_RECOVERED] = { INCIDENT_STORE, INCIDENT_RECOVERED },
	[BW_EVENT_LIMIT] = { INCIDENT_QUEUE, INCIDENT_FULL },
	[BW_EVENT_ROOM] = { INCIDENT_QUEUE, INCIDENT_ROOM },
	[BW_EVENT_REFUSED] = { INCIDENT_REFUSAL, INCIDENT_REFUSED },
};

/* "order 0123456789 to release stopped: why": its number, and what became of it. */
static bool read_order(const struct bw_event_row *e, struct meaning *out)
{
	struct bw_slice rest = e->text, word, number = { NULL, 0 };
	enum bw_order_state state;

	for (int i = 0; i < 5; i++) {
		if (!bw_slice_word(&rest, &word))
			return false;
		number = i == 1 ? word : number;
	}
	word = bw_slice_head(word, bw_slice_find(word, ':'));
	if (!bw_order_state_parse(word, &state))
		return false;
	*out = (struct meaning){ INCIDENT_ORDER, state == BW_ORDER_STOPPED ? INCIDENT_STOPPED : INCIDENT_RESUMED, number };
	return true;
}

static bool read_meaning(const struct bw_event_row *e, struct meaning *out)
{
	if ((unsigned)e->event >= BW_EVENT_COUNT)
		return false;
	if (e->event == BW_EVENT_ORDER)
		return read_order(e, out);
	*out = (struct meaning){ meanings[e->event].kind, meanings[e->event].state, e->host };
	if (out->state == INCIDENT_NONE)
		return false;
	if (out->kind == INCIDENT_STORM) {
		out->kind = bw_breaker_is_senders(e->list) ? INCIDENT_SENDER : INCIDENT_STORM;
		out->name = e->list;
	}
	return true;
}

/* --- the table --- */

/* Not secret: all hosts are to come to the same, and nobody gains by two that are equal. */
static const struct bw_key no_secret;

static struct bw_hash key_of(enum incident_kind kind, struct bw_slice name, struct bw_slice guard, const struct bw_hash *conversation)
{
	char text[2 * INCIDENT_NAME_BYTES], hex[2 * BW_HASH_BYTES + 1];

	bw_hash_hex(conversation, hex);
	int n = snprintf(text, sizeof(text), "%d %s %.*s %.*s", (int)kind, hex, (int)guard.n, guard.p == NULL ? "" : guard.p, (int)name.n,
	                 name.p == NULL ? "" : name.p);

	return bw_hash_slice(&no_secret, "incident", (struct bw_slice){ text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1 });
}

static bool is_over(const struct incident *i)
{
	return i->first_ms == 0 && i->state != INCIDENT_OPEN && i->state != INCIDENT_CALM && i->state != INCIDENT_DEGRADED &&
	       i->state != INCIDENT_FULL && i->state != INCIDENT_STOPPED;
}

/* The place of the oldest that is over; INCIDENTS_MAX when all go on. */
static size_t find_over(const struct incidents *t)
{
	size_t found = INCIDENTS_MAX;

	for (size_t k = 0; k < t->n; k++) {
		if (is_over(&t->at[k]) && (found == INCIDENTS_MAX || t->at[k].state_ms < t->at[found].state_ms))
			found = k;
	}
	return found;
}

static struct incident *find(struct incidents *t, const struct bw_hash *key)
{
	for (size_t k = 0; k < t->n; k++) {
		if (bw_hash_equal(&t->at[k].key, key))
			return &t->at[k];
	}
	return NULL;
}

static struct incident *add(struct incidents *t, const struct bw_hash *key, const struct meaning *m)
{
	size_t k = t->n < INCIDENTS_MAX ? t->n++ : find_over(t);

	if (k == INCIDENTS_MAX) {
		t->lost++;
		return NULL;
	}
	t->at[k] = (struct incident){ .key = *key, .kind = m->kind };
	bw_slice_copy(m->name, t->at[k].name, sizeof(t->at[k].name));
	return &t->at[k];
}

/* One that is over begins anew. */
static void begin_anew(struct incident *i, int64_t at_ms)
{
	i->began_ms = at_ms;
	i->trips = i->relapses = 0;
	i->host_count = 0;
	i->told = i->hooked = INCIDENT_NONE;
}

static void note_host(struct incident *i, struct bw_slice host)
{
	for (size_t k = 0; k < i->host_count; k++) {
		if (bw_slice_equal(host, bw_slice_of(i->hosts[k])))
			return;
	}
	if (host.n > 0 && i->host_count < INCIDENT_HOSTS)
		bw_slice_copy(host, i->hosts[i->host_count++], INCIDENT_HOST_BYTES);
}

static bool is_repeated(const struct incident *i)
{
	return i->kind == INCIDENT_REFUSAL || i->kind == INCIDENT_APPROVAL;
}

static void enter(struct incident *i, enum incident_state state, int64_t at_ms)
{
	bool over = i->state == INCIDENT_NONE || i->state == INCIDENT_CLOSED || i->state == INCIDENT_RECOVERED ||
	            i->state == INCIDENT_ROOM || i->state == INCIDENT_RESUMED || is_repeated(i);

	if (over && state != i->state)
		begin_anew(i, at_ms);
	if (state != i->state || is_repeated(i))
		i->state_ms = at_ms;
	i->state = state;
	i->count++;
	if (i->first_ms == 0 && (i->state != i->told || is_repeated(i)))
		i->first_ms = at_ms > 0 ? at_ms : 1;
	if (i->state == i->told && !is_repeated(i))
		i->first_ms = 0; /* it went there and back before anybody was told */
}

bool incidents_take(struct incidents *t, const struct bw_event_row *e)
{
	struct meaning m;

	if (!read_meaning(e, &m))
		return false;
	struct bw_hash key = key_of(m.kind, m.name, e->guard, &e->conversation);
	struct incident *i = find(t, &key);

	/* An order that goes on, and of which nobody heard that it had stopped. */
	if (i == NULL && m.state == INCIDENT_RESUMED)
		return false;
	i = i == NULL ? add(t, &key, &m) : i;
	if (i == NULL)
		return false;
	enter(i, m.state, e->at_ms);
	i->trips += e->event == BW_EVENT_TRIP;
	i->relapses += e->event == BW_EVENT_RELAPSE;
	i->conversation = e->conversation;
	note_host(i, e->host);
	bw_slice_copy(e->guard, i->guard, sizeof(i->guard));
	/* The sentence of the trip says most; what comes after it says less. */
	if (m.kind != INCIDENT_STORM || m.state == INCIDENT_OPEN || i->text[0] == '\0')
		bw_slice_copy(e->text, i->text, sizeof(i->text));
	return true;
}

bool incidents_take_held(struct incidents *t, const struct bw_held *h)
{
	const struct meaning m = { INCIDENT_APPROVAL, INCIDENT_WANTED, h->list };
	const struct bw_hash none = { { 0 } };

	if (h->state != BW_HELD_WAITING || (!bw_slice_equal(h->guard, BW_S("gate")) && !bw_slice_equal(h->guard, BW_S("origin"))))
		return false;
	struct bw_hash key = key_of(m.kind, m.name, h->guard, &none);
	struct incident *i = find(t, &key);

	i = i == NULL ? add(t, &key, &m) : i;
	if (i == NULL)
		return false;
	enter(i, INCIDENT_WANTED, h->held_ms);
	i->deliveries += h->deliveries;
	i->entry = h->id;
	note_host(i, h->host);
	bw_slice_copy(h->guard, i->guard, sizeof(i->guard));
	bw_slice_copy(h->sentence, i->text, sizeof(i->text));
	return true;
}

/* --- telling --- */

bool incident_is_news(const struct incident *i, int64_t now_ms)
{
	if (i->first_ms == 0)
		return false;
	return !is_repeated(i) || i->told_ms == 0 || now_ms - i->told_ms >= INCIDENT_AGAIN_MS;
}

void incident_set_told(struct incident *i, int64_t now_ms)
{
	i->told = i->hooked = is_repeated(i) ? INCIDENT_NONE : i->state;
	i->told_ms = now_ms;
	i->first_ms = 0;
	i->count = i->deliveries = 0;
}

struct bw_hash incident_claim(const struct incident *i)
{
	char text[2 * BW_HASH_BYTES + 80], hex[2 * BW_HASH_BYTES + 1];

	bw_hash_hex(&i->key, hex);
	int n = snprintf(text, sizeof(text), "%s %d %lld", hex, (int)i->state, is_repeated(i) ? 0 : (long long)i->state_ms);

	return bw_hash_slice(&no_secret, "told", (struct bw_slice){ text, (size_t)n });
}

int64_t incident_claim_ms(const struct incident *i)
{
	return is_repeated(i) ? INCIDENT_AGAIN_MS : BW_DAY_MS;
}

int64_t incidents_oldest_news(const struct incidents *t, int64_t now_ms)
{
	int64_t oldest = now_ms;

	for (size_t k = 0; k < t->n; k++) {
		if (t->at[k].first_ms > 0 && t->at[k].first_ms < oldest)
			oldest = t->at[k].first_ms;
	}
	return oldest;
}
