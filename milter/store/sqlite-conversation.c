/* Conversations: joined through keys, strongest first; founded when no key is known (semantics 3). */
#include "sqlite-conversation.h"
#include "bw/clock.h"

/* Message-ID, References and In-Reply-To hold the same ids; the other kinds are worlds of their own. CLASS_OWN finds a
 * conversation whose root has no key but its message's identity. */
enum key_class { CLASS_ID, CLASS_THREAD, CLASS_SUBJECT, CLASS_OWN };

static enum key_class class_of(enum bw_join_kind kind)
{
	if (kind == BW_JOIN_THREAD_INDEX)
		return CLASS_THREAD;
	return kind == BW_JOIN_SUBJECT ? CLASS_SUBJECT : CLASS_ID;
}

/* A public id and the key it stands for: kinds that happen to share a hash are different conversations. */
static struct bw_hash public_id(struct bw_hash hash, enum key_class class)
{
	hash.b[BW_HASH_BYTES - 1] ^= (uint8_t) class;
	return hash;
}

/* --- one conversation --- */

/* The first row of a statement that gives CONVERSATION_COLUMNS. */
static bool read_one(struct bw_sqlite_lane *lane, enum bw_sql sql, const struct bw_sqlite_arg *args, size_t n,
                     struct bw_sqlite_conversation *out, int64_t *merged_into)
{
	sqlite3_stmt *row = bw_sqlite_rows(lane, sql, args, n);

	if (row == NULL)
		return false;
	*out = (struct bw_sqlite_conversation){
		.id = sqlite3_column_int64(row, 0),
		.list = sqlite3_column_int64(row, 1),
		.hash = bw_sqlite_hash(row, 2),
		.founded_ms = sqlite3_column_int64(row, 3),
		.last_ms = sqlite3_column_int64(row, 4),
		.accepted = sqlite3_column_int64(row, 5),
	};
	*merged_into = sqlite3_column_int64(row, 6);
	bw_sqlite_done(row);
	return true;
}

/* From a conversation to the one that it was merged into, and on; false: gone, or forgotten. It ends: a conversation is
 * merged only into an older one. */
static bool follow(struct bw_sqlite_lane *lane, struct bw_sqlite_conversation *c, int64_t next, int64_t now_ms, int64_t memory_ms)
{
	int64_t start = c->id, hops = 0;

	for (; next != 0; hops++) {
		if (!read_one(lane, BW_SQL_CONVERSATION_GET, ARGS(INT(next)), c, &next))
			return false;
	}
	if (memory_ms > 0 && now_ms - c->last_ms >= memory_ms)
		return false;
	/* The next look takes one step, however long the chain grows. */
	if (hops > 1)
		bw_sqlite_run(lane, BW_SQL_CONVERSATION_FORWARD, ARGS(INT(start), INT(c->id)));
	return true;
}

bool bw_sqlite_conversation_load(struct bw_sqlite_lane *lane, int64_t id, int64_t now_ms, int64_t memory_ms,
                                 struct bw_sqlite_conversation *out)
{
	struct bw_sqlite_conversation c;
	int64_t next;

	if (!read_one(lane, BW_SQL_CONVERSATION_GET, ARGS(INT(id)), &c, &next) || !follow(lane, &c, next, now_ms, memory_ms))
		return false;
	*out = c;
	return true;
}

void bw_sqlite_conversation_store(struct bw_sqlite_lane *lane, struct bw_sqlite_conversation *c)
{
	if (c->changed && c->id != 0)
		bw_sqlite_run(lane, BW_SQL_CONVERSATION_PUT, ARGS(INT(c->id), INT(c->last_ms), INT(c->accepted)));
	c->changed = false;
}

bool bw_sqlite_conversation_older(const struct bw_sqlite_conversation *a, const struct bw_sqlite_conversation *b)
{
	return a->founded_ms != b->founded_ms ? a->founded_ms < b->founded_ms : a->id < b->id;
}

static void found(struct bw_sqlite_lane *lane, struct bw_sqlite_conversation *c, struct bw_slice root_sender, bool trusted)
{
	bw_sqlite_run(lane, BW_SQL_CONVERSATION_FOUND,
	              ARGS(INT(c->list), HASH(&c->hash), INT(c->founded_ms), INT(c->last_ms), INT(c->accepted),
	                   TEXT(bw_sqlite_cut(root_sender))));
	c->id = sqlite3_last_insert_rowid(lane->db);
	if (trusted)
		bw_sqlite_run(lane, BW_SQL_ROOT_TRUST, ARGS(INT(c->id)));
}

/* --- keys --- */

/* What a key points at now. */
static bool find_key(struct bw_sqlite_lane *lane, int64_t list, enum key_class class, const struct bw_hash *hash, int64_t now_ms,
                     int64_t memory_ms, struct bw_sqlite_conversation *out)
{
	struct bw_sqlite_conversation c;
	int64_t next;

	if (!read_one(lane, BW_SQL_KEY_GET, ARGS(INT(list), INT(class), HASH(hash)), &c, &next) ||
	    !follow(lane, &c, next, now_ms, memory_ms))
		return false;
	*out = c;
	return true;
}

static void put_key(struct bw_sqlite_lane *lane, const struct bw_sqlite_conversation *c, enum key_class class,
                    const struct bw_hash *hash)
{
	bw_sqlite_run(lane, BW_SQL_KEY_PUT, ARGS(INT(c->list), INT(class), HASH(hash), INT(c->id)));
}

/* What the keys of one message say. */
struct search {
	struct bw_sqlite_lane *lane;
	int64_t list, now_ms;
	const struct bw_count_in *in;
	bool known[BW_JOIN_KEYS_MAX]; /* points at a conversation that is remembered, or stands before in the array */
	struct bw_sqlite_conversation first, second;
};

static bool is_repeated(const struct bw_count_in *in, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (class_of(in->keys[j].kind) == class_of(in->keys[i].kind) && bw_hash_equal(&in->keys[j].hash, &in->keys[i].hash))
			return true;
	}
	return false;
}

/* Notes the first two distinct conversations; a third is left alone (at most two at a time). */
static void note(struct search *s, const struct bw_sqlite_conversation *c)
{
	if (s->first.id == 0)
		s->first = *c;
	else if (c->id != s->first.id && s->second.id == 0)
		s->second = *c;
}

static bool look_up(struct search *s, size_t i, struct bw_sqlite_conversation *out)
{
	const struct bw_join_key *key = &s->in->keys[i];

	return find_key(s->lane, s->list, class_of(key->kind), &key->hash, s->now_ms, s->in->memory_ms, out);
}

static void search_keys(struct search *s)
{
	struct bw_sqlite_conversation c;

	for (size_t i = 0; i < s->in->key_count; i++) {
		if (s->in->keys[i].kind == BW_JOIN_SUBJECT)
			continue;
		s->known[i] = is_repeated(s->in, i);
		if (s->known[i] || !look_up(s, i, &c))
			continue;
		s->known[i] = true;
		note(s, &c);
	}
}

/* The last resort: only for what looks like a reply, matched nothing else, and only a conversation of the last 24 h. */
static void search_subject(struct search *s)
{
	struct bw_sqlite_conversation c;

	for (size_t i = 0; i < s->in->key_count && s->first.id == 0; i++) {
		if (s->in->keys[i].kind == BW_JOIN_SUBJECT && look_up(s, i, &c) && s->now_ms - c.last_ms < BW_DAY_MS)
			s->first = c;
	}
}

/* A subject belongs to the newest conversation that has it. */
static void bind_subject(struct search *s, size_t i, const struct bw_sqlite_conversation *c)
{
	struct bw_sqlite_conversation holder;

	if (look_up(s, i, &holder) && (holder.id == c->id || bw_sqlite_conversation_older(c, &holder)))
		return;
	put_key(s->lane, c, CLASS_SUBJECT, &s->in->keys[i].hash);
}

/* Later messages find the conversation through any key of this one. */
static void bind_keys(struct search *s, const struct bw_sqlite_conversation *c)
{
	for (size_t i = 0; i < s->in->key_count; i++) {
		const struct bw_join_key *key = &s->in->keys[i];

		if (key->kind == BW_JOIN_SUBJECT)
			bind_subject(s, i, c);
		else if (!s->known[i])
			put_key(s->lane, c, class_of(key->kind), &key->hash);
	}
}

/* The key that stands for the whole conversation: references come newest first, so the last of them is the root's. */
static struct bw_hash root_of(const struct bw_count_in *in, enum key_class *class)
{
	static const enum bw_join_kind order[] = { BW_JOIN_REFERENCES, BW_JOIN_IN_REPLY_TO, BW_JOIN_MESSAGE_ID,
		                                       BW_JOIN_THREAD_INDEX };

	for (size_t o = 0; o < sizeof(order) / sizeof(order[0]); o++) {
		for (size_t i = in->key_count; i > 0; i--) {
			*class = class_of(order[o]);
			if (in->keys[i - 1].kind == order[o])
				return in->keys[i - 1].hash;
		}
	}
	*class = CLASS_OWN;
	return in->message;
}

static void found_for(struct search *s)
{
	enum key_class class;
	struct bw_hash root = root_of(s->in, &class);

	s->first = (struct bw_sqlite_conversation){
		.list = s->list,
		.hash = public_id(root, class),
		.founded_ms = s->now_ms,
		.last_ms = s->now_ms,
	};
	found(s->lane, &s->first, s->in->root_sender, s->in->root_trusted && s->in->root_sender.n > 0);
	if (class == CLASS_OWN)
		put_key(s->lane, &s->first, CLASS_OWN, &s->in->message);
}

bool bw_sqlite_conversation_join(struct bw_sqlite_lane *lane, int64_t list, int64_t now_ms, const struct bw_count_in *in,
                                 struct bw_sqlite_conversation *joined, struct bw_sqlite_conversation *rival)
{
	struct search s = { .lane = lane, .list = list, .now_ms = now_ms, .in = in };

	search_keys(&s);
	if (s.first.id == 0 && in->looks_like_reply)
		search_subject(&s);
	bool founds = s.first.id == 0;

	if (founds)
		found_for(&s);
	bool swap = s.second.id != 0 && bw_sqlite_conversation_older(&s.second, &s.first);

	*joined = swap ? s.second : s.first;
	*rival = swap ? s.first : s.second;
	bind_keys(&s, joined);
	return founds;
}

/* --- by public id --- */

static const enum key_class root_classes[] = { CLASS_ID, CLASS_THREAD, CLASS_OWN };

bool bw_sqlite_conversation_find(struct bw_sqlite_lane *lane, int64_t list, const struct bw_hash *hash,
                                 struct bw_sqlite_conversation *out)
{
	if (bw_hash_is_zero(hash))
		return false;
	for (size_t i = 0; i < sizeof(root_classes) / sizeof(root_classes[0]); i++) {
		struct bw_hash key = public_id(*hash, root_classes[i]);

		if (find_key(lane, list, root_classes[i], &key, 0, 0, out))
			return true;
	}
	return false;
}

void bw_sqlite_conversation_revive(struct bw_sqlite_lane *lane, int64_t list, const struct bw_hash *hash, int64_t now_ms,
                                   struct bw_sqlite_conversation *out)
{
	if (bw_hash_is_zero(hash) || bw_sqlite_conversation_find(lane, list, hash, out))
		return;
	*out = (struct bw_sqlite_conversation){ .list = list, .hash = *hash, .founded_ms = now_ms, .last_ms = now_ms, .accepted = 1 };
	found(lane, out, BW_S(""), false);
	/* Which kind its root's key is, nobody says. */
	for (size_t i = 0; i < sizeof(root_classes) / sizeof(root_classes[0]); i++) {
		struct bw_hash key = public_id(*hash, root_classes[i]);

		put_key(lane, out, root_classes[i], &key);
	}
}
