/* furnish.h: what the store holds when a transcript begins: nothing, or a storm with hostile texts in every field.
 *
 * Layer: tests.
 * Fails: ends the program; a test that cannot be set up must not pass.
 */
#ifndef BW_TEST_FURNISH_H
#define BW_TEST_FURNISH_H

#include <stdint.h>

#include "bw/slice.h"

enum furnish_host { FURNISH_LISTENING, FURNISH_DEAF };

/* breakwater.conf of the run; `lists`: with a list of its own. */
void furnish_config(struct bw_buf *out, const char *scratch, bool lists);
void furnish_store(const char *path, int64_t now_ms, bool storm);
/* What the stand-ins for Postfix and Sendmail have in their hold queues, below `scratch`: the storm's held messages with their marks. */
void furnish_queues(const char *scratch);
/* One host, mx1, seen at `seen_ms`: one that has acknowledged whatever comes, or nothing. */
void furnish_heartbeat(const char *path, int64_t seen_ms, enum furnish_host host);

#endif
