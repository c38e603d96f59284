/* The prefixes that mail programs put before a subject, and the tags that gateways and lists put there.
 *
 * Every row is in folded form (bw_mail_fold): small letters, NFKC, so that a full-width colon is a colon. A prefix is a word
 * of the table, perhaps a count ("re[2]:", "re^3:", "aw(4):"), perhaps blanks, and a colon. */
#include <glib.h>
#include <string.h>

#include "internal.h"

struct prefix {
	const char *word;
	size_t n; /* its bytes */
	enum bw_mail_prefix kind;
};

#define REPLY(word)   { word, sizeof(word) - 1, BW_MAIL_PREFIX_REPLY }
#define FORWARD(word) { word, sizeof(word) - 1, BW_MAIL_PREFIX_FORWARD }

static const struct prefix prefixes[] = {
	/* everywhere */
	REPLY("re"), FORWARD("fw"), FORWARD("fwd"), FORWARD("forw"), FORWARD("forward"), FORWARD("forwarded"),
	REPLY("reply"),
	/* German, Dutch, Luxembourgish */
	REPLY("aw"), REPLY("antw"), REPLY("antwort"), REPLY("antwoord"), REPLY("betr"), REPLY("äntw"),
	REPLY("beantwoord"), FORWARD("wg"), FORWARD("weitergeleitet"), FORWARD("doorst"), FORWARD("vl"),
	/* Danish, Norwegian, Swedish, Icelandic, Finnish, Estonian */
	REPLY("sv"), REPLY("svar"), REPLY("ang"), REPLY("vedr"), REPLY("vs"), REPLY("vast"), REPLY("vastaus"),
	FORWARD("vb"), FORWARD("vidarebefordrat"), FORWARD("videresendt"), FORWARD("fs"), FORWARD("edasi"),
	FORWARD("välitetty"),
	/* French, Italian, Spanish, Portuguese, Catalan, Romanian, Basque */
	REPLY("réf"), REPLY("ref"), REPLY("rép"), REPLY("rep"), REPLY("réponse"), REPLY("res"), REPLY("resp"),
	REPLY("respuesta"), REPLY("resposta"), REPLY("rif"), REPLY("r"), REPLY("risposta"), REPLY("răsp"),
	REPLY("răspuns"), REPLY("er"), REPLY("erantzun"), FORWARD("tr"), FORWARD("i"), FORWARD("inoltra"),
	FORWARD("inoltro"), FORWARD("rv"), FORWARD("reenv"), FORWARD("enc"), FORWARD("encaminhado"),
	FORWARD("reenviado"), FORWARD("redirec"),
	/* Polish, Czech, Slovak, Slovenian, Croatian, Serbian, Hungarian, Latvian, Lithuanian */
	REPLY("odp"), REPLY("odpověď"), REPLY("odpoveď"), REPLY("dot"), REPLY("odg"), REPLY("odgovor"), REPLY("одг"),
	REPLY("vá"), REPLY("válasz"), REPLY("atb"), REPLY("ats"), FORWARD("pd"), FORWARD("przekaz"),
	FORWARD("předáno"), FORWARD("posr"), FORWARD("proslijeđeno"), FORWARD("prosl"), FORWARD("tov"),
	FORWARD("továbbítás"), FORWARD("továbbítva"), FORWARD("pārs"), FORWARD("prs"),
	/* Russian, Ukrainian, Bulgarian */
	REPLY("отв"), REPLY("ответ"), REPLY("на"), REPLY("ha"), REPLY("відп"), REPLY("відповідь"), REPLY("отг"),
	REPLY("отговор"), FORWARD("пер"), FORWARD("пересл"), FORWARD("переслано"), FORWARD("вих"), FORWARD("препр"),
	/* Greek, Turkish, Welsh, Irish */
	REPLY("απ"), REPLY("απάντηση"), REPLY("σχετ"), REPLY("ynt"), REPLY("yanıt"), REPLY("cevap"), REPLY("ateb"),
	REPLY("fga"), FORWARD("πρθ"), FORWARD("προώθηση"), FORWARD("i̇lt"), FORWARD("ilt"), FORWARD("yml"),
	/* Hebrew, Arabic, Persian */
	REPLY("רע"), REPLY("תגובה"), REPLY("השב"), REPLY("תשובה"), REPLY("מענה"), REPLY("رد"), REPLY("الرد"),
	REPLY("پاسخ"), FORWARD("הועבר"), FORWARD("העברה"), FORWARD("إعادة توجيه"), FORWARD("تحويل"), FORWARD("محول"),
	FORWARD("بازگردانی"),
	/* Chinese, Japanese, Korean */
	REPLY("回复"), REPLY("回覆"), REPLY("答复"), REPLY("答覆"), REPLY("回信"), REPLY("回應"), REPLY("回应"),
	REPLY("返信"), REPLY("答え"), REPLY("답장"), REPLY("회신"), REPLY("답글"), REPLY("답변"), FORWARD("转发"),
	FORWARD("轉寄"), FORWARD("轉發"), FORWARD("转寄"), FORWARD("転送"), FORWARD("전달"),
	/* Indonesian, Malay, Vietnamese, Thai */
	REPLY("balas"), REPLY("bls"), REPLY("tl"), REPLY("trả lời"), REPLY("ตอบ"), REPLY("ตอบกลับ"), FORWARD("trs"),
	FORWARD("terusan"), FORWARD("chuyển tiếp"), FORWARD("ส่งต่อ"),
};

enum { PREFIXES = sizeof(prefixes) / sizeof(prefixes[0]), COUNT_DIGITS = 3, TAG_MAX = 80 };

const char *bw_mail_prefix_at(size_t i)
{
	return i < PREFIXES ? prefixes[i].word : NULL;
}

static size_t digits(struct bw_slice s)
{
	size_t n = 0;

	while (n < s.n && g_ascii_isdigit(s.p[n]))
		n++;
	return n;
}

/* "[2]", "(2)", "^2", "*2", "-2" or "2", of at most COUNT_DIGITS digits; 0: none. */
static size_t count_length(struct bw_slice s)
{
	static const char opening[] = "[(^*-", closing[] = "])";
	const char *mark = s.n == 0 ? NULL : memchr(opening, s.p[0], sizeof(opening) - 1);
	size_t from = mark == NULL ? 0 : 1;
	size_t n = digits(bw_slice_from(s, from));

	if (n == 0 || n > COUNT_DIGITS)
		return 0;
	if (mark == NULL || mark > opening + 1)
		return from + n;
	return from + n < s.n && s.p[from + n] == closing[mark - opening] ? from + n + 1 : 0;
}

/* What may stand between the word and its colon, the colon included; 0: no colon follows. */
static size_t colon_length(struct bw_slice s)
{
	size_t n = 0;

	if (n < s.n && s.p[n] == '.')
		n++;
	n += count_length(bw_slice_from(s, n));
	while (n < s.n && s.p[n] == ' ')
		n++;
	return n < s.n && s.p[n] == ':' ? n + 1 : 0;
}

enum bw_mail_prefix bw_mail_prefix_read(struct bw_slice folded, size_t *taken)
{
	for (size_t i = 0; i < PREFIXES; i++) {
		size_t n = prefixes[i].n;

		if (folded.n <= n || memcmp(folded.p, prefixes[i].word, n) != 0)
			continue;
		size_t colon = colon_length(bw_slice_from(folded, n));

		if (colon > 0) {
			*taken = n + colon;
			return prefixes[i].kind;
		}
	}
	return BW_MAIL_PREFIX_NONE;
}

/* --- tags --- */

/* What stands in a tag that is not in square brackets, or before a colon. */
static const char *const tags[] = {
	"ext", "external", "external email", "external mail", "external sender", "extern", "externe", "externo", "esterno",
	"外部", "外部邮件", "spam", "spam?", "suspected spam", "possible spam", "probable spam", "junk", "caution", "warning",
	"disarmed", "unverified sender", "encrypted", "secure", "signed", "internal", "intern", "confidential", "scanned",
};

static bool is_tag_word(struct bw_slice s)
{
	s = bw_slice_trim(s);
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		if (bw_slice_equal(s, bw_slice_of(tags[i])))
			return true;
	}
	return false;
}

/* "[anything]": lists, gateways, ticket numbers. A colon may follow ("[external]:"). */
static size_t bracket_length(struct bw_slice s)
{
	size_t close = bw_slice_find(bw_slice_head(s, TAG_MAX), ']') + 1;

	if (close >= s.n || close > TAG_MAX || close < 3 || bw_slice_find(bw_slice_from(s, 1), '[') + 1 < close)
		return 0;
	return s.p[close] == ':' ? close + 1 : close;
}

/* "(external)", "{spam?}", "*ext*", "***spam***": only words of the table. */
static size_t marked_length(struct bw_slice s)
{
	char close = s.p[0] == '(' ? ')' : (s.p[0] == '{' ? '}' : '*');
	size_t from = 0, end;

	while (from < s.n && s.p[from] == s.p[0])
		from++;
	end = bw_slice_find(bw_slice_head(bw_slice_from(s, from), TAG_MAX), close) + from;
	if (end >= s.n || !is_tag_word(bw_slice_head(bw_slice_from(s, from), end - from)))
		return 0;
	while (end < s.n && s.p[end] == close)
		end++;
	return end < s.n && s.p[end] == ':' ? end + 1 : end;
}

/* "external: ", "caution: ". */
static size_t worded_length(struct bw_slice s)
{
	size_t colon = bw_slice_find(bw_slice_head(s, TAG_MAX), ':');

	return colon < s.n && colon < TAG_MAX && is_tag_word(bw_slice_head(s, colon)) ? colon + 1 : 0;
}

size_t bw_mail_tag_read(struct bw_slice folded)
{
	if (folded.n == 0)
		return 0;
	switch (folded.p[0]) {
	case '[':
		return bracket_length(folded);
	case '(':
	case '{':
	case '*':
		return marked_length(folded);
	default:
		return worded_length(folded);
	}
}
