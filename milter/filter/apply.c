#include "apply.h"

#include <assert.h>

typedef sfsistat apply_fn(SMFICTX *ctx, const struct bw_judgement *j);

static bool change(SMFICTX *ctx, const struct bw_change *c)
{
	char *name = bw_milter_text(c->name), *value = bw_milter_text(c->value);

	switch (c->kind) {
	case BW_CHANGE_RCPT_REMOVE:
		return smfi_delrcpt(ctx, name) == MI_SUCCESS;
	case BW_CHANGE_RCPT_ADD:
		return (value == NULL ? smfi_addrcpt(ctx, name) : smfi_addrcpt_par(ctx, name, value)) == MI_SUCCESS;
	case BW_CHANGE_FIELD_ADD:
		return smfi_addheader(ctx, name, value) == MI_SUCCESS;
	case BW_CHANGE_FIELD_SET:
		return smfi_chgheader(ctx, name, c->index, value) == MI_SUCCESS;
	case BW_CHANGE_COUNT:
		break;
	}
	return false;
}

static bool change_all(SMFICTX *ctx, const struct bw_judgement *j)
{
	for (size_t i = 0; i < j->change_count; i++) {
		if (!change(ctx, &j->changes[i]))
			return false;
	}
	return true;
}

/* A list that stays where it was to leave would get the message after all, and one that left and cannot come back would not: better
 * none of it. */
static sfsistat give_up(SMFICTX *ctx)
{
	smfi_setreply(ctx, bw_milter_text("451"), bw_milter_text("4.7.28"),
	              bw_milter_text("Message has to be changed; this server cannot do that, try again later"));
	return SMFIS_TEMPFAIL;
}

static sfsistat apply_accept(SMFICTX *ctx, const struct bw_judgement *j)
{
	if (!change_all(ctx, j))
		return give_up(ctx);
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
	if (!change_all(ctx, j))
		return give_up(ctx);
	if (j->mark[0] != '\0')
		smfi_addheader(ctx, bw_milter_text("X-Breakwater-Held"), bw_milter_text(j->mark));
	bw_hold_reach(j, BW_HOLD_MARKED);
	if (smfi_quarantine(ctx, bw_milter_text(j->quarantine)) == MI_SUCCESS) {
		bw_hold_reach(j, BW_HOLD_QUARANTINED);
		return SMFIS_CONTINUE;
	}
	/* An MTA without a hold queue: its sender keeps the message and tries again. */
	smfi_setreply(ctx, bw_milter_text("451"), bw_milter_text("4.7.28"),
	              bw_milter_text("Message has to wait; this server cannot hold it, try again later"));
	return SMFIS_TEMPFAIL;
}

static apply_fn *const table[] = {
	[BW_ACCEPT] = apply_accept,
	[BW_TAG] = apply_accept,
	[BW_THROTTLE] = apply_throttle,
	[BW_STRIP] = apply_accept,
	[BW_REDIRECT] = apply_accept,
	[BW_DISCARD] = apply_discard,
	[BW_HOLD] = apply_hold,
	[BW_REJECT] = apply_reject,
};
static_assert(sizeof(table) / sizeof(table[0]) == BW_ACTION_COUNT, "a way to apply every action");

sfsistat bw_apply(SMFICTX *ctx, const struct bw_judgement *j)
{
	return table[j->verdict.action](ctx, j);
}
