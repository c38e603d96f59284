/* parts.h: the files of a message, all parts of it that the MTA has made; and what an interrupted keeper has left of them.
 *
 * Layer:     agent.
 * Ownership: agent_files_done() closes and frees what agent_files() gave.
 * Fails:     as struct bw_mta's files().
 */
#ifndef BW_AGENT_PARTS_H
#define BW_AGENT_PARTS_H

#include "bw/agent.h"

struct agent_files {
	struct bw_queue_file *at;
	size_t count;
};
enum bw_err agent_files(const struct bw_mta *mta, const struct bw_mta_place *place, const char *queue_id, struct agent_files *out,
                        struct bw_why *why);
void agent_files_done(struct agent_files *files);

/* Has the archive of `id` all that is held under `queue_id`, and parts beyond that? Then somebody was killed while he removed or brought back
 * one part after the other: what is in the archive is nowhere else, and the same order has to be given again. */
bool agent_archive_has_more(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, const struct bw_hash *id,
                            const char *queue_id);

#endif
