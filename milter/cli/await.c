/* Waiting until every live daemon acts on a change: `set` says "active on 2 of 2 hosts" only when it is true. */
#include <time.h>

#include "bw/clock.h"
#include "output.h"
#include "work.h"

#define POLL_MS INT64_C(20)
#define WAIT_MS (5 * BW_SECOND_MS)

struct look {
	enum versioned what;
	int64_t version;
	struct acks *acks;
};

static bool look_at_host(void *ctx, const struct bw_host_row *row)
{
	struct look *look = ctx;
	int64_t has = look->what == VERSION_SETTINGS ? row->settings_version : row->directory_version;

	look->acks->alive++;
	if (has >= look->version) {
		look->acks->active++;
		return true;
	}
	if (look->acks->late.n > 0)
		bw_buf_add_text(&look->acks->late, ", ");
	bw_buf_add(&look->acks->late, row->host);
	return true;
}

static enum bw_err look_once(struct cli *c, struct look *look)
{
	int64_t now_ms = c->now_ms;
	enum bw_err err = c->env->now_ms != 0 ? BW_OK : c->store->ops->now(c->store, &now_ms, &c->why);

	look->acks->alive = look->acks->active = 0;
	bw_buf_reset(&look->acks->late);
	if (err == BW_OK)
		err = c->store->ops->host_each(c->store, now_ms - ALIVE_MS, look_at_host, look, &c->why);
	return err;
}

static enum bw_err wait_for_hosts(struct cli *c, struct look *look)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000 };
	int64_t end_ms = bw_clock_monotonic_ms() + (c->env->ack_ms > 0 ? c->env->ack_ms : WAIT_MS);
	enum bw_err err = look_once(c, look);

	while (err == BW_OK && look->acks->active < look->acks->alive && bw_clock_monotonic_ms() < end_ms) {
		nanosleep(&pause, NULL);
		err = look_once(c, look);
	}
	return err;
}

static enum bw_cli_exit tell(struct cli *c, const struct acks *acks)
{
	if (acks->alive == 0)
		bw_cli_say(c, STYLE_WARN, "no breakwaterd is running; it will act when one starts");
	else
		bw_cli_say(c, acks->active == acks->alive ? STYLE_GOOD : STYLE_BAD, "active on %lld of %lld hosts",
		           (long long)acks->active, (long long)acks->alive);
	if (acks->active == acks->alive)
		return BW_CLI_DONE;
	return bw_cli_fail(c, BW_CLI_NO, "stored, but not acknowledged in time by %s; `breakwaterctl status` shows when it is",
	                   bw_buf_text(&acks->late));
}

enum bw_cli_exit bw_cli_await(struct cli *c, enum versioned what, int64_t version, void *json)
{
	struct acks acks = { 0 };
	struct look look = { .what = what, .version = version, .acks = &acks };

	if (c->in_scenario)
		return BW_CLI_DONE;
	bw_buf_init(&acks.late, 300);
	enum bw_err err = wait_for_hosts(c, &look);
	enum bw_cli_exit code = bw_cli_fail_err(err);

	if (err == BW_OK)
		code = tell(c, &acks);
	if (json != NULL) {
		bw_cli_put_int(json, "hosts_alive", acks.alive);
		bw_cli_put_int(json, "hosts_active", acks.active);
	}
	bw_buf_done(&acks.late);
	return code;
}
