/* link: bw_agent bw_base */
/* Notices: who gets one, and that no byte of a stranger becomes a header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../milter/agent/notice.h"

static const int languages[NOTICE_LANGUAGES] = { 0, 1, 2, 3 };

static struct bw_held sample(void)
{
	return (struct bw_held){
		.sender = BW_S("ann@nhs.example"),
		.identity = BW_S("auth:ann@nhs.example"),
		.list = BW_S("all@nhs.example"),
		.guard = BW_S("conversation"),
		.sentence = BW_S("conversation: 4th sender of at most 3 in 60 min"),
		.subject = BW_S("Re: test"),
		.message_id = BW_S("1@nhs.example"),
		.deliveries = 840000,
		.state = BW_HELD_WAITING,
	};
}

static struct notice_frame frame(size_t count)
{
	return (struct notice_frame){ .from = "postmaster@nhs.example", .languages = languages, .language_count = count,
		                          .now_ms = INT64_C(1479112140000), .id = { { 0xab } } };
}

static void who_is_told(void **state)
{
	static const struct {
		const char *sender, *identity, *guard;
		enum bw_held_state state;
		bool wanted;
	} cases[] = {
		{ "ann@nhs.example", "auth:ann@nhs.example", "gate", BW_HELD_WAITING, true },
		{ "ann@nhs.example", "inside:ann@nhs.example", "list", BW_HELD_WAITING, true },
		{ "ann@nhs.example", "cert:ann", "list", BW_HELD_WAITING, true },
		{ "ann@nhs.example", "outside:ann@nhs.example 192.0.2.0/24", "list", BW_HELD_WAITING, false }, /* forged, perhaps */
		{ "ann@nhs.example", "", "list", BW_HELD_WAITING, false },
		{ "ann@nhs.example", "auth:ann@nhs.example", "automaton", BW_HELD_WAITING, false },
		{ "ann@nhs.example", "auth:ann@nhs.example", "list", BW_HELD_RELEASED, false },
		{ "", "auth:ann@nhs.example", "list", BW_HELD_WAITING, false }, /* null sender */
		{ "-oQ/tmp@nhs.example", "auth:ann", "list", BW_HELD_WAITING, false },
		{ "ann@nhs.example\nBcc: all@nhs.example", "auth:ann", "list", BW_HELD_WAITING, false },
		{ "ann@nhs.example,all@nhs.example", "auth:ann", "list", BW_HELD_WAITING, false },
		{ "<ann@nhs.example>", "auth:ann", "list", BW_HELD_WAITING, false },
		{ "ann", "auth:ann", "list", BW_HELD_WAITING, false },
		{ "ann@", "auth:ann", "list", BW_HELD_WAITING, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bw_held h = sample();

		h.sender = bw_slice_of(cases[i].sender);
		h.identity = bw_slice_of(cases[i].identity);
		h.guard = bw_slice_of(cases[i].guard);
		h.state = cases[i].state;
		if (agent_notice_wanted(&h) != cases[i].wanted)
			fail_msg("case %zu: \"%s\" as %s", i, cases[i].sender, cases[i].identity);
		h.automatic = true;
		assert_false(agent_notice_wanted(&h));
	}
}

static const char *header(struct bw_buf *text)
{
	char *end = strstr(text->p, "\n\n");

	assert_non_null(end);
	*end = '\0';
	return text->p;
}

static void what_it_says(void **state)
{
	struct bw_held h = sample();
	struct notice_frame f = frame(1);
	struct bw_buf text;

	(void)state;
	bw_buf_init(&text, NOTICE_BYTES);
	agent_notice_held(&text, &f, &h);
	assert_string_equal(bw_buf_text(&text),
	                    "From: breakwater <postmaster@nhs.example>\n"
	                    "To: <ann@nhs.example>\n"
	                    "Subject: Your message to 840,000 people waits, it was not sent: all@nhs.example\n"
	                    "Date: Mon, 14 Nov 2016 08:29:00 +0000\n"
	                    "Message-ID: <ab000000000000000000000000000000@nhs.example>\n"
	                    "Auto-Submitted: auto-generated\n"
	                    "X-Auto-Response-Suppress: All\n"
	                    "MIME-Version: 1.0\n"
	                    "Content-Type: text/plain; charset=utf-8\n"
	                    "Content-Transfer-Encoding: 8bit\n"
	                    "In-Reply-To: <1@nhs.example>\n"
	                    "\n"
	                    "Your message \"Re: test\"\n"
	                    "to all@nhs.example was not sent.\n"
	                    "It would have reached 840,000 people, and waits until somebody in charge decides.\n"
	                    "\n"
	                    "Why: conversation: 4th sender of at most 3 in 60 min\n"
	                    "\n"
	                    "Nothing is lost, and there is no need to send it again.\n"
	                    "To answer one person: open that person's message, choose \"Reply\", not \"Reply all\", and look that nothing but "
	                    "the address of that person stands in To.\n");
	bw_buf_done(&text);
}

/* In each language: how many, that it was not sent, that it waits, how to answer one person; and nothing that is not known. */
static void what_is_not_known_is_not_said(void **state)
{
	static const struct {
		const char *subject, *list, *guard;
		int64_t deliveries;
		bool subjectless;
		const char *wanted[NOTICE_LANGUAGES], *without;
	} cases[] = {
		{ "Re: test", "all@nhs.example", "list", 840000, false,
		  { "Your message \"Re: test\"\nto all@nhs.example was not sent.\nIt would have reached 840,000 people",
		    "Ihre Nachricht \"Re: test\"\nan all@nhs.example wurde nicht versandt.\nSie hätte 840,000 Menschen erreicht",
		    "Votre message \"Re: test\"\nà all@nhs.example n'a pas été envoyé.\nIl aurait atteint 840,000 personnes",
		    "Su mensaje \"Re: test\"\na all@nhs.example no se ha enviado.\nHabría llegado a 840,000 personas" }, "%" },
		{ "", "all@nhs.example", "list", 840000, false,
		  { "Your message\nto all@nhs.example was", "Ihre Nachricht\nan all@", "Votre message\nà all@", "Su mensaje\na all@" }, "\"\"" },
		{ "Salary", "all@nhs.example", "list", 840000, true,
		  { "Your message\nto all@nhs.example was", "Ihre Nachricht\nan all@", "Votre message\nà all@", "Su mensaje\na all@" }, "Salary" },
		/* A hijacked account's: it waits under its identity, and was for one person. */
		{ "Hi", "auth:ann@nhs.example", "sender", 1, false,
		  { "Your message \"Hi\"\nwas not sent.\nIt waits until", "Ihre Nachricht \"Hi\"\nwurde nicht versandt.\nSie wartet, bis",
		    "Votre message \"Hi\"\nn'a pas été envoyé.\nIl attend la", "Su mensaje \"Hi\"\nno se ha enviado.\nEspera la" }, "auth:" },
	};
	struct bw_buf text;

	(void)state;
	bw_buf_init(&text, NOTICE_BYTES);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bw_held h = sample();
		struct notice_frame f = frame(NOTICE_LANGUAGES);

		f.subjectless = cases[i].subjectless;
		h.subject = bw_slice_of(cases[i].subject);
		h.list = bw_slice_of(cases[i].list);
		h.guard = bw_slice_of(cases[i].guard);
		h.deliveries = cases[i].deliveries;
		bw_buf_reset(&text);
		agent_notice_held(&text, &f, &h);
		for (int k = 0; k < NOTICE_LANGUAGES; k++) {
			if (strstr(text.p, cases[i].wanted[k]) == NULL)
				fail_msg("case %zu, language %d:\n%s", i, k, text.p);
		}
		if (strstr(text.p, cases[i].without) != NULL)
			fail_msg("case %zu says \"%s\":\n%s", i, cases[i].without, text.p);
	}
	bw_buf_done(&text);
}

static void every_language(void **state)
{
	static const char *const words[NOTICE_LANGUAGES] = { "en", "de", "fr", "es" };
	static const char *const wanted[NOTICE_LANGUAGES] = { "no need to send it again", "nicht noch einmal senden", "inutile de l'envoyer",
		                                                  "no hace falta enviarlo" };
	struct bw_held h = sample();
	struct notice_frame f = frame(NOTICE_LANGUAGES);
	struct bw_buf text;

	(void)state;
	bw_buf_init(&text, NOTICE_BYTES);
	agent_notice_held(&text, &f, &h);
	for (int i = 0; i < NOTICE_LANGUAGES; i++) {
		assert_int_equal(agent_notice_language(bw_slice_of(words[i])), i);
		assert_non_null(strstr(text.p, wanted[i]));
	}
	assert_false(text.cut);
	assert_int_equal(agent_notice_language(BW_S("tlh")), -1);
	/* A subject with an accent is an encoded word, and no line of the header is longer than RFC 2047 allows. */
	f.languages = &languages[2];
	f.language_count = 1;
	bw_buf_reset(&text);
	agent_notice_held(&text, &f, &h);
	const char *at = strstr(header(&text), "Subject: =?UTF-8?Q?");

	assert_non_null(at);
	for (const char *line = text.p; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		assert_in_range(strcspn(line, "\n"), 1, 85);
		for (const char *c = line; *c != '\0' && *c != '\n'; c++)
			assert_in_range((unsigned char)*c, ' ', '~');
	}
	bw_buf_done(&text);
}

/* Subject, list, sentence and events hold what strangers wrote. */
static void hostile_bytes(void **state)
{
	struct bw_held h = sample();
	struct notice_frame f = frame(1);
	struct bw_buf text;

	(void)state;
	h.subject = BW_S("x\"\n\nBcc: all@nhs.example\r\n%s%n\x1b[2J");
	h.list = BW_S("a\nBcc: b@nhs.example");
	h.sentence = BW_S("y\n.\nz");
	h.message_id = BW_S("1>\nBcc: c@nhs.example");
	bw_buf_init(&text, NOTICE_BYTES);
	agent_notice_held(&text, &f, &h);
	assert_null(strstr(text.p, "\nBcc:"));
	assert_null(strstr(text.p, "\x1b"));
	assert_null(strstr(text.p, "In-Reply-To"));
	assert_non_null(strstr(text.p, "%s%n"));
	assert_non_null(strstr(text.p, "waits, it was not sent: a Bcc: b@nhs.example\n"));
	/* No UTF-8, a C1 control and half a character; DEL. */
	h.subject = BW_S("\xff\xc2\x9b\x7fz\xc3");
	h.list = BW_S("caf\xe9@nhs.example");
	bw_buf_reset(&text);
	agent_notice_held(&text, &f, &h);
	assert_non_null(strstr(text.p, "Your message \"??? z?\"\nto caf?@nhs.example was not sent."));
	assert_non_null(strstr(text.p, "it was not sent: caf?@nhs.example\n"));
	bw_buf_done(&text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_told),
		cmocka_unit_test(what_it_says),
		cmocka_unit_test(what_is_not_known_is_not_said),
		cmocka_unit_test(every_language),
		cmocka_unit_test(hostile_bytes),
	};

	return cmocka_run_group_tests_name("notice", tests, NULL, NULL);
}
