/* Sendmail's queue directories (doc/op, "QueueDirectory" and "Queue Groups and Queue Directories"): a last "*" stands for all directories whose
 * names begin so; each may have subdirectories qf, df and xf. A message that is split, because a queue group limits recipients (r=) or its
 * recipients belong to several groups, becomes several: each has a control file of its own, and a hard link to the one body (queue.c, dup_df()). */
#include "sendmail-queue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "sendmail.h"

#define QUEUE "/var/spool/mqueue"

enum { PARTS_MOST = 100000 };

static enum bw_err fail_memory(struct bw_why *why)
{
	return bw_fail(why, BW_ERR_MEMORY, "no memory for Sendmail's queue");
}

void sendmail_file_name(const char *kind, const char *queue_id, char out[SENDMAIL_NAME_BYTES])
{
	snprintf(out, SENDMAIL_NAME_BYTES, "%s%s", kind, queue_id);
}

/* --- directories --- */

/* A subdirectory where there is one, else the directory itself. */
static int open_part(int dir, const char *name, bool *has)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*has = fd >= 0;
	return fd >= 0 ? fd : openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static enum bw_err add_directory(struct sendmail_queue *queue, const char *path, struct bw_why *why)
{
	struct sendmail_directory *at = NULL;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0) {
		enum bw_err err = agent_fail_errno(path, "Sendmail's queue could not be opened (hold.sendmail_queue)", why);

		return err == BW_ERR_NOT_FOUND ? BW_ERR_IO : err;
	}
	if (queue->count < SENDMAIL_DIRECTORIES_MAX)
		at = realloc(queue->at, (queue->count + 1) * sizeof(*at));
	if (at == NULL) {
		close(dir);
		return bw_fail(why, BW_ERR_LIMIT, "hold.sendmail_queue: more than %d directories", (int)SENDMAIL_DIRECTORIES_MAX);
	}
	queue->at = at;
	at = &queue->at[queue->count++];
	bw_slice_copy(bw_slice_of(path), at->path, sizeof(at->path));
	at->control = open_part(dir, "qf", &at->has_qf);
	at->body = open_part(dir, "df", &at->has_df);
	close(dir);
	return at->control >= 0 && at->body >= 0 ? BW_OK : agent_fail_errno(path, "Sendmail's queue could not be opened", why);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct sendmail_directory *)a)->path, ((const struct sendmail_directory *)b)->path);
}

/* PARENT/START* */
static enum bw_err add_matching(struct sendmail_queue *queue, const char *parent, const char *start, struct bw_why *why)
{
	DIR *all = opendir(parent);
	struct dirent *entry;
	struct stat st;
	enum bw_err err = BW_OK;

	if (all == NULL)
		return agent_fail_errno(parent, "Sendmail's queues could not be looked for (hold.sendmail_queue)", why);
	while (err == BW_OK && (entry = readdir(all)) != NULL) {
		char path[SENDMAIL_DIRECTORY_BYTES];

		if (entry->d_name[0] == '.' || strncmp(entry->d_name, start, strlen(start)) != 0 ||
		    fstatat(dirfd(all), entry->d_name, &st, 0) != 0 || !S_ISDIR(st.st_mode))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", parent, entry->d_name) < (int)sizeof(path))
			err = add_directory(queue, path, why);
	}
	closedir(all);
	if (err == BW_OK && queue->count == 0)
		err = bw_fail(why, BW_ERR_IO, "%s/%s*: no such directory (hold.sendmail_queue)", parent, start);
	if (queue->count > 0)
		qsort(queue->at, queue->count, sizeof(*queue->at), by_path);
	return err;
}

enum bw_err sendmail_queue_open(const struct bw_mta_place *place, struct sendmail_queue *out, struct bw_why *why)
{
	const char *path = place->queue != NULL ? place->queue : QUEUE;
	size_t n = strlen(path);
	char parent[SENDMAIL_DIRECTORY_BYTES];
	enum bw_err err;

	*out = (struct sendmail_queue){ .count = 0 };
	if (n == 0 || n >= sizeof(parent))
		return bw_fail(why, BW_ERR_INPUT, "hold.sendmail_queue: a path of %zu bytes", n);
	bw_slice_copy(bw_slice_of(path), parent, sizeof(parent));
	char *slash = strrchr(parent, '/');

	if (path[n - 1] != '*' || slash == NULL) {
		err = add_directory(out, path, why);
	} else {
		parent[n - 1] = '\0';
		*slash = '\0';
		err = add_matching(out, parent, slash + 1, why);
	}
	if (err != BW_OK)
		sendmail_queue_close(out);
	return err;
}

void sendmail_queue_close(struct sendmail_queue *queue)
{
	for (size_t i = 0; i < queue->count; i++) {
		if (queue->at[i].control >= 0)
			close(queue->at[i].control);
		if (queue->at[i].body >= 0)
			close(queue->at[i].body);
	}
	free(queue->at);
	*queue = (struct sendmail_queue){ .count = 0 };
}

/* --- files --- */

static int folder_of(const struct sendmail_directory *d, const char *kind)
{
	return strcmp(kind, "df") == 0 ? d->body : d->control;
}

const struct sendmail_directory *sendmail_queue_find(const struct sendmail_queue *queue, const char *kind, const char *queue_id)
{
	char name[SENDMAIL_NAME_BYTES];

	sendmail_file_name(kind, queue_id, name);
	for (size_t i = 0; i < queue->count; i++) {
		if (faccessat(folder_of(&queue->at[i], kind), name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return &queue->at[i];
	}
	return NULL;
}

bool sendmail_queue_path(const struct sendmail_queue *queue, const char *kind, const char *queue_id, char out[BW_PATH_BYTES])
{
	const struct sendmail_directory *d = sendmail_queue_find(queue, kind, queue_id);
	const char *folder = "";

	if (d == NULL)
		return false;
	if (strcmp(kind, "df") == 0)
		folder = d->has_df ? "/df" : "";
	else
		folder = d->has_qf ? "/qf" : "";
	return snprintf(out, BW_PATH_BYTES, "%s%s/%s%s", d->path, folder, kind, queue_id) < BW_PATH_BYTES;
}

/* --- parts --- */

static enum bw_err add_part(struct sendmail_parts *parts, const char *queue_id, struct bw_why *why)
{
	char(*at)[BW_QUEUE_ID_BYTES] = parts->count == PARTS_MOST ? NULL : realloc(parts->at, (parts->count + 1) * sizeof(*at));

	if (at == NULL)
		return fail_memory(why);
	parts->at = at;
	bw_slice_copy(bw_slice_of(queue_id), parts->at[parts->count++], BW_QUEUE_ID_BYTES);
	return BW_OK;
}

struct sharing {
	const struct sendmail_queue *queue;
	struct stat body;
	const char *queue_id, *kind;
	struct sendmail_parts *out;
};

/* Another name of the body; the number of its inode stands in the directory. */
static bool is_part(const struct sharing *s, int dir, const struct dirent *entry)
{
	const char *id = entry->d_name + 2;
	struct stat st;

	return entry->d_ino == s->body.st_ino && strncmp(entry->d_name, "df", 2) == 0 && bw_agent_sendmail_is_id(id) &&
	       strcmp(id, s->queue_id) != 0 && fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == s->body.st_ino &&
	       st.st_dev == s->body.st_dev && (s->kind == NULL || sendmail_queue_find(s->queue, s->kind, id) != NULL);
}

static enum bw_err scan_bodies(const struct sharing *s, int body, struct bw_why *why)
{
	/* A descriptor of its own: closedir() closes it. */
	int own = openat(body, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *all = own < 0 ? NULL : fdopendir(own);
	struct dirent *entry;
	enum bw_err err = BW_OK;

	if (all == NULL) {
		if (own >= 0)
			close(own);
		return agent_fail_errno("Sendmail's queue", "could not be read", why);
	}
	while (err == BW_OK && (entry = readdir(all)) != NULL) {
		if (is_part(s, body, entry))
			err = add_part(s->out, entry->d_name + 2, why);
	}
	closedir(all);
	return err;
}

enum bw_err sendmail_queue_parts(const struct sendmail_queue *queue, const char *queue_id, const char *kind, struct sendmail_parts *out,
                                 struct bw_why *why)
{
	struct sharing s = { .queue = queue, .queue_id = queue_id, .kind = kind, .out = out };
	const struct sendmail_directory *d = sendmail_queue_find(queue, "df", queue_id);
	char name[SENDMAIL_NAME_BYTES];
	enum bw_err err = BW_OK;

	*out = (struct sendmail_parts){ .count = 0 };
	sendmail_file_name("df", queue_id, name);
	/* A body with one name is that of a whole message: nothing is searched for. */
	if (d != NULL && fstatat(d->body, name, &s.body, AT_SYMLINK_NOFOLLOW) == 0 && s.body.st_nlink > 1) {
		for (size_t i = 0; err == BW_OK && i < queue->count; i++)
			err = scan_bodies(&s, queue->at[i].body, why);
	}
	if (err == BW_OK)
		err = add_part(out, queue_id, why);
	if (err != BW_OK) {
		free(out->at);
		*out = (struct sendmail_parts){ .count = 0 };
	}
	return err;
}
