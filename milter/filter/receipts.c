#include "receipts.h"

enum { FIELDS_MAX = 4096 }; /* of one name; a header has no room for more */

/* Cuts the first piece up to `separator` off `rest`, trimmed. */
static struct bw_slice cut(struct bw_slice *rest, char separator)
{
	size_t at = bw_slice_find(*rest, separator);
	struct bw_slice piece = bw_slice_trim(bw_slice_head(*rest, at));

	*rest = at < rest->n ? bw_slice_from(*rest, at + 1) : (struct bw_slice){ NULL, 0 };
	return piece;
}

static struct bw_slice tag_value(struct bw_slice tags, char name)
{
	while (tags.n > 0) {
		struct bw_slice value = cut(&tags, ';');
		struct bw_slice tag = cut(&value, '=');

		if (tag.n == 1 && tag.p[0] == name)
			return bw_slice_trim(value);
	}
	return (struct bw_slice){ NULL, 0 };
}

/* RFC 6376 3.5: h= names the fields that are signed, also such as are not there. A signature without d= or h= verifies nowhere. */
static void read_signature(struct bw_receipts *r, struct bw_slice value, bw_receipts_own *own, const void *ctx)
{
	struct bw_slice domain = tag_value(value, 'd'), names = tag_value(value, 'h');

	if (domain.n == 0 || own(ctx, domain))
		return;
	while (names.n > 0) {
		struct bw_slice name = cut(&names, ':');

		for (int i = 0; i < BW_RECEIPT_COUNT; i++)
			r->sealed[i] = r->sealed[i] || bw_slice_equal_nocase(name, bw_slice_of(bw_receipt_names[i]));
	}
}

void bw_receipts_read(struct bw_receipts *r, struct bw_slice name, struct bw_slice value, bw_receipts_own *own, const void *ctx)
{
	if (bw_slice_equal_nocase(name, BW_S("DKIM-Signature")))
		read_signature(r, value, own, ctx);
	for (int i = 0; i < BW_RECEIPT_COUNT; i++) {
		if (r->count[i] < FIELDS_MAX && bw_slice_equal_nocase(name, bw_slice_of(bw_receipt_names[i])))
			r->count[i]++;
	}
}

/* RFC 3461 4.1: NOTIFY=NEVER, or a list of SUCCESS, FAILURE and DELAY. */
bool bw_receipts_notify(char *const *parameters, struct bw_buf *out)
{
	struct bw_slice orcpt = { NULL, 0 };
	bool success = false, delay = false;

	for (; parameters != NULL && *parameters != NULL; parameters++) {
		struct bw_slice word = bw_slice_of(*parameters);

		if (bw_slice_starts_nocase(word, BW_S("ORCPT=")))
			orcpt = word;
		if (!bw_slice_starts_nocase(word, BW_S("NOTIFY=")))
			continue;
		for (struct bw_slice rest = bw_slice_from(word, 7); rest.n > 0;) {
			struct bw_slice one = cut(&rest, ',');

			success = success || bw_slice_equal_nocase(one, BW_S("SUCCESS"));
			delay = delay || bw_slice_equal_nocase(one, BW_S("DELAY"));
		}
	}
	if (!success)
		return false;
	bw_buf_add_text(out, delay ? "NOTIFY=FAILURE,DELAY" : "NOTIFY=FAILURE");
	if (orcpt.n > 0) {
		bw_buf_add_char(out, ' ');
		bw_buf_add(out, orcpt);
	}
	return true;
}
