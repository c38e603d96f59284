/* Sendmail's queue files: a message is two, dfID (body) and a control file with envelope and header, which is called hfID while it is
 * quarantined and qfID otherwise (doc/op: "The Queue File Format"). Who works on a message holds a lock (flock) on its control file. There
 * is no command that removes one message; its own contrib/qtool.pl removes the files under that lock, and so is it done here. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "bw/parse.h"
#include "files.h"
#include "order.h"
#include "reading.h"
#include "sendmail.h"

#define QUEUE "/var/spool/mqueue"

enum { NAME_BYTES = BW_QUEUE_ID_BYTES + ARCHIVE_FILE_NAME_BYTES };

static const char *queue_of(const struct bw_mta_place *place)
{
	return place->queue != NULL ? place->queue : QUEUE;
}

static enum bw_err open_queue(const struct bw_mta_place *place, int *dir, struct bw_why *why)
{
	int fd = open(queue_of(place), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		enum bw_err err = agent_fail_errno(queue_of(place), "Sendmail's queue could not be opened (hold.sendmail_queue)", why);

		return err == BW_ERR_NOT_FOUND ? BW_ERR_IO : err;
	}
	*dir = fd;
	return BW_OK;
}

static void name_of(const char *kind, const char *queue_id, char out[NAME_BYTES])
{
	snprintf(out, NAME_BYTES, "%s%s", kind, queue_id);
}

/* --- what stands in them --- */

/* A line of the control file: "T" and when it came, "S<sender>", "RPFD:<recipient>" (flags in front of a colon), "q" and the reason of the quarantine,
 * "H?flags?Name: value". */
static void read_line(struct reading *r, struct bw_slice line)
{
	struct bw_slice rest = bw_slice_from(line, 1);
	int64_t seconds;
	size_t at;

	switch (line.n > 0 ? line.p[0] : '\0') {
	case 'S':
		bw_buf_reset(&r->sender);
		if (rest.n >= 2 && rest.p[0] == '<' && rest.p[rest.n - 1] == '>')
			rest = bw_slice_head(bw_slice_from(rest, 1), rest.n - 2);
		bw_buf_add(&r->sender, rest);
		break;
	case 'T':
		if (bw_parse_int(bw_slice_trim(rest), &seconds) && seconds > 0 && seconds < INT64_MAX / 1000)
			r->arrived_ms = seconds * 1000;
		break;
	case 'R':
		at = bw_slice_find(rest, ':');
		rest = bw_slice_from(rest, at < rest.n ? at + 1 : 0);
		if (rest.n >= 2 && rest.p[0] == '<' && rest.p[rest.n - 1] == '>')
			rest = bw_slice_head(bw_slice_from(rest, 1), rest.n - 2);
		reading_recipient(r, rest);
		break;
	case 'H':
		at = bw_slice_find(bw_slice_from(rest, 1), '?');
		if (rest.n > 0 && rest.p[0] == '?' && at + 2 <= rest.n)
			rest = bw_slice_from(rest, at + 2);
		reading_header(r, rest);
		break;
	default:
		break;
	}
}

static void read_control(struct reading *r, int fd)
{
	char bytes[8192];
	struct bw_buf line;
	ssize_t n;

	bw_buf_init(&line, LINE_BYTES);
	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		struct bw_slice rest = { bytes, (size_t)n };

		for (size_t end = bw_slice_find(rest, '\n'); end < rest.n; end = bw_slice_find(rest, '\n')) {
			bw_buf_add(&line, bw_slice_head(rest, end));
			read_line(r, bw_buf_slice(&line));
			bw_buf_reset(&line);
			rest = bw_slice_from(rest, end + 1);
		}
		bw_buf_add(&line, rest);
	}
	bw_buf_done(&line);
}

/* A message that is not quarantined: when it came. False: it is not there (any more). */
static bool read_arrival(struct reading *r, int dir, const char *queue_id)
{
	char name[NAME_BYTES];

	name_of("qf", queue_id, name);
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return false;
	reading_start(r, bw_slice_of(queue_id));
	read_control(r, fd);
	close(fd);
	r->in_it = false;
	const struct bw_queued row = { .queue_id = bw_slice_of(queue_id), .arrived_ms = r->arrived_ms };

	if (!r->stopped)
		r->stopped = !r->each(r->ctx, &row);
	return true;
}

/* The same of one that is. */
static bool read_message(struct reading *r, int dir, const char *queue_id)
{
	char name[NAME_BYTES];

	name_of("hf", queue_id, name);
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return false;
	reading_start(r, bw_slice_of(queue_id));
	read_control(r, fd);
	close(fd);
	reading_end(r);
	return true;
}

enum bw_err bw_agent_sendmail_look(const struct bw_mta_place *place, const struct bw_key *key, const char *queue_id,
                                   BW_EACH(struct bw_queued), struct bw_why *why)
{
	struct reading r;
	int dir = -1;
	enum bw_err err = open_queue(place, &dir, why);

	if (err != BW_OK)
		return err;
	reading_init(&r, key, each, ctx);
	if (!read_message(&r, dir, queue_id) && !read_arrival(&r, dir, queue_id) && !read_message(&r, dir, queue_id))
		err = bw_fail(why, BW_ERR_NOT_FOUND, "%s is not in Sendmail's quarantine any more, nor elsewhere in its queue", queue_id);
	reading_done(&r);
	close(dir);
	return err;
}

static void walk_one(struct reading *r, int dir, const char *name)
{
	if (strlen(name) >= BW_QUEUE_ID_BYTES || !bw_agent_sendmail_is_id(name + 2))
		return;
	if (strncmp(name, "hf", 2) == 0)
		read_message(r, dir, name + 2);
	else if (strncmp(name, "qf", 2) == 0)
		read_arrival(r, dir, name + 2);
}

enum bw_err bw_agent_sendmail_each(const struct bw_mta_place *place, const struct bw_key *key, BW_EACH(struct bw_queued),
                                   struct bw_why *why)
{
	struct reading r;
	struct dirent *entry;
	int dir = -1;
	enum bw_err err = open_queue(place, &dir, why);
	DIR *all = err == BW_OK ? fdopendir(dir) : NULL;

	if (err != BW_OK)
		return err;
	if (all == NULL) {
		close(dir);
		return agent_fail_errno(queue_of(place), "could not be read", why);
	}
	reading_init(&r, key, each, ctx);
	while (!r.stopped && (entry = readdir(all)) != NULL) {
		if (strlen(entry->d_name) > 2)
			walk_one(&r, dir, entry->d_name);
	}
	reading_done(&r);
	closedir(all);
	return BW_OK;
}

/* --- files --- */

enum bw_err bw_agent_sendmail_files(const struct bw_mta_place *place, const char *queue_id,
                                    struct bw_queue_file files[BW_QUEUE_FILES_MAX], size_t *count, struct bw_why *why)
{
	static const char *const kinds[BW_QUEUE_FILES_MAX] = { "hf", "df" };
	struct stat st;

	for (size_t i = 0; i < BW_QUEUE_FILES_MAX; i++) {
		if (snprintf(files[i].path, BW_PATH_BYTES, "%s/%s%s", queue_of(place), kinds[i], queue_id) >= BW_PATH_BYTES)
			return bw_fail(why, BW_ERR_INPUT, "%s: the path is too long", queue_of(place));
		if (lstat(files[i].path, &st) != 0 && errno == ENOENT && i > 0)
			return bw_fail(why, BW_ERR_IO, "%s: its data file is not beside it", files[0].path);
		if (lstat(files[i].path, &st) != 0 && errno == ENOENT)
			return bw_fail(why, BW_ERR_NOT_FOUND, "%s is not in Sendmail's quarantine any more", queue_id);
		files[i].name = kinds[i];
	}
	*count = BW_QUEUE_FILES_MAX;
	return BW_OK;
}

/* The control file goes first: a body alone is no message, but garbage that Sendmail sweeps. */
static enum bw_err drop_locked(int dir, int control, const char *queue_id, struct bw_why *why)
{
	char name[NAME_BYTES], body[NAME_BYTES];

	name_of("hf", queue_id, name);
	name_of("df", queue_id, body);
	if (flock(control, LOCK_EX | LOCK_NB) != 0)
		return bw_fail(why, BW_ERR_IO, "%s: Sendmail is at work on it; try again", name);
	if (unlinkat(dir, name, 0) != 0)
		return agent_fail_errno(name, "could not be removed", why);
	if (unlinkat(dir, body, 0) != 0 && errno != ENOENT)
		return agent_fail_errno(body, "could not be removed", why);
	return fsync(dir) == 0 ? BW_OK : agent_fail_errno(name, "could not be removed from the disk", why);
}

enum bw_err bw_agent_sendmail_drop(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	char name[NAME_BYTES];
	int dir = -1;
	enum bw_err err = open_queue(place, &dir, why);

	if (err != BW_OK)
		return err;
	name_of("hf", queue_id, name);
	int control = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	err = control < 0 ? agent_fail_errno(name, "could not be opened", why) : drop_locked(dir, control, queue_id, why);
	if (control >= 0)
		close(control);
	close(dir);
	return err;
}

/* --- back --- */

struct putting {
	int dir;
	const char *queue_id;
	enum bw_err (*note)(void *ctx, const char *queue_id, struct bw_why *why);
	void *ctx;
};

/* Under a name that Sendmail does not look at ("xx..." is none of its kinds) until it is whole and on the disk. */
static enum bw_err put_file(const struct putting *p, struct bw_archived *from, const struct archived_file *file, struct bw_why *why)
{
	char name[NAME_BYTES], temporary[NAME_BYTES];

	name_of(file->name, p->queue_id, name);
	name_of("xx", p->queue_id, temporary);
	unlinkat(p->dir, temporary, 0);
	int fd = openat(p->dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return agent_fail_errno(temporary, "could not be made in the queue", why);
	enum bw_err err = archived_copy(from, file, fd, why);

	if (err == BW_OK && (fchown(fd, file->uid, file->gid) != 0 || fchmod(fd, file->mode) != 0 || fsync(fd) != 0))
		err = agent_fail_errno(name, "could not be written as its owner's", why);
	close(fd);
	if (err == BW_OK && (renameat(p->dir, temporary, p->dir, name) != 0 || fsync(p->dir) != 0))
		err = agent_fail_errno(name, "could not be given its name", why);
	if (err != BW_OK)
		unlinkat(p->dir, temporary, 0);
	return err;
}

/* The archive has the control file first, and the message is there once that has its name; so the body must be there before. The
 * archive is read twice: to its end, for the body, and again for the control file. */
static enum bw_err put_kind(const struct putting *p, struct bw_archived *from, const char *kind, struct bw_why *why)
{
	struct archived_file file;
	enum bw_err err = archived_rewind(from, why);

	while (err == BW_OK) {
		err = archived_next(from, &file, why);
		if (err == BW_OK && strcmp(file.name, "hf") != 0 && strcmp(file.name, "df") != 0)
			return bw_fail(why, BW_ERR_CORRUPT, "the archive has a file \"%s\", which Sendmail has not", file.name);
		if (err == BW_OK)
			err = strcmp(file.name, kind) == 0 ? put_file(p, from, &file, why) : archived_copy(from, &file, -1, why);
	}
	return err == BW_ERR_NOT_FOUND ? BW_OK : err;
}

/* A message of that id, quarantined or not: an attempt before this one has brought it back. */
static bool is_there(int dir, const char *queue_id)
{
	static const char *const kinds[] = { "hf", "qf" };
	char name[NAME_BYTES];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		name_of(kinds[i], queue_id, name);
		if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	}
	return false;
}

enum bw_err bw_agent_sendmail_put(const struct bw_mta_place *place, struct bw_archived *from, char queue_id[BW_QUEUE_ID_BYTES],
                                  enum bw_err (*note)(void *ctx, const char *queue_id, struct bw_why *why), void *ctx,
                                  struct bw_why *why)
{
	struct putting p = { .dir = -1, .queue_id = queue_id, .note = note, .ctx = ctx };
	enum bw_err err = open_queue(place, &p.dir, why);

	if (err != BW_OK)
		return err;
	if (!is_there(p.dir, queue_id)) {
		err = note(ctx, queue_id, why);
		if (err == BW_OK)
			err = put_kind(&p, from, "df", why);
		if (err == BW_OK)
			err = put_kind(&p, from, "hf", why);
	}
	close(p.dir);
	return err;
}
