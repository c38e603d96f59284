/* link: bw_store bw_base */
#include <string.h>

#include "../../milter/store/redis-compat.h"
#include "../../milter/store/redis-internal.h"
#include "fuzz.h"

enum { ROWS_MAX = 64, DEPTH_MAX = 8 };

/* hiredis 0.14 reserves what an array's head promises; where the bytes are from strangers that is the allocator's fuzzing. */
static bool promises_too_much(const uint8_t *data, size_t size)
{
	size_t digits = 0;

	for (size_t i = 0; i < size; i++) {
		digits = data[i] >= '0' && data[i] <= '9' ? digits + 1 : 0;
		if (digits > 5)
			return true;
	}
	return false;
}

/* Whatever a reply is: what is taken from it lies in it, and what does not fit makes the row bad and gives nothing. */
static void take_all(struct bw_redis_row row, int depth)
{
	struct bw_breaker breaker;

	for (int i = 0; i < ROWS_MAX && bw_redis_row_more(&row); i++) {
		struct bw_redis_row number = row, text = row, hash = row, word = row, inner = row, record = row, whole = row;

		bw_redis_take_number(&number);
		FUZZ_MUST(number.at == row.at + 1);
		struct bw_slice s = bw_redis_take_text(&text);

		FUZZ_MUST(!text.bad || s.n == 0);
		struct bw_hash h = bw_redis_take_hash(&hash);

		FUZZ_MUST(!hash.bad || bw_hash_is_zero(&h));
		int w = bw_redis_take_word(&word, BW_SEEN_COUNT);

		FUZZ_MUST(w >= 0 && w < BW_SEEN_COUNT);
		bw_redis_take_record(&record);
		bw_redis_take_breaker(&whole, &breaker);
		FUZZ_MUST((unsigned)breaker.phase < BW_PHASE_COUNT && (unsigned)breaker.rule < BW_RULE_COUNT);
		FUZZ_MUST(memchr(breaker.override_owner, 0, sizeof(breaker.override_owner)) != NULL);
		if (depth < DEPTH_MAX)
			take_all(bw_redis_take_row(&inner), depth + 1);
		row.at++;
	}
	FUZZ_MUST(row.bad || bw_redis_row_count(&row) == row.array->elements);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	redisReader *reader = promises_too_much(data, size) ? NULL : redisReaderCreate();
	struct bw_why why;
	void *reply = NULL;
	int64_t n;

	if (reader == NULL)
		return 0;
	redisReaderFeed(reader, (const char *)data, size);
	while (redisReaderGetReply(reader, &reply) == REDIS_OK && reply != NULL) {
		enum bw_err err = bw_redis_reply_check(reply, &why);

		FUZZ_MUST(err == BW_OK || (err == BW_ERR_STORE && memchr(why.text, 0, sizeof(why.text)) != NULL));
		bw_redis_reply_is_noscript(reply);
		bw_redis_reply_is_elsewhere(reply);
		bw_redis_reply_number(reply, &n);
		take_all(bw_redis_row_of(reply), 0);
		freeReplyObject(reply);
		reply = NULL;
	}
	redisReaderFree(reader);
	return 0;
}
