/* list-import.h: what `list import` found, for people and programs.
 *
 * Layer:     cli.
 * Ownership: everything is borrowed.
 */
#ifndef BW_CLI_LIST_IMPORT_H
#define BW_CLI_LIST_IMPORT_H

#include "bw/import.h"
#include "change.h"

struct found {
	const struct bw_import *import;
	const struct bw_import_plan *plan;
	struct bw_slice origin;
	bool applied; /* it was written, or there was nothing to write */
};

/* "3 new, 1 grown"; "nothing new" without any change. */
void bw_cli_import_counts(struct bw_buf *out, const struct bw_import_plan *plan);
void bw_cli_import_text(struct cli *c, const struct found *f);
json_t *bw_cli_import_json(const struct cli *c, const struct found *f);

#endif
