/* link: bw_mail bw_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../milter/mail/signs.h"

static const struct {
	const char *subject, *base;
	bool reply;
} rows[] = {
	/* nothing to strip */
	{ "Quarterly figures", "quarterly figures", false },
	{ "  Two\r\n lines  and   blanks ", "two lines and blanks", false },
	{ "", "", false },
	{ "Re", "re", false },
	{ "Reply to all", "reply to all", false },
	{ "Meeting: room 5", "meeting: room 5", false },
	{ "12:30 lunch", "12:30 lunch", false },
	{ "[all-staff]", "[all-staff]", false },
	/* replies in many languages */
	{ "Re: test", "test", true },
	{ "RE : test", "test", true },
	{ "re:test", "test", true },
	{ "Re[2]: test", "test", true },
	{ "RE^2: test", "test", true },
	{ "Re(2): test", "test", true },
	{ "Re*3: test", "test", true },
	{ "Re-4: test", "test", true },
	{ "RE2: test", "test", true },
	{ "Re[1234]: test", "re[1234]: test", false },
	{ "Re[2: test", "re[2: test", false },
	{ "AW: test", "test", true },
	{ "Antw: test", "test", true },
	{ "Antwort: test", "test", true },
	{ "Betr.: test", "test", true },
	{ "SV: test", "test", true },
	{ "VS: test", "test", true },
	{ "Vedr.: test", "test", true },
	{ "Réf. : test", "test", true },
	{ "RES: test", "test", true },
	{ "RIF: test", "test", true },
	{ "R: test", "test", true },
	{ "Odp: test", "test", true },
	{ "Odg: test", "test", true },
	{ "YNT: test", "test", true },
	{ "Yanıt: test", "test", true },
	{ "Vá: test", "test", true },
	{ "ΑΠ: test", "test", true },
	{ "Απ: test", "test", true },
	{ "Απάντηση: test", "test", true },
	{ "Отв: test", "test", true },
	{ "Ответ: test", "test", true },
	{ "НА: test", "test", true },
	{ "Відп: test", "test", true },
	{ "רע: test", "test", true },
	{ "תגובה: test", "test", true },
	{ "رد: test", "test", true },
	{ "回复: test", "test", true },
	{ "回复：test", "test", true },
	{ "答复: test", "test", true },
	{ "回覆: test", "test", true },
	{ "返信: test", "test", true },
	{ "답장: test", "test", true },
	{ "ＲＥ：test", "test", true },
	{ "Atb: test", "test", true },
	{ "Balas: test", "test", true },
	{ "ตอบกลับ: test", "test", true },
	/* direction marks before and within */
	{ "\xe2\x80\x8f\xe2\x80\xabרע:\xe2\x80\xac test", "test", true },
	/* forwards are no replies */
	{ "Fwd: test", "test", false },
	{ "FW: test", "test", false },
	{ "WG: test", "test", false },
	{ "TR: test", "test", false },
	{ "RV: test", "test", false },
	{ "ENC: test", "test", false },
	{ "İLT: test", "test", false },
	{ "转发: test", "test", false },
	{ "転送: test", "test", false },
	{ "إعادة توجيه: test", "test", false },
	{ "test (fwd)", "test", false },
	/* stacked and mixed */
	{ "Antw: Re: [EXT] Re: test", "test", true },
	{ "Ynt: Ynt: (External) Re: test", "test", true },
	{ "转发：回复：test", "test", true },
	{ "WG: AW: WG: test", "test", true },
	{ "Fwd: Fwd: test", "test", false },
	{ "Re:Re:Re: test", "test", true },
	{ "SV: RE: Sv: test", "test", true },
	/* tags before, behind, in any order */
	{ "[list] Re: test", "test", true },
	{ "Re: [list] test", "test", true },
	{ "[list] [EXT] test", "test", false },
	{ "[EXTERNAL]: test", "test", false },
	{ "(External) test", "test", false },
	{ "EXTERNAL: Re: test", "test", true },
	{ "***SPAM*** Re: test", "test", true },
	{ "{Spam?} test", "test", false },
	{ "test [EXT]", "test", false },
	{ "test (External)", "test", false },
	{ "Re: test [EXT] (External)", "test", true },
	{ "(partial) success", "(partial) success", false },
	{ "figures (2012)", "figures (2012)", false },
	/* ticket numbers tell subjects apart */
	{ "Re: your request [#4711]", "your request [#4711]", true },
	{ "[support #33575] Re: your request", "[support #33575] your request", true },
	{ "[support #33576] your request", "[support #33576] your request", false },
	/* encoded words first (RFC 2047) */
	{ "=?utf-8?Q?Re=3A_test?=", "test", true },
	{ "=?utf-8?B?UmU6IHRlc3Q=?=", "test", true },
	{ "=?gb2312?B?tPC4tDog?=test", "test", true },
	{ "=?iso-8859-1?Q?R=E9f=2E_=3A_caf=E9?=", "café", true },
	{ "[list]\r\n =?utf-8?Q?AW=3A_test?=", "test", true },
	{ "=?utf-8?Q?gr=C3?= =?utf-8?Q?=BC=C3=9Fe?=", "grüsse", false },
	{ "=?utf-8?B?w6TDpMOkw6Q=?= =?utf-8?B?w6TDpMOkw6Q=?=\r\n =?utf-8?B?IGVuZGU=?=", "ääääääää ende", false },
	{ "=?utf-8?B?UmU6IA==?= =?utf-8?Q?w?= =?utf-8?B?b3Jk?=", "word", true },
	{ "=?utf-8?B?YQ==?= = =?utf-8?B?Yg==?=", "a = b", false },
	/* broken encodings survive */
	{ "Re: =?utf-8?Q?never_ends", "=?utf-8?q?never_ends", true },
	{ "Re: =?utf-8?X?what?=", "=?utf-8?x?what?=", true },
	{ "AW: Pr\xfc" "fung", "prüfung", true },
	{ "Re: =?unknown-charset?Q?abc?=", "abc", true },
};

static void base_subjects(void **state)
{
	struct bw_arena *arena = bw_arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool reply = !rows[i].reply;
		struct bw_slice base = bw_subject_base(arena, bw_slice_of(rows[i].subject), &reply);

		if (!bw_slice_equal(base, bw_slice_of(rows[i].base)) || reply != rows[i].reply)
			fail_msg("<%s>: <%.*s>, %s; expected <%s>", rows[i].subject, (int)base.n, base.p, reply ? "a reply" : "no reply",
			         rows[i].base);
	}
	bw_arena_free(&arena);
}

/* A row that folding would change never fits anything. */
static void check_folded(const char *(*at)(size_t i), size_t least)
{
	size_t i = 0;

	for (; at(i) != NULL; i++) {
		char *folded = bw_mail_fold(at(i));

		assert_string_equal(folded, at(i));
		bw_mail_text_free(folded);
	}
	assert_in_range(i, least, 10000);
}

static void tables_are_in_folded_form(void **state)
{
	(void)state;
	check_folded(bw_mail_prefix_at, 100);
	check_folded(bw_mail_phrase_at, 300);
}

/* Every prefix of the table is read off, alone and behind another. */
static void every_prefix_is_read(void **state)
{
	struct bw_arena *arena = bw_arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; bw_mail_prefix_at(i) != NULL; i++) {
		char subject[200];

		snprintf(subject, sizeof(subject), "Fw: %s: test", bw_mail_prefix_at(i));
		struct bw_slice base = bw_subject_base(arena, bw_slice_of(subject), NULL);

		if (!bw_slice_equal(base, BW_S("test")))
			fail_msg("<%s> gives <%.*s>", subject, (int)base.n, base.p);
	}
	bw_arena_free(&arena);
}

static void long_subjects_are_cut_between_characters(void **state)
{
	struct bw_arena *arena = bw_arena_new(1 << 20);
	char subject[4000];
	size_t n = 0;

	(void)state;
	while (n + 3 < sizeof(subject)) {
		memcpy(subject + n, "\xef\xb7\xba", 3); /* NFKC makes 18 characters of this one */
		n += 3;
	}
	struct bw_slice base = bw_subject_base(arena, (struct bw_slice){ subject, n }, NULL);
	char *text = bw_slice_dup(base);

	assert_in_range(base.n, 900, 998);
	char *folded = bw_mail_fold(text);

	assert_non_null(folded);
	assert_null(strstr(folded, "\xef\xbf\xbd"));
	bw_mail_text_free(folded);
	free(text);
	bw_arena_free(&arena);
}

static void a_full_arena_gives_no_subject(void **state)
{
	struct bw_arena *arena = bw_arena_new(0);
	bool reply = false;

	(void)state;
	assert_int_equal(bw_subject_base(arena, BW_S("Re: test"), &reply).n, 0);
	assert_true(reply);
	bw_arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base_subjects),
		cmocka_unit_test(tables_are_in_folded_form),
		cmocka_unit_test(every_prefix_is_read),
		cmocka_unit_test(long_subjects_are_cut_between_characters),
		cmocka_unit_test(a_full_arena_gives_no_subject),
	};

	bw_mail_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
