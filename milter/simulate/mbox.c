/* An archive of mail in order of time: one pass finds the messages, another reads them. */
#include "bw/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As much of a message as the header parser looks at, and a little more. */
enum { CHUNK_BYTES = 256 << 10, MESSAGE_BYTES_MAX = 640 << 10, LINE_KEPT = 1024 };

struct entry {
	int64_t at_ms, offset;
	uint32_t length; /* of the message in the file, at most MESSAGE_BYTES_MAX */
	uint32_t line;
};

struct bw_mbox {
	int fd;
	char *path;
	struct entry *entries;
	size_t count, room, next;
	char *buffer; /* of the message in hand; of the chunk in hand during the first pass */
};

/* --- the first pass --- */

struct scan {
	struct bw_mbox *mbox;
	char head[LINE_KEPT]; /* of the line in hand */
	size_t head_n;
	int64_t line, start, at; /* the line's number, its offset; the offset behind it */
};

static enum bw_err no_memory(struct bw_why *why)
{
	return bw_fail(why, BW_ERR_MEMORY, "no memory for the archive");
}

static enum bw_err grow(struct bw_mbox *m, struct bw_why *why)
{
	size_t room = m->room == 0 ? 1024 : 2 * m->room;

	if (m->count >= BW_MBOX_MESSAGES_MAX)
		return bw_fail(why, BW_ERR_RANGE, "%s: more than %d messages; split it", m->path, BW_MBOX_MESSAGES_MAX);
	if (m->count < m->room)
		return BW_OK;
	struct entry *entries = realloc(m->entries, room * sizeof(*entries));

	if (entries == NULL)
		return no_memory(why);
	m->entries = entries;
	m->room = room;
	return BW_OK;
}

/* The message in hand ends at `offset`. */
static void close_entry(struct bw_mbox *m, int64_t offset)
{
	if (m->count == 0)
		return;
	struct entry *e = &m->entries[m->count - 1];
	int64_t length = offset - e->offset;

	e->length = (uint32_t)(length < MESSAGE_BYTES_MAX ? length : MESSAGE_BYTES_MAX);
}

static bool is_blank(struct bw_slice s)
{
	return bw_slice_trim(s).n == 0;
}

static enum bw_err end_line(struct scan *s, struct bw_why *why)
{
	struct bw_mbox *m = s->mbox;
	struct bw_slice line = { s->head, s->head_n }, sender;
	struct entry e = { .offset = s->start, .line = (uint32_t)(s->line < UINT32_MAX ? s->line : UINT32_MAX) };
	enum bw_err err = BW_OK;

	if (line.n > 5 && line.p[0] == 'F' && bw_mbox_from_line(line, &sender, &e.at_ms)) {
		close_entry(m, s->start);
		err = grow(m, why);
		if (err == BW_OK)
			m->entries[m->count++] = e;
	} else if (m->count == 0 && !is_blank(line)) {
		err = bw_fail(why, BW_ERR_INPUT, "%s:%lld: this is no mbox: expected \"From ADDRESS Tue Mar  2 18:52:50 2021\"", m->path,
		              (long long)s->line);
	}
	s->head_n = 0;
	s->line++;
	s->start = s->at;
	return err;
}

static enum bw_err scan_chunk(struct scan *s, struct bw_slice chunk, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	while (err == BW_OK && chunk.n > 0) {
		size_t end = bw_slice_find(chunk, '\n');
		size_t n = end < sizeof(s->head) - s->head_n ? end : sizeof(s->head) - s->head_n;

		memcpy(s->head + s->head_n, chunk.p, n);
		s->head_n += n;
		s->at += (int64_t)(end < chunk.n ? end + 1 : end);
		if (end < chunk.n)
			err = end_line(s, why);
		chunk = bw_slice_from(chunk, end + 1);
	}
	return err;
}

static enum bw_err io_error(const struct bw_mbox *m, struct bw_why *why)
{
	return bw_fail(why, BW_ERR_IO, "%s: %s", m->path, strerror(errno));
}

static ssize_t read_at(const struct bw_mbox *m, size_t n, int64_t offset)
{
	ssize_t got;

	do
		got = pread(m->fd, m->buffer, n, (off_t)offset);
	while (got < 0 && errno == EINTR);
	return got;
}

static int by_time(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

static enum bw_err scan_all(struct bw_mbox *m, struct bw_why *why)
{
	struct scan s = { .mbox = m, .line = 1 };
	enum bw_err err = BW_OK;
	ssize_t got = 0;

	while (err == BW_OK && (got = read_at(m, CHUNK_BYTES, s.at)) > 0)
		err = scan_chunk(&s, (struct bw_slice){ m->buffer, (size_t)got }, why);
	if (err == BW_OK && got < 0)
		return io_error(m, why);
	if (err == BW_OK && s.head_n > 0)
		err = end_line(&s, why);
	if (err == BW_OK && m->count == 0)
		err = bw_fail(why, BW_ERR_INPUT, "%s: there is no message in it", m->path);
	if (err != BW_OK)
		return err;
	close_entry(m, s.at);
	qsort(m->entries, m->count, sizeof(m->entries[0]), by_time);
	return BW_OK;
}

/* --- opening and closing --- */

static enum bw_err open_file(struct bw_mbox *m, struct bw_why *why)
{
	struct stat st;

	/* Not to wait for the writer of a pipe that is refused below. */
	m->fd = open(m->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (m->fd < 0 || fstat(m->fd, &st) != 0)
		return io_error(m, why);
	if (!S_ISREG(st.st_mode))
		return bw_fail(why, BW_ERR_INPUT, "%s: an mbox is a regular file; this is none", m->path);
	return BW_OK;
}

enum bw_err bw_mbox_open(const char *path, struct bw_mbox **out, struct bw_why *why)
{
	struct bw_mbox *m = calloc(1, sizeof(*m));
	enum bw_err err = BW_OK;

	if (m == NULL)
		return no_memory(why);
	m->fd = -1;
	m->path = strdup(path);
	m->buffer = malloc(MESSAGE_BYTES_MAX);
	if (m->path == NULL || m->buffer == NULL)
		err = no_memory(why);
	if (err == BW_OK)
		err = open_file(m, why);
	if (err == BW_OK)
		err = scan_all(m, why);
	if (err == BW_OK)
		*out = m;
	else
		bw_mbox_close(&m);
	return err;
}

void bw_mbox_close(struct bw_mbox **mbox)
{
	struct bw_mbox *m = *mbox;

	*mbox = NULL;
	if (m == NULL)
		return;
	if (m->fd >= 0)
		close(m->fd);
	free(m->path);
	free(m->entries);
	free(m->buffer);
	free(m);
}

size_t bw_mbox_count(const struct bw_mbox *mbox)
{
	return mbox->count;
}

/* --- the second pass --- */

/* The header ends at the first empty line; CRLF and LF may be mixed. */
static size_t head_length(struct bw_slice text)
{
	for (size_t at = 0; at < text.n;) {
		struct bw_slice rest = bw_slice_from(text, at);

		if (rest.p[0] == '\n' || (rest.n > 1 && rest.p[0] == '\r' && rest.p[1] == '\n'))
			return at;
		at += bw_slice_find(rest, '\n') + 1;
	}
	return text.n;
}

static void split(struct bw_slice text, struct bw_mbox_message *out)
{
	size_t first = bw_slice_find(text, '\n');
	struct bw_slice rest = bw_slice_from(text, first + 1);
	int64_t at_ms;
	size_t n = head_length(rest);

	(void)bw_mbox_from_line(bw_slice_head(text, first), &out->sender, &at_ms);
	out->head = bw_slice_head(rest, n);
	rest = bw_slice_from(rest, n);
	out->body = bw_slice_from(rest, bw_slice_find(rest, '\n') + 1);
}

enum bw_err bw_mbox_next(struct bw_mbox *m, struct bw_mbox_message *out, bool *found, struct bw_why *why)
{
	*found = m->next < m->count;
	if (!*found)
		return BW_OK;
	const struct entry *e = &m->entries[m->next++];
	ssize_t got = read_at(m, e->length, e->offset);

	if (got < 0)
		return io_error(m, why);
	*out = (struct bw_mbox_message){ .line = e->line, .at_ms = e->at_ms };
	split((struct bw_slice){ m->buffer, (size_t)got }, out);
	return BW_OK;
}
