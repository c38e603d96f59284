/* postfix.h: Postfix's queue files.
 *
 * Layer: agent.
 * Fails: as struct bw_mta says.
 */
#ifndef BW_AGENT_POSTFIX_H
#define BW_AGENT_POSTFIX_H

#include "bw/agent.h"

enum bw_err bw_agent_postfix_files(const struct bw_mta_place *place, const char *queue_id,
                                   struct bw_queue_file files[BW_QUEUE_FILES_MAX], size_t *count, struct bw_why *why);
enum bw_err bw_agent_postfix_put(const struct bw_mta_place *place, struct bw_archived *from, char queue_id[BW_QUEUE_ID_BYTES],
                                 enum bw_err (*note)(void *ctx, const char *queue_id, struct bw_why *why), void *ctx,
                                 struct bw_why *why);

#endif
