/* What the MTA is told: reply lines for reject and throttle, the reason of a quarantine, the trace header. */
#include "bw/parse.h"
#include "internal.h"

enum { REPLY_BYTES = 400 }; /* RFC 5321 4.5.3.1.5: a reply line has 512 octets with code and CRLF; MTAs add text of their own */

/* One row an action that answers the client (RFC 3463, RFC 7372's neighbour X.7.28: unusual volume, RFC 6710's registry). */
static const struct reply {
	enum bw_action action;
	const char *code, *status, *opening, *advice;
} replies[] = {
	{ BW_REJECT, "550", "5.7.28", "Not sent: it would have reached ", "To answer one person, write to that person alone." },
	{ BW_THROTTLE, "451", "4.7.28", "Not sent yet, it will be tried again: it would reach ",
	  "To answer one person, write to that person alone." },
};

/* The same where it would have waited, and there is no room (RFC 3463, X.3.1: mail system full). */
static const struct reply full_replies[] = {
	{ BW_REJECT, "550", "5.7.28", "Not sent, and not kept: it would have reached ",
	  "Too much stopped mail waits already. Do not send it again today; to answer one person, write to that person alone." },
	{ BW_THROTTLE, "451", "4.7.28", "Not sent yet, it will be tried again: it would reach ",
	  "Too much stopped mail waits already." },
};
static const struct reply disk_throttle = { BW_THROTTLE, "452", "4.3.1", "Not sent yet, it will be tried again: it would reach ",
	                                        "No room is left to keep stopped mail." };

/* No control characters; '%' doubled, for libmilter takes reply texts as they are but other front ends format them. */
static void add_clean(struct bw_buf *out, struct bw_slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c < ' ' || c == 0x7F)
			bw_buf_add_char(out, ' ');
		else if (c == '%')
			bw_buf_add_text(out, "%%");
		else if (c < 0x80)
			bw_buf_add_char(out, (char)c);
		else
			bw_buf_add_char(out, '?'); /* replies are US-ASCII unless SMTPUTF8 was agreed on (RFC 6531 3.7.4) */
	}
}

static const char *keep(struct trial *t, struct bw_buf *text)
{
	const char *copy = bw_arena_text(t->arena, bw_buf_slice(text));

	bw_buf_done(text);
	return copy == NULL ? "" : copy;
}

static void write_reply(struct trial *t, struct bw_judgement *j, const struct reply *r)
{
	struct bw_buf text;

	bw_buf_init(&text, REPLY_BYTES);
	bw_buf_add_text(&text, r->opening);
	bw_print_count(&text, j->verdict.deliveries);
	bw_buf_add_text(&text, j->verdict.deliveries == 1 ? " mailbox. " : " mailboxes. ");
	add_clean(&text, bw_slice_of(j->sentence));
	bw_buf_printf(&text, ". %s", r->advice);
	j->reply_code = r->code;
	j->reply_status = r->status;
	j->reply_text = keep(t, &text);
}

static void write_quarantine(struct trial *t, struct bw_judgement *j)
{
	struct bw_buf text;

	bw_buf_init(&text, REPLY_BYTES);
	bw_buf_add_text(&text, "breakwater ");
	if (j->mark[0] != '\0')
		bw_buf_printf(&text, "%s; ", j->mark);
	add_clean(&text, bw_slice_of(j->sentence));
	j->quarantine = keep(t, &text);
}

static void write_trace(struct trial *t, struct bw_judgement *j)
{
	bool wanted = bw_world_config(t->world)->daemon.trace_header && t->n > 0;
	struct bw_buf text;

	if (!wanted && j->verdict.action != BW_TAG)
		return;
	bw_buf_init(&text, 900);
	bw_buf_printf(&text, "action=%s; would=%s; deliveries=%lld", bw_action_name(j->verdict.action),
	              bw_action_name(j->verdict.would), (long long)j->verdict.deliveries);
	if (j->would_sentence[0] != '\0') {
		bw_buf_add_text(&text, "; ");
		add_clean(&text, bw_slice_of(j->would_sentence));
	}
	j->trace = keep(t, &text);
}

/* NULL: the client hears nothing. */
static const struct reply *reply_of(const struct bw_judgement *j)
{
	const struct reply *from = j->full == BW_FULL_NO ? replies : full_replies;

	if (j->full == BW_FULL_DISK && j->verdict.action == disk_throttle.action)
		return &disk_throttle;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		if (from[i].action == j->verdict.action)
			return &from[i];
	}
	return NULL;
}

void bw_reply_write(struct trial *t, struct bw_judgement *j)
{
	const struct reply *reply = reply_of(j);

	if (reply != NULL)
		write_reply(t, j, reply);
	if (j->verdict.action == BW_HOLD)
		write_quarantine(t, j);
	write_trace(t, j);
}
