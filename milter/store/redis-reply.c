/* Replies: errors become sentences, arrays are read element by element. */
#include "redis-reply.h"

#include <string.h>

#include "bw/parse.h"
#include "bw/store.h"
#include "redis-compat.h"

enum { FORMAT_OLDEST = 1, ERROR_SHOWN = 200 };

/* --- errors --- */

struct cause {
	const char *word; /* in Redis's error; first match */
	const char *sentence;
};

static const struct cause causes[] = {
	{ "WRONGTYPE", "a key under our prefix is of another type; does another program use the same prefix?" },
	{ "READONLY", "it is a read-only replica; give the address of the primary" },
	{ "OOM ", "its memory is full (maxmemory); give it more, with maxmemory-policy noeviction" },
	{ "MISCONF", "it cannot write to its disk and refuses changes" },
	{ "The user executing the script", "its ACL does not allow this; compare conf/redis/breakwater.conf" },
	{ "NOPERM", "its ACL does not allow this; compare conf/redis/breakwater.conf" },
	{ "NOAUTH", "it wants a password; set one in the configuration" },
	{ "WRONGPASS", "user or password is wrong" },
	{ "invalid password", "the password is wrong" },
	{ "LOADING", "it is still loading its data" },
	{ "BUSY", "a script of somebody keeps it busy" },
	{ "MASTERDOWN", "it is a replica that has lost its primary" },
	{ "NOREPLICAS", "too few replicas take part; it refuses changes" },
	{ "CLUSTERDOWN", "the cluster is down" },
	{ "FORMAT ", "a record in it was written by another version of breakwater" },
};

enum bw_err bw_redis_reply_check(const struct redisReply *reply, struct bw_why *why)
{
	if (reply == NULL)
		return bw_fail(why, BW_ERR_STORE, "redis: no answer");
	if (reply->type != REDIS_REPLY_ERROR)
		return BW_OK;
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		if (strstr(reply->str, causes[i].word) != NULL)
			return bw_fail(why, BW_ERR_STORE, "redis: %s (%.*s)", causes[i].sentence, ERROR_SHOWN, reply->str);
	}
	return bw_fail(why, BW_ERR_STORE, "redis refused: %.*s", ERROR_SHOWN, reply->str);
}

static bool is_error(const struct redisReply *reply, const char *word)
{
	return reply != NULL && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, word, strlen(word)) == 0;
}

bool bw_redis_reply_is_noscript(const struct redisReply *reply)
{
	return is_error(reply, "NOSCRIPT");
}

bool bw_redis_reply_is_elsewhere(const struct redisReply *reply)
{
	return is_error(reply, "READONLY") || is_error(reply, "MASTERDOWN");
}

enum bw_err bw_redis_bad_reply(const char *what, struct bw_why *why)
{
	return bw_fail(why, BW_ERR_CORRUPT, "redis: %s is not what breakwater wrote; does another program use the same prefix?",
	               what);
}

/* --- elements --- */

struct bw_redis_row bw_redis_row_of(const struct redisReply *reply)
{
	return (struct bw_redis_row){ .array = reply, .bad = reply == NULL || reply->type != REDIS_REPLY_ARRAY };
}

size_t bw_redis_row_count(const struct bw_redis_row *row)
{
	return row->bad ? 0 : row->array->elements;
}

bool bw_redis_row_more(const struct bw_redis_row *row)
{
	return !row->bad && row->at < row->array->elements;
}

static const struct redisReply *take(struct bw_redis_row *row)
{
	if (bw_redis_row_more(row))
		return row->array->element[row->at++];
	row->bad = true;
	return NULL;
}

static bool read_number(const struct redisReply *r, int64_t *out)
{
	if (r == NULL)
		return false;
	if (r->type == REDIS_REPLY_INTEGER) {
		*out = r->integer;
		return true;
	}
	return r->type == REDIS_REPLY_STRING && bw_parse_int((struct bw_slice){ r->str, r->len }, out);
}

int64_t bw_redis_take_number(struct bw_redis_row *row)
{
	int64_t n = 0;

	if (!read_number(take(row), &n))
		row->bad = true;
	return n;
}

bool bw_redis_take_flag(struct bw_redis_row *row)
{
	return bw_redis_take_number(row) != 0;
}

struct bw_slice bw_redis_take_text(struct bw_redis_row *row)
{
	const struct redisReply *r = take(row);

	if (r != NULL && r->type == REDIS_REPLY_STRING)
		return (struct bw_slice){ r->str, r->len };
	row->bad = true;
	return (struct bw_slice){ NULL, 0 };
}

struct bw_hash bw_redis_take_hash(struct bw_redis_row *row)
{
	struct bw_hash hash = { { 0 } };
	struct bw_slice text = bw_redis_take_text(row);

	if (text.n == BW_HASH_BYTES)
		memcpy(hash.b, text.p, BW_HASH_BYTES);
	else if (text.n != 0)
		row->bad = true;
	return hash;
}

int bw_redis_take_word(struct bw_redis_row *row, int count)
{
	int64_t n = bw_redis_take_number(row);

	if (n >= 0 && n < count)
		return (int)n;
	row->bad = true;
	return 0;
}

struct bw_redis_row bw_redis_take_row(struct bw_redis_row *row)
{
	struct bw_redis_row inner = bw_redis_row_of(take(row));

	row->bad = row->bad || inner.bad;
	return inner;
}

struct bw_redis_row bw_redis_take_record(struct bw_redis_row *row)
{
	struct bw_redis_row inner = bw_redis_take_row(row);
	int64_t format = bw_redis_take_number(&inner);

	if (format < FORMAT_OLDEST || format > BW_STORE_FORMAT)
		inner.bad = true;
	row->bad = row->bad || inner.bad;
	return inner;
}

bool bw_redis_reply_number(const struct redisReply *reply, int64_t *out)
{
	return read_number(reply, out);
}
