/* stores.h: the stores that a configuration names, put together: what breakwaterd and breakwaterctl work on.
 *
 * Layer:     engine (it alone knows both store and config).
 * Ownership: bw_stores_open() / bw_store_close(&stores.store), which closes `local` with it.
 * Fails:     BW_ERR_STORE, BW_ERR_INPUT and the like, with the sentence; nothing is open then.
 *
 *   embedded   the file; guarded: and behind it a store in memory
 *   redis      Redis, shared with other hosts; and the embedded store of this host, as above
 */
#ifndef BW_STORES_H
#define BW_STORES_H

#include "bw/config.h"
#include "bw/store-guarded.h"

struct bw_stores {
	struct bw_store *store;
	struct bw_store *guards[2]; /* those of `store` that are guarded, the nearest to this host first; NULL: none */
	struct bw_store *shared;    /* `store`, if other hosts share it; else NULL */
};

/* What opening would refuse without asking anybody: files that cannot be read, TLS that is not there. */
enum bw_err bw_stores_check(const struct bw_config *config, struct bw_why *why);
/* As a daemon has them: everything is guarded, and calls end in the configured time. Redis may be away. */
enum bw_err bw_stores_open(const struct bw_config *config, struct bw_stores *out, struct bw_why *why);
/* As a person's command has them: the file as it is, and `patience_ms` at least for each call. With Redis, `local` false leaves this
 * host's own store out: where there is no daemon, or it may not be written. */
enum bw_err bw_stores_open_for_command(const struct bw_config *config, int64_t patience_ms, bool local, struct bw_stores *out,
                                       struct bw_why *why);
/* "redis 127.0.0.1:6379", "embedded /var/lib/…": what people call it. */
void bw_stores_print(const struct bw_config *config, struct bw_buf *out);
bool bw_stores_is_redis(const struct bw_config *config);

#endif
