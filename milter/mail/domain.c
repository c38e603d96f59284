/* Domains of addresses: lower case, A-labels. */
#include <glib.h>
#include <idn2.h>
#include <string.h>

#include "internal.h"

static char lower(char c)
{
	return (c >= 'A' && c <= 'Z') ? (char)(c + ('a' - 'A')) : c;
}

/* RFC 5321 4.1.2 says letters, digits and hyphens; the underscore is no host's name but real in mail. */
static bool is_label_char(char c)
{
	return g_ascii_isalnum(c) || c == '-' || c == '_';
}

/* RFC 5321 4.1.3: "[192.0.2.1]", "[IPv6:2001:db8::1]". */
static bool copy_literal(struct bw_slice raw, char *out, size_t size)
{
	if (raw.n < 4 || raw.n >= size || raw.p[raw.n - 1] != ']')
		return false;
	for (size_t i = 0; i < raw.n; i++) {
		if (i > 0 && i + 1 < raw.n && !g_ascii_isalnum(raw.p[i]) && raw.p[i] != '.' && raw.p[i] != ':' && raw.p[i] != '-')
			return false;
		out[i] = lower(raw.p[i]);
	}
	out[raw.n] = '\0';
	return true;
}

/* Labels of 1 to 63 bytes, 255 in all (RFC 5321 4.5.3.1.2). `wide`: bytes of UTF-8 are let through. */
static bool copy_labels(struct bw_slice raw, bool wide, char *out, size_t size)
{
	size_t label = 0;

	if (raw.n >= size || raw.n > 255)
		return false;
	for (size_t i = 0; i < raw.n; i++) {
		bool dot = raw.p[i] == '.';

		if ((dot && label == 0) || (!dot && !is_label_char(raw.p[i]) && !(wide && (unsigned char)raw.p[i] >= 0x80)))
			return false;
		label = dot ? 0 : label + 1;
		if (label > 63 && !wide)
			return false;
		out[i] = lower(raw.p[i]);
	}
	out[raw.n] = '\0';
	return label > 0;
}

static bool is_ascii(struct bw_slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	}
	return true;
}

/* IDNA2008 with the mapping of UTS 46 (case, width, the ideographic full stop). What IDNA forbids, such as pictures, stays as it
 * is: two such domains must not fall into one. */
static bool convert(struct bw_slice raw, char *out, size_t size)
{
	char text[256];
	char *ascii = NULL;
	bool good;

	if (raw.n >= sizeof(text) || !g_utf8_validate(raw.p, (gssize)raw.n, NULL))
		return false;
	bw_slice_copy(raw, text, sizeof(text));
	if (idn2_to_ascii_8z(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK)
		good = copy_labels(bw_slice_of(ascii), false, out, size);
	else
		good = copy_labels(raw, true, out, size);
	if (ascii != NULL)
		idn2_free(ascii);
	return good;
}

bool bw_mail_domain(struct bw_slice raw, char *out, size_t size)
{
	if (raw.n > 0 && raw.p[0] == '[')
		return copy_literal(raw, out, size);
	/* Postfix and Sendmail take "user@example.org." for "user@example.org". */
	if (raw.n > 1 && raw.p[raw.n - 1] == '.')
		raw.n--;
	if (is_ascii(raw))
		return copy_labels(raw, false, out, size);
	return convert(raw, out, size);
}
