/* fill-hold SECRET FILE COUNT: copies a held queue file of Postfix under COUNT new queue ids, each a message of its own: the id in its records
 * and trace fields, and a mark with an id of its own, sealed with the queue id. Prints "ID QUEUE-ID" for each. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bw/mark.h"

enum { FILE_BYTES = 65536, STAMP = 6, COUNTER = 4 };

static const char base52[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

struct filling {
	struct bw_key key;
	struct bw_mark mark;
	char folder[1024], old_id[64];
	char bytes[FILE_BYTES], list[256];
	size_t n, mark_at, mark_n;
	struct stat st;
};

static bool read_template(struct filling *f, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const char *slash = strrchr(path, '/');
	ssize_t n = fd < 0 || fstat(fd, &f->st) != 0 ? -1 : read(fd, f->bytes, sizeof(f->bytes));

	if (fd >= 0)
		close(fd);
	if (n <= 0 || slash == NULL)
		return false;
	f->n = (size_t)n;
	snprintf(f->folder, sizeof(f->folder), "%.*s", (int)(slash - path), path);
	snprintf(f->old_id, sizeof(f->old_id), "%s", slash + 1);
	char *field = memmem(f->bytes, f->n, BW_MARK_FIELD ": ", sizeof(BW_MARK_FIELD ": ") - 1);
	char *mac = field == NULL ? NULL : memmem(field, f->n - (size_t)(field - f->bytes), "; mac=", 6);

	if (mac == NULL)
		return false;
	field += sizeof(BW_MARK_FIELD ": ") - 1;
	f->mark_at = (size_t)(field - f->bytes);
	f->mark_n = (size_t)(mac - field) + 6 + (size_t)2 * BW_HASH_BYTES;
	if (!bw_mark_read(&f->key, (struct bw_slice){ field, f->mark_n }, bw_slice_of(f->old_id), &f->mark))
		return false;
	bw_slice_copy(f->mark.list, f->list, sizeof(f->list));
	f->mark.list = bw_slice_of(f->list);
	return true;
}

/* As long as the old one, with another microsecond. */
static void name_copy(const struct filling *f, size_t i, char id[64])
{
	memcpy(id, f->old_id, sizeof(f->old_id));
	for (int k = COUNTER; k-- > 0; i /= sizeof(base52) - 1)
		id[STAMP + k] = base52[i % (sizeof(base52) - 1)];
}

static bool write_copy(struct filling *f, size_t i)
{
	char id[64], path[1200], hex[2 * BW_HASH_BYTES + 1], *at = f->bytes;
	struct bw_buf mark;

	name_copy(f, i, id);
	if (strcmp(id, f->old_id) == 0)
		return true;
	f->mark.id = bw_hash_random();
	bw_buf_init(&mark, BW_MARK_BYTES);
	bw_mark_print(&mark, &f->key, &f->mark, bw_slice_of(id));
	bool good = mark.n == f->mark_n;

	if (good)
		memcpy(f->bytes + f->mark_at, mark.p, mark.n);
	bw_buf_done(&mark);
	while ((at = memmem(at, f->n - (size_t)(at - f->bytes), f->old_id, strlen(f->old_id))) != NULL)
		memcpy(at, id, strlen(id));
	memcpy(f->old_id, id, sizeof(id));
	snprintf(path, sizeof(path), "%s/%s", f->folder, id);
	int fd = good ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;

	good = fd >= 0 && write(fd, f->bytes, f->n) == (ssize_t)f->n && fchown(fd, f->st.st_uid, f->st.st_gid) == 0 &&
	       fchmod(fd, f->st.st_mode & 0777) == 0;
	if (fd >= 0)
		close(fd);
	bw_hash_hex(&f->mark.id, hex);
	printf("%s %s\n", hex, id);
	return good;
}

int main(int argc, char **argv)
{
	static struct filling f;
	struct bw_why why = { "" };
	long count = argc == 4 ? atol(argv[3]) : 0;

	if (count < 1 || bw_key_load(argv[1], false, &f.key, &why) != BW_OK || !read_template(&f, argv[2])) {
		fprintf(stderr, "fill-hold: no template with a genuine mark %s\n", why.text);
		return 2;
	}
	for (long i = 0; i < count; i++) {
		if (!write_copy(&f, (size_t)i)) {
			perror("fill-hold");
			return 1;
		}
	}
	return 0;
}
