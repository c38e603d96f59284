/* sendmail-queue.h: Sendmail's queue directories, and in which of them a file of a message is.
 *
 * Layer:     agent.
 * Ownership: sendmail_queue_open() / sendmail_queue_close(); nothing else holds descriptors.
 * Fails:     as struct bw_mta says.
 */
#ifndef BW_AGENT_SENDMAIL_QUEUE_H
#define BW_AGENT_SENDMAIL_QUEUE_H

#include "archive.h"

enum { SENDMAIL_NAME_BYTES = BW_QUEUE_ID_BYTES + ARCHIVE_FILE_NAME_BYTES, SENDMAIL_DIRECTORY_BYTES = 1024, SENDMAIL_DIRECTORIES_MAX = 256 };

/* A queue directory: control files ("qf", and "hf" of what is quarantined) are in `control`, bodies ("df") in `body`. */
struct sendmail_directory {
	char path[SENDMAIL_DIRECTORY_BYTES];
	bool has_qf, has_df; /* they are in subdirectories of these names */
	int control, body;
};

struct sendmail_queue {
	struct sendmail_directory *at;
	size_t count;
};

/* One at least. */
enum bw_err sendmail_queue_open(const struct bw_mta_place *place, struct sendmail_queue *out, struct bw_why *why);
void sendmail_queue_close(struct sendmail_queue *queue);

void sendmail_file_name(const char *kind, const char *queue_id, char out[SENDMAIL_NAME_BYTES]);
/* Where the file KIND.ID is; NULL: nowhere. */
const struct sendmail_directory *sendmail_queue_find(const struct sendmail_queue *queue, const char *kind, const char *queue_id);
/* The same with the path. */
bool sendmail_queue_path(const struct sendmail_queue *queue, const char *kind, const char *queue_id, char out[BW_PATH_BYTES]);

/* The parts that Sendmail has made of one message: their bodies are one file with several names. */
struct sendmail_parts {
	char (*at)[BW_QUEUE_ID_BYTES]; /* free() it; the part that was asked for is the last */
	size_t count;
};
/* Of those, which have a control file of this kind ("hf"); NULL: any. */
enum bw_err sendmail_queue_parts(const struct sendmail_queue *queue, const char *queue_id, const char *kind, struct sendmail_parts *out,
                                 struct bw_why *why);

#endif
