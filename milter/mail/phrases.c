/* Which phrases a subject holds. Rows are found by their first byte, so that a subject meets few of a thousand. */
#include "phrases.h"

#include <glib.h>
#include <string.h>

#include "index.h"

/* By where they may stand; START, PREFIX and WHOLE all stand at a head. */
static struct bw_mail_index heads_index, anywhere_index, ends_index;

static size_t count_all(void)
{
	return bw_mail_phrases_auto.count + bw_mail_phrases_reports.count;
}

static const struct bw_mail_phrase *row_at(size_t i)
{
	size_t first = bw_mail_phrases_auto.count;

	return i < first ? &bw_mail_phrases_auto.rows[i] : &bw_mail_phrases_reports.rows[i - first];
}

const char *bw_mail_phrase_at(size_t i)
{
	return i < count_all() ? row_at(i)->text : NULL;
}

static int head_byte(size_t i)
{
	const struct bw_mail_phrase *p = row_at(i);

	return p->place == BW_MAIL_PLACE_ANYWHERE || p->place == BW_MAIL_PLACE_END ? -1 : (unsigned char)p->text[0];
}

static int anywhere_byte(size_t i)
{
	const struct bw_mail_phrase *p = row_at(i);

	return p->place == BW_MAIL_PLACE_ANYWHERE ? (unsigned char)p->text[0] : -1;
}

static int last_byte(size_t i)
{
	const struct bw_mail_phrase *p = row_at(i);

	return p->place == BW_MAIL_PLACE_END ? (unsigned char)p->text[p->n - 1] : -1;
}

void bw_mail_phrases_index(void)
{
	bw_mail_index_build(&heads_index, count_all(), head_byte);
	bw_mail_index_build(&anywhere_index, count_all(), anywhere_byte);
	bw_mail_index_build(&ends_index, count_all(), last_byte);
}

/* --- words --- */

/* A letter or digit that would go on with the word before it. Scripts without case write words without gaps, so that theirs
 * never do. */
static bool continues_word(struct bw_slice at)
{
	if (at.n > 0 && (unsigned char)at.p[0] < 0x80)
		return g_ascii_isalnum(at.p[0]);
	gunichar c = at.n == 0 ? 0 : g_utf8_get_char_validated(at.p, (gssize)at.n);

	return c != (gunichar)-1 && c != (gunichar)-2 && g_unichar_islower(c);
}

static bool starts(struct bw_slice s, const struct bw_mail_phrase *p)
{
	if (s.n < p->n || s.p[p->n - 1] != p->text[p->n - 1])
		return false; /* most rows that share the first byte */
	return memcmp(s.p, p->text, p->n) == 0 && !continues_word(bw_slice_from(s, p->n));
}

static bool is_prefix(struct bw_slice s, const struct bw_mail_phrase *p)
{
	if (!starts(s, p))
		return false;
	struct bw_slice rest = bw_slice_trim(bw_slice_from(s, p->n));

	return rest.n > 0 && rest.p[0] == ':';
}

/* The character that ends where `at` begins. */
static struct bw_slice char_before(struct bw_slice s, size_t at)
{
	size_t from = at == 0 ? 0 : at - 1;

	while (from > 0 && ((unsigned char)s.p[from] & 0xC0) == 0x80)
		from--;
	return (struct bw_slice){ s.p + from, at - from };
}

static struct bw_slice strip_punctuation(struct bw_slice s)
{
	while (s.n > 0 && strchr("[(*\"'<- .!", s.p[0]) != NULL)
		s = bw_slice_from(s, 1);
	while (s.n > 0 && strchr(")]*\"'>- .!", s.p[s.n - 1]) != NULL)
		s.n--;
	return s;
}

/* --- places --- */

static bool fits_head(const struct bw_mail_phrase *p, struct bw_slice head)
{
	switch (p->place) {
	case BW_MAIL_PLACE_START:
		return starts(head, p);
	case BW_MAIL_PLACE_PREFIX:
		return is_prefix(head, p);
	case BW_MAIL_PLACE_WHOLE:
		return head.n == p->n && memcmp(head.p, p->text, p->n) == 0;
	case BW_MAIL_PLACE_END:
	case BW_MAIL_PLACE_ANYWHERE:
		break;
	}
	return false;
}

static uint64_t head_signs(struct bw_slice head)
{
	size_t byte = head.n == 0 ? 0 : (unsigned char)head.p[0];
	uint64_t signs = 0;

	for (size_t k = heads_index.start[byte]; k < heads_index.start[byte + 1]; k++) {
		const struct bw_mail_phrase *p = row_at(heads_index.rows[k]);

		if ((signs & p->sign) == 0 && fits_head(p, head))
			signs |= p->sign;
	}
	return signs;
}

static uint64_t end_signs(struct bw_slice s)
{
	size_t byte = (unsigned char)s.p[s.n - 1];
	uint64_t signs = 0;

	for (size_t k = ends_index.start[byte]; k < ends_index.start[byte + 1]; k++) {
		const struct bw_mail_phrase *p = row_at(ends_index.rows[k]);

		if (s.n >= p->n && memcmp(s.p + s.n - p->n, p->text, p->n) == 0)
			signs |= p->sign;
	}
	return signs;
}

/* Of phrases that may stand between any two words, those that stand at `at`. */
static uint64_t signs_at(struct bw_slice s, size_t at)
{
	size_t byte = (unsigned char)s.p[at];
	struct bw_slice rest = bw_slice_from(s, at);
	uint64_t signs = 0;

	for (size_t k = anywhere_index.start[byte]; k < anywhere_index.start[byte + 1]; k++) {
		const struct bw_mail_phrase *p = row_at(anywhere_index.rows[k]);

		if ((signs & p->sign) == 0 && starts(rest, p))
			signs |= p->sign;
	}
	return signs;
}

static uint64_t inner_signs(struct bw_slice s)
{
	uint64_t signs = 0;

	for (size_t at = 0; at < s.n; at++) {
		size_t byte = (unsigned char)s.p[at];

		if (at > 0 && g_ascii_isalnum(s.p[at - 1]))
			continue; /* within a word: most bytes */
		if (anywhere_index.start[byte] == anywhere_index.start[byte + 1])
			continue;
		if (at == 0 || !continues_word(char_before(s, at)))
			signs |= signs_at(s, at);
	}
	return signs;
}

/* Is the reply's subject nothing but the name of an automatic message ("Antw: Abwesenheitsnotiz")? */
static bool is_bare_answer(const struct bw_mail_subject *subject)
{
	struct bw_slice base = strip_punctuation(subject->base);
	size_t byte = base.n == 0 ? 0 : (unsigned char)base.p[0];

	for (size_t k = heads_index.start[byte]; subject->reply && k < heads_index.start[byte + 1]; k++) {
		const struct bw_mail_phrase *p = row_at(heads_index.rows[k]);

		if (p->sign == BW_SIGN(SUBJECT_AUTO) && bw_slice_equal(base, (struct bw_slice){ p->text, p->n }))
			return true;
	}
	return false;
}

/* "[list] Out of office: ...", "[Automatic reply] ..." and "[list] [Automatic reply] ...": the text behind the tags, and each of them. */
static uint64_t all_head_signs(struct bw_slice folded, struct bw_slice untagged)
{
	size_t tags = untagged.p == NULL ? 0 : (size_t)(untagged.p - folded.p);
	uint64_t signs = head_signs(strip_punctuation(untagged));

	for (size_t at = 0; at < tags; at++) {
		if (at == 0 || folded.p[at] == '[')
			signs |= head_signs(strip_punctuation(bw_slice_from(folded, at)));
	}
	return signs;
}

uint64_t bw_mail_subject_signs(struct bw_slice folded, const struct bw_mail_subject *subject)
{
	uint64_t signs = 0, end;

	if (folded.n == 0)
		return 0;
	end = end_signs(folded);
	signs |= subject->reply ? BW_SIGN(SUBJECT_REPLY) : 0;
	signs |= subject->forward ? BW_SIGN(SUBJECT_FORWARD) : 0;
	/* "Re: your subject (Automatic reply)" */
	if (is_bare_answer(subject) || (subject->reply && (end & BW_SIGN(SUBJECT_AUTO)) != 0))
		signs |= BW_SIGN(SUBJECT_BARE);
	return signs | all_head_signs(folded, subject->untagged) | inner_signs(folded) | end;
}
