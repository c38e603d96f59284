/* source.h: the text of a configuration: its files put into one, and where each line came from.
 *
 * Layer:     config, its own files only.
 * Threads:   one source, one thread.
 * Ownership: struct bw_config_source owns all; bw_config_source_done() takes a half-read one, too.
 * Fails:     one sentence with file and line. Input is bounded: regular files only, in all at most BW_CONFIG_BYTES_MAX.
 *
 * Reading it here and not in libconfig: 1.5 resolves @include against one folder only and knows no cycle, truncates numbers above
 * 2^31 in silence ("4294967299" becomes 3), glues texts together when a comma is missing, and takes an open comment for
 * the end of the file. All of these would make a configuration that means something else than it says.
 */
#ifndef BW_CONFIG_SOURCE_H
#define BW_CONFIG_SOURCE_H

#include "bw/err.h"
#include "bw/slice.h"

#define BW_CONFIG_BYTES_MAX   ((size_t)64 << 20)
#define BW_CONFIG_INCLUDE_MAX 10   /* files within files */
#define BW_CONFIG_FILES_MAX   1000 /* in all */
#define BW_CONFIG_DEPTH_MAX   12   /* brackets within brackets */

/* From this line of the joined text on, lines are those of that file. */
struct bw_config_run {
	unsigned at, line;
	const char *file;
};

struct bw_config_source {
	struct bw_buf text; /* for libconfig: comments blanked out, integers marked as 64-bit */
	struct bw_config_run *runs;
	size_t run_count, run_room;
	char **files; /* names, as an operator would write them */
	size_t file_count, file_room;
};

/* Reads `path` and what it includes; with `roots`, only files that are root's and that nobody else may write to (BW_ERR_PERMISSION). BW_ERR_IO, BW_ERR_INPUT, BW_ERR_LIMIT, BW_ERR_MEMORY. */
enum bw_err bw_config_source_read(const char *path, bool roots, struct bw_config_source *out, struct bw_why *why);
/* The same from memory; `name` stands for the file in sentences. @include is an error then. */
enum bw_err bw_config_source_parse(struct bw_slice text, const char *name, struct bw_config_source *out, struct bw_why *why);
void bw_config_source_done(struct bw_config_source *source);
/* Where a line of the joined text (from 1) came from. Returns the file's name, "" in an empty source. */
const char *bw_config_source_place(const struct bw_config_source *source, unsigned at, unsigned *line);

#endif
