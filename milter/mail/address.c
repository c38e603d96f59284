/* Addresses, normalised for look-up (semantics 2).
 *
 * RFC 5321 4.1.2: Path = "<" [ A-d-l ":" ] Mailbox ">"; Mailbox = Local-part "@" ( Domain / address-literal );
 * Local-part = Dot-string / Quoted-string. RFC 6531 adds UTF-8 to both parts. */
#include <glib.h>
#include <string.h>

#include "internal.h"

/* What a dot-string may hold without quotes (RFC 5322 3.2.3 atext, the dot, bytes of UTF-8). */
static bool is_plain(char c)
{
	return (unsigned char)c >= 0x80 || g_ascii_isalnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7F;
}

/* --- the parts of a path --- */

static struct bw_slice strip_brackets(struct bw_slice s)
{
	if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
		s = (struct bw_slice){ s.p + 1, s.n - 2 };
	return bw_slice_trim(s);
}

/* RFC 5321 appendix C: "@a,@b:user@c" is to be taken for "user@c". */
static bool strip_route(struct bw_slice *s)
{
	size_t colon = bw_slice_find(*s, ':');

	if (s->n == 0 || s->p[0] != '@')
		return true;
	if (colon == s->n)
		return false;
	*s = bw_slice_trim(bw_slice_from(*s, colon + 1));
	return true;
}

/* The end of a quoted string at the head of `s`, behind its second quote; 0: not closed. */
static size_t quoted_length(struct bw_slice s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			return i + 1;
	}
	return 0;
}

/* Index of the '@' between the parts, or s.n. */
static size_t find_at(struct bw_slice s)
{
	size_t from = s.n > 0 && s.p[0] == '"' ? quoted_length(s) : 0;

	for (size_t i = s.n; i > from; i--) {
		if (s.p[i - 1] == '@')
			return i - 1;
	}
	return s.n;
}

/* Copies the local part without its quotes; false: a quote in the wrong place or a control character. */
static bool unquote(struct bw_slice raw, char *out, size_t size, size_t *length)
{
	bool quoted = raw.n > 0 && raw.p[0] == '"';
	size_t n = 0;

	if (quoted && quoted_length(raw) != raw.n)
		return false;
	if (quoted)
		raw = (struct bw_slice){ raw.p + 1, raw.n - 2 };
	for (size_t i = 0; i < raw.n; i++) {
		if (quoted && raw.p[i] == '\\' && i + 1 < raw.n)
			i++;
		/* Unquoted, a stray '@' is real ("user@host@relay"); blanks, quotes and brackets are no address. */
		if (is_control(raw.p[i]) || n + 1 >= size || (!quoted && !is_plain(raw.p[i]) && raw.p[i] != '@'))
			return false;
		out[n++] = raw.p[i];
	}
	out[n] = '\0';
	*length = n;
	return n > 0;
}

/* --- folding --- */

/* Simple folding, one character for one: full folding would make one of "strasse" and "stra<sharp s>e". */
static gunichar fold_char(gunichar c)
{
	return c == 0x03C2 ? 0x03C3 : g_unichar_tolower(c); /* the final sigma has the same capital */
}

static bool is_ascii(struct bw_slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	}
	return true;
}

/* RFC 6532 3.1: NFC. Bytes that are no UTF-8 keep their value, but for ASCII. */
static void fold_local(struct bw_slice local, struct bw_buf *out)
{
	if (is_ascii(local) || !g_utf8_validate(local.p, (gssize)local.n, NULL)) {
		for (size_t i = 0; i < local.n; i++)
			bw_buf_add_char(out, g_ascii_tolower(local.p[i]));
		return;
	}
	char *composed = g_utf8_normalize(local.p, (gssize)local.n, G_NORMALIZE_DEFAULT_COMPOSE);

	for (const char *p = composed; *p != '\0'; p = g_utf8_next_char(p)) {
		char one[6];
		int n = g_unichar_to_utf8(fold_char(g_utf8_get_char(p)), one);

		bw_buf_add(out, (struct bw_slice){ one, (size_t)n });
	}
	g_free(composed);
}

static bool is_all_plain(struct bw_slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_plain(s.p[i]))
			return false;
	}
	return true;
}

/* Where Postfix cuts the detail off (split_addr): never at the head, and with '-' never in owner-list and list-request. */
static struct bw_slice strip_detail(struct bw_slice folded, char detail)
{
	struct bw_slice request = BW_S("-request");
	size_t at = bw_slice_find(folded, detail);

	if (detail == '\0' || at == 0 || at == folded.n || !is_all_plain(folded))
		return folded;
	if (bw_slice_equal(folded, BW_S("mailer-daemon")) || bw_slice_equal(folded, BW_S("double-bounce")))
		return folded;
	if (detail == '-' && (bw_slice_starts_nocase(folded, BW_S("owner-")) ||
	                      (folded.n >= request.n && bw_slice_equal(bw_slice_from(folded, folded.n - request.n), request))))
		return folded;
	return bw_slice_head(folded, at);
}

static void add_local(struct bw_buf *out, struct bw_slice local)
{
	if (is_all_plain(local)) {
		bw_buf_add(out, local);
		return;
	}
	bw_buf_add_char(out, '"');
	for (size_t i = 0; i < local.n; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			bw_buf_add_char(out, '\\');
		bw_buf_add_char(out, local.p[i]);
	}
	bw_buf_add_char(out, '"');
}

/* --- normalising --- */

static bool write_address(const struct bw_mail_path *path, char detail, struct bw_address *out)
{
	char domain[BW_ADDRESS_MAX];
	struct bw_buf folded, text;
	bool good = true;

	bw_buf_init(&folded, BW_ADDRESS_MAX);
	bw_buf_init(&text, BW_ADDRESS_MAX - 1);
	fold_local(path->local, &folded);
	add_local(&text, strip_detail(bw_buf_slice(&folded), detail));
	if (path->domain.n > 0) {
		good = bw_mail_domain(path->domain, domain, sizeof(domain));
		bw_buf_add_char(&text, '@');
		bw_buf_add_text(&text, good ? domain : "");
	}
	good = good && !folded.cut && !text.cut;
	if (good) {
		bw_slice_copy(bw_buf_slice(&text), out->text, sizeof(out->text));
		out->verp = path->verp;
		out->srs = path->srs;
	}
	bw_buf_done(&folded);
	bw_buf_done(&text);
	return good;
}

bool bw_address_normalise(struct bw_slice raw, char detail, struct bw_address *out)
{
	struct bw_slice s = bw_slice_trim(raw);
	char local[BW_ADDRESS_MAX];
	size_t n = 0;

	memset(out, 0, sizeof(*out));
	if (s.n == 0)
		return false;
	s = strip_brackets(s);
	if (s.n == 0)
		return out->null_sender = true;
	if (!strip_route(&s))
		return false;
	size_t at = find_at(s);

	if (!unquote(bw_slice_head(s, at), local, sizeof(local), &n))
		return false;
	struct bw_mail_path path = { .local = { local, n }, .domain = bw_slice_from(s, at + 1) };

	if (path.domain.n == 0 && at < s.n)
		return false; /* "user@" */
	bw_mail_path_undo(&path);
	return write_address(&path, detail, out);
}

struct bw_slice bw_address_domain(struct bw_slice normalised)
{
	for (size_t i = normalised.n; i > 0; i--) {
		if (normalised.p[i - 1] == '@')
			return bw_slice_from(normalised, i);
	}
	return (struct bw_slice){ NULL, 0 };
}
