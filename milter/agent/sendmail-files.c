/* Sendmail's queue files: a message is two, dfID (body) and a control file with envelope and header, which is called hfID while it is
 * quarantined and qfID otherwise (doc/op: "The Queue File Format"). Who works on a message holds a lock (flock) on its control file. There
 * is no command that removes one message; its own contrib/qtool.pl removes the files under that lock, and so is it done here. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "bw/parse.h"
#include "files.h"
#include "order.h"
#include "reading.h"
#include "sendmail-queue.h"
#include "sendmail.h"

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

/* Reads the control file of that kind, "qf" or "hf". False: it is not there (any more). */
static bool read_file(struct reading *r, int dir, const char *kind, const char *queue_id)
{
	char name[SENDMAIL_NAME_BYTES];

	sendmail_file_name(kind, queue_id, name);
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return false;
	reading_start(r, bw_slice_of(queue_id));
	read_control(r, fd);
	close(fd);
	return true;
}

/* A message that is not quarantined: when it came. */
static bool read_arrival(struct reading *r, int dir, const char *queue_id)
{
	if (!read_file(r, dir, "qf", queue_id))
		return false;
	r->in_it = false;
	const struct bw_queued row = { .queue_id = bw_slice_of(queue_id), .arrived_ms = r->arrived_ms };

	if (!r->stopped)
		r->stopped = !r->each(r->ctx, &row);
	return true;
}

/* One that is. */
static bool read_message(struct reading *r, int dir, const char *queue_id)
{
	if (!read_file(r, dir, "hf", queue_id))
		return false;
	reading_end(r);
	return true;
}

/* Quarantined or not, wherever it is. */
static bool read_any(struct reading *r, const struct sendmail_queue *queue, const char *queue_id)
{
	bool found = false;

	for (size_t i = 0; i < queue->count && !found; i++)
		found = read_message(r, queue->at[i].control, queue_id) || read_arrival(r, queue->at[i].control, queue_id);
	return found;
}

enum bw_err bw_agent_sendmail_look(const struct bw_mta_place *place, const struct bw_key *key, const char *queue_id,
                                   BW_EACH(struct bw_queued), struct bw_why *why)
{
	struct reading r;
	struct sendmail_queue queue;
	enum bw_err err = sendmail_queue_open(place, &queue, why);

	if (err != BW_OK)
		return err;
	reading_init(&r, key, each, ctx);
	/* Twice: it may be renamed between the two names. */
	if (!read_any(&r, &queue, queue_id) && !read_any(&r, &queue, queue_id))
		err = bw_fail(why, BW_ERR_NOT_FOUND, "%s is not in Sendmail's quarantine any more, nor elsewhere in its queue", queue_id);
	reading_done(&r);
	sendmail_queue_close(&queue);
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

static enum bw_err walk_directory(struct reading *r, const struct sendmail_directory *d, struct bw_why *why)
{
	int own = openat(d->control, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *all = own < 0 ? NULL : fdopendir(own);
	struct dirent *entry;

	if (all == NULL) {
		if (own >= 0)
			close(own);
		return agent_fail_errno(d->path, "could not be read", why);
	}
	while (!r->stopped && (entry = readdir(all)) != NULL) {
		if (strlen(entry->d_name) > 2)
			walk_one(r, d->control, entry->d_name);
	}
	closedir(all);
	return BW_OK;
}

enum bw_err bw_agent_sendmail_each(const struct bw_mta_place *place, const struct bw_key *key, BW_EACH(struct bw_queued),
                                   struct bw_why *why)
{
	struct reading r;
	struct sendmail_queue queue;
	enum bw_err err = sendmail_queue_open(place, &queue, why);

	if (err != BW_OK)
		return err;
	reading_init(&r, key, each, ctx);
	for (size_t i = 0; err == BW_OK && i < queue.count; i++)
		err = walk_directory(&r, &queue.at[i], why);
	reading_done(&r);
	sendmail_queue_close(&queue);
	return err;
}

/* --- files --- */

static enum bw_err name_files(const struct sendmail_queue *queue, const char *queue_id, struct bw_queue_file *files, struct bw_why *why)
{
	static const char *const kinds[BW_QUEUE_FILES_MAX] = { "hf", "df" };

	for (size_t i = 0; i < BW_QUEUE_FILES_MAX; i++) {
		if (sendmail_queue_path(queue, kinds[i], queue_id, files[i].path)) {
			files[i].name = kinds[i];
			continue;
		}
		if (i > 0)
			return bw_fail(why, BW_ERR_IO, "%s: its data file is not there", files[0].path);
		return bw_fail(why, BW_ERR_NOT_FOUND, "%s is not in Sendmail's quarantine any more", queue_id);
	}
	return BW_OK;
}

/* One part alone is not the message. */
enum bw_err bw_agent_sendmail_files(const struct bw_mta_place *place, const char *queue_id,
                                    struct bw_queue_file files[BW_QUEUE_FILES_MAX], size_t *count, struct bw_why *why)
{
	struct sendmail_queue queue;
	struct sendmail_parts parts = { .count = 0 };
	enum bw_err err = sendmail_queue_open(place, &queue, why);

	if (err != BW_OK)
		return err;
	err = name_files(&queue, queue_id, files, why);
	if (err == BW_OK)
		err = sendmail_queue_parts(&queue, queue_id, "hf", &parts, why);
	if (err == BW_OK && parts.count > 1)
		err = bw_fail(why, BW_ERR_LIMIT,
		              "%s is one of %zu parts that Sendmail has made of a message, which no order can delete: only root, without orders; nothing is deleted",
		              queue_id, parts.count);
	if (err == BW_OK)
		*count = BW_QUEUE_FILES_MAX;
	free(parts.at);
	sendmail_queue_close(&queue);
	return err;
}

/* The message's own two files, then the control files of the other parts under their own names: they share the body. */
static enum bw_err name_all(const struct sendmail_queue *queue, const struct sendmail_parts *parts, struct bw_queue_file *files,
                            size_t *count, struct bw_why *why)
{
	enum bw_err err = name_files(queue, parts->at[parts->count - 1], files, why);
	size_t n = BW_QUEUE_FILES_MAX;

	for (size_t i = 0; err == BW_OK && i + 1 < parts->count; i++) {
		if (!sendmail_queue_path(queue, "hf", parts->at[i], files[n].path))
			continue;
		files[n].name = strrchr(files[n].path, '/') + 1;
		n++;
	}
	if (err == BW_OK)
		*count = n;
	return err;
}

enum bw_err bw_agent_sendmail_files_all(const struct bw_mta_place *place, const char *queue_id, struct bw_queue_file **files,
                                        size_t *count, struct bw_why *why)
{
	struct sendmail_queue queue;
	struct sendmail_parts parts = { .count = 0 };
	struct bw_queue_file *all = NULL;
	enum bw_err err = sendmail_queue_open(place, &queue, why);

	if (err != BW_OK)
		return err;
	err = sendmail_queue_parts(&queue, queue_id, "hf", &parts, why);
	if (err == BW_OK) {
		all = calloc(parts.count + BW_QUEUE_FILES_MAX, sizeof(*all));
		for (size_t i = 0; all != NULL && i < parts.count + BW_QUEUE_FILES_MAX; i++)
			all[i] = BW_QUEUE_FILE_NONE;
		err = all == NULL ? bw_fail(why, BW_ERR_MEMORY, "no memory for %zu parts of a message", parts.count)
		                  : name_all(&queue, &parts, all, count, why);
	}
	if (err == BW_OK)
		*files = all;
	else
		free(all);
	free(parts.at);
	sendmail_queue_close(&queue);
	return err;
}

/* The control file goes first: a body alone is no message, but garbage that Sendmail sweeps. */
static enum bw_err drop_locked(const struct sendmail_queue *queue, const struct sendmail_directory *d, int control, const char *queue_id,
                               struct bw_why *why)
{
	const struct sendmail_directory *has_body = sendmail_queue_find(queue, "df", queue_id);
	char name[SENDMAIL_NAME_BYTES], body[SENDMAIL_NAME_BYTES];

	sendmail_file_name("hf", queue_id, name);
	sendmail_file_name("df", queue_id, body);
	if (flock(control, LOCK_EX | LOCK_NB) != 0)
		return bw_fail(why, BW_ERR_IO, "%s: Sendmail is at work on it; try again", name);
	if (unlinkat(d->control, name, 0) != 0)
		return agent_fail_errno(name, "could not be removed", why);
	if (has_body != NULL && unlinkat(has_body->body, body, 0) != 0 && errno != ENOENT)
		return agent_fail_errno(body, "could not be removed", why);
	return fsync(d->control) == 0 ? BW_OK : agent_fail_errno(name, "could not be removed from the disk", why);
}

static enum bw_err drop_part(const struct sendmail_queue *queue, const char *queue_id, struct bw_why *why)
{
	const struct sendmail_directory *d = sendmail_queue_find(queue, "hf", queue_id);
	char name[SENDMAIL_NAME_BYTES];

	if (d == NULL)
		return bw_fail(why, BW_ERR_NOT_FOUND, "%s is not in Sendmail's quarantine any more", queue_id);
	sendmail_file_name("hf", queue_id, name);
	int control = openat(d->control, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	enum bw_err err = control < 0 ? agent_fail_errno(name, "could not be opened", why) : drop_locked(queue, d, control, queue_id, why);

	if (control >= 0)
		close(control);
	return err;
}

/* All parts, the one that the ledger names last: while it is there, the others are found again. */
enum bw_err bw_agent_sendmail_drop(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	struct sendmail_queue queue;
	struct sendmail_parts parts = { .count = 0 };
	enum bw_err err = sendmail_queue_open(place, &queue, why);

	if (err != BW_OK)
		return err;
	err = sendmail_queue_parts(&queue, queue_id, "hf", &parts, why);
	for (size_t i = 0; err == BW_OK && i < parts.count; i++)
		err = drop_part(&queue, parts.at[i], why);
	free(parts.at);
	sendmail_queue_close(&queue);
	return err;
}

enum bw_err bw_agent_sendmail_parts(const struct bw_mta_place *place, const char *queue_id, const char *kind, struct sendmail_parts *out,
                                    struct bw_why *why)
{
	struct sendmail_queue queue;
	enum bw_err err = sendmail_queue_open(place, &queue, why);

	if (err != BW_OK)
		return err;
	err = sendmail_queue_parts(&queue, queue_id, kind, out, why);
	sendmail_queue_close(&queue);
	return err;
}

/* --- back --- */

/* Into the first directory: which it was is of no meaning to Sendmail, and it may be gone. */
struct putting {
	const struct sendmail_queue *queue;
	const struct sendmail_directory *to;
	const char *queue_id;
};

/* A message of that id, quarantined or not: an attempt before this one has brought it back. */
static bool is_there(const struct putting *p, const char *queue_id)
{
	return sendmail_queue_find(p->queue, "hf", queue_id) != NULL || sendmail_queue_find(p->queue, "qf", queue_id) != NULL;
}

/* Under a name that Sendmail does not look at ("xx..." is none of its kinds) until it is whole and on the disk. */
static enum bw_err put_file(const struct putting *p, struct bw_archived *from, const struct archived_file *file, const char *name,
                            struct bw_why *why)
{
	int dir = strncmp(name, "df", 2) == 0 ? p->to->body : p->to->control;
	char temporary[SENDMAIL_NAME_BYTES];

	sendmail_file_name("xx", name + 2, temporary);
	unlinkat(dir, temporary, 0);
	int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return agent_fail_errno(temporary, "could not be made in the queue", why);
	enum bw_err err = archived_copy(from, file, fd, why);

	if (err == BW_OK && (fchown(fd, file->uid, file->gid) != 0 || fchmod(fd, file->mode) != 0 || fsync(fd) != 0))
		err = agent_fail_errno(name, "could not be written as its owner's", why);
	close(fd);
	if (err == BW_OK && (renameat(dir, temporary, dir, name) != 0 || fsync(dir) != 0))
		err = agent_fail_errno(name, "could not be given its name", why);
	if (err != BW_OK)
		unlinkat(dir, temporary, 0);
	return err;
}

/* What becomes of one file of the archive in one of the passes over it; without a name it is passed by. */
typedef enum bw_err name_fn(const struct putting *p, const char *archived, char name[SENDMAIL_NAME_BYTES], struct bw_why *why);

static enum bw_err name_body(const struct putting *p, const char *archived, char name[SENDMAIL_NAME_BYTES], struct bw_why *why)
{
	(void)why;
	if (strcmp(archived, "df") == 0)
		sendmail_file_name("df", p->queue_id, name);
	return BW_OK;
}

/* Two open files with the same bytes, or one with two names. */
static bool have_same_bytes(int a, int b)
{
	char of_a[8192], of_b[sizeof(of_a)];

	for (off_t at = 0;;) {
		ssize_t n = pread(a, of_a, sizeof(of_a), at), m = pread(b, of_b, sizeof(of_b), at);

		if (n < 0 || n != m || memcmp(of_a, of_b, (size_t)n) != 0)
			return false;
		if (n == 0)
			return true;
		at += n;
	}
}

/* Is what has the name of a part's body somebody else's? */
static bool is_other_body(int dir, const char *own, const char *link)
{
	int a = openat(dir, own, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int b = openat(dir, link, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool other = (b >= 0 || errno != ENOENT) && !(a >= 0 && b >= 0 && have_same_bytes(a, b));

	if (a >= 0)
		close(a);
	if (b >= 0)
		close(b);
	return other;
}

/* The body gets one more name, as Sendmail gives it. An attempt before this one may have given that name to a body of its own, and parts that
 * do not share one are not found together. */
static enum bw_err share_body(const struct putting *p, const char *queue_id, struct bw_why *why)
{
	char own[SENDMAIL_NAME_BYTES], link[SENDMAIL_NAME_BYTES], temporary[SENDMAIL_NAME_BYTES];
	int dir = p->to->body;

	sendmail_file_name("df", p->queue_id, own);
	sendmail_file_name("df", queue_id, link);
	sendmail_file_name("xx", queue_id, temporary);
	if (is_other_body(dir, own, link))
		return bw_fail(why, BW_ERR_IO, "%s: another message's body has this name", link);
	unlinkat(dir, temporary, 0);
	if (linkat(dir, own, dir, temporary, 0) != 0 || renameat(dir, temporary, dir, link) != 0)
		return agent_fail_errno(link, "could not be given its name", why);
	/* Two names of one file are left as they are (rename(2)). */
	unlinkat(dir, temporary, 0);
	return BW_OK;
}

/* A further part. One that is quarantined where it would be put is a part that is back already; one elsewhere is left alone. */
static enum bw_err name_part(const struct putting *p, const char *archived, char name[SENDMAIL_NAME_BYTES], struct bw_why *why)
{
	if (strlen(archived) <= 2)
		return BW_OK;
	if (strncmp(archived, "hf", 2) != 0 || !bw_agent_sendmail_is_id(archived + 2))
		return bw_fail(why, BW_ERR_CORRUPT, "the archive has a file \"%s\", which Sendmail has not", archived);
	bool there = is_there(p, archived + 2), ours = sendmail_queue_find(p->queue, "hf", archived + 2) == p->to;

	if (there && !ours)
		return BW_OK;
	enum bw_err err = share_body(p, archived + 2, why);

	if (err == BW_OK && !there)
		bw_slice_copy(bw_slice_of(archived), name, SENDMAIL_NAME_BYTES);
	return err;
}

static enum bw_err name_control(const struct putting *p, const char *archived, char name[SENDMAIL_NAME_BYTES], struct bw_why *why)
{
	(void)why;
	if (strcmp(archived, "hf") == 0)
		sendmail_file_name("hf", p->queue_id, name);
	return BW_OK;
}

static enum bw_err put_pass(const struct putting *p, struct bw_archived *from, name_fn *name_it, struct bw_why *why)
{
	struct archived_file file;
	enum bw_err err = archived_rewind(from, why);

	while (err == BW_OK) {
		char name[SENDMAIL_NAME_BYTES] = "";

		err = archived_next(from, &file, why);
		if (err != BW_OK)
			break;
		if (strcmp(file.name, "hf") != 0 && strcmp(file.name, "df") != 0 && strlen(file.name) <= 2)
			return bw_fail(why, BW_ERR_CORRUPT, "the archive has a file \"%s\", which Sendmail has not", file.name);
		err = name_it(p, file.name, name, why);
		if (err == BW_OK)
			err = name[0] != '\0' ? put_file(p, from, &file, name, why) : archived_copy(from, &file, -1, why);
	}
	return err == BW_ERR_NOT_FOUND ? BW_OK : err;
}

/* The body must be there before any control file, and the control file that the ledger names comes last: once it is there, all is. */
enum bw_err bw_agent_sendmail_put(const struct bw_mta_place *place, struct bw_archived *from, char queue_id[BW_QUEUE_ID_BYTES],
                                  enum bw_err (*note)(void *ctx, const char *queue_id, struct bw_why *why), void *ctx,
                                  struct bw_why *why)
{
	static name_fn *const passes[] = { name_body, name_part, name_control };
	struct sendmail_queue queue;
	enum bw_err err = sendmail_queue_open(place, &queue, why);

	if (err != BW_OK)
		return err;
	const struct putting p = { &queue, &queue.at[0], queue_id };

	if (!is_there(&p, queue_id)) {
		err = note(ctx, queue_id, why);
		for (size_t i = 0; err == BW_OK && i < sizeof(passes) / sizeof(passes[0]); i++)
			err = put_pass(&p, from, passes[i], why);
	}
	sendmail_queue_close(&queue);
	return err;
}
