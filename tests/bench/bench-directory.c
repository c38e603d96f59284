/* bench-directory: what a large directory costs.
 *
 *   bench-directory fill STORE N      puts N lists into the store: list-0000000@bench.example and so on, of 20 to 20,019 members; every
 *                                     list has one of 50,000 owners and two posters
 *   bench-directory measure STORE N   prints JSON: loading (time, peak of memory), one change, everything read again beside the old one,
 *                                     look-ups
 *   bench-directory change STORE      changes one list and prints JSON: the time until every daemon that lives says it has it
 *
 * STORE: a file, or unix:PATH of a Redis. Exit 0; 1: it failed; 2: usage. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bw/clock.h"
#include "bw/engine.h"
#include "bw/mail.h"
#include "bw/store-redis.h"

enum { PAGE = 2000, TEXT = 64, LOOK_UPS = 2000000, CHANGES = 5, WAIT_MS = 20000, OWNERS = 50000 };

static struct bw_store *store;
static struct bw_why why;

static void give_up(const char *what)
{
	fprintf(stderr, "bench-directory: %s: %s\n", what, why.text);
	exit(1);
}

static void must(enum bw_err err, const char *what)
{
	if (err != BW_OK)
		give_up(what);
}

static void open_store(const char *place)
{
	struct bw_store_redis_options redis = { .socket = place + strlen("unix:"), .deadline_ms = 5000 };
	bool shared = strncmp(place, "unix:", strlen("unix:")) == 0;

	must(shared ? bw_store_redis_open(&redis, &store, &why) : bw_store_sqlite_open(place, 10000, &store, &why), place);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static long memory_kib(const char *what)
{
	char line[128];
	long kib = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, what, strlen(what)) == 0)
			kib = atol(line + strlen(what));
	}
	if (f != NULL)
		fclose(f);
	return kib;
}

/* --- lists --- */

static struct bw_slice address_of(int64_t i, char text[TEXT])
{
	snprintf(text, TEXT, "list-%07" PRId64 "@bench.example", i);
	return bw_slice_of(text);
}

static int64_t size_of(int64_t i)
{
	return 20 + i % 20000;
}

static void fill(int64_t lists)
{
	static struct bw_list_row rows[PAGE];
	static char texts[PAGE][TEXT], owners[PAGE][TEXT];
	size_t n = 0;

	for (int64_t i = 0; i < lists; i++) {
		snprintf(owners[n], TEXT, "owner-%" PRId64 "@bench.example", i % OWNERS);
		rows[n] = (struct bw_list_row){
			.address = address_of(i, texts[n]),
			.owner = bw_slice_of(owners[n]),
			.posters = BW_S("auth:comms@bench.example,auth:board@bench.example"),
			.origin = BW_S("bench"),
			.size = size_of(i),
			.source = BW_SOURCE_IMPORT,
		};
		n++;
		if (n == PAGE || i + 1 == lists) {
			must(store->ops->list_put_many(store, rows, n, NULL, &why), "fill");
			n = 0;
		}
	}
}

static int64_t put_size(int64_t i, int64_t size)
{
	char text[TEXT];
	struct bw_list_row row = { .address = address_of(i, text), .size = size, .source = BW_SOURCE_OPERATOR };
	int64_t version = 0;

	must(store->ops->list_put(store, &row, &version, &why), "change");
	return version;
}

/* --- in this process --- */

static struct bw_world *load(void)
{
	static const struct bw_key key = { { 1 } };
	struct bw_config *config = NULL;
	struct bw_world *world = NULL;
	struct bw_buf skipped;

	bw_buf_init(&skipped, 1000);
	must(bw_config_default(&config, &why), "configuration");
	must(bw_world_load(&key, config, store, &skipped, &world, &why), "load");
	bw_buf_done(&skipped);
	return world;
}

static struct bw_world *again(const struct bw_world *old, bool whole)
{
	struct bw_world *world = NULL;
	struct bw_buf skipped;

	bw_buf_init(&skipped, 1000);
	must((whole ? bw_world_reread : bw_world_renew)(old, store, &skipped, &world, &why), "renew");
	bw_buf_done(&skipped);
	return world;
}

/* Look-ups a second of every list in turn, or of addresses that are none. */
static double look_ups(const struct bw_world *world, int64_t lists, bool hit)
{
	const struct bw_directory *d = bw_world_directory(world);
	double start = now_ms();
	int64_t found = 0;
	char text[TEXT];

	for (int64_t i = 0; i < LOOK_UPS; i++) {
		struct bw_slice address = address_of(i * 7919 % lists, text);

		text[0] = hit ? 'l' : 'x';
		found += bw_directory_find(d, address) != NULL;
	}
	double ms = now_ms() - start;

	snprintf(why.text, sizeof(why.text), "%" PRId64 " found", found);
	must(found == (hit ? LOOK_UPS : 0) ? BW_OK : BW_ERR_INPUT, "look-ups");
	return LOOK_UPS / ms * 1e3;
}

/* The longest of some single changes, each read, applied and looked up. */
static double changes_ms(struct bw_world **world, int64_t lists)
{
	double longest = 0;
	char text[TEXT];

	for (int64_t i = 0; i < CHANGES; i++) {
		double start = now_ms();
		int64_t list = i * 3571 % lists;

		put_size(list, 30000 + i);
		struct bw_world *next = again(*world, false);

		must(bw_directory_find(bw_world_directory(next), address_of(list, text))->size == 30000 + i ? BW_OK : BW_ERR_INPUT, "in force");
		bw_world_unref(world);
		*world = next;
		longest = now_ms() - start > longest ? now_ms() - start : longest;
	}
	return longest;
}

static void measure(int64_t lists)
{
	long before = memory_kib("VmRSS:");
	double start = now_ms();
	struct bw_world *world = load();
	double load_ms = now_ms() - start;
	long load_peak = memory_kib("VmHWM:") - before, one = memory_kib("VmRSS:") - before;
	double change_ms = changes_ms(&world, lists), misses = look_ups(world, lists, false), hits = look_ups(world, lists, true);
	long looked = memory_kib("VmRSS:") - before;

	start = now_ms();
	struct bw_world *next = again(world, true);
	double reread_ms = now_ms() - start;

	bw_world_unref(&world);
	printf("{\"lists\": %" PRId64 ", \"load_ms\": %.0f, \"load_peak_kib\": %ld, \"one_kib\": %ld, \"change_ms\": %.2f, "
	       "\"looked_kib\": %ld, \"reread_ms\": %.0f, \"swap_peak_kib\": %ld, \"after_kib\": %ld, \"hits\": %.0f, \"misses\": %.0f}\n",
	       lists, load_ms, load_peak, one, change_ms, looked, reread_ms, memory_kib("VmHWM:") - before, memory_kib("VmRSS:") - before, hits,
	       misses);
	bw_world_unref(&next);
}

/* --- in daemons --- */

struct hosts {
	int64_t version;
	int living, behind;
};

static bool see_host(void *ctx, const struct bw_host_row *row)
{
	struct hosts *h = ctx;

	h->living++;
	h->behind += row->directory_version < h->version;
	return true;
}

static void change(void)
{
	double start = now_ms();
	struct hosts h = { .version = put_size(0, 30000 + (int64_t)start % 1000), .behind = 1 };

	while (h.behind > 0 && now_ms() - start < WAIT_MS) {
		int64_t now = 0;

		usleep(5000);
		h.living = h.behind = 0;
		must(store->ops->now(store, &now, &why), "now");
		must(store->ops->host_each(store, now - 10000, see_host, &h, &why), "hosts");
	}
	snprintf(why.text, sizeof(why.text), "%d daemons, %d of them without the change", h.living, h.behind);
	must(h.living > 0 && h.behind == 0 ? BW_OK : BW_ERR_STORE, "in force");
	printf("{\"daemons\": %d, \"in_force_ms\": %.1f}\n", h.living, now_ms() - start);
}

int main(int argc, char **argv)
{
	int64_t lists = argc == 4 ? atoll(argv[3]) : 0;
	bool of_lists = lists > 0 && lists <= 10000000;

	if (argc < 3 || !(of_lists ? strcmp(argv[1], "fill") == 0 || strcmp(argv[1], "measure") == 0 : strcmp(argv[1], "change") == 0)) {
		fprintf(stderr, "usage: bench-directory fill|measure STORE N | change STORE\n");
		return 2;
	}
	bw_mail_init();
	open_store(argv[2]);
	if (strcmp(argv[1], "fill") == 0)
		fill(lists);
	else if (strcmp(argv[1], "measure") == 0)
		measure(lists);
	else
		change();
	bw_store_close(&store);
	return 0;
}
