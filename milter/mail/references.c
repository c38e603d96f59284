/* Message ids in References, In-Reply-To and Message-ID.
 *
 * RFC 5322 3.6.4: msg-id = [CFWS] "<" id-left "@" id-right ">" [CFWS]. Real fields hold commas between ids, ids without '@', and,
 * in In-Reply-To, prose ("Message from A <a@b> of Monday <id@host>"). */
#include <string.h>

#include "internal.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

static bool is_known(const struct bw_mail_ids *ids, struct bw_slice id)
{
	for (size_t i = 0; i < ids->first_count; i++) {
		if (bw_slice_equal(ids->first[i], id))
			return true;
	}
	for (size_t i = 0; i < ids->last_count; i++) {
		if (bw_slice_equal(ids->last[i], id))
			return true;
	}
	return false;
}

static void keep(struct bw_mail_ids *ids, struct bw_slice id)
{
	id = bw_slice_trim(id);
	if (id.n == 0 || id.n > BW_MAIL_VALUE_MAX || is_known(ids, id))
		return;
	ids->total++;
	if (ids->first_count < BW_REFERENCES_FIRST) {
		ids->first[ids->first_count++] = id;
		return;
	}
	if (ids->last_count == BW_REFERENCES_LAST) {
		memmove(ids->last, ids->last + 1, (BW_REFERENCES_LAST - 1) * sizeof(ids->last[0]));
		ids->last_count--;
	}
	ids->last[ids->last_count++] = id;
}

/* The length of a comment at the head of `s`, nested ones included; all of it when it is never closed. */
static size_t comment_length(struct bw_slice s)
{
	unsigned depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.n;
}

/* Lotus and others write ids without brackets: each word with an '@' is one. */
static void read_bare(struct bw_slice value, struct bw_mail_ids *out)
{
	for (size_t i = 0; i < value.n;) {
		size_t n = 0;

		while (i + n < value.n && !is_blank(value.p[i + n]) && value.p[i + n] != ',')
			n++;
		struct bw_slice word = bw_slice_head(bw_slice_from(value, i), n);

		if (bw_slice_find(word, '@') < word.n)
			keep(out, word);
		i += n + 1;
	}
}

/* From the last '<' before the '>': "<<id@host>" and "<broken <id@host>" are real. */
static size_t read_bracketed(struct bw_slice s, struct bw_mail_ids *out)
{
	size_t close = bw_slice_find(s, '>');
	size_t open = 0;

	if (close == s.n)
		return s.n;
	for (size_t i = 0; i < close; i++) {
		if (s.p[i] == '<')
			open = i;
	}
	keep(out, (struct bw_slice){ s.p + open + 1, close - open - 1 });
	return close + 1;
}

void bw_mail_ids_read(struct bw_slice value, struct bw_mail_ids *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < value.n;) {
		struct bw_slice rest = bw_slice_from(value, i);

		if (rest.p[0] == '<') {
			i += read_bracketed(rest, out);
		} else if (rest.p[0] == '(') {
			i += comment_length(rest);
		} else {
			out->prose |= !is_blank(rest.p[0]) && strchr(",;>", rest.p[0]) == NULL;
			i++;
		}
	}
	if (out->total == 0)
		read_bare(value, out);
}

struct bw_slice bw_mail_id_first(struct bw_slice value)
{
	struct bw_slice word = { NULL, 0 };
	size_t open = bw_slice_find(value, '<');
	struct bw_slice rest = bw_slice_from(value, open + 1);
	size_t close = bw_slice_find(rest, '>');

	if (open < value.n && close < rest.n)
		return bw_slice_trim(bw_slice_head(rest, close));
	value = bw_slice_trim(value);
	bw_slice_word(&value, &word);
	return word;
}
