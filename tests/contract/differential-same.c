/* Two stores' answers, compared field by field. */
#include "differential.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- telling of a difference --- */

void differ(const struct run *r, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "differential: seed %" PRIu64 ", operation %" PRId64 ", at %+" PRId64 " ms: ", r->seed, r->operation,
	        r->now_ms - T0);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void same_number(const struct run *r, const char *what, int64_t a, int64_t b)
{
	if (a != b)
		differ(r, "%s: %" PRId64 " embedded, %" PRId64 " Redis", what, a, b);
}

void same_hash(const struct run *r, const char *what, const struct bw_hash *a, const struct bw_hash *b)
{
	char x[2 * BW_HASH_BYTES + 1], y[2 * BW_HASH_BYTES + 1];

	bw_hash_hex(a, x);
	bw_hash_hex(b, y);
	if (strcmp(x, y) != 0)
		differ(r, "%s: %s embedded, %s Redis", what, x, y);
}

bool same_answer(const struct run *r, const char *what, enum bw_err a, enum bw_err b, const struct bw_why why[2])
{
	if (a != b)
		differ(r, "%s: %s (%s) embedded, %s (%s) Redis", what, bw_err_name(a), why[0].text, bw_err_name(b), why[1].text);
	if (a == BW_ERR_STORE || a == BW_ERR_CORRUPT || a == BW_ERR_MEMORY)
		differ(r, "%s: %s: %s; %s", what, bw_err_name(a), why[0].text, why[1].text);
	return a == BW_OK;
}

void same_breaker(const struct run *r, const char *what, const struct bw_breaker *a, const struct bw_breaker *b)
{
	const int64_t x[] = { a->phase,    a->rule,  a->since_ms,       a->until_ms,          a->ordinal, a->limit,
		                  a->relapses, a->trips, a->override_state, a->override_until_ms, a->version };
	const int64_t y[] = { b->phase,    b->rule,  b->since_ms,       b->until_ms,          b->ordinal, b->limit,
		                  b->relapses, b->trips, b->override_state, b->override_until_ms, b->version };

	for (size_t i = 0; i < sizeof(x) / sizeof(x[0]); i++)
		same_number(r, what, x[i], y[i]);
	if (strcmp(a->override_owner, b->override_owner) != 0 || strcmp(a->override_reason, b->override_reason) != 0)
		differ(r, "%s: owner or reason", what);
}

void same_counts(const struct run *r, const struct bw_count_out *a, const struct bw_count_out *b)
{
	same_number(r, "now", a->now_ms, b->now_ms);
	same_number(r, "seen", a->seen, b->seen);
	same_hash(r, "conversation", &a->conversation, &b->conversation);
	same_number(r, "joined", a->joined, b->joined);
	same_number(r, "merge wanted", a->merge_wanted, b->merge_wanted);
	same_number(r, "senders of the conversation", a->conversation_senders, b->conversation_senders);
	same_number(r, "replies", a->conversation_replies, b->conversation_replies);
	same_number(r, "senders in a day", a->conversation_day_senders, b->conversation_day_senders);
	same_number(r, "senders in the conversation's phase", a->conversation_phase_senders, b->conversation_phase_senders);
	same_number(r, "last attempt in the conversation", a->conversation_last_ms, b->conversation_last_ms);
	same_number(r, "counted in the conversation", a->conversation_sender_was_counted, b->conversation_sender_was_counted);
	same_number(r, "senders of the list", a->list_senders, b->list_senders);
	same_number(r, "senders in the list's phase", a->list_phase_senders, b->list_phase_senders);
	same_number(r, "last attempt on the list", a->list_last_ms, b->list_last_ms);
	same_number(r, "counted on the list", a->list_sender_was_counted, b->list_sender_was_counted);
	same_number(r, "deliveries", a->list_deliveries, b->list_deliveries);
	same_number(r, "budget", a->budget_ok, b->budget_ok);
	same_number(r, "provisional", a->provisional, b->provisional);
	same_breaker(r, "the conversation's breaker", &a->conversation_breaker, &b->conversation_breaker);
	same_breaker(r, "the list's breaker", &a->list_breaker, &b->list_breaker);
}
