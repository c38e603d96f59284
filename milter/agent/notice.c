#include "notice.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "bw/parse.h"

/* --- texts --- */

struct texts {
	const char *language;
	const char *subject;      /* of a held message's notice; behind it the list */
	const char *waits;        /* with "%s" for subject, list and count, in this order */
	const char *why;
	const char *need_not;
	const char *one_person;
};

static const struct texts all[] = {
	{ "en", "Your message waits, it was not sent:",
	  "Your message \"%s\"\nto %s was not sent. It would have reached %s people, and waits until somebody in charge decides.",
	  "Why:", "Nothing is lost, and there is no need to send it again.",
	  "To answer one person, write to that person's own address, not to the list." },
	{ "de", "Ihre Nachricht wartet, sie wurde nicht versandt:",
	  "Ihre Nachricht \"%s\"\nan %s wurde nicht versandt. Sie hätte %s Menschen erreicht und wartet, bis jemand Zuständiges entscheidet.",
	  "Grund:", "Nichts ist verloren; Sie müssen sie nicht noch einmal senden.",
	  "Um einer einzelnen Person zu antworten, schreiben Sie an deren eigene Adresse, nicht an die Liste." },
	{ "fr", "Votre message attend, il n'a pas été envoyé :",
	  "Votre message \"%s\"\nà %s n'a pas été envoyé. Il aurait atteint %s personnes et attend la décision d'un responsable.",
	  "Motif :", "Rien n'est perdu, et il est inutile de l'envoyer à nouveau.",
	  "Pour répondre à une seule personne, écrivez à son adresse personnelle et non à la liste." },
	{ "es", "Su mensaje espera, no se ha enviado:",
	  "Su mensaje \"%s\"\na %s no se ha enviado. Habría llegado a %s personas y espera la decisión de una persona responsable.",
	  "Motivo:", "No se ha perdido nada y no hace falta enviarlo otra vez.",
	  "Para responder a una sola persona, escriba a su dirección, no a la lista." },
};
static_assert(sizeof(all) / sizeof(all[0]) == NOTICE_LANGUAGES, "a text for every language");

int agent_notice_language(struct bw_slice word)
{
	for (int i = 0; i < NOTICE_LANGUAGES; i++) {
		if (bw_slice_equal_nocase(word, bw_slice_of(all[i].language)))
			return i;
	}
	return -1;
}

/* --- who is written to --- */

/* No blanks, brackets or control characters, nothing that begins like an option, one "@" at least. */
bool agent_notice_address(struct bw_slice address)
{
	if (address.n < 3 || address.n > 320 || address.p[0] == '-' || address.p[0] == '@')
		return false;
	for (size_t i = 0; i < address.n; i++) {
		unsigned char c = (unsigned char)address.p[i];

		if (c <= ' ' || c == 0x7f || strchr("<>()[]\\,;:\"|", c) != NULL)
			return false;
	}
	return bw_slice_find(address, '@') < address.n - 1;
}

bool agent_notice_wanted(const struct bw_held *h)
{
	return h->state == BW_HELD_WAITING && agent_notice_address(h->sender) && h->identity.n > 0 &&
	       !bw_slice_starts_nocase(h->identity, BW_S("outside:")) && !bw_slice_equal(h->guard, BW_S("automaton"));
}

/* --- writing --- */

/* Bytes of strangers in a body: no control characters, and no line longer than a few hundred. */
static void add_clean(struct bw_buf *out, struct bw_slice text, size_t most)
{
	text = bw_slice_head(text, most);
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		bw_buf_add_char(out, c < ' ' || c == 0x7f ? ' ' : (char)c);
	}
}

/* RFC 5322, 3.3: "Mon, 14 Nov 2016 08:29:00 +0000". */
static void add_date(struct bw_buf *out, int64_t at_ms)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t at = (time_t)(at_ms / 1000);
	struct tm tm;

	if (gmtime_r(&at, &tm) == NULL)
		return;
	bw_buf_printf(out, "Date: %s, %02d %s %04d %02d:%02d:%02d +0000\n", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
	              tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* RFC 2047, 2: an encoded word has at most 75 characters; three characters a byte leave room for eighteen bytes. */
static void add_encoded(struct bw_buf *out, struct bw_slice text)
{
	static const char hex[] = "0123456789ABCDEF";
	enum { BYTES_A_WORD = 18 };

	while (text.n > 0) {
		size_t n = text.n < BYTES_A_WORD ? text.n : BYTES_A_WORD;

		while (n < text.n && n > 1 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
			n--;
		bw_buf_add_text(out, "=?UTF-8?Q?");
		for (size_t i = 0; i < n; i++) {
			unsigned char c = (unsigned char)text.p[i];

			bw_buf_printf(out, "=%c%c", hex[c >> 4], hex[c & 15]);
		}
		bw_buf_add_text(out, "?=");
		text = bw_slice_from(text, n);
		if (text.n > 0)
			bw_buf_add_text(out, "\n ");
	}
}

static bool is_ascii(struct bw_slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		if ((unsigned char)text.p[i] >= 0x80)
			return false;
	}
	return true;
}

/* RFC 3834, 3: null envelope sender (whoever posts it), Auto-Submitted; nobody answers this, and no vacation program should. */
static void add_header(struct bw_buf *out, const struct notice_frame *f, struct bw_slice to, struct bw_slice subject)
{
	char id[2 * BW_HASH_BYTES + 1];
	struct bw_slice from = bw_slice_of(f->from);
	struct bw_slice domain = bw_slice_from(from, bw_slice_find(from, '@') + 1);

	bw_hash_hex(&f->id, id);
	bw_buf_printf(out, "From: breakwater <%s>\nTo: <%.*s>\nSubject: ", f->from, (int)to.n, to.p);
	if (is_ascii(subject))
		bw_buf_add(out, subject);
	else
		add_encoded(out, subject);
	bw_buf_add_text(out, "\n");
	add_date(out, f->now_ms);
	bw_buf_printf(out, "Message-ID: <%s@%.*s>\n", id, (int)domain.n, domain.p);
	bw_buf_add_text(out, "Auto-Submitted: auto-generated\nX-Auto-Response-Suppress: All\nMIME-Version: 1.0\n"
	                     "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n");
}

/* The values in the places of "%s", in their order. */
static void fill(struct bw_buf *out, struct bw_slice text, const struct bw_slice *values, size_t count)
{
	for (size_t i = 0; text.n > 0; i++) {
		size_t at = bw_slice_find(text, '%');

		bw_buf_add(out, bw_slice_head(text, at));
		if (at < text.n && i < count)
			bw_buf_add(out, values[i]);
		text = bw_slice_from(text, at + 2);
	}
}

static void add_waits(struct bw_buf *out, const struct texts *t, const struct bw_held *h)
{
	struct bw_buf subject, list, count;

	bw_buf_init(&subject, 400);
	bw_buf_init(&list, 700);
	bw_buf_init(&count, 40);
	add_clean(&subject, h->subject, 200);
	add_clean(&list, h->list, 320);
	if (h->list_count > 1)
		bw_buf_printf(&list, " (+ %zu)", h->list_count - 1);
	bw_print_count(&count, h->deliveries);
	const struct bw_slice values[] = { bw_buf_slice(&subject), bw_buf_slice(&list), bw_buf_slice(&count) };

	fill(out, bw_slice_of(t->waits), values, sizeof(values) / sizeof(values[0]));
	bw_buf_done(&subject);
	bw_buf_done(&list);
	bw_buf_done(&count);
}

static void add_section(struct bw_buf *out, const struct texts *t, const struct bw_held *h)
{
	add_waits(out, t, h);
	bw_buf_printf(out, "\n\n%s ", t->why);
	add_clean(out, h->sentence, 400);
	bw_buf_printf(out, "\n\n%s\n%s\n", t->need_not, t->one_person);
}

void agent_notice_held(struct bw_buf *out, const struct notice_frame *f, const struct bw_held *h)
{
	const struct texts *first = &all[f->languages[0]];
	struct bw_buf subject;

	bw_buf_init(&subject, 600);
	bw_buf_printf(&subject, "%s ", first->subject);
	add_clean(&subject, h->list, 320);
	add_header(out, f, h->sender, bw_buf_slice(&subject));
	bw_buf_done(&subject);
	if (agent_notice_address(h->message_id))
		bw_buf_printf(out, "In-Reply-To: <%.*s>\n", (int)h->message_id.n, h->message_id.p);
	for (size_t i = 0; i < f->language_count; i++) {
		bw_buf_add_text(out, i == 0 ? "\n" : "\n----\n\n");
		add_section(out, &all[f->languages[i]], h);
	}
}

void agent_notice_events(struct bw_buf *out, const struct notice_frame *f, struct bw_slice to, struct bw_slice lines)
{
	struct bw_buf subject;

	bw_buf_init(&subject, 300);
	bw_buf_add_text(&subject, "breakwater: ");
	add_clean(&subject, bw_slice_head(lines, bw_slice_find(lines, '\n')), 160);
	/* Bytes of strangers may stand in it, and a cut may have split a character. */
	for (size_t i = 0; i < subject.n; i++) {
		if ((unsigned char)subject.p[i] >= 0x80)
			subject.p[i] = '?';
	}
	add_header(out, f, to, bw_buf_slice(&subject));
	bw_buf_done(&subject);
	bw_buf_add_text(out, "\n");
	while (lines.n > 0) {
		size_t end = bw_slice_find(lines, '\n');

		add_clean(out, bw_slice_head(lines, end), 600);
		bw_buf_add_text(out, "\n");
		lines = bw_slice_from(lines, end + 1);
	}
	bw_buf_add_text(out, "\nbreakwaterctl status          what is stopped, and what waits\n"
	                     "breakwaterctl held ls         who waits, and why\n"
	                     "breakwaterctl held release    lets it go; with --pace N slowly\n"
	                     "breakwaterctl list stop       stops all mail to a list\n");
}
