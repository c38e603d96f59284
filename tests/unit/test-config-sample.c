/* link: bw_config bw_directory bw_settings bw_mail bw_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bw/config.h"

static const char sample[] = BW_SOURCE_DIR "/conf/breakwater.conf";

static void read_sample(struct bw_buf *out)
{
	char chunk[4096];
	FILE *f = fopen(sample, "r");
	size_t n;

	assert_non_null(f);
	bw_buf_init(out, 1 << 20);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		bw_buf_add(out, (struct bw_slice){ chunk, n });
	fclose(f);
	assert_false(out->cut);
}

/* A setting is a line that begins, behind tabs, with '#' and no blank after it. */
static bool is_setting(struct bw_slice line, size_t *mark)
{
	*mark = 0;
	while (*mark < line.n && line.p[*mark] == '\t')
		++*mark;
	return *mark + 1 < line.n && line.p[*mark] == '#' && line.p[*mark + 1] != ' ' && line.p[*mark + 1] != '#';
}

/* Takes every comment mark off; returns how many. */
static size_t uncomment(struct bw_slice rest, struct bw_buf *out)
{
	size_t settings = 0, mark;

	bw_buf_init(out, 1 << 20);
	while (rest.n > 0) {
		struct bw_slice line = bw_slice_head(rest, bw_slice_find(rest, '\n'));

		rest = bw_slice_from(rest, line.n + 1);
		if (is_setting(line, &mark)) {
			settings++;
			line = bw_slice_from(line, mark + 1);
		}
		bw_buf_add(out, line);
		bw_buf_add_char(out, '\n');
	}
	return settings;
}

static void assert_same_keys(const struct bw_config *a, const struct bw_config *b)
{
	for (size_t i = 0; i < bw_config_key_count(); i++) {
		struct bw_buf x, y;

		bw_buf_init(&x, 4096);
		bw_buf_init(&y, 4096);
		bool has = bw_config_key_print(a, i, &x);

		assert_int_equal(bw_config_key_print(b, i, &y), has);
		assert_string_equal(bw_buf_text(&x), bw_buf_text(&y));
		bw_buf_done(&x);
		bw_buf_done(&y);
	}
}

static void assert_same_thresholds(const struct bw_config *a, const struct bw_config *b)
{
	for (size_t i = 0; i < bw_setting_count(); i++) {
		struct bw_slice name = bw_slice_of(bw_setting_at(i)->name);
		struct bw_buf x, y;

		bw_buf_init(&x, 4096);
		bw_buf_init(&y, 4096);
		assert_int_equal(bw_settings_get(a->settings, name, &x, NULL), BW_OK);
		assert_int_equal(bw_settings_get(b->settings, name, &y, NULL), BW_OK);
		assert_true(x.n > 0);
		assert_string_equal(bw_buf_text(&x), bw_buf_text(&y));
		bw_buf_done(&x);
		bw_buf_done(&y);
	}
}

static void assert_default(struct bw_config *got)
{
	struct bw_config *standard = NULL;

	assert_int_equal(bw_config_default(&standard, NULL), BW_OK);
	assert_same_keys(standard, got);
	assert_same_thresholds(standard, got);
	assert_memory_equal(&standard->tiers, &got->tiers, sizeof(got->tiers));
	assert_int_equal(got->list_count, 0);
	bw_config_free(&standard);
}

static void test_sample_as_it_is(void **state)
{
	(void)state;
	struct bw_config *c = NULL;
	struct bw_why why = { "" };

	if (bw_config_load(sample, &c, &why) != BW_OK)
		fail_msg("%s", why.text);
	assert_default(c);
	bw_config_free(&c);
}

static void test_sample_without_comment_marks(void **state)
{
	(void)state;
	struct bw_config *c = NULL;
	struct bw_buf text, bare;
	struct bw_why why = { "" };

	read_sample(&text);
	size_t settings = uncomment(bw_buf_slice(&text), &bare);
	size_t expected = 0;

	for (size_t i = 0; i < bw_setting_count(); i++)
		expected += bw_setting_at(i)->whole ? 1 : BW_TIER_COUNT;
	for (size_t i = 0; i < bw_config_key_count(); i++)
		expected += !bw_slice_starts_nocase(bw_slice_of(bw_config_key_at(i)->name), BW_S("lists."));
	assert_int_equal(settings, expected);
	if (bw_config_parse(bw_buf_slice(&bare), "bare", &c, &why) != BW_OK)
		fail_msg("%s", why.text);
	assert_default(c);
	bw_config_free(&c);
	bw_buf_done(&text);
	bw_buf_done(&bare);
}

/* The test above would also pass if the marks hid nothing: a changed value must be seen. */
static void test_a_changed_sample_is_seen(void **state)
{
	(void)state;
	struct bw_config *c = NULL, *standard = NULL;
	struct bw_buf text, bare, a, b;

	read_sample(&text);
	uncomment(bw_buf_slice(&text), &bare);
	char *at = strstr(bare.p, "senders = 3;");

	assert_non_null(at);
	at[strlen("senders = ")] = '4';
	assert_int_equal(bw_config_parse(bw_buf_slice(&bare), "bare", &c, NULL), BW_OK);
	assert_int_equal(bw_config_default(&standard, NULL), BW_OK);
	bw_buf_init(&a, 100);
	bw_buf_init(&b, 100);
	assert_int_equal(bw_settings_get(c->settings, BW_S("huge.conversation.senders"), &a, NULL), BW_OK);
	assert_int_equal(bw_settings_get(standard->settings, BW_S("huge.conversation.senders"), &b, NULL), BW_OK);
	assert_string_equal(bw_buf_text(&a), "4");
	assert_string_equal(bw_buf_text(&b), "3");
	bw_config_free(&c);
	bw_config_free(&standard);
	bw_buf_done(&a);
	bw_buf_done(&b);
	bw_buf_done(&text);
	bw_buf_done(&bare);
}

static void test_sample_is_generated(void **state)
{
	(void)state;
	struct bw_buf text, generated;

	read_sample(&text);
	bw_buf_init(&generated, 1 << 20);
	bw_config_print_sample(&generated);
	assert_string_equal(bw_buf_text(&text), bw_buf_text(&generated));
	bw_buf_done(&text);
	bw_buf_done(&generated);
}

static void test_defaults_print_as_documented(void **state)
{
	(void)state;
	struct bw_config *standard = NULL;

	assert_int_equal(bw_config_default(&standard, NULL), BW_OK);
	for (size_t i = 0; i < bw_config_key_count(); i++) {
		struct bw_buf value;

		bw_buf_init(&value, 4096);
		if (bw_config_key_print(standard, i, &value))
			assert_string_equal(bw_buf_text(&value), bw_config_key_at(i)->def);
		bw_buf_done(&value);
	}
	bw_config_free(&standard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample_as_it_is),
		cmocka_unit_test(test_sample_without_comment_marks),
		cmocka_unit_test(test_a_changed_sample_is_seen),
		cmocka_unit_test(test_sample_is_generated),
		cmocka_unit_test(test_defaults_print_as_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
