/* helper-serve.h: one request to breakwater-helper: read, checked, carried out, answered.
 *
 * Layer:     agent, breakwater-helper alone.
 * Threads:   one.
 * Time:      read here, for each request; an MTA's command and a silent client get a bounded time.
 * Ownership: struct helper borrows all but its packets.
 */
#ifndef BW_AGENT_HELPER_SERVE_H
#define BW_AGENT_HELPER_SERVE_H

#include "bw/config.h"
#include "bw/helper.h"
#include "helper-nonces.h"
#include "packet.h"

/* Of a message's parts, those that a fetch hands over: a file of each, and the body that they share. */
enum { HELPER_PARTS_MAX = PACKET_FILES_MAX - 1 };

struct helper {
	const struct bw_config *config;
	struct bw_key site;        /* of marks */
	struct bw_order_key key;
	char host[256];
	int state;                 /* the directory that is root's alone */
	struct nonces *nonces;
	int fault;                 /* where to be killed, or -1 */
	void (*log)(void *ctx, enum bw_err err, const char *event, const char *code, const char *text);
	void *log_ctx;
	struct packet in, out, note;
};

struct ask;

/* One request; what stands in it is believed where it was checked. */
struct request {
	int client;
	const struct ask *ask;
	const struct bw_mta *mta;
	struct bw_mta_place place;
	char queue_id[BW_QUEUE_ID_BYTES];
	bool ordered;
	struct bw_order order;
	struct bw_hash id;         /* of the message, and when it was held or accepted: by the order, else by its mark */
	int64_t at_ms, now_ms;
	enum bw_refusal refusal;   /* BW_REFUSAL_NONE: an error is none */
	struct bw_why why;
};

/* What can be asked. */
struct ask {
	const char *name;
	unsigned orders;           /* a bit for each kind of order that allows it; 0: none is needed */
	bool about_one;            /* message, whose queue id is given */
	bool due;                  /* needs no order for what has waited for hold.keep */
	bool places;               /* the message is not there yet */
	bool once;                 /* an order for it is used up */
	bool delivers;             /* where that needs root */
	enum bw_err (*run)(struct helper *h, struct request *r);
};

/* Answers one request that is there to be read. False: hang up. */
bool helper_serve(struct helper *h, int client);
/* To one who may not ask. */
void helper_turn_away(struct helper *h, int client, const char *text);

/* BW_OK, or the error of a refusal, which is noted in `r`. */
enum bw_err helper_check(struct helper *h, struct request *r);
enum bw_err helper_refuse(struct request *r, enum bw_refusal refusal, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Is `row` the message that is meant? */
enum bw_err helper_check_row(struct request *r, const struct bw_queued *row);
/* What the MTA has under r->queue_id. */
enum bw_err helper_check_message(struct helper *h, struct request *r);
/* The same of a part that Sendmail has made of it, under a queue id that no order names: by its own mark alone it belongs to the message. */
enum bw_err helper_check_part(struct helper *h, struct request *r, const char *queue_id);

/* All parts of a message that is held: whether they are its own, and `most` at most. */
enum bw_err helper_check_parts(struct helper *h, struct request *r, size_t most);
enum bw_err helper_fetch(struct helper *h, struct request *r);
enum bw_err helper_put(struct helper *h, struct request *r);

void helper_reach(const struct helper *h, enum bw_helper_fault fault);

#endif
