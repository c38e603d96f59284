/* Where Postfix's queue files are: QUEUE/ID below the queue directory; with subdirectories (QUEUE/A/B/ID) for the queues that
 * hash_queue_names has, hash_queue_depth deep. They are called after the first characters of a short id, and of the five hex digits of
 * a long one's microseconds (global/mail_queue.c, mail_queue_dir(); global/mail_queue.h, MQID_LG_GET_HEX_USEC). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bw/parse.h"
#include "files.h"
#include "order.h"
#include "postfix.h"

/* A long id: six digits of seconds and four of microseconds in base 52, "z", the inode in base 51 (global/mail_queue.h). */
enum { LONG_SECONDS = 6, LONG_MICROSECONDS = 4, SETTINGS_MOST = 8 };

static const char base52[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

static const char *const queue_names[POSTFIX_QUEUES] = {
	[POSTFIX_HOLD] = "hold",
	[POSTFIX_INCOMING] = "incoming",
	[POSTFIX_ACTIVE] = "active",
	[POSTFIX_DEFERRED] = "deferred",
};

enum bw_err bw_agent_postfix_ask(const struct bw_mta_place *place, const char *const *settings, size_t count, struct bw_buf *said,
                                 struct bw_why *why)
{
	struct order o = { .program = "postconf", .config_flag = "-c", .words = { "-x", "-h" }, .option = "postfix-commands" };

	for (size_t i = 0; i < count && i < SETTINGS_MOST; i++)
		o.words[2 + i] = settings[i];
	return bw_agent_order(place, &o, said, why);
}

struct bw_slice bw_agent_postfix_answer(struct bw_slice *rest)
{
	size_t end = bw_slice_find(*rest, '\n');
	struct bw_slice line = bw_slice_trim(bw_slice_head(*rest, end));

	*rest = bw_slice_from(*rest, end + 1);
	return line;
}

/* Names stand between commas and blanks, in any case. */
static bool names(struct bw_slice list, const char *name)
{
	while (list.n > 0) {
		size_t end = 0;

		while (end < list.n && strchr(", \t", list.p[end]) == NULL)
			end++;
		if (bw_slice_equal_nocase(bw_slice_head(list, end), bw_slice_of(name)))
			return true;
		list = bw_slice_from(list, end + 1);
	}
	return false;
}

enum bw_err bw_agent_postfix_queue(const struct bw_mta_place *place, struct postfix_queue *out, struct bw_why *why)
{
	static const char *const settings[] = { "queue_directory", "hash_queue_names", "hash_queue_depth" };
	struct bw_buf said;
	int64_t depth = 0;

	bw_buf_init(&said, SAID_BYTES);
	enum bw_err err = bw_agent_postfix_ask(place, settings, 3, &said, why);
	struct bw_slice rest = bw_buf_slice(&said);
	struct bw_slice directory = bw_agent_postfix_answer(&rest), hashed = bw_agent_postfix_answer(&rest);
	struct bw_slice deep = bw_agent_postfix_answer(&rest);

	if (place->queue != NULL)
		directory = bw_slice_of(place->queue);
	if (err == BW_OK && (directory.n == 0 || directory.n >= POSTFIX_DIRECTORY_BYTES))
		err = bw_fail(why, BW_ERR_INPUT, "Postfix's queue_directory has %zu bytes", directory.n);
	/* Further characters of a short id are of its inode, which a restored file has another of. */
	if (err == BW_OK && (!bw_parse_int(deep, &depth) || depth < 1 || depth > POSTFIX_SHORT_TIME))
		err = bw_fail(why, BW_ERR_INPUT, "Postfix's hash_queue_depth is \"%.*s\"; 1 to %d are handled", (int)deep.n, deep.p,
		              (int)POSTFIX_SHORT_TIME);
	if (err == BW_OK) {
		bw_slice_copy(directory, out->directory, sizeof(out->directory));
		for (int i = 0; i < POSTFIX_QUEUES; i++)
			out->depth[i] = names(hashed, queue_names[i]) ? (int)depth : 0;
	}
	bw_buf_done(&said);
	return err;
}

bool bw_agent_postfix_is_long(const char *queue_id)
{
	const char *z = strrchr(queue_id, 'z');

	return z != NULL && z - queue_id >= LONG_SECONDS + LONG_MICROSECONDS;
}

/* What the names of subdirectories are made of. */
static void hash_of(const char *queue_id, char out[POSTFIX_SHORT_TIME + 1])
{
	unsigned long microseconds = 0;

	bw_slice_copy(bw_slice_of(queue_id), out, POSTFIX_SHORT_TIME + 1);
	if (!bw_agent_postfix_is_long(queue_id))
		return;
	/* The last "z": base 52 has one, base 51 has none. */
	for (int i = -LONG_MICROSECONDS; i < 0; i++) {
		const char *digit = strchr(base52, strrchr(queue_id, 'z')[i]);

		microseconds = microseconds * (sizeof(base52) - 1) + (digit == NULL ? 0 : (unsigned long)(digit - base52));
	}
	snprintf(out, POSTFIX_SHORT_TIME + 1, "%05lX", microseconds & 0xfffff);
}

enum bw_err bw_agent_postfix_folder(const struct postfix_queue *queue, enum postfix_queue_name name, const char *queue_id,
                                    char out[BW_PATH_BYTES], struct bw_why *why)
{
	char hash[POSTFIX_SHORT_TIME + 1];
	int n = snprintf(out, BW_PATH_BYTES, "%s/%s", queue->directory, queue_names[name]);

	hash_of(queue_id, hash);
	for (int i = 0; i < queue->depth[name] && n + 2 < BW_PATH_BYTES; i++)
		n += snprintf(out + n, (size_t)(BW_PATH_BYTES - n), "/%c", hash[i]);
	return n < BW_PATH_BYTES - BW_QUEUE_ID_BYTES ? BW_OK : bw_fail(why, BW_ERR_INPUT, "%s: the path is too long", queue->directory);
}

enum bw_err bw_agent_postfix_path(const struct postfix_queue *queue, enum postfix_queue_name name, const char *queue_id,
                                  char out[BW_PATH_BYTES], struct bw_why *why)
{
	enum bw_err err = bw_agent_postfix_folder(queue, name, queue_id, out, why);
	size_t n = err == BW_OK ? strlen(out) : 0;

	if (err == BW_OK)
		snprintf(out + n, BW_PATH_BYTES - n, "/%s", queue_id);
	return err;
}

/* Messages move between queues while we look, always forward or into deferred and back: a second look finds them. */
enum bw_err bw_agent_postfix_find(const struct postfix_queue *queue, const char *queue_id, enum postfix_queue_name *where,
                                  char path[BW_PATH_BYTES], struct bw_why *why)
{
	struct stat st;

	for (int i = 0; i < 2 * POSTFIX_QUEUES; i++) {
		enum postfix_queue_name name = (enum postfix_queue_name)(i % POSTFIX_QUEUES);
		enum bw_err err = bw_agent_postfix_path(queue, name, queue_id, path, why);

		if (err != BW_OK)
			return err;
		if (lstat(path, &st) == 0) {
			*where = name;
			return BW_OK;
		}
		if (errno != ENOENT)
			return agent_fail_errno(path, "could not be looked at", why);
	}
	return bw_fail(why, BW_ERR_NOT_FOUND, "%s is not in Postfix's hold queue any more, nor elsewhere in its queue", queue_id);
}

/* A record is its type, its length (seven bits a byte, the lowest first, the highest bit says that there is more) and its text
 * (global/record.c); "T" has seconds and microseconds (global/rec_type.h, REC_TYPE_TIME). */
static int64_t arrival(const unsigned char *bytes, size_t n)
{
	for (size_t at = 0, length; at + 1 < n; at += length) {
		unsigned char type = bytes[at++];
		int64_t seconds;

		length = 0;
		for (int shift = 0; at < n && shift < 28; shift += 7) {
			length |= (size_t)(bytes[at] & 0x7f) << shift;
			if ((bytes[at++] & 0x80) == 0)
				break;
		}
		if (length > n - at)
			return 0;
		struct bw_slice text = { (const char *)bytes + at, length };

		if (type == 'T')
			return bw_parse_int(bw_slice_head(text, bw_slice_find(text, ' ')), &seconds) && seconds > 0 && seconds < INT64_MAX / 1000
			           ? seconds * 1000
			           : 0;
	}
	return 0;
}

int64_t bw_agent_postfix_arrived(const char *path)
{
	unsigned char bytes[1024];
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, bytes, sizeof(bytes));

	if (fd >= 0)
		close(fd);
	return n > 0 ? arrival(bytes, (size_t)n) : 0;
}
