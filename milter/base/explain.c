/* The sentence behind a verdict, from its numbers. One row a rule: what is said, in which order. */
#include <assert.h>

#include "bw/clock.h"
#include "bw/parse.h"
#include "bw/verdict.h"

/* What the sender guard watches is an identity, what the mailbox guard watches an address without members. */
static bool say_key(struct bw_buf *out, const struct bw_explain *w)
{
	if (w->guard != BW_GUARD_SENDER && w->guard != BW_GUARD_MAILBOX)
		return false;
	bw_buf_add_text(out, w->guard == BW_GUARD_SENDER ? " from " : " to ");
	bw_buf_add(out, w->list);
	return true;
}

static void say_members(struct bw_buf *out, const struct bw_explain *w)
{
	if (w->list.n == 0 || say_key(out, w))
		return;
	bw_buf_add_text(out, " to ");
	bw_buf_add(out, w->list);
	bw_buf_add_text(out, " (");
	bw_print_count(out, w->members);
	bw_buf_add_text(out, w->members == 1 ? " member)" : " members)");
}

static void say_until(struct bw_buf *out, const struct bw_explain *w)
{
	if (w->until_ms <= 0)
		return;
	bw_buf_add_text(out, ", at least until ");
	bw_clock_format(out, w->until_ms);
}

/* "11th sender of at most 10 in 60 min" */
static void say_ordinal(struct bw_buf *out, const struct bw_explain *w, const char *what)
{
	bw_print_ordinal(out, w->ordinal);
	bw_buf_printf(out, " %s of at most ", what);
	bw_print_count(out, w->limit);
	bw_buf_add_text(out, " in ");
	bw_print_duration_words(out, w->window_ms);
}

static void say_senders(struct bw_buf *out, const struct bw_explain *w)
{
	say_ordinal(out, w, "sender");
	say_members(out, w);
}

static void say_replies(struct bw_buf *out, const struct bw_explain *w)
{
	say_ordinal(out, w, "reply");
	say_members(out, w);
}

static void say_unconfirmed(struct bw_buf *out, const struct bw_explain *w)
{
	bw_buf_add_text(out, "post");
	say_members(out, w);
	bw_buf_add_text(out, ", a size that nobody has confirmed");
}

static void say_fanout(struct bw_buf *out, const struct bw_explain *w)
{
	bw_buf_add_text(out, "new post that would reach ");
	bw_print_count(out, w->ordinal);
	bw_buf_add_text(out, " mailboxes (");
	bw_print_count(out, w->limit);
	bw_buf_add_text(out, " or more need a poster)");
	say_members(out, w);
}

static void say_budget(struct bw_buf *out, const struct bw_explain *w)
{
	bw_print_count(out, w->ordinal);
	bw_buf_add_text(out, " deliveries of at most ");
	bw_print_count(out, w->limit);
	bw_buf_add_text(out, " in ");
	bw_print_duration_words(out, w->window_ms);
	say_members(out, w);
}

static void say_open(struct bw_buf *out, const struct bw_explain *w)
{
	bw_buf_add_text(out, "mail is stopped");
	say_members(out, w);
	if (w->since_ms > 0) {
		bw_buf_add_text(out, " since ");
		bw_clock_format(out, w->since_ms);
	}
	say_until(out, w);
}

static void say_probation(struct bw_buf *out, const struct bw_explain *w)
{
	bw_print_ordinal(out, w->ordinal);
	bw_buf_add_text(out, " sender in probation, where one is allowed,");
	say_members(out, w);
}

static void say_forced(struct bw_buf *out, const struct bw_explain *w)
{
	bw_buf_add_text(out, "an operator stopped mail");
	say_members(out, w);
	say_until(out, w);
}

static void say_degraded(struct bw_buf *out, const struct bw_explain *w)
{
	bw_buf_add_text(out, "the shared store does not answer, this host alone lets ");
	bw_print_count(out, w->limit);
	bw_buf_add_text(out, " pass");
	say_members(out, w);
}

static void say_automaton(struct bw_buf *out, const struct bw_explain *w)
{
	bw_buf_printf(out, "automatic message (%s)", bw_class_name(w->class));
	say_members(out, w);
}

static void say_sum(struct bw_buf *out, const struct bw_explain *w, const char *what)
{
	bw_print_count(out, w->ordinal);
	bw_buf_printf(out, " %s of at most ", what);
	bw_print_count(out, w->limit);
	bw_buf_add_text(out, " in ");
	bw_print_duration_words(out, w->window_ms);
	say_members(out, w);
}

static void say_recipients(struct bw_buf *out, const struct bw_explain *w)
{
	say_sum(out, w, "recipients");
}

static void say_posts(struct bw_buf *out, const struct bw_explain *w)
{
	say_sum(out, w, "new posts to lists of others");
}

static void say_mailbox(struct bw_buf *out, const struct bw_explain *w)
{
	say_sum(out, w, "messages");
}

static void say_origin(struct bw_buf *out, const struct bw_explain *w)
{
	bw_buf_add_text(out, "an own domain in From:, from outside and without dmarc=pass");
	say_members(out, w);
}

static void say_capacity(struct bw_buf *out, const struct bw_explain *w)
{
	say_sum(out, w, "deliveries of the whole installation");
}

static void say_too_many(struct bw_buf *out, const struct bw_explain *w)
{
	bw_buf_add_text(out, "more lists in one message than can be judged (at most ");
	bw_print_count(out, w->limit);
	bw_buf_add_text(out, ")");
}

typedef void say_fn(struct bw_buf *out, const struct bw_explain *w);

static say_fn *const sentences[] = {
	[BW_RULE_NONE] = NULL,
	[BW_RULE_GATE_UNCONFIRMED] = say_unconfirmed,
	[BW_RULE_GATE_FANOUT] = say_fanout,
	[BW_RULE_CONVERSATION_SENDERS] = say_senders,
	[BW_RULE_CONVERSATION_REPLIES] = say_replies,
	[BW_RULE_CONVERSATION_DAY] = say_senders,
	[BW_RULE_LIST_SENDERS] = say_senders,
	[BW_RULE_LIST_BUDGET] = say_budget,
	[BW_RULE_BREAKER_OPEN] = say_open,
	[BW_RULE_PROBATION] = say_probation,
	[BW_RULE_FORCED_OPEN] = say_forced,
	[BW_RULE_DEGRADED] = say_degraded,
	[BW_RULE_AUTOMATON] = say_automaton,
	[BW_RULE_TOO_MANY_LISTS] = say_too_many,
	[BW_RULE_SENDER_RECIPIENTS] = say_recipients,
	[BW_RULE_SENDER_POSTS] = say_posts,
	[BW_RULE_MAILBOX] = say_mailbox,
	[BW_RULE_ORIGIN] = say_origin,
	[BW_RULE_CAPACITY] = say_capacity,
};
static_assert(sizeof(sentences) / sizeof(sentences[0]) == BW_RULE_COUNT, "a sentence for every rule");

/* --- redirect: what became of it --- */

static const char *const outcomes[] = {
	[BW_REDIRECT_NONE] = "",
	[BW_REDIRECT_POSTER] = "; it goes to who began the conversation, ",
	[BW_REDIRECT_OWNER] = "; it goes to the list's owner, ",
	[BW_REDIRECT_NO_REPLY] = "; not redirected, it is no reply",
	[BW_REDIRECT_OWN] = "; not redirected, it would go back to its sender",
	[BW_REDIRECT_NOBODY] = "; not redirected, there is neither a proven poster nor an owner",
	[BW_REDIRECT_ENOUGH] = "; not redirected, enough of its conversation were",
	[BW_REDIRECT_UNKNOWN] = "; not redirected, the store does not count it",
	[BW_REDIRECT_FIXED] = "; not redirected, the MTA cannot take the list out",
};
static_assert(sizeof(outcomes) / sizeof(outcomes[0]) == BW_REDIRECT_COUNT, "words for every outcome");

static void say_redirect(struct bw_buf *out, const struct bw_explain *w)
{
	if (w->redirect >= BW_REDIRECT_COUNT)
		return;
	bw_buf_add_text(out, outcomes[w->redirect]);
	bw_buf_add(out, w->target);
}

void bw_explain_print(struct bw_buf *out, const struct bw_explain *why)
{
	if (why->guard == BW_GUARD_NONE || why->rule >= BW_RULE_COUNT || sentences[why->rule] == NULL)
		return;
	bw_buf_printf(out, "%s: ", bw_guard_name(why->guard));
	sentences[why->rule](out, why);
	say_redirect(out, why);
}
