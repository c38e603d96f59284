/* rows.h: one setting's value as a number, and as text. Inside the settings library only.
 *
 * Layer:   policy (settings), on base.
 * Threads: pure, but for struct bw_overrides, which belongs to its struct bw_settings.
 *
 * A raw value is an int64_t whatever the kind: a count, milliseconds, or the number of a mode or an action.
 */
#ifndef BW_SETTINGS_ROWS_H
#define BW_SETTINGS_ROWS_H

#include "bw/nearest.h"
#include "bw/settings.h"

#define BW_SETTINGS_ROWS_MAX      64    /* a set of rows is one word */
#define BW_SETTINGS_OVERRIDES_MAX 20000 /* lists with values of their own */
#define BW_SETTINGS_ADDRESS_MAX   512   /* longest address in a name */

int64_t bw_setting_raw(const struct bw_setting *row, const struct bw_limits *limits);
void bw_setting_store(const struct bw_setting *row, struct bw_limits *limits, int64_t raw);
/* Reads a value; on failure the sentence starts with `name` and ends with what is allowed. */
enum bw_err bw_setting_parse(const struct bw_setting *row, struct bw_slice name, struct bw_slice value, int64_t *raw,
                             struct bw_why *why);
/* Bytes of a stranger for a sentence: cut, and without control characters. */
void bw_setting_quote(struct bw_buf *out, struct bw_slice s);
/* The known name nearest to `name`. */
void bw_setting_nearest(struct bw_nearest *n, struct bw_slice name);

/* The values of their own that lists have, sorted by address. All-zero is empty. */
struct bw_override_list {
	char *address;
	uint64_t rows; /* which rows of `values` count: bit i is row i */
	struct bw_limits values;
};
struct bw_overrides {
	struct bw_override_list **lists;
	size_t count, capacity;
};
const struct bw_override_list *bw_overrides_find(const struct bw_overrides *o, struct bw_slice address);
enum bw_err bw_overrides_put(struct bw_overrides *o, struct bw_slice address, size_t row, int64_t raw, struct bw_why *why);
bool bw_overrides_copy(const struct bw_overrides *from, struct bw_overrides *to);
void bw_overrides_done(struct bw_overrides *o);

#endif
