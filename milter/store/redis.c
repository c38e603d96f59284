/* The shared store: options, its table of functions, and the small calls. */
#include "bw/store-redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bw/clock.h"
#include "redis-compat.h"
#include "redis-orders.h"

enum { PORT = 6379, DEADLINE_MS = 50 };

/* --- now, claim, degraded --- */

static enum bw_err now(struct bw_store *store, int64_t *now_ms, struct bw_why *why)
{
	struct bw_redis *s = bw_redis_of(store);
	struct bw_redis_exchange *x = bw_redis_exchange_new(1);
	int64_t at_ms = 0;

	if (x == NULL)
		return bw_redis_no_memory(why);
	bw_redis_begin_site(s, x, BW_REDIS_SETTINGS, 0, "now", 0);
	enum bw_err err = bw_redis_run(s, BW_REDIS_LANE_OTHER, x, 0, why);

	if (err == BW_OK && !bw_redis_reply_number(x->commands[0].reply, &at_ms))
		err = bw_redis_bad_reply("the time", why);
	if (err == BW_OK) {
		bw_redis_saw(s, at_ms);
		*now_ms = bw_redis_least(s);
	}
	bw_redis_exchange_unref(&x);
	return err;
}

static enum bw_err claim(struct bw_store *store, const struct bw_hash *fingerprint, struct bw_why *why)
{
	struct bw_redis *s = bw_redis_of(store);
	struct bw_redis_exchange *x = bw_redis_exchange_new(2);
	char numbers[BW_REDIS_KEY_BYTES];
	struct bw_slice key = bw_redis_key(s, "{site}:numbers", numbers);

	if (x == NULL)
		return bw_redis_no_memory(why);
	bw_redis_begin(x, 4);
	bw_redis_add(x, BW_S("HSETNX"));
	bw_redis_add(x, key);
	bw_redis_add(x, BW_S("secret"));
	bw_redis_add_hash(x, fingerprint);
	bw_redis_begin(x, 3);
	bw_redis_add(x, BW_S("HGET"));
	bw_redis_add(x, key);
	bw_redis_add(x, BW_S("secret"));
	enum bw_err err = bw_redis_run(s, BW_REDIS_LANE_OTHER, x, 0, why);
	const struct redisReply *reply = err == BW_OK ? x->commands[1].reply : NULL;

	if (err == BW_OK && (reply->type != REDIS_REPLY_STRING || reply->len != BW_HASH_BYTES))
		err = bw_redis_bad_reply("the fingerprint of the site secret", why);
	else if (err == BW_OK && memcmp(reply->str, fingerprint->b, BW_HASH_BYTES) != 0)
		err = bw_fail(why, BW_ERR_PERMISSION,
		              "redis: it was filled under another site secret; put the same secret on every host, or use another prefix");
	bw_redis_exchange_unref(&x);
	return err;
}

static bool degraded(const struct bw_store *s, int64_t *daemons)
{
	(void)s;
	if (daemons != NULL)
		*daemons = 1;
	return false;
}

/* --- its life --- */

static void close_store(struct bw_store *store)
{
	struct bw_redis *s = bw_redis_of(store);

	bw_redis_link_free(&s->link);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static const struct bw_store_ops ops = {
	.name = "redis",
	.close = close_store,
	.now = now,
	.count = bw_redis_count,
	.settle = bw_redis_settle,
	.redirect = bw_redis_redirect,
	.meter = bw_redis_meter,
	.breaker_get = bw_redis_breaker_get,
	.breaker_cas = bw_redis_breaker_cas,
	.breaker_each = bw_redis_breaker_each,
	.setting_put = bw_redis_setting_put,
	.setting_each = bw_redis_setting_each,
	.list_put = bw_redis_list_put,
	.list_put_many = bw_redis_list_put_many,
	.list_learn = bw_redis_list_learn,
	.list_each = bw_redis_list_each,
	.versions = bw_redis_versions,
	.heartbeat = bw_redis_heartbeat,
	.host_each = bw_redis_host_each,
	.held_put = bw_redis_held_put,
	.held_move = bw_redis_held_move,
	.held_return = bw_redis_held_return,
	.held_each = bw_redis_held_each,
	.order_put = bw_redis_order_put,
	.order_each = bw_redis_order_each,
	.order_items = bw_redis_order_items,
	.order_move = bw_redis_order_move,
	.order_result = bw_redis_order_result,
	.post_put = bw_redis_post_put,
	.post_each = bw_redis_post_each,
	.post_move = bw_redis_post_move,
	.post_return = bw_redis_post_return,
	.event_add = bw_redis_event_add,
	.event_each = bw_redis_event_each,
	.expire = bw_redis_expire,
	.claim = claim,
	.degraded = degraded,
};

static enum bw_err check_tls(const struct bw_store_redis_options *o, struct bw_why *why)
{
	const char *name = o->tls_name != NULL ? o->tls_name : o->host;
	/* Only looked at. */
	const struct bw_redis_tls tls = { (char *)o->tls_ca, (char *)o->tls_certificate, (char *)o->tls_key, (char *)name };

	if (!o->tls)
		return BW_OK;
	if (o->socket != NULL)
		return bw_fail(why, BW_ERR_INPUT, "redis: TLS is for hosts; a Unix socket needs none");
	if ((o->tls_certificate == NULL) != (o->tls_key == NULL))
		return bw_fail(why, BW_ERR_INPUT, "redis: a certificate and its key belong together; one of the two is missing");
	return bw_redis_tls_check(&tls, why);
}

enum bw_err bw_store_redis_check(const struct bw_store_redis_options *o, struct bw_why *why)
{
	char password[512];

	if ((o->host == NULL) == (o->socket == NULL))
		return bw_fail(why, BW_ERR_INPUT, "redis: give either a host or a Unix socket");
	if (o->port < 0 || o->port > 65535)
		return bw_fail(why, BW_ERR_RANGE, "redis: a port is 1 to 65535, not %d", o->port);
	if (o->database < 0)
		return bw_fail(why, BW_ERR_RANGE, "redis: a database's number is 0 or more, not %d", o->database);
	if (o->deadline_ms < 0)
		return bw_fail(why, BW_ERR_RANGE, "redis: a deadline is not negative");
	if (o->user != NULL && o->password_file == NULL)
		return bw_fail(why, BW_ERR_INPUT, "redis: a user without a password file");
	if (o->prefix != NULL && (strlen(o->prefix) >= BW_REDIS_PREFIX_BYTES || strpbrk(o->prefix, "{}") != NULL))
		return bw_fail(why, BW_ERR_INPUT, "redis: a prefix has less than %d bytes, and no braces", BW_REDIS_PREFIX_BYTES);
	enum bw_err err = bw_redis_password(o->password_file, password, sizeof(password), why);

	explicit_bzero(password, sizeof(password));
	return err == BW_OK ? check_tls(o, why) : err;
}

static char *copy(const char *text, bool *complete)
{
	char *p = text == NULL ? NULL : bw_slice_dup(bw_slice_of(text));

	*complete = *complete && (p != NULL) == (text != NULL);
	return p;
}

static struct bw_redis_tls *make_tls(const struct bw_store_redis_options *o, bool *complete)
{
	struct bw_redis_tls *tls = o->tls ? calloc(1, sizeof(*tls)) : NULL;

	*complete = *complete && (tls != NULL) == o->tls;
	if (tls != NULL) {
		tls->ca = copy(o->tls_ca, complete);
		tls->certificate = copy(o->tls_certificate, complete);
		tls->key = copy(o->tls_key, complete);
		tls->name = copy(o->tls_name != NULL ? o->tls_name : o->host, complete);
	}
	return tls;
}

/* False: memory is out. What is in the target is freed by the link in any case. */
static bool make_target(const struct bw_store_redis_options *o, struct bw_redis_target *t)
{
	char name[256];
	int port = o->port == 0 ? PORT : o->port;
	bool complete = true;

	if (o->socket != NULL)
		snprintf(name, sizeof(name), "%s", o->socket);
	else
		snprintf(name, sizeof(name), "%s:%d", o->host, port);
	*t = (struct bw_redis_target){
		.name = copy(name, &complete),
		.host = copy(o->host, &complete),
		.port = port,
		.socket = copy(o->socket, &complete),
		.database = o->database,
		.user = copy(o->user, &complete),
		.password_file = copy(o->password_file, &complete),
		.tls = make_tls(o, &complete),
		.deadline_ms = o->deadline_ms == 0 ? DEADLINE_MS : o->deadline_ms,
	};
	return complete;
}

enum bw_err bw_store_redis_open(const struct bw_store_redis_options *options, struct bw_store **out, struct bw_why *why)
{
	struct bw_redis_target target;
	enum bw_err err = bw_store_redis_check(options, why);
	struct bw_redis *s = err == BW_OK ? calloc(1, sizeof(*s)) : NULL;

	if (err != BW_OK)
		return err;
	if (s == NULL)
		return bw_redis_no_memory(why);
	s->base.ops = &ops;
	s->deadline_ms = options->deadline_ms == 0 ? DEADLINE_MS : options->deadline_ms;
	s->clock = options->clock;
	s->clock_ctx = options->clock_ctx;
	bw_store_clock_init(&s->seen);
	s->seen.still = options->clock != NULL;
	snprintf(s->prefix, sizeof(s->prefix), "%s", options->prefix == NULL ? "bw:" : options->prefix);
	pthread_mutex_init(&s->lock, NULL);
	bool complete = make_target(options, &target);

	err = bw_redis_link_new(&target, &s->link, why);
	if (err == BW_OK && !complete)
		err = bw_redis_no_memory(why);
	if (err == BW_OK)
		*out = &s->base;
	else
		close_store(&s->base);
	return err;
}
