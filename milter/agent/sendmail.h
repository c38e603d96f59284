/* sendmail.h: Sendmail's queue files.
 *
 * Layer: agent.
 * Fails: as struct bw_mta says.
 */
#ifndef BW_AGENT_SENDMAIL_H
#define BW_AGENT_SENDMAIL_H

#include "bw/agent.h"

bool bw_agent_sendmail_is_id(const char *text);
enum bw_err bw_agent_sendmail_look(const struct bw_mta_place *place, const struct bw_key *key, const char *queue_id,
                                   BW_EACH(struct bw_queued), struct bw_why *why);
enum bw_err bw_agent_sendmail_each(const struct bw_mta_place *place, const struct bw_key *key, BW_EACH(struct bw_queued),
                                   struct bw_why *why);
enum bw_err bw_agent_sendmail_files(const struct bw_mta_place *place, const char *queue_id,
                                    struct bw_queue_file files[BW_QUEUE_FILES_MAX], size_t *count, struct bw_why *why);
enum bw_err bw_agent_sendmail_files_all(const struct bw_mta_place *place, const char *queue_id, struct bw_queue_file **files,
                                        size_t *count, struct bw_why *why);
struct sendmail_parts;
/* sendmail_queue_parts() of a queue that is opened for it. */
enum bw_err bw_agent_sendmail_parts(const struct bw_mta_place *place, const char *queue_id, const char *kind, struct sendmail_parts *out,
                                    struct bw_why *why);
enum bw_err bw_agent_sendmail_drop(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why);
enum bw_err bw_agent_sendmail_put(const struct bw_mta_place *place, struct bw_archived *from, char queue_id[BW_QUEUE_ID_BYTES],
                                  enum bw_err (*note)(void *ctx, const char *queue_id, struct bw_why *why), void *ctx,
                                  struct bw_why *why);

#endif
