#include "phrases.h"

#include <glib.h>
#include <string.h>

const char *bw_mail_phrase_at(size_t i)
{
	return i < bw_mail_phrase_count ? bw_mail_phrases[i].text : NULL;
}

/* A letter or digit that would go on with the word before it. Scripts without case write words without gaps, so that theirs
 * never do. */
static bool continues_word(struct bw_slice at)
{
	gunichar c = at.n == 0 ? 0 : g_utf8_get_char_validated(at.p, (gssize)at.n);

	if (c == (gunichar)-1 || c == (gunichar)-2)
		return false;
	return c < 0x80 ? g_ascii_isalnum((gchar)c) : g_unichar_islower(c);
}

static bool starts(struct bw_slice s, struct bw_slice phrase)
{
	return s.n >= phrase.n && memcmp(s.p, phrase.p, phrase.n) == 0 && !continues_word(bw_slice_from(s, phrase.n));
}

static bool is_prefix(struct bw_slice s, struct bw_slice phrase)
{
	struct bw_slice rest = bw_slice_trim(bw_slice_from(s, phrase.n));

	return starts(s, phrase) && rest.n > 0 && rest.p[0] == ':';
}

/* The character that ends where `at` begins. */
static struct bw_slice char_before(struct bw_slice s, size_t at)
{
	const char *p = at == 0 ? NULL : g_utf8_find_prev_char(s.p, s.p + at);

	return p == NULL ? (struct bw_slice){ NULL, 0 } : (struct bw_slice){ p, (size_t)(s.p + at - p) };
}

static bool contains(struct bw_slice s, struct bw_slice phrase)
{
	const char *from = s.p, *at;

	while (from != NULL && (at = memmem(from, (size_t)(s.p + s.n - from), phrase.p, phrase.n)) != NULL) {
		size_t i = (size_t)(at - s.p);

		if (starts(bw_slice_from(s, i), phrase) && !continues_word(char_before(s, i)))
			return true;
		from = at + 1;
	}
	return false;
}

static bool ends(struct bw_slice s, struct bw_slice phrase)
{
	return s.n >= phrase.n && memcmp(s.p + s.n - phrase.n, phrase.p, phrase.n) == 0;
}

static struct bw_slice strip_punctuation(struct bw_slice s)
{
	while (s.n > 0 && strchr("[(*\"'<- .!", s.p[0]) != NULL)
		s = bw_slice_from(s, 1);
	while (s.n > 0 && strchr(")]*\"'>- .!", s.p[s.n - 1]) != NULL)
		s.n--;
	return s;
}

/* `head`: a text whose start counts. */
static bool fits_head(const struct bw_mail_phrase *p, struct bw_slice head)
{
	struct bw_slice phrase = { p->text, p->n };

	if (head.n < phrase.n || head.p[0] != phrase.p[0])
		return false; /* most rows, most subjects */

	switch (p->place) {
	case BW_MAIL_PLACE_START:
		return starts(head, phrase);
	case BW_MAIL_PLACE_PREFIX:
		return is_prefix(head, phrase);
	case BW_MAIL_PLACE_WHOLE:
		return bw_slice_equal(head, phrase);
	case BW_MAIL_PLACE_END:
	case BW_MAIL_PLACE_ANYWHERE:
		break;
	}
	return false;
}

static bool fits(const struct bw_mail_phrase *p, struct bw_slice folded, const struct bw_slice heads[2])
{
	if (p->place == BW_MAIL_PLACE_ANYWHERE)
		return contains(folded, (struct bw_slice){ p->text, p->n });
	if (p->place == BW_MAIL_PLACE_END)
		return ends(folded, (struct bw_slice){ p->text, p->n });
	return fits_head(p, heads[0]) || fits_head(p, heads[1]);
}

uint64_t bw_mail_subject_signs(struct bw_slice folded, const struct bw_mail_subject *subject)
{
	/* "[list] Out of office: ..." and "[Automatic reply] ...". */
	const struct bw_slice heads[2] = { strip_punctuation(subject->untagged), strip_punctuation(folded) };
	uint64_t signs = 0;

	signs |= subject->reply ? BW_SIGN(SUBJECT_REPLY) : 0;
	signs |= subject->forward ? BW_SIGN(SUBJECT_FORWARD) : 0;
	for (size_t i = 0; i < bw_mail_phrase_count && folded.n > 0; i++) {
		const struct bw_mail_phrase *p = &bw_mail_phrases[i];

		if ((signs & p->sign) == 0 && fits(p, folded, heads))
			signs |= p->sign;
	}
	return signs;
}
