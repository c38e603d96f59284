/* From names in a configuration to stores that are open. */
#include "bw/stores.h"

#include <stdlib.h>
#include <string.h>

#include "bw/store-redis.h"

static int64_t more(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

bool bw_stores_is_redis(const struct bw_config *config)
{
	return strcmp(config->store.backend, "redis") == 0;
}

/* --- redis --- */

enum { HOST_BYTES = 1024 };

static const char *unless_empty(const char *text)
{
	return text[0] == '\0' ? NULL : text;
}

/* `host` is what the options point to. */
static struct bw_store_redis_options redis_options(const struct bw_config *config, int64_t patience_ms, char host[HOST_BYTES])
{
	struct bw_slice server = bw_slice_of(config->store.redis_server), unix_prefix = BW_S("unix:"), name;
	struct bw_store_redis_options options = {
		.database = (int)config->store.redis_database,
		.prefix = config->store.redis_prefix,
		.user = unless_empty(config->store.redis_user),
		.password_file = unless_empty(config->store.redis_password_file),
		.tls = config->store.redis_tls,
		.tls_ca = unless_empty(config->store.redis_tls_ca),
		.tls_certificate = unless_empty(config->store.redis_tls_certificate),
		.tls_key = unless_empty(config->store.redis_tls_key),
		.tls_name = unless_empty(config->store.redis_tls_name),
		.deadline_ms = more(config->store.redis_deadline_ms, patience_ms),
	};
	int64_t port;

	if (bw_slice_equal(bw_slice_head(server, unix_prefix.n), unix_prefix)) {
		options.socket = config->store.redis_server + unix_prefix.n;
	} else if (bw_config_host_port(server, &name, &port)) {
		bw_slice_copy(name, host, HOST_BYTES);
		options.host = host;
		options.port = (int)port;
	}
	return options;
}

static enum bw_err open_redis(const struct bw_config *config, int64_t patience_ms, struct bw_store **out, struct bw_why *why)
{
	char host[HOST_BYTES];
	const struct bw_store_redis_options options = redis_options(config, patience_ms, host);

	return bw_store_redis_open(&options, out, why);
}

enum bw_err bw_stores_check(const struct bw_config *config, struct bw_why *why)
{
	char host[HOST_BYTES];
	const struct bw_store_redis_options options = redis_options(config, 0, host);

	return bw_stores_is_redis(config) ? bw_store_redis_check(&options, why) : BW_OK;
}

/* --- put together --- */

/* The file, and behind it a store in memory: when the disk is full or the file locked, counting goes on (semantics 9). */
static enum bw_err open_guarded_file(const struct bw_config *config, struct bw_store **out, struct bw_why *why)
{
	struct bw_store *file = NULL, *memory = NULL;
	enum bw_err err = bw_store_sqlite_open(config->store.path, config->store.busy_ms, &file, why);

	if (err == BW_OK)
		err = bw_store_sqlite_open(":memory:", config->store.busy_ms, &memory, why);
	if (err == BW_OK)
		err = bw_store_guarded_new(file, memory, out, why);
	if (err != BW_OK) {
		bw_store_close(&memory);
		bw_store_close(&file);
	}
	return err;
}

/* Takes `local` over, whatever comes. */
static enum bw_err share(const struct bw_config *config, int64_t patience_ms, struct bw_store *local, struct bw_stores *out,
                         struct bw_why *why)
{
	struct bw_store *redis = NULL;
	enum bw_err err = open_redis(config, patience_ms, &redis, why);

	if (err == BW_OK)
		err = bw_store_shared_new(redis, local, &out->store, why);
	if (err != BW_OK) {
		bw_store_close(&redis);
		bw_store_close(&local);
		return err;
	}
	out->shared = out->store;
	return BW_OK;
}

enum bw_err bw_stores_open(const struct bw_config *config, struct bw_stores *out, struct bw_why *why)
{
	struct bw_store *local = NULL;

	*out = (struct bw_stores){ 0 };
	enum bw_err err = open_guarded_file(config, &local, why);

	if (err != BW_OK)
		return err;
	out->guards[0] = local;
	if (!bw_stores_is_redis(config)) {
		out->store = local;
		return BW_OK;
	}
	err = share(config, 0, local, out, why);
	out->guards[err == BW_OK ? 1 : 0] = out->store;
	return err;
}

enum bw_err bw_stores_open_for_command(const struct bw_config *config, int64_t patience_ms, bool local, struct bw_stores *out,
                                       struct bw_why *why)
{
	struct bw_store *file = NULL;
	enum bw_err err = BW_OK;

	*out = (struct bw_stores){ 0 };
	if (local)
		err = bw_store_sqlite_open(config->store.path, more(config->store.busy_ms, patience_ms), &file, why);
	if (err != BW_OK)
		return err;
	if (!bw_stores_is_redis(config)) {
		out->store = file;
		return BW_OK;
	}
	if (!local)
		return open_redis(config, patience_ms, &out->store, why);
	err = share(config, patience_ms, file, out, why);
	out->guards[0] = out->store;
	return err;
}

void bw_stores_print(const struct bw_config *config, struct bw_buf *out)
{
	if (bw_stores_is_redis(config))
		bw_buf_printf(out, "redis, %s; on this host ", config->store.redis_server);
	else
		bw_buf_add_text(out, "embedded, ");
	bw_buf_add_text(out, config->store.path);
}
