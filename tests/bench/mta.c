#include "mta.h"

#include <arpa/inet.h>
#include <assert.h>
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <string.h>

enum {
	BUFFER_BYTES = 4096, /* VSTREAM_BUFSIZE: what Postfix gathers before it writes */
	OUT_MAX = 2 * BW_LETTER_BODY_MAX,
	CLIENT_PORT = 40000,
	OFFERED_ACTIONS = 0x1FF, /* as recorded from Postfix 3.7.11 */
	OFFERED_STEPS = 0x1FFFFF,
	WANTED_ACTIONS = OFFERED_ACTIONS,
};

/* --- macros --- */

typedef void write_fn(const struct bw_mta *m, struct bw_buf *out);

struct macro {
	const char *name, *value; /* fixed, or */
	write_fn *write;          /* written; what writes nothing has no value and is left out */
};

static void write_client(const struct bw_mta *m, struct bw_buf *out)
{
	bw_buf_add(out, BW_S("unknown ["));
	bw_buf_add_text(out, m->plan->client);
	bw_buf_add_char(out, ']');
}

static void write_sender(const struct bw_mta *m, struct bw_buf *out)
{
	bw_letter_sender(m->plan, m->n, out);
}

static void write_login(const struct bw_mta *m, struct bw_buf *out)
{
	if (m->plan->auth)
		write_sender(m, out);
}

static void write_login_type(const struct bw_mta *m, struct bw_buf *out)
{
	if (m->plan->auth)
		bw_buf_add(out, BW_S("PLAIN"));
}

static void write_recipient(const struct bw_mta *m, struct bw_buf *out)
{
	bw_letter_recipient(m->plan, m->n, m->i, out);
}

/* The queue file is made after the first recipient was accepted. */
static void write_queue_id(const struct bw_mta *m, struct bw_buf *out)
{
	if (m->step > BW_MTA_RCPT || (m->step == BW_MTA_RCPT && m->i > 0))
		bw_letter_queue_id(m->n, out);
}

static const struct macro macros[] = {
	{ "j", "mx.nhs.example", NULL },
	{ "{daemon_name}", "mx.nhs.example", NULL },
	{ "{daemon_addr}", "127.0.0.1", NULL },
	{ "v", "Postfix 3.7.11", NULL },
	{ "_", NULL, write_client },
	{ "i", NULL, write_queue_id },
	{ "{auth_type}", NULL, write_login_type },
	{ "{auth_authen}", NULL, write_login },
	{ "{mail_addr}", NULL, write_sender },
	{ "{mail_host}", "[127.0.0.1]:10025", NULL },
	{ "{mail_mailer}", "smtp", NULL },
	{ "{rcpt_addr}", NULL, write_recipient },
	{ "{rcpt_host}", "[127.0.0.1]:10025", NULL },
	{ "{rcpt_mailer}", "smtp", NULL },
};

enum { MACROS = sizeof(macros) / sizeof(macros[0]) };

/* milter_connect_macros and its siblings (postconf(5)), by SMFIM_*; those that have a value here. */
static const char *const usual_macros[BW_MTA_STAGES] = {
	"j {daemon_name} {daemon_addr} v _",
	"",
	"i {auth_type} {auth_authen} {mail_addr} {mail_host} {mail_mailer}",
	"i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
	"i",
	"i",
	"i",
};

static uint32_t macro_set(struct bw_slice names)
{
	uint32_t set = 0;
	struct bw_slice name;

	while (bw_slice_word(&names, &name)) {
		for (size_t k = 0; k < MACROS; k++) {
			if (bw_slice_equal(name, bw_slice_of(macros[k].name)))
				set |= UINT32_C(1) << k;
		}
	}
	return set;
}

/* One macro, or nothing if it has no value now. */
static void write_macro(struct bw_mta *m, const struct macro *macro)
{
	size_t start = m->out.n;

	bw_packet_string(&m->out, bw_slice_of(macro->name));
	size_t value = m->out.n;

	if (macro->value != NULL)
		bw_buf_add_text(&m->out, macro->value);
	else
		macro->write(m, &m->out);
	if (m->out.n == value)
		m->out.n = start;
	else
		bw_buf_add_char(&m->out, '\0');
}

static void write_macros(struct bw_mta *m, char command, uint32_t set)
{
	size_t start = bw_packet_begin(&m->out, SMFIC_MACRO);

	bw_buf_add_char(&m->out, command);
	for (size_t k = 0; k < MACROS; k++) {
		if ((set >> k & 1) != 0)
			write_macro(m, &macros[k]);
	}
	bw_packet_end(&m->out, start);
}

/* --- steps --- */

static void write_offer(const struct bw_mta *m, struct bw_buf *out)
{
	(void)m;
	bw_packet_number(out, 6); /* SMFI_PROT_VERSION */
	bw_packet_number(out, OFFERED_ACTIONS);
	bw_packet_number(out, OFFERED_STEPS);
}

static void write_connect(const struct bw_mta *m, struct bw_buf *out)
{
	const uint16_t port = htons(CLIENT_PORT);
	char bytes[sizeof(port)];

	memcpy(bytes, &port, sizeof(port));
	bw_buf_add_char(out, '[');
	bw_buf_add_text(out, m->plan->client);
	bw_packet_string(out, BW_S("]"));
	bw_buf_add_char(out, SMFIA_INET);
	bw_buf_add(out, (struct bw_slice){ bytes, sizeof(bytes) });
	bw_packet_string(out, bw_slice_of(m->plan->client));
}

static void write_helo(const struct bw_mta *m, struct bw_buf *out)
{
	(void)m;
	bw_packet_string(out, BW_S("client.nhs.example"));
}

static void write_mail(const struct bw_mta *m, struct bw_buf *out)
{
	bw_buf_add_char(out, '<');
	write_sender(m, out);
	bw_packet_string(out, BW_S(">"));
	bw_packet_string(out, BW_S("SIZE=3072"));
	bw_packet_string(out, BW_S("BODY=8BITMIME"));
}

static void write_rcpt(const struct bw_mta *m, struct bw_buf *out)
{
	bw_buf_add_char(out, '<');
	write_recipient(m, out);
	bw_packet_string(out, BW_S(">"));
}

static void write_field(const struct bw_mta *m, struct bw_buf *out)
{
	bw_letter_field(m->plan, m->n, (size_t)m->i, out);
}

static void write_body(const struct bw_mta *m, struct bw_buf *out)
{
	bw_letter_body(m->plan, out);
}

struct row {
	char command;
	uint8_t stage; /* of macros, SMFIM_* */
	uint32_t no_step, no_reply;
	write_fn *write; /* NULL: no data */
};

static const struct row rows[] = {
	[BW_MTA_NEGOTIATE] = { SMFIC_OPTNEG, 0, 0, 0, write_offer },
	[BW_MTA_CONNECT] = { SMFIC_CONNECT, SMFIM_CONNECT, SMFIP_NOCONNECT, SMFIP_NR_CONN, write_connect },
	[BW_MTA_HELO] = { SMFIC_HELO, SMFIM_HELO, SMFIP_NOHELO, SMFIP_NR_HELO, write_helo },
	[BW_MTA_MAIL] = { SMFIC_MAIL, SMFIM_ENVFROM, SMFIP_NOMAIL, SMFIP_NR_MAIL, write_mail },
	[BW_MTA_RCPT] = { SMFIC_RCPT, SMFIM_ENVRCPT, SMFIP_NORCPT, SMFIP_NR_RCPT, write_rcpt },
	[BW_MTA_DATA] = { SMFIC_DATA, SMFIM_DATA, SMFIP_NODATA, SMFIP_NR_DATA, NULL },
	[BW_MTA_HEADER] = { SMFIC_HEADER, SMFIM_EOH, SMFIP_NOHDRS, SMFIP_NR_HDR, write_field },
	[BW_MTA_EOH] = { SMFIC_EOH, SMFIM_EOH, SMFIP_NOEOH, SMFIP_NR_EOH, NULL },
	[BW_MTA_BODY] = { SMFIC_BODY, SMFIM_EOM, SMFIP_NOBODY, SMFIP_NR_BODY, write_body },
	[BW_MTA_EOM] = { SMFIC_BODYEOB, SMFIM_EOM, 0, 0, NULL },
};
static_assert(sizeof(rows) / sizeof(rows[0]) == BW_MTA_REST, "a row for every step that is sent");

static int64_t repeats(const struct bw_mta *m)
{
	if (m->step == BW_MTA_RCPT)
		return m->plan->rcpts;
	return m->step == BW_MTA_HEADER ? (int64_t)bw_letter_field_count() : 1;
}

static void finish(struct bw_mta *m, enum bw_mta_verdict verdict)
{
	m->verdict = verdict;
	m->step = BW_MTA_REST;
	bw_packet_end(&m->out, bw_packet_begin(&m->out, SMFIC_ABORT));
}

/* The step is done (for this recipient or field): on to the next. */
static void go_on(struct bw_mta *m)
{
	m->waiting = false;
	if (++m->i < repeats(m))
		return;
	bool nobody = m->step == BW_MTA_RCPT && m->refused == m->plan->rcpts;

	m->i = 0;
	if (m->step == BW_MTA_DATA)
		m->flush = true; /* the socket changes hands: smtpd writes what it has before cleanup goes on */
	m->step++;
	if (m->step == BW_MTA_MAIL)
		m->step = BW_MTA_REST; /* connected; messages start when they start */
	if (nobody)
		finish(m, m->refusal);
}

static bool sends(const struct bw_mta *m, const struct row *r)
{
	if (m->step == BW_MTA_BODY && (m->skip_body || m->plan->body_bytes == 0))
		return false;
	return (m->steps & r->no_step) == 0;
}

/* Postfix leaves header, end of header and body out before their macros are looked at (mime_state_alloc() in milter8.c). */
static bool sends_macros(const struct bw_mta *m, const struct row *r)
{
	return m->step != BW_MTA_NEGOTIATE && (m->step < BW_MTA_HEADER || sends(m, r));
}

static void take_step(struct bw_mta *m)
{
	const struct row *r = &rows[m->step];

	if (sends_macros(m, r))
		write_macros(m, r->command, m->macros[r->stage]);
	if (sends(m, r)) {
		size_t start = bw_packet_begin(&m->out, r->command);

		if (r->write != NULL)
			r->write(m, &m->out);
		bw_packet_end(&m->out, start);
		m->waiting = (m->steps & r->no_reply) == 0;
	}
	if (!m->waiting)
		go_on(m);
}

void bw_mta_fill(struct bw_mta *m)
{
	while (m->step != BW_MTA_REST && !m->waiting && !m->flush) {
		take_step(m);
		if (m->out.n >= BUFFER_BYTES)
			m->flush = true;
	}
	if (m->waiting && m->out.n > 0)
		m->flush = true;
}

/* --- answers --- */

static bool fail(struct bw_mta *m, const char *what)
{
	unsigned char c = (unsigned char)m->answer.command;

	snprintf(m->why, sizeof(m->why), "%s (answer 0x%02x to '%c')", what, c, rows[m->step].command);
	return false;
}

/* After version, actions and steps: pairs of a stage's number and a NUL-terminated list of macro names. */
static bool take_macro_lists(struct bw_mta *m)
{
	const struct bw_answer *a = &m->answer;
	uint32_t stage;

	for (size_t at = 12; bw_answer_number(a, at, &stage);) {
		struct bw_slice names = { a->data + at + 4, a->kept - at - 4 };

		names = bw_slice_head(names, bw_slice_find(names, '\0'));
		if (stage >= BW_MTA_STAGES)
			return fail(m, "macros for an unknown stage");
		m->macros[stage] = macro_set(names);
		at += 4 + names.n + 1;
	}
	return true;
}

static bool take_negotiation(struct bw_mta *m)
{
	uint32_t version;
	const struct bw_answer *a = &m->answer;

	if (a->command != SMFIC_OPTNEG || !bw_answer_number(a, 0, &version) || !bw_answer_number(a, 4, &m->actions) ||
	    !bw_answer_number(a, 8, &m->steps))
		return fail(m, "not a negotiation");
	if (version > 6 || (m->actions & ~(uint32_t)WANTED_ACTIONS) != 0)
		return fail(m, "asks for what was not offered");
	if (!take_macro_lists(m))
		return false;
	go_on(m);
	return true;
}

static void take_refusal(struct bw_mta *m, enum bw_mta_verdict verdict)
{
	if (m->step != BW_MTA_RCPT) {
		finish(m, verdict);
		return;
	}
	m->refused++;
	m->refusal = verdict;
	go_on(m);
}

static bool take_continue(struct bw_mta *m)
{
	if (m->step == BW_MTA_EOM)
		finish(m, m->quarantined ? BW_MTA_HOLD : BW_MTA_ACCEPT);
	else
		go_on(m);
	return true;
}

static bool take_change(struct bw_mta *m)
{
	m->waiting = true; /* the final answer is still to come */
	if (m->step != BW_MTA_EOM)
		return fail(m, "changes are allowed at the end of the message only");
	return true;
}

/* Answers that end the step or the message. */
static bool take_message_answer(struct bw_mta *m)
{
	switch (m->answer.command) {
	case SMFIR_SKIP:
		m->skip_body = true;
		go_on(m);
		return m->step == BW_MTA_EOM || fail(m, "only the body can be skipped");
	case SMFIR_CONTINUE:
		return take_continue(m);
	case SMFIR_ACCEPT:
		finish(m, m->quarantined ? BW_MTA_HOLD : BW_MTA_ACCEPT);
		return true;
	case SMFIR_REJECT:
		take_refusal(m, BW_MTA_REJECT);
		return true;
	case SMFIR_TEMPFAIL:
		take_refusal(m, BW_MTA_THROTTLE);
		return true;
	case SMFIR_REPLYCODE:
		take_refusal(m, m->answer.kept > 0 && m->answer.data[0] == '4' ? BW_MTA_THROTTLE : BW_MTA_REJECT);
		return true;
	case SMFIR_DISCARD:
		finish(m, BW_MTA_DISCARD);
		return true;
	case SMFIR_QUARANTINE:
		m->quarantined = true;
		return take_change(m);
	case SMFIR_PROGRESS:
		m->waiting = true;
		return true;
	case SMFIR_ADDHEADER:
	case SMFIR_INSHEADER:
	case SMFIR_CHGHEADER:
	case SMFIR_CHGFROM:
	case SMFIR_ADDRCPT:
	case SMFIR_ADDRCPT_PAR:
	case SMFIR_DELRCPT:
	case SMFIR_REPLBODY:
		return take_change(m);
	default:
		return fail(m, "unknown answer");
	}
}

static bool take_answer(struct bw_mta *m)
{
	if (!m->waiting)
		return fail(m, "an answer that was not asked for");
	m->waiting = false;
	if (m->step == BW_MTA_NEGOTIATE)
		return take_negotiation(m);
	if (m->step > BW_MTA_HELO)
		return take_message_answer(m);
	/* An accepted or refused connection brings no messages: nothing to measure. */
	return m->answer.command == SMFIR_CONTINUE ? take_continue(m) : fail(m, "the milter does not want the connection");
}

bool bw_mta_take(struct bw_mta *m, struct bw_slice *in)
{
	return !bw_answer_feed(&m->answer, in) || take_answer(m);
}

/* --- life --- */

void bw_mta_init(struct bw_mta *m, const struct bw_plan *plan)
{
	memset(m, 0, sizeof(*m));
	m->plan = plan;
	bw_buf_init(&m->out, OUT_MAX);
	for (size_t k = 0; k < BW_MTA_STAGES; k++)
		m->macros[k] = macro_set(bw_slice_of(usual_macros[k]));
}

void bw_mta_done(struct bw_mta *m)
{
	bw_buf_done(&m->out);
}

void bw_mta_start(struct bw_mta *m, int64_t n)
{
	assert(m->step == BW_MTA_REST);
	m->step = BW_MTA_MAIL;
	m->n = n;
	m->i = m->refused = 0;
	m->quarantined = m->skip_body = false;
}

void bw_mta_quit(struct bw_mta *m)
{
	bw_packet_end(&m->out, bw_packet_begin(&m->out, SMFIC_QUIT));
	m->flush = true;
}
