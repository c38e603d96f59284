/* bench-store: microseconds a count() on the embedded store takes, with one live conversation and with very many, alone and
 * with several threads. Usage: bench-store [FILE [CONVERSATIONS [THREADS]]] */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bw/clock.h"
#include "bw/store.h"

enum { COUNTS = 20000, LISTS = 100, SENDERS = 1000 };

static struct bw_store *store;
static int64_t conversations = 1000000;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* As spread as a keyed hash, without its cost. */
static struct bw_hash hash_of(uint64_t domain, uint64_t n)
{
	struct bw_hash h;
	uint64_t x = n * UINT64_C(0x9E3779B97F4A7C15) + domain * UINT64_C(0xD1B54A32D192ED03);

	for (int i = 0; i < BW_HASH_BYTES; i += 8) {
		x ^= x >> 30;
		x *= UINT64_C(0xBF58476D1CE4E5B9);
		x ^= x >> 27;
		x *= UINT64_C(0x94D049BB133111EB);
		x ^= x >> 31;
		memcpy(h.b + i, &x, 8);
	}
	return h;
}

/* A post founds conversation `n`; a reply (message > 0) refers to it. */
static void count(uint64_t n, uint64_t message, uint64_t sender)
{
	char list[64];
	struct bw_count_in in = {
		.side = BW_SIDE_MEMBERS,
		.message = hash_of(1, n * 1000003 + message),
		.sender = hash_of(2, sender),
		.keys = { { BW_JOIN_MESSAGE_ID, hash_of(3, n * 1000003 + message) }, { BW_JOIN_REFERENCES, hash_of(3, n * 1000003) } },
		.key_count = message > 0 ? 2 : 1,
		.looks_like_reply = message > 0,
		.may_merge = true,
		.deliveries = 1000,
		.conversation_window_ms = BW_HOUR_MS,
		.list_window_ms = BW_HOUR_MS,
		.memory_ms = 7 * BW_DAY_MS,
	};
	struct bw_count_out out;
	struct bw_why why;

	snprintf(list, sizeof(list), "list%" PRIu64 "@bench.example", n % LISTS);
	in.list = bw_slice_of(list);
	if (store->ops->count(store, &in, &out, 1, &why) != BW_OK) {
		fprintf(stderr, "bench-store: %s\n", why.text);
		exit(1);
	}
}

static double posts_us(uint64_t from, int64_t n)
{
	double start = now_us();

	for (int64_t i = 0; i < n; i++)
		count(from + (uint64_t)i, 0, (uint64_t)i % SENDERS);
	return (now_us() - start) / (double)n;
}

struct share {
	uint64_t seed, spread;
};

/* Replies to conversations picked at random among the first `spread`. */
static void *reply(void *arg)
{
	const struct share *s = arg;
	uint64_t x = s->seed * 7919 + 1;

	for (uint64_t i = 0; i < COUNTS; i++) {
		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		count((x >> 33) % s->spread, 1 + s->seed * COUNTS + i, (x >> 40) % SENDERS);
	}
	return NULL;
}

static double replies_us(uint64_t seed, uint64_t spread, int threads)
{
	pthread_t ids[64];
	struct share shares[64];
	double start = now_us();

	for (int i = 0; i < threads; i++) {
		shares[i] = (struct share){ seed + (uint64_t)i, spread };
		pthread_create(&ids[i], NULL, reply, &shares[i]);
	}
	for (int i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	return (now_us() - start) / (double)COUNTS / threads;
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "bench-store.db";
	int threads = argc > 3 ? atoi(argv[3]) : 16;
	struct bw_why why;

	if (argc > 2)
		conversations = atoll(argv[2]);
	if (threads < 1 || threads > 64 || conversations < 1) {
		fprintf(stderr, "usage: bench-store [FILE [CONVERSATIONS [THREADS up to 64]]]\n");
		return 2;
	}
	if (strcmp(path, ":memory:") != 0 && access(path, F_OK) == 0) {
		fprintf(stderr, "bench-store: %s is there already\n", path);
		return 2;
	}
	if (bw_store_sqlite_open(path, 5000, &store, &why) != BW_OK) {
		fprintf(stderr, "bench-store: %s\n", why.text);
		return 1;
	}
	printf("us a count()                        1 thread   %d threads\n", threads);
	posts_us(0, 1);
	printf("replies, 1 conversation             %8.1f", replies_us(1, 1, 1));
	printf(" %12.1f\n", replies_us(2, 1, threads));
	printf("new posts                           %8.1f\n", posts_us(1, conversations));
	printf("replies, %9" PRId64 " conversations    %8.1f", conversations, replies_us(101, (uint64_t)conversations, 1));
	printf(" %12.1f\n", replies_us(102, (uint64_t)conversations, threads));
	bw_store_close(&store);
	return 0;
}
