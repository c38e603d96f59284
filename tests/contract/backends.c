/* The backends the contract is proved on. */
#include <stdio.h>
#include <string.h>

#include "contract.h"
#include "redis-server.h"

enum { BUSY_MS = 20000 }; /* long: what is tested is who comes first, not how long a loaded machine takes */

static struct bw_store *open_file(const char *dir, const char *name, struct bw_why *why)
{
	struct bw_store *s = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return bw_store_sqlite_open(path, BUSY_MS, &s, why) == BW_OK ? s : NULL;
}

static struct bw_store *open_sqlite(const char *dir, struct bw_why *why)
{
	return open_file(dir, "store.db", why);
}

static struct bw_store *open_memory(const char *dir, struct bw_why *why)
{
	struct bw_store *s = NULL;

	(void)dir;
	return bw_store_sqlite_open(":memory:", BUSY_MS, &s, why) == BW_OK ? s : NULL;
}

static struct bw_store *open_faulty(const char *dir, struct bw_why *why)
{
	struct bw_store *inner = open_sqlite(dir, why);

	return inner == NULL ? NULL : bw_store_faulty_new(inner, 50);
}

static struct bw_store *open_guarded(const char *dir, struct bw_why *why)
{
	struct bw_store *primary = open_sqlite(dir, why), *fallback = open_memory(dir, why), *s = NULL;

	if (primary == NULL || fallback == NULL || bw_store_guarded_new(primary, fallback, &s, why) != BW_OK) {
		bw_store_close(&primary);
		bw_store_close(&fallback);
	}
	return s;
}

/* One server for the whole run; each directory is a prefix of its own. */
static struct bw_store *open_redis(const char *dir, struct bw_why *why)
{
	const struct redis_server *server = redis_server_shared();
	struct bw_store_redis_options options;
	struct bw_store *s = NULL;
	char prefix[64];

	if (server == NULL)
		return NULL;
	snprintf(prefix, sizeof(prefix), "bw:%s:", strrchr(dir, '.') + 1);
	options = redis_server_options(server);
	options.prefix = prefix;
	options.deadline_ms = BUSY_MS;
	return bw_store_redis_open(&options, &s, why) == BW_OK ? s : NULL;
}

/* As a daemon has it: Redis for all hosts, a file for this one. */
static struct bw_store *open_shared(const char *dir, struct bw_why *why)
{
	struct bw_store *primary = open_redis(dir, why), *local = open_file(dir, "local.db", why), *s = NULL;

	if (primary == NULL || local == NULL || bw_store_shared_new(primary, local, &s, why) != BW_OK) {
		bw_store_close(&primary);
		bw_store_close(&local);
	}
	return s;
}

static const struct backend backends[] = {
	{ "sqlite", open_sqlite, true },
	{ "memory", open_memory, false },
	{ "faulty", open_faulty, true },
	{ "guarded", open_guarded, true },
	{ "redis", open_redis, true },
	{ "shared", open_shared, true },
};

const struct backend *backend = &backends[0];

const struct backend *backend_find(const char *name)
{
	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
		if (strcmp(backends[i].name, name) == 0)
			return &backends[i];
	}
	return NULL;
}
