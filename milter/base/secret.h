/* secret.h: a secret in a file of its own: hex digits on the first line.
 *
 * Layer:   base.
 * Fails:   BW_ERR_NOT_FOUND, BW_ERR_PERMISSION, BW_ERR_IO, BW_ERR_INPUT (no such digits).
 */
#ifndef BW_BASE_SECRET_H
#define BW_BASE_SECRET_H

#include "bw/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SECRET_BYTES_MAX = 32 };

struct secret {
	const char *path, *what; /* "the site secret" */
	size_t bytes;
	mode_t mode;             /* of a file that is made */
	bool create;             /* a random one, when there is none; never overwriting */
	bool check_owner;        /* it must be root's, and neither written by its group nor touched by others */
};

enum bw_err secret_load(const struct secret *s, uint8_t *out, struct bw_why *why);

#endif
