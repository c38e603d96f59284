#include "archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <zstd.h>

#include "bw/parse.h"
#include "files.h"

#define FIRST_LINE "breakwater-archive 1"

enum { PIECE_BYTES = 65536, HEADER_LINE_BYTES = 400, CONFIG_BYTES = 300, LEVEL = 3 };

/* --- names and notes --- */

void archive_name(const struct bw_hash *id, enum archive_kind kind, char out[ARCHIVE_NAME_BYTES])
{
	static const char *const suffixes[ARCHIVE_KIND_COUNT] = { ".zst", ".release", ".place", ".new" };
	char hex[2 * BW_HASH_BYTES + 1];

	bw_hash_hex(id, hex);
	snprintf(out, ARCHIVE_NAME_BYTES, "%s%s", hex, suffixes[kind]);
}

bool archive_has(int dir, const struct bw_hash *id, enum archive_kind kind)
{
	char name[ARCHIVE_NAME_BYTES];

	archive_name(id, kind, name);
	return faccessat(dir, name, F_OK, 0) == 0;
}

enum bw_err archive_note(int dir, const struct bw_hash *id, enum archive_kind kind, const char *text, struct bw_why *why)
{
	char name[ARCHIVE_NAME_BYTES];

	archive_name(id, kind, name);
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	enum bw_err err = fd < 0 ? agent_fail_errno(name, "could not be written", why) : agent_write(fd, text, strlen(text), name, why);

	if (err == BW_OK && (fsync(fd) != 0 || fsync(dir) != 0))
		err = agent_fail_errno(name, "could not be synced to disk", why);
	if (fd >= 0)
		close(fd);
	return err;
}

void archive_noted(int dir, const struct bw_hash *id, enum archive_kind kind, char *text, size_t size)
{
	char name[ARCHIVE_NAME_BYTES];

	archive_name(id, kind, name);
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);

	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

int64_t archive_written_ms(int dir, const struct bw_hash *id, enum archive_kind kind)
{
	char name[ARCHIVE_NAME_BYTES];
	struct stat st;

	archive_name(id, kind, name);
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (int64_t)st.st_mtime * 1000 : 0;
}

enum bw_err archive_remove(int dir, const struct bw_hash *id, enum archive_kind kind, struct bw_why *why)
{
	char name[ARCHIVE_NAME_BYTES];

	archive_name(id, kind, name);
	if (unlinkat(dir, name, 0) != 0 && errno != ENOENT)
		return agent_fail_errno(name, "could not be removed", why);
	return BW_OK;
}

/* --- how much, and how old --- */

struct survey {
	int64_t bytes, now_ms, keep_ms, gone;
	bool removes;
};

static void survey_one(int dir, const char *name, struct survey *s)
{
	struct stat st;

	/* Notes of those who were killed are among them; nobody needs one that old. */
	if (strspn(name, "0123456789abcdef") != (size_t)2 * BW_HASH_BYTES || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	if (s->removes && (int64_t)st.st_mtime * 1000 <= s->now_ms - s->keep_ms)
		s->gone += unlinkat(dir, name, 0) == 0;
	else
		s->bytes += (int64_t)st.st_blocks * 512;
}

static enum bw_err survey(int dir, struct survey *s, struct bw_why *why)
{
	/* A descriptor of its own: it has the place of reading, and closedir() closes it. */
	int own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *all = own < 0 ? NULL : fdopendir(own);
	struct dirent *entry;

	if (all == NULL) {
		if (own >= 0)
			close(own);
		return agent_fail_errno("the archive", "could not be read", why);
	}
	while ((entry = readdir(all)) != NULL)
		survey_one(dir, entry->d_name, s);
	closedir(all);
	return BW_OK;
}

enum bw_err bw_archive_expire(int archive, int64_t now_ms, int64_t keep_ms, int64_t *gone, struct bw_why *why)
{
	struct survey s = { .now_ms = now_ms, .keep_ms = keep_ms, .removes = true };
	enum bw_err err = survey(archive, &s, why);

	if (err == BW_OK)
		*gone = s.gone;
	return err;
}

enum bw_err archive_check_room(const struct bw_keeper *k, const struct archive_source *from, struct bw_why *why)
{
	struct survey s = { .bytes = 0 };
	struct statvfs disk;
	struct stat st;
	int64_t bytes = 0;
	enum bw_err err = survey(k->archive, &s, why);

	for (size_t i = 0; err == BW_OK && i < from->count; i++) {
		const struct bw_queue_file *file = &from->files[i];

		if ((file->fd >= 0 ? fstat(file->fd, &st) : stat(file->path, &st)) != 0)
			return agent_fail_errno(from->files[i].path, "could not be looked at", why);
		bytes += (int64_t)st.st_size;
	}
	if (err == BW_OK && fstatvfs(k->archive, &disk) != 0)
		err = agent_fail_errno("the archive's disk", "could not be looked at", why);
	if (err != BW_OK)
		return err;
	if (s.bytes + bytes > k->archive_most_bytes)
		return bw_fail(why, BW_ERR_LIMIT, "the archive has %lld bytes and may have %lld (hold.archive_bytes), so nothing is deleted",
		               (long long)s.bytes, (long long)k->archive_most_bytes);
	int64_t free_bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;

	if (free_bytes - bytes < k->archive_min_free_bytes)
		return bw_fail(why, BW_ERR_LIMIT,
		               "the archive's disk has %lld bytes left, %lld must stay free (hold.archive_min_free), so nothing is deleted",
		               (long long)free_bytes, (long long)k->archive_min_free_bytes);
	return BW_OK;
}

/* --- writing --- */

struct writer {
	int fd;
	const char *name;
	ZSTD_CCtx *z;
	char out[PIECE_BYTES];
};

static enum bw_err compress(struct writer *w, const void *bytes, size_t n, ZSTD_EndDirective end, struct bw_why *why)
{
	ZSTD_inBuffer in = { bytes, n, 0 };
	size_t left = 1;
	enum bw_err err = BW_OK;

	while (err == BW_OK && (in.pos < in.size || (end == ZSTD_e_end && left > 0))) {
		ZSTD_outBuffer out = { w->out, sizeof(w->out), 0 };

		left = ZSTD_compressStream2(w->z, &out, &in, end);
		if (ZSTD_isError(left))
			return bw_fail(why, BW_ERR_IO, "%s: could not be compressed: %s", w->name, ZSTD_getErrorName(left));
		err = agent_write(w->fd, w->out, out.pos, w->name, why);
	}
	return err;
}

static enum bw_err say(struct writer *w, struct bw_buf *line, struct bw_why *why)
{
	return compress(w, line->p, line->n, ZSTD_e_continue, why);
}

static enum bw_err add_bytes(struct writer *w, int fd, const char *path, int64_t left, struct bw_why *why)
{
	char piece[PIECE_BYTES];
	enum bw_err err = BW_OK;

	while (err == BW_OK && left > 0) {
		ssize_t n = read(fd, piece, left < PIECE_BYTES ? (size_t)left : sizeof(piece));

		if (n <= 0)
			return bw_fail(why, BW_ERR_IO, "%s: could not be read: %s", path, n < 0 ? strerror(errno) : "it became shorter");
		left -= n;
		err = compress(w, piece, (size_t)n, ZSTD_e_continue, why);
	}
	return err;
}

/* One that came open has been read by whoever opened it. */
static int open_file(const struct bw_queue_file *file)
{
	if (file->fd < 0)
		return open(file->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return lseek(file->fd, 0, SEEK_SET) == 0 ? fcntl(file->fd, F_DUPFD_CLOEXEC, 0) : -1;
}

static enum bw_err add_file(struct writer *w, const struct bw_queue_file *file, struct bw_why *why)
{
	struct bw_buf line;
	struct stat st;
	int fd = open_file(file);

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		enum bw_err err = agent_fail_errno(file->path, "could not be opened as a file", why);

		if (fd >= 0)
			close(fd);
		return err;
	}
	bw_buf_init(&line, HEADER_LINE_BYTES);
	bw_buf_printf(&line, "file %s %o %u %u %lld\n", file->name, (unsigned)(st.st_mode & 07777), (unsigned)st.st_uid,
	              (unsigned)st.st_gid, (long long)st.st_size);
	enum bw_err err = say(w, &line, why);

	if (err == BW_OK)
		err = add_bytes(w, fd, file->path, (int64_t)st.st_size, why);
	bw_buf_done(&line);
	close(fd);
	return err;
}

static enum bw_err write_all(struct writer *w, const struct archive_source *from, struct bw_why *why)
{
	struct bw_buf line;

	if (w->z == NULL || ZSTD_isError(ZSTD_CCtx_setParameter(w->z, ZSTD_c_checksumFlag, 1)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(w->z, ZSTD_c_compressionLevel, LEVEL)))
		return bw_fail(why, BW_ERR_MEMORY, "no memory to compress a message");
	bw_buf_init(&line, 2 * HEADER_LINE_BYTES);
	bw_buf_printf(&line, FIRST_LINE "\nmta %s\nqueue-id %s%s%s", from->mta, from->queue_id,
	              from->files[0].seal[0] == '\0' ? "" : " ", from->files[0].seal);
	if (from->config != NULL && strlen(from->config) < CONFIG_BYTES && strpbrk(from->config, " \t\n") == NULL)
		bw_buf_printf(&line, " config=%s", from->config);
	bw_buf_add_char(&line, '\n');
	enum bw_err err = say(w, &line, why);

	bw_buf_done(&line);
	for (size_t i = 0; i < from->count && err == BW_OK; i++)
		err = add_file(w, &from->files[i], why);
	if (err == BW_OK)
		err = compress(w, "end\n", 4, ZSTD_e_end, why);
	if (err == BW_OK && fsync(w->fd) != 0)
		err = agent_fail_errno(w->name, "could not be synced to disk", why);
	return err;
}

/* Everything is read back, and its checksum with it: a message is only deleted when its archive is good. */
static enum bw_err verify(int dir, const char *name, const struct archive_source *from, struct bw_why *why);

enum bw_err archive_write(int dir, const struct bw_hash *id, const struct archive_source *from, struct bw_why *why)
{
	char unfinished[ARCHIVE_NAME_BYTES], name[ARCHIVE_NAME_BYTES];
	struct writer *w = calloc(1, sizeof(*w));
	enum bw_err err = BW_OK;

	if (w == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory to compress a message");
	archive_name(id, ARCHIVE_UNFINISHED, unfinished);
	archive_name(id, ARCHIVE_MESSAGE, name);
	*w = (struct writer){ .name = name, .z = ZSTD_createCCtx() };
	w->fd = openat(dir, unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	err = w->fd < 0 ? agent_fail_errno(name, "could not be written", why) : write_all(w, from, why);
	if (err == BW_OK)
		err = verify(dir, unfinished, from, why);
	if (err == BW_OK && (renameat(dir, unfinished, dir, name) != 0 || fsync(dir) != 0))
		err = agent_fail_errno(name, "could not be given its name", why);
	if (err != BW_OK)
		unlinkat(dir, unfinished, 0);
	if (w->fd >= 0)
		close(w->fd);
	ZSTD_freeCCtx(w->z);
	free(w);
	return err;
}

/* --- reading --- */

struct bw_archived {
	int fd;
	char name[ARCHIVE_NAME_BYTES], queue_id[BW_QUEUE_ID_BYTES], seal[BW_SEAL_HEX_BYTES], config[CONFIG_BYTES];
	ZSTD_DCtx *z;
	char packed[PIECE_BYTES], plain[PIECE_BYTES];
	ZSTD_inBuffer in;
	size_t at, n;  /* of plain */
	size_t wanted; /* by zstd; 0: the frame and its checksum are complete */
};

static enum bw_err fill(struct bw_archived *a, struct bw_why *why)
{
	ZSTD_outBuffer out = { a->plain, sizeof(a->plain), 0 };

	while (out.pos == 0) {
		if (a->in.pos == a->in.size) {
			ssize_t n = read(a->fd, a->packed, sizeof(a->packed));

			if (n <= 0)
				return bw_fail(why, n < 0 ? BW_ERR_IO : BW_ERR_CORRUPT, "%s: ends too early", a->name);
			a->in = (ZSTD_inBuffer){ a->packed, (size_t)n, 0 };
		}
		a->wanted = ZSTD_decompressStream(a->z, &out, &a->in);
		if (ZSTD_isError(a->wanted))
			return bw_fail(why, BW_ERR_CORRUPT, "%s: is damaged: %s", a->name, ZSTD_getErrorName(a->wanted));
		if (a->wanted == 0 && out.pos == 0)
			return bw_fail(why, BW_ERR_CORRUPT, "%s: ends too early", a->name);
	}
	a->at = 0;
	a->n = out.pos;
	return BW_OK;
}

/* A line without its end. */
static enum bw_err take_line(struct bw_archived *a, char line[HEADER_LINE_BYTES], struct bw_why *why)
{
	size_t n = 0;
	enum bw_err err = BW_OK;

	while (err == BW_OK) {
		if (a->at == a->n)
			err = fill(a, why);
		if (err != BW_OK)
			break;
		char c = a->plain[a->at++];

		if (c == '\n')
			break;
		if (n + 1 == HEADER_LINE_BYTES)
			return bw_fail(why, BW_ERR_CORRUPT, "%s: not an archive of this version", a->name);
		line[n++] = c;
	}
	line[n] = '\0';
	return err;
}

static enum bw_err expect_line(struct bw_archived *a, const char *start, char line[HEADER_LINE_BYTES], struct bw_why *why)
{
	enum bw_err err = take_line(a, line, why);

	if (err == BW_OK && strncmp(line, start, strlen(start)) != 0)
		err = bw_fail(why, BW_ERR_CORRUPT, "%s: not an archive of this version", a->name);
	return err;
}

enum bw_err archived_rewind(struct bw_archived *a, struct bw_why *why)
{
	char line[HEADER_LINE_BYTES];

	if (lseek(a->fd, 0, SEEK_SET) != 0 || ZSTD_isError(ZSTD_DCtx_reset(a->z, ZSTD_reset_session_only)))
		return agent_fail_errno(a->name, "could not be read from its start", why);
	a->in = (ZSTD_inBuffer){ a->packed, 0, 0 };
	a->at = a->n = 0;
	a->wanted = 1;
	enum bw_err err = expect_line(a, FIRST_LINE, line, why);

	if (err == BW_OK)
		err = expect_line(a, "mta ", line, why);
	if (err == BW_OK)
		err = expect_line(a, "queue-id ", line, why);
	if (err == BW_OK) {
		struct bw_slice rest = bw_slice_of(line), word, id = BW_S(""), seal = BW_S(""), config = BW_S("config="), found = BW_S("");

		bw_slice_word(&rest, &word);
		bw_slice_word(&rest, &id);
		while (bw_slice_word(&rest, &word)) {
			if (bw_slice_equal(bw_slice_head(word, config.n), config))
				found = bw_slice_from(word, config.n);
			else if (word.n == BW_SEAL_HEX_BYTES - 1)
				seal = word;
		}
		bw_slice_copy(id, a->queue_id, sizeof(a->queue_id));
		bw_slice_copy(seal, a->seal, sizeof(a->seal));
		bw_slice_copy(found, a->config, sizeof(a->config));
	}
	return err;
}

const char *archived_seal(const struct bw_archived *a)
{
	return a->seal;
}

const char *archived_queue_id(const struct bw_archived *a)
{
	return a->queue_id;
}

const char *archived_config(const struct bw_archived *a)
{
	return a->config;
}

static enum bw_err open_named(int dir, const char *name, struct bw_archived **out, struct bw_why *why)
{
	struct bw_archived *a = calloc(1, sizeof(*a));
	enum bw_err err = BW_OK;

	if (a == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory to read an archive");
	bw_slice_copy(bw_slice_of(name), a->name, sizeof(a->name));
	a->z = ZSTD_createDCtx();
	a->fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (a->z == NULL)
		err = bw_fail(why, BW_ERR_MEMORY, "no memory to read an archive");
	else if (a->fd < 0)
		err = errno == ENOENT ? bw_fail(why, BW_ERR_NOT_FOUND, "%s is not in the archive (any more)", name)
		                      : agent_fail_errno(name, "could not be opened", why);
	if (err == BW_OK)
		err = archived_rewind(a, why);
	if (err == BW_OK)
		*out = a;
	else
		archived_close(&a);
	return err;
}

/* What root restores, root has written: whoever owns the archive's directory may have put something else there. */
static enum bw_err check_hands(const struct bw_archived *a, struct bw_why *why)
{
	struct stat st;

	if (fstat(a->fd, &st) != 0)
		return agent_fail_errno(a->name, "could not be looked at", why);
	if (geteuid() == 0 && st.st_uid != 0)
		return bw_fail(why, BW_ERR_PERMISSION, "%s was written by uid %u: it is restored by an order (hold.order_key), not as root", a->name,
		               (unsigned)st.st_uid);
	return BW_OK;
}

enum bw_err archived_open(int dir, const struct bw_hash *id, struct bw_archived **out, struct bw_why *why)
{
	char name[ARCHIVE_NAME_BYTES];

	archive_name(id, ARCHIVE_MESSAGE, name);
	enum bw_err err = open_named(dir, name, out, why);

	if (err == BW_OK)
		err = check_hands(*out, why);
	if (err != BW_OK && *out != NULL)
		archived_close(out);
	return err;
}

void archived_close(struct bw_archived **a)
{
	if (*a == NULL)
		return;
	if ((*a)->fd >= 0)
		close((*a)->fd);
	ZSTD_freeDCtx((*a)->z);
	free(*a);
	*a = NULL;
}

/* "file NAME MODE UID GID BYTES"; the mode is octal. */
static bool read_file_line(const char *line, struct archived_file *out)
{
	struct bw_slice rest = bw_slice_of(line), word, mode;
	int64_t uid, gid;

	if (!bw_slice_word(&rest, &word) || !bw_slice_equal(word, BW_S("file")) || !bw_slice_word(&rest, &word) ||
	    word.n >= sizeof(out->name) || word.p[0] == '.' || bw_slice_find(word, '/') < word.n)
		return false;
	bw_slice_copy(word, out->name, sizeof(out->name));
	if (!bw_slice_word(&rest, &mode) || mode.n > 4 || !bw_slice_word(&rest, &word) || !bw_parse_int(word, &uid) ||
	    !bw_slice_word(&rest, &word) || !bw_parse_int(word, &gid) || !bw_slice_word(&rest, &word) ||
	    !bw_parse_int(word, &out->bytes) || bw_slice_word(&rest, &word))
		return false;
	out->mode = 0;
	for (size_t i = 0; i < mode.n; i++) {
		if (mode.p[i] < '0' || mode.p[i] > '7')
			return false;
		out->mode = out->mode * 8 + (mode_t)(mode.p[i] - '0');
	}
	out->uid = (uid_t)uid;
	out->gid = (gid_t)gid;
	return out->bytes >= 0 && uid >= 0 && uid < UINT32_MAX && gid >= 0 && gid < UINT32_MAX;
}

/* The checksum stands behind the last byte, and nothing behind that. */
static bool is_complete(struct bw_archived *a)
{
	char more;

	while (a->at == a->n && a->wanted != 0) {
		ZSTD_outBuffer out = { &more, 1, 0 };

		if (a->in.pos == a->in.size) {
			ssize_t n = read(a->fd, a->packed, sizeof(a->packed));

			if (n <= 0)
				return false;
			a->in = (ZSTD_inBuffer){ a->packed, (size_t)n, 0 };
		}
		a->wanted = ZSTD_decompressStream(a->z, &out, &a->in);
		if (ZSTD_isError(a->wanted) || out.pos > 0)
			return false;
	}
	return a->at == a->n;
}

enum bw_err archived_next(struct bw_archived *a, struct archived_file *out, struct bw_why *why)
{
	char line[HEADER_LINE_BYTES];
	struct archived_file file;
	enum bw_err err = take_line(a, line, why);

	if (err != BW_OK)
		return err;
	if (strcmp(line, "end") == 0) {
		if (!is_complete(a))
			return bw_fail(why, BW_ERR_CORRUPT, "%s: has no good end", a->name);
		return bw_fail(why, BW_ERR_NOT_FOUND, "%s: no further file", a->name);
	}
	if (!read_file_line(line, &file))
		return bw_fail(why, BW_ERR_CORRUPT, "%s: a line that no archive has", a->name);
	*out = file;
	return BW_OK;
}

enum bw_err archived_copy(struct bw_archived *a, const struct archived_file *file, int fd, struct bw_why *why)
{
	int64_t left = file->bytes;
	enum bw_err err = BW_OK;

	while (err == BW_OK && left > 0) {
		if (a->at == a->n)
			err = fill(a, why);
		if (err != BW_OK)
			break;
		size_t n = a->n - a->at;

		if ((int64_t)n > left)
			n = (size_t)left;
		if (fd >= 0)
			err = agent_write(fd, a->plain + a->at, n, file->name, why);
		a->at += n;
		left -= (int64_t)n;
	}
	return err;
}

static enum bw_err verify(int dir, const char *name, const struct archive_source *from, struct bw_why *why)
{
	struct bw_archived *a = NULL;
	struct archived_file file;
	size_t count = 0;
	enum bw_err err = open_named(dir, name, &a, why);

	while (err == BW_OK) {
		err = archived_next(a, &file, why);
		if (err == BW_OK && (count >= from->count || strcmp(file.name, from->files[count].name) != 0))
			err = bw_fail(why, BW_ERR_CORRUPT, "%s: was not written as it was meant", name);
		count++;
		if (err == BW_OK)
			err = archived_copy(a, &file, -1, why);
	}
	archived_close(&a);
	if (err == BW_ERR_NOT_FOUND && count == from->count + 1)
		return BW_OK;
	return err == BW_ERR_NOT_FOUND ? bw_fail(why, BW_ERR_CORRUPT, "%s: was not written as it was meant", name) : err;
}
