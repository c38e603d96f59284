#include "bw/clock.h"

#include <time.h>

static int64_t read_ms(clockid_t id)
{
	struct timespec t = { 0 };

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * BW_SECOND_MS + t.tv_nsec / 1000000;
}

int64_t bw_clock_now_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

int64_t bw_clock_monotonic_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

void bw_clock_format(struct bw_buf *out, int64_t at_ms)
{
	time_t seconds = (time_t)(at_ms / BW_SECOND_MS);
	struct tm utc;
	char text[40];

	if (gmtime_r(&seconds, &utc) == NULL || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		return;
	bw_buf_add_text(out, text);
}
