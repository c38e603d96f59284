/* clock.h: the two clocks, read only at the edges (daemon, CLI, stores); everything else takes time as an argument.
 *
 * Layer:   base.
 * Threads: any.
 * Time:    int64_t milliseconds: wall time since 1970 (`now_ms`), monotonic time since an unknown start.
 */
#ifndef BW_CLOCK_H
#define BW_CLOCK_H

#include <stdint.h>

#include "bw/slice.h"

#define BW_SECOND_MS INT64_C(1000)
#define BW_MINUTE_MS (60 * BW_SECOND_MS)
#define BW_HOUR_MS   (60 * BW_MINUTE_MS)
#define BW_DAY_MS    (24 * BW_HOUR_MS)

int64_t bw_clock_now_ms(void);
int64_t bw_clock_monotonic_ms(void);
/* RFC 3339 in UTC with seconds, "2016-11-14T08:29:00Z", appended to `out`. */
void bw_clock_format(struct bw_buf *out, int64_t at_ms);

#endif
