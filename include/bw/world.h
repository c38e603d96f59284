/* world.h: configuration, settings, directory and secret that one message is judged with.
 *
 * Layer:     engine, on store, config and directory.
 * Threads:   a world is immutable and may be read by all; refcounted.
 * Ownership: bw_world_ref() / bw_world_unref(); what its functions return lives as long as the world.
 * Fails:     loading says why; the world in force stays.
 */
#ifndef BW_WORLD_H
#define BW_WORLD_H

#include "bw/config.h"
#include "bw/store.h"

/* Everything immutable that one message is judged with. */
struct bw_world;

struct bw_world *bw_world_ref(struct bw_world *w);
void bw_world_unref(struct bw_world **w);
const struct bw_config *bw_world_config(const struct bw_world *w);
const struct bw_settings *bw_world_settings(const struct bw_world *w);
const struct bw_directory *bw_world_directory(const struct bw_world *w);
const struct bw_key *bw_world_key(const struct bw_world *w);
const struct bw_limits *bw_world_limits(const struct bw_world *w); /* of guards that watch no list */
void bw_world_versions(const struct bw_world *w, int64_t *settings, int64_t *directory);
bool bw_world_is_alone(const struct bw_world *w); /* the caller's reference is the last one */

/* Builds a world from a configuration (taken over on success) and what the store holds (settings, lists). A stored row
 * that no longer fits is skipped and named in `skipped` (one line each), never an error. */
enum bw_err bw_world_load(const struct bw_key *key, struct bw_config *config, struct bw_store *store, struct bw_buf *skipped,
                          struct bw_world **out, struct bw_why *why);

/* The same with the configuration of `old` (shared, not copied) and what the store holds now. Of the directory only what has changed
 * since `old` is read, if that can be told; `skipped` then names rows among those alone. */
enum bw_err bw_world_renew(const struct bw_world *old, struct bw_store *store, struct bw_buf *skipped, struct bw_world **out,
                           struct bw_why *why);

/* The same, and the whole directory is read: after an outage nobody knows what the store has lost. */
enum bw_err bw_world_reread(const struct bw_world *old, struct bw_store *store, struct bw_buf *skipped, struct bw_world **out,
                            struct bw_why *why);

#endif
