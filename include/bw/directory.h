/* directory.h: what breakwater knows of lists: address -> size, tier, source, posters, owner. An immutable snapshot; look-ups
 * without any network or lock.
 *
 * Layer:     directory.
 * Threads:   a snapshot is immutable and may be read by all; a builder belongs to one thread.
 * Ownership: refcounted: bw_directory_ref() / bw_directory_unref(). Strings and lists live as long as the snapshot.
 * Fails:     builders say which entry and why; the builder is untouched by a refused entry.
 */
#ifndef BW_DIRECTORY_H
#define BW_DIRECTORY_H

#include "bw/err.h"
#include "bw/settings.h"

#define BW_LIST_SIZE_MAX INT64_C(1000000000) /* more members than people use mail is an error */
#define BW_LIST_POSTERS_MAX 1000

struct bw_list {
	struct bw_slice address; /* normalised */
	int64_t size;            /* members */
	enum bw_tier tier;
	enum bw_source source;   /* of the size */
	bool unconfirmed;        /* its next post is held, whoever sends it */
	struct bw_slice owner;   /* normalised address, "" if none */
	struct bw_slice list_id; /* RFC 2919 id, lower case, "" if none */
	size_t poster_count;
	const struct bw_slice *posters; /* "auth:comms@nhs.example", sorted */
};

/* One entry as a source gives it; text is borrowed during the call. */
struct bw_list_entry {
	struct bw_slice address; /* any case; normalised here by the caller's `normalise` */
	int64_t size;
	enum bw_source source;
	bool unconfirmed;
	struct bw_slice owner, list_id;
	const struct bw_slice *posters;
	size_t poster_count;
};

struct bw_directory;
struct bw_directory_builder;

struct bw_directory_builder *bw_directory_builder_new(const struct bw_tier_bounds *bounds);
/* Begins with what `old` holds, and with its bounds; costs what is added and removed, now and then (when that has become much) a copy of
 * all of it. Keeps a reference of its own. */
struct bw_directory_builder *bw_directory_builder_from(struct bw_directory *old);
void bw_directory_builder_free(struct bw_directory_builder **b);
/* Adds what one source says, instead of what the same source said of that address before. Of several sources the strongest is in force
 * (operator > config > import > learned), in any order of adding; a weaker one changes nothing and is no error. Addresses must be
 * normalised. The operator's size may be 0: then size and `unconfirmed` are those of the strongest other source, and without one
 * there is no such list.
 * BW_ERR_INPUT, BW_ERR_RANGE (size 1..BW_LIST_SIZE_MAX), BW_ERR_LIMIT (posters), BW_ERR_MEMORY. */
enum bw_err bw_directory_add(struct bw_directory_builder *b, const struct bw_list_entry *entry, struct bw_why *why);
/* Takes back what that source said; the next strongest is in force again. What was never said is no error. BW_ERR_MEMORY. */
enum bw_err bw_directory_remove(struct bw_directory_builder *b, struct bw_slice address, enum bw_source source, struct bw_why *why);
/* Ends building: a snapshot with one reference; the builder is empty afterwards. */
enum bw_err bw_directory_build(struct bw_directory_builder *b, struct bw_directory **out, struct bw_why *why);

struct bw_directory *bw_directory_ref(struct bw_directory *d);
void bw_directory_unref(struct bw_directory **d);

/* NULL: no list (or memory is out and so is the snapshot's reserve for that case). The address must be normalised. */
const struct bw_list *bw_directory_find(const struct bw_directory *d, struct bw_slice address);
/* The size that this one source gives of that address, be it in force or not; 0: it says nothing. */
int64_t bw_directory_said(const struct bw_directory *d, struct bw_slice address, enum bw_source source);
/* Of lists that share a List-Id: the first in order of address. */
const struct bw_list *bw_directory_find_list_id(const struct bw_directory *d, struct bw_slice list_id);
/* Is `identity` ("auth:...", "cert:...", "inside:...") a poster of `list`? Outside identities never are. */
bool bw_list_has_poster(const struct bw_list *list, struct bw_slice identity);
size_t bw_directory_count(const struct bw_directory *d);
const struct bw_list *bw_directory_at(const struct bw_directory *d, size_t i); /* in order of address */

#endif
