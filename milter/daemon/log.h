/* log.h: where breakwaterd's lines go: syslog (facility mail) or stderr.
 *
 * Layer:   daemon.
 * Threads: any, after bw_log_open().
 */
#ifndef BW_DAEMON_LOG_H
#define BW_DAEMON_LOG_H

#include "bw/logline.h"

/* `where`: "syslog" or "stderr". */
void bw_log_open(const char *where);
/* For engine and filter. */
struct bw_log_sink bw_log_sink(void);
/* One line "event=... error=..." or a plain text as `text`; severities as in logline.h. */
void bw_log_text(enum bw_severity severity, const char *event, const char *text);

#endif
