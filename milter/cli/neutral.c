/* Bytes of strangers, made harmless for a terminal. */
#include "output.h"

/* Decodes one character of UTF-8 (RFC 3629: no overlong forms, no surrogates); its length, or 0 for an invalid byte. */
static size_t decode(struct bw_slice s, uint32_t *out)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char lead = (unsigned char)s.p[0];
	size_t n = lead < 0x80                   ? 1
	           : lead >= 0xF0 && lead < 0xF8 ? 4
	           : lead >= 0xE0 && lead < 0xF0 ? 3
	           : lead >= 0xC0 && lead < 0xE0 ? 2
	                                         : 0;
	uint32_t character = n == 1 ? lead : n == 0 ? 0 : lead & (0x7FU >> n);

	if (n == 0 || n > s.n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		unsigned char next = (unsigned char)s.p[i];

		if ((next & 0xC0) != 0x80)
			return 0;
		character = character << 6 | (next & 0x3FU);
	}
	if (character < least[n] || character > 0x10FFFF || (character >= 0xD800 && character < 0xE000))
		return 0;
	*out = character;
	return n;
}

struct range {
	uint32_t from, to;
};

static bool is_harmful(uint32_t character)
{
	static const struct range harmful[] = {
		{ 0x00, 0x1F },     { 0x7F, 0x9F },                         /* C0, DEL, C1 */
		{ 0x061C, 0x061C }, { 0x200B, 0x200B }, { 0x200E, 0x200F }, /* marks of direction, zero width */
		{ 0x2028, 0x202E }, { 0x2060, 0x206F },                     /* separators, embeddings, overrides, isolates */
		{ 0xFEFF, 0xFEFF }, { 0xFFF9, 0xFFFB }, { 0xE0000, 0xE007F },
	};

	for (size_t i = 0; i < sizeof(harmful) / sizeof(harmful[0]); i++) {
		if (character >= harmful[i].from && character <= harmful[i].to)
			return true;
	}
	return false;
}

void bw_cli_neutralise(struct bw_buf *out, struct bw_slice s)
{
	while (s.n > 0) {
		uint32_t character = 0;
		size_t n = decode(s, &character);

		if (n == 0 || (n == 1 && is_harmful(character)))
			bw_buf_printf(out, "\\x%02x", (unsigned char)s.p[0]);
		else if (is_harmful(character))
			bw_buf_printf(out, "\\u{%04x}", (unsigned)character);
		else
			bw_buf_add(out, bw_slice_head(s, n));
		s = bw_slice_from(s, n == 0 ? 1 : n);
	}
}

/* JSON wants UTF-8; what is none becomes U+FFFD, the replacement character. */
json_t *bw_cli_string(struct bw_slice text)
{
	struct bw_buf clean;

	bw_buf_init(&clean, 3 * text.n + 1);
	while (text.n > 0) {
		uint32_t character;
		size_t n = decode(text, &character);

		if (n == 0)
			bw_buf_add_text(&clean, "\xEF\xBF\xBD");
		else
			bw_buf_add(&clean, bw_slice_head(text, n));
		text = bw_slice_from(text, n == 0 ? 1 : n);
	}
	json_t *string = json_stringn(bw_buf_text(&clean), clean.n);

	bw_buf_done(&clean);
	return string;
}

void bw_cli_put(json_t *object, const char *key, struct bw_slice text)
{
	json_object_set_new(object, key, bw_cli_string(text));
}
