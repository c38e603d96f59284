/* redis-reply.h: what Redis answered, read strictly: a reply of another shape than its script's is BW_ERR_CORRUPT, never a crash.
 *
 * Layer:     store, inside the redis files only.
 * Ownership: slices live as long as the reply.
 */
#ifndef BW_REDIS_REPLY_H
#define BW_REDIS_REPLY_H

#include "bw/hash.h"

struct redisReply;

/* Turns an error reply into BW_ERR_STORE and a sentence an operator can act on. */
enum bw_err bw_redis_reply_check(const struct redisReply *reply, struct bw_why *why);
bool bw_redis_reply_is_noscript(const struct redisReply *reply);
/* Redis answers but refuses writes, because another host is the primary. */
bool bw_redis_reply_is_elsewhere(const struct redisReply *reply);

/* Elements of an array, taken one after the other; what does not fit makes it `bad` and gives zero or nothing. */
struct bw_redis_row {
	const struct redisReply *array;
	size_t at;
	bool bad;
};

struct bw_redis_row bw_redis_row_of(const struct redisReply *reply);
size_t bw_redis_row_count(const struct bw_redis_row *row);
bool bw_redis_row_more(const struct bw_redis_row *row);
int64_t bw_redis_take_number(struct bw_redis_row *row); /* an integer, or decimal digits */
bool bw_redis_take_flag(struct bw_redis_row *row);
struct bw_slice bw_redis_take_text(struct bw_redis_row *row);
struct bw_hash bw_redis_take_hash(struct bw_redis_row *row); /* an empty text is the zero hash */
int bw_redis_take_word(struct bw_redis_row *row, int count); /* a value of an enum with `count` values */
struct bw_redis_row bw_redis_take_row(struct bw_redis_row *row);
/* A record: its first element is a format that we read. */
struct bw_redis_row bw_redis_take_record(struct bw_redis_row *row);
/* A whole reply that is one number. */
bool bw_redis_reply_number(const struct redisReply *reply, int64_t *out);
enum bw_err bw_redis_bad_reply(const char *what, struct bw_why *why);

#endif
