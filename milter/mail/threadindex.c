/* Thread-Index (MS-OXOMSG 2.2.1.3, PidTagConversationIndex): a header block of 22 bytes (1 reserved, 5 of time, 16 of
 * conversation id), then 5 bytes for each reply; in mail as base64. */
#include <glib.h>
#include <string.h>

#include "internal.h"

enum { ROOT_BYTES = 22, ID_AT = 6, ID_BYTES = 16 };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* RFC 4648 section 4, blanks of folding left out; `*digits` counts the digits, padding not included. */
static bool check_base64(struct bw_slice value, size_t *digits)
{
	size_t padding = 0;

	*digits = 0;
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if (is_blank(c))
			continue;
		if (c == '=')
			padding++;
		else if (padding > 0 || !(g_ascii_isalnum(c) || c == '+' || c == '/'))
			return false;
		else
			++*digits;
	}
	return padding <= 2;
}

bool bw_thread_index(struct bw_slice value, uint8_t root[16], bool *longer)
{
	guchar bytes[96] = { 0 };
	size_t digits;
	gint state = 0;
	guint save = 0;

	if (!check_base64(value, &digits) || digits * 6 / 8 < ROOT_BYTES)
		return false;
	/* Only the root is decoded: its 30 digits and what blanks stand between them. */
	struct bw_slice head = value;
	size_t n = 0;

	while (n < ROOT_BYTES && head.n > 0) {
		struct bw_slice piece = bw_slice_head(head, 64);

		n += g_base64_decode_step(piece.p, piece.n, bytes + n, &state, &save);
		head = bw_slice_from(head, piece.n);
	}
	if (n < ROOT_BYTES)
		return false;
	memcpy(root, bytes + ID_AT, ID_BYTES);
	*longer = digits * 6 / 8 > ROOT_BYTES;
	return true;
}
