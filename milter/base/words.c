#include "bw/breaker.h"
#include "bw/orders.h"

#include <assert.h>

static bool find_word(const char *const *names, int count, struct bw_slice word, int *out)
{
	for (int i = 0; i < count; i++) {
		if (bw_slice_equal_nocase(word, bw_slice_of(names[i]))) {
			*out = i;
			return true;
		}
	}
	return false;
}

/* One table of names gives bw_X_name() and bw_X_parse(). */
#define WORDS(name, count, ...)                                                                                           \
	static const char *const name##_names[] = { __VA_ARGS__ };                                                            \
	static_assert(sizeof(name##_names) / sizeof(name##_names[0]) == (count), "a name for every " #name);                  \
	const char *bw_##name##_name(enum bw_##name value)                                                                    \
	{                                                                                                                     \
		return (unsigned)value < (unsigned)(count) ? name##_names[value] : "unknown";                                     \
	}                                                                                                                     \
	bool bw_##name##_parse(struct bw_slice word, enum bw_##name *out)                                                     \
	{                                                                                                                     \
		int i;                                                                                                            \
                                                                                                                          \
		if (!find_word(name##_names, (count), word, &i))                                                                  \
			return false;                                                                                                 \
		*out = (enum bw_##name)i;                                                                                         \
		return true;                                                                                                      \
	}

WORDS(tier, BW_TIER_COUNT, "small", "medium", "large", "huge")
WORDS(guard, BW_GUARD_COUNT, "none", "gate", "conversation", "list", "sender", "mailbox", "automaton", "origin", "capacity")
WORDS(action, BW_ACTION_COUNT, "accept", "tag", "throttle", "strip", "redirect", "discard", "hold", "reject")
WORDS(mode, BW_MODE_COUNT, "off", "shadow", "enforce")
WORDS(class, BW_CLASS_COUNT, "human", "auto-reply", "mdn", "dsn", "recall", "calendar-reply", "bulk", "list-output")
WORDS(evidence, BW_EVIDENCE_COUNT, "none", "weak", "protocol")
WORDS(client, BW_CLIENT_COUNT, "submission", "inside", "outside")
WORDS(identity_kind, BW_IDENTITY_COUNT, "auth", "cert", "inside", "outside")
WORDS(side, BW_SIDE_COUNT, "members", "outside")
WORDS(seen, BW_SEEN_COUNT, "fresh", "retry", "duplicate", "split", "replay")
WORDS(source, BW_SOURCE_COUNT, "operator", "import", "learned", "config")
WORDS(event, BW_EVENT_COUNT, "none", "trip", "relapse", "calm", "closed", "hold", "release", "setting", "directory", "operator",
      "degraded", "recovered", "order", "refused", "limit", "learned", "room")
WORDS(order_kind, BW_ORDER_KIND_COUNT, "release", "delete", "restore", "freeze", "thaw", "drop")
WORDS(order_state, BW_ORDER_STATE_COUNT, "writing", "running", "paused", "stopped", "done", "cancelled")
WORDS(item_result, BW_ITEM_RESULT_COUNT, "pending", "done", "gone", "refused", "failed")
WORDS(post_state, BW_POST_STATE_COUNT, "queued", "frozen", "thawed", "dropped")
WORDS(phase, BW_PHASE_COUNT, "closed", "open", "half-open")
WORDS(override, BW_OVERRIDE_COUNT, "none", "forced-open", "disabled")
WORDS(rule, BW_RULE_COUNT, "none", "gate.unconfirmed", "gate.fanout", "conversation.senders", "conversation.replies",
      "conversation.day-senders", "list.senders", "list.budget", "open", "probation", "forced-open", "degraded", "automaton",
      "gate.lists", "sender.recipients", "sender.posts", "mailbox.messages", "origin", "capacity.deliveries")

bool bw_breaker_is_senders(struct bw_slice list)
{
	static const char *const kinds[] = { "auth:", "cert:", "inside:", "outside:" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (bw_slice_starts_nocase(list, bw_slice_of(kinds[i])))
			return true;
	}
	return false;
}
