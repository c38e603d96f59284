/* link: bw_agent bw_base PkgConfig::JANSSON */
/* What administrators, programs and owners read: tests/golden/notices.txt holds it. BW_GOLDEN_WRITE=1 writes it anew. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../milter/agent/bulletin.h"

#define GOLDEN BW_SOURCE_DIR "/tests/golden/notices.txt"
#define T0     INT64_C(1479112140000) /* 2016-11-14T08:29:00Z */

static const int languages[NOTICE_LANGUAGES] = { 0, 1, 2, 3 };

static struct notice_frame frame(int first, size_t count)
{
	return (struct notice_frame){ .from = "postmaster@nhs.example", .languages = languages + first, .language_count = count,
		                          .now_ms = T0, .id = { { 0xab } } };
}

static struct incident storm(void)
{
	return (struct incident){ .key = { { 0x11 } }, .kind = INCIDENT_STORM, .state = INCIDENT_OPEN, .began_ms = T0, .state_ms = T0 + 60000,
		                      .trips = 1, .relapses = 1, .count = 2, .name = "all@nhs.example", .guard = "conversation",
		                      .text = "conversation breaker of all@nhs.example is open, conversation: 4th sender of at most 3 in 60 min",
		                      .conversation = { { 0x5a } }, .hosts = { "mx1", "mx2" }, .host_count = 2 };
}

static struct incident other(enum incident_kind kind, enum incident_state state, const char *name, const char *text)
{
	struct incident i = { .key = { { 0x22 } }, .kind = kind, .state = state, .began_ms = T0, .state_ms = T0, .count = 3,
		                  .entry = { { kind == INCIDENT_APPROVAL ? 0xee : 0 } }, .hosts = { "mx1" }, .host_count = 1 };

	snprintf(i.name, sizeof(i.name), "%s", name);
	snprintf(i.text, sizeof(i.text), "%s", text);
	return i;
}

static const struct incident_figures some = { .waiting = 12, .waiting_deliveries = 480000, .made = 160000, .avoided = 520000 };
static const struct incident_figures unknown = { .made = -1, .avoided = -1 };

static size_t make_day(struct incident *i)
{
	size_t n = 0;

	i[n++] = storm();
	i[n++] = other(INCIDENT_SENDER, INCIDENT_OPEN, "auth:jane@nhs.example", "sender breaker of auth:jane@nhs.example is open");
	i[n++] = other(INCIDENT_STORE, INCIDENT_DEGRADED, "mx1", "the shared store does not answer");
	i[n++] = other(INCIDENT_QUEUE, INCIDENT_FULL, "mx1", "the hold queue is full: 5 of at most 5 messages wait");
	i[n++] = other(INCIDENT_ORDER, INCIDENT_STOPPED, "0123abcd", "order 0123abcd to release stopped: a flare-up");
	i[n++] = other(INCIDENT_REFUSAL, INCIDENT_REFUSED, "mx1", "order 0123abcd: release of 4Q1 refused: bad seal");
	i[n++] = other(INCIDENT_APPROVAL, INCIDENT_WANTED, "it's $(all)@nhs.example", "gate: new post");
	return n;
}

static void check_golden(const char *said)
{
	FILE *file = fopen(GOLDEN, getenv("BW_GOLDEN_WRITE") != NULL ? "w+" : "r");
	char *kept = calloc(1, 1 << 20);

	assert_non_null(file);
	assert_non_null(kept);
	if (getenv("BW_GOLDEN_WRITE") != NULL) {
		fputs(said, file);
		rewind(file);
	}
	size_t n = fread(kept, 1, (1 << 20) - 1, file);

	kept[n] = '\0';
	fclose(file);
	if (strcmp(kept, said) != 0)
		fail_msg("notices differ from %s; they are now:\n%s", GOLDEN, said);
	free(kept);
}

static void as_documented(void **state)
{
	const struct bulletin_list lists[] = {
		{ .list = BW_S("all@nhs.example"), .waiting = 12, .deliveries = 480000, .reasons = { "conversation: 4th sender", "gate: post" },
		  .reason_count = 2 },
		{ .list = BW_S("ward@nhs.example"), .waiting = 1, .deliveries = 300, .reason_count = 0 },
	};
	struct bulletin_item items[8];
	struct incident day[8];
	size_t n = make_day(day);
	struct bw_buf said;

	(void)state;
	bw_buf_init(&said, 1 << 20);
	for (size_t k = 0; k < n; k++) {
		items[k] = (struct bulletin_item){ &day[k], k < 2 ? some : unknown };
		agent_bulletin_json(&said, &items[k], false);
	}
	for (int language = 0; language < NOTICE_LANGUAGES; language++) {
		struct notice_frame f = frame(language, 1);

		bw_buf_add_text(&said, "\n=====\n");
		agent_bulletin_admins(&said, &f, BW_S("root@nhs.example"), items, n, 0);
	}
	struct notice_frame f = frame(0, NOTICE_LANGUAGES);

	bw_buf_add_text(&said, "\n=====\n");
	agent_bulletin_owner(&said, &f, BW_S("boss@nhs.example"), lists, 2);
	f = frame(0, 1);
	bw_buf_add_text(&said, "\n=====\n");
	agent_bulletin_owner(&said, &f, BW_S("boss@nhs.example"), lists, 1);
	check_golden(bw_buf_text(&said));
	bw_buf_done(&said);
}

/* Every state of every kind has its words, in every language. */
static void every_headline(void **state)
{
	static const struct {
		enum incident_kind kind;
		enum incident_state state;
		bool conversation;
	} all[] = {
		{ INCIDENT_STORM, INCIDENT_OPEN, true },      { INCIDENT_STORM, INCIDENT_OPEN, false },   { INCIDENT_STORM, INCIDENT_CALM, false },
		{ INCIDENT_STORM, INCIDENT_CLOSED, false },   { INCIDENT_SENDER, INCIDENT_OPEN, false },  { INCIDENT_SENDER, INCIDENT_CALM, false },
		{ INCIDENT_SENDER, INCIDENT_CLOSED, false },  { INCIDENT_STORE, INCIDENT_DEGRADED, false }, { INCIDENT_STORE, INCIDENT_RECOVERED, false },
		{ INCIDENT_QUEUE, INCIDENT_FULL, false },     { INCIDENT_QUEUE, INCIDENT_ROOM, false },   { INCIDENT_ORDER, INCIDENT_STOPPED, false },
		{ INCIDENT_ORDER, INCIDENT_RESUMED, false },  { INCIDENT_REFUSAL, INCIDENT_REFUSED, false }, { INCIDENT_APPROVAL, INCIDENT_WANTED, false },
	};
	enum { N = sizeof(all) / sizeof(all[0]) };
	char seen[NOTICE_LANGUAGES * N][200];
	size_t n = 0;

	(void)state;
	for (int language = 0; language < NOTICE_LANGUAGES; language++) {
		for (size_t k = 0; k < N; k++) {
			struct incident i = other(all[k].kind, all[k].state, "NAME", "");
			struct bw_buf text;

			i.conversation.b[0] = all[k].conversation;
			bw_buf_init(&text, 199);
			agent_bulletin_headline(&text, language, &i, false);
			assert_non_null(strstr(bw_buf_text(&text), "NAME"));
			assert_null(strchr(bw_buf_text(&text), '%'));
			snprintf(seen[n], sizeof(seen[n]), "%s", bw_buf_text(&text));
			for (size_t m = 0; m < n; m++)
				assert_string_not_equal(seen[m], seen[n]);
			n++;
			bw_buf_done(&text);
		}
	}
}

static size_t count_of(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
		n++;
	return n;
}

/* Many at once are one mail of a bounded length: some in full, more in a line each, the rest a number. */
static void a_digest(void **state)
{
	struct incident *i = calloc(INCIDENTS_MAX, sizeof(*i));
	struct bulletin_item *items = calloc(INCIDENTS_MAX, sizeof(*items));
	struct notice_frame f = frame(0, 1);
	struct bw_buf text;

	(void)state;
	assert_non_null(i);
	assert_non_null(items);
	for (size_t k = 0; k < INCIDENTS_MAX; k++) {
		i[k] = storm();
		snprintf(i[k].name, sizeof(i[k].name), "l%zu@nhs.example", k);
		items[k] = (struct bulletin_item){ &i[k], some };
	}
	bw_buf_init(&text, 4 * NOTICE_BYTES);
	agent_bulletin_admins(&text, &f, BW_S("root@nhs.example"), items, INCIDENTS_MAX, 7);
	assert_false(text.cut);
	assert_non_null(strstr(text.p, "Subject: breakwater: A conversation on l0@nhs.example is stopped, and 518 more\n"));
	assert_int_equal(count_of(text.p, "What you can do:"), BULLETIN_FULL);
	assert_int_equal(count_of(text.p, "\nA conversation on l"), BULLETIN_FULL + BULLETIN_LINES);
	assert_non_null(strstr(text.p, "\nand 411 more\n")); /* 512 + 7 - 108 */
	bw_buf_done(&text);
	free(items);
	free(i);
}

/* What strangers wrote reaches a header, a shell, a terminal or a parser as nothing but text. */
static void hostile_bytes(void **state)
{
	static const char *const hostile[] = {
		"a\r\nBcc: all@nhs.example",     "\x1b]0;owned\x07\x1b[2J",  "%s%n%d",    "<script>alert(1)</script>", "\"},{\"event\":\"x",
		"'; rm -rf / #",                 "-rf",                      "$(reboot)", "`reboot`",                  "\xff\xfe\xc3",
		"\xc2\x9b[31m",
		"\\\"\\u0000",
	};
	struct notice_frame f = frame(0, NOTICE_LANGUAGES);

	(void)state;
	for (size_t k = 0; k < sizeof(hostile) / sizeof(hostile[0]); k++) {
		struct incident i = other(INCIDENT_STORM, INCIDENT_OPEN, hostile[k], hostile[k]);
		struct bulletin_item item = { &i, some };
		struct bulletin_list list = { .list = bw_slice_of(hostile[k]), .waiting = 1, .deliveries = 2, .reason_count = 1 };
		struct bw_buf text;

		snprintf(i.hosts[0], sizeof(i.hosts[0]), "%s", hostile[k]);
		snprintf(i.guard, sizeof(i.guard), "%s", hostile[k]);
		snprintf(list.reasons[0], sizeof(list.reasons[0]), "%s", hostile[k]);
		bw_buf_init(&text, 4 * NOTICE_BYTES);
		agent_bulletin_json(&text, &item, false);
		json_t *o = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);

		assert_true(json_is_object(o));
		assert_string_equal(json_string_value(json_object_get(o, "event")), "storm");
		assert_int_equal(count_of(text.p, "\n"), 1);
		json_decref(o);
		bw_buf_reset(&text);
		agent_bulletin_admins(&text, &f, BW_S("root@nhs.example"), &item, 1, 0);
		agent_bulletin_owner(&text, &f, BW_S("boss@nhs.example"), &list, 1);
		assert_null(strstr(text.p, "\nBcc"));
		for (size_t at = 0; at < text.n; at++)
			assert_true((unsigned char)text.p[at] >= ' ' || text.p[at] == '\n');
		/* No word but the quoted one reaches a shell. */
		for (const char *at = strstr(text.p, "--list "); at != NULL; at = strstr(at + 1, "--list "))
			assert_true(at[7] == '\'' || strcspn(at + 7, "\n ;$`<>\"\\(){}#") == strcspn(at + 7, "\n "));
		bw_buf_done(&text);
	}
}

/* privacy.sender = false. */
static void nobody_is_named(void **state)
{
	struct incident i = other(INCIDENT_SENDER, INCIDENT_OPEN, "auth:jane@nhs.example", "sender breaker of auth:jane@nhs.example is open");
	struct bulletin_item item = { &i, some };
	struct notice_frame f = frame(0, 1);
	struct bw_buf text;

	(void)state;
	f.nameless = true;
	bw_buf_init(&text, NOTICE_BYTES);
	agent_bulletin_admins(&text, &f, BW_S("root@nhs.example"), &item, 1, 0);
	agent_bulletin_json(&text, &item, true);
	assert_null(strstr(text.p, "jane"));
	assert_non_null(strstr(text.p, "Mail from a sender is stopped"));
	assert_non_null(strstr(text.p, "\"sender\":null"));
	bw_buf_done(&text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_documented), cmocka_unit_test(every_headline), cmocka_unit_test(a_digest),
		cmocka_unit_test(hostile_bytes), cmocka_unit_test(nobody_is_named),
	};

	return cmocka_run_group_tests_name("bulletin", tests, NULL, NULL);
}
