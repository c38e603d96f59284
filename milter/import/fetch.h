/* fetch.h: one HTTP resource, fetched with a deadline and a bound.
 *
 * Layer:     import, seen by its own files only (libcurl is seen by fetch.c alone).
 * Threads:   one at a time.
 * Time:      never past the monotonic deadline.
 * Ownership: bw_fetch_new() / bw_fetch_free().
 * Fails:     BW_ERR_IO, BW_ERR_LIMIT, BW_ERR_PERMISSION (401, 403), BW_ERR_INPUT (any other status than 200), BW_ERR_MEMORY; the
 *            sentence has the URL.
 *
 * Redirections are not followed: they would carry the password to where nobody meant it to go.
 */
#ifndef BW_IMPORT_FETCH_H
#define BW_IMPORT_FETCH_H

#include "internal.h"

struct bw_fetch;
enum bw_err bw_fetch_new(const struct bw_import_login *login, int64_t deadline_ms, struct bw_fetch **out, struct bw_why *why);
void bw_fetch_free(struct bw_fetch **f);
/* Appends the body to `out`. */
enum bw_err bw_fetch_get(struct bw_fetch *f, const char *url, struct bw_buf *out, struct bw_why *why);

#endif
