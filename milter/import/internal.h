/* internal.h: names and what they expand to, shared by the importers.
 *
 * Layer:     import, seen by its own files only.
 * Threads:   one import, one thread at a time.
 * Ownership: texts given are copied.
 * Fails:     as import.h says.
 */
#ifndef BW_IMPORT_INTERNAL_H
#define BW_IMPORT_INTERNAL_H

#include "bw/hash.h"
#include "bw/import.h"

#define BW_IMPORT_NONE UINT32_MAX

enum {
	BW_IMPORT_LISTS_MAX = 2000000,
	BW_IMPORT_NAMES_MAX = 20000000,
	BW_IMPORT_EDGES_MAX = 50000000,
	BW_IMPORT_FILES_MAX = 10000,
	BW_IMPORT_NOTES_MAX = 100,
};
#define BW_IMPORT_FILE_BYTES_MAX ((size_t)1 << 29) /* of a file, a table's listing or a reply */
#define BW_IMPORT_TEXT_BYTES_MAX ((size_t)2 << 30) /* of all names and places */

enum bw_import_node_kind {
	BW_IMPORT_LEAF, /* somebody or something that mail ends with */
	BW_IMPORT_LIST, /* has members, and an address of its own */
	BW_IMPORT_STEP, /* has members and no address: a file that is included, a group without mail */
};

struct bw_import_node {
	struct bw_slice name;
	uint32_t first, count; /* its members, in edges */
	enum bw_import_node_kind kind;
	bool listed;     /* the source calls it a list, however few its members are */
	bool bare;       /* the name stood without a domain: it is the same in every domain of the rules */
	int64_t size;    /* given by the source, or counted; -1: not counted yet */
	uint32_t detail; /* in details; BW_IMPORT_NONE: none */
	struct bw_slice place;
};

/* What few lists have. */
struct bw_import_detail {
	struct bw_slice owner, list_id, posters;
	struct bw_slice addresses[8]; /* of a group with several; its name is a DN */
	size_t address_count;
};

struct bw_import {
	struct bw_import_rules rules;
	struct bw_arena *texts;
	struct bw_key key; /* of the hash, random */
	struct bw_import_node *nodes;
	size_t node_count, node_room;
	uint32_t *slots; /* node + 1 by name */
	size_t slot_count;
	uint32_t *edges;
	size_t edge_count, edge_room;
	struct bw_import_detail *details;
	size_t detail_count, detail_room;
	uint32_t *pending; /* files to be read: nodes named ":include:/path" */
	size_t pending_count, pending_room, pending_read;
	struct bw_import_list *lists;
	size_t list_count, list_room;
	char *notes[BW_IMPORT_NOTES_MAX];
	size_t note_count;
};

/* --- names (names.c) --- */

enum bw_err bw_import_no_memory(struct bw_why *why);
/* Makes room for one more element of `size` bytes; at most `max`. */
enum bw_err bw_import_grow(void **array, size_t *room, size_t count, size_t size, size_t max, const char *what,
                           struct bw_why *why);
/* The node of that name, made if there is none yet. */
enum bw_err bw_import_node(struct bw_import *im, struct bw_slice name, uint32_t *out, struct bw_why *why);
/* The node if there is one, else BW_IMPORT_NONE. */
uint32_t bw_import_find(const struct bw_import *im, struct bw_slice name);
/* Opens a node for members; false: it has been defined already (the first one counts, as with Postfix). The members that are
 * added until the next bw_import_begin() are its. */
bool bw_import_begin(struct bw_import *im, uint32_t node, enum bw_import_node_kind kind, struct bw_slice place);
enum bw_err bw_import_member(struct bw_import *im, uint32_t list, uint32_t member, struct bw_why *why);
enum bw_err bw_import_member_named(struct bw_import *im, uint32_t list, struct bw_slice name, struct bw_why *why);
/* The detail of a node, made if there is none yet; NULL when memory is out. */
struct bw_import_detail *bw_import_detail(struct bw_import *im, uint32_t node);
struct bw_slice bw_import_keep(struct bw_import *im, struct bw_slice text); /* p NULL when memory is out and n was not 0 */
void bw_import_note(struct bw_import *im, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The normalised address of a name as sources write it: with a domain, or in the first domain of the rules. False: it is none. */
bool bw_import_address(const struct bw_import *im, struct bw_slice raw, bool *bare, char out[BW_IMPORT_ADDRESS_BYTES]);

/* --- counting (count.c) --- */

/* Finds cycles, then gives each list its size. */
enum bw_err bw_import_count_members(struct bw_import *im, struct bw_why *why);

/* --- texts and files (files.c) --- */

/* Reads a whole file, of at most BW_IMPORT_FILE_BYTES_MAX, without NULs; the caller frees it. `place`: who names it, for
 * sentences; "" if the operator does. */
enum bw_err bw_import_read(const char *path, const char *place, struct bw_slice *out, struct bw_why *why);
/* The first line of a password file, into `out` with a NUL; "" for no file. Refused when others than its owner may write it. */
enum bw_err bw_import_password(const char *path, char *out, size_t size, struct bw_why *why);

#endif
