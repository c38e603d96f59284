/* Names to addresses, in the background. */
#include "redis-address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bw/slice.h"

enum { ADDRESSES_MAX = 8 };

/* Shared with a look-up that may outlive the store: getaddrinfo() cannot be stopped. */
struct bw_redis_addresses {
	pthread_mutex_t lock;
	int refs;
	bool busy, asked;
	char *host;
	char known[ADDRESSES_MAX][BW_REDIS_ADDRESS_BYTES];
	size_t count, next;
	int error; /* of getaddrinfo(), the last time */
};

static void unref(struct bw_redis_addresses *a)
{
	pthread_mutex_lock(&a->lock);
	bool last = --a->refs == 0;

	pthread_mutex_unlock(&a->lock);
	if (!last)
		return;
	pthread_mutex_destroy(&a->lock);
	free(a->host);
	free(a);
}

/* --- looking up --- */

static size_t to_text(const struct addrinfo *found, char out[ADDRESSES_MAX][BW_REDIS_ADDRESS_BYTES])
{
	size_t n = 0;

	for (const struct addrinfo *i = found; i != NULL && n < ADDRESSES_MAX; i = i->ai_next) {
		if (getnameinfo(i->ai_addr, i->ai_addrlen, out[n], BW_REDIS_ADDRESS_BYTES, NULL, 0, NI_NUMERICHOST) == 0)
			n++;
	}
	return n;
}

static int resolve(const char *host, int flags, char out[ADDRESSES_MAX][BW_REDIS_ADDRESS_BYTES], size_t *count)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags }, *found = NULL;
	int rc = getaddrinfo(host, NULL, &hints, &found);

	*count = 0;
	if (rc != 0)
		return rc;
	*count = to_text(found, out);
	freeaddrinfo(found);
	return *count > 0 ? 0 : EAI_NONAME;
}

static void *look_up(void *arg)
{
	struct bw_redis_addresses *a = arg;
	char found[ADDRESSES_MAX][BW_REDIS_ADDRESS_BYTES];
	size_t count;
	int rc = resolve(a->host, AI_ADDRCONFIG, found, &count);

	pthread_mutex_lock(&a->lock);
	a->busy = false;
	a->error = rc;
	if (rc == 0) {
		memcpy(a->known, found, sizeof(found));
		a->count = count; /* the turn goes on: the first of several may be the one that does not answer */
	}
	pthread_mutex_unlock(&a->lock);
	unref(a);
	return NULL;
}

static int start(struct bw_redis_addresses *a)
{
	pthread_attr_t detached;
	pthread_t thread;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	int rc = pthread_create(&thread, &detached, look_up, a);

	pthread_attr_destroy(&detached);
	return rc;
}

void bw_redis_addresses_refresh(struct bw_redis_addresses *a)
{
	pthread_mutex_lock(&a->lock);
	bool starts = a->asked && !a->busy;

	if (starts) {
		a->busy = true;
		a->refs++;
	}
	pthread_mutex_unlock(&a->lock);
	if (!starts || start(a) == 0)
		return;
	pthread_mutex_lock(&a->lock);
	a->busy = false;
	a->error = EAI_AGAIN;
	a->refs--; /* not the last: the caller has one */
	pthread_mutex_unlock(&a->lock);
}

/* --- its life --- */

struct bw_redis_addresses *bw_redis_addresses_new(const char *host)
{
	struct bw_redis_addresses *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->host = bw_slice_dup(bw_slice_of(host));
	if (a->host == NULL) {
		free(a);
		return NULL;
	}
	pthread_mutex_init(&a->lock, NULL);
	a->refs = 1;
	/* A numeric address needs nobody's answer. */
	a->asked = resolve(host, AI_NUMERICHOST, a->known, &a->count) != 0;
	bw_redis_addresses_refresh(a);
	return a;
}

void bw_redis_addresses_free(struct bw_redis_addresses **a)
{
	if (*a != NULL)
		unref(*a);
	*a = NULL;
}

enum bw_err bw_redis_addresses_next(struct bw_redis_addresses *a, char out[BW_REDIS_ADDRESS_BYTES], struct bw_why *why)
{
	pthread_mutex_lock(&a->lock);
	bool known = a->count > 0, busy = a->busy;
	int error = a->error;

	if (known)
		memcpy(out, a->known[a->next++ % a->count], BW_REDIS_ADDRESS_BYTES);
	pthread_mutex_unlock(&a->lock);
	if (known)
		return BW_OK;
	if (busy)
		return bw_fail(why, BW_ERR_STORE, "redis %s: its name is being looked up", a->host);
	return bw_fail(why, BW_ERR_NOT_FOUND, "redis %s: the name cannot be resolved: %s", a->host,
	               error == 0 ? "no address" : gai_strerror(error));
}
