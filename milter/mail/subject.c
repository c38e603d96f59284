/* The base subject: what is left of a subject when what programs put around it is taken off. */
#include <string.h>

#include "internal.h"

static struct bw_slice skip_blanks(struct bw_slice s, size_t taken)
{
	s = bw_slice_from(s, taken);
	while (s.n > 0 && s.p[0] == ' ')
		s = bw_slice_from(s, 1);
	return s;
}

/* "[#4711]", "[support #33575]": a number that tells one subject from another is part of it. */
static bool has_number(struct bw_slice tag)
{
	size_t at = bw_slice_find(tag, '#');

	while (at < tag.n && tag.p[at] == '#')
		at++;
	return at < tag.n && tag.p[at] >= '0' && tag.p[at] <= '9';
}

/* Takes one tag off the head; false when there is none, or when nothing would be left. */
static bool strip_tag(struct bw_slice *s, struct bw_mail_subject *out)
{
	size_t n = bw_mail_tag_read(*s);
	struct bw_slice rest = skip_blanks(*s, n);

	if (n == 0 || rest.n == 0)
		return false;
	if (out->ticket.n == 0 && has_number(bw_slice_head(*s, n)))
		out->ticket = bw_slice_head(*s, n);
	*s = rest;
	return true;
}

static bool strip_prefix(struct bw_slice *s, struct bw_mail_subject *out)
{
	size_t n = 0;

	switch (bw_mail_prefix_read(*s, &n)) {
	case BW_MAIL_PREFIX_REPLY:
		out->reply = true;
		break;
	case BW_MAIL_PREFIX_FORWARD:
		out->forward = true;
		break;
	case BW_MAIL_PREFIX_NONE:
		return false;
	}
	*s = skip_blanks(*s, n);
	return true;
}

static struct bw_slice trim_end(struct bw_slice s)
{
	while (s.n > 0 && s.p[s.n - 1] == ' ')
		s.n--;
	return s;
}

/* Index of the bracket that opens a tag at the very end, or s.n. */
static size_t trailing_tag(struct bw_slice s)
{
	char open = s.n == 0 || s.p[s.n - 1] != ']' ? '(' : '[';

	if (s.n == 0 || (s.p[s.n - 1] != ']' && s.p[s.n - 1] != ')'))
		return s.n;
	for (size_t i = s.n; i > 0; i--) {
		if (s.p[i - 1] == open)
			return i - 1;
	}
	return s.n;
}

/* Tags at the end: "[ext]", "(external)", and "(fwd)" of RFC 5256 2.1. Numbers stay. */
static struct bw_slice strip_trailing(struct bw_slice s, struct bw_mail_subject *out)
{
	for (;;) {
		size_t at = trailing_tag(s);
		struct bw_slice tag = bw_slice_from(s, at);
		struct bw_slice rest = trim_end(bw_slice_head(s, at));

		if (tag.n == 0 || rest.n == 0 || has_number(tag))
			return s;
		bool forwarded = bw_slice_equal(tag, BW_S("(fwd)"));
		char padded[128];

		/* A tag is read with something behind it, so that a subject never is nothing but its tag. */
		if (!forwarded && (tag.n + 2 > sizeof(padded)))
			return s;
		if (!forwarded) {
			memcpy(padded, tag.p, tag.n);
			padded[tag.n] = ' ';
			if (bw_mail_tag_read((struct bw_slice){ padded, tag.n + 1 }) != tag.n)
				return s;
		}
		out->forward |= forwarded;
		s = rest;
	}
}

void bw_mail_subject_strip(struct bw_slice folded, struct bw_mail_subject *out)
{
	struct bw_slice s = folded;
	bool more = true;

	memset(out, 0, sizeof(*out));
	while (strip_tag(&s, out))
		;
	out->untagged = s;
	while (more)
		more = strip_prefix(&s, out) || strip_tag(&s, out);
	out->base = strip_trailing(s, out);
}

/* The ticket, if any, and the base, in the arena. */
struct bw_slice bw_mail_subject_keep(struct bw_arena *arena, const struct bw_mail_subject *subject)
{
	struct bw_slice base = subject->base;
	size_t ticket = subject->ticket.n == 0 ? 0 : subject->ticket.n + 1;

	base.n = bw_mail_utf8_head(base, BW_MAIL_VALUE_MAX - ticket);
	char *text = bw_arena_alloc(arena, ticket + base.n + 1);

	if (text == NULL)
		return (struct bw_slice){ NULL, 0 };
	if (ticket > 0) {
		memcpy(text, subject->ticket.p, subject->ticket.n);
		text[ticket - 1] = ' ';
	}
	if (base.n > 0)
		memcpy(text + ticket, base.p, base.n);
	return (struct bw_slice){ text, ticket + base.n };
}

struct bw_slice bw_subject_base(struct bw_arena *arena, struct bw_slice subject, bool *reply)
{
	char unfolded[BW_MAIL_VALUE_MAX + 1];
	struct bw_mail_subject parts;

	bw_mail_unfold(subject, unfolded, sizeof(unfolded), NULL);
	char *decoded = bw_mail_decode(unfolded);
	char *folded = bw_mail_fold(decoded);

	bw_mail_subject_strip(bw_slice_of(folded), &parts);
	struct bw_slice base = bw_mail_subject_keep(arena, &parts);

	if (reply != NULL)
		*reply = parts.reply;
	bw_mail_text_free(decoded);
	bw_mail_text_free(folded);
	return base;
}
