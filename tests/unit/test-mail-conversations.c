/* link: bw_session bw_engine bw_mail bw_store bw_config bw_directory bw_settings bw_base */
/* Which messages are one conversation (semantics 3), from header bytes through the engine: with a limit of one sender, the second
 * sender's reply to a conversation is held, and a message that belongs to none, or to another, is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bw/clock.h"
#include "bw/session.h"

#define INSIDE  "192.0.2.1"
#define OUTSIDE "198.51.100.1"
/* Roots of 22 bytes, and what a reply of 5 bytes more makes of them. */
#define TOPIC_1 "AQHXD5U+lyuwLQ8xGUauybN6tbpVHQ=="
#define REPLY_1 "AQHXD5U+lyuwLQ8xGUauybN6tbpVHQAAAAAB"
#define REPLY_2 "AQHXD5U+lyuwLQ8xGUauybN6tbpVHQAAAAAC"
#define OTHER_1 "AQHXD5U+nyuwLQ8xGUauybN6tbpVHQAAAAAB"

/* One message; a NULL sender ends a story. */
struct sent {
	const char *sender, *header;
	bool held;
	int64_t after_ms;   /* since the message before; 0: a second */
	const char *client; /* NULL: INSIDE */
};

#define PASS(sender, header)        { sender, header, false, 0, NULL }
#define HELD(sender, header)        { sender, header, true, 0, NULL }
#define LATER(sender, header, wait) { sender, header, false, wait, NULL }
#define STRANGER(sender, header)    { sender, header, false, 0, OUTSIDE }

static const struct story {
	const char *name;
	struct sent sent[12];
} stories[] = {
	{ "references",
	  { PASS("root", "Message-ID: <r@x>\nSubject: one"),
	    PASS("a", "Message-ID: <a@x>\nSubject: two\nReferences: <r@x>"),
	    HELD("b", "Message-ID: <b@x>\nSubject: three\nReferences: <r@x> <a@x>") } },
	{ "in-reply-to alone",
	  { PASS("root", "Message-ID: <r@x>\nSubject: one"),
	    PASS("a", "Message-ID: <a@x>\nSubject: two\nIn-Reply-To: <r@x>"),
	    HELD("b", "Message-ID: <b@x>\nSubject: three\nIn-Reply-To: <a@x>") } },
	{ "in-reply-to in prose",
	  { PASS("root", "Message-ID: <20210302.1@x>\nSubject: one"),
	    PASS("a", "Message-ID: <a@x>\nSubject: two\nIn-Reply-To: Message from Ann <ann@x> of Tuesday <20210302.1@x>"),
	    HELD("b", "Message-ID: <b@x>\nSubject: three\nIn-Reply-To: <20210302.1@x>") } },
	{ "thread-index alone",
	  { PASS("root", "Message-ID: <r@x>\nSubject: one\nThread-Index: " TOPIC_1),
	    PASS("a", "Message-ID: <a@x>\nSubject: two\nThread-Index: " REPLY_1),
	    HELD("b", "Message-ID: <b@x>\nSubject: three\nThread-Index: " REPLY_2),
	    PASS("c", "Message-ID: <c@x>\nSubject: four\nThread-Index: " OTHER_1) } },
	{ "thread-index whose root was never seen: the first reply is a new post, which the others answer",
	  { PASS("a", "Message-ID: <a@x>\nSubject: one\nThread-Index: " REPLY_1),
	    PASS("b", "Message-ID: <b@x>\nSubject: two\nThread-Index: " REPLY_2),
	    HELD("c", "Message-ID: <c@x>\nSubject: three\nThread-Index: " REPLY_1) } },
	{ "a new subject within the conversation",
	  { PASS("root", "Message-ID: <r@x>\nSubject: Lunch menu"),
	    PASS("a", "Message-ID: <a@x>\nSubject: Re: Lunch menu\nIn-Reply-To: <r@x>"),
	    HELD("b", "Message-ID: <b@x>\nSubject: STOP (was: Lunch menu)\nIn-Reply-To: <a@x>") } },
	{ "a client without references, by its base subject",
	  { PASS("root", "Message-ID: <r@x>\nSubject: Budget of the year"),
	    PASS("a", "Message-ID: <a@x>\nSubject: RE: Budget of the year"),
	    HELD("b", "Message-ID: <b@x>\nSubject: =?utf-8?Q?Antw=3A_AW=3A_budget_of?=\n =?utf-8?Q?_the_year?="),
	    HELD("c", "Message-ID: <c@x>\nSubject: [EXT] Re[2]: Budget of the year") } },
	{ "the base subject is the last resort: references that lead elsewhere win",
	  { PASS("root", "Message-ID: <r@x>\nSubject: Budget of the year"),
	    PASS("root", "Message-ID: <s@x>\nSubject: Another matter"),
	    PASS("a", "Message-ID: <a@x>\nSubject: Re: Budget of the year"),
	    PASS("b", "Message-ID: <b@x>\nSubject: Re: Budget of the year\nIn-Reply-To: <s@x>"),
	    HELD("c", "Message-ID: <c@x>\nSubject: Re: Another matter\nIn-Reply-To: <s@x>") } },
	{ "the base subject of yesterday says nothing",
	  { PASS("root", "Message-ID: <r@x>\nSubject: Budget of the year"),
	    PASS("a", "Message-ID: <a@x>\nSubject: Re: Budget of the year"),
	    LATER("b", "Message-ID: <b@x>\nSubject: Re: Budget of the year", BW_DAY_MS + BW_HOUR_MS) } },
	{ "what does not look like a reply joins nothing by its subject",
	  { PASS("root", "Message-ID: <r@x>\nSubject: Weekly report"),
	    PASS("a", "Message-ID: <a@x>\nSubject: Re: Weekly report"),
	    PASS("b", "Message-ID: <b@x>\nSubject: Weekly report") } },
	{ "a subject of three letters ties nobody together",
	  { PASS("root", "Message-ID: <r@x>\nSubject: hi!"),
	    PASS("a", "Message-ID: <a@x>\nSubject: Re: hi!"),
	    PASS("b", "Message-ID: <b@x>\nSubject: Re: hi!") } },
	{ "nor does one of two characters, however many bytes they take",
	  { PASS("root", "Message-ID: <r@x>\nSubject: 会议"),
	    PASS("a", "Message-ID: <a@x>\nSubject: 回复：会议"),
	    PASS("b", "Message-ID: <b@x>\nSubject: 转发：回复：会议") } },
	{ "one of four does",
	  { PASS("root", "Message-ID: <r@x>\nSubject: 年度预算"),
	    PASS("a", "Message-ID: <a@x>\nSubject: 回复：年度预算"),
	    HELD("b", "Message-ID: <b@x>\nSubject: 转发：回复：年度预算") } },
	{ "tickets differ by their number",
	  { PASS("root", "Message-ID: <r@x>\nSubject: [help #4711] printer"),
	    PASS("root", "Message-ID: <s@x>\nSubject: [help #4712] printer"),
	    PASS("a", "Message-ID: <a@x>\nSubject: Re: [help #4711] printer"),
	    PASS("b", "Message-ID: <b@x>\nSubject: Re: [help #4712] printer"),
	    HELD("c", "Message-ID: <c@x>\nSubject: Re: [help #4712] printer") } },
	{ "a reply that overtakes its root",
	  { PASS("a", "Message-ID: <a@x>\nSubject: Re: one\nReferences: <r@x>"),
	    PASS("root", "Message-ID: <r@x>\nSubject: one"),
	    HELD("b", "Message-ID: <b@x>\nSubject: Re: one\nReferences: <r@x>") } },
	{ "two conversations that one message ties together are one",
	  { PASS("root", "Message-ID: <r@x>\nSubject: Lunch menu"),
	    PASS("root", "Message-ID: <s@x>\nSubject: STOP REPLYING"),
	    PASS("a", "Message-ID: <a@x>\nSubject: enough\nIn-Reply-To: <r@x>\nReferences: <r@x> <s@x>"),
	    HELD("b", "Message-ID: <b@x>\nSubject: Re: STOP REPLYING\nIn-Reply-To: <s@x>") } },
	{ "nothing from outside ties them together",
	  { PASS("root", "Message-ID: <r@x>\nSubject: Lunch menu"),
	    PASS("root", "Message-ID: <s@x>\nSubject: STOP REPLYING"),
	    PASS("a", "Message-ID: <a@x>\nSubject: enough\nIn-Reply-To: <r@x>"),
	    STRANGER("z", "Message-ID: <z@x>\nSubject: enough\nIn-Reply-To: <r@x>\nReferences: <r@x> <s@x>"),
	    PASS("b", "Message-ID: <b@x>\nSubject: Re: STOP REPLYING\nIn-Reply-To: <s@x>"),
	    HELD("c", "Message-ID: <c@x>\nSubject: Re: STOP REPLYING\nIn-Reply-To: <s@x>") } },
	{ "nothing that was stopped ties them together",
	  { PASS("root", "Message-ID: <r@x>\nSubject: Lunch menu"),
	    PASS("root", "Message-ID: <s@x>\nSubject: STOP REPLYING"),
	    PASS("a", "Message-ID: <a@x>\nSubject: Re: Lunch menu\nIn-Reply-To: <r@x>"),
	    HELD("c", "Message-ID: <c@x>\nSubject: enough\nIn-Reply-To: <r@x>\nReferences: <r@x> <s@x>"),
	    PASS("b", "Message-ID: <b@x>\nSubject: Re: STOP REPLYING\nIn-Reply-To: <s@x>") } },
	{ "at most two at a time",
	  { PASS("root", "Message-ID: <r@x>\nSubject: Lunch menu"),
	    PASS("root", "Message-ID: <s@x>\nSubject: STOP REPLYING"),
	    PASS("root", "Message-ID: <t@x>\nSubject: remove me"),
	    PASS("a", "Message-ID: <a@x>\nSubject: enough\nReferences: <r@x> <s@x> <t@x>"),
	    PASS("b", "Message-ID: <b@x>\nSubject: Re: Lunch menu\nIn-Reply-To: <r@x>"),
	    HELD("c", "Message-ID: <c@x>\nSubject: Re: STOP REPLYING\nIn-Reply-To: <s@x>"),
	    HELD("d", "Message-ID: <d@x>\nSubject: Re: remove me\nIn-Reply-To: <t@x>") } },
	{ "memory outlasts silence: hours later it is the same conversation",
	  { PASS("root", "Message-ID: <r@x>\nSubject: one"),
	    PASS("a", "Message-ID: <a@x>\nSubject: two\nReferences: <r@x>"),
	    LATER("b", "Message-ID: <b@x>\nSubject: three\nReferences: <r@x>", 2 * BW_DAY_MS),
	    HELD("c", "Message-ID: <c@x>\nSubject: four\nReferences: <r@x>") } },
	{ "and after a week it is none",
	  { PASS("root", "Message-ID: <r@x>\nSubject: one"),
	    LATER("a", "Message-ID: <a@x>\nSubject: two\nReferences: <r@x>", 8 * BW_DAY_MS),
	    PASS("b", "Message-ID: <b@x>\nSubject: three\nReferences: <r@x>") } },
};

static struct bw_engine *make_engine(struct bw_store **store)
{
	static struct bw_list_entry list = { .address = { "all@x.example", 13 }, .size = 4000, .source = BW_SOURCE_CONFIG };
	const struct bw_engine_options options = { .host = "test" };
	struct bw_config *config = NULL;
	struct bw_world *world = NULL;
	struct bw_key key = { { 1 } };
	struct bw_buf skipped;
	struct bw_why why;

	bw_buf_init(&skipped, 1000);
	assert_int_equal(bw_store_sqlite_open(":memory:", 0, store, &why), BW_OK);
	assert_int_equal(bw_config_default(&config, &why), BW_OK);
	config->lists = &list;
	config->list_count = 1;
	assert_int_equal(bw_networks_add(&config->internal.vouched, BW_S(INSIDE), &why), BW_OK);
	assert_int_equal(bw_settings_set(config->settings, BW_S("mode"), BW_S("enforce"), &why), BW_OK);
	assert_int_equal(bw_settings_set(config->settings, BW_S("large.conversation.senders"), BW_S("1"), &why), BW_OK);
	assert_int_equal(bw_settings_set(config->settings, BW_S("large.conversation.day_senders"), BW_S("off"), &why), BW_OK);
	assert_int_equal(bw_world_load(&key, config, *store, &skipped, &world, &why), BW_OK);
	bw_buf_done(&skipped);
	return bw_engine_new(*store, world, &options);
}

static void give_header(struct bw_session *s, const char *header)
{
	struct bw_slice rest = bw_slice_of(header);

	while (rest.n > 0) {
		size_t n = bw_slice_find(rest, '\n');

		while (n + 1 < rest.n && rest.p[n + 1] == ' ')
			n += 1 + bw_slice_find(bw_slice_from(rest, n + 1), '\n');
		struct bw_slice line = bw_slice_head(rest, n);
		size_t colon = bw_slice_find(line, ':');

		bw_session_header(s, bw_slice_head(line, colon), bw_slice_trim(bw_slice_from(line, colon + 1)));
		rest = bw_slice_from(rest, n + 1);
	}
}

static enum bw_action send(struct bw_session *s, const struct sent *m, int64_t now_ms)
{
	char path[64], from[64];
	int n = snprintf(path, sizeof(path), "<%s@x.example>", m->sender);
	int f = snprintf(from, sizeof(from), "%s@x.example", m->sender);

	bw_session_connect(s, m->client == NULL ? INSIDE : m->client, NULL);
	bw_session_mail(s, (struct bw_slice){ path, (size_t)n }, NULL, NULL, 0);
	bw_session_rcpt(s, BW_S("<all@x.example>"), NULL);
	assert_int_equal(bw_session_data(s), BW_STEP_GO_ON);
	bw_session_header(s, BW_S("From"), (struct bw_slice){ from, (size_t)f });
	give_header(s, m->header);
	return bw_session_end(s, "queue", now_ms)->verdict.action;
}

static void tell(const struct story *story)
{
	struct bw_store *store = NULL;
	struct bw_engine *engine = make_engine(&store);
	struct bw_session *s = bw_session_new(engine);
	int64_t now_ms = INT64_C(1000000000000);

	for (size_t i = 0; story->sent[i].sender != NULL; i++) {
		const struct sent *m = &story->sent[i];

		now_ms += m->after_ms > 0 ? m->after_ms : BW_SECOND_MS;
		enum bw_action action = send(s, m, now_ms);

		if (action != (m->held ? BW_HOLD : BW_ACCEPT))
			fail_msg("%s: message %zu, of %s: %s", story->name, i + 1, m->sender, bw_action_name(action));
	}
	bw_session_free(&s);
	bw_engine_free(&engine);
	bw_store_close(&store);
}

static void conversations(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++)
		tell(&stories[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversations),
	};

	bw_mail_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
