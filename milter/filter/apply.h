/* apply.h: a judgement in libmilter's terms.
 *
 * Layer: filter.
 */
#ifndef BW_FILTER_APPLY_H
#define BW_FILTER_APPLY_H

#include <libmilter/mfapi.h>

#include "bw/engine.h"

/* libmilter's prototypes lack const; it copies what it is given. */
static inline char *bw_milter_text(const char *text)
{
	return (char *)(uintptr_t)text;
}

/* Does what the judgement says; to be called at end of message only. What the MTA cannot do becomes a temporary failure,
 * never a silent pass. */
sfsistat bw_apply(SMFICTX *ctx, const struct bw_judgement *j);

#endif
