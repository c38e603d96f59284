/* archive.h: one file a deleted message, ID.zst in the archive's directory: the MTA's own queue files, compressed and with a checksum.
 *
 *     breakwater-archive 1
 *     mta NAME
 *     queue-id ID [SEAL] [config=DIR]     the seal of the root helper, where it handed the files over: without, it takes none back; and
 *                                         the configuration of the MTA's instance, where it has several
 *     file NAME MODE UID GID BYTES        then so many bytes; for each file, and at the end:
 *     end
 *
 * Layer:     agent (libzstd is seen by archive.c alone).
 * Ownership: bw_archived_open() / bw_archived_close().
 * Fails:     BW_ERR_IO with the file's name; BW_ERR_CORRUPT for what cannot be what we wrote; BW_ERR_LIMIT when there is no room.
 */
#ifndef BW_AGENT_ARCHIVE_H
#define BW_AGENT_ARCHIVE_H

#include <sys/types.h>

#include "bw/agent.h"

enum { ARCHIVE_NAME_BYTES = 64, ARCHIVE_FILE_NAME_BYTES = 64 };

/* ID.zst, ID.release and ID.place: an archive, and what a keeper has begun. */
enum archive_kind { ARCHIVE_MESSAGE, ARCHIVE_RELEASE, ARCHIVE_PLACE, ARCHIVE_UNFINISHED, ARCHIVE_KIND_COUNT };
void archive_name(const struct bw_hash *id, enum archive_kind kind, char out[ARCHIVE_NAME_BYTES]);
bool archive_has(int dir, const struct bw_hash *id, enum archive_kind kind);
/* Writes a small file and its directory to the disk. */
enum bw_err archive_note(int dir, const struct bw_hash *id, enum archive_kind kind, const char *text, struct bw_why *why);
/* Reads it back; "" when there is none. */
void archive_noted(int dir, const struct bw_hash *id, enum archive_kind kind, char *text, size_t size);
/* When it was written, by the clock of the files; 0: there is none. */
int64_t archive_written_ms(int dir, const struct bw_hash *id, enum archive_kind kind);
/* Gone is as good as removed. */
enum bw_err archive_remove(int dir, const struct bw_hash *id, enum archive_kind kind, struct bw_why *why);

/* One keeper at a time is in between its steps: whoever finds a note, and has the lock, knows that its writer was killed. Waits for the others;
 * the same descriptor may be locked again. */
void archive_lock(int dir);
void archive_unlock(int dir);

struct archive_source {
	const char *mta, *queue_id, *config; /* config may be NULL */
	const struct bw_queue_file *files;   /* the first one's seal is written */
	size_t count;
};
/* Refuses (BW_ERR_LIMIT) what would bring the archive above its budget, or its disk below what must stay free. */
enum bw_err archive_check_room(const struct bw_keeper *k, const struct archive_source *from, struct bw_why *why);
/* Written, on the disk, and read back from there, before it has its name. */
enum bw_err archive_write(int dir, const struct bw_hash *id, const struct archive_source *from, struct bw_why *why);

/* The message that is held under this queue id, as ID.zst (keeper.c). */
enum bw_err bw_agent_archive(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place,
                             const struct bw_hash *id, const char *queue_id, struct bw_why *why);

/* And back into the hold queue of the instance it was taken from, which `place` becomes; `queue_id` is the one it had, and becomes the one it
 * has. Whose message stands there then, the caller looks. */
enum bw_err bw_agent_put_back(const struct bw_keeper *k, const struct bw_mta *mta, struct bw_mta_place *place, const struct bw_hash *id,
                              char queue_id[BW_QUEUE_ID_BYTES], struct bw_why *why);

struct archived_file {
	char name[ARCHIVE_FILE_NAME_BYTES];
	mode_t mode;
	uid_t uid;
	gid_t gid;
	int64_t bytes;
};
enum bw_err archived_open(int dir, const struct bw_hash *id, struct bw_archived **out, struct bw_why *why);
void archived_close(struct bw_archived **a);
/* The seal of its files; "" where there is none. */
const char *archived_seal(const struct bw_archived *a);
/* The queue id that it was taken from. */
const char *archived_queue_id(const struct bw_archived *a);
/* The configuration of the instance that it was taken from; "": its only one. */
const char *archived_config(const struct bw_archived *a);
/* Back to the first file. */
enum bw_err archived_rewind(struct bw_archived *a, struct bw_why *why);
/* The next file; BW_ERR_NOT_FOUND after the last, and then everything has been read and its checksum fits. */
enum bw_err archived_next(struct bw_archived *a, struct archived_file *out, struct bw_why *why);
/* Its bytes, all of them, into `fd`; -1: nowhere. */
enum bw_err archived_copy(struct bw_archived *a, const struct archived_file *file, int fd, struct bw_why *why);

#endif
