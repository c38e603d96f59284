#include "bulletin.h"

#include <assert.h>
#include <string.h>

#include "bw/breaker.h"
#include "bw/parse.h"

/* --- texts --- */

enum headline {
	CONVERSATION_OPEN,
	LIST_OPEN,
	LIST_CALM,
	LIST_CLOSED,
	SENDER_OPEN,
	SENDER_CALM,
	SENDER_CLOSED,
	STORE_LOST,
	STORE_BACK,
	QUEUE_FULL,
	QUEUE_ROOM,
	ORDER_STOPPED,
	ORDER_RESUMED,
	ORDER_REFUSED,
	POST_WANTED,
	HEADLINES
};

/* One row a language, in the order of notice.h's. */
struct texts {
	const char *headlines[HEADLINES];
	const char *somebody;
	const char *why, *since, *waits, *made, *avoided, *trips, *times, *hosts, *commands, *also, *more;
	const char *owner_subject, *owner_subject_many, *owner, *owner_commands;
};

static const struct texts all[] = {
	{ { "A conversation on %s is stopped", "Mail to %s is stopped", "Calm on %s: on probation, one sender may write", "Over: mail to %s flows again",
	    "Mail from %s is stopped", "Calm from %s: on probation", "Over: mail from %s flows again", "%s works without its store",
	    "%s has its store back", "The hold queue of %s is full", "The hold queue of %s has room again", "Order %s has stopped",
	    "Order %s goes on, or has ended", "An order on %s was refused", "A post to %s wants approval" },
	  "a sender", "Why: %s", "Since: %s", "Waiting: %s messages, %s deliveries", "Deliveries made: %s", "Deliveries avoided so far: %s",
	  "Trips: %s, relapses: %s", "Times since the last notice: %s", "Seen by: %s", "What you can do:", "Also:", "and %s more",
	  "Mail to your list waits: %s", "Mail to %s of your lists waits",
	  "You stand in the directory as the owner of %s.\n%s messages to it wait, which would make %s deliveries. None of them was sent, and none is lost.",
	  "Whoever may decide does it with these commands:" },
	{ { "Eine Unterhaltung auf %s ist angehalten", "Mail an %s ist angehalten", "Ruhe auf %s: auf Probe, ein Absender darf schreiben",
	    "Vorbei: Mail an %s fließt wieder", "Mail von %s ist angehalten", "Ruhe bei %s: auf Probe", "Vorbei: Mail von %s fließt wieder",
	    "%s arbeitet ohne seinen Datenspeicher", "%s hat seinen Datenspeicher wieder", "Die Warteschlange für Angehaltenes auf %s ist voll",
	    "Die Warteschlange für Angehaltenes auf %s hat wieder Platz", "Auftrag %s ist stehen geblieben",
	    "Auftrag %s läuft weiter oder ist beendet", "Ein Auftrag auf %s wurde abgewiesen", "Ein Beitrag an %s wartet auf Freigabe" },
	  "einem Absender", "Grund: %s", "Seit: %s", "Es warten: %s Nachrichten, %s Zustellungen", "Erfolgte Zustellungen: %s",
	  "Bisher vermiedene Zustellungen: %s", "Auslösungen: %s, Rückfälle: %s", "Anzahl seit der letzten Nachricht: %s", "Gesehen von: %s",
	  "Was Sie tun können:", "Außerdem:", "und %s weitere", "Mail an Ihre Liste wartet: %s", "Mail an %s Ihrer Listen wartet",
	  "Sie stehen im Verzeichnis als Zuständige oder Zuständiger für %s.\n%s Nachrichten dorthin warten, die %s Zustellungen ergäben. Keine wurde "
	  "versandt, und keine ist verloren.",
	  "Wer entscheiden darf, tut es mit diesen Befehlen:" },
	{ { "Une conversation sur %s est arrêtée", "Le courrier à %s est arrêté", "Calme sur %s : à l'essai, un expéditeur peut écrire",
	    "Terminé : le courrier à %s passe de nouveau", "Le courrier de %s est arrêté", "Calme chez %s : à l'essai",
	    "Terminé : le courrier de %s passe de nouveau", "%s travaille sans sa base", "%s a retrouvé sa base",
	    "La file d'attente de %s est pleine", "La file d'attente de %s a de nouveau de la place", "L'ordre %s s'est arrêté",
	    "L'ordre %s continue ou est terminé", "Un ordre a été refusé sur %s", "Un message à %s attend une approbation" },
	  "un expéditeur", "Motif : %s", "Depuis : %s", "En attente : %s messages, %s remises", "Remises faites : %s",
	  "Remises évitées jusqu'ici : %s", "Déclenchements : %s, rechutes : %s", "Nombre depuis le dernier avis : %s", "Vu par : %s",
	  "Ce que vous pouvez faire :", "Et aussi :", "et %s de plus", "Du courrier à votre liste attend : %s", "Du courrier à %s de vos listes attend",
	  "Vous figurez dans l'annuaire comme responsable de %s.\n%s messages à cette liste attendent, ce qui ferait %s remises. Aucun n'a été "
	  "envoyé, aucun n'est perdu.",
	  "Qui peut décider le fait avec ces commandes :" },
	{ { "Una conversación en %s está detenida", "El correo a %s está detenido", "Calma en %s: a prueba, puede escribir un remitente",
	    "Terminado: el correo a %s vuelve a pasar", "El correo de %s está detenido", "Calma de %s: a prueba",
	    "Terminado: el correo de %s vuelve a pasar", "%s trabaja sin su almacén", "%s ha recuperado su almacén",
	    "La cola de retención de %s está llena", "La cola de retención de %s vuelve a tener sitio", "La orden %s se ha detenido",
	    "La orden %s sigue o ha terminado", "Se ha rechazado una orden en %s", "Un mensaje a %s espera aprobación" },
	  "un remitente", "Motivo: %s", "Desde: %s", "En espera: %s mensajes, %s entregas", "Entregas hechas: %s",
	  "Entregas evitadas hasta ahora: %s", "Disparos: %s, recaídas: %s", "Veces desde el último aviso: %s", "Visto por: %s",
	  "Lo que puede hacer:", "Además:", "y %s más", "El correo a su lista espera: %s", "El correo a %s de sus listas espera",
	  "Usted figura en el directorio como responsable de %s.\n%s mensajes a esa lista esperan, lo que serían %s entregas. Ninguno se ha enviado "
	  "y ninguno se ha perdido.",
	  "Quien puede decidir lo hace con estas órdenes:" },
};
static_assert(sizeof(all) / sizeof(all[0]) == NOTICE_LANGUAGES, "texts for every language");

/* --- pieces --- */

static enum headline headline_of(const struct incident *i)
{
	static const enum headline of[INCIDENT_STATE_COUNT] = {
		[INCIDENT_OPEN] = LIST_OPEN,        [INCIDENT_CALM] = LIST_CALM,        [INCIDENT_CLOSED] = LIST_CLOSED,
		[INCIDENT_DEGRADED] = STORE_LOST,   [INCIDENT_RECOVERED] = STORE_BACK,  [INCIDENT_FULL] = QUEUE_FULL,
		[INCIDENT_ROOM] = QUEUE_ROOM,       [INCIDENT_STOPPED] = ORDER_STOPPED, [INCIDENT_RESUMED] = ORDER_RESUMED,
		[INCIDENT_REFUSED] = ORDER_REFUSED, [INCIDENT_WANTED] = POST_WANTED,
	};
	enum headline h = of[i->state];

	if (i->kind == INCIDENT_SENDER)
		return (enum headline)(h - LIST_OPEN + SENDER_OPEN);
	return h == LIST_OPEN && !bw_hash_is_zero(&i->conversation) ? CONVERSATION_OPEN : h;
}

static bool hides_name(const struct incident *i, bool nameless)
{
	return nameless && i->kind == INCIDENT_SENDER;
}

static void fill_text(struct bw_buf *out, const char *format, struct bw_slice text)
{
	struct bw_buf clean;

	bw_buf_init(&clean, BW_WHY_BYTES + 1);
	agent_notice_clean(&clean, text, BW_WHY_BYTES);
	const struct bw_slice values[] = { bw_buf_slice(&clean) };

	agent_notice_fill(out, format, values, 1);
	bw_buf_done(&clean);
}

static void fill_counts(struct bw_buf *out, const char *format, int64_t a, int64_t b)
{
	struct bw_buf first, second;

	bw_buf_init(&first, 40);
	bw_buf_init(&second, 40);
	bw_print_count(&first, a);
	bw_print_count(&second, b);
	const struct bw_slice values[] = { bw_buf_slice(&first), bw_buf_slice(&second) };

	agent_notice_fill(out, format, values, 2);
	bw_buf_done(&first);
	bw_buf_done(&second);
}

void agent_bulletin_headline(struct bw_buf *out, int language, const struct incident *i, bool nameless)
{
	const struct texts *t = &all[language];

	fill_text(out, t->headlines[headline_of(i)], bw_slice_of(hides_name(i, nameless) ? t->somebody : i->name));
}

struct bw_slice agent_bulletin_why(const struct incident *i, bool nameless)
{
	return bw_slice_of(hides_name(i, nameless) ? "" : i->text);
}

/* --- commands --- */

/* One word of a shell, whatever strangers have put into it. */
static void add_word(struct bw_buf *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@._+:-";
	struct bw_buf clean;

	bw_buf_init(&clean, INCIDENT_NAME_BYTES);
	agent_notice_clean(&clean, bw_slice_of(word), INCIDENT_NAME_BYTES);
	word = bw_buf_text(&clean);
	bool quoted = word[0] == '-' || word[strspn(word, plain)] != '\0';

	bw_buf_add_text(out, quoted ? "'" : "");
	for (const char *c = word; *c != '\0'; c++) {
		if (*c == '\'')
			bw_buf_add_text(out, "'\\''");
		else
			bw_buf_add_char(out, *c);
	}
	bw_buf_add_text(out, quoted ? "'" : "");
	bw_buf_done(&clean);
}

/* "%n": the incident's name; "%i": the post that wants approval. */
static const char *const commands[INCIDENT_KIND_COUNT][BULLETIN_COMMANDS] = {
	[INCIDENT_STORM] = { "breakwaterctl held ls --list %n", "breakwaterctl held release --list %n --pace 100,000", "breakwaterctl list stop %n",
	                     "breakwaterctl breaker ls" },
	[INCIDENT_SENDER] = { "breakwaterctl held ls --list %n", "breakwaterctl breaker ls" },
	[INCIDENT_STORE] = { "breakwaterctl status", "breakwaterctl events" },
	[INCIDENT_QUEUE] = { "breakwaterctl status", "breakwaterctl held ls" },
	[INCIDENT_ORDER] = { "breakwaterctl held orders %n", "breakwaterctl held resume %n", "breakwaterctl held cancel %n" },
	[INCIDENT_REFUSAL] = { "breakwaterctl events", "breakwaterctl held orders --all" },
	[INCIDENT_APPROVAL] = { "breakwaterctl held show %i", "breakwaterctl approve %i", "breakwaterctl deny %i", "breakwaterctl held ls --list %n" },
};

bool agent_bulletin_command(struct bw_buf *out, const struct incident *i, size_t k, bool nameless)
{
	const char *text = k < BULLETIN_COMMANDS ? commands[i->kind][k] : NULL;
	char hex[2 * BW_HASH_BYTES + 1];

	if (text == NULL)
		return false;
	bw_hash_hex(&i->entry, hex);
	for (; *text != '\0'; text++) {
		if (*text != '%') {
			bw_buf_add_char(out, *text);
			continue;
		}
		text++;
		if (*text == 'i')
			bw_buf_add_text(out, hex);
		else
			add_word(out, hides_name(i, nameless) ? "ID" : i->name);
	}
	return true;
}

static void add_commands(struct bw_buf *out, const struct texts *t, const struct incident *i, bool nameless)
{
	struct bw_buf line;

	bw_buf_printf(out, "%s\n", t->commands);
	bw_buf_init(&line, 2 * INCIDENT_NAME_BYTES);
	for (size_t k = 0; agent_bulletin_command(&line, i, k, nameless); k++) {
		bw_buf_printf(out, "    %s\n", bw_buf_text(&line));
		bw_buf_reset(&line);
	}
	bw_buf_done(&line);
}

/* --- to administrators --- */

static void add_figures(struct bw_buf *out, const struct texts *t, const struct bulletin_item *item)
{
	const struct incident *i = item->incident;
	const struct incident_figures *f = &item->figures;

	if (f->waiting > 0) {
		fill_counts(out, t->waits, f->waiting, f->waiting_deliveries);
		bw_buf_add_text(out, "\n");
	}
	if (f->made >= 0) {
		fill_counts(out, t->made, f->made, 0);
		bw_buf_add_text(out, "\n");
	}
	if (f->avoided >= 0) {
		fill_counts(out, t->avoided, f->avoided, 0);
		bw_buf_add_text(out, "\n");
	}
	if (i->trips + i->relapses > 1) {
		fill_counts(out, t->trips, i->trips, i->relapses);
		bw_buf_add_text(out, "\n");
	}
	if ((i->kind == INCIDENT_REFUSAL || i->kind == INCIDENT_APPROVAL) && i->count > 1) {
		fill_counts(out, t->times, i->count, 0);
		bw_buf_add_text(out, "\n");
	}
}

static void add_hosts(struct bw_buf *out, const struct texts *t, const struct incident *i)
{
	struct bw_buf hosts;

	bw_buf_init(&hosts, INCIDENT_HOSTS * (INCIDENT_HOST_BYTES + 2));
	for (size_t k = 0; k < i->host_count; k++)
		bw_buf_printf(&hosts, "%s%s", k > 0 ? ", " : "", i->hosts[k]);
	if (hosts.n > 0) {
		fill_text(out, t->hosts, bw_buf_slice(&hosts));
		bw_buf_add_text(out, "\n");
	}
	bw_buf_done(&hosts);
}

static void add_incident(struct bw_buf *out, const struct notice_frame *f, const struct bulletin_item *item)
{
	const struct incident *i = item->incident;
	const struct texts *t = &all[f->languages[0]];
	struct bw_slice why = agent_bulletin_why(i, f->nameless);
	struct bw_buf since;

	agent_bulletin_headline(out, f->languages[0], i, f->nameless);
	bw_buf_add_text(out, "\n\n");
	if (why.n > 0) {
		fill_text(out, t->why, why);
		bw_buf_add_text(out, "\n");
	}
	bw_buf_init(&since, 40);
	bw_clock_format(&since, i->began_ms);
	fill_text(out, t->since, bw_buf_slice(&since));
	bw_buf_add_text(out, "\n");
	bw_buf_done(&since);
	add_figures(out, t, item);
	add_hosts(out, t, i);
	add_commands(out, t, i, f->nameless);
	bw_buf_add_text(out, "\n");
}

/* "breakwater: Mail to all@nhs.example is stopped, and 49 more" */
static void add_subject(struct bw_buf *subject, const struct notice_frame *f, const struct bulletin_item *items, int64_t count)
{
	bw_buf_add_text(subject, "breakwater: ");
	agent_bulletin_headline(subject, f->languages[0], items[0].incident, f->nameless);
	if (count > 1) {
		bw_buf_add_text(subject, ", ");
		fill_counts(subject, all[f->languages[0]].more, count - 1, 0);
	}
}

void agent_bulletin_admins(struct bw_buf *out, const struct notice_frame *f, struct bw_slice to, const struct bulletin_item *items,
                           size_t count, int64_t lost)
{
	const struct texts *t = &all[f->languages[0]];
	struct bw_buf subject;

	bw_buf_init(&subject, 900);
	add_subject(&subject, f, items, (int64_t)count + lost);
	agent_notice_header(out, f, to, bw_buf_slice(&subject));
	bw_buf_done(&subject);
	bw_buf_add_text(out, "\n");
	for (size_t k = 0; k < count && k < BULLETIN_FULL; k++)
		add_incident(out, f, &items[k]);
	if (count > BULLETIN_FULL)
		bw_buf_printf(out, "%s\n", t->also);
	for (size_t k = BULLETIN_FULL; k < count && k < BULLETIN_FULL + BULLETIN_LINES; k++) {
		agent_bulletin_headline(out, f->languages[0], items[k].incident, f->nameless);
		bw_buf_add_text(out, "\n");
	}
	int64_t more = (count > BULLETIN_FULL + BULLETIN_LINES ? (int64_t)count - BULLETIN_FULL - BULLETIN_LINES : 0) + lost;

	if (more > 0) {
		fill_counts(out, t->more, more, 0);
		bw_buf_add_text(out, "\n");
	}
}

/* --- to owners --- */

static void add_owned(struct bw_buf *out, const struct texts *t, const struct bulletin_list *l)
{
	struct bw_buf list, waiting, deliveries;

	bw_buf_init(&list, INCIDENT_NAME_BYTES);
	bw_buf_init(&waiting, 40);
	bw_buf_init(&deliveries, 40);
	agent_notice_clean(&list, l->list, INCIDENT_NAME_BYTES);
	bw_print_count(&waiting, l->waiting);
	bw_print_count(&deliveries, l->deliveries);
	const struct bw_slice values[] = { bw_buf_slice(&list), bw_buf_slice(&waiting), bw_buf_slice(&deliveries) };

	agent_notice_fill(out, t->owner, values, 3);
	bw_buf_add_text(out, "\n\n");
	for (size_t k = 0; k < l->reason_count; k++) {
		fill_text(out, t->why, bw_slice_of(l->reasons[k]));
		bw_buf_add_text(out, "\n");
	}
	bw_buf_printf(out, "\n%s\n", t->owner_commands);
	static const char *const rows[] = { "held ls", "held release", "held delete" };

	for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
		bw_buf_printf(out, "    breakwaterctl %s --list ", rows[k]);
		add_word(out, bw_buf_text(&list));
		bw_buf_add_text(out, "\n");
	}
	bw_buf_done(&list);
	bw_buf_done(&waiting);
	bw_buf_done(&deliveries);
}

void agent_bulletin_owner(struct bw_buf *out, const struct notice_frame *f, struct bw_slice to, const struct bulletin_list *lists,
                          size_t count)
{
	const struct texts *first = &all[f->languages[0]];
	struct bw_buf subject;

	bw_buf_init(&subject, 900);
	if (count == 1)
		fill_text(&subject, first->owner_subject, lists[0].list);
	else
		fill_counts(&subject, first->owner_subject_many, (int64_t)count, 0);
	agent_notice_header(out, f, to, bw_buf_slice(&subject));
	bw_buf_done(&subject);
	for (size_t i = 0; i < f->language_count; i++) {
		bw_buf_add_text(out, i == 0 ? "\n" : "\n----\n\n");
		for (size_t k = 0; k < count; k++) {
			bw_buf_add_text(out, k == 0 ? "" : "\n");
			add_owned(out, &all[f->languages[i]], &lists[k]);
		}
	}
}
