#include "bw/room.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "bw/clock.h"
#include "bw/parse.h"

#define TELL_EVERY_MS BW_MINUTE_MS

/* Debian's queue_directory; Sendmail's is hold.sendmail_queue. */
#define POSTFIX_QUEUE "/var/spool/postfix"

static const char *const names[] = { "no", "messages", "bytes", "disk" };
static_assert(sizeof(names) / sizeof(names[0]) == BW_FULL_COUNT, "a name for every limit");

const char *bw_full_name(enum bw_full full)
{
	return (unsigned)full < BW_FULL_COUNT ? names[full] : "unknown";
}

/* --- the rule --- */

struct bw_room_limits bw_room_limits_of(const struct bw_config *config)
{
	return (struct bw_room_limits){ config->hold.max_messages, config->hold.max_bytes, config->hold.min_free };
}

int64_t bw_room_size(int64_t declared_bytes)
{
	return declared_bytes > BW_ROOM_BLOCK ? declared_bytes : BW_ROOM_BLOCK;
}

enum bw_full bw_room_check(const struct bw_room_limits *limits, const struct bw_room_figures *now, int64_t bytes)
{
	if (limits->max_messages > 0 && now->messages >= limits->max_messages)
		return BW_FULL_MESSAGES;
	if (limits->max_bytes > 0 && (now->bytes > limits->max_bytes || bytes > limits->max_bytes - now->bytes))
		return BW_FULL_BYTES;
	if (limits->min_free > 0 && now->free >= 0 && now->free < limits->min_free)
		return BW_FULL_DISK;
	return BW_FULL_NO;
}

static void print_of(struct bw_buf *out, int64_t n, int64_t most, const char *what)
{
	bw_print_count(out, n);
	bw_buf_add_text(out, " of at most ");
	bw_print_count(out, most);
	bw_buf_printf(out, " %s wait", what);
}

void bw_room_print(struct bw_buf *out, enum bw_full full, const struct bw_room_limits *limits, const struct bw_room_figures *now)
{
	switch (full) {
	case BW_FULL_MESSAGES:
		print_of(out, now->messages, limits->max_messages, "messages");
		break;
	case BW_FULL_BYTES:
		print_of(out, now->bytes, limits->max_bytes, "bytes");
		break;
	case BW_FULL_DISK:
		bw_print_count(out, now->free);
		bw_buf_add_text(out, " bytes are free, at least ");
		bw_print_count(out, limits->min_free);
		bw_buf_add_text(out, " must be");
		break;
	case BW_FULL_NO:
	case BW_FULL_COUNT:
		bw_buf_add_text(out, "there is room");
	}
}

enum bw_event bw_room_tell(struct bw_room_teller *t, int64_t now_ms, bool full)
{
	if (full == t->full)
		return BW_EVENT_NONE;
	/* Where one message goes and one comes, each minute hears of it once. A clock that went back does not silence it. */
	if (full && t->entered_ms > 0 && now_ms >= t->entered_ms && now_ms - t->entered_ms < TELL_EVERY_MS)
		return BW_EVENT_NONE;
	t->full = full;
	if (full)
		t->entered_ms = now_ms;
	return full ? BW_EVENT_LIMIT : BW_EVENT_ROOM;
}

/* --- the disk --- */

static bool measure(const char *path, int64_t *least)
{
	struct statvfs disk;

	if (statvfs(path, &disk) != 0)
		return false;
	int64_t bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;

	*least = *least < 0 || bytes < *least ? bytes : *least;
	return true;
}

/* Several queue directories are named by a last "*" (Sendmail's QueueDirectory): their parent stands for them. */
static void measure_sendmail(const char *queue, int64_t *least)
{
	size_t n = strlen(queue);
	const char *slash = strrchr(queue, '/');
	char path[4096];

	if (n > 0 && queue[n - 1] == '*' && slash != NULL)
		n = (size_t)(slash - queue);
	bw_slice_copy((struct bw_slice){ queue, n }, path, sizeof(path));
	measure(path, least);
}

enum bw_err bw_room_measure(const struct bw_config *config, int64_t *free_bytes, struct bw_why *why)
{
	const char *queue = config->hold.queue;

	*free_bytes = -1;
	if (queue[0] != '\0' && !measure(queue, free_bytes))
		return bw_fail(why, BW_ERR_IO, "hold.queue: %s: %s; hold.min_free sets no limit", queue, strerror(errno));
	if (queue[0] == '\0') {
		measure(POSTFIX_QUEUE, free_bytes);
		measure_sendmail(config->hold.sendmail_queue, free_bytes);
	}
	return BW_OK;
}

/* --- shared by all threads --- */

struct bw_room {
	pthread_mutex_t lock; /* held for a few additions */
	struct bw_room_figures now;
	int64_t taking;                   /* places taken that the ledger does not have yet */
	int64_t taking_bytes;
	int64_t read_messages, read_bytes; /* taken since a reading began, with what was being taken then */
	int64_t refused;
	enum bw_full by;
};

struct bw_room *bw_room_new(void)
{
	struct bw_room *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	pthread_mutex_init(&r->lock, NULL);
	r->now.free = -1;
	return r;
}

void bw_room_free(struct bw_room **room)
{
	if (*room == NULL)
		return;
	pthread_mutex_destroy(&(*room)->lock);
	free(*room);
	*room = NULL;
}

enum bw_full bw_room_take(struct bw_room *r, const struct bw_room_limits *limits, int64_t bytes)
{
	pthread_mutex_lock(&r->lock);
	enum bw_full full = bw_room_check(limits, &r->now, bytes);

	if (full == BW_FULL_NO) {
		r->now.messages++;
		r->now.bytes += bytes;
		r->now.free -= r->now.free > bytes ? bytes : 0; /* until the disk is measured again */
		r->read_messages++;
		r->read_bytes += bytes;
		r->taking++;
		r->taking_bytes += bytes;
	} else {
		r->refused++;
		r->by = full;
	}
	pthread_mutex_unlock(&r->lock);
	return full;
}

void bw_room_taken(struct bw_room *r)
{
	pthread_mutex_lock(&r->lock);
	if (--r->taking == 0)
		r->taking_bytes = 0; /* which of those under way this was, nobody has to know: too many bytes are no harm */
	pthread_mutex_unlock(&r->lock);
}

int64_t bw_room_read_begin(struct bw_room *r)
{
	pthread_mutex_lock(&r->lock);
	int64_t taking = r->taking;

	r->read_messages = taking;
	r->read_bytes = r->taking_bytes;
	pthread_mutex_unlock(&r->lock);
	return taking;
}

/* What was entered during the reading may be in it: counted twice then, until the next one. Never too little. */
void bw_room_read_end(struct bw_room *r, int64_t messages, int64_t bytes)
{
	pthread_mutex_lock(&r->lock);
	r->now.messages = messages + r->read_messages;
	r->now.bytes = bytes + r->read_bytes;
	pthread_mutex_unlock(&r->lock);
}

void bw_room_set_free(struct bw_room *r, int64_t free_bytes)
{
	pthread_mutex_lock(&r->lock);
	r->now.free = free_bytes;
	pthread_mutex_unlock(&r->lock);
}

void bw_room_look(struct bw_room *r, struct bw_room_figures *now, int64_t *refused, enum bw_full *by)
{
	pthread_mutex_lock(&r->lock);
	*now = r->now;
	*refused = r->refused;
	*by = r->by;
	r->refused = 0;
	pthread_mutex_unlock(&r->lock);
}
