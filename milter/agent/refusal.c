/* The words of bw/helper.h. */
#include "bw/helper.h"

struct word {
	const char *name;
	enum bw_err err;
};

static const struct word refusals[BW_REFUSAL_COUNT] = {
	[BW_REFUSAL_NONE] = { "none", BW_OK },
	[BW_REFUSAL_NOT_ALLOWED] = { "not-allowed", BW_ERR_PERMISSION },
	[BW_REFUSAL_BAD_REQUEST] = { "bad-request", BW_ERR_INPUT },
	[BW_REFUSAL_BAD_SIGNATURE] = { "bad-signature", BW_ERR_PERMISSION },
	[BW_REFUSAL_BAD_ORDER] = { "bad-order", BW_ERR_CORRUPT },
	[BW_REFUSAL_EXPIRED] = { "expired", BW_ERR_LIMIT },
	[BW_REFUSAL_OTHER_HOST] = { "other-host", BW_ERR_CONFLICT },
	[BW_REFUSAL_OTHER_COMMAND] = { "other-command", BW_ERR_PERMISSION },
	[BW_REFUSAL_BAD_ID] = { "bad-id", BW_ERR_INPUT },
	[BW_REFUSAL_REPLAYED] = { "replayed", BW_ERR_EXISTS },
	[BW_REFUSAL_NO_MESSAGE] = { "no-message", BW_ERR_NOT_FOUND },
	[BW_REFUSAL_NO_MARK] = { "no-mark", BW_ERR_CONFLICT },
	[BW_REFUSAL_OTHER_MESSAGE] = { "other-message", BW_ERR_CONFLICT },
	[BW_REFUSAL_NOT_DUE] = { "not-due", BW_ERR_PERMISSION },
	[BW_REFUSAL_BAD_SEAL] = { "bad-seal", BW_ERR_CORRUPT },
};

const char *bw_refusal_name(enum bw_refusal refusal)
{
	return (unsigned)refusal < BW_REFUSAL_COUNT ? refusals[refusal].name : "unknown";
}

bool bw_refusal_parse(struct bw_slice word, enum bw_refusal *out)
{
	for (unsigned i = BW_REFUSAL_NONE + 1; i < BW_REFUSAL_COUNT; i++) {
		if (bw_slice_equal(word, bw_slice_of(refusals[i].name))) {
			*out = (enum bw_refusal)i;
			return true;
		}
	}
	return false;
}

enum bw_err bw_refusal_err(enum bw_refusal refusal)
{
	return (unsigned)refusal < BW_REFUSAL_COUNT ? refusals[refusal].err : BW_ERR_CORRUPT;
}

const char *bw_helper_fault_name(enum bw_helper_fault fault)
{
	static const char *const names[BW_HELPER_FAULT_COUNT] = { "checked", "sealed", "named", "done", "noted", "answered" };

	return (unsigned)fault < BW_HELPER_FAULT_COUNT ? names[fault] : "unknown";
}
