/* The settings: a row, a range, a sentence. Defaults in the order small, medium, large, huge (semantics 5). */
#include <assert.h>

#include "bw/clock.h"
#include "rows.h"

/* The formatter would take the braces of a row for a block. */
/* clang-format off */
#define ITEM(guard, field)  offsetof(struct bw_limits, guard.field)
#define BY_TIER(s, m, l, h) { (s), (m), (l), (h) }
#define ALL(v)              BY_TIER(v, v, v, v)
#define OFF                 0

#define COUNT(guard, field, off, text, ...)                                                                               \
	{ #guard "." #field, BW_VALUE_COUNT, ITEM(guard, field), __VA_ARGS__, 1, 10000, off, text }
#define DELIVERIES(guard, field, text, ...)                                                                               \
	{ #guard "." #field, BW_VALUE_COUNT, ITEM(guard, field), __VA_ARGS__, 1, INT64_C(1000000000000), true, text }
#define DURATION(guard, field, text, ...)                                                                                 \
	{ #guard "." #field, BW_VALUE_DURATION, ITEM(guard, field##_ms), __VA_ARGS__, BW_SECOND_MS, 30 * BW_DAY_MS, false, text }
#define MODE(guard, text, ...)                                                                                            \
	{ #guard ".mode", BW_VALUE_MODE, ITEM(guard, mode), __VA_ARGS__, 0, BW_MODE_COUNT - 1, false, text }
#define ACTION(guard, field, text, ...)                                                                                   \
	{ #guard "." #field, BW_VALUE_ACTION, ITEM(guard, field), __VA_ARGS__, BW_TAG, BW_REJECT, false, text }
/* clang-format on */

#define HELP_MODE   "enforce acts; shadow decides, counts and logs the same and lets the message pass; off says nothing."
#define HELP_ACTION "What happens to mail that this guard stops."
#define HELP_BLOCK  "How long the breaker stays open at least after a trip; each relapse doubles it."
#define HELP_MAX    "The longest block time that relapses lead to."

static const struct bw_setting rows[] = {
	MODE(gate, HELP_MODE, ALL(BW_MODE_ENFORCE)),
	ACTION(gate, action, "What happens to a new post that the gate stops.", ALL(BW_HOLD)),
	DELIVERIES(gate, fanout, "A new post whose total fan-out is this or more passes only from a poster of all its lists.",
	           ALL(25000)),

	MODE(conversation, HELP_MODE, ALL(BW_MODE_ENFORCE)),
	ACTION(conversation, action, HELP_ACTION, ALL(BW_HOLD)),
	COUNT(conversation, senders, true,
	      "Distinct senders whose replies to one conversation pass within the window before the breaker trips.",
	      BY_TIER(OFF, 20, 10, 3)),
	COUNT(conversation, replies, true,
	      "Replies to one conversation that pass within the window, once at least reply_senders have written them.",
	      BY_TIER(OFF, 120, 40, 10)),
	COUNT(conversation, reply_senders, false, "Distinct senders from which on the number of replies is limited.",
	      BY_TIER(8, 8, 5, 3)),
	COUNT(conversation, day_senders, true, "Distinct senders whose replies to one conversation pass within 24 hours.",
	      BY_TIER(OFF, 60, 30, 10)),
	DURATION(conversation, window, "The sliding window of senders and replies, and the length of probation.", ALL(BW_HOUR_MS)),
	DURATION(conversation, block, HELP_BLOCK, BY_TIER(30 * BW_MINUTE_MS, 30 * BW_MINUTE_MS, 30 * BW_MINUTE_MS, 2 * BW_HOUR_MS)),
	DURATION(conversation, block_max, HELP_MAX, ALL(BW_DAY_MS)),

	MODE(list, HELP_MODE, ALL(BW_MODE_ENFORCE)),
	ACTION(list, action, HELP_ACTION, ALL(BW_HOLD)),
	COUNT(list, senders, true,
	      "Distinct senders of posts and replies to one list that pass within the window before the breaker trips.",
	      BY_TIER(OFF, 60, 20, 6)),
	DELIVERIES(list, budget, "Deliveries to one list within the window, posters' included; one post always fits.", ALL(1000000)),
	DURATION(list, window, "The sliding window of senders and deliveries, and the length of probation.", ALL(BW_HOUR_MS)),
	DURATION(list, block, HELP_BLOCK, BY_TIER(30 * BW_MINUTE_MS, 30 * BW_MINUTE_MS, 30 * BW_MINUTE_MS, 2 * BW_HOUR_MS)),
	DURATION(list, block_max, HELP_MAX, ALL(BW_DAY_MS)),

	MODE(automaton, HELP_MODE, BY_TIER(BW_MODE_OFF, BW_MODE_ENFORCE, BW_MODE_ENFORCE, BW_MODE_ENFORCE)),
	ACTION(automaton, action, "What happens to an automatic message that says so by protocol (RFC 3834, RFC 8098, iTIP).",
	       ALL(BW_DISCARD)),
	ACTION(automaton, weak_action, "What happens to a message that only looks automatic (its subject, a vendor's header).",
	       ALL(BW_HOLD)),
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
static_assert(ROWS <= BW_SETTINGS_ROWS_MAX, "a set of rows is one word");

size_t bw_setting_count(void)
{
	return ROWS;
}

const struct bw_setting *bw_setting_at(size_t i)
{
	return i < ROWS ? &rows[i] : NULL;
}

const struct bw_setting *bw_setting_find(struct bw_slice name)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (bw_slice_equal_nocase(name, bw_slice_of(rows[i].name)))
			return &rows[i];
	}
	return NULL;
}

void bw_setting_nearest(struct bw_nearest *n, struct bw_slice name)
{
	bw_nearest_start(n, name);
	n->distance = name.n / 3 + 1; /* names have common ends: a nearer bound than elsewhere */
	for (size_t i = 0; i < ROWS; i++)
		bw_nearest_offer(n, bw_slice_of(rows[i].name));
}
