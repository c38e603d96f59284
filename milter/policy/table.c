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
	{ #guard "." #field, BW_VALUE_COUNT, ITEM(guard, field), __VA_ARGS__, 1, 10000, off, false, text }
#define DELIVERIES(guard, field, text, ...)                                                                               \
	{ #guard "." #field, BW_VALUE_COUNT, ITEM(guard, field), __VA_ARGS__, 1, INT64_C(1000000000000), true, false, text }
#define DURATION(guard, field, text, ...)                                                                                 \
	{ #guard "." #field, BW_VALUE_DURATION, ITEM(guard, field##_ms), __VA_ARGS__, BW_SECOND_MS, 30 * BW_DAY_MS, false, false, text }
#define MODE(guard, text, ...)                                                                                            \
	{ #guard ".mode", BW_VALUE_MODE, ITEM(guard, mode), __VA_ARGS__, 0, BW_MODE_COUNT - 1, false, false, text }
#define ACTION(guard, field, text, ...)                                                                                   \
	{ #guard "." #field, BW_VALUE_ACTION, ITEM(guard, field), __VA_ARGS__, BW_TAG, BW_REJECT, false, false, text }
/* Of the whole installation. Windows of sums are at most a day: they are kept in slots of seconds. */
#define WHOLE(guard, field, max, text, v)                                                                                 \
	{ #guard "." #field, BW_VALUE_COUNT, ITEM(guard, field), ALL(v), 1, max, true, true, text }
#define WHOLE_DURATION(guard, field, least, most, text, v)                                                                \
	{ #guard "." #field, BW_VALUE_DURATION, ITEM(guard, field##_ms), ALL(v), least, most, false, true, text }
#define WHOLE_MODE(guard, field, text, v)                                                                                 \
	{ #guard "." #field, BW_VALUE_MODE, ITEM(guard, field), ALL(v), 0, BW_MODE_COUNT - 1, false, true, text }
#define WHOLE_ACTION(guard, v)                                                                                            \
	{ #guard ".action", BW_VALUE_ACTION, ITEM(guard, action), ALL(v), BW_TAG, BW_REJECT, false, true, HELP_ACTION }
/* clang-format on */

#define HELP_MODE   "enforce acts; shadow decides, counts and logs the same and lets the message pass; off says nothing."
#define HELP_ACTION "What happens to mail that this guard stops."
#define HELP_REPLY  HELP_ACTION " redirect: a reply goes to who began the conversation, or else to the list's owner; other mail waits."
#define HELP_BLOCK  "How long the breaker stays open at least after a trip; each relapse doubles it."
#define HELP_MAX    "The longest block time that relapses lead to."

static const struct bw_setting rows[] = {
	MODE(gate, HELP_MODE, ALL(BW_MODE_ENFORCE)),
	ACTION(gate, action, "What happens to a new post that the gate stops.", ALL(BW_HOLD)),
	DELIVERIES(gate, fanout, "A new post whose total fan-out is this or more passes only from a poster of all its lists.",
	           ALL(25000)),

	MODE(conversation, HELP_MODE, ALL(BW_MODE_ENFORCE)),
	ACTION(conversation, action, HELP_REPLY, ALL(BW_HOLD)),
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
	ACTION(list, action, HELP_REPLY, ALL(BW_HOLD)),
	COUNT(list, senders, true,
	      "Distinct senders of posts and replies to one list that pass within the window before the breaker trips.",
	      BY_TIER(OFF, 60, 20, 6)),
	DELIVERIES(list, budget, "Deliveries to one list within the window, posters' included; one post always fits.", ALL(1000000)),
	DURATION(list, window, "The sliding window of senders and deliveries, and the length of probation.", ALL(BW_HOUR_MS)),
	DURATION(list, block, HELP_BLOCK, BY_TIER(30 * BW_MINUTE_MS, 30 * BW_MINUTE_MS, 30 * BW_MINUTE_MS, 2 * BW_HOUR_MS)),
	DURATION(list, block_max, HELP_MAX, ALL(BW_DAY_MS)),

	MODE(automaton, HELP_MODE, BY_TIER(BW_MODE_OFF, BW_MODE_ENFORCE, BW_MODE_ENFORCE, BW_MODE_ENFORCE)),
	ACTION(automaton, action, "What happens to an automatic message that says so by protocol (RFC 3834, RFC 8098, iTIP). For bounces and auto-generated mail discard "
	       "is hold.",
	       ALL(BW_DISCARD)),
	ACTION(automaton, weak_action, "What happens to a message that only looks automatic (its subject, a vendor's header).",
	       ALL(BW_HOLD)),

	MODE(origin, "For mail to a list that has an own domain in From:, comes from outside, and carries no dmarc=pass of an own "
	             "authserv-id (internal.authserv_ids). Starts in shadow even where the rest enforces.",
	     ALL(BW_MODE_SHADOW)),
	ACTION(origin, action, HELP_ACTION, ALL(BW_HOLD)),

	MODE(defuse, "Before mail goes out to a list: receipt requests are removed, NOTIFY=SUCCESS becomes NOTIFY=FAILURE, and "
	             "X-Auto-Response-Suppress asks programs for silence. shadow only logs what it would change.",
	     BY_TIER(BW_MODE_OFF, BW_MODE_OFF, BW_MODE_OFF, BW_MODE_ENFORCE)),

	WHOLE_MODE(sender, mode, "For authenticated identities and clients of class submission. " HELP_MODE, BW_MODE_ENFORCE),
	WHOLE_MODE(sender, others_mode, "The same for all other identities (inside and outside envelope senders).", BW_MODE_OFF),
	WHOLE_ACTION(sender, BW_HOLD),
	WHOLE(sender, recipients, 1000000,
	      "Recipients of one identity that pass within the window before its breaker trips; a list counts as one.", 2000),
	WHOLE(sender, posts, 10000,
	      "New posts of one identity within the window to lists of medium and above of which it is no poster.", 20),
	WHOLE_DURATION(sender, window, BW_MINUTE_MS, BW_DAY_MS,
	               "The sliding window of recipients and posts (to ten seconds), and the length of probation.", BW_HOUR_MS),
	WHOLE_DURATION(sender, block, BW_SECOND_MS, 30 * BW_DAY_MS, HELP_BLOCK, 30 * BW_MINUTE_MS),
	WHOLE_DURATION(sender, block_max, BW_SECOND_MS, 30 * BW_DAY_MS, HELP_MAX, BW_DAY_MS),

	WHOLE_MODE(mailbox, mode, "For messages from outside, and automatic ones from anywhere, to one mailbox. " HELP_MODE,
	           BW_MODE_ENFORCE),
	WHOLE_ACTION(mailbox, BW_THROTTLE),
	WHOLE(mailbox, messages, 1000000,
	      "Messages to one mailbox that pass within the window; one is stopped only if each of its recipients is over its limit.",
	      100),
	WHOLE_DURATION(mailbox, window, BW_MINUTE_MS, BW_DAY_MS, "The sliding window of messages (to ten seconds).",
	               10 * BW_MINUTE_MS),

	WHOLE_MODE(capacity, mode, HELP_MODE, BW_MODE_ENFORCE),
	WHOLE_ACTION(capacity, BW_HOLD),
	WHOLE(capacity, deliveries, INT64_C(1000000000000),
	      "Deliveries of the whole installation within the window, approximately; beyond, mail to lists is stopped, never single "
	      "mail.",
	      OFF),
	WHOLE_DURATION(capacity, window, BW_MINUTE_MS, BW_DAY_MS, "The sliding window of deliveries (to ten seconds).",
	               BW_MINUTE_MS),
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
