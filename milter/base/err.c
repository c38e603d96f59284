#include "bw/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const names[] = {
	[BW_OK] = "ok",
	[BW_ERR_MEMORY] = "memory",
	[BW_ERR_INPUT] = "input",
	[BW_ERR_RANGE] = "range",
	[BW_ERR_IO] = "io",
	[BW_ERR_STORE] = "store",
	[BW_ERR_CONFLICT] = "conflict",
	[BW_ERR_NOT_FOUND] = "not-found",
	[BW_ERR_EXISTS] = "exists",
	[BW_ERR_LIMIT] = "limit",
	[BW_ERR_PERMISSION] = "permission",
	[BW_ERR_CORRUPT] = "corrupt",
};
static_assert(sizeof(names) / sizeof(names[0]) == BW_ERR_COUNT, "a name for every error");

const char *bw_err_name(enum bw_err err)
{
	return err < BW_ERR_COUNT ? names[err] : "unknown";
}

enum bw_err bw_fail(struct bw_why *why, enum bw_err err, const char *format, ...)
{
	if (why != NULL) {
		/* Format into a copy: callers wrap a cause by passing why->text as an argument. */
		struct bw_why text;
		va_list args;

		va_start(args, format);
		vsnprintf(text.text, sizeof(text.text), format, args);
		va_end(args);
		*why = text;
	}
	return err;
}
