#include "helped-files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "files.h"

/* --- out --- */

static enum bw_err name_files(const struct packet *in, struct bw_queue_file *files, struct bw_why *why)
{
	for (size_t i = 0; i < in->file_count; i++) {
		struct packet_file file;

		if (!packet_get_file(in, i, &file))
			return bw_fail(why, BW_ERR_CORRUPT, "breakwater-helper has handed over files that no MTA has");
		files[i] = BW_QUEUE_FILE_NONE;
		bw_slice_copy(bw_slice_of(file.name), files[i].path, sizeof(files[i].path));
		files[i].name = files[i].path;
	}
	return BW_OK;
}

enum bw_err helped_take_files(struct packet *in, struct bw_queue_file **files, size_t *count, struct bw_why *why)
{
	struct bw_queue_file *at;

	if (in->file_count == 0)
		return bw_fail(why, BW_ERR_CORRUPT, "breakwater-helper has handed over no files");
	at = calloc(in->file_count, sizeof(*at));
	enum bw_err err = at == NULL ? bw_fail(why, BW_ERR_MEMORY, "no memory for the files of a message") : name_files(in, at, why);

	if (err != BW_OK) {
		free(at);
		return err;
	}
	for (size_t i = 0; i < in->file_count; i++)
		at[i].fd = in->files[i];
	bw_slice_copy(packet_get(in, "seal"), at[0].seal, sizeof(at[0].seal));
	*files = at;
	*count = in->file_count;
	in->file_count = 0;
	return BW_OK;
}

/* --- back --- */

/* In memory, and not to be changed any more: what is checked there is what is written. */
static enum bw_err add_one(struct packet *out, struct bw_archived *from, const struct archived_file *file, struct bw_why *why)
{
	struct packet_file line = { "", file->mode, file->uid, file->gid, file->bytes };
	int fd;

	if (out->file_count == PACKET_FILES_MAX)
		return bw_fail(why, BW_ERR_LIMIT, "the archive has more than the %d files that go through breakwater-helper", (int)PACKET_FILES_MAX);
	fd = memfd_create(file->name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return agent_fail_errno(file->name, "no memory for it", why);
	bw_slice_copy(bw_slice_of(file->name), line.name, sizeof(line.name));
	packet_add_file(out, out->file_count, &line);
	out->files[out->file_count++] = fd;
	enum bw_err err = archived_copy(from, file, fd, why);

	if (err == BW_OK && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
		err = agent_fail_errno(file->name, "could not be closed to changes", why);
	return err;
}

enum bw_err helped_add_archived(struct packet *out, struct bw_archived *from, struct bw_why *why)
{
	struct archived_file file;
	enum bw_err err;

	while ((err = archived_next(from, &file, why)) == BW_OK) {
		err = add_one(out, from, &file, why);
		if (err != BW_OK)
			return err;
	}
	return err == BW_ERR_NOT_FOUND ? BW_OK : err;
}
