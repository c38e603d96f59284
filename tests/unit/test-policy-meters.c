/* link: bw_policy bw_settings bw_base */
/* The guards that watch no list: sender, mailbox, capacity; and origin. */
#include "policy-case.h"

#define JANE "auth:jane@utah.example"

static struct bw_sender_case sender_case(const struct bw_limits *limits, int64_t recipients, int64_t total)
{
	return (struct bw_sender_case){
		.now_ms = T0,
		.limits = limits,
		.mode = limits->sender.mode,
		.who = BW_S(JANE),
		.recipients = recipients,
		.total_recipients = total,
		.fanout = recipients,
	};
}

static void expect(const char *what, const struct bw_opinion *o, enum bw_action action, enum bw_rule rule)
{
	if (o->verdict.action != action || (action != BW_ACCEPT && o->verdict.why.rule != rule))
		fail_msg("%s: %s by %s, expected %s by %s", what, bw_action_name(o->verdict.action), bw_rule_name(o->verdict.why.rule),
		         bw_action_name(action), bw_rule_name(rule));
}

/* Whom the guard watches. */
static void who_is_watched(void **state)
{
	static const struct {
		enum bw_identity_kind kind;
		enum bw_client client;
		bool watched;
	} rows[] = {
		{ BW_IDENTITY_AUTH, BW_CLIENT_OUTSIDE, true },       { BW_IDENTITY_AUTH, BW_CLIENT_SUBMISSION, true },
		{ BW_IDENTITY_CERT, BW_CLIENT_INSIDE, true },        { BW_IDENTITY_INSIDE, BW_CLIENT_INSIDE, false },
		{ BW_IDENTITY_INSIDE, BW_CLIENT_SUBMISSION, true },  { BW_IDENTITY_OUTSIDE, BW_CLIENT_OUTSIDE, false },
		{ BW_IDENTITY_OUTSIDE, BW_CLIENT_SUBMISSION, true },
	};
	struct bw_limits limits = limits_of(BW_TIER_SMALL, BW_MODE_ENFORCE);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(bw_policy_sender_mode(&limits, rows[i].kind, rows[i].client),
		                 rows[i].watched ? BW_MODE_ENFORCE : BW_MODE_OFF);
	limits.sender.others_mode = BW_MODE_SHADOW;
	assert_int_equal(bw_policy_sender_mode(&limits, BW_IDENTITY_OUTSIDE, BW_CLIENT_OUTSIDE), BW_MODE_SHADOW);
}

static void sender_limits(void **state)
{
	static const struct {
		const char *what;
		int64_t recipients, total, posts, total_posts;
		enum bw_action action;
		enum bw_rule rule;
	} rows[] = {
		{ "the last that fits", 1, 2000, 0, 0, BW_ACCEPT, BW_RULE_NONE },
		{ "one too many", 1, 2001, 0, 0, BW_HOLD, BW_RULE_SENDER_RECIPIENTS },
		{ "all at once", 5000, 5000, 0, 0, BW_HOLD, BW_RULE_SENDER_RECIPIENTS },
		{ "the last post", 1, 20, 1, 20, BW_ACCEPT, BW_RULE_NONE },
		{ "a post too many", 1, 21, 1, 21, BW_HOLD, BW_RULE_SENDER_POSTS },
		{ "no post among too many", 1, 22, 0, 21, BW_ACCEPT, BW_RULE_NONE },
	};
	const struct bw_limits limits = limits_of(BW_TIER_SMALL, BW_MODE_ENFORCE);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct bw_sender_case c = sender_case(&limits, rows[i].recipients, rows[i].total);
		struct bw_opinion o;

		c.posts = rows[i].posts;
		c.total_posts = rows[i].total_posts;
		bw_policy_judge_sender(&c, &o);
		expect(rows[i].what, &o, rows[i].action, rows[i].rule);
		assert_int_equal(o.list.changed, rows[i].action == BW_HOLD);
		assert_int_equal(o.verdict.event, rows[i].action == BW_HOLD ? BW_EVENT_TRIP : BW_EVENT_NONE);
		if (rows[i].action == BW_HOLD) {
			assert_true(o.list.next.until_ms == T0 + 30 * BW_MINUTE_MS);
			assert_int_equal(o.verdict.why.guard, BW_GUARD_SENDER);
			assert_int_equal(o.verdict.breaker, BW_PHASE_OPEN);
		}
	}
}

static void modes(void **state)
{
	const struct bw_limits limits = limits_of(BW_TIER_SMALL, BW_MODE_SHADOW);
	struct bw_sender_case c = sender_case(&limits, 1, 2001);
	struct bw_opinion o;

	(void)state;
	bw_policy_judge_sender(&c, &o);
	assert_int_equal(o.verdict.action, BW_ACCEPT);
	assert_int_equal(o.verdict.would, BW_HOLD);
	assert_int_equal(o.list.next.phase, BW_PHASE_OPEN); /* a rehearsal trips */
	c.mode = BW_MODE_OFF;
	bw_policy_judge_sender(&c, &o);
	assert_int_equal(o.verdict.would, BW_ACCEPT);
	assert_false(o.list.changed);
	/* An operator's word counts in any mode. */
	c.record = overridden(BW_OVERRIDE_FORCED_OPEN, AT(60));
	bw_policy_judge_sender(&c, &o);
	expect("forced open", &o, BW_HOLD, BW_RULE_FORCED_OPEN);
}

/* Open until calm is measured, then on probation, then closed; a relapse doubles. */
static void the_breaker_of_a_sender(void **state)
{
	const struct bw_limits limits = limits_of(BW_TIER_SMALL, BW_MODE_ENFORCE);
	struct bw_sender_case c = sender_case(&limits, 1, 2500);
	struct bw_opinion o;

	(void)state;
	c.record = open_breaker(BW_RULE_SENDER_RECIPIENTS, AT(-10), AT(20));
	bw_policy_judge_sender(&c, &o);
	expect("open", &o, BW_HOLD, BW_RULE_BREAKER_OPEN);
	assert_false(o.list.changed);
	c.now_ms = AT(21);
	bw_policy_judge_sender(&c, &o);
	expect("its time is over, and it rages on", &o, BW_HOLD, BW_RULE_BREAKER_OPEN);
	c.total_recipients = 2000;
	bw_policy_judge_sender(&c, &o);
	expect("calm", &o, BW_ACCEPT, BW_RULE_NONE);
	assert_int_equal(o.verdict.event, BW_EVENT_CALM);
	assert_int_equal(o.list.next.phase, BW_PHASE_HALF_OPEN);
	c.record = o.list.next;
	c.now_ms = AT(30);
	c.total_recipients = 2001;
	bw_policy_judge_sender(&c, &o);
	expect("again", &o, BW_HOLD, BW_RULE_SENDER_RECIPIENTS);
	assert_int_equal(o.verdict.event, BW_EVENT_RELAPSE);
	assert_true(o.list.next.until_ms == AT(30) + BW_HOUR_MS);
	c.now_ms = c.record.until_ms;
	c.total_recipients = 10;
	bw_policy_judge_sender(&c, &o);
	expect("clean", &o, BW_ACCEPT, BW_RULE_NONE);
	assert_int_equal(o.list.next.phase, BW_PHASE_CLOSED);
	/* Silent with recipients, but not with posts: no calm. */
	c.record = open_breaker(BW_RULE_SENDER_RECIPIENTS, AT(-60), AT(-1));
	c.now_ms = T0;
	c.total_posts = 25;
	bw_policy_judge_sender(&c, &o);
	expect("calm in one respect only", &o, BW_HOLD, BW_RULE_BREAKER_OPEN);
	/* The operator lets it go on. */
	c.record = overridden(BW_OVERRIDE_DISABLED, AT(60));
	c.total_recipients = 9000;
	bw_policy_judge_sender(&c, &o);
	expect("disabled", &o, BW_ACCEPT, BW_RULE_NONE);
}

static void mailbox(void **state)
{
	struct bw_limits limits = limits_of(BW_TIER_SMALL, BW_MODE_ENFORCE);
	struct bw_opinion o;

	(void)state;
	bw_policy_judge_mailbox(&limits, BW_S("v@x.example"), 100, &o);
	expect("the hundredth", &o, BW_ACCEPT, BW_RULE_NONE);
	bw_policy_judge_mailbox(&limits, BW_S("v@x.example"), 101, &o);
	expect("one more", &o, BW_THROTTLE, BW_RULE_MAILBOX);
	limits.mailbox.messages = 0;
	bw_policy_judge_mailbox(&limits, BW_S("v@x.example"), 101, &o);
	expect("off", &o, BW_ACCEPT, BW_RULE_NONE);
}

static void capacity(void **state)
{
	static const struct {
		int64_t limit, own, total;
		enum bw_action action;
	} rows[] = {
		{ 0, 840000, 1680000, BW_ACCEPT }, { 100000, 100000, 100000, BW_ACCEPT }, { 100000, 1, 100000, BW_ACCEPT },
		{ 100000, 2, 100001, BW_HOLD },    { 100000, 840000, 840000, BW_ACCEPT }, { 100000, 840000, 840001, BW_HOLD },
	};
	struct bw_limits limits = limits_of(BW_TIER_SMALL, BW_MODE_ENFORCE);
	struct bw_opinion o;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		limits.capacity.deliveries = rows[i].limit;
		bw_policy_judge_capacity(&limits, rows[i].own, rows[i].total, &o);
		expect("capacity", &o, rows[i].action, BW_RULE_CAPACITY);
	}
}

static void origin(void **state)
{
	struct bw_limits limits = limits_of(BW_TIER_LARGE, BW_MODE_ENFORCE);
	struct bw_case c = quiet_case(BW_TIER_LARGE, &limits);
	struct bw_opinion o;

	(void)state;
	c.foreign_origin = true;
	bw_policy_judge(&c, &o);
	assert_int_equal(o.verdict.action, BW_ACCEPT); /* shadow even while the rest enforces */
	assert_int_equal(o.verdict.would, BW_HOLD);
	limits.origin.mode = BW_MODE_ENFORCE;
	bw_policy_judge(&c, &o);
	expect("enforced", &o, BW_HOLD, BW_RULE_ORIGIN);
	assert_int_equal(o.verdict.why.guard, BW_GUARD_ORIGIN);
	assert_false(o.counted_stop); /* the list's slot is given back */
	c.counts.seen = BW_SEEN_DUPLICATE;
	bw_policy_judge(&c, &o);
	expect("the rest of what was let pass", &o, BW_ACCEPT, BW_RULE_NONE);
	c.counts.seen = BW_SEEN_FRESH;
	c.class = BW_CLASS_HUMAN;
	c.foreign_origin = false;
	bw_policy_judge(&c, &o);
	expect("of trusted origin", &o, BW_ACCEPT, BW_RULE_NONE);
}

/* An alarm that a program sent of its own accord is never thrown away. */
static void auto_generated(void **state)
{
	const struct bw_limits limits = limits_of(BW_TIER_LARGE, BW_MODE_ENFORCE);
	struct bw_case c = quiet_case(BW_TIER_LARGE, &limits);
	struct bw_opinion o;

	(void)state;
	c.class = BW_CLASS_AUTO_REPLY;
	c.evidence = BW_EVIDENCE_PROTOCOL;
	bw_policy_judge_automaton(&c, false, &o);
	expect("a reply", &o, BW_DISCARD, BW_RULE_AUTOMATON);
	c.auto_generated = true;
	bw_policy_judge_automaton(&c, false, &o);
	expect("an alarm", &o, BW_HOLD, BW_RULE_AUTOMATON);
}

static void sentences(void **state)
{
	static const struct {
		struct bw_explain why;
		const char *text;
	} rows[] = {
		{ { .guard = BW_GUARD_SENDER,
		    .rule = BW_RULE_SENDER_RECIPIENTS,
		    .ordinal = 2001,
		    .limit = 2000,
		    .window_ms = BW_HOUR_MS,
		    .list = BW_S(JANE) },
		  "sender: 2,001 recipients of at most 2,000 in 60 min from " JANE },
		{ { .guard = BW_GUARD_SENDER,
		    .rule = BW_RULE_SENDER_POSTS,
		    .ordinal = 21,
		    .limit = 20,
		    .window_ms = BW_HOUR_MS,
		    .list = BW_S(JANE) },
		  "sender: 21 new posts to lists of others of at most 20 in 60 min from " JANE },
		{ { .guard = BW_GUARD_SENDER, .rule = BW_RULE_BREAKER_OPEN, .list = BW_S(JANE), .until_ms = AT(30) },
		  "sender: mail is stopped from " JANE ", at least until 2016-11-14T08:59:00Z" },
		{ { .guard = BW_GUARD_MAILBOX,
		    .rule = BW_RULE_MAILBOX,
		    .ordinal = 101,
		    .limit = 100,
		    .window_ms = 10 * BW_MINUTE_MS,
		    .list = BW_S("v@x.example") },
		  "mailbox: 101 messages of at most 100 in 10 min to v@x.example" },
		{ { .guard = BW_GUARD_ORIGIN, .rule = BW_RULE_ORIGIN, .list = BW_S("all@x.example"), .members = 4000 },
		  "origin: an own domain in From:, from outside and without dmarc=pass to all@x.example (4,000 members)" },
		{ { .guard = BW_GUARD_CAPACITY, .rule = BW_RULE_CAPACITY, .ordinal = 500001, .limit = 500000, .window_ms = BW_MINUTE_MS },
		  "capacity: 500,001 deliveries of the whole installation of at most 500,000 in 1 min" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct bw_buf text;

		bw_buf_init(&text, 400);
		bw_explain_print(&text, &rows[i].why);
		assert_string_equal(bw_buf_text(&text), rows[i].text);
		bw_buf_done(&text);
	}
	assert_true(bw_breaker_is_senders(BW_S(JANE)) && bw_breaker_is_senders(BW_S("outside:<> 192.0.2.0/24")));
	assert_false(bw_breaker_is_senders(BW_S("auth@utah.example")) || bw_breaker_is_senders(BW_S("all@auth.example")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_watched), cmocka_unit_test(sender_limits),
		cmocka_unit_test(modes),          cmocka_unit_test(the_breaker_of_a_sender),
		cmocka_unit_test(mailbox),        cmocka_unit_test(capacity),
		cmocka_unit_test(origin),         cmocka_unit_test(auto_generated),
		cmocka_unit_test(sentences),
	};

	return cmocka_run_group_tests_name("policy/meters", tests, NULL, NULL);
}
