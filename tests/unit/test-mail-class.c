/* link: bw_mail bw_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bw/mail.h"

/* The header as one text with a field a line, then the body. */
struct row {
	const char *header, *body;
	bool null_sender;
	enum bw_class class;
	enum bw_evidence evidence;
	const char *reason;
};

#define NONE     BW_EVIDENCE_NONE
#define WEAK     BW_EVIDENCE_WEAK
#define PROTOCOL BW_EVIDENCE_PROTOCOL

static const struct row rows[] = {
	/* people */
	{ "Subject: hello\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: hello\nX-Auto-Response-Suppress: All\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: hello\nX-Auto-Response-Suppress: DR, RN, NRN, OOF, AutoReply\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: hello\nPrecedence: list\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Re: hello\nPrecedence: bulk\nIn-Reply-To: <a@x>\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: hello\nAuto-Submitted: no\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: hello\nAuto-Submitted: no (really)\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: hello\nX-Autoreply: no\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Re: Ann is out of the office\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: [list] Re: [list] Ann is out of the office.\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: AW: Automatische Antwort: test\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Fwd: Undeliverable: test\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Out of office next Friday\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Holidays in June\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Automatic replying machines\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "From: a@x.example\nSubject: Undeliverable parcels in the mail room\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Read: the new rules\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Accepted: my paper\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Recall: what we decided\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Out of memory\nPrecedence: bulk\nList-Post: <mailto:a@x.example>\n", "", false, BW_CLASS_HUMAN, NONE, "" },

	{ "Subject: Your message to the board\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: The mirror is currently out of date\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: I'm currently out of ideas\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Autoresponder does not work\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: [list] Vacation message with Sieve?\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Auto-reply loops between two servers\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Re: Vacation\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Absence of evidence\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: I am away next week\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Auto parts for sale\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Re: [list] Automatic reply: test\nIn-Reply-To: <a@x>\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Re: Abwesenheitsnotiz\nIn-Reply-To: <a@x>\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Re: test (automatic reply)\nReferences: <a@x>\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: lunch?\nThread-Topic: Automatic reply: test\nIn-Reply-To: <a@x>\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: hello\nX-MS-Exchange-Inbox-Rules-Loop: a@x.example\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: hello\nX-No-Auto-Reply: yes\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: hello\nX-Foo-Autoreply-Suppress: yes\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: hello\nX-Foo-Autoreply: 0\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "From: No Reply <noreply@x.example>\nSubject: your password\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "From: System Administrator <ann@x.example>\nSubject: the new mail server\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "From: a@x.example\nSubject: Mail delivery failed, what now?\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "From: a@x.example\nSubject: a receipt\nContent-Type: multipart/mixed; boundary=o\n",
	  "--o\n\nlook\n--o\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b--\n--o--\n", false,
	  BW_CLASS_MDN, WEAK, "nested-disposition-notification" },

	/* RFC 3834 */
	{ "Subject: test\nAuto-Submitted: auto-replied\n", "", false, BW_CLASS_AUTO_REPLY, PROTOCOL, "auto-submitted" },
	{ "Subject: Re: test\nauto-submitted: Auto-Replied (vacation)\n", "", false, BW_CLASS_AUTO_REPLY, PROTOCOL, "auto-submitted" },
	{ "Subject: test\nAuto-Submitted: auto-replied; owner-email=\"a@x\"\n", "", true, BW_CLASS_AUTO_REPLY, PROTOCOL, "auto-submitted" },
	{ "Subject: test\nAuto-Submitted: vacation\n", "", false, BW_CLASS_AUTO_REPLY, PROTOCOL, "auto-submitted" },
	{ "Subject: test\nAuto-Submitted: auto-generated\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: test\nAuto-Submitted: auto-generated\n", "", true, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: test\nAuto-Submitted: auto-notified\n", "", false, BW_CLASS_HUMAN, NONE, "" },

	{ "Subject: test\nAuto-Submitted: autoreply\n", "", false, BW_CLASS_AUTO_REPLY, PROTOCOL, "auto-submitted" },
	{ "Subject: test\nAuto-Submitted: Auto-Response\n", "", false, BW_CLASS_AUTO_REPLY, PROTOCOL, "auto-submitted" },
	{ "Subject: Read: test\nAuto-Submitted: auto-replied\n", "", false, BW_CLASS_MDN, PROTOCOL, "auto-submitted-receipt" },
	{ "Subject: Re: Read: test\nAuto-Submitted: auto-replied\n", "", false, BW_CLASS_AUTO_REPLY, PROTOCOL, "auto-submitted" },

	/* vendors */
	{ "Subject: test\nX-Kerio-AutoReply: yes\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "autoreply" },
	{ "Subject: test\nX-Acme-Out-Of-Office: 1\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "out-of-office" },
	{ "Subject: test\nX-Mail-Autoreply: yes\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "X-Mail-Autoreply" },
	{ "Subject: test\nX-Mailer: The Mailman Replybot\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "X-Mailer" },
	{ "Subject: test\nX-MS-Exchange-Inbox-Rules-Loop: a@x.example\n", "", true, BW_CLASS_AUTO_REPLY, WEAK, "mailbox-rule" },
	{ "From: autoreply@x.example\nSubject: test\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "sender-name" },
	{ "Subject: test\nThread-Topic: Automatic reply: test\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "thread-topic" },
	{ "Subject: re: test\nX-Autoreply: yes\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "X-Autoreply*" },
	{ "Subject: test\nX-Autoreply-From: a@x\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "X-Autoreply*" },
	{ "Subject: test\nX-Auto-Reply-From: a@x\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "X-Auto-Reply*" },
	{ "Subject: test\nX-Autorespond: test\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "X-Autorespon*" },
	{ "Subject: test\nX-QQ-AUTO-REPLY: true\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "X-QQ-Auto-Reply" },
	{ "Subject: test\nPrecedence: auto_reply\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "Precedence" },
	{ "Subject: test\nX-FC-MachineGenerated: true\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "X-FC-MachineGenerated" },
	{ "Subject: test\nX-POST-MessageClass: 9; Autoresponder\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "X-POST-MessageClass" },
	{ "Subject: test\nX-Mailer: vacation 1.46\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "X-Mailer" },
	{ "Subject: test\nDelivered-To: Autoresponder\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "Delivered-To" },
	{ "Subject: test\nDelivered-To: autoresponder-list@x.example\n", "", false, BW_CLASS_HUMAN, NONE, "" },

	/* subjects */
	{ "Subject: Automatic reply: test\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: Automatic reply: RE: test\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: Out of Office AutoReply: test\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: Out of office: test\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: Out of Office\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: [list] Ann/London/X is out of the office.\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: Automatische Antwort: test\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: =?utf-8?q?R=C3=A9ponse_automatique_=3A_test?=\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: Abwesenheitsnotiz: test\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: 自动回复: test\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: 自动回复：Re: test\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: Автоответ: test\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: [Automatyczna =?iso-8859-2?Q?odpowied=BC?=] test\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: [ticket #4711] AutoReply: test\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: Out of office next Friday\nIn-Reply-To: <a@x>\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject-absence" },
	{ "Subject: On vacation\nPrecedence: bulk\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject-absence" },
	{ "Subject: Re: test\nPrecedence: junk\nIn-Reply-To: <a@x>\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "precedence-junk" },
	{ "Subject: Re: hello\n", "", true, BW_CLASS_AUTO_REPLY, WEAK, "null-sender" },
	{ "Subject: Your message\nIn-Reply-To: <a@x>\n", "", true, BW_CLASS_AUTO_REPLY, WEAK, "null-sender" },
	{ "Subject: Re: hello\nReturn-Path: <>\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "null-return-path" },
	{ "Subject: make money fast\n", "", true, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Automatic reply: test\nAuto-Submitted: auto-generated\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	/* Amazon SES hands on answers in its mailer-daemon's name. */
	{ "From: MAILER-DAEMON@x.example\nSubject: Automatic reply: test\n", "", true, BW_CLASS_AUTO_REPLY, WEAK, "subject" },

	{ "Subject: Abwesenheit\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: Out of office until 5 May\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: Out of Office Re: test\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: Ann jest poza biurem.\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: test\nX-Debian-PR-Message: ack 4711\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "X-Debian-PR-Message" },
	{ "Subject: Autoreply from Ann\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: (Auto-Reply) test\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: Auto-reply loops between two servers\n", "", true, BW_CLASS_AUTO_REPLY, WEAK, "subject-absence" },
	{ "Subject: Auto: test\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: AUTO: Ann is out of the office (returning Mon 02/01/2010)\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: [list] [Automatische Antwort] test\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject" },
	{ "Subject: Antw: Abwesenheitsnotiz\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject-bare" },
	{ "Subject: Antw: Abwesenheit\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject-bare" },
	{ "Subject: Re: test (Automatic Response)\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject-bare" },
	{ "From: helpdesk-noreply@x.example\nSubject: Ticket created: test\nIn-Reply-To: <a@x>\n", "", false, BW_CLASS_AUTO_REPLY, WEAK,
	  "subject-absence" },
	{ "From: no-reply@x.example\nSubject: Your request has been received\n", "", false, BW_CLASS_AUTO_REPLY, WEAK, "subject-absence" },

	/* delivery status notifications, RFC 3464 */
	{ "From: <>\nSubject: failure notice\n", "", false, BW_CLASS_DSN, WEAK, "mail-system" },
	{ "From: =?us-ascii?B?TWFpbCBEZWxpdmVyeSBTdWJzeXN0ZW0=?= <md@x.example>\nSubject: Nyaan\n", "", false, BW_CLASS_DSN, WEAK, "mail-system" },
	{ "From: SMTP Service <smtp@x.example>\nSubject: Returned Mail - Error During Delivery\n", "", false, BW_CLASS_DSN, WEAK,
	  "subject-by-mail-system" },
	{ "Subject: Returned mail: cannot send message for 5 days\n", "", false, BW_CLASS_DSN, WEAK, "subject-by-mail-system" },
	{ "Content-Type: multipart/report; report-type=delivery-status; boundary=b\nAuto-Submitted: auto-replied\n", "", true,
	  BW_CLASS_DSN, PROTOCOL, "report-delivery-status" },
	{ "Content-Type: Multipart/Report;\tReport-Type=\"Delivery-Status\"\n", "", false, BW_CLASS_DSN, PROTOCOL, "report-delivery-status" },
	{ "Content-Type: multipart/report; boundary=b\n",
	  "--b\n\ntext\n--b\nContent-Type: message/delivery-status\n\n--b--\n", false, BW_CLASS_DSN, PROTOCOL, "report-delivery-status" },
	{ "Subject: [list] Returned mail\nContent-Type: multipart/mixed; boundary=outer\n",
	  "--outer\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\ntext\n--b--\n--outer--\n", false,
	  BW_CLASS_DSN, PROTOCOL, "nested-delivery-status" },
	{ "Subject: Re: Returned mail\nContent-Type: multipart/mixed; boundary=outer\n",
	  "--outer\n\nlook at this\n--outer\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b--\n--outer--\n",
	  false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: look at this bounce\nContent-Type: multipart/mixed; boundary=outer\n",
	  "--outer\n\ntext\n--outer\nContent-Type: message/rfc822\n\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
	  "--b\nContent-Type: message/delivery-status\n\n--b--\n--outer--\n", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: status\nContent-Type: multipart/mixed; boundary=b\n", "--b\n\ntext\n--b\nContent-Type: message/delivery-status\n\n--b--\n",
	  false, BW_CLASS_DSN, WEAK, "delivery-status-part" },
	{ "Subject: Fwd: status\nContent-Type: multipart/mixed; boundary=b\n", "--b\n\ntext\n--b\nContent-Type: message/delivery-status\n\n--b--\n",
	  false, BW_CLASS_HUMAN, NONE, "" },
	{ "From: Mail Delivery System <Mailer-Daemon@x.example>\nX-Failed-Recipients: a@x\nAuto-Submitted: auto-replied\n", "", true,
	  BW_CLASS_DSN, PROTOCOL, "auto-submitted-by-mail-system" },
	{ "From: MAILER-DAEMON@x.example\nSubject: failure notice\n", "", true, BW_CLASS_DSN, WEAK, "mail-system" },
	{ "From: MAILER-DAEMON@x.example (Mail Delivery System)\nSubject: Undelivered\n", "", false, BW_CLASS_DSN, WEAK, "mail-system" },
	{ "From: postmaster@x.example\nSubject: Undeliverable: test\n", "", false, BW_CLASS_DSN, WEAK, "subject-by-mail-system" },
	{ "From: postmaster@x.example\nSubject: the new mail server\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "From: a@x.example\nSubject: Undeliverable: test\n", "", true, BW_CLASS_DSN, WEAK, "subject-by-mail-system" },
	{ "From: Mail Delivery Subsystem <MAILER-DAEMON@x>\nAuto-Submitted: auto-generated (failure)\n", "", true,
	  BW_CLASS_DSN, PROTOCOL, "auto-submitted-by-mail-system" },

	/* receipts, RFC 8098 */
	{ "Subject: Re: test\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\n", "", true,
	  BW_CLASS_MDN, PROTOCOL, "report-disposition-notification" },
	{ "Content-Type: multipart/report; boundary=b\n", "--b\n\ntext\n--b\r\nContent-Type:\r\n message/disposition-notification\r\n\r\n--b--",
	  false, BW_CLASS_MDN, PROTOCOL, "report-disposition-notification" },
	{ "Subject: Read: test\nContent-Type: application/ms-tnef; name=winmail.dat\n", "", false, BW_CLASS_MDN, WEAK, "subject-receipt" },
	{ "Subject: Return Receipt (displayed) - test\n", "", false, BW_CLASS_MDN, WEAK, "subject-receipt" },
	{ "Subject: Re: Return Receipt (displayed) - test\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Return receipts, who wants them?\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Gelesen: test\n", "", true, BW_CLASS_MDN, WEAK, "subject-receipt" },
	{ "Subject: test\nDisposition-Notification-To: a@x\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n", "", false, BW_CLASS_BULK, PROTOCOL, "report-feedback" },

	/* answers to invitations, RFC 6047 */
	{ "Subject: Accepted: lunch\nContent-Type: text/calendar; charset=utf-8; method=REPLY\n", "", false,
	  BW_CLASS_CALENDAR_REPLY, PROTOCOL, "calendar-method" },
	{ "Subject: lunch\nContent-Type: text/calendar; method=REQUEST\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: Accepted: lunch\nContent-Type: multipart/mixed; boundary=\"o\"\n",
	  "preamble\n--o\nContent-Type: multipart/alternative; boundary=i\n\n--i\nContent-Type: text/plain\n\nyes\n--i\n"
	  "Content-Type: text/calendar; charset=\"utf-8\";\n\tmethod=\"Reply\"\n\nBEGIN:VCALENDAR\n--i--\n--o--\n", false,
	  BW_CLASS_CALENDAR_REPLY, PROTOCOL, "calendar-method" },
	{ "Subject: Accepted: lunch\nContent-Class: urn:content-classes:calendarmessage\n", "", false,
	  BW_CLASS_CALENDAR_REPLY, WEAK, "subject-calendar" },

	/* recalls */
	{ "Subject: Recall: salaries\nThread-Index: AQHXD5U+lyuwLQ8xGUauybN6tbpVHQ==\n", "", false, BW_CLASS_RECALL, WEAK, "subject-recall" },
	{ "Subject: Recall: salaries\nContent-Type: application/ms-tnef\n", "", false, BW_CLASS_RECALL, WEAK, "subject-recall" },
	{ "Subject: =?utf-8?Q?R=C3=BCckruf=3A_Geh=C3=A4lter?=\nContent-Type: application/ms-tnef\n", "", false, BW_CLASS_RECALL, WEAK,
	  "subject-recall" },
	{ "Subject: Rappel : la réunion de demain\nThread-Index: AQHXD5U+lyuwLQ8xGUauybN6tbpVHQ==\n", "", false, BW_CLASS_HUMAN, NONE, "" },
	{ "Subject: salaries\nX-MS-Exchange-Message-Class: IPM.Outlook.Recall\n", "", false, BW_CLASS_RECALL, WEAK, "message-class" },
	{ "Subject: Re: Recall: salaries\nThread-Index: AQHXD5U+lyuwLQ8xGUauybN6tbpVHQ==\n", "", false, BW_CLASS_HUMAN, NONE, "" },

	/* mass mail */
	{ "Subject: offers\nList-Unsubscribe: <mailto:a@x>\n", "", false, BW_CLASS_BULK, WEAK, "mass-mail" },
	{ "Subject: offers\nPrecedence: bulk\n", "", false, BW_CLASS_BULK, WEAK, "mass-mail" },
	{ "Subject: post\nPrecedence: bulk\nList-Post: <mailto:l@x>\n", "", false, BW_CLASS_HUMAN, NONE, "" },
};

static void add_fields(struct bw_header_parser *p, const char *header)
{
	struct bw_slice rest = bw_slice_of(header);

	while (rest.n > 0) {
		struct bw_slice line = bw_slice_head(rest, bw_slice_find(rest, '\n'));
		size_t colon = bw_slice_find(line, ':');

		bw_header_add(p, bw_slice_head(line, colon), bw_slice_from(line, colon + 1));
		rest = bw_slice_from(rest, line.n + 1);
	}
}

/* The body arrives in pieces of `step` bytes, with CRLF as SMTP has it when `crlf`. */
static void add_body(struct bw_header_parser *p, const char *body, size_t step, bool crlf)
{
	struct bw_buf text;

	bw_buf_init(&text, 1 << 16);
	for (const char *c = body; *c != '\0'; c++) {
		if (crlf && *c == '\n' && (c == body || c[-1] != '\r'))
			bw_buf_add_char(&text, '\r');
		bw_buf_add_char(&text, *c);
	}
	struct bw_slice rest = bw_buf_slice(&text);

	while (rest.n > 0 && bw_header_body(p, bw_slice_head(rest, step)))
		rest = bw_slice_from(rest, step);
	bw_buf_done(&text);
}

static void judge(const struct row *row, size_t step, bool crlf)
{
	struct bw_arena *arena = bw_arena_new(1 << 20);
	struct bw_header_parser *p = bw_header_new(arena, NULL, NULL);
	struct bw_header h;

	add_fields(p, row->header);
	add_body(p, row->body, step, crlf);
	bw_header_done(p, row->null_sender, &h);
	if (h.class != row->class || h.evidence != row->evidence || strcmp(h.class_reason, row->reason) != 0)
		fail_msg("pieces of %zu%s: %s %s <%s>, expected %s %s <%s>, for\n%s%s", step, crlf ? ", CRLF" : "", bw_class_name(h.class),
		         bw_evidence_name(h.evidence), h.class_reason, bw_class_name(row->class), bw_evidence_name(row->evidence),
		         row->reason, row->header, row->body);
	assert_int_equal(h.auto_generated, strstr(row->header, "auto-generated") != NULL || strstr(row->header, "auto-notified") != NULL);
	bw_header_free(&p);
	bw_arena_free(&arena);
}

static void classes(void **state)
{
	static const size_t steps[] = { 1, 7, 65536 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t j = 0; j < sizeof(steps) / sizeof(steps[0]); j++) {
			judge(&rows[i], steps[j], false);
			judge(&rows[i], steps[j], true);
		}
	}
}

/* Nothing is asked for that cannot matter. */
static void the_body_is_wanted_only_for_its_structure(void **state)
{
	static const struct {
		const char *type;
		bool more;
	} types[] = {
		{ "text/plain", false },
		{ "", false },
		{ "message/rfc822", false },
		{ "multipart/mixed", false }, /* without a boundary there is nothing to find */
		{ "multipart/mixed; boundary=b", true },
		{ "multipart/report; report-type=delivery-status; boundary=b", false },
		{ "multipart/report; boundary=b", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct bw_arena *arena = bw_arena_new(1 << 20);
		struct bw_header_parser *p = bw_header_new(arena, NULL, NULL);

		bw_header_add(p, BW_S("Content-Type"), bw_slice_of(types[i].type));
		assert_int_equal(bw_header_body(p, BW_S("text\r\n")), types[i].more);
		bw_header_free(&p);
		bw_arena_free(&arena);
	}
}

static void only_the_first_chunk_counts(void **state)
{
	struct bw_arena *arena = bw_arena_new(1 << 20);
	struct bw_header_parser *p = bw_header_new(arena, NULL, NULL);
	struct bw_header h;
	char filler[1024];
	size_t fed = 0;

	(void)state;
	memset(filler, 'x', sizeof(filler));
	filler[sizeof(filler) - 1] = '\n';
	bw_header_add(p, BW_S("Content-Type"), BW_S("multipart/mixed; boundary=b"));
	while (bw_header_body(p, (struct bw_slice){ filler, sizeof(filler) }))
		fed += sizeof(filler);
	assert_int_equal(fed, BW_BODY_MAX - sizeof(filler));
	assert_false(bw_header_body(p, BW_S("\n--b\nContent-Type: text/calendar; method=REPLY\n\n")));
	bw_header_done(p, false, &h);
	assert_int_equal(h.class, BW_CLASS_HUMAN);
	bw_header_free(&p);
	bw_arena_free(&arena);
}

/* Multiparts within multiparts beyond every depth, parts without end, boundaries that are one another's beginnings. */
static void hostile_structures_are_survived(void **state)
{
	struct bw_arena *arena = bw_arena_new(1 << 20);
	struct bw_header_parser *p = bw_header_new(arena, NULL, NULL);
	struct bw_header h;
	char line[128];

	(void)state;
	bw_header_add(p, BW_S("Content-Type"), BW_S("multipart/mixed; boundary=b"));
	for (int i = 0; i < 200; i++) {
		int n = snprintf(line, sizeof(line), "--b%.*s\nContent-Type: multipart/mixed; boundary=b%.*s\n\n", i, "cccccccccccccccccccc", i + 1,
		                 "cccccccccccccccccccc");

		bw_header_body(p, (struct bw_slice){ line, (size_t)n });
	}
	bw_header_body(p, BW_S("--b--\n--b\nContent-Type: text/calendar; method=REPLY"));
	bw_header_done(p, false, &h);
	assert_int_equal(h.class, BW_CLASS_HUMAN);
	bw_header_free(&p);
	bw_arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes),
		cmocka_unit_test(the_body_is_wanted_only_for_its_structure),
		cmocka_unit_test(only_the_first_chunk_counts),
		cmocka_unit_test(hostile_structures_are_survived),
	};

	bw_mail_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
