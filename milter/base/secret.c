#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bw/slice.h"

enum { PATH_BYTES = 4096, TEXT_BYTES = 2 * SECRET_BYTES_MAX + 2 };

static enum bw_err fail_errno(const struct secret *s, const char *verb, struct bw_why *why)
{
	int error = errno;
	enum bw_err err = BW_ERR_IO;

	if (error == ENOENT)
		err = BW_ERR_NOT_FOUND;
	else if (error == EACCES || error == EPERM)
		err = BW_ERR_PERMISSION;
	return bw_fail(why, err, "%s: cannot %s %s: %s", s->path, verb, s->what, strerror(error));
}

static enum bw_err write_random(const struct secret *s, int fd, struct bw_why *why)
{
	uint8_t bytes[SECRET_BYTES_MAX];
	char text[TEXT_BYTES];
	size_t n = 2 * s->bytes;
	enum bw_err err = BW_OK;

	randombytes_buf(bytes, s->bytes);
	sodium_bin2hex(text, sizeof(text), bytes, s->bytes);
	text[n++] = '\n';
	if (fchmod(fd, s->mode) != 0 || write(fd, text, n) != (ssize_t)n || fsync(fd) != 0)
		err = fail_errno(s, "write", why);
	sodium_memzero(text, sizeof(text));
	sodium_memzero(bytes, sizeof(bytes));
	return err;
}

/* Complete or not at all: a reader never sees half a file. */
static enum bw_err create(const struct secret *s, struct bw_why *why)
{
	char temporary[PATH_BYTES];

	if (snprintf(temporary, sizeof(temporary), "%s.%ld", s->path, (long)getpid()) >= (int)sizeof(temporary))
		return bw_fail(why, BW_ERR_INPUT, "%s: path is too long", s->path);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail_errno(s, "create", why);
	enum bw_err err = write_random(s, fd, why);

	close(fd);
	/* link(), unlike rename(), does not overwrite a secret that another process made meanwhile. */
	if (err == BW_OK && link(temporary, s->path) != 0 && errno != EEXIST)
		err = fail_errno(s, "create", why);
	unlink(temporary);
	return err;
}

static enum bw_err check_owner(const struct secret *s, int fd, struct bw_why *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return fail_errno(s, "look at", why);
	if (st.st_uid != 0 || (st.st_mode & 027) != 0)
		return bw_fail(why, BW_ERR_PERMISSION, "%s: must belong to root and be for root and its group alone (mode 0640); "
		               "it belongs to uid %u and has mode %04o", s->path, (unsigned)st.st_uid, (unsigned)st.st_mode & 07777U);
	return BW_OK;
}

static enum bw_err parse(const struct secret *s, const char *text, size_t n, uint8_t *out, struct bw_why *why)
{
	uint8_t bytes[SECRET_BYTES_MAX];
	size_t got = 0;
	bool good = n >= 2 * s->bytes && sodium_hex2bin(bytes, s->bytes, text, 2 * s->bytes, NULL, &got, NULL) == 0 && got == s->bytes;

	if (good)
		memcpy(out, bytes, s->bytes);
	sodium_memzero(bytes, sizeof(bytes));
	return good ? BW_OK : bw_fail(why, BW_ERR_INPUT, "%s: %s must begin with %zu hexadecimal digits", s->path, s->what, 2 * s->bytes);
}

static enum bw_err read_file(const struct secret *s, uint8_t *out, struct bw_why *why)
{
	char text[TEXT_BYTES];
	int fd = open(s->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fail_errno(s, "read", why);
	enum bw_err err = s->check_owner ? check_owner(s, fd, why) : BW_OK;
	ssize_t n = err == BW_OK ? read(fd, text, sizeof(text)) : 0;

	if (n < 0)
		err = fail_errno(s, "read", why);
	close(fd);
	if (err == BW_OK)
		err = parse(s, text, (size_t)n, out, why);
	sodium_memzero(text, sizeof(text));
	return err;
}

enum bw_err secret_load(const struct secret *s, uint8_t *out, struct bw_why *why)
{
	if (sodium_init() < 0)
		return bw_fail(why, BW_ERR_IO, "libsodium does not start");
	enum bw_err err = read_file(s, out, why);

	if (err != BW_ERR_NOT_FOUND || !s->create)
		return err;
	err = create(s, why);
	return err == BW_OK ? read_file(s, out, why) : err;
}
