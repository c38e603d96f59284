/* helper-nonces.h: which orders have been carried out, until their time is over: a line "NONCE UNTIL" each, in a file of root's own.
 *
 * Layer:     agent, breakwater-helper alone.
 * Time:      given.
 * Ownership: nonces_open() / nonces_close().
 * Fails:     BW_ERR_IO, BW_ERR_MEMORY, BW_ERR_LIMIT (a million orders whose time is not over).
 */
#ifndef BW_AGENT_HELPER_NONCES_H
#define BW_AGENT_HELPER_NONCES_H

#include "bw/hash.h"

struct nonces;

/* The file in the directory `dir`, made if need be. Half a line, of one who was killed, is dropped. */
enum bw_err nonces_open(int dir, int64_t now_ms, struct nonces **out, struct bw_why *why);
void nonces_close(struct nonces **n);
bool nonces_has(const struct nonces *n, const struct bw_hash *nonce);
/* Known from now on, and on the disk when it answers BW_OK. */
enum bw_err nonces_add(struct nonces *n, const struct bw_hash *nonce, int64_t until_ms, int64_t now_ms, struct bw_why *why);
/* Whether all that is known is on the disk; tries again what failed. */
enum bw_err nonces_ready(struct nonces *n, int64_t now_ms, struct bw_why *why);

#endif
