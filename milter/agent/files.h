/* files.h: small things about files.
 *
 * Layer:   agent.
 * Fails:   BW_ERR_IO, BW_ERR_PERMISSION or BW_ERR_NOT_FOUND by errno, with the file's name.
 */
#ifndef BW_AGENT_FILES_H
#define BW_AGENT_FILES_H

#include "bw/err.h"

#include <stddef.h>

/* "FILE: WHAT: strerror(errno)". */
enum bw_err agent_fail_errno(const char *name, const char *what, struct bw_why *why);
/* All of it. */
enum bw_err agent_write(int fd, const void *bytes, size_t n, const char *name, struct bw_why *why);

#endif
