/* mta.h: what an MTA's queue can be asked: the same questions to Postfix and Sendmail, directly or through the root helper.
 *
 * Layer:     agent, on base and store.
 * Threads:   one place, one thread.
 * Time:      commands of the MTA get a bounded time.
 * Ownership: everything is borrowed; what a callback is given lives during the call.
 * Fails:     one sentence, with what the MTA's command said.
 */
#ifndef BW_MTA_H
#define BW_MTA_H

#include "bw/mark.h"
#include "bw/seal.h"
#include "bw/store.h"

enum { BW_QUEUE_ID_BYTES = 48, BW_QUEUE_FILES_MAX = 2, BW_PATH_BYTES = 4096 };

struct bw_helper; /* helper.h */

/* Where an MTA's commands, configuration and queue are; NULL: where they usually are. */
struct bw_mta_place {
	const char *commands, *config, *queue;
	char *const *instances; /* configuration directories, where `config` is NULL: bw_mta_locate() says which one is meant */
	size_t instance_count;
	struct bw_helper *helper; /* bw_mta_find_helped(): who does what needs root */
	const char *order;        /* and the signed order for it (order.h); NULL: only what needs none */
};

/* One message of the queue. */
struct bw_queued {
	struct bw_slice queue_id;
	bool held;   /* false: elsewhere in the queue, and nothing below is known but arrived_ms */
	int64_t arrived_ms; /* when the MTA took it; 0: unknown */
	bool known;  /* held, accepted by bw_queue_walk.known, and not looked into */
	bool marked; /* `mark` is genuine */
	struct bw_mark mark;
	struct bw_slice mark_text; /* its last field of that name, genuine or not; empty: none */
	struct bw_slice sender, subject, message_id;
	struct bw_slice recipients; /* one a line; cut where there are very many */
};

/* A file of the queue: where it is, and its name without a directory. From the root helper it comes open, and sealed. */
struct bw_queue_file {
	char path[BW_PATH_BYTES];
	const char *name;
	int fd;                       /* -1: to be opened; else the caller closes it */
	char seal[BW_SEAL_HEX_BYTES]; /* of all files of the message, with the first; "": none */
};
#define BW_QUEUE_FILE_NONE ((struct bw_queue_file){ .path = "", .fd = -1 })

/* The full path of one of the MTA's commands; `option` is what the sentence names that says where it is. BW_ERR_IO. */
enum bw_err bw_mta_program(const struct bw_mta_place *place, const char *program, const char *option, char path[BW_PATH_BYTES],
                           struct bw_why *why);

/* A walk through the whole queue. `known` says of a held message's id and arrival that more need not be read of it; NULL: all is read. An MTA
 * may read it all the same. */
struct bw_queue_walk {
	bool (*known)(void *ctx, struct bw_slice queue_id, int64_t arrived_ms);
	bool (*each)(void *ctx, const struct bw_queued *row);
	void *ctx;
};

struct bw_archived;

/* What an MTA can be asked. Functions take a queue id that `is_queue_id` has accepted. */
struct bw_mta {
	const char *name; /* as the ledger has it */
	bool (*is_queue_id)(const char *text);
	/* Out of the hold. BW_ERR_NOT_FOUND (not held any more), BW_ERR_PERMISSION, BW_ERR_IO. */
	enum bw_err (*release)(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why);
	/* Delivered now; without it the message waits for the next queue run. */
	enum bw_err (*deliver)(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why);
	/* The message that is held under this id. BW_ERR_NOT_FOUND. */
	enum bw_err (*look)(const struct bw_mta_place *place, const struct bw_key *key, const char *queue_id, BW_EACH(struct bw_queued),
	                    struct bw_why *why);
	/* All messages of the queue, the held ones with what stands in them. */
	enum bw_err (*each)(const struct bw_mta_place *place, const struct bw_key *key, BW_EACH(struct bw_queued), struct bw_why *why);
	/* The same with less reading. */
	enum bw_err (*walk)(const struct bw_mta_place *place, const struct bw_key *key, const struct bw_queue_walk *walk, struct bw_why *why);
	/* The files that are this held message, envelope and all. */
	enum bw_err (*files)(const struct bw_mta_place *place, const char *queue_id, struct bw_queue_file files[BW_QUEUE_FILES_MAX],
	                     size_t *count, struct bw_why *why);
	/* The same of a message that the MTA may have split since: files() refuses to give away one part (BW_ERR_LIMIT). The caller frees
	 * `*files`. NULL: files() is all there is. */
	enum bw_err (*files_all)(const struct bw_mta_place *place, const char *queue_id, struct bw_queue_file **files, size_t *count,
	                         struct bw_why *why);
	/* Out of the hold and as if it had just come: expanded anew, under another queue id, with its whole life before it (postsuper -r).
	 * NULL: the MTA has no such thing. Errors as release. */
	enum bw_err (*requeue)(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why);
	/* How long the MTA tries to deliver before it gives up, and the same for mail from the null sender; held mail that is older than half of it
	 * is let go by requeue. 0: it tries once. Needs no privilege. NULL with requeue. */
	enum bw_err (*lifetime)(const struct bw_mta_place *place, int64_t *any_ms, int64_t *null_sender_ms, struct bw_why *why);
	/* Messages that are not held, came at `since_ms` or later, and have a field called like our mark; so a requeued one is found. NULL: no
	 * such thing, or it needs a privilege that we do not have. */
	enum bw_err (*carriers)(const struct bw_mta_place *place, int64_t since_ms, BW_EACH(struct bw_queued), struct bw_why *why);
	/* A queued message into the hold (postsuper -h; sendmail -Q). BW_ERR_NOT_FOUND: it is not queued any more. */
	enum bw_err (*hold)(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why);
	/* As bw_mta_check(), of one instance. NULL: nothing can be. */
	enum bw_err (*check)(const struct bw_mta_place *place, struct bw_why *why);
	/* Removed for good. */
	enum bw_err (*drop)(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why);
	/* Back into the hold queue as it was; `queue_id` is the one it had and becomes the one it has. What a killed attempt has left is
	 * taken for its own, so it may be repeated. `note` is called with the id before the MTA can see the message. */
	enum bw_err (*put)(const struct bw_mta_place *place, struct bw_archived *from, char queue_id[BW_QUEUE_ID_BYTES],
	                   enum bw_err (*note)(void *ctx, const char *queue_id, struct bw_why *why), void *ctx, struct bw_why *why);
};
/* The place of the instance that has the message of this id: that of the mark `id`, or any if that is NULL. Where none has it, or there are
 * no instances, the first. The queue id may be another message's in another instance. */
enum bw_err bw_mta_locate(const struct bw_mta *mta, const struct bw_mta_place *place, const struct bw_key *key, const char *queue_id,
                          const struct bw_hash *id, struct bw_mta_place *out, struct bw_why *why);
/* Instance `i` of a place, which has one at least. */
size_t bw_mta_instances(const struct bw_mta_place *place);
struct bw_mta_place bw_mta_instance(const struct bw_mta_place *place, size_t i);
/* What in the MTA's configuration is bad for held mail: BW_ERR_INPUT with a sentence that says what to do. Needs no privilege. */
enum bw_err bw_mta_check(const struct bw_mta *mta, const struct bw_mta_place *place, struct bw_why *why);
/* By its name in the ledger; NULL. The second one's functions ask place->helper, and need no privilege. */
const struct bw_mta *bw_mta_find(const char *name);
const struct bw_mta *bw_mta_find_helped(const char *name);

#endif
