/* members.h: what stands behind the name of an alias.
 *
 * Layer:     import, seen by its own files only.
 * Threads:   one import, one thread at a time.
 * Ownership: texts are copied.
 * Fails:     as import.h says; malformed members count as one each, with a note.
 */
#ifndef BW_IMPORT_MEMBERS_H
#define BW_IMPORT_MEMBERS_H

#include "internal.h"

/* Adds the members that `value` names to `list`, whose members are being added. */
enum bw_err bw_members_take(struct bw_import *im, uint32_t list, struct bw_slice value, const char *place, struct bw_why *why);
/* Does it begin with a word in colons (":include:", ":fail:")? */
bool bw_members_is_word(struct bw_slice value);
/* Reads the files that members have named so far (aliases.c). */
enum bw_err bw_import_read_included(struct bw_import *im, struct bw_why *why);

#endif
