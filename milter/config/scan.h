/* scan.h: one file of a configuration, character by character, into the joined text.
 *
 * Layer:     config, its own files only.
 * Ownership: the scan borrows; `out` is the source's.
 * Fails:     one sentence with file and line.
 */
#ifndef BW_CONFIG_SCAN_H
#define BW_CONFIG_SCAN_H

#include "source.h"
#include "syntax.h"

struct bw_config_scan {
	const char *file;
	struct bw_slice rest;
	unsigned line;
	bool after_text;                 /* the last word was a text */
	unsigned held;                   /* line feeds after it that are not written yet */
	struct bw_config_syntax *syntax; /* of all files of a source */
	struct bw_buf *out;
	/* Called for @include "NAME"; puts the other file into `out`. */
	enum bw_err (*include)(void *ctx, const struct bw_config_scan *scan, struct bw_slice name, struct bw_why *why);
	void *ctx;
	struct bw_why *why;
};

/* Scans to the end of `rest`. The output ends with a line feed. */
enum bw_err bw_config_scan_file(struct bw_config_scan *scan);

#endif
