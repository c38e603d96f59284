#include "log.h"

#include <string.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

static bool to_syslog;

static const int priorities[] = {
	[BW_SEV_DEBUG] = LOG_DEBUG,     [BW_SEV_INFO] = LOG_INFO, [BW_SEV_NOTICE] = LOG_NOTICE,
	[BW_SEV_WARNING] = LOG_WARNING, [BW_SEV_ERROR] = LOG_ERR,
};
_Static_assert(sizeof(priorities) / sizeof(priorities[0]) == BW_SEV_COUNT, "a priority for every severity");

void bw_log_open(const char *where)
{
	to_syslog = strcmp(where, "syslog") == 0;
	if (to_syslog)
		openlog("breakwaterd", LOG_PID | LOG_NDELAY, LOG_MAIL);
}

/* One write a line: lines of several threads never mix. */
static void write_stderr(enum bw_severity severity, struct bw_slice line)
{
	const char *name = bw_severity_name(severity);
	struct iovec parts[] = {
		{ (char *)(uintptr_t) "level=", 6 },
		{ (char *)(uintptr_t)name, strlen(name) },
		{ (char *)(uintptr_t) " ", 1 },
		{ (char *)(uintptr_t)line.p, line.n },
		{ (char *)(uintptr_t) "\n", 1 },
	};
	ssize_t written = writev(STDERR_FILENO, parts, sizeof(parts) / sizeof(parts[0]));

	(void)written; /* nobody is left to be told */
}

static void write_line(void *ctx, enum bw_severity severity, struct bw_slice line)
{
	(void)ctx;
	if (to_syslog)
		syslog(priorities[severity], "%.*s", (int)line.n, line.p);
	else
		write_stderr(severity, line);
}

struct bw_log_sink bw_log_sink(void)
{
	return (struct bw_log_sink){ write_line, NULL };
}

void bw_log_text(enum bw_severity severity, const char *event, const char *text)
{
	struct bw_buf line;

	bw_buf_init(&line, BW_LOGLINE_MAX);
	bw_logline_start(&line, event);
	bw_logline_text(&line, "text", text);
	write_line(NULL, severity, bw_buf_slice(&line));
	bw_buf_done(&line);
}
