/* mail.h: bytes to facts: addresses, header fields, message identity, base subject, thread index, message class.
 *
 * Layer:     mail (pure; GMime and libidn2 are seen only here).
 * Threads:   pure, but for one struct bw_header, which belongs to one thread. bw_mail_init() once, before threads start.
 * Ownership: strings in results live in the arena that was given.
 * Fails:     malformed mail means fewer facts, never an error: parsers return what they found. When the arena is full the
 *            fact is missing and `cut` is set.
 *
 * Input is bounded: 64 KiB a field, a few hundred KiB a header, 64 KiB of body. Memory is O(1) in the message's size.
 */
#ifndef BW_MAIL_H
#define BW_MAIL_H

#include "bw/arena.h"
#include "bw/hash.h"
#include "bw/words.h"

void bw_mail_init(void); /* g_mime_init and tables; idempotent */

/* --- addresses (RFC 5321 4.1.2, RFC 5890; semantics 2) --- */

#define BW_ADDRESS_MAX 512 /* longest normalised address with its NUL; RFC 5321 allows 320, A-labels and SMTPUTF8 more */

struct bw_address {
	char text[BW_ADDRESS_MAX]; /* normalised: local part case-folded, +detail stripped, domain lower case in A-labels; "" for <> */
	bool null_sender;          /* "<>" */
	bool verp;                 /* VERP was recognised and undone: list-bounces+user=example.org@... */
	bool srs;                  /* SRS0/SRS1 was recognised and undone */
};

/* Normalises a path as MAIL/RCPT or a header shows it ("<a@b>", "a@b", source routes, quoted local parts).
 * False: it is no address (out is then all zero). `detail`: the recipient delimiter, 0 for none. */
bool bw_address_normalise(struct bw_slice raw, char detail, struct bw_address *out);
/* The domain behind the last '@' of a normalised address; empty if none. */
struct bw_slice bw_address_domain(struct bw_slice normalised);

/* Calls `each` for every mailbox in an address-list field body (To, Cc, From), at most `max`; groups are entered. */
void bw_address_list(struct bw_slice field, size_t max, void (*each)(void *ctx, const struct bw_address *a), void *ctx);

/* --- header and first body chunk --- */

#define BW_REFERENCES_FIRST 2
#define BW_REFERENCES_LAST  6
#define BW_HEADER_ADDRESSES_MAX 64 /* To/Cc addresses kept, and only those that `want_address` accepts */
#define BW_BODY_MAX 65536

struct bw_header {
	/* of the message's identity */
	struct bw_slice message_id;    /* without < >, "" if none */
	struct bw_slice from;          /* first From address, normalised (it proves nothing) */
	struct bw_slice date, subject; /* raw field bodies, cut to 998 bytes; `subject` unfolded */
	/* of the conversation */
	struct bw_slice references[BW_REFERENCES_FIRST + BW_REFERENCES_LAST]; /* first and last few, in order, no doubles */
	size_t references_count;
	struct bw_slice in_reply_to[2]; /* ids only; free text gives none */
	size_t in_reply_to_count;
	uint8_t thread_root[16];        /* Thread-Index bytes 6..21: the conversation id */
	bool has_thread_root;
	bool thread_index_long;         /* longer than its 22-byte root: a reply */
	struct bw_slice base_subject;   /* decoded, folded, prefixes and tags stripped; UTF-8 */
	size_t base_subject_length;     /* in characters */
	bool reply_prefix;              /* the subject has a reply prefix */
	bool has_references;            /* the field is there, whatever it holds */
	bool looks_like_reply;          /* semantics 2 */
	/* lists named in the header: To, Cc addresses and List-Id / List-Post ids accepted by `want_address` */
	struct bw_slice named[BW_HEADER_ADDRESSES_MAX];
	size_t named_count;
	struct bw_slice list_id;        /* the id between < > of List-Id (RFC 2919), lower case */
	struct bw_slice list_address;   /* of List-Post (RFC 2369), normalised, "" if none */
	bool list_post, list_headers;   /* List-Post; any List-* or X-Loop / X-BeenThere field */
	/* class */
	enum bw_class class;            /* set by bw_header_done(): AUTO_REPLY, MDN, DSN, ..., HUMAN; LIST_OUTPUT only by the session */
	enum bw_evidence evidence;
	const char *class_reason;       /* which rule of the table spoke, e.g. "auto-submitted"; static text */
	bool auto_generated;            /* Auto-Submitted: auto-generated (RFC 3834): never discarded */
	bool receipt_requested;         /* Disposition-Notification-To, Return-Receipt-To, X-Confirm-Reading-To */
	bool held_mark;                 /* carries X-Breakwater-Held */
	struct bw_slice held_mark_text;
	unsigned received;              /* Received fields */
	bool cut;                       /* something did not fit its bound */
};

struct bw_header_parser; /* collects fields until the end of the header; opaque */

/* `want_address` answers whether a normalised To/Cc address or a List-Id matters (is a list of the directory); NULL keeps none. It is
 * called while fields arrive, so that ten thousand To addresses cost no memory. NULL when memory is out. */
struct bw_header_parser *bw_header_new(struct bw_arena *arena, bool (*want_address)(void *ctx, struct bw_slice address), void *ctx);
void bw_header_free(struct bw_header_parser **parser);
/* The recipient delimiter of the site for To and Cc, 0 for none; '+' unless set. */
void bw_header_set_detail(struct bw_header_parser *parser, char detail);
/* One field as the MTA hands it over: name without colon, value possibly folded, raw bytes. */
void bw_header_add(struct bw_header_parser *parser, struct bw_slice name, struct bw_slice value);
/* A piece of the body; only the first BW_BODY_MAX bytes count. True: more would be useful. */
bool bw_header_body(struct bw_header_parser *parser, struct bw_slice chunk);
/* Ends the message: `out` is complete. `null_sender` is evidence for the class. */
void bw_header_done(struct bw_header_parser *parser, bool null_sender, struct bw_header *out);

/* Decodes (RFC 2047), folds case and white space, strips reply/forward prefixes and tags, in a row and mixed ("Antw: Re: [EXT] Re:").
 * `reply` (may be NULL) becomes true if a reply prefix was among them. */
struct bw_slice bw_subject_base(struct bw_arena *arena, struct bw_slice subject, bool *reply);
/* Decodes a Thread-Index (MS-OXOMSG 2.2.1.3). False: not base64 or shorter than 22 bytes. */
bool bw_thread_index(struct bw_slice value, uint8_t root[16], bool *longer);

/* Reads one Authentication-Results field (RFC 8601). False: not of a host of ours, and `dmarc_pass` is untouched. */
bool bw_auth_results(struct bw_slice value, bool (*is_ours)(void *ctx, struct bw_slice authserv_id), void *ctx, bool *dmarc_pass);

/* --- message identity (semantics 3) --- */

/* Hash of sender identity + Message-ID + From, Date, Subject. `id_is_ours`: the MTA made the Message-ID (it is no id then). */
struct bw_hash bw_mail_identity(const struct bw_key *key, struct bw_slice identity, const struct bw_header *header, bool id_is_ours);

#endif
