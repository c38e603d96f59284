/* Redirect (semantics 7): a stopped reply goes to who began its conversation, or else to the list's owner, and to nobody else. */
#include "guards.h"

/* In this order: what no other message of the conversation could change is said first. */
enum bw_redirect bw_policy_redirect(const struct bw_redirect_case *c)
{
	if (c->fixed)
		return BW_REDIRECT_FIXED;
	if (c->from_poster || (!c->poster && c->owner && c->from_owner))
		return BW_REDIRECT_OWN;
	if (c->ordinal <= 0)
		return BW_REDIRECT_UNKNOWN;
	if (!c->poster && !c->owner)
		return BW_REDIRECT_NOBODY;
	if (c->ordinal > BW_REDIRECT_LIMIT)
		return BW_REDIRECT_ENOUGH;
	return c->poster ? BW_REDIRECT_POSTER : BW_REDIRECT_OWNER;
}
