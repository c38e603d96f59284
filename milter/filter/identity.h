/* identity.h: who sends, as far as it can be trusted (semantics 2).
 *
 * Layer:   filter, beside the session.
 * Threads: pure.
 */
#ifndef BW_FILTER_IDENTITY_H
#define BW_FILTER_IDENTITY_H

#include "bw/engine.h"

/* The class of a client and the roles that its address gives it; writes into `facts`. `ip` NULL: the MTA's own host. */
void bw_identity_classify(const struct bw_config *config, const char *ip, const char *daemon_name, struct bw_facts *facts);

/* The first that applies: auth:, cert:, inside: (client is vouched), outside: (sender and client network). Appends
 * it to `out` and returns its kind. `auth` and `cert` may be NULL. */
enum bw_identity_kind bw_identity_write(const struct bw_config *config, const struct bw_facts *facts, const char *auth,
                                        const char *cert, struct bw_buf *out);

#endif
