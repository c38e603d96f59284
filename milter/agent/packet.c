#include "packet.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bw/clock.h"
#include "bw/parse.h"
#include "sendmail.h"

void packet_reset(struct packet *p)
{
	p->n = 0;
	p->cut = false;
	p->file_count = 0;
}

void packet_drop_files(struct packet *p)
{
	while (p->file_count > 0)
		close(p->files[--p->file_count]);
}

/* --- fields --- */

void packet_add(struct packet *p, const char *name, struct bw_slice value)
{
	size_t name_bytes = strlen(name);

	if (p->cut || PACKET_BYTES - p->n < name_bytes + value.n + 2) {
		p->cut = true;
		return;
	}
	memcpy(p->bytes + p->n, name, name_bytes);
	p->n += name_bytes;
	p->bytes[p->n++] = '=';
	for (size_t i = 0; i < value.n; i++)
		p->bytes[p->n++] = value.p[i] == '\0' ? ' ' : value.p[i];
	p->bytes[p->n++] = '\0';
}

void packet_add_text(struct packet *p, const char *name, const char *value)
{
	packet_add(p, name, bw_slice_of(value));
}

void packet_add_int(struct packet *p, const char *name, int64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%lld", (long long)value);
	packet_add_text(p, name, digits);
}

void packet_add_hash(struct packet *p, const char *name, const struct bw_hash *value)
{
	char hex[2 * BW_HASH_BYTES + 1];

	bw_hash_hex(value, hex);
	packet_add_text(p, name, hex);
}

bool packet_is_good(const struct packet *p)
{
	struct bw_slice rest = { p->bytes, p->n };
	size_t fields = 0;

	if (p->n == 0 || p->bytes[p->n - 1] != '\0')
		return false;
	for (; rest.n > 0; fields++) {
		struct bw_slice field = bw_slice_head(rest, bw_slice_find(rest, '\0'));
		size_t name = bw_slice_find(field, '=');

		if (name == 0 || name == field.n)
			return false;
		rest = bw_slice_from(rest, field.n + 1);
	}
	return fields <= PACKET_FIELDS;
}

struct bw_slice packet_get(const struct packet *p, const char *name)
{
	struct bw_slice rest = { p->bytes, p->n }, wanted = bw_slice_of(name);

	while (rest.n > 0) {
		struct bw_slice field = bw_slice_head(rest, bw_slice_find(rest, '\0'));

		if (field.n > wanted.n + 1 && field.p[wanted.n] == '=' && bw_slice_equal(bw_slice_head(field, wanted.n), wanted))
			return bw_slice_from(field, wanted.n + 1);
		rest = bw_slice_from(rest, field.n + 1);
	}
	return BW_S("");
}

bool packet_is(const struct packet *p, const char *name, const char *value)
{
	return bw_slice_equal(packet_get(p, name), bw_slice_of(value));
}

bool packet_get_int(const struct packet *p, const char *name, int64_t *out)
{
	return bw_parse_int(packet_get(p, name), out);
}

bool packet_get_hash(const struct packet *p, const char *name, struct bw_hash *out)
{
	return bw_hash_parse(packet_get(p, name), out);
}

/* --- files --- */

enum { FILE_LINE_BYTES = 128 };

static void name_field(size_t i, char out[8])
{
	snprintf(out, 8, "file%u", (unsigned)(i % 1000));
}

void packet_print_file(struct bw_buf *out, const struct packet_file *file)
{
	bw_buf_printf(out, "%s %u %u %u %lld", file->name, (unsigned)file->mode, (unsigned)file->uid, (unsigned)file->gid,
	              (long long)file->bytes);
}

void packet_add_file(struct packet *p, size_t i, const struct packet_file *file)
{
	char name[8];
	struct bw_buf line;

	name_field(i, name);
	bw_buf_init(&line, FILE_LINE_BYTES);
	packet_print_file(&line, file);
	packet_add(p, name, bw_buf_slice(&line));
	bw_buf_done(&line);
}

/* Of the MTAs' queue files: Postfix has one, Sendmail two, and a control file for each further part that it has made of a message. */
static bool take_name(struct bw_slice word, char out[PACKET_NAME_BYTES])
{
	static const char *const names[] = { "message", "hf", "df" };

	if (bw_slice_copy(word, out, PACKET_NAME_BYTES) < word.n)
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(out, names[i]) == 0)
			return true;
	}
	return strncmp(out, "hf", 2) == 0 && bw_agent_sendmail_is_id(out + 2);
}

static bool take_number(struct bw_slice *rest, int64_t most, int64_t *out)
{
	struct bw_slice word;

	return bw_slice_word(rest, &word) && bw_parse_int(word, out) && *out >= 0 && *out <= most;
}

static bool is_printed(struct bw_slice value, const struct packet_file *file)
{
	struct bw_buf again;

	bw_buf_init(&again, FILE_LINE_BYTES);
	packet_print_file(&again, file);
	bool same = bw_slice_equal(value, bw_buf_slice(&again));

	bw_buf_done(&again);
	return same;
}

/* Read and printed again, it must be the same: nothing is left out, nothing is more. */
bool packet_get_file(const struct packet *p, size_t i, struct packet_file *out)
{
	const int64_t most_id = UINT32_MAX - 1;
	int64_t mode, uid, gid, bytes;
	struct packet_file file;
	struct bw_slice rest, word;
	char name[8];

	name_field(i, name);
	rest = packet_get(p, name);
	if (!bw_slice_word(&rest, &word) || !take_name(word, file.name) || !take_number(&rest, 0777, &mode) || !take_number(&rest, most_id, &uid) ||
	    !take_number(&rest, most_id, &gid) || !take_number(&rest, INT64_MAX, &bytes))
		return false;
	file.mode = (mode_t)mode;
	file.uid = (uid_t)uid;
	file.gid = (gid_t)gid;
	file.bytes = bytes;
	bool same = is_printed(packet_get(p, name), &file);

	if (same)
		*out = file;
	return same;
}

/* --- the socket --- */

static enum bw_err fail_socket(const char *what, struct bw_why *why)
{
	enum bw_err err = errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN ? BW_ERR_NOT_FOUND : BW_ERR_IO;

	return bw_fail(why, err, "%s: %s", what, strerror(errno));
}

static enum bw_err wait_for(int fd, short what, int64_t end_ms, struct bw_why *why)
{
	for (;;) {
		int64_t left_ms = end_ms - bw_clock_monotonic_ms();
		struct pollfd p = { .fd = fd, .events = what };
		int n = poll(&p, 1, left_ms > 0 ? (int)left_ms : 0);

		if (n > 0)
			return BW_OK;
		if (n == 0)
			return bw_fail(why, BW_ERR_IO, "the other end of the socket is silent");
		if (errno != EINTR)
			return fail_socket("poll", why);
	}
}

union control {
	char room[CMSG_SPACE(sizeof(int) * PACKET_FILES_MAX)];
	struct cmsghdr align;
};

static void attach_files(struct msghdr *message, union control *control, const struct packet *p)
{
	memset(control, 0, sizeof(*control));
	message->msg_control = control->room;
	message->msg_controllen = CMSG_SPACE(sizeof(int) * p->file_count);
	struct cmsghdr *c = CMSG_FIRSTHDR(message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * p->file_count);
	memcpy(CMSG_DATA(c), p->files, sizeof(int) * p->file_count);
}

enum bw_err packet_send(int fd, const struct packet *p, int64_t most_ms, struct bw_why *why)
{
	int64_t end_ms = bw_clock_monotonic_ms() + most_ms;
	struct iovec bytes = { (void *)(uintptr_t)p->bytes, p->n };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };
	union control control;

	if (p->cut || p->n == 0)
		return bw_fail(why, BW_ERR_LIMIT, "more than a packet to breakwater-helper holds");
	if (p->file_count > 0)
		attach_files(&message, &control, p);
	for (;;) {
		enum bw_err err = wait_for(fd, POLLOUT, end_ms, why);

		if (err != BW_OK)
			return err;
		if (sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return BW_OK;
		if (errno != EINTR && errno != EAGAIN)
			return fail_socket("could not be sent", why);
	}
}

static void take_files(struct msghdr *message, struct packet *p)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; i < n; i++) {
			int file;

			memcpy(&file, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (p->file_count < PACKET_FILES_MAX)
				p->files[p->file_count++] = file;
			else
				close(file);
		}
	}
}

enum bw_err packet_receive(int fd, struct packet *p, int64_t most_ms, struct bw_why *why)
{
	int64_t end_ms = bw_clock_monotonic_ms() + most_ms;
	struct iovec bytes = { p->bytes, PACKET_BYTES };
	union control control;
	ssize_t n = -1;
	struct msghdr message;

	packet_reset(p);
	while (n < 0) {
		enum bw_err err = wait_for(fd, POLLIN, end_ms, why);

		if (err != BW_OK)
			return err;
		message = (struct msghdr){ .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
		n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return fail_socket("could not be received", why);
	}
	take_files(&message, p);
	if (n == 0)
		return bw_fail(why, BW_ERR_NOT_FOUND, "the other end of the socket was closed");
	p->n = (size_t)n;
	if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || !packet_is_good(p)) {
		packet_drop_files(p);
		packet_reset(p);
		return bw_fail(why, BW_ERR_INPUT, "what came through the socket is no packet of breakwater");
	}
	return BW_OK;
}
