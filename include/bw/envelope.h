/* envelope.h: the lists of one message's envelope, and what a verdict changes in a message that goes on.
 *
 * Layer:     engine decides, front ends tell the MTA.
 * Threads:   values.
 * Ownership: text lives in the message's arena and ends in NUL.
 */
#ifndef BW_ENVELOPE_H
#define BW_ENVELOPE_H

#include "bw/slice.h"

/* One spelling of a list among the RCPTs. An MTA finds a recipient again by these very bytes: any others are answered with success, and
 * delete nothing. */
struct bw_facts_rcpt {
	struct bw_slice path;       /* "<All@nhs.example>" */
	struct bw_slice parameters; /* what stands for its NOTIFY=SUCCESS: "NOTIFY=FAILURE ORCPT=…"; "" if it asked for none */
	struct bw_facts_rcpt *next;
};

/* "<dot-atom@dot-atom>": what MTAs find again byte for byte, and take as it is. Quotes, comments, source routes and bare local names they
 * write anew. The engine's. */
bool bw_rcpt_is_plain(struct bw_slice path);

/* Fields that make a storm's echo: each member's program answers them. */
enum bw_receipt {
	BW_RECEIPT_DISPOSITION, /* Disposition-Notification-To (RFC 8098) */
	BW_RECEIPT_RETURN,      /* Return-Receipt-To */
	BW_RECEIPT_CONFIRM,     /* X-Confirm-Reading-To */
	BW_RECEIPT_SUPPRESS,    /* X-Auto-Response-Suppress, which asks for silence */
	BW_RECEIPT_COUNT
};
struct bw_receipts {
	int count[BW_RECEIPT_COUNT];   /* fields of that name */
	bool sealed[BW_RECEIPT_COUNT]; /* somebody else's DKIM signature covers the name */
};
extern const char *const bw_receipt_names[BW_RECEIPT_COUNT]; /* the engine's */

struct bw_list;

/* One list of one message. */
struct bw_facts_list {
	const struct bw_list *list;  /* of the world's directory */
	struct bw_facts_rcpt *rcpts; /* its spellings in the envelope; NULL if it stands only in the header, */
	bool named_only;             /* of an expander's mail */
	bool fixed;                  /* cannot be taken out: more spellings than kept, or one that the MTA would not find again */
	int64_t rcpt_count;          /* RCPTs that mean it */
};

enum bw_change_kind {
	BW_CHANGE_RCPT_REMOVE, /* `name`: the bytes of its RCPT */
	BW_CHANGE_RCPT_ADD,    /* `name`: "<boss@nhs.example>"; `value`: its ESMTP parameters or NULL */
	BW_CHANGE_FIELD_ADD,   /* `name`, `value` */
	BW_CHANGE_FIELD_SET,   /* the `index`th of that name, from 1; `value` NULL: removed */
	BW_CHANGE_COUNT
};

/* One change, in the order in which the MTA is to be told. */
struct bw_change {
	enum bw_change_kind kind;
	const char *name, *value;
	int index;
};

#endif
