#include "meters.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bw/clock.h"

enum { STRIPES = 64, WAYS = 8, STRIPE_ENTRIES = BW_METERS_ENTRIES / STRIPES, STRIPE_SPILL = BW_METERS_SPILL / STRIPES };
#define ASKED_MS BW_SECOND_MS /* a figure of the store is new for so long */

/* 64 bytes: one cache line. */
struct entry {
	struct bw_hash key;
	int64_t base;    /* what the store said at base_ms */
	int64_t base_ms; /* 0: never asked */
	int64_t flight;  /* on its way to the store */
	int64_t pending; /* added since; below zero after more was taken back */
	int64_t last_ms;
	int32_t meter;
	int32_t used;
};

struct spilled {
	struct bw_hash key;
	int64_t amount;
	enum bw_meter meter;
};

struct stripe {
	pthread_mutex_t lock;
	struct entry *entries;
	struct spilled *spill;
	size_t spill_count;
	bool waiting; /* some entry may have something pending */
	struct bw_meters_figures figures;
};

/* What is on its way. Rows of the table know their entry, which stays where it is meanwhile. */
struct batch {
	struct bw_meter_in rows[BW_METERS_BATCH];
	struct entry *from[BW_METERS_BATCH]; /* NULL: spilled */
	int64_t totals[BW_METERS_BATCH];
	size_t n;
	int64_t since_ms;
};

struct bw_meters {
	struct stripe stripes[STRIPES];
	struct entry *entries;
	struct spilled *spill;
	_Atomic bool virtual_time;
	pthread_mutex_t traffic; /* one conversation with the store at a time, so that nothing is summed twice */
	struct batch batch;      /* under `traffic` */
	size_t next_stripe;
};

struct bw_meters *bw_meters_new(void)
{
	struct bw_meters *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	pthread_mutex_init(&m->traffic, NULL);
	for (size_t i = 0; i < STRIPES; i++)
		pthread_mutex_init(&m->stripes[i].lock, NULL);
	m->entries = calloc(BW_METERS_ENTRIES, sizeof(*m->entries));
	m->spill = calloc(BW_METERS_SPILL, sizeof(*m->spill));
	if (m->entries == NULL || m->spill == NULL) {
		bw_meters_free(&m);
		return NULL;
	}
	for (size_t i = 0; i < STRIPES; i++) {
		m->stripes[i].entries = m->entries + i * STRIPE_ENTRIES;
		m->stripes[i].spill = m->spill + i * STRIPE_SPILL;
	}
	return m;
}

void bw_meters_free(struct bw_meters **meters)
{
	struct bw_meters *m = *meters;

	*meters = NULL;
	if (m == NULL)
		return;
	for (size_t i = 0; i < STRIPES; i++)
		pthread_mutex_destroy(&m->stripes[i].lock);
	pthread_mutex_destroy(&m->traffic);
	free(m->entries);
	free(m->spill);
	free(m);
}

void bw_meters_set_virtual(struct bw_meters *m)
{
	atomic_store(&m->virtual_time, true);
}

/* --- entries --- */

/* Keyed hashes are as good as random: their bytes say where. */
static uint32_t bits_of(const struct bw_hash *key)
{
	uint32_t bits;

	memcpy(&bits, key->b, sizeof(bits));
	return bits;
}

static struct stripe *stripe_of(struct bw_meters *m, const struct bw_meter_key *k)
{
	return &m->stripes[bits_of(&k->key) % STRIPES];
}

static struct entry *set_of(const struct stripe *s, const struct bw_meter_key *k)
{
	uint32_t set = bits_of(&k->key) / STRIPES + (uint32_t)k->meter;

	return s->entries + set % (STRIPE_ENTRIES / WAYS) * WAYS;
}

static int64_t total_of(const struct entry *e, int64_t window_ms, int64_t now_ms)
{
	bool counts = e->base_ms != 0 && now_ms - e->base_ms < window_ms;
	int64_t total = (counts ? e->base : 0) + e->flight + e->pending;

	return total > 0 ? total : 0;
}

static struct entry *find(const struct stripe *s, const struct bw_meter_key *k)
{
	struct entry *set = set_of(s, k);

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].used && set[i].meter == (int32_t)k->meter && bw_hash_equal(&set[i].key, &k->key))
			return &set[i];
	}
	return NULL;
}

/* By totals of a window like the new key's. */
static bool is_smaller(const struct entry *a, const struct entry *b, int64_t window_ms, int64_t now_ms)
{
	int64_t x = total_of(a, window_ms, now_ms), y = total_of(b, window_ms, now_ms);

	return x != y ? x < y : a->last_ms < b->last_ms;
}

/* A free place, or the least of those that nothing keeps where they are. */
static struct entry *find_victim(const struct stripe *s, const struct bw_meter_key *k, int64_t now_ms)
{
	struct entry *set = set_of(s, k), *victim = NULL;

	for (size_t i = 0; i < WAYS; i++) {
		if (!set[i].used)
			return &set[i];
		if (set[i].flight == 0 && (victim == NULL || is_smaller(&set[i], victim, k->window_ms, now_ms)))
			victim = &set[i];
	}
	return victim;
}

static bool evict(struct stripe *s, struct entry *e)
{
	if (e->used && e->pending > 0) {
		if (s->spill_count == STRIPE_SPILL)
			return false;
		s->spill[s->spill_count++] = (struct spilled){ e->key, e->pending, (enum bw_meter)e->meter };
		s->figures.spilled++;
	}
	s->figures.evicted += e->used != 0;
	return true;
}

static struct entry *find_or_make(struct stripe *s, const struct bw_meter_key *k, int64_t now_ms)
{
	struct entry *e = find(s, k);

	if (e != NULL)
		return e;
	e = find_victim(s, k, now_ms);
	if (e == NULL || !evict(s, e)) {
		s->figures.uncounted++;
		return NULL;
	}
	*e = (struct entry){ .key = k->key, .meter = (int32_t)k->meter, .used = 1 };
	return e;
}

static void put(struct stripe *s, struct entry *e, int64_t amount, int64_t now_ms)
{
	e->pending += amount;
	s->waiting = s->waiting || e->pending > 0;
	e->last_ms = now_ms;
}

/* --- adding --- */

int64_t bw_meters_total(struct bw_meters *m, const struct bw_meter_key *k, int64_t now_ms)
{
	struct stripe *s = stripe_of(m, k);

	pthread_mutex_lock(&s->lock);
	const struct entry *e = find(s, k);
	int64_t total = e == NULL ? 0 : total_of(e, k->window_ms, now_ms);

	pthread_mutex_unlock(&s->lock);
	return total;
}

int64_t bw_meters_add(struct bw_meters *m, const struct bw_meter_key *k, int64_t amount, int64_t now_ms)
{
	struct stripe *s = stripe_of(m, k);
	int64_t total = amount;

	pthread_mutex_lock(&s->lock);
	struct entry *e = find_or_make(s, k, now_ms);

	if (e != NULL) {
		put(s, e, amount, now_ms);
		total = total_of(e, k->window_ms, now_ms);
	}
	pthread_mutex_unlock(&s->lock);
	return total;
}

bool bw_meters_add_within(struct bw_meters *m, const struct bw_meter_key *k, int64_t amount, int64_t now_ms)
{
	struct stripe *s = stripe_of(m, k);
	bool fits = k->limit <= 0 || amount <= k->limit;

	pthread_mutex_lock(&s->lock);
	struct entry *e = fits ? find_or_make(s, k, now_ms) : NULL;

	if (e != NULL) {
		fits = k->limit <= 0 || total_of(e, k->window_ms, now_ms) <= k->limit - amount;
		if (fits)
			put(s, e, amount, now_ms);
	}
	pthread_mutex_unlock(&s->lock);
	return fits;
}

void bw_meters_take_back(struct bw_meters *m, const struct bw_meter_key *k, int64_t amount, int64_t now_ms)
{
	struct stripe *s = stripe_of(m, k);

	pthread_mutex_lock(&s->lock);
	struct entry *e = find(s, k);

	if (e != NULL)
		put(s, e, -amount, now_ms);
	pthread_mutex_unlock(&s->lock);
}

int64_t bw_meters_note(struct bw_meters *m, const struct bw_meter_key *k, int64_t now_ms)
{
	struct bw_meter_key here = *k;
	struct stripe *s = stripe_of(m, k);
	int64_t n = 0;

	here.meter = BW_METER_COUNT;
	pthread_mutex_lock(&s->lock);
	struct entry *e = find_or_make(s, &here, now_ms);

	if (e != NULL) {
		if (e->base_ms == 0 || now_ms - e->base_ms >= k->window_ms || now_ms < e->base_ms) {
			e->base = 0;
			e->base_ms = now_ms;
		}
		n = ++e->base;
		e->last_ms = now_ms;
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* --- the store --- */

/* Under the stripe's lock: what waits goes on its way. */
static int64_t send(struct entry *e)
{
	int64_t amount = e->pending > 0 ? e->pending : 0;

	e->flight += amount;
	e->pending -= amount;
	return amount;
}

static void arrive(struct entry *e, int64_t amount, int64_t total, int64_t now_ms)
{
	e->flight -= amount;
	e->base = total;
	e->base_ms = now_ms;
}

/* Nothing arrived: it waits again. */
static void come_back(struct stripe *s, struct entry *e, int64_t amount)
{
	e->flight -= amount;
	put(s, e, amount, e->last_ms);
}

static bool start_asking(struct bw_meters *m, const struct bw_meter_key *k, int64_t now_ms, int64_t *amount)
{
	struct stripe *s = stripe_of(m, k);

	pthread_mutex_lock(&s->lock);
	struct entry *e = find_or_make(s, k, now_ms);
	bool ask = e != NULL && e->flight == 0 && (e->base_ms == 0 || now_ms - e->base_ms >= ASKED_MS || now_ms < e->base_ms);

	if (ask) {
		*amount = send(e);
		e->flight += *amount == 0; /* it stays where it is */
	}
	pthread_mutex_unlock(&s->lock);
	return ask;
}

static void end_asking(struct bw_meters *m, const struct bw_meter_key *k, int64_t now_ms, int64_t amount, const int64_t *total)
{
	struct stripe *s = stripe_of(m, k);

	pthread_mutex_lock(&s->lock);
	struct entry *e = find(s, k);

	if (e != NULL) {
		e->flight -= amount == 0;
		if (total != NULL)
			arrive(e, amount, *total, now_ms);
		else
			come_back(s, e, amount);
	}
	pthread_mutex_unlock(&s->lock);
}

void bw_meters_ask(struct bw_meters *m, struct bw_store *store, const struct bw_meter_key *k, int64_t now_ms)
{
	int64_t amount = 0, total = 0;

	pthread_mutex_lock(&m->traffic);
	if (start_asking(m, k, now_ms, &amount)) {
		const int64_t store_ms = atomic_load(&m->virtual_time) ? now_ms : 0;
		const struct bw_meter_in in = { store_ms, k->meter, k->key, amount, k->window_ms };
		enum bw_err err = store->ops->meter(store, &in, &total, 1, NULL);

		end_asking(m, k, now_ms, amount, err == BW_OK ? &total : NULL);
	}
	pthread_mutex_unlock(&m->traffic);
}

static void collect_row(struct batch *b, struct entry *from, const struct bw_meter_in *row)
{
	b->from[b->n] = from;
	b->rows[b->n++] = *row;
}

/* What one stripe has to hand over, as far as the batch has room. */
static void collect_stripe(struct stripe *s, struct batch *b, const int64_t windows_ms[BW_METER_COUNT])
{
	size_t i = 0;

	while (s->spill_count > 0 && b->n < BW_METERS_BATCH) {
		const struct spilled *p = &s->spill[--s->spill_count];

		collect_row(b, NULL, &(struct bw_meter_in){ 0, p->meter, p->key, p->amount, windows_ms[p->meter] });
	}
	for (; s->waiting && i < STRIPE_ENTRIES && b->n < BW_METERS_BATCH; i++) {
		struct entry *e = &s->entries[i];

		if (!e->used || e->pending <= 0)
			continue;
		struct bw_meter_in row = { 0, (enum bw_meter)e->meter, e->key, send(e), windows_ms[e->meter] };

		collect_row(b, e, &row);
	}
	s->waiting = s->waiting && i < STRIPE_ENTRIES;
}

static void collect(struct bw_meters *m, const int64_t windows_ms[BW_METER_COUNT])
{
	struct batch *b = &m->batch;

	for (size_t i = 0; i < STRIPES && b->n < BW_METERS_BATCH; i++) {
		struct stripe *s = &m->stripes[(m->next_stripe + i) % STRIPES];

		pthread_mutex_lock(&s->lock);
		if (s->spill_count > 0 || s->waiting)
			collect_stripe(s, b, windows_ms);
		pthread_mutex_unlock(&s->lock);
	}
	m->next_stripe = (m->next_stripe + 1) % STRIPES;
}

/* `arrived` false: too old to matter, so that what is on its way is on its way no longer. */
static void settle(struct bw_meters *m, bool arrived, int64_t now_ms)
{
	struct batch *b = &m->batch;

	for (size_t i = 0; i < b->n; i++) {
		struct entry *e = b->from[i];

		if (e == NULL)
			continue;
		struct stripe *s = &m->stripes[bits_of(&b->rows[i].key) % STRIPES];

		pthread_mutex_lock(&s->lock);
		if (arrived)
			arrive(e, b->rows[i].amount, b->totals[i], now_ms);
		else
			e->flight -= b->rows[i].amount;
		pthread_mutex_unlock(&s->lock);
	}
	b->n = 0;
}

/* While no store answers at all, a batch waits; when all windows are over it would only be wrong. */
static bool is_stale(const struct batch *b, const int64_t windows_ms[BW_METER_COUNT], int64_t now_ms)
{
	int64_t longest = 0;

	for (int i = 0; i < BW_METER_COUNT; i++)
		longest = windows_ms[i] > longest ? windows_ms[i] : longest;
	return b->n > 0 && now_ms - b->since_ms > longest;
}

bool bw_meters_flush(struct bw_meters *m, struct bw_store *store, const int64_t windows_ms[BW_METER_COUNT], int64_t now_ms)
{
	struct batch *b = &m->batch;
	bool good = true;

	pthread_mutex_lock(&m->traffic);
	if (is_stale(b, windows_ms, now_ms))
		settle(m, false, now_ms);
	if (b->n == 0) {
		collect(m, windows_ms);
		b->since_ms = now_ms;
	}
	for (size_t i = 0; i < b->n && atomic_load(&m->virtual_time); i++)
		b->rows[i].now_ms = now_ms;
	if (b->n > 0)
		good = store->ops->meter(store, b->rows, b->totals, b->n, NULL) == BW_OK;
	if (good)
		settle(m, true, now_ms);
	pthread_mutex_unlock(&m->traffic);
	return good;
}

void bw_meters_figures(struct bw_meters *m, struct bw_meters_figures *out)
{
	*out = (struct bw_meters_figures){ 0 };
	for (size_t i = 0; i < STRIPES; i++) {
		struct stripe *s = &m->stripes[i];

		pthread_mutex_lock(&s->lock);
		out->evicted += s->figures.evicted;
		out->spilled += s->figures.spilled;
		out->uncounted += s->figures.uncounted;
		pthread_mutex_unlock(&s->lock);
	}
}
