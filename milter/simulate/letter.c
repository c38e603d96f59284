/* Messages as real programs write them: what makes a receipt a receipt stands in its header and first body part. */
#include <time.h>

#include "letter.h"

#define BOUNDARY "=_part_of_a_report"

/* --- what differs by kind: a row each --- */

static void plain_body(const struct letter *l, struct bw_buf *out)
{
	(void)l;
	bw_buf_add_text(out, "See subject.\r\n");
}

static void auto_reply_body(const struct letter *l, struct bw_buf *out)
{
	(void)l;
	bw_buf_add_text(out, "I am out of the office and will answer when I am back.\r\n");
}

static void add_part(struct bw_buf *out, const char *type)
{
	bw_buf_printf(out, "--" BOUNDARY "\r\nContent-Type: %s\r\n\r\n", type);
}

/* RFC 8098 3.1 */
static void mdn_body(const struct letter *l, struct bw_buf *out)
{
	add_part(out, "text/plain; charset=utf-8");
	bw_buf_add_text(out, "Your message was displayed.\r\n");
	add_part(out, "message/disposition-notification");
	bw_buf_printf(out, "Final-Recipient: rfc822;%.*s\r\n", (int)l->from.n, l->from.p);
	if (l->reference_count > 0)
		bw_buf_printf(out, "Original-Message-ID: <%s>\r\n", l->references[l->reference_count - 1]);
	bw_buf_add_text(out, "Disposition: manual-action/MDN-sent-manually; displayed\r\n--" BOUNDARY "--\r\n");
}

/* RFC 3464 2 */
static void dsn_body(const struct letter *l, struct bw_buf *out)
{
	add_part(out, "text/plain; charset=utf-8");
	bw_buf_add_text(out, "Your message could not be delivered.\r\n");
	add_part(out, "message/delivery-status");
	bw_buf_printf(out,
	              "Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; %.*s\r\nAction: failed\r\nStatus: 5.2.2\r\n"
	              "--" BOUNDARY "--\r\n",
	              (int)l->from.n, l->from.p);
}

/* RFC 5546 3.2.3 */
static void calendar_body(const struct letter *l, struct bw_buf *out)
{
	bw_buf_printf(out,
	              "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:%.*s\r\n"
	              "ATTENDEE;PARTSTAT=ACCEPTED:mailto:%.*s\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
	              (int)l->message_id.n, l->message_id.p, (int)l->from.n, l->from.p);
}

/* What Mailman 3 adds (RFC 2369, RFC 2919). */
static void list_fields(const struct letter *l, struct bw_buf *out)
{
	bw_buf_printf(out, "Precedence: list\nX-BeenThere: %.*s\nList-Id: <", (int)l->list_address.n, l->list_address.p);
	for (size_t i = 0; l->list_id.n == 0 && i < l->list_address.n; i++)
		bw_buf_add_char(out, l->list_address.p[i] == '@' ? '.' : l->list_address.p[i]);
	bw_buf_add(out, l->list_id);
	bw_buf_printf(out, ">\nList-Post: <mailto:%.*s>\n", (int)l->list_address.n, l->list_address.p);
}

static const struct manner {
	const char *prefix; /* of its subject; without a blank at its end it is all of it */
	bool null_sender;
	const char *fields; /* header fields that make it what it is */
	const char *type;   /* Content-Type */
	void (*body)(const struct letter *l, struct bw_buf *out);
} manners[] = {
	[KIND_POST] = { "", false, "", "text/plain; charset=utf-8", plain_body },
	[KIND_REPLY] = { "Re: ", false, "", "text/plain; charset=utf-8", plain_body },
	[KIND_AUTO_REPLY] = { "Automatic reply: ", true, "Auto-Submitted: auto-replied\nX-Auto-Response-Suppress: All\n",
	                      "text/plain; charset=utf-8", auto_reply_body },
	[KIND_MDN] = { "Read: ", true, "", "multipart/report; report-type=disposition-notification;\n boundary=\"" BOUNDARY "\"",
	               mdn_body },
	[KIND_DSN] = { "Undelivered Mail Returned to Sender", true, "Auto-Submitted: auto-replied\n",
	               "multipart/report; report-type=delivery-status;\n boundary=\"" BOUNDARY "\"", dsn_body },
	/* Outlook's recall travels as TNEF, which nobody outside reads: its program and its subject are all there is. */
	[KIND_RECALL] = { "Recall: ", false, "X-Mailer: Microsoft Outlook 16.0\nX-MS-TNEF-Correlator: <recall@simulate>\n",
	                  "application/ms-tnef; name=\"winmail.dat\"", plain_body },
	[KIND_CALENDAR_REPLY] = { "Accepted: ", false, "", "text/calendar; charset=utf-8; method=REPLY", calendar_body },
	[KIND_LIST_OUTPUT] = { "", false, "", "text/plain; charset=utf-8", plain_body },
};
_Static_assert(sizeof(manners) / sizeof(manners[0]) == KIND_COUNT, "a manner for every kind");

bool bw_letter_has_null_sender(enum mail_kind kind)
{
	return manners[kind].null_sender;
}

/* --- fields --- */

/* RFC 5322 3.3; names of days and months are English whatever the locale. */
static void add_date(struct bw_buf *out, int64_t date_ms)
{
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t seconds = (time_t)(date_ms / 1000);
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL)
		return;
	bw_buf_printf(out, "Date: %s, %02d %s %04d %02d:%02d:%02d +0000\n", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
	              tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static bool is_ascii(struct bw_slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	}
	return true;
}

static void add_base64(struct bw_buf *out, struct bw_slice s)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < s.n; i += 3) {
		size_t left = s.n - i;
		uint32_t bits = (uint32_t)(unsigned char)s.p[i] << 16;

		if (left > 1)
			bits |= (uint32_t)(unsigned char)s.p[i + 1] << 8;
		if (left > 2)
			bits |= (unsigned char)s.p[i + 2];
		bw_buf_add_char(out, digits[bits >> 18]);
		bw_buf_add_char(out, digits[(bits >> 12) & 63]);
		bw_buf_add_char(out, left > 1 ? digits[(bits >> 6) & 63] : '=');
		bw_buf_add_char(out, left > 2 ? digits[bits & 63] : '=');
	}
}

/* RFC 2047: encoded words of at most 75 characters, none of them ending within a character. */
static void add_encoded(struct bw_buf *out, struct bw_slice text)
{
	enum { BYTES = 45 };
	bool first = true;

	while (text.n > 0) {
		size_t n = text.n < BYTES ? text.n : BYTES;

		while (n < text.n && n > BYTES - 4 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
			n--;
		bw_buf_add_text(out, first ? "=?utf-8?B?" : "\n =?utf-8?B?");
		add_base64(out, bw_slice_head(text, n));
		bw_buf_add_text(out, "?=");
		text = bw_slice_from(text, n);
		first = false;
	}
}

static void add_subject(const struct letter *l, struct bw_buf *out)
{
	struct bw_slice prefix = l->prefix ? bw_slice_of(manners[l->kind].prefix) : BW_S("");
	bool alone = prefix.n > 0 && prefix.p[prefix.n - 1] != ' ';

	bw_buf_add_text(out, "Subject: ");
	bw_buf_add(out, prefix);
	if (!alone && is_ascii(l->subject))
		bw_buf_add(out, l->subject);
	else if (!alone)
		add_encoded(out, l->subject);
	bw_buf_add_char(out, '\n');
}

/* One address a line: To fields of many lists stay within the 998 octets of RFC 5322 2.1.1. */
static void add_to(const struct letter *l, struct bw_buf *out)
{
	bw_buf_add_text(out, "To: ");
	for (size_t i = 0; i < l->to.n; i++) {
		if (l->to.p[i] == ',')
			bw_buf_add_text(out, ",\n ");
		else
			bw_buf_add_char(out, l->to.p[i]);
	}
	bw_buf_add_char(out, '\n');
}

static void add_references(const struct letter *l, struct bw_buf *out)
{
	if (l->reference_count == 0)
		return;
	bw_buf_printf(out, "In-Reply-To: <%s>\nReferences:", l->references[l->reference_count - 1]);
	for (size_t i = 0; i < l->reference_count; i++)
		bw_buf_printf(out, "%s<%s>", i == 0 ? " " : "\n ", l->references[i]);
	bw_buf_add_char(out, '\n');
}

static void add_from(const struct letter *l, struct bw_buf *out)
{
	if (bw_slice_equal(l->from, BW_S("<>")))
		bw_buf_add_text(out, "From: MAILER-DAEMON (Mail Delivery System)\n");
	else
		bw_buf_printf(out, "From: %.*s\n", (int)l->from.n, l->from.p);
}

void bw_letter_write_head(const struct letter *l, struct bw_buf *out)
{
	const struct manner *manner = &manners[l->kind];

	add_date(out, l->date_ms);
	add_from(l, out);
	add_to(l, out);
	add_subject(l, out);
	bw_buf_printf(out, "Message-ID: <%.*s>\n", (int)l->message_id.n, l->message_id.p);
	add_references(l, out);
	bw_buf_add_text(out, manner->fields);
	if (l->kind == KIND_LIST_OUTPUT)
		list_fields(l, out);
	bw_buf_printf(out, "MIME-Version: 1.0\nContent-Type: %s\n", manner->type);
}

void bw_letter_write_body(const struct letter *l, struct bw_buf *out)
{
	manners[l->kind].body(l, out);
}

/* --- to the session --- */

/* Length of the field at the head of `text`, up to a LF that no blank follows (RFC 5322 2.2.3). */
static size_t field_length(struct bw_slice text)
{
	size_t n = bw_slice_find(text, '\n');

	while (n + 1 < text.n && (text.p[n + 1] == ' ' || text.p[n + 1] == '\t'))
		n += 1 + bw_slice_find(bw_slice_from(text, n + 1), '\n');
	return n;
}

void bw_letter_feed(struct bw_session *session, struct bw_slice head)
{
	while (head.n > 0) {
		size_t n = field_length(head);
		struct bw_slice field = bw_slice_head(head, n);
		size_t colon = bw_slice_find(field, ':');

		bw_session_header(session, bw_slice_head(field, colon), bw_slice_trim(bw_slice_from(field, colon + 1)));
		head = bw_slice_from(head, n + 1);
	}
}
