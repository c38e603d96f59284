/* Places, messages and calls that must succeed. */
#include "contract.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- places --- */

int place_setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct bw_why why = { "" };

	if (p == NULL)
		return -1;
	snprintf(p->dir, sizeof(p->dir), "/tmp/bw-contract.XXXXXX");
	if (mkdtemp(p->dir) != NULL)
		p->store = backend->open(p->dir, &why);
	if (p->store == NULL) {
		fprintf(stderr, "%s: %s\n", backend->name, why.text);
		free(p);
		return -1;
	}
	*state = p;
	return 0;
}

int place_teardown(void **state)
{
	struct place *p = *state;
	char path[64 + 256 + 2];
	struct dirent *entry;

	bw_store_close(&p->store);
	DIR *dir = opendir(p->dir);

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", p->dir, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(p->dir);
	free(p);
	return 0;
}

/* --- messages --- */

struct bw_hash hash_of(const char *text)
{
	static const struct bw_key key = { { 1 } };
	struct bw_hash none = { { 0 } };

	return text == NULL || text[0] == '\0' ? none : bw_hash_slice(&key, "contract", bw_slice_of(text));
}

void add_key(struct bw_count_in *in, enum bw_join_kind kind, const char *text)
{
	assert_true(in->key_count < BW_JOIN_KEYS_MAX);
	in->keys[in->key_count++] = (struct bw_join_key){ kind, hash_of(text) };
}

struct bw_count_in mail(int64_t now_ms, const char *id, const char *sender, const char *ref)
{
	struct bw_count_in in = {
		.now_ms = now_ms,
		.list = BW_S(LIST),
		.side = BW_SIDE_MEMBERS,
		.message = hash_of(id),
		.recipients = hash_of("recipients"),
		.sender = hash_of(sender),
		.looks_like_reply = ref != NULL,
		.may_merge = true,
		.deliveries = 100,
		.conversation_window_ms = HOUR,
		.list_window_ms = HOUR,
		.memory_ms = WEEK,
		.root_sender = BW_S("root@example.org"),
	};

	add_key(&in, BW_JOIN_MESSAGE_ID, id);
	if (ref != NULL)
		add_key(&in, BW_JOIN_REFERENCES, ref);
	return in;
}

struct bw_settle_in ending(const struct bw_count_in *in, const struct bw_count_out *out, bool accepted)
{
	return (struct bw_settle_in){
		.now_ms = in->now_ms,
		.list = in->list,
		.side = in->side,
		.message = in->message,
		.recipients = in->recipients,
		.sender = in->sender,
		.conversation = out->conversation,
		.accepted = accepted,
		.deliveries = in->deliveries,
	};
}

bool same_conversation(struct bw_count_out a, struct bw_count_out b)
{
	return bw_hash_equal(&a.conversation, &b.conversation);
}

struct bw_breaker_key list_key(enum bw_side side)
{
	return (struct bw_breaker_key){ .scope = BW_SCOPE_LIST, .side = side, .list = BW_S(LIST) };
}

struct bw_breaker_key conversation_key(const struct bw_count_out *out, enum bw_side side)
{
	return (struct bw_breaker_key){
		.scope = BW_SCOPE_CONVERSATION, .side = side, .list = BW_S(LIST), .conversation = out->conversation
	};
}

/* --- calls that must succeed --- */

struct bw_count_out count(struct bw_store *s, const struct bw_count_in *in)
{
	struct bw_count_out out;

	assert_ok(s->ops->count(s, in, &out, 1, &why));
	return out;
}

struct bw_count_out offer(struct bw_store *s, int64_t now_ms, const char *id, const char *sender, const char *ref)
{
	struct bw_count_in in = mail(now_ms, id, sender, ref);

	return count(s, &in);
}

void settle(struct bw_store *s, const struct bw_settle_in *in)
{
	assert_ok(s->ops->settle(s, in, 1, &why));
}

struct bw_count_out stop(struct bw_store *s, int64_t now_ms, const char *id, const char *sender, const char *ref)
{
	struct bw_count_in in = mail(now_ms, id, sender, ref);
	struct bw_count_out out = count(s, &in);
	struct bw_settle_in end = ending(&in, &out, false);

	settle(s, &end);
	return out;
}

struct bw_breaker breaker(struct bw_store *s, struct bw_breaker_key key)
{
	struct bw_breaker b;

	assert_ok(s->ops->breaker_get(s, &key, &b, &why));
	return b;
}

void set_breaker(struct bw_store *s, struct bw_breaker_key key, enum bw_phase phase, int64_t since_ms, int64_t until_ms)
{
	struct bw_breaker b = breaker(s, key);

	b.phase = phase;
	b.since_ms = since_ms;
	b.until_ms = until_ms;
	assert_ok(s->ops->breaker_cas(s, &key, &b, &why));
}

struct bw_count_out look(struct bw_store *s, int64_t now_ms, const char *ref)
{
	struct bw_count_in in = mail(now_ms, "a look", "a looker", ref);

	in.poster = true;
	in.peek = true;
	return count(s, &in);
}
