#include "helper-nonces.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bw/parse.h"
#include "files.h"

#define FILE_NAME "orders-done"
#define NEW_NAME  "orders-done.new"

enum { NONCES_MAX = 1000000, LINE_BYTES = 64, SPARE_LINES = 1000 };

struct nonce {
	struct bw_hash hash;
	int64_t until_ms;
};

struct nonces {
	int dir, fd;
	struct nonce *at; /* sorted by hash */
	size_t count, room;
	size_t lines, first_lines; /* of the file, now and when it was written anew */
	bool behind;  /* something known is not in the file */
};

static int compare(const void *a, const void *b)
{
	return memcmp(((const struct nonce *)a)->hash.b, ((const struct nonce *)b)->hash.b, BW_HASH_BYTES);
}

/* Where it is or would be. */
static size_t place_of(const struct nonces *n, const struct bw_hash *hash)
{
	size_t low = 0, high = n->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(n->at[middle].hash.b, hash->b, BW_HASH_BYTES) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool nonces_has(const struct nonces *n, const struct bw_hash *nonce)
{
	size_t i = place_of(n, nonce);

	return i < n->count && bw_hash_equal(&n->at[i].hash, nonce);
}

static enum bw_err make_room(struct nonces *n, struct bw_why *why)
{
	size_t room = n->room + n->room / 2 + 256;
	struct nonce *at;

	if (n->count < n->room)
		return BW_OK;
	if (n->count >= NONCES_MAX)
		return bw_fail(why, BW_ERR_LIMIT, "%zu orders have been carried out whose time is not over", n->count);
	at = realloc(n->at, room * sizeof(*at));
	if (at == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory for a further order");
	n->at = at;
	n->room = room;
	return BW_OK;
}

static void forget_old(struct nonces *n, int64_t now_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < n->count; i++) {
		if (n->at[i].until_ms >= now_ms)
			n->at[kept++] = n->at[i];
	}
	n->count = kept;
}

/* --- the file --- */

static void print_line(struct bw_buf *out, const struct nonce *nonce)
{
	char hex[2 * BW_HASH_BYTES + 1];

	bw_hash_hex(&nonce->hash, hex);
	bw_buf_printf(out, "%s %lld\n", hex, (long long)nonce->until_ms);
}

static enum bw_err write_all(const struct nonces *n, int fd, struct bw_why *why)
{
	struct bw_buf text;
	enum bw_err err = BW_OK;

	bw_buf_init(&text, 64 * LINE_BYTES);
	for (size_t i = 0; i < n->count && err == BW_OK; i++) {
		print_line(&text, &n->at[i]);
		if (text.n > 63 * LINE_BYTES || i + 1 == n->count) {
			err = agent_write(fd, bw_buf_text(&text), text.n, NEW_NAME, why);
			bw_buf_reset(&text);
		}
	}
	bw_buf_done(&text);
	if (err == BW_OK && fdatasync(fd) != 0)
		err = agent_fail_errno(NEW_NAME, "could not be synced to disk", why);
	return err;
}

/* Anew, without those whose time is over. */
static enum bw_err rewrite(struct nonces *n, struct bw_why *why)
{
	int fd = openat(n->dir, NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	enum bw_err err = fd < 0 ? agent_fail_errno(NEW_NAME, "could not be made", why) : write_all(n, fd, why);

	if (err == BW_OK && (renameat(n->dir, NEW_NAME, n->dir, FILE_NAME) != 0 || fsync(n->dir) != 0))
		err = agent_fail_errno(FILE_NAME, "could not be renewed", why);
	if (err != BW_OK) {
		if (fd >= 0)
			close(fd);
		return err;
	}
	if (n->fd >= 0)
		close(n->fd);
	n->fd = fd;
	n->lines = n->first_lines = n->count;
	n->behind = false;
	return BW_OK;
}

static enum bw_err append(struct nonces *n, const struct nonce *nonce, struct bw_why *why)
{
	struct bw_buf line;

	bw_buf_init(&line, LINE_BYTES);
	print_line(&line, nonce);
	enum bw_err err = agent_write(n->fd, bw_buf_text(&line), line.n, FILE_NAME, why);

	bw_buf_done(&line);
	if (err == BW_OK && fdatasync(n->fd) != 0)
		err = agent_fail_errno(FILE_NAME, "could not be synced to disk", why);
	n->lines++;
	return err;
}

enum bw_err nonces_ready(struct nonces *n, int64_t now_ms, struct bw_why *why)
{
	if (!n->behind && n->lines <= 2 * n->first_lines + SPARE_LINES && n->count < NONCES_MAX)
		return BW_OK;
	forget_old(n, now_ms);
	return rewrite(n, why);
}

enum bw_err nonces_add(struct nonces *n, const struct bw_hash *nonce, int64_t until_ms, int64_t now_ms, struct bw_why *why)
{
	const struct nonce entry = { *nonce, until_ms };
	enum bw_err err = nonces_ready(n, now_ms, why);

	if (nonces_has(n, nonce))
		return err;
	/* Known in any case: what a full disk does not keep holds as long as this process. */
	struct bw_why ignored;

	if (make_room(n, err == BW_OK ? why : &ignored) != BW_OK)
		return BW_ERR_MEMORY;
	size_t i = place_of(n, nonce);

	memmove(n->at + i + 1, n->at + i, (n->count - i) * sizeof(*n->at));
	n->at[i] = entry;
	n->count++;
	if (err == BW_OK)
		err = append(n, &entry, why);
	n->behind = err != BW_OK;
	return err;
}

static bool parse_line(const char *line, struct nonce *out)
{
	struct bw_slice rest = bw_slice_of(line), hex, until;

	return rest.n > 0 && rest.p[rest.n - 1] == '\n' && bw_slice_word(&rest, &hex) && bw_slice_word(&rest, &until) &&
	       bw_hash_parse(hex, &out->hash) && bw_parse_int(bw_slice_trim(until), &out->until_ms);
}

static enum bw_err read_lines(struct nonces *n, FILE *file, int64_t now_ms, struct bw_why *why)
{
	char line[LINE_BYTES + 64];
	enum bw_err err = BW_OK;

	while (err == BW_OK && fgets(line, sizeof(line), file) != NULL) {
		struct nonce nonce;

		if (!parse_line(line, &nonce) || nonce.until_ms < now_ms)
			continue;
		err = make_room(n, why);
		if (err == BW_OK)
			n->at[n->count++] = nonce;
	}
	if (err == BW_OK && ferror(file))
		err = bw_fail(why, BW_ERR_IO, FILE_NAME ": could not be read");
	if (n->count > 1)
		qsort(n->at, n->count, sizeof(*n->at), compare);
	return err;
}

static enum bw_err read_file(struct nonces *n, int64_t now_ms, struct bw_why *why)
{
	int fd = openat(n->dir, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd < 0 && errno == ENOENT)
		return BW_OK;
	if (file == NULL) {
		if (fd >= 0)
			close(fd);
		return agent_fail_errno(FILE_NAME, "could not be opened", why);
	}
	enum bw_err err = read_lines(n, file, now_ms, why);

	fclose(file);
	return err;
}

enum bw_err nonces_open(int dir, int64_t now_ms, struct nonces **out, struct bw_why *why)
{
	struct nonces *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory for orders that were carried out");
	n->dir = dir;
	n->fd = -1;
	enum bw_err err = read_file(n, now_ms, why);

	if (err == BW_OK)
		err = rewrite(n, why);
	if (err == BW_OK)
		*out = n;
	else
		nonces_close(&n);
	return err;
}

void nonces_close(struct nonces **n)
{
	if (*n == NULL)
		return;
	if ((*n)->fd >= 0)
		close((*n)->fd);
	free((*n)->at);
	free(*n);
	*n = NULL;
}
