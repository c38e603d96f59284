/* post.h: hands a message to the MTA: sendmail -i -f <> -- ADDRESS.
 *
 * Layer: agent.
 * Time:  half a minute of monotonic time.
 * Fails: one sentence; the message was not taken then.
 */
#ifndef BW_AGENT_POST_H
#define BW_AGENT_POST_H

#include "bw/err.h"
#include "bw/slice.h"

enum bw_err agent_post(const char *sendmail, const char *to, struct bw_slice message, struct bw_why *why);

#endif
