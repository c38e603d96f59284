#include "bw/logline.h"

#include <assert.h>

static const char *const severities[] = { "debug", "info", "notice", "warning", "error" };
static_assert(sizeof(severities) / sizeof(severities[0]) == BW_SEV_COUNT, "a name for every severity");

const char *bw_severity_name(enum bw_severity severity)
{
	return severity < BW_SEV_COUNT ? severities[severity] : "unknown";
}

static bool needs_quotes(struct bw_slice value)
{
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7F)
			return true;
	}
	return value.n == 0;
}

static void add_escaped(struct bw_buf *line, struct bw_slice value)
{
	const unsigned char *p = (const unsigned char *)value.p;
	size_t i = 0;

	while (i < value.n) {
		size_t length = bw_slice_character(bw_slice_from(value, i));

		if (p[i] == '"' || p[i] == '\\')
			bw_buf_printf(line, "\\%c", p[i]);
		else if (length == 0 || p[i] < ' ' || p[i] == 0x7F)
			bw_buf_printf(line, "\\x%02X", p[i]);
		else
			bw_buf_add(line, (struct bw_slice){ value.p + i, length });
		i += length == 0 ? 1 : length;
	}
}

void bw_logline_start(struct bw_buf *line, const char *event)
{
	bw_buf_reset(line);
	bw_buf_printf(line, "event=%s", event);
}

void bw_logline_str(struct bw_buf *line, const char *key, struct bw_slice value)
{
	bool quotes = needs_quotes(value);

	bw_buf_printf(line, " %s=%s", key, quotes ? "\"" : "");
	add_escaped(line, value);
	if (quotes)
		bw_buf_add_char(line, '"');
}

void bw_logline_text(struct bw_buf *line, const char *key, const char *value)
{
	if (value != NULL)
		bw_logline_str(line, key, bw_slice_of(value));
}

void bw_logline_int(struct bw_buf *line, const char *key, int64_t value)
{
	bw_buf_printf(line, " %s=%lld", key, (long long)value);
}

void bw_logline_bool(struct bw_buf *line, const char *key, bool value)
{
	bw_logline_text(line, key, value ? "yes" : "no");
}
