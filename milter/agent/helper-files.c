/* A message's files, all parts that Sendmail has made of it: handed over for the archive, with a seal; and taken back where the seal fits.
 *
 * The seal is over the order's id and time of the message, its queue id, and each file's name, mode, owner and bytes, under a key that
 * the keeper of the archive has not: it can give back what it got, and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "bw/clock.h"
#include "files.h"
#include "helper-serve.h"
#include "parts.h"
#include "sendmail-queue.h"
#include "sendmail.h"

#define SEAL_DOMAIN "queue files"
#define NOTE_MS     (10 * BW_SECOND_MS)

/* Of one file, and of all of them; whoever wants us to read without end gets no further than this. */
#define FILE_BYTES_MAX (INT64_C(1) << 30)
#define ALL_BYTES_MAX  (2 * FILE_BYTES_MAX)

enum { PIECE_BYTES = 65536, HEAD_BYTES = 512 };

/* --- the seal --- */

static void seal_head(struct bw_seal *seal, const struct request *r, const char *queue_id)
{
	struct bw_buf text;
	char hex[2 * BW_HASH_BYTES + 1];

	bw_buf_init(&text, HEAD_BYTES);
	bw_hash_hex(&r->id, hex);
	bw_buf_printf(&text, "mta %s\nqueue-id %s\nid %s\nat %lld\n", r->mta->name, queue_id, hex, (long long)r->at_ms);
	bw_seal_add(seal, bw_buf_slice(&text));
	bw_buf_done(&text);
}

/* Exactly its bytes, from the first to the last; the descriptor is at its start again. */
static enum bw_err seal_file(struct bw_seal *seal, const struct packet_file *file, int fd, struct bw_why *why)
{
	char piece[PIECE_BYTES];
	int64_t left = file->bytes;
	struct bw_buf line;

	bw_buf_init(&line, HEAD_BYTES);
	bw_buf_add_text(&line, "file ");
	packet_print_file(&line, file);
	bw_buf_add_char(&line, '\n');
	bw_seal_add(seal, bw_buf_slice(&line));
	bw_buf_done(&line);
	for (off_t at = 0; left > 0;) {
		ssize_t n = pread(fd, piece, left < PIECE_BYTES ? (size_t)left : sizeof(piece), at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return bw_fail(why, BW_ERR_IO, "%s: could not be read: %s", file->name, n < 0 ? strerror(errno) : "it became shorter");
		bw_seal_add(seal, (struct bw_slice){ piece, (size_t)n });
		at += n;
		left -= n;
	}
	return lseek(fd, 0, SEEK_SET) == 0 ? BW_OK : agent_fail_errno(file->name, "could not be read from its start", why);
}

/* --- parts --- */

static bool has_parts(const struct request *r)
{
	return strcmp(r->mta->name, "sendmail") == 0;
}

static enum bw_err fail_many(struct request *r, size_t parts)
{
	return bw_fail(&r->why, BW_ERR_LIMIT,
	               "%s is one of %zu parts that Sendmail has made of a message, and an order deletes %d at most: only root, without orders; nothing is deleted",
	               r->queue_id, parts, (int)HELPER_PARTS_MAX);
}

enum bw_err helper_check_parts(struct helper *h, struct request *r, size_t most)
{
	struct sendmail_parts parts = { .count = 0 };
	enum bw_err err = has_parts(r) ? bw_agent_sendmail_parts(&r->place, r->queue_id, "hf", &parts, &r->why) : BW_OK;

	if (err == BW_OK && parts.count > most)
		err = fail_many(r, parts.count);
	for (size_t i = 0; i < parts.count && err == BW_OK; i++) {
		if (strcmp(parts.at[i], r->queue_id) != 0)
			err = helper_check_part(h, r, parts.at[i]);
	}
	free(parts.at);
	return err;
}

/* --- out --- */

static enum bw_err open_one(const struct bw_queue_file *from, struct packet *out, struct bw_seal *seal, struct bw_why *why)
{
	/* The queue is its MTA's: nothing there may lead elsewhere, or keep us waiting. */
	int fd = open(from->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		enum bw_err err = agent_fail_errno(from->path, "could not be opened as a file", why);

		if (fd >= 0)
			close(fd);
		return err;
	}
	struct packet_file file = { "", st.st_mode & 0777, st.st_uid, st.st_gid, (int64_t)st.st_size };

	bw_slice_copy(bw_slice_of(from->name), file.name, sizeof(file.name));
	packet_add_file(out, out->file_count, &file);
	out->files[out->file_count++] = fd;
	/* What could not come back is not deleted. */
	if (file.bytes > FILE_BYTES_MAX)
		return bw_fail(why, BW_ERR_LIMIT, "%s has %lld bytes, and more than %lld are not taken back, so nothing is deleted", from->path,
		               (long long)file.bytes, (long long)FILE_BYTES_MAX);
	return seal_file(seal, &file, fd, why);
}

static enum bw_err open_all(struct helper *h, struct request *r, const struct agent_files *files, struct bw_seal *seal)
{
	enum bw_err err = files->count > PACKET_FILES_MAX ? fail_many(r, files->count - 1) : BW_OK;
	int64_t bytes = 0;
	struct stat st;

	seal_head(seal, r, r->queue_id);
	for (size_t i = 0; err == BW_OK && i < files->count; i++) {
		err = open_one(&files->at[i], &h->out, seal, &r->why);
		if (err == BW_OK && fstat(h->out.files[i], &st) == 0)
			bytes += (int64_t)st.st_size;
		if (err == BW_OK && bytes > ALL_BYTES_MAX)
			err = bw_fail(&r->why, BW_ERR_LIMIT, "the files of %s have more than %lld bytes, which are not taken back, so nothing is deleted",
			              r->queue_id, (long long)ALL_BYTES_MAX);
	}
	return err;
}

enum bw_err helper_fetch(struct helper *h, struct request *r)
{
	struct agent_files files = { .count = 0 };
	struct bw_seal *seal = bw_seal_new(&h->key, SEAL_DOMAIN);
	char hex[BW_SEAL_HEX_BYTES];
	enum bw_err err = seal == NULL ? bw_fail(&r->why, BW_ERR_MEMORY, "no memory for a seal") : helper_check_parts(h, r, HELPER_PARTS_MAX);

	if (err == BW_OK)
		err = agent_files(r->mta, &r->place, r->queue_id, &files, &r->why);
	if (err == BW_OK)
		err = open_all(h, r, &files, seal);
	agent_files_done(&files);
	if (err == BW_OK) {
		bw_seal_hex(seal, hex);
		packet_add_text(&h->out, "seal", hex);
		helper_reach(h, BW_HELPER_SEALED);
	}
	bw_seal_free(&seal);
	return err;
}

/* --- back --- */

/* What nobody can change while it is looked at: a memfd that was closed to changes. A pipe, or a file on somebody's own file system,
 * is none. */
static bool is_fixed(int fd, const struct packet_file *file)
{
	const int wanted = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	return file->bytes <= FILE_BYTES_MAX && seals >= 0 && (seals & wanted) == wanted && fstat(fd, &st) == 0 &&
	       (int64_t)st.st_size == file->bytes;
}

static enum bw_err check_seal(struct helper *h, struct request *r, const struct packet_file *files, const char *queue_id)
{
	struct bw_seal *seal = bw_seal_new(&h->key, SEAL_DOMAIN);
	char hex[BW_SEAL_HEX_BYTES];
	enum bw_err err = BW_OK;

	if (seal == NULL)
		return bw_fail(&r->why, BW_ERR_MEMORY, "no memory for a seal");
	seal_head(seal, r, queue_id);
	for (size_t i = 0; i < h->in.file_count && err == BW_OK; i++)
		err = seal_file(seal, &files[i], h->in.files[i], &r->why);
	bw_seal_hex(seal, hex);
	bw_seal_free(&seal);
	if (err == BW_OK && !bw_seal_equal(hex, packet_get(&h->in, "seal")))
		err = helper_refuse(r, BW_REFUSAL_BAD_SEAL, "these are not the files of %s that were handed over to be deleted", queue_id);
	return err;
}

static enum bw_err read_files(struct helper *h, struct request *r, struct packet_file files[PACKET_FILES_MAX])
{
	int64_t bytes = 0;

	if (h->in.file_count == 0)
		return helper_refuse(r, BW_REFUSAL_BAD_REQUEST, "no files came with it");
	for (size_t i = 0; i < h->in.file_count; i++) {
		if (!packet_get_file(&h->in, i, &files[i]) || !is_fixed(h->in.files[i], &files[i]))
			return helper_refuse(r, BW_REFUSAL_BAD_REQUEST, "file %zu is no queue file in a sealed memfd", i);
		bytes += files[i].bytes;
		if (bytes > ALL_BYTES_MAX)
			return helper_refuse(r, BW_REFUSAL_BAD_REQUEST, "more than %lld bytes", (long long)ALL_BYTES_MAX);
	}
	return BW_OK;
}

/* What stands in the queue under the id of a part, an attempt before this one has brought back. */
static enum bw_err check_names(struct helper *h, struct request *r, const struct packet_file *files)
{
	enum bw_err err = BW_OK;

	for (size_t i = 0; i < h->in.file_count && err == BW_OK; i++) {
		const char *queue_id = files[i].name + 2;

		if (strncmp(files[i].name, "hf", 2) != 0 || !bw_agent_sendmail_is_id(queue_id))
			continue;
		err = helper_check_part(h, r, queue_id);
		if (err == BW_ERR_NOT_FOUND && r->refusal == BW_REFUSAL_NONE)
			err = BW_OK;
	}
	return err;
}

struct noting {
	struct helper *h;
	struct request *r;
};

/* The client writes the name down before the MTA can see the message. */
static enum bw_err tell_name(void *ctx, const char *queue_id, struct bw_why *why)
{
	struct noting *n = ctx;
	struct packet *note = &n->h->note;

	packet_reset(note);
	packet_add_text(note, "is", "note");
	packet_add_text(note, "queue", queue_id);
	enum bw_err err = packet_send(n->r->client, note, NOTE_MS, why);

	if (err == BW_OK)
		err = packet_receive(n->r->client, note, NOTE_MS, why);
	packet_drop_files(note);
	if (err != BW_OK || !packet_is(note, "ask", "go"))
		return bw_fail(why, BW_ERR_IO, "who asked for it has not written down that it comes back");
	helper_reach(n->h, BW_HELPER_NAMED);
	return BW_OK;
}

/* Owner and mode go into the archive with the bytes. */
static enum bw_err give_owners(const struct helper *h, const struct packet_file *files, struct bw_queue_file *out, struct bw_why *why)
{
	for (size_t i = 0; i < h->in.file_count; i++) {
		out[i] = BW_QUEUE_FILE_NONE;
		out[i].name = files[i].name;
		out[i].fd = h->in.files[i];
		if (fchown(out[i].fd, files[i].uid, files[i].gid) != 0 || fchmod(out[i].fd, files[i].mode) != 0)
			return agent_fail_errno(files[i].name, "could not be made its owner's", why);
	}
	return BW_OK;
}

/* By way of an archive of root's own, out of which mta->put takes a message. */
static enum bw_err place_files(struct helper *h, struct request *r, const struct packet_file *files, const char *had)
{
	struct bw_queue_file *own = calloc(h->in.file_count, sizeof(*own));
	struct archive_source from = { .mta = r->mta->name, .queue_id = had, .files = own, .count = h->in.file_count };
	struct bw_archived *archived = NULL;
	struct noting noting = { h, r };
	enum bw_err err = own == NULL ? bw_fail(&r->why, BW_ERR_MEMORY, "no memory for the files of a message") : give_owners(h, files, own, &r->why);

	if (err == BW_OK)
		err = archive_write(h->state, &r->id, &from, &r->why);
	if (err == BW_OK)
		err = archived_open(h->state, &r->id, &archived, &r->why);
	if (err == BW_OK)
		err = r->mta->put(&r->place, archived, r->queue_id, tell_name, &noting, &r->why);
	archived_close(&archived);
	archive_remove(h->state, &r->id, ARCHIVE_MESSAGE, NULL);
	free(own);
	return err;
}

enum bw_err helper_put(struct helper *h, struct request *r)
{
	struct packet_file files[PACKET_FILES_MAX];
	char had[BW_QUEUE_ID_BYTES];
	enum bw_err err = read_files(h, r, files);

	bw_slice_copy(r->order.queue_id, had, sizeof(had));
	if (err == BW_OK)
		err = check_seal(h, r, files, had);
	if (err == BW_OK)
		err = check_names(h, r, files);
	if (err == BW_OK)
		err = place_files(h, r, files, had);
	/* Where something stood under that name already, it must be this message. */
	if (err == BW_OK)
		err = helper_check_message(h, r);
	if (err == BW_OK)
		packet_add_text(&h->out, "queue", r->queue_id);
	return err;
}
