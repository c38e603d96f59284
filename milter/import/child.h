/* child.h: a program that is run for what it prints.
 *
 * Layer:     import, seen by its own files only.
 * Threads:   any; the child is waited for before the call returns.
 * Time:      killed when the monotonic deadline passes.
 * Ownership: `out` and `complaint` are the caller's buffers, with their own bounds.
 * Fails:     BW_ERR_NOT_FOUND (no such program), BW_ERR_IO, BW_ERR_LIMIT (it prints more than `out` takes), BW_ERR_MEMORY.
 */
#ifndef BW_IMPORT_CHILD_H
#define BW_IMPORT_CHILD_H

#include "bw/err.h"
#include "bw/slice.h"

struct bw_child {
	const char *const *argv; /* argv[0] without a slash is looked for in PATH; no shell is asked */
	int64_t deadline_ms;
	struct bw_buf *out, *complaint; /* standard output and standard error */
	int status;                     /* exit status, -1: by a signal */
};
enum bw_err bw_child_run(struct bw_child *child, struct bw_why *why);

#endif
