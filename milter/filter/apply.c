#include "apply.h"

#include <assert.h>

typedef sfsistat apply_fn(SMFICTX *ctx, const struct bw_judgement *j);

static sfsistat apply_accept(SMFICTX *ctx, const struct bw_judgement *j)
{
	if (j->trace[0] != '\0')
		smfi_addheader(ctx, bw_milter_text("X-Breakwater"), bw_milter_text(j->trace));
	return SMFIS_ACCEPT;
}

static sfsistat answer(SMFICTX *ctx, const struct bw_judgement *j, sfsistat status)
{
	smfi_setreply(ctx, bw_milter_text(j->reply_code), bw_milter_text(j->reply_status),
	              bw_milter_text(j->reply_text));
	return status;
}

static sfsistat apply_throttle(SMFICTX *ctx, const struct bw_judgement *j)
{
	return answer(ctx, j, SMFIS_TEMPFAIL);
}

static sfsistat apply_reject(SMFICTX *ctx, const struct bw_judgement *j)
{
	return answer(ctx, j, SMFIS_REJECT);
}

static sfsistat apply_discard(SMFICTX *ctx, const struct bw_judgement *j)
{
	(void)ctx;
	(void)j;
	return SMFIS_DISCARD;
}

static sfsistat apply_hold(SMFICTX *ctx, const struct bw_judgement *j)
{
	if (j->mark[0] != '\0')
		smfi_addheader(ctx, bw_milter_text("X-Breakwater-Held"), bw_milter_text(j->mark));
	if (smfi_quarantine(ctx, bw_milter_text(j->quarantine)) == MI_SUCCESS)
		return SMFIS_CONTINUE;
	/* An MTA without a hold queue: its sender keeps the message and tries again. */
	smfi_setreply(ctx, bw_milter_text("451"), bw_milter_text("4.7.28"),
	              bw_milter_text("Message has to wait; this server cannot hold it, try again later"));
	return SMFIS_TEMPFAIL;
}

static apply_fn *const table[] = {
	[BW_ACCEPT] = apply_accept,
	[BW_TAG] = apply_accept,
	[BW_THROTTLE] = apply_throttle,
	[BW_STRIP] = apply_hold,    /* the settings do not offer strip and redirect yet; were they stored, mail waits */
	[BW_REDIRECT] = apply_hold,
	[BW_DISCARD] = apply_discard,
	[BW_HOLD] = apply_hold,
	[BW_REJECT] = apply_reject,
};
static_assert(sizeof(table) / sizeof(table[0]) == BW_ACTION_COUNT, "a way to apply every action");

sfsistat bw_apply(SMFICTX *ctx, const struct bw_judgement *j)
{
	return table[j->verdict.action](ctx, j);
}
