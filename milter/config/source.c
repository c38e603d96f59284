#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scan.h"

/* A file that is being read, and the one that includes it. */
struct open_file {
	const char *name;
	dev_t device;
	ino_t inode;
};

struct reading {
	struct bw_config_source *source;
	struct bw_config_syntax syntax;
	struct open_file stack[BW_CONFIG_INCLUDE_MAX + 1];
	size_t depth;
	size_t bytes;  /* read so far, of all files */
	unsigned line; /* of the joined text, as far as `counted` bytes of it */
	size_t counted;
	const struct bw_config_scan *includer; /* NULL: the first file */
	bool roots; /* each file must be root's, and nobody else may write to it */
	struct bw_why *why;
};

void bw_config_source_done(struct bw_config_source *source)
{
	for (size_t i = 0; i < source->file_count; i++)
		free(source->files[i]);
	free(source->files);
	free(source->runs);
	bw_buf_done(&source->text);
	*source = (struct bw_config_source){ 0 };
}

static enum bw_err no_memory(struct bw_why *why)
{
	return bw_fail(why, BW_ERR_MEMORY, "configuration: memory is out");
}

/* Says what is wrong with `name`, and which line asked for it. */
static enum bw_err fail_file(const struct reading *r, enum bw_err err, const char *name, const char *what)
{
	if (r->includer == NULL)
		return bw_fail(r->why, err, "%s: %s", name, what);
	return bw_fail(r->why, err, "%s:%u: @include \"%s\": %s", r->includer->file, r->includer->line, name, what);
}

/* Grows an array by one; its address or NULL. */
static void *one_more(void *array, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return array;
	size_t bigger = *room + *room / 2 + 8;
	void *p = realloc(array, bigger * size);

	if (p != NULL)
		*room = bigger;
	return p;
}

static unsigned current_line(struct reading *r)
{
	const struct bw_buf *text = &r->source->text;

	for (; r->counted < text->n; r->counted++)
		r->line += text->p[r->counted] == '\n';
	return r->line;
}

/* The joined text goes on with `line` of `file`. */
static bool begin_run(struct reading *r, const char *file, unsigned line)
{
	struct bw_config_source *s = r->source;
	struct bw_config_run *runs = one_more(s->runs, s->run_count, &s->run_room, sizeof(*runs));

	if (runs == NULL)
		return false;
	s->runs = runs;
	s->runs[s->run_count++] = (struct bw_config_run){ current_line(r), line, file };
	return true;
}

/* Keeps `name`; NULL when memory is out. */
static const char *keep_name(struct bw_config_source *s, const char *name)
{
	char **files = one_more(s->files, s->file_count, &s->file_room, sizeof(*files));

	if (files == NULL)
		return NULL;
	s->files = files;
	char *copy = strdup(name);

	if (copy != NULL)
		s->files[s->file_count++] = copy;
	return copy;
}

/* --- reading one file --- */

static enum bw_err read_all(struct reading *r, int fd, const char *name, struct bw_buf *out)
{
	char chunk[65536];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
		r->bytes += (size_t)n;
		if (r->bytes > BW_CONFIG_BYTES_MAX)
			return fail_file(r, BW_ERR_LIMIT, name, "more than 64 MiB of configuration; keep large directories in the store");
		bw_buf_add(out, (struct bw_slice){ chunk, (size_t)n });
	}
	if (n < 0)
		return fail_file(r, BW_ERR_IO, name, strerror(errno));
	return out->cut ? no_memory(r->why) : BW_OK;
}

/* Is it open already, further out? Then an include leads back to it. */
static enum bw_err check_cycle(struct reading *r, const char *name, const struct stat *st)
{
	struct bw_buf chain;
	bool found = false;

	bw_buf_init(&chain, 300);
	bw_buf_add_text(&chain, "includes itself: ");
	for (size_t i = 0; i < r->depth; i++) {
		found = found || (r->stack[i].device == st->st_dev && r->stack[i].inode == st->st_ino);
		if (found)
			bw_buf_printf(&chain, "%s -> ", r->stack[i].name);
	}
	bw_buf_add_text(&chain, name);
	enum bw_err err = found ? fail_file(r, BW_ERR_INPUT, name, bw_buf_text(&chain)) : BW_OK;

	bw_buf_done(&chain);
	return err;
}

static enum bw_err check_file(struct reading *r, const char *name, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return fail_file(r, BW_ERR_IO, name, "not a regular file");
	if (r->roots && (st->st_uid != 0 || (st->st_mode & 022) != 0))
		return fail_file(r, BW_ERR_PERMISSION, name, "must belong to root, and nobody else may write to it: what it names is run as root");
	enum bw_err err = check_cycle(r, name, st);

	if (err != BW_OK)
		return err;
	if (r->depth > BW_CONFIG_INCLUDE_MAX)
		return fail_file(r, BW_ERR_LIMIT, name, "more than 10 files within each other");
	if (r->source->file_count >= BW_CONFIG_FILES_MAX)
		return fail_file(r, BW_ERR_LIMIT, name, "more than 1000 files");
	return BW_OK;
}

/* Opens, checks and reads; pushes it on the stack. */
static enum bw_err load_file(struct reading *r, const char *name, struct bw_buf *out)
{
	/* O_NONBLOCK: a FIFO in the place of a file must not stop us. */
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return fail_file(r, BW_ERR_IO, name, strerror(errno));
	enum bw_err err = fstat(fd, &st) == 0 ? check_file(r, name, &st) : fail_file(r, BW_ERR_IO, name, strerror(errno));

	if (err == BW_OK)
		err = read_all(r, fd, name, out);
	if (err == BW_OK)
		r->stack[r->depth++] = (struct open_file){ name, st.st_dev, st.st_ino };
	close(fd);
	return err;
}

static enum bw_err include(void *ctx, const struct bw_config_scan *scan, struct bw_slice name, struct bw_why *why);

static enum bw_err scan_text(struct reading *r, const char *name, struct bw_slice text)
{
	struct bw_config_scan scan = {
		.file = name,
		.rest = text,
		.line = 1,
		.syntax = &r->syntax,
		.out = &r->source->text,
		.include = include,
		.ctx = r,
		.why = r->why,
	};

	if (!begin_run(r, name, 1))
		return no_memory(r->why);
	enum bw_err err = bw_config_scan_file(&scan);

	return r->source->text.cut ? no_memory(r->why) : err;
}

static enum bw_err read_file(struct reading *r, const char *name)
{
	struct bw_buf text;
	const char *kept;

	bw_buf_init(&text, BW_CONFIG_BYTES_MAX);
	enum bw_err err = load_file(r, name, &text);

	if (err == BW_OK) {
		kept = keep_name(r->source, name);
		err = kept == NULL ? no_memory(r->why) : scan_text(r, kept, bw_buf_slice(&text));
		r->depth--;
	}
	bw_buf_done(&text);
	return err;
}

/* Names are relative to the file that includes. */
static void resolve(struct bw_slice name, const char *from, struct bw_buf *out)
{
	const char *slash = strrchr(from, '/');

	if (name.p[0] != '/' && slash != NULL)
		bw_buf_add(out, (struct bw_slice){ from, (size_t)(slash - from) + 1 });
	bw_buf_add(out, name);
}

static enum bw_err include(void *ctx, const struct bw_config_scan *scan, struct bw_slice name, struct bw_why *why)
{
	struct reading *r = ctx;
	const struct bw_config_scan *outer = r->includer;
	struct bw_buf path;

	if (r->depth == 0)
		return bw_fail(why, BW_ERR_INPUT, "%s:%u: @include is possible in files only", scan->file, scan->line);
	bw_buf_init(&path, 4096);
	resolve(name, scan->file, &path);
	r->includer = scan;
	enum bw_err err = path.cut ? fail_file(r, BW_ERR_LIMIT, "…", "its name is too long") : read_file(r, bw_buf_text(&path));

	r->includer = outer;
	/* The included text ended with a line feed; what follows is the rest of this line, an empty one. */
	if (err == BW_OK && !begin_run(r, scan->file, scan->line))
		err = no_memory(why);
	bw_buf_done(&path);
	return err;
}

static enum bw_err finish(struct reading *r, enum bw_err err, struct bw_config_source *out)
{
	if (err == BW_OK)
		err = bw_config_syntax_end(&r->syntax, r->source->files[0], r->why);
	if (err == BW_OK)
		*out = *r->source;
	else
		bw_config_source_done(r->source);
	return err;
}

static void begin(struct reading *r, struct bw_config_source *fresh, struct bw_why *why)
{
	*fresh = (struct bw_config_source){ 0 };
	/* Each integer grows by one byte, each file by one. */
	bw_buf_init(&fresh->text, 2 * BW_CONFIG_BYTES_MAX);
	*r = (struct reading){ .source = fresh, .line = 1, .why = why };
}

enum bw_err bw_config_source_read(const char *path, bool roots, struct bw_config_source *out, struct bw_why *why)
{
	struct bw_config_source fresh;
	struct reading r;

	begin(&r, &fresh, why);
	r.roots = roots;
	return finish(&r, read_file(&r, path), out);
}

enum bw_err bw_config_source_parse(struct bw_slice text, const char *name, struct bw_config_source *out, struct bw_why *why)
{
	struct bw_config_source fresh;
	struct reading r;

	begin(&r, &fresh, why);
	const char *kept = keep_name(&fresh, name);
	enum bw_err err = kept == NULL ? no_memory(why) : BW_OK;

	if (err == BW_OK && text.n > BW_CONFIG_BYTES_MAX)
		err = fail_file(&r, BW_ERR_LIMIT, name, "more than 64 MiB of configuration; keep large directories in the store");
	if (err == BW_OK)
		err = scan_text(&r, kept, text);
	return finish(&r, err, out);
}

const char *bw_config_source_place(const struct bw_config_source *source, unsigned at, unsigned *line)
{
	size_t low = 0, high = source->run_count;

	*line = 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (source->runs[middle].at <= at)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return "";
	const struct bw_config_run *run = &source->runs[low - 1];

	*line = run->line + (at - run->at);
	return run->file;
}
