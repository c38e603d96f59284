/* An operator's word on one breaker, written by compare-and-set against the daemons that step it. */
#include <string.h>

#include "bw/clock.h"
#include "bw/policy.h"
#include "change.h"

#define OVERRIDE_MS (4 * BW_HOUR_MS)

/* Somebody wins each round, so in a storm of S threads this many lost rounds in a row do not happen. */
enum { ROUNDS = 100 };

int64_t bw_cli_override_until(const struct cli *c)
{
	return c->now_ms + (c->args.for_ms > 0 ? c->args.for_ms : OVERRIDE_MS);
}

/* The undo of an override, which closes an open breaker as well: the operator says that mail is to flow. */
static bool close_breaker(const struct cli *c, struct bw_transition *t)
{
	if (t->next.phase == BW_PHASE_CLOSED)
		return t->changed;
	t->next.phase = BW_PHASE_CLOSED;
	t->next.since_ms = c->now_ms;
	t->next.until_ms = 0;
	t->next.relapses = 0;
	return true;
}

static enum bw_err try_once(struct cli *c, const struct bw_breaker_key *key, enum bw_override value, int64_t until_ms,
                            struct bw_breaker *out)
{
	struct bw_breaker record = { 0 };
	struct bw_transition t = { 0 };
	enum bw_err err = c->store->ops->breaker_get(c->store, key, &record, &c->why);

	if (err != BW_OK && err != BW_ERR_NOT_FOUND)
		return err;
	if (value != BW_OVERRIDE_NONE) {
		memset(record.override_owner, 0, sizeof(record.override_owner));
		memset(record.override_reason, 0, sizeof(record.override_reason));
		bw_slice_copy(bw_slice_of(c->owner), record.override_owner, sizeof(record.override_owner));
		bw_slice_copy(bw_slice_of(c->args.reason), record.override_reason, sizeof(record.override_reason));
	}
	bw_breaker_override(&record, value, c->now_ms, until_ms, &t);
	*out = t.next;
	if (value == BW_OVERRIDE_NONE && !close_breaker(c, &t))
		return BW_OK; /* nothing to undo, nothing to close */
	*out = t.next;
	return c->store->ops->breaker_cas(c->store, key, &t.next, &c->why);
}

enum bw_cli_exit bw_cli_override(struct cli *c, const struct bw_breaker_key *key, enum bw_override value, int64_t until_ms,
                                 struct bw_breaker *out)
{
	struct bw_breaker next;
	struct bw_slice reason;
	enum bw_cli_exit code = bw_cli_reason(c, &reason);
	enum bw_err err = BW_ERR_CONFLICT;

	if (code != BW_CLI_DONE)
		return code;
	for (int round = 0; err == BW_ERR_CONFLICT && round < ROUNDS; round++)
		err = try_once(c, key, value, until_ms, &next);
	if (err == BW_ERR_CONFLICT)
		return bw_cli_fail(c, BW_CLI_NO, "the breaker changed %d times while it was to be set; try again", ROUNDS);
	if (err == BW_OK && out != NULL)
		*out = next;
	return bw_cli_fail_err(err);
}
