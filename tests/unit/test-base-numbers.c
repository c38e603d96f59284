/* link: bw_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bw/clock.h"
#include "bw/parse.h"

static const int64_t UNTOUCHED = -77;

static void integers(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
		bool good;
	} rows[] = {
		{ "0", 0, true },
		{ "840000", 840000, true },
		{ "840_000", 840000, true },
		{ "840,000", 840000, true },
		{ "1,000,000", 1000000, true },
		{ "-5", -5, true },
		{ "9223372036854775807", INT64_MAX, true },
		{ "9223372036854775808", 0, false },
		{ "", 0, false },
		{ "-", 0, false },
		{ " 1", 0, false },
		{ "1 ", 0, false },
		{ "+1", 0, false },
		{ "1,00", 0, false },
		{ "1,0000", 0, false },
		{ ",100", 0, false },
		{ "1,000_000", 0, false },
		{ "0x10", 0, false },
		{ "1e6", 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t value = UNTOUCHED;
		bool good = bw_parse_int(bw_slice_of(rows[i].text), &value);

		if (good != rows[i].good)
			fail_msg("\"%s\": %s", rows[i].text, good ? "taken" : "refused");
		assert_int_equal(value, rows[i].good ? rows[i].value : UNTOUCHED);
	}
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
		bool good;
	} rows[] = {
		{ "0", 0, true },
		{ "0s", 0, true },
		{ "90s", 90 * BW_SECOND_MS, true },
		{ "5m", 5 * BW_MINUTE_MS, true },
		{ "1h30m", 90 * BW_MINUTE_MS, true },
		{ "2d", 2 * BW_DAY_MS, true },
		{ "250ms", 250, true },
		{ "1s250ms", 1250, true },
		{ "5", 0, false },
		{ "30m1h", 0, false },
		{ "1h1h", 0, false },
		{ "h", 0, false },
		{ "", 0, false },
		{ "-1s", 0, false },
		{ "1x", 0, false },
		{ "1 h", 0, false },
		{ "99999999999999d", 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ms = UNTOUCHED;
		bool good = bw_parse_duration_ms(bw_slice_of(rows[i].text), &ms);

		if (good != rows[i].good)
			fail_msg("\"%s\": %s", rows[i].text, good ? "taken" : "refused");
		assert_int_equal(ms, rows[i].good ? rows[i].ms : UNTOUCHED);
	}
}

static void durations_print_as_they_read(void **state)
{
	static const int64_t values[] = { 0, 1, 250, 1000, 90 * BW_SECOND_MS, BW_HOUR_MS, 90 * BW_MINUTE_MS, 7 * BW_DAY_MS + 1 };
	struct bw_buf text;

	(void)state;
	bw_buf_init(&text, 100);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		int64_t ms = UNTOUCHED;

		bw_buf_reset(&text);
		bw_print_duration(&text, values[i]);
		assert_true(bw_parse_duration_ms(bw_buf_slice(&text), &ms));
		assert_int_equal(ms, values[i]);
	}
	bw_buf_done(&text);
}

typedef void print_fn(struct bw_buf *out, int64_t n);

static void words(void **state)
{
	static const struct {
		print_fn *print;
		int64_t n;
		const char *text;
	} rows[] = {
		{ bw_print_count, 0, "0" },
		{ bw_print_count, 999, "999" },
		{ bw_print_count, 1000, "1,000" },
		{ bw_print_count, 840000, "840,000" },
		{ bw_print_count, -1234567, "-1,234,567" },
		{ bw_print_ordinal, 1, "1st" },
		{ bw_print_ordinal, 2, "2nd" },
		{ bw_print_ordinal, 3, "3rd" },
		{ bw_print_ordinal, 4, "4th" },
		{ bw_print_ordinal, 11, "11th" },
		{ bw_print_ordinal, 112, "112th" },
		{ bw_print_ordinal, 1021, "1,021st" },
		{ bw_print_duration_words, BW_HOUR_MS, "60 min" },
		{ bw_print_duration_words, 24 * BW_HOUR_MS, "24 h" },
		{ bw_print_duration_words, 90 * BW_MINUTE_MS, "90 min" },
		{ bw_print_duration_words, 150 * BW_MINUTE_MS, "150 min" },
		{ bw_print_duration_words, 90 * BW_SECOND_MS, "90 s" },
		{ bw_print_duration_words, 1500, "1500 ms" },
		{ bw_print_duration_words, 0, "0 ms" },
	};
	struct bw_buf text;

	(void)state;
	bw_buf_init(&text, 100);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bw_buf_reset(&text);
		rows[i].print(&text, rows[i].n);
		assert_string_equal(bw_buf_text(&text), rows[i].text);
	}
	bw_buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers), cmocka_unit_test(durations), cmocka_unit_test(durations_print_as_they_read),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
