/* logline.h: builds one logfmt line; hostile bytes are escaped, the line is bounded. Writing it out is the daemon's job.
 *
 * Layer:   base.
 * Threads: one line, one thread.
 * Fails:   never; what does not fit is cut.
 *
 * logfmt: key=value pairs, blanks between; a value is quoted when it holds blanks, quotes, '=' or is empty. Bytes below 0x20,
 * 0x7f and invalid UTF-8 become \xNN, quotes and backslashes are escaped.
 */
#ifndef BW_LOGLINE_H
#define BW_LOGLINE_H

#include "bw/slice.h"

#define BW_LOGLINE_MAX 2048

/* Five words for severity, with fixed meanings (after Postfix's msg(3)). */
enum bw_severity {
	BW_SEV_DEBUG,   /* for developers */
	BW_SEV_INFO,    /* history: a verdict, a setting changed */
	BW_SEV_NOTICE,  /* a person should know today: trip, shadow mode */
	BW_SEV_WARNING, /* something works less well: degraded, cut, retried */
	BW_SEV_ERROR,   /* something does not work; a person must act */
	BW_SEV_COUNT
};
const char *bw_severity_name(enum bw_severity severity);

/* Starts a line in `line` (initialised with BW_LOGLINE_MAX): "event=NAME". */
void bw_logline_start(struct bw_buf *line, const char *event);
void bw_logline_str(struct bw_buf *line, const char *key, struct bw_slice value);
void bw_logline_text(struct bw_buf *line, const char *key, const char *value); /* NULL is left out */
void bw_logline_int(struct bw_buf *line, const char *key, int64_t value);
void bw_logline_bool(struct bw_buf *line, const char *key, bool value); /* yes / no */

/* Where lines go; given by the program (syslog, stderr, a test's buffer). Called from any thread. */
struct bw_log_sink {
	void (*write)(void *ctx, enum bw_severity severity, struct bw_slice line);
	void *ctx;
};

#endif
