#include "work.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bw/clock.h"
#include "bw/nearest.h"
#include "bw/stores.h"

#define CONFIG_PATH "/etc/breakwater/breakwater.conf"

/* Lists looked at for "did you mean": enough for any directory kept by hand, and done at once. */
enum { OFFERS_MAX = 100000, SKIPPED_MAX = 4096 };

/* store.busy is as long as mail may wait for somebody's lock; a person would rather wait than try again. */
#define PATIENCE_MS (5 * BW_SECOND_MS)

static void find_owner(struct cli *c)
{
	const char *name = c->env->owner != NULL ? c->env->owner : getenv("SUDO_USER");
	struct passwd entry, *found = NULL;
	char text[1024];

	if (name == NULL && getpwuid_r(getuid(), &entry, text, sizeof(text), &found) == 0 && found != NULL)
		name = entry.pw_name;
	if (name != NULL)
		bw_slice_copy(bw_slice_of(name), c->owner, sizeof(c->owner));
	else
		snprintf(c->owner, sizeof(c->owner), "uid %u", (unsigned)getuid());
}

static void find_host(struct cli *c)
{
	const char *name = c->env->host != NULL ? c->env->host : bw_cli_config(c)->daemon.host;

	if (name != NULL && name[0] != '\0')
		bw_slice_copy(bw_slice_of(name), c->host, sizeof(c->host));
	else if (gethostname(c->host, sizeof(c->host) - 1) != 0)
		bw_slice_copy(BW_S("localhost"), c->host, sizeof(c->host));
}

enum bw_cli_exit bw_cli_read_config(struct cli *c)
{
	const char *path = c->args.config != NULL ? c->args.config : CONFIG_PATH;

	/* Told apart here, because only one of the two is cured by sudo. */
	if (access(path, R_OK) != 0 && errno == EACCES)
		return bw_cli_fail(c, BW_CLI_NOT_PERMITTED, "%s: may not be read by %s; try sudo", path, c->owner);
	if (access(path, R_OK) != 0)
		return bw_cli_fail(c, BW_CLI_USAGE, "%s: %s; -c FILE names another configuration", path, strerror(errno));
	if (bw_config_load(path, &c->config, &c->why) != BW_OK)
		return BW_CLI_USAGE;
	find_host(c);
	return BW_CLI_DONE;
}

enum bw_cli_exit bw_cli_default_config(struct cli *c)
{
	enum bw_err err = bw_config_default(&c->config, &c->why);

	if (err == BW_OK)
		find_host(c);
	return bw_cli_fail_err(err);
}

/* A store that is not there yet is breakwaterd's to make: made by root here, the daemon could not write it. */
static enum bw_cli_exit check_store(struct cli *c, const char *path)
{
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return bw_cli_fail(c, BW_CLI_UNREACHABLE, "store %s: not there yet; breakwaterd makes it at its first start", path);
	if (access(path, R_OK | W_OK) != 0 && (errno == EACCES || errno == EPERM))
		return bw_cli_fail(c, BW_CLI_NOT_PERMITTED, "store %s: may not be written by %s; try sudo", path, c->owner);
	return BW_CLI_DONE;
}

/* The command goes on with this host's own store, and says so: what it stops is stopped here, and everywhere when the shared one is
 * back. */
static void warn_if_alone(struct cli *c, const struct bw_stores *stores)
{
	struct bw_why reason;
	int64_t daemons;

	if (stores->shared == NULL || !c->store->ops->degraded(c->store, &daemons))
		return;
	bw_store_guarded_reason(stores->shared, &reason);
	fprintf(c->env->err, "breakwaterctl: warning: the shared store does not answer (%s); this host's own is used: what is stopped now is "
	                     "stopped on this host, and on all when the shared store is back\n", reason.text);
}

/* With Redis, a host without a daemon has no store of its own: the shared one is enough there. */
static enum bw_cli_exit open_store(struct cli *c)
{
	const struct bw_config *config = c->config;
	bool local = !bw_stores_is_redis(config) || access(config->store.path, F_OK) == 0;
	enum bw_cli_exit code = local ? check_store(c, config->store.path) : BW_CLI_DONE;
	struct bw_stores stores;

	if (code != BW_CLI_DONE)
		return code;
	enum bw_err err = bw_stores_open_for_command(config, PATIENCE_MS, local, &stores, &c->why);

	c->store = stores.store;
	if (err == BW_OK) {
		int64_t now_ms;

		err = c->store->ops->now(c->store, &now_ms, &c->why);
		if (c->env->now_ms == 0 && err == BW_OK)
			c->now_ms = now_ms;
	}
	if (err == BW_OK)
		warn_if_alone(c, &stores);
	return bw_cli_fail_err(err);
}

static enum bw_cli_exit load_world(struct cli *c)
{
	/* No address is hashed here, so the site secret stays with the daemon. */
	static const struct bw_key no_key;
	struct bw_buf skipped;

	bw_buf_init(&skipped, SKIPPED_MAX);
	enum bw_err err = bw_world_load(&no_key, c->config, c->store, &skipped, &c->loaded, &c->why);

	if (err == BW_OK) {
		c->world = c->loaded;
		c->config = NULL;
	}
	if (skipped.n > 0)
		fprintf(c->env->err, "breakwaterctl: warning: skipped, it no longer fits: %s\n", bw_buf_text(&skipped));
	bw_buf_done(&skipped);
	return bw_cli_fail_err(err);
}

enum bw_cli_exit bw_cli_open(struct cli *c)
{
	enum bw_cli_exit code = BW_CLI_DONE;

	find_owner(c);
	c->now_ms = c->env->now_ms != 0 ? c->env->now_ms : bw_clock_now_ms();
	if (c->command->need >= NEED_CONFIG)
		code = bw_cli_read_config(c);
	if (code == BW_CLI_DONE && c->command->need >= NEED_STORE)
		code = open_store(c);
	if (code == BW_CLI_DONE && c->command->need >= NEED_STORE)
		code = load_world(c);
	return code;
}

bool bw_cli_try_store(struct cli *c)
{
	return c->store != NULL || open_store(c) == BW_CLI_DONE;
}

void bw_cli_close(struct cli *c)
{
	c->world = NULL;
	bw_world_unref(&c->loaded);
	if (c->config != NULL)
		bw_config_free(&c->config);
	if (c->store != NULL)
		bw_store_close(&c->store);
}

const struct bw_config *bw_cli_config(const struct cli *c)
{
	return c->world != NULL ? bw_world_config(c->world) : c->config;
}

enum bw_cli_exit bw_cli_address(struct cli *c, const char *word, struct bw_address *out)
{
	bool fits = bw_address_normalise(bw_slice_of(word), bw_cli_config(c)->internal.detail, out);
	struct bw_slice domain = bw_address_domain(bw_slice_of(out->text));

	if (fits && domain.n > 0 && strlen(out->text) > domain.n + 1)
		return BW_CLI_DONE;
	return bw_cli_fail(c, BW_CLI_USAGE, "\"%s\" is no address, expected local@domain", word);
}

enum bw_cli_exit bw_cli_watched(struct cli *c, const char *word, struct bw_address *out)
{
	struct bw_slice identity = bw_slice_of(word);

	if (!bw_breaker_is_senders(identity) || identity.n >= sizeof(out->text))
		return bw_cli_address(c, word, out);
	*out = (struct bw_address){ .null_sender = false };
	bw_slice_copy(identity, out->text, sizeof(out->text));
	return BW_CLI_DONE;
}

enum bw_cli_exit bw_cli_find_list(struct cli *c, const char *word, const struct bw_list **out)
{
	const struct bw_directory *directory = bw_world_directory(c->world);
	struct bw_address address;
	struct bw_nearest near;
	enum bw_cli_exit code = bw_cli_address(c, word, &address);

	if (code != BW_CLI_DONE)
		return code;
	const struct bw_list *list = bw_directory_find(directory, bw_slice_of(address.text));

	if (list != NULL) {
		*out = list;
		return BW_CLI_DONE;
	}
	bw_nearest_start(&near, bw_slice_of(address.text));
	near.distance = bw_nearest_bound(bw_slice_find(bw_slice_of(address.text), '@')); /* domains are alike anyway */
	for (size_t i = 0; i < bw_directory_count(directory) && i < OFFERS_MAX; i++)
		bw_nearest_offer(&near, bw_directory_at(directory, i)->address);
	if (near.found)
		return bw_cli_fail(c, BW_CLI_NO, "%s is no list of the directory, did you mean %s?", address.text, near.name);
	return bw_cli_fail(c, BW_CLI_NO, "%s is no list of the directory; `list ls` shows them, `list add` adds one", address.text);
}

enum bw_cli_exit bw_cli_event(struct cli *c, enum bw_event event, struct bw_slice list, struct bw_slice guard, const char *format,
                              ...)
{
	struct bw_why text, why;
	va_list args;

	va_start(args, format);
	vsnprintf(text.text, sizeof(text.text), format, args);
	va_end(args);
	struct bw_event_row row = {
		.at_ms = c->now_ms,
		.event = event,
		.host = bw_slice_of(c->host),
		.list = list,
		.guard = guard,
		.text = bw_slice_of(text.text),
		.owner = bw_slice_of(c->owner),
	};
	enum bw_err err = c->store->ops->event_add(c->store, &row, &why);

	if (err == BW_OK)
		return BW_CLI_DONE;
	return bw_cli_fail(c, bw_cli_fail_err(err), "done, but not written to the events: %s", why.text);
}

enum bw_cli_exit bw_cli_reason(struct cli *c, struct bw_slice *out)
{
	struct bw_slice reason = bw_slice_of(c->args.reason);

	if (reason.n >= BW_REASON_BYTES)
		return bw_cli_fail(c, BW_CLI_USAGE, "--reason: %zu bytes, allowed: up to %d", reason.n, BW_REASON_BYTES - 1);
	*out = reason;
	return BW_CLI_DONE;
}
