/* Authentication-Results (RFC 8601 2.2): what a host of ours found out about a message before us.
 *
 *   authres-header = "Authentication-Results:" [CFWS] authserv-id [ CFWS authres-version ] ( no-result / 1*resinfo ) [CFWS] CRLF
 *   resinfo        = [CFWS] ";" methodspec [ CFWS reasonspec ] [ CFWS 1*propspec ]
 *   methodspec     = [CFWS] method [CFWS] "=" [CFWS] result
 */
#include "bw/mail.h"

enum { CLEAN_MAX = 4096 };

/* Without comments and quotation marks; what is quoted holds no delimiter any more. Returns its length. */
static size_t clean(struct bw_slice value, char out[CLEAN_MAX])
{
	size_t n = 0, depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < value.n && n < CLEAN_MAX; i++) {
		char c = value.p[i];

		if (c == '\\' && (quoted || depth > 0)) {
			i++;
		} else if (c == '"' && depth == 0) {
			quoted = !quoted;
		} else if (c == '(' && !quoted) {
			depth++;
		} else if (c == ')' && depth > 0 && !quoted) {
			depth--;
			out[n++] = ' ';
		} else if (depth == 0) {
			out[n++] = quoted && (c == ';' || c == '=') ? '_' : c;
		}
	}
	return n;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct bw_slice take_word(struct bw_slice *rest, char end)
{
	struct bw_slice word;
	size_t n = 0;

	*rest = bw_slice_trim(*rest);
	while (n < rest->n && !is_blank(rest->p[n]) && rest->p[n] != end)
		n++;
	word = bw_slice_head(*rest, n);
	*rest = bw_slice_trim(bw_slice_from(*rest, n));
	return word;
}

static bool is_pass(struct bw_slice info, struct bw_slice method)
{
	if (!bw_slice_equal_nocase(take_word(&info, '='), method) || info.n == 0 || info.p[0] != '=')
		return false;
	info = bw_slice_from(info, 1);
	return bw_slice_equal_nocase(take_word(&info, ';'), BW_S("pass"));
}

bool bw_auth_results(struct bw_slice value, bool (*is_ours)(void *ctx, struct bw_slice authserv_id), void *ctx, bool *dmarc_pass)
{
	char text[CLEAN_MAX];
	struct bw_slice rest = { text, clean(value, text) };
	struct bw_slice id = take_word(&rest, ';');

	if (id.n == 0 || !is_ours(ctx, id))
		return false;
	*dmarc_pass = false;
	for (size_t at = bw_slice_find(rest, ';'); at < rest.n; at = bw_slice_find(rest, ';')) {
		rest = bw_slice_from(rest, at + 1);
		*dmarc_pass = *dmarc_pass || is_pass(bw_slice_head(rest, bw_slice_find(rest, ';')), BW_S("dmarc"));
	}
	return true;
}
