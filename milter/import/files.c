/* Files that an import reads. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

static enum bw_err complain(const char *place, const char *path, struct bw_why *why)
{
	enum bw_err err = errno == EACCES || errno == EPERM ? BW_ERR_PERMISSION : BW_ERR_IO;

	return bw_fail(why, err, "%s%s%s: %s", place, place[0] != '\0' ? ": " : "", path, strerror(errno));
}

/* A directory, a device or a pipe would be read for ever, or not at all. */
static enum bw_err open_file(const char *path, const char *place, int *out, size_t *size, struct bw_why *why)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) != 0) {
		enum bw_err err = complain(place, path, why);

		if (fd >= 0)
			close(fd);
		return err;
	}
	if (!S_ISREG(st.st_mode) || (uintmax_t)st.st_size > BW_IMPORT_FILE_BYTES_MAX) {
		close(fd);
		return bw_fail(why, BW_ERR_INPUT, "%s%s%s: %s", place, place[0] != '\0' ? ": " : "", path,
		               S_ISREG(st.st_mode) ? "longer than 512 MiB" : "not a file");
	}
	*out = fd;
	*size = (size_t)st.st_size;
	return BW_OK;
}

/* As many bytes as it had when it was opened: one that grows meanwhile is not followed. */
static bool read_all(int fd, char *to, size_t *n)
{
	size_t have = 0;

	while (have < *n) {
		ssize_t got = read(fd, to + have, *n - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	*n = have;
	return true;
}

enum bw_err bw_import_read(const char *path, const char *place, struct bw_slice *out, struct bw_why *why)
{
	size_t n = 0;
	int fd = -1;
	enum bw_err err = open_file(path, place, &fd, &n, why);
	char *text = err == BW_OK ? malloc(n + 1) : NULL;

	if (err != BW_OK)
		return err;
	if (text == NULL)
		err = bw_import_no_memory(why);
	else if (!read_all(fd, text, &n))
		err = complain(place, path, why);
	else if (memchr(text, '\0', n) != NULL)
		err = bw_fail(why, BW_ERR_INPUT, "%s: has bytes of value 0, so it is no text", path);
	close(fd);
	if (err == BW_OK)
		*out = (struct bw_slice){ text, n };
	else
		free(text);
	return err;
}

/* Whoever may write it could have us send another password than the operator meant; whoever may read it has it. */
static enum bw_err check_private(const char *path, struct bw_why *why)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & 0007) != 0)
		return bw_fail(why, BW_ERR_PERMISSION, "%s: everybody on this host may use this password; chmod o-rwx %s", path, path);
	return BW_OK;
}

enum bw_err bw_import_password(const char *path, char *out, size_t size, struct bw_why *why)
{
	struct bw_slice text = { NULL, 0 };

	out[0] = '\0';
	if (path == NULL)
		return BW_OK;
	enum bw_err err = check_private(path, why);

	if (err == BW_OK)
		err = bw_import_read(path, "", &text, why);
	if (err != BW_OK)
		return err;
	struct bw_slice line = bw_slice_head(text, bw_slice_find(text, '\n'));

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0 || line.n >= size)
		err = bw_fail(why, BW_ERR_INPUT, "%s: its first line is to be a password of 1 to %zu bytes", path, size - 1);
	else
		bw_slice_copy(line, out, size);
	explicit_bzero((char *)(uintptr_t)text.p, text.n);
	free((char *)(uintptr_t)text.p);
	return err;
}
