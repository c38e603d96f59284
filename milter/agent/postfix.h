/* postfix.h: Postfix's queue files.
 *
 * Layer: agent.
 * Fails: as struct bw_mta says.
 */
#ifndef BW_AGENT_POSTFIX_H
#define BW_AGENT_POSTFIX_H

#include "bw/agent.h"

enum { POSTFIX_SHORT_TIME = 5 /* hex digits of microseconds in a short id, in front of the inode's */, POSTFIX_DIRECTORY_BYTES = 1024 };

/* Queues of whole messages, in the order in which a message is looked for. */
enum postfix_queue_name { POSTFIX_HOLD, POSTFIX_INCOMING, POSTFIX_ACTIVE, POSTFIX_DEFERRED, POSTFIX_QUEUES };

struct postfix_queue {
	char directory[POSTFIX_DIRECTORY_BYTES];
	int depth[POSTFIX_QUEUES]; /* of subdirectories */
};

/* What `postconf` says of these settings, a line each; bw_agent_postfix_answer() takes the next line off. */
enum bw_err bw_agent_postfix_ask(const struct bw_mta_place *place, const char *const *settings, size_t count, struct bw_buf *said,
                                 struct bw_why *why);
struct bw_slice bw_agent_postfix_answer(struct bw_slice *rest);

/* Asked with postconf, every time: configurations change. */
enum bw_err bw_agent_postfix_queue(const struct bw_mta_place *place, struct postfix_queue *out, struct bw_why *why);
bool bw_agent_postfix_is_id(const char *text);
bool bw_agent_postfix_is_long(const char *queue_id);
/* The directory that the message's file is or would be in, and the file. */
enum bw_err bw_agent_postfix_folder(const struct postfix_queue *queue, enum postfix_queue_name name, const char *queue_id,
                                    char out[BW_PATH_BYTES], struct bw_why *why);
enum bw_err bw_agent_postfix_path(const struct postfix_queue *queue, enum postfix_queue_name name, const char *queue_id,
                                  char out[BW_PATH_BYTES], struct bw_why *why);
/* BW_ERR_NOT_FOUND: it is in no queue. */
enum bw_err bw_agent_postfix_find(const struct postfix_queue *queue, const char *queue_id, enum postfix_queue_name *where,
                                  char path[BW_PATH_BYTES], struct bw_why *why);
/* When the message of this file came; 0: unknown. */
int64_t bw_agent_postfix_arrived(const char *path);

/* Messages of one queue that came at `since_ms` or later. */
enum bw_err bw_agent_postfix_scan(const struct postfix_queue *queue, enum postfix_queue_name name, int64_t since_ms,
                                  void (*each)(void *ctx, const char *queue_id, int64_t arrived_ms), void *ctx, struct bw_why *why);
/* After postsuper -r: has the message taken up, and waits a moment for it. */
void bw_agent_postfix_wake(const struct postfix_queue *queue, const char *queue_id);
/* "5d"; days where it has no unit. */
bool bw_agent_postfix_time(struct bw_slice text, int64_t *ms);
enum bw_err bw_agent_postfix_check(const struct bw_mta_place *place, struct bw_why *why);
enum bw_err bw_agent_postfix_lifetime(const struct bw_mta_place *place, int64_t *any_ms, int64_t *null_sender_ms, struct bw_why *why);

enum bw_err bw_agent_postfix_files(const struct bw_mta_place *place, const char *queue_id,
                                   struct bw_queue_file files[BW_QUEUE_FILES_MAX], size_t *count, struct bw_why *why);
enum bw_err bw_agent_postfix_put(const struct bw_mta_place *place, struct bw_archived *from, char queue_id[BW_QUEUE_ID_BYTES],
                                 enum bw_err (*note)(void *ctx, const char *queue_id, struct bw_why *why), void *ctx,
                                 struct bw_why *why);

#endif
