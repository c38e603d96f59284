/* The class of a message: the first row that fits.
 *
 * Evidence is protocol where a standard made for programs speaks (RFC 3834, multipart/report, method=REPLY) and weak
 * elsewhere. People discuss automatic messages ("Re: ... is out of the office") and forward them; where a subject is the
 * only witness, a reply or forward prefix silences it. Auto-Submitted: auto-generated is no answer to anything (RFC 3834
 * 5) and never a reason here. */
#include "signs.h"

#define S(name) BW_SIGN(name)
#define TALK    (S(SUBJECT_REPLY) | S(SUBJECT_FORWARD))
#define NULLS   (S(NULL_SENDER) | S(NULL_RETURN))
#define SYSTEM  (S(DAEMON) | S(FAILED))
/* What a person who writes of absence, or of a receipt, does not show. */
#define WITNESS (S(PRECEDENCE_JUNK) | S(ROBOT) | S(MAILBOX_RULE) | S(AUTO_GENERATED) | S(AUTOREPLIER) | NULLS)

struct rule {
	uint64_t all;  /* must be there */
	uint64_t any;  /* one of these must be there; 0: no matter */
	uint64_t none; /* must not be there */
	enum bw_class class;
	enum bw_evidence evidence;
	const char *reason; /* NULL: the vendor's field */
};

static const struct rule rules[] = {
	/* A person who answers or forwards one with the invitation attached writes to people: what is unclear waits. */
	{ S(CALENDAR_REPLY), 0, TALK, BW_CLASS_CALENDAR_REPLY, BW_EVIDENCE_PROTOCOL, "calendar-method" },
	{ S(CALENDAR_REPLY), 0, 0, BW_CLASS_CALENDAR_REPLY, BW_EVIDENCE_WEAK, "calendar-part" },

	/* A report that is the message itself, then one that a list wrapped, then one that a person quotes. */
	{ S(REPORT_MDN), 0, S(NESTED), BW_CLASS_MDN, BW_EVIDENCE_PROTOCOL, "report-disposition-notification" },
	{ S(REPORT_MDN), SYSTEM | NULLS | S(AUTO_REPLIED), 0, BW_CLASS_MDN, BW_EVIDENCE_PROTOCOL, "nested-disposition-notification" },
	{ S(REPORT_MDN), S(LIST), TALK, BW_CLASS_MDN, BW_EVIDENCE_PROTOCOL, "nested-disposition-notification" },
	{ S(REPORT_MDN), 0, TALK, BW_CLASS_MDN, BW_EVIDENCE_WEAK, "nested-disposition-notification" },
	{ S(REPORT_DSN), 0, S(NESTED), BW_CLASS_DSN, BW_EVIDENCE_PROTOCOL, "report-delivery-status" },
	{ S(REPORT_DSN), 0, TALK, BW_CLASS_DSN, BW_EVIDENCE_PROTOCOL, "nested-delivery-status" },
	{ S(REPORT_DSN), SYSTEM | NULLS, 0, BW_CLASS_DSN, BW_EVIDENCE_PROTOCOL, "nested-delivery-status" },
	{ S(REPORT_FEEDBACK), 0, 0, BW_CLASS_BULK, BW_EVIDENCE_PROTOCOL, "report-feedback" },

	/* Exim, Gmail and others send their delivery status as plain text, marked by Auto-Submitted. */
	{ S(AUTO_REPLIED), SYSTEM, S(SUBJECT_AUTO), BW_CLASS_DSN, BW_EVIDENCE_PROTOCOL, "auto-submitted-by-mail-system" },
	{ S(AUTO_REPLIED) | S(SUBJECT_BOUNCE), NULLS | S(POSTMASTER), S(SUBJECT_AUTO) | TALK, BW_CLASS_DSN, BW_EVIDENCE_PROTOCOL,
	  "auto-submitted-by-mail-system" },
	{ S(AUTO_GENERATED), SYSTEM, S(SUBJECT_AUTO) | TALK, BW_CLASS_DSN, BW_EVIDENCE_PROTOCOL, "auto-submitted-by-mail-system" },
	/* A receipt that lost its type on a list. */
	{ S(AUTO_REPLIED) | S(SUBJECT_RECEIPT), 0, TALK, BW_CLASS_MDN, BW_EVIDENCE_PROTOCOL, "auto-submitted-receipt" },
	{ S(AUTO_REPLIED), 0, 0, BW_CLASS_AUTO_REPLY, BW_EVIDENCE_PROTOCOL, "auto-submitted" },

	{ S(RECALL_CLASS), 0, 0, BW_CLASS_RECALL, BW_EVIDENCE_WEAK, "message-class" },

	/* Reports without their type, or their parts without a report. */
	{ S(REPORT) | S(SUBJECT_RECEIPT), 0, TALK, BW_CLASS_MDN, BW_EVIDENCE_WEAK, "report" },
	{ S(REPORT), SYSTEM | NULLS | S(POSTMASTER), 0, BW_CLASS_DSN, BW_EVIDENCE_WEAK, "report" },
	{ S(REPORT) | S(SUBJECT_BOUNCE), 0, TALK, BW_CLASS_DSN, BW_EVIDENCE_WEAK, "report" },
	{ S(STATUS_PART), SYSTEM | NULLS | S(POSTMASTER), 0, BW_CLASS_DSN, BW_EVIDENCE_WEAK, "delivery-status-part" },
	{ S(STATUS_PART), 0, TALK, BW_CLASS_DSN, BW_EVIDENCE_WEAK, "delivery-status-part" },
	{ S(RECEIPT_PART), SYSTEM | NULLS, 0, BW_CLASS_MDN, BW_EVIDENCE_WEAK, "disposition-notification-part" },
	{ S(RECEIPT_PART), 0, TALK, BW_CLASS_MDN, BW_EVIDENCE_WEAK, "disposition-notification-part" },

	{ S(VENDOR_REPLY), 0, 0, BW_CLASS_AUTO_REPLY, BW_EVIDENCE_WEAK, NULL },
	/* Before the mail systems: Amazon SES hands on answers in the name of its mailer-daemon. */
	{ S(SUBJECT_AUTO), 0, TALK, BW_CLASS_AUTO_REPLY, BW_EVIDENCE_WEAK, "subject" },

	{ S(DAEMON), NULLS | S(FAILED), 0, BW_CLASS_DSN, BW_EVIDENCE_WEAK, "mail-system" },
	{ S(DAEMON), 0, TALK, BW_CLASS_DSN, BW_EVIDENCE_WEAK, "mail-system" },
	{ S(FAILED), 0, TALK, BW_CLASS_DSN, BW_EVIDENCE_WEAK, "failed-recipients" },
	{ S(POSTMASTER), NULLS, S(SUBJECT_AUTO), BW_CLASS_DSN, BW_EVIDENCE_WEAK, "mail-system" },
	{ S(SUBJECT_BOUNCE), NULLS | S(POSTMASTER) | S(ROBOT) | S(NO_FROM), TALK, BW_CLASS_DSN, BW_EVIDENCE_WEAK,
	  "subject-by-mail-system" },

	{ S(SUBJECT_ABSENCE), S(ANSWERS) | WITNESS, TALK, BW_CLASS_AUTO_REPLY, BW_EVIDENCE_WEAK, "subject-absence" },
	{ S(SUBJECT_ABSENCE) | S(PRECEDENCE_BULK), 0, TALK | S(LIST), BW_CLASS_AUTO_REPLY, BW_EVIDENCE_WEAK, "subject-absence" },
	/* GroupWise and others put a reply prefix before the name of their answer; people who talk of one answer somebody. */
	{ S(SUBJECT_BARE), 0, S(ANSWERS) | S(SUBJECT_FORWARD), BW_CLASS_AUTO_REPLY, BW_EVIDENCE_WEAK, "subject-bare" },
	{ S(SUBJECT_BARE), WITNESS, S(SUBJECT_FORWARD), BW_CLASS_AUTO_REPLY, BW_EVIDENCE_WEAK, "subject-bare" },
	{ S(TOPIC_AUTO), 0, S(ANSWERS) | TALK, BW_CLASS_AUTO_REPLY, BW_EVIDENCE_WEAK, "thread-topic" },
	{ S(AUTOREPLIER), 0, TALK, BW_CLASS_AUTO_REPLY, BW_EVIDENCE_WEAK, "sender-name" },
	{ S(MAILBOX_RULE), NULLS, 0, BW_CLASS_AUTO_REPLY, BW_EVIDENCE_WEAK, "mailbox-rule" },
	{ S(SUBJECT_RECALL), S(OUTLOOK) | S(TNEF), TALK, BW_CLASS_RECALL, BW_EVIDENCE_WEAK, "subject-recall" },
	{ S(SUBJECT_RECALL_VAGUE) | S(TNEF), 0, TALK, BW_CLASS_RECALL, BW_EVIDENCE_WEAK, "subject-recall" },
	{ S(SUBJECT_RECEIPT), S(TNEF) | NULLS, TALK, BW_CLASS_MDN, BW_EVIDENCE_WEAK, "subject-receipt" },
	{ S(SUBJECT_RECEIPT_FIRM), 0, TALK, BW_CLASS_MDN, BW_EVIDENCE_WEAK, "subject-receipt" },
	{ S(SUBJECT_CALENDAR), S(CALENDAR) | S(TNEF), TALK, BW_CLASS_CALENDAR_REPLY, BW_EVIDENCE_WEAK, "subject-calendar" },

	/* vacation programs of old; nobody answers with junk by hand. */
	{ S(PRECEDENCE_JUNK), S(ANSWERS) | S(SUBJECT_REPLY) | NULLS, S(LIST), BW_CLASS_AUTO_REPLY, BW_EVIDENCE_WEAK, "precedence-junk" },
	/* RFC 5321 4.5.5: a null reverse-path is for notifications only; spam borrows it, but answers nothing. */
	{ S(NULL_SENDER), S(ANSWERS) | S(SUBJECT_REPLY), S(AUTO_GENERATED), BW_CLASS_AUTO_REPLY, BW_EVIDENCE_WEAK, "null-sender" },
	{ S(NULL_RETURN), S(ANSWERS) | S(SUBJECT_REPLY), S(AUTO_GENERATED) | S(LIST) | S(BULK), BW_CLASS_AUTO_REPLY, BW_EVIDENCE_WEAK,
	  "null-return-path" },

	{ 0, S(BULK) | S(PRECEDENCE_BULK) | S(PRECEDENCE_JUNK), S(LIST) | S(ANSWERS) | TALK, BW_CLASS_BULK, BW_EVIDENCE_WEAK,
	  "mass-mail" },
};

_Static_assert(BW_SIGN_COUNT <= 64, "signs are bits of a uint64_t");

struct bw_mail_judgement bw_mail_classify(uint64_t signs)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct rule *r = &rules[i];

		if ((signs & r->all) != r->all || (r->any != 0 && (signs & r->any) == 0) || (signs & r->none) != 0)
			continue;
		return (struct bw_mail_judgement){ r->class, r->evidence, r->reason };
	}
	return (struct bw_mail_judgement){ BW_CLASS_HUMAN, BW_EVIDENCE_NONE, "" };
}
