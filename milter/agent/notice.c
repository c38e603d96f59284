#include "notice.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "bw/breaker.h"
#include "bw/parse.h"

enum { SUBJECT_BYTES = 900 };

/* --- texts --- */

/* Each with one "%s" for what is said; the second of two where that is not known, or is nobody's business. */
struct texts {
	const char *language;
	const char *subject, *subject_of_one;
	const char *message, *message_unnamed; /* "Your message "Re: test"", */
	const char *not_sent, *not_sent_at_all; /* "to all@nhs.example was not sent." */
	const char *waits, *waits_only;        /* "It would have reached 40,000 people, and waits ..." */
	const char *why;
	const char *need_not;
	const char *one_person;
};

static const struct texts all[] = {
	{ "en", "Your message to %s people waits, it was not sent", "Your message waits, it was not sent",
	  "Your message \"%s\"", "Your message", "to %s was not sent.", "was not sent.",
	  "It would have reached %s people, and waits until somebody in charge decides.", "It waits until somebody in charge decides.",
	  "Why:", "Nothing is lost, and there is no need to send it again.",
	  "To answer one person: open that person's message, choose \"Reply\", not \"Reply all\", and look that nothing but the address of "
	  "that person stands in To." },
	{ "de", "Ihre Nachricht an %s Menschen wartet, sie wurde nicht versandt", "Ihre Nachricht wartet, sie wurde nicht versandt",
	  "Ihre Nachricht \"%s\"", "Ihre Nachricht", "an %s wurde nicht versandt.", "wurde nicht versandt.",
	  "Sie hätte %s Menschen erreicht und wartet, bis jemand Zuständiges entscheidet.", "Sie wartet, bis jemand Zuständiges entscheidet.",
	  "Grund:", "Nichts ist verloren; Sie müssen sie nicht noch einmal senden.",
	  "Um einer einzelnen Person zu antworten: Öffnen Sie die Nachricht dieser Person, wählen Sie \"Antworten\", nicht \"Allen "
	  "antworten\", und achten Sie darauf, dass nur die Adresse dieser Person im Feld \"An\" steht." },
	{ "fr", "Votre message à %s personnes attend, il n'a pas été envoyé", "Votre message attend, il n'a pas été envoyé",
	  "Votre message \"%s\"", "Votre message", "à %s n'a pas été envoyé.", "n'a pas été envoyé.",
	  "Il aurait atteint %s personnes et attend la décision d'un responsable.", "Il attend la décision d'un responsable.",
	  "Motif :", "Rien n'est perdu, et il est inutile de l'envoyer à nouveau.",
	  "Pour répondre à une seule personne : ouvrez le message de cette personne, choisissez \"Répondre\" et non \"Répondre à tous\", et "
	  "vérifiez que seule son adresse figure dans le champ \"À\"." },
	{ "es", "Su mensaje a %s personas espera, no se ha enviado", "Su mensaje espera, no se ha enviado",
	  "Su mensaje \"%s\"", "Su mensaje", "a %s no se ha enviado.", "no se ha enviado.",
	  "Habría llegado a %s personas y espera la decisión de una persona responsable.", "Espera la decisión de una persona responsable.",
	  "Motivo:", "No se ha perdido nada y no hace falta enviarlo otra vez.",
	  "Para responder a una sola persona: abra el mensaje de esa persona, elija \"Responder\" y no \"Responder a todos\", y compruebe que "
	  "en el campo \"Para\" solo está su dirección." },
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
	return h->state == BW_HELD_WAITING && !h->automatic && agent_notice_address(h->sender) && h->identity.n > 0 &&
	       !bw_slice_starts_nocase(h->identity, BW_S("outside:")) && !bw_slice_equal(h->guard, BW_S("automaton"));
}

/* --- writing --- */

void agent_notice_clean(struct bw_buf *out, struct bw_slice text, size_t most)
{
	for (text = bw_slice_head(text, most); text.n > 0;) {
		size_t n = bw_slice_character(text);
		unsigned char c = (unsigned char)text.p[0];

		if (n == 1)
			bw_buf_add_char(out, c < ' ' || c == 0x7f ? ' ' : (char)c);
		else if (n > 1)
			bw_buf_add(out, bw_slice_head(text, n));
		else
			bw_buf_add_char(out, '?');
		text = bw_slice_from(text, n > 0 ? n : 1);
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
void agent_notice_header(struct bw_buf *out, const struct notice_frame *f, struct bw_slice to, struct bw_slice subject)
{
	char id[2 * BW_HASH_BYTES + 1];
	struct bw_slice from = bw_slice_of(f->from);
	struct bw_slice domain = bw_slice_from(from, bw_slice_find(from, '@') + 1);

	struct bw_buf clean;

	bw_hash_hex(&f->id, id);
	bw_buf_init(&clean, SUBJECT_BYTES);
	agent_notice_clean(&clean, subject, SUBJECT_BYTES);
	subject = bw_buf_slice(&clean);
	bw_buf_printf(out, "From: breakwater <%s>\nTo: <%.*s>\nSubject: ", f->from, (int)to.n, to.p);
	if (is_ascii(subject))
		bw_buf_add(out, subject);
	else
		add_encoded(out, subject);
	bw_buf_done(&clean);
	bw_buf_add_text(out, "\n");
	add_date(out, f->now_ms);
	bw_buf_printf(out, "Message-ID: <%s@%.*s>\n", id, (int)domain.n, domain.p);
	bw_buf_add_text(out, "Auto-Submitted: auto-generated\nX-Auto-Response-Suppress: All\nMIME-Version: 1.0\n"
	                     "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n");
}

void agent_notice_fill(struct bw_buf *out, const char *format, const struct bw_slice *values, size_t count)
{
	struct bw_slice text = bw_slice_of(format);

	for (size_t i = 0; text.n > 0; i++) {
		size_t at = bw_slice_find(text, '%');

		bw_buf_add(out, bw_slice_head(text, at));
		if (at < text.n && i < count)
			bw_buf_add(out, values[i]);
		text = bw_slice_from(text, at + 2);
	}
}

static void fill_one(struct bw_buf *out, const char *text, struct bw_slice value, size_t most)
{
	struct bw_buf clean;

	bw_buf_init(&clean, most + 1);
	agent_notice_clean(&clean, value, most);
	const struct bw_slice values[] = { bw_buf_slice(&clean) };

	agent_notice_fill(out, text, values, 1);
	bw_buf_done(&clean);
}

static void fill_count(struct bw_buf *out, const char *text, int64_t n)
{
	struct bw_buf count;

	bw_buf_init(&count, 40);
	bw_print_count(&count, n);
	fill_one(out, text, bw_buf_slice(&count), 40);
	bw_buf_done(&count);
}

/* What is stopped by its sender or its mailbox waits under that name, which is no place that it was sent to. */
static bool has_list(const struct bw_held *h)
{
	return h->list.n > 0 && !bw_breaker_is_senders(h->list) && !bw_slice_equal(h->guard, BW_S("mailbox"));
}

static void add_list(struct bw_buf *out, const struct texts *t, const struct bw_held *h)
{
	struct bw_buf list;

	bw_buf_init(&list, 700);
	bw_buf_add(&list, bw_slice_head(h->list, 320));
	if (h->list_count > 1)
		bw_buf_printf(&list, " (+ %zu)", h->list_count - 1);
	fill_one(out, t->not_sent, bw_buf_slice(&list), 700);
	bw_buf_done(&list);
}

static void add_section(struct bw_buf *out, const struct texts *t, const struct notice_frame *f, const struct bw_held *h)
{
	if (h->subject.n > 0 && !f->subjectless)
		fill_one(out, t->message, h->subject, 200);
	else
		bw_buf_add_text(out, t->message_unnamed);
	bw_buf_add_text(out, "\n");
	if (has_list(h))
		add_list(out, t, h);
	else
		bw_buf_add_text(out, t->not_sent_at_all);
	bw_buf_add_text(out, "\n");
	if (h->deliveries > 1)
		fill_count(out, t->waits, h->deliveries);
	else
		bw_buf_add_text(out, t->waits_only);
	bw_buf_printf(out, "\n\n%s ", t->why);
	agent_notice_clean(out, h->sentence, 400);
	bw_buf_printf(out, "\n\n%s\n%s\n", t->need_not, t->one_person);
}

void agent_notice_held(struct bw_buf *out, const struct notice_frame *f, const struct bw_held *h)
{
	const struct texts *first = &all[f->languages[0]];
	struct bw_buf subject;

	bw_buf_init(&subject, SUBJECT_BYTES);
	if (h->deliveries > 1)
		fill_count(&subject, first->subject, h->deliveries);
	else
		bw_buf_add_text(&subject, first->subject_of_one);
	if (has_list(h)) {
		bw_buf_add_text(&subject, ": ");
		bw_buf_add(&subject, bw_slice_head(h->list, 320));
	}
	agent_notice_header(out, f, h->sender, bw_buf_slice(&subject));
	bw_buf_done(&subject);
	if (agent_notice_address(h->message_id))
		bw_buf_printf(out, "In-Reply-To: <%.*s>\n", (int)h->message_id.n, h->message_id.p);
	for (size_t i = 0; i < f->language_count; i++) {
		bw_buf_add_text(out, i == 0 ? "\n" : "\n----\n\n");
		add_section(out, &all[f->languages[i]], f, h);
	}
}
