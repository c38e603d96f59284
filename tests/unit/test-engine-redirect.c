/* link: bw_session bw_engine bw_store bw_config bw_settings bw_mail bw_base */
/* Redirect: whose conversation it is, what the MTA is told, what the store is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bw/clock.h"
#include "session-kit.h"

#define START INT64_C(4102444800000)
#define HERE  "192.0.2.10"  /* vouches for its users */
#define LISTS "192.0.2.60"  /* our list server */
#define AWAY  "203.0.113.1" /* a stranger */

static const char configuration[] =
	"internal: { domains = [ \"n.example\" ]; networks = [ \"192.0.2.0/24\" ]; vouched = [ \"192.0.2.10\", \"192.0.2.60\" ];\n"
	"  list_servers = [ \"192.0.2.60\" ]; };\n"
	"lists = ( { address = \"all@n.example\"; size = 40000; owner = \"owner@n.example\"; },\n"
	"  { address = \"twin@n.example\"; size = 40000; owner = \"owner@n.example\"; },\n"
	"  { address = \"orphan@n.example\"; size = 40000; }, { address = \"ward@n.example\"; size = 300; } );\n"
	"tiers: { huge: { gate: { mode = \"off\"; }; conversation: { action = \"redirect\"; };\n"
	"  list: { senders = \"off\"; budget = \"off\"; }; defuse: { mode = \"off\"; }; }; medium: { gate: { mode = \"off\"; }; }; };\n";

static const struct bw_store_ops *real;
static struct bw_store_ops ops;
static int counts, redirects, messages;
static bool fails;

static enum bw_err count(struct bw_store *s, const struct bw_count_in *in, struct bw_count_out *out, size_t n, struct bw_why *why)
{
	counts++;
	return real->count(s, in, out, n, why);
}

static enum bw_err redirect(struct bw_store *s, const struct bw_redirect_in *in, struct bw_redirect_out *out, size_t n,
                            struct bw_why *why)
{
	redirects++;
	return fails ? BW_ERR_STORE : real->redirect(s, in, out, n, why);
}

static void open_house(const char *mode, const char *more)
{
	const struct bw_engine_options options = { .host = "mx1" };
	struct bw_buf text;

	bw_buf_init(&text, 10000);
	bw_buf_printf(&text, "mode = \"%s\";\n%s%s", mode, configuration, more);
	kit_open_store();
	real = store->ops;
	ops = *real;
	ops.count = count;
	ops.redirect = redirect;
	store->ops = &ops;
	kit_open_session(store, &options, bw_buf_slice(&text));
	bw_buf_done(&text);
	counts = redirects = messages = 0;
	fails = false;
}

static void close_house(void)
{
	kit_close_session(&store);
}

static void field(const char *name, const char *value)
{
	bw_session_header(session, bw_slice_of(name), bw_slice_of(value));
}

/* One message, as the next of all in time; `parent` NULL: it answers nothing. */
static const struct bw_judgement *send(const char *ip, const char *sender, const char *rcpts, const char *id, const char *parent)
{
	char all[4096], *rest = all, *rcpt;

	snprintf(all, sizeof(all), "%s", rcpts);
	bw_session_connect(session, ip, NULL);
	bw_session_mail(session, bw_slice_of(sender), NULL, NULL, 0);
	while ((rcpt = strtok_r(rest, " ", &rest)) != NULL)
		bw_session_rcpt(session, bw_slice_of(rcpt), NULL);
	assert_int_equal(bw_session_data(session), BW_STEP_GO_ON);
	field("From", sender);
	field("Subject", parent == NULL ? id : "Re: it");
	field("Message-ID", id);
	field("Date", "Mon, 14 Nov 2016 08:29:00 +0000");
	if (parent != NULL)
		field("References", parent);
	return bw_session_end(session, "Q1", START + ++messages * BW_SECOND_MS);
}

/* Three members answer, as many as pass. */
static void answer_thrice(const char *rcpts, const char *parent)
{
	for (int i = 1; i <= 3; i++) {
		char sender[32], id[64];

		snprintf(sender, sizeof(sender), "<u%d@n.example>", i);
		snprintf(id, sizeof(id), "<%d.%d@n.example>", messages, i);
		assert_int_equal(send(HERE, sender, rcpts, id, parent)->verdict.action, BW_ACCEPT);
	}
}

/* "-<all@n.example> +<boss@n.example> " */
static const char *changes_of(const struct bw_judgement *j)
{
	static char text[1000];
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < j->change_count && n < sizeof(text); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s ", j->changes[i].kind == BW_CHANGE_RCPT_REMOVE ? "-" : "+", j->changes[i].name);
	return text;
}

#define TO_OWNER "-<all@n.example> +<owner@n.example> "

static void whose_conversation(void **state)
{
	static const struct {
		const char *ip, *root, *parent, *changes;
	} rows[] = {
		{ HERE, "<boss@n.example>", NULL, "-<all@n.example> +<boss@n.example> " },
		{ HERE, "<Boss@N.Example>", NULL, "-<all@n.example> +<boss@n.example> " },
		{ HERE, "<boss+who-has-keys@n.example>", NULL, "-<all@n.example> +<boss+who-has-keys@n.example> " },
		{ AWAY, "<boss@n.example>", NULL, TO_OWNER },      /* so he says */
		{ HERE, "<boss@elsewhere.example>", NULL, TO_OWNER },
		{ HERE, "<boss@n.example.elsewhere.example>", NULL, TO_OWNER },
		{ HERE, "<\"a b\"@n.example>", NULL, TO_OWNER },   /* the MTA might write it anew */
		{ HERE, "<boss%elsewhere.example@n.example>", NULL, TO_OWNER },
		{ HERE, "<boss>", NULL, TO_OWNER },
		{ HERE, "<ward@n.example>", NULL, TO_OWNER },      /* a list */
		{ HERE, "<ward+x@n.example>", NULL, TO_OWNER },
		{ HERE, "<all@n.example>", NULL, TO_OWNER },
		{ HERE, "<bounces+all=n.example@n.example>", NULL, TO_OWNER },
		{ HERE, "<SRS0=HHH=TT=n.example=boss@n.example>", NULL, TO_OWNER },
		{ HERE, "<boss\r\n@n.example>", NULL, TO_OWNER },
		{ LISTS, "<boss@n.example>", NULL, TO_OWNER },
		{ HERE, "<boss@n.example>", "<before-our-time@n.example>", TO_OWNER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_house("enforce", "");
		assert_int_equal(send(rows[i].ip, rows[i].root, "<all@n.example>", "<root@n.example>", rows[i].parent)->verdict.action, BW_ACCEPT);
		answer_thrice("<all@n.example>", "<root@n.example>");
		const struct bw_judgement *j = send(HERE, "<u4@n.example>", "<all@n.example>", "<4@n.example>", "<root@n.example>");

		if (j->verdict.action != BW_REDIRECT || strcmp(changes_of(j), rows[i].changes) != 0)
			fail_msg("root %s: %s, %s: %s", rows[i].root, bw_action_name(j->verdict.action), changes_of(j), j->sentence);
		assert_int_equal(j->verdict.reached, 1);
		close_house();
	}
}

static void nobody_keeps_it(void **state)
{
	(void)state;
	open_house("enforce", "privacy: { sender = false; };\n");
	send(HERE, "<boss@n.example>", "<all@n.example>", "<root@n.example>", NULL);
	answer_thrice("<all@n.example>", "<root@n.example>");
	assert_string_equal(changes_of(send(HERE, "<u4@n.example>", "<all@n.example>", "<4@n.example>", "<root@n.example>")), TO_OWNER);
	close_house();
}

static void what_the_mta_is_told(void **state)
{
	static char crowd[1000];
	const struct {
		const char *rcpts, *changes;
		enum bw_action action;
		int64_t reached;
	} rows[] = {
		{ "<all@n.example>", "-<all@n.example> +<boss@n.example> ", BW_REDIRECT, 1 },
		{ "<ALL@n.example> <all@N.example> <x@n.example>", "-<ALL@n.example> -<all@N.example> +<boss@n.example> ", BW_REDIRECT, 2 },
		{ "<all@n.example> <boss@n.example>", "-<all@n.example> ", BW_REDIRECT, 1 },
		{ "<Boss@N.example> <all@n.example> <x@n.example>", "-<all@n.example> ", BW_REDIRECT, 2 },
		{ "<boss+x@n.example> <all@n.example>", "-<all@n.example> ", BW_REDIRECT, 1 },
		{ "<all@n.example> <ward@n.example>", "-<all@n.example> +<boss@n.example> ", BW_REDIRECT, 301 },
		{ "<\"all\"@n.example> <x@n.example>", "", BW_HOLD, 0 },
		{ crowd, "-<all@n.example> -<boss@n.example> +<boss@n.example> ", BW_REDIRECT, 41 },
	};
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 40; i++)
		n += (size_t)snprintf(crowd + n, sizeof(crowd) - n, "<m%d@n.example> ", i);
	snprintf(crowd + n, sizeof(crowd) - n, "<all@n.example>");
	open_house("enforce", "");
	send(HERE, "<boss@n.example>", "<all@n.example>", "<root@n.example>", NULL);
	answer_thrice("<all@n.example>", "<root@n.example>");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char sender[32], id[32];

		snprintf(sender, sizeof(sender), "<v%zu@n.example>", i);
		snprintf(id, sizeof(id), "<v%zu@n.example>", i);
		const struct bw_judgement *j = send(HERE, sender, rows[i].rcpts, id, "<root@n.example>");

		if (j->verdict.action != rows[i].action || strcmp(changes_of(j), rows[i].changes) != 0 || j->verdict.reached != rows[i].reached)
			fail_msg("%s: %s, %s, %lld: %s", rows[i].rcpts, bw_action_name(j->verdict.action), changes_of(j),
			         (long long)j->verdict.reached, j->sentence);
	}
	close_house();
}

static void two_lists(void **state)
{
	(void)state;
	open_house("enforce", "");
	send(HERE, "<boss@n.example>", "<all@n.example> <twin@n.example>", "<root@n.example>", NULL);
	answer_thrice("<all@n.example> <twin@n.example>", "<root@n.example>");
	const struct bw_judgement *j = send(HERE, "<u4@n.example>", "<all@n.example> <twin@n.example>", "<4@n.example>", "<root@n.example>");

	assert_string_equal(changes_of(j), "-<all@n.example> -<twin@n.example> +<boss@n.example> ");
	assert_int_equal(j->verdict.reached, 1);
	assert_int_equal(redirects, 1); /* both in one call */
	close_house();
}

static void why_it_waits(void **state)
{
	static const struct {
		const char *sender, *rcpts, *why;
	} rows[] = {
		{ "<boss@n.example>", "<all@n.example>", "go back to its sender" },
		{ "<BOSS+x@n.example>", "<all@n.example>", "go back to its sender" },
		{ "<u4@n.example>", "<orphan@n.example>", "neither a proven poster nor an owner" },
		{ "<u4@n.example>", "<\"all\"@n.example>", "the MTA cannot take the list out" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool orphan = strstr(rows[i].rcpts, "orphan") != NULL;
		const char *list = orphan ? "<orphan@n.example>" : "<all@n.example>";

		open_house("enforce", "");
		send(orphan ? AWAY : HERE, "<boss@n.example>", list, "<root@n.example>", NULL);
		answer_thrice(list, "<root@n.example>");
		const struct bw_judgement *j = send(HERE, rows[i].sender, rows[i].rcpts, "<4@n.example>", "<root@n.example>");

		assert_int_equal(j->verdict.action, BW_HOLD);
		assert_non_null(strstr(j->sentence, rows[i].why));
		assert_string_equal(j->sentence, j->would_sentence);
		assert_string_equal(changes_of(j), "");
		assert_int_equal(j->verdict.reached, 0);
		close_house();
	}
}

/* One call more, for what is to be redirected; and what it cannot count waits. */
static void what_the_store_is_asked(void **state)
{
	(void)state;
	open_house("enforce", "");
	send(HERE, "<boss@n.example>", "<all@n.example>", "<root@n.example>", NULL);
	answer_thrice("<all@n.example>", "<root@n.example>");
	assert_int_equal(counts, 4);
	assert_int_equal(redirects, 0);
	send(HERE, "<u4@n.example>", "<all@n.example>", "<4@n.example>", "<root@n.example>");
	assert_int_equal(redirects, 1);
	send(HERE, "<u4@n.example>", "<all@n.example>", "<4@n.example>", "<root@n.example>"); /* a lost 250: the same place */
	assert_int_equal(redirects, 2);
	send(HERE, "<u5@n.example>", "<all@n.example> <ward@n.example> <\"all\"@n.example>", "<5@n.example>", "<root@n.example>");
	assert_int_equal(redirects, 2); /* it cannot be redirected, whatever the store says */
	send(HERE, "<boss@n.example>", "<all@n.example>", "<b@n.example>", "<root@n.example>");
	assert_int_equal(redirects, 4); /* and its place given back */
	fails = true;
	const struct bw_judgement *j = send(HERE, "<u6@n.example>", "<all@n.example>", "<6@n.example>", "<root@n.example>");

	assert_int_equal(j->verdict.action, BW_HOLD);
	assert_non_null(strstr(j->sentence, "the store does not count it"));
	assert_int_equal(redirects, 5);
	close_house();
}

/* Decided and counted as in earnest, and the list gets it. */
static void in_shadow(void **state)
{
	(void)state;
	open_house("shadow", "");
	send(HERE, "<boss@n.example>", "<all@n.example>", "<root@n.example>", NULL);
	answer_thrice("<all@n.example>", "<root@n.example>");
	for (int i = 4; i <= 104; i++) {
		char sender[32], id[32];

		snprintf(sender, sizeof(sender), "<u%d@n.example>", i);
		snprintf(id, sizeof(id), "<%d@n.example>", i);
		const struct bw_judgement *j = send(HERE, sender, "<all@n.example>", id, "<root@n.example>");

		assert_int_equal(j->verdict.action, BW_ACCEPT);
		assert_int_equal(j->verdict.would, i < 104 ? BW_REDIRECT : BW_HOLD);
		assert_non_null(strstr(j->would_sentence, i < 104 ? "boss@n.example" : "enough of its conversation"));
		assert_string_equal(changes_of(j), "");
		assert_int_equal(j->verdict.reached, 40000);
	}
	close_house();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whose_conversation), cmocka_unit_test(nobody_keeps_it),         cmocka_unit_test(what_the_mta_is_told),
		cmocka_unit_test(two_lists),          cmocka_unit_test(why_it_waits),            cmocka_unit_test(what_the_store_is_asked),
		cmocka_unit_test(in_shadow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
