/* In a storm most mail goes into one conversation whose breaker has tripped already: the verdict is known. The join keys of messages
 * that were stopped there lead here to what the shared store last said. */
#include "shared-known.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "bw/clock.h"
#include "store-internal.h"

enum {
	CONVERSATIONS = 128,
	KEYS = 1 << 14, /* places for join keys; two may want the same, and the later has it */
	PASSED = 1 << 15, /* places for identities of messages that may have passed here */
	ATTEMPTS = 1 << 12,
	MARGIN_MS = 2000 /* before the end of a block time the store decides */
};

#define PASSED_MS (10 * BW_MINUTE_MS) /* a duplicate of a lost 250 passes so long (semantics 3) */

struct conversation {
	char *list; /* NULL: free */
	uint32_t generation; /* of the place: keys of who was here before lead nowhere */
	enum bw_side side;
	struct bw_count_out last; /* what the store said of it last */
	int64_t seen_ms;          /* monotonic */
	int64_t store_ms;         /* the store's time then */
};

struct key {
	struct bw_hash hash;
	uint32_t conversation, generation; /* conversation plus one; 0: free */
};

struct passed {
	struct bw_hash message;
	int64_t until_ms; /* monotonic */
};

struct attempt {
	struct bw_count_in in;
	char *list;
};

struct bw_known {
	pthread_mutex_t lock;
	struct conversation conversations[CONVERSATIONS];
	size_t used; /* of them, at most */
	struct key keys[KEYS];
	struct passed passed[PASSED];
	struct attempt attempts[ATTEMPTS]; /* a ring */
	size_t first, count;
};

struct bw_known *bw_known_new(void)
{
	struct bw_known *k = calloc(1, sizeof(*k));

	if (k != NULL)
		pthread_mutex_init(&k->lock, NULL);
	return k;
}

void bw_known_free(struct bw_known **known)
{
	struct bw_known *k = *known;

	*known = NULL;
	if (k == NULL)
		return;
	for (size_t i = 0; i < CONVERSATIONS; i++)
		free(k->conversations[i].list);
	for (size_t i = 0; i < k->count; i++)
		free(k->attempts[(k->first + i) % ATTEMPTS].list);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

/* --- places --- */

/* The hashes are keyed: nobody outside chooses where they fall. */
static size_t place(const struct bw_hash *h, size_t places)
{
	uint32_t n;

	memcpy(&n, h->b, sizeof(n));
	return n & (places - 1);
}

static bool is_of(const struct conversation *c, struct bw_slice list, enum bw_side side)
{
	return c->list != NULL && c->side == side && bw_slice_equal(bw_slice_of(c->list), list);
}

static struct conversation *find(struct bw_known *k, struct bw_slice list, enum bw_side side, const struct bw_hash *id)
{
	for (size_t i = 0; i < k->used; i++) {
		struct conversation *c = &k->conversations[i];

		if (is_of(c, list, side) && bw_hash_equal(&c->last.conversation, id))
			return c;
	}
	return NULL;
}

static void drop(struct conversation *c)
{
	free(c->list);
	*c = (struct conversation){ .generation = c->generation + 1 };
}

/* A free one, or the one that was heard of longest ago. */
static struct conversation *make_room(struct bw_known *k)
{
	struct conversation *oldest = &k->conversations[0];

	for (size_t i = 0; i < CONVERSATIONS; i++) {
		struct conversation *c = &k->conversations[i];

		if (c->list == NULL) {
			k->used = k->used > i + 1 ? k->used : i + 1;
			return c;
		}
		oldest = c->seen_ms < oldest->seen_ms ? c : oldest;
	}
	drop(oldest);
	return oldest;
}

/* By the first key that tells of another message. What an own Message-ID or a subject leads to, the store knows better. */
static struct conversation *find_by_keys(struct bw_known *k, const struct bw_count_in *in)
{
	for (size_t i = 0; i < in->key_count; i++) {
		const struct bw_join_key *key = &in->keys[i];

		if (key->kind == BW_JOIN_MESSAGE_ID)
			continue;
		const struct key *at = &k->keys[place(&key->hash, KEYS)];

		if (key->kind == BW_JOIN_SUBJECT || at->conversation == 0 || !bw_hash_equal(&at->hash, &key->hash))
			return NULL;
		struct conversation *c = &k->conversations[at->conversation - 1];

		return c->generation == at->generation && is_of(c, in->list, in->side) ? c : NULL;
	}
	return NULL;
}

/* --- answering --- */

static bool may_have_passed(const struct bw_known *k, const struct bw_hash *message, int64_t mono_ms)
{
	const struct passed *p = &k->passed[place(message, PASSED)];

	return p->until_ms > mono_ms && bw_hash_equal(&p->message, message);
}

static bool stops(const struct bw_breaker *b, int64_t now_ms)
{
	if (b->override_state != BW_OVERRIDE_NONE)
		return b->override_state == BW_OVERRIDE_FORCED_OPEN && b->override_until_ms > now_ms + MARGIN_MS;
	return b->phase == BW_PHASE_OPEN && b->until_ms > now_ms + MARGIN_MS;
}

static bool still_holds(const struct conversation *c, int64_t mono_ms)
{
	return c != NULL && mono_ms - c->seen_ms < BW_KNOWN_MS &&
	       stops(&c->last.conversation_breaker, c->store_ms + (mono_ms - c->seen_ms));
}

static bool keep_attempt(struct bw_known *k, const struct bw_count_in *in)
{
	struct attempt *a = &k->attempts[(k->first + k->count) % ATTEMPTS];
	char *list = k->count < ATTEMPTS ? bw_slice_dup(in->list) : NULL;

	if (list == NULL)
		return false;
	*a = (struct attempt){ .in = *in, .list = list };
	a->in.list = bw_slice_of(list);
	a->in.root_sender = (struct bw_slice){ NULL, 0 };
	a->in.known_stopped = true;
	k->count++;
	return true;
}

static void answer(const struct conversation *c, int64_t mono_ms, struct bw_count_out *out)
{
	*out = c->last;
	out->now_ms = c->store_ms + (mono_ms - c->seen_ms);
	out->seen = BW_SEEN_FRESH;
	out->joined = true;
	out->merge_wanted = false;
	out->conversation_sender_was_counted = true; /* this message is in none of these counts */
	out->list_sender_was_counted = true;
	out->budget_ok = true;
	out->provisional = false;
}

bool bw_known_answer(struct bw_known *k, const struct bw_count_in *in, int64_t mono_ms, struct bw_count_out *out)
{
	bool known = false;

	if (!in->stops_when_open || !in->looks_like_reply || in->poster || in->peek || in->again || in->expander || in->now_ms != 0)
		return false;
	pthread_mutex_lock(&k->lock);
	const struct conversation *c = k->used > 0 ? find_by_keys(k, in) : NULL;

	if (still_holds(c, mono_ms) && !may_have_passed(k, &in->message, mono_ms) && keep_attempt(k, in)) {
		answer(c, mono_ms, out);
		known = true;
	}
	pthread_mutex_unlock(&k->lock);
	return known;
}

/* --- learning --- */

static void keep_keys(struct bw_known *k, const struct conversation *c, const struct bw_count_in *in)
{
	for (size_t i = 0; i < in->key_count; i++) {
		const struct bw_join_key *key = &in->keys[i];

		if (key->kind != BW_JOIN_SUBJECT)
			k->keys[place(&key->hash, KEYS)] = (struct key){ key->hash, (uint32_t)(c - k->conversations) + 1, c->generation };
	}
}

static void learn_open(struct bw_known *k, const struct bw_count_in *in, const struct bw_count_out *out, int64_t mono_ms)
{
	struct conversation *c = find(k, in->list, in->side, &out->conversation);

	if (c == NULL) {
		char *list = bw_slice_dup(in->list);

		if (list == NULL)
			return;
		c = make_room(k);
		*c = (struct conversation){ .list = list, .generation = c->generation, .side = in->side };
	}
	c->last = *out;
	c->seen_ms = mono_ms;
	c->store_ms = out->now_ms;
	keep_keys(k, c, in);
}

void bw_known_learn(struct bw_known *k, const struct bw_count_in *in, const struct bw_count_out *out, int64_t mono_ms)
{
	if (in->peek || in->now_ms != 0)
		return;
	pthread_mutex_lock(&k->lock);
	if (stops(&out->conversation_breaker, out->now_ms) && out->joined && !in->poster && !out->merge_wanted)
		learn_open(k, in, out, mono_ms);
	else
		k->passed[place(&in->message, PASSED)] = (struct passed){ in->message, mono_ms + PASSED_MS };
	pthread_mutex_unlock(&k->lock);
}

static void see_conversation(struct bw_known *k, const struct bw_breaker_key *key, const struct bw_breaker *record, int64_t mono_ms)
{
	struct conversation *c = find(k, key->list, key->side, &key->conversation);

	if (c != NULL && !stops(record, c->store_ms)) {
		drop(c);
	} else if (c != NULL && mono_ms > c->seen_ms) {
		c->store_ms += mono_ms - c->seen_ms;
		c->seen_ms = mono_ms;
		c->last.conversation_breaker = *record;
	}
}

/* So that the next reply does not try to trip again what has tripped. */
static void see_list(struct bw_known *k, const struct bw_breaker_key *key, const struct bw_breaker *record)
{
	for (size_t i = 0; i < k->used; i++) {
		struct conversation *c = &k->conversations[i];

		if (is_of(c, key->list, key->side) && c->last.list_breaker.version < record->version)
			c->last.list_breaker = *record;
	}
}

void bw_known_see(struct bw_known *k, const struct bw_breaker_key *key, const struct bw_breaker *record, int64_t mono_ms)
{
	pthread_mutex_lock(&k->lock);
	if (key->scope == BW_SCOPE_CONVERSATION)
		see_conversation(k, key, record, mono_ms);
	else
		see_list(k, key, record);
	pthread_mutex_unlock(&k->lock);
}

bool bw_known_any(struct bw_known *k)
{
	bool any = false;

	pthread_mutex_lock(&k->lock);
	for (size_t i = 0; i < k->used; i++)
		any = any || k->conversations[i].list != NULL;
	pthread_mutex_unlock(&k->lock);
	return any;
}

void bw_known_forget(struct bw_known *k)
{
	pthread_mutex_lock(&k->lock);
	for (size_t i = 0; i < k->used; i++)
		drop(&k->conversations[i]);
	k->used = 0;
	pthread_mutex_unlock(&k->lock);
}

/* --- attempts --- */

size_t bw_known_take(struct bw_known *k, struct bw_count_in *out, size_t n, struct bw_arena *texts)
{
	size_t taken = 0;

	bw_arena_reset(texts);
	pthread_mutex_lock(&k->lock);
	while (taken < n && k->count > 0) {
		struct attempt *a = &k->attempts[k->first];

		out[taken] = a->in;
		out[taken].list = bw_arena_slice(texts, a->in.list);
		taken += out[taken].list.n > 0;
		free(a->list);
		k->first = (k->first + 1) % ATTEMPTS;
		k->count--;
	}
	pthread_mutex_unlock(&k->lock);
	return taken;
}
