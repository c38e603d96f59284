/* Where Postfix's queue files are: QUEUE/ID below the queue directory; with subdirectories (QUEUE/A/B/ID) for the queues that
 * hash_queue_names has, hash_queue_depth deep. They are called after the first characters of a short id, and of the five hex digits of
 * a long one's microseconds (global/mail_queue.c, mail_queue_dir(); global/mail_queue.h, MQID_LG_GET_HEX_USEC). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "bw/clock.h"
#include "bw/parse.h"
#include "files.h"
#include "order.h"
#include "postfix.h"

/* A long id: six digits of seconds and four of microseconds in base 52, "z", the inode in base 51 (global/mail_queue.h). */
enum { LONG_SECONDS = 6, LONG_MICROSECONDS = 4, SETTINGS_MOST = 8, NAP_MS = 50, NAPS = 20 };

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
		/* Complete files alone: one without owner execute permission Postfix does not see (mail_queue(3)); a killed put has left it. */
		bool there = lstat(path, &st) == 0;

		if (there && (st.st_mode & S_IXUSR) != 0) {
			*where = name;
			return BW_OK;
		}
		if (!there && errno != ENOENT)
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

/* --- what has come lately --- */

struct scanning {
	int64_t since_ms;
	void (*each)(void *ctx, const char *queue_id, int64_t arrived_ms);
	void *ctx;
};

/* A long id tells in itself when the message came. */
static int64_t arrival_of(const char *queue_id, const char *path)
{
	int64_t seconds = 0;

	if (!bw_agent_postfix_is_long(queue_id))
		return bw_agent_postfix_arrived(path);
	for (int i = 0; i < LONG_SECONDS; i++) {
		const char *digit = strchr(base52, queue_id[i]);

		seconds = seconds * ((int64_t)sizeof(base52) - 1) + (digit == NULL ? 0 : digit - base52);
	}
	return seconds * 1000;
}

static enum bw_err scan_folder(const struct scanning *s, const char *folder, int depth, struct bw_why *why);

static enum bw_err scan_entry(const struct scanning *s, const char *folder, const char *name, int depth, struct bw_why *why)
{
	char path[BW_PATH_BYTES];

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= BW_PATH_BYTES)
		return bw_fail(why, BW_ERR_INPUT, "%s: the path is too long", folder);
	if (depth > 0)
		return strlen(name) == 1 ? scan_folder(s, path, depth - 1, why) : BW_OK;
	if (bw_agent_postfix_is_id(name)) {
		int64_t arrived_ms = arrival_of(name, path);

		if (arrived_ms >= s->since_ms)
			s->each(s->ctx, name, arrived_ms);
	}
	return BW_OK;
}

static enum bw_err scan_folder(const struct scanning *s, const char *folder, int depth, struct bw_why *why)
{
	DIR *all = opendir(folder);
	struct dirent *entry;
	enum bw_err err = BW_OK;

	if (all == NULL)
		return errno == ENOENT ? BW_OK : agent_fail_errno(folder, "could not be read", why);
	while (err == BW_OK && (entry = readdir(all)) != NULL) {
		if (entry->d_name[0] != '.')
			err = scan_entry(s, folder, entry->d_name, depth, why);
	}
	closedir(all);
	return err;
}

enum bw_err bw_agent_postfix_scan(const struct postfix_queue *queue, enum postfix_queue_name name, int64_t since_ms,
                                  void (*each)(void *ctx, const char *queue_id, int64_t arrived_ms), void *ctx, struct bw_why *why)
{
	/* Arrivals are whole seconds here. */
	const struct scanning s = { since_ms - 1000, each, ctx };
	char folder[BW_PATH_BYTES];

	snprintf(folder, sizeof(folder), "%s/%s", queue->directory, queue_names[name]);
	return scan_folder(&s, folder, queue->depth[name], why);
}

/* --- begun anew --- */

/* A requeued message lies in maildrop until pickup(8) takes it, which looks once a minute; a "W" on its socket (a named pipe in old
 * configurations) wakes it (global/mail_trigger.h, TRIGGER_REQ_WAKEUP). Unheard, it comes a minute later. */
static void wake_pickup(const struct postfix_queue *queue)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = -1;
	bool open_now = false;

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/public/pickup", queue->directory) >= (int)sizeof(address.sun_path))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	open_now = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
	if (!open_now && fd >= 0) {
		close(fd);
		fd = open(address.sun_path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
		open_now = fd >= 0;
	}
	if (open_now && write(fd, "W", 1) == 1)
		poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, NAP_MS); /* it hangs up when it has heard */
	if (fd >= 0)
		close(fd);
}

void bw_agent_postfix_wake(const struct postfix_queue *queue, const char *queue_id)
{
	char path[BW_PATH_BYTES];

	wake_pickup(queue);
	snprintf(path, sizeof(path), "%s/maildrop/%s", queue->directory, queue_id);
	for (int i = 0; i < NAPS && access(path, F_OK) == 0; i++)
		poll(NULL, 0, NAP_MS);
}

/* One number and its unit; days without one (postconf(5), maximal_queue_lifetime). */
bool bw_agent_postfix_time(struct bw_slice text, int64_t *ms)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = { { 's', BW_SECOND_MS }, { 'm', BW_MINUTE_MS }, { 'h', BW_HOUR_MS }, { 'd', BW_DAY_MS }, { 'w', 7 * BW_DAY_MS } };
	int64_t n, unit_ms = BW_DAY_MS;

	for (size_t i = 0; text.n > 0 && i < sizeof(units) / sizeof(units[0]); i++) {
		if ((text.p[text.n - 1] | 0x20) == units[i].unit) {
			unit_ms = units[i].ms;
			text.n--;
			break;
		}
	}
	if (!bw_parse_int(text, &n) || n < 0 || n > INT64_MAX / unit_ms)
		return false;
	*ms = n * unit_ms;
	return true;
}

enum bw_err bw_agent_postfix_lifetime(const struct bw_mta_place *place, int64_t *any_ms, int64_t *null_sender_ms, struct bw_why *why)
{
	static const char *const settings[] = { "maximal_queue_lifetime", "bounce_queue_lifetime" };
	int64_t ms[2];
	struct bw_buf said;

	bw_buf_init(&said, SAID_BYTES);
	enum bw_err err = bw_agent_postfix_ask(place, settings, 2, &said, why);
	struct bw_slice rest = bw_buf_slice(&said);

	for (int i = 0; err == BW_OK && i < 2; i++) {
		struct bw_slice line = bw_agent_postfix_answer(&rest);

		if (!bw_agent_postfix_time(line, &ms[i]))
			err = bw_fail(why, BW_ERR_INPUT, "Postfix's %s is \"%.*s\", no time that is understood", settings[i], (int)line.n, line.p);
	}
	bw_buf_done(&said);
	if (err == BW_OK) {
		*any_ms = ms[0];
		*null_sender_ms = ms[1];
	}
	return err;
}

/* A short id is the microsecond of the arrival and the inode: gone with its message, it may be another's within the same second
 * (postconf(5), enable_long_queue_ids). */
enum bw_err bw_agent_postfix_check(const struct bw_mta_place *place, struct bw_why *why)
{
	static const char *const setting = "enable_long_queue_ids";
	struct bw_buf said;

	bw_buf_init(&said, SAID_BYTES);
	enum bw_err err = bw_agent_postfix_ask(place, &setting, 1, &said, why);

	if (err == BW_OK && !bw_slice_equal_nocase(bw_slice_trim(bw_buf_slice(&said)), BW_S("yes")))
		err = bw_fail(why, BW_ERR_INPUT,
		              "Postfix%s%s has enable_long_queue_ids = no: a queue id is another message's soon, so orders by queue id may be "
		              "refused and a restored message gets a new one; set it to yes",
		              place->config == NULL ? "" : " in ", place->config == NULL ? "" : place->config);
	bw_buf_done(&said);
	return err;
}
