/* session.h: what one connection and one message on it are, free of any front end's types.
 *
 * Layer:     filter (its own library: simulate and tests drive it as libmilter does).
 * Threads:   one session, one thread at a time.
 * Ownership: the session owns an arena per message and a reference on the world the message started with.
 * Fails:     never: memory that runs out means fewer facts.
 */
#ifndef BW_SESSION_H
#define BW_SESSION_H

#include "bw/engine.h"

struct bw_session;

/* What to do after a step. */
enum bw_step {
	BW_STEP_ACCEPT, /* ordinary mail: accept the rest of this message unseen */
	BW_STEP_GO_ON   /* go on to the next step */
};

struct bw_session *bw_session_new(struct bw_engine *engine);
void bw_session_free(struct bw_session **session);

/* `ip` in text form (NULL for a local pipe: the MTA's own host); `daemon_name` may be NULL. */
void bw_session_connect(struct bw_session *s, const char *ip, const char *daemon_name);
/* Which MTA speaks, "postfix" or "sendmail" (a static text): the ledger must know whose hold queue a message waits in; and the host
 * name that it goes by ({j}, NULL if unknown): mail to it is mail to the own domains. */
void bw_session_mta(struct bw_session *s, const char *name, const char *host);
/* Starts a message. `auth`: {auth_authen} or NULL; `cert`: the mapped name of a verified client certificate or NULL. */
void bw_session_mail(struct bw_session *s, struct bw_slice path, const char *auth, const char *cert, int64_t declared_size);
/* One accepted recipient. `path`: the exact bytes of its RCPT; `resolved`: what the MTA made of them ({rcpt_addr}), NULL if unknown. A
 * list is looked up by both: the MTA knows more spellings of an address than we do. */
void bw_session_rcpt(struct bw_session *s, struct bw_slice path, const char *resolved);
/* More of the recipient just given: its ESMTP parameters (ending in NULL), and whether the MTA has expanded it already: taken out, its
 * members would stay. */
void bw_session_rcpt_more(struct bw_session *s, char *const *parameters, bool expanded);
/* What the MTA does not let us change: recipients, their NOTIFY, header fields. Until said otherwise it lets us. */
void bw_session_fixed(struct bw_session *s, bool recipients, bool notify, bool fields);
enum bw_step bw_session_data(struct bw_session *s);
void bw_session_header(struct bw_session *s, struct bw_slice name, struct bw_slice value);
/* False: no more body is wanted. */
bool bw_session_body(struct bw_session *s, struct bw_slice chunk);
/* Ends the message and judges it. The judgement lives until the next message or abort. `now_ms`: 0 for the store's clock. */
const struct bw_judgement *bw_session_end(struct bw_session *s, const char *queue_id, int64_t now_ms);
/* The facts of the message in hand, for front ends that need the lists' RCPT bytes. */
const struct bw_facts *bw_session_facts(const struct bw_session *s);
/* Forgets the message in hand, at any stage. */
void bw_session_abort(struct bw_session *s);

#endif
