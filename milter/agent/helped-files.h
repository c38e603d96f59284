/* helped-files.h: a message's files in the packets that are exchanged with breakwater-helper.
 *
 * Layer:     agent.
 * Ownership: what is added to a packet, its owner closes; what is taken out of one, the caller (agent_files_done() of parts.h).
 * Fails:     BW_ERR_CORRUPT (no files that an MTA has), BW_ERR_LIMIT (more than a packet holds), BW_ERR_MEMORY, BW_ERR_IO.
 */
#ifndef BW_AGENT_HELPED_FILES_H
#define BW_AGENT_HELPED_FILES_H

#include "archive.h"
#include "packet.h"

/* What fetch has handed over; the first one has the seal. */
enum bw_err helped_take_files(struct packet *in, struct bw_queue_file **files, size_t *count, struct bw_why *why);
/* What put takes: each file of the archive. Those that were added before it failed are in the packet. */
enum bw_err helped_add_archived(struct packet *out, struct bw_archived *from, struct bw_why *why);

#endif
