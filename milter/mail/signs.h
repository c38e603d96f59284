/* signs.h: what is noticed about a message, and what class follows.
 *
 * Layer:     mail: evidence.c (fields), phrases.c (subject), contenttype.c and body.c (structure) notice; class.c concludes.
 * Threads:   pure, but for struct bw_mail_mime, which belongs to one message.
 * Ownership: nothing is kept but what the structs hold themselves.
 * Fails:     never; what cannot be read gives no sign.
 */
#ifndef BW_MAIL_SIGNS_H
#define BW_MAIL_SIGNS_H

#include "internal.h"

enum bw_mail_sign {
	BW_SIGN_AUTO_REPLIED,     /* Auto-Submitted: auto-replied */
	BW_SIGN_AUTO_GENERATED,   /* Auto-Submitted: auto-generated, auto-notified, ... */
	BW_SIGN_VENDOR_REPLY,     /* a field only answering machines write */
	BW_SIGN_PRECEDENCE_JUNK,
	BW_SIGN_PRECEDENCE_BULK,
	BW_SIGN_LIST,             /* a list manager's field */
	BW_SIGN_BULK,             /* a mass mailer's field */
	BW_SIGN_NULL_SENDER,      /* of the envelope */
	BW_SIGN_NULL_RETURN,      /* Return-Path: <> left by an earlier delivery */
	BW_SIGN_DAEMON,           /* From: MAILER-DAEMON */
	BW_SIGN_POSTMASTER,       /* From: postmaster */
	BW_SIGN_ROBOT,            /* From: a program's name: no-reply, mail service, gateway, ... */
	BW_SIGN_NO_FROM,          /* RFC 5322 3.6 wants one; people's programs write it */
	BW_SIGN_AUTOREPLIER,      /* From: an answering machine's name */
	BW_SIGN_FAILED,           /* X-Failed-Recipients */
	BW_SIGN_MAILBOX_RULE,     /* a mailbox rule of Exchange made or handed on the message */
	BW_SIGN_REPORT,           /* multipart/report */
	BW_SIGN_REPORT_DSN,       /* ... of a delivery status */
	BW_SIGN_REPORT_MDN,
	BW_SIGN_REPORT_FEEDBACK,
	BW_SIGN_NESTED,           /* the report is not the message itself but a part of it */
	BW_SIGN_STATUS_PART,      /* message/delivery-status outside a report */
	BW_SIGN_RECEIPT_PART,     /* message/disposition-notification outside a report */
	BW_SIGN_CALENDAR_REPLY,   /* text/calendar with method REPLY or COUNTER */
	BW_SIGN_CALENDAR,         /* a calendar part or a meeting's content class */
	BW_SIGN_TNEF,             /* Outlook's container */
	BW_SIGN_OUTLOOK,          /* fields of Outlook or Exchange */
	BW_SIGN_RECALL_CLASS,     /* a message class that says recall */
	BW_SIGN_ANSWERS,          /* In-Reply-To, References or a longer Thread-Index */
	BW_SIGN_SUBJECT_REPLY,    /* reply prefix */
	BW_SIGN_SUBJECT_FORWARD,
	BW_SIGN_SUBJECT_AUTO,     /* the subject says automatic reply */
	BW_SIGN_SUBJECT_ABSENCE,  /* the subject speaks of absence or receipt, as people do too */
	BW_SIGN_SUBJECT_BARE,     /* a reply prefix, and behind it nothing but such words */
	BW_SIGN_TOPIC_AUTO,       /* Thread-Topic says automatic reply */
	BW_SIGN_SUBJECT_BOUNCE,
	BW_SIGN_SUBJECT_RECEIPT,
	BW_SIGN_SUBJECT_RECEIPT_FIRM, /* in words that only programs use */
	BW_SIGN_SUBJECT_RECALL,
	BW_SIGN_SUBJECT_RECALL_VAGUE, /* in a word that also means reminder, call-back or cancellation */
	BW_SIGN_SUBJECT_CALENDAR,
	BW_SIGN_COUNT
};

#define BW_SIGN(name) (UINT64_C(1) << BW_SIGN_##name)

/* The signs a header field gives; *vendor becomes the field's name as static text for BW_SIGN_VENDOR_REPLY. */
uint64_t bw_mail_field_signs(struct bw_slice name, struct bw_slice value, const char **vendor);
/* The signs of the From field's mailbox and display name. */
uint64_t bw_mail_from_signs(struct bw_slice value, struct bw_slice address);
/* The signs of a folded subject. */
uint64_t bw_mail_subject_signs(struct bw_slice folded, const struct bw_mail_subject *subject);
/* The phrase tables row by row (neither needs bw_mail_init()), for the test that each is in folded form; NULL past the end. */
const char *bw_mail_phrase_at(size_t i);

#define BW_MAIL_BOUNDARY_MAX 200 /* RFC 2046 5.1.1 says 70 */

struct bw_mail_type {
	bool multipart, report;
	char boundary[BW_MAIL_BOUNDARY_MAX + 1]; /* "" unless multipart */
	uint64_t signs;
};

/* Reads a Content-Type field body. `in_report`: the part stands in a multipart/report. */
void bw_mail_type_read(struct bw_slice value, bool in_report, struct bw_mail_type *out);

#define BW_MAIL_DEPTH_MAX 8 /* of nested multiparts that are followed */
#define BW_MAIL_LINE_MAX  1000
#define BW_MAIL_TYPE_MAX  2048

/* A scanner for the MIME structure: O(1) memory, fed piece by piece. All zero is a message that is not multipart. */
struct bw_mail_mime {
	struct bw_mail_level {
		char boundary[BW_MAIL_BOUNDARY_MAX + 1];
		size_t n;
		bool report;
	} levels[BW_MAIL_DEPTH_MAX];
	size_t depth;
	bool in_header, in_type; /* of a part; within its Content-Type */
	char line[BW_MAIL_LINE_MAX], type[BW_MAIL_TYPE_MAX];
	size_t line_n, type_n;
	size_t seen; /* bytes of body */
	uint64_t signs;
};

void bw_mail_mime_start(struct bw_mail_mime *m, struct bw_slice content_type);
/* True: more would be useful. */
bool bw_mail_mime_feed(struct bw_mail_mime *m, struct bw_slice chunk);
void bw_mail_mime_end(struct bw_mail_mime *m);

struct bw_mail_judgement {
	enum bw_class class;
	enum bw_evidence evidence;
	const char *reason; /* NULL: the vendor's field */
};

/* The first row of the table of rules that fits. */
struct bw_mail_judgement bw_mail_classify(uint64_t signs);

#endif
