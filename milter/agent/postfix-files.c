/* Postfix's queue files: one a message, hold/ID (postfix-queue.c). Its name is the queue id; while its owner may not execute
 * it, it is being written, and every program of Postfix passes it by (global/mail_queue.h, MAIL_QUEUE_STAT_READY). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "files.h"
#include "order.h"
#include "postfix.h"

enum bw_err bw_agent_postfix_files(const struct bw_mta_place *place, const char *queue_id,
                                   struct bw_queue_file files[BW_QUEUE_FILES_MAX], size_t *count, struct bw_why *why)
{
	struct postfix_queue queue;
	struct stat st;
	enum bw_err err = bw_agent_postfix_queue(place, &queue, why);

	if (err == BW_OK)
		err = bw_agent_postfix_path(&queue, POSTFIX_HOLD, queue_id, files[0].path, why);
	if (err == BW_OK && lstat(files[0].path, &st) != 0)
		err = errno == ENOENT ? bw_fail(why, BW_ERR_NOT_FOUND, "%s is not in Postfix's hold queue any more", queue_id)
		                      : agent_fail_errno(files[0].path, "could not be looked at", why);
	/* Postfix sees it only when it is complete (mail_queue(3): owner execute permission); one that is not is what a killed put has left. */
	if (err == BW_OK && (st.st_mode & S_IXUSR) == 0)
		err = bw_fail(why, BW_ERR_NOT_FOUND, "%s is not complete in Postfix's hold queue", queue_id);
	if (err == BW_OK) {
		files[0].name = "message";
		*count = 1;
	}
	return err;
}

/* Long ids (enable_long_queue_ids) have a "z" in front of the inode and are unique for ever; a short one is unique only while it has its
 * file's inode number in it. So a restored file gets the name that `postsuper -s` would give it. */
static void name_for(const struct stat *st, const char *queue_id, char out[BW_QUEUE_ID_BYTES])
{
	if (bw_agent_postfix_is_long(queue_id))
		bw_slice_copy(bw_slice_of(queue_id), out, BW_QUEUE_ID_BYTES);
	else
		snprintf(out, BW_QUEUE_ID_BYTES, "%.*s%lX", (int)POSTFIX_SHORT_TIME, queue_id, (unsigned long)st->st_ino);
}

/* Whole, with its owner, on the disk, and not yet to be seen. */
static enum bw_err fill_file(int fd, struct bw_archived *from, const struct archived_file *file, struct bw_why *why)
{
	enum bw_err err = archived_copy(from, file, fd, why);

	if (err == BW_OK && (fchown(fd, file->uid, file->gid) != 0 || fsync(fd) != 0))
		err = agent_fail_errno(file->name, "could not be written as its owner's", why);
	return err;
}

static enum bw_err check_end(struct bw_archived *from, struct bw_why *why)
{
	struct archived_file more;
	enum bw_err err = archived_next(from, &more, why);

	if (err == BW_OK)
		return bw_fail(why, BW_ERR_CORRUPT, "the archive has more files than Postfix has for a message");
	return err == BW_ERR_NOT_FOUND ? BW_OK : err;
}

/* Something of that name: finished, it is the message that an attempt before this one has brought back. */
static enum bw_err clear_way(int hold, const char *name, bool *there, struct bw_why *why)
{
	struct stat st;

	*there = false;
	if (fstatat(hold, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? BW_OK : agent_fail_errno(name, "could not be looked at", why);
	*there = (st.st_mode & S_IXUSR) != 0;
	if (!*there && unlinkat(hold, name, 0) != 0)
		return agent_fail_errno(name, "could not be removed", why);
	return BW_OK;
}

struct putting {
	int hold, fd;
	struct archived_file file;
	char temporary[BW_QUEUE_ID_BYTES]; /* the id that it had */
	enum bw_err (*note)(void *ctx, const char *queue_id, struct bw_why *why);
	void *ctx;
};

/* Never over a message that has this name meanwhile. */
static enum bw_err give_name(struct putting *p, char queue_id[BW_QUEUE_ID_BYTES], struct bw_why *why)
{
	struct stat st;
	char name[BW_QUEUE_ID_BYTES];

	if (fstat(p->fd, &st) != 0)
		return agent_fail_errno(p->temporary, "could not be looked at", why);
	name_for(&st, p->temporary, name);
	enum bw_err err = p->note(p->ctx, name, why);

	if (err == BW_OK && strcmp(name, p->temporary) != 0 &&
	    renameat2(p->hold, p->temporary, p->hold, name, RENAME_NOREPLACE) != 0)
		err = agent_fail_errno(name, "could not be named so in the hold queue", why);
	if (err == BW_OK && (fchmod(p->fd, p->file.mode) != 0 || fsync(p->fd) != 0 || fsync(p->hold) != 0))
		err = agent_fail_errno(name, "could not be made ready", why);
	if (err == BW_OK)
		bw_slice_copy(bw_slice_of(name), queue_id, BW_QUEUE_ID_BYTES);
	return err;
}

static enum bw_err put_file(struct putting *p, struct bw_archived *from, char queue_id[BW_QUEUE_ID_BYTES], struct bw_why *why)
{
	enum bw_err err = archived_next(from, &p->file, why);

	if (err != BW_OK)
		return err;
	p->fd = openat(p->hold, p->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (p->fd < 0)
		return agent_fail_errno(p->temporary, "could not be made in the hold queue", why);
	err = fill_file(p->fd, from, &p->file, why);
	if (err == BW_OK)
		err = check_end(from, why);
	if (err == BW_OK)
		err = give_name(p, queue_id, why);
	if (err != BW_OK)
		unlinkat(p->hold, p->temporary, 0);
	close(p->fd);
	return err;
}

/* Postfix makes subdirectories when it first needs them (mail_queue_rename()); so is it done here, as its own. */
static enum bw_err make_folders(const struct postfix_queue *queue, const char *path, struct bw_why *why)
{
	char part[BW_PATH_BYTES];
	struct stat top;
	size_t n = strlen(path) - (size_t)(2 * queue->depth[POSTFIX_HOLD]);

	bw_slice_copy((struct bw_slice){ path, n }, part, sizeof(part));
	if (stat(part, &top) != 0)
		return agent_fail_errno(part, "could not be looked at", why);
	for (int i = 0; i < queue->depth[POSTFIX_HOLD]; i++) {
		n += 2;
		bw_slice_copy((struct bw_slice){ path, n }, part, sizeof(part));
		if (mkdir(part, 0700) == 0 ? chown(part, top.st_uid, top.st_gid) != 0 : errno != EEXIST)
			return agent_fail_errno(part, "could not be made", why);
	}
	return BW_OK;
}

enum bw_err bw_agent_postfix_put(const struct bw_mta_place *place, struct bw_archived *from, char queue_id[BW_QUEUE_ID_BYTES],
                                 enum bw_err (*note)(void *ctx, const char *queue_id, struct bw_why *why), void *ctx,
                                 struct bw_why *why)
{
	char path[BW_PATH_BYTES];
	struct postfix_queue queue;
	struct putting p = { .note = note, .ctx = ctx };
	bool there;
	enum bw_err err = bw_agent_postfix_queue(place, &queue, why);

	if (err == BW_OK)
		err = bw_agent_postfix_folder(&queue, POSTFIX_HOLD, queue_id, path, why);
	if (err == BW_OK)
		err = make_folders(&queue, path, why);
	if (err != BW_OK)
		return err;
	bw_slice_copy(bw_slice_of(queue_id), p.temporary, sizeof(p.temporary));
	p.hold = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p.hold < 0)
		return agent_fail_errno(path, "could not be opened", why);
	err = clear_way(p.hold, queue_id, &there, why);
	if (err == BW_OK && !there)
		err = put_file(&p, from, queue_id, why);
	close(p.hold);
	return err;
}
