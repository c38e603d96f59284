/* packet.h: a packet between breakwater-agent and breakwater-helper (bw/helper.h says what stands in them).
 *
 * Layer:     agent.
 * Threads:   values.
 * Time:      of monotonic time, given with each call.
 * Ownership: a packet that was received owns its descriptors until packet_drop_files(); slices borrow from it.
 * Fails:     BW_ERR_NOT_FOUND (nobody at the other end any more), BW_ERR_INPUT (no such packet), BW_ERR_LIMIT (it does not fit),
 *            BW_ERR_IO, also when time is up.
 */
#ifndef BW_AGENT_PACKET_H
#define BW_AGENT_PACKET_H

#include <sys/types.h>

#include "bw/hash.h"
#include "bw/mta.h"

/* So many descriptors go with one message of a socket (SCM_MAX_FD of the kernel), and that is what one packet holds. */
enum { PACKET_BYTES = 98304, PACKET_FILES_MAX = 253, PACKET_FIELDS = PACKET_FILES_MAX + 24, PACKET_NAME_BYTES = BW_QUEUE_ID_BYTES + 2 };

struct packet {
	size_t n;
	bool cut; /* something did not fit */
	int files[PACKET_FILES_MAX];
	size_t file_count;
	char bytes[PACKET_BYTES];
};

void packet_reset(struct packet *p); /* closes nothing */
void packet_drop_files(struct packet *p);

/* A NUL in a value becomes a blank. */
void packet_add(struct packet *p, const char *name, struct bw_slice value);
void packet_add_text(struct packet *p, const char *name, const char *value);
void packet_add_int(struct packet *p, const char *name, int64_t value);
void packet_add_hash(struct packet *p, const char *name, const struct bw_hash *value);

/* Is it nothing but fields, each with a name? Asked before anything is read out of what somebody has sent. */
bool packet_is_good(const struct packet *p);
/* The value of the first field of that name that has one, with a NUL behind it; else "". */
struct bw_slice packet_get(const struct packet *p, const char *name);
bool packet_is(const struct packet *p, const char *name, const char *value);
bool packet_get_int(const struct packet *p, const char *name, int64_t *out);
bool packet_get_hash(const struct packet *p, const char *name, struct bw_hash *out);

/* What a queue file is, beside its bytes: "fileI=NAME MODE UID GID BYTES". */
struct packet_file {
	char name[PACKET_NAME_BYTES]; /* one of those that MTAs have */
	mode_t mode;
	uid_t uid;
	gid_t gid;
	int64_t bytes;
};
/* "NAME MODE UID GID BYTES", all numbers decimal. */
void packet_print_file(struct bw_buf *out, const struct packet_file *file);
void packet_add_file(struct packet *p, size_t i, const struct packet_file *file);
/* False: no such field, or one that no MTA's file has. */
bool packet_get_file(const struct packet *p, size_t i, struct packet_file *out);

enum bw_err packet_send(int fd, const struct packet *p, int64_t most_ms, struct bw_why *why);
enum bw_err packet_receive(int fd, struct packet *p, int64_t most_ms, struct bw_why *why);

#endif
