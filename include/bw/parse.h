/* parse.h: strict numbers, durations and sizes, the same in configuration, CLI and scenarios; and their printing.
 *
 * Layer:     base.
 * Threads:   pure.
 * Fails:     false; outputs untouched. No leading or trailing blanks, no sign but '-', no overflow, nothing after the value.
 */
#ifndef BW_PARSE_H
#define BW_PARSE_H

#include "bw/slice.h"

/* A decimal integer, "_" and "," allowed between digits of groups of three ("840_000", "840,000"). */
bool bw_parse_int(struct bw_slice s, int64_t *out);
/* "0s", "90s", "5m", "1h30m", "2d", "250ms", to milliseconds. A bare "0" is allowed, other bare numbers are not. */
bool bw_parse_duration_ms(struct bw_slice s, int64_t *out);
bool bw_parse_bool(struct bw_slice s, bool *out); /* yes/no, on/off, true/false */

/* The shortest exact form that bw_parse_duration_ms reads back: "1h30m", "250ms", "0s". */
void bw_print_duration(struct bw_buf *out, int64_t ms);
/* "60 min", "2 h", "24 h", "90 s": for sentences. */
void bw_print_duration_words(struct bw_buf *out, int64_t ms);
/* "840,000". */
void bw_print_count(struct bw_buf *out, int64_t n);
/* "11th", "1st", "102nd". */
void bw_print_ordinal(struct bw_buf *out, int64_t n);

#endif
