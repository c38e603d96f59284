#include "hands.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "bw/clock.h"
#include "bw/helper.h"
#include "bw/parse.h"
#include "chores.h"
#include "runner.h"

#define EXPIRE_MOST_MS   (5 * BW_MINUTE_MS) /* between two looks for what has waited for hold.keep, and the least */
#define EXPIRE_LEAST_MS  BW_SECOND_MS
#define ARCHIVE_EVERY_MS BW_HOUR_MS
#define AFTER_FAILURE_MS BW_MINUTE_MS

struct hands {
	struct hands_in in;
	struct bw_key key;
	struct bw_keeper keeper;
	struct bw_helper *helper;
	struct places places;
	struct runner_tools tools;
	struct runner *runner;
	int64_t reconcile_ms, expire_ms, archive_ms; /* next, by the monotonic clock */
	bool reconcile_fails;
};

/* --- chores --- */

static void say_count(struct bw_buf *said, int64_t n, const char *what)
{
	if (n > 0)
		bw_buf_printf(said, "%s%lld %s", said->n == 0 ? "" : "; ", (long long)n, what);
}

/* As exact as the time is long. */
static int64_t expire_every_ms(const struct bw_config *config)
{
	int64_t part_ms = config->hold.keep_ms / 100;

	if (part_ms > EXPIRE_MOST_MS || config->hold.keep_ms <= 0)
		return EXPIRE_MOST_MS;
	return part_ms < EXPIRE_LEAST_MS ? EXPIRE_LEAST_MS : part_ms;
}

static enum bw_err do_chore(struct hands *h, const struct chores *c, int64_t now_ms, struct bw_buf *said, struct bw_why *why)
{
	const struct bw_config *config = h->in.config;
	int64_t mono_ms = bw_clock_monotonic_ms(), count = 0;
	enum bw_err err = BW_OK;

	if (mono_ms >= h->reconcile_ms) {
		err = agent_reconcile(c, now_ms, &count, why);
		h->reconcile_fails = err != BW_OK;
		h->reconcile_ms = bw_clock_monotonic_ms() + (err == BW_OK ? config->hold.reconcile_every_ms : AFTER_FAILURE_MS);
		say_count(said, count, "differences between ledger and queue");
	} else if (mono_ms >= h->expire_ms) {
		err = agent_expire_held(c, now_ms, &count, why);
		h->expire_ms = mono_ms + (err == BW_OK && count == EXPIRE_AT_A_TIME ? EXPIRE_LEAST_MS : expire_every_ms(config));
		say_count(said, count, "messages had waited for hold.keep");
	} else if (mono_ms >= h->archive_ms) {
		err = bw_archive_expire(h->keeper.archive, now_ms, config->hold.archive_keep_ms, &count, why);
		h->archive_ms = mono_ms + ARCHIVE_EVERY_MS;
		say_count(said, count, "archives were past hold.archive_keep");
	}
	return err;
}

enum bw_err agent_hands_step(struct hands *h, int64_t now_ms, int64_t *next_ms, struct bw_buf *said, struct bw_why *why)
{
	const struct chores chores = { h->in.config, &h->keeper, h->in.local, &h->places };
	enum bw_err err = agent_runner_step(h->runner, now_ms, next_ms, why);

	/* Orders first: somebody waits for them. */
	if (err == BW_OK && *next_ms > now_ms)
		err = do_chore(h, &chores, now_ms, said, why);
	return err;
}

bool agent_hands_troubled(const struct hands *h)
{
	return h->reconcile_fails || agent_runner_troubled(h->runner);
}

/* --- their life --- */

/* Without a helper, root's commands and their timer do all this, and the archive is root's. */
bool agent_hands_wanted(const struct bw_config *config)
{
	return access(config->hold.helper_socket, F_OK) == 0;
}

static void die_at(void *ctx, enum bw_fault fault)
{
	const struct hands *h = ctx;

	if ((int64_t)fault == h->in.fault)
		raise(SIGKILL);
}

static enum bw_err prepare(struct hands *h, struct bw_why *why)
{
	const struct bw_config *config = h->in.config;
	enum bw_err err = bw_key_load(config->daemon.secret_file, false, &h->key, why);

	h->keeper = (struct bw_keeper){
		.store = h->in.store,
		.key = &h->key,
		.host = h->in.host,
		.by = AGENT_NAME,
		.archive = -1,
		.hide_sender = !config->privacy.sender,
		.hide_subject = !config->privacy.subject,
		.archive_keep_ms = config->hold.archive_keep_ms,
		.archive_most_bytes = config->hold.archive_bytes,
		.archive_min_free_bytes = config->hold.archive_min_free,
		.at = h->in.fault >= 0 ? die_at : NULL,
		.at_ctx = h,
	};
	if (err == BW_OK)
		err = bw_archive_open(config->hold.archive, &h->keeper.archive, why);
	if (err == BW_OK)
		err = bw_helper_open(config->hold.helper_socket, &h->helper, why);
	if (err != BW_OK)
		return err;
	agent_places(config, bw_mta_find_helped, h->helper, &h->places);
	h->tools = (struct runner_tools){
		.orders = { h->in.store, h->in.local == h->in.store ? NULL : h->in.local },
		.ledger = h->in.local,
		.keeper = &h->keeper,
		.places = &h->places,
	};
	return agent_runner_new(&h->tools, &h->runner, why);
}

enum bw_err agent_hands_new(const struct hands_in *in, struct hands **out, struct bw_why *why)
{
	struct hands *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory to work on the hold queue");
	h->in = *in;
	h->keeper.archive = -1;
	enum bw_err err = prepare(h, why);

	if (err == BW_OK)
		*out = h;
	else
		agent_hands_free(&h);
	return err;
}

void agent_hands_free(struct hands **h)
{
	if (*h == NULL)
		return;
	agent_runner_free(&(*h)->runner);
	bw_helper_close(&(*h)->helper);
	if ((*h)->keeper.archive >= 0)
		close((*h)->keeper.archive);
	free(*h);
	*h = NULL;
}
