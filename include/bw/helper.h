/* helper.h: how breakwater-agent asks breakwater-helper, which alone is root, and what either says.
 *
 * Layer:     agent.
 * Threads:   one struct bw_helper, one thread.
 * Time:      an answer is waited for ten minutes at most (a whole queue), else two.
 * Ownership: bw_helper_open() / bw_helper_close(). A socket is open while it is used, and opened again where the helper was restarted.
 * Fails:     BW_ERR_IO: the helper is not there, or was gone before it answered; what it says no to has a code of its own.
 *
 * A packet of the socket (SOCK_SEQPACKET, at most 96 KiB) is fields "name=value", each ended by a NUL. A request:
 *
 *     ask      look, each, carriers, fetch: change nothing. release, requeue, hold, delete, put: what a signed order allows
 *     mta      "postfix" or "sendmail", and `config`, where there are several instances: one of hold.postfix_config
 *     queue    the queue id
 *     order    the signed order (order.h); the first three need none, fetch and delete none for what has waited for hold.keep
 *     brief    with each: "1", what is held need not be read. since: with carriers, in milliseconds
 *     seal     with put: what fetch said; and file0, file1 ... as fetch said them, "NAME MODE UID GID BYTES" (decimal), whose bytes are sealed
 *              memfds that go with it, 253 at most. NAME is "message" (Postfix), "hf" or "df" (Sendmail), or "hfID": another part of the
 *              message, by its queue id. fetch, delete and put are about all parts, release too; each part must bear the message's mark
 *
 * An answer is any number of packets with is=row (look, each, carriers) or is=note (put: `queue`, the id it will have; answered by ask=go), and one:
 *
 *     is=done     with fetch: `seal`, file0, file1 ... and the files; with put: `queue`
 *     is=refused  `code` and `why`
 *     is=failed   `err` (err.h) and `why`
 */
#ifndef BW_HELPER_H
#define BW_HELPER_H

#include "bw/mta.h"

enum bw_refusal {
	BW_REFUSAL_NONE,
	BW_REFUSAL_NOT_ALLOWED,   /* that user may not ask */
	BW_REFUSAL_BAD_REQUEST,   /* no such packet, MTA or instance */
	BW_REFUSAL_BAD_SIGNATURE,
	BW_REFUSAL_BAD_ORDER,     /* signed, and yet none that breakwaterctl writes */
	BW_REFUSAL_EXPIRED,
	BW_REFUSAL_OTHER_HOST,
	BW_REFUSAL_OTHER_COMMAND, /* not what was ordered, or without an order */
	BW_REFUSAL_BAD_ID,        /* no queue id of that MTA */
	BW_REFUSAL_REPLAYED,      /* carried out already */
	BW_REFUSAL_NO_MESSAGE,
	BW_REFUSAL_NO_MARK,       /* somebody else's */
	BW_REFUSAL_OTHER_MESSAGE, /* its mark, or the time it came, is another's */
	BW_REFUSAL_NOT_DUE,       /* without an order, and it has not waited for hold.keep */
	BW_REFUSAL_BAD_SEAL,      /* not what was deleted */
	BW_REFUSAL_COUNT
};
const char *bw_refusal_name(enum bw_refusal refusal);
bool bw_refusal_parse(struct bw_slice word, enum bw_refusal *out);
/* What a refusal is where only enum bw_err is known: NO_MESSAGE is BW_ERR_NOT_FOUND, REPLAYED is BW_ERR_EXISTS. */
enum bw_err bw_refusal_err(enum bw_refusal refusal);

/* Where the helper may be killed, in the order in which it gets there; tests kill it at each (option -k). */
enum bw_helper_fault {
	BW_HELPER_CHECKED,  /* nothing is done yet */
	BW_HELPER_SEALED,   /* fetch: the files are not handed over yet */
	BW_HELPER_NAMED,    /* put: the client knows the name, and the MTA cannot see the message yet */
	BW_HELPER_DONE,     /* and not noted: the order could be carried out again */
	BW_HELPER_NOTED,    /* and not answered */
	BW_HELPER_ANSWERED, /* Sendmail: and not delivered */
	BW_HELPER_FAULT_COUNT
};
const char *bw_helper_fault_name(enum bw_helper_fault fault);

/* The socket is looked for when it is first asked. BW_ERR_MEMORY, BW_ERR_INPUT (a path too long for a socket). */
enum bw_err bw_helper_open(const char *path, struct bw_helper **out, struct bw_why *why);
void bw_helper_close(struct bw_helper **h);
/* What the last question was refused for; BW_REFUSAL_NONE where it was not. */
enum bw_refusal bw_helper_refusal(const struct bw_helper *h);
/* Did the helper answer the last question, whatever it said? Where it did not, the queue tells whether anything was done. */
bool bw_helper_answered(const struct bw_helper *h);

#endif
