#include "output.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bw/clock.h"

enum { LINE_MAX_BYTES = 16384 };

static const char *const colours[] = {
	[STYLE_PLAIN] = "",         [STYLE_GOOD] = "\033[32m", [STYLE_WARN] = "\033[33m",
	[STYLE_BAD] = "\033[1;31m", [STYLE_HEAD] = "\033[1m",  [STYLE_FAINT] = "\033[2m",
};
static_assert(sizeof(colours) / sizeof(colours[0]) == STYLE_COUNT, "a colour for every style");

const char *bw_cli_colour(enum style style)
{
	return colours[style];
}

static void print_styled(const struct cli *c, enum style style, const char *text)
{
	bool colour = c->env->colour && style != STYLE_PLAIN;

	if (colour)
		fputs(colours[style], c->env->out);
	fputs(text, c->env->out);
	if (colour)
		fputs("\033[0m", c->env->out);
}

static void __attribute__((format(printf, 3, 0))) line(struct cli *c, enum style style, const char *format, va_list args)
{
	struct bw_buf clean;
	char *text = malloc(LINE_MAX_BYTES);

	if (text == NULL)
		return;
	bw_buf_init(&clean, (size_t)4 * LINE_MAX_BYTES);
	int n = vsnprintf(text, LINE_MAX_BYTES, format, args);

	if (n > 0)
		bw_cli_neutralise(&clean, bw_slice_of(text));
	print_styled(c, style, bw_buf_text(&clean));
	fputc('\n', c->env->out);
	bw_buf_done(&clean);
	free(text);
}

void bw_cli_line(struct cli *c, enum style style, const char *format, ...)
{
	va_list args;

	if (c->in_scenario)
		return;
	va_start(args, format);
	line(c, style, format, args);
	va_end(args);
}

void bw_cli_say(struct cli *c, enum style style, const char *format, ...)
{
	va_list args;

	if (c->in_scenario || c->args.json)
		return;
	va_start(args, format);
	line(c, style, format, args);
	va_end(args);
}

/* --- JSON --- */

void bw_cli_json(struct cli *c, json_t *object)
{
	/* Plain ASCII: escapes cover terminal controls and directions as well. */
	char *text = c->in_scenario ? NULL : json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);

	json_decref(object);
	if (text == NULL)
		return;
	fputs(text, c->env->out);
	fputc('\n', c->env->out);
	free(text);
}

void bw_cli_put_text(json_t *object, const char *key, const char *text)
{
	if (text == NULL)
		json_object_set_new(object, key, json_null());
	else
		bw_cli_put(object, key, bw_slice_of(text));
}

void bw_cli_put_int(json_t *object, const char *key, int64_t n)
{
	json_object_set_new(object, key, json_integer(n));
}

void bw_cli_put_bool(json_t *object, const char *key, bool yes)
{
	json_object_set_new(object, key, json_boolean(yes));
}

void bw_cli_put_time(json_t *object, const char *key, int64_t at_ms)
{
	struct bw_buf text;

	bw_buf_init(&text, 40);
	if (at_ms > 0)
		bw_clock_format(&text, at_ms);
	bw_cli_put_text(object, key, text.n == 0 ? NULL : bw_buf_text(&text));
	bw_buf_done(&text);
}

/* --- times --- */

static bool local(int64_t at_ms, struct tm *out)
{
	time_t seconds = (time_t)(at_ms / BW_SECOND_MS);

	return localtime_r(&seconds, out) != NULL;
}

static void add_day(struct bw_buf *out, const struct tm *tm)
{
	bw_buf_printf(out, "%04d-%02d-%02d", tm->tm_year + 1900, tm->tm_mon + 1, tm->tm_mday);
}

void bw_cli_stamp(struct bw_buf *out, int64_t at_ms)
{
	struct tm tm;

	if (!local(at_ms, &tm))
		return;
	add_day(out, &tm);
	bw_buf_printf(out, " %02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void bw_cli_until(struct bw_buf *out, int64_t now_ms, int64_t at_ms)
{
	struct tm now, at;

	if (!local(now_ms, &now) || !local(at_ms, &at))
		return;
	bw_buf_printf(out, "%02d:%02d", at.tm_hour, at.tm_min);
	if (now.tm_year == at.tm_year && now.tm_yday == at.tm_yday)
		return;
	bw_buf_add_text(out, " on ");
	add_day(out, &at);
}
